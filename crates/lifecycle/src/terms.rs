//! The terms of a policy, leaf by leaf, as the contract names them.

use mingce_orm::Error;
use mingce_proto::names::POOL;
use mingce_proto::registry::{CaseKind, Policy};
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

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

/// The message of the terms of a kind.
fn described(policy: &Policy) -> Option<MessageDescriptor> {
    let descriptor = POOL.get_message_by_name("mingce.registry.v1.Policy")?;
    let field = descriptor.get_field_by_name(terms_message(policy))?;
    field.kind().as_message().cloned()
}

/// A path of the terms as the contract spells it: `notice.workingDays` and `labDesignation.notice.workingDays` mean
/// `notice.working_days`.
///
/// # Errors
/// With what there is, where there is no such term.
pub fn canonical(policy: &Policy, path: &str) -> Result<String, String> {
    let Some(mut message) = described(policy) else {
        return Ok(path.to_owned());
    };
    let own = terms_message(policy);
    let mut names: Vec<String> = Vec::new();
    let mut parts = path.split('.').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    if [own.to_owned(), json_name(own)].iter().any(|name| name == first) && path.contains('.') {
        parts.next();
    }
    let mut is_leaf = false;
    for part in parts {
        let (name, place) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        let found = message
            .fields()
            .find(|field| field.name() == name || field.json_name() == name);
        let is_place = place.is_empty()
            || place
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|at| at.parse::<u16>().is_ok());
        let Some(field) = found.filter(|field| !is_leaf && is_place && (place.is_empty() || field.is_list())) else {
            let known: Vec<_> = message.fields().map(|field| field.name().to_owned()).collect();
            let below = if names.is_empty() {
                String::new()
            } else {
                format!(" below {}", names.join("."))
            };
            let what = if is_leaf {
                "nothing".to_owned()
            } else {
                known.join(", ")
            };
            return Err(format!(
                "{path} is no term of {}; available{below}: {what}",
                policy.kind().as_str_name()
            ));
        };
        names.push(format!("{}{place}", field.name()));
        match field.kind().as_message() {
            Some(inner) => message = inner.clone(),
            None => is_leaf = true,
        }
    }
    Ok(names.join("."))
}

fn json_name(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut all, word| {
        let mut letters = word.chars();
        all.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        all.push_str(letters.as_str());
        all
    })
}

/// A policy from its JSON form, as grpcurl takes it.
///
/// # Errors
/// Where it is none.
pub fn from_json(text: &str) -> Result<Policy, Error> {
    let descriptor = POOL
        .get_message_by_name("mingce.registry.v1.Policy")
        .ok_or_else(|| Error::internal("the contract has no policies"))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize(descriptor, &mut json).map_err(Error::internal)?;
    Policy::decode(message.encode_to_vec().as_slice()).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_either_spelling_and_what_is_no_term_is_told() {
        let mut policy = Policy::default();
        policy.set_kind(CaseKind::LabDesignation);
        for (path, right) in [
            ("max_hosts", "max_hosts"),
            ("maxHosts", "max_hosts"),
            ("labDesignation.maxHosts", "max_hosts"),
            ("lab_designation.notice.workingDays", "notice.working_days"),
            ("review.criteria[2].weightPercent", "review.criteria[2].weight_percent"),
            ("notice", "notice"),
            ("handling.formalCheckDays", "handling.formal_check_days"),
        ] {
            assert_eq!(canonical(&policy, path).as_deref(), Ok(right), "{path}");
        }
        for wrong in [
            "nonsense",
            "nonsense.x",
            "max_hosts.x",
            "notice[0]",
            "review.criteria[x]",
            "term_months",
            "",
            ".",
        ] {
            let said = canonical(&policy, wrong).unwrap_err();
            assert!(said.contains("is no term of CASE_KIND_LAB_DESIGNATION"), "{said}");
        }
        let said = canonical(&policy, "notice.days").unwrap_err();
        assert!(
            said.ends_with("available below notice: working_days, objection_days"),
            "{said}"
        );
    }
}
