//! Rounds (批次): a window in which cases are submitted, under one policy, up to its caps.

use std::sync::LazyLock;

use mingce_orm::model::normalize::{Violations, enum_values};
use mingce_orm::write::precondition::expect_active;
use mingce_orm::{Blocker, Class, Collection, Column, Error, Field, Key, Result, Shape, UnitOfWork, Violation};
use mingce_proto::registry::{DueKind, GradeTerms, Policy, Round, RoundCap, RoundState};

use crate::day;
use crate::policy::Policies;
use crate::state_machine::blocker;

/// The collection.
#[derive(Debug)]
pub enum Rounds {}

impl Collection for Rounds {
    type Item = Round;
    const MESSAGE: &'static str = "mingce.registry.v1.Round";
    const COLLECTION: &'static str = mingce_proto::collections::ROUNDS;
    const TABLE: &'static str = "rounds";
    const SINGULAR: &'static str = "round";
    const DEFAULT_ORDER: &'static str = "start_date";
    const OUTPUT_ONLY: &'static [&'static str] = &["state", "due_date", "due"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Rounds>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.registry.v1.CaseKind");
            let levels = enum_values("mingce.registry.v1.Level");
            let states = enum_values("mingce.registry.v1.RoundState");
            let due = enum_values("mingce.registry.v1.DueKind");
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |r| r.display_name.as_str().into(),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |r| r.kind.into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |r| r.level.into(),
                },
                Field {
                    column: Column::text("programme").groupable(),
                    get: |r| r.programme.as_str().into(),
                },
                Field {
                    column: Column::integer("year").groupable(),
                    get: |r| r.year.into(),
                },
                Field {
                    column: Column::resource("policy", "policies/{id}").groupable(),
                    get: |r| r.policy.as_str().into(),
                },
                Field {
                    column: Column::date("start_date"),
                    get: |r| r.start_date.as_str().into(),
                },
                Field {
                    column: Column::date("end_date"),
                    get: |r| r.end_date.as_str().into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |r| r.state.into(),
                },
                Field {
                    column: Column::date("due_date"),
                    get: |r| r.due_date.as_str().into(),
                },
                Field {
                    column: Column::one_of("due", due).groupable(),
                    get: |r| r.due.into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Round) -> &str {
        &item.display_name
    }

    fn keys(_item: &Round) -> Vec<Key> {
        Vec::new()
    }

    fn normalize(item: &mut Round) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        problems.date("start_date", &item.start_date);
        problems.date("end_date", &item.end_date);
        problems.period("end_date", &item.start_date, &item.end_date);
        for (place, cap) in item.caps.iter().enumerate() {
            if item.caps.iter().take(place).any(|other| other.grade == cap.grade) {
                let said = format!("{:?} has a cap already", cap.grade);
                problems.add(format!("caps[{place}].grade"), "CAP_TWICE", said);
            }
            if cap.used > cap.limit {
                let said = format!("{} are taken already: at least so many", cap.used);
                problems.add(format!("caps[{place}].limit"), "CAP_BELOW_USED", said);
            }
        }
        if item.state == RoundState::Unspecified as i32 {
            item.set_state(RoundState::Open);
        }
        let end = day::parse(&item.end_date).ok().flatten();
        let due = end.filter(|_| item.state() == RoundState::Open);
        let due = due.and_then(|end| day::days_after(end, 1).ok());
        item.due_date = due.map_or(String::new(), |day| day.to_string());
        item.set_due(due.map_or(DueKind::Unspecified, |_| DueKind::RoundEnds));
        problems.into_inner()
    }

    fn check_beside(work: &mut UnitOfWork, _stored: Option<&Round>, new: &Round) -> Result<()> {
        // A dry run loads no policy that the program ships.
        if new.policy.is_empty() {
            return Ok(());
        }
        expect_active::<Policies>(&work.require_unchanged::<Policies>(&new.policy)?)
    }

    fn check_write(stored: Option<&Round>, new: &Round) -> Result<()> {
        let Some(stored) = stored else { return Ok(()) };
        // Approvals come after the window: the caps of a round that is closed can still be changed.
        let is_of_caps = Round {
            caps: new.caps.clone(),
            ..stored.clone()
        } == *new;
        if stored.state() == RoundState::Closed && !is_of_caps {
            return Err(closed(&stored.name));
        }
        let fixed = |r: &Round| (r.kind, r.level, r.programme.clone(), r.year, r.policy.clone());
        if fixed(stored) != fixed(new) {
            let said = "the kind, level, programme, year and policy of a round stay as they are: open another";
            return Err(Error::invalid("update_mask", "ROUND_FIXED", said));
        }
        Ok(())
    }
}

pub(crate) fn closed(name: &str) -> Error {
    Error::new(Class::Precondition, "ROUND_CLOSED", format!("{name} is closed")).about(Rounds::COLLECTION, name)
}

/// A round as it begins: under a policy, with the caps of the policy where it brings none.
///
/// # Errors
/// Where the policy is for other cases.
pub fn begin(mut round: Round, policy: &Policy) -> Result<Round> {
    let fits = policy.kind == round.kind
        && (policy.level == 0 || policy.level == round.level)
        && (policy.programme.is_empty() || policy.programme == round.programme);
    if !fits {
        let said = format!(
            "{} is a policy for other cases: name one of the kind, level and programme of the round",
            policy.name
        );
        return Err(Error::invalid("round.policy", "POLICY_OF_OTHER_KIND", said));
    }
    policy.name.clone_into(&mut round.policy);
    round.state = 0;
    if round.caps.is_empty() {
        round.caps = caps_of(policy);
    }
    for cap in &mut round.caps {
        cap.used = 0;
    }
    Ok(round)
}

/// The caps that a policy sets for its rounds.
pub fn caps_of(policy: &Policy) -> Vec<RoundCap> {
    let Some(terms) = &policy.award else { return Vec::new() };
    let cap = |grade: &str, limit: i32| RoundCap {
        grade: grade.to_owned(),
        limit,
        used: 0,
    };
    let grades = terms.grades.iter().filter(|g: &&GradeTerms| g.cap > 0);
    let grades = grades.map(|g| cap(&g.grade, g.cap));
    grades
        .chain((terms.project_cap > 0).then(|| cap("", terms.project_cap)))
        .collect()
}

/// An update of a round keeps how much of each cap is taken.
pub fn keep_used(stored: &Round, new: &mut Round) {
    for cap in &mut new.caps {
        cap.used = cap_of(stored, &cap.grade).map_or(0, |old| old.used);
    }
    for old in stored.caps.iter().filter(|old| old.used > 0) {
        if cap_of(new, &old.grade).is_none() {
            new.caps.push(RoundCap {
                limit: 0,
                ..old.clone()
            });
        }
    }
}

/// The cap of a grade.
pub fn cap_of<'a>(round: &'a Round, grade: &str) -> Option<&'a RoundCap> {
    round.caps.iter().find(|cap| cap.grade == grade)
}

/// A cap leaves no room.
pub(crate) fn cap_reached(round: &str, cap: &RoundCap) -> Blocker {
    let (used, limit) = (cap.used, cap.limit);
    let en = format!("{used} of {limit} are taken in the round {}", cap.grade);
    let zh = format!("批次名额{}已用{used}/{limit}", cap.grade);
    blocker("CAP_REACHED", round, en.trim_end(), zh)
}
