//! The values of a filter: read by the type of their field, and written back.

use std::fmt::{self, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use unicode_normalization::char::is_combining_mark;

use super::{Operator, Value, value_invalid};
use crate::error::Error;
use crate::id::Name;
use crate::model::column::{self, Column, Type};

/// 0001-01-01T00:00:00Z in microseconds, the earliest instant that the contract can tell.
const EARLIEST: i64 = -62_135_596_800_000_000;

/// Whether a character needs no quotes. Marks are what a decomposed `é` ends with.
pub(super) fn is_bare(character: char) -> bool {
    match character {
        '_' | '-' | '.' | '/' | ':' | '+' | '*' => true,
        _ => character.is_alphanumeric() || (!character.is_ascii() && is_combining_mark(character)),
    }
}

/// The words that are no values without quotes.
pub(super) fn is_keyword(text: &str) -> bool {
    matches!(text, "AND" | "OR" | "NOT")
}

/// Reads a value by the type of its field. `at` is where it stands, for the error.
pub(super) fn read(column: Column, operator: Operator, text: &str, quoted: bool, at: usize) -> Result<Value, Error> {
    let name = column.name;
    if !quoted && text.contains('*') {
        if text == "*" && operator == Operator::Has {
            return Ok(Value::Any);
        }
        let right = format!("write `{name}:*` for `{name}` is set, and a text with a star in quotes");
        return Err(value_invalid(
            at,
            &format!("`*` does not stand for other characters here; {right}"),
        ));
    }
    if text.contains('\0') {
        return Err(value_invalid(
            at,
            &format!("the value of `{name}` may not hold the character U+0000"),
        ));
    }
    let (value, expected) = match column.kind {
        Type::Text if text.is_empty() && operator == Operator::Has => (
            None,
            format!("words after `{name}:`; write `{name}:*` for `{name}` is set"),
        ),
        Type::Text => (Some(Value::Text(text.to_owned())), String::new()),
        Type::Integer => (
            text.parse().ok().map(Value::Integer),
            format!("a whole number for `{name}`, for example `2024`"),
        ),
        Type::Hundredths => (
            column::hundredths(text).map(Value::Integer),
            format!("points with at most two decimals for `{name}`, for example `80` or `91.37`"),
        ),
        Type::Boolean => (
            text.parse().ok().map(Value::Boolean),
            format!("`true` or `false` for `{name}`"),
        ),
        Type::Time => (
            time(text).map(Value::Integer),
            format!("a time for `{name}`, for example `2024-09-30T00:00:00Z` or `2024-09-30`"),
        ),
        Type::Date => (
            date(text, operator).map(Value::Text),
            format!("a year, month or day for `{name}`, for example `2024`, `2024-09` or `2024-09-30`"),
        ),
        // A name that is none asks for what has none.
        Type::Name(_) | Type::Period(..) if text.is_empty() && operator != Operator::Has => {
            (Some(Value::Text(String::new())), String::new())
        }
        Type::Period(period, _) => (
            period.is_one(text).then(|| Value::Text(text.to_owned())),
            format!("{} for `{name}`", period.example()),
        ),
        Type::Name(of) => (
            Name::parse(text).map(|_| Value::Text(text.to_owned())),
            format!(
                "a resource name for `{name}`, for example `{}`",
                of.replace("{id}", "01jd2k3m4n5p6q7r8s9t0v1w2x")
            ),
        ),
        Type::Enum(values) => {
            let prefix = column::enum_prefix(values);
            let short: Vec<_> = values
                .iter()
                .map(|(full, _)| full.strip_prefix(prefix).unwrap_or(full))
                .collect();
            let number = column::enum_number(values, text).map(|number| Value::Integer(number.into()));
            (number, format!("one of these for `{name}`: {}", short.join(", ")))
        }
    };
    value.ok_or_else(|| value_invalid(at, &format!("expected {expected}")))
}

/// Writes a value so that it reads as the same.
pub(super) fn write(f: &mut fmt::Formatter<'_>, column: Column, value: &Value) -> fmt::Result {
    match (column.kind, value) {
        (_, Value::Any) => f.write_char('*'),
        (_, Value::Boolean(yes)) => write!(f, "{yes}"),
        (_, Value::Text(text)) => write_text(f, text),
        (Type::Enum(values), Value::Integer(number)) => {
            match values.iter().find(|(_, of_value)| i64::from(*of_value) == *number) {
                Some((full, _)) => f.write_str(full),
                None => write!(f, "{number}"),
            }
        }
        (Type::Time, Value::Integer(micros)) => match Timestamp::from_microsecond(*micros) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{micros}"),
        },
        (Type::Hundredths, Value::Integer(number)) => f.write_str(&column::points(*number)),
        (_, Value::Integer(number)) => write!(f, "{number}"),
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if !text.is_empty() && !is_keyword(text) && text.chars().all(|c| c != '*' && is_bare(c)) {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    f.write_char('"')
}

/// RFC 3339, or a day, which begins at midnight in China, as all days of the register do. In microseconds; what is finer is cut off.
fn time(text: &str) -> Option<i64> {
    let time: Timestamp = match text.split_at_checked(10)? {
        (day, "") => {
            civil(day)?;
            let begins: Timestamp = format!("{day}T00:00:00+08:00").parse().ok()?;
            return Some(begins.as_microsecond().max(EARLIEST));
        }
        // jiff reads more than RFC 3339 has: other calendars' weeks, names of time zones.
        (day, rest) if civil(day).is_some() && rest.starts_with(['T', 't']) && !rest.contains('[') => {
            text.parse().ok()?
        }
        _ => return None,
    };
    Some(time.as_microsecond()).filter(|micros| *micros >= EARLIEST)
}

/// A year, month or day; what ends with it or begins after it is told by its last day.
fn date(text: &str, operator: Operator) -> Option<String> {
    let (first, last) = match text.len() {
        4 => civil(&format!("{text}-01-01")).map(|day| (day, day.last_of_year()))?,
        7 => civil(&format!("{text}-01")).map(|day| (day, day.last_of_month()))?,
        _ => civil(text).map(|day| (day, day))?,
    };
    let by_last_day = first != last && matches!(operator, Operator::LessOrEqual | Operator::Greater);
    Some(if by_last_day { last.to_string() } else { text.to_owned() })
}

/// A day as `YYYY-MM-DD`, from the year 1 on.
fn civil(text: &str) -> Option<Date> {
    let shape = |(place, byte): (usize, u8)| {
        if matches!(place, 4 | 7) {
            byte == b'-'
        } else {
            byte.is_ascii_digit()
        }
    };
    if text.len() != 10 || !text.bytes().enumerate().all(shape) {
        return None;
    }
    text.parse::<Date>().ok().filter(|day| day.year() > 0)
}
