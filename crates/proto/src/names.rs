//! What the contract says of itself at run time: the fields of a message with their numbers, the values of an enum.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, Value};

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

/// The path of the first text in an encoded message that holds U+0000, which databases do not take alike.
pub fn text_with_nul(message: &str, encoded: &[u8]) -> Option<String> {
    // Hardly any message has this byte at all.
    if !encoded.contains(&0) {
        return None;
    }
    let message = DynamicMessage::decode(POOL.get_message_by_name(message)?, encoded).ok()?;
    nul_below(&message, "")
}

fn nul_below(message: &DynamicMessage, path: &str) -> Option<String> {
    message.fields().find_map(|(field, value)| {
        let path = if path.is_empty() {
            field.name().to_owned()
        } else {
            format!("{path}.{}", field.name())
        };
        match value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(place, item)| nul_in(item, format!("{path}[{place}]"))),
            value => nul_in(value, path),
        }
    })
}

fn nul_in(value: &Value, path: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Message(message) => nul_below(message, &path),
        _ => None,
    }
}
