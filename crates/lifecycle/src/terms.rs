//! The terms of a policy, leaf by leaf, as the contract names them.

use mingce_orm::{Error, Result};
use mingce_proto::names::POOL;
use mingce_proto::registry::{CaseKind, Policy};
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

/// The field of a policy that holds the terms of its kind.
pub fn terms_message(policy: &Policy) -> &'static str {
    match policy.kind() {
        CaseKind::LabDesignation => "lab_designation",
        CaseKind::TalentDesignation => "talent_designation",
        CaseKind::NominatingBody => "nominating_body",
        CaseKind::Recommendation => "recommendation",
        CaseKind::Award => "award",
        CaseKind::Unspecified => "",
    }
}

/// A term that is set.
pub struct Leaf {
    /// Its place among all that there could be: numbers of fields, and places in lists.
    pub place: Vec<usize>,
    /// Its path below the terms.
    pub term: String,
    /// Its value in words.
    pub value: String,
}

/// Every term that is set. In the order of the contract.
pub fn leaves(policy: &Policy) -> Vec<Leaf> {
    let mut found = Vec::new();
    let descriptor = POOL.get_message_by_name("mingce.registry.v1.Policy");
    let message = descriptor.and_then(|d| DynamicMessage::decode(d, policy.encode_to_vec().as_slice()).ok());
    if let Some(message) = message
        && let Some(value) = message.get_field_by_name(terms_message(policy))
        && let Some(terms) = value.as_message()
    {
        below(terms, &[], "", &mut found);
    }
    found.sort_by(|one, other| one.place.cmp(&other.place));
    found
}

fn below(message: &DynamicMessage, place: &[usize], path: &str, found: &mut Vec<Leaf>) {
    let within = |next: usize| [place, &[next]].concat();
    for (field, value) in message.fields() {
        let place = within(usize::try_from(field.number()).unwrap_or(usize::MAX));
        let path = if path.is_empty() {
            field.name().to_owned()
        } else {
            format!("{path}.{}", field.name())
        };
        match value {
            Value::List(items) => {
                for (number, item) in items.iter().enumerate() {
                    let place = [place.as_slice(), &[number]].concat();
                    leaf(&field, item, place, format!("{path}[{number}]"), found);
                }
            }
            value => leaf(&field, value, place, path, found),
        }
    }
}

fn leaf(field: &FieldDescriptor, value: &Value, place: Vec<usize>, term: String, found: &mut Vec<Leaf>) {
    let value = match value {
        Value::Message(message) => return below(message, &place, &term, found),
        Value::EnumNumber(number) => field
            .kind()
            .as_enum()
            .and_then(|e| e.get_value(*number).map(|v| v.name().to_owned()))
            .unwrap_or_else(|| number.to_string()),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    found.push(Leaf { place, term, value });
}

/// A policy from its JSON form, as grpcurl takes it.
///
/// # Errors
/// Where it is none.
pub fn from_json(text: &str) -> Result<Policy> {
    let descriptor = POOL
        .get_message_by_name("mingce.registry.v1.Policy")
        .ok_or_else(|| Error::internal("the contract has no policies"))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize(descriptor, &mut json).map_err(Error::internal)?;
    Policy::decode(message.encode_to_vec().as_slice()).map_err(Error::internal)
}
