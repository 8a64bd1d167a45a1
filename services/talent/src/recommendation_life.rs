//! The life cycle of recommendations: states, verbs, and what has to hold for each.

use jiff::civil::Date;
use mingce_lifecycle::ask::Ask;
use mingce_lifecycle::case::{Decided, facts};
use mingce_lifecycle::correct::VERB;
use mingce_lifecycle::dates::on;
use mingce_lifecycle::entry::on_enter;
use mingce_lifecycle::guard::{calendar_known, no_open_objection, no_upheld_objection, notice_over, published_same};
use mingce_lifecycle::notice::field;
use mingce_lifecycle::replays::{Pool, Replays, Wanted};
use mingce_lifecycle::{
    ByItself, Case, EvalContext, Guard, GuardContext, Parties, Phase, Scope, State, StateEntry, StateMachine, Stateful,
    Transition, TransitionContext, blocker, day,
};
use mingce_orm::{Blocker, Collection, Result, UnitOfWork};
use mingce_proto::registry::{CaseDate, CaseKind, DueActor, DueKind, NoticeTerms, Policy, PublicField};
use mingce_proto::talent::RecommendationState as S;
use mingce_proto::talent::{NominatingBody, NominatingQuota, Recommendation};

use crate::body::{self, NominatingBodies, has_lapsed, is_authorised, quota_of};
use crate::body_life::programme_name;
use crate::designation_guards::{family_taken, live_in_family};
use crate::eligibility;
use crate::programme::Programmes;
use crate::recommendation::{Recommendations, employer, talent, talent_name, terms};
use crate::recommendation_verbs::correct_designation;
use crate::talent::person_of;

const DRAFT: i32 = S::Draft as i32;
const FILED: i32 = S::Filed as i32;
const ON_NOTICE: i32 = S::OnNotice as i32;
const CONFIRMED: i32 = S::Confirmed as i32;
const REFUSED: i32 = S::Refused as i32;
const CANCELLED: i32 = S::Cancelled as i32;
const WITHDRAWN: i32 = S::Withdrawn as i32;

static STATES: [State; 7] = [
    State::new(DRAFT, "draft", "草稿", "draft", Phase::Draft),
    State::new(FILED, "filed", "已备案", "filed", Phase::Undecided),
    State::new(ON_NOTICE, "on_notice", "公示中", "on public notice", Phase::Undecided),
    State::new(CONFIRMED, "confirmed", "已确认", "confirmed", Phase::Live),
    State::new(REFUSED, "refused", "不予确认", "refused", Phase::Ended),
    State::new(CANCELLED, "cancelled", "取消", "cancelled", Phase::Ended),
    State::new(WITHDRAWN, "withdrawn", "撤回", "withdrawn", Phase::Ended),
];

static LIFE: StateMachine<Recommendations> = StateMachine {
    zh: "自主荐才",
    en: "Recommendation by a nominating body",
    service: "mingce.talent.v1.RecommendationService",
    state_enum: "mingce.talent.v1.RecommendationState",
    first: DRAFT,
    states: &STATES,
    transitions: &EDGES,
};

static EDGES: [Transition<Recommendations>; 8] = [
    Transition {
        verb: "recommend",
        zh: "荐才备案",
        method: "FileRecommendation",
        from: &[DRAFT],
        to: &[FILED],
        guards: &[BODY_AUTHORISED, QUOTA_LEFT, MAX_AGE],
    },
    Transition {
        verb: "publish_notice",
        zh: "公示",
        method: "PublishNoticeOfRecommendation",
        from: &[FILED],
        to: &[ON_NOTICE],
        guards: &[calendar_known()],
    },
    Transition {
        verb: "renew_notice",
        zh: "重新公示",
        method: "RenewNoticeOfRecommendation",
        from: &[ON_NOTICE],
        to: &[ON_NOTICE],
        guards: &[no_open_objection(), calendar_known()],
    },
    Transition {
        verb: "confirm",
        zh: "确认",
        method: "ConfirmRecommendation",
        from: &[ON_NOTICE],
        to: &[CONFIRMED],
        guards: &[
            notice_over(),
            no_open_objection(),
            no_upheld_objection(),
            published_same(),
            BODY_AUTHORISED,
            QUOTA_LEFT,
            ONE_PER_FAMILY,
        ],
    },
    Transition {
        verb: "refuse",
        zh: "不予确认",
        method: "RefuseRecommendation",
        from: &[FILED, ON_NOTICE],
        to: &[REFUSED],
        guards: &[no_open_objection()],
    },
    Transition {
        verb: "cancel",
        zh: "取消",
        method: "CancelRecommendation",
        from: &[CONFIRMED],
        to: &[CANCELLED],
        guards: &[],
    },
    Transition {
        verb: "withdraw",
        zh: "撤回",
        method: "WithdrawRecommendation",
        from: &[DRAFT, FILED, ON_NOTICE],
        to: &[WITHDRAWN],
        guards: &[],
    },
    Transition {
        verb: VERB,
        zh: "更正",
        method: "CorrectRecommendation",
        from: &[CONFIRMED, CANCELLED],
        to: &[],
        guards: &[],
    },
];

