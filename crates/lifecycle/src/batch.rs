//! Many calls in one: each with its own outcome, or all of them or none.

use std::fmt;

use mingce_orm::{Call, Edit, Error, RequestContext, Result, Store, UnitOfWork, Violation, WriteResult};
use mingce_proto::MOST_VIOLATIONS;
use mingce_proto::registry::MoveOutcome;
use prost::Message;

use crate::eval_context::EvalContext;
use crate::transition::shown;

/// One request of a batch, and what is wrong with it.
#[derive(Debug)]
pub struct Given<T> {
    /// Resource name of what it is about.
    pub name: String,
    /// What it asks.
    pub wanted: T,
    /// Which rules of the contract it breaks.
    pub broken: Vec<Violation>,
}

/// Asks for what a request holds.
pub type Hold = dyn Fn(&mut UnitOfWork) -> Result<()> + Send + Sync;
/// Does what a request wants.
pub type Act = dyn Fn(&mut UnitOfWork, &EvalContext) -> Result<WriteResult> + Send + Sync;

/// What one request does, in an edit.
pub struct Try {
    /// Resource name of what it is about; empty where it makes one.
    pub name: String,
    /// How it wants its change done.
    pub call: Call,
    /// When it is tried, or why it cannot be.
    pub at: Result<EvalContext>,
    /// Asks for what it holds, before earlier requests are looked for.
    pub hold: Box<Hold>,
    /// Does it.
    pub act: Box<Act>,
}

impl fmt::Debug for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Try {
    /// Tries it, unless it was done before.
    fn once(&self, cx: &RequestContext, work: &mut UnitOfWork) -> Result<WriteResult> {
        let Some(once) = self.call.once() else {
            return self.act(work);
        };
        // Both are asked for at once: what it is about is locked before earlier requests are looked for.
        let known = (self.hold)(work);
        let earlier = work.answered(cx, once);
        known?;
        if let Some(answer) = earlier? {
            return Ok(answer);
        }
        let answer = self.act(work)?;
        work.record_request(cx, once, &answer);
        Ok(answer)
    }

    fn act(&self, work: &mut UnitOfWork) -> Result<WriteResult> {
        (self.act)(work, self.at.as_ref().map_err(Clone::clone)?)
    }
}

/// What becomes of the parts of a batch: the outcome of one that is broken, or what is to be tried.
pub type Parts<T> = Vec<Result<T, Box<MoveOutcome>>>;

/// The parts of a batch, the field `field` of its request. A part is `None` where it asks for nothing.
///
/// # Errors
/// With what is wrong: in an atomic batch at all, in another where it is more than can be told part by part.
pub fn read<T>(field: &str, parts: impl Iterator<Item = Option<Given<T>>>, atomic: bool) -> Result<Parts<T>> {
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for (place, one) in parts.enumerate() {
        let (name, broken) = match one {
            Some(given) if given.broken.is_empty() => {
                all.push(Ok(given.wanted));
                continue;
            }
            Some(given) => (given.name, given.broken),
            None => (String::new(), vec![no_verb()]),
        };
        let name = name.chars().take(LONGEST_NAME).collect();
        all.push(Err(Box::new(refused(name, &Error::invalid_all(first_of(&broken))))));
        wrong.extend(broken.into_iter().map(|mut violation| {
            let below = if violation.field.is_empty() { "" } else { "." };
            violation.field = format!("{field}[{place}]{below}{}", violation.field);
            violation
        }));
        if wrong.len() > if atomic { MOST_VIOLATIONS } else { MOST_IN_BATCH } {
            return Err(Error::invalid_all(wrong));
        }
    }
    if atomic && !wrong.is_empty() {
        return Err(Error::invalid_all(wrong));
    }
    Ok(all)
}

/// Tries the parts of a batch; `atomic`: all or none. One outcome for each, in their order.
///
/// # Errors
/// Where the database cannot be used. What stands in the way of a part is in its outcome.
pub async fn run(store: &Store, cx: &RequestContext, parts: Parts<Try>, atomic: bool) -> Result<Vec<MoveOutcome>> {
    if atomic {
        all_or_none(store, cx, parts.into_iter().flatten().collect()).await
    } else {
        one_by_one(store, cx, parts).await
    }
}

/// How many parts of a batch are written in one transaction: what they hold, others wait for.
const PIECE: usize = 100;

