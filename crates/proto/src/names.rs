//! What the contract says of itself at run time: the fields of a message with their numbers, the values of an enum.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

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
