//! A year of awards over the wire: from nominations to conferral with notices, objections, reviews and caps, and a
//! revocation years later.

use mingce_e2e::{Store, failure, on_both_stores};
use mingce_proto::awards::*;
use mingce_proto::registry::{
    AcceptObjectionRequest, AssignReviewerRequest, AwardTerms, ClosePanelRequest, CreatePanelRequest, Criterion,
    DismissObjectionRequest, FileObjectionRequest, Objection, Panel, Recommended, ReviewSheet, ReviewTerms, Score,
    SubmitReviewRequest, UpholdObjectionRequest,
};
use mingce_proto::talent::{Employment, Talent};
use prost_types::FieldMask;
use tonic::Code;

use crate::award_fixture::{Year, at, completing, contributor, said, terms};
use crate::builders::{made, organization, person};

on_both_stores!(
    a_year_leads_from_nominations_to_conferral_and_years_later_to_a_revocation,
    an_objection_to_the_acceptance_is_settled_before_the_shortlist,
    what_must_not_be_published_never_is,
    a_panel_reviews_before_the_shortlist,
);

/// Files an objection to a case, and takes it into investigation.
async fn objected(year: &Year, name: &str) -> String {
    let mut cases = year.register.cases();
    let objection = Objection {
        case_name: name.to_owned(),
        objector_name: "试异议人".to_owned(),
        objector_contact: "0532-00000000".to_owned(),
        statement: "完成人排序不实".to_owned(),
        ..Objection::default()
    };
    let request = FileObjectionRequest {
        objection: Some(objection),
        ..FileObjectionRequest::default()
    };
    let filed = cases.file_objection(request).await.unwrap().into_inner();
    assert!(filed.objector_name.is_empty() && filed.named, "{filed:?}");
    let request = AcceptObjectionRequest {
        name: filed.name.clone(),
        ..AcceptObjectionRequest::default()
    };
    cases.accept_objection(request).await.unwrap();
    filed.name
}

async fn dismiss(year: &Year, name: &str) {
    let request = DismissObjectionRequest {
        name: name.to_owned(),
        finding: "排序属实".to_owned(),
        ..DismissObjectionRequest::default()
    };
    year.register.cases().dismiss_objection(request).await.unwrap();
}

async fn uphold(year: &Year, name: &str) {
    let request = UpholdObjectionRequest {
        name: name.to_owned(),
        finding: "排序不实".to_owned(),
        ..UpholdObjectionRequest::default()
    };
    year.register.cases().uphold_objection(request).await.unwrap();
}

async fn update(year: &Year, award: Award, path: &str) -> Result<Award, tonic::Status> {
    let request = UpdateAwardRequest {
        award: Some(award),
        update_mask: Some(FieldMask {
            paths: vec![path.to_owned()],
        }),
        ..UpdateAwardRequest::default()
    };
    Ok(year.register.awards().update_award(request).await?.into_inner())
}

async fn ledger(year: &Year, name: &str) -> Vec<String> {
    let request = ListRevisionsRequest {
        name: name.to_owned(),
        page_size: 1000,
        ..ListRevisionsRequest::default()
    };
    let page = year
        .register
        .awards()
        .list_revisions(request)
        .await
        .unwrap()
        .into_inner();
    page.revisions.into_iter().rev().map(|entry| entry.verb).collect()
}

