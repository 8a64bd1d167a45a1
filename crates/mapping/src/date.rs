//! The text of a cell as a date, and the ends of a range of dates.

use serde::Deserialize;

use crate::template::halfwidth;
use crate::value::{Unfit, unfit};

/// What a date may leave open.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DateForm {
    /// A whole day.
    Day,
    /// A day, a month or a year, as much as the cell says.
    Partial,
    /// The year of whatever the cell says.
    Year,
}

impl DateForm {
    /// What it makes of dates.
    pub(crate) fn samples(self) -> &'static [&'static str] {
        match self {
            Self::Day => &["2024-03-15"],
            Self::Partial => &["2024-03-15", "2024-03", "2024"],
            Self::Year => &["2024"],
        }
    }

    /// What is expected beside a whole day.
    fn also(self) -> &'static str {
        match self {
            Self::Day => "",
            Self::Partial | Self::Year => "; a month (2024-06) or a year (2024) will do",
        }
    }
}

const DATES: &str =
    "a date is expected: 2024-06-30, 2024/6/30, 2024.6.30, 20240630, 2024年6月30日, or the day number of a spreadsheet";

/// Years that a register can mean.
const YEARS: std::ops::RangeInclusive<u32> = 1800..=2200;

/// The end of a range such as `2010.10-2015.09` that is meant.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    /// What it begins with.
    Start,
    /// What it ends with; nothing where it goes on (`至今`).
    End,
}

/// One end of a range of dates, as it stands there. A single date is a beginning.
pub(crate) fn bound(text: &str, bound: Bound) -> String {
    const OPEN: [&str; 7] = ["", "今", "至今", "现在", "目前", "now", "present"];
    let plain = halfwidth(text).replace(['—', '–', '―', '~', '～'], "—");
    let parts: Vec<&str> = plain
        .split(['—', '至', '到'])
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    let hyphens: Vec<&str> = plain.split('-').map(str::trim).collect();
    let half = hyphens.len() / 2;
    let second = hyphens.get(half).copied().unwrap_or_default();
    let year = second.get(..4).is_some_and(|y| y.bytes().all(|b| b.is_ascii_digit()));
    let (start, end) = match parts.as_slice() {
        [start, end] => ((*start).to_owned(), (*end).to_owned()),
        // 2010.10-2015.09, 2010-10-2015-09, 2010-; but 2010-10 is one month.
        _ if hyphens.len() > 1 && hyphens.len().is_multiple_of(2) && year => {
            (hyphens[..half].join("-"), hyphens[half..].join("-"))
        }
        _ => match plain.rsplit_once('-') {
            Some((start, end)) if OPEN.contains(&end.trim().to_lowercase().as_str()) => {
                (start.to_owned(), String::new())
            }
            _ if parts.len() == 1 => (parts.concat(), String::new()),
            _ => (plain, String::new()),
        },
    };
    match bound {
        Bound::Start => start.trim_end_matches(['-', ' ']).trim().to_owned(),
        Bound::End if OPEN.contains(&end.trim().to_lowercase().as_str()) => String::new(),
        Bound::End => end.trim().to_owned(),
    }
}

/// A date of a table in ISO 8601, or nothing for a date of zeros.
pub(crate) fn date(text: &str, form: DateForm) -> Result<String, Unfit> {
    let (year, month, day) = parts(text).map_err(|mut wrong| {
        if wrong.reason == "DATE_INVALID" {
            wrong.description.push_str(form.also());
        }
        wrong
    })?;
    if year == 0 {
        return Ok(String::new());
    }
    if !YEARS.contains(&year) {
        let description = format!("a year from {} to {} is expected", YEARS.start(), YEARS.end());
        return unfit("YEAR_IMPLAUSIBLE", description);
    }
    if (month == 0 && day != 0) || month > 12 || day > days_in(year, month) {
        let said = format!("there is no such day; {DATES}{}", form.also());
        return unfit("DATE_INVALID", said);
    }
    match (form, month, day) {
        (DateForm::Year, _, _) | (DateForm::Partial, 0, _) => Ok(format!("{year:04}")),
        (DateForm::Partial, _, 0) => Ok(format!("{year:04}-{month:02}")),
        (DateForm::Day, _, 0) => unfit(
            "DATE_INCOMPLETE",
            "a whole date is expected, with month and day, such as 2024-06-30",
        ),
        _ => Ok(format!("{year:04}-{month:02}-{day:02}")),
    }
}

