//! The resident id (公民身份号码, GB 11643-1999), and how a document number is shown when it may not be read.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::noise::is_unseen;
use super::{Fault, code, plain};

const CHECKS: &str = "10X98765432";

/// A resident id that passed its check, taken apart. Its debug form is masked.
#[derive(Clone, PartialEq, Eq)]
pub struct ResidentId {
    /// All 18 characters, X in upper case.
    pub number: String,
    /// The day of birth, `1949-12-31`.
    pub birth_date: String,
    /// Where it was first given: the division code (GB/T 2260) of that time.
    pub division_code: String,
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResidentId({})", mask_document(&self.number))
    }
}

/// Checks a resident id and takes it apart. The first six digits are not compared with the divisions of today: a
/// number outlives the division that gave it, and residence permits use codes of their own.
///
/// # Errors
/// A [`Fault`] that names the rule that is broken, and no part of the number.
pub fn resident_id(value: &str) -> Result<ResidentId, Fault> {
    let number = plain(value).to_uppercase();
    let count = number.chars().count();
    if count != 18 {
        let what = format!("has {count} characters: a resident id has 18 (the old form with 15 is no longer valid)");
        return Err(Fault::new("RESIDENT_ID_MALFORMED", what));
    }
    let (first, last) = number.split_at_checked(17).unwrap_or(("", ""));
    let digits = first.bytes().all(|b| b.is_ascii_digit()) && !first.starts_with('0');
    if !digits || !matches!(last.as_bytes(), [b'0'..=b'9' | b'X']) {
        let what = "a resident id is 17 digits, the first not 0, and then a digit or X";
        return Err(Fault::new("RESIDENT_ID_MALFORMED", what));
    }
    let birth_date = format!("{}-{}-{}", &first[6..10], &first[10..12], &first[12..14]);
    if code::date(&birth_date).is_err() || birth_date.as_str() < "1800" {
        let what = "characters 7 to 14 must be a day of birth that exists, not before 1800, as YYYYMMDD";
        return Err(Fault::new("RESIDENT_ID_BIRTH_DATE_WRONG", what));
    }
    if !last.starts_with(check(first)) {
        let what = "the last character does not fit the 17 before it: one of the 18 is mistyped";
        return Err(Fault::new("RESIDENT_ID_CHECK_WRONG", what));
    }
    let division_code = first[..6].to_owned();
    Ok(ResidentId {
        number,
        birth_date,
        division_code,
    })
}

/// The 18th character for the first 17 digits.
pub(super) fn check(first: &str) -> char {
    // Horner's rule gives the weights 2^(17-i) mod 11.
    let sum = first
        .chars()
        .fold(0, |sum, c| (sum + c.to_digit(10).unwrap_or(0)) * 2 % 11);
    CHECKS.chars().nth(sum as usize).unwrap_or('0')
}

/// What is shown in the place of a document number: that there is one. Any character of it, and its length too, would narrow the
/// search for the rest.
pub fn mask_document(value: &str) -> String {
    if value.trim().is_empty() {
        String::new()
    } else {
        "********".to_owned()
    }
}

/// The first two digits of a division code: the provinces, and foreigners with permanent residence.
const PROVINCES: [u8; 36] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82, 83, 91,
];

/// Where the digits of other scripts begin: Arabic, Persian, the scripts of India, Thai, Lao, Tibetan, Burmese, Khmer, Mongolian.
const ZEROS: [char; 17] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}',
];

/// Whether a text holds what reads as a resident id, however it is written: with blanks, hyphens, dots or a prefix, in digits of
/// other widths and scripts, with a wrong last character, or in the old form of 15 digits, which then stand together. Of random numbers
/// of 18 digits some 3 in 10,000 read so, of 15 digits some 13 in 1,000.
pub fn holds_resident_id(text: &str) -> bool {
    // Digits of other widths and scripts begin with these bytes, the characters of Chinese with none of them.
    if text.len() < 15 {
        return false;
    }
    let digits = text.bytes().filter(|b| matches!(b, b'0'..=b'9' | 0xc2..=0xe2 | 0xef..));
    if digits.take(15).count() < 15 {
        return false;
    }
    let (mut run, mut together, mut parted) = (String::new(), true, false);
    // What the one form of a text leaves out parts no number.
    let seen = text
        .nfkc()
        .filter(|c| !super::unseen(*c) && !is_unseen(*c))
        .chain(['\0']);
    for c in seen {
        if let Some(digit) = digit(c) {
            together &= !parted;
            run.push(digit);
        } else if matches!(c, 'x' | 'X') && (17..=20).contains(&run.len()) {
            run.push('X');
        } else if !c.is_alphanumeric() && c != '\0' {
            parted = !run.is_empty();
        } else {
            if reads_as_resident_id(&run, together) {
                return true;
            }
            run.clear();
            (together, parted) = (true, false);
        }
    }
    false
}

/// A digit of any of these scripts.
pub(super) fn digit(c: char) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    let other = ZEROS
        .iter()
        .find_map(|zero| u32::from(c).checked_sub((*zero).into()).filter(|n| *n < 10));
    char::from_digit(other?, 10)
}

/// `run` is digits, or 17 of them and an X. A number of a row or a copy may stand right before or behind it.
fn reads_as_resident_id(run: &str, together: bool) -> bool {
    let day = match run.len() {
        19..=21 => {
            return reads_as_resident_id(&run[..18], together)
                || reads_as_resident_id(&run[run.len() - 18..], together);
        }
        18 => run[6..14].to_owned(),
        15 if together => format!("19{}", &run[6..12]),
        _ => return false,
    };
    let province = run[..2].parse().is_ok_and(|province: u8| PROVINCES.contains(&province));
    let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
    let is_day = ("1890".."2040").contains(&day.as_str()) && code::date(&day).is_ok();
    is_day && (province || resident_id(run).is_ok())
}
