//! What people type into the cells of an export, where it has JSON: names of what is meant, several texts in one cell, Chinese words.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

use crate::value::enumerated;

/// Signs between several names or texts in one cell.
pub(crate) const BETWEEN: [char; 6] = ['、', '；', ';', '|', '，', '\n'];

/// The value of a field that holds references or several texts, where a cell has names or texts and no JSON.
pub(crate) fn value(field: &FieldDescriptor, cell: &str) -> Option<Value> {
    let cell = cell.trim();
    if cell.is_empty() || cell.starts_with(['[', '{', '"']) {
        return None;
    }
    let one = |text: &str| match field.kind() {
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Message(message) => Some(Value::Message(named(&message, text)?)),
        _ => None,
    };
    if !field.is_list() {
        return one(cell);
    }
    let texts = cell.split(BETWEEN).map(str::trim).filter(|text| !text.is_empty());
    Some(Value::List(texts.map(one).collect::<Option<_>>()?))
}

/// A message that means what is called so: a reference, or one that holds a single reference.
fn named(message: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    let mut made = DynamicMessage::new(message.clone());
    if is_reference(message) {
        made.set_field_by_name("display_name", Value::String(text.to_owned()));
        return Some(made);
    }
    let mut references = message.fields().filter_map(|field| match field.kind() {
        Kind::Message(inner) if is_reference(&inner) && !field.is_list() => Some((field, inner)),
        _ => None,
    });
    let (Some((field, inner)), None) = (references.next(), references.next()) else {
        return None;
    };
    made.set_field(&field, Value::Message(named(&inner, text)?));
    Some(made)
}

fn is_reference(message: &MessageDescriptor) -> bool {
    message.name().ends_with("Reference") && message.get_field_by_name("display_name").is_some()
}

/// JSON with the names of enum values where Chinese words stand for them.
pub(crate) fn english(field: &FieldDescriptor, json: Json) -> Json {
    match (json, field.kind()) {
        (Json::Array(items), _) if field.is_list() => {
            Json::Array(items.into_iter().map(|item| english_item(field, item)).collect())
        }
        (json, _) => english_item(field, json),
    }
}

fn english_item(field: &FieldDescriptor, json: Json) -> Json {
    match (json, field.kind()) {
        (Json::String(text), Kind::Enum(values)) if !text.is_ascii() => {
            let value = enumerated(&text, &values)
                .ok()
                .and_then(|number| values.get_value(number));
            Json::String(value.map_or(text, |value| value.name().to_owned()))
        }
        (Json::Object(object), Kind::Message(message)) => {
            let member = |(key, value): (String, Json)| {
                let inner = message
                    .get_field_by_json_name(&key)
                    .or_else(|| message.get_field_by_name(&key));
                let value = match inner {
                    Some(inner) => english(&inner, value),
                    None => value,
                };
                (key, value)
            };
            Json::Object(object.into_iter().map(member).collect())
        }
        (json, _) => json,
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::ReflectMessage;
    use serde_json::json;

    use super::*;
    use crate::collection::pool;

    fn field(name: &str) -> FieldDescriptor {
        let lab = pool().get_message_by_name("mingce.labs.v1.Lab").unwrap();
        lab.get_field_by_name(name).unwrap()
    }

    #[test]
    fn names_stand_for_references_and_texts_for_a_list_of_texts() {
        let hosts = value(&field("hosts"), "甲大学、 乙研究所").unwrap();
        let names: Vec<_> = hosts
            .as_list()
            .unwrap()
            .iter()
            .map(|host| {
                let host = host.as_message().unwrap();
                assert_eq!(host.descriptor().name(), "LabHost");
                let organization = host.get_field_by_name("organization").unwrap().into_owned();
                let organization = organization.as_message().unwrap().clone();
                organization
                    .get_field_by_name("display_name")
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(names, ["甲大学", "乙研究所"]);
        assert_eq!(value(&field("hosts"), "[]"), None);
        assert_eq!(value(&field("names"), "别名"), None);
    }

    #[test]
    fn words_within_json_become_names_of_values() {
        let said = english(
            &field("names"),
            json!([{"text": "甲", "kind": "曾用名"}, {"kind": "ALIAS"}, {"kind": "怪"}]),
        );
        assert_eq!(
            said,
            json!([{"text": "甲", "kind": "NAME_KIND_FORMER"}, {"kind": "ALIAS"}, {"kind": "怪"}])
        );
    }
}
