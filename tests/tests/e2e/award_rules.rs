//! What holds among awards: bars, evidence that was rewarded, batches, led and joined, ranks with their proof, schemes
//! for persons, and recorded history.

use mingce_e2e::{Store, failure, on_both_stores};
use mingce_proto::awards::*;
use mingce_proto::registry::{AwardCondition, AwardTerms, Level, MoveOutcome};
use tokio::task::JoinSet;
use tonic::Code;

use crate::award_fixture::{Year, approval, completing, contributor, march, said, scheme, terms};
use crate::public_files::{counted, statistics};

on_both_stores!(
    a_project_that_failed_in_two_years_is_barred_for_the_next,
    evidence_is_rewarded_once_at_a_level,
    three_hundred_nominations_are_moved_on_together_each_or_none,
    led_and_joined_awards_are_counted_apart,
    the_ranks_of_a_person_are_answered_with_their_place_in_the_ledger,
    a_scheme_for_persons_has_no_grades_and_asks_for_no_completing_organization,
    recorded_history_is_revoked_under_the_policy_that_holds,
    an_import_never_takes_an_award_for_another_with_the_same_evidence,
);

async fn a_project_that_failed_in_two_years_is_barred_for_the_next(store: Store) {
    let mut year = Year::begin(store, terms()).await;
    let work = |year: &Year, title: &str| Award {
        project_code: "试-001".to_owned(),
        ..year.work(title)
    };
    // Refused in one year under one title, not selected in the next under another.
    let first = year.draft(work(&year, "甲项目")).await.unwrap().name;
    year.nominate(&first).await.unwrap();
    year.refuse(&first).await.unwrap();
    year.next().await;
    let second = year.in_review(work(&year, "甲项目（二）")).await;
    year.deselect(&second).await.unwrap();

    year.next().await;
    let third = year.draft(work(&year, "甲项目（三）")).await.unwrap().name;
    let barred = failure(year.nominate(&third).await);
    assert_eq!(barred.reasons(), ["NOMINATION_BARRED"]);
    assert!(barred.message.contains("2024, 2025"), "{barred:?}");
    assert_eq!(said(&year.get(&third).await, "nominate").1, ["NOMINATION_BARRED"]);
    // Another project is not.
    let other = year.draft(year.work("乙项目")).await.unwrap().name;
    year.nominate(&other).await.unwrap();
    // A year later the bar is over.
    year.clock.set("2026-12-01");
    let (clock, register) = (&year.clock, &year.register);
    clock.set("2027-03-01");
    year.round = march(register, &year.scheme, "2027").await;
    let fourth = year.draft(work(&year, "甲项目（四）")).await.unwrap().name;
    year.nominate(&fourth).await.unwrap();
}

