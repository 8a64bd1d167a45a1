//! Rounds (批次): their windows and caps hold, and they end by themselves on the day after their last.

use std::time::{Duration, Instant};

use mingce_e2e::cases::{Clock, Terms, cap, load, open, policy};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    LabDesignationState, RejectLabDesignationRequest, ReturnLabDesignationRequest, WithdrawLabDesignationRequest,
};
use mingce_proto::registry::{
    CloseRoundRequest, CloseRoundResponse, CreateRoundRequest, DueKind, DueWork, GetRoundReportRequest,
    GetRoundRequest, LabDesignationTerms, Level, ListDueWorkRequest, ListDueWorkResponse, Policy, Round, RoundCap,
    RoundState, UpdateRoundRequest, View,
};
use prost_types::FieldMask;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::designated::{
    accept, all, approve, approved, begin, district, done, draft, drafts, easy, get, history, in_review, opened,
    publish, published, reasons, submit, submitted,
};

on_both_stores!(
    a_round_takes_cases_in_its_window_only,
    a_closed_round_takes_none_and_says_what_is_undecided,
    caps_hold_when_all_are_approved_at_once,
    an_approval_that_fails_takes_no_place,
    what_is_wrong_with_a_round_is_said_with_its_field,
    an_update_of_a_round_keeps_to_its_rules,
    a_round_closes_by_itself_once,
    a_round_closes_by_itself_after_days_without_the_register,
    due_work_is_listed_by_day_and_kind_in_pages,
);

async fn with_easy_terms(store: Store, clock: &Clock) -> Register {
    let register = Register::start_at(store, clock).await;
    load(&register, labs_policy(easy())).await;
    register
}

fn labs_policy(terms: LabDesignationTerms) -> Policy {
    policy("1", "2024-01-01", Terms::Lab(terms))
}

async fn read(register: &Register, name: &str) -> Round {
    let request = GetRoundRequest {
        name: name.to_owned(),
        view: View::Full as i32,
    };
    register.cases().get_round(request).await.unwrap().into_inner()
}

async fn closed(register: &Register, name: &str) -> Result<CloseRoundResponse, Status> {
    let request = CloseRoundRequest {
        name: name.to_owned(),
        reason: "没有更多申报".to_owned(),
        ..CloseRoundRequest::default()
    };
    let answer = register.cases().close_round(request).await;
    answer.map(tonic::Response::into_inner)
}

