//! Places of rounds and quotas, given again to decided cases that were replayed: who would be in, and who would be out.

use std::collections::HashMap;

use mingce_orm::Blocker;
use mingce_proto::registry::{DecisionCounts, ReplayOrder, ReplayedDecision};

use crate::replay::Tried;
use crate::replays::Pool;
use crate::transition::shown;

/// Whether nothing but a score or a place stood in the way: what the draft may give.
fn is_by_rule(before: &[Blocker]) -> bool {
    let rules = ["SCORE_TOO_LOW", "CAP_REACHED", "QUOTA_USED_UP"];
    !before.is_empty() && before.iter().all(|one| rules.contains(&one.reason))
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
    use crate::state_machine::blocker;

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
