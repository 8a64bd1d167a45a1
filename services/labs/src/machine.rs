//! The state machine of designations of labs, as data: its states, and its transitions with their guards.

use mingce_lifecycle::correct::VERB;
use mingce_lifecycle::guard::{
    calendar_known, cap_left, no_open_objection, no_upheld_objection, notice_over, published_same, reviewed,
    round_takes,
};
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{Phase, State, StateMachine, Transition};
use mingce_proto::labs::LabDesignationState as S;

use crate::designation::Designations;
use crate::guards::{
    AREA, BUILDING_OVER, EQUIPMENT, EVALUATION_LAST, EXTENSION_LEFT, FIXED_MEMBERS, HOSTS, RECTIFICATION_OVER,
    RECTIFICATION_RUNS,
};

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

static STATES: [State; 14] = [
    State::new(DRAFT, "draft", "草稿", "draft", Phase::Draft),
    State::new(SUBMITTED, "submitted", "已申报", "submitted", Phase::Undecided),
    State::new(RETURNED, "returned", "退回补正", "returned", Phase::Draft),
    State::new(REFUSED, "refused", "不予受理", "refused", Phase::Ended),
    State::new(IN_REVIEW, "in_review", "评审中", "in review", Phase::Undecided),
    State::new(REJECTED, "rejected", "未通过", "rejected", Phase::Ended),
    State::new(ON_NOTICE, "on_notice", "公示中", "on public notice", Phase::Undecided),
    State::new(BUILDING, "building", "建设（筹）", "building", Phase::Live),
    State::new(OPERATING, "operating", "运行", "operating", Phase::Live),
    State::new(RECTIFYING, "rectifying", "整改", "rectifying", Phase::Live),
    State::new(TERMINATED, "terminated", "终止建设", "terminated", Phase::Ended),
    State::new(REVOKED, "revoked", "撤销", "revoked", Phase::Ended),
    State::new(WITHDRAWN, "withdrawn", "撤回", "withdrawn", Phase::Ended),
    State::new(MERGED, "merged", "合并", "merged", Phase::Ended),
];

pub(crate) static LIFE: StateMachine<Designations> = StateMachine {
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

pub(crate) static REPLAYS: Replays<Designations> = Replays {
    enters: "submit",
    approves: "approve",
    refuses: "reject",
    at_entry: &[HOSTS, FIXED_MEMBERS, AREA, EQUIPMENT],
    at_decision: &[reviewed()],
};
