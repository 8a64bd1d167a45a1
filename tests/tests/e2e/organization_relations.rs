//! Relations of organizations: several kinds, several parents, reasons, languages, links, many identifiers.

use std::fs;

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    CreateLabRequest, Lab, ListOrganizationsRequest, OperatingState, Organization, OrganizationKind,
    OrganizationRelation, OrganizationRelationKind as Relation,
};
use mingce_proto::registry::{ComputeStatisticsRequest, Identifier, Link, OrganizationReference};
use mingce_proto::talent::{CreateTalentRequest, Talent};
use tonic::Code;

use crate::builders::{create, made, merge, organization, read, update, updated};
use crate::public_files::table;

on_both_stores!(
    an_organization_of_several_kinds_is_found_and_counted_by_each,
    parent_and_successor_are_given_by_identifier,
    relations_are_resolved_found_and_held_to_their_rules,
    further_parents_do_not_form_a_cycle,
    a_hundred_identifiers_are_held_and_no_more,
    reasons_languages_and_links_go_through_files,
    what_was_stored_before_is_found_by_kinds_and_parents,
);

fn held(scheme: &str, value: &str) -> Identifier {
    Identifier {
        scheme: scheme.to_owned(),
        value: value.to_owned(),
    }
}

fn known(display_name: &str, value: &str) -> Organization {
    Organization {
        identifiers: vec![held("house", value)],
        ..organization(display_name)
    }
}

fn related(kind: Relation, organization: OrganizationReference) -> OrganizationRelation {
    OrganizationRelation {
        organization: Some(organization),
        kind: kind.into(),
        ..OrganizationRelation::default()
    }
}

fn by_name(name: &str) -> OrganizationReference {
    OrganizationReference {
        organization: name.to_owned(),
        ..OrganizationReference::default()
    }
}

async fn found(register: &Register, filter: &str) -> Vec<String> {
    let request = ListOrganizationsRequest {
        filter: filter.to_owned(),
        ..ListOrganizationsRequest::default()
    };
    let page = register.labs().list_organizations(request).await.unwrap().into_inner();
    page.organizations.into_iter().map(|o| o.display_name).collect()
}

async fn groups(register: &Register, group_by: &str) -> Vec<(String, i64)> {
    let request = ComputeStatisticsRequest {
        collection: "organizations".to_owned(),
        group_by: vec![group_by.to_owned()],
        ..ComputeStatisticsRequest::default()
    };
    let answer = register.labs().compute_statistics(request).await.unwrap().into_inner();
    answer
        .groups
        .into_iter()
        .map(|mut g| (g.values.remove(0), g.count))
        .collect()
}

async fn refused(register: &Register, organization: Organization) -> Failure {
    failure(register.labs().create_organization(create(organization)).await)
}

async fn an_organization_of_several_kinds_is_found_and_counted_by_each(store: Store) {
    let register = Register::start(store).await;
    let (university, hospital, funder) = (
        OrganizationKind::University as i32,
        OrganizationKind::Hospital as i32,
        OrganizationKind::Funder as i32,
    );
    let both = Organization {
        kind: university,
        other_kinds: vec![funder, university, hospital],
        ..organization("甲大学")
    };
    let both = made(&register, both).await;
    assert_eq!(both.other_kinds, [funder, hospital]);
    let only = Organization {
        kind: funder,
        ..organization("乙基金会")
    };
    made(&register, only).await;
    made(&register, organization("丙")).await;
    assert_eq!(found(&register, "kinds:FUNDER").await, ["甲大学", "乙基金会"]);
    assert_eq!(found(&register, "kinds = ORGANIZATION_KIND_HOSPITAL").await, ["甲大学"]);
    assert_eq!(found(&register, "kinds != FUNDER").await, ["丙"]);
    assert_eq!(found(&register, "kind = FUNDER").await, ["乙基金会"]);
    assert_eq!(
        groups(&register, "kinds").await,
        [
            (String::new(), 1),
            ("ORGANIZATION_KIND_UNIVERSITY".to_owned(), 1),
            ("ORGANIZATION_KIND_HOSPITAL".to_owned(), 1),
            ("ORGANIZATION_KIND_FUNDER".to_owned(), 2),
        ]
    );
    // What is no longer there is found no longer.
    let less = Organization {
        name: both.name.clone(),
        ..Organization::default()
    };
    updated(&register, less, &["other_kinds"]).await;
    assert_eq!(found(&register, "kinds:HOSPITAL").await, [] as [String; 0]);
    for (kinds, reason) in [
        (vec![funder, funder], "REPEATED_UNIQUE"),
        (vec![0], "ENUM_NOT_IN"),
        (vec![99], "ENUM_DEFINED_ONLY"),
    ] {
        let wrong = Organization {
            other_kinds: kinds,
            ..organization("丁")
        };
        let refused = refused(&register, wrong).await;
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{refused:?}");
    }
}