const BODY_AUTHORISED: Guard<Recommendations> = Guard {
    zh: "荐才单位在授权期内",
    en: "the body is authorised on this day",
    check: body_authorised,
};
const QUOTA_LEFT: Guard<Recommendations> = Guard {
    zh: "年度名额未用完且未到期",
    en: "the body has quota of the year left",
    check: quota_left,
};
const MAX_AGE: Guard<Recommendations> = Guard {
    zh: "年龄不超过规定",
    en: "not older than the policy allows",
    check: max_age,
};
const ONE_PER_FAMILY: Guard<Recommendations> = Guard {
    zh: "同一人在同一计划系列内没有其他有效认定",
    en: "the person has no live designation in the family of programmes",
    check: one_per_family,
};

fn body_of(work: &mut UnitOfWork, item: &Recommendation) -> Result<NominatingBody> {
    work.require::<NominatingBodies>(&item.nominating_body)
}

fn body_authorised(look: &mut GuardContext<'_, Recommendations>) -> Result<Vec<Blocker>> {
    let body = body_of(look.work, look.item)?;
    if is_authorised(&body, look.at.today) {
        return Ok(Vec::new());
    }
    let state = NominatingBodies::state_machine().state(body.state);
    let (en, zh) = match state {
        Some(state) if body.state() != mingce_proto::talent::NominatingBodyState::Authorised => (
            format!("the body is not authorised: it is in state {}", state.code),
            format!("荐才单位未在授权期内：{}", state.zh),
        ),
        _ => (
            format!("the body is authorised from {} to {}", body.start_date, body.end_date),
            format!("荐才单位授权期为{}至{}", body.start_date, body.end_date),
        ),
    };
    Ok(vec![blocker("BODY_NOT_AUTHORISED", body.name, en, zh)])
}

fn quota_left(look: &mut GuardContext<'_, Recommendations>) -> Result<Vec<Blocker>> {
    let body = body_of(look.work, look.item)?;
    let policy = body::policy_of(look.work, &body)?;
    let quota = quota_of(&body, policy.as_ref(), look.item.year);
    // What was filed within the year is confirmed on it, also when its notice has run into the next.
    let filed = day::parse(&facts::<Recommendations>(look.item).submit_date)?;
    let in_year = filed.filter(|filed| i32::from(filed.year()) == quota.year);
    let quota = NominatingQuota {
        lapsed: quota.lapsed && in_year.is_none(),
        ..quota
    };
    Ok(of_quota(&body, &quota, in_year.unwrap_or(look.at.today))
        .into_iter()
        .collect())
}

/// What stands in the way of using one more of a quota.
fn of_quota(body: &NominatingBody, quota: &NominatingQuota, today: Date) -> Option<Blocker> {
    let NominatingQuota { year, limit, used, .. } = *quota;
    let (reason, en, zh) = if has_lapsed(quota, today) {
        (
            "QUOTA_LAPSED",
            format!("the quota of {year} has lapsed with its year"),
            format!("{year}年度名额已到期"),
        )
    } else if year > i32::from(today.year()) {
        (
            "QUOTA_NOT_BEGUN",
            format!("the quota of {year} can be used from {year}-01-01 on"),
            format!("{year}年度名额自{year}-01-01起使用"),
        )
    } else if used >= limit {
        return Some(quota_used_up(&body.name, &year.to_string(), [used, limit]));
    } else {
        return None;
    };
    Some(blocker(reason, &body.name, en, zh))
}

