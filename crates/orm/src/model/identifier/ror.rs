//! The id of the Research Organization Registry: 0, six characters of base32, two check digits (ISO 7064 MOD 97-10).

use super::{Fault, without_prefix};

/// The 32 digits of Crockford's base32 in the order of their values.
pub(super) const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

const PREFIXES: [&str; 4] = ["https://ror.org/", "http://ror.org/", "www.ror.org/", "ror.org/"];

pub(super) fn canonical(value: &str) -> Result<String, Fault> {
    let value: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let id = without_prefix(&value, &PREFIXES).to_lowercase();
    let id = id.strip_suffix('/').unwrap_or(&id);
    let malformed = |what: String| Fault::new("ROR_MALFORMED", what);
    let count = id.chars().count();
    if count != 9 {
        return Err(malformed(format!(
            "has {count} characters where a ROR id has 9, such as 00wk2mp56"
        )));
    }
    if !id.starts_with('0') {
        return Err(malformed("a ROR id starts with 0".to_owned()));
    }
    if let Some((place, c)) = id.chars().enumerate().find(|(_, c)| !ALPHABET.contains(*c)) {
        let what = format!(
            "character {} is {c:?}: only digits and letters without i, l, o and u occur",
            place + 1
        );
        return Err(malformed(what));
    }
    if !id[7..].bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed("the last two characters must be digits".to_owned()));
    }
    let check = check(&id[1..7]);
    if id[7..] != check {
        return Err(Fault::new(
            "ROR_CHECK_WRONG",
            format!("the last two digits must be {check} for the seven before them"),
        ));
    }
    Ok(id.to_owned())
}

/// The two check digits for the six characters in the middle.
pub(super) fn check(middle: &str) -> String {
    let number = middle.chars().fold(0, |number, c| {
        let digit = ALPHABET.chars().position(|a| a == c).unwrap_or(0);
        (number * 32 + digit) % 97
    });
    format!("{:02}", 98 - number * 100 % 97)
}