/// How many days a time of day with its zone is away from the day in China: -1, 0 or 1. Nothing where it is no time.
fn days_in_china(time: &str) -> Option<i64> {
    let at = time
        .find(['Z', 'z', '+', '-'])
        .or_else(|| time.find(" UTC"))
        .or_else(|| time.find(" GMT"));
    let (clock, zone) = time.split_at(at.unwrap_or(time.len()));
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let mut pieces = clock.split(':');
    let (hour, minute) = (number(pieces.next()?)?, number(pieces.next()?)?);
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) {
        return None;
    }
    let zone = zone.trim();
    let offset = match zone.get(..1) {
        None => return Some(0),
        Some("+" | "-") => {
            let digits: String = zone.chars().skip(1).filter(|c| *c != ':').collect();
            let (hours, minutes) = digits.split_at_checked(2)?;
            let offset = number(hours)? * 60 + if minutes.is_empty() { 0 } else { number(minutes)? };
            if zone.starts_with('-') { -offset } else { offset }
        }
        _ if ["Z", "z", "UTC", "GMT"].contains(&zone) => 0,
        _ => return None,
    };
    // China is eight hours before.
    Some((hour * 60 + minute - offset + 8 * 60).div_euclid(24 * 60))
}

/// The day before or after.
fn moved((year, month, day): (u32, u32, u32), days: i64) -> (u32, u32, u32) {
    match days {
        1 if day < days_in(year, month) => (year, month, day + 1),
        1 if month < 12 => (year, month + 1, 1),
        1 => (year + 1, 1, 1),
        -1 if day > 1 => (year, month, day - 1),
        -1 if month > 1 => (year, month - 1, days_in(year, month - 1)),
        -1 => (year.saturating_sub(1), 12, 31),
        _ => (year, month, day),
    }
}

/// Year, month and day; 0 for what the text leaves open.
fn parts(text: &str) -> Result<(u32, u32, u32), Unfit> {
    let plain = halfwidth(text);
    let plain = plain.trim();
    // A time of day after the date counts where it has a zone: what is meant is the day in China.
    if let Some(at) = plain.find(['T', ' '])
        && let Some(time) = plain.get(at + 1..).filter(|rest| rest.contains(':'))
    {
        let Some(days) = days_in_china(time.trim()) else {
            return unfit("DATE_INVALID", DATES);
        };
        let (year, month, day) = parts(plain.get(..at).unwrap_or_default())?;
        return Ok(if day == 0 {
            (year, month, day)
        } else {
            moved((year, month, day), days)
        });
    }
    let numbers = |text: &str, separators: &[char]| -> Option<Vec<u32>> {
        let pieces: Vec<_> = text.split(separators).map(str::trim).collect();
        let digits = |p: &&str| !p.is_empty() && p.len() <= 4 && p.bytes().all(|b| b.is_ascii_digit());
        pieces
            .iter()
            .all(digits)
            .then(|| pieces.iter().filter_map(|p| p.parse().ok()).collect())
    };
    let wrong = || unfit("DATE_INVALID", DATES);
    let found = if plain.contains('年') {
        let text = plain.trim_end_matches(['年', '月', '日', '号']);
        numbers(text, &['年', '月'])
    } else if plain.contains(['-', '/', '.']) {
        numbers(plain, &['-', '/', '.'])
    } else if plain.bytes().all(|b| b.is_ascii_digit()) {
        let number = |range: std::ops::Range<usize>| plain.get(range).and_then(|d| d.parse().ok()).unwrap_or(0);
        match plain.len() {
            4 => Some(vec![number(0..4)]),
            // 20243 may be March of 2024 as well as a day of 1955.
            5 if plain.starts_with("19") || plain.starts_with("20") => {
                return Err(unclear(Some(plain), false));
            }
            5 => return Ok(from_serial(number(0..5))),
            6 => Some(vec![number(0..4), number(4..6)]),
            8 => Some(vec![number(0..4), number(4..6), number(6..8)]),
            _ => None,
        }
    } else {
        None
    };
    // The year stands first, with four digits: 30.06.2024 and 6/30/24 would be guesses.
    let year_first = plain.get(..4).is_some_and(|y| y.bytes().all(|b| b.is_ascii_digit()));
    match found.as_deref() {
        Some(&[year]) if year_first => Ok((year, 0, 0)),
        Some(&[year, month]) if year_first => Ok((year, month, 0)),
        Some(&[year, month, day]) if year_first => Ok((year, month, day)),
        _ => wrong(),
    }
}

