//! Checks and canonical forms of identifiers that others gave: USCC, ROR, ORCID, resident ids, codes and days.

mod code;
mod document;
#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod fuzz;
mod isni;
mod noise;
mod orcid;
mod resident;
mod ror;
#[cfg(test)]
mod tests;
mod uscc;

pub use code::{date, discipline_code, division_code, partial_date};
pub use document::document;
pub use noise::says_none;
pub use resident::{ResidentId, holds_resident_id, mask_document, resident_id};

use unicode_normalization::UnicodeNormalization;

/// The longest identifier of a scheme without a check, in characters.
pub const MAX_CHARS: usize = 100;

/// Why something is not the identifier, code or day that it should be. It never repeats the value, which may be a
/// resident id in the wrong field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct Fault {
    /// In UPPER_SNAKE_CASE, for programs.
    pub reason: &'static str,
    /// What is wrong and what would be right, for people.
    pub description: String,
}

impl Fault {
    fn new(reason: &'static str, description: impl Into<String>) -> Self {
        Self {
            reason,
            description: description.into(),
        }
    }
}

/// What is wrong with a resident id in another field.
pub const IN_CLEAR: &str = "reads as the number of an identity card, which stands in clear here: leave it out, or give it as the identity_document of \
                            a person, which is sealed";

/// Schemes with a check of their own: their identifiers are brought to one form.
pub(crate) const CHECKED: [&str; 4] = ["isni", "orcid", "ror", "uscc"];

/// Whether a scheme is one of those that a subject has one value of and keeps for life: two values of it are two subjects. Numbers of
/// other schemes may change, or may have been given to two by a slip.
pub fn identifies(scheme: &str) -> bool {
    CHECKED.contains(&scheme)
}

/// The one form in which an identifier is stored and compared. `uscc`, `ror`, `orcid` and `isni` are checked by their own rules, without the
/// labels, apostrophes and blanks round them; the value of any other scheme is trimmed and brought to the form of names. For the documents of persons
/// see [`document`].
///
/// # Errors
/// A [`Fault`] where the value breaks the scheme's rules, or where it is empty, too long or has characters that
/// cannot be seen.
pub fn canonical(scheme: &str, value: &str) -> Result<String, Fault> {
    if noise::is_scientific(value) {
        return Err(noise::scientific("NUMBER_ROUNDED"));
    }
    match scheme {
        "uscc" => uscc::canonical(&noise::bare(value), value),
        "ror" => ror::canonical(&noise::bare(value)),
        "orcid" => orcid::canonical(&noise::bare(value)),
        "isni" => isni::canonical(&noise::bare(value)),
        _ if holds_resident_id(value) => Err(Fault::new("IDENTITY_DOCUMENT_IN_CLEAR", IN_CLEAR)),
        _ => any(&plain(value)),
    }
}

/// NFKC, without white space at both ends: full-width digits and letters become the usual ones.
fn plain(value: &str) -> String {
    value.nfkc().collect::<String>().trim().to_owned()
}

fn any(value: &str) -> Result<String, Fault> {
    let without_quotes = |c: char| c.is_whitespace() || noise::is_quote(c);
    let value = value.trim_start_matches(without_quotes);
    measured(value)?;
    if let Some(place) = value.chars().position(unseen) {
        return Err(Fault::new(
            "IDENTIFIER_UNSEEN_CHARACTER",
            format!(
                "character {} is a control character or cannot be seen: leave it out",
                place + 1
            ),
        ));
    }
    // A dash, a dot or a radical is one sign, as in names. Fillers are gone then, which may have been all or have stood before a quote,
    // and a long dash is two signs.
    let one = crate::text::canonical(value);
    let one = one.trim_start_matches(without_quotes);
    measured(one)?;
    Ok(one.to_owned())
}

fn measured(value: &str) -> Result<(), Fault> {
    let count = value.chars().count();
    if count == 0 {
        return Err(Fault::new(
            "IDENTIFIER_EMPTY",
            format!("is empty: give 1 to {MAX_CHARS} characters"),
        ));
    }
    if count > MAX_CHARS {
        let description = format!("has {count} characters: at most {MAX_CHARS} are allowed");
        return Err(Fault::new("IDENTIFIER_TOO_LONG", description));
    }
    Ok(())
}

/// Control characters, and those without width that would make two equal-looking identifiers differ.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `value` without the first of `prefixes` that it starts with, letter case aside.
fn without_prefix<'a>(value: &'a str, prefixes: &[&str]) -> &'a str {
    prefixes
        .iter()
        .find_map(|prefix| {
            let (head, tail) = value.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then_some(tail)
        })
        .unwrap_or(value)
}