/// What a blocked submission says, which is what a read of the draft says.
async fn blocked(register: &Register, name: &str) -> Vec<String> {
    let read = get(register, name).await;
    let said: Vec<String> = reasons(&read, "submit").into_iter().map(str::to_owned).collect();
    let why = failure(submitted(register, name).await);
    assert_eq!(why.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{why:?}");
    assert_eq!(why.reasons(), said, "{why:?}");
    // Nothing became of it.
    assert_eq!(get(register, name).await, read);
    said
}

async fn a_round_takes_cases_in_its_window_only(store: Store) {
    let clock = Clock::on("2024-03-09");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-03-20", &[]).await;
    assert_eq!(
        (round.state(), round.due_date.as_str(), round.due()),
        (RoundState::Open, "2024-03-21", DueKind::RoundEnds)
    );
    let [first, last, late] = [
        draft(&register, "试用实验室甲", &round).await,
        draft(&register, "试用实验室乙", &round).await,
        draft(&register, "试用实验室丙", &round).await,
    ];
    assert_eq!(first.round, round.display_name);
    assert_eq!(blocked(&register, &first.name).await, ["ROUND_NOT_BEGUN"]);
    // The first minute of the first day in China is the day before elsewhere.
    clock.set("2024-03-10");
    submitted(&register, &first.name).await.unwrap();
    clock.set("2024-03-20");
    submitted(&register, &last.name).await.unwrap();
    clock.set("2024-03-21");
    // Over, whether or not the register has closed it yet.
    assert_eq!(blocked(&register, &late.name).await, ["ROUND_OVER"]);
    soon_closed(&register, &round.name).await;
    assert_eq!(blocked(&register, &late.name).await, ["ROUND_OVER"]);
    // What was taken goes on after the window, and what was returned comes back until the day that was set for it.
    in_review_only(&register, &last.name).await;
    for (due_date, today, is_late) in [
        ("", "2024-03-25", false),
        ("2024-04-10", "2024-04-10", false),
        ("2024-04-20", "2024-04-21", true),
    ] {
        let back = ReturnLabDesignationRequest {
            name: first.name.clone(),
            reason: "材料不全".to_owned(),
            due_date: due_date.to_owned(),
            ..ReturnLabDesignationRequest::default()
        };
        register.lab_cases().return_lab_designation(back).await.unwrap();
        clock.set(today);
        if is_late {
            assert_eq!(blocked(&register, &first.name).await, ["RESUBMISSION_LATE"]);
        } else {
            let again = submitted(&register, &first.name).await.unwrap();
            // The day of the first submission stays.
            assert_eq!(again.case.unwrap().submit_date, "2024-03-10");
        }
    }
}

async fn in_review_only(register: &Register, name: &str) {
    let answer = register.lab_cases().accept_lab_designation(accept(name)).await;
    assert_eq!(answer.unwrap().into_inner().state(), LabDesignationState::InReview);
}

async fn a_closed_round_takes_none_and_says_what_is_undecided(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[]).await;
    let [written, sent, reviewing, noticed, rejected, withdrawn, live] = [
        draft(&register, "试用实验室甲", &round).await,
        draft(&register, "试用实验室乙", &round).await,
        draft(&register, "试用实验室丙", &round).await,
        draft(&register, "试用实验室丁", &round).await,
        draft(&register, "试用实验室戊", &round).await,
        draft(&register, "试用实验室己", &round).await,
        draft(&register, "试用实验室庚", &round).await,
    ];
    submitted(&register, &sent.name).await.unwrap();
    for one in [&reviewing, &noticed, &rejected, &live] {
        in_review(&register, &one.name).await;
    }
    published(&register, &live.name).await.unwrap();
    clock.set("2024-03-20");
    published(&register, &noticed.name).await.unwrap();
    approved(&register, &live.name).await.unwrap();
    let reject = RejectLabDesignationRequest {
        name: rejected.name.clone(),
        reason: "未达到要求".to_owned(),
        ..RejectLabDesignationRequest::default()
    };
    register.lab_cases().reject_lab_designation(reject).await.unwrap();
    let withdraw = WithdrawLabDesignationRequest {
        name: withdrawn.name.clone(),
        ..WithdrawLabDesignationRequest::default()
    };
    register.lab_cases().withdraw_lab_designation(withdraw).await.unwrap();
    // One of another round is not reported.
    let other = opened(&register, "2024-03-10", "2024-12-20", &[]).await;
    draft(&register, "试用实验室辛", &other).await;

    let wrong = CloseRoundRequest {
        name: round.name.clone(),
        etag: "\"r9\"".to_owned(),
        ..CloseRoundRequest::default()
    };
    let why = failure(register.cases().close_round(wrong).await);
    assert_eq!(why.is(), (Code::Aborted, "ETAG_MISMATCH"), "{why:?}");
    let dry = CloseRoundRequest {
        name: round.name.clone(),
        validate_only: true,
        ..CloseRoundRequest::default()
    };
    let would_be = register.cases().close_round(dry).await.unwrap().into_inner();
    assert_eq!(
        (would_be.undecided_count, would_be.round.unwrap().state()),
        (4, RoundState::Closed)
    );
    assert_eq!(read(&register, &round.name).await.state(), RoundState::Open);

    let answer = closed(&register, &round.name).await.unwrap();
    let after = answer.round.unwrap();
    assert_eq!(
        (after.state(), after.due_date.as_str(), after.due()),
        (RoundState::Closed, "", DueKind::Unspecified)
    );
    let mut undecided: Vec<_> = answer
        .undecided
        .iter()
        .map(|case| (case.name.as_str(), case.state.as_str()))
        .collect();
    undecided.sort_unstable();
    let mut expected = vec![
        (written.name.as_str(), "LAB_DESIGNATION_STATE_DRAFT"),
        (sent.name.as_str(), "LAB_DESIGNATION_STATE_SUBMITTED"),
        (reviewing.name.as_str(), "LAB_DESIGNATION_STATE_IN_REVIEW"),
        (noticed.name.as_str(), "LAB_DESIGNATION_STATE_ON_NOTICE"),
    ];
    expected.sort_unstable();
    assert_eq!((undecided, answer.undecided_count), (expected, 4));
    assert!(
        answer
            .undecided
            .iter()
            .all(|case| case.display_name.contains("试用实验室") && case.display_name.contains("区级重点实验室")),
        "{:?}",
        answer.undecided
    );

    assert_eq!(blocked(&register, &written.name).await, ["ROUND_CLOSED"]);
    let why = failure(closed(&register, &round.name).await);
    assert_eq!(why.is(), (Code::FailedPrecondition, "ROUND_CLOSED"), "{why:?}");
    assert_eq!(why.resource, round.name);
    // What was submitted is decided all the same.
    in_review_only(&register, &sent.name).await;
    clock.set("2024-03-25");
    approved(&register, &noticed.name).await.unwrap();
    let history = history(&register, &round.name).await;
    assert_eq!(done(&history), ["create", "close"]);
    assert_eq!(
        (history[1].reason.as_str(), history[1].actor.as_str()),
        ("没有更多申报", "anonymous")
    );
}

