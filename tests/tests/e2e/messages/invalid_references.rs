//! References that are none: in an import one refuses its row and no other, in a call it is INVALID_ARGUMENT, both
//! with its path.

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Identifier, OrganizationReference, TalentReference};
use mingce_proto::talent::nominating_body_service_client::NominatingBodyServiceClient;
use mingce_proto::talent::{
    CreateNominatingBodyRequest, CreateTalentRequest, Employment, ImportTalentsRequest, NominatingBody, Talent,
};
use tonic::Code;

/// References that are none, each with the field that is wrong and why.
fn broken() -> Vec<(OrganizationReference, &'static str, &'static str)> {
    let identifier = |scheme: &str, value: &str| OrganizationReference {
        display_name: "青岛大学".to_owned(),
        identifier: Some(Identifier {
            scheme: scheme.to_owned(),
            value: value.to_owned(),
        }),
        ..OrganizationReference::default()
    };
    let long = OrganizationReference {
        display_name: "大".repeat(320),
        ..OrganizationReference::default()
    };
    let city = OrganizationReference {
        display_name: "青岛大学".to_owned(),
        city: "青".repeat(101),
        ..OrganizationReference::default()
    };
    let name = OrganizationReference {
        organization: "organizations/123".to_owned(),
        ..OrganizationReference::default()
    };
    vec![
        (long, "display_name", "STRING_MAX_LEN"),
        (
            identifier("USCC", "12370000495571303U"),
            "identifier.scheme",
            "STRING_PATTERN",
        ),
        (identifier("local", ""), "identifier.value", "STRING_MIN_LEN"),
        (name, "organization", "STRING_PATTERN"),
        (city, "city", "STRING_MAX_LEN"),
    ]
}

fn person(number: usize, employer: OrganizationReference) -> Talent {
    Talent {
        display_name: format!("甲{number}"),
        identifiers: vec![Identifier {
            scheme: "staff".to_owned(),
            value: format!("s-{number}"),
        }],
        employments: vec![Employment {
            organization: Some(employer),
            ..Employment::default()
        }],
        ..Talent::default()
    }
}

async fn a_reference_that_is_none_refuses_its_row_alone(store: Store) {
    let register = Register::start(store).await;
    let good = OrganizationReference {
        display_name: "青岛大学".to_owned(),
        ..OrganizationReference::default()
    };
    let all = broken();
    let employers = std::iter::once(good.clone())
        .chain(all.iter().map(|b| b.0.clone()))
        .chain([good]);
    let rows: Vec<_> = employers
        .enumerate()
        .map(|(place, employer)| ImportTalentsRequest {
            row: i64::try_from(place).unwrap() + 1,
            talent: Some(person(place, employer)),
            ..ImportTalentsRequest::default()
        })
        .collect();
    let count = rows.len();
    let answer = register.talent().import_talents(tokio_stream::iter(rows)).await;
    let outcomes = answer.unwrap().into_inner().outcomes;
    for (place, outcome) in outcomes.iter().enumerate() {
        if place == 0 || place == count - 1 {
            assert_eq!(outcome.outcome(), Outcome::Created, "{outcome:?}");
            continue;
        }
        let (_, field, reason) = &all[place - 1];
        assert_eq!(outcome.outcome(), Outcome::Refused, "{outcome:?}");
        let [problem] = outcome.problems.as_slice() else {
            panic!("{outcome:?}")
        };
        assert_eq!(problem.field, format!("employments[0].organization.{field}"));
        assert_eq!(problem.reason, *reason);
    }
}

async fn a_reference_that_is_none_is_told_with_its_path(store: Store) {
    let register = Register::start(store).await;
    let told = |failure: Failure, path: &str, field: &str, reason: &str| {
        assert_eq!(failure.code, Code::InvalidArgument, "{failure:?}");
        assert!(failure.fields.contains(&format!("{path}.{field}")), "{failure:?}");
        let place = failure
            .fields
            .iter()
            .position(|f| *f == format!("{path}.{field}"))
            .unwrap();
        assert!(place > 0 || failure.reason == reason, "{failure:?}");
    };
    for (reference, field, reason) in broken() {
        let create = CreateTalentRequest {
            talent: Some(person(1, reference.clone())),
            ..CreateTalentRequest::default()
        };
        let refused = failure(register.talent().create_talent(create).await);
        told(refused, "talent.employments[0].organization", field, reason);
        let create = CreateNominatingBodyRequest {
            nominating_body: Some(NominatingBody {
                organization: Some(reference),
                ..NominatingBody::default()
            }),
            ..CreateNominatingBodyRequest::default()
        };
        let mut bodies = NominatingBodyServiceClient::new(register.channel());
        let refused = failure(bodies.create_nominating_body(create).await);
        told(refused, "nominating_body.organization", field, reason);
    }
    // Of a person too.
    let award = mingce_proto::awards::Award {
        contributors: vec![mingce_proto::awards::Contributor {
            talent: Some(TalentReference {
                talent: "talents/123".to_owned(),
                ..TalentReference::default()
            }),
            ..mingce_proto::awards::Contributor::default()
        }],
        ..mingce_proto::awards::Award::default()
    };
    let record = mingce_proto::awards::RecordAwardRequest {
        award: Some(award),
        ..mingce_proto::awards::RecordAwardRequest::default()
    };
    let refused = failure(register.awards().record_award(record).await);
    told(refused, "award.contributors[0].talent", "talent", "STRING_PATTERN");
}

on_both_stores!(
    a_reference_that_is_none_refuses_its_row_alone,
    a_reference_that_is_none_is_told_with_its_path,
);
