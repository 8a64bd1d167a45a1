//! The record of an import while one of its calls is under way: what was counted, that it goes on, and how it ended.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mingce_orm::imports::{Ended, Noted};
use mingce_orm::seen::Seen;
use mingce_orm::{Cx, Error, Store};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Import, ImportCounts, ImportSettings, RowOutcome};
use tokio::task::JoinHandle;

/// After so long without rows it is noted that the call goes on; sooner where something was not noted yet.
const BEAT: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(1);
/// An import of which nothing was noted for so long is under way no more: its process ended under it. Some beats, and the
/// longest that a piece may take.
pub const LEASE: Duration = Duration::from_secs(60);

/// Keeps the record of an import. Dropped before the end, as when the caller leaves, it notes that.
pub(crate) struct Keeper {
    store: Store,
    cx: Cx,
    begun: Instant,
    collection: &'static str,
    /// Empty until it has begun, in a dry run, and once it has ended.
    name: String,
    /// Not noted yet.
    counts: ImportCounts,
    is_noted: bool,
    noted: Instant,
    /// What its rows meant, where further calls may go on, and which part they are of.
    seen: Option<(i32, Arc<Mutex<Seen>>)>,
}

impl Keeper {
    /// Of a call that has not begun.
    pub(crate) fn new(store: &Store, cx: &Cx, collection: &'static str) -> Self {
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
        }
    }

    /// Begins.
    pub(crate) async fn begin(&mut self, settings: &ImportSettings) -> Result<Import, Error> {
        let import = self.store.begin_import(&self.cx, settings, self.collection).await?;
        import.name.clone_into(&mut self.name);
        Ok(import)
    }

    /// Further calls are to know what its rows meant.
    pub(crate) fn remember(&mut self, part: i32, seen: &Arc<Mutex<Seen>>) {
        self.seen = Some((part, Arc::clone(seen)));
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
            let count = match outcome.outcome() {
                Outcome::Created => &mut self.counts.created,
                Outcome::Updated => &mut self.counts.updated,
                Outcome::Unchanged => &mut self.counts.unchanged,
                Outcome::Refused | Outcome::Unspecified => &mut self.counts.refused,
            };
            *count += 1;
        }
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
        self.store.note_import(&self.now(), &self.name, fresh, None).await
    }

    /// Notes how it ended.
    pub(crate) async fn end(mut self, ended: Ended) -> Result<(), Error> {
        match self.note_end(ended) {
            Some(noting) => noting
                .await
                .map_err(|_| Error::internal("the end of an import was not noted"))?,
            None => Ok(()),
        }
    }

    /// Notes how it ended in a task of its own, so that it is noted also where the caller leaves meanwhile. None where
    /// there is nothing to note.
    fn note_end(&mut self, ended: Ended) -> Option<JoinHandle<Result<(), Error>>> {
        let (name, fresh) = (std::mem::take(&mut self.name), self.fresh());
        if name.is_empty() {
            return None;
        }
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let (store, cx) = (self.store.clone(), self.now());
        Some(runtime.spawn(async move {
            let noted = store.note_import(&cx, &name, fresh, Some(ended)).await;
            if let Err(error) = &noted {
                let why = error.detail().unwrap_or(error.message());
                tracing::warn!("it was not noted how an import ended: {why}");
            }
            noted
        }))
    }

    /// What is not noted yet.
    fn fresh(&mut self) -> Noted {
        (self.is_noted, self.noted) = (true, Instant::now());
        Noted {
            counts: std::mem::replace(&mut self.counts, nothing(self.collection)),
            seen: self.seen.clone(),
        }
    }

    /// The call, now.
    fn now(&self) -> Cx {
        let passed = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(0);
        Cx {
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

fn nothing(collection: &str) -> ImportCounts {
    ImportCounts {
        collection: collection.to_owned(),
        ..ImportCounts::default()
    }
}
