//! Duplicates: merged into the record that stays, found through it, and taken apart again.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    ImportOrganizationsRequest, ListRevisionsRequest, MergeOrganizationsRequest, Organization,
    ResolveOrganizationsRequest, SearchOrganizationsRequest, UnmergeOrganizationRequest, UpdateOrganizationRequest,
};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{ImportSettings, Name, OrganizationReference, RecordStatus, TalentReference};
use mingce_proto::talent::{
    CreateProgrammeRequest, GetTalentRequest, ImportTalentDesignationsRequest, ImportTalentsRequest,
    ListTalentDesignationsRequest, MergeTalentsRequest, Programme, ProgrammeReference, Talent, TalentDesignation,
    TalentDesignationState,
};
use tonic::{Code, Status};

use crate::builders::{count, create, identifier, made, organization, person, read};

on_both_stores!(
    a_merge_leads_names_and_identifiers_to_the_survivor,
    an_unmerge_gives_back_what_came_with_the_merge,
    merges_of_merges_lead_to_the_last_survivor,
    a_merge_into_itself_is_refused,
    a_duplicate_can_neither_be_changed_nor_merged_again,
    an_unmerge_of_what_is_no_duplicate_is_refused,
    each_step_stands_in_the_history,
    an_import_leaves_a_merge_as_it_was_decided,
    a_decision_on_a_duplicate_is_not_recorded_again,
    a_row_with_identifiers_of_both_means_the_survivor,
);

fn alias(text: &str) -> Name {
    Name {
        text: text.to_owned(),
        ..Name::default()
    }
}

/// Two records of one university.
async fn two(register: &Register) -> (Organization, Organization) {
    let stays = Organization {
        identifiers: vec![identifier("stays")],
        ..organization("青岛海洋学院")
    };
    let goes = Organization {
        identifiers: vec![identifier("goes")],
        names: vec![alias("蓝校"), alias("青岛海洋学院")],
        ..organization("滨海学院")
    };
    (made(register, stays).await, made(register, goes).await)
}

