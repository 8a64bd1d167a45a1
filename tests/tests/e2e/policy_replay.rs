//! Replays of decided cases under a draft of a policy: who would have been decided otherwise, by the record and the
//! days of then.

use mingce_e2e::cases::{Clock, Terms, cap, load, notice_of, open, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::SchemeSubject;
use mingce_proto::labs::{
    Lab, LabDesignation, RejectLabDesignationRequest, UpdateLabRequest, WithdrawLabDesignationRequest,
};
use mingce_proto::registry::*;
use mingce_proto::talent::{RefuseRecommendationRequest, RejectTalentDesignationRequest, Talent};
use tonic::Code;

use crate::builders::{made, organization, person};
use crate::lab_fixture::{approved, begin, district, easy, in_review, lab, published, submitted};
use crate::rounds::soon_closed;
use crate::{award_fixture, body_fixture, talent_fixture};

on_both_stores!(
    a_round_of_labs_is_decided_again_under_a_draft,
    persons_are_as_old_as_they_were_when_they_applied,
    a_quota_is_given_again_in_the_order_of_confirmations,
    caps_of_awards_are_those_of_the_draft_where_they_were_those_of_the_policy,
    a_body_would_be_authorised_for_another_time,
);

async fn what_if(register: &Register, request: SimulatePolicyRequest) -> SimulatePolicyResponse {
    let answer = register.cases().simulate_policy(request).await;
    answer.unwrap().into_inner()
}

/// What was decided otherwise: the title, whether it was approved, and the reasons of before and after.
fn told(answer: &SimulatePolicyResponse) -> Vec<(&str, bool, Vec<&str>, Vec<&str>)> {
    let reasons = |blockers: &'_ [Blocker]| {
        blockers
            .iter()
            .all(|b| !b.description.is_empty() && !b.description_zh.is_empty())
    };
    let of = answer.decisions.iter().map(|one| {
        assert_ne!(one.was_approved, one.would_be_approved, "{one:?}");
        assert!(reasons(&one.before_blockers) && reasons(&one.after_blockers), "{one:?}");
        let before = one.before_blockers.iter().map(|b| b.reason.as_str()).collect();
        let after = one.after_blockers.iter().map(|b| b.reason.as_str()).collect();
        (one.display_name.as_str(), one.was_approved, before, after)
    });
    of.collect()
}

fn counts(answer: &SimulatePolicyResponse) -> [(i32, i32); 2] {
    [&answer.before, &answer.after].map(|counts| {
        let counts = counts.as_ref().unwrap();
        (counts.approved, counts.refused)
    })
}

/// One review with 60 points.
pub fn reviewed() -> LabDesignationTerms {
    LabDesignationTerms {
        review: Some(ReviewTerms {
            min_reviews: 1,
            min_score: 6000,
            criteria: vec![Criterion {
                code: "research".to_owned(),
                display_name: "科研水平".to_owned(),
                weight_percent: 100,
            }],
            employment_months: 24,
        }),
        min_area_square_metres: 100,
        ..easy()
    }
}

fn draft(version: &str, change: impl Fn(&mut LabDesignationTerms)) -> Option<Policy> {
    let mut terms = reviewed();
    change(&mut terms);
    Some(policy(version, "2030-01-01", Terms::Lab(terms)))
}

fn min_score(terms: &mut LabDesignationTerms, score: i32) {
    terms.review.as_mut().unwrap().min_score = score;
}

