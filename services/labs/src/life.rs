//! The life cycle of designations of labs: states, verbs, and what has to hold for each.

use jiff::civil::Date;
use mingce_lifecycle::case::on_enter;
use mingce_lifecycle::correct::{VERB, expect_ended, moved_end};
use mingce_lifecycle::document::Decided;
use mingce_lifecycle::due::{Ask, Counted};
use mingce_lifecycle::guard::{
    calendar_known, cap_left, no_open_objection, no_upheld_objection, notice_over, published_same, reviewed,
    round_takes,
};
use mingce_lifecycle::notice::{field, level_in_words};
use mingce_lifecycle::replay::{Replays, term_under};
use mingce_lifecycle::{
    ByItself, Case, EvalContext, Parties, Phase, Scope, State, StateEntry, StateMachine, Stateful, Transition,
    TransitionContext,
};
use mingce_orm::model::kind::Kind;
use mingce_orm::{Collection, Result, UnitOfWork};
use mingce_proto::labs::LabDesignation;
use mingce_proto::labs::LabDesignationState as S;
use mingce_proto::registry::{CaseDate, CaseKind, DueKind, NoticeTerms, Policy, PublicField, ReviewTerms};

use crate::designation::Designations;
use crate::due;
use crate::evaluation;
use crate::guards::{
    AREA, BUILDING_OVER, EQUIPMENT, EVALUATION_LAST, EXTENSION_LEFT, FIXED_MEMBERS, HOSTS, RECTIFICATION_OVER,
    RECTIFICATION_RUNS, lab_of, terms,
};
use crate::lab::Labs;

const DRAFT: i32 = S::Draft as i32;
pub(crate) const SUBMITTED: i32 = S::Submitted as i32;
pub(crate) const RETURNED: i32 = S::Returned as i32;
const REFUSED: i32 = S::Refused as i32;
pub(crate) const IN_REVIEW: i32 = S::InReview as i32;
const REJECTED: i32 = S::Rejected as i32;
pub(crate) const ON_NOTICE: i32 = S::OnNotice as i32;
pub(crate) const BUILDING: i32 = S::Building as i32;
pub(crate) const OPERATING: i32 = S::Operating as i32;
pub(crate) const RECTIFYING: i32 = S::Rectifying as i32;
const TERMINATED: i32 = S::Terminated as i32;
const REVOKED: i32 = S::Revoked as i32;
const WITHDRAWN: i32 = S::Withdrawn as i32;
const MERGED: i32 = S::Merged as i32;

const fn state(number: S, code: &'static str, zh: &'static str, en: &'static str, phase: Phase) -> State {
    State {
        number: number as i32,
        code,
        zh,
        en,
        phase,
    }
}

static STATES: [State; 14] = [
    state(S::Draft, "draft", "草稿", "draft", Phase::Draft),
    state(S::Submitted, "submitted", "已申报", "submitted", Phase::Undecided),
    state(S::Returned, "returned", "退回补正", "returned", Phase::Draft),
    state(S::Refused, "refused", "不予受理", "refused", Phase::Ended),
    state(S::InReview, "in_review", "评审中", "in review", Phase::Undecided),
    state(S::Rejected, "rejected", "未通过", "rejected", Phase::Ended),
    state(S::OnNotice, "on_notice", "公示中", "on public notice", Phase::Undecided),
    state(S::Building, "building", "建设（筹）", "building", Phase::Live),
    state(S::Operating, "operating", "运行", "operating", Phase::Live),
    state(S::Rectifying, "rectifying", "整改", "rectifying", Phase::Live),
    state(S::Terminated, "terminated", "终止建设", "terminated", Phase::Ended),
    state(S::Revoked, "revoked", "撤销", "revoked", Phase::Ended),
    state(S::Withdrawn, "withdrawn", "撤回", "withdrawn", Phase::Ended),
    state(S::Merged, "merged", "合并", "merged", Phase::Ended),
];