async fn parent_and_successor_are_given_by_identifier(store: Store) {
    let register = Register::start(store).await;
    let top = made(&register, known("甲大学", "A:1")).await;
    let by_ror = Organization {
        identifiers: vec![held("ror", "04rdtx186")],
        ..organization("乙集团")
    };
    let by_ror = made(&register, by_ror).await;
    let child = Organization {
        parent: "house:A:1".to_owned(),
        successor: "ror:https://ror.org/04rdtx186".to_owned(),
        ..organization("甲大学附属医院")
    };
    let child = made(&register, child).await;
    assert_eq!((&child.parent, &child.successor), (&top.name, &by_ror.name));
    let other = Organization {
        name: child.name.clone(),
        parent: "ror:04rdtx186".to_owned(),
        ..Organization::default()
    };
    for mask in [&["parent"][..], &[]] {
        let changed = updated(&register, other.clone(), mask).await;
        assert_eq!(changed.parent, by_ror.name, "{mask:?}");
    }
    for (parent, reason) in [
        ("house:B", "REFERENCE_NOT_FOUND"),
        ("ror:04rdtx187", "ROR_CHECK_WRONG"),
        ("labs/01jd2k3m4n5p6q7r8s9t0v1w2x", "STRING_PATTERN"),
        ("甲大学", "STRING_PATTERN"),
    ] {
        let wrong = Organization {
            parent: parent.to_owned(),
            ..organization("丙")
        };
        let refused = refused(&register, wrong).await;
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{parent} {refused:?}");
        assert_eq!(refused.fields, ["organization.parent"], "{parent}");
    }
    // In a file, and in a dry run of it.
    let file = "display_name,parent,successor\n丁所,house:A:1,\n戊所,house:C,\n己所,,ror:04rdtx186\n";
    fs::write(register.folder().join("o.csv"), file).unwrap();
    for (flags, expected) in [
        (&["--dry-run"][..], [2, 0, 0, 1]),
        (&[], [2, 0, 0, 1]),
        (&[], [0, 0, 2, 1]),
    ] {
        let ran = register.cli(&[&["import", "o.csv", "--as", "organizations"][..], flags].concat());
        assert_eq!(table(&ran.stdout), [("organizations".to_owned(), expected)], "{ran:?}");
    }
    assert_eq!(found(&register, &format!("parent = {}", top.name)).await, ["丁所"]);
}

