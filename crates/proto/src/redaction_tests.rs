use std::collections::BTreeSet;

use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};

use super::*;
use crate::codec::Reply;
use crate::field_class::class_of;
use crate::names::POOL;
use crate::registry::{CaseFacts, FieldClass, Name, OrganizationReference, PublicNotice, Revision};
use crate::talent::{Employment, Talent};

const PUBLIC: Classes = Classes::of(&[FieldClass::Public]);
const OFFICE: Classes = PUBLIC.with(FieldClass::Internal);
const PERSONS: Classes = OFFICE.with(FieldClass::Personal);
const TALENT: &str = "mingce.talent.v1.Talent";
const ANY: &str = "google.protobuf.Any";

/// All sets of classes.
fn sets() -> impl Iterator<Item = Classes> {
    let classes = [
        FieldClass::Public,
        FieldClass::Internal,
        FieldClass::Personal,
        FieldClass::Sealed,
    ];
    (0..Classes::SETS).map(move |number| {
        let chosen = (0_usize..).zip(classes).filter(|(bit, _)| (number >> bit) & 1 == 1);
        chosen.fold(Classes::NONE, |set, (_, class)| set.with(class))
    })
}

/// The messages of all answers, at any depth, in one order.
fn answers() -> Vec<MessageDescriptor> {
    let methods = POOL
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    let mut left: Vec<MessageDescriptor> = methods.map(|method| method.output()).collect();
    while let Some(message) = left.pop() {
        if message.full_name().starts_with("google.") || !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        left.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
        found.push(message);
    }
    found
}

/// Those that are resources.
fn resources() -> Vec<MessageDescriptor> {
    let is_resource = |message: &MessageDescriptor| {
        let has = |number: u32, name: &str| message.get_field(number).is_some_and(|field| field.name() == name);
        has(1, "name") && has(7, "record_status") && has(100, "sequence")
    };
    answers().into_iter().filter(is_resource).collect()
}

