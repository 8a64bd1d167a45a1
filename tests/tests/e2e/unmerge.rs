//! Unmerge: records are as they were before the merge, as far as nobody changed them since, and the answer says what
//! was written meanwhile.

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{
    CreateLabRequest, GetLabRequest, Lab, LabReference, MergeLabsRequest, Organization, OrganizationRelation,
    OrganizationRelationKind, UnmergeLabRequest, UnmergeOrganizationRequest,
};
use mingce_proto::registry::{Name, OrganizationReference, UnmergeReport, UnmergedOutcome};

use crate::builders::{made, merge, organization, read, updated};

mod later_changes;
mod random;

on_both_stores!(
    an_unmerge_restores_parent_successor_and_relations_in_their_places,
    what_was_changed_since_the_merge_stays_and_is_told,
    what_would_form_a_cycle_is_not_restored,
    a_lab_has_its_successor_again,
    a_repeated_unmerge_answers_the_same_report,
);

fn at(organization: &str) -> OrganizationReference {
    OrganizationReference {
        organization: organization.to_owned(),
        ..OrganizationReference::default()
    }
}

fn related(organization: &str, kind: OrganizationRelationKind) -> OrganizationRelation {
    OrganizationRelation {
        organization: Some(at(organization)),
        kind: kind.into(),
        ..OrganizationRelation::default()
    }
}

async fn merge_both(register: &Register, name: &str, survivor: &str) -> Organization {
    let answer = register.labs().merge_organizations(merge(name, survivor)).await;
    answer.unwrap().into_inner()
}

fn unmerge(name: &str) -> UnmergeOrganizationRequest {
    UnmergeOrganizationRequest {
        name: name.to_owned(),
        reason: "two after all".to_owned(),
        ..UnmergeOrganizationRequest::default()
    }
}

async fn undo(register: &Register, name: &str) -> (Organization, UnmergeReport) {
    let answer = register
        .labs()
        .unmerge_organization(unmerge(name))
        .await
        .unwrap()
        .into_inner();
    (answer.organization.unwrap(), answer.report.unwrap())
}

/// What a record is, without what each change of it sets.
fn lasting(mut organization: Organization) -> Organization {
    (organization.etag, organization.revision, organization.update_time) = (String::new(), 0, None);
    organization.sequence = 0;
    organization
}

fn outcomes(report: &UnmergeReport) -> Vec<(&str, UnmergedOutcome)> {
    report.fields.iter().map(|f| (f.field.as_str(), f.outcome())).collect()
}

async fn an_unmerge_restores_parent_successor_and_relations_in_their_places(store: Store) {
    use OrganizationRelationKind::{Predecessor, Related, Successor};
    let register = Register::start(store).await;
    let goes = made(&register, organization("示例乙大学")).await;
    let third = made(&register, organization("示例丙大学")).await;
    let stays = Organization {
        parent: goes.name.clone(),
        successor: goes.name.clone(),
        relations: vec![
            related(&third.name, Related),
            related(&goes.name, Predecessor),
            related(&third.name, Successor),
        ],
        ..organization("示例甲大学")
    };
    let stays = made(&register, stays).await;
    let merged = merge_both(&register, &goes.name, &stays.name).await;
    assert_eq!(
        (
            merged.parent.as_str(),
            merged.successor.as_str(),
            merged.relations.len()
        ),
        ("", "", 2)
    );

    let tried = UnmergeOrganizationRequest {
        validate_only: true,
        ..unmerge(&goes.name)
    };
    let tried = register.labs().unmerge_organization(tried).await.unwrap().into_inner();
    assert_eq!(lasting(read(&register, &stays.name).await), lasting(merged));
    let (back, report) = undo(&register, &goes.name).await;
    assert_eq!(lasting(back.clone()), lasting(goes));
    assert_eq!(lasting(tried.organization.unwrap()), lasting(back));
    assert_eq!(tried.report.as_ref(), Some(&report));
    assert_eq!(lasting(read(&register, &stays.name).await), lasting(stays.clone()));
    assert_eq!(
        outcomes(&report),
        ["names", "parent", "successor", "relations"].map(|field| (field, UnmergedOutcome::Restored)),
    );
    assert_eq!(
        (&report.survivor, &report.fields[1].value),
        (&stays.name, &stays.parent)
    );
    assert!(
        report.revisions.is_empty() && report.citations.is_empty() && !report.more_revisions,
        "{report:?}"
    );
}

