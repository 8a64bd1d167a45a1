//! How records change: etags, update masks, trials, repeated requests, annulment, history and writers side by side.

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    AnnulOrganizationRequest, CreateOrganizationRequest, ListOrganizationsRequest, ListRevisionsRequest,
    MergeOrganizationsRequest, Organization, UpdateOrganizationRequest,
};
use mingce_proto::registry::{RecordStatus, Revision};
use prost_types::FieldMask;
use tonic::Code;

use crate::made::{count, create, identifier, made, organization, read};

const REQUEST_ID: &str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";
const LEDGER: &str = "SELECT count(*) FROM ledger";

on_both_stores!(
    a_mask_sets_what_it_names_and_nothing_else,
    an_asterisk_sets_all_that_can_be_written,
    without_a_mask_what_is_not_empty_is_set,
    an_update_that_changes_nothing_writes_nothing,
    output_only_fields_cannot_be_updated,
    an_old_etag_neither_annuls_nor_merges,
    what_is_only_validated_leaves_nothing,
    a_repeated_request_is_done_once,
    a_repeated_update_answers_what_the_first_answered_whatever_came_after,
    a_request_id_serves_one_method,
    one_request_sent_many_times_at_once_is_done_once,
    an_annulled_record_frees_its_identifiers_and_keeps_its_name,
    the_history_tells_each_change_the_newest_first,
    writers_side_by_side_leave_no_gap_in_the_ledger,
    of_two_creates_at_once_exactly_one_has_the_identifier,
);

fn update(organization: Organization, paths: &[&str]) -> UpdateOrganizationRequest {
    UpdateOrganizationRequest {
        organization: Some(organization),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        ..UpdateOrganizationRequest::default()
    }
}

async fn updated(register: &Register, organization: Organization, paths: &[&str]) -> Organization {
    let answer = register.labs().update_organization(update(organization, paths)).await;
    answer.unwrap().into_inner()
}

fn annul(name: &str) -> AnnulOrganizationRequest {
    AnnulOrganizationRequest {
        name: name.to_owned(),
        reason: "recorded by mistake".to_owned(),
        ..AnnulOrganizationRequest::default()
    }
}

fn merge(name: &str, survivor: &str) -> MergeOrganizationsRequest {
    MergeOrganizationsRequest {
        name: name.to_owned(),
        survivor: survivor.to_owned(),
        reason: "the same university".to_owned(),
        ..MergeOrganizationsRequest::default()
    }
}

async fn history(register: &Register, name: &str) -> Vec<Revision> {
    let mut request = ListRevisionsRequest {
        name: name.to_owned(),
        page_size: 2,
        ..ListRevisionsRequest::default()
    };
    let mut revisions = Vec::new();
    loop {
        let page = register
            .labs()
            .list_revisions(request.clone())
            .await
            .unwrap()
            .into_inner();
        revisions.extend(page.revisions);
        if page.next_page_token.is_empty() {
            return revisions;
        }
        request.page_token = page.next_page_token;
    }
}

fn whole() -> Organization {
    Organization {
        city: "青岛".to_owned(),
        country_code: "CN".to_owned(),
        established_year: 1909,
        website: "https://example.org".to_owned(),
        identifiers: vec![identifier("1")],
        ..organization("青岛大学")
    }
}

async fn a_mask_sets_what_it_names_and_nothing_else(store: Store) {
    let register = Register::start(store).await;
    let before = made(&register, whole()).await;
    let change = Organization {
        name: before.name.clone(),
        city: "济南".to_owned(),
        display_name: "another name".to_owned(),
        ..Organization::default()
    };
    // The web site is named and empty in the request: so it is emptied.
    let after = updated(&register, change, &["city", "website"]).await;
    let expected = Organization {
        city: "济南".to_owned(),
        website: String::new(),
        etag: "\"r2\"".to_owned(),
        revision: 2,
        update_time: after.update_time,
        ..before
    };
    assert_eq!(after, expected);
    assert_eq!(read(&register, &after.name).await, after);
}

async fn an_asterisk_sets_all_that_can_be_written(store: Store) {
    let register = Register::start(store).await;
    let before = made(&register, whole()).await;
    let change = Organization {
        name: before.name.clone(),
        ..organization("山东大学")
    };
    let after = updated(&register, change.clone(), &["*"]).await;
    let expected = Organization {
        uid: before.uid,
        etag: "\"r2\"".to_owned(),
        revision: 2,
        create_time: before.create_time,
        update_time: after.update_time,
        record_status: RecordStatus::Active as i32,
        ..change
    };
    assert_eq!(after, expected);
    // The identifier that it no longer has is free.
    made(&register, whole()).await;
}

