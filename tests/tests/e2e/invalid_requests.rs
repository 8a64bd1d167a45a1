//! Wrong requests: each gets the right code, reason and detail, nothing is lost, and nothing internal is shown.

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores, raw_client};
use mingce_proto::labs::{CreateOrganizationRequest, GetOrganizationRequest, Organization, UpdateOrganizationRequest};
use mingce_proto::registry::Identifier;
use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;

use crate::builders::{count, create, organization};

const CREATE: &str = "mingce.labs.v1.LabService/CreateOrganization";
const REQUEST_ID: &str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";

on_both_stores!(
    bytes_that_are_no_text_are_refused,
    a_body_without_a_message_is_refused,
    a_message_that_is_too_large_is_refused,
    an_unknown_enum_value_is_refused,
    a_wrong_etag_changes_nothing,
    a_request_id_with_another_body_is_refused,
    a_repeated_request_answers_what_the_first_answered,
    a_name_of_the_wrong_kind_is_refused,
    a_name_that_nobody_has_is_not_found,
    an_update_mask_with_an_unknown_field_is_refused,
    an_identifier_with_a_wrong_check_character_is_refused,
    of_two_creates_of_the_same_identifier_one_wins,
    a_create_past_its_deadline_is_made_once_or_not_at_all,
    an_unknown_method_is_unimplemented,
    all_wrong_fields_are_named_at_once,
    an_error_is_told_in_chinese_to_whom_asks_for_it,
);

async fn an_error_is_told_in_chinese_to_whom_asks_for_it(store: Store) {
    let register = Register::start(store).await;
    let told = async |language: &str| {
        let mut request = tonic::Request::new(create(Organization {
            city: "x".repeat(101),
            ..organization("青岛示例大学")
        }));
        request
            .metadata_mut()
            .insert("accept-language", language.parse().unwrap());
        let status = register.labs().create_organization(request).await.unwrap_err();
        assert!(status.message().contains("city"), "{status:?}");
        let text = status.get_details_localized_message();
        text.map(|text| (text.locale, text.message))
    };
    let (locale, text) = told("zh-CN,zh;q=0.9,en;q=0.8").await.unwrap();
    assert_eq!(locale, "zh-CN");
    assert!(text.contains("organization.city：文字过长"), "{text}");
    assert_eq!(told("en-GB,en;q=0.9,zh;q=0.1").await, None);
}

async fn bytes_that_are_no_text_are_refused(store: Store) {
    let register = Register::start(store).await;
    // Field 1 is the organization, field 10 in it its display name: two bytes that no UTF-8 begins with.
    let refused = failure(raw_client::call(&register, CREATE, &[0x0a, 4, 0x52, 2, 0xff, 0xfe], &[]).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "MESSAGE_MALFORMED"),
        "{refused:?}"
    );
    assert_eq!(count(&register).await, 0);
}

async fn a_body_without_a_message_is_refused(store: Store) {
    let register = Register::start(store).await;
    let whole = create(organization("青岛大学")).encode_to_vec();
    let mut cut = vec![0];
    cut.extend(u32::try_from(whole.len()).unwrap().to_be_bytes());
    cut.extend(&whole[..whole.len() - 1]);
    for body in [vec![], vec![0, 0, 0], cut] {
        let refused = failure(raw_client::send(&register, CREATE, body.clone(), &[]).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "MESSAGE_MALFORMED"),
            "{body:?}: {refused:?}"
        );
    }
    assert_eq!(count(&register).await, 0);
}

async fn a_message_that_is_too_large_is_refused(store: Store) {
    let register = Register::start(store).await;
    let large = Organization {
        website: "x".repeat(300 << 10),
        ..organization("青岛大学")
    };
    let refused = failure(register.labs().create_organization(create(large)).await);
    assert_eq!(
        refused.is(),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
        "{refused:?}"
    );
    // One that only says that it is large is refused before it has come.
    let refused = failure(raw_client::send(&register, CREATE, vec![0, 0xff, 0xff, 0xff, 0xff], &[]).await);
    assert_eq!(
        refused.is(),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
        "{refused:?}"
    );
    assert_eq!(count(&register).await, 0);
}