/// Approves all of these at once, in turn with each process, and answers what became of it.
async fn approve_at_once(processes: &[&Register], names: &[String]) -> (usize, Vec<Failure>) {
    let mut approving = JoinSet::new();
    for (place, name) in names.iter().enumerate() {
        let mut cases = processes[place % processes.len()].lab_cases();
        let request = approve(name);
        approving.spawn(async move { cases.approve_lab_designation(request).await });
    }
    let answers = approving.join_all().await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    (good.len(), bad.into_iter().map(failure).collect())
}

async fn caps_hold_when_all_are_approved_at_once(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 5)]).await;
    let other_round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 5)]).await;
    let names = drafts(&register, 60, &round).await;
    let more = drafts_again(&register, 60, &other_round, &names).await;
    for names in [&names, &more] {
        all(&register, names, submit).await;
        all(&register, names, accept).await;
        all(&register, names, publish).await;
    }
    clock.set("2024-03-14");
    let one = approve_at_once(&[&register], &names).await;
    check_cap(&register, &round, &names, one).await;
    if store == Store::Postgres {
        let other = register.another().await;
        // Decisions on the same labs, on another day.
        clock.set("2024-03-15");
        let two = approve_at_once(&[&register, &other], &more).await;
        check_cap(&register, &other_round, &more, two).await;
    }
}

/// Drafts of the same labs in another round.
async fn drafts_again(register: &Register, count: usize, round: &Round, others: &[String]) -> Vec<String> {
    let mut names = Vec::with_capacity(count);
    for other in others {
        let lab = mingce_proto::labs::Lab {
            name: other.split("/designations/").next().unwrap().to_owned(),
            ..Default::default()
        };
        let begun = register.lab_cases().create_lab_designation(begin(&lab, round)).await;
        names.push(begun.unwrap().into_inner().name);
    }
    names
}