/// Why a number is no clear date. `number` is the caller's own, where a message may repeat it; `old_days`: its workbook
/// counts from 1904.
pub(crate) fn unclear(number: Option<&str>, old_days: bool) -> Unfit {
    let number = number.unwrap_or_default();
    let readings = readings(number, old_days).join(" or ");
    let description = if readings.is_empty() {
        "a number that may be several dates: make the cell text and write it as 2024-06-30, or as 2024-06".to_owned()
    } else {
        format!("{number} may be {readings}: make the cell text and write the one that is right")
    };
    Unfit {
        reason: "DATE_AMBIGUOUS",
        description,
    }
}

/// What a number such as `2010.1` or `20243` may mean as a date.
fn readings(number: &str, old_days: bool) -> Vec<String> {
    if let Some(year) = number.strip_suffix(".1").filter(|year| year.len() == 4) {
        return vec![format!("{year}-01"), format!("{year}-10")];
    }
    let is_digits = number.len() == 5 && number.bytes().all(|b| b.is_ascii_digit());
    let (Some((year, month)), Ok(serial), true) = (number.split_at_checked(4), number.parse::<u32>(), is_digits) else {
        return Vec::new();
    };
    let day = |serial| {
        let (year, month, day) = from_serial(serial);
        format!("{year:04}-{month:02}-{day:02}")
    };
    let mut readings = Vec::new();
    if ["19", "20"].iter().any(|century| year.starts_with(century)) && month != "0" {
        readings.push(format!("{year}-0{month}"));
    }
    readings.push(format!("{} (a day number)", day(serial)));
    if old_days {
        readings.push(format!("{} (a day number counted from 1904)", day(serial + OLD_DAYS)));
    }
    readings
}