/// Cases in review, reviewed with these points by one person, whose panel is closed.
pub async fn scored(register: &Register, cases: &[(String, i32)]) {
    let talent = Talent {
        display_name: "评审甲".to_owned(),
        ..Talent::default()
    };
    let reviewer = person(register, talent).await.name;
    let panel = CreatePanelRequest {
        panel: Some(Panel {
            display_name: "虚构的评审组".to_owned(),
            cases: cases.iter().map(|(name, _)| name.clone()).collect(),
            ..Panel::default()
        }),
        ..CreatePanelRequest::default()
    };
    let panel = register.cases().create_panel(panel).await.unwrap().into_inner();
    for (name, points) in cases {
        let request = AssignReviewerRequest {
            panel: panel.name.clone(),
            case_name: name.clone(),
            reviewer: reviewer.clone(),
            override_reason: "履历已人工核实".to_owned(),
            ..AssignReviewerRequest::default()
        };
        let review = register.cases().assign_reviewer(request).await.unwrap().into_inner();
        let score = Score {
            criterion: panel.criteria[0].code.clone(),
            points: *points,
        };
        let request = SubmitReviewRequest {
            name: review.name,
            sheet: Some(ReviewSheet {
                scores: vec![score],
                opinion: "同意".to_owned(),
                recommended: Recommended::Support as i32,
            }),
            ..SubmitReviewRequest::default()
        };
        register.cases().submit_review(request).await.unwrap();
    }
    let request = ClosePanelRequest {
        name: panel.name,
        ..ClosePanelRequest::default()
    };
    register.cases().close_panel(request).await.unwrap();
}

async fn rejected(register: &Register, name: &str) {
    let request = RejectLabDesignationRequest {
        name: name.to_owned(),
        reason: "未通过".to_owned(),
        ..RejectLabDesignationRequest::default()
    };
    register.lab_cases().reject_lab_designation(request).await.unwrap();
}

async fn measured(register: &Register, case: &LabDesignation, area_square_metres: i64) {
    let request = UpdateLabRequest {
        lab: Some(Lab {
            name: case.name.split("/designations").next().unwrap().to_owned(),
            area_square_metres,
            ..Lab::default()
        }),
        ..UpdateLabRequest::default()
    };
    register.labs().update_lab(request).await.unwrap();
}

