//! Whoever handles a case always has a way on: late returns, last week's recommendations, silent reviewers, caps after
//! the window, and policies and rounds that should not be there.

use mingce_e2e::cases::{Clock, Terms, cap, load, notice_of as days, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{LabDesignationState, RefuseLabDesignationRequest, ReturnLabDesignationRequest};
use mingce_proto::registry::{
    AnnulPolicyRequest, AnnulRoundRequest, ClosePanelRequest, Criterion, NominatingBodyTerms, Panel,
    RecommendationTerms, RecordStatus, ReleaseReviewerRequest, ReviewTerms, Round, TalentDesignationTerms,
    UpdateRoundRequest,
};
use mingce_proto::talent::{RecommendationState, Talent};
use prost_types::FieldMask;
use tonic::Code;

use crate::body_fixture::{applied, authorise, confirm, drafted, file, notice_of, notice_of_body, recommendation};
use crate::builders::person;
use crate::lab_fixture::{approved, draft, easy, get, in_review, opened, published, reasons, submitted};
use crate::talent_fixture::{self, applicant, assign, panel, score, spring};

on_both_stores!(
    a_late_return_gets_another_day_or_is_refused,
    what_was_filed_in_the_last_week_is_confirmed,
    a_silent_reviewer_is_replaced_or_left_out,
    caps_are_raised_after_the_window,
    policies_and_rounds_are_annulled_while_nothing_is_under_them,
);

async fn with_easy_terms(store: Store, clock: &Clock) -> Register {
    let register = Register::start_at(store, clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(easy()))).await;
    register
}

async fn a_late_return_gets_another_day_or_is_refused(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-03-20", &[]).await;
    let give_back = |name: &str, due_date: &str| ReturnLabDesignationRequest {
        name: name.to_owned(),
        due_date: due_date.to_owned(),
        reason: "材料不全".to_owned(),
        ..ReturnLabDesignationRequest::default()
    };
    let mut cases = register.lab_cases();
    let mut names = Vec::new();
    for name in ["试用实验室甲", "试用实验室乙"] {
        let case = draft(&register, name, &round).await;
        submitted(&register, &case.name).await.unwrap();
        let past = failure(cases.return_lab_designation(give_back(&case.name, "2024-03-10")).await);
        assert_eq!(past.is(), (Code::InvalidArgument, "DATE_IN_PAST"));
        assert_eq!(past.fields, ["due_date"]);
        cases
            .return_lab_designation(give_back(&case.name, "2024-03-15"))
            .await
            .unwrap();
        names.push(case.name);
    }
    clock.set("2024-03-25");
    let late = get(&register, &names[0]).await;
    assert_eq!(reasons(&late, "submit"), ["RESUBMISSION_LATE"]);
    let again = cases.return_lab_designation(give_back(&names[0], "2024-03-29")).await;
    let again = again.unwrap().into_inner();
    assert_eq!(again.case.unwrap().due_date, "2024-03-29");
    submitted(&register, &names[0]).await.unwrap();

    let refuse = RefuseLabDesignationRequest {
        name: names[1].clone(),
        reason: "逾期未补正".to_owned(),
        ..RefuseLabDesignationRequest::default()
    };
    let refused = cases.refuse_lab_designation(refuse).await.unwrap().into_inner();
    assert_eq!(refused.state(), LabDesignationState::Refused);
}

