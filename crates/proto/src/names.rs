//! What the contract says of itself at run time: the fields of a message with their numbers, the values of an enum.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

use crate::DESCRIPTORS;

/// The contract with its imports and options.
pub static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap_or_default());

/// Number and name of each field of a message, by number. Empty where the contract has no such message.
pub fn fields(message: &str) -> Vec<(u32, String)> {
    let Some(descriptor) = POOL.get_message_by_name(message) else {
        return Vec::new();
    };
    let mut fields: Vec<_> = descriptor.fields().map(|f| (f.number(), f.name().to_owned())).collect();
    fields.sort();
    fields
}

/// Name and number of each value of an enum, by number. Empty where the contract has no such enum.
pub fn values(name: &str) -> Vec<(String, i32)> {
    let Some(descriptor) = POOL.get_enum_by_name(name) else {
        return Vec::new();
    };
    descriptor.values().map(|v| (v.name().to_owned(), v.number())).collect()
}

/// Numbers of the fields of a message that are lists of messages or texts: each element is a part of its own on the wire.
pub fn lists(message: &str) -> Vec<u32> {
    let Some(descriptor) = POOL.get_message_by_name(message) else {
        return Vec::new();
    };
    let lists = descriptor
        .fields()
        .filter(|field| field.is_list() && !field.is_packed());
    lists.map(|field| field.number()).collect()
}

/// The value of a field of a message, from its encoded form, where that is one text; else nothing.
pub fn text_of(message: &str, number: u32, field: &[u8]) -> String {
    let descriptor = POOL.get_message_by_name(message);
    let decoded = descriptor.and_then(|descriptor| DynamicMessage::decode(descriptor, field).ok());
    let value = decoded.as_ref().and_then(|decoded| decoded.get_field_by_number(number));
    match value.as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}

/// What an encoded message calls a record: the `display_name` beside its resource name, wherever that stands. Each once; empty where
/// the message names it by its resource name only, or not at all.
pub fn called(message: &str, encoded: &[u8], resource: &str) -> Vec<String> {
    let descriptor = POOL.get_message_by_name(message);
    let decoded = descriptor.and_then(|descriptor| DynamicMessage::decode(descriptor, encoded).ok());
    let mut names = Vec::new();
    if let Some(decoded) = decoded {
        gather(&decoded, resource, &mut names);
    }
    names
}

fn gather(message: &DynamicMessage, resource: &str, names: &mut Vec<String>) {
    let mut names_it = false;
    for (_, value) in message.fields() {
        match value {
            Value::String(text) => names_it |= text == resource,
            Value::Message(inner) => gather(inner, resource, names),
            Value::List(items) => {
                let inner = items.iter().filter_map(Value::as_message);
                inner.for_each(|inner| gather(inner, resource, names));
            }
            _ => {}
        }
    }
    // A resource has a name in use too, which is its own.
    let is_reference = names_it && message.descriptor().name().ends_with("Reference");
    let beside = message.get_field_by_name("display_name").filter(|_| is_reference);
    if let Some(Value::String(name)) = beside.as_deref()
        && !name.is_empty()
        && !names.contains(name)
    {
        names.push(name.clone());
    }
}
