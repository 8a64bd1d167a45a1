//! What the contract says of itself at run time: the fields of a message with their numbers, the values of an enum.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, FieldDescriptor};

use crate::DESCRIPTORS;
use crate::weight::Sought;

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
    let has_nul = |bytes: &[u8]| bytes.contains(&0);
    let sought = Sought {
        maybe: has_nul,
        is: &has_nul,
        free: false,
        skip: &|_| false,
    };
    crate::weight::first_text(message, encoded, sought)
}

/// The path of the first text in an encoded message in which `is` finds what needs at least fifteen digits. It looks only into texts
/// in which people write what they like, and which are kept, and passes over the fields of the message itself that `skip` names.
pub fn text_with_number(
    message: &str,
    encoded: &[u8],
    skip: impl Fn(&str) -> bool,
    is: impl Fn(&str) -> bool,
) -> Option<String> {
    // Digits of other widths and scripts begin with these bytes, the characters of Chinese with none of them.
    let maybe = |bytes: &[u8]| {
        let digits = bytes.iter().filter(|b| matches!(b, b'0'..=b'9' | 0xc2..=0xe2 | 0xef..));
        digits.take(15).count() == 15
    };
    let is = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(&is);
    let sought = Sought {
        maybe,
        is: &is,
        free: true,
        skip: &skip,
    };
    crate::weight::first_text(message, encoded, sought)
}

/// What is sealed where it stands, or has a check of its own.
const CHECKED: [&str; 2] = [
    "mingce.talent.v1.Talent.identity_document",
    "mingce.registry.v1.Identifier.value",
];
/// What is not kept, or is made by programs.
const PASSING: [&str; 7] = ["request_id", "uid", "page_token", "filter", "order_by", "query", "etag"];

/// Whether people write what they like into a text of the contract, and it is kept.
pub(crate) fn is_free(field: &FieldDescriptor) -> bool {
    !CHECKED.contains(&field.full_name()) && !PASSING.contains(&field.name())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

    use super::*;

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
                let is = |text: &str| text.contains(NUMBER);
                match text_with_number(method.input().full_name(), &encoded, |_| false, is) {
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
        let request = crate::registry::Name {
            text: NUMBER.to_owned(),
            ..Default::default()
        };
        let encoded = request.encode_to_vec();
        let found = |skip: &str| text_with_number("mingce.registry.v1.Name", &encoded, |f| f == skip, |_| true);
        assert_eq!(found(""), Some("text".to_owned()));
        assert_eq!(found("text"), None);
        // Few digits are not looked at.
        let short = crate::registry::Name {
            text: "第12345678901234号".to_owned(),
            ..Default::default()
        };
        let encoded = short.encode_to_vec();
        assert_eq!(
            text_with_number("mingce.registry.v1.Name", &encoded, |_| false, |_| true),
            None
        );
    }
}
