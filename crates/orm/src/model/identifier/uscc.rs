//! The unified social credit code (统一社会信用代码, GB 32100-2015) with the organization code (GB 11714) inside it.

use super::{Fault, noise};

/// The 31 characters of a USCC in the order of their values; I, O, S, V and Z are left out.
pub(super) const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

const ORGANIZATION_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// `given` is the whole of what was given, of which `value` is left.
pub(super) fn canonical(value: &str, given: &str) -> Result<String, Fault> {
    let part_of_none = |c: &char| c.is_whitespace() || noise::is_quote(*c) || noise::is_dash(*c);
    let value: String = value.to_uppercase().chars().filter(|c| !part_of_none(c)).collect();
    let malformed = |what: String| Fault::new("USCC_MALFORMED", what);
    if value.chars().count() != 18 {
        let count = noise::count(given, &value);
        let read = value.chars().count();
        let unread = if read < count {
            format!(", of which {read} can be read")
        } else {
            String::new()
        };
        return Err(malformed(format!(
            "has {count} characters{unread}: a unified social credit code has 18"
        )));
    }
    if let Some((place, c)) = value.chars().enumerate().find(|(_, c)| !ALPHABET.contains(*c)) {
        let what = format!(
            "character {} is {c:?}: only digits and capitals without I, O, S, V and Z occur",
            place + 1
        );
        return Err(malformed(what));
    }
    if !value[2..8].bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed(
            "characters 3 to 8 must be the six digits of a division code".to_owned(),
        ));
    }
    let (check, organization_check) = (check(&value[..17]), organization_check(&value[8..16]));
    if !value.ends_with(check) {
        let what = format!("the last character must be {check} for the 17 before it");
        return Err(Fault::new("USCC_CHECK_WRONG", what));
    }
    if !value[16..17].starts_with(organization_check) {
        let what = format!("character 17 must be {organization_check} for the organization code in characters 9 to 16");
        return Err(Fault::new("USCC_ORGANIZATION_CHECK_WRONG", what));
    }
    Ok(value)
}

/// The 18th character for the first 17. Where the remainder is 0 the check is 0, not 31.
pub(super) fn check(first: &str) -> char {
    let (sum, _) = first.chars().fold((0, 1), |(sum, weight), c| {
        let value = ALPHABET.chars().position(|a| a == c).unwrap_or(0);
        ((sum + value * weight) % 31, weight * 3 % 31)
    });
    ALPHABET.chars().nth((31 - sum) % 31).unwrap_or('0')
}

/// The check of GB 11714 for the eight characters of an organization code. There A is 10 and Z is 35, so the values
/// differ from those of the USCC.
pub(super) fn organization_check(first: &str) -> char {
    let sum: u32 = first
        .chars()
        .zip(ORGANIZATION_WEIGHTS)
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum();
    match (11 - sum % 11) % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}