/// Numbers that follow from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn text(&mut self) -> String {
        let characters = ['a', '0', ' ', '\0', 'é', '青', '𠀋'];
        (0..self.below(5))
            .map(|_| characters[self.below(characters.len())])
            .collect()
    }

    fn message(&mut self, of: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        if of.full_name() == ANY {
            let all = resources();
            let held = &all[self.below(all.len())];
            let value = self.message(held, depth + 1);
            hold(&mut message, &value);
            return message;
        }
        for field in of.fields() {
            if self.below(depth + 2) == 0 {
                let value = self.value(&field, depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        if field.is_list() {
            let count = 1 + self.below(3);
            return Value::List((0..count).map(|_| self.one(&field.kind(), depth)).collect());
        }
        self.one(&field.kind(), depth)
    }

    fn one(&mut self, kind: &Kind, depth: usize) -> Value {
        let number = self.next();
        match kind {
            Kind::Message(of) => Value::Message(self.message(of, depth + 1)),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Bool => Value::Bool(number.is_multiple_of(2)),
            Kind::Enum(_) => Value::EnumNumber((number % 5) as i32),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(number),
            Kind::Float => Value::F32((number % 100) as f32),
            Kind::Double => Value::F64((number % 100) as f64),
        }
    }
}

/// Lets an `Any` hold a message.
fn hold(any: &mut DynamicMessage, held: &DynamicMessage) {
    let url = format!("type.googleapis.com/{}", held.descriptor().full_name());
    any.set_field_by_name("type_url", Value::String(url));
    any.set_field_by_name("value", Value::Bytes(held.encode_to_vec().into()));
}

/// The messages that a value is or lists.
fn messages(value: &mut Value) -> Vec<&mut DynamicMessage> {
    match value {
        Value::Message(message) => vec![message],
        Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).collect(),
        _ => Vec::new(),
    }
}

/// Looks at each field of a message by reflection, and at those of the messages within it. What is hidden is given to
/// `hidden`.
fn look(message: &mut DynamicMessage, visible: Classes, hidden: &mut dyn FnMut(&mut DynamicMessage, &FieldDescriptor)) {
    if message.descriptor().full_name() == ANY {
        let text = |field: &str| message.get_field_by_name(field).unwrap().into_owned();
        let (url, value) = (text("type_url"), text("value"));
        let name = url.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let of = POOL.get_message_by_name(&name).unwrap();
        let mut held = DynamicMessage::decode(of, value.as_bytes().unwrap().clone()).unwrap();
        look(&mut held, visible, hidden);
        hold(message, &held);
        return;
    }
    if message.descriptor().full_name().starts_with("google.") {
        return;
    }
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    for field in fields {
        if !visible.sees(class_of(&field)) {
            hidden(message, &field);
        } else if message.has_field(&field) {
            for inner in messages(message.get_field_mut(&field)) {
                look(inner, visible, hidden);
            }
        }
    }
}

/// What is left where all hidden fields are cleared.
fn cleared(message: &DynamicMessage, visible: Classes) -> DynamicMessage {
    let mut message = message.clone();
    look(&mut message, visible, &mut |message, field| message.clear_field(field));
    message
}

/// The same message with other hidden fields.
fn with_other_hidden_fields(message: &DynamicMessage, visible: Classes, random: &mut Random) -> DynamicMessage {
    let mut message = message.clone();
    look(&mut message, visible, &mut |message, field| {
        message.clear_field(field);
        if random.below(3) > 0 {
            let value = random.value(field, 2);
            message.set_field(field, value);
        }
    });
    message
}

fn redacted(message: &DynamicMessage, visible: Classes) -> Bytes {
    let name = message.descriptor().full_name().to_owned();
    redact(&name, message.encode_to_vec().into(), visible).unwrap()
}

fn expect_as_by_reflection(message: &DynamicMessage, visible: Classes, random: &mut Random) {
    let name = message.descriptor().full_name().to_owned();
    let seen = redacted(message, visible);
    let expected = cleared(message, visible).encode_to_vec();
    assert_eq!(seen, expected, "{name} for {visible:?}: {message:?}");
    let other = with_other_hidden_fields(message, visible, random);
    assert_eq!(
        redacted(&other, visible),
        seen,
        "{name} for {visible:?}: {message:?} and {other:?}"
    );
    if !hides(&name, visible) {
        assert_eq!(seen, message.encode_to_vec(), "{name} for {visible:?}");
    }
    // Nothing is left to be hidden.
    assert_eq!(redact(&name, seen.clone(), visible).unwrap(), seen);
}

#[test]
fn each_resource_is_for_each_set_of_classes_what_reflection_leaves_of_it() {
    let all = resources();
    assert!(all.len() > 15, "{} resources", all.len());
    let mut random = Random(54);
    for of in &all {
        for visible in sets() {
            for _ in 0..4 {
                let message = random.message(of, 0);
                expect_as_by_reflection(&message, visible, &mut random);
            }
        }
    }
}

proptest! {
    #[test]
    fn each_message_of_an_answer_is_what_reflection_leaves_of_it(seed in any::<u64>(), of in any::<prop::sample::Index>()) {
        let mut random = Random(seed);
        let visible = sets().nth(random.below(Classes::SETS)).unwrap();
        let message = random.message(of.get(&answers()), 0);
        expect_as_by_reflection(&message, visible, &mut random);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (message, visible) in [(TALENT, PUBLIC), (TALENT, PERSONS), ("mingce.registry.v1.Revision", OFFICE)] {
            if let Ok(seen) = redact(message, bytes.clone().into(), visible) {
                prop_assert!(seen.len() <= bytes.len());
                prop_assert_eq!(redact(message, seen.clone(), visible), Ok(seen));
            }
        }
    }
}

fn talent() -> Talent {
    let name = Name {
        text: "Zhang Shiyi".to_owned(),
        merged_from: "talents/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..Name::default()
    };
    let employment = Employment {
        organization: Some(OrganizationReference {
            display_name: "甲大学".to_owned(),
            ..OrganizationReference::default()
        }),
        ..Employment::default()
    };
    Talent {
        name: "talents/01jd2k3m4n5p6q7r8s9t0v1w2y".to_owned(),
        etag: "\"r3\"".to_owned(),
        revision: 3,
        display_name: "张示一".to_owned(),
        names: vec![name],
        identity_document: "11010519491231002X".to_owned(),
        birth_year: 1949,
        title: "教授".to_owned(),
        employments: vec![employment],
        sequence: 17,
        ..Talent::default()
    }
}

#[test]
fn a_person_is_shown_by_what_a_caller_sees() {
    let seen = |visible| {
        let encoded = talent().encode_to_vec().into();
        Talent::decode(redact(TALENT, encoded, visible).unwrap()).unwrap()
    };
    let all = talent();
    let persons = Talent {
        identity_document: String::new(),
        ..all.clone()
    };
    let office = Talent {
        birth_year: 0,
        employments: Vec::new(),
        ..persons.clone()
    };
    let mut public = Talent {
        etag: String::new(),
        revision: 0,
        title: String::new(),
        sequence: 0,
        ..office.clone()
    };
    public.names[0].merged_from.clear();
    for (visible, expected) in [
        (Classes::ALL, all),
        (PERSONS, persons),
        (OFFICE, office),
        (PUBLIC, public),
        (Classes::NONE, Talent::default()),
    ] {
        assert_eq!(seen(visible), expected, "{visible:?}");
    }
}

/// Bytes that are shared stay shared.
#[test]
fn where_nothing_is_hidden_the_bytes_are_the_same_ones() {
    let is_same = |message: &str, encoded: Vec<u8>, visible| {
        let encoded = Bytes::from(encoded);
        let seen = redact(message, encoded.clone(), visible).unwrap();
        seen.as_ptr() == encoded.as_ptr() && seen.len() == encoded.len()
    };
    let shown = Talent {
        identity_document: String::new(),
        ..talent()
    };
    assert!(is_same(TALENT, talent().encode_to_vec(), Classes::ALL));
    assert!(is_same(TALENT, shown.encode_to_vec(), PERSONS));
    assert!(!is_same(TALENT, talent().encode_to_vec(), PERSONS));
    let notice = PublicNotice {
        display_name: "示例".to_owned(),
        ..PublicNotice::default()
    };
    assert!(is_same(
        "mingce.registry.v1.PublicNotice",
        notice.encode_to_vec(),
        PUBLIC
    ));
    assert!(!hides("mingce.registry.v1.PublicNotice", PUBLIC));
    assert!(hides(TALENT, PERSONS) && !hides(TALENT, Classes::ALL));
    // All of it is for one class.
    assert!(!hides(
        "mingce.registry.v1.CaseFacts",
        Classes::of(&[FieldClass::Internal])
    ));
    let facts = CaseFacts {
        returns: 1,
        ..CaseFacts::default()
    };
    assert!(is_same(
        "mingce.registry.v1.CaseFacts",
        facts.encode_to_vec(),
        Classes::of(&[FieldClass::Internal])
    ));
}

#[test]
fn the_record_in_an_entry_of_the_history_is_redacted_too() {
    let entry = |url: &str| Revision {
        revision: 3,
        snapshot: Some(prost_types::Any {
            type_url: url.to_owned(),
            value: talent().encode_to_vec(),
        }),
        ..Revision::default()
    };
    let seen = |entry: Revision, visible| {
        let encoded = entry.encode_to_vec().into();
        Revision::decode(redact("mingce.registry.v1.Revision", encoded, visible).unwrap()).unwrap()
    };
    let known = format!("type.googleapis.com/{TALENT}");
    let held = seen(entry(&known), OFFICE).snapshot.unwrap();
    assert_eq!(held.type_url, known);
    assert_eq!(
        held.value,
        redact(TALENT, talent().encode_to_vec().into(), OFFICE).unwrap()
    );
    for other in [
        "type.googleapis.com/mingce.talent.v1.Nobody",
        "",
        "google.protobuf.Timestamp",
    ] {
        assert_eq!(seen(entry(other), PERSONS).snapshot, None, "{other}");
    }
    assert_eq!(seen(entry(&known), Classes::ALL), entry(&known));
}

#[test]
fn what_the_contract_does_not_know_is_not_shown() {
    // Field 90 of a person, which is none.
    let mut encoded = talent().encode_to_vec();
    let known = redact(TALENT, encoded.clone().into(), PERSONS).unwrap();
    put(&mut encoded, 90, b"17010519491231002X");
    assert_eq!(redact(TALENT, encoded.clone().into(), PERSONS).unwrap(), known);
    for broken in [&[0x0a, 9, b'a'][..], &[0x0b, 0x0a], &[0x00], &[0x0f], &[0x80]] {
        assert_eq!(
            redact(TALENT, Bytes::copy_from_slice(broken), PERSONS),
            Err(Unreadable),
            "{broken:?}"
        );
    }
    let nobody = "mingce.talent.v1.Nobody";
    assert_eq!(redact(nobody, encoded.into(), PERSONS), Err(Unreadable));
    assert!(hides(nobody, PERSONS));
}

#[test]
fn a_reply_is_redacted_whether_it_was_encoded_before_or_not() {
    let shown = Talent {
        identity_document: String::new(),
        ..talent()
    };
    let encoded = Reply::<Talent>::Encoded(talent().encode_to_vec().into());
    for reply in [Reply::from(talent()), encoded] {
        assert_eq!(reply.clone().redacted(PERSONS).unwrap().decode().unwrap(), shown);
        assert_eq!(reply.clone().redacted(Classes::ALL).unwrap(), reply);
    }
    let notice = Reply::from(PublicNotice::default());
    assert_eq!(notice.clone().redacted(PUBLIC).unwrap(), notice);
    assert_eq!(
        Reply::<Talent>::Encoded(Bytes::from_static(&[0x0b])).redacted(PUBLIC),
        Err(Unreadable)
    );
}