async fn relations_are_resolved_found_and_held_to_their_rules(store: Store) {
    let register = Register::start(store).await;
    let one = made(&register, known("甲大学", "1")).await;
    let other = made(&register, known("乙学院", "2")).await;
    let by_identifier = OrganizationReference {
        identifier: Some(held("house", "1")),
        ..OrganizationReference::default()
    };
    let named = OrganizationReference {
        display_name: "乙学院".to_owned(),
        ..OrganizationReference::default()
    };
    let centre = Organization {
        parent: one.name.clone(),
        relations: vec![
            related(Relation::Related, by_identifier.clone()),
            OrganizationRelation {
                start_date: "2001".to_owned(),
                end_date: "2010-05".to_owned(),
                ..related(Relation::Parent, named)
            },
        ],
        ..organization("联合中心")
    };
    let centre = made(&register, centre).await;
    let held: Vec<_> = centre
        .relations
        .iter()
        .map(|r| r.organization.clone().unwrap())
        .map(|o| (o.organization, o.display_name, o.identifier))
        .collect();
    let expected = [
        (one.name.clone(), "甲大学".to_owned(), None),
        (other.name.clone(), "乙学院".to_owned(), None),
    ];
    assert_eq!(held, expected);
    let of = |field: &str, name: &str| format!("{field}:{name}");
    assert_eq!(found(&register, &of("parents", &one.name)).await, ["联合中心"]);
    assert_eq!(found(&register, &of("parents", &other.name)).await, ["联合中心"]);
    assert_eq!(found(&register, &of("related", &one.name)).await, ["联合中心"]);
    assert_eq!(found(&register, &of("parent", &other.name)).await, [] as [String; 0]);
    assert_eq!(groups(&register, "parents").await.len(), 3);
    for (relations, reason, field) in [
        (
            vec![
                related(Relation::Related, by_identifier.clone()),
                related(Relation::Related, by_name(&one.name)),
            ],
            "RELATION_TWICE",
            "organization.relations[1].organization",
        ),
        (
            vec![related(Relation::Unspecified, by_identifier.clone())],
            "ENUM_NOT_IN",
            "organization.relations[0].kind",
        ),
        (
            vec![related(
                Relation::Related,
                by_name("organizations/01jd2k3m4n5p6q7r8s9t0v1w2x"),
            )],
            "REFERENCE_NOT_FOUND",
            "organization.relations[0].organization.organization",
        ),
        (
            vec![OrganizationRelation {
                start_date: "2011".to_owned(),
                end_date: "2010".to_owned(),
                ..related(Relation::Related, by_identifier)
            }],
            "PERIOD_REVERSED",
            "organization.relations[0].end_date",
        ),
    ] {
        let wrong = Organization {
            relations,
            ..organization("丙")
        };
        let refused = refused(&register, wrong).await;
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{refused:?}");
        assert_eq!(refused.fields, [field], "{refused:?}");
    }
    let itself = Organization {
        relations: vec![related(Relation::Related, by_name(&centre.name))],
        ..centre.clone()
    };
    let refused = failure(
        register
            .labs()
            .update_organization(update(itself, &["relations"]))
            .await,
    );
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REFERENCE_TO_ITSELF"),
        "{refused:?}"
    );
    // What is merged into it is no other organization.
    register
        .labs()
        .merge_organizations(merge(&other.name, &centre.name))
        .await
        .unwrap();
    let after = read(&register, &centre.name).await;
    assert_eq!(after.relations.len(), 1);
    assert_eq!(after.relations[0].organization.as_ref().unwrap().organization, one.name);
}

async fn further_parents_do_not_form_a_cycle(store: Store) {
    let register = Register::start(store).await;
    let top = made(&register, organization("甲")).await;
    let beside = made(&register, organization("乙")).await;
    let middle = Organization {
        parent: beside.name.clone(),
        relations: vec![related(Relation::Parent, by_name(&top.name))],
        ..organization("丙")
    };
    let middle = made(&register, middle).await;
    let bottom = Organization {
        parent: middle.name.clone(),
        ..organization("丁")
    };
    let bottom = made(&register, bottom).await;
    for top in [&top, &beside] {
        for (parent, relations) in [
            (bottom.name.clone(), vec![]),
            (String::new(), vec![related(Relation::Parent, by_name(&bottom.name))]),
        ] {
            let circle = Organization {
                parent,
                relations,
                ..top.clone()
            };
            let refused = failure(
                register
                    .labs()
                    .update_organization(update(circle, &["parent", "relations"]))
                    .await,
            );
            assert_eq!(refused.is(), (Code::InvalidArgument, "PARENT_CYCLE"), "{refused:?}");
        }
    }
    // What is only related may lead back.
    let friend = Organization {
        relations: vec![related(Relation::Related, by_name(&bottom.name))],
        ..top
    };
    updated(&register, friend, &["relations"]).await;
}