async fn a_round_of_labs_is_decided_again_under_a_draft(store: Store) {
    let clock = Clock::on("2024-03-04");
    let mut register = Register::start_at(store, &clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(reviewed()))).await;
    let round = Round {
        caps: vec![cap("", 2)],
        ..district("2024-03-01", "2024-12-31")
    };
    let round = open(&register, round).await;
    let host = made(&register, organization("虚构大学")).await.name;
    let mut cases = Vec::new();
    for (title, area) in [
        ("甲", 700),
        ("乙", 500),
        ("丙", 700),
        ("丁", 700),
        ("戊", 700),
        ("己", 700),
    ] {
        let new = Lab {
            display_name: format!("试用实验室{title}"),
            area_square_metres: area,
            ..Lab::default()
        };
        let lab = lab(&register, &host, new).await;
        let begun = register.lab_cases().create_lab_designation(begin(&lab, &round)).await;
        cases.push(begun.unwrap().into_inner());
    }
    // The last withdraws, and one never comes as far as that.
    for case in &cases[..5] {
        in_review(&register, &case.name).await;
    }
    submitted(&register, &cases[5].name).await.unwrap();
    let request = WithdrawLabDesignationRequest {
        name: cases[5].name.clone(),
        ..WithdrawLabDesignationRequest::default()
    };
    register.lab_cases().withdraw_lab_designation(request).await.unwrap();
    let points = [95, 88, 85, 70, 55];
    let scores: Vec<(String, i32)> = cases.iter().map(|case| case.name.clone()).zip(points).collect();
    scored(&register, &scores).await;
    for case in &cases[..3] {
        published(&register, &case.name).await.unwrap();
    }
    clock.set("2024-03-20");
    // In another order than that of their scores.
    approved(&register, &cases[1].name).await.unwrap();
    approved(&register, &cases[0].name).await.unwrap();
    for case in &cases[2..5] {
        rejected(&register, &case.name).await;
    }
    clock.set("2026-01-15");
    measured(&register, &cases[0], 100).await;
    measured(&register, &cases[1], 900).await;

    let title = |at: usize| {
        format!(
            "试用实验室{}·{}",
            ["甲", "乙", "丙", "丁", "戊", "己"][at],
            crate::lab_fixture::PROGRAMME
        )
    };
    let asked = |policy: Option<Policy>, limit: Option<i32>| SimulatePolicyRequest {
        policy,
        round: round.name.clone(),
        caps: limit.map(|limit| cap("", limit)).into_iter().collect(),
        ..SimulatePolicyRequest::default()
    };
    // The same again: nobody would have been decided otherwise.
    let same = what_if(&register, asked(draft("2", |_| ()), None)).await;
    assert_eq!((told(&same), counts(&same)), (vec![], [(2, 3), (2, 3)]));
    assert_eq!((same.cases, same.judged_count, same.not_replayed_count), (6, 0, 1));
    // Four places in the place of two.
    let more = what_if(&register, asked(draft("2", |_| ()), Some(4))).await;
    let (third, fourth) = (title(2), title(3));
    assert_eq!(
        told(&more),
        [
            (third.as_str(), false, vec!["CAP_REACHED"], vec![]),
            (fourth.as_str(), false, vec!["CAP_REACHED"], vec![])
        ]
    );
    assert_eq!(counts(&more), [(2, 3), (4, 1)]);
    let first = &more.decisions[0];
    assert_eq!(
        (
            first.name.as_str(),
            first.decision.as_str(),
            first.decision_date.as_str()
        ),
        (cases[2].name.as_str(), "reject", "2024-03-20")
    );
    assert_eq!(
        (first.review_score, first.before_blockers[0].subject.as_str()),
        (8500, round.name.as_str())
    );
    assert_eq!(first.before_blockers[0].description, "2 of 2 are taken in the round");
    // With a higher score only one of them.
    let both = what_if(&register, asked(draft("2", |terms| min_score(terms, 8000)), Some(4))).await;
    assert_eq!(told(&both), [(third.as_str(), false, vec!["CAP_REACHED"], vec![])]);
    // A lower score is not enough without a place.
    let low = draft("2", |terms| min_score(terms, 5000));
    assert_eq!(told(&what_if(&register, asked(low.clone(), None)).await), []);
    let fifth = title(4);
    let wide = what_if(&register, asked(low, Some(5))).await;
    assert_eq!(
        told(&wide)[2],
        (fifth.as_str(), false, vec!["SCORE_TOO_LOW", "CAP_REACHED"], vec![])
    );
    // One place is for the best, or for the one that was approved first.
    let second = title(1);
    let fewer = asked(draft("2", |_| ()), Some(1));
    let by_score = what_if(&register, fewer.clone()).await;
    assert_eq!(told(&by_score), [(second.as_str(), true, vec![], vec!["CAP_REACHED"])]);
    assert_eq!(
        by_score.decisions[0].after_blockers[0].description,
        "1 of 1 are taken in the round"
    );
    let by_decision = SimulatePolicyRequest {
        order: ReplayOrder::Decision as i32,
        ..fewer
    };
    let by_decision = what_if(&register, by_decision).await;
    assert_eq!(by_decision.decisions[0].display_name, title(0));
    // The area is that of the application, whatever it is today. The place that is free goes on.
    let larger = draft("2", |terms| terms.min_area_square_metres = 600);
    let found = what_if(&register, asked(larger.clone(), None)).await;
    assert_eq!(
        told(&found),
        [
            (second.as_str(), true, vec![], vec!["AREA_TOO_SMALL"]),
            (third.as_str(), false, vec!["CAP_REACHED"], vec![])
        ]
    );
    assert!(
        found.decisions[0].after_blockers[0]
            .description
            .starts_with("500 square metres")
    );
    // More reviews than there were.
    let reviews = draft("2", |terms| terms.review.as_mut().unwrap().min_reviews = 2);
    assert_eq!(
        counts(&what_if(&register, asked(reviews, None)).await),
        [(2, 3), (0, 5)]
    );
    // One case alone is replayed beside the others of its round.
    let one = |limit| SimulatePolicyRequest {
        round: String::new(),
        cases: vec![cases[3].name.clone()],
        ..asked(draft("2", |_| ()), Some(limit))
    };
    let beside = what_if(&register, one(3)).await;
    assert_eq!(
        (told(&beside), counts(&beside), beside.cases),
        (vec![], [(0, 1), (0, 1)], 1)
    );
    let beside = what_if(&register, one(4)).await;
    assert_eq!((told(&beside).len(), counts(&beside)), (1, [(0, 1), (1, 0)]));
    // A cap stands once for a grade.
    let twice = SimulatePolicyRequest {
        caps: vec![cap("", 1), cap("", 2)],
        ..asked(draft("2", |_| ()), None)
    };
    let why = failure(register.cases().simulate_policy(twice).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "CAP_TWICE"));
    assert_eq!(why.fields, ["caps[1].grade"]);
    // All that changed nothing. The window of the round is over by now: that the register closes it is not a part of
    // this.
    soon_closed(&register, &round.name).await;
    let entries = "SELECT count(*) FROM ledger";
    register.stop();
    let before = register.number(entries).await;
    register.restart();
    what_if(&register, asked(larger, Some(4))).await;
    register.stop();
    assert_eq!(register.number(entries).await, before);
}