async fn an_unknown_enum_value_is_refused(store: Store) {
    let register = Register::start(store).await;
    let strange = Organization {
        kind: 99,
        ..organization("青岛大学")
    };
    let refused = failure(register.labs().create_organization(create(strange)).await);
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    assert_eq!(refused.fields, ["organization.kind"], "{refused:?}");
    assert_eq!(count(&register).await, 0);
}

async fn a_wrong_etag_changes_nothing(store: Store) {
    let register = Register::start(store).await;
    let made = register
        .labs()
        .create_organization(create(organization("青岛大学")))
        .await
        .unwrap()
        .into_inner();
    let update = |etag: &str, city: &str| UpdateOrganizationRequest {
        organization: Some(Organization {
            etag: etag.to_owned(),
            city: city.to_owned(),
            ..made.clone()
        }),
        ..UpdateOrganizationRequest::default()
    };
    let second = register
        .labs()
        .update_organization(update(&made.etag, "青岛"))
        .await
        .unwrap()
        .into_inner();
    let refused = failure(register.labs().update_organization(update(&made.etag, "济南")).await);
    assert_eq!(refused.is(), (Code::Aborted, "ETAG_MISMATCH"), "{refused:?}");
    let get = GetOrganizationRequest {
        name: made.name.clone(),
        ..GetOrganizationRequest::default()
    };
    assert_eq!(
        register.labs().get_organization(get).await.unwrap().into_inner(),
        second
    );
}

async fn a_request_id_with_another_body_is_refused(store: Store) {
    let register = Register::start(store).await;
    let request = |name| CreateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..create(organization(name))
    };
    register.labs().create_organization(request("青岛大学")).await.unwrap();
    let refused = failure(register.labs().create_organization(request("山东大学")).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REQUEST_ID_REUSED"),
        "{refused:?}"
    );
    assert_eq!(count(&register).await, 1);
}

async fn a_repeated_request_answers_what_the_first_answered(store: Store) {
    let mut register = Register::start(store).await;
    let request = CreateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..create(organization("青岛大学"))
    };
    let first = register
        .labs()
        .create_organization(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = register
        .labs()
        .create_organization(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    register.kill();
    register.restart();
    assert_eq!(
        register.labs().create_organization(request).await.unwrap().into_inner(),
        first
    );
    assert_eq!(count(&register).await, 1);
}

async fn a_name_of_the_wrong_kind_is_refused(store: Store) {
    let register = Register::start(store).await;
    let made = register
        .labs()
        .create_organization(create(organization("青岛大学")))
        .await
        .unwrap()
        .into_inner();
    let as_lab = made.name.replace("organizations/", "labs/");
    for name in [
        as_lab.as_str(),
        "",
        "organizations/",
        "organizations/1",
        "青岛大学",
        "organizations/../labs",
    ] {
        let get = GetOrganizationRequest {
            name: name.to_owned(),
            ..GetOrganizationRequest::default()
        };
        let refused = failure(register.labs().get_organization(get).await);
        assert_eq!(
            (refused.code, refused.fields),
            (Code::InvalidArgument, vec!["name".to_owned()]),
            "{name}"
        );
    }
    let child = Organization {
        parent: as_lab,
        ..organization("青岛大学医学部")
    };
    let refused = failure(register.labs().create_organization(create(child)).await);
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    assert_eq!(refused.fields, ["organization.parent"]);
    assert_eq!(count(&register).await, 1);
}

async fn a_name_that_nobody_has_is_not_found(store: Store) {
    let register = Register::start(store).await;
    let name = "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned();
    let get = GetOrganizationRequest {
        name: name.clone(),
        ..GetOrganizationRequest::default()
    };
    let refused = failure(register.labs().get_organization(get).await);
    assert_eq!(refused.is(), (Code::NotFound, "RESOURCE_NOT_FOUND"), "{refused:?}");
    assert!(refused.message.contains(&name), "{refused:?}");
}

async fn an_update_mask_with_an_unknown_field_is_refused(store: Store) {
    let register = Register::start(store).await;
    let made = register
        .labs()
        .create_organization(create(organization("青岛大学")))
        .await
        .unwrap()
        .into_inner();
    let update = UpdateOrganizationRequest {
        organization: Some(Organization {
            city: "青岛".to_owned(),
            ..made.clone()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["city".to_owned(), "colour".to_owned()],
        }),
        ..UpdateOrganizationRequest::default()
    };
    let refused = failure(register.labs().update_organization(update).await);
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    assert!(
        refused.fields.iter().all(|field| field.starts_with("update_mask")),
        "{refused:?}"
    );
    let get = GetOrganizationRequest {
        name: made.name.clone(),
        ..GetOrganizationRequest::default()
    };
    assert_eq!(register.labs().get_organization(get).await.unwrap().into_inner(), made);
}

async fn an_identifier_with_a_wrong_check_character_is_refused(store: Store) {
    let register = Register::start(store).await;
    let identifiers = vec![Identifier {
        scheme: "uscc".to_owned(),
        value: "91370200264574251F".to_owned(),
    }];
    let wrong = Organization {
        identifiers,
        ..organization("青岛的一家企业")
    };
    let refused = failure(register.labs().create_organization(create(wrong)).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "USCC_CHECK_WRONG"), "{refused:?}");
    assert!(
        refused.fields[0].starts_with("organization.identifiers[0]"),
        "{refused:?}"
    );
    assert_eq!(count(&register).await, 0);
}