async fn a_hundred_identifiers_are_held_and_no_more(store: Store) {
    let register = Register::start(store).await;
    let many = |count: usize| (0..count).map(|n| held("house", &n.to_string())).collect::<Vec<_>>();
    let one = Organization {
        identifiers: many(100),
        ..organization("甲")
    };
    assert_eq!(made(&register, one).await.identifiers.len(), 100);
    let lab = |count| CreateLabRequest {
        lab: Some(Lab {
            display_name: "乙".to_owned(),
            identifiers: many(count),
            ..Lab::default()
        }),
        ..CreateLabRequest::default()
    };
    let talent = |count| CreateTalentRequest {
        talent: Some(Talent {
            display_name: "丙".to_owned(),
            identifiers: many(count),
            ..Talent::default()
        }),
        ..CreateTalentRequest::default()
    };
    register.labs().create_lab(lab(100)).await.unwrap();
    register.talent().create_talent(talent(100)).await.unwrap();
    let more = Organization {
        identifiers: many(101),
        ..organization("丁")
    };
    for refused in [
        refused(&register, more).await,
        failure(register.labs().create_lab(lab(101)).await),
        failure(register.talent().create_talent(talent(101)).await),
    ] {
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "REPEATED_MAX_ITEMS"),
            "{refused:?}"
        );
    }
}

async fn reasons_languages_and_links_go_through_files(store: Store) {
    let register = Register::start(store).await;
    let other = made(&register, known("乙学院", "2")).await;
    let link = |url: &str, label: &str| Link {
        url: url.to_owned(),
        label: label.to_owned(),
    };
    let whole = Organization {
        display_name_language: "zh-Hans".to_owned(),
        state: OperatingState::Inactive.into(),
        state_reason: "并入乙学院".to_owned(),
        links: vec![
            link("https://zh.wikipedia.org/wiki/甲", "wikipedia"),
            link("https://jia.example", ""),
        ],
        kind: OrganizationKind::University.into(),
        other_kinds: vec![OrganizationKind::Hospital.into()],
        relations: vec![related(Relation::Successor, by_name(&other.name))],
        ..known("甲学院", "1")
    };
    let whole = made(&register, whole).await;
    // An export, also with Chinese words, comes back as it was.
    for words in [&[][..], &["--lang", "zh"]] {
        let export = ["export", "organizations", "--to", "out.csv"];
        register.cli(&[&export[..], words].concat()).succeeded();
        let ran = register.cli(&["import", "out.csv", "--as", "organizations"]);
        assert_eq!(
            table(&ran.stdout),
            [("organizations".to_owned(), [0, 0, 2, 0])],
            "{ran:?}"
        );
    }
    assert_eq!(read(&register, &whole.name).await, whole);
    let file = "name,state_reason,other_kinds,relations\n".to_owned()
        + &whole.name
        + ",撤销建制,\"[\"\"资助机构\"\"]\",\"[{\"\"organization\"\":{\"\"identifier\"\":{\"\"scheme\"\":\"\"house\"\",\"\"value\"\":\"\"2\"\"}},\"\"kind\"\":\"\"前身\"\"}]\"\n";
    fs::write(register.folder().join("in.csv"), file).unwrap();
    let ran = register.cli(&["import", "in.csv", "--as", "organizations"]);
    assert_eq!(
        table(&ran.stdout),
        [("organizations".to_owned(), [0, 1, 0, 0])],
        "{ran:?}"
    );
    let now = read(&register, &whole.name).await;
    assert_eq!(now.state_reason, "撤销建制");
    assert_eq!(now.other_kinds, [OrganizationKind::Funder as i32]);
    let relation = &now.relations[0];
    assert_eq!(
        (
            relation.kind(),
            relation.organization.as_ref().unwrap().organization.as_str()
        ),
        (Relation::Predecessor, other.name.as_str())
    );
    assert_eq!(
        (now.links, now.display_name_language),
        (whole.links, whole.display_name_language)
    );
}

async fn what_was_stored_before_is_found_by_kinds_and_parents(store: Store) {
    let mut register = Register::start(store).await;
    let top = made(&register, organization("甲")).await;
    let child = Organization {
        kind: OrganizationKind::Hospital.into(),
        parent: top.name.clone(),
        ..organization("乙")
    };
    made(&register, child).await;
    register.stop();
    // As an earlier version left it.
    register
        .execute(
            "DELETE FROM organizations_values WHERE field IN ('kinds', 'parents');
             DROP INDEX organizations_keys_loose;
             DELETE FROM mingce_labs_migrations WHERE version LIKE '%_000009_%' OR version LIKE '%_000010_%';",
        )
        .await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    assert_eq!(found(&register, "kinds:HOSPITAL").await, ["乙"]);
    assert_eq!(found(&register, &format!("parents:{}", top.name)).await, ["乙"]);
}
