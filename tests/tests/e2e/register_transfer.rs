//! The transfer of a whole register into an empty one: exports carry what their references need to be found there.

use std::path::Path;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{
    CreateLabRequest, Lab, LabDesignation, LabDesignationState, LabHost, LabReference, RecordLabDesignationRequest,
};
use mingce_proto::registry::{Level, OrganizationReference};

use crate::builders::{made, merge, organization};
use crate::sample;

on_both_stores!(a_whole_register_goes_into_an_empty_one_and_back_as_unchanged);

/// In the order in which they refer to each other.
const COLLECTIONS: [&str; 8] = [
    "organizations",
    "labs",
    "labDesignations",
    "programmes",
    "talents",
    "talentDesignations",
    "schemes",
    "awards",
];

/// How many records an export wrote.
fn exported(register: &Register, collection: &str, to: &Path) -> u64 {
    let said = register
        .cli(&["export", collection, "--to", to.to_str().unwrap()])
        .succeeded();
    said.split_whitespace().next().unwrap().parse().unwrap()
}

/// Rows, created, updated, unchanged, refused.
fn imported(register: &Register, collection: &str, from: &Path) -> Vec<u64> {
    let said = register
        .cli(&["import", from.to_str().unwrap(), "--as", collection])
        .succeeded();
    let line = said.lines().find(|line| line.starts_with(collection)).unwrap();
    let numbers = line.split_whitespace().skip(1).map(|n| n.parse().unwrap());
    let numbers = numbers.collect();
    assert!(!said.contains("that rows name"), "{said}");
    numbers
}

/// Two labs that only their hosts tell apart, each with a designation, and one whose host was merged since.
async fn without_identifiers(register: &Register) {
    let stays = made(register, organization("某大学")).await;
    let goes = made(register, organization("某大")).await;
    for (number, host) in [("1", "示例第一研究院"), ("2", "示例第二研究院"), ("3", "某大")] {
        if number != "3" {
            made(register, organization(host)).await;
        }
        let lab = Lab {
            display_name: if number == "3" {
                "示例深海实验室"
            } else {
                "示例同名实验室"
            }
            .to_owned(),
            city: "青岛".to_owned(),
            hosts: vec![LabHost {
                organization: Some(OrganizationReference {
                    display_name: host.to_owned(),
                    ..OrganizationReference::default()
                }),
                ..LabHost::default()
            }],
            ..Lab::default()
        };
        let request = CreateLabRequest {
            lab: Some(lab),
            ..CreateLabRequest::default()
        };
        let lab = register.labs().create_lab(request).await.unwrap().into_inner();
        let designation = LabDesignation {
            lab: Some(LabReference::default()),
            programme: "市级重点实验室".to_owned(),
            level: Level::Municipal as i32,
            state: LabDesignationState::Operating as i32,
            number: format!("虚构-{number}"),
            decision_date: "2021-11-26".to_owned(),
            ..LabDesignation::default()
        };
        let request = RecordLabDesignationRequest {
            parent: lab.name,
            lab_designation: Some(designation),
            ..RecordLabDesignationRequest::default()
        };
        register.labs().record_lab_designation(request).await.unwrap();
    }
    register
        .labs()
        .merge_organizations(merge(&goes.name, &stays.name))
        .await
        .unwrap();
}

async fn a_whole_register_goes_into_an_empty_one_and_back_as_unchanged(store: Store) {
    let (one, other) = (sample::start(store).await, Register::start(store).await);
    without_identifiers(&one).await;
    let folder = tempfile::tempdir().unwrap();
    for (place, collection) in COLLECTIONS.into_iter().enumerate() {
        let ending = ["csv", "xlsx", "jsonl"][place % 3];
        let file = folder.path().join(format!("{collection}.{ending}"));
        let count = exported(&one, collection, &file);
        assert!(count > 2, "{collection}");
        assert_eq!(
            imported(&one, collection, &file),
            [count, 0, 0, count, 0],
            "{collection} back"
        );
        assert_eq!(
            imported(&other, collection, &file),
            [count, count, 0, 0, 0],
            "{collection}"
        );
        assert_eq!(
            imported(&other, collection, &file),
            [count, 0, 0, count, 0],
            "{collection} again"
        );
        let back = folder.path().join(format!("{collection}-of-other.jsonl"));
        assert_eq!(exported(&other, collection, &back), count, "{collection}");
    }
    // References mean the same records there: what counts by them counts the same.
    for (collection, group) in [
        ("awards", "completing_organizations"),
        ("awards", "scheme"),
        ("talentDesignations", "employer"),
        ("talentDesignations", "programme"),
        ("labDesignations", "lab"),
    ] {
        let counts = [
            counted(&one, collection, group).await,
            counted(&other, collection, group).await,
        ];
        assert!(counts[0].len() > 1);
        assert_eq!(counts[0], counts[1], "{collection} by {group}");
    }
}

/// How many records each value of a field has, the largest first.
async fn counted(register: &Register, collection: &str, group: &str) -> Vec<i64> {
    let request = mingce_proto::registry::ComputeStatisticsRequest {
        collection: collection.to_owned(),
        group_by: vec![group.to_owned()],
        ..Default::default()
    };
    let answer = match collection {
        "awards" => register.awards().compute_statistics(request).await,
        "labDesignations" => register.labs().compute_statistics(request).await,
        _ => register.talent().compute_statistics(request).await,
    };
    let mut counts: Vec<i64> = answer
        .unwrap()
        .into_inner()
        .groups
        .iter()
        .map(|group| group.count)
        .collect();
    counts.sort_unstable();
    counts
}