async fn evidence_is_rewarded_once_at_a_level(store: Store) {
    let year = Year::begin(store, terms()).await;
    let with = |title: &str, evidence: &[&str]| Award {
        evidence: evidence.iter().map(|&text| text.to_owned()).collect(),
        ..year.work(title)
    };
    let doi = "10.1000/试-1";
    // Two that are nominated side by side: whichever is approved first has it.
    let one = year.in_review(with("甲项目", &[doi, "ZL2020-1"])).await;
    let other = year.in_review(with("乙项目", &["10.1000/试－1"])).await;
    let later = year.draft(with("丙项目", &["ZL2020-1"])).await.unwrap().name;
    for name in [&one, &other] {
        year.shortlist(name, "二等奖").await.unwrap();
    }
    year.clock.set("2024-03-25");
    year.approve(&one, "试2024-2-01").await.unwrap();
    let rewarded = [("EVIDENCE_REWARDED".to_owned(), one.clone())];
    assert_eq!(failure(year.approve(&other, "试2024-2-02").await).blockers, rewarded);
    assert_eq!(failure(year.nominate(&later).await).blockers, rewarded);
    // At another level the same evidence counts anew.
    let elsewhere = scheme(
        &year.register,
        "province",
        Level::Provincial,
        SchemeSubject::Project,
        &["一等奖"],
    )
    .await;
    let recorded = |scheme: &Scheme, number: &str| RecordAwardRequest {
        award: Some(Award {
            scheme: Some(SchemeReference {
                scheme: scheme.name.clone(),
                ..SchemeReference::default()
            }),
            number: number.to_owned(),
            state: AwardState::Conferred as i32,
            ..with("丁项目", &[doi])
        }),
        ..RecordAwardRequest::default()
    };
    let mut awards = year.register.awards();
    awards.record_award(recorded(&elsewhere, "省2024-1")).await.unwrap();
    // Recorded history holds its evidence as well.
    let twice = failure(awards.record_award(recorded(&year.scheme, "试2019-1")).await);
    assert_eq!(
        (twice.is(), &twice.resource),
        ((Code::AlreadyExists, "IDENTIFIER_TAKEN"), &one)
    );
    // A revocation frees it.
    year.confer(&one).await.unwrap();
    year.revoke(&one).await.unwrap();
    year.approve(&other, "试2024-2-02").await.unwrap();
    year.nominate(&later).await.unwrap();
}

/// The names of a batch and its answer.
async fn moved(year: &Year, moves: Vec<AwardMove>, atomic: bool) -> (i32, Vec<MoveOutcome>) {
    let request = BatchMoveAwardsRequest { moves, atomic };
    let answer = year.register.nominations().batch_move_awards(request).await;
    let answer = answer.unwrap().into_inner();
    (answer.done, answer.outcomes)
}

fn nominations(names: &[String]) -> Vec<AwardMove> {
    let of = |name: &String| {
        AwardMove::from(NominateAwardRequest {
            name: name.clone(),
            ..NominateAwardRequest::default()
        })
    };
    names.iter().map(of).collect()
}

fn acceptances(names: &[String]) -> Vec<AwardMove> {
    let of = |name: &String| {
        AwardMove::from(AcceptAwardRequest {
            name: name.clone(),
            ..AcceptAwardRequest::default()
        })
    };
    names.iter().map(of).collect()
}

