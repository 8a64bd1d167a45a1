//! Loading policies: which are refused, and that each version is loaded once, the shipped one too.

use mingce_e2e::cases::{Clock, load, open};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::registry::{
    CaseKind, CreatePolicyRequest, CreateRoundRequest, LabDesignationTerms, Level, NominatingBodyTerms, Policy,
    TermSource,
};
use tokio::task::JoinSet;
use tonic::Code;

use super::{for_labs, policies, policy_named, reviewed};
use crate::lab_fixture::{PROGRAMME, district, easy, history};

on_both_stores!(
    what_is_wrong_with_a_policy_is_said_with_its_field,
    a_version_is_loaded_once,
    the_shipped_policy_is_loaded_once_by_the_register_itself,
    a_policy_that_is_called_like_the_shipped_one_is_in_nobodys_way,
);

fn creates(policy: Policy) -> CreatePolicyRequest {
    CreatePolicyRequest {
        policy: Some(policy),
        ..CreatePolicyRequest::default()
    }
}

async fn refused(register: &Register, policy: Policy) -> Failure {
    failure(register.cases().create_policy(creates(policy)).await)
}

async fn what_is_wrong_with_a_policy_is_said_with_its_field(store: Store) {
    let clock = Clock::on("2024-01-05");
    let register = Register::start_at(store, &clock).await;

    // A term without a source: `notice` has one, which is no source of `notice.objection_days` of other terms or of
    // `review`.
    let mut sourceless = for_labs("1", "2024-01-01", reviewed(1, &[60, 40]));
    sourceless.sources = vec![TermSource {
        term: "notice".to_owned(),
        source: "assumed".to_owned(),
    }];
    let why = refused(&register, sourceless.clone()).await;
    assert_eq!(why.is(), (Code::InvalidArgument, "TERM_WITHOUT_SOURCE"), "{why:?}");
    assert!(why.fields.iter().all(|field| field == "policy.sources"), "{why:?}");
    let said = why.descriptions.join("\n");
    for term in [
        "review.min_reviews ",
        "review.criteria[0].code ",
        "review.criteria[1].weight_percent ",
        "max_failures ",
        "excellent_score ",
        "good_score ",
        "qualified_score ",
    ] {
        assert!(said.contains(term), "{term}: {said}");
    }
    assert!(!said.contains("notice"), "{said}");
    // A path stands for all below it, and not for what only begins like it.
    for (term, is_left) in [("review", false), ("review.min", true), ("revie", true)] {
        let mut policy = sourceless.clone();
        policy.sources.push(TermSource {
            term: term.to_owned(),
            source: "assumed".to_owned(),
        });
        let said = refused(&register, policy).await.descriptions.join("\n");
        assert_eq!(said.contains("review."), is_left, "{term}: {said}");
    }

    let all = for_labs("1", "2024-01-01", easy());
    let body = NominatingBodyTerms {
        authorisation_months: 12,
        ..NominatingBodyTerms::default()
    };
    for (policy, reason, fields) in [
        (
            Policy {
                nominating_body: Some(body),
                ..all.clone()
            },
            "TERMS_OF_OTHER_KIND",
            vec!["policy.nominating_body"],
        ),
        (
            Policy {
                lab_designation: None,
                ..all.clone()
            },
            "TERMS_OF_OTHER_KIND",
            vec!["policy.lab_designation"],
        ),
        (
            Policy {
                kind: CaseKind::NominatingBody as i32,
                ..all.clone()
            },
            "TERMS_OF_OTHER_KIND",
            vec!["policy.lab_designation", "policy.nominating_body"],
        ),
        (
            for_labs("1", "2024-01-01", reviewed(1, &[60, 39])),
            "WEIGHTS_NOT_100",
            vec!["policy.lab_designation.review.criteria"],
        ),
        (
            for_labs("1", "2024-01-01", reviewed(1, &[60, 40, 1])),
            "WEIGHTS_NOT_100",
            vec!["policy.lab_designation.review.criteria"],
        ),
        (
            for_labs("1", "2024-01-01", reviewed(1, &[])),
            "CRITERIA_MISSING",
            vec!["policy.lab_designation.review.criteria"],
        ),
        (
            for_labs(
                "1",
                "2024-01-01",
                LabDesignationTerms {
                    good_score: 90,
                    ..easy()
                },
            ),
            "GRADES_OUT_OF_ORDER",
            vec!["policy.lab_designation.good_score"],
        ),
        (
            for_labs("1", "2024-02-30", easy()),
            "DATE_DOES_NOT_EXIST",
            vec!["policy.start_date"],
        ),
    ] {
        let why = refused(&register, policy).await;
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{why:?}");
        assert_eq!(why.fields, fields, "{why:?}");
    }
    assert_eq!(policies(&register, "").await, vec![]);
    load(&register, all).await;
}

