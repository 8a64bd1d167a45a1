//! Answers without what a caller may not see: hidden fields are left out of the encoded message, at any depth, and
//! nothing is decoded. docs/adr/0054-field-classes.md

use std::fmt;
use std::sync::OnceLock;

use prost::bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::field_class::{CONTRACT, Classes, Contract, Field, Holds};
use crate::shapes::{DEEPEST, next};

/// What is shown of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Nothing,
    All,
    /// What is seen of a message, by its place in the contract.
    Within(usize),
    /// What is seen of the message in an `Any`.
    WithinAny,
}

/// A message as those see it who see a set of classes.
#[derive(Debug)]
struct View {
    /// Nothing of it is hidden, at any depth.
    is_whole: bool,
    /// By number. Of a field that is not there nothing is shown.
    rules: Vec<Rule>,
}

/// The views of all messages of the contract, by the set of classes. Each is made when it is first needed.
static VIEWS: [OnceLock<Vec<View>>; Classes::SETS] = [const { OnceLock::new() }; Classes::SETS];

fn views(visible: Classes) -> &'static [View] {
    VIEWS[visible.place()].get_or_init(|| read(&CONTRACT, visible))
}

fn read(contract: &Contract, visible: Classes) -> Vec<View> {
    let mut views: Vec<View> = contract.all.iter().map(|fields| view(fields, visible)).collect();
    loop {
        let is_whole: Vec<bool> = views.iter().map(|view| view.is_whole).collect();
        let mut changed = false;
        for view in views.iter_mut().filter(|view| view.is_whole) {
            view.is_whole = !view.rules.iter().any(|rule| is_partial(*rule, &is_whole));
            changed |= !view.is_whole;
        }
        if changed {
            continue;
        }
        // What is whole needs no look.
        for rule in views.iter_mut().flat_map(|view| &mut view.rules) {
            if matches!(rule, Rule::Within(_)) && !is_partial(*rule, &is_whole) {
                *rule = Rule::All;
            }
        }
        return views;
    }
}

/// Whether a field holds a message of which something is hidden.
fn is_partial(rule: Rule, is_whole: &[bool]) -> bool {
    matches!(rule, Rule::Within(place) if is_whole.get(place) != Some(&true))
}

/// A message by its own fields. Whether it is whole depends on those within it too.
fn view(fields: &[Field], visible: Classes) -> View {
    let mut rules = Vec::new();
    for field in fields {
        // Numbers beyond are of options and extensions, which nobody sends.
        let Some(number) = usize::try_from(field.number).ok().filter(|number| *number < 1000) else {
            continue;
        };
        if rules.len() <= number {
            rules.resize(number + 1, Rule::Nothing);
        }
        if let Some(rule) = rules.get_mut(number) {
            *rule = match field.holds {
                _ if !visible.sees(field.class) => Rule::Nothing,
                Holds::Any if !visible.is_all() => Rule::WithinAny,
                Holds::Message(place) => Rule::Within(place),
                Holds::Value | Holds::Any => Rule::All,
            };
        }
    }
    let is_seen = |field: &Field| visible.sees(field.class) && (field.holds != Holds::Any || visible.is_all());
    View {
        is_whole: fields.iter().all(is_seen),
        rules,
    }
}

/// What is no message of the contract. Nothing is known of it, and so nothing of it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is to be answered is no message of the contract, so that it is not known who may see it")
    }
}

impl std::error::Error for Unreadable {}

/// Whether something of a message is hidden from those who see these classes.
pub fn hides(message: &str, visible: Classes) -> bool {
    if visible.is_all() {
        return false;
    }
    let place = CONTRACT.places.get(message);
    let view = place.and_then(|place| views(visible).get(*place));
    view.is_none_or(|view| !view.is_whole)
}

/// An encoded message as those see it who see these classes; the same bytes where nothing of it is hidden.
///
/// # Errors
/// Where it is no message of the contract.
pub fn redact(message: &str, encoded: Bytes, visible: Classes) -> Result<Bytes, Unreadable> {
    if visible.is_all() {
        return Ok(encoded);
    }
    let (place, views) = (CONTRACT.places.get(message).ok_or(Unreadable)?, views(visible));
    let view = views.get(*place).ok_or(Unreadable)?;
    Ok(walk(views, view, &encoded, 0)?.map_or(encoded, Bytes::from))
}

/// What is seen of a field.
enum Seen {
    AsItIs,
    Nothing,
    Changed(Vec<u8>),
}

/// What is seen of a message; `None` where it is all of it.
fn walk(views: &[View], view: &View, encoded: &[u8], depth: usize) -> Result<Option<Vec<u8>>, Unreadable> {
    if view.is_whole {
        return Ok(None);
    }
    if depth == DEEPEST {
        return Err(Unreadable);
    }
    // What is seen so far, and up to where of the message.
    let mut new: Option<(Vec<u8>, usize)> = None;
    let mut rest = encoded;
    while !rest.is_empty() {
        let at = encoded.len() - rest.len();
        let (number, content, behind) = next(rest).ok_or(Unreadable)?;
        rest = behind;
        let seen = match view.rules.get(number).copied().unwrap_or(Rule::Nothing) {
            Rule::All => Seen::AsItIs,
            Rule::Nothing => Seen::Nothing,
            Rule::Within(place) => {
                let inner = views.get(place).ok_or(Unreadable)?;
                walk(views, inner, content, depth + 1)?.map_or(Seen::AsItIs, Seen::Changed)
            }
            Rule::WithinAny => within_any(views, content, depth + 1)?,
        };
        if matches!(seen, Seen::AsItIs) {
            continue;
        }
        let (out, done) = new.get_or_insert_with(|| (Vec::with_capacity(encoded.len()), 0));
        out.extend_from_slice(encoded.get(*done..at).ok_or(Unreadable)?);
        if let Seen::Changed(content) = seen {
            put(out, u32::try_from(number).map_err(|_| Unreadable)?, &content);
        }
        *done = encoded.len() - rest.len();
    }
    let Some((mut out, done)) = new else {
        return Ok(None);
    };
    out.extend_from_slice(encoded.get(done..).ok_or(Unreadable)?);
    Ok(Some(out))
}

/// What is seen of a message that says its type itself. Of a type that the contract does not have, nothing.
fn within_any(views: &[View], encoded: &[u8], depth: usize) -> Result<Seen, Unreadable> {
    let (mut url, mut value, mut rest) = (&[][..], &[][..], encoded);
    while !rest.is_empty() {
        let (number, content, behind) = next(rest).ok_or(Unreadable)?;
        match number {
            1 => url = content,
            2 => value = content,
            _ => return Ok(Seen::Nothing),
        }
        rest = behind;
    }
    let name = url.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let place = std::str::from_utf8(name)
        .ok()
        .and_then(|name| CONTRACT.places.get(name));
    let Some(view) = place.and_then(|place| views.get(*place)) else {
        return Ok(Seen::Nothing);
    };
    let Some(inner) = walk(views, view, value, depth)? else {
        return Ok(Seen::AsItIs);
    };
    let mut new = Vec::with_capacity(encoded.len());
    put(&mut new, 1, url);
    if !inner.is_empty() {
        put(&mut new, 2, &inner);
    }
    Ok(Seen::Changed(new))
}

/// Appends a field that has a length.
fn put(to: &mut Vec<u8>, number: u32, content: &[u8]) {
    encode_key(number, WireType::LengthDelimited, to);
    encode_varint(content.len() as u64, to);
    to.extend_from_slice(content);
}

#[cfg(test)]
#[path = "redaction_tests.rs"]
mod tests;