async fn a_year_leads_from_nominations_to_conferral_and_years_later_to_a_revocation(store: Store) {
    let year = Year::begin(store, terms()).await;
    let (people, places) = (&year.people, &year.organizations);

    // A draft says why it cannot be nominated as it is, and is mended.
    let crowded = Award {
        contributors: [0, 1, 2, 3].map(|n| contributor(&people[n], &places[n / 2])).to_vec(),
        ..year.work("甲项目")
    };
    let first = year.draft(crowded.clone()).await.unwrap();
    assert_eq!((first.state(), first.number.as_str()), (AwardState::Draft, ""));
    // What the decision says is not written before it, and not dropped in silence.
    let decided = Award {
        number: "试1".to_owned(),
        money_fen: 100,
        ..year.work("乙项目")
    };
    let refused = failure(year.draft(decided).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "FIELD_BEFORE_DECISION"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["award.number", "award.money_fen"]);
    let wrong = [
        "TOO_MANY_CONTRIBUTORS",
        "CONTRIBUTOR_ORGANIZATION_MISSING",
        "CONTRIBUTOR_ORGANIZATION_MISSING",
    ];
    assert_eq!(
        said(&year.get(&first.name).await, "nominate"),
        (false, wrong.map(str::to_owned).to_vec())
    );
    let refused = failure(year.nominate(&first.name).await);
    assert_eq!(
        (refused.is(), refused.reasons()),
        ((Code::FailedPrecondition, "CASE_BLOCKED"), wrong.to_vec())
    );
    assert!(
        refused.message.contains("contributor 3") && !refused.message.contains("试丙"),
        "{refused:?}"
    );
    let mended = Award {
        name: first.name.clone(),
        contributors: [0, 1, 2].map(|n| contributor(&people[n], &places[n / 2])).to_vec(),
        completing_organizations: vec![completing(&places[0]), completing(&places[1])],
        ..Award::default()
    };
    update(&year, mended.clone(), "contributors").await.unwrap();
    update(&year, mended.clone(), "completing_organizations").await.unwrap();
    assert_eq!(said(&year.get(&first.name).await, "nominate"), (true, Vec::new()));
    year.nominate(&first.name).await.unwrap();
    let fixed = failure(
        update(
            &year,
            Award {
                title: "乙".to_owned(),
                ..mended
            },
            "title",
        )
        .await,
    );
    assert_eq!(fixed.is(), (Code::FailedPrecondition, "CASE_NOT_EDITABLE"));
    let again = year
        .draft(Award {
            title: "甲项目 ".to_owned(),
            ..year.work("")
        })
        .await
        .unwrap();
    assert_eq!(
        failure(year.nominate(&again.name).await).blockers,
        [("NOMINATED_TWICE".to_owned(), first.name.clone())]
    );

    let mut names = vec![first.name];
    for title in ["乙项目", "丙项目", "丁项目", "戊项目", "己项目"] {
        let name = year.draft(year.work(title)).await.unwrap().name;
        year.nominate(&name).await.unwrap();
        names.push(name);
    }
    let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|n: usize| names[n].as_str());
    let late = year.draft(year.work("庚项目")).await.unwrap().name;
    year.clock.set("2024-04-01");
    let blocked = failure(year.nominate(&late).await);
    assert!(
        ["ROUND_OVER", "ROUND_CLOSED"].contains(&blocked.reasons()[0]),
        "{blocked:?}"
    );

    assert_eq!(year.refuse(f).await.unwrap().state(), AwardState::Refused);
    for name in [a, b, c, d, e] {
        let accepted = year.accept(name).await.unwrap();
        // Qingming is no working day, and the Sunday after it is one.
        assert_eq!(accepted.case.unwrap().notice_end_date, "2024-04-09");
    }
    let notices = year.notices().await;
    assert_eq!(notices.len(), 5);
    let shown = |field: &str| {
        let notice = notices.iter().find(|notice| notice.display_name == "甲项目").unwrap();
        let found = notice.fields.iter().find(|known| known.field == field);
        found.unwrap_or_else(|| panic!("{field}: {notice:?}")).value.clone()
    };
    assert_eq!(shown("contributors"), "试甲、试乙、试丙");
    assert_eq!(shown("completing_organizations"), "虚构海洋大学、虚构环境研究院");
    assert_eq!(
        (shown("year"), shown("nominator")),
        ("2024".to_owned(), "市南区科学技术局".to_owned())
    );

    for name in [a, b, c, d, e] {
        year.review(name).await.unwrap();
    }
    year.clock.set("2024-09-09");
    let unknown = failure(year.shortlist(a, "特等奖").await);
    assert_eq!(
        (unknown.is(), unknown.fields[0].as_str()),
        ((Code::InvalidArgument, "GRADE_UNKNOWN"), "grade")
    );
    for (name, grade) in [
        (a, "一等奖"),
        (b, "一等奖"),
        (c, "二等奖"),
        (d, "二等奖"),
        (e, "二等奖"),
    ] {
        let listed = year.shortlist(name, grade).await.unwrap();
        // Mid-Autumn: the Saturday before it is a working day.
        assert_eq!(
            (listed.grade.as_str(), listed.case.unwrap().notice_end_date),
            (grade, "2024-09-19".to_owned())
        );
    }
    assert_eq!(
        failure(year.approve(a, "试2024-1-01").await).reasons(),
        ["NOTICE_RUNNING"]
    );
    let (unfounded, founded) = (objected(&year, a).await, objected(&year, c).await);

    year.clock.set("2024-09-20");
    let blocked = failure(year.approve(a, "试2024-1-01").await);
    assert_eq!(blocked.blockers, [("OBJECTION_OPEN".to_owned(), unfounded.clone())]);
    dismiss(&year, &unfounded).await;
    uphold(&year, &founded).await;
    assert_eq!(
        failure(year.approve(c, "试2024-2-01").await).reasons(),
        ["OBJECTION_UPHELD"]
    );
    year.deselect(c).await.unwrap();

    let approved = year.approve(a, "试2024-1-01").await.unwrap();
    assert_eq!(
        (approved.state(), approved.decision_date.as_str(), approved.money_fen),
        (AwardState::Approved, "2024-09-20", 5_000_000)
    );
    let full = failure(year.approve(b, "试2024-1-02").await);
    assert_eq!(full.blockers, [("CAP_REACHED".to_owned(), year.round.name.clone())]);
    assert_eq!(
        said(&year.get(b).await, "approve"),
        (false, vec!["CAP_REACHED".to_owned()])
    );
    year.deselect(b).await.unwrap();
    let taken = failure(year.approve(d, "试2024-1-01").await);
    assert_eq!(taken.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"));
    for (name, number) in [(d, "试2024-2-01"), (e, "试2024-2-02")] {
        year.approve(name, number).await.unwrap();
    }
    assert_eq!(year.taken().await, [("一等奖".to_owned(), 1), ("二等奖".to_owned(), 2)]);
    for name in [a, d, e] {
        assert_eq!(year.confer(name).await.unwrap().state(), AwardState::Conferred);
    }

    year.clock.set("2031-05-06");
    let revoked = year.revoke(a).await.unwrap();
    assert_eq!(
        (revoked.state(), revoked.number.as_str()),
        (AwardState::Revoked, "试2024-1-01")
    );
    let stays = year.get(a).await;
    assert_eq!(
        (stays.verbs.len(), stays.case.unwrap().state_date),
        (1, "2031-05-06".to_owned())
    );
    let verbs = [
        "create",
        "update",
        "update",
        "nominate",
        "accept",
        "review",
        "shortlist",
        "object",
        "settle_objection",
        "approve",
        "confer",
        "revoke",
    ];
    assert_eq!(ledger(&year, a).await, verbs);
    assert_eq!(
        failure(year.revoke(a).await).is(),
        (Code::FailedPrecondition, "STATE_WRONG")
    );
}

