//! The text of a cell as a value of the contract: numbers, fractions, truth and enum values.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, Value};

use crate::template::halfwidth;
use crate::words::{meant, word};

/// Why a text is not a value: a reason code and words.
#[derive(Debug, PartialEq)]
pub(crate) struct Unfit {
    pub(crate) reason: &'static str,
    pub(crate) description: String,
}

pub(crate) fn unfit<T>(reason: &'static str, description: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit {
        reason,
        description: description.into(),
    })
}

/// The signs that spreadsheets show where a formula failed.
const CELL_ERRORS: [&str; 8] = [
    "#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#DATA!",
];

/// Refuses the sign of a failed formula.
pub(crate) fn sound(text: &str) -> Result<(), Unfit> {
    if text.starts_with('#') && CELL_ERRORS.contains(&text) {
        return unfit(
            "CELL_ERROR",
            format!("a formula failed here ({text}); put the value in"),
        );
    }
    Ok(())
}

/// The value of `kind` that `text`, which is not empty, stands for.
pub(crate) fn convert(text: &str, kind: &Kind, times: u64) -> Result<Value, Unfit> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => truth(text).map(Value::Bool),
        Kind::Enum(values) => enumerated(text, values).map(Value::EnumNumber),
        Kind::Int32 => match i32::try_from(whole(text, times)?) {
            Ok(n) => Ok(Value::I32(n)),
            Err(_) => unfit("NUMBER_TOO_LARGE", "a number of at most 2147483647 is expected"),
        },
        Kind::Int64 => whole(text, times).map(Value::I64),
        Kind::Message(message) if message.full_name() == SHARE => {
            let (numerator, denominator) = fraction(text)?;
            let mut share = DynamicMessage::new(message.clone());
            share.set_field_by_name("numerator", Value::I32(numerator));
            share.set_field_by_name("denominator", Value::I32(denominator));
            Ok(Value::Message(share))
        }
        _ => unfit(
            "VALUE_INVALID",
            "this field cannot be filled from one text: the mapping gives its parts in a table",
        ),
    }
}

/// The message that a text such as `1/4` can fill.
pub(crate) const SHARE: &str = "mingce.awards.v1.Share";

fn truth(text: &str) -> Result<bool, Unfit> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "是" | "有" | "√" => Ok(true),
        "false" | "no" | "n" | "0" | "否" | "无" | "×" => Ok(false),
        _ => unfit(
            "BOOLEAN_INVALID",
            "true or false, yes or no, 1 or 0, 是 or 否 is expected",
        ),
    }
}

/// An enum value by its whole name or without the enum's prefix, in any case, or by its Chinese word.
pub(crate) fn enumerated(text: &str, values: &EnumDescriptor) -> Result<i32, Unfit> {
    let wanted = text.to_uppercase().replace([' ', '-'], "_");
    let prefix = values
        .get_value(0)
        .map(|v| v.name().trim_end_matches("UNSPECIFIED").to_owned())
        .unwrap_or_default();
    let short = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
    match values
        .values()
        .find(|v| v.name() == wanted || short(v.name()) == wanted)
        .map(|value| value.number())
        .or_else(|| meant(text, values))
    {
        Some(number) => Ok(number),
        None => {
            let known: Vec<_> = values
                .values()
                .filter(|v| v.number() != 0)
                .map(|v| match word(v.name()) {
                    Some(word) => format!("{} ({word})", short(v.name())),
                    None => short(v.name()),
                })
                .collect();
            unfit("ENUM_VALUE_UNKNOWN", format!("one of {} is expected", known.join(", ")))
        }
    }
}

/// A whole number, times `times`: `1,200`, `12.50` times 100, full-width digits.
fn whole(text: &str, times: u64) -> Result<i64, Unfit> {
    let wrong = || {
        let said = "a number is expected, digits with at most one point, such as 1200 or 12.5";
        unfit("NUMBER_INVALID", said)
    };
    let plain: String = halfwidth(text)
        .chars()
        .filter(|c| !matches!(c, ',' | ' ' | '\u{a0}'))
        .collect();
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all = format!("{integer}{fraction}");
    if integer.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || digits.ends_with('.') {
        return wrong();
    }
    let too_large = || Unfit {
        reason: "NUMBER_TOO_LARGE",
        description: format!(
            "the number is too large, at most {} is possible: is its unit right?",
            i64::MAX
        ),
    };
    let mut number = all
        .parse::<i128>()
        .map_err(|_| too_large())?
        .checked_mul(i128::from(times))
        .ok_or_else(too_large)?;
    for _ in 0..fraction.len() {
        if number % 10 != 0 {
            return unfit(
                "NUMBER_NOT_WHOLE",
                "a whole number is expected, or fewer digits after the point",
            );
        }
        number /= 10;
    }
    i64::try_from(if negative { -number } else { number }).map_err(|_| too_large())
}