async fn check_cap(register: &Register, round: &Round, names: &[String], (good, bad): (usize, Vec<Failure>)) {
    assert_eq!((good, bad.len()), (5, names.len() - 5), "{bad:?}");
    for why in &bad {
        assert_eq!(why.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{why:?}");
        assert_eq!(
            why.blockers,
            [("CAP_REACHED".to_owned(), round.name.clone())],
            "{why:?}"
        );
    }
    let after = read(register, &round.name).await;
    assert_eq!(after.caps, [RoundCap { used: 5, ..cap("", 5) }]);
    let mut live = 0;
    for name in names {
        let case = get(register, name).await;
        match case.state() {
            LabDesignationState::Operating => live += 1,
            LabDesignationState::OnNotice => {
                assert_eq!(reasons(&case, "approve"), ["CAP_REACHED"]);
                let said = &crate::designated::verb(&case, "approve").blockers[0].description;
                assert!(said.starts_with("5 of 5"), "{said}");
            }
            other => panic!("{name} stands at {other:?}"),
        }
    }
    assert_eq!(live, 5);
    let entries = history(register, &round.name).await;
    assert_eq!(
        done(&entries),
        [
            "create",
            "take_place",
            "take_place",
            "take_place",
            "take_place",
            "take_place"
        ]
    );
}

async fn an_approval_that_fails_takes_no_place(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 2), cap("一等奖", 0)]).await;
    let one = draft(&register, "试用实验室甲", &round).await;
    let other = draft(&register, "试用实验室乙", &round).await;
    for name in [&one.name, &other.name] {
        in_review(&register, name).await;
        published(&register, name).await.unwrap();
    }
    let why = failure(approved(&register, &one.name).await);
    assert_eq!(why.reasons(), ["NOTICE_RUNNING"], "{why:?}");
    clock.set("2024-03-14");
    for (etag, date) in [("\"r1\"", ""), ("", "2024-02-30")] {
        let mut request = approve(&one.name);
        request.etag = etag.to_owned();
        request.decision_date = date.to_owned();
        failure(register.lab_cases().approve_lab_designation(request).await);
    }
    // Nor does one that is only validated, and one that is asked twice takes one.
    let mut request = approve(&one.name);
    request.validate_only = true;
    register
        .lab_cases()
        .approve_lab_designation(request.clone())
        .await
        .unwrap();
    assert_eq!(read(&register, &round.name).await.caps[0].used, 0);
    request.validate_only = false;
    request.request_id = "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned();
    let first = register
        .lab_cases()
        .approve_lab_designation(request.clone())
        .await
        .unwrap();
    let second = register.lab_cases().approve_lab_designation(request).await.unwrap();
    assert_eq!(first.into_inner(), second.into_inner());
    let used: Vec<i32> = read(&register, &round.name)
        .await
        .caps
        .iter()
        .map(|cap| cap.used)
        .collect();
    // The cap of a grade is none of theirs.
    assert_eq!(used, [1, 0]);
    // A number that another has is refused after the place was taken: it is free again.
    let mut numbered = approve(&other.name);
    numbered.number = "2024-1".to_owned();
    let third = draft(
        &register,
        "试用实验室丙",
        &opened(&register, "2024-03-10", "2024-12-20", &[]).await,
    )
    .await;
    in_review(&register, &third.name).await;
    published(&register, &third.name).await.unwrap();
    clock.set("2024-03-20");
    let mut request = approve(&third.name);
    request.number = "2024-1".to_owned();
    register.lab_cases().approve_lab_designation(request).await.unwrap();
    let why = failure(register.lab_cases().approve_lab_designation(numbered).await);
    assert_eq!(why.code, Code::AlreadyExists, "{why:?}");
    assert_eq!(read(&register, &round.name).await.caps[0].used, 1);
    approved(&register, &other.name).await.unwrap();
    assert_eq!(read(&register, &round.name).await.caps[0].used, 2);
}

