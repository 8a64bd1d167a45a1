//! What falls due of a designation of a lab, who acts on it, and all its days.

use jiff::civil::Date;
use mingce_lifecycle::ask::{Ask, Counted};
use mingce_lifecycle::case::facts;
use mingce_lifecycle::correct::VERB;
use mingce_lifecycle::dates::{met, on};
use mingce_lifecycle::day;
use mingce_lifecycle::{Case, Phase, Stateful};
use mingce_orm::Result;
use mingce_proto::labs::LabDesignation;
use mingce_proto::registry::{CaseDate, DueActor, DueKind, Policy};

use crate::designation::Designations;
use crate::evaluation;
use crate::guards::terms;
use crate::machine::{BUILDING, IN_REVIEW, ON_NOTICE, OPERATING, RECTIFYING, RETURNED, SUBMITTED};
use crate::reports;
use crate::verbs::began;

/// Who acts, and on what.
pub(crate) static ASKS: [Ask; 13] = [
    Ask::at_once(
        SUBMITTED,
        DueKind::FormalCheck,
        DueActor::Office,
        &["accept", "return", "refuse"],
    ),
    Ask::at_once(RETURNED, DueKind::Resubmission, DueActor::Applicant, &["submit"]),
    Ask::at_once(
        IN_REVIEW,
        DueKind::Review,
        DueActor::Office,
        &["publish_notice", "reject"],
    ),
    Ask::on_day(
        ON_NOTICE,
        DueKind::NoticeEnds,
        DueActor::Decider,
        &["approve", "reject"],
    ),
    Ask::on_day(
        BUILDING,
        DueKind::BuildingEnds,
        DueActor::Office,
        &["accept_completion", "extend_building", "terminate"],
    ),
    Ask::on_day(OPERATING, DueKind::Evaluation, DueActor::Office, &["evaluate"]),
    Ask::on_day(
        RECTIFYING,
        DueKind::RectificationEnds,
        DueActor::Office,
        &["reevaluate"],
    ),
    Ask::on_day(
        BUILDING,
        DueKind::TermEnds,
        DueActor::Office,
        &["accept_completion", "terminate", VERB],
    ),
    Ask::on_day(
        OPERATING,
        DueKind::TermEnds,
        DueActor::Office,
        &["evaluate", "revoke", VERB],
    ),
    Ask::on_day(
        RECTIFYING,
        DueKind::TermEnds,
        DueActor::Office,
        &["reevaluate", "revoke", VERB],
    ),
    Ask::on_day(
        BUILDING,
        DueKind::AnnualReport,
        DueActor::Applicant,
        &["submit_annual_report"],
    ),
    Ask::on_day(
        OPERATING,
        DueKind::AnnualReport,
        DueActor::Applicant,
        &["submit_annual_report"],
    ),
    Ask::on_day(
        RECTIFYING,
        DueKind::AnnualReport,
        DueActor::Applicant,
        &["submit_annual_report"],
    ),
];

/// What the policy in force says of records.
pub(crate) static COUNTED: [Counted; 2] = [
    Counted {
        state: BUILDING,
        due: DueKind::BuildingEnds,
        months: |policy| terms(Some(policy)).building_months,
        day: day::last_of_term,
        only: |_| String::new(),
    },
    Counted {
        state: OPERATING,
        due: DueKind::Evaluation,
        months: |policy| terms(Some(policy)).evaluation_months,
        day: day::months_after,
        only: |_| String::new(),
    },
];

/// The day on which the next evaluation comes up.
fn evaluation_next(item: &LabDesignation, policy: Option<&Policy>) -> Result<Option<Date>> {
    let months = terms(policy).evaluation_months;
    let last = evaluation::last_date(item)?.filter(|_| months > 0);
    // What would lie beyond the calendar never comes.
    Ok(last.and_then(|last| day::months_after(last, months).ok()))
}