async fn persons_are_as_old_as_they_were_when_they_applied(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = talent_fixture::spring(&register, talent_fixture::terms()).await;
    talent_fixture::programme(&register, "yc", "").await;
    let mut names = Vec::new();
    for (name, birth_date) in [("试甲", "1985-05-05"), ("试乙", "1981-03-05"), ("试丙", "1981-03-04")] {
        let talent = Talent {
            display_name: name.to_owned(),
            birth_date: birth_date.to_owned(),
            ..Talent::default()
        };
        let talent = person(&register, talent).await;
        names.push(talent_fixture::on_notice(&register, &talent.name, "yc", &round.name).await);
    }
    clock.set("2024-04-10");
    talent_fixture::approve(&register, &names[0]).await.unwrap();
    talent_fixture::approve(&register, &names[1]).await.unwrap();
    let request = RejectTalentDesignationRequest {
        name: names[2].clone(),
        reason: "评议未通过".to_owned(),
        ..RejectTalentDesignationRequest::default()
    };
    register
        .talent_cases()
        .reject_talent_designation(request)
        .await
        .unwrap();
    clock.set("2031-01-10");
    let at_most = |max_age, term_months| SimulatePolicyRequest {
        policy: Some(policy(
            "9",
            "2031-01-01",
            Terms::Talent(TalentDesignationTerms {
                max_age,
                term_months,
                ..talent_fixture::terms()
            }),
        )),
        round: round.name.clone(),
        ..SimulatePolicyRequest::default()
    };
    // On the day before the birthday the second was 42.
    let answer = what_if(&register, at_most(42, 24)).await;
    assert_eq!((told(&answer), counts(&answer)), (vec![], [(2, 1), (2, 1)]));
    assert_eq!(answer.judged_count, 1, "no rule stood in the way of the third");
    let answer = what_if(&register, at_most(41, 24)).await;
    let [(title, true, before, after)] = &told(&answer)[..] else {
        panic!("{answer:?}")
    };
    assert!(title.starts_with("试乙"), "{title}");
    assert_eq!((before.len(), after.as_slice()), (0, ["AGE_OVER"].as_slice()));
    // What was computed by the policy is told for each as it would be.
    let answer = what_if(&register, at_most(45, 36)).await;
    let terms: Vec<_> = answer.differences.iter().filter(|one| one.decision == "term").collect();
    assert_eq!(terms.len(), 2, "{answer:?}");
    assert_eq!(
        (terms[0].before.as_str(), terms[0].after.as_str()),
        ("until 2026-04-09", "until 2027-04-09")
    );
}