/// `1/4`, or a number of parts in a hundred with its sign: `25%`.
fn fraction(text: &str) -> Result<(i32, i32), Unfit> {
    let plain = halfwidth(text).replace(' ', "");
    let parse = |s: &str| s.parse::<i32>().ok().filter(|n| (1..=1000).contains(n));
    let pair = match (plain.split_once('/'), plain.strip_suffix('%')) {
        (Some((a, b)), _) => parse(a).zip(parse(b)),
        (None, Some(percent)) => parse(percent).map(|p| (p, 100)),
        (None, None) => parse(&plain).filter(|&n| n == 1).map(|n| (n, 1)),
    };
    match pair {
        Some((a, b)) if a <= b => Ok((a, b)),
        _ => unfit(
            "FRACTION_INVALID",
            "a part such as 1/4 or 25% is expected, at most the whole",
        ),
    }
}

/// A number with its unit, as a whole number of the smallest; the unit of a bare number is that of `""`.
pub(crate) fn measured(text: &str, units: &HashMap<String, u64>) -> Result<String, Unfit> {
    let plain = halfwidth(text);
    let number = plain
        .trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.')
        .trim_end_matches(char::is_alphabetic);
    let unit = plain.get(number.len()..).unwrap_or_default().trim();
    let known = units.iter().find(|(name, _)| halfwidth(name).trim() == unit);
    let Some((_, factor)) = known else {
        let mut names: Vec<_> = units.keys().filter(|n| !n.is_empty()).map(String::as_str).collect();
        names.sort_unstable();
        return unfit(
            "UNIT_UNKNOWN",
            format!("a number with one of the units {} is expected", names.join(", ")),
        );
    };
    whole(number, *factor).map(|n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::pool;

    #[test]
    fn numbers_with_units_are_exact() {
        let units: HashMap<String, u64> = [
            ("", 1_000_000),
            ("万元", 1_000_000),
            ("元", 100),
            ("亿元", 10_000_000_000),
        ]
        .map(|(u, n)| (u.to_owned(), n))
        .into();
        for (text, expected) in [
            ("12.5万元", "12500000"),
            ("1,200 元", "120000"),
            ("3", "3000000"),
            ("１．５亿元", "15000000000"),
        ] {
            assert_eq!(measured(text, &units).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(measured("12美元", &units).unwrap_err().reason, "UNIT_UNKNOWN");
        assert_eq!(measured("元", &units).unwrap_err().reason, "NUMBER_INVALID");
    }

    #[test]
    fn numbers_are_exact_and_multiplied_without_rounding() {
        assert_eq!(whole("1,200", 1), Ok(1200));
        assert_eq!(whole("１２．５０", 100), Ok(1250));
        assert_eq!(whole("0.07", 1_000_000), Ok(70_000));
        assert_eq!(whole("1991.0", 1), Ok(1991));
        assert_eq!(whole("-3", 1), Ok(-3));
        assert_eq!(whole("9223372036854775807", 1), Ok(i64::MAX));
        for (text, reason) in [
            ("12.345", "NUMBER_NOT_WHOLE"),
            ("1e5", "NUMBER_INVALID"),
            ("12㎡", "NUMBER_INVALID"),
            (".5", "NUMBER_INVALID"),
            ("9223372036854775808", "NUMBER_TOO_LARGE"),
            ("1.", "NUMBER_INVALID"),
            ("-", "NUMBER_INVALID"),
        ] {
            assert_eq!(whole(text, 100).unwrap_err().reason, reason, "{text}");
        }
    }

    #[test]
    fn fractions_are_parts_of_a_whole() {
        assert_eq!(fraction("1/4"), Ok((1, 4)));
        assert_eq!(fraction(" 1 ／ 2 "), Ok((1, 2)));
        assert_eq!(fraction("40%"), Ok((40, 100)));
        assert_eq!(fraction("1"), Ok((1, 1)));
        for wrong in ["0/4", "5/4", "1/0", "4", "1/2/3", "x"] {
            assert_eq!(fraction(wrong).unwrap_err().reason, "FRACTION_INVALID", "{wrong}");
        }
    }

    #[test]
    fn enum_values_are_found_by_whole_or_short_name_and_else_listed() {
        let level = pool().get_enum_by_name("mingce.registry.v1.Level").unwrap();
        assert_eq!(enumerated("LEVEL_DISTRICT", &level), Ok(4));
        assert_eq!(enumerated("district", &level), Ok(4));
        assert_eq!(enumerated("区级", &level), Ok(4));
        let error = enumerated("乡级", &level).unwrap_err();
        assert_eq!(
            error.description,
            "one of NATIONAL (国家级), PROVINCIAL (省级), MUNICIPAL (市级), DISTRICT (区级), INTERNATIONAL (国际) is expected"
        );
        let platform = pool().get_enum_by_name("mingce.labs.v1.LabPlatform").unwrap();
        assert_eq!(enumerated("key-laboratory", &platform), Ok(1));
    }
}
