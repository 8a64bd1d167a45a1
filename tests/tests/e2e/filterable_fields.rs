//! Fields of filters and statistics: those that the comments of the contract name are taken, and no others.

use std::collections::BTreeSet;
use std::fs;

use mingce_e2e::binary::workspace;
use mingce_e2e::{Register, Store, failure, on_both_stores, raw_client};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

on_both_stores!(
    lists_take_the_filter_fields_that_the_contract_names,
    statistics_take_the_dimensions_that_the_contract_names,
);

/// The services with the folders of their files.
const SERVICES: [(&str, &str); 6] = [
    ("mingce.labs.v1.LabService", "labs/v1/lab_service.proto"),
    ("mingce.talent.v1.TalentService", "talent/v1/talent_service.proto"),
    ("mingce.awards.v1.AwardService", "awards/v1/award_service.proto"),
    ("mingce.registry.v1.CaseService", "registry/v1/case_service.proto"),
    (
        "mingce.talent.v1.NominatingBodyService",
        "talent/v1/nominating_body_service.proto",
    ),
    (
        "mingce.talent.v1.RecommendationService",
        "talent/v1/recommendation_service.proto",
    ),
];

/// Each method of a service with its comment in one line.
fn methods(file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(workspace().join("proto/mingce").join(file)).unwrap();
    let (mut found, mut comment) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("// ") {
            comment += said;
            comment.push(' ');
        } else {
            if let Some(rest) = line.strip_prefix("rpc ") {
                let name = rest.split('(').next().unwrap().to_owned();
                found.push((name, std::mem::take(&mut comment)));
            }
            comment.clear();
        }
    }
    found
}

/// What stands between two pieces of a comment.
fn between<'a>(comment: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let rest = &comment[comment.find(from)? + from.len()..];
    Some(
        &rest[..rest
            .find(to)
            .unwrap_or_else(|| panic!("no `{to}` after `{from}`: {comment}"))],
    )
}

/// A request of a method, with these fields where it has them.
fn request(service: &str, method: &str, fields: &[(&str, Value)]) -> Vec<u8> {
    let pool = DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap();
    let service = pool.get_service_by_name(service).unwrap();
    let method = service.methods().find(|m| m.name() == method).unwrap();
    let mut message = DynamicMessage::new(method.input());
    for (name, value) in fields {
        if method.input().get_field_by_name(name).is_some() {
            message.set_field_by_name(name, value.clone());
        }
    }
    message.encode_to_vec()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

async fn lists_take_the_filter_fields_that_the_contract_names(store: Store) {
    let register = Register::start(store).await;
    let mut lists = 0;
    for (service, file) in SERVICES {
        for (method, comment) in methods(file) {
            let Some(said) = between(&comment, "Filter fields:", "Active records") else {
                continue;
            };
            // Every other piece is within backquotes.
            let named: BTreeSet<&str> = said.split('`').skip(1).step_by(2).collect();
            let parent = text(if method.starts_with("ListLab") {
                "labs/-"
            } else {
                "talents/-"
            });
            let list = |filter: &str| {
                request(
                    service,
                    &method,
                    &[("filter", text(filter)), ("parent", parent.clone())],
                )
            };
            let every = named
                .iter()
                .map(|field| format!("{field}:*"))
                .collect::<Vec<_>>()
                .join(" OR ");
            let at = format!("{service}/{method}");
            lists += 1;
            if let Err(status) = raw_client::call(&register, &at, &list(&every), &[]).await {
                panic!("{at} names {named:?}: {status:?}");
            }
            let refused = failure(raw_client::call(&register, &at, &list("colour:*"), &[]).await);
            assert_eq!(refused.reason, "FILTER_FIELD_UNKNOWN", "{at}: {refused:?}");
            let said = &refused.descriptions[0];
            let known: BTreeSet<&str> = said.split('`').skip(1).step_by(2).filter(|f| *f != "colour").collect();
            let unnamed: Vec<_> = known.difference(&named).filter(|field| **field != "survivor").collect();
            assert!(
                unnamed.is_empty() && !known.is_empty(),
                "{at} takes {unnamed:?} and does not name it: {said}"
            );
        }
    }
    assert_eq!(lists, 16, "each collection has a list");
}

async fn statistics_take_the_dimensions_that_the_contract_names(store: Store) {
    let register = Register::start(store).await;
    let mut dimensions = 0;
    for (service, file) in SERVICES {
        let methods = methods(file);
        let Some((_, comment)) = methods.iter().find(|(name, _)| name == "ComputeStatistics") else {
            continue;
        };
        let said = between(comment, "dimensions:", "Active records").unwrap();
        for collection in said.trim().trim_end_matches('.').split(';') {
            let (collection, named) = collection.trim().split_once(" by ").unwrap();
            let collection = text(collection.trim_matches('`'));
            let at = format!("{service}/ComputeStatistics");
            dimensions += named.split(',').count();
            for dimension in named.split(',').map(str::trim) {
                let group_by = Value::List(vec![text(dimension)]);
                let asked = request(
                    service,
                    "ComputeStatistics",
                    &[("collection", collection.clone()), ("group_by", group_by)],
                );
                if let Err(status) = raw_client::call(&register, &at, &asked, &[]).await {
                    panic!("{at}, {collection:?} by {dimension}: {status:?}");
                }
            }
        }
    }
    assert!(dimensions >= 50, "{dimensions} dimensions");
}
