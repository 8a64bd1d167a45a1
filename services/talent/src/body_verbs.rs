//! What each verb on a nominating body does beside leading to another state: one function for each request.

use jiff::civil::Date;
use mingce_lifecycle::cases::{Asked, asked};
use mingce_lifecycle::{Command, Invocation, day, documented_invocation_of, effects, invocation_of};
use mingce_orm::Error;
use mingce_proto::talent::NominatingBodyState as S;
use mingce_proto::talent::*;

use crate::body::{NominatingBodies, has_lapsed, put_quota, quota_of, terms};

type Wanted = Invocation<NominatingBodies>;

pub(crate) fn publish_notice(r: PublishNoticeOfNominatingBodyRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("publish_notice", step, effects::publish_notice::<NominatingBodies>);
    Invocation { call, wanted }
}

pub(crate) fn renew_notice(r: RenewNoticeOfNominatingBodyRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("renew_notice", step, effects::publish_notice::<NominatingBodies>);
    Invocation { call, wanted }
}

pub(crate) fn authorise(r: AuthoriseNominatingBodyRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("authorise", step, move |item: &mut NominatingBody, crossing| {
        let today = crossing.at.today;
        let end = match day::given("end_date", &r.end_date)? {
            Some(end) if end < today => {
                let said = format!("{end} is before {today}, the first day of the authorisation");
                return Err(Error::invalid("end_date", "PERIOD_REVERSED", said));
            }
            Some(end) => end,
            None => day::last_of_term(today, terms(crossing.policy).authorisation_months)?,
        };
        item.start_date = today.to_string();
        item.end_date = end.to_string();
        item.document_number.clone_from(&r.document_number);
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn refuse(r: RefuseNominatingBodyRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("refuse", step, |_: &mut NominatingBody, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn grant_quota(r: GrantQuotaToNominatingBodyRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("grant_quota", step, move |item: &mut NominatingBody, crossing| {
        let held = quota_of(item, crossing.policy, r.year);
        if has_lapsed(&held, crossing.at.today) {
            let said = format!("the quota of {} has lapsed with its year", r.year);
            return Err(Error::invalid("year", "QUOTA_LAPSED", said));
        }
        if r.limit < held.used {
            let said = format!(
                "{} of the quota of {} are used: grant at least as many",
                held.used, r.year
            );
            return Err(Error::invalid("limit", "QUOTA_BELOW_USED", said));
        }
        let granted = NominatingQuota { limit: r.limit, ..held };
        put_quota(item, granted);
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn suspend(r: SuspendNominatingBodyRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("suspend", step, |_: &mut NominatingBody, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn resume(r: ResumeNominatingBodyRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("resume", step, |_: &mut NominatingBody, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn expire(r: ExpireNominatingBodyRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("expire", step, |_: &mut NominatingBody, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn revoke(r: RevokeNominatingBodyRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("revoke", step, |_: &mut NominatingBody, _| Ok(()));
    Invocation { call, wanted }
}

/// One move of a batch.
pub(crate) fn one_of(verb: nominating_body_move::Verb) -> Asked<NominatingBodies> {
    use nominating_body_move::Verb;
    match verb {
        Verb::RenewNoticeOf(r) => asked("renew_notice_of", *r, renew_notice),
        Verb::PublishNoticeOf(r) => asked("publish_notice_of", *r, publish_notice),
        Verb::Authorise(r) => asked("authorise", *r, authorise),
        Verb::Refuse(r) => asked("refuse", *r, refuse),
        Verb::GrantQuotaTo(r) => asked("grant_quota_to", *r, grant_quota),
        Verb::Suspend(r) => asked("suspend", *r, suspend),
        Verb::Resume(r) => asked("resume", *r, resume),
        Verb::Expire(r) => asked("expire", *r, expire),
        Verb::Revoke(r) => asked("revoke", *r, revoke),
    }
}

/// A body as it begins: it applies, and waits from that day on.
pub(crate) fn begin(item: &mut NominatingBody, today: Date) {
    item.set_state(S::Applied);
    item.case.get_or_insert_default().state_date = today.to_string();
}
