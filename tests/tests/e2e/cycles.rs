//! Cycles between records: no record leads back to itself, neither by what it belongs to nor by what took over from it.

use std::fs;

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::{CreateLabRequest, ImportLabsRequest, Lab, LabReference, Organization, UpdateLabRequest};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{ImportSettings, RowOutcome};
use prost_types::FieldMask;
use tonic::Code;

use crate::builders::{identifier, made, merge, organization, read, update, updated};
use crate::public_files::{rows, table};

on_both_stores!(
    a_cycle_of_organizations_is_refused,
    a_cycle_over_a_duplicate_is_refused,
    a_cycle_that_a_merge_has_closed_holds_up_nothing_else,
    a_cycle_of_labs_is_refused,
    an_import_refuses_the_row_that_closes_a_cycle,
    a_chain_without_an_end_is_refused,
);

/// Organizations with these names, each below the one before.
async fn below_each_other(register: &Register, names: &[&str]) -> Vec<Organization> {
    let mut all: Vec<Organization> = Vec::new();
    for name in names {
        let one = Organization {
            parent: all.last().map_or(String::new(), |parent| parent.name.clone()),
            ..organization(name)
        };
        all.push(made(register, one).await);
    }
    all
}

fn below(one: &Organization, parent: &str) -> Organization {
    Organization {
        parent: parent.to_owned(),
        ..one.clone()
    }
}

async fn refused(register: &Register, organization: Organization, mask: &[&str]) -> Failure {
    failure(register.labs().update_organization(update(organization, mask)).await)
}

async fn a_cycle_of_organizations_is_refused(store: Store) {
    let register = Register::start(store).await;
    let all = below_each_other(&register, &["甲大学", "甲大学医学院", "甲大学附属医院"]).await;
    let [top, middle, bottom] = all.try_into().unwrap();
    for parent in [&middle, &bottom] {
        for mask in [&["parent"][..], &["*"], &[]] {
            let refused = refused(&register, below(&top, &parent.name), mask).await;
            assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_CYCLE"), "{refused:?}");
            assert_eq!(refused.fields, ["organization.parent"], "{refused:?}");
            assert!(refused.message.contains(&top.name), "{refused:?}");
        }
    }
    let itself = refused(&register, below(&top, &top.name), &["parent"]).await;
    assert_eq!(
        itself.is(),
        (Code::InvalidArgument, "REFERENCE_TO_ITSELF"),
        "{itself:?}"
    );
    assert_eq!(read(&register, &top.name).await, top);

    // What took over is another chain: the hospital may take over from the university.
    let over = Organization {
        successor: bottom.name.clone(),
        ..top.clone()
    };
    let over = updated(&register, over, &["successor"]).await;
    let back = Organization {
        successor: top.name.clone(),
        ..bottom.clone()
    };
    let refused = refused(&register, back, &["successor"]).await;
    assert_eq!(refused.is(), (Code::InvalidArgument, "SUCCESSOR_CYCLE"), "{refused:?}");
    assert_eq!(refused.fields, ["organization.successor"], "{refused:?}");
    // And a chain may be turned round, one link at a time.
    updated(&register, below(&bottom, ""), &["parent"]).await;
    let turned = updated(&register, below(&over, &bottom.name), &["parent"]).await;
    assert_eq!(turned.parent, bottom.name);
}

async fn a_cycle_over_a_duplicate_is_refused(store: Store) {
    let register = Register::start(store).await;
    let all = below_each_other(&register, &["甲大学", "甲大学医学院"]).await;
    let [top, middle] = all.try_into().unwrap();
    let twice = made(&register, organization("甲校")).await;
    let child = made(&register, below(&organization("甲校医院"), &twice.name)).await;
    register
        .labs()
        .merge_organizations(merge(&twice.name, &middle.name))
        .await
        .unwrap();
    // The child's parent is the duplicate, for which the middle stands, whose parent is the top.
    let refused = refused(&register, below(&top, &child.name), &["parent"]).await;
    assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_CYCLE"), "{refused:?}");
}

async fn a_cycle_that_a_merge_has_closed_holds_up_nothing_else(store: Store) {
    let register = Register::start(store).await;
    let all = below_each_other(&register, &["甲大学", "甲大学医学院", "甲大学附属医院"]).await;
    let [top, middle, bottom] = all.try_into().unwrap();
    let merged = register
        .labs()
        .merge_organizations(merge(&top.name, &bottom.name))
        .await;
    let merged = merged.unwrap().into_inner();
    assert_eq!(merged.parent, middle.name);
    let moved = Organization {
        city: "青岛".to_owned(),
        ..merged
    };
    let moved = updated(&register, moved, &["*"]).await;
    assert_eq!(
        (moved.city.as_str(), moved.parent.as_str()),
        ("青岛", middle.name.as_str())
    );
    let other = made(&register, organization("乙大学")).await;
    // Whoever joins it is told, and it can be opened.
    let refused = refused(&register, below(&other, &middle.name), &["parent"]).await;
    assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_CYCLE"), "{refused:?}");
    updated(&register, below(&moved, ""), &["parent"]).await;
    updated(&register, below(&other, &middle.name), &["parent"]).await;
}

