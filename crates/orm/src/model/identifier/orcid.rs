//! ORCID: fifteen digits and a check character (ISO 7064 MOD 11-2), in four groups.

use super::noise::is_dash;
use super::{Fault, without_prefix};

const PREFIXES: [&str; 6] = [
    "https://www.orcid.org/",
    "http://www.orcid.org/",
    "https://orcid.org/",
    "http://orcid.org/",
    "www.orcid.org/",
    "orcid.org/",
];

pub(super) fn canonical(value: &str) -> Result<String, Fault> {
    let id = without_prefix(value, &PREFIXES);
    let id = id.strip_suffix('/').unwrap_or(id);
    let malformed = || {
        let what = "an ORCID has 16 characters, digits and at the end perhaps X, such as 0000-0002-1825-0097";
        Fault::new("ORCID_MALFORMED", what)
    };
    let chars: Vec<char> = id
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| if is_dash(c) { '-' } else { c.to_ascii_uppercase() })
        .collect();
    let grouped = chars.len() == 19;
    let digits: String = chars
        .iter()
        .enumerate()
        .filter(|(place, c)| !(grouped && **c == '-' && matches!(place, 4 | 9 | 14)))
        .map(|(_, c)| *c)
        .collect();
    let (first, last) = digits.split_at_checked(15).ok_or_else(malformed)?;
    if !first.bytes().all(|b| b.is_ascii_digit()) || !matches!(last.as_bytes(), [b'0'..=b'9' | b'X']) {
        return Err(malformed());
    }
    let check = check(first);
    if !last.starts_with(check) {
        let what = format!("the last character must be {check} for the 15 digits before it");
        return Err(Fault::new("ORCID_CHECK_WRONG", what));
    }
    Ok(format!(
        "{}-{}-{}-{}",
        &digits[..4],
        &digits[4..8],
        &digits[8..12],
        &digits[12..]
    ))
}

/// The 16th character for the first 15 digits.
pub(super) fn check(first: &str) -> char {
    let total = first
        .chars()
        .fold(0, |total, c| (total + c.to_digit(10).unwrap_or(0)) * 2 % 11);
    match (12 - total) % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}
