//! The record of an import while one of its calls is under way: what was counted, that it goes on, and how it ended.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mingce_orm::write::earlier::DecidedRow;
use mingce_orm::write::import_progress::{Ended, Noted};
use mingce_orm::write::run_notes::RunNotes;
use mingce_orm::{Class, Error, RequestContext, Store};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Import, ImportCounts, ImportSettings, RowOutcome};
use tokio::sync::oneshot;

/// After so long without rows it is noted that the call goes on; sooner where something was not noted yet.
const BEAT: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(1);
/// An import of which nothing was noted for so long is under way no more: its process ended under it. Some beats, and the
/// longest that a piece may take.
pub const LEASE: Duration = Duration::from_secs(60);

/// After how long it is tried again to note an end.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
    Duration::ZERO,
];

/// Keeps the record of an import. Dropped before the end, as when the caller leaves, it notes that.
pub(crate) struct Keeper {
    store: Store,
    cx: RequestContext,
    begun: Instant,
    collection: &'static str,
    /// Empty until it has begun, in a dry run, and once it has ended.
    name: String,
    /// Not noted yet.
    counts: ImportCounts,
    is_noted: bool,
    noted: Instant,
    /// What its rows meant, where further calls may go on.
    seen: Option<Arc<Mutex<RunNotes>>>,
    /// Which part they are of.
    part: i32,
    /// Its rows were counted as refused in an earlier call.
    is_retry: bool,
    /// What was decided of some, and is not noted yet.
    decided: Vec<DecidedRow>,
}

impl Keeper {
    /// Of a call that has not begun.
    pub(crate) fn new(store: &Store, cx: &RequestContext, collection: &'static str) -> Self {
        Self {
            store: store.clone(),
            cx: cx.clone(),
            begun: Instant::now(),
            collection,
            name: String::new(),
            counts: nothing(collection),
            is_noted: true,
            noted: Instant::now(),
            seen: None,
            part: 0,
            is_retry: false,
            decided: Vec::new(),
        }
    }

    /// Begins.
    pub(crate) async fn begin(&mut self, settings: &ImportSettings) -> Result<Import, Error> {
        let import = self.store.begin_import(&self.cx, settings, self.collection).await?;
        import.name.clone_into(&mut self.name);
        (self.part, self.is_retry) = (settings.part, settings.retry);
        Ok(import)
    }

    /// Further calls are to know what its rows meant.
    pub(crate) fn remember(&mut self, seen: &Arc<Mutex<RunNotes>>) {
        self.seen = Some(Arc::clone(seen));
    }

    /// The same file may be loaded again, and this was decided of rows.
    pub(crate) fn decided(&mut self, rows: &mut Vec<DecidedRow>) {
        self.decided.append(rows);
    }

    /// What a future answers; while it lets itself be waited for, it is noted that the call goes on.
    pub(crate) async fn waiting_for<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Error> {
        let mut future = std::pin::pin!(future);
        loop {
            let wait = if self.is_noted { BEAT } else { SOON };
            match tokio::time::timeout(wait, &mut future).await {
                Ok(answer) => return Ok(answer),
                Err(_) => self.note().await?,
            }
        }
    }

    /// Counts what became of some rows.
    pub(crate) fn count(&mut self, outcomes: &[RowOutcome]) {
        self.is_noted &= outcomes.is_empty();
        for outcome in outcomes {
            if self.is_retry {
                // It was counted as this before.
                self.counts.refused -= 1;
            }
            let count = match outcome.outcome() {
                Outcome::Created => &mut self.counts.created,
                Outcome::Updated => &mut self.counts.updated,
                Outcome::Unchanged => &mut self.counts.unchanged,
                Outcome::Refused | Outcome::Unspecified => &mut self.counts.refused,
            };
            *count += 1;
        }
    }

    /// Counts what became of a row that was counted as refused.
    pub(crate) fn recount(&mut self, outcome: &RowOutcome) {
        self.counts.refused -= i64::from(!self.is_retry);
        self.count(std::slice::from_ref(outcome));
    }

    /// Notes what was counted, unless something was noted a moment ago.
    pub(crate) async fn note_now_and_then(&mut self) -> Result<(), Error> {
        if self.noted.elapsed() < SOON {
            return Ok(());
        }
        self.note().await
    }

    async fn note(&mut self) -> Result<(), Error> {
        let fresh = self.fresh();
        if self.name.is_empty() {
            return Ok(());
        }
        let noted = self.store.note_import(&self.now(), &self.name, &fresh, None).await;
        if noted.as_ref().is_err_and(|error| error.class() == Class::Exhausted) {
            // Nothing was written, and the end may find room again.
            self.put_back(fresh);
        }
        noted
    }