async fn of_two_creates_of_the_same_identifier_one_wins(store: Store) {
    let register = Register::start(store).await;
    let mut calls = Vec::new();
    for n in 0..16 {
        let identifiers = vec![Identifier {
            scheme: "uscc".to_owned(),
            value: "91370200264574251E".to_owned(),
        }];
        let request = create(Organization {
            identifiers,
            ..organization(&format!("同一家企业 {n}"))
        });
        // A connection each, so that they truly come at once.
        let mut labs = register.labs();
        calls.push(tokio::spawn(async move { labs.create_organization(request).await }));
    }
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => made.push(answer.into_inner().name),
            Err(status) => refused.push(Failure::from(status)),
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    for refused in refused {
        assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
        assert!(
            format!("{refused:?}").contains(&made[0]),
            "it should name who has it: {refused:?}"
        );
    }
    assert_eq!(count(&register).await, 1);
}

async fn a_create_past_its_deadline_is_made_once_or_not_at_all(store: Store) {
    let register = Register::start(store).await;
    let request = CreateOrganizationRequest {
        request_id: REQUEST_ID.to_owned(),
        ..create(organization("青岛大学"))
    };
    let message = request.encode_to_vec();
    let refused = failure(raw_client::call(&register, CREATE, &message, &[("grpc-timeout", "1n")]).await);
    assert_eq!(
        refused.is(),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        "{refused:?}"
    );
    for _ in 0..20 {
        if let Err(status) = raw_client::call(&register, CREATE, &message, &[("grpc-timeout", "1m")]).await {
            assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        }
    }
    register.labs().create_organization(request).await.unwrap();
    assert_eq!(count(&register).await, 1);
}

async fn an_unknown_method_is_unimplemented(store: Store) {
    let register = Register::start(store).await;
    for method in [
        "mingce.labs.v1.LabService/DeleteEverything",
        "mingce.labs.v2.LabService/GetLab",
        "x",
    ] {
        let refused = failure(raw_client::call(&register, method, &[], &[]).await);
        assert_eq!(refused.code, Code::Unimplemented, "{method}: {refused:?}");
    }
}

async fn all_wrong_fields_are_named_at_once(store: Store) {
    let register = Register::start(store).await;
    let wrong = Organization {
        kind: 99,
        country_code: "China".to_owned(),
        division_code: "37".to_owned(),
        ..organization("")
    };
    let mut refused = failure(register.labs().create_organization(create(wrong)).await);
    refused.fields.sort();
    let fields = ["country_code", "display_name", "division_code", "kind"].map(|field| format!("organization.{field}"));
    assert_eq!(refused.fields, fields, "{refused:?}");
}
