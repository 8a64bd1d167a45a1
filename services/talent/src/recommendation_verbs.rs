//! What each verb on a recommendation does beside leading to another state: one function for each request.

use mingce_lifecycle::by_itself::due_again;
use mingce_lifecycle::cases::{Asked, asked};
use mingce_lifecycle::correct::{Correction, VERB, correct};
use mingce_lifecycle::state_machine::state_of;
use mingce_lifecycle::{
    Case, Command, Invocation, Phase, StateEntry, Stateful, Step, TransitionContext, day, documented_invocation_of,
    effects, invocation_of,
};
use mingce_orm::write::canonical::normalized;
use mingce_orm::write::store::create;
use mingce_orm::{AuditInfo, Collection, Mask, Result};
use mingce_proto::registry::{DecisionDocument, RecordStatus, TalentReference};
use mingce_proto::talent::RecommendationState as S;
use mingce_proto::talent::*;
use mingce_proto::{Classes, Headed};

use crate::body::{self, NominatingBodies, put_quota, quota_of};
use crate::designation::Designations;
use crate::designation_verbs;
use crate::programme::Programmes;
use crate::recommendation::{Recommendations, talent, terms};
use crate::talent::person_of;

type Wanted = Invocation<Recommendations>;

pub(crate) fn recommend(r: FileRecommendationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("recommend", step, |item: &mut Recommendation, crossing| {
        Recommendations::facts_mut(item).submit_date = crossing.at.today.to_string();
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn publish_notice(r: PublishNoticeOfRecommendationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("publish_notice", step, effects::publish_notice::<Recommendations>);
    Invocation { call, wanted }
}

pub(crate) fn renew_notice(r: RenewNoticeOfRecommendationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("renew_notice", step, effects::publish_notice::<Recommendations>);
    Invocation { call, wanted }
}

pub(crate) fn confirm(r: ConfirmRecommendationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("confirm", step, move |item: &mut Recommendation, crossing| {
        item.document_number.clone_from(&r.document_number);
        use_quota(item, crossing)?;
        item.designation = designate(item, crossing, &r)?;
        Ok(())
    });
    Invocation { call, wanted }
}

pub(crate) fn refuse(r: RefuseRecommendationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("refuse", step, |_: &mut Recommendation, _| Ok(()));
    Invocation { call, wanted }
}

pub(crate) fn cancel(r: CancelRecommendationRequest) -> Wanted {
    let (call, step) = documented_invocation_of(&r);
    let wanted = Command::new("cancel", step, |item: &mut Recommendation, crossing| {
        end_designation(item, crossing)
    });
    Invocation { call, wanted }
}

pub(crate) fn withdraw(r: WithdrawRecommendationRequest) -> Wanted {
    let (call, step) = invocation_of(&r);
    let wanted = Command::new("withdraw", step, |_: &mut Recommendation, _| Ok(()));
    Invocation { call, wanted }
}

/// Uses one of the body's quota of the year. The row of the body is held until the transaction ends, so that those who confirm at
/// the same moment come one after the other.
fn use_quota(item: &Recommendation, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let mut body = crossing.work.require::<NominatingBodies>(&item.nominating_body)?;
    let policy = body::policy_of(crossing.work, &body)?;
    let held = quota_of(&body, policy.as_ref(), item.year);
    let used = NominatingQuota {
        used: held.used + 1,
        ..held
    };
    put_quota(&mut body, used);
    due_again::<NominatingBodies>(&mut body, crossing.at, policy.as_ref())?;
    let stamp = AuditInfo {
        verb: "use_quota",
        ..crossing.stamp.clone()
    };
    let body = normalized::<NominatingBodies>(&body)?;
    crossing
        .work
        .update::<NominatingBodies>(&crossing.at.cx, &stamp, &body)?;
    Ok(())
}

/// Makes the designation in term that a confirmation stands for, and answers its resource name.
fn designate(
    item: &Recommendation,
    crossing: &mut TransitionContext<'_>,
    r: &ConfirmRecommendationRequest,
) -> Result<String> {
    let today = crossing.at.today;
    let programme = match Programmes::shape().kind.id(&item.programme) {
        Some(id) => crossing.work.get_shared::<Programmes>(id)?,
        None => None,
    };
    let programme = programme.unwrap_or_default();
    // The person may have been recorded twice and merged since.
    let person = person_of(crossing.work, talent(item))?;
    let mut designation = TalentDesignation {
        talent: Some(TalentReference {
            talent: person.name,
            display_name: person.display_name,
            ..TalentReference::default()
        }),
        programme: Some(ProgrammeReference {
            programme: item.programme.clone(),
            display_name: programme.display_name,
            ..ProgrammeReference::default()
        }),
        level: item.level,
        kind: programme.kind,
        family: programme.family,
        state: TalentDesignationState::InTerm as i32,
        employer: item.employer.clone(),
        number: r.number.clone(),
        document_number: r.document_number.clone(),
        issuer: r.issuer.clone(),
        decision_date: today.to_string(),
        start_date: today.to_string(),
        end_date: day::last_of_term(today, terms(crossing.policy).term_months)?.to_string(),
        recommendation: item.name.clone(),
        ..TalentDesignation::default()
    };
    if !r.document_number.is_empty() {
        designation.documents.push(DecisionDocument {
            number: r.document_number.clone(),
            date: today.to_string(),
            issuer: r.issuer.clone(),
            verb: "confirm".to_owned(),
            state: state_of::<Designations>(&designation),
        });
    }
    let mut arrival = StateEntry {
        policy: crossing.policy,
        at: crossing.at,
        by: None,
    };
    Designations::on_enter(&mut designation, &mut arrival)?;
    let answer = create::<Designations>(crossing.work, &crossing.at.cx, crossing.stamp, &designation)?;
    Ok(answer.name)
}

/// Cancels the designation that the confirmation made, where it is live.
fn end_designation(item: &Recommendation, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let Some(id) = Designations::shape().kind.id(&item.designation) else {
        return Ok(());
    };
    let Some(designation) = crossing.work.get::<Designations>(id)? else {
        return Ok(());
    };
    let is_active = designation.head().record_status() == RecordStatus::Active;
    if !is_active || Designations::state_machine().phase(designation.state) != Phase::Live {
        return Ok(());
    }
    let request = CancelTalentDesignationRequest {
        name: item.designation.clone(),
        document_number: crossing.document.number.clone(),
        issuer: crossing.document.issuer.clone(),
        ..CancelTalentDesignationRequest::default()
    };
    let mut cancel = designation_verbs::cancel(request).wanted;
    cancel.step.stamp = crossing.stamp.clone();
    cancel.apply(crossing.work, crossing.at)?;
    Ok(())
}

/// Corrects the designation that the confirmation made where it said the same as the recommendation, in the same fields.
pub(crate) fn correct_designation(
    before: &Recommendation,
    item: &Recommendation,
    crossing: &mut TransitionContext<'_>,
) -> Result<()> {
    let Some(id) = Designations::shape().kind.id(&item.designation) else {
        return Ok(());
    };
    let Some(made) = crossing.work.get::<Designations>(id)? else {
        return Ok(());
    };
    let is_active = made.head().record_status() == RecordStatus::Active;
    let is_known = Designations::state_machine()
        .transition(VERB)
        .is_some_and(|edge| edge.from.contains(&made.state));
    if !is_active || !is_known {
        return Ok(());
    }
    let mut right = TalentDesignation::default();
    let mut fields = Vec::new();
    if item.document_number != before.document_number && made.document_number == before.document_number {
        right.document_number.clone_from(&item.document_number);
        fields.push("document_number");
    }
    if item.employer != before.employer && made.employer == before.employer {
        right.employer.clone_from(&item.employer);
        fields.push("employer");
    }
    if fields.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    let step = Step {
        name: made.name,
        stamp: crossing.stamp.clone(),
        document: crossing.document.clone(),
        ..Step::default()
    };
    let right = Correction {
        mask: Mask::among::<Designations>(&paths, Designations::DECIDED, Classes::ALL)?,
        given: right,
    };
    correct::<Designations>(step, right).apply(crossing.work, crossing.at)?;
    Ok(())
}

/// One move of a batch.
pub(crate) fn one_of(verb: recommendation_move::Verb) -> Asked<Recommendations> {
    use recommendation_move::Verb;
    match verb {
        Verb::File(r) => asked("file", *r, recommend),
        Verb::RenewNoticeOf(r) => asked("renew_notice_of", *r, renew_notice),
        Verb::PublishNoticeOf(r) => asked("publish_notice_of", *r, publish_notice),
        Verb::Confirm(r) => asked("confirm", *r, confirm),
        Verb::Refuse(r) => asked("refuse", *r, refuse),
        Verb::Cancel(r) => asked("cancel", *r, cancel),
        Verb::Withdraw(r) => asked("withdraw", *r, withdraw),
    }
}

/// A recommendation as it begins: a draft.
pub(crate) fn begin(item: &mut Recommendation) {
    item.set_state(S::Draft);
}