async fn what_is_wrong_with_a_round_is_said_with_its_field(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let good = district("2024-03-10", "2024-12-20");
    for (round, reason, field) in [
        (
            Round {
                end_date: "2024-03-09".to_owned(),
                ..good.clone()
            },
            "PERIOD_REVERSED",
            "round.end_date",
        ),
        (
            Round {
                start_date: "2024-02-30".to_owned(),
                ..good.clone()
            },
            "DATE_DOES_NOT_EXIST",
            "round.start_date",
        ),
        (
            Round {
                caps: vec![cap("", 1), cap("一等奖", 1), cap("", 2)],
                ..good.clone()
            },
            "CAP_TWICE",
            "round.caps[2].grade",
        ),
    ] {
        let request = CreateRoundRequest {
            round: Some(round),
            ..CreateRoundRequest::default()
        };
        let why = failure(register.cases().create_round(request).await);
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{why:?}");
        assert_eq!(why.fields, [field], "{why:?}");
    }
    let nowhere = Round {
        policy: "policies/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..good.clone()
    };
    let request = CreateRoundRequest {
        round: Some(nowhere),
        ..CreateRoundRequest::default()
    };
    let why = failure(register.cases().create_round(request).await);
    assert_eq!(
        (why.code, why.resource.as_str()),
        (Code::NotFound, "policies/01jd2k3m4n5p6q7r8s9t0v1w2x")
    );
    // What is output only is not taken over.
    let pretending = Round {
        state: RoundState::Closed as i32,
        caps: vec![RoundCap { used: 3, ..cap("", 4) }],
        due_date: "2030-01-01".to_owned(),
        ..good.clone()
    };
    let opened = open(&register, pretending).await;
    assert_eq!(
        (opened.state(), opened.caps[0].used, opened.due_date.as_str()),
        (RoundState::Open, 0, "2024-12-21")
    );
    // A case for another level or programme is none of it.
    let municipal = Round {
        level: Level::Municipal as i32,
        ..good.clone()
    };
    let municipal = open(&register, municipal).await;
    let elsewhere = Round {
        programme: "另一个计划".to_owned(),
        ..good
    };
    let elsewhere = open(&register, elsewhere).await;
    let lab = mingce_proto::labs::Lab {
        name: draft(&register, "试用实验室", &opened)
            .await
            .name
            .split("/designations/")
            .next()
            .unwrap()
            .to_owned(),
        ..Default::default()
    };
    for round in [&municipal, &elsewhere] {
        let mut request = begin(&lab, round);
        request.lab_designation.as_mut().unwrap().level = Level::District as i32;
        let why = failure(register.lab_cases().create_lab_designation(request).await);
        assert_eq!(why.is(), (Code::InvalidArgument, "ROUND_OF_OTHER_KIND"), "{why:?}");
    }
    // One application of a lab in a round.
    let why = failure(register.lab_cases().create_lab_designation(begin(&lab, &opened)).await);
    assert_eq!(why.code, Code::AlreadyExists, "{why:?}");
}

async fn updated(register: &Register, round: Round, paths: &[&str]) -> Result<Round, Status> {
    let request = UpdateRoundRequest {
        round: Some(round),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        ..UpdateRoundRequest::default()
    };
    let answer = register.cases().update_round(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn an_update_of_a_round_keeps_to_its_rules(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 3)]).await;
    let newer = Policy {
        version: "2".to_owned(),
        ..labs_policy(easy())
    };
    let other = load(&register, newer).await;
    for name in ["试用实验室甲", "试用实验室乙"] {
        let case = draft(&register, name, &round).await;
        in_review(&register, &case.name).await;
        published(&register, &case.name).await.unwrap();
        clock.advance(7);
        approved(&register, &case.name).await.unwrap();
    }
    let now = read(&register, &round.name).await;
    assert_eq!(now.caps[0].used, 2);

    // What a round is for stays.
    for (changed, path) in [
        (
            Round {
                level: Level::Municipal as i32,
                ..now.clone()
            },
            "level",
        ),
        (
            Round {
                programme: "另一个计划".to_owned(),
                ..now.clone()
            },
            "programme",
        ),
        (
            Round {
                year: 2025,
                ..now.clone()
            },
            "year",
        ),
        (
            Round {
                policy: other.name.clone(),
                ..now.clone()
            },
            "policy",
        ),
        (
            Round {
                kind: mingce_proto::registry::CaseKind::Award as i32,
                ..now.clone()
            },
            "kind",
        ),
    ] {
        for paths in [&[path][..], &["*"][..]] {
            let answer = updated(&register, changed.clone(), paths).await;
            assert!(answer.is_err(), "{path} by {paths:?}: {answer:?}");
            let why = failure(answer);
            assert_eq!(why.is(), (Code::InvalidArgument, "ROUND_FIXED"), "{path}: {why:?}");
        }
    }
    // A cap is not lowered below what is taken, left out or not.
    for caps in [vec![cap("", 1)], vec![], vec![cap("一等奖", 4)]] {
        let changed = Round { caps, ..now.clone() };
        let why = failure(updated(&register, changed, &["caps"]).await);
        assert_eq!(why.is(), (Code::InvalidArgument, "CAP_BELOW_USED"), "{why:?}");
        assert!(why.fields[0].starts_with("round.caps["), "{why:?}");
    }
    assert_eq!(read(&register, &round.name).await, now);
    // What is taken is not written by a caller.
    let changed = Round {
        caps: vec![RoundCap { used: 0, ..cap("", 2) }, cap("二等奖", 1)],
        ..now.clone()
    };
    let after = updated(&register, changed, &["caps"]).await.unwrap();
    assert_eq!(after.caps, [RoundCap { used: 2, ..cap("", 2) }, cap("二等奖", 1)]);
    let third = draft(&register, "试用实验室丙", &round).await;
    in_review(&register, &third.name).await;
    published(&register, &third.name).await.unwrap();
    clock.advance(7);
    let why = failure(approved(&register, &third.name).await);
    assert_eq!(why.reasons(), ["CAP_REACHED"], "{why:?}");
    // A larger one lets the next through; the name and the window change too.
    let changed = Round {
        display_name: "2024年第一批（延期）".to_owned(),
        end_date: "2025-01-31".to_owned(),
        caps: vec![cap("", 3)],
        ..after.clone()
    };
    let stale = Round {
        etag: now.etag.clone(),
        ..changed.clone()
    };
    let why = failure(updated(&register, stale, &["end_date"]).await);
    assert_eq!(why.is(), (Code::Aborted, "ETAG_MISMATCH"), "{why:?}");
    let paths = ["display_name", "end_date", "caps"];
    let after = updated(&register, changed, &paths).await.unwrap();
    assert_eq!(
        (after.due_date.as_str(), after.due()),
        ("2025-02-01", DueKind::RoundEnds)
    );
    approved(&register, &third.name).await.unwrap();

    closed(&register, &round.name).await.unwrap();
    let after = read(&register, &round.name).await;
    let reopened = Round {
        end_date: "2025-02-28".to_owned(),
        ..after.clone()
    };
    let why = failure(updated(&register, reopened, &["end_date"]).await);
    assert_eq!(why.is(), (Code::FailedPrecondition, "ROUND_CLOSED"), "{why:?}");
    assert_eq!(read(&register, &round.name).await, after);
}

