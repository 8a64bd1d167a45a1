//! The texts of an encoded message: which of them name, number or group something, and which are free prose.
//!
//! The contract says it by its rules. A text that has a pattern, a format or a list of values is told by those and is neither. Of the
//! others, one of at most [`NAME_CHARS`] characters is a name, and so is what is called `display_name` or `title`; a longer one is prose.
//! docs/adr/0029-characters.md

use std::fmt;

use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

use crate::names::POOL;
use crate::shapes::{DEEPEST, Form, SHAPES, Shape, next};

/// Texts that may be longer are prose.
pub const NAME_CHARS: u64 = 300;

/// What a text of the contract is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// What it is for; `None` of one that has a form of its own: a resource name, a day, an identifier.
    pub sort: Option<Sort>,
    /// People write what they like into it, and it is kept.
    pub free: bool,
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// It names, numbers or groups something.
    Name,
    /// Sentences.
    Prose,
}

/// Texts by which something is asked for, which have rules of their own; and those that a check of their own brings into their form.
const OTHERS: [&str; 12] = [
    "actor",
    "collection",
    "count",
    "etag",
    "filter",
    "group_by",
    "identity_document",
    "language",
    "order_by",
    "page_token",
    "query",
    "request_id",
];
const IDENTIFIER: &str = "mingce.registry.v1.Identifier";

/// What is sealed where it stands, or has a check of its own.
const CHECKED: [&str; 3] = [
    "mingce.talent.v1.Talent.identity_document",
    "mingce.registry.v1.TalentReference.identity_document",
    "mingce.registry.v1.Identifier.value",
];
/// What is not kept, or is made by programs.
const PASSING: [&str; 7] = ["request_id", "uid", "page_token", "filter", "order_by", "query", "etag"];

/// What the contract says of a text.
pub(crate) fn of(field: &FieldDescriptor) -> Text {
    Text {
        sort: sort(field),
        free: !CHECKED.contains(&field.full_name()) && !PASSING.contains(&field.name()),
    }
}

/// What the contract says that a text is for.
fn sort(field: &FieldDescriptor) -> Option<Sort> {
    if OTHERS.contains(&field.name()) || field.parent_message().full_name() == IDENTIFIER {
        return None;
    }
    let rules = POOL.get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    if !options.has_extension(&rules) {
        return None;
    }
    let of_field = options.get_extension(&rules);
    let mut rules = of_field.as_message()?.clone();
    if field.is_list() {
        let repeated = inner(&rules, "repeated")?;
        rules = inner(&repeated, "items")?;
    }
    let text = inner(&rules, "string")?;
    let told = ["pattern", "const", "in", "uuid", "prefix"];
    if told.iter().any(|rule| text.has_field_by_name(rule)) || !text.has_field_by_name("max_len") {
        return None;
    }
    let most = text.get_field_by_name("max_len")?.as_u64()?;
    let is_name = most <= NAME_CHARS || matches!(field.name(), "display_name" | "title");
    Some(if is_name { Sort::Name } else { Sort::Prose })
}

fn inner(message: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    if !message.has_field_by_name(field) {
        return None;
    }
    match message.get_field_by_name(field)?.into_owned() {
        Value::Message(inner) => Some(inner),
        _ => None,
    }
}

/// Where a text stands in a message, as error details have it.
#[derive(Debug, Default)]
pub struct Path<'a>(Vec<(&'a str, Option<usize>)>);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, index)) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            f.write_str(name)?;
            if let Some(index) = index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}