static LIFE: StateMachine<Designations> = StateMachine {
    zh: "重点实验室认定",
    en: "Designation of a lab",
    service: "mingce.labs.v1.LabDesignationService",
    state_enum: "mingce.labs.v1.LabDesignationState",
    first: DRAFT,
    states: &STATES,
    transitions: &EDGES,
};

static EDGES: [Transition<Designations>; 21] = [
    Transition {
        verb: "submit",
        zh: "申报",
        method: "SubmitLabDesignation",
        from: &[DRAFT, RETURNED],
        to: &[SUBMITTED],
        guards: &[round_takes(), HOSTS, FIXED_MEMBERS, AREA, EQUIPMENT],
    },
    Transition {
        verb: "return",
        zh: "退回",
        method: "ReturnLabDesignation",
        from: &[SUBMITTED, RETURNED, ON_NOTICE],
        to: &[RETURNED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "refuse",
        zh: "不予受理",
        method: "RefuseLabDesignation",
        from: &[SUBMITTED, RETURNED],
        to: &[REFUSED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "accept",
        zh: "受理",
        method: "AcceptLabDesignation",
        from: &[SUBMITTED],
        to: &[IN_REVIEW],
        guards: &[],
    },
    Transition {
        verb: "publish_notice",
        zh: "公示",
        method: "PublishNoticeOfLabDesignation",
        from: &[IN_REVIEW],
        to: &[ON_NOTICE],
        guards: &[reviewed(), calendar_known()],
    },
    Transition {
        verb: "renew_notice",
        zh: "重新公示",
        method: "RenewNoticeOfLabDesignation",
        from: &[ON_NOTICE],
        to: &[ON_NOTICE],
        guards: &[no_open_objection(), calendar_known()],
    },
    Transition {
        verb: "approve",
        zh: "认定",
        method: "ApproveLabDesignation",
        from: &[ON_NOTICE],
        to: &[BUILDING, OPERATING],
        guards: &[
            notice_over(),
            no_open_objection(),
            no_upheld_objection(),
            published_same(),
            cap_left(),
        ],
    },
    Transition {
        verb: "reject",
        zh: "不予认定",
        method: "RejectLabDesignation",
        from: &[IN_REVIEW, ON_NOTICE],
        to: &[REJECTED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "withdraw",
        zh: "撤回",
        method: "WithdrawLabDesignation",
        from: &[DRAFT, SUBMITTED, RETURNED, IN_REVIEW, ON_NOTICE],
        to: &[WITHDRAWN],
        guards: &[],
    },
    Transition {
        verb: "accept_completion",
        zh: "验收",
        method: "AcceptCompletionOfLabDesignation",
        from: &[BUILDING],
        to: &[OPERATING],
        guards: &[BUILDING_OVER],
    },
    Transition {
        verb: "accept_early_completion",
        zh: "提前验收",
        method: "AcceptEarlyCompletionOfLabDesignation",
        from: &[BUILDING],
        to: &[OPERATING],
        guards: &[],
    },
    Transition {
        verb: "extend_building",
        zh: "延长建设期",
        method: "ExtendBuildingOfLabDesignation",
        from: &[BUILDING],
        to: &[BUILDING],
        guards: &[EXTENSION_LEFT],
    },
    Transition {
        verb: "terminate",
        zh: "终止建设",
        method: "TerminateLabDesignation",
        from: &[BUILDING],
        to: &[TERMINATED],
        guards: &[],
    },
    Transition {
        verb: "submit_annual_report",
        zh: "提交年度报告",
        method: "SubmitAnnualReportOfLabDesignation",
        from: &[BUILDING, OPERATING, RECTIFYING],
        to: &[],
        guards: &[],
    },
    Transition {
        verb: "evaluate",
        zh: "评估",
        method: "EvaluateLabDesignation",
        from: &[OPERATING],
        to: &[OPERATING, RECTIFYING, REVOKED],
        guards: &[],
    },
    Transition {
        verb: "reevaluate",
        zh: "重新评估",
        method: "ReevaluateLabDesignation",
        from: &[RECTIFYING],
        to: &[OPERATING, REVOKED],
        guards: &[RECTIFICATION_OVER],
    },
    Transition {
        verb: "shorten_rectification",
        zh: "缩短整改期",
        method: "ShortenRectificationOfLabDesignation",
        from: &[RECTIFYING],
        to: &[RECTIFYING],
        guards: &[RECTIFICATION_RUNS],
    },
    Transition {
        verb: "annul_evaluation",
        zh: "撤销评估结果",
        method: "AnnulEvaluationOfLabDesignation",
        from: &[OPERATING, RECTIFYING, REVOKED],
        to: &[OPERATING, RECTIFYING],
        guards: &[EVALUATION_LAST],
    },
    Transition {
        verb: "revoke",
        zh: "撤销",
        method: "RevokeLabDesignation",
        from: &[OPERATING, RECTIFYING],
        to: &[REVOKED],
        guards: &[],
    },
    Transition {
        verb: "merge",
        zh: "合并",
        method: "MergeLabDesignation",
        from: &[OPERATING, RECTIFYING],
        to: &[MERGED],
        guards: &[],
    },
    Transition {
        verb: VERB,
        zh: "更正",
        method: "CorrectLabDesignation",
        from: &[BUILDING, OPERATING, RECTIFYING, TERMINATED, REVOKED, MERGED],
        to: &[],
        guards: &[],
    },
];

static REPLAYS: Replays<Designations> = Replays {
    enters: "submit",
    approves: "approve",
    refuses: "reject",
    at_entry: &[HOSTS, FIXED_MEMBERS, AREA, EQUIPMENT],
    at_decision: &[reviewed()],
};

impl Stateful for Designations {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
    fn governed_by(item: &LabDesignation) -> Option<(i32, String)> {
        let scope = Self::scope(item);
        Some((scope.level, scope.programme.to_owned()))
    }
    fn on_enter(item: &mut LabDesignation, arrival: &mut StateEntry<'_>) -> Result<()> {
        on_enter::<Self>(item, arrival)
    }
}

impl Case for Designations {
    const KIND: CaseKind = CaseKind::LabDesignation;
    const ON_NOTICE: &'static [i32] = &[ON_NOTICE];
    const IN_REVIEW: &'static [i32] = &[IN_REVIEW];
    const DECIDED: &'static [&'static str] = &[
        "level",
        "programme",
        "platform",
        "number",
        "round",
        "document_number",
        "issuer",
        "decision_date",
        "start_date",
        "end_date",
    ];

    fn documents_of_parts(item: &LabDesignation) -> Vec<&str> {
        item.evaluations.iter().map(|e| e.document_number.as_str()).collect()
    }
    fn decided_by(item: &LabDesignation) -> Decided<'_> {
        Decided {
            number: &item.document_number,
            date: &item.decision_date,
            issuer: Some(&item.issuer),
        }
    }
    fn scope(item: &LabDesignation) -> Scope<'_> {
        Scope {
            level: item.level,
            programme: &item.programme,
        }
    }
    fn was_approved(item: &LabDesignation) -> bool {
        matches!(
            item.state(),
            S::Building | S::Operating | S::Rectifying | S::Terminated | S::Revoked | S::Merged
        )
    }
    fn display(work: &mut UnitOfWork, item: &LabDesignation) -> Result<String> {
        Ok(format!("{}·{}", lab_of(work, item)?.display_name, item.programme))
    }
    fn notice_terms(policy: &Policy) -> NoticeTerms {
        terms(Some(policy)).notice.unwrap_or_default()
    }
    fn review_terms(policy: &Policy) -> Option<&ReviewTerms> {
        policy.lab_designation.as_ref().and_then(|terms| terms.review.as_ref())
    }

    fn public_fields(work: &mut UnitOfWork, item: &LabDesignation) -> Result<Vec<PublicField>> {
        let lab = lab_of(work, item)?;
        let host = |host: &mingce_proto::labs::LabHost| {
            host.organization
                .as_ref()
                .map_or(String::new(), |o| o.display_name.clone())
        };
        let hosts: Vec<String> = lab.hosts.iter().map(host).collect();
        Ok(vec![
            field("lab", lab.display_name.as_str()),
            field("programme", item.programme.as_str()),
            field("level", level_in_words(item.level)),
            field("field", lab.field.as_str()),
            field("hosts", hosts.join("、")),
        ])
    }

    fn parties(work: &mut UnitOfWork, item: &LabDesignation) -> Result<Parties> {
        let lab = lab_of(work, item)?;
        let mut parties = Parties::default();
        let hosts = lab.hosts.into_iter().filter_map(|host| host.organization);
        parties.organizations.extend(hosts.map(|o| o.organization));
        let directors = lab.directors.into_iter().filter_map(|d| d.person);
        let members = lab.members.into_iter().filter_map(|m| m.person);
        parties
            .persons
            .extend(directors.chain(members).map(|person| person.talent));
        parties.organizations.remove("");
        parties.persons.remove("");
        Ok(parties)
    }

    fn due(item: &LabDesignation, policy: Option<&Policy>, _today: Date) -> Result<Option<(Date, DueKind)>> {
        due::next(item, policy)
    }

    const HELD: &'static [i32] = &[RECTIFYING];

    fn dates(item: &LabDesignation, policy: Option<&Policy>, at: &EvalContext) -> Result<Vec<CaseDate>> {
        due::dates(item, policy, at.today)
    }

    const ASKS: &'static [Ask] = &due::ASKS;
    const COUNTED: &'static [Counted] = &due::COUNTED;

    fn counts_from(item: &LabDesignation) -> Result<Option<Date>> {
        due::counts_from(item)
    }

    fn decision_date(item: &LabDesignation) -> &str {
        &item.decision_date
    }

    /// What began with the decision begins on its right day, and so does a building term that was not extended.
    fn follow(before: &LabDesignation, item: &mut LabDesignation, crossing: &mut TransitionContext<'_>) -> Result<()> {
        if before.start_date == before.decision_date && item.start_date == before.start_date {
            item.start_date.clone_from(&item.decision_date);
        }
        if Self::is_taken_here(item) && item.start_date != before.start_date {
            let days = (before.start_date.as_str(), item.start_date.as_str());
            let months = terms(crossing.policy).building_months;
            item.building_end_date = moved_end(&before.building_end_date, days, months)?;
            if before.operating_date == before.start_date {
                item.operating_date.clone_from(&item.start_date);
            }
        }
        expect_ended::<Self>(item, [&before.end_date, &item.end_date], crossing)
    }

    fn results(
        item: &LabDesignation,
        policy: Option<&Policy>,
        other: &Policy,
    ) -> Result<Vec<(String, String, String)>> {
        let (own, other) = (terms(policy), terms(Some(other)));
        let mut results = evaluation::results(item, &other);
        if item.extensions == 0 {
            let months = [own.building_months, other.building_months];
            results.extend(term_under(
                "building term",
                &item.start_date,
                &item.building_end_date,
                months,
            )?);
        }
        Ok(results)
    }

    fn replays() -> &'static Replays<Self> {
        &REPLAYS
    }

    /// The lab as it was when it applied.
    fn beside(name: &str) -> Option<(&'static Kind, String)> {
        let (lab, _) = name.split_once("/designations/")?;
        Some((&Labs::shape().kind, lab.to_owned()))
    }
}

impl ByItself for Designations {}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_lifecycle::lifecycle_docs;

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(lifecycle_docs::faults::<Designations>(), Vec::<String>::new());
        assert_eq!(mingce_lifecycle::due::faults::<Designations>(), Vec::<String>::new());
    }

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        lifecycle_docs::expect_page::<Designations>("lab-designation.md");
    }
}
