//! The state machine of designations of persons, as data: its states, and its transitions with their guards.

use mingce_lifecycle::correct::VERB;
use mingce_lifecycle::guard::{
    calendar_known, cap_left, no_open_objection, no_upheld_objection, notice_over, published_same, reviewed,
    round_takes,
};
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{Phase, State, StateMachine, Transition};
use mingce_proto::talent::TalentDesignationState as S;

use crate::designation::Designations;
use crate::designation_guards::{
    COMPLETION_LAST, LAST_DAY_REACHED, MAX_AGE, MIDTERM_LAST, MIDTERM_REACHED, NOT_ASSESSED, ONE_PER_FAMILY,
};

pub(crate) const DRAFT: i32 = S::Draft as i32;
pub(crate) const SUBMITTED: i32 = S::Submitted as i32;
pub(crate) const RETURNED: i32 = S::Returned as i32;
pub(crate) const REFUSED: i32 = S::Refused as i32;
pub(crate) const IN_REVIEW: i32 = S::InReview as i32;
pub(crate) const REJECTED: i32 = S::Rejected as i32;
pub(crate) const ON_NOTICE: i32 = S::OnNotice as i32;
pub(crate) const IN_TERM: i32 = S::InTerm as i32;
pub(crate) const SUSPENDED: i32 = S::Suspended as i32;
pub(crate) const COMPLETED: i32 = S::Completed as i32;
pub(crate) const CANCELLED: i32 = S::Cancelled as i32;
pub(crate) const EXITED: i32 = S::Exited as i32;
pub(crate) const WITHDRAWN: i32 = S::Withdrawn as i32;

static STATES: [State; 13] = [
    State::new(DRAFT, "draft", "草稿", "draft", Phase::Draft),
    State::new(SUBMITTED, "submitted", "已申报", "submitted", Phase::Undecided),
    State::new(RETURNED, "returned", "退回补正", "returned", Phase::Draft),
    State::new(REFUSED, "refused", "不予受理", "refused", Phase::Ended),
    State::new(IN_REVIEW, "in_review", "评审中", "in review", Phase::Undecided),
    State::new(REJECTED, "rejected", "未通过", "rejected", Phase::Ended),
    State::new(ON_NOTICE, "on_notice", "公示中", "on public notice", Phase::Undecided),
    State::new(IN_TERM, "in_term", "管理期内", "in term", Phase::Live),
    State::new(SUSPENDED, "suspended", "暂停", "suspended", Phase::Live),
    State::new(COMPLETED, "completed", "期满", "completed", Phase::Ended),
    State::new(CANCELLED, "cancelled", "取消", "cancelled", Phase::Ended),
    State::new(EXITED, "exited", "退出", "exited", Phase::Ended),
    State::new(WITHDRAWN, "withdrawn", "撤回", "withdrawn", Phase::Ended),
];

pub(crate) static LIFE: StateMachine<Designations> = StateMachine {
    zh: "人才认定",
    en: "Designation of a person",
    service: "mingce.talent.v1.TalentDesignationService",
    state_enum: "mingce.talent.v1.TalentDesignationState",
    first: DRAFT,
    states: &STATES,
    transitions: &EDGES,
};

static EDGES: [Transition<Designations>; 17] = [
    Transition {
        verb: "submit",
        zh: "申报",
        method: "SubmitTalentDesignation",
        from: &[DRAFT, RETURNED],
        to: &[SUBMITTED],
        guards: &[round_takes(), MAX_AGE],
    },
    Transition {
        verb: "return",
        zh: "退回",
        method: "ReturnTalentDesignation",
        from: &[SUBMITTED, RETURNED, ON_NOTICE],
        to: &[RETURNED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "refuse",
        zh: "不予受理",
        method: "RefuseTalentDesignation",
        from: &[SUBMITTED, RETURNED],
        to: &[REFUSED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "accept",
        zh: "受理",
        method: "AcceptTalentDesignation",
        from: &[SUBMITTED],
        to: &[IN_REVIEW],
        guards: &[],
    },
    Transition {
        verb: "publish_notice",
        zh: "公示",
        method: "PublishNoticeOfTalentDesignation",
        from: &[IN_REVIEW],
        to: &[ON_NOTICE],
        guards: &[reviewed(), calendar_known()],
    },
    Transition {
        verb: "renew_notice",
        zh: "重新公示",
        method: "RenewNoticeOfTalentDesignation",
        from: &[ON_NOTICE],
        to: &[ON_NOTICE],
        guards: &[no_open_objection(), calendar_known()],
    },
    Transition {
        verb: "approve",
        zh: "认定",
        method: "ApproveTalentDesignation",
        from: &[ON_NOTICE],
        to: &[IN_TERM],
        guards: &[
            notice_over(),
            no_open_objection(),
            no_upheld_objection(),
            published_same(),
            cap_left(),
            ONE_PER_FAMILY,
        ],
    },
    Transition {
        verb: "reject",
        zh: "不予认定",
        method: "RejectTalentDesignation",
        from: &[IN_REVIEW, ON_NOTICE],
        to: &[REJECTED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "withdraw",
        zh: "撤回",
        method: "WithdrawTalentDesignation",
        from: &[DRAFT, SUBMITTED, RETURNED, IN_REVIEW, ON_NOTICE],
        to: &[WITHDRAWN],
        guards: &[],
    },
    Transition {
        verb: "assess_midterm",
        zh: "中期评估",
        method: "AssessMidtermOfTalentDesignation",
        from: &[IN_TERM],
        to: &[IN_TERM, SUSPENDED],
        guards: &[NOT_ASSESSED, MIDTERM_REACHED],
    },
    Transition {
        verb: "resume",
        zh: "恢复",
        method: "ResumeTalentDesignation",
        from: &[SUSPENDED],
        to: &[IN_TERM],
        guards: &[],
    },
    Transition {
        verb: "complete",
        zh: "期满考核",
        method: "CompleteTalentDesignation",
        from: &[IN_TERM],
        to: &[COMPLETED, CANCELLED],
        guards: &[LAST_DAY_REACHED],
    },
    Transition {
        verb: "annul_midterm",
        zh: "撤销中期评估结果",
        method: "AnnulMidtermOfTalentDesignation",
        from: &[IN_TERM, SUSPENDED],
        to: &[IN_TERM],
        guards: &[MIDTERM_LAST],
    },
    Transition {
        verb: "annul_completion",
        zh: "撤销期满考核结果",
        method: "AnnulCompletionOfTalentDesignation",
        from: &[COMPLETED, CANCELLED],
        to: &[IN_TERM],
        guards: &[COMPLETION_LAST, ONE_PER_FAMILY],
    },
    Transition {
        verb: "exit",
        zh: "退出",
        method: "ExitTalentDesignation",
        from: &[IN_TERM, SUSPENDED],
        to: &[EXITED],
        guards: &[],
    },
    Transition {
        verb: "cancel",
        zh: "取消",
        method: "CancelTalentDesignation",
        from: &[IN_TERM, SUSPENDED, COMPLETED],
        to: &[CANCELLED],
        guards: &[],
    },
    Transition {
        verb: VERB,
        zh: "更正",
        method: "CorrectTalentDesignation",
        from: &[IN_TERM, SUSPENDED, COMPLETED, CANCELLED, EXITED],
        to: &[],
        guards: &[],
    },
];

pub(crate) static REPLAYS: Replays<Designations> = Replays {
    enters: "submit",
    approves: "approve",
    refuses: "reject",
    at_entry: &[MAX_AGE],
    at_decision: &[reviewed()],
};
