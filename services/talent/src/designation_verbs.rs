//! What each verb on a designation of a person does beside leading to another state: one function for each request.

use jiff::civil::Date;
use mingce_lifecycle::caps::{enter, use_cap};
use mingce_lifecycle::case::decided;
use mingce_lifecycle::cases::{Asked, asked};
use mingce_lifecycle::{Command, Invocation, TransitionContext, day, documented_invocation_of, effects, invocation_of};
use mingce_orm::{Error, Result};
use mingce_proto::registry::Round;
use mingce_proto::talent::TalentDesignationState as S;
use mingce_proto::talent::*;

use crate::designation::{Designations, terms};
use crate::designation_guards::family_of;

type Wanted = Invocation<Designations>;

pub(crate) fn submit(r: SubmitTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("submit", step, effects::submit::<Designations>);
    Invocation { call, wanted }
}

pub(crate) fn return_(r: ReturnTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("return", step, move |item: &mut TalentDesignation, crossing| {
        effects::give_back::<Designations>(item, crossing, &r.due_date)
    });
    Invocation { call, wanted }
}

pub(crate) fn refuse(r: RefuseTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("refuse", step, |_: &mut TalentDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn accept(r: AcceptTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("accept", step, |_: &mut TalentDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn publish_notice(r: PublishNoticeOfTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("publish_notice", step, effects::publish_notice::<Designations>);
    Invocation { call, wanted }
}

pub(crate) fn renew_notice(r: RenewNoticeOfTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("renew_notice", step, effects::publish_notice::<Designations>);
    Invocation { call, wanted }
}

pub(crate) fn approve(r: ApproveTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("approve", step, move |item: &mut TalentDesignation, crossing| {
        use_cap::<Designations>(item, crossing)?;
        let decided = decided::<Designations>(item, &r.decision_date, crossing.at)?;
        item.decision_date = decided.to_string();
        item.document_number.clone_from(&r.document_number);
        item.number.clone_from(&r.number);
        if !r.issuer.is_empty() {
            item.issuer.clone_from(&r.issuer);
        }
        item.start_date.clone_from(&item.decision_date);
        item.end_date = last_day(decided, terms(crossing.policy).term_months)?;
        item.family = family_of(crossing.work, item)?;
        Ok(())
    });
    Invocation { call, wanted }
}

/// The last day of a management period; empty where the policy has no length of it.
fn last_day(start: Date, months: i32) -> Result<String> {
    if months == 0 {
        return Ok(String::new());
    }
    let end = day::last_of_term(start, months).map_err(|_| {
        let said = format!("{months} months from {start} end after the year 9999: give an earlier day");
        Error::invalid("decision_date", "DATE_INVALID", said)
    })?;
    Ok(end.to_string())
}

pub(crate) fn reject(r: RejectTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("reject", step, move |item: &mut TalentDesignation, _| {
        item.document_number.clone_from(&r.document_number);
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn withdraw(r: WithdrawTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("withdraw", step, |_: &mut TalentDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn assess_midterm(r: AssessMidtermOfTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("assess_midterm", step, move |item: &mut TalentDesignation, crossing| {
        item.midterm_date = crossing.at.today.to_string();
        item.midterm_passed = r.passed;
        item.set_state(if r.passed() { S::InTerm } else { S::Suspended });
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn resume(r: ResumeTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("resume", step, |_: &mut TalentDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn complete(r: CompleteTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("complete", step, move |item: &mut TalentDesignation, crossing| {
        let cancels = r.grade() == TalentCompletionGrade::Unqualified;
        if cancels {
            effects::expect_grounds(crossing, &r.document_number)?;
        }
        item.completion_grade = r.grade;
        item.set_state(if cancels { S::Cancelled } else { S::Completed });
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn annul_midterm(r: AnnulMidtermOfTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("annul_midterm", step, |item: &mut TalentDesignation, _| {
        item.midterm_date.clear();
        item.midterm_passed = None;
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn annul_completion(r: AnnulCompletionOfTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("annul_completion", step, |item: &mut TalentDesignation, _| {
        item.set_completion_grade(TalentCompletionGrade::Unspecified);
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn exit(r: ExitTalentDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("exit", step, |item: &mut TalentDesignation, crossing| {
        ends(item, crossing)
    });
    Invocation { call, wanted }
}

pub(crate) fn cancel(r: CancelTalentDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("cancel", step, |item: &mut TalentDesignation, crossing| {
        ends(item, crossing)
    });
    Invocation { call, wanted }
}

/// Ends the management period on this day, unless it ended before. One that has not begun ends on its first day.
fn ends(item: &mut TalentDesignation, crossing: &TransitionContext<'_>) -> Result<()> {
    let today = crossing.at.today;
    let last = day::first_of(&item.start_date)?.map_or(today, |start| start.max(today));
    if day::last_of(&item.end_date)?.is_none_or(|end| last < end) {
        item.end_date = last.to_string();
    }
    Ok(())
}

/// One move of a batch.
pub(crate) fn one_of(verb: talent_designation_move::Verb) -> Asked<Designations> {
    use talent_designation_move::Verb;
    match verb {
        Verb::Submit(r) => asked("submit", *r, submit),
        Verb::Return(r) => asked("return", *r, return_),
        Verb::Refuse(r) => asked("refuse", *r, refuse),
        Verb::Accept(r) => asked("accept", *r, accept),
        Verb::Reject(r) => asked("reject", *r, reject),
        Verb::RenewNoticeOf(r) => asked("renew_notice_of", *r, renew_notice),
        Verb::PublishNoticeOf(r) => asked("publish_notice_of", *r, publish_notice),
        Verb::Approve(r) => asked("approve", *r, approve),
        Verb::AssessMidtermOf(r) => asked("assess_midterm_of", *r, assess_midterm),
        Verb::Resume(r) => asked("resume", *r, resume),
        Verb::Complete(r) => asked("complete", *r, complete),
        Verb::Exit(r) => asked("exit", *r, exit),
        Verb::Cancel(r) => asked("cancel", *r, cancel),
        Verb::AnnulMidtermOf(r) => asked("annul_midterm_of", *r, annul_midterm),
        Verb::AnnulCompletionOf(r) => asked("annul_completion_of", *r, annul_completion),
        Verb::Withdraw(r) => asked("withdraw", *r, withdraw),
    }
}

/// A designation as it begins: a draft for a round, under the policy of the round.
pub(crate) fn begin(item: &mut TalentDesignation, round: &Round) {
    item.set_state(S::Draft);
    item.round.clone_from(&round.display_name);
    enter::<Designations>(item, round);
}
