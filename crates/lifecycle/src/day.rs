//! Civil days of China. The country has one time: China Standard Time, eight hours before UTC.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use mingce_orm::{Error, RequestContext, Result};

const OFFSET_SECONDS: i64 = 8 * 3600;

/// The day of a call.
///
/// # Errors
/// Where its time is none.
pub fn today(cx: &RequestContext) -> Result<Date> {
    of(cx.now)
}

/// The day of a time, in microseconds since 1970.
///
/// # Errors
/// Where it is none.
pub fn of(time: i64) -> Result<Date> {
    of_seconds(time.div_euclid(1_000_000))
}

/// The day of a time in seconds since 1970.
///
/// # Errors
/// Where it is none.
pub fn of_seconds(seconds: i64) -> Result<Date> {
    let local = Timestamp::from_second(seconds + OFFSET_SECONDS).map_err(Error::internal)?;
    Ok(jiff::tz::TimeZone::UTC.to_datetime(local).date())
}

/// A day that the register holds, `2024-09-30`; `None` for an empty text.
///
/// # Errors
/// Where it is none: what is kept was checked when it was written.
pub fn parse(text: &str) -> Result<Option<Date>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| Error::internal(format!("{text:?} is no day")))
}

/// The first day that a year, month or day may be, `2024-03`; `None` for an empty text. Terms that begin in it are counted from there.
///
/// # Errors
/// Where it is none: what is kept was checked when it was written.
pub fn first_of(text: &str) -> Result<Option<Date>> {
    match text.len() {
        4 => parse(&format!("{text}-01-01")),
        7 => parse(&format!("{text}-01")),
        _ => parse(text),
    }
}

/// The last day that it may be. What ends in it ends there.
///
/// # Errors
/// Those of [`first_of`].
pub fn last_of(text: &str) -> Result<Option<Date>> {
    let first = first_of(text)?;
    Ok(first.map(|first| match text.len() {
        4 => first.last_of_year(),
        7 => first.last_of_month(),
        _ => first,
    }))
}

/// Whether a day lies in a period whose ends are years, months or days, or not known: from the first day of its beginning to the last
/// day of its end.
pub fn is_within(day: &str, start: &str, end: &str) -> bool {
    start <= day && (end.is_empty() || day.get(..end.len()).is_none_or(|day| day <= end))
}

/// A day of a request, or what would be right.
///
/// # Errors
/// Naming the field.
pub fn given(field: &str, text: &str) -> Result<Option<Date>> {
    if text.is_empty() {
        return Ok(None);
    }
    let said = || {
        Error::invalid(
            field,
            "DATE_INVALID",
            format!("{text} is no day of the calendar: give one such as 2024-05-31"),
        )
    };
    text.parse().map(Some).map_err(|_| said())
}

/// The day so many months later; the last of the month where it has no such day.
///
/// # Errors
/// Beyond the year 9999.
pub fn months_after(day: Date, months: i32) -> Result<Date> {
    day.checked_add(Span::new().months(months)).map_err(Error::internal)
}

/// The day so many days later.
///
/// # Errors
/// Beyond the year 9999.
pub fn days_after(day: Date, days: i32) -> Result<Date> {
    day.checked_add(Span::new().days(days)).map_err(Error::internal)
}

/// The last day of a term that begins on a day: the day before the same day so many months later. Where the month has no such
/// day, its last (Civil Code, art. 202).
///
/// # Errors
/// Beyond the year 9999.
pub fn last_of_term(start: Date, months: i32) -> Result<Date> {
    let after = months_after(start, months)?;
    if after.day() < start.day() {
        return Ok(after);
    }
    days_after(after, -1)
}

/// The last day of a term that is made longer: counted from where the term began, so that short months take nothing from it. Of a
/// term whose beginning does not fit its end, counted from the day after its end.
///
/// # Errors
/// Beyond the year 9999.
pub fn longer_term(start: Option<Date>, end: Date, months: i32) -> Result<Date> {
    if let Some(start) = start.filter(|start| *start <= end) {
        let calendar_months = |day: Date| i32::from(day.year()) * 12 + i32::from(day.month());
        let apart = calendar_months(end) - calendar_months(start);
        for had in [apart, apart + 1] {
            if had > 0 && last_of_term(start, had)? == end {
                return last_of_term(start, had + months);
            }
        }
    }
    last_of_term(days_after(end, 1)?, months)
}

