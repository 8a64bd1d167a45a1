//! Objections (异议) to what a notice published. While one is open, its case cannot be decided.

use std::sync::LazyLock;

use mingce_orm::model::normalize::{Violations, enum_values};
use mingce_orm::{
    AuditInfo, Blocker, Class, Collection, Column, Error, Field, Key, Result, Shape, UnitOfWork, Violation, WriteResult,
};
use mingce_proto::registry::{CaseFacts, DueActor, DueKind, Objection, ObjectionRefusal, ObjectionState};

use crate::any::DynCase;
use crate::ask::Ask;
use crate::due::Falls;
use crate::eval_context::EvalContext;
use crate::state_machine::{Guard, GuardContext, Phase, State, StateMachine, Stateful, Transition, blocker};
use crate::transition::{Command, Step};

/// The collection.
#[derive(Debug)]
pub enum Objections {}

const FILED: i32 = ObjectionState::Filed as i32;
const REFUSED: i32 = ObjectionState::Refused as i32;
const IN_INVESTIGATION: i32 = ObjectionState::InInvestigation as i32;
const UPHELD: i32 = ObjectionState::Upheld as i32;
const UPHELD_IN_PART: i32 = ObjectionState::UpheldInPart as i32;
const DISMISSED: i32 = ObjectionState::Dismissed as i32;
const WITHDRAWN: i32 = ObjectionState::Withdrawn as i32;

impl Collection for Objections {
    type Item = Objection;
    const MESSAGE: &'static str = "mingce.registry.v1.Objection";
    const COLLECTION: &'static str = mingce_proto::collections::OBJECTIONS;
    const TABLE: &'static str = "objections";
    const SINGULAR: &'static str = "objection";
    const DEFAULT_ORDER: &'static str = "file_date";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "notice",
        "named",
        "file_date",
        "state",
        "refusal",
        "finding",
        "verbs",
        "case_display_name",
        "due_date",
    ];
    const PRIVATE: &'static [&'static str] = &["objector_name", "objector_contact"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Objections>> = LazyLock::new(|| {
            let states = enum_values("mingce.registry.v1.ObjectionState");
            Shape::new(vec![
                Field {
                    column: Column::resource("case_name", "awards/{id}").groupable(),
                    get: |o| o.case_name.as_str().into(),
                },
                Field {
                    column: Column::resource("notice", "notices/{id}").groupable(),
                    get: |o| o.notice.as_str().into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |o| o.state.into(),
                },
                Field {
                    column: Column::date("file_date"),
                    get: |o| o.file_date.as_str().into(),
                },
                Field {
                    column: Column::boolean("named").groupable(),
                    get: |o| o.named.into(),
                },
                Field {
                    column: Column::date("due_date"),
                    get: |o| falls(o).date.as_str().into(),
                },
                Field {
                    column: Column::date("due_since").from_fields(&["file_date", "due_date"]),
                    get: |o| falls(o).since.as_str().into(),
                },
            ])
        });
        &SHAPE
    }

    /// Objections are found by their case, not by words: what they say is not searched.
    fn title(_item: &Objection) -> &str {
        ""
    }

    fn searched(_item: &Objection) -> Vec<&str> {
        Vec::new()
    }

    fn keys(_item: &Objection) -> Vec<Key> {
        Vec::new()
    }

    fn normalize(item: &mut Objection) -> Vec<Violation> {
        let mut problems = Violations::default();
        if item.case_name.is_empty() {
            problems.add(
                "case_name",
                "CASE_MISSING",
                "say what is objected to: the resource name of the case",
            );
        }
        // Everybody who handles the case reads these; who objects is for the register alone.
        let who = [item.objector_name.trim(), item.objector_contact.trim()];
        let says_who = |text: &str| who.iter().any(|who| who.chars().count() > 1 && text.contains(who));
        let said = "it says who objects: leave that out, everybody who handles the case reads it";
        for (field, text) in [("statement", &item.statement), ("finding", &item.finding)] {
            if says_who(text) {
                problems.add(field, "STATEMENT_NAMES_OBJECTOR", said);
            }
        }
        for (place, evidence) in item.evidence.iter().enumerate() {
            if says_who(evidence) {
                problems.add(format!("evidence[{place}]"), "STATEMENT_NAMES_OBJECTOR", said);
            }
        }
        problems.into_inner()
    }
}