async fn a_quota_is_given_again_in_the_order_of_confirmations(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let bodies = Terms::Body(NominatingBodyTerms {
        notice: notice_of(1),
        authorisation_months: 12,
        yearly_quota: 2,
        expires_by_itself: true,
        handling: None,
    });
    let recommendations = RecommendationTerms {
        notice: notice_of(1),
        term_months: 24,
        max_age: 0,
        handling: None,
    };
    load(&register, policy("1", "2024-01-01", bodies)).await;
    load(
        &register,
        policy("1", "2024-01-01", Terms::Recommendation(recommendations)),
    )
    .await;
    let programme = body_fixture::programme(&register, "zzjc", "").await;
    let body = body_fixture::applied(&register, "虚构研究院", &programme).await.name;
    body_fixture::notice_of_body(&register, &body).await;
    clock.set("2024-03-12");
    body_fixture::authorise(&register, &body, "").await.unwrap();
    let mut names = Vec::new();
    for name in ["试甲", "试乙", "试丙"] {
        let talent = Talent {
            display_name: name.to_owned(),
            ..Talent::default()
        };
        let talent = person(&register, talent).await;
        let draft = body_fixture::drafted(&register, &body, &talent.name, 2024).await.name;
        body_fixture::file(&register, &draft).await.unwrap();
        body_fixture::notice_of(&register, &draft).await;
        names.push(draft);
    }
    clock.set("2024-03-20");
    body_fixture::confirm(&register, &names[2]).await.unwrap();
    body_fixture::confirm(&register, &names[0]).await.unwrap();
    let request = RefuseRecommendationRequest {
        name: names[1].clone(),
        reason: "名额已用完".to_owned(),
        ..RefuseRecommendationRequest::default()
    };
    register.recommendations().refuse_recommendation(request).await.unwrap();
    let asked = |cases: &[String], limit: Option<i32>| SimulatePolicyRequest {
        policy: Some(policy("2", "2025-01-01", Terms::Recommendation(recommendations))),
        cases: cases.to_vec(),
        caps: limit.map(|limit| cap("", limit)).into_iter().collect(),
        ..SimulatePolicyRequest::default()
    };
    let same = what_if(&register, asked(&names, None)).await;
    assert_eq!((told(&same), counts(&same)), (vec![], [(2, 1), (2, 1)]));
    let more = what_if(&register, asked(&names, Some(3))).await;
    let [(title, false, before, _)] = &told(&more)[..] else {
        panic!("{more:?}")
    };
    assert!(title.starts_with("试乙"), "{title}");
    assert_eq!(before, &["QUOTA_USED_UP"]);
    let fewer = what_if(&register, asked(&names, Some(1))).await;
    let [(title, true, _, after)] = &told(&fewer)[..] else {
        panic!("{fewer:?}")
    };
    assert!(title.starts_with("试甲"), "the one that was confirmed last: {title}");
    assert_eq!(after, &["QUOTA_USED_UP"]);
    // Beside those that are not named, which hold theirs.
    assert_eq!(told(&what_if(&register, asked(&names[1..2], Some(2))).await), []);
    assert_eq!(told(&what_if(&register, asked(&names[1..2], Some(3))).await).len(), 1);
}

