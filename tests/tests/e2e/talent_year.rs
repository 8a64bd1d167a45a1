//! A year of designations of persons, as a clerk goes through it, from the round to the end of the term.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{
    Criterion, DueKind, GetNoticeRequest, GetRoundRequest, Level, OrganizationReference, ReviewTerms,
    TalentDesignationTerms,
};
use mingce_proto::talent::TalentDesignationState as S;
use mingce_proto::talent::{
    AnnulCompletionOfTalentDesignationRequest, AnnulMidtermOfTalentDesignationRequest,
    AssessMidtermOfTalentDesignationRequest, CancelTalentDesignationRequest, CompleteTalentDesignationRequest,
    Employment, ListRevisionsRequest, ResumeTalentDesignationRequest, ReturnTalentDesignationRequest, Talent,
    TalentCompletionGrade, TalentDesignation, UpdateTalentDesignationRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::builders::{identifier, made, organization, person};
use crate::talent_fixture::{
    accept, applicant, approve, assign, begins, close, draft, due, on_notice, panel, programme, publish, said, score,
    spring, stands, submit, terms,
};

on_both_stores!(
    a_designation_goes_from_its_draft_to_the_end_of_its_term,
    an_application_is_written_only_while_it_is_with_the_applicant,
    what_comes_too_late_stays_a_draft,
);

const OPEN: Vec<&str> = Vec::new();

fn reviewed() -> TalentDesignationTerms {
    let criterion = |code: &str, weight_percent| Criterion {
        code: code.to_owned(),
        display_name: format!("标准{code}"),
        weight_percent,
    };
    TalentDesignationTerms {
        review: Some(ReviewTerms {
            min_reviews: 2,
            min_score: 6000,
            criteria: vec![criterion("achievement", 60), criterion("prospect", 40)],
            employment_months: 24,
        }),
        ..terms()
    }
}

fn works_at(display_name: &str, organization: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(display_name)],
        employments: vec![Employment {
            organization: Some(OrganizationReference {
                organization: organization.to_owned(),
                ..OrganizationReference::default()
            }),
            ..Employment::default()
        }],
        birth_date: "1985-05-05".to_owned(),
        ..Talent::default()
    }
}

/// Two reviewers from elsewhere score a designation, and the panel closes.
async fn review(register: &Register, name: &str) {
    let elsewhere = made(register, organization("虚构的外地大学")).await.name;
    let panel = panel(register, name).await;
    for (reviewer, points) in [("评审甲", [80, 70]), ("评审乙", [90, 60])] {
        let reviewer = person(register, works_at(reviewer, &elsewhere)).await.name;
        let assigned = assign(register, &panel, name, &reviewer, "").await;
        score(register, &assigned.unwrap().into_inner().name, points).await;
    }
    close(register, &panel).await;
}

