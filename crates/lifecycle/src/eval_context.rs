//! When and for whom something is tried.

use std::sync::Arc;

use jiff::civil::Date;
use mingce_orm::{Class, Error, RequestContext, Result};
use mingce_proto::registry::{NoticeTerms, Policy};

use crate::calendar::{Calendar, UnknownYear};
use crate::day;

/// When and for whom something is tried: the context of the call, the day in China, the calendar, and the policy that is in force
/// for cases that are under none yet.
#[derive(Debug, Clone)]
pub struct EvalContext {
    /// The context of the call.
    pub cx: RequestContext,
    /// The day.
    pub today: Date,
    /// The working days.
    pub calendar: Arc<Calendar>,
    /// For a case without a policy.
    pub in_force: Option<Arc<Policy>>,
    /// The level and the programme that `in_force` was looked up for.
    pub scope: Option<(i32, String)>,
}

impl EvalContext {
    /// The moment of a call.
    ///
    /// # Errors
    /// Where its time is no day.
    pub fn new(cx: &RequestContext, calendar: &Arc<Calendar>) -> Result<Self> {
        Ok(Self {
            today: day::today(cx)?,
            cx: cx.clone(),
            calendar: Arc::clone(calendar),
            in_force: None,
            scope: None,
        })
    }

    /// The day on which a time ends within which somebody has to act: where its last day is a day off, the next working day (Civil
    /// Code, art. 203). Where the holidays of the year are not known yet, the day stays.
    pub fn last_day(&self, day: Date) -> Date {
        match self.calendar.is_working_day(day) {
            Ok(false) => self.calendar.next_working_day(day).unwrap_or(day),
            Ok(true) | Err(_) => day,
        }
    }

    /// The last day of a time of so many calendar days that begins on this day; `None` for no bound.
    ///
    /// # Errors
    /// Beyond the year 9999.
    pub fn within(&self, days: i32) -> Result<Option<Date>> {
        if days == 0 {
            return Ok(None);
        }
        Ok(Some(self.last_day(day::days_after(self.today, days)?)))
    }

    /// The last day of a notice that begins on this day.
    ///
    /// # Errors
    /// Where the holidays of a year are not known.
    pub fn end_of_notice(&self, working_days: i32) -> Result<Date> {
        let days = u32::try_from(working_days).unwrap_or_default();
        self.calendar.end_of_notice(self.today, days).map_err(unknown)
    }

    /// The last day on which an objection to a notice that begins on this day can be filed: so many days later, and on a working day
    /// (Civil Code, art. 203), but not before the notice ends.
    ///
    /// # Errors
    /// Where the holidays of a year are not known.
    pub fn end_of_objections(&self, terms: &NoticeTerms) -> Result<Date> {
        let notice = self.end_of_notice(terms.working_days)?;
        if terms.objection_days == 0 {
            return Ok(notice);
        }
        let last = day::days_after(self.today, terms.objection_days)?;
        if self.calendar.is_working_day(last).map_err(unknown)? {
            return Ok(last);
        }
        self.calendar.next_working_day(last).map_err(unknown)
    }
}

fn unknown(year: UnknownYear) -> Error {
    Error::new(Class::Precondition, "CALENDAR_UNKNOWN", year.to_string())
}
