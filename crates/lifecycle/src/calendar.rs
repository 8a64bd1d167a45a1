//! The national calendar of working days, with make-up days, and the ends of notices counted in it.

use std::collections::BTreeMap;
use std::fmt;

use chinese_holiday::{Ymd, chinese_holiday};
use jiff::civil::{Date, Weekday, date};

/// The days that the library answers for; it panics outside of them. A test compares them with the library.
const LIBRARY_FIRST: Date = date(2004, 1, 1);
const LIBRARY_LAST: Date = date(2026, 12, 25);

/// Working days that the library takes for days of rest.
///
/// The notice for 2016 (国办发明电〔2015〕18号) makes 8 and 9 October working days, and the one for 2017 (国办发明电〔2016〕17号)
/// gives 2 January in the place of a Sunday and leaves 30 December as it is. A test says when the library no longer needs this.
const CORRECTED_TO_WORK: [Date; 2] = [date(2016, 10, 9), date(2016, 12, 30)];

/// The first day of December that belongs to the notice of the next year: New Year's Day can move days from here on.
const TAIL: i8 = 26;

/// The most working days that a notice runs.
const LONGEST_NOTICE: u32 = 250;

/// The working days of China: the national calendar, and a table of days that an operator gives.
///
/// The State Council's General Office (国务院办公厅) says in a notice each autumn which days of the next year are holidays, and on which
/// weekends one works instead (调休). The crate `chinese_holiday` carries these notices from 2004 to 2026. The table wins over
/// it, and adds years that it does not have.
///
/// The notice of a year also decides on the last days of the December before. So the days from 26 December on are known when the
/// next year is, or when the table has one of them.
///
/// All days are civil days in China; there are no times and no zones.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// The operator's days: true for work, false for rest.
    overrides: BTreeMap<Date, bool>,
}

/// The answer for a day that no notice and no table decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownYear {
    /// The year whose holidays would be needed: for a day at the end of December the year after it.
    pub year: i16,
}

impl fmt::Display for UnknownYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the holidays of {} are not known yet: give them in the override table",
            self.year
        )
    }
}

impl std::error::Error for UnknownYear {}

impl Calendar {
    /// The national calendar alone: it knows the days from 1 January 2004 to 25 December 2026.
    #[must_use]
    pub fn national() -> Self {
        Self {
            overrides: BTreeMap::new(),
        }
    }

    /// The national calendar under a table of days, one on each line:
    ///
    /// ```text
    /// # Spring Festival
    /// 2027-02-06 rest
    /// 2027-02-07 work   # make-up day
    /// ```
    ///
    /// A line is a day and `rest` or `work`; `#` begins a comment; empty lines are allowed. One day makes its whole year known: days
    /// that neither the table nor the national calendar has are then told by their weekday. So a table should have all days of
    /// a year that differ from it.
    ///
    /// # Errors
    ///
    /// The first line that is not of this form, or that gives a day again, by its number and with what would be right.
    pub fn with_overrides(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines: BTreeMap<Date, usize> = BTreeMap::new();
        let mut overrides = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.split('#').next().unwrap_or_default();
            if words.trim().is_empty() {
                continue;
            }
            let (day, works) = entry(words).map_err(|wrong| {
                format!(
                    "line {number}: {wrong}: write a day and what it is, as in `2027-02-06 rest` or `2027-02-07 work`"
                )
            })?;
            if let Some(before) = lines.insert(day, number) {
                return Err(format!(
                    "line {number}: {day} is in line {before} already: keep one of the two lines"
                ));
            }
            overrides.insert(day, works);
        }
        Ok(Self { overrides })
    }

    /// Whether people work on this day.
    ///
    /// # Errors
    ///
    /// [`UnknownYear`] if neither the library nor the table has the year that decides on the day.
    pub fn is_working_day(&self, day: Date) -> Result<bool, UnknownYear> {
        if let Some(works) = self.overrides.get(&day) {
            return Ok(*works);
        }
        if (LIBRARY_FIRST..=LIBRARY_LAST).contains(&day) {
            return Ok(works_in_library(day) || CORRECTED_TO_WORK.contains(&day));
        }
        self.decided(day)?;
        Ok(!matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday))
    }

    /// The last day, inclusive, of a public notice (公示) that is published on `start` and runs `working_days` working days.
    ///
    /// The day of publication does not count, as is the practice with such notices: the first working day after `start` is day
    /// one. `start` itself may be any day. No working days at all end on `start`, and more than 250 are taken for 250.
    ///
    /// # Errors
    ///
    /// [`UnknownYear`] if the notice runs into days that are not known.
    pub fn end_of_notice(&self, start: Date, working_days: u32) -> Result<Date, UnknownYear> {
        (0..working_days.min(LONGEST_NOTICE)).try_fold(start, |day, _| self.next_working_day(day))
    }

    /// The first working day after `day`.
    ///
    /// # Errors
    ///
    /// [`UnknownYear`] if days that are not known lie before it.
    pub fn next_working_day(&self, day: Date) -> Result<Date, UnknownYear> {
        let mut next = day;
        loop {
            // The last day that a date can be: what comes after is a year that no table has.
            next = next.tomorrow().map_err(|_| UnknownYear { year: next.year() + 1 })?;
            if self.is_working_day(next)? {
                return Ok(next);
            }
        }
    }

    /// Whether a day outside of the library's is decided by the table, as a day that the table does not name.
    fn decided(&self, day: Date) -> Result<(), UnknownYear> {
        let year = if in_tail(day) { day.year() + 1 } else { day.year() };
        let decides =
            |given: &Date| given.year() == year || in_tail(day) && in_tail(*given) && given.year() == day.year();
        if self.overrides.keys().any(decides) {
            return Ok(());
        }
        Err(UnknownYear { year })
    }
}

