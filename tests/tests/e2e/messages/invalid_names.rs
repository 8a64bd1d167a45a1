//! Every place of every request that names a record, with what is no name of one: the call is INVALID_ARGUMENT with
//! the path of the field. A row of an import is refused with it, and the rows behind it are taken all the same.

use mingce_e2e::raw_client::RawClient;
use mingce_e2e::{Failure, Register, Store, on_both_stores};
use mingce_proto::labs::ImportLabsResponse;
use mingce_proto::registry::row_outcome::Outcome;
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ReflectMessage, Value,
};
use tonic::Code;

use super::contract::{matching, message_of, methods, name, rules};

on_both_stores!(what_names_no_record_is_told_with_its_path_wherever_it_stands);

/// Fields that hold references and that only the service sets: what a request says in them counts for nothing.
const IGNORED: [&str; 2] = [
    "mingce.labs.v1.LabDesignation.successor",
    "mingce.labs.v1.LabDesignation.evaluations",
];

/// The way to a field from the message of a request.
type FieldPath = Vec<FieldDescriptor>;

/// Every place where a message names a record: by a reference, or by a bare resource name.
fn places(of: &MessageDescriptor, way: &mut FieldPath, found: &mut Vec<FieldPath>) {
    for field in of.fields() {
        let again = way
            .iter()
            .any(|step| message_of(step) == message_of(&field) && message_of(&field).is_some());
        if again || field.is_map() || IGNORED.contains(&field.full_name()) {
            continue;
        }
        way.push(field.clone());
        match message_of(&field) {
            Some(inner) if is_reference(&inner) => found.push(way.clone()),
            Some(inner) => places(&inner, way, found),
            None if is_resource_name(&field) && is_given(way) => found.push(way.clone()),
            None => {}
        }
        way.pop();
    }
}

/// Whether a caller gives it: a resource is named by the service that makes it, and an update names it.
fn is_given(way: &FieldPath) -> bool {
    let name = way.last().unwrap().name();
    way.len() == 1 || !["name", "survivor"].contains(&name)
}

fn is_reference(message: &MessageDescriptor) -> bool {
    message.name().ends_with("Reference") && message.name() != "CreatedReference"
}

/// A text that the contract wants to be `labs/{id}` or the like.
fn is_resource_name(field: &FieldDescriptor) -> bool {
    let pattern = rules(field).pattern.unwrap_or_default();
    let start = pattern.trim_start_matches(['^', '(']);
    field.kind() == Kind::String
        && start
            .split_once('/')
            .is_some_and(|(first, _)| first.chars().all(|c| c.is_ascii_alphabetic()) && !first.is_empty())
}

/// What is wrong in a field of a reference, as the path below it and the value.
fn wrong(field: &FieldDescriptor) -> Vec<(String, Value)> {
    let name = field.name();
    let text = |text: String| vec![(name.to_owned(), Value::String(text))];
    match (name, field.kind()) {
        ("identifier", Kind::Message(of)) => {
            let held = |scheme: &str, value: &str| {
                let mut held = DynamicMessage::new(of.clone());
                held.set_field_by_name("scheme", Value::String(scheme.to_owned()));
                held.set_field_by_name("value", Value::String(value.to_owned()));
                Value::Message(held)
            };
            vec![
                ("identifier.scheme".to_owned(), held("USCC", "12370000495571303U")),
                ("identifier.value".to_owned(), held("local", "")),
                ("identifier.value".to_owned(), held("local", &"1".repeat(101))),
            ]
        }
        (_, Kind::Int32) => vec![(name.to_owned(), Value::I32(-1))],
        (_, Kind::String) => match (rules(field).pattern, rules(field).max_len) {
            (Some(_), _) => {
                let other = if name == "organization" {
                    "labs"
                } else {
                    "organizations"
                };
                let mut all = text(format!("{other}/01jd2k3m4n5p6q7r8s9t0v1w2x"));
                all.extend(text(format!("{name}s/123")));
                all
            }
            (None, Some(most)) => text("大".repeat(most + 20)),
            (None, None) => panic!("{} has no rule", field.full_name()),
        },
        _ => panic!("{} is of a kind that this test does not know", field.full_name()),
    }
}

/// The request with a value in one place, and the path of that place.
fn request(of: &MessageDescriptor, way: &[FieldDescriptor], value: Value) -> (DynamicMessage, String) {
    let mut message = DynamicMessage::new(of.clone());
    let Some((field, rest)) = way.split_first() else {
        return (message, String::new());
    };
    let (inner, below) = match (rest.is_empty(), message_of(field)) {
        (false, Some(inner)) => {
            let (inner, below) = request(&inner, rest, value);
            (Value::Message(inner), below)
        }
        _ => (value, String::new()),
    };
    let (inner, at) = if field.is_list() {
        (Value::List(vec![inner]), format!("{}[0]", field.name()))
    } else {
        (inner, field.name().to_owned())
    };
    message.set_field(field, inner);
    fill(&mut message);
    let path = if below.is_empty() { at } else { format!("{at}.{below}") };
    (message, path)
}

