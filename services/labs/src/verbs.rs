//! What each verb on a designation of a lab does beside leading to another state: one function for each request.

use jiff::civil::Date;
use mingce_lifecycle::caps::{enter, use_cap};
use mingce_lifecycle::case::decided;
use mingce_lifecycle::cases::{Asked, asked};
use mingce_lifecycle::effects::expect_grounds;
use mingce_lifecycle::{Command, Invocation, TransitionContext, day, documented_invocation_of, effects, invocation_of};
use mingce_orm::write::canonical::normalized;
use mingce_orm::{Class, Collection, Error, Result};
use mingce_proto::labs::LabDesignationState as S;
use mingce_proto::labs::*;
use mingce_proto::registry::Round;

use crate::designation::Designations;
use crate::evaluation::{self, Given};
use crate::guards::{lab_named, lab_of, terms};
use crate::lab::Labs;

type Wanted = Invocation<Designations>;

pub(crate) fn submit(r: SubmitLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("submit", step, effects::submit::<Designations>);
    Invocation { call, wanted }
}

pub(crate) fn return_(r: ReturnLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("return", step, move |item: &mut LabDesignation, crossing| {
        effects::give_back::<Designations>(item, crossing, &r.due_date)
    });
    Invocation { call, wanted }
}

pub(crate) fn refuse(r: RefuseLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("refuse", step, |_: &mut LabDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn accept(r: AcceptLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("accept", step, |_: &mut LabDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn publish_notice(r: PublishNoticeOfLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("publish_notice", step, effects::publish_notice::<Designations>);
    Invocation { call, wanted }
}

pub(crate) fn renew_notice(r: RenewNoticeOfLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("renew_notice", step, effects::publish_notice::<Designations>);
    Invocation { call, wanted }
}

pub(crate) fn approve(r: ApproveLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("approve", step, move |item: &mut LabDesignation, crossing| {
        use_cap::<Designations>(item, crossing)?;
        let decided = decided::<Designations>(item, &r.decision_date, crossing.at)?;
        item.decision_date = decided.to_string();
        item.document_number.clone_from(&r.document_number);
        item.number.clone_from(&r.number);
        if !r.issuer.is_empty() {
            item.issuer.clone_from(&r.issuer);
        }
        item.start_date.clone_from(&item.decision_date);
        let months = terms(crossing.policy).building_months;
        if months == 0 {
            item.set_state(S::Operating);
            item.operating_date.clone_from(&item.decision_date);
        } else {
            item.set_state(S::Building);
            item.building_end_date = day::last_of_term(decided, months)?.to_string();
        }
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn reject(r: RejectLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("reject", step, move |item: &mut LabDesignation, _| {
        item.document_number.clone_from(&r.document_number);
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn withdraw(r: WithdrawLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("withdraw", step, |_: &mut LabDesignation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn accept_completion(r: AcceptCompletionOfLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("accept_completion", step, |item: &mut LabDesignation, crossing| {
        item.operating_date = crossing.at.today.to_string();
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn accept_early_completion(r: AcceptEarlyCompletionOfLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new(
        "accept_early_completion",
        step,
        |item: &mut LabDesignation, crossing| {
            item.operating_date = crossing.at.today.to_string();
            Ok(())
        },
    );
    Invocation { call, wanted }
}

pub(crate) fn extend_building(r: ExtendBuildingOfLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("extend_building", step, move |item: &mut LabDesignation, crossing| {
        let most = terms(crossing.policy).max_extension_months;
        if r.months > most {
            let said = format!("{} months, at most {most} are allowed", r.months);
            return Err(Error::invalid("months", "EXTENSION_TOO_LONG", said));
        }
        let begun = began(item)?;
        // A recorded one has no end: then it is as long as the policy says. Where nothing says when it began, it begins today.
        let end = match day::parse(&item.building_end_date)? {
            Some(end) => end,
            None => day::last_of_term(
                begun.unwrap_or(crossing.at.today),
                terms(crossing.policy).building_months,
            )?,
        };
        item.building_end_date = day::longer_term(begun, end, r.months)?.to_string();
        item.extensions += 1;
        Ok(())
    });
    Invocation { call, wanted }
}

/// The day on which a designation began.
pub(crate) fn began(item: &LabDesignation) -> Result<Option<Date>> {
    let began = [&item.start_date, &item.decision_date];
    let began = began.into_iter().find(|date| !date.is_empty());
    day::first_of(began.map_or("", String::as_str))
}

pub(crate) fn terminate(r: TerminateLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("terminate", step, |item: &mut LabDesignation, crossing| {
        ends(item, crossing)
    });
    Invocation { call, wanted }
}

pub(crate) fn submit_annual_report(r: SubmitAnnualReportOfLabDesignationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new(
        "submit_annual_report",
        step,
        move |item: &mut LabDesignation, crossing| {
            if item.annual_reports.iter().any(|report| report.year == r.year) {
                let said = format!("there is a report on {} already", r.year);
                return Err(
                    Error::new(Class::AlreadyExists, "REPORT_EXISTS", said).about(Designations::COLLECTION, &item.name)
                );
            }
            item.annual_reports.push(LabAnnualReport {
                year: r.year,
                summary: r.summary.clone(),
                output_count: r.output_count,
                date: crossing.at.today.to_string(),
            });
            Ok(())
        },
    );
    Invocation { call, wanted }
}

pub(crate) fn evaluate(r: EvaluateLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let given = Given {
        qualitative_score: r.qualitative_score(),
        year: r.year,
        start_date: r.start_date,
        end_date: r.end_date,
        outputs: r.outputs,
        no_outputs: r.no_outputs,
        document_number: r.document_number,
        again: false,
    };
    let wanted = Command::new("evaluate", step, move |item: &mut LabDesignation, crossing| {
        graded(item, crossing, &given, |item, crossing, failed| {
            let terms = terms(crossing.policy);
            if !failed {
                item.failed_evaluations = 0;
                return Ok(());
            }
            item.failed_evaluations += 1;
            if item.failed_evaluations >= terms.max_failures.max(1) {
                return revoked_by(item, crossing, &given);
            }
            item.set_state(S::Rectifying);
            let end = day::last_of_term(crossing.at.today, terms.rectification_months)?;
            item.rectification_end_date = crossing.at.last_day(end.max(crossing.at.today)).to_string();
            Ok(())
        })
    });
    Invocation { call, wanted }
}

pub(crate) fn reevaluate(r: ReevaluateLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let given = Given {
        qualitative_score: r.qualitative_score(),
        year: r.year,
        start_date: r.start_date,
        end_date: r.end_date,
        outputs: r.outputs,
        no_outputs: r.no_outputs,
        document_number: r.document_number,
        again: true,
    };
    let wanted = Command::new("reevaluate", step, move |item: &mut LabDesignation, crossing| {
        graded(item, crossing, &given, |item, crossing, failed| {
            item.rectification_end_date.clear();
            if failed {
                item.failed_evaluations += 1;
                return revoked_by(item, crossing, &given);
            }
            item.failed_evaluations = 0;
            item.set_state(S::Operating);
            Ok(())
        })
    });
    Invocation { call, wanted }
}

pub(crate) fn shorten_rectification(r: ShortenRectificationOfLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new(
        "shorten_rectification",
        step,
        move |item: &mut LabDesignation, crossing| {
            let (today, now) = (crossing.at.today, day::parse(&item.rectification_end_date)?);
            let end = match day::given("end_date", &r.end_date)? {
                Some(end) if end < today || now.is_some_and(|now| end >= now) => {
                    let said = format!(
                        "the rectification runs until {}: give a day before that, and not before today, {today}",
                        item.rectification_end_date
                    );
                    return Err(Error::invalid("end_date", "RECTIFICATION_NOT_SHORTER", said));
                }
                Some(end) => end,
                None => day::days_after(today, -1)?,
            };
            item.rectification_end_date = end.to_string();
            Ok(())
        },
    );
    Invocation { call, wanted }
}

pub(crate) fn annul_evaluation(r: AnnulEvaluationOfLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("annul_evaluation", step, |item: &mut LabDesignation, _| {
        let last = item.evaluations.iter_mut().rfind(|evaluation| !evaluation.annulled);
        let last = last.ok_or_else(|| Error::internal("no evaluation stands"))?;
        last.annulled = true;
        item.state = last.state_before;
        item.failed_evaluations = last.failed_evaluations_before;
        item.rectification_end_date
            .clone_from(&last.rectification_end_date_before);
        item.end_date.clone_from(&last.end_date_before);
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn revoke(r: RevokeLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("revoke", step, |item: &mut LabDesignation, crossing| {
        revoked(item, crossing)
    });
    Invocation { call, wanted }
}

pub(crate) fn merge(r: MergeLabDesignationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("merge", step, move |item: &mut LabDesignation, crossing| {
        let successor = lab_named(crossing.work, &r.successor)?;
        let mut own = lab_of(crossing.work, item)?;
        if own.name == successor.name {
            let said = "a lab cannot take over from itself: name the other one";
            return Err(Error::invalid("successor", "SUCCESSOR_ITSELF", said));
        }
        let reference = LabReference {
            lab: successor.name,
            display_name: successor.display_name,
            ..LabReference::default()
        };
        let stored = own.clone();
        own.successor = Some(reference.clone());
        own.set_state(OperatingState::Inactive);
        mingce_orm::model::validate::expect_no_cycle(crossing.work, Labs::acyclic_references(), &stored, &own)?;
        crossing
            .work
            .update::<Labs>(&crossing.at.cx, crossing.stamp, &normalized::<Labs>(&own)?)?;
        item.successor = Some(reference);
        ends(item, crossing)
    });
    Invocation { call, wanted }
}

/// Adds an evaluation and lets what follows from it follow. It keeps how the designation stood before.
fn graded(
    item: &mut LabDesignation,
    crossing: &mut TransitionContext<'_>,
    given: &Given,
    follows: impl Fn(&mut LabDesignation, &mut TransitionContext<'_>, bool) -> Result<()>,
) -> Result<()> {
    let lab = lab_of(crossing.work, item)?;
    let mut made = evaluation::evaluate(given, &lab, &terms(crossing.policy), crossing.at.today)?;
    made.state_before = item.state;
    made.failed_evaluations_before = item.failed_evaluations;
    made.rectification_end_date_before
        .clone_from(&item.rectification_end_date);
    made.end_date_before.clone_from(&item.end_date);
    follows(item, crossing, made.grade() == LabEvaluationGrade::Unqualified)?;
    made.state_after = item.state;
    item.evaluations.push(made);
    Ok(())
}

/// An evaluation ends the designation: that asks for a reason and a document.
fn revoked_by(item: &mut LabDesignation, crossing: &mut TransitionContext<'_>, given: &Given) -> Result<()> {
    expect_grounds(crossing, &given.document_number)?;
    revoked(item, crossing)
}

fn revoked(item: &mut LabDesignation, crossing: &mut TransitionContext<'_>) -> Result<()> {
    item.set_state(S::Revoked);
    item.rectification_end_date.clear();
    ends(item, crossing)
}

/// Ends the designation on this day. One that has not begun ends on its first day.
fn ends(item: &mut LabDesignation, crossing: &TransitionContext<'_>) -> Result<()> {
    let today = crossing.at.today;
    let last = day::first_of(&item.start_date)?.map_or(today, |start| start.max(today));
    item.end_date = last.to_string();
    Ok(())
}

/// One move of a batch.
pub(crate) fn one_of(verb: lab_designation_move::Verb) -> Asked<Designations> {
    use lab_designation_move::Verb;
    match verb {
        Verb::Submit(r) => asked("submit", *r, submit),
        Verb::Return(r) => asked("return", *r, return_),
        Verb::Refuse(r) => asked("refuse", *r, refuse),
        Verb::Accept(r) => asked("accept", *r, accept),
        Verb::Reject(r) => asked("reject", *r, reject),
        Verb::RenewNoticeOf(r) => asked("renew_notice_of", *r, renew_notice),
        Verb::PublishNoticeOf(r) => asked("publish_notice_of", *r, publish_notice),
        Verb::Approve(r) => asked("approve", *r, approve),
        Verb::AcceptCompletionOf(r) => asked("accept_completion_of", *r, accept_completion),
        Verb::AcceptEarlyCompletionOf(r) => asked("accept_early_completion_of", *r, accept_early_completion),
        Verb::ExtendBuildingOf(r) => asked("extend_building_of", *r, extend_building),
        Verb::Terminate(r) => asked("terminate", *r, terminate),
        Verb::SubmitAnnualReportOf(r) => asked("submit_annual_report_of", *r, submit_annual_report),
        Verb::Evaluate(r) => asked("evaluate", *r, evaluate),
        Verb::Reevaluate(r) => asked("reevaluate", *r, reevaluate),
        Verb::Revoke(r) => asked("revoke", *r, revoke),
        Verb::ShortenRectificationOf(r) => asked("shorten_rectification_of", *r, shorten_rectification),
        Verb::AnnulEvaluationOf(r) => asked("annul_evaluation_of", *r, annul_evaluation),
        Verb::Merge(r) => asked("merge", *r, merge),
        Verb::Withdraw(r) => asked("withdraw", *r, withdraw),
    }
}

/// A designation as it begins: a draft for a round.
pub(crate) fn begin(item: &mut LabDesignation, round: &Round) {
    item.set_state(S::Draft);
    item.round.clone_from(&round.display_name);
    enter::<Designations>(item, round);
}