async fn three_hundred_nominations_are_moved_on_together_each_or_none(store: Store) {
    let year = Year::begin(store, terms()).await;
    let (mut making, client) = (JoinSet::new(), year.register.nominations());
    for number in 0..300 {
        let request = CreateAwardRequest {
            award: Some(year.work(&format!("第{number}项"))),
            round: year.round.name.clone(),
            ..CreateAwardRequest::default()
        };
        let mut client = client.clone();
        making.spawn(async move { client.create_award(request).await.unwrap().into_inner().name });
    }
    let mut names = making.join_all().await;
    names.sort();
    let withdrawn = names.split_off(295);
    for name in &withdrawn {
        let request = WithdrawAwardRequest {
            name: name.clone(),
            ..WithdrawAwardRequest::default()
        };
        year.register.nominations().withdraw_award(request).await.unwrap();
    }
    // Each for itself: what cannot be done says why.
    let all: Vec<String> = names.iter().chain(&withdrawn).cloned().collect();
    let (done, outcomes) = moved(&year, nominations(&all), false).await;
    assert_eq!((done, outcomes.len()), (295, 300));
    for (name, outcome) in all.iter().zip(&outcomes) {
        assert_eq!(*name, outcome.name);
        let expected = if withdrawn.contains(name) {
            (false, "STATE_WRONG")
        } else {
            (true, "")
        };
        assert_eq!((outcome.done, outcome.reason.as_str()), expected, "{outcome:?}");
    }
    // All or none.
    let (done, outcomes) = moved(&year, acceptances(&all), true).await;
    assert_eq!(done, 0);
    let reasons = |reason: &str| outcomes.iter().filter(|outcome| outcome.reason == reason).count();
    assert_eq!((reasons("BATCH_REFUSED"), reasons("STATE_WRONG")), (295, 5));
    assert_eq!(year.get(&names[0]).await.state(), AwardState::Nominated);
    assert_eq!(year.notices().await, []);
    let (done, outcomes) = moved(&year, acceptances(&names), true).await;
    assert_eq!((done, outcomes.len()), (295, 295));
    assert_eq!(year.get(&names[294]).await.state(), AwardState::Accepted);
    assert_eq!(year.notices().await.len(), 295);

    // The caps hold within one batch too: two first prizes are one too many.
    for name in &names[..2] {
        year.review(name).await.unwrap();
        year.shortlist(name, "一等奖").await.unwrap();
    }
    year.clock.set("2024-03-25");
    let both = || {
        let of = |(name, number): (&String, &str)| AwardMove::from(approval(name, number));
        names[..2].iter().zip(["试1", "试2"]).map(of).collect::<Vec<_>>()
    };
    let (done, outcomes) = moved(&year, both(), true).await;
    let blocked: Vec<_> = outcomes[1]
        .blockers
        .iter()
        .map(|blocker| blocker.reason.as_str())
        .collect();
    assert_eq!(
        (done, outcomes[0].reason.as_str(), blocked),
        (0, "BATCH_REFUSED", vec!["CAP_REACHED"])
    );
    assert!(year.taken().await.iter().all(|(_, used)| *used == 0));
    let (done, _) = moved(&year, both(), false).await;
    assert_eq!((done, year.taken().await[0].1), (1, 1));
    // One case twice is told at once, and a move that names nothing for itself.
    let twice = BatchMoveAwardsRequest {
        moves: nominations(&[names[0].clone(), names[0].clone()]),
        atomic: false,
    };
    let mut client = year.register.nominations();
    assert_eq!(failure(client.batch_move_awards(twice).await).is().1, "CASE_TWICE");
    let (done, outcomes) = moved(&year, vec![AwardMove::default()], false).await;
    assert_eq!((done, outcomes[0].reason.as_str()), (0, "MOVE_NOT_ONE"));
}

async fn led_and_joined_awards_are_counted_apart(store: Store) {
    let year = Year::begin(store, terms()).await;
    let [university, institute, company] = [0, 1, 2].map(|n| &year.organizations[n]);
    for (number, places) in [[university, institute], [university, company], [institute, university]]
        .iter()
        .enumerate()
    {
        let request = RecordAwardRequest {
            award: Some(Award {
                number: format!("试{number}"),
                state: AwardState::Conferred as i32,
                completing_organizations: places.map(completing).to_vec(),
                ..year.work(&format!("第{number}项"))
            }),
            ..RecordAwardRequest::default()
        };
        year.register.awards().record_award(request).await.unwrap();
    }
    let count = async |dimension: &str| {
        let answer = counted(&year.register, statistics("awards", "", &[dimension])).await;
        let of = |name: &str| {
            let found = answer.groups.iter().find(|group| group.values == [name]);
            found.map_or(0, |group| group.count)
        };
        [university, institute, company].map(|place| of(&place.name))
    };
    assert_eq!(count("lead_organization").await, [2, 1, 0]);
    assert_eq!(count("joined_organizations").await, [1, 1, 1]);
    let request = ListAwardsRequest {
        filter: format!("joined_organizations = \"{}\"", university.name),
        ..ListAwardsRequest::default()
    };
    let joined = year
        .register
        .awards()
        .list_awards(request)
        .await
        .unwrap()
        .into_inner()
        .awards;
    assert_eq!(
        joined.into_iter().map(|award| award.title).collect::<Vec<_>>(),
        ["第2项"]
    );
}

