//! The identity document of a person: a resident number, a passport or a permit, however it is written; or none.

use super::noise::{bare, count, is_dash, is_quote, is_scientific, says_none, scientific};
use super::{Fault, code, resident};

/// What is said of an identity document that is none.
const UNCLEAR: &str = "IDENTITY_DOCUMENT_UNCLEAR";

/// The one form in which an identity document is stored and compared; `None` where the value is empty or says that there is none. Labels,
/// apostrophes, blanks and hyphens go first. Then it is one of
///
/// - a resident number with its check, or one of 15 digits, which is brought to 18;
/// - a permit of residents of Hong Kong and Macao (H or M and 8 digits; the two behind them that count its issues are left out) or of
///   Taiwan (8 digits; 10 of the old form, the last two of which count too);
/// - a card of permanent residence of a foreigner (3 letters and 12 digits; the new form is a resident number);
/// - a passport: 6 to 9 letters and digits, at least 3 of them digits, or 9 digits.
///
/// # Errors
/// A [`Fault`] that says what would be right, and no part of the value.
pub fn document(value: &str) -> Result<Option<String>, Fault> {
    if says_none(value) {
        return Ok(None);
    }
    if is_scientific(value) {
        return Err(scientific(UNCLEAR));
    }
    let part_of_none = |c: char| c.is_whitespace() || is_quote(c) || is_dash(c) || matches!(c, '(' | ')');
    let number: String = bare(value)
        .to_uppercase()
        .chars()
        .filter(|c| !part_of_none(*c))
        .collect();
    let number = with_latin_x(number);
    for (place, _) in number.char_indices().take(5) {
        // A label in Latin letters may stand right before a resident number.
        let (label, rest) = number.split_at(place);
        if !label.bytes().all(|b| b.is_ascii_alphabetic()) {
            break;
        }
        if rest.len() == 18 && (place == 0 || resident::resident_id(rest).is_ok()) {
            return card(rest, value).map(Some);
        }
        if let Some(number) = Some(rest).filter(|rest| rest.is_ascii()).and_then(old_card) {
            return Ok(Some(number));
        }
    }
    let is_plain = number.bytes().all(|b| b.is_ascii_alphanumeric());
    let travel = Some(number.as_str()).filter(|_| is_plain).and_then(travel);
    travel.map(Some).ok_or_else(|| unclear(&number, value))
}

/// A card of 18 characters.
fn card(number: &str, value: &str) -> Result<String, Fault> {
    match resident::resident_id(number) {
        Ok(card) => Ok(card.number),
        Err(fault) if fault.reason == "RESIDENT_ID_MALFORMED" => Err(unclear(number, value)),
        Err(fault) if number.ends_with("000") => {
            let said = format!(
                "{}; it ends in 000, as where a spreadsheet has rounded the number: set the column to text and type it again. \
                 号码可能已被 Excel 四舍五入，请把该列设为文本后重填。",
                fault.description
            );
            Err(Fault::new(fault.reason, said))
        }
        Err(fault) => Err(fault),
    }
}

/// A resident number of 15 digits, given until 1999, as 18: the century is put in and the check is computed. The last numbers of a day
/// were kept for those born before 1900.
fn old_card(number: &str) -> Option<String> {
    let digits = number.len() == 15 && number.bytes().all(|b| b.is_ascii_digit());
    let (division, rest) = Some(number).filter(|_| digits)?.split_at_checked(6)?;
    let century =
        if number.ends_with("996") || number.ends_with("997") || number.ends_with("998") || number.ends_with("999") {
            "18"
        } else {
            "19"
        };
    let first = format!("{division}{century}{rest}");
    let whole = format!("{first}{}", resident::check(&first));
    resident::resident_id(&whole).ok().map(|card| card.number)
}

/// A passport or a permit.
fn travel(number: &str) -> Option<String> {
    let letters = number.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let (head, tail) = number.split_at_checked(letters)?;
    let only_digits = tail.bytes().all(|b| b.is_ascii_digit());
    if number.bytes().all(|b| b == b'0') {
        return None;
    }
    let known = match (number.len(), head) {
        (11, "H" | "M") if only_digits => number.get(..9)?,
        (8, "") if only_digits && !is_day(number) => number,
        (10, "") if only_digits && number.starts_with('0') => number.get(..8)?,
        (11, "") if digits == 10 && number.starts_with('0') && number.ends_with(|c: char| c.is_ascii_alphabetic()) => {
            number.get(..8)?
        }
        (15, _) if letters == 3 && only_digits => number,
        (9, "") if only_digits => number,
        (6..=9, _) if digits >= 3 && digits < number.len() => number,
        _ => return None,
    };
    Some(known.to_owned())
}

/// Whether eight digits are a day that somebody now living may have seen: a birthday in the wrong column.
fn is_day(number: &str) -> bool {
    let (Some(year), Some(month), Some(day)) = (number.get(..4), number.get(4..6), number.get(6..)) else {
        return false;
    };
    ("1900".."2100").contains(&year) && code::date(&format!("{year}-{month}-{day}")).is_ok()
}

/// The last character of a card of 18 as the letter X, where a sign that looks like it stands there.
fn with_latin_x(number: String) -> String {
    match number.strip_suffix(['×', '✕', 'Х', 'Χ']) {
        Some(first) if first.len() == 17 => format!("{first}X"),
        _ => number,
    }
}

/// `value` is what was given, of which `number` is what is left.
fn unclear(number: &str, value: &str) -> Fault {
    let said = format!(
        "has {} characters, and is neither a resident number (18 with their check, or 15 digits), nor a permit or passport: give one of them, or \
         nothing where there is none. 证件号码无法识别：请填18位或15位身份证号、护照、通行证或永久居留证号码；没有请留空。",
        count(value, number)
    );
    Fault::new(UNCLEAR, said)
}