/// Waits until a round is closed, which a clock that is turned by hand brings about soon.
pub async fn soon_closed(register: &Register, name: &str) -> Round {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let round = read(register, name).await;
        if round.state() == RoundState::Closed {
            return round;
        }
        assert!(Instant::now() < until, "{round:?} does not close");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn expect_closed_once(register: &Register, name: &str, due: &str) {
    let entries = history(register, name).await;
    assert_eq!(done(&entries), ["create", "close"], "{entries:?}");
    assert_eq!(
        (entries[1].actor.as_str(), entries[1].reason.as_str()),
        ("system:register", format!("due {due}").as_str())
    );
}

async fn a_round_closes_by_itself_once(store: Store) {
    let clock = Clock::on("2024-03-20");
    let register = with_easy_terms(store, &clock).await;
    let other = match store {
        Store::Sqlite => None,
        Store::Postgres => Some(register.another().await),
    };
    let later = opened(&register, "2024-03-10", "2024-03-21", &[]).await;
    let mut rounds = Vec::new();
    for _ in 0..40 {
        rounds.push(opened(&register, "2024-03-10", "2024-03-20", &[]).await);
    }
    let case = draft(&register, "试用实验室甲", &rounds[0]).await;
    // Not on its last day.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for round in &rounds {
        assert_eq!(read(&register, &round.name).await, *round);
    }
    clock.set("2024-03-21");
    for round in &rounds {
        let after = soon_closed(&register, &round.name).await;
        assert_eq!((after.due_date.as_str(), after.due()), ("", DueKind::Unspecified));
    }
    assert_eq!(blocked(&register, &case.name).await, ["ROUND_OVER"]);
    // Nobody was there to be told what is undecided: it can be asked for.
    let asked = GetRoundReportRequest {
        name: rounds[0].name.clone(),
    };
    let report = register.cases().get_round_report(asked).await.unwrap().into_inner();
    let left: Vec<_> = report.undecided.iter().map(|case| case.name.as_str()).collect();
    assert_eq!((left, report.undecided_count), (vec![case.name.as_str()], 1));
    assert_eq!(report.round.unwrap().state(), RoundState::Closed);
    // Time for a second one, were there any.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for round in &rounds {
        expect_closed_once(&register, &round.name, "2024-03-21").await;
        if let Some(other) = &other {
            expect_closed_once(other, &round.name, "2024-03-21").await;
        }
    }
    assert_eq!(read(&register, &later.name).await, later);
    // A window that is made longer before its end ends later.
    let longer = Round {
        end_date: "2024-03-25".to_owned(),
        ..later.clone()
    };
    updated(&register, longer, &["end_date"]).await.unwrap();
    clock.set("2024-03-25");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(read(&register, &later.name).await.state(), RoundState::Open);
    clock.set("2024-03-26");
    soon_closed(&register, &later.name).await;
}

