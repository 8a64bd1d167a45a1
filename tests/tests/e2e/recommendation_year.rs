//! A year of recommendations of three bodies: from their applications to the designations of those whom they
//! recommended, and to the end of their authorisations, which comes by itself.

use std::time::{Duration, Instant};

use mingce_e2e::cases::{Clock, Terms, load, notice_of as days, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{
    DueKind, GetNoticeRequest, Level, ListDueWorkRequest, NominatingBodyTerms, RecommendationTerms,
};
use mingce_proto::talent::NominatingBodyState as B;
use mingce_proto::talent::*;
use tonic::Code;

use crate::body_fixture::*;
use crate::builders::person;
use crate::lab_fixture::easy;
use crate::rounds::expect_looks;

on_both_stores!(
    three_bodies_recommend_within_their_quotas_for_a_year,
    a_recommendation_is_checked_and_ends_in_one_of_its_ways,
);

/// A body is authorised for a year and recommends one person a year where no quota is granted.
fn of_bodies(expires_by_itself: bool) -> Terms {
    Terms::Body(NominatingBodyTerms {
        notice: days(5),
        authorisation_months: 12,
        yearly_quota: 1,
        expires_by_itself,
        handling: None,
    })
}

fn of_recommendations() -> Terms {
    Terms::Recommendation(RecommendationTerms {
        notice: days(3),
        term_months: 24,
        max_age: 45,
        handling: None,
    })
}

async fn born(register: &Register, name: &str, birth_date: &str) -> String {
    let talent = Talent {
        display_name: name.to_owned(),
        birth_date: birth_date.to_owned(),
        ..Talent::default()
    };
    person(register, talent).await.name
}

/// A recommendation whose notice runs.
async fn noticed(register: &Register, body: &str, talent: &str) -> String {
    let draft = drafted(register, body, talent, 2024).await;
    file(register, &draft.name).await.unwrap();
    notice_of(register, &draft.name).await.name
}

/// A Get says just what then happens: the verb is blocked for these reasons, and fails with them.
async fn expect_blocked(register: &Register, name: &str, verb: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(reason, subject)| ((*reason).to_owned(), (*subject).to_owned()))
        .collect();
    let said = recommendation(register, name).await.verbs;
    assert_eq!(blocked(&said, verb), expected);
    let refused = match verb {
        "recommend" => failure(file(register, name).await),
        _ => failure(confirm(register, name).await),
    };
    assert_eq!(refused.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{refused:?}");
    assert_eq!(refused.blockers, expected, "{refused:?}");
}

async fn three_bodies_recommend_within_their_quotas_for_a_year(store: Store) {
    let clock = Clock::on("2024-01-08");
    let mut register = Register::start_at(store, &clock).await;
    load(&register, policy("2024.1", "2024-01-01", of_bodies(true))).await;
    let rules = load(&register, policy("2024.1", "2024-01-01", of_recommendations())).await;
    let programme = programme(&register, "zzjc", "island").await;

    // Three organizations apply, each once.
    let mut names = Vec::new();
    for name in ["甲大学", "乙研究院", "丙公司"] {
        let made = applied(&register, name, &programme).await;
        assert_eq!((made.state(), made.level()), (B::Applied, Level::District));
        names.push(made.name);
    }
    let [one, other, third] = [&names[0], &names[1], &names[2]];
    let again = applies(
        &body(&register, one).await.organization.unwrap().organization,
        &programme,
    );
    let refused = failure(register.bodies().create_nominating_body(again).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    let first = body(&register, one).await;
    assert_eq!(open(&first.verbs), ["publish_notice", "refuse"]);

    // Their notices run for five working days, over a weekend: from the 9th to the 15th.
    for name in &names {
        let published = notice_of_body(&register, name).await;
        let case = published.case.unwrap();
        assert_eq!(case.notice_end_date, "2024-01-15");
        let notice = GetNoticeRequest {
            name: case.notice,
            ..GetNoticeRequest::default()
        };
        let notice = register.cases().get_notice(notice).await.unwrap().into_inner();
        let level = notice.fields.iter().find(|field| field.field == "level").unwrap();
        assert_eq!(level.value, "区级");
    }
    clock.set("2024-01-15");
    let published = body(&register, one).await;
    let notice = published.case.unwrap().notice;
    let running = [("NOTICE_RUNNING".to_owned(), notice)];
    assert_eq!(blocked(&published.verbs, "authorise"), running);
    let refused = failure(authorise(&register, one, "").await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{refused:?}");
    assert_eq!(refused.blockers, running);
    clock.set("2024-01-16");
    let reversed = failure(authorise(&register, one, "2024-01-15").await);
    assert_eq!(
        reversed.is(),
        (Code::InvalidArgument, "PERIOD_REVERSED"),
        "{reversed:?}"
    );
    for (name, until) in [(one, ""), (other, ""), (third, "2024-09-30")] {
        let authorised = authorise(&register, name, until).await.unwrap().into_inner();
        let end = if until.is_empty() { "2025-01-15" } else { until };
        assert_eq!(
            (authorised.start_date.as_str(), authorised.end_date.as_str()),
            ("2024-01-16", end)
        );
    }

    // Two get quotas; the third has what the policy gives. A quota of a year that is over cannot be granted.
    grant(&register, one, (2024, 2)).await.unwrap();
    grant(&register, other, (2024, 2)).await.unwrap();
    let refused = failure(grant(&register, one, (2023, 2)).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "QUOTA_LAPSED"), "{refused:?}");
    assert_eq!(refused.fields, ["year"]);

    // All recommend. One person is recommended by two bodies, which is found when the second is to be confirmed.
    let mut persons = Vec::new();
    for number in 0..6 {
        persons.push(born(&register, &format!("虚构者{number}"), "1990-05-01").await);
    }
    let firsts = [
        noticed(&register, one, &persons[0]).await,
        noticed(&register, one, &persons[1]).await,
        noticed(&register, one, &persons[2]).await,
    ];
    let twice = noticed(&register, other, &persons[0]).await;
    let others = noticed(&register, other, &persons[3]).await;
    let thirds = noticed(&register, third, &persons[4]).await;
    let last = drafted(&register, third, &persons[5], 2024).await.name;
    let notice = recommendation(&register, &twice).await.case.unwrap();
    assert_eq!(
        (notice.notice_end_date.as_str(), notice.due_date.as_str(), notice.due()),
        ("2024-01-19", "2024-01-20", DueKind::NoticeEnds)
    );
    expect_blocked(&register, &twice, "confirm", &[("NOTICE_RUNNING", &notice.notice)]).await;
    clock.set("2024-01-20");

    // Two of three are confirmed, each with a designation in term; then the quota is used up, for drafts too.
    let confirmed = confirm(&register, &firsts[0]).await.unwrap().into_inner();
    assert_eq!(confirmed.state(), RecommendationState::Confirmed);
    confirm(&register, &firsts[1]).await.unwrap();
    let made = designation(&register, &confirmed.designation).await;
    assert_eq!(made.state(), TalentDesignationState::InTerm);
    assert_eq!(made.recommendation, firsts[0]);
    assert_eq!(made.talent.unwrap().talent, persons[0]);
    assert_eq!(made.programme.unwrap().programme, programme.name);
    assert_eq!(made.kind, ProgrammeKind::AutonomousRecommendation as i32);
    assert_eq!((made.family.as_str(), made.level), ("island", Level::District as i32));
    assert_eq!(
        (made.start_date.as_str(), made.end_date.as_str()),
        ("2024-01-20", "2026-01-19")
    );
    assert_eq!(
        (made.document_number.as_str(), made.issuer.as_str()),
        ("区科〔2024〕9号", "某区科技局")
    );
    let facts = made.case.unwrap();
    assert_eq!(facts.policy, rules.name);
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2026-01-19", DueKind::TermEnds)
    );
    expect_blocked(&register, &firsts[2], "confirm", &[("QUOTA_USED_UP", one)]).await;
    let said = recommendation(&register, &firsts[2]).await.verbs;
    let words = &said.iter().find(|verb| verb.verb == "confirm").unwrap().blockers[0];
    assert_eq!(words.description, "quota of 2024 used up: 2 of 2");
    assert_eq!(words.description_zh, "2024年度名额已用2/2");

    // A quota is not set below what is used of it; with one more the third is confirmed.
    let refused = failure(grant(&register, one, (2024, 1)).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "QUOTA_BELOW_USED"), "{refused:?}");
    assert_eq!(refused.fields, ["limit"]);
    grant(&register, one, (2024, 3)).await.unwrap();
    confirm(&register, &firsts[2]).await.unwrap();
    let quota = |year: i32, limit: i32, used: i32, lapsed: bool| NominatingQuota {
        year,
        limit,
        used,
        lapsed,
    };
    assert_eq!(body(&register, one).await.quotas, [quota(2024, 3, 3, false)]);

    // Who is designated in the family already is not confirmed for another body.
    expect_blocked(
        &register,
        &twice,
        "confirm",
        &[("FAMILY_TAKEN", &confirmed.designation)],
    )
    .await;

    // A suspended body recommends nobody, and nothing of it is confirmed.
    let request = SuspendNominatingBodyRequest {
        name: other.clone(),
        reason: "年度检查".to_owned(),
        ..SuspendNominatingBodyRequest::default()
    };
    register.bodies().suspend_nominating_body(request).await.unwrap();
    expect_blocked(&register, &others, "confirm", &[("BODY_NOT_AUTHORISED", other)]).await;
    let draft = drafted(&register, other, &persons[5], 2024).await.name;
    expect_blocked(&register, &draft, "recommend", &[("BODY_NOT_AUTHORISED", other)]).await;
    let request = ResumeNominatingBodyRequest {
        name: other.clone(),
        reason: "检查合格".to_owned(),
        ..ResumeNominatingBodyRequest::default()
    };
    register.bodies().resume_nominating_body(request).await.unwrap();
    let others = confirm(&register, &others).await.unwrap().into_inner();

    // Without a grant there is the quota of the policy: one.
    confirm(&register, &thirds).await.unwrap();
    assert_eq!(body(&register, third).await.quotas, [quota(2024, 1, 1, false)]);
    expect_blocked(&register, &last, "recommend", &[("QUOTA_USED_UP", third)]).await;

    // A cancelled one takes its designation with it, and its quota stays used.
    let request = CancelRecommendationRequest {
        name: others.name.clone(),
        reason: "材料失实".to_owned(),
        document_number: "区科〔2024〕20号".to_owned(),
        ..CancelRecommendationRequest::default()
    };
    let cancelled = register.recommendations().cancel_recommendation(request).await.unwrap();
    assert_eq!(cancelled.into_inner().state(), RecommendationState::Cancelled);
    let ended = designation(&register, &others.designation).await;
    assert_eq!(ended.state(), TalentDesignationState::Cancelled);
    assert_eq!(
        ended.document_number, others.document_number,
        "that of the confirmation"
    );
    let documents = ended.documents.iter().map(|d| (d.verb.as_str(), d.number.as_str()));
    assert_eq!(
        documents.collect::<Vec<_>>(),
        [
            ("confirm", others.document_number.as_str()),
            ("cancel", "区科〔2024〕20号")
        ]
    );
    let entries = history(&register, &others.designation).await;
    let entry = entries.last().unwrap();
    assert_eq!((entry.verb.as_str(), entry.reason.as_str()), ("cancel", "材料失实"));
    assert_eq!(body(&register, other).await.quotas, [quota(2024, 2, 1, false)]);

    // What falls due is listed: the end of the third body first, then the end of the quotas with their year.
    let request = ListDueWorkRequest {
        collection: "nominatingBodies".to_owned(),
        until_date: "2030-01-01".to_owned(),
        ..ListDueWorkRequest::default()
    };
    let due = register.cases().list_due_work(request).await.unwrap().into_inner();
    let mut due: Vec<_> = due
        .due_work
        .into_iter()
        .map(|work| (work.date.clone(), work.due(), work.name, work.automatic))
        .collect();
    due.sort_by(|a, b| (&a.0, &a.2).cmp(&(&b.0, &b.2)));
    let mut expected = vec![
        ("2025-01-01".to_owned(), DueKind::QuotaEnds, one.clone(), true),
        ("2025-01-01".to_owned(), DueKind::QuotaEnds, other.clone(), true),
        ("2024-10-01".to_owned(), DueKind::AuthorisationEnds, third.clone(), true),
    ];
    expected.sort_by(|a, b| (&a.0, &a.2).cmp(&(&b.0, &b.2)));
    assert_eq!(due, expected);
    let running = body(&register, third).await;
    assert_eq!(
        blocked(&running.verbs, "expire"),
        [("AUTHORISATION_RUNNING".to_owned(), third.clone())]
    );

    // The register is down for more than a year. What fell due meanwhile happens by itself, once.
    register.stop();
    clock.set("2025-06-01");
    register.restart();
    let all = [
        (one, vec!["lapse_quota", "expire"]),
        (other, vec!["lapse_quota", "expire"]),
        (third, vec!["expire"]),
    ];
    for (name, verbs) in &all {
        let until = Instant::now() + Duration::from_secs(20);
        let mut now = body(&register, name).await;
        while now.state() != B::Expired {
            assert!(Instant::now() < until, "it does not expire: {now:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            now = body(&register, name).await;
        }
        assert_eq!(now.quotas.iter().all(|q| q.lapsed), verbs.len() == 2);
        assert_eq!(now.case.unwrap().due_date, "", "nothing more falls due");
        assert_eq!(open(&now.verbs), ["correct"]);
    }
    register.stop();
    register.restart();
    load(&register, policy("2024.1", "2024-01-01", Terms::Lab(easy()))).await;
    expect_looks(&register, "2025-05-31").await;
    for (name, verbs) in &all {
        let entries = history(&register, name).await;
        let by_itself: Vec<_> = entries.iter().filter(|e| e.actor == "system:register").collect();
        let done: Vec<_> = by_itself.iter().map(|entry| entry.verb.as_str()).collect();
        assert_eq!(done, *verbs);
        assert!(by_itself.iter().all(|entry| entry.reason.starts_with("due 202")));
        let revisions: Vec<_> = entries.iter().map(|entry| entry.revision).collect();
        assert_eq!(
            revisions,
            (1..=i64::try_from(entries.len()).unwrap()).collect::<Vec<_>>()
        );
    }
    let expected = [
        ("BODY_NOT_AUTHORISED", other.as_str()),
        ("QUOTA_LAPSED", other.as_str()),
    ];
    expect_blocked(&register, &draft, "recommend", &expected).await;
    let refused = failure(grant(&register, one, (2025, 3)).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "STATE_WRONG"), "{refused:?}");
    // The place is free: the same organization applies anew.
    let organization = body(&register, one).await.organization.unwrap().organization;
    let anew = applies(&organization, &programme);
    register.bodies().create_nominating_body(anew).await.unwrap();
}

