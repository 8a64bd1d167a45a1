//! What falls due: lists of it, and what the register does by itself.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use mingce_lifecycle::any::Due;
use mingce_lifecycle::day::{given, today};
use mingce_lifecycle::round::{Rounds, close_if_due};
use mingce_lifecycle::{AnyCase, At, BY_ITSELF};
use mingce_orm::{Collection, Cx, Edit, Error, List, Outcome, Result};
use mingce_proto::registry::{DueKind, DueWork, ListDueWorkRequest, ListDueWorkResponse, View};
use mingce_server::Clock;

use crate::CaseRegister;

/// How often the register looks for what it does by itself. It is done on the day: minutes do not matter.
const PAUSE: Duration = Duration::from_secs(20);
const AT_HAND: Duration = Duration::from_millis(250);
/// After a fault: the database may be away.
const AFTER_FAULT: Duration = Duration::from_secs(60);

impl CaseRegister {
    /// A page of what falls due in one collection.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, reason `COLLECTION_UNKNOWN`.
    pub(crate) async fn due_work(&self, cx: &Cx, r: &ListDueWorkRequest) -> Result<ListDueWorkResponse> {
        let until = match given("until_date", &r.until_date)? {
            Some(day) => day.to_string(),
            None => today(cx)?.to_string(),
        };
        let wanted = Due {
            until: &until,
            kind: r.due(),
            page_size: r.page_size,
            page_token: &r.page_token,
        };
        let (due_work, next_page_token) = if r.collection == Rounds::COLLECTION {
            self.due_rounds(cx, wanted).await?
        } else {
            let kind = self.kinds.iter().find(|kind| kind.collection() == r.collection);
            let kind = kind.ok_or_else(|| {
                let kinds = self.kinds.iter().map(|kind| kind.collection());
                let known: Vec<_> = kinds.chain([Rounds::COLLECTION]).collect();
                Error::collection_unknown(&r.collection, &known)
            })?;
            kind.due(&self.store, cx, wanted).await?
        };
        Ok(ListDueWorkResponse {
            due_work,
            next_page_token,
        })
    }

    async fn due_rounds(&self, cx: &Cx, wanted: Due<'_>) -> Result<(Vec<DueWork>, String)> {
        let filter = wanted.filter();
        let list = List {
            page_size: wanted.page_size,
            page_token: wanted.page_token,
            filter: &filter,
            order_by: "due_date",
            view: View::Full as i32,
            ..List::default()
        };
        let page = self.store.list::<Rounds>(cx, list).await?;
        let due = page.items()?.into_iter().map(|round| DueWork {
            name: round.name,
            display_name: round.display_name,
            date: round.due_date,
            due: round.due,
            automatic: true,
        });
        Ok((due.collect(), page.next_page_token))
    }

    /// Does by itself what falls due, now and again. Any number of processes may do this: each piece of work is one edit that looks, in
    /// its transaction, whether it is still due.
    pub(crate) async fn do_what_falls_due(self, clock: Clock) {
        loop {
            let cx = Cx {
                actor: BY_ITSELF.to_owned(),
                now: clock.now(),
                deadline: None,
            };
            let rest = match outlived(self.do_what_is_due(&cx)).await {
                Ok(0) => PAUSE,
                Ok(done) => {
                    tracing::info!(done, "did what fell due");
                    PAUSE
                }
                Err(error) => {
                    tracing::warn!(
                        "what falls due could not be done: {}",
                        error.detail().unwrap_or(error.message())
                    );
                    AFTER_FAULT
                }
            };
            // Who turns the clock by hand does not want to wait.
            let rest = if clock.is_file() { rest.min(AT_HAND) } else { rest };
            tokio::time::sleep(rest).await;
        }
    }

    /// Does what is due by itself up to the day of `cx`, and answers how much it was.
    async fn do_what_is_due(&self, cx: &Cx) -> Result<usize> {
        let at = self.at(cx)?;
        let until = at.today.to_string();
        let mut done = 0;
        for kind in self.kinds.iter() {
            for due in kind.automatic() {
                done += self.do_kind(cx, &at, kind.as_ref(), *due, &until).await?;
            }
        }
        let mut page_token = String::new();
        loop {
            let wanted = Due {
                until: &until,
                kind: DueKind::RoundEnds,
                page_size: 1000,
                page_token: &page_token,
            };
            let (due, next) = self.due_rounds(cx, wanted).await?;
            let edits = due.into_iter().map(|work| {
                let at = at.clone();
                Box::new(move |register: &mut mingce_orm::Work| close_if_due(register, &at, &work.name)) as Edit
            });
            done += count(self.store.change_each(cx, edits).await?);
            if next.is_empty() {
                return Ok(done);
            }
            page_token = next;
        }
    }

    async fn do_kind(&self, cx: &Cx, at: &At, kind: &dyn AnyCase, due: DueKind, until: &str) -> Result<usize> {
        let (mut done, mut page_token) = (0, String::new());
        loop {
            let wanted = Due {
                until,
                kind: due,
                page_size: 1000,
                page_token: &page_token,
            };
            let (work, next) = kind.due(&self.store, cx, wanted).await?;
            for work in work.into_iter().filter(|work| work.automatic) {
                let (at, known) = (at.clone(), self.kinds.clone());
                let edit: Edit = Box::new(move |register| {
                    mingce_lifecycle::any::of_name(&known, &work.name, "name")?.by_itself(register, &at, &work.name)
                });
                done += count(self.store.change_each(cx, [edit]).await?);
            }
            if next.is_empty() {
                return Ok(done);
            }
            page_token = next;
        }
    }
}

/// What work that may panic ends with: the task that does it goes on, as the writers do.
async fn outlived<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Error::internal("it panicked, see the log before this")))
}

/// How many edits changed something. One that could not be done is said in the log: it stays due, for a clerk to see.
fn count(results: Vec<Result<mingce_orm::Answer>>) -> usize {
    results
        .into_iter()
        .filter(|result| match result {
            Ok(answer) => answer.outcome == Outcome::Updated,
            Err(error) => {
                tracing::warn!(
                    reason = error.reason(),
                    "something that falls due by itself could not be done"
                );
                false
            }
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_ends_nothing() {
        let panics = async { [0].get(1).copied().map(Ok).expect("no such place") };
        assert_eq!(outlived::<i32>(panics).await.unwrap_err().reason(), "INTERNAL");
        assert_eq!(outlived(async { Ok(3) }).await.unwrap(), 3);
    }
}
