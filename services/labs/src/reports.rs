//! Annual reports: on which years they are owed, until when, and which came in.

use jiff::civil::Date;
use mingce_lifecycle::day;
use mingce_orm::Result;
use mingce_proto::labs::LabDesignation;
use mingce_proto::registry::{CaseDate, DueActor, DueKind, Policy};

use crate::guards::terms;
use crate::verbs::began;

/// The day up to which the first report that is missing is owed, where the policy sets one. Of a record it is not known what came in
/// before its first verb.
pub(crate) fn next(item: &LabDesignation, policy: Option<&Policy>) -> Result<Option<Date>> {
    let is_case = item.case.as_ref().is_some_and(|case| !case.policy.is_empty());
    let Some(began) = began(item)?.filter(|_| is_case) else {
        return Ok(None);
    };
    let missing = (began.year()..).find(|year| !came_in(item, *year));
    Ok(missing.and_then(|year| owed_until(year, policy)))
}

/// A report on each year, from that in which the title began to the last one that is over, and those that came in beside.
pub(crate) fn dates(
    item: &LabDesignation,
    policy: Option<&Policy>,
    today: Date,
    is_live: bool,
) -> Result<Vec<CaseDate>> {
    let owed = |year: i16| CaseDate {
        due: DueKind::AnnualReport as i32,
        date: owed_until(year, policy).map_or(String::new(), |day| day.to_string()),
        actor: DueActor::Applicant as i32,
        year: year.into(),
        ..CaseDate::default()
    };
    let came = item.annual_reports.iter().map(|report| CaseDate {
        met: true,
        met_date: report.date.clone(),
        ..owed(i16::try_from(report.year).unwrap_or(i16::MAX))
    });
    let mut all: Vec<CaseDate> = came.collect();
    let began = began(item)?.filter(|_| is_live);
    let years = began.map_or(today.year(), |began| began.year())..today.year();
    all.extend(years.filter(|year| !came_in(item, *year)).map(owed));
    Ok(all)
}

fn came_in(item: &LabDesignation, year: i16) -> bool {
    item.annual_reports.iter().any(|report| report.year == i32::from(year))
}

/// The last day for the report on a year.
fn owed_until(year: i16, policy: Option<&Policy>) -> Option<Date> {
    let months = terms(policy).annual_report_months;
    let after = Date::new(year.checked_add(1)?, 1, 1).ok().filter(|_| months > 0)?;
    day::last_of_term(after, months).ok()
}