/// The last day of the building term: of a record, which has none, as long after its beginning as the policy says.
fn building_end(item: &LabDesignation, policy: Option<&Policy>) -> Result<Option<Date>> {
    if let Some(end) = day::parse(&item.building_end_date)? {
        return Ok(Some(end));
    }
    let months = terms(policy).building_months;
    let began = began(item)?.filter(|_| months > 0 && !Designations::is_taken_here(item));
    Ok(began.and_then(|began| day::last_of_term(began, months).ok()))
}

/// What falls due next.
///
/// # Errors
/// Where a day cannot be computed.
pub(crate) fn next(item: &LabDesignation, policy: Option<&Policy>) -> Result<Option<(Date, DueKind)>> {
    let on = |text: &str, kind: DueKind| -> Result<Option<(Date, DueKind)>> {
        Ok(day::parse(text)?.map(|last| (last, kind)))
    };
    let by_state = match item.state {
        RETURNED => on(&facts::<Designations>(item).resubmit_date, DueKind::Resubmission),
        BUILDING => Ok(building_end(item, policy)?.map(|end| (end, DueKind::BuildingEnds))),
        RECTIFYING => on(&item.rectification_end_date, DueKind::RectificationEnds),
        OPERATING => Ok(evaluation_next(item, policy)?.map(|day| (day, DueKind::Evaluation))),
        _ => Ok(None),
    }?;
    // A record can say until when the title holds.
    let is_live = Designations::state_machine().phase(item.state) == Phase::Live;
    let end = day::last_of(&item.end_date)?.filter(|end| is_live && *end < Date::MAX);
    let ends = end.map(|end| (end, DueKind::TermEnds));
    let report = reports::next(item, policy)?.filter(|_| is_live);
    let report = report.map(|day| (day, DueKind::AnnualReport));
    Ok([by_state, ends, report]
        .into_iter()
        .flatten()
        .min_by_key(|(day, _)| *day))
}

/// The day from which the policy in force counts what falls due of a record.
///
/// # Errors
/// Where it is none.
pub(crate) fn counts_from(item: &LabDesignation) -> Result<Option<Date>> {
    match item.state {
        BUILDING if !item.building_end_date.is_empty() => Ok(None),
        BUILDING => began(item),
        OPERATING => evaluation::last_date(item),
        _ => Ok(None),
    }
}

/// All its days.
///
/// # Errors
/// Where one cannot be computed.
pub(crate) fn dates(item: &LabDesignation, policy: Option<&Policy>, today: Date) -> Result<Vec<CaseDate>> {
    let (is_live, mut all) = (
        Designations::state_machine().phase(item.state) == Phase::Live,
        Vec::new(),
    );
    let building = building_end(item, policy)?;
    let building = building.filter(|_| item.state == BUILDING || !item.building_end_date.is_empty());
    all.extend(building.map(|end| {
        let end = on(DueKind::BuildingEnds, end, DueActor::Office);
        met(end, item.state != BUILDING, &item.operating_date)
    }));
    for held in item.evaluations.iter().filter(|evaluation| !evaluation.annulled) {
        all.push(CaseDate {
            due: DueKind::Evaluation as i32,
            actor: DueActor::Office as i32,
            met: true,
            met_date: held.date.clone(),
            year: held.year,
            ..CaseDate::default()
        });
    }
    let next = evaluation_next(item, policy)?.filter(|_| item.state == OPERATING);
    all.extend(next.map(|day| on(DueKind::Evaluation, day, DueActor::Office)));
    let rectified = day::parse(&item.rectification_end_date)?;
    all.extend(rectified.map(|end| on(DueKind::RectificationEnds, end, DueActor::Office)));
    all.extend(reports::dates(item, policy, today, is_live)?);
    let end = day::last_of(&item.end_date)?;
    all.extend(end.map(|end| met(on(DueKind::TermEnds, end, DueActor::Office), !is_live, "")));
    Ok(all)
}
