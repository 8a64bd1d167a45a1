//! Updates of records: etags, update masks and annulment.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{AnnulOrganizationRequest, ListOrganizationsRequest, MergeOrganizationsRequest, Organization};
use mingce_proto::registry::RecordStatus;
use tonic::Code;

use crate::builders::{annul, create, made, merge, organization, read, update, updated, whole};

const LEDGER: &str = "SELECT count(*) FROM ledger";

on_both_stores!(
    a_mask_sets_what_it_names_and_nothing_else,
    an_asterisk_sets_all_that_can_be_written,
    without_a_mask_what_is_not_empty_is_set,
    an_update_that_changes_nothing_writes_nothing,
    output_only_fields_cannot_be_updated,
    an_old_etag_neither_annuls_nor_merges,
    an_annulled_record_frees_its_identifiers_and_keeps_its_name,
);

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
        sequence: 2,
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
        sequence: 2,
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
    for field in [
        "name",
        "uid",
        "etag",
        "revision",
        "create_time",
        "record_status",
        "survivor",
        "sequence",
    ] {
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
        sequence: 99,
        ..organization("山东大学")
    };
    let after = made(&register, forged).await;
    assert_eq!(
        (
            after.revision,
            after.record_status(),
            after.survivor.as_str(),
            after.sequence
        ),
        (1, RecordStatus::Active, "", 2)
    );
}

async fn an_old_etag_neither_annuls_nor_merges(store: Store) {
    let register = Register::start(store).await;
    let (one, other) = (
        made(&register, whole()).await,
        made(&register, organization("青大")).await,
    );
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
        (
            "record_status = ANNULLED OR record_status = ACTIVE",
            vec![&first.name, &second.name],
        ),
    ] {
        let page = register
            .labs()
            .list_organizations(list(filter))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            page.organizations.iter().map(|o| &o.name).collect::<Vec<_>>(),
            names,
            "{filter}"
        );
    }
    for refused in [
        failure(register.labs().annul_organization(annul(&first.name)).await),
        failure(
            register
                .labs()
                .update_organization(update(first.clone(), &["city"]))
                .await,
        ),
        failure(
            register
                .labs()
                .merge_organizations(merge(&first.name, &second.name))
                .await,
        ),
        failure(
            register
                .labs()
                .merge_organizations(merge(&second.name, &first.name))
                .await,
        ),
    ] {
        // The etag of the first is old as well, and the state is what matters to who is told.
        let expected = [
            (Code::FailedPrecondition, "RECORD_NOT_ACTIVE"),
            (Code::Aborted, "ETAG_MISMATCH"),
        ];
        assert!(expected.contains(&refused.is()), "{refused:?}");
    }
}
