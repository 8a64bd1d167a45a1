use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor};

use super::*;
use crate::DESCRIPTORS;

const PUBLIC: Classes = Classes::of(&[FieldClass::Public]);
const OFFICE: Classes = PUBLIC.with(FieldClass::Internal);
const PERSONS: Classes = OFFICE.with(FieldClass::Personal);

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let services = pool.services();
    services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

/// All messages of the answers of a contract, at any depth.
fn answers(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left: Vec<MessageDescriptor> = methods(pool).iter().map(MethodDescriptor::output).collect();
    while let Some(message) = left.pop() {
        if is_value(&message) || !found.insert(message.full_name().to_owned()) {
            continue;
        }
        left.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
    }
    found
}

#[test]
fn each_field_of_each_answer_has_a_class_and_what_only_requests_have_has_none() {
    let mut seen = HashSet::new();
    for method in methods(&POOL) {
        let without = unclassified(&method.output(), &mut seen);
        assert_eq!(without, None, "in the answer of {}", method.full_name());
    }
    let answers = answers(&POOL);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), answers);
    assert!(answers.len() > 150, "{} messages", answers.len());
    let mut others = 0;
    for message in POOL
        .all_messages()
        .filter(|message| !answers.contains(message.full_name()))
    {
        for field in message.fields() {
            assert_eq!(class_of(&field), FieldClass::Unspecified, "{}", field.full_name());
            others += 1;
        }
    }
    assert!(others > 500, "{others} fields of requests");
}

/// The contract, in which one field has lost its class.
fn without(message: &str, field: &str) -> DescriptorPool {
    let set = POOL.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let mut set = DynamicMessage::decode(set, DESCRIPTORS).unwrap();
    let option = POOL.get_extension_by_name(OPTION).unwrap();
    let (package, name) = message.rsplit_once('.').unwrap();
    let mut lost = 0;
    for file in inner(&mut set, "file").filter(|file| text(file, "package") == package) {
        for message in inner(file, "message_type").filter(|message| text(message, "name") == name) {
            for field in inner(message, "field").filter(|other| text(other, "name") == field) {
                let options = field.get_field_by_name_mut("options").unwrap();
                options.as_message_mut().unwrap().clear_extension(&option);
                lost += 1;
            }
        }
    }
    assert_eq!(lost, 1, "{message}.{field}");
    DescriptorPool::decode(set.encode_to_vec().as_slice()).unwrap()
}

fn inner<'a>(message: &'a mut DynamicMessage, field: &str) -> impl Iterator<Item = &'a mut DynamicMessage> {
    let all = message.get_field_by_name_mut(field).unwrap().as_list_mut().unwrap();
    all.iter_mut().filter_map(Value::as_message_mut)
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_field_without_a_class_is_found_at_any_depth() {
    for (message, field, method) in [
        ("mingce.labs.v1.Lab", "city", "GetLab"),
        ("mingce.registry.v1.Name", "text", "GetLab"),
        ("mingce.registry.v1.Identifier", "value", "SearchLabs"),
        ("mingce.registry.v1.ReviewSummary", "display_name", "ListPanels"),
        ("mingce.registry.v1.Criterion", "code", "CreatePolicy"),
    ] {
        let pool = without(message, field);
        let method = methods(&pool).into_iter().find(|known| known.name() == method).unwrap();
        let found = unclassified(&method.output(), &mut HashSet::new()).unwrap();
        assert_eq!(found.full_name(), format!("{message}.{field}"));
        assert_eq!(class_of(&found), FieldClass::Unspecified);
        // Nobody sees it, and not even who sees all classes may name it.
        let contract = Contract::read(&pool);
        let at = &contract.all[contract.places[message]];
        let known = at.iter().find(|known| &*known.name == field).unwrap();
        assert!(!Classes::ALL.sees(known.class));
    }
}

#[test]
fn a_set_of_classes_sees_what_is_in_it() {
    assert!(PUBLIC.sees(FieldClass::Public) && !PUBLIC.sees(FieldClass::Internal));
    assert!(!Classes::ALL.sees(FieldClass::Unspecified) && Classes::ALL.is_all());
    assert!(Classes::NONE.covers(Classes::NONE) && !Classes::NONE.covers(PUBLIC));
    assert!(PERSONS.covers(OFFICE) && !OFFICE.covers(PERSONS) && !PERSONS.is_all());
    assert_eq!(Classes::NONE.with(FieldClass::Unspecified), Classes::NONE);
    assert_eq!((OFFICE.known(), PERSONS.known()), (OFFICE, Classes::ALL));
    assert_eq!(Classes::SETS, usize::from(Classes::ALL.0) + 1);
}

#[test]
fn a_path_needs_the_classes_of_all_fields_on_it() {
    let talent = "mingce.talent.v1.Talent";
    assert_eq!(needed(talent, "display_name"), Some(PUBLIC));
    assert_eq!(
        needed(talent, "employments.organization.organization"),
        Some(PUBLIC.with(FieldClass::Personal))
    );
    assert_eq!(needed(talent, "names.merged_from"), Some(OFFICE));
    let sealed = Some(Classes::of(&[FieldClass::Sealed]));
    assert_eq!(needed(talent, "identity_document"), sealed);
    for unknown in [
        "",
        ".",
        "colour",
        "display_name.text",
        "names.",
        "names..text",
        ".names",
        "create_time.seconds",
        "Display_Name",
    ] {
        assert_eq!(needed(talent, unknown), None, "{unknown:?}");
    }
    assert_eq!(needed("mingce.talent.v1.Nobody", "display_name"), None);
    // One value is known by its path; of a message something may be hidden.
    assert_eq!(needed_for_value(talent, "display_name"), Some(PUBLIC));
    assert_eq!(needed_for_value(talent, "create_time"), needed(talent, "create_time"));
    assert!(needed(talent, "names").is_some() && needed_for_value(talent, "names").is_none());
    // What only requests have has no class.
    assert_eq!(needed("mingce.talent.v1.GetTalentRequest", "name"), None);
}

#[test]
fn a_hidden_field_may_be_named_no_more_than_one_that_does_not_exist() {
    let talent = "mingce.talent.v1.Talent";
    let may = |path: &str, visible| may_name(talent, path, visible);
    assert!(may("display_name", PUBLIC) && may("title", OFFICE) && may("birth_year", PERSONS));
    assert!(!may("title", PUBLIC) && !may("birth_year", OFFICE) && !may("colour", Classes::ALL));
    // What is sealed is given by who sees what is personal.
    assert!(may("identity_document", PERSONS) && !may("identity_document", OFFICE));
    assert!(!may("display_name", Classes::NONE));
}

#[test]
fn of_a_change_the_fields_are_told_that_may_be_named_and_one_of_others_alone_did_not_happen() {
    let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let told = |names: &[&str], visible| told("mingce.talent.v1.Talent", fields(names), visible);
    let changed = ["display_name", "title", "birth_year", "birth_date"];
    assert_eq!(told(&changed, Classes::ALL), Some(fields(&changed)));
    assert_eq!(told(&changed, PERSONS), Some(fields(&changed)));
    assert_eq!(told(&changed, OFFICE), Some(fields(&["display_name", "title"])));
    assert_eq!(told(&changed, PUBLIC), Some(fields(&["display_name"])));
    assert_eq!(told(&["birth_year", "birth_date"], OFFICE), None);
    assert_eq!(told(&["birth_date"], PERSONS), Some(fields(&["birth_date"])));
    // A change without fields, as an annulment of what is annulled, is told.
    assert_eq!(told(&[], PUBLIC), Some(Vec::new()));
}