fn lab(display_name: &str, number: &str) -> Lab {
    Lab {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(number)],
        ..Lab::default()
    }
}

fn followed_by(lab: Lab, number: &str) -> Lab {
    let successor = LabReference {
        identifier: Some(identifier(number)),
        ..LabReference::default()
    };
    Lab {
        successor: Some(successor),
        ..lab
    }
}

async fn create(register: &Register, lab: Lab) -> Lab {
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

async fn a_cycle_of_labs_is_refused(store: Store) {
    let register = Register::start(store).await;
    let last = create(&register, lab("新实验室", "3")).await;
    create(&register, followed_by(lab("中实验室", "2"), "3")).await;
    create(&register, followed_by(lab("旧实验室", "1"), "2")).await;
    for number in ["1", "2"] {
        let request = UpdateLabRequest {
            lab: Some(followed_by(last.clone(), number)),
            update_mask: Some(FieldMask {
                paths: vec!["successor".to_owned()],
            }),
            ..UpdateLabRequest::default()
        };
        let refused = failure(register.labs().update_lab(request).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, "SUCCESSOR_CYCLE"), "{refused:?}");
        assert_eq!(refused.fields, ["lab.successor"], "{refused:?}");
    }
}

async fn import(register: &Register, labs: Vec<Lab>, settings: ImportSettings) -> Vec<RowOutcome> {
    let rows: Vec<_> = labs
        .into_iter()
        .zip(1..)
        .map(|(lab, row)| ImportLabsRequest {
            settings: (row == 1).then(|| settings.clone()),
            row,
            lab: Some(lab),
        })
        .collect();
    let answer = register.labs().import_labs(tokio_stream::iter(rows)).await.unwrap();
    answer.into_inner().outcomes
}

/// Also where one stream closes both halves of it.
async fn an_import_refuses_the_row_that_closes_a_cycle(store: Store) {
    let register = Register::start(store).await;
    let labs = [lab("甲实验室", "1"), lab("乙实验室", "2"), lab("丙实验室", "3")];
    for lab in &labs {
        create(&register, lab.clone()).await;
    }
    let [one, two, three] = labs;
    let round = vec![
        followed_by(one, "2"),
        followed_by(two, "3"),
        followed_by(three.clone(), "1"),
    ];
    for validate_only in [true, false] {
        let settings = ImportSettings {
            validate_only,
            ..ImportSettings::default()
        };
        let outcomes = import(&register, round.clone(), settings).await;
        let became: Vec<_> = outcomes.iter().map(RowOutcome::outcome).collect();
        assert_eq!(
            became,
            [Outcome::Updated, Outcome::Updated, Outcome::Refused],
            "{outcomes:?}"
        );
        let problem = &outcomes[2].problems[0];
        assert_eq!(
            (problem.field.as_str(), problem.reason.as_str()),
            ("successor", "SUCCESSOR_CYCLE"),
            "{outcomes:?}"
        );
    }
    // And once more: what is there stays as it is.
    let outcomes = import(&register, round, ImportSettings::default()).await;
    let became: Vec<_> = outcomes.iter().map(RowOutcome::outcome).collect();
    assert_eq!(
        became,
        [Outcome::Unchanged, Outcome::Unchanged, Outcome::Refused],
        "{outcomes:?}"
    );

    let all = below_each_other(&register, &["甲大学", "甲大学医学院"]).await;
    let csv = format!("name,parent\n{},{}\n", all[0].name, all[1].name);
    fs::write(register.folder().join("o.csv"), csv).unwrap();
    let ran = register.cli(&["import", "o.csv", "--as", "organizations"]);
    assert_eq!(table(&ran.stdout), rows(&[("organizations", [0, 0, 0, 1])]), "{ran:?}");
    assert!(ran.stdout.contains("PARENT_CYCLE"), "{ran:?}");
}

async fn a_chain_without_an_end_is_refused(store: Store) {
    let register = Register::start(store).await;
    let names: Vec<String> = (0..33).map(|depth| format!("第 {depth} 层")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = below_each_other(&register, &names).await;
    let other = made(&register, organization("另一个")).await;
    let refused = refused(&register, below(&other, &all[32].name), &["parent"]).await;
    assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_CYCLE"), "{refused:?}");
    updated(&register, below(&other, &all[31].name), &["parent"]).await;
}