/// Fills in the other texts of a request that have to be names, and asks for all or none of a batch: else it tells of
/// each move alone.
fn fill(message: &mut DynamicMessage) {
    if message.descriptor().get_field_by_name("atomic").is_some() {
        message.set_field_by_name("atomic", Value::Bool(true));
    }
    for field in message.descriptor().fields() {
        let pattern = rules(&field)
            .pattern
            .filter(|pattern| pattern.starts_with("^") && !pattern.contains(")?$"));
        if let (Some(pattern), false, Kind::String) = (pattern, message.has_field(&field), field.kind())
            && !field.is_list()
            && field.containing_oneof().is_none()
        {
            message.set_field(&field, Value::String(matching(&pattern, 3)));
        }
    }
}

/// Fills in what a correction asks for: why, by which document, and of which field.
fn correct(message: &mut DynamicMessage, field: Option<&FieldDescriptor>) {
    for name in ["reason", "document_number"] {
        message.set_field_by_name(name, Value::String("试更〔2024〕1号".to_owned()));
    }
    let mask = message.descriptor().get_field_by_name("update_mask").unwrap();
    let mut paths = DynamicMessage::new(message_of(&mask).unwrap());
    let named = field.map(|field| Value::String(field.name().to_owned()));
    paths.set_field_by_name("paths", Value::List(named.into_iter().collect()));
    message.set_field(&mask, Value::Message(paths));
}

/// All wrong values for a place, each with what stands behind the path of the place.
fn values(field: &FieldDescriptor) -> Vec<(String, Value)> {
    let Some(reference) = message_of(field) else {
        let bad = ["organization/1", "talents/123"];
        return bad.map(|text| (String::new(), Value::String(text.to_owned()))).into();
    };
    let mut all = Vec::new();
    for field in reference.fields() {
        for (path, value) in wrong(&field) {
            let mut message = DynamicMessage::new(reference.clone());
            message.set_field(&field, value);
            all.push((path, Value::Message(message)));
        }
    }
    all
}

async fn tried(
    caller: &RawClient,
    method: &MethodDescriptor,
    message: DynamicMessage,
    (path, is_bare): (&str, bool),
) -> Result<(), String> {
    let (streams, input) = (method.is_client_streaming(), method.input());
    let mut messages = vec![Bytes::from(message.encode_to_vec())];
    if streams {
        let mut first = message;
        first.set_field_by_name("row", Value::I64(1));
        let mut second = DynamicMessage::new(input.clone());
        second.set_field_by_name("row", Value::I64(2));
        let row = input
            .fields()
            .find(|f| message_of(f).is_some() && f.name() != "settings")
            .unwrap();
        second.set_field(&row, Value::Message(DynamicMessage::new(message_of(&row).unwrap())));
        messages = [first, second].map(|m| Bytes::from(m.encode_to_vec())).into();
    }
    let answer = caller.call(&name(method), streams, messages).await;
    match answer {
        Ok(answer) if streams => {
            let outcomes = ImportLabsResponse::decode(answer).unwrap().outcomes;
            let below = path.split_once('.').map_or("", |(_, below)| below);
            let told = outcomes[0].problems.iter().any(|problem| problem.field == below);
            let is = outcomes[0].outcome() == Outcome::Refused && told && outcomes.len() == 2;
            is.then_some(()).ok_or_else(|| format!("{outcomes:?}"))
        }
        Ok(answer) => Err(format!("it is taken: {answer:?}")),
        Err(status) => {
            let failure = Failure::from(status);
            // A bare name that is none may be told with what it belongs to.
            let told = is_bare || failure.fields.iter().any(|field| field == path);
            // What a correction does not set is not looked at.
            let told = told || failure.reason == "MASK_FIELD_UNKNOWN";
            (failure.code == Code::InvalidArgument && told)
                .then_some(())
                .ok_or_else(|| format!("{failure:?}"))
        }
    }
}

async fn what_names_no_record_is_told_with_its_path_wherever_it_stands(store: Store) {
    let register = Register::start(store).await;
    let caller = RawClient::to(&register);
    let (mut missed, mut count, mut streamed) = (Vec::new(), 0, 0);
    for method in methods() {
        let mut found = Vec::new();
        places(&method.input(), &mut Vec::new(), &mut found);
        for way in found {
            for (below, value) in values(way.last().unwrap()) {
                let (mut message, mut path) = request(&method.input(), &way, value);
                fill(&mut message);
                if method.name().starts_with("Correct") {
                    correct(&mut message, way.get(1));
                }
                if !below.is_empty() {
                    path = format!("{path}.{below}");
                }
                count += 1;
                streamed += usize::from(method.is_client_streaming());
                if let Err(said) = tried(&caller, &method, message, (&path, below.is_empty())).await {
                    missed.push(format!("{} {path}: {said}", name(&method)));
                }
            }
        }
    }
    let short: Vec<String> = missed.iter().map(|one| one.chars().take(330).collect()).collect();
    assert!(missed.is_empty(), "{} of {count}: {short:#?}", missed.len());
    assert!(count > 500 && streamed > 100, "{count} places, {streamed} in streams");
}