async fn the_ranks_of_a_person_are_answered_with_their_place_in_the_ledger(store: Store) {
    let year = Year::begin(store, terms()).await;
    let (people, places) = (&year.people, &year.organizations);
    let shared = |title: &str| Award {
        contributors: [1, 0].map(|n| contributor(&people[n], &places[0])).to_vec(),
        ..year.work(title)
    };
    // While it is only nominated it proves nothing.
    let waits = year.draft(shared("甲项目")).await.unwrap().name;
    year.nominate(&waits).await.unwrap();
    let given = year.conferred(shared("乙项目"), "二等奖", "试2024-2-01").await;
    let condition = |level: Level, grades: &[&str], max_rank| AwardCondition {
        level: level as i32,
        grades: grades.iter().map(|&grade| grade.to_owned()).collect(),
        max_rank,
    };
    let conditions = vec![
        condition(Level::Municipal, &["一等奖"], 9),
        condition(Level::Municipal, &["一等奖", "二等奖"], 2),
        condition(Level::Provincial, &[], 5),
        condition(Level::Municipal, &[], 1),
    ];
    let ask = async |talent: &str, until_date: &str| {
        let request = FindAwardRanksRequest {
            talent: talent.to_owned(),
            conditions: conditions.clone(),
            until_date: until_date.to_owned(),
            ..FindAwardRanksRequest::default()
        };
        let answer = year.register.nominations().find_award_ranks(request).await;
        answer.unwrap().into_inner().ranks
    };
    let ranks = ask(&people[0].name, "").await;
    let [proof] = ranks.as_slice() else { panic!("{ranks:?}") };
    assert_eq!(
        (&proof.award, proof.title.as_str(), proof.rank, proof.condition),
        (&given, "乙项目", 2, 1)
    );
    let request = ListRevisionsRequest {
        name: given.clone(),
        ..ListRevisionsRequest::default()
    };
    let ledger = year
        .register
        .awards()
        .list_revisions(request)
        .await
        .unwrap()
        .into_inner();
    let newest = &ledger.revisions[0];
    assert_eq!(
        (newest.verb.as_str(), newest.revision, newest.sequence),
        ("confer", proof.revision, proof.sequence)
    );
    let of_first = ask(&people[1].name, "").await;
    assert_eq!(
        of_first
            .iter()
            .map(|rank| (rank.condition, rank.rank))
            .collect::<Vec<_>>(),
        [(1, 1), (3, 1)]
    );
    assert_eq!(ask(&people[2].name, "").await, []);
    // As of a day.
    let decided = year.get(&given).await.decision_date;
    assert_eq!(ask(&people[0].name, &decided).await.len(), 1);
    assert_eq!(ask(&people[0].name, "2024-03-02").await, []);
    // What was decided on no known day was not decided until then.
    let undated = RecordAwardRequest {
        award: Some(Award {
            number: "试旧".to_owned(),
            state: AwardState::Approved as i32,
            ..year.work("旧项目")
        }),
        ..RecordAwardRequest::default()
    };
    year.register.awards().record_award(undated).await.unwrap();
    assert_eq!(ask(&people[0].name, "2030-01-01").await.len(), 1);
    assert_eq!(ask(&people[0].name, "").await.len(), 2);
    // What was taken back counts no more.
    year.revoke(&given).await.unwrap();
    assert_eq!(ask(&people[0].name, &decided).await, []);
    let wrong = FindAwardRanksRequest {
        talent: people[0].name.clone(),
        conditions: conditions.clone(),
        until_date: "2024-02-30".to_owned(),
        ..FindAwardRanksRequest::default()
    };
    let wrong = failure(year.register.nominations().find_award_ranks(wrong).await);
    assert_eq!(
        (wrong.is().0, wrong.fields[0].as_str()),
        (Code::InvalidArgument, "until_date")
    );
}