/// Whether the notice of the next year can decide on a day.
fn in_tail(day: Date) -> bool {
    day.month() == 12 && day.day() >= TAIL
}

/// Whether the library takes a day for a working day. It panics for days before the first and after the last that it has.
fn works_in_library(day: Date) -> bool {
    let ymd = Ymd::new(
        day.year().unsigned_abs(),
        day.month().unsigned_abs(),
        day.day().unsigned_abs(),
    );
    chinese_holiday(ymd).is_workday()
}

/// A line of the table without its comment, or what is wrong with it.
fn entry(words: &str) -> Result<(Date, bool), String> {
    let mut words = words.split_whitespace();
    let (Some(day), Some(kind), None) = (words.next(), words.next(), words.next()) else {
        return Err("this is not two words".to_owned());
    };
    let works = match kind {
        "work" => true,
        "rest" => false,
        _ => return Err(format!("`{kind}` is neither rest nor work")),
    };
    // The parser takes other forms of a day too, and times. One form is enough here.
    match day.parse::<Date>() {
        Ok(date) if date.to_string() == day => Ok((date, works)),
        _ => Err(format!("`{day}` is not a day that exists, as year-month-day")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::panic::catch_unwind;

    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn weekend(day: Date) -> bool {
        matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
    }

    /// The days of a year that the calendar makes different from what their weekday says, as `M-D`, up to 25 December.
    fn differing(year: i16) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut rest, mut work) = (BTreeSet::new(), BTreeSet::new());
        let mut day = date(year, 1, 1);
        while day <= date(year, 12, 25) {
            let text = format!("{}-{}", day.month(), day.day());
            match (Calendar::national().is_working_day(day).unwrap(), weekend(day)) {
                (true, true) => _ = work.insert(text),
                (false, false) => _ = rest.insert(text),
                _ => {}
            }
            day = day.tomorrow().unwrap();
        }
        (rest, work)
    }

    fn set(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn whole_years_are_as_the_notices_have_them() {
        // Weekdays without work, and weekends with it.
        let notices = [
            (
                2016,
                "1-1 2-8 2-9 2-10 2-11 2-12 4-4 5-2 6-9 6-10 9-15 9-16 10-3 10-4 10-5 10-6 10-7",
                "2-6 2-14 6-12 9-18 10-8 10-9",
            ),
            (
                2024,
                "1-1 2-12 2-13 2-14 2-15 2-16 4-4 4-5 5-1 5-2 5-3 6-10 9-16 9-17 10-1 10-2 10-3 10-4 10-7",
                "2-4 2-18 4-7 4-28 5-11 9-14 9-29 10-12",
            ),
            (
                2025,
                "1-1 1-28 1-29 1-30 1-31 2-3 2-4 4-4 5-1 5-2 5-5 6-2 10-1 10-2 10-3 10-6 10-7 10-8",
                "1-26 2-8 4-27 9-28 10-11",
            ),
            (
                2026,
                "1-1 1-2 2-16 2-17 2-18 2-19 2-20 2-23 4-6 5-1 5-4 5-5 6-19 9-25 10-1 10-2 10-5 10-6 10-7",
                "1-4 2-14 2-28 5-9 9-20 10-10",
            ),
        ];
        for (year, rest, work) in notices {
            assert_eq!(differing(year), (set(rest), set(work)), "{year}");
        }
    }

    #[test]
    fn holidays_and_make_up_days_at_the_edges_of_years_are_known() {
        let calendar = Calendar::national();
        for (text, works) in [
            ("2004-01-01", false),
            ("2004-01-17", true),
            ("2007-12-29", true),
            ("2007-12-31", false),
            // The Spring Festival of 2020 was made longer by a notice of its own.
            ("2020-01-19", true),
            ("2020-01-31", false),
            ("2020-02-01", false),
            ("2020-02-03", true),
            ("2016-12-30", true),
            ("2016-12-31", false),
            ("2017-01-02", false),
            ("2026-12-25", true),
        ] {
            assert_eq!(calendar.is_working_day(day(text)), Ok(works), "{text}");
        }
    }

    #[test]
    fn the_library_has_the_days_that_are_written_here_and_no_others() {
        let has = |day: Date| catch_unwind(|| works_in_library(day)).is_ok();
        assert!(has(LIBRARY_FIRST) && has(LIBRARY_LAST));
        assert!(
            !has(LIBRARY_FIRST.yesterday().unwrap()),
            "the library begins earlier now: LIBRARY_FIRST"
        );
        assert!(
            !has(LIBRARY_LAST.tomorrow().unwrap()),
            "the library has a further year now: LIBRARY_LAST"
        );
    }

    #[test]
    fn each_correction_is_still_needed() {
        for day in CORRECTED_TO_WORK {
            assert!(
                !works_in_library(day),
                "the library has {day} right now: take it out of CORRECTED_TO_WORK"
            );
        }
    }

    #[test]
    fn a_notice_counts_make_up_days_and_not_the_national_day() {
        let calendar = Calendar::national();
        let monday = day("2024-09-23");
        for (working_days, end) in [
            (0, "2024-09-23"),
            (1, "2024-09-24"),
            (4, "2024-09-27"),
            // A Sunday that makes up for the holidays.
            (5, "2024-09-29"),
            (6, "2024-09-30"),
            (7, "2024-10-08"),
            // A Saturday that does.
            (11, "2024-10-12"),
            (12, "2024-10-14"),
        ] {
            assert_eq!(
                calendar.end_of_notice(monday, working_days),
                Ok(day(end)),
                "{working_days}"
            );
        }
        assert_eq!(calendar.end_of_notice(day("2024-10-03"), 1), Ok(day("2024-10-08")));
        assert_eq!(calendar.next_working_day(day("2024-09-30")), Ok(day("2024-10-08")));
        assert_eq!(calendar.next_working_day(day("2024-09-28")), Ok(day("2024-09-29")));
    }

    #[test]
    fn a_notice_of_more_than_250_working_days_ends_as_one_of_250() {
        let calendar = Calendar::national();
        let start = day("2024-01-02");
        assert_eq!(
            calendar.end_of_notice(start, u32::MAX),
            calendar.end_of_notice(start, 250)
        );
        assert_ne!(calendar.end_of_notice(start, 250), calendar.end_of_notice(start, 249));
    }

    #[test]
    fn a_year_without_a_notice_is_not_guessed() {
        let calendar = Calendar::national();
        for (text, year) in [
            ("2003-12-31", 2004),
            ("2003-12-25", 2003),
            ("2027-03-01", 2027),
            ("2029-06-02", 2029),
            ("9999-12-31", 10_000),
            ("-0001-05-05", -1),
        ] {
            let day = if text.starts_with('-') {
                date(-1, 5, 5)
            } else {
                day(text)
            };
            assert_eq!(calendar.is_working_day(day), Err(UnknownYear { year }), "{text}");
        }
        let said = UnknownYear { year: 2029 }.to_string();
        assert_eq!(
            said,
            "the holidays of 2029 are not known yet: give them in the override table"
        );
        assert_eq!(calendar.end_of_notice(day("2026-12-24"), 1), Ok(day("2026-12-25")));
        assert_eq!(
            calendar.end_of_notice(day("2026-12-24"), 2),
            Err(UnknownYear { year: 2027 })
        );
        assert_eq!(calendar.next_working_day(Date::MAX), Err(UnknownYear { year: 10_000 }));
    }

    #[test]
    fn the_last_days_of_december_wait_for_the_next_year() {
        let monday = day("2026-12-28");
        let works = |table: &str| Calendar::with_overrides(table).unwrap().is_working_day(monday);
        assert_eq!(works(""), Err(UnknownYear { year: 2027 }));
        assert_eq!(works("2026-03-05 rest"), Err(UnknownYear { year: 2027 }));
        assert_eq!(works("2028-01-03 rest"), Err(UnknownYear { year: 2027 }));
        assert_eq!(works("2027-01-01 rest"), Ok(true));
        assert_eq!(works("2026-12-26 work"), Ok(true));
        assert_eq!(works("2026-12-28 rest"), Ok(false));

        let december = Calendar::with_overrides("2026-12-26 work").unwrap();
        assert_eq!(
            december.is_working_day(day("2027-01-04")),
            Err(UnknownYear { year: 2027 })
        );
        let table = Calendar::with_overrides("2027-01-01 rest").unwrap();
        assert_eq!(table.is_working_day(day("2027-12-27")), Err(UnknownYear { year: 2028 }));
    }

    #[test]
    fn the_table_wins_and_adds_years() {
        let table = "\u{feff}# days of rest in the region\r\n\r\n2024-03-05 rest\n  2024-10-02\twork  # a Wednesday\n2028-01-03 rest\n";
        let calendar = Calendar::with_overrides(table).unwrap();
        for (text, works) in [
            ("2024-03-05", false),
            ("2024-03-06", true),
            ("2024-10-02", true),
            ("2024-10-03", false),
            ("2028-01-03", false),
            ("2028-01-04", true),
            ("2028-01-08", false),
        ] {
            assert_eq!(calendar.is_working_day(day(text)), Ok(works), "{text}");
        }
        assert_eq!(
            calendar.is_working_day(day("2027-06-01")),
            Err(UnknownYear { year: 2027 })
        );
        assert_eq!(calendar.end_of_notice(day("2024-09-30"), 2), Ok(day("2024-10-08")));
        assert_eq!(Calendar::national().is_working_day(day("2024-10-02")), Ok(false));
    }

    #[test]
    fn a_table_that_is_wrong_says_where_and_what_would_be_right() {
        for (table, line, wrong) in [
            ("2027-02-06", "line 1", "not two words"),
            ("\n2027-02-06 rest day", "line 2", "not two words"),
            ("# 2027\n2027-02-06 off", "line 2", "`off` is neither rest nor work"),
            ("2027-02-06 Rest", "line 1", "`Rest` is neither"),
            ("2027-02-29 rest", "line 1", "`2027-02-29` is not a day"),
            ("20270206 rest", "line 1", "`20270206` is not a day"),
            ("2027-2-6 rest", "line 1", "`2027-2-6` is not a day"),
            ("2027-02-06T00:00 rest", "line 1", "is not a day"),
            ("2027/02/06 rest", "line 1", "is not a day"),
        ] {
            let error = Calendar::with_overrides(table).unwrap_err();
            assert!(
                error.starts_with(&format!("{line}: ")) && error.contains(wrong),
                "{error}"
            );
            assert!(error.contains("`2027-02-06 rest`"), "{error}");
        }
        let twice = Calendar::with_overrides("2027-02-06 rest\n2027-02-07 work\n2027-02-06 rest").unwrap_err();
        assert_eq!(
            twice,
            "line 3: 2027-02-06 is in line 1 already: keep one of the two lines"
        );
    }

    /// Days from the beginning of 2004 on that leave room for the longest notice.
    fn starts() -> impl Strategy<Value = Date> {
        (0..7_970_i32).prop_map(|days| LIBRARY_FIRST.checked_add(days.days()).unwrap())
    }

    proptest! {
        #[test]
        fn a_notice_has_exactly_its_working_days_and_ends_on_one(
            start in starts(),
            working_days in 1..=250_u32,
            given in prop::collection::btree_map(1..300_i32, any::<bool>(), 0..8),
        ) {
            let given: BTreeMap<Date, bool> =
                given.into_iter().map(|(after, works)| (start.checked_add(after.days()).unwrap(), works)).collect();
            let table: String =
                given.iter().map(|(day, works)| format!("{day} {}\n", if *works { "work" } else { "rest" })).collect();
            let calendar = Calendar::with_overrides(&table).unwrap();
            let end = calendar.end_of_notice(start, working_days).unwrap();
            let (mut day, mut count) = (start, 0);
            while day < end {
                day = day.tomorrow().unwrap();
                count += u32::from(calendar.is_working_day(day).unwrap());
            }
            prop_assert_eq!(count, working_days);
            prop_assert!(calendar.is_working_day(end).unwrap());
            for (day, works) in given {
                prop_assert_eq!(calendar.is_working_day(day), Ok(works));
            }
        }

        #[test]
        fn any_text_is_a_table_or_an_error_with_its_line(text in "(?s)([ \t\r\n#]|20[0-9]{2}-[01][0-9]-[0-3][0-9]|rest|work|.){0,24}") {
            if let Err(error) = Calendar::with_overrides(&text) {
                prop_assert!(error.starts_with("line "), "{}", error);
            }
        }
    }
}