/// What falls due of an objection: its outcome, or while it waits without a day since when.
pub fn falls(item: &Objection) -> Falls {
    if !matches!(item.state, FILED | IN_INVESTIGATION) {
        return Falls::default();
    }
    let is_dated = !item.due_date.is_empty();
    Falls {
        date: item.due_date.clone(),
        due: DueKind::Objection as i32,
        since: if is_dated {
            String::new()
        } else {
            item.file_date.clone()
        },
    }
}

/// Who has to act on an objection, by which verbs.
pub const ASKS: [Ask; 2] = [
    Ask::at_once(FILED, DueKind::Objection, DueActor::Office, &["accept", "refuse"]),
    Ask::at_once(
        IN_INVESTIGATION,
        DueKind::Objection,
        DueActor::Decider,
        &["uphold", "uphold_in_part", "dismiss"],
    ),
];

impl Stateful for Objections {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
}

static LIFE: StateMachine<Objections> = StateMachine {
    zh: "异议",
    en: "Objection",
    service: "mingce.registry.v1.CaseService",
    state_enum: "mingce.registry.v1.ObjectionState",
    first: FILED,
    states: &[
        State {
            number: FILED,
            code: "filed",
            zh: "已提出",
            en: "filed",
            phase: Phase::Undecided,
        },
        State {
            number: REFUSED,
            code: "refused",
            zh: "不予受理",
            en: "refused",
            phase: Phase::Ended,
        },
        State {
            number: IN_INVESTIGATION,
            code: "in_investigation",
            zh: "调查中",
            en: "in investigation",
            phase: Phase::Undecided,
        },
        State {
            number: UPHELD,
            code: "upheld",
            zh: "成立",
            en: "upheld",
            phase: Phase::Ended,
        },
        State {
            number: UPHELD_IN_PART,
            code: "upheld_in_part",
            zh: "部分成立",
            en: "upheld in part",
            phase: Phase::Ended,
        },
        State {
            number: DISMISSED,
            code: "dismissed",
            zh: "不成立",
            en: "dismissed",
            phase: Phase::Ended,
        },
        State {
            number: WITHDRAWN,
            code: "withdrawn",
            zh: "撤回",
            en: "withdrawn",
            phase: Phase::Ended,
        },
    ],
    transitions: &[
        Transition {
            verb: "accept",
            zh: "受理",
            method: "AcceptObjection",
            from: &[FILED],
            to: &[IN_INVESTIGATION],
            guards: &[
                Guard {
                    zh: "实名",
                    en: "it gives a real name",
                    check: named,
                },
                Guard {
                    zh: "在异议期内提出",
                    en: "it was filed within the time for objections",
                    check: in_time,
                },
            ],
        },
        Transition {
            verb: "refuse",
            zh: "不予受理",
            method: "RefuseObjection",
            from: &[FILED],
            to: &[REFUSED],
            guards: &[],
        },
        Transition {
            verb: "uphold",
            zh: "认定成立",
            method: "UpholdObjection",
            from: &[IN_INVESTIGATION],
            to: &[UPHELD],
            guards: &[],
        },
        Transition {
            verb: "uphold_in_part",
            zh: "认定部分成立",
            method: "UpholdObjectionInPart",
            from: &[IN_INVESTIGATION],
            to: &[UPHELD_IN_PART],
            guards: &[],
        },
        Transition {
            verb: "dismiss",
            zh: "认定不成立",
            method: "DismissObjection",
            from: &[IN_INVESTIGATION],
            to: &[DISMISSED],
            guards: &[],
        },
        Transition {
            verb: "withdraw",
            zh: "撤回",
            method: "WithdrawObjection",
            from: &[FILED, IN_INVESTIGATION],
            to: &[WITHDRAWN],
            guards: &[],
        },
    ],
};