async fn what_was_filed_in_the_last_week_is_confirmed(store: Store) {
    let clock = Clock::on("2024-06-03");
    let register = Register::start_at(store, &clock).await;
    let of_bodies = NominatingBodyTerms {
        notice: days(1),
        authorisation_months: 24,
        yearly_quota: 1,
        expires_by_itself: true,
        handling: None,
    };
    let of_recommendations = RecommendationTerms {
        notice: days(5),
        term_months: 24,
        max_age: 45,
        handling: None,
    };
    load(&register, policy("1", "2024-01-01", Terms::Body(of_bodies))).await;
    load(
        &register,
        policy("1", "2024-01-01", Terms::Recommendation(of_recommendations)),
    )
    .await;
    let programme = crate::body_fixture::programme(&register, "zzjc", "").await;
    let body = applied(&register, "甲大学", &programme).await.name;
    notice_of_body(&register, &body).await;
    clock.set("2024-06-05");
    authorise(&register, &body, "").await.unwrap();

    clock.set("2024-12-27");
    let mut names = Vec::new();
    for name in ["虚构甲", "虚构乙"] {
        let talent = Talent {
            display_name: name.to_owned(),
            birth_date: "1990-05-05".to_owned(),
            ..Talent::default()
        };
        let talent = person(&register, talent).await.name;
        let draft = drafted(&register, &body, &talent, 2024).await.name;
        names.push(draft);
    }
    file(&register, &names[0]).await.unwrap();
    notice_of(&register, &names[0]).await;
    clock.set("2025-01-10");
    let confirmed = confirm(&register, &names[0]).await.unwrap().into_inner();
    assert_eq!(confirmed.state(), RecommendationState::Confirmed);
    // What was not filed within the year is not.
    let late = failure(file(&register, &names[1]).await);
    assert_eq!(late.reasons(), ["QUOTA_LAPSED"]);
    let quotas = crate::body_fixture::body(&register, &body).await.quotas;
    assert_eq!(quotas.iter().find(|quota| quota.year == 2024).unwrap().used, 1);
    assert_eq!(
        recommendation(&register, &names[0]).await.designation,
        confirmed.designation
    );
}

fn reviewed() -> TalentDesignationTerms {
    let criterion = |code: &str, weight_percent| Criterion {
        code: code.to_owned(),
        display_name: code.to_owned(),
        weight_percent,
    };
    TalentDesignationTerms {
        review: Some(ReviewTerms {
            min_reviews: 1,
            criteria: vec![criterion("achievement", 60), criterion("prospect", 40)],
            ..ReviewTerms::default()
        }),
        ..talent_fixture::terms()
    }
}