fn quota_used_up(body: &str, year: &str, [used, limit]: [i32; 2]) -> Blocker {
    let en = format!("quota of {year} used up: {used} of {limit}");
    blocker("QUOTA_USED_UP", body, en, format!("{year}年度名额已用{used}/{limit}"))
}

fn max_age(look: &mut GuardContext<'_, Recommendations>) -> Result<Vec<Blocker>> {
    let most = terms(look.policy).max_age;
    eligibility::age(look.work, talent(look.item), most, look.at.today).map(Vec::from_iter)
}

fn one_per_family(look: &mut GuardContext<'_, Recommendations>) -> Result<Vec<Blocker>> {
    let programme = match Programmes::shape().kind.id(&look.item.programme) {
        Some(id) => look.work.get_shared::<Programmes>(id)?,
        None => None,
    };
    let family = programme.map_or(String::new(), |programme| programme.family);
    let live = live_in_family(look.work, talent(look.item), &family)?;
    Ok(live.map(|other| family_taken(other, &family)).into_iter().collect())
}

static REPLAYS: Replays<Recommendations> = Replays {
    enters: "recommend",
    approves: "confirm",
    refuses: "refuse",
    at_entry: &[MAX_AGE],
    at_decision: &[],
};

impl Stateful for Recommendations {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
    fn governed_by(item: &Recommendation) -> Option<(i32, String)> {
        let scope = Self::scope(item);
        Some((scope.level, scope.programme.to_owned()))
    }
    fn on_enter(item: &mut Recommendation, arrival: &mut StateEntry<'_>) -> Result<()> {
        on_enter::<Self>(item, arrival)
    }
}

impl Case for Recommendations {
    const KIND: CaseKind = CaseKind::Recommendation;
    const ON_NOTICE: &'static [i32] = &[ON_NOTICE];

    fn decided_by(item: &Recommendation) -> Decided<'_> {
        Decided {
            number: &item.document_number,
            ..Decided::default()
        }
    }
    fn scope(item: &Recommendation) -> Scope<'_> {
        Scope {
            level: item.level,
            programme: &item.programme,
        }
    }
    /// None is recorded as history.
    fn is_taken_here(_item: &Recommendation) -> bool {
        true
    }
    fn display(_work: &mut UnitOfWork, item: &Recommendation) -> Result<String> {
        Ok(format!(
            "{}·{}·{}",
            talent_name(item),
            item.nominating_body_name,
            item.year
        ))
    }
    fn notice_terms(policy: &Policy) -> NoticeTerms {
        terms(Some(policy)).notice.unwrap_or_default()
    }

    fn public_fields(work: &mut UnitOfWork, item: &Recommendation) -> Result<Vec<PublicField>> {
        let employer = item.employer.as_ref().map_or("", |o| o.display_name.as_str());
        Ok(vec![
            field("person", talent_name(item)),
            field("nominating_body", item.nominating_body_name.as_str()),
            field("programme", programme_name(work, &item.programme)?),
            field("employer", employer),
            field("year", item.year.to_string()),
        ])
    }

    /// The person under the names that they are and were recorded by, the body's organization and the employer.
    fn parties(work: &mut UnitOfWork, item: &Recommendation) -> Result<Parties> {
        let (person, body) = (person_of(work, talent(item)), body_of(work, item));
        let mut parties = Parties::default();
        parties.persons.extend([talent(item).to_owned(), person?.name]);
        let organizations = [body::organization(&body?).to_owned(), employer(item).to_owned()];
        parties.organizations.extend(organizations);
        parties.organizations.remove("");
        Ok(parties)
    }

    const DECIDED: &'static [&'static str] = &["employer", "document_number"];
    const DECISION_DATE: &'static str = "";
    fn follow(before: &Recommendation, item: &mut Recommendation, crossing: &mut TransitionContext<'_>) -> Result<()> {
        correct_designation(before, item, crossing)
    }

    fn replays() -> &'static Replays<Self> {
        &REPLAYS
    }

    /// The quota of the body in the year.
    fn pools(
        work: &mut UnitOfWork,
        item: &Recommendation,
        _policy: Option<&Policy>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Pool>> {
        let body = body_of(work, item)?;
        let policy = body::policy_of(work, &body)?;
        let quota = quota_of(&body, policy.as_ref(), item.year);
        let asked = wanted.caps.iter().find(|cap| cap.grade.is_empty());
        Ok(vec![Pool {
            subject: body.name,
            label: item.year.to_string(),
            before: Some(quota.limit),
            after: Some(asked.map_or(quota.limit, |cap| cap.limit)),
            used: quota.used,
            is_shared: true,
            full: |pool, used, limit| quota_used_up(&pool.subject, &pool.label, [used, limit]),
        }])
    }

    /// A draft is filed while the quota of its year can be used.
    fn due(item: &Recommendation, _policy: Option<&Policy>, _today: Date) -> Result<Option<(Date, DueKind)>> {
        let year = i16::try_from(item.year).ok().filter(|_| item.state == DRAFT);
        let last = year.and_then(|year| Date::new(year, 12, 31).ok());
        Ok(last.map(|last| (last, DueKind::Filing)))
    }

    fn dates(item: &Recommendation, policy: Option<&Policy>, at: &EvalContext) -> Result<Vec<CaseDate>> {
        let filing = Self::due(item, policy, at.today)?;
        let filing = filing.map(|(day, due)| CaseDate {
            year: item.year,
            ..on(due, day, DueActor::NominatingBody)
        });
        Ok(filing.into_iter().collect())
    }

    const ASKS: &'static [Ask] = &ASKS;
}

