//! Records are got by an identifier in the place of their name.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    CreateLabRequest, GetLabByIdentifierRequest, GetOrganizationByIdentifierRequest, Lab, Organization,
};
use mingce_proto::registry::Identifier;
use mingce_proto::talent::{GetTalentByIdentifierRequest, Talent};
use tonic::Code;

use crate::builders::{annul, identifier, made, merge, organization, person};

on_both_stores!(
    a_record_is_got_by_an_identifier,
    a_lab_is_got_by_its_own_identifiers,
    a_person_is_got_by_an_identifier_and_not_by_a_document,
);

fn held(scheme: &str, value: &str) -> Identifier {
    Identifier {
        scheme: scheme.to_owned(),
        value: value.to_owned(),
    }
}

fn by(scheme: &str, value: &str) -> GetOrganizationByIdentifierRequest {
    GetOrganizationByIdentifierRequest {
        identifier: Some(held(scheme, value)),
        view: 0,
    }
}

async fn a_record_is_got_by_an_identifier(store: Store) {
    let register = Register::start(store).await;
    let with = |display_name: &str, scheme: &str, value: &str| Organization {
        identifiers: vec![held(scheme, value)],
        ..organization(display_name)
    };
    let one = made(&register, with("甲所", "ror", "https://ror.org/04rdtx186")).await;
    let other = made(&register, with("乙所", "house", "7-1")).await;
    let mut labs = register.labs();
    for value in ["04rdtx186", "https://ror.org/04RDTX186", " 04rdtx186 "] {
        let found = labs
            .get_organization_by_identifier(by("ror", value))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found, one, "{value}");
    }
    for (request, expected, field) in [
        (
            by("house", "04rdtx186"),
            (Code::NotFound, "IDENTIFIER_NOT_FOUND"),
            "identifier",
        ),
        (
            by("house", "7-2"),
            (Code::NotFound, "IDENTIFIER_NOT_FOUND"),
            "identifier",
        ),
        (
            by("ror", "04rdtx187"),
            (Code::InvalidArgument, "ROR_CHECK_WRONG"),
            "identifier.value",
        ),
        (
            by("House", "7-1"),
            (Code::InvalidArgument, "STRING_PATTERN"),
            "identifier.scheme",
        ),
        (
            GetOrganizationByIdentifierRequest::default(),
            (Code::InvalidArgument, "REQUIRED"),
            "identifier",
        ),
    ] {
        let refused = failure(labs.get_organization_by_identifier(request).await);
        assert_eq!(
            (refused.is(), refused.fields.as_slice()),
            (expected, &[field.to_owned()][..]),
            "{refused:?}"
        );
    }
    labs.merge_organizations(merge(&other.name, &one.name)).await.unwrap();
    let found = labs
        .get_organization_by_identifier(by("house", "7-1"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.name, one.name);
    labs.annul_organization(annul(&one.name)).await.unwrap();
    let refused = failure(labs.get_organization_by_identifier(by("ror", "04rdtx186")).await);
    assert_eq!(refused.is(), (Code::NotFound, "IDENTIFIER_NOT_FOUND"), "{refused:?}");
}

async fn a_person_is_got_by_an_identifier_and_not_by_a_document(store: Store) {
    let register = Register::start(store).await;
    let document = "11010519491231002X";
    let talent = Talent {
        identity_document: document.to_owned(),
        identifiers: vec![held("orcid", "0000-0002-1825-0097"), identifier("17")],
        display_name: "钱样甲".to_owned(),
        ..Talent::default()
    };
    let one = person(&register, talent).await;
    let by = |scheme: &str, value: &str| GetTalentByIdentifierRequest {
        identifier: Some(held(scheme, value)),
        view: 0,
    };
    for request in [by("orcid", "0000000218250097"), by("number", "17")] {
        let found = register
            .talent()
            .get_talent_by_identifier(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found, one);
        assert!(found.identity_document.is_empty() && found.birth_date.is_empty());
    }
    for scheme in ["identity-document", "number"] {
        let refused = failure(register.talent().get_talent_by_identifier(by(scheme, document)).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "IDENTITY_DOCUMENT_IN_CLEAR"),
            "{refused:?}"
        );
        assert!(!refused.message.contains(document));
    }
    let refused = failure(register.talent().get_talent_by_identifier(by("number", "18")).await);
    assert_eq!(refused.is(), (Code::NotFound, "IDENTIFIER_NOT_FOUND"), "{refused:?}");
}

async fn a_lab_is_got_by_its_own_identifiers(store: Store) {
    let register = Register::start(store).await;
    made(
        &register,
        Organization {
            identifiers: vec![identifier("1")],
            ..organization("甲大学")
        },
    )
    .await;
    let lab = Lab {
        display_name: "样例重点实验室".to_owned(),
        identifiers: vec![identifier("2")],
        academic_committee: vec!["钱样甲".to_owned()],
        ..Lab::default()
    };
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    let lab = register.labs().create_lab(request).await.unwrap().into_inner();
    let by = |value: &str, view| GetLabByIdentifierRequest {
        identifier: Some(identifier(value)),
        view,
    };
    let found = register
        .labs()
        .get_lab_by_identifier(by("2", 0))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found, lab);
    let basic = register
        .labs()
        .get_lab_by_identifier(by("2", 1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((basic.name, basic.academic_committee.len()), (lab.name, 0));
    // What an organization has is none of a lab.
    let refused = failure(register.labs().get_lab_by_identifier(by("1", 0)).await);
    assert_eq!(refused.is(), (Code::NotFound, "IDENTIFIER_NOT_FOUND"), "{refused:?}");
}