/// The least and the most that somebody's age can be on a day, in whole years. `birth` may be a year or a month only; then the two may
/// differ by one. None where it is not known.
pub fn ages(birth: &str, on: Date) -> Option<(i16, i16)> {
    let of = |birth: Date| {
        let before = (on.month(), on.day()) < (birth.month(), birth.day());
        on.year() - birth.year() - i16::from(before)
    };
    let (first, last) = (first_of(birth).ok()??, last_of(birth).ok()??);
    Some((of(last), of(first)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use mingce_proto::Classes;

    fn cx(now: &str) -> RequestContext {
        let now = now.parse::<Timestamp>().unwrap().as_microsecond();
        RequestContext {
            actor: String::new(),
            now,
            deadline: None,
            visible: Classes::ALL,
        }
    }

    #[test]
    fn the_day_begins_at_midnight_in_china() {
        assert_eq!(today(&cx("2024-09-29T15:59:59Z")).unwrap(), date(2024, 9, 29));
        assert_eq!(today(&cx("2024-09-29T16:00:00Z")).unwrap(), date(2024, 9, 30));
        assert_eq!(today(&cx("1969-12-31T15:00:00Z")).unwrap(), date(1969, 12, 31));
    }

    #[test]
    fn a_month_or_a_year_has_a_first_and_a_last_day() {
        for (text, first, last) in [
            ("2024", date(2024, 1, 1), date(2024, 12, 31)),
            ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
            ("2024-02-03", date(2024, 2, 3), date(2024, 2, 3)),
        ] {
            assert_eq!(first_of(text).unwrap(), Some(first));
            assert_eq!(last_of(text).unwrap(), Some(last));
        }
        assert_eq!((first_of("").unwrap(), last_of("").unwrap()), (None, None));
        for wrong in ["2024-13", "24", "2024-02-30"] {
            assert!(first_of(wrong).is_err() && last_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_period_goes_from_the_first_day_of_its_beginning_to_the_last_of_its_end() {
        for (day, start, end, is) in [
            ("2024-03-01", "2024-03", "2024-05", true),
            ("2024-02-29", "2024-03", "2024-05", false),
            ("2024-05-31", "2024", "2024-05", true),
            ("2024-06-01", "2024", "2024-05", false),
            ("2024-12-31", "", "2024", true),
            ("2025-01-01", "", "2024", false),
            ("2024-05-15", "2024-05-15", "2024-05-15", true),
            ("2024-05-16", "2024-05-15", "2024-05-15", false),
            ("1999-01-01", "", "", true),
            ("", "", "2024-05", true),
        ] {
            assert_eq!(is_within(day, start, end), is, "{day} in {start}..{end}");
        }
    }

    #[test]
    fn terms_end_on_the_day_before() {
        assert_eq!(last_of_term(date(2024, 1, 1), 24).unwrap(), date(2025, 12, 31));
        assert_eq!(last_of_term(date(2024, 3, 15), 12).unwrap(), date(2025, 3, 14));
        assert_eq!(months_after(date(2024, 1, 31), 1).unwrap(), date(2024, 2, 29));
        assert_eq!(last_of_term(date(2024, 3, 1), 12).unwrap(), date(2025, 2, 28));
    }

    #[test]
    fn a_term_ends_with_the_month_that_has_no_such_day() {
        assert_eq!(last_of_term(date(2024, 2, 29), 24).unwrap(), date(2026, 2, 28));
        assert_eq!(last_of_term(date(2024, 12, 31), 6).unwrap(), date(2025, 6, 30));
        assert_eq!(last_of_term(date(2024, 8, 31), 6).unwrap(), date(2025, 2, 28));
        assert_eq!(last_of_term(date(2024, 2, 29), 48).unwrap(), date(2028, 2, 28));
    }

    #[test]
    fn a_longer_term_is_counted_from_its_beginning() {
        let twice = |start: Date, first: i32, more: i32| {
            let end = last_of_term(start, first).unwrap();
            longer_term(Some(start), end, more).unwrap()
        };
        assert_eq!(twice(date(2024, 10, 1), 12, 3), date(2025, 12, 31));
        assert_eq!(twice(date(2023, 9, 1), 6, 6), date(2024, 8, 31));
        assert_eq!(twice(date(2024, 3, 1), 12, 6), date(2025, 8, 31));
        assert_eq!(twice(date(2024, 8, 31), 6, 6), date(2025, 8, 30));
        let again = longer_term(Some(date(2024, 8, 31)), twice(date(2024, 8, 31), 6, 6), 6).unwrap();
        assert_eq!(again, date(2026, 2, 28), "a second time too");
        let other = longer_term(Some(date(2024, 1, 10)), date(2024, 8, 31), 6).unwrap();
        assert_eq!(other, date(2025, 2, 28), "an end that no months lead to");
        assert_eq!(longer_term(None, date(2025, 9, 30), 3).unwrap(), date(2025, 12, 31));
    }

    #[test]
    fn an_age_is_in_whole_years_and_may_be_one_of_two() {
        for (birth, on, ages_on) in [
            ("1974-06-15", date(2024, 6, 15), Some((50, 50))),
            ("1974-06-16", date(2024, 6, 15), Some((49, 49))),
            ("1974-06", date(2024, 5, 31), Some((49, 49))),
            ("1974-06", date(2024, 6, 1), Some((49, 50))),
            ("1974-06", date(2024, 6, 29), Some((49, 50))),
            // The last of June is the 30th.
            ("1974-06", date(2024, 6, 30), Some((50, 50))),
            ("1973-02", date(2024, 2, 28), Some((51, 51))),
            ("1974", date(2024, 1, 1), Some((49, 50))),
            ("1974", date(2024, 12, 31), Some((50, 50))),
            ("", date(2024, 6, 15), None),
            ("x", date(2024, 6, 15), None),
        ] {
            assert_eq!(ages(birth, on), ages_on, "{birth} on {on}");
        }
    }
}
