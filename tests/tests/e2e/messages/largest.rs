//! What the rules of the contract allow, the limit on the size of a request allows too.

use std::collections::HashMap;

use mingce_e2e::raw_client::RawClient;
use mingce_e2e::{Failure, Register, Store};
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::contract::{matching, methods, name, rules};

/// How long a text is within reason where longer ones are allowed: twenty Chinese characters.
const TEXT: usize = 20;

/// Methods for which the contract says itself that all of it at once is more than a request may have (docs/clients.md).
const TOO_MUCH: [&str; 0] = [];

/// Makes the largest messages that the rules allow.
#[derive(Default)]
struct LargestMessages {
    texts: HashMap<String, String>,
    messages: HashMap<String, DynamicMessage>,
}

impl LargestMessages {
    fn message(&mut self, of: &MessageDescriptor) -> DynamicMessage {
        if let Some(known) = self.messages.get(of.full_name()) {
            return known.clone();
        }
        let mut message = DynamicMessage::new(of.clone());
        // Who names a record does so in one way, of which the resource name with the name is the longest.
        let reference = of.name().ends_with("Reference");
        let other = [
            "identifier",
            "city",
            "code",
            "host",
            "identity_document",
            "birth_year",
            "employer",
        ];
        for field in of.fields().filter(|f| !(reference && other.contains(&f.name()))) {
            let value = if field.is_list() {
                // Their comment says that they come in several messages.
                let apart = field.name() == "assumed";
                let most = rules(&field).max_items.filter(|_| !apart);
                let count = most.unwrap_or(1);
                Value::List(vec![self.value(&field); count])
            } else {
                self.value(&field)
            };
            let Some(oneof) = field.containing_oneof() else {
                message.set_field(&field, value);
                continue;
            };
            // Of the choices of a move the largest, but for evaluations, each of which is as large as a batch.
            let size = |value: &Value| value.as_message().map_or(0, Message::encoded_len);
            let chosen = oneof.fields().filter(|other| message.has_field(other));
            let known = chosen.map(|other| size(&message.get_field(&other))).max().unwrap_or(0);
            if size(&value) > known && size(&value) < 10_000 {
                message.set_field(&field, value);
            }
        }
        self.messages.insert(of.full_name().to_owned(), message.clone());
        message
    }

    fn value(&mut self, field: &FieldDescriptor) -> Value {
        match field.kind() {
            Kind::Message(of) => Value::Message(self.message(&of)),
            Kind::String => Value::String(self.text(field)),
            Kind::Bytes => Value::Bytes(Bytes::from_static(&[7; TEXT])),
            Kind::Bool => Value::Bool(true),
            Kind::Enum(of) => Value::EnumNumber(of.values().map(|v| v.number()).max().unwrap()),
            Kind::Double => Value::F64(1.5),
            Kind::Float => Value::F32(1.5),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1_000_000),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(1_000_000),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(1_000_000),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1_000_000),
        }
    }

    fn text(&mut self, field: &FieldDescriptor) -> String {
        let rules = rules(field);
        match (&rules.pattern, rules.uuid) {
            (Some(pattern), _) => {
                let text = self.texts.entry(pattern.clone());
                text.or_insert_with(|| matching(pattern, 30)).clone()
            }
            (None, true) => "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
            (None, false) => "青".repeat(rules.max_len.unwrap_or(TEXT).min(TEXT)),
        }
    }
}

#[tokio::test]
async fn what_the_contract_allows_is_not_too_large() {
    let register = Register::start(Store::Sqlite).await;
    let (caller, mut largest, mut wrong) = (RawClient::to(&register), LargestMessages::default(), Vec::new());
    for method in methods() {
        let method_name = name(&method);
        let bytes = Bytes::from(largest.message(&method.input()).encode_to_vec());
        let size = bytes.len();
        let Err(status) = caller
            .call(&method_name, method.is_client_streaming(), vec![bytes])
            .await
        else {
            continue;
        };
        let failure = Failure::from(status);
        let refused = ["MESSAGE_TOO_LARGE", "MESSAGE_TOO_COMPLEX", "OVERLOADED"].contains(&failure.reason.as_str());
        if refused != TOO_MUCH.contains(&method_name.as_str()) {
            wrong.push(format!("{method_name}: {size} bytes, {}", failure.message));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
