//! How decided cases would have been decided under another policy and other caps.
//!
//! The rules that read a policy are tried again on the record as it was when the case was handed in and decided. Places are
//! then given again, case by case (`allocation.rs`). What experts and the office judged is no rule, and stays.

use std::collections::HashMap;

use jiff::civil::Date;
use mingce_orm::write::store::Entered;
use mingce_orm::{Blocker, Error, RequestContext, Result, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::registry::{Policy, RecordStatus, ReplayedDecision, Round, RoundCap};
use prost::Message;
use prost::bytes::Bytes;

use crate::case::{Case, EvalContext, GuardContext, facts, policy_of};
use crate::day;
use crate::round::{Rounds, cap_of, cap_reached, caps_of};
use crate::state_machine::{Guard, Stateful};

/// What can be replayed of a kind of case.
#[derive(Debug)]
pub struct Replays<C: Stateful> {
    /// The verb by which it is handed in; empty where it begins so.
    pub enters: &'static str,
    /// The verb that decides in favour.
    pub approves: &'static str,
    /// The verb that decides against, after the formal check.
    pub refuses: &'static str,
    /// The rules that read the policy when it is handed in.
    pub at_entry: &'static [Guard<C>],
    /// Those when it is decided, without those of places.
    pub at_decision: &'static [Guard<C>],
}

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

/// Of what a place is taken: the cap of a round, or a quota.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Resource name of the round or the body.
    pub subject: String,
    /// The grade or the year.
    pub label: String,
    /// How many there are, under the policy and the caps of then; `None` without a bound.
    pub before: Option<i32>,
    /// How many there would be.
    pub after: Option<i32>,
    /// How many are taken today.
    pub used: i32,
    /// Whether cases take of it that are not replayed.
    pub is_shared: bool,
    /// What is said where it is used up: by so many of so many.
    pub full: fn(&Self, used: i32, limit: i32) -> Blocker,
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

/// What a draft asks.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The draft.
    pub draft: &'a Policy,
    /// The caps; empty for those that there are.
    pub caps: &'a [RoundCap],
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

/// The places that a case takes in its round: of all, and of its grade.
///
/// # Errors
/// While the round is not loaded.
pub fn of_round<C: Case>(
    work: &mut UnitOfWork,
    item: &C::Item,
    policy: Option<&Policy>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Pool>> {
    let name = facts::<C>(item).round;
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let round = work.require_unchanged::<Rounds>(&name)?;
    let caps = caps_under(&round, policy, wanted);
    let grade = C::grade(item);
    let grades = if grade.is_empty() { vec![""] } else { vec!["", grade] };
    let pools = grades.into_iter().map(|grade| {
        let before = cap_of(&round, grade);
        Pool {
            subject: name.clone(),
            label: grade.to_owned(),
            before: before.map(|cap| cap.limit),
            after: caps.iter().find(|cap| cap.grade == grade).map(|cap| cap.limit),
            used: before.map_or(0, |cap| cap.used),
            is_shared: false,
            full: |pool, used, limit| {
                let cap = RoundCap {
                    grade: pool.label.clone(),
                    limit,
                    used,
                };
                cap_reached(&pool.subject, &cap)
            },
        }
    });
    Ok(pools.collect())
}

/// The caps of a round under a draft: those that are asked for, else its own; where these are those of its policy, those of the draft.
fn caps_under(round: &Round, policy: Option<&Policy>, wanted: &Wanted<'_>) -> Vec<RoundCap> {
    if !wanted.caps.is_empty() {
        return wanted.caps.to_vec();
    }
    let limits = |caps: &[RoundCap]| {
        let mut limits: Vec<(String, i32)> = caps.iter().map(|cap| (cap.grade.clone(), cap.limit)).collect();
        limits.sort();
        limits
    };
    let of_policy = policy.map(caps_of).unwrap_or_default();
    if limits(&round.caps) == limits(&of_policy) {
        caps_of(wanted.draft)
    } else {
        round.caps.clone()
    }
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