/// Shows each text of an encoded message to `look`, which may answer another one for it. The message with those; `None` where it stays as
/// it is, or the contract has no such message. `skip` leaves out fields of the message itself.
pub fn rewrite(
    message: &str,
    encoded: &[u8],
    skip: impl Fn(&str) -> bool,
    look: &mut impl FnMut(&Path<'_>, Text, &str) -> Option<String>,
) -> Option<Vec<u8>> {
    let root = *SHAPES.places.get(message)?;
    walk(&SHAPES.all, root, encoded, &skip, &mut Path::default(), look)
}

fn walk<'a>(
    shapes: &'a [Shape],
    root: usize,
    encoded: &[u8],
    skip: &impl Fn(&str) -> bool,
    path: &mut Path<'a>,
    look: &mut impl FnMut(&Path<'_>, Text, &str) -> Option<String>,
) -> Option<Vec<u8>> {
    let shape = shapes.get(root).filter(|_| path.0.len() < DEEPEST)?;
    let mut places = vec![0_usize; shape.slots];
    // What is written anew so far, and up to where the message stands in it.
    let mut new: Option<(Vec<u8>, usize)> = None;
    let mut rest = encoded;
    while let Some((number, content, behind)) = next(rest) {
        let at = encoded.len() - rest.len();
        rest = behind;
        let Some(field) = shape.fields.get(number).and_then(Option::as_ref) else {
            continue;
        };
        let place = field.slot.and_then(|slot| places.get_mut(slot)).map(|place| {
            *place += 1;
            *place - 1
        });
        if path.0.is_empty() && skip(&field.name) {
            continue;
        }
        path.0.push((&field.name, place));
        let changed = match (field.form, field.text) {
            (Form::Text, Some(kind)) => std::str::from_utf8(content)
                .ok()
                .and_then(|text| look(path, kind, text))
                .map(String::into_bytes),
            (Form::Message { shape, .. }, _) => walk(shapes, shape, content, skip, path, look),
            _ => None,
        };
        path.0.pop();
        if let (Some(changed), Ok(number)) = (changed, u32::try_from(number)) {
            let (out, done) = new.get_or_insert_with(|| (Vec::with_capacity(encoded.len()), 0));
            out.extend_from_slice(encoded.get(*done..at)?);
            encode_key(number, WireType::LengthDelimited, out);
            encode_varint(changed.len() as u64, out);
            out.extend_from_slice(&changed);
            *done = encoded.len() - rest.len();
        }
    }
    let (mut out, done) = new?;
    out.extend_from_slice(encoded.get(done..)?);
    Some(out)
}

/// The path of the first text in an encoded message that holds U+0000, which databases do not take alike.
pub fn with_nul(message: &str, encoded: &[u8]) -> Option<String> {
    // Hardly any message has this byte at all.
    if !encoded.contains(&0) {
        return None;
    }
    let mut found = None;
    rewrite(message, encoded, |_| false, &mut |path, _, text| {
        if found.is_none() && text.contains('\0') {
            found = Some(path.to_string());
        }
        None
    });
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_reflect::{Kind, MessageDescriptor};

    use super::*;
    use crate::labs::Organization;
    use crate::registry::{Identifier, Name};

    #[test]
    fn names_are_shown_with_their_paths_and_written_anew_at_any_depth() {
        let name = |text: &str| Name {
            text: text.to_owned(),
            language: "zh".to_owned(),
            ..Name::default()
        };
        let organization = Organization {
            display_name: "a".to_owned(),
            names: vec![name("a"), name("b")],
            city: "a".to_owned(),
            established_year: 1924,
            website: "a".to_owned(),
            identifiers: vec![Identifier {
                scheme: "a".to_owned(),
                value: "a".to_owned(),
            }],
            ..Organization::default()
        };
        let (mut seen, bytes) = (Vec::new(), organization.encode_to_vec());
        let new = rewrite(
            "mingce.labs.v1.Organization",
            &bytes,
            |_| false,
            &mut |path, of, text| {
                seen.extend(of.sort.map(|sort| (path.to_string(), sort)));
                of.sort?;
                (text == "a").then(|| "another".repeat(40))
            },
        );
        let new = Organization::decode(new.unwrap().as_slice()).unwrap();
        assert_eq!(new.names[0].text, "another".repeat(40));
        assert_eq!((new.names[1].text.as_str(), new.established_year), ("b", 1924));
        assert_eq!(new.identifiers, organization.identifiers);
        let prose: Vec<_> = seen
            .iter()
            .filter(|(_, sort)| *sort == Sort::Prose)
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(prose, ["website"]);
        assert!(seen.contains(&("names[1].text".to_owned(), Sort::Name)), "{seen:?}");
        let same = rewrite("mingce.labs.v1.Organization", &bytes, |_| false, &mut |_, _, _| None);
        assert_eq!(same, None);
    }

    const NUMBER: &str = "110105194912310021";

    /// Each text below a message: the message with the number in it alone, and the full name of its field.
    fn texts(of: &MessageDescriptor, above: &mut Vec<String>, found: &mut Vec<(DynamicMessage, String)>) {
        if above.iter().any(|name| name == of.full_name()) || !of.full_name().starts_with("mingce.") {
            return;
        }
        above.push(of.full_name().to_owned());
        for field in of.fields().filter(|field| !field.is_map()) {
            let inner = match field.kind() {
                Kind::String => vec![(Value::String(NUMBER.to_owned()), field.full_name().to_owned())],
                Kind::Message(below) => {
                    let mut inner = Vec::new();
                    texts(&below, above, &mut inner);
                    inner.into_iter().map(|(m, name)| (Value::Message(m), name)).collect()
                }
                _ => Vec::new(),
            };
            for (value, name) in inner {
                let mut message = DynamicMessage::new(of.clone());
                let value = if field.is_list() {
                    Value::List(vec![value])
                } else {
                    value
                };
                message.set_field(&field, value);
                found.push((message, name));
            }
        }
        above.pop();
    }

    #[test]
    fn a_number_is_found_in_every_text_of_every_request_that_is_kept() {
        let (mut seen, mut passed) = (0, BTreeSet::new());
        for method in POOL
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let mut found = Vec::new();
            texts(&method.input(), &mut Vec::new(), &mut found);
            for (message, field) in found {
                let encoded = message.encode_to_vec();
                let mut at = None;
                rewrite(
                    method.input().full_name(),
                    &encoded,
                    |_| false,
                    &mut |path, of, text| {
                        at = (of.free && text.contains(NUMBER)).then(|| path.to_string());
                        None
                    },
                );
                match at {
                    Some(path) => {
                        let last = field.rsplit('.').next().unwrap();
                        assert_eq!(path.rsplit('.').next().unwrap().trim_end_matches("[0]"), last, "{path}");
                        seen += 1;
                    }
                    None => {
                        passed.insert(field);
                    }
                }
            }
        }
        assert!(seen > 500, "{seen}");
        let allowed = |field: &String| {
            let name = field.rsplit('.').next().unwrap();
            CHECKED.contains(&field.as_str()) || PASSING.contains(&name)
        };
        let other: Vec<_> = passed.into_iter().filter(|field| !allowed(field)).collect();
        assert_eq!(other, Vec::<String>::new());
    }

    #[test]
    fn a_field_that_is_passed_over_is_not_looked_into() {
        let encoded = Name {
            text: NUMBER.to_owned(),
            ..Name::default()
        }
        .encode_to_vec();
        let seen = |skip: &str| {
            let mut seen = Vec::new();
            rewrite("mingce.registry.v1.Name", &encoded, |f| f == skip, &mut |path, _, _| {
                seen.push(path.to_string());
                None
            });
            seen
        };
        assert_eq!(seen(""), ["text"]);
        assert_eq!(seen("text"), Vec::<String>::new());
    }
}
