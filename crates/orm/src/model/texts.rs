//! Texts of messages on their way in: those that name, number or group something come into one form, and none may be damaged.

use mingce_proto::texts::{self, Sort};
use prost::Message;

use crate::error::Violation;
use crate::model::identifier::{IN_CLEAR, holds_resident_id};
use crate::text;

/// A message with its names in one form, or what is wrong with its texts. `skip` leaves out fields of the message itself.
///
/// # Errors
/// With each text that holds U+0000, the number of an identity card where it stands in clear, a character which no text may hold, or
/// nothing that can be seen: `TEXT_HOLDS_NUL`, `IDENTITY_DOCUMENT_IN_CLEAR`, `NAME_UNSEEN_CHARACTER`, `TEXT_DAMAGED`, `NAME_EMPTY`.
pub fn cleaned<T: Message + Default>(name: &str, message: T, skip: impl Fn(&str) -> bool) -> Result<T, Vec<Violation>> {
    let new = rewritten(name, &message.encode_to_vec(), skip)?;
    // What was a message is one still.
    Ok(new.and_then(|new| T::decode(new.as_slice()).ok()).unwrap_or(message))
}

/// The same of an encoded message; `None` where all is so already.
///
/// # Errors
/// The same.
pub fn rewritten(name: &str, encoded: &[u8], skip: impl Fn(&str) -> bool) -> Result<Option<Vec<u8>>, Vec<Violation>> {
    let mut problems = Vec::new();
    let new = texts::rewrite(name, encoded, skip, &mut |path, of, text| {
        if let Some((reason, description)) = wrong(of, text) {
            problems.push(Violation::new(path.to_string(), reason, description));
            return None;
        }
        if of.sort != Some(Sort::Name) {
            return None;
        }
        let canonical = text::canonical(text);
        // White space alone is what each field makes of it.
        if canonical.is_empty() && !text.trim().is_empty() {
            let said = "it holds only characters that cannot be seen: give a text, or leave it empty";
            problems.push(Violation::new(path.to_string(), "NAME_EMPTY", said));
        }
        (canonical != text && !canonical.is_empty()).then(|| canonical.into_owned())
    });
    if !problems.is_empty() {
        problems.truncate(mingce_proto::MOST_VIOLATIONS);
        return Err(problems);
    }
    Ok(new)
}

/// What is wrong with a text that holds U+0000.
pub(crate) const HOLDS_NUL: &str = "a text holds no U+0000: type it again, or take that character out";

/// What no text may be: the reason, and in words.
fn wrong(of: texts::Text, text: &str) -> Option<(&'static str, String)> {
    // Databases do not take it alike, so nothing is looked up by such a text.
    if text.as_bytes().contains(&0) {
        return Some(("TEXT_HOLDS_NUL", HOLDS_NUL.to_owned()));
    }
    if of.free && holds_resident_id(text) {
        return Some(("IDENTITY_DOCUMENT_IN_CLEAR", IN_CLEAR.to_owned()));
    }
    let damage = match of.sort? {
        // A line break of a word processor that stands alone is no blank.
        Sort::Name => {
            text::damage(text.trim()).or_else(|| text::damage_of_prose(text).filter(|_| text.trim().is_empty()))
        }
        Sort::Prose => text::damage_of_prose(text),
    };
    damage.map(|damage| (damage.reason, damage.told()))
}

/// An encoded message with its names in one form, whatever else is wrong with its texts; `None` where they are so already.
pub(crate) fn in_one_form<T: Message + Default>(name: &str, encoded: &[u8]) -> Option<T> {
    let new = texts::rewrite(name, encoded, |_| false, &mut |_, of, text| {
        let canonical = (of.sort == Some(Sort::Name)).then(|| text::canonical(text))?;
        (canonical != text && !canonical.is_empty()).then(|| canonical.into_owned())
    });
    new.and_then(|new| T::decode(new.as_slice()).ok())
}