async fn without_a_mask_what_is_not_empty_is_set(store: Store) {
    let register = Register::start(store).await;
    let before = made(&register, whole()).await;
    let change = Organization {
        name: before.name.clone(),
        city: "济南".to_owned(),
        ..Organization::default()
    };
    let after = updated(&register, change, &[]).await;
    assert_eq!(
        (after.city.as_str(), after.display_name.as_str(), after.website.as_str()),
        ("济南", "青岛大学", "https://example.org")
    );
}

async fn an_update_that_changes_nothing_writes_nothing(store: Store) {
    let mut register = Register::start(store).await;
    let before = made(&register, whole()).await;
    assert_eq!(updated(&register, before.clone(), &["*"]).await, before);
    assert_eq!(updated(&register, before.clone(), &["city"]).await, before);
    register.stop();
    assert_eq!(register.number(LEDGER).await, 1);
}

async fn output_only_fields_cannot_be_updated(store: Store) {
    let register = Register::start(store).await;
    let before = made(&register, whole()).await;
    for field in ["name", "uid", "etag", "revision", "create_time", "record_status", "survivor"] {
        let request = update(before.clone(), &["city", field]);
        let refused = failure(register.labs().update_organization(request).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "MASK_FIELD_OUTPUT_ONLY"),
            "{refused:?}"
        );
        assert_eq!(refused.fields, ["update_mask"], "{refused:?}");
        assert!(refused.descriptions[0].contains(field), "{refused:?}");
    }
    // What a caller says of them in a create is not taken over.
    let forged = Organization {
        uid: "x".to_owned(),
        revision: 9,
        record_status: RecordStatus::Annulled as i32,
        survivor: before.name.clone(),
        ..organization("山东大学")
    };
    let after = made(&register, forged).await;
    assert_eq!(
        (after.revision, after.record_status(), after.survivor.as_str()),
        (1, RecordStatus::Active, "")
    );
}

async fn an_old_etag_neither_annuls_nor_merges(store: Store) {
    let register = Register::start(store).await;
    let (one, other) = (made(&register, whole()).await, made(&register, organization("青大")).await);
    let etag = "\"r7\"".to_owned();
    let wrong = AnnulOrganizationRequest {
        etag: etag.clone(),
        ..annul(&one.name)
    };
    let refused = failure(register.labs().annul_organization(wrong).await);
    assert_eq!(refused.is(), (Code::Aborted, "ETAG_MISMATCH"), "{refused:?}");
    let wrong = MergeOrganizationsRequest {
        etag,
        ..merge(&other.name, &one.name)
    };
    let refused = failure(register.labs().merge_organizations(wrong).await);
    assert_eq!(refused.is(), (Code::Aborted, "ETAG_MISMATCH"), "{refused:?}");
    assert_eq!(read(&register, &one.name).await, one);
    assert_eq!(read(&register, &other.name).await, other);
}

async fn what_is_only_validated_leaves_nothing(store: Store) {
    let mut register = Register::start(store).await;
    let (one, other) = (made(&register, whole()).await, made(&register, organization("青大")).await);
    let mut labs = register.labs();
    let request = CreateOrganizationRequest {
        validate_only: true,
        request_id: REQUEST_ID.to_owned(),
        ..create(organization("山东大学"))
    };
    let would_be = labs.create_organization(request).await.unwrap().into_inner();
    assert_eq!(would_be.display_name, "山东大学");
    let taken = CreateOrganizationRequest {
        validate_only: true,
        ..create(whole())
    };
    let refused = failure(labs.create_organization(taken).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    let change = Organization {
        city: "济南".to_owned(),
        ..one.clone()
    };
    let request = UpdateOrganizationRequest {
        validate_only: true,
        ..update(change, &["city"])
    };
    let would_be = labs.update_organization(request).await.unwrap().into_inner();
    assert_eq!((would_be.city.as_str(), would_be.revision), ("济南", 2));
    let request = MergeOrganizationsRequest {
        validate_only: true,
        ..merge(&other.name, &one.name)
    };
    assert_eq!(labs.merge_organizations(request).await.unwrap().into_inner().names.len(), 1);
    let request = AnnulOrganizationRequest {
        validate_only: true,
        ..annul(&one.name)
    };
    let would_be = labs.annul_organization(request).await.unwrap().into_inner();
    assert_eq!(would_be.record_status(), RecordStatus::Annulled);

    assert_eq!(read(&register, &one.name).await, one);
    assert_eq!(read(&register, &other.name).await, other);
    assert_eq!(count(&register).await, 2);
    // The id of a trial can still be used.
    let request = CreateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..create(organization("中国海洋大学"))
    };
    labs.create_organization(request).await.unwrap();
    register.stop();
    assert_eq!(register.number(LEDGER).await, 3);
    assert_eq!(register.number("SELECT sequence FROM ledger_head").await, 3);
}