async fn try_merge(register: &Register, name: &str, survivor: &str) -> Result<Organization, Status> {
    let request = MergeOrganizationsRequest {
        name: name.to_owned(),
        survivor: survivor.to_owned(),
        reason: "one university, recorded twice".to_owned(),
        ..MergeOrganizationsRequest::default()
    };
    register
        .labs()
        .merge_organizations(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn merged(register: &Register, name: &str, survivor: &str) -> Organization {
    try_merge(register, name, survivor).await.unwrap()
}

async fn unmerge(register: &Register, name: &str) -> Result<Organization, Status> {
    let request = UnmergeOrganizationRequest {
        name: name.to_owned(),
        reason: "two universities after all".to_owned(),
        ..UnmergeOrganizationRequest::default()
    };
    register
        .labs()
        .unmerge_organization(request)
        .await
        .map(|answer| answer.into_inner().organization.unwrap())
}

/// The resource names that a search finds.
async fn search(register: &Register, query: &str) -> Vec<String> {
    let request = SearchOrganizationsRequest {
        query: query.to_owned(),
        ..SearchOrganizationsRequest::default()
    };
    let found = register
        .labs()
        .search_organizations(request)
        .await
        .unwrap()
        .into_inner();
    found.organizations.into_iter().map(|o| o.name).collect()
}

/// What references resolve to: by resource name, by identifier and by name.
async fn resolve(register: &Register, name: &str, number: &str, display_name: &str) -> Vec<String> {
    let references = vec![
        OrganizationReference {
            organization: name.to_owned(),
            ..OrganizationReference::default()
        },
        OrganizationReference {
            identifier: Some(identifier(number)),
            ..OrganizationReference::default()
        },
        OrganizationReference {
            display_name: display_name.to_owned(),
            ..OrganizationReference::default()
        },
    ];
    let request = ResolveOrganizationsRequest {
        references,
        ..ResolveOrganizationsRequest::default()
    };
    let answer = register
        .labs()
        .resolve_organizations(request)
        .await
        .unwrap()
        .into_inner();
    answer.resolutions.into_iter().map(|r| r.name).collect()
}

async fn a_merge_leads_names_and_identifiers_to_the_survivor(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    let after = merged(&register, &goes.name, &stays.name).await;
    assert_eq!(after.name, stays.name);
    let names: Vec<_> = after
        .names
        .iter()
        .map(|n| (n.text.as_str(), n.merged_from.as_str()))
        .collect();
    assert_eq!(names, [("滨海学院", goes.name.as_str()), ("蓝校", goes.name.as_str())]);
    let duplicate = read(&register, &goes.name).await;
    assert_eq!(
        (
            duplicate.record_status(),
            duplicate.survivor.as_str(),
            duplicate.display_name.as_str()
        ),
        (RecordStatus::Duplicate, stays.name.as_str(), "滨海学院")
    );
    assert_eq!(count(&register).await, 1);
    for query in ["滨海学院", "lanxiao", "bhxy", "青岛海洋"] {
        assert_eq!(search(&register, query).await, [stays.name.as_str()], "{query}");
    }
    assert_eq!(
        resolve(&register, &goes.name, "goes", "滨海学院").await,
        vec![stays.name.clone(); 3]
    );
    let taken = Organization {
        identifiers: vec![identifier("goes")],
        ..organization("另一个")
    };
    let refused = failure(register.labs().create_organization(create(taken)).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
}

async fn an_unmerge_gives_back_what_came_with_the_merge(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    merged(&register, &goes.name, &stays.name).await;
    let back = unmerge(&register, &goes.name).await.unwrap();
    assert_eq!(
        (back.name.as_str(), back.record_status(), back.survivor.as_str()),
        (goes.name.as_str(), RecordStatus::Active, "")
    );
    assert_eq!((&back.names, &back.identifiers), (&goes.names, &goes.identifiers));
    assert_eq!(read(&register, &stays.name).await.names, []);
    assert_eq!(count(&register).await, 2);
    assert_eq!(search(&register, "蓝校").await, [goes.name.as_str()]);
    assert_eq!(
        resolve(&register, &goes.name, "goes", "滨海学院").await,
        vec![goes.name.clone(); 3]
    );
    assert_eq!(
        resolve(&register, &stays.name, "stays", "滨海学院").await[..2],
        vec![stays.name.clone(); 2]
    );
    // And again, as if it had never been.
    merged(&register, &goes.name, &stays.name).await;
    assert_eq!(search(&register, "蓝校").await, [stays.name.as_str()]);
}

async fn merges_of_merges_lead_to_the_last_survivor(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    let last = made(&register, organization("中国海洋学院")).await;
    merged(&register, &goes.name, &stays.name).await;
    merged(&register, &stays.name, &last.name).await;
    assert_eq!(search(&register, "蓝校").await, [last.name.as_str()]);
    assert_eq!(
        resolve(&register, &goes.name, "goes", "滨海学院").await,
        vec![last.name.clone(); 3]
    );
    // In either order: what the last has of the first by way of the second goes too.
    unmerge(&register, &goes.name).await.unwrap();
    assert_eq!(search(&register, "蓝校").await, [goes.name.as_str()]);
    let names = read(&register, &last.name).await.names;
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(
        (names[0].text.as_str(), &names[0].merged_from),
        ("青岛海洋学院", &stays.name)
    );
    unmerge(&register, &stays.name).await.unwrap();
    assert_eq!(search(&register, "蓝校").await, [goes.name.as_str()]);
    assert_eq!(read(&register, &last.name).await.names, []);
    assert_eq!(count(&register).await, 3);
}

async fn a_merge_into_itself_is_refused(store: Store) {
    let register = Register::start(store).await;
    let (stays, _) = two(&register).await;
    let refused = failure(try_merge(&register, &stays.name, &stays.name).await);
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    assert_eq!(refused.fields, ["survivor"]);
    assert_eq!(read(&register, &stays.name).await, stays);
}

async fn a_duplicate_can_neither_be_changed_nor_merged_again(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    let third = made(&register, organization("第三")).await;
    merged(&register, &goes.name, &stays.name).await;
    let change = Organization {
        name: goes.name.clone(),
        city: "青岛".to_owned(),
        ..Organization::default()
    };
    let request = UpdateOrganizationRequest {
        organization: Some(change),
        ..UpdateOrganizationRequest::default()
    };
    for refused in [
        failure(register.labs().update_organization(request).await),
        failure(try_merge(&register, &goes.name, &third.name).await),
        failure(try_merge(&register, &third.name, &goes.name).await),
    ] {
        assert_eq!(
            refused.is(),
            (Code::FailedPrecondition, "RECORD_NOT_ACTIVE"),
            "{refused:?}"
        );
        assert!(
            refused.message.contains(&stays.name),
            "it should name the survivor: {refused:?}"
        );
    }
}

async fn an_unmerge_of_what_is_no_duplicate_is_refused(store: Store) {
    let register = Register::start(store).await;
    let (stays, _) = two(&register).await;
    let refused = failure(unmerge(&register, &stays.name).await);
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "RECORD_NOT_DUPLICATE"),
        "{refused:?}"
    );
}

async fn each_step_stands_in_the_history(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    merged(&register, &goes.name, &stays.name).await;
    unmerge(&register, &goes.name).await.unwrap();
    for name in [&stays.name, &goes.name] {
        let request = ListRevisionsRequest {
            name: name.clone(),
            ..ListRevisionsRequest::default()
        };
        let told = register
            .labs()
            .list_revisions(request)
            .await
            .unwrap()
            .into_inner()
            .revisions;
        let steps: Vec<_> = told.iter().map(|r| (r.verb.as_str(), r.reason.as_str())).collect();
        assert_eq!(
            steps,
            [
                ("unmerge", "two universities after all"),
                ("merge", "one university, recorded twice"),
                ("create", "")
            ]
        );
    }
}

/// The source goes on listing both; it speaks of its own identifiers and of no other.
async fn an_import_leaves_a_merge_as_it_was_decided(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    let after = merged(&register, &goes.name, &stays.name).await;
    let uscc = mingce_proto::registry::Identifier {
        scheme: "uscc".to_owned(),
        value: "91350100M000100Y43".to_owned(),
    };
    let with_uscc = Organization {
        identifiers: vec![identifier("stays"), uscc.clone()],
        ..after
    };
    let update = UpdateOrganizationRequest {
        organization: Some(with_uscc),
        ..UpdateOrganizationRequest::default()
    };
    let before = register.labs().update_organization(update).await.unwrap().into_inner();

    let listed = [("stays", "青岛海洋学院"), ("goes", "滨海学院")];
    let rows = listed
        .into_iter()
        .zip(1..)
        .map(|((number, name), row)| ImportOrganizationsRequest {
            settings: (row == 1).then(ImportSettings::default),
            row,
            organization: Some(Organization {
                identifiers: vec![identifier(number)],
                ..organization(name)
            }),
        });
    let rows: Vec<_> = rows.collect();
    let answer = register
        .labs()
        .import_organizations(tokio_stream::iter(rows))
        .await
        .unwrap();
    for outcome in answer.into_inner().outcomes {
        assert_eq!(
            (outcome.outcome(), outcome.name.as_str()),
            (Outcome::Unchanged, stays.name.as_str()),
            "{outcome:?}"
        );
    }
    assert_eq!(read(&register, &stays.name).await, before);
    assert!(before.identifiers.contains(&uscc));
}

/// The decision stays with the name that it was made on; the list of the survivor shows it, once.
async fn a_decision_on_a_duplicate_is_not_recorded_again(store: Store) {
    let register = Register::start(store).await;
    let of = |number: &str, name: &str| Talent {
        display_name: name.to_owned(),
        identifiers: vec![identifier(number)],
        ..Talent::default()
    };
    let stays = person(&register, of("stays", "甲某")).await;
    let goes = person(&register, of("goes", "甲某某")).await;
    let programme = Programme {
        display_name: "示例人才计划".to_owned(),
        code: "sample".to_owned(),
        ..Programme::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(programme),
        ..CreateProgrammeRequest::default()
    };
    register.talent().create_programme(request).await.unwrap();
    let row = ImportTalentDesignationsRequest {
        settings: Some(ImportSettings::default()),
        row: 1,
        talent_designation: Some(TalentDesignation {
            talent: Some(TalentReference {
                identifier: Some(identifier("goes")),
                ..TalentReference::default()
            }),
            programme: Some(ProgrammeReference {
                code: "sample".to_owned(),
                ..ProgrammeReference::default()
            }),
            state: TalentDesignationState::InTerm as i32,
            decision_date: "2024-03-01".to_owned(),
            ..TalentDesignation::default()
        }),
    };
    let import = async || {
        let rows = tokio_stream::iter([row.clone()]);
        let answer = register.talent().import_talent_designations(rows).await.unwrap();
        let outcome = answer.into_inner().outcomes.remove(0);
        (outcome.outcome(), outcome.name)
    };
    let (outcome, name) = import().await;
    assert_eq!(outcome, Outcome::Created);
    let request = MergeTalentsRequest {
        name: goes.name,
        survivor: stays.name.clone(),
        reason: "one person, recorded twice".to_owned(),
        ..MergeTalentsRequest::default()
    };
    register.talent().merge_talents(request).await.unwrap();
    assert_eq!(import().await, (Outcome::Unchanged, name.clone()));
    let request = ListTalentDesignationsRequest {
        parent: stays.name,
        ..ListTalentDesignationsRequest::default()
    };
    let page = register
        .talent()
        .list_talent_designations(request)
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = page.talent_designations.into_iter().map(|d| d.name).collect();
    assert_eq!(names, [name]);
}

/// The source has found out too that they are one. What the duplicate holds stays with it, in case they are not.
async fn a_row_with_identifiers_of_both_means_the_survivor(store: Store) {
    let register = Register::start(store).await;
    let (stays, goes) = two(&register).await;
    let before = merged(&register, &goes.name, &stays.name).await;
    let import = async |row: Organization| {
        let rows = [ImportOrganizationsRequest {
            settings: Some(ImportSettings::default()),
            row: 1,
            organization: Some(row),
        }];
        let answer = register.labs().import_organizations(tokio_stream::iter(rows)).await;
        let outcome = answer.unwrap().into_inner().outcomes.remove(0);
        (outcome.outcome(), outcome.name.clone(), outcome)
    };
    for name in ["", stays.name.as_str()] {
        for numbers in [["stays", "goes"], ["goes", "stays"]] {
            let row = Organization {
                name: name.to_owned(),
                identifiers: numbers.map(identifier).to_vec(),
                ..organization("青岛海洋学院")
            };
            let (outcome, name, whole) = import(row.clone()).await;
            assert_eq!((outcome, name), (Outcome::Unchanged, stays.name.clone()), "{whole:?}");
        }
    }
    let uscc = mingce_proto::registry::Identifier {
        scheme: "uscc".to_owned(),
        value: "91350100M000100Y43".to_owned(),
    };
    let row = Organization {
        identifiers: vec![identifier("goes"), uscc.clone(), identifier("stays")],
        city: "青岛".to_owned(),
        ..organization("青岛海洋学院")
    };
    let (outcome, name, whole) = import(row).await;
    assert_eq!((outcome, name), (Outcome::Updated, stays.name.clone()), "{whole:?}");
    let after = read(&register, &stays.name).await;
    assert_eq!(after.identifiers, [identifier("stays"), uscc]);
    assert_eq!((after.city.as_str(), &after.names), ("青岛", &before.names));
    // Who is no duplicate of it keeps what it has.
    let third = Organization {
        identifiers: vec![identifier("third")],
        ..organization("第三")
    };
    made(&register, third).await;
    let row = Organization {
        name: stays.name.clone(),
        identifiers: vec![identifier("stays"), identifier("third")],
        ..organization("青岛海洋学院")
    };
    let (outcome, _, whole) = import(row).await;
    assert_eq!(outcome, Outcome::Refused, "{whole:?}");
    assert_eq!(whole.problems[0].reason, "IDENTIFIER_TAKEN", "{whole:?}");
    assert_eq!(read(&register, &stays.name).await, after);
    let back = unmerge(&register, &goes.name).await.unwrap();
    assert_eq!(back.identifiers, goes.identifiers);

    // The same with a document that nobody can read: the survivor keeps its own.
    let of = |number: &str, document: &str| Talent {
        display_name: "张三".to_owned(),
        identifiers: vec![identifier(number)],
        identity_document: document.to_owned(),
        ..Talent::default()
    };
    let stays = person(&register, of("one", "E98765432")).await;
    let goes = person(&register, of("other", "11010519491231002X")).await;
    let request = MergeTalentsRequest {
        name: goes.name,
        survivor: stays.name.clone(),
        reason: "one person, recorded twice".to_owned(),
        ..MergeTalentsRequest::default()
    };
    register.talent().merge_talents(request).await.unwrap();
    let row = ImportTalentsRequest {
        settings: Some(ImportSettings::default()),
        row: 1,
        talent: Some(Talent {
            title: "研究员".to_owned(),
            ..of("one", "11010519491231002X")
        }),
    };
    let answer = register.talent().import_talents(tokio_stream::iter([row])).await;
    let outcome = answer.unwrap().into_inner().outcomes.remove(0);
    assert_eq!(
        (outcome.outcome(), outcome.name.as_str()),
        (Outcome::Updated, stays.name.as_str()),
        "{outcome:?}"
    );
    let request = GetTalentRequest {
        name: stays.name.clone(),
        ..GetTalentRequest::default()
    };
    let after = register.talent().get_talent(request).await.unwrap().into_inner();
    assert_eq!(
        (after.title.as_str(), &after.masked_identity_document),
        ("研究员", &stays.masked_identity_document)
    );
}