async fn a_designation_goes_from_its_draft_to_the_end_of_its_term(store: Store) {
    // A Monday.
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (policy, round) = spring(&register, reviewed()).await;
    programme(&register, "island-leading", "island").await;
    programme(&register, "island-scholar", "island").await;
    let employer = made(&register, organization("虚构的海岛大学")).await.name;
    let applicant = person(&register, works_at("申报人", &employer)).await.name;

    let begun = draft(&register, &applicant, "island-leading", &round.name, &employer).await;
    let name = begun.name.clone();
    assert_eq!((begun.state(), begun.level()), (S::Draft, Level::Municipal));
    assert_eq!(
        (begun.family.as_str(), begun.round.as_str()),
        ("island", "2024年第一批")
    );
    let verbs = stands(&register, &name).await.verbs;
    assert_eq!(said(&verbs), [("submit", OPEN), ("withdraw", OPEN)]);
    assert_eq!(
        verbs[0].method,
        "mingce.talent.v1.TalentDesignationService/SubmitTalentDesignation"
    );

    let submitted = submit(&register, &name).await.unwrap().into_inner();
    let case = submitted.case.clone().unwrap();
    assert_eq!((case.round, case.policy), (round.name.clone(), policy.name));
    assert_eq!(
        (case.submit_date.as_str(), case.state_date.as_str()),
        ("2024-03-04", "2024-03-04")
    );
    let verbs = stands(&register, &name).await.verbs;
    assert_eq!(
        said(&verbs),
        [("return", OPEN), ("refuse", OPEN), ("accept", OPEN), ("withdraw", OPEN)]
    );

    clock.set("2024-03-08");
    let back = ReturnTalentDesignationRequest {
        name: name.clone(),
        reason: "缺少附件".to_owned(),
        due_date: "2024-03-15".to_owned(),
        ..ReturnTalentDesignationRequest::default()
    };
    register.talent_cases().return_talent_designation(back).await.unwrap();
    assert_eq!(due(&register, "2024-03-14").await, []);
    let resubmission = (name.clone(), "2024-03-15".to_owned(), DueKind::Resubmission);
    assert_eq!(due(&register, "2024-03-15").await, [resubmission]);

    clock.set("2024-03-12");
    let again = submit(&register, &name).await.unwrap().into_inner().case.unwrap();
    assert_eq!((again.submit_date.as_str(), again.returns), ("2024-03-04", 1));
    assert_eq!((again.resubmit_date.as_str(), again.due_date.as_str()), ("", ""));

    accept(&register, &name).await.unwrap();
    let verbs = stands(&register, &name).await.verbs;
    let missing = vec!["REVIEWS_MISSING"];
    assert_eq!(
        said(&verbs),
        [("publish_notice", missing), ("reject", OPEN), ("withdraw", OPEN)]
    );
    let refused = failure(publish(&register, &name).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{refused:?}");
    assert_eq!(refused.reasons(), ["REVIEWS_MISSING"]);
    review(&register, &name).await;

    // Tuesday to Monday are five working days.
    clock.set("2024-03-18");
    let published = publish(&register, &name).await.unwrap().into_inner();
    let case = published.case.clone().unwrap();
    assert_eq!(
        (case.notice_start_date.as_str(), case.notice_end_date.as_str()),
        ("2024-03-18", "2024-03-25")
    );
    assert_eq!((case.reviews, case.review_score), (2, 7700));
    let notice = GetNoticeRequest {
        name: case.notice.clone(),
        ..GetNoticeRequest::default()
    };
    let notice = register.cases().get_notice(notice).await.unwrap().into_inner();
    let fields: Vec<_> = notice
        .fields
        .iter()
        .map(|f| (f.field.as_str(), f.value.as_str()))
        .collect();
    let expected = [
        ("person", "申报人"),
        ("programme", "虚构的人才计划island-leading"),
        ("employer", "虚构的海岛大学"),
        ("level", "市级"),
    ];
    assert_eq!(fields, expected);

    clock.set("2024-03-25");
    let standing = stands(&register, &name).await;
    let running = vec!["NOTICE_RUNNING"];
    assert_eq!(
        said(&standing.verbs),
        [
            ("return", OPEN),
            ("renew_notice", OPEN),
            ("approve", running),
            ("reject", OPEN),
            ("withdraw", OPEN)
        ]
    );
    let blocker = &standing.verbs[2].blockers[0];
    assert_eq!(blocker.description, "the notice runs until 2024-03-25");
    let refused = failure(approve(&register, &name).await);
    assert_eq!(refused.blockers, [("NOTICE_RUNNING".to_owned(), case.notice)]);

    clock.set("2024-03-26");
    let approved = approve(&register, &name).await.unwrap().into_inner();
    assert_eq!(approved.state(), S::InTerm);
    assert_eq!(
        [&approved.decision_date, &approved.start_date, &approved.end_date],
        ["2024-03-26", "2024-03-26", "2026-03-25"]
    );
    assert_eq!((approved.year, approved.issuer.as_str()), (2024, "虚构市科学技术局"));
    let get = GetRoundRequest {
        name: round.name.clone(),
        ..GetRoundRequest::default()
    };
    let caps = register.cases().get_round(get).await.unwrap().into_inner().caps;
    assert_eq!((caps[0].used, caps[0].limit), (1, 20));

    let second = draft(&register, &applicant, "island-scholar", &round.name, &employer)
        .await
        .name;
    submit(&register, &second).await.unwrap();
    accept(&register, &second).await.unwrap();
    second_of_the_family_waits(&register, &clock, (&name, &second)).await;
    the_term_runs_out(&register, &clock, &name).await;

    // The family is free again.
    let other = approve(&register, &second).await.unwrap().into_inner();
    assert_eq!((other.state(), other.family.as_str()), (S::InTerm, "island"));
    let cancel = CancelTalentDesignationRequest {
        name: second.clone(),
        reason: "材料不实".to_owned(),
        document_number: "虚构科〔2026〕9号".to_owned(),
        ..CancelTalentDesignationRequest::default()
    };
    let cancelled = register
        .talent_cases()
        .cancel_talent_designation(cancel)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((cancelled.state(), cancelled.end_date), (S::Cancelled, clock.today()));
    // It ended without an assessment: there is none to annul.
    let verbs = stands(&register, &second).await.verbs;
    assert_eq!(
        said(&verbs),
        [("annul_completion", vec!["COMPLETION_MISSING"]), ("correct", OPEN)]
    );
}

/// The second designation of a family is blocked while the first is live.
async fn second_of_the_family_waits(register: &Register, clock: &Clock, (first, second): (&str, &str)) {
    let panel = panel(register, second).await;
    for reviewer in ["评审丙", "评审丁"] {
        // Nobody knows where this reviewer works: only a reason that is recorded clears them.
        let reviewer = applicant(register, reviewer).await.name;
        let refused = failure(assign(register, &panel, second, &reviewer, "").await);
        assert_eq!(refused.is().1, "REVIEWER_IN_CONFLICT", "{refused:?}");
        let assigned = assign(register, &panel, second, &reviewer, "退休专家，无任职").await;
        score(register, &assigned.unwrap().into_inner().name, [60, 60]).await;
    }
    close(register, &panel).await;
    publish(register, second).await.unwrap();
    clock.set("2024-05-06");
    let standing = stands(register, second).await;
    let taken = vec!["FAMILY_TAKEN"];
    assert_eq!(
        said(&standing.verbs),
        [
            ("return", OPEN),
            ("renew_notice", OPEN),
            ("approve", taken),
            ("reject", OPEN),
            ("withdraw", OPEN)
        ]
    );
    assert_eq!(standing.verbs[2].blockers[0].subject, first);
    let refused = failure(approve(register, second).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{refused:?}");
    assert_eq!(refused.blockers, [("FAMILY_TAKEN".to_owned(), first.to_owned())]);
}

/// The assessment in the middle, a suspension, and the end of the term.
async fn the_term_runs_out(register: &Register, clock: &Clock, name: &str) {
    let assess = |passed| AssessMidtermOfTalentDesignationRequest {
        name: name.to_owned(),
        passed: Some(passed),
        ..AssessMidtermOfTalentDesignationRequest::default()
    };
    clock.set("2025-03-25");
    let (early, runs) = (vec!["MIDTERM_NOT_REACHED"], vec!["TERM_RUNNING"]);
    let verbs = stands(register, name).await.verbs;
    let in_term = [
        ("assess_midterm", early),
        ("complete", runs.clone()),
        ("annul_midterm", vec!["MIDTERM_MISSING"]),
        ("exit", OPEN),
        ("cancel", OPEN),
        ("correct", OPEN),
    ];
    assert_eq!(said(&verbs), in_term);
    let refused = failure(
        register
            .talent_cases()
            .assess_midterm_of_talent_designation(assess(true))
            .await,
    );
    assert_eq!(refused.reasons(), ["MIDTERM_NOT_REACHED"]);

    clock.set("2025-03-26");
    let midterm = (name.to_owned(), "2025-03-26".to_owned(), DueKind::Midterm);
    assert!(due(register, "").await.contains(&midterm));
    let answer = register
        .talent_cases()
        .assess_midterm_of_talent_designation(assess(false))
        .await;
    let suspended = answer.unwrap().into_inner();
    assert_eq!(
        (suspended.state(), suspended.midterm_passed),
        (S::Suspended, Some(false))
    );
    assert_eq!(suspended.midterm_date, "2025-03-26");
    let verbs = stands(register, name).await.verbs;
    assert_eq!(
        said(&verbs),
        [
            ("resume", OPEN),
            ("annul_midterm", OPEN),
            ("exit", OPEN),
            ("cancel", OPEN),
            ("correct", OPEN)
        ]
    );
    // The wrong result is taken back, and given once more. To leave it out says nothing.
    let annul = AnnulMidtermOfTalentDesignationRequest {
        name: name.to_owned(),
        reason: "结果录错".to_owned(),
        ..AnnulMidtermOfTalentDesignationRequest::default()
    };
    let annulled = register.talent_cases().annul_midterm_of_talent_designation(annul).await;
    let annulled = annulled.unwrap().into_inner();
    assert_eq!((annulled.state(), annulled.midterm_passed), (S::InTerm, None));
    assert_eq!(annulled.case.unwrap().due(), DueKind::Midterm);
    let unsaid = AssessMidtermOfTalentDesignationRequest {
        passed: None,
        ..assess(true)
    };
    let unsaid = failure(
        register
            .talent_cases()
            .assess_midterm_of_talent_designation(unsaid)
            .await,
    );
    assert_eq!(
        (unsaid.code, unsaid.fields),
        (Code::InvalidArgument, vec!["passed".to_owned()])
    );
    register
        .talent_cases()
        .assess_midterm_of_talent_designation(assess(false))
        .await
        .unwrap();

    let resume = ResumeTalentDesignationRequest {
        name: name.to_owned(),
        reason: "整改完成".to_owned(),
        ..ResumeTalentDesignationRequest::default()
    };
    register.talent_cases().resume_talent_designation(resume).await.unwrap();
    let ends = (name.to_owned(), "2026-03-25".to_owned(), DueKind::TermEnds);
    assert!(due(register, "2026-03-26").await.contains(&ends));

    let complete = CompleteTalentDesignationRequest {
        name: name.to_owned(),
        grade: TalentCompletionGrade::Excellent as i32,
        ..CompleteTalentDesignationRequest::default()
    };
    clock.set("2026-03-24");
    let done = vec!["MIDTERM_DONE"];
    let verbs = stands(register, name).await.verbs;
    assert_eq!(
        said(&verbs),
        [
            ("assess_midterm", done),
            ("complete", runs),
            ("annul_midterm", vec!["MIDTERM_BUILT_ON"]),
            ("exit", OPEN),
            ("cancel", OPEN),
            ("correct", OPEN)
        ]
    );
    let refused = failure(
        register
            .talent_cases()
            .complete_talent_designation(complete.clone())
            .await,
    );
    assert_eq!(refused.reasons(), ["TERM_RUNNING"]);
    clock.set("2026-03-25");
    // By the worst grade the title is lost: that asks for a reason and a document. It was wrong too.
    let lost = CompleteTalentDesignationRequest {
        grade: TalentCompletionGrade::Unqualified as i32,
        ..complete.clone()
    };
    let unsaid = failure(register.talent_cases().complete_talent_designation(lost.clone()).await);
    assert_eq!(unsaid.fields, ["reason", "document_number"]);
    let lost = CompleteTalentDesignationRequest {
        reason: "考核不合格".to_owned(),
        document_number: "虚构科〔2026〕8号".to_owned(),
        ..lost
    };
    let lost = register.talent_cases().complete_talent_designation(lost).await.unwrap();
    assert_eq!(lost.into_inner().state(), S::Cancelled);
    let annul = AnnulCompletionOfTalentDesignationRequest {
        name: name.to_owned(),
        reason: "等次录错".to_owned(),
        ..AnnulCompletionOfTalentDesignationRequest::default()
    };
    let annulled = register
        .talent_cases()
        .annul_completion_of_talent_designation(annul.clone())
        .await;
    let annulled = annulled.unwrap().into_inner();
    assert_eq!(
        (annulled.state(), annulled.completion_grade()),
        (S::InTerm, TalentCompletionGrade::Unspecified)
    );
    let answer = register.talent_cases().complete_talent_designation(complete).await;
    let completed = answer.unwrap().into_inner();
    assert_eq!(completed.state(), S::Completed);
    assert_eq!(completed.completion_grade(), TalentCompletionGrade::Excellent);
    let case = completed.case.unwrap();
    assert_eq!((case.due_date.as_str(), case.due()), ("", DueKind::Unspecified));
    assert_eq!(
        said(&stands(register, name).await.verbs),
        [("annul_completion", OPEN), ("cancel", OPEN), ("correct", OPEN)]
    );

    let request = ListRevisionsRequest {
        name: name.to_owned(),
        page_size: 100,
        ..ListRevisionsRequest::default()
    };
    let history = register
        .talent()
        .list_revisions(request)
        .await
        .unwrap()
        .into_inner()
        .revisions;
    let verbs: Vec<_> = history.iter().rev().map(|revision| revision.verb.as_str()).collect();
    let way = [
        "create",
        "submit",
        "return",
        "submit",
        "accept",
        "publish_notice",
        "approve",
        "assess_midterm",
        "annul_midterm",
        "assess_midterm",
        "resume",
        "complete",
        "annul_completion",
        "complete",
    ];
    let own: Vec<_> = verbs.iter().copied().filter(|verb| way.contains(verb)).collect();
    assert_eq!(own, way, "{verbs:?}");
}

async fn an_application_is_written_only_while_it_is_with_the_applicant(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    programme(&register, "island-leading", "island").await;
    let talent = applicant(&register, "申报人").await.name;
    let name = draft(&register, &talent, "island-leading", &round.name, "").await.name;
    let update = |designation: TalentDesignation, path: &str| UpdateTalentDesignationRequest {
        talent_designation: Some(TalentDesignation {
            name: name.clone(),
            ..designation
        }),
        update_mask: Some(FieldMask {
            paths: vec![path.to_owned()],
        }),
        ..UpdateTalentDesignationRequest::default()
    };
    let issuer = || TalentDesignation {
        issuer: "虚构区科学技术局".to_owned(),
        ..TalentDesignation::default()
    };
    let state = || TalentDesignation {
        state: S::InTerm as i32,
        ..TalentDesignation::default()
    };
    let changed = register
        .talent()
        .update_talent_designation(update(issuer(), "issuer"))
        .await;
    assert_eq!(changed.unwrap().into_inner().issuer, "虚构区科学技术局");
    let refused = failure(
        register
            .talent()
            .update_talent_designation(update(state(), "state"))
            .await,
    );
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "STATE_BY_VERBS"),
        "{refused:?}"
    );
    // What the decision says is not written before it, and not dropped in silence.
    let number = TalentDesignation {
        number: "试1".to_owned(),
        ..TalentDesignation::default()
    };
    let answer = register
        .talent()
        .update_talent_designation(update(number, "number"))
        .await;
    let refused = failure(answer);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "FIELD_BEFORE_DECISION"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["talent_designation.number"]);
    submit(&register, &name).await.unwrap();
    let other = TalentDesignation {
        issuer: "另一个虚构的局".to_owned(),
        ..TalentDesignation::default()
    };
    let refused = failure(
        register
            .talent()
            .update_talent_designation(update(other, "issuer"))
            .await,
    );
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "CASE_NOT_EDITABLE"),
        "{refused:?}"
    );
    // One application of a person in a round for a programme.
    let request = begins(&talent, "island-leading", &round.name);
    let refused = failure(register.talent_cases().create_talent_designation(request).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
}

async fn what_comes_too_late_stays_a_draft(store: Store) {
    let clock = Clock::on("2024-04-30");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    programme(&register, "island-leading", "").await;
    let (one, other) = (
        applicant(&register, "甲").await.name,
        applicant(&register, "乙").await.name,
    );
    let in_time = on_notice(&register, &one, "island-leading", &round.name).await;
    let late = draft(&register, &other, "island-leading", &round.name, "").await.name;
    clock.set("2024-05-01");
    let verbs = stands(&register, &late).await.verbs;
    // The register closes the round by itself on this day.
    let reason = verbs[0].blockers[0].reason.clone();
    assert!(["ROUND_OVER", "ROUND_CLOSED"].contains(&reason.as_str()), "{verbs:?}");
    let refused = failure(submit(&register, &late).await);
    assert!(
        ["ROUND_OVER", "ROUND_CLOSED"].contains(&refused.reasons()[0]),
        "{refused:?}"
    );
    assert_eq!(stands(&register, &late).await.state(), S::Draft);
    clock.set("2024-05-13");
    assert_eq!(
        approve(&register, &in_time).await.unwrap().into_inner().state(),
        S::InTerm
    );
}