async fn a_scheme_for_persons_has_no_grades_and_asks_for_no_completing_organization(store: Store) {
    let terms = AwardTerms {
        grades: Vec::new(),
        ..terms()
    };
    let mut year = Year::begin(store, terms).await;
    let elsewhere = year.work("甲项目");
    year.scheme = scheme(&year.register, "highest", Level::Municipal, SchemeSubject::Person, &[]).await;
    // The round is for the other scheme.
    let other = failure(year.draft(year.work("最高奖")).await);
    assert_eq!(other.is(), (Code::InvalidArgument, "ROUND_OF_OTHER_KIND"));
    // The same by the scheme's code.
    let by_code = Award {
        scheme: Some(SchemeReference {
            code: "highest".to_owned(),
            ..SchemeReference::default()
        }),
        ..year.work("最高奖")
    };
    assert_eq!(failure(year.draft(by_code.clone()).await).is().1, "ROUND_OF_OTHER_KIND");
    year.draft(elsewhere).await.unwrap();

    year.round = march(&year.register, &year.scheme, "2024").await;
    let mut shared: Vec<Contributor> = [0, 1]
        .map(|n| contributor(&year.people[n], &year.organizations[0]))
        .to_vec();
    for one in &mut shared {
        one.share = Some(Share {
            numerator: 1,
            denominator: 2,
        });
    }
    let prize = Award {
        contributors: shared,
        completing_organizations: Vec::new(),
        ..by_code
    };
    let name = year.in_review(prize).await;
    assert_eq!(failure(year.shortlist(&name, "一等奖").await).is().1, "GRADE_UNKNOWN");
    year.shortlist(&name, "").await.unwrap();
    year.clock.advance(30);
    assert_eq!(
        year.approve(&name, "最2024").await.unwrap().state(),
        AwardState::Approved
    );
}

async fn recorded_history_is_revoked_under_the_policy_that_holds(store: Store) {
    let year = Year::begin(store, terms()).await;
    let recorded = |number: &str, state: AwardState| RecordAwardRequest {
        award: Some(Award {
            year: 2005,
            number: number.to_owned(),
            state: state as i32,
            ..year.work("旧项目")
        }),
        ..RecordAwardRequest::default()
    };
    let mut awards = year.register.awards();
    let undecided = failure(awards.record_award(recorded("试2005-1", AwardState::Shortlisted)).await);
    assert_eq!(undecided.is(), (Code::InvalidArgument, "STATE_UNDECIDED"));
    let unnumbered = failure(awards.record_award(recorded("", AwardState::Conferred)).await);
    assert_eq!(
        (unnumbered.is().1, unnumbered.fields[0].as_str()),
        ("NUMBER_MISSING", "award.number")
    );
    let old = awards
        .record_award(recorded("试2005-1", AwardState::Conferred))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(said(&year.get(&old.name).await, "revoke"), (true, Vec::new()));
    let revoked = year.revoke(&old.name).await.unwrap();
    assert_eq!(
        (revoked.state(), revoked.number.as_str()),
        (AwardState::Revoked, "试2005-1")
    );
    assert!(revoked.case.unwrap().policy.starts_with("policies/"));
}

async fn an_import_never_takes_an_award_for_another_with_the_same_evidence(store: Store) {
    let year = Year::begin(store, terms()).await;
    let row = |number: &str, row| ImportAwardsRequest {
        settings: (row == 1).then(mingce_proto::registry::ImportSettings::default),
        row,
        award: Some(Award {
            number: number.to_owned(),
            state: AwardState::Conferred as i32,
            evidence: vec!["10.1000/试".to_owned()],
            ..year.work(number)
        }),
    };
    let rows = tokio_stream::iter(vec![row("试1", 1), row("试2", 2)]);
    let answer = year.register.awards().import_awards(rows).await.unwrap().into_inner();
    let problem = |n: usize| {
        answer.outcomes[n]
            .problems
            .iter()
            .map(|problem| problem.reason.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (problem(0), problem(1)),
        (vec![], vec!["IDENTIFIER_TAKEN"]),
        "{answer:?}"
    );
}