async fn a_round_closes_by_itself_after_days_without_the_register(store: Store) {
    let clock = Clock::on("2024-03-20");
    let mut register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-03-20", &[]).await;
    let by_hand = opened(&register, "2024-03-10", "2024-03-20", &[]).await;
    closed(&register, &by_hand.name).await.unwrap();
    let open_still = opened(&register, "2024-03-10", "2024-05-20", &[]).await;
    register.stop();
    clock.set("2024-04-02");
    register.restart();
    soon_closed(&register, &round.name).await;
    register.stop();
    clock.set("2024-04-03");
    register.restart();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The reason names the day on which it fell due, the time is that on which it was done.
    expect_closed_once(&register, &round.name, "2024-03-21").await;
    let entries = history(&register, &round.name).await;
    // Nine in the morning of 2024-04-02 in China.
    assert_eq!(entries[1].create_time.as_ref().unwrap().seconds, 1_712_019_600);
    // One that was closed by hand stays as it is.
    let entries = history(&register, &by_hand.name).await;
    assert_eq!(done(&entries), ["create", "close"]);
    assert_eq!(entries[1].actor, "anonymous");
    assert_eq!(read(&register, &open_still.name).await, open_still);
    // One that is opened when its window is over is closed at once.
    let late = opened(&register, "2024-03-10", "2024-03-31", &[]).await;
    soon_closed(&register, &late.name).await;
    expect_closed_once(&register, &late.name, "2024-04-01").await;
}

async fn due(register: &Register, request: ListDueWorkRequest) -> Result<ListDueWorkResponse, Status> {
    let answer = register.cases().list_due_work(request).await;
    answer.map(tonic::Response::into_inner)
}

fn wanted(collection: &str, until_date: &str, due: DueKind) -> ListDueWorkRequest {
    ListDueWorkRequest {
        collection: collection.to_owned(),
        until_date: until_date.to_owned(),
        due: due as i32,
        ..ListDueWorkRequest::default()
    }
}

fn said(work: &[DueWork]) -> Vec<(&str, DueKind, bool)> {
    work.iter()
        .map(|work| (work.date.as_str(), work.due(), work.automatic))
        .collect()
}