async fn an_objection_to_the_acceptance_is_settled_before_the_shortlist(store: Store) {
    let year = Year::begin(store, terms()).await;
    let name = year.in_review(year.work("甲项目")).await;
    let objection = objected(&year, &name).await;
    assert_eq!(
        failure(year.shortlist(&name, "二等奖").await).reasons(),
        ["OBJECTION_OPEN"]
    );
    uphold(&year, &objection).await;
    assert_eq!(
        failure(year.shortlist(&name, "二等奖").await).reasons(),
        ["OBJECTION_UPHELD"]
    );
    assert_eq!(year.deselect(&name).await.unwrap().state(), AwardState::NotSelected);
}

async fn what_must_not_be_published_never_is(store: Store) {
    let year = Year::begin(store, terms()).await;
    let hidden = Award {
        classified: true,
        ..year.work("甲项目")
    };
    let guarded = Award {
        public_safety: true,
        ..year.work("乙项目")
    };
    let mut names = Vec::new();
    for award in [hidden, guarded] {
        let name = year.in_review(award).await;
        let listed = year.shortlist(&name, "二等奖").await.unwrap();
        assert_eq!(listed.case.unwrap().notice, "");
        names.push(name);
    }
    assert_eq!(year.notices().await, []);
    let request = FileObjectionRequest {
        objection: Some(Objection {
            case_name: names[0].clone(),
            objector_name: "试异议人".to_owned(),
            statement: "不实".to_owned(),
            ..Objection::default()
        }),
        ..FileObjectionRequest::default()
    };
    let nothing = failure(year.register.cases().file_objection(request).await);
    assert_eq!(nothing.is(), (Code::FailedPrecondition, "NOTICE_MISSING"));
    // Nothing is waited for that does not run.
    for (name, number) in names.iter().zip(["密2024-1", "密2024-2"]) {
        year.approve(name, number).await.unwrap();
        year.confer(name).await.unwrap();
    }
    assert_eq!(year.notices().await, []);
}

