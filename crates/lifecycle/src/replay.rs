//! How decided cases would have been decided under another policy and other caps.
//!
//! The rules that read a policy are tried again on the record as it was when the case was handed in and decided. Places are
//! then given again, case by case. What experts and the office judged is no rule, and stays.

use std::collections::HashMap;

use jiff::civil::Date;
use mingce_orm::write::store::Entered;
use mingce_orm::{Blocker, Error, RequestContext, Result, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::registry::{DecisionCounts, Policy, RecordStatus, ReplayOrder, ReplayedDecision, Round, RoundCap};
use prost::Message;
use prost::bytes::Bytes;

use crate::case::{Case, EvalContext, GuardContext, facts, policy_of};
use crate::day;
use crate::round::{Rounds, cap_of, cap_reached, caps_of};
use crate::state_machine::{Guard, Stateful};
use crate::transition::shown;

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

/// Whether nothing but a score or a place stood in the way: what the draft may give.
fn is_by_rule(before: &[Blocker]) -> bool {
    let rules = ["SCORE_TOO_LOW", "CAP_REACHED", "QUOTA_USED_UP"];
    !before.is_empty() && before.iter().all(|one| rules.contains(&one.reason))
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

/// What comes of a replay.
#[derive(Debug, Default)]
pub struct Replay {
    /// The cases that would have been decided otherwise, in the order in which places are given.
    pub decisions: Vec<ReplayedDecision>,
    /// How they were decided.
    pub before: DecisionCounts,
    /// How they would have been decided.
    pub after: DecisionCounts,
    /// How many stay refused because somebody judged so.
    pub judged: i32,
}

/// Gives the places of decided cases again. `asked`: whether a case is one that the caller asked for; the others take places beside them.
pub fn replay(mut cases: Vec<Tried>, order: ReplayOrder, asked: impl Fn(&str) -> bool) -> Replay {
    type Place = (String, String);
    let place = |pool: &Pool| -> Place { (pool.subject.clone(), pool.label.clone()) };
    cases.sort_by_key(|case| {
        let score = if order == ReplayOrder::Decision {
            0
        } else {
            -case.replayed.review_score
        };
        (score, !case.replayed.was_approved, case.sequence)
    });
    // What others hold of a pool from which they are not replayed.
    let mut taken: HashMap<Place, i32> = HashMap::new();
    for case in &cases {
        for pool in case.pools.iter().filter(|pool| pool.is_shared) {
            *taken.entry(place(pool)).or_insert(pool.used) -= i32::from(case.replayed.was_approved);
        }
    }
    let mut found = Replay::default();
    for mut case in cases {
        let was_approved = case.replayed.was_approved;
        if !was_approved {
            let full = case
                .pools
                .iter()
                .filter_map(|pool| pool.before.map(|limit| (pool, limit)));
            let full = full.filter(|(pool, limit)| pool.used >= *limit);
            case.before
                .extend(full.map(|(pool, limit)| (pool.full)(pool, pool.used, limit)));
        }
        let may = was_approved || is_by_rule(&case.before);
        if may && case.after.is_empty() {
            for pool in &case.pools {
                let used = *taken.entry(place(pool)).or_default();
                if let Some(limit) = pool.after.filter(|limit| used >= *limit) {
                    case.after.push((pool.full)(pool, used, limit));
                }
            }
            if case.after.is_empty() {
                for pool in &case.pools {
                    *taken.entry(place(pool)).or_default() += 1;
                }
            }
        }
        let would_be = may && case.after.is_empty();
        if !asked(&case.replayed.name) {
            continue;
        }
        count(&mut found.before, was_approved);
        count(&mut found.after, would_be);
        found.judged += i32::from(!may);
        if was_approved != would_be {
            found.decisions.push(ReplayedDecision {
                would_be_approved: would_be,
                before_blockers: case.before.into_iter().map(shown).collect(),
                after_blockers: case.after.into_iter().map(shown).collect(),
                ..case.replayed
            });
        }
    }
    found
}

fn count(counts: &mut DecisionCounts, approved: bool) {
    if approved {
        counts.approved += 1;
    } else {
        counts.refused += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::blocker;

    fn case(name: &str, approved: bool, score: i32, limits: (Option<i32>, Option<i32>)) -> Tried {
        let pool = Pool {
            subject: "rounds/a".to_owned(),
            label: String::new(),
            before: limits.0,
            after: limits.1,
            used: 2,
            is_shared: false,
            full: |pool, used, limit| blocker("CAP_REACHED", &pool.subject, format!("{used} of {limit}"), ""),
        };
        Tried {
            replayed: ReplayedDecision {
                name: name.to_owned(),
                was_approved: approved,
                review_score: score,
                ..ReplayedDecision::default()
            },
            sequence: i64::from(score),
            before: Vec::new(),
            after: Vec::new(),
            pools: vec![pool],
        }
    }

    fn changed(found: &Replay) -> Vec<(&str, bool)> {
        let of = found.decisions.iter();
        of.map(|one| (one.name.as_str(), one.would_be_approved)).collect()
    }

    fn four(after: Option<i32>) -> Vec<Tried> {
        let limits = (Some(2), after);
        vec![
            case("a", true, 9000, limits),
            case("b", false, 8500, limits),
            case("c", true, 8000, limits),
            case("d", false, 7000, limits),
        ]
    }

    #[test]
    fn more_places_go_to_the_next_in_the_order_and_fewer_leave_the_first() {
        let found = replay(four(Some(3)), ReplayOrder::Decision, |_| true);
        assert_eq!(
            changed(&found),
            [("d", true)],
            "of the refused, the one that was decided first"
        );
        let found = replay(four(Some(3)), ReplayOrder::Score, |_| true);
        assert_eq!(changed(&found), [("b", true)]);
        assert_eq!(found.decisions[0].before_blockers[0].description, "2 of 2");
        assert_eq!((found.before.approved, found.before.refused), (2, 2));
        assert_eq!((found.after.approved, found.after.refused), (3, 1));
        let found = replay(four(Some(2)), ReplayOrder::Score, |_| true);
        assert_eq!(
            changed(&found),
            [("b", true), ("c", false)],
            "by the score another comes in"
        );
        let found = replay(four(Some(1)), ReplayOrder::Score, |_| true);
        assert_eq!(changed(&found), [("c", false)]);
        assert_eq!(found.decisions[0].after_blockers[0].description, "1 of 1");
        let found = replay(four(None), ReplayOrder::Score, |name| name != "d");
        assert_eq!(
            changed(&found),
            [("b", true)],
            "those that were not asked for are not told"
        );
        assert_eq!((found.after.approved, found.after.refused), (3, 0));
    }

    #[test]
    fn who_was_refused_without_a_rule_stays_refused_and_takes_no_place() {
        let limits = (Some(5), Some(5));
        let mut cases = vec![case("a", false, 9000, limits), case("b", true, 8000, limits)];
        cases[0].pools[0].used = 1;
        let found = replay(cases, ReplayOrder::Score, |_| true);
        assert_eq!((changed(&found).len(), found.judged), (0, 1));
        let mut cases = four(Some(4));
        cases[1].before.push(blocker("REVIEWS_MISSING", "", "", ""));
        let found = replay(cases, ReplayOrder::Score, |_| true);
        assert_eq!((changed(&found), found.judged), (vec![("d", true)], 1));
    }

    #[test]
    fn the_part_of_a_pool_that_others_hold_stays_theirs() {
        let mut cases = vec![
            case("a", true, 0, (Some(3), Some(1))),
            case("b", false, 0, (Some(3), Some(1))),
        ];
        for case in &mut cases {
            case.pools[0].is_shared = true;
            case.pools[0].used = 3;
        }
        let found = replay(cases, ReplayOrder::Decision, |_| true);
        assert_eq!(changed(&found), [("a", false)], "two are taken by others");
        assert_eq!(found.decisions[0].after_blockers[0].description, "2 of 1");
    }
}