impl ByItself for Recommendations {}

/// Who acts, and on what.
static ASKS: [Ask; 3] = [
    Ask::on_day(
        DRAFT,
        DueKind::Filing,
        DueActor::NominatingBody,
        &["recommend", "withdraw"],
    ),
    Ask::at_once(
        FILED,
        DueKind::FormalCheck,
        DueActor::Office,
        &["publish_notice", "refuse"],
    ),
    Ask::on_day(
        ON_NOTICE,
        DueKind::NoticeEnds,
        DueActor::Decider,
        &["confirm", "refuse"],
    ),
];

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        mingce_lifecycle::lifecycle_docs::expect_page::<Recommendations>("recommendation.md");
    }

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(
            mingce_lifecycle::lifecycle_docs::faults::<Recommendations>(),
            Vec::<String>::new()
        );
        assert_eq!(mingce_lifecycle::due::faults::<Recommendations>(), Vec::<String>::new());
    }

    #[test]
    fn a_quota_is_used_within_its_year_and_up_to_its_limit() {
        let body = NominatingBody {
            name: "nominatingBodies/a".to_owned(),
            ..NominatingBody::default()
        };
        let tried = |used: i32, lapsed: bool, today: Date| {
            let quota = NominatingQuota {
                year: 2024,
                limit: 5,
                used,
                lapsed,
            };
            of_quota(&body, &quota, today)
        };
        let reason = |blocker: Option<Blocker>| blocker.map(|blocker| blocker.reason);
        assert_eq!(tried(4, false, date(2024, 1, 1)), None);
        assert_eq!(tried(4, false, date(2024, 12, 31)), None);
        assert_eq!(reason(tried(0, false, date(2023, 12, 31))), Some("QUOTA_NOT_BEGUN"));
        assert_eq!(reason(tried(0, false, date(2025, 1, 1))), Some("QUOTA_LAPSED"));
        assert_eq!(reason(tried(0, true, date(2024, 6, 1))), Some("QUOTA_LAPSED"));
        let full = tried(5, false, date(2024, 6, 1)).unwrap();
        assert_eq!(full.reason, "QUOTA_USED_UP");
        assert_eq!(full.subject, "nominatingBodies/a");
        assert_eq!(full.description, "quota of 2024 used up: 5 of 5");
        assert_eq!(full.description_zh, "2024年度名额已用5/5");
    }
}