/// Each alone, in the order of the request: of two for the last place the first one gets it.
async fn one_by_one(store: &Store, cx: &RequestContext, parts: Parts<Try>) -> Result<Vec<MoveOutcome>> {
    let mut outcomes: Vec<Option<MoveOutcome>> = parts.iter().map(|_| None).collect();
    let mut waiting: Vec<(usize, Try)> = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        let outcome = match part {
            Err(outcome) => *outcome,
            Ok(wanted) if wanted.call.is_dry() => {
                // Those before it come first.
                written(store, cx, &mut waiting, &mut outcomes).await?;
                let mut work = store.dry_run();
                outcome_of(&wanted.name, store.try_edit(&mut work, |work| wanted.act(work)).await)
            }
            Ok(wanted) => {
                waiting.push((place, wanted));
                if waiting.len() >= PIECE {
                    written(store, cx, &mut waiting, &mut outcomes).await?;
                }
                continue;
            }
        };
        if let Some(slot) = outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }
    written(store, cx, &mut waiting, &mut outcomes).await?;
    Ok(outcomes.into_iter().flatten().collect())
}

/// Writes what waits, in its order, and puts what became of it into its places.
async fn written(
    store: &Store,
    cx: &RequestContext,
    waiting: &mut Vec<(usize, Try)>,
    outcomes: &mut [Option<MoveOutcome>],
) -> Result<()> {
    let places: Vec<(usize, String)> = waiting.iter().map(|(at, wanted)| (*at, wanted.name.clone())).collect();
    let edits = waiting.drain(..).map(|(_, wanted)| -> Edit {
        let at = cx.clone();
        Box::new(move |work| wanted.once(&at, work))
    });
    let answers = store.change_each(cx, edits).await?;
    for ((place, name), answer) in places.into_iter().zip(answers) {
        if let Some(slot) = outcomes.get_mut(place) {
            *slot = Some(outcome_of(&name, answer));
        }
    }
    Ok(())
}

async fn all_or_none(store: &Store, cx: &RequestContext, tries: Vec<Try>) -> Result<Vec<MoveOutcome>> {
    let dry = tries.iter().any(|wanted| wanted.call.is_dry());
    let at = cx.clone();
    let edit: Edit = Box::new(move |work| {
        // One upon the other. Goes on after one that cannot be done, so that all that is needed is asked for at once.
        let tried = tries
            .iter()
            .map(|wanted| outcome_of(&wanted.name, wanted.once(&at, work)));
        let mut outcomes: Vec<MoveOutcome> = tried.collect();
        if !outcomes.iter().all(|outcome| outcome.done) {
            work.discard();
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.done) {
                outcome.done = false;
                outcome.revision = 0;
                "BATCH_REFUSED".clone_into(&mut outcome.reason);
                "it could be done, but not all of the batch can".clone_into(&mut outcome.message);
            }
        }
        Ok(WriteResult::of(&Outcomes { outcomes, done: 0 }))
    });
    let answer = if dry {
        store.try_edit(&mut store.dry_run(), &edit).await?
    } else {
        let mut written = store.change_each(cx, [edit]).await?;
        written
            .pop()
            .ok_or_else(|| Error::internal("a writer answered nothing"))??
    };
    let answer = Outcomes::decode(answer.body).map_err(Error::internal)?;
    Ok(answer.outcomes)
}

/// What a batch answers, in the encoding of the response of every BatchMove method.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Outcomes {
    #[prost(message, repeated, tag = "1")]
    pub outcomes: Vec<MoveOutcome>,
    #[prost(int32, tag = "2")]
    pub done: i32,
}

fn outcome_of(name: &str, result: Result<WriteResult>) -> MoveOutcome {
    match result {
        Ok(answer) => MoveOutcome {
            name: if name.is_empty() { answer.name } else { name.to_owned() },
            done: true,
            revision: answer.revision,
            ..MoveOutcome::default()
        },
        Err(error) => refused(name.to_owned(), &error),
    }
}

fn refused(name: String, error: &Error) -> MoveOutcome {
    MoveOutcome {
        name,
        done: false,
        revision: 0,
        reason: error.reason().to_owned(),
        message: error.message().to_owned(),
        blockers: error.blockers().iter().cloned().map(shown).collect(),
        display_name: String::new(),
    }
}

/// More than one for each part of a batch: what costs more to tell than to send.
const MOST_IN_BATCH: usize = 2000;

/// No name of the register is as long.
const LONGEST_NAME: usize = 100;

/// What an outcome says of a broken part: the first few of its violations.
fn first_of(broken: &[Violation]) -> Vec<Violation> {
    broken.iter().take(3).cloned().collect()
}

/// What is wrong with a move that names no verb.
fn no_verb() -> Violation {
    Violation::new("", "MOVE_NOT_ONE", "each move is just one of the requests")
}
