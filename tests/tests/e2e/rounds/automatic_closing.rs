//! The automatic closing of a round: once, also after days without the register.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::registry::{DueKind, GetRoundReportRequest, Round, RoundState};

use super::{blocked, closed, expect_looks, read, soon_closed, updated, with_easy_terms};
use crate::lab_fixture::{done, draft, history, opened};

on_both_stores!(
    a_round_closes_by_itself_once,
    a_round_closes_by_itself_after_days_without_the_register,
);

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
        Store::Postgres => Some(register.sibling().await),
    };
    let later = opened(&register, "2024-03-10", "2024-03-21", &[]).await;
    let mut rounds = Vec::new();
    for _ in 0..40 {
        rounds.push(opened(&register, "2024-03-10", "2024-03-20", &[]).await);
    }
    let case = draft(&register, "试用实验室甲", &rounds[0]).await;
    // Not on its last day.
    expect_looks(&register, "2024-03-19").await;
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
    expect_looks(&register, "2024-03-19").await;
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
    expect_looks(&register, "2024-03-24").await;
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
    expect_looks(&register, "2024-04-01").await;
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
