//! What a kind of case says for a replay of its decisions: which rules are tried again, and of what its approvals take places.

use mingce_orm::{Blocker, Result, UnitOfWork};
use mingce_proto::registry::{CaseFacts, Policy, Round, RoundCap};

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

/// What a draft asks.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The draft.
    pub draft: &'a Policy,
    /// The caps; empty for those that there are.
    pub caps: &'a [RoundCap],
}

/// The places that a case takes in its round: of all, and of its grade.
///
/// # Errors
/// While the round is not loaded.
pub(crate) fn of_round(
    work: &mut UnitOfWork,
    facts: Option<&CaseFacts>,
    grade: &str,
    policy: Option<&Policy>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Pool>> {
    let name = facts.map_or("", |facts| facts.round.as_str());
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let round = work.require_unchanged::<Rounds>(name)?;
    let caps = caps_under(&round, policy, wanted);
    let grades = if grade.is_empty() { vec![""] } else { vec!["", grade] };
    let pools = grades.into_iter().map(|grade| {
        let before = cap_of(&round, grade);
        Pool {
            subject: name.to_owned(),
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