async fn what_was_changed_since_the_merge_stays_and_is_told(store: Store) {
    use OrganizationRelationKind::{Predecessor, Related};
    let register = Register::start(store).await;
    let goes = made(&register, organization("示例乙大学")).await;
    let third = made(&register, organization("示例丙大学")).await;
    let stays = Organization {
        parent: goes.name.clone(),
        successor: goes.name.clone(),
        relations: vec![related(&goes.name, Predecessor)],
        ..organization("示例甲大学")
    };
    let stays = made(&register, stays).await;
    let merged = merge_both(&register, &goes.name, &stays.name).await;
    let change = Organization {
        parent: third.name.clone(),
        relations: vec![related(&third.name, Related)],
        names: [
            merged.names.clone(),
            vec![Name {
                text: "甲大".to_owned(),
                ..Name::default()
            }],
        ]
        .concat(),
        city: "青岛".to_owned(),
        ..merged
    };
    updated(&register, change, &["parent", "relations", "names", "city"]).await;
    let (_, report) = undo(&register, &goes.name).await;
    use UnmergedOutcome::{ChangedMeanwhile, Restored};
    assert_eq!(
        outcomes(&report),
        [
            ("names", Restored),
            ("parent", ChangedMeanwhile),
            ("successor", Restored),
            ("relations", Restored)
        ]
    );
    let now = read(&register, &stays.name).await;
    assert_eq!(
        (&now.parent, &now.successor, now.city.as_str()),
        (&third.name, &goes.name, "青岛")
    );
    // What the merge took out stands beside what came since.
    let others: Vec<&str> = now
        .relations
        .iter()
        .map(|r| r.organization.as_ref().unwrap().organization.as_str())
        .collect();
    assert_eq!(others, [goes.name.as_str(), third.name.as_str()]);
    let names: Vec<&str> = now.names.iter().map(|n| n.text.as_str()).collect();
    assert_eq!(names, ["甲大"]);
    let [change] = report.revisions.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (change.resource.as_str(), change.verb.as_str()),
        (stays.name.as_str(), "update")
    );
    assert_eq!(change.changed_fields, ["names", "city", "parent", "relations"]);
    assert!(change.snapshot.is_none(), "{change:?}");
}

async fn what_would_form_a_cycle_is_not_restored(store: Store) {
    let register = Register::start(store).await;
    let top = made(&register, organization("示例上级")).await;
    let below = |parent: &str, name: &str| Organization {
        parent: parent.to_owned(),
        ..organization(name)
    };
    let goes = made(&register, below(&top.name, "示例乙大学")).await;
    let stays = made(&register, below(&goes.name, "示例甲大学")).await;
    merge_both(&register, &goes.name, &stays.name).await;
    updated(
        &register,
        Organization {
            parent: stays.name.clone(),
            ..top
        },
        &["parent"],
    )
    .await;
    let (back, report) = undo(&register, &goes.name).await;
    assert_eq!(lasting(back), lasting(goes));
    assert_eq!(
        outcomes(&report),
        [
            ("names", UnmergedOutcome::Restored),
            ("parent", UnmergedOutcome::AgainstRules)
        ]
    );
    assert_eq!(read(&register, &stays.name).await.parent, "");
}

async fn lab(register: &Register, lab: Lab) -> Lab {
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

async fn merge_labs(register: &Register, name: &str, survivor: &str) {
    let request = MergeLabsRequest {
        name: name.to_owned(),
        survivor: survivor.to_owned(),
        reason: "one lab".to_owned(),
        ..MergeLabsRequest::default()
    };
    register.labs().merge_labs(request).await.unwrap();
}

async fn undo_lab(register: &Register, name: &str) -> UnmergeReport {
    let request = UnmergeLabRequest {
        name: name.to_owned(),
        reason: "two labs".to_owned(),
        ..UnmergeLabRequest::default()
    };
    register
        .labs()
        .unmerge_lab(request)
        .await
        .unwrap()
        .into_inner()
        .report
        .unwrap()
}

async fn read_lab(register: &Register, name: &str) -> Lab {
    let request = GetLabRequest {
        name: name.to_owned(),
        ..GetLabRequest::default()
    };
    let mut lab = register.labs().get_lab(request).await.unwrap().into_inner();
    (lab.etag, lab.revision, lab.update_time, lab.sequence) = (String::new(), 0, None, 0);
    lab
}

fn to_lab(name: &str) -> Option<LabReference> {
    Some(LabReference {
        lab: name.to_owned(),
        ..LabReference::default()
    })
}

async fn a_lab_has_its_successor_again(store: Store) {
    let register = Register::start(store).await;
    let named = |name: &str| Lab {
        display_name: name.to_owned(),
        ..Lab::default()
    };
    let goes = lab(&register, named("示例乙实验室")).await.name;
    let stays = Lab {
        successor: to_lab(&goes),
        ..named("示例甲实验室")
    };
    let stays = lab(&register, stays).await.name;
    let before = read_lab(&register, &stays).await;
    merge_labs(&register, &goes, &stays).await;
    assert_eq!(read_lab(&register, &stays).await.successor, None);
    let report = undo_lab(&register, &goes).await;
    assert_eq!(read_lab(&register, &stays).await, before);
    assert_eq!(
        outcomes(&report),
        ["names", "successor"].map(|field| (field, UnmergedOutcome::Restored))
    );
}

async fn a_repeated_unmerge_answers_the_same_report(store: Store) {
    let register = Register::start(store).await;
    let goes = made(&register, organization("示例乙大学")).await.name;
    let stays = made(
        &register,
        Organization {
            parent: goes.clone(),
            ..organization("示例甲大学")
        },
    )
    .await
    .name;
    merge_both(&register, &goes, &stays).await;
    let request = UnmergeOrganizationRequest {
        request_id: "0b8a4f4e-6f3c-4c8e-9a55-3f3a1b2c4d5e".to_owned(),
        ..unmerge(&goes)
    };
    let first = register
        .labs()
        .unmerge_organization(request.clone())
        .await
        .unwrap()
        .into_inner();
    // Both were changed since, and merged and taken apart once more.
    merge_both(&register, &goes, &stays).await;
    undo(&register, &goes).await;
    let again = register
        .labs()
        .unmerge_organization(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, first);
}
