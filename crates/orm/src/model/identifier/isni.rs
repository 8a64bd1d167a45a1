//! The International Standard Name Identifier (ISO 27729): the number and check of an ORCID, written in four groups with blanks.

use super::noise::is_dash;
use super::{Fault, orcid, without_prefix};

const PREFIXES: [&str; 8] = [
    "https://www.isni.org/isni/",
    "http://www.isni.org/isni/",
    "https://isni.org/isni/",
    "http://isni.org/isni/",
    "www.isni.org/isni/",
    "isni.org/isni/",
    "https://isni.org/",
    "isni.org/",
];

pub(super) fn canonical(value: &str) -> Result<String, Fault> {
    let id = without_prefix(value, &PREFIXES);
    let id: String = id.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)).collect();
    let id = id.to_ascii_uppercase();
    let malformed = || {
        let what = "an ISNI has 16 characters, digits and at the end perhaps X, such as 0000 0001 2150 090X";
        Fault::new("ISNI_MALFORMED", what)
    };
    let (first, last) = id.split_at_checked(15).ok_or_else(malformed)?;
    if !first.bytes().all(|b| b.is_ascii_digit()) || !matches!(last.as_bytes(), [b'0'..=b'9' | b'X']) {
        return Err(malformed());
    }
    let check = orcid::check(first);
    if !last.starts_with(check) {
        let what = format!("the last character must be {check} for the 15 digits before it");
        return Err(Fault::new("ISNI_CHECK_WRONG", what));
    }
    Ok(format!("{} {} {} {}", &id[..4], &id[4..8], &id[8..12], &id[12..]))
}