async fn a_repeated_request_is_done_once(store: Store) {
    let mut register = Register::start(store).await;
    let (one, other) = (made(&register, whole()).await, made(&register, organization("青大")).await);
    let mut labs = register.labs();
    let request = MergeOrganizationsRequest {
        request_id: REQUEST_ID.to_owned(),
        ..merge(&other.name, &one.name)
    };
    let first = labs.merge_organizations(request.clone()).await.unwrap().into_inner();
    // The etag and the state would refuse it now, were it not the same request.
    assert_eq!(labs.merge_organizations(request).await.unwrap().into_inner(), first);
    let request = AnnulOrganizationRequest {
        request_id: REQUEST_ID.replace('a', "b"),
        etag: first.etag.clone(),
        ..annul(&one.name)
    };
    let first = labs.annul_organization(request.clone()).await.unwrap().into_inner();
    assert_eq!(labs.annul_organization(request).await.unwrap().into_inner(), first);
    let newest = history(&register, &one.name).await.remove(0);
    assert_eq!(newest.request_id, REQUEST_ID.replace('a', "b"));
    register.stop();
    // Two creates; the merge changes both; the annulment one.
    assert_eq!(register.number(LEDGER).await, 5);
}

async fn a_repeated_update_answers_what_the_first_answered_whatever_came_after(store: Store) {
    let mut register = Register::start(store).await;
    let before = made(&register, whole()).await;
    let change = |city: &str| Organization {
        name: before.name.clone(),
        city: city.to_owned(),
        ..Organization::default()
    };
    let request = UpdateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..update(change("济南"), &["city"])
    };
    let first = register
        .labs()
        .update_organization(request.clone())
        .await
        .unwrap()
        .into_inner();
    let latest = updated(&register, change("烟台"), &["city"]).await;
    let again = register.labs().update_organization(request).await.unwrap().into_inner();
    assert_eq!(again, first);
    assert_eq!(read(&register, &before.name).await, latest);
    register.stop();
    assert_eq!(register.number(LEDGER).await, 3);
}

async fn a_request_id_serves_one_method(store: Store) {
    let register = Register::start(store).await;
    let request = CreateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..create(whole())
    };
    let made = register.labs().create_organization(request).await.unwrap().into_inner();
    let request = AnnulOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..annul(&made.name)
    };
    let refused = failure(register.labs().annul_organization(request).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REQUEST_ID_REUSED"),
        "{refused:?}"
    );
    assert_eq!(read(&register, &made.name).await, made);
}

async fn one_request_sent_many_times_at_once_is_done_once(store: Store) {
    let mut register = Register::start(store).await;
    let request = CreateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..create(whole())
    };
    let mut calls = Vec::new();
    for _ in 0..16 {
        let (mut labs, request) = (register.labs(), request.clone());
        calls.push(tokio::spawn(async move { labs.create_organization(request).await }));
    }
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().unwrap().into_inner());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    register.stop();
    assert_eq!(register.number(LEDGER).await, 1);
}