async fn a_panel_reviews_before_the_shortlist(store: Store) {
    let criterion = |code: &str, weight_percent| Criterion {
        code: code.to_owned(),
        display_name: code.to_owned(),
        weight_percent,
    };
    let review = ReviewTerms {
        min_reviews: 1,
        min_score: 7000,
        criteria: vec![criterion("originality", 60), criterion("benefit", 40)],
        employment_months: 24,
    };
    let terms = AwardTerms {
        review: Some(review),
        ..terms()
    };
    let year = Year::begin(store, terms).await;
    let name = year.in_review(year.work("甲项目")).await;
    assert_eq!(
        failure(year.shortlist(&name, "二等奖").await).reasons(),
        ["REVIEWS_MISSING"]
    );
    assert_eq!(
        said(&year.get(&name).await, "shortlist"),
        (false, vec!["REVIEWS_MISSING".to_owned()])
    );

    let mut cases = year.register.cases();
    let request = CreatePanelRequest {
        panel: Some(Panel {
            display_name: "自然组".to_owned(),
            cases: vec![name.clone()],
            ..Panel::default()
        }),
        ..CreatePanelRequest::default()
    };
    let panel = cases.create_panel(request).await.unwrap().into_inner();
    let assign = |reviewer: &str| AssignReviewerRequest {
        panel: panel.name.clone(),
        case_name: name.clone(),
        reviewer: reviewer.to_owned(),
        ..AssignReviewerRequest::default()
    };
    let colleague = failure(cases.assign_reviewer(assign(&year.people[1].name)).await);
    assert_eq!(
        (colleague.is().1, colleague.reasons()),
        ("REVIEWER_IN_CONFLICT", vec!["CONFLICT_SAME_ORGANIZATION"])
    );
    let own = failure(cases.assign_reviewer(assign(&year.people[0].name)).await);
    assert!(own.reasons().contains(&"CONFLICT_PARTY"), "{own:?}");

    let elsewhere = made(&year.register, organization("外地大学")).await;
    let reviewer = Talent {
        display_name: "试评审".to_owned(),
        employments: vec![Employment {
            organization: Some(at(&elsewhere)),
            start_date: "2010".to_owned(),
            ..Employment::default()
        }],
        ..Talent::default()
    };
    let reviewer = person(&year.register, reviewer).await;
    let assigned = cases
        .assign_reviewer(assign(&reviewer.name))
        .await
        .unwrap()
        .into_inner();
    let score = |criterion: &str, points| Score {
        criterion: criterion.to_owned(),
        points,
    };
    let sheet = ReviewSheet {
        scores: vec![score("originality", 90), score("benefit", 70)],
        opinion: "原创性强".to_owned(),
        recommended: Recommended::Support as i32,
    };
    let request = SubmitReviewRequest {
        name: assigned.name,
        sheet: Some(sheet),
        ..SubmitReviewRequest::default()
    };
    cases.submit_review(request).await.unwrap();
    assert_eq!(
        failure(year.shortlist(&name, "二等奖").await).reasons(),
        ["REVIEWS_MISSING"]
    );
    let request = ClosePanelRequest {
        name: panel.name,
        ..ClosePanelRequest::default()
    };
    cases.close_panel(request).await.unwrap();
    let facts = year.get(&name).await.case.unwrap();
    assert_eq!((facts.reviews, facts.review_score), (1, 8200));
    assert_eq!(
        year.shortlist(&name, "二等奖").await.unwrap().state(),
        AwardState::Shortlisted
    );
}