async fn a_version_is_loaded_once(store: Store) {
    let clock = Clock::on("2024-01-05");
    let register = Register::start_at(store, &clock).await;
    let first = load(&register, for_labs("2024.1", "2024-01-01", easy())).await;
    // Another day and other terms make no other version.
    let again = LabDesignationTerms { max_hosts: 2, ..easy() };
    let why = refused(&register, for_labs("2024.1", "2025-01-01", again)).await;
    assert_eq!(why.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{why:?}");
    assert_eq!(why.resource, first.name, "{why:?}");
    assert_eq!(why.fields, ["policy.version"], "{why:?}");
    // For another level or programme it is another one.
    let level = Policy {
        level: Level::District as i32,
        ..for_labs("2024.1", "2024-01-01", easy())
    };
    load(&register, level).await;
    let programme = Policy {
        programme: PROGRAMME.to_owned(),
        ..for_labs("2024.1", "2024-01-01", easy())
    };
    load(&register, programme).await;
    assert_eq!(policies(&register, "kind = LAB_DESIGNATION").await.len(), 3);
    assert_eq!(policies(&register, "level = DISTRICT").await.len(), 1);
    assert_eq!(policies(&register, "kind = AWARD").await.len(), 0);

    // What is only validated is not loaded, and one request is done once.
    let request = CreatePolicyRequest {
        request_id: "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
        ..creates(for_labs("2024.2", "2024-01-01", easy()))
    };
    let dry = CreatePolicyRequest {
        validate_only: true,
        ..request.clone()
    };
    register.cases().create_policy(dry).await.unwrap();
    assert_eq!(policies(&register, "").await.len(), 3);
    let one = register
        .cases()
        .create_policy(request.clone())
        .await
        .unwrap()
        .into_inner();
    let other = register.cases().create_policy(request).await.unwrap().into_inner();
    assert_eq!(one, other);
    assert_eq!(policies(&register, "").await.len(), 4);
}

async fn the_shipped_policy_is_loaded_once_by_the_register_itself(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    let other = match store {
        Store::Sqlite => None,
        Store::Postgres => Some(register.sibling().await),
    };
    assert_eq!(policies(&register, "").await, vec![]);
    let dry = CreateRoundRequest {
        round: Some(district("2024-03-01", "2024-03-31")),
        validate_only: true,
        ..CreateRoundRequest::default()
    };
    register.cases().create_round(dry).await.unwrap();
    assert_eq!(policies(&register, "").await, vec![]);

    let mut opening = JoinSet::new();
    for number in 0..16 {
        let asked = if number % 2 == 0 {
            Some(&register)
        } else {
            other.as_ref()
        };
        let mut cases = asked.unwrap_or(&register).cases();
        opening.spawn(async move {
            let request = CreateRoundRequest {
                round: Some(district("2024-03-01", "2024-03-31")),
                ..CreateRoundRequest::default()
            };
            cases.create_round(request).await.unwrap().into_inner().policy
        });
    }
    let names = opening.join_all().await;
    let loaded = policies(&register, "").await;
    let [only] = loaded.as_slice() else {
        panic!("one policy: {loaded:?}")
    };
    assert!(names.iter().all(|name| *name == only.name), "{names:?}");
    assert_eq!((only.version.as_str(), only.revision), ("default.1", 1));
    assert_eq!(only.lab_designation.as_ref().unwrap().building_months, 24);
    let history = history(&register, &only.name).await;
    let [entry] = history.as_slice() else {
        panic!("one entry: {history:?}")
    };
    assert_eq!(
        (entry.verb.as_str(), entry.actor.as_str()),
        ("create", "system:register")
    );
}

async fn a_policy_that_is_called_like_the_shipped_one_is_in_nobodys_way(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    // As somebody does who loads the shipped one with other numbers.
    let own = load(&register, for_labs("default.1", "2025-01-01", easy())).await;
    let later = open(&register, district("2025-01-01", "2025-12-31")).await;
    assert_eq!(later.policy, own.name);
    let before = open(&register, district("2024-03-01", "2024-12-31")).await;
    let shipped = policy_named(&register, &before.policy).await;
    assert_ne!(shipped.name, own.name);
    assert_eq!(shipped.lab_designation.unwrap().building_months, 24);
}