async fn an_annulled_record_frees_its_identifiers_and_keeps_its_name(store: Store) {
    let register = Register::start(store).await;
    let first = made(&register, whole()).await;
    let refused = failure(register.labs().create_organization(create(whole())).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    assert_eq!(refused.resource, first.name, "{refused:?}");
    let annulled = register
        .labs()
        .annul_organization(annul(&first.name))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(annulled.record_status(), RecordStatus::Annulled);
    let second = made(&register, whole()).await;
    assert_ne!(second.name, first.name);
    assert_eq!(read(&register, &first.name).await, annulled);

    let list = |filter: &str| ListOrganizationsRequest {
        filter: filter.to_owned(),
        ..ListOrganizationsRequest::default()
    };
    for (filter, names) in [
        ("", vec![&second.name]),
        ("record_status = ANNULLED", vec![&first.name]),
        ("record_status = ANNULLED OR record_status = ACTIVE", vec![&first.name, &second.name]),
    ] {
        let page = register.labs().list_organizations(list(filter)).await.unwrap().into_inner();
        assert_eq!(page.organizations.iter().map(|o| &o.name).collect::<Vec<_>>(), names, "{filter}");
    }
    for refused in [
        failure(register.labs().annul_organization(annul(&first.name)).await),
        failure(register.labs().update_organization(update(first.clone(), &["city"])).await),
        failure(register.labs().merge_organizations(merge(&first.name, &second.name)).await),
        failure(register.labs().merge_organizations(merge(&second.name, &first.name)).await),
    ] {
        // The etag of the first is old as well, and the state is what matters to who is told.
        let expected = [
            (Code::FailedPrecondition, "RECORD_NOT_ACTIVE"),
            (Code::Aborted, "ETAG_MISMATCH"),
        ];
        assert!(expected.contains(&refused.is()), "{refused:?}");
    }
}

async fn the_history_tells_each_change_the_newest_first(store: Store) {
    let register = Register::start(store).await;
    let first = made(&register, whole()).await;
    for city in ["济南", "烟台", "威海"] {
        let change = Organization {
            name: first.name.clone(),
            city: city.to_owned(),
            ..Organization::default()
        };
        updated(&register, change, &["city"]).await;
    }
    register.labs().annul_organization(annul(&first.name)).await.unwrap();
    let told = history(&register, &first.name).await;
    assert_eq!(
        told.iter().map(|r| (r.revision, r.sequence, r.verb.as_str())).collect::<Vec<_>>(),
        [(5, 5, "annul"), (4, 4, "update"), (3, 3, "update"), (2, 2, "update"), (1, 1, "create")]
    );
    assert_eq!(told[0].reason, "recorded by mistake");
    assert_eq!(told[1].changed_fields, ["city"]);
    let snapshot = told[4].snapshot.as_ref().unwrap();
    assert_eq!(snapshot.type_url, "type.googleapis.com/mingce.labs.v1.Organization");
    let as_made: Organization = prost::Message::decode(snapshot.value.as_slice()).unwrap();
    assert_eq!(as_made, first);
    assert!(told.iter().all(|r| !r.actor.is_empty() && r.create_time.is_some()), "{told:?}");
}

async fn writers_side_by_side_leave_no_gap_in_the_ledger(store: Store) {
    let mut register = Register::start(store).await;
    let shared = made(&register, organization("众人之单位")).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (mut labs, shared) = (register.labs(), shared.name.clone());
        writers.push(tokio::spawn(async move {
            for n in 0..20 {
                let named = Organization {
                    identifiers: vec![identifier(&format!("{writer}-{n}"))],
                    ..organization(&format!("单位 {writer}-{n}"))
                };
                labs.create_organization(create(named.clone())).await.unwrap();
                // A refusal draws no number.
                labs.create_organization(create(named)).await.unwrap_err();
                let change = Organization {
                    name: shared.clone(),
                    city: format!("{writer}-{n}"),
                    ..Organization::default()
                };
                labs.update_organization(update(change, &["city"])).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let told = history(&register, &shared.name).await;
    let revisions: Vec<_> = told.iter().rev().map(|r| r.revision).collect();
    assert_eq!(revisions, (1..=81).collect::<Vec<_>>());
    assert!(told.is_sorted_by(|a, b| a.sequence > b.sequence), "{told:?}");
    register.stop();
    for (query, expected) in [
        (LEDGER, 161),
        ("SELECT min(sequence) FROM ledger", 1),
        ("SELECT max(sequence) FROM ledger", 161),
        ("SELECT count(DISTINCT sequence) FROM ledger", 161),
        ("SELECT sequence FROM ledger_head", 161),
    ] {
        assert_eq!(register.number(query).await, expected, "{query}");
    }
}

async fn of_two_creates_at_once_exactly_one_has_the_identifier(store: Store) {
    let register = Register::start(store).await;
    for round in 0..20 {
        let request = |name: &str| {
            create(Organization {
                identifiers: vec![identifier(&format!("round-{round}"))],
                ..organization(name)
            })
        };
        let (mut one, mut other) = (register.labs(), register.labs());
        let (one, other) = tokio::join!(
            one.create_organization(request("青岛大学")),
            other.create_organization(request("山东大学"))
        );
        let (made, refused) = match (one, other) {
            (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made.into_inner(), Failure::from(refused)),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
        assert_eq!(refused.resource, made.name, "{refused:?}");
        assert_eq!(refused.fields, ["organization.identifiers[0].value"], "{refused:?}");
    }
    assert_eq!(count(&register).await, 20);
}
