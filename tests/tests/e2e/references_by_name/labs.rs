//! Labs by their name, with a city or a host where several bear it.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    ImportLabDesignationsRequest, Lab, LabDesignation, LabDesignationState, LabHost, LabReference,
    RecordLabDesignationRequest,
};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Level, Name, NameKind, OrganizationReference, RowOutcome};
use tonic::Code;

use super::create_lab;
use crate::builders::identifier;

on_both_stores!(a_lab_is_named_as_lists_name_it);

fn host(display_name: &str) -> LabHost {
    LabHost {
        organization: Some(OrganizationReference {
            display_name: display_name.to_owned(),
            ..OrganizationReference::default()
        }),
        ..LabHost::default()
    }
}

async fn hosted(register: &Register, display_name: &str, city: &str, of: &str) -> Lab {
    let organization = mingce_proto::labs::Organization {
        display_name: of.to_owned(),
        identifiers: vec![identifier(of)],
        ..Default::default()
    };
    let request = crate::builders::create(organization);
    // Some have a host in common.
    let _ = register.labs().create_organization(request).await;
    let lab = Lab {
        display_name: display_name.to_owned(),
        city: city.to_owned(),
        hosts: vec![host(of)],
        ..Lab::default()
    };
    create_lab(register, lab).await.unwrap()
}

fn named(display_name: &str, city: &str, host: &str) -> LabReference {
    LabReference {
        display_name: display_name.to_owned(),
        city: city.to_owned(),
        host: host.to_owned(),
        ..LabReference::default()
    }
}

fn decided(lab: LabReference, number: &str) -> LabDesignation {
    LabDesignation {
        lab: Some(lab),
        programme: "市级重点实验室".to_owned(),
        level: Level::Municipal as i32,
        state: LabDesignationState::Operating as i32,
        number: number.to_owned(),
        decision_date: "2021-11-26".to_owned(),
        ..LabDesignation::default()
    }
}

async fn designations(register: &Register, rows: Vec<LabDesignation>) -> Vec<RowOutcome> {
    let rows: Vec<_> = (1..)
        .zip(rows)
        .map(|(row, designation)| ImportLabDesignationsRequest {
            row,
            lab_designation: Some(designation),
            ..ImportLabDesignationsRequest::default()
        })
        .collect();
    let answer = register.labs().import_lab_designations(tokio_stream::iter(rows)).await;
    answer.unwrap().into_inner().outcomes
}

async fn a_lab_is_named_as_lists_name_it(store: Store) {
    let register = Register::start(store).await;
    let one = hosted(&register, "海洋化学实验室", "青岛", "第一大学").await;
    let other = hosted(&register, "海洋化学实验室", "济南", "第二大学").await;
    let third = hosted(&register, "海洋化学实验室", "济南", "第三大学").await;
    let renamed = Lab {
        names: vec![Name {
            text: "深海实验室".to_owned(),
            kind: NameKind::Former as i32,
            ..Name::default()
        }],
        city: "青岛".to_owned(),
        display_name: "远海实验室".to_owned(),
        ..Lab::default()
    };
    let renamed = create_lab(&register, renamed).await.unwrap();
    let rows = vec![
        decided(named("海洋化学实验室", "", ""), "1"),
        decided(named("海洋化学实验室", "青岛", ""), "2"),
        decided(named("海洋化学实验室", "济南", ""), "3"),
        decided(named("海洋化学实验室", "济南", "第三大学"), "4"),
        decided(named("深海实验室", "", ""), "5"),
        decided(named("没有的实验室", "", ""), "6"),
        decided(named("海洋化学实验室", "", "第二大学"), "7"),
    ];
    let told = designations(&register, rows.clone()).await;
    let under = |outcome: &RowOutcome| outcome.name.split("/designations").next().unwrap().to_owned();
    let expected = ["", &one.name, "", &third.name, &renamed.name, "", &other.name];
    assert_eq!(told.iter().map(under).collect::<Vec<_>>(), expected, "{told:#?}");
    let unclear = &told[0].problems[0];
    assert_eq!(
        (unclear.field.as_str(), unclear.reason.as_str()),
        ("lab.display_name", "REFERENCE_AMBIGUOUS")
    );
    for part in [
        "海洋化学实验室 (青岛, ",
        &other.name,
        "mingce merge",
        "identifier",
        "3 条记录同名",
        "请补充标识",
    ] {
        assert!(unclear.description.contains(part), "{part}: {}", unclear.description);
    }
    let mut holders: Vec<_> = unclear
        .holders
        .iter()
        .map(|h| (h.name.clone(), h.display_name.as_str()))
        .collect();
    holders.sort();
    let mut all = [&one, &other, &third].map(|lab| (lab.name.clone(), "海洋化学实验室"));
    all.sort();
    assert_eq!(holders, all);
    assert_eq!(told[2].problems[0].holders.len(), 2);
    assert_eq!(told[5].problems[0].reason, "REFERENCE_NOT_FOUND");
    assert_eq!(
        told[1].display_name, "市级重点实验室",
        "what the row means is said by name too"
    );
    // What bears the name now comes before what bore it.
    let deep = hosted(&register, "深海实验室", "烟台", "第四大学").await;
    let told = designations(&register, vec![decided(named("深海实验室", "", ""), "8")]).await;
    assert_eq!(under(&told[0]), deep.name);
    // A lab that has the city comes before one of which no city is known.
    let placed = hosted(&register, "远洋实验室", "青岛", "第五大学").await;
    hosted(&register, "远洋实验室", "", "第六大学").await;
    let told = designations(&register, vec![decided(named("远洋实验室", "青岛", ""), "10")]).await;
    assert_eq!(under(&told[0]), placed.name, "{told:#?}");
    // In a call too.
    let record = RecordLabDesignationRequest {
        parent: one.name.clone(),
        lab_designation: Some(decided(LabReference::default(), "9")),
        ..RecordLabDesignationRequest::default()
    };
    register.labs().record_lab_designation(record).await.unwrap();
    let successor = Lab {
        display_name: "近海实验室".to_owned(),
        successor: Some(named("海洋化学实验室", "青岛", "")),
        ..Lab::default()
    };
    let made = create_lab(&register, successor.clone()).await.unwrap();
    assert_eq!(made.successor.unwrap().lab, one.name);
    let unclear = Lab {
        successor: Some(named("海洋化学实验室", "", "")),
        ..successor
    };
    let refused = failure(create_lab(&register, unclear).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "REFERENCE_AMBIGUOUS"));
    assert_eq!(refused.fields, ["lab.successor.display_name"]);
    assert!(refused.descriptions[0].contains(&one.name), "{refused:?}");
    let again = designations(&register, rows).await;
    assert_eq!(again[1].outcome(), Outcome::Unchanged);
}
