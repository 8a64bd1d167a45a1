//! How decided cases would have been decided under another policy and other caps.
//!
//! The rules that read a policy are tried again on the record as it was when the case was handed in and decided. Places are
//! then given again, case by case (`allocation.rs`). What experts and the office judged is no rule, and stays.

use std::collections::HashMap;

use jiff::civil::Date;
use mingce_orm::write::store::Entered;
use mingce_orm::{Blocker, Error, RequestContext, Result, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::registry::{Policy, RecordStatus, ReplayedDecision};
use prost::Message;
use prost::bytes::Bytes;

use crate::case::{Case, facts};
use crate::day;
use crate::eval_context::EvalContext;
use crate::policy::policy_of;
use crate::replays::{Pool, Wanted};
use crate::state_machine::{Guard, GuardContext};

/// The entries of the ledger that a replay goes by.
#[derive(Debug, Clone)]
pub struct Marks {
    /// Whether it was approved.
    pub approved: bool,
    /// The number of the decision, and its time.
    pub decision: (i64, i64),
    /// The entry of the case before its decision.
    pub before_decision: i64,
    /// The time at which it was handed in, and the entry of the case before that.
    pub entry: Option<(i64, i64)>,
    /// The entry of the record beside it, as it was then.
    pub beside: Option<i64>,
}

impl Marks {
    /// The entries that have to be loaded.
    pub fn sequences(&self) -> impl Iterator<Item = i64> {
        let entry = self.entry.map(|(_, sequence)| sequence);
        [Some(self.before_decision), entry, self.beside].into_iter().flatten()
    }
}

/// The marks of a case by the entries of it, and of the record beside it; `None` where nothing was decided that can be replayed.
pub fn marks<C: Case>(of_case: &[&Entered], of_beside: &[&Entered]) -> Option<Marks> {
    let replays = C::replays();
    let is_decision = |verb: &str| verb == replays.approves || verb == replays.refuses;
    let place = of_case.iter().rposition(|entry| is_decision(&entry.verb))?;
    let (decision, before) = (of_case.get(place)?, of_case.get(place.checked_sub(1)?)?);
    let handed_in = of_case
        .get(..place)?
        .iter()
        .rposition(|entry| entry.verb == replays.enters);
    let entry = handed_in.and_then(|at| Some((of_case.get(at)?, of_case.get(at.checked_sub(1)?)?)));
    let beside = entry.and_then(|(entry, _)| {
        let then = of_beside.iter().rfind(|one| one.sequence < entry.sequence);
        then.or_else(|| of_beside.first()).map(|one| one.sequence)
    });
    Some(Marks {
        approved: decision.verb == replays.approves,
        decision: (decision.sequence, decision.time),
        before_decision: before.sequence,
        entry: entry.map(|(entry, before)| (entry.time, before.sequence)),
        beside,
    })
}

/// A decided case, as far as it was tried again without the others.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What is answered of it.
    pub replayed: ReplayedDecision,
    /// The number of its decision in the ledger.
    pub sequence: i64,
    /// The rules that stood in the way.
    pub before: Vec<Blocker>,
    /// Those that would stand in the way.
    pub after: Vec<Blocker>,
    /// Of what it takes a place.
    pub pools: Vec<Pool>,
}

