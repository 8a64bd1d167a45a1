//! Rounds (批次): their windows and caps hold, and they end by themselves on the day after their last.

use std::time::{Duration, Instant};

use mingce_e2e::cases::{Clock, Terms, load, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    LabDesignationState, RejectLabDesignationRequest, ReturnLabDesignationRequest, WithdrawLabDesignationRequest,
};
use mingce_proto::registry::{
    CloseRoundRequest, CloseRoundResponse, DueKind, GetRoundRequest, LabDesignationTerms, Policy, Round, RoundState,
    UpdateRoundRequest, View,
};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::lab_fixture::{
    accept, approved, done, draft, easy, get, history, in_review, opened, published, reasons, submitted,
};

mod automatic_closing;
mod caps;
mod due_work;
mod fields;

on_both_stores!(
    a_round_takes_cases_in_its_window_only,
    a_closed_round_takes_none_and_says_what_is_undecided,
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

/// Waits until the register has looked twice for what it does by itself, as there may be two processes. A look ends
/// with closing rounds whose window is over, as these are; `yesterday` is the last day of it.
pub async fn expect_looks(register: &Register, yesterday: &str) {
    for _ in 0..2 {
        let over = opened(register, "2024-03-10", yesterday, &[]).await;
        soon_closed(register, &over.name).await;
    }
}