async fn a_silent_reviewer_is_replaced_or_left_out(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, reviewed()).await;
    talent_fixture::programme(&register, "a", "").await;
    let talent = applicant(&register, "申报人").await.name;
    let name = talent_fixture::draft(&register, &talent, "a", &round.name, "")
        .await
        .name;
    talent_fixture::submit(&register, &name).await.unwrap();
    talent_fixture::accept(&register, &name).await.unwrap();
    let panel = panel(&register, &name).await;
    let mut reviews = Vec::new();
    for reviewer in ["专家甲", "专家乙", "专家丙"] {
        let reviewer = applicant(&register, reviewer).await.name;
        let review = assign(&register, &panel, &name, &reviewer, "本次评审必需")
            .await
            .unwrap();
        reviews.push((review.into_inner().name, reviewer));
    }
    let mut cases = register.cases();
    let release = |name: &str, reason: &str| ReleaseReviewerRequest {
        name: name.to_owned(),
        reason: reason.to_owned(),
        ..ReleaseReviewerRequest::default()
    };
    let (silent, who) = &reviews[0];
    let unsaid = failure(cases.release_reviewer(release(silent, "")).await);
    assert_eq!(unsaid.fields, ["reason"]);
    let released = cases
        .release_reviewer(release(silent, "出国"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(released.record_status(), RecordStatus::Annulled);
    let again = failure(cases.release_reviewer(release(silent, "出国")).await);
    assert_eq!(again.is(), (Code::FailedPrecondition, "RECORD_NOT_ACTIVE"));
    // Who was released can be assigned anew.
    let back = assign(&register, &panel, &name, who, "已回国")
        .await
        .unwrap()
        .into_inner();
    assert_ne!(back.name, *silent);
    score(&register, &reviews[1].0, [80, 70]).await;

    let close = ClosePanelRequest {
        name: panel.clone(),
        ..ClosePanelRequest::default()
    };
    let missing = failure(cases.close_panel(close.clone()).await);
    assert_eq!(missing.reasons(), ["REVIEW_MISSING", "REVIEW_MISSING"]);
    let without = ClosePanelRequest {
        without_missing: true,
        ..close
    };
    let unsaid = failure(cases.close_panel(without.clone()).await);
    assert_eq!(
        (unsaid.is(), unsaid.fields.clone()),
        ((Code::InvalidArgument, "REASON_MISSING"), vec!["reason".to_owned()])
    );
    let without = ClosePanelRequest {
        reason: "两位专家逾期未评".to_owned(),
        ..without
    };
    let closed: Panel = cases.close_panel(without).await.unwrap().into_inner();
    assert_eq!(closed.reviews, [reviews[1].0.clone()]);
    assert_eq!((closed.summaries[0].reviews, closed.summaries[0].mean_score), (1, 7600));
    let late = failure(cases.release_reviewer(release(&reviews[1].0, "逾期")).await);
    assert_eq!(late.is(), (Code::FailedPrecondition, "PANEL_CLOSED"));
}

async fn caps_are_raised_after_the_window(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-03-12", &[cap("", 1)]).await;
    let mut names = Vec::new();
    for name in ["试用实验室甲", "试用实验室乙"] {
        let case = draft(&register, name, &round).await;
        in_review(&register, &case.name).await;
        names.push(case.name);
    }
    clock.set("2024-05-06");
    for name in &names {
        published(&register, name).await.unwrap();
    }
    clock.set("2024-05-13");
    approved(&register, &names[0]).await.unwrap();
    assert_eq!(failure(approved(&register, &names[1]).await).reasons(), ["CAP_REACHED"]);
    let raise = |limit| UpdateRoundRequest {
        round: Some(Round {
            name: round.name.clone(),
            caps: vec![cap("", limit)],
            ..Round::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["caps".to_owned()],
        }),
        ..UpdateRoundRequest::default()
    };
    let mut cases = register.cases();
    assert_eq!(failure(cases.update_round(raise(0)).await).code, Code::InvalidArgument);
    cases.update_round(raise(2)).await.unwrap();
    approved(&register, &names[1]).await.unwrap();
}

async fn policies_and_rounds_are_annulled_while_nothing_is_under_them(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let wrong = load(&register, policy("2", "2024-02-01", Terms::Lab(easy()))).await;
    let round = opened(&register, "2024-03-10", "2024-03-20", &[]).await;
    assert_eq!(round.policy, wrong.name);
    let annul_policy = AnnulPolicyRequest {
        name: wrong.name.clone(),
        reason: "录入有误".to_owned(),
        ..AnnulPolicyRequest::default()
    };
    let annul_round = AnnulRoundRequest {
        name: round.name.clone(),
        reason: "录入有误".to_owned(),
        ..AnnulRoundRequest::default()
    };
    let mut cases = register.cases();
    let used = failure(cases.annul_policy(annul_policy.clone()).await);
    assert_eq!(used.is(), (Code::FailedPrecondition, "POLICY_IN_USE"));
    let case = draft(&register, "试用实验室甲", &round).await;
    let used = failure(cases.annul_round(annul_round.clone()).await);
    assert_eq!(used.is(), (Code::FailedPrecondition, "ROUND_IN_USE"));
    let annul = mingce_proto::labs::AnnulLabDesignationRequest {
        name: case.name,
        reason: "批次有误".to_owned(),
        ..mingce_proto::labs::AnnulLabDesignationRequest::default()
    };
    register.labs().annul_lab_designation(annul).await.unwrap();
    let gone = cases.annul_round(annul_round).await.unwrap().into_inner();
    assert_eq!(gone.record_status(), RecordStatus::Annulled);
    let gone = cases.annul_policy(annul_policy).await.unwrap().into_inner();
    assert_eq!(gone.record_status(), RecordStatus::Annulled);
    // The one before is in force again.
    let other = opened(&register, "2024-03-10", "2024-03-20", &[]).await;
    assert_ne!(other.policy, wrong.name);
    let under = mingce_proto::registry::CreateRoundRequest {
        round: Some(Round {
            policy: wrong.name.clone(),
            ..crate::lab_fixture::district("2024-03-10", "2024-03-20")
        }),
        ..mingce_proto::registry::CreateRoundRequest::default()
    };
    let refused = failure(cases.create_round(under).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "RECORD_NOT_ACTIVE"));
}
