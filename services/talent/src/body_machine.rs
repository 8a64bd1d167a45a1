//! The state machine of nominating bodies, as data: its states, and its transitions with their guards.

use mingce_lifecycle::correct::VERB;
use mingce_lifecycle::guard::{calendar_known, no_open_objection, no_upheld_objection, notice_over, published_same};
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{Guard, GuardContext, Phase, State, StateMachine, Transition, day};
use mingce_orm::{Blocker, Result};
use mingce_proto::talent::NominatingBodyState as S;

use crate::body::NominatingBodies;

pub(crate) const APPLIED: i32 = S::Applied as i32;
pub(crate) const ON_NOTICE: i32 = S::OnNotice as i32;
pub(crate) const AUTHORISED: i32 = S::Authorised as i32;
pub(crate) const SUSPENDED: i32 = S::Suspended as i32;
pub(crate) const EXPIRED: i32 = S::Expired as i32;
pub(crate) const REVOKED: i32 = S::Revoked as i32;
pub(crate) const REFUSED: i32 = S::Refused as i32;

static STATES: [State; 7] = [
    State::new(APPLIED, "applied", "已申请", "applied", Phase::Undecided),
    State::new(ON_NOTICE, "on_notice", "公示中", "on public notice", Phase::Undecided),
    State::new(AUTHORISED, "authorised", "已授权", "authorised", Phase::Live),
    State::new(SUSPENDED, "suspended", "暂停", "suspended", Phase::Live),
    State::new(EXPIRED, "expired", "到期", "expired", Phase::Ended),
    State::new(REVOKED, "revoked", "撤销", "revoked", Phase::Ended),
    State::new(REFUSED, "refused", "不予授权", "refused", Phase::Ended),
];

pub(crate) static LIFE: StateMachine<NominatingBodies> = StateMachine {
    zh: "自主荐才单位授权",
    en: "Authorisation of a nominating body",
    service: "mingce.talent.v1.NominatingBodyService",
    state_enum: "mingce.talent.v1.NominatingBodyState",
    first: APPLIED,
    states: &STATES,
    transitions: &EDGES,
};

static EDGES: [Transition<NominatingBodies>; 10] = [
    Transition {
        verb: "publish_notice",
        zh: "公示",
        method: "PublishNoticeOfNominatingBody",
        from: &[APPLIED],
        to: &[ON_NOTICE],
        guards: &[calendar_known()],
    },
    Transition {
        verb: "renew_notice",
        zh: "重新公示",
        method: "RenewNoticeOfNominatingBody",
        from: &[ON_NOTICE],
        to: &[ON_NOTICE],
        guards: &[no_open_objection(), calendar_known()],
    },
    Transition {
        verb: "authorise",
        zh: "授权",
        method: "AuthoriseNominatingBody",
        from: &[ON_NOTICE],
        to: &[AUTHORISED],
        guards: &[
            notice_over(),
            no_open_objection(),
            no_upheld_objection(),
            published_same(),
        ],
    },
    Transition {
        verb: "refuse",
        zh: "不予授权",
        method: "RefuseNominatingBody",
        from: &[APPLIED, ON_NOTICE],
        to: &[REFUSED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "grant_quota",
        zh: "下达名额",
        method: "GrantQuotaToNominatingBody",
        from: &[AUTHORISED, SUSPENDED],
        to: &[],
        guards: &[],
    },
    Transition {
        verb: "suspend",
        zh: "暂停授权",
        method: "SuspendNominatingBody",
        from: &[AUTHORISED],
        to: &[SUSPENDED],
        guards: &[],
    },
    Transition {
        verb: "resume",
        zh: "恢复授权",
        method: "ResumeNominatingBody",
        from: &[SUSPENDED],
        to: &[AUTHORISED],
        guards: &[],
    },
    Transition {
        verb: "expire",
        zh: "授权到期",
        method: "ExpireNominatingBody",
        from: &[AUTHORISED, SUSPENDED],
        to: &[EXPIRED],
        guards: &[AUTHORISATION_OVER],
    },
    Transition {
        verb: "revoke",
        zh: "撤销授权",
        method: "RevokeNominatingBody",
        from: &[AUTHORISED, SUSPENDED],
        to: &[REVOKED],
        guards: &[],
    },
    Transition {
        verb: VERB,
        zh: "更正",
        method: "CorrectNominatingBody",
        from: &[AUTHORISED, SUSPENDED, EXPIRED, REVOKED],
        to: &[],
        guards: &[],
    },
];

const AUTHORISATION_OVER: Guard<NominatingBodies> = Guard {
    zh: "授权期已满",
    en: "the last day of the authorisation has passed",
    check: authorisation_over,
};

fn authorisation_over(look: &mut GuardContext<'_, NominatingBodies>) -> Result<Vec<Blocker>> {
    let end = day::parse(&look.item.end_date)?;
    let Some(end) = end.filter(|end| look.at.today <= *end) else {
        return Ok(Vec::new());
    };
    let (en, zh) = (format!("the authorisation runs until {end}"), format!("授权至{end}"));
    Ok(vec![look.blocker("AUTHORISATION_RUNNING", en, zh)])
}

/// No number of a policy decides whether a body is authorised.
pub(crate) static REPLAYS: Replays<NominatingBodies> = Replays {
    enters: "",
    approves: "authorise",
    refuses: "refuse",
    at_entry: &[],
    at_decision: &[],
};