async fn due_work_is_listed_by_day_and_kind_in_pages(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    let terms = LabDesignationTerms {
        building_months: 2,
        ..easy()
    };
    load(&register, labs_policy(terms)).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[]).await;
    let [building, noticed, returned, boundless] = [
        draft(&register, "试用实验室甲", &round).await,
        draft(&register, "试用实验室乙", &round).await,
        draft(&register, "试用实验室丙", &round).await,
        draft(&register, "试用实验室丁", &round).await,
    ];
    in_review(&register, &building.name).await;
    published(&register, &building.name).await.unwrap();
    clock.set("2024-03-14");
    // Its building term: to 13 May.
    let answer = approved(&register, &building.name).await.unwrap();
    assert_eq!(answer.building_end_date, "2024-05-13");
    in_review(&register, &noticed.name).await;
    published(&register, &noticed.name).await.unwrap();
    for (case, due_date) in [(&returned, "2024-04-10"), (&boundless, "")] {
        submitted(&register, &case.name).await.unwrap();
        let back = ReturnLabDesignationRequest {
            name: case.name.clone(),
            reason: "材料不全".to_owned(),
            due_date: due_date.to_owned(),
            ..ReturnLabDesignationRequest::default()
        };
        register.lab_cases().return_lab_designation(back).await.unwrap();
    }
    let everything = [
        ("2024-03-16", DueKind::NoticeEnds, false),
        ("2024-04-10", DueKind::Resubmission, false),
        ("2024-05-13", DueKind::BuildingEnds, false),
    ];
    // Behind them waits what was returned without a day.
    let waiting = ("", DueKind::Resubmission, false);
    let and_waiting = |dated: &[(&'static str, DueKind, bool)]| [dated, &[waiting]].concat();
    let labs = |until: &str, kind: DueKind| wanted("labDesignations", until, kind);
    let answer = due(&register, labs("2024-12-31", DueKind::Unspecified)).await.unwrap();
    assert_eq!(said(&answer.due_work), and_waiting(&everything));
    let names: Vec<_> = answer.due_work.iter().map(|work| work.name.as_str()).collect();
    assert_eq!(names, [&noticed.name, &returned.name, &building.name, &boundless.name]);
    assert_eq!(answer.due_work[2].display_name, "试用实验室甲·区级重点实验室");
    // By day: that day is in, the day before is not. Without a day: today.
    for (until, count) in [
        ("2024-03-15", 0),
        ("2024-03-16", 1),
        ("2024-05-12", 2),
        ("2024-05-13", 3),
        ("", 0),
    ] {
        let answer = due(&register, labs(until, DueKind::Unspecified)).await.unwrap();
        assert_eq!(
            said(&answer.due_work),
            and_waiting(&everything[..count]),
            "until {until:?}"
        );
    }
    clock.set("2024-03-16");
    let answer = due(&register, labs("", DueKind::Unspecified)).await.unwrap();
    assert_eq!(said(&answer.due_work), and_waiting(&everything[..1]));
    // By kind.
    for (kind, expected) in [
        (DueKind::NoticeEnds, everything[..1].to_vec()),
        (DueKind::Resubmission, and_waiting(&everything[1..2])),
        (DueKind::BuildingEnds, everything[2..].to_vec()),
        (DueKind::Evaluation, Vec::new()),
    ] {
        let answer = due(&register, labs("2024-12-31", kind)).await.unwrap();
        assert_eq!(said(&answer.due_work), expected, "{kind:?}");
    }
    // In pages.
    let mut request = ListDueWorkRequest {
        page_size: 2,
        ..labs("2024-12-31", DueKind::Unspecified)
    };
    let first = due(&register, request.clone()).await.unwrap();
    assert_eq!(said(&first.due_work), everything[..2]);
    request.page_token = first.next_page_token;
    let second = due(&register, request.clone()).await.unwrap();
    assert_eq!(
        (said(&second.due_work), second.next_page_token.as_str()),
        (and_waiting(&everything[2..]), "")
    );
    request.until_date = "2024-11-30".to_owned();
    let why = failure(due(&register, request.clone()).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "PAGE_TOKEN_OTHER_QUERY"), "{why:?}");
    request.page_token = "?".to_owned();
    let why = failure(due(&register, request).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "PAGE_TOKEN_MALFORMED"), "{why:?}");
    // Rounds, which end by themselves.
    let answer = due(&register, wanted("rounds", "2024-12-21", DueKind::Unspecified))
        .await
        .unwrap();
    assert_eq!(said(&answer.due_work), [("2024-12-21", DueKind::RoundEnds, true)]);
    assert_eq!(
        (&answer.due_work[0].name, &answer.due_work[0].display_name),
        (&round.name, &round.display_name)
    );
    let answer = due(&register, wanted("rounds", "2024-12-20", DueKind::Unspecified))
        .await
        .unwrap();
    assert_eq!(said(&answer.due_work), []);
    for (collection, until, reason) in [
        ("labs", "", "COLLECTION_UNKNOWN"),
        ("labDesignations", "2024-02-30", "DATE_INVALID"),
    ] {
        let why = failure(due(&register, wanted(collection, until, DueKind::Unspecified)).await);
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{why:?}");
    }
    // What is done is not due any more.
    approved(&register, &noticed.name).await.unwrap();
    let answer = due(&register, labs("2024-04-30", DueKind::Unspecified)).await.unwrap();
    assert_eq!(said(&answer.due_work), and_waiting(&everything[1..2]));
}
