//! What falls due by itself, and is done by the register.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use mingce_lifecycle::agenda::Desk;
use mingce_lifecycle::due::{From, Source, Wanted, place, read};
use mingce_lifecycle::in_force::InForce;
use mingce_lifecycle::round::Rounds;
use mingce_lifecycle::round_verbs::close_if_due;
use mingce_lifecycle::{BY_ITSELF, DynCase, EvalContext};
use mingce_orm::{Collection, Edit, Error, RequestContext, Result, WriteOutcome};
use mingce_proto::Classes;
use mingce_proto::registry::DueKind;
use mingce_server::Clock;

use crate::CaseRegister;

/// How often the register looks for what it does by itself. It is done on the day: minutes do not matter.
const PAUSE: Duration = Duration::from_secs(20);
const AT_HAND: Duration = Duration::from_millis(250);
/// After a fault: the database may be away.
const AFTER_FAULT: Duration = Duration::from_secs(60);

impl CaseRegister {
    /// Does by itself what falls due, now and again. Any number of processes may do this: each piece of work is one edit that looks, in
    /// its transaction, whether it is still due.
    pub(crate) async fn do_what_falls_due(self, clock: Clock) {
        loop {
            let cx = RequestContext {
                actor: BY_ITSELF.to_owned(),
                now: clock.now(),
                deadline: None,
                visible: Classes::ALL,
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
    async fn do_what_is_due(&self, cx: &RequestContext) -> Result<usize> {
        let at = self.at(cx)?;
        let mut done = 0;
        for kind in self.kinds.iter() {
            for due in kind.automatic() {
                done += self.do_kind(cx, &at, kind.as_ref(), *due).await?;
            }
        }
        for name in self.ended_rounds(cx, &at).await? {
            let at = at.clone();
            let edit: Edit = Box::new(move |register| close_if_due(register, &at, &name));
            done += count(self.store.change_each(cx, [edit]).await?);
        }
        Ok(done)
    }

    /// The rounds whose window is over.
    async fn ended_rounds(&self, cx: &RequestContext, at: &EvalContext) -> Result<Vec<String>> {
        let wanted = Wanted::all(at.today, DueKind::RoundEnds);
        let source = Source::dated(Rounds::COLLECTION, wanted.dated());
        let (mut names, mut from) = (Vec::new(), From::Start);
        loop {
            let (rounds, more) = read::<Rounds>(&self.store, cx, &source, &from, 1000).await?;
            if let Some(last) = rounds.last() {
                let (value, id) = place::<Rounds>(last, &last.due_date)?;
                from = From::After(value, id);
            }
            names.extend(rounds.into_iter().map(|round| round.name));
            if !more {
                return Ok(names);
            }
        }
    }

    async fn do_kind(&self, cx: &RequestContext, at: &EvalContext, kind: &dyn DynCase, due: DueKind) -> Result<usize> {
        let (wanted, none, in_panels) = (Wanted::all(at.today, due), InForce::default(), HashSet::new());
        let desk = Desk {
            store: &self.store,
            cx,
            at,
            wanted: &wanted,
            in_panels: &in_panels,
        };
        let mut done = 0;
        for source in kind.sources(&wanted, &none) {
            let mut from = From::Start;
            loop {
                let batch = kind.fetch(desk, &source, &from, 1000, &none).await?;
                if let Some(last) = batch.rows.last() {
                    let (value, id) = last.place.clone();
                    from = From::After(value, id);
                }
                for work in batch
                    .rows
                    .into_iter()
                    .filter_map(|row| row.work)
                    .filter(|work| work.automatic)
                {
                    let (at, known) = (at.clone(), self.kinds.clone());
                    let edit: Edit = Box::new(move |register| {
                        mingce_lifecycle::any::of_name(&known, &work.name, "name")?.by_itself(register, &at, &work.name)
                    });
                    done += count(self.store.change_each(cx, [edit]).await?);
                }
                if !batch.more {
                    break;
                }
            }
        }
        Ok(done)
    }
}

/// What work that may panic ends with: the task that does it goes on, as the writers do.
async fn outlived<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Error::internal("it panicked, see the log before this")))
}

/// How many edits changed something. One that could not be done is said in the log: it stays due, for a clerk to see.
fn count(results: Vec<Result<mingce_orm::WriteResult>>) -> usize {
    results
        .into_iter()
        .filter(|result| match result {
            Ok(answer) => answer.outcome == WriteOutcome::Updated,
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
