//! Idempotent requests and dry runs: what is asked twice is done once, and what is only validated is not done.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    AnnulOrganizationRequest, CreateOrganizationRequest, MergeOrganizationsRequest, Organization,
    UpdateOrganizationRequest,
};
use mingce_proto::registry::RecordStatus;
use tonic::Code;

use crate::builders::{annul, count, create, history, made, merge, organization, read, update, updated, whole};

const REQUEST_ID: &str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";
const LEDGER: &str = "SELECT count(*) FROM ledger";

on_both_stores!(
    what_is_only_validated_leaves_nothing,
    a_repeated_request_is_done_once,
    a_repeated_update_answers_what_the_first_answered_whatever_came_after,
    a_request_id_serves_one_method,
    a_request_id_in_capitals_is_the_same,
    one_request_sent_many_times_at_once_is_done_once,
);

async fn what_is_only_validated_leaves_nothing(store: Store) {
    let mut register = Register::start(store).await;
    let (one, other) = (
        made(&register, whole()).await,
        made(&register, organization("青大")).await,
    );
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
    assert_eq!(
        labs.merge_organizations(request)
            .await
            .unwrap()
            .into_inner()
            .names
            .len(),
        1
    );
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
    let (one, other) = (
        made(&register, whole()).await,
        made(&register, organization("青大")).await,
    );
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

async fn a_request_id_in_capitals_is_the_same(store: Store) {
    let register = Register::start(store).await;
    let request = |id: String| CreateOrganizationRequest {
        request_id: id,
        ..create(organization("山东大学"))
    };
    let mut labs = register.labs();
    let first = labs
        .create_organization(request(REQUEST_ID.to_uppercase()))
        .await
        .unwrap()
        .into_inner();
    let again = labs
        .create_organization(request(REQUEST_ID.to_owned()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, first);
    assert_eq!(count(&register).await, 1);
}
