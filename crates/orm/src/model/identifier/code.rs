//! Codes without a check character, and days as they are written in ISO 8601.

use jiff::civil::Date;

use super::Fault;

/// The first two digits of the divisions at the level of provinces.
const PROVINCES: [&str; 34] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44",
    "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82",
];

fn is_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

/// Checks the form of a division code (GB/T 2260), such as `370202`. The codes below a province change over the
/// years and are not listed here.
///
/// # Errors
/// A [`Fault`] where it has not six digits, or where no province has its first two.
pub fn division_code(value: &str) -> Result<(), Fault> {
    if value.len() != 6 || !is_digits(value) {
        let what = "a division code has six digits, such as 370202 (GB/T 2260)";
        return Err(Fault::new("DIVISION_CODE_MALFORMED", what));
    }
    let province = &value[..2];
    if !PROVINCES.contains(&province) {
        let what = format!("no province has {province} as its first two digits, such as 37 for Shandong (GB/T 2260)");
        return Err(Fault::new("DIVISION_CODE_PROVINCE_UNKNOWN", what));
    }
    Ok(())
}

/// Checks the form of a discipline code (GB/T 13745): 3, 5 or 7 digits, such as `140`, `14035` or `1403510`.
///
/// # Errors
/// A [`Fault`] where it has another form.
pub fn discipline_code(value: &str) -> Result<(), Fault> {
    if !matches!(value.len(), 3 | 5 | 7) || !is_digits(value) || value.starts_with('0') {
        let what = "a discipline code has 3, 5 or 7 digits and does not start with 0, such as 14035 (GB/T 13745)";
        return Err(Fault::new("DISCIPLINE_CODE_MALFORMED", what));
    }
    Ok(())
}

/// Checks a day, `2024-06-30`: it must exist.
///
/// # Errors
/// A [`Fault`] where it is written otherwise, or where the month has no such day.
pub fn date(value: &str) -> Result<(), Fault> {
    let malformed = || Fault::new("DATE_MALFORMED", "a day is written YYYY-MM-DD, such as 2024-06-30");
    let (year, month, day) = match parts(value).ok_or_else(malformed)? {
        (year, Some(month), Some(day)) => (year, month, day),
        _ => return Err(malformed()),
    };
    exists(year, month, day)
}

/// Checks a day, a month or a year: `2024-06-30`, `2024-06` or `2024`.
///
/// # Errors
/// A [`Fault`] where it is written otherwise, or where there is no such year, month or day.
pub fn partial_date(value: &str) -> Result<(), Fault> {
    let malformed = || {
        let what = "give a year, a month or a day, such as 2024, 2024-06 or 2024-06-30";
        Fault::new("DATE_MALFORMED", what)
    };
    let (year, month, day) = parts(value).ok_or_else(malformed)?;
    exists(year, month.unwrap_or(1), day.unwrap_or(1))
}

/// Year, month and day as far as they are given, each with all its digits.
fn parts(value: &str) -> Option<(i16, Option<i8>, Option<i8>)> {
    let mut parts = value.split('-');
    let year = parts
        .next()
        .filter(|year| year.len() == 4 && is_digits(year))?
        .parse()
        .ok()?;
    let mut two = || match parts.next() {
        None => Some(None),
        Some(part) if part.len() == 2 && is_digits(part) => part.parse().ok().map(Some),
        Some(_) => None,
    };
    let (month, day) = (two()?, two()?);
    parts.next().is_none().then_some((year, month, day))
}

fn exists(year: i16, month: i8, day: i8) -> Result<(), Fault> {
    let fault = |what: String| Err(Fault::new("DATE_DOES_NOT_EXIST", what));
    if year < 1 {
        return fault("there is no year 0: the year must be 0001 to 9999".to_owned());
    }
    let Ok(first) = Date::new(year, month, 1) else {
        return fault("the month must be 01 to 12".to_owned());
    };
    let last = first.days_in_month();
    if !(1..=last).contains(&day) {
        return fault(format!("this month has the days 01 to {last}"));
    }
    Ok(())
}