fn named(look: &mut GuardContext<'_, Objections>) -> Result<Vec<Blocker>> {
    if look.item.named {
        return Ok(Vec::new());
    }
    Ok(vec![look.blocker(
        "OBJECTION_ANONYMOUS",
        "it gives no real name",
        "未实名",
    )])
}

fn in_time(look: &mut GuardContext<'_, Objections>) -> Result<Vec<Blocker>> {
    let notice = look.work.require::<crate::notice::Notices>(&look.item.notice)?;
    if look.item.file_date <= notice.objection_end_date {
        return Ok(Vec::new());
    }
    let end = &notice.objection_end_date;
    let (en, zh) = (
        format!("objections were possible until {end}"),
        format!("异议期至{end}"),
    );
    Ok(vec![blocker("OBJECTION_LATE", notice.name.clone(), en, zh)])
}

/// Files an objection to the latest notice of its case.
///
/// # Errors
/// NOT_FOUND for the case; FAILED_PRECONDITION, reason `NOTICE_MISSING`.
pub fn file(
    work: &mut UnitOfWork,
    at: &EvalContext,
    stamp: &AuditInfo,
    case: &dyn DynCase,
    given: &Objection,
) -> Result<WriteResult> {
    let seen = case.look(work, &given.case_name)?;
    if seen.facts.notice.is_empty() {
        let said = format!("{} was not published: there is nothing to object to", given.case_name);
        return Err(
            Error::new(Class::Precondition, "NOTICE_MISSING", said).about(Objections::COLLECTION, &given.case_name)
        );
    }
    if seen.is_decided {
        let said = format!("{} is decided: an objection comes before the decision", given.case_name);
        return Err(
            Error::new(Class::Precondition, "CASE_DECIDED", said).about(Objections::COLLECTION, &given.case_name)
        );
    }
    let new = Objection {
        name: String::new(),
        case_display_name: seen.display_name,
        notice: seen.facts.notice,
        named: !given.objector_name.trim().is_empty(),
        file_date: at.today.to_string(),
        due_date: at
            .within(case.handling(work, at, &given.case_name)?.investigation_days)?
            .map_or(String::new(), |day| day.to_string()),
        state: FILED,
        ..given.clone()
    };
    let answer = mingce_orm::write::store::create::<Objections>(work, &at.cx, stamp, &new)?;
    let name = answer.name.clone();
    let stamp = AuditInfo {
        verb: "object",
        ..stamp.clone()
    };
    case.update_facts(work, at, &stamp, &given.case_name, &|facts: &mut CaseFacts| {
        facts.open_objections.push(name.clone())
    })?;
    Ok(answer)
}

/// A verb on an objection. Its end is noted in its case.
pub fn verb(
    verb: &'static str,
    step: Step,
    case: std::sync::Arc<dyn DynCase>,
    finding: String,
    refusal: i32,
) -> Command<Objections> {
    Command::new(verb, step, move |objection: &mut Objection, crossing| {
        finding.clone_into(&mut objection.finding);
        objection.refusal = ObjectionRefusal::try_from(refusal).unwrap_or_default() as i32;
        if objection.state == IN_INVESTIGATION {
            return Ok(());
        }
        let (name, is_upheld) = (objection.name.clone(), objection.state == UPHELD);
        let stamp = AuditInfo {
            verb: "settle_objection",
            ..crossing.stamp.clone()
        };
        let notice = objection.notice.clone();
        case.update_facts(
            crossing.work,
            crossing.at,
            &stamp,
            &objection.case_name,
            &|facts: &mut CaseFacts| {
                facts.open_objections.retain(|open| *open != name);
                if is_upheld && facts.notice == notice {
                    facts.upheld_objections.push(name.clone());
                }
            },
        )?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle_docs;

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(lifecycle_docs::faults::<Objections>(), Vec::<String>::new());
    }

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        lifecycle_docs::expect_page::<Objections>("objection.md");
    }
}
