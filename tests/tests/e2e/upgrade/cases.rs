//! Cases that were decided, and cases that were under way.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{AcceptAwardRequest, AwardState, ListAwardsRequest};
use mingce_proto::labs::{LabDesignation, LabDesignationState, ListLabDesignationsRequest};
use mingce_proto::registry::{
    AcceptObjectionRequest, DismissObjectionRequest, DueActor, DueKind, ListDecisionDocumentsRequest,
    ListDueWorkRequest,
};
use mingce_proto::talent::{ListRecommendationsRequest, PublishNoticeOfRecommendationRequest, RecommendationState};

use super::{DAY, upgraded};
use crate::lab_fixture::{approve, get};

on_both_stores!(
    cases_of_then_go_on,
    what_was_due_then_is_due_and_what_waited_or_was_recorded_too,
);

async fn lab_designation(register: &Register, filter: &str) -> LabDesignation {
    let asked = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: filter.to_owned(),
        ..ListLabDesignationsRequest::default()
    };
    let found = register.labs().list_lab_designations(asked).await.unwrap().into_inner();
    assert_eq!(found.lab_designations.len(), 1, "{filter}");
    get(register, &found.lab_designations[0].name).await
}

async fn cases_of_then_go_on(store: Store) {
    let clock = Clock::on(DAY);
    let register = upgraded(store, &clock).await;
    // What was decided has all its documents, and is found by each of them.
    let decided = lab_designation(&register, "documents : \"示例科〔2024〕2号\"").await;
    let documents: Vec<_> = decided
        .documents
        .iter()
        .map(|document| (document.verb.as_str(), document.number.as_str()))
        .collect();
    assert_eq!(
        documents,
        [
            ("approve", "示例科〔2024〕1号"),
            ("extend_building", "示例科〔2024〕2号")
        ]
    );
    let asked = ListDecisionDocumentsRequest {
        number: "示例人才".to_owned(),
        prefix: true,
        ..ListDecisionDocumentsRequest::default()
    };
    let found = register
        .cases()
        .list_decision_documents(asked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.documents.len(), 5, "{found:?}");

    // What stands on notice waits for its objection, and is then approved.
    let open = lab_designation(&register, "state = LAB_DESIGNATION_STATE_ON_NOTICE").await;
    clock.set("2024-10-22");
    let refused = failure(register.lab_cases().approve_lab_designation(approve(&open.name)).await);
    assert_eq!(refused.reasons(), ["OBJECTION_OPEN"], "{refused:?}");
    let objection = open.case.unwrap().open_objections.remove(0);
    let accept = AcceptObjectionRequest {
        name: objection.clone(),
        ..AcceptObjectionRequest::default()
    };
    register.cases().accept_objection(accept).await.unwrap();
    let dismiss = DismissObjectionRequest {
        name: objection,
        finding: "名单属实".to_owned(),
        ..DismissObjectionRequest::default()
    };
    register.cases().dismiss_objection(dismiss).await.unwrap();
    let approved = register.lab_cases().approve_lab_designation(approve(&open.name)).await;
    assert_eq!(approved.unwrap().into_inner().state(), LabDesignationState::Building);

    let asked = ListRecommendationsRequest::default();
    let filed = register
        .recommendations()
        .list_recommendations(asked)
        .await
        .unwrap()
        .into_inner();
    let publish = PublishNoticeOfRecommendationRequest {
        name: filed.recommendations[0].name.clone(),
        ..PublishNoticeOfRecommendationRequest::default()
    };
    let published = register
        .recommendations()
        .publish_notice_of_recommendation(publish)
        .await;
    assert_eq!(published.unwrap().into_inner().state(), RecommendationState::OnNotice);

    let asked = ListAwardsRequest {
        filter: "state = AWARD_STATE_NOMINATED".to_owned(),
        ..ListAwardsRequest::default()
    };
    let nominated = register.awards().list_awards(asked).await.unwrap().into_inner();
    let accept = AcceptAwardRequest {
        name: nominated.awards[0].name.clone(),
        ..AcceptAwardRequest::default()
    };
    let accepted = register.nominations().accept_award(accept).await;
    assert_eq!(accepted.unwrap().into_inner().state(), AwardState::Accepted);
}

async fn what_was_due_then_is_due_and_what_waited_or_was_recorded_too(store: Store) {
    let clock = Clock::on(DAY);
    let register = upgraded(store, &clock).await;
    let asked = ListDueWorkRequest {
        until_date: "2027-12-31".to_owned(),
        page_size: 100,
        ..ListDueWorkRequest::default()
    };
    let answer = register.cases().list_due_work(asked).await.unwrap().into_inner();
    let mut due: Vec<_> = answer
        .due_work
        .iter()
        .map(|work| {
            let (collection, _) = work.name.split_once('/').unwrap();
            let days = (work.date.as_str(), work.since_date.as_str());
            (collection, days, work.due(), work.actor())
        })
        .collect();
    due.sort();
    use DueActor::{Decider, Office, Register as Itself};
    assert_eq!(
        due,
        [
            // These waited without a day, and what was recorded had none either.
            ("awards", ("", "2024-03-11"), DueKind::FormalCheck, Office),
            ("labs", ("2021-07-01", ""), DueKind::Evaluation, Office),
            ("labs", ("2024-10-22", "2024-10-14"), DueKind::NoticeEnds, Decider),
            ("labs", ("2026-10-14", "2024-10-14"), DueKind::Evaluation, Office),
            (
                "nominatingBodies",
                ("2025-01-01", "2024-03-25"),
                DueKind::QuotaEnds,
                Itself
            ),
            ("objections", ("", "2024-10-14"), DueKind::Objection, Office),
            ("recommendations", ("", "2024-03-25"), DueKind::FormalCheck, Office),
            ("rounds", ("2024-12-01", "2024-03-01"), DueKind::RoundEnds, Itself),
            ("rounds", ("2024-12-01", "2024-03-01"), DueKind::RoundEnds, Itself),
            ("rounds", ("2024-12-01", "2024-03-01"), DueKind::RoundEnds, Itself),
            ("talents", ("2026-03-25", "2024-06-26"), DueKind::TermEnds, Office),
        ]
    );
}
