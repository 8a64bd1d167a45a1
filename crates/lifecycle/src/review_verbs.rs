//! The verbs of reviews: reviewers are assigned, submit what they say, and are released.

use mingce_orm::write::canonical::normalized;
use mingce_orm::write::precondition::{expect_active, require_active};
use mingce_orm::{AuditInfo, Collection, Error, Result, UnitOfWork, WriteResult};
use mingce_proto::registry::{Conflict, PanelState, RecordStatus, Review, ReviewSheet, TalentReference};

use crate::eval_context::EvalContext;
use crate::panel::{Panels, called, closed, person};
use crate::review::Reviews;
use crate::state_machine::blocker;
use crate::transition::Step;

/// What a reviewer is assigned to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Resource name of the panel.
    pub panel: &'a str,
    /// Resource name of the case.
    pub case_name: &'a str,
    /// Its title.
    pub case_display_name: &'a str,
    /// Within so many days the review is due; 0 for no bound.
    pub review_days: i32,
}

/// Assigns a reviewer, cleared of conflicts or with a reason why that does not matter.
///
/// # Errors
/// NOT_FOUND; ALREADY_EXISTS; FAILED_PRECONDITION, reasons `PANEL_CLOSED`, `REVIEWER_IN_CONFLICT`.
pub fn assign(
    work: &mut UnitOfWork,
    at: &EvalContext,
    stamp: &AuditInfo,
    place: &Place<'_>,
    reviewer: &TalentReference,
    conflicts: &[Conflict],
    override_reason: &str,
) -> Result<WriteResult> {
    let mut panel = work.require::<Panels>(place.panel)?;
    if panel.state() == PanelState::Closed {
        return Err(closed(&panel.name));
    }
    if !panel.cases.iter().any(|case| case == place.case_name) {
        return Err(Error::invalid(
            "case_name",
            "CASE_OF_OTHER_PANEL",
            format!("{} does not have it", panel.name),
        ));
    }
    if !conflicts.is_empty() && override_reason.is_empty() {
        let blockers = conflicts
            .iter()
            .map(|conflict| in_the_way(conflict, &person(Some(reviewer))))
            .collect();
        return Err(Error::blocked("REVIEWER_IN_CONFLICT", blockers).about(Panels::COLLECTION, panel.name));
    }
    let review = Review {
        panel: panel.name.clone(),
        case_name: place.case_name.to_owned(),
        case_display_name: place.case_display_name.to_owned(),
        assign_date: at.today.to_string(),
        due_date: at
            .within(place.review_days)?
            .map_or(String::new(), |day| day.to_string()),
        reviewer: Some(reviewer.clone()),
        conflicts: conflicts.to_vec(),
        override_reason: if conflicts.is_empty() {
            String::new()
        } else {
            override_reason.to_owned()
        },
        ..Review::default()
    };
    let answer = mingce_orm::write::store::create::<Reviews>(work, &at.cx, stamp, &review)?;
    panel.reviews.push(answer.name.clone());
    work.update::<Panels>(&at.cx, stamp, &normalized::<Panels>(&panel)?)?;
    Ok(answer)
}

fn in_the_way(conflict: &Conflict, reviewer: &str) -> mingce_orm::Blocker {
    use mingce_proto::registry::ConflictKind::{CoContributor, Party, ProfileMissing, SameOrganization, Unspecified};
    let subject = called(&conflict.display_name, &conflict.subject);
    let (reason, en, zh) = match conflict.kind() {
        Party => (
            "CONFLICT_PARTY",
            format!("{reviewer} is a party of the case"),
            format!("评审专家{reviewer}是当事人"),
        ),
        SameOrganization => (
            "CONFLICT_SAME_ORGANIZATION",
            format!("{reviewer} works or worked in {subject}, which is a party of the case"),
            format!("评审专家{reviewer}与当事单位{subject}有任职关系"),
        ),
        CoContributor => (
            "CONFLICT_CO_CONTRIBUTOR",
            format!("{reviewer} has the award {subject} together with a party of the case"),
            format!("评审专家{reviewer}与当事人共同获奖{subject}"),
        ),
        ProfileMissing | Unspecified => (
            "PROFILE_MISSING",
            format!("nothing is known of the employments of {reviewer}: unknown is not cleared"),
            format!("评审专家{reviewer}履历不明，不能视为无利益冲突"),
        ),
    };
    blocker(reason, conflict.subject.clone(), en, zh)
}

/// Submits what a reviewer says, sealed.
///
/// # Errors
/// NOT_FOUND; FAILED_PRECONDITION, reason `PANEL_CLOSED`; INVALID_ARGUMENT, reason `SCORES_DIFFER_FROM_CRITERIA`.
pub fn submit(
    work: &mut UnitOfWork,
    at: &EvalContext,
    stamp: &AuditInfo,
    name: &str,
    sheet: &ReviewSheet,
) -> Result<WriteResult> {
    let mut review = work.require::<Reviews>(name)?;
    expect_active::<Reviews>(&review)?;
    let panel = work.require::<Panels>(&review.panel)?;
    if panel.state() == PanelState::Closed {
        return Err(closed(&panel.name));
    }
    let mut wanted: Vec<&str> = panel.criteria.iter().map(|c| c.code.as_str()).collect();
    let mut given: Vec<&str> = sheet.scores.iter().map(|s| s.criterion.as_str()).collect();
    wanted.sort_unstable();
    given.sort_unstable();
    if wanted != given {
        let said = format!("score each criterion once: {}", wanted.join(", "));
        return Err(Error::invalid("sheet.scores", "SCORES_DIFFER_FROM_CRITERIA", said));
    }
    review.draft_sheet = Some(sheet.clone());
    review.submit_date = at.today.to_string();
    work.update::<Reviews>(&at.cx, stamp, &normalized::<Reviews>(&review)?)
}

/// Releases a reviewer from a case, who may be assigned again, as may another in the place. What they have submitted is not counted.
///
/// # Errors
/// NOT_FOUND; ABORTED; FAILED_PRECONDITION, reasons `PANEL_CLOSED`, `RECORD_NOT_ACTIVE`.
pub fn release(work: &mut UnitOfWork, at: &EvalContext, step: &Step) -> Result<WriteResult> {
    let review = require_active::<Reviews>(work, &step.name, &step.etag)?;
    let mut panel = work.require::<Panels>(&review.panel)?;
    if panel.state() == PanelState::Closed {
        return Err(closed(&panel.name));
    }
    panel.reviews.retain(|name| *name != review.name);
    work.update::<Panels>(&at.cx, &step.stamp, &normalized::<Panels>(&panel)?)?;
    work.change::<Reviews>(&at.cx, &step.stamp, &review, RecordStatus::Annulled, "")
}