/// How many days 1904-01-01 is behind the day from which other workbooks count.
const OLD_DAYS: u32 = 1462;

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        0 => 0,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day that a spreadsheet stores as a number; 45473 is 2024-06-30. Five digits: 1927 to 2173.
fn from_serial(serial: u32) -> (u32, u32, u32) {
    // Day 36526 is 2000-01-01; counting from 1600 keeps everything positive and starts a cycle of 400 years.
    let mut days = serial + 146_097 - 36_526;
    let (mut year, mut month) = (1600, 1);
    loop {
        let length = 337 + days_in(year, 2);
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Result<String, &'static str> {
        date(text, DateForm::Day).map_err(|e| e.reason)
    }

    #[test]
    fn dates_of_many_forms_are_one_form() {
        for text in [
            "2024-06-30",
            "2024-6-30",
            "2024/6/30",
            "2024.06.30",
            "20240630",
            "2024年6月30日",
            "2024年06月30号",
            "45473",
            " 2024-06-30 ",
            "2024-06-30T00:00:00",
            "2024/6/30 0:00",
            "２０２４年６月３０日",
            "2024 年 6 月 30 日",
        ] {
            assert_eq!(day(text).as_deref(), Ok("2024-06-30"), "{text}");
        }
    }

    #[test]
    fn days_that_do_not_exist_and_forms_that_would_be_guesses_are_refused() {
        for text in [
            "2023-02-29",
            "2024-13-01",
            "2024-00-05",
            "2024-04-31",
            "30.06.2024",
            "6/30/24",
            "24-6-30",
            "soon",
            "2024-",
            "1",
        ] {
            assert_eq!(day(text), Err("DATE_INVALID"), "{text}");
        }
        assert_eq!(day("2024-02-29").as_deref(), Ok("2024-02-29"));
        assert_eq!(day("1900-02-29"), Err("DATE_INVALID"));
    }

    #[test]
    fn what_is_no_date_is_told_with_what_the_form_takes() {
        for text in ["1985年13月", "79.06"] {
            let said = |form| date(text, form).unwrap_err().description;
            assert!(said(DateForm::Partial).contains("a month (2024-06) or a year (2024) will do"));
            assert!(said(DateForm::Year).contains("a year (2024) will do"));
            assert!(!said(DateForm::Day).contains("2024-06)"), "{}", said(DateForm::Day));
        }
    }

    #[test]
    fn a_time_with_its_zone_is_the_day_in_china() {
        for (text, expected) in [
            ("2023-12-31T16:00:00Z", "2024-01-01"),
            ("2023-12-31T15:59:59Z", "2023-12-31"),
            ("2024-02-28T20:30:00.000+00:00", "2024-02-29"),
            ("2024-03-01T00:30:00+08:00", "2024-03-01"),
            ("2024-03-01 00:30:00 +0900", "2024-02-29"),
            ("2024-03-01T20:30:00-05", "2024-03-02"),
            ("2024-03-01 18:30 UTC", "2024-03-02"),
            ("2024-03-01 23:30", "2024-03-01"),
        ] {
            assert_eq!(day(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(day("2024-03-01 10:30 XYZ"), Err("DATE_INVALID"));
    }

    #[test]
    fn what_may_be_a_month_or_a_day_and_years_out_of_time_are_refused() {
        for text in ["20243", "20129", "19991"] {
            assert_eq!(day(text), Err("DATE_AMBIGUOUS"), "{text}");
        }
        let said = |text, old_days| unclear(text, old_days).description;
        let right = ": make the cell text and write the one that is right";
        for (text, old_days, expected) in [
            ("2010.1", false, "2010.1 may be 2010-01 or 2010-10"),
            ("1985.1", false, "1985.1 may be 1985-01 or 1985-10"),
            ("20243", false, "20243 may be 2024-03 or 1955-06-03 (a day number)"),
            ("20240", false, "20240 may be 1955-05-31 (a day number)"),
            (
                "30000",
                true,
                "30000 may be 1982-02-18 (a day number) or 1986-02-19 (a day number counted from 1904)",
            ),
        ] {
            assert_eq!(said(Some(text), old_days), format!("{expected}{right}"));
        }
        assert!(said(None, false).starts_with("a number that may be several dates: "));
        for text in ["9634", "1066-10-14", "2024123", "99991231", "1799", "2201"] {
            assert!(matches!(day(text), Err("YEAR_IMPLAUSIBLE" | "DATE_INVALID")), "{text}");
        }
    }

    #[test]
    fn ranges_have_a_start_and_perhaps_an_end() {
        for (text, start, end) in [
            ("2010.10-2015.09", "2010.10", "2015.09"),
            ("2010-10-2015-09", "2010-10", "2015-09"),
            ("2010年10月—2015年9月", "2010年10月", "2015年9月"),
            ("2010.10 ～ 2015.09", "2010.10", "2015.09"),
            ("2010年10月至今", "2010年10月", ""),
            ("2010.10-至今", "2010.10", ""),
            ("2010.10－", "2010.10", ""),
            ("2010-2015", "2010", "2015"),
            ("2010-10", "2010-10", ""),
            ("2010", "2010", ""),
            ("2010年到2015年", "2010年", "2015年"),
        ] {
            assert_eq!(bound(text, Bound::Start), start, "{text}");
            assert_eq!(bound(text, Bound::End), end, "{text}");
        }
    }

    #[test]
    fn dates_of_zeros_say_as_much_as_is_known() {
        let partial = |text| date(text, DateForm::Partial).unwrap();
        assert_eq!(partial("0000-00-00"), "");
        assert_eq!(partial("1943-00-00"), "1943");
        assert_eq!(partial("1943-05-00"), "1943-05");
        assert_eq!(partial("2024年6月"), "2024-06");
        assert_eq!(partial("202406"), "2024-06");
        assert_eq!(partial("1998"), "1998");
        assert_eq!(day("1943-00-00"), Err("DATE_INCOMPLETE"));
        assert_eq!(date("2024年6月30日", DateForm::Year).unwrap(), "2024");
    }

    #[test]
    fn spreadsheet_days_are_counted_right_over_leap_years() {
        for (serial, expected) in [
            (36526, "2000-01-01"),
            (36585, "2000-02-29"),
            (36586, "2000-03-01"),
            (10000, "1927-05-18"),
            (73050, "2099-12-31"),
            (99999, "2173-10-13"),
        ] {
            assert_eq!(day(&serial.to_string()).as_deref(), Ok(expected));
        }
    }
}