async fn caps_of_awards_are_those_of_the_draft_where_they_were_those_of_the_policy(store: Store) {
    let mut year = award_fixture::Year::begin(store, award_fixture::terms()).await;
    let first = year.in_review(year.work("虚构成果甲")).await;
    let second = year.in_review(year.work("虚构成果乙")).await;
    let judged = year.in_review(year.work("虚构成果丙")).await;
    year.shortlist(&first, "一等奖").await.unwrap();
    year.shortlist(&second, "一等奖").await.unwrap();
    year.clock.advance(30);
    year.approve(&first, "QD-1").await.unwrap();
    year.deselect(&second).await.unwrap();
    year.deselect(&judged).await.unwrap();
    let asked = |round: &Round, change: fn(&mut AwardTerms)| {
        let mut terms = award_fixture::terms();
        change(&mut terms);
        SimulatePolicyRequest {
            policy: Some(policy("2", "2030-01-01", Terms::Award(terms))),
            round: round.name.clone(),
            ..SimulatePolicyRequest::default()
        }
    };
    let same = what_if(&year.register, asked(&year.round, |_| ())).await;
    assert_eq!(
        (told(&same), counts(&same), same.judged_count),
        (vec![], [(1, 2), (1, 2)], 1)
    );
    let two = what_if(&year.register, asked(&year.round, |terms| terms.grades[0].cap = 2)).await;
    assert_eq!(told(&two), [("虚构成果乙", false, vec!["CAP_REACHED"], vec![])]);
    // No first prize in this class of nominations: none has so few contributors.
    let none = what_if(
        &year.register,
        asked(&year.round, |terms| {
            terms.project_cap = 1;
            terms.grades.truncate(1);
            terms.grades[0].cap = 0;
        }),
    )
    .await;
    assert_eq!(told(&none), [], "one prize over all is the one that was given");
    // A round with caps of its own keeps them.
    year.next().await;
    let request = CreateRoundRequest {
        round: Some(Round {
            name: String::new(),
            caps: vec![cap("一等奖", 0)],
            ..year.round.clone()
        }),
        ..CreateRoundRequest::default()
    };
    year.round = year.register.cases().create_round(request).await.unwrap().into_inner();
    let late = year.in_review(year.work("虚构成果丁")).await;
    year.shortlist(&late, "一等奖").await.unwrap();
    year.deselect(&late).await.unwrap();
    let own = asked(&year.round, |terms| terms.grades[0].cap = 2);
    assert_eq!(told(&what_if(&year.register, own.clone()).await), []);
    let caps = SimulatePolicyRequest {
        caps: vec![cap("一等奖", 1)],
        ..own
    };
    assert_eq!(
        told(&what_if(&year.register, caps).await),
        [("虚构成果丁", false, vec!["CAP_REACHED"], vec![])]
    );
    assert_eq!(year.scheme.subject(), SchemeSubject::Project);
}

async fn a_body_would_be_authorised_for_another_time(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let terms = |authorisation_months, yearly_quota| {
        Terms::Body(NominatingBodyTerms {
            notice: notice_of(1),
            authorisation_months,
            yearly_quota,
            expires_by_itself: true,
            handling: None,
        })
    };
    load(&register, policy("1", "2024-01-01", terms(12, 2))).await;
    let programme = body_fixture::programme(&register, "zzjc", "").await;
    let body = body_fixture::applied(&register, "虚构研究院", &programme).await.name;
    body_fixture::notice_of_body(&register, &body).await;
    clock.set("2024-03-12");
    body_fixture::authorise(&register, &body, "").await.unwrap();
    body_fixture::grant(&register, &body, (2024, 2)).await.unwrap();
    body_fixture::grant(&register, &body, (2025, 7)).await.unwrap();
    let request = SimulatePolicyRequest {
        policy: Some(policy("2", "2025-01-01", terms(36, 4))),
        cases: vec![body],
        ..SimulatePolicyRequest::default()
    };
    let answer = what_if(&register, request).await;
    let found: Vec<_> = answer
        .differences
        .iter()
        .map(|one| (one.decision.as_str(), one.before.as_str(), one.after.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("authorisation", "until 2025-03-11", "until 2027-03-11"),
            ("quota 2024", "0 of 2 used", "0 of 4 used")
        ]
    );
    assert_eq!(counts(&answer), [(1, 0), (1, 0)]);
}
