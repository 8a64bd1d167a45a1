//! The texts of an encoded message: which of them name, number or group something, and which are free prose.
//!
//! The contract says it by its rules. A text that has a pattern, a format or a list of values is told by those and is neither. Of the
//! others, one of at most [`NAME_CHARS`] characters is a name, and so is what is called `display_name` or `title`; a longer one is prose.
//! docs/adr/0029-characters.md

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use prost::encoding::{WireType, decode_key, decode_varint, encode_varint};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::names::POOL;

/// Texts that may be longer are prose.
pub const NAME_CHARS: u64 = 300;

/// Messages in messages go no deeper. prost has the same limit.
const DEEPEST: usize = 100;

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

enum Form {
    Text(Sort),
    Message(usize),
}

struct Field {
    name: String,
    is_list: bool,
    form: Form,
}

type Shape = HashMap<u32, Field>;

static SHAPES: LazyLock<(HashMap<String, usize>, Vec<Shape>)> = LazyLock::new(|| {
    let all: Vec<MessageDescriptor> = POOL
        .all_messages()
        .filter(|message| message.full_name().starts_with("mingce."))
        .collect();
    let places: HashMap<String, usize> = all
        .iter()
        .enumerate()
        .map(|(place, message)| (message.full_name().to_owned(), place))
        .collect();
    let shape = |message: &MessageDescriptor| {
        let fields = message.fields().filter_map(|field| {
            let form = match field.kind() {
                Kind::String => Form::Text(sort(message, &field)?),
                Kind::Message(inner) => Form::Message(*places.get(inner.full_name())?),
                _ => return None,
            };
            let (name, is_list) = (field.name().to_owned(), field.is_list());
            Some((field.number(), Field { name, is_list, form }))
        });
        fields.collect()
    };
    let shapes = all.iter().map(shape).collect();
    (places, shapes)
});

/// What the contract says that a text is for.
fn sort(message: &MessageDescriptor, field: &FieldDescriptor) -> Option<Sort> {
    if OTHERS.contains(&field.name()) || message.full_name() == IDENTIFIER {
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

/// Shows each name and each prose text of an encoded message to `look`, which may answer another text for it. The message with
/// those; `None` where it stays as it is, is malformed, or the contract has no such message. `skip` leaves out fields of the message itself.
pub fn rewrite(
    message: &str,
    encoded: &[u8],
    skip: impl Fn(&str) -> bool,
    look: &mut impl FnMut(&Path<'_>, Sort, &str) -> Option<String>,
) -> Option<Vec<u8>> {
    let shapes = &*SHAPES;
    let root = *shapes.0.get(message)?;
    let mut path = Path::default();
    walk(&shapes.1, root, encoded, &skip, &mut path, look)
}

fn walk<'a>(
    shapes: &'a [Shape],
    root: usize,
    encoded: &[u8],
    skip: &impl Fn(&str) -> bool,
    path: &mut Path<'a>,
    look: &mut impl FnMut(&Path<'_>, Sort, &str) -> Option<String>,
) -> Option<Vec<u8>> {
    let shape = shapes.get(root).filter(|_| path.0.len() < DEEPEST)?;
    // What is written anew so far, and up to where the message stands in it.
    let mut new: Option<(Vec<u8>, usize)> = None;
    let (mut rest, mut before, mut index) = (encoded, 0, 0);
    while !rest.is_empty() {
        let (number, kind) = decode_key(&mut rest).ok()?;
        let content = match kind {
            WireType::LengthDelimited => {
                let after_key = encoded.len() - rest.len();
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (content, behind) = rest.split_at_checked(length)?;
                rest = behind;
                Some((after_key, content))
            }
            WireType::Varint => decode_varint(&mut rest).ok().map(|_| None)?,
            WireType::ThirtyTwoBit => rest
                .split_at_checked(4)
                .map(|(_, behind)| rest = behind)
                .map(|()| None)?,
            WireType::SixtyFourBit => rest
                .split_at_checked(8)
                .map(|(_, behind)| rest = behind)
                .map(|()| None)?,
            _ => return None,
        };
        index = if number == before { index + 1 } else { 0 };
        before = number;
        let (Some(field), Some((after_key, content))) = (shape.get(&number), content) else {
            continue;
        };
        if path.0.is_empty() && skip(&field.name) {
            continue;
        }
        path.0.push((&field.name, field.is_list.then_some(index)));
        let changed = match field.form {
            Form::Text(sort) => std::str::from_utf8(content)
                .ok()
                .and_then(|text| look(path, sort, text))
                .map(String::into_bytes),
            Form::Message(inner) => walk(shapes, inner, content, skip, path, look),
        };
        path.0.pop();
        if let Some(changed) = changed {
            let (out, done) = new.get_or_insert_with(|| (Vec::with_capacity(encoded.len()), 0));
            out.extend_from_slice(encoded.get(*done..after_key)?);
            encode_varint(changed.len() as u64, out);
            out.extend_from_slice(&changed);
            *done = encoded.len() - rest.len();
        }
    }
    let (mut out, done) = new?;
    out.extend_from_slice(encoded.get(done..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use prost::Message;

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
            &mut |path, sort, text| {
                seen.push((path.to_string(), sort));
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
}
