//! Texts of messages on their way in: those that name, number or group something come into one form, and none may be damaged.

use mingce_proto::texts::{self, Sort};
use prost::Message;

use crate::error::Violation;
use crate::text;

/// A message with its names in one form, or what is wrong with its texts. `skip` leaves out fields of the message itself.
///
/// # Errors
/// With each text that holds a character which no text may hold, or nothing that can be seen; `NAME_UNSEEN_CHARACTER`,
/// `TEXT_DAMAGED` or `NAME_EMPTY`.
pub fn cleaned<T: Message + Default>(name: &str, message: T, skip: impl Fn(&str) -> bool) -> Result<T, Vec<Violation>> {
    let mut problems = Vec::new();
    let new = texts::rewrite(name, &message.encode_to_vec(), skip, &mut |path, sort, text| {
        let damage = match sort {
            Sort::Name => text::damage(text.trim()),
            Sort::Prose => text::damage_of_prose(text),
        };
        if let Some(damage) = damage {
            problems.push(Violation {
                field: path.to_string(),
                reason: damage.reason,
                description: damage.told(),
            });
            return None;
        }
        if sort == Sort::Prose {
            return None;
        }
        let canonical = text::canonical(text);
        // White space alone is what each field makes of it.
        if canonical.is_empty() && !text.trim().is_empty() {
            problems.push(Violation {
                field: path.to_string(),
                reason: "NAME_EMPTY",
                description: "it holds only characters that cannot be seen: give a text, or leave it empty".to_owned(),
            });
        }
        (canonical != text && !canonical.is_empty()).then(|| canonical.into_owned())
    });
    if !problems.is_empty() {
        problems.truncate(mingce_proto::MOST_VIOLATIONS);
        return Err(problems);
    }
    // What was a message is one still.
    Ok(new.and_then(|new| T::decode(new.as_slice()).ok()).unwrap_or(message))
}

/// A message with its names in one form, whatever else is wrong with its texts: for what is stored already.
pub(crate) fn in_one_form<T: Message + Default>(name: &str, message: T) -> T {
    let new = texts::rewrite(name, &message.encode_to_vec(), |_| false, &mut |_, sort, text| {
        let canonical = (sort == Sort::Name).then(|| text::canonical(text))?;
        (canonical != text && !canonical.is_empty()).then(|| canonical.into_owned())
    });
    new.and_then(|new| T::decode(new.as_slice()).ok()).unwrap_or(message)
}
