//! The names of the contract in `docs/glossary.md` are names of the contract.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use prost_reflect::DescriptorPool;

/// All messages, enums, services and methods by their short names, and fields as `Message.field`.
fn names() -> BTreeSet<String> {
    let pool = DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap();
    let mut names: BTreeSet<_> = pool.all_enums().map(|one| one.name().to_owned()).collect();
    for message in pool.all_messages() {
        names.insert(message.name().to_owned());
        names.extend(
            message
                .fields()
                .map(|field| format!("{}.{}", message.name(), field.name())),
        );
    }
    for service in pool.services() {
        names.insert(service.name().to_owned());
        names.extend(service.methods().map(|method| method.name().to_owned()));
    }
    names
}

#[test]
fn each_name_of_the_glossary_stands_in_the_contract() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/glossary.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.split(" | ").nth(2));
    let quoted = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let named: Vec<_> = rows.flat_map(quoted).collect();
    assert!(named.len() > 40, "the tables are not read: {named:?}");
    let known = names();
    let missing: Vec<_> = named.into_iter().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "the contract has no {missing:?}");
}