/// Tries the rules of a decided case again, under its policy and the draft. `held`: what the entries of its marks hold.
///
/// # Errors
/// While something is not loaded.
pub fn try_again<C: Case>(
    work: &mut UnitOfWork,
    at: &EvalContext,
    name: &str,
    (marks, held): (&Marks, &HashMap<i64, Bytes>),
    wanted: &Wanted<'_>,
) -> Result<Option<Tried>> {
    let item = work.require::<C>(name)?;
    if item.head().record_status() != RecordStatus::Active {
        return Ok(None);
    }
    let was = |sequence: i64| {
        let body = held.get(&sequence).cloned();
        body.map(|body| C::Item::decode(body).map_err(Error::internal))
            .transpose()
    };
    let Some(decided) = was(marks.before_decision)? else {
        return Ok(None);
    };
    let title = C::display(work, &item);
    let policy = policy_of::<C>(work, at, &decided)?;
    let replays = C::replays();
    let decision = on(at, marks.decision.1)?;
    // Goes on after an error, so that all that is needed is asked for at once.
    let mut tries = vec![tried::<C>(
        work,
        &decision,
        &decided,
        replays.at_decision,
        [policy.as_ref(), Some(wanted.draft)],
    )];
    if let Some((time, before)) = marks.entry
        && let Some(entered) = was(before)?
    {
        if let (Some((kind, name)), Some(body)) = (C::beside(name), marks.beside.and_then(|at| held.get(&at))) {
            work.suppose(kind, &name, body);
        }
        let entry = on(at, time)?;
        tries.push(tried::<C>(
            work,
            &entry,
            &entered,
            replays.at_entry,
            [policy.as_ref(), Some(wanted.draft)],
        ));
        work.discard();
    }
    let pools = C::pools(work, &item, policy.as_ref(), wanted);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for both in tries {
        let [was, would] = both?;
        before.extend(was);
        after.extend(would);
    }
    if marks.approved {
        // What stands in the way of it today stood in nobody's way then.
        after.retain(|one| !before.iter().any(|known| known.reason == one.reason));
        before.clear();
    }
    let given = C::decision_date(&item);
    let date = if marks.approved && !given.is_empty() {
        given.to_owned()
    } else {
        decision.today.to_string()
    };
    let verb = if marks.approved {
        replays.approves
    } else {
        replays.refuses
    };
    Ok(Some(Tried {
        replayed: ReplayedDecision {
            name: name.to_owned(),
            display_name: title?,
            decision: verb.to_owned(),
            decision_date: date,
            was_approved: marks.approved,
            review_score: facts::<C>(&decided).review_score,
            ..ReplayedDecision::default()
        },
        sequence: marks.decision.0,
        before,
        after,
        pools: pools?,
    }))
}

/// What stands in the way under each of two policies.
fn tried<C: Case>(
    work: &mut UnitOfWork,
    at: &EvalContext,
    item: &C::Item,
    guards: &[Guard<C>],
    policies: [Option<&Policy>; 2],
) -> Result<[Vec<Blocker>; 2]> {
    let sides = policies.map(|policy| {
        let mut look = GuardContext {
            work: &mut *work,
            at,
            item,
            policy,
        };
        let found: Vec<Result<Vec<Blocker>>> = guards.iter().map(|guard| (guard.check)(&mut look)).collect();
        let found = found.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().flatten().collect())
    });
    let [before, after]: [Result<Vec<Blocker>>; 2] = sides;
    Ok([before?, after?])
}

/// The moment of an entry.
fn on(at: &EvalContext, time: i64) -> Result<EvalContext> {
    let cx = RequestContext {
        now: time,
        ..at.cx.clone()
    };
    let today: Date = day::today(&cx)?;
    Ok(EvalContext {
        cx,
        today,
        ..at.clone()
    })
}

/// A term that was counted by the policy, and how it would be counted under another: months under each. `None` where it was not counted
/// so, or is the same.
///
/// # Errors
/// Where a day is none.
pub fn term_under(
    what: &str,
    start: &str,
    end: &str,
    [own, other]: [i32; 2],
) -> Result<Option<(String, String, String)>> {
    // Of a recorded one perhaps the year alone is known.
    let (Ok(first), Ok(last)) = (start.parse::<Date>(), end.parse::<Date>()) else {
        return Ok(None);
    };
    if own == other || own == 0 || day::last_of_term(first, own).ok() != Some(last) {
        return Ok(None);
    }
    let would = if other == 0 {
        "none".to_owned()
    } else {
        format!("until {}", day::last_of_term(first, other)?)
    };
    Ok(Some((what.to_owned(), format!("until {last}"), would)))
}