async fn a_recommendation_is_checked_and_ends_in_one_of_its_ways(store: Store) {
    let clock = Clock::on("2024-03-01");
    let mut register = Register::start_at(store, &clock).await;
    load(&register, policy("2024.1", "2024-01-01", of_bodies(false))).await;
    load(&register, policy("2024.1", "2024-01-01", of_recommendations())).await;
    let programme = programme(&register, "zzjc", "").await;
    let mine = applied(&register, "甲大学", &programme).await.name;
    notice_of_body(&register, &mine).await;
    let young = born(&register, "虚构者甲", "1990-05-01").await;

    // Before it is authorised a body may write a draft, and no more.
    let draft = drafted(&register, &mine, &young, 2024).await;
    assert_eq!(draft.nominating_body_name, "甲大学");
    assert_eq!(
        (draft.programme.as_str(), draft.level()),
        (programme.name.as_str(), Level::District)
    );
    expect_blocked(&register, &draft.name, "recommend", &[("BODY_NOT_AUTHORISED", &mine)]).await;
    let again = register
        .recommendations()
        .create_recommendation(recommends(&mine, &young, 2024))
        .await;
    assert_eq!(failure(again).is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"));
    let nobody = "nominatingBodies/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let request = recommends(nobody, &young, 2024);
    let refused = failure(register.recommendations().create_recommendation(request).await);
    assert_eq!(refused.code, Code::NotFound, "{refused:?}");
    clock.set("2024-03-09");
    authorise(&register, &mine, "").await.unwrap();

    // The policy bounds the age, and neither age nor birth is said.
    for (birth_date, reason) in [
        ("1979-03-09", None),
        ("1979-03-10", None),
        ("1978-03-09", Some("AGE_OVER")),
        ("1978-03", Some("AGE_UNCERTAIN")),
        ("", Some("AGE_UNKNOWN")),
    ] {
        let talent = born(&register, "虚构者乙", birth_date).await;
        let draft = drafted(&register, &mine, &talent, 2024).await;
        let verbs = recommendation(&register, &draft.name).await.verbs;
        let verb = verbs.iter().find(|verb| verb.verb == "recommend").unwrap();
        let reasons: Vec<_> = verb.blockers.iter().map(|b| b.reason.as_str()).collect();
        assert_eq!(reasons, Vec::from_iter(reason), "{birth_date}");
        for blocker in &verb.blockers {
            let said = format!("{} {}", blocker.description, blocker.description_zh);
            assert!(!said.contains("197") && !said.contains("46"), "{said}");
        }
    }
    // The quota of a year is used in that year.
    let early = drafted(&register, &mine, &young, 2025).await;
    expect_blocked(&register, &early.name, "recommend", &[("QUOTA_NOT_BEGUN", &mine)]).await;

    // A draft is written, and nothing of it once it is filed.
    let words = |statement: &str| UpdateRecommendationRequest {
        recommendation: Some(Recommendation {
            name: draft.name.clone(),
            statement: statement.to_owned(),
            ..Recommendation::default()
        }),
        ..UpdateRecommendationRequest::default()
    };
    let written = register
        .recommendations()
        .update_recommendation(words("另一段话"))
        .await;
    let written = written.unwrap().into_inner();
    assert_eq!(
        (written.statement.as_str(), written.nominating_body_name.as_str()),
        ("另一段话", "甲大学")
    );
    file(&register, &draft.name).await.unwrap();
    let refused = failure(
        register
            .recommendations()
            .update_recommendation(words("第三段话"))
            .await,
    );
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "CASE_NOT_EDITABLE"),
        "{refused:?}"
    );

    // One is refused, one is withdrawn, and the same person is recommended anew each time.
    let request = RefuseRecommendationRequest {
        name: draft.name.clone(),
        reason: "材料不全".to_owned(),
        ..RefuseRecommendationRequest::default()
    };
    let refused = register.recommendations().refuse_recommendation(request).await.unwrap();
    assert_eq!(refused.into_inner().state(), RecommendationState::Refused);
    let second = noticed(&register, &mine, &young).await;
    let request = WithdrawRecommendationRequest {
        name: second,
        ..WithdrawRecommendationRequest::default()
    };
    let withdrawn = register
        .recommendations()
        .withdraw_recommendation(request)
        .await
        .unwrap();
    assert_eq!(withdrawn.into_inner().state(), RecommendationState::Withdrawn);
    let third = noticed(&register, &mine, &young).await;
    clock.set("2024-03-20");

    // What is only tried leaves nothing.
    let request = ConfirmRecommendationRequest {
        validate_only: true,
        ..confirms(&third)
    };
    let would_be = register
        .recommendations()
        .confirm_recommendation(request)
        .await
        .unwrap();
    assert_eq!(would_be.into_inner().state(), RecommendationState::Confirmed);
    assert_eq!(body(&register, &mine).await.quotas, []);
    // Asked for twice with one id it is done once.
    let request = ConfirmRecommendationRequest {
        request_id: "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
        ..confirms(&third)
    };
    let first = register.recommendations().confirm_recommendation(request.clone()).await;
    let again = register.recommendations().confirm_recommendation(request).await;
    assert_eq!(first.unwrap().into_inner(), again.unwrap().into_inner());
    assert_eq!(body(&register, &mine).await.quotas[0].used, 1);

    // A body whose policy lets it expire by a clerk only stays until one does it.
    clock.set("2025-06-01");
    load(&register, policy("2024.1", "2024-01-01", Terms::Lab(easy()))).await;
    expect_looks(&register, "2025-05-31").await;
    let over = body(&register, &mine).await;
    assert_eq!(over.state(), B::Authorised);
    assert!(over.quotas[0].lapsed, "its quota ended with the year");
    let request = ExpireNominatingBodyRequest {
        name: mine.clone(),
        ..ExpireNominatingBodyRequest::default()
    };
    let expired = register.bodies().expire_nominating_body(request).await.unwrap();
    assert_eq!(expired.into_inner().state(), B::Expired);
    register.stop();
}