    /// Notes how it ended. What its rows did is done and answered, whether that could be noted or not.
    pub(crate) async fn end(mut self, ended: Ended) {
        if let Some(noted) = self.note_end(ended) {
            noted.await.ok();
        }
    }

    /// Notes how it ended in a task of its own, so that it is noted also where the caller leaves meanwhile. Answers when that was tried;
    /// where the database has no room, it is tried again for some time. None where there is nothing to note.
    fn note_end(&mut self, ended: Ended) -> Option<oneshot::Receiver<()>> {
        let (name, fresh) = (std::mem::take(&mut self.name), self.fresh());
        if name.is_empty() {
            return None;
        }
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let (store, cx) = (self.store.clone(), self.now());
        let (tried, answer) = oneshot::channel();
        runtime.spawn(noted_once_there_is_room(tried, move || {
            let (store, cx, name, fresh) = (store.clone(), cx.clone(), name.clone(), fresh.clone());
            async move { store.note_import(&cx, &name, &fresh, Some(ended)).await }
        }));
        Some(answer)
    }

    /// What is not noted yet.
    fn fresh(&mut self) -> Noted {
        (self.is_noted, self.noted) = (true, Instant::now());
        Noted {
            counts: std::mem::replace(&mut self.counts, nothing(self.collection)),
            seen: self.seen.clone(),
            part: self.part,
            decided: std::mem::take(&mut self.decided),
        }
    }

    /// Takes back what could not be noted.
    fn put_back(&mut self, noted: Noted) {
        self.is_noted = false;
        let (counts, more) = (&mut self.counts, noted.counts);
        counts.created += more.created;
        counts.updated += more.updated;
        counts.unchanged += more.unchanged;
        counts.refused += more.refused;
        self.decided.splice(..0, noted.decided);
    }

    /// The call, now.
    fn now(&self) -> RequestContext {
        let passed = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(0);
        RequestContext {
            now: self.cx.now.saturating_add(passed),
            ..self.cx.clone()
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.note_end(Ended::Interrupted));
    }
}

/// Notes an end, and where the database has no room tries it again for some time. Tells when it was tried once.
async fn noted_once_there_is_room<F>(tried: oneshot::Sender<()>, mut note: impl FnMut() -> F)
where
    F: Future<Output = Result<(), Error>>,
{
    let mut tried = Some(tried);
    for pause in PAUSES {
        let noted = note().await;
        tried.take().map(|tried| tried.send(()));
        let Err(error) = noted else { return };
        let why = error.detail().unwrap_or(error.message());
        tracing::warn!("it was not noted how an import ended: {why}");
        // Of others it is not known that nothing was written.
        if error.class() != Class::Exhausted {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

fn nothing(collection: &str) -> ImportCounts {
    ImportCounts {
        collection: collection.to_owned(),
        ..ImportCounts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(class: Class) -> Result<(), Error> {
        Err(Error::new(class, "DATABASE_FULL", "of a test"))
    }

    /// After how many seconds it is tried to note an end, while each try answers this and further ones the last of them.
    async fn tries(answers: &[Result<(), Error>]) -> Vec<u64> {
        let begun = tokio::time::Instant::now();
        let (tried, answer) = oneshot::channel();
        let mut tries = Vec::new();
        let note = || {
            let answer = answers.get(tries.len()).or(answers.last()).cloned();
            tries.push(begun.elapsed().as_secs());
            std::future::ready(answer.unwrap_or(Ok(())))
        };
        let told = async {
            answer.await.expect("nobody was told");
            begun.elapsed().as_secs()
        };
        let ((), told) = tokio::join!(noted_once_there_is_room(tried, note), told);
        assert_eq!(told, 0, "the caller waits for one try");
        tries
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_tried_again_while_there_is_no_room_and_not_for_ever() {
        let full = || refused(Class::Exhausted);
        assert_eq!(tries(&[Ok(())]).await, [0]);
        assert_eq!(tries(&[full(), Ok(())]).await, [0, 1]);
        assert_eq!(tries(&[full(), full(), full(), Ok(())]).await, [0, 1, 5, 21]);
        assert_eq!(tries(&[full()]).await, [0, 1, 5, 21]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_may_be_noted_is_not_tried_again() {
        for class in [Class::Internal, Class::Unavailable, Class::Precondition] {
            assert_eq!(tries(&[refused(class)]).await, [0], "{class:?}");
        }
        let then = [refused(Class::Exhausted), refused(Class::Unavailable), Ok(())];
        assert_eq!(tries(&then).await, [0, 1]);
    }
}
