//! Cases that were decided, and cases that were under way.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{AcceptAwardRequest, AwardState, ListAwardsRequest};
use mingce_proto::labs::{LabDesignation, LabDesignationState, ListLabDesignationsRequest};
use mingce_proto::registry::{
    AcceptObjectionRequest, DismissObjectionRequest, ListDecisionDocumentsRequest, ListDueWorkRequest,
};
use mingce_proto::talent::{ListRecommendationsRequest, PublishNoticeOfRecommendationRequest, RecommendationState};

use super::{DAY, upgraded};
use crate::designated::{approve, get};

on_both_stores!(cases_of_then_go_on);

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

    let asked = ListDueWorkRequest {
        until_date: "2027-12-31".to_owned(),
        ..ListDueWorkRequest::default()
    };
    let due = register
        .cases()
        .list_due_work(asked)
        .await
        .unwrap()
        .into_inner()
        .due_work;
    assert!(due.iter().any(|due| due.name == decided.name), "{due:?}");
}
