//! A quota holds when many are confirmed at the same moment, in one process and in two.

use std::collections::BTreeSet;
use std::time::Duration;

use mingce_e2e::cases::{Clock, Terms, load, notice_of as days, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{NominatingBodyTerms, RecommendationTerms};
use mingce_proto::talent::recommendation_service_client::RecommendationServiceClient;
use mingce_proto::talent::*;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::body_fixture::*;

const RECOMMENDATIONS: usize = 200;
const QUOTA: i32 = 5;

on_both_stores!(
    two_hundred_at_once_confirm_five,
    a_batch_of_two_hundred_confirms_five_and_an_atomic_one_none,
    one_person_whom_many_bodies_recommend_is_designated_once,
);

/// A register with the policies that these tests need, and a programme.
async fn started(store: Store, clock: &Clock) -> (Register, Programme) {
    let register = Register::start_at(store, clock).await;
    let bodies = Terms::Body(NominatingBodyTerms {
        notice: days(1),
        authorisation_months: 12,
        yearly_quota: 0,
        expires_by_itself: true,
        handling: None,
    });
    let recommendations = Terms::Recommendation(RecommendationTerms {
        notice: days(1),
        term_months: 24,
        max_age: 0,
        handling: None,
    });
    load(&register, policy("2024.1", "2024-01-01", bodies)).await;
    load(&register, policy("2024.1", "2024-01-01", recommendations)).await;
    let programme = programme(&register, "zzjc", "island").await;
    (register, programme)
}

/// So many authorised bodies, each with the quota.
async fn bodies(register: &Register, programme: &Programme, count: usize, clock: &Clock) -> Vec<String> {
    let mut names = Vec::new();
    for number in 0..count {
        let body = applied(register, &format!("虚构单位{number}"), programme).await.name;
        notice_of_body(register, &body).await;
        names.push(body);
    }
    clock.set("2024-03-12");
    for body in &names {
        authorise(register, body, "").await.unwrap();
        grant(register, body, (2024, QUOTA)).await.unwrap();
    }
    names
}

/// Two hundred recommendations of one body with a quota of five, whose notices are over.
async fn two_hundred(store: Store, clock: &Clock) -> (Register, String, Vec<String>) {
    let (register, programme) = started(store, clock).await;
    let body = bodies(&register, &programme, 1, clock).await.remove(0);
    let (talent, client) = (register.talent(), register.recommendations());
    let mut making = JoinSet::new();
    for number in 0..RECOMMENDATIONS {
        let (mut talent, mut client, body) = (talent.clone(), client.clone(), body.clone());
        making.spawn(async move {
            let person = talent.create_talent(creates(number)).await.unwrap().into_inner();
            let request = recommends(&body, &person.name, 2024);
            client.create_recommendation(request).await.unwrap().into_inner().name
        });
    }
    let drafts = making.join_all().await;
    move_on(&register, &drafts, clock).await;
    (register, body, drafts)
}

/// A person with a name and nothing else.
fn creates(number: usize) -> CreateTalentRequest {
    let talent = Talent {
        display_name: format!("虚构者{number}"),
        ..Talent::default()
    };
    CreateTalentRequest {
        talent: Some(talent),
        ..CreateTalentRequest::default()
    }
}

/// Files drafts and publishes their notices, all at once, and lets the notices end.
async fn move_on(register: &Register, drafts: &[String], clock: &Clock) {
    let file = |name: &String| {
        RecommendationMove::from(FileRecommendationRequest {
            name: name.clone(),
            ..FileRecommendationRequest::default()
        })
    };
    let notice = |name: &String| {
        RecommendationMove::from(PublishNoticeOfRecommendationRequest {
            name: name.clone(),
            ..PublishNoticeOfRecommendationRequest::default()
        })
    };
    let (files, notices): (Vec<_>, Vec<_>) = drafts.iter().map(|name| (file(name), notice(name))).unzip();
    for moves in [files, notices] {
        let request = BatchMoveRecommendationsRequest { moves, atomic: true };
        let answer = register.recommendations().batch_move_recommendations(request).await;
        let answer = answer.unwrap().into_inner();
        let all = i32::try_from(drafts.len()).unwrap();
        assert_eq!(answer.done, all, "{:?}", answer.outcomes.first());
    }
    clock.set("2024-03-15");
}

/// Confirms as a client does that comes back when somebody was faster.
async fn confirmed(channel: Channel, name: String) -> Result<Recommendation, Status> {
    let mut client = RecommendationServiceClient::new(channel);
    loop {
        let status = match client.confirm_recommendation(confirms(&name)).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        let told = failure(Err::<(), _>(status.clone()));
        let again = [
            (Code::Aborted, "CONCURRENT_CHANGE"),
            (Code::Unavailable, "DATABASE_LOCKED"),
            (Code::ResourceExhausted, "OVERLOADED"),
            (Code::ResourceExhausted, "WRITE_QUEUE_FULL"),
        ];
        if !again.contains(&told.is()) {
            return Err(status);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Confirms all at once, over these connections in turn, and expects that the quota holds.
async fn expect_five(register: &mut Register, channels: &[Channel], body_name: &str, names: &[String]) {
    let mut calls = JoinSet::new();
    for (name, channel) in names.iter().zip(channels.iter().cycle()) {
        calls.spawn(confirmed(channel.clone(), name.clone()));
    }
    let (mut done, mut blocked) = (Vec::new(), 0);
    for answer in calls.join_all().await {
        match answer {
            Ok(recommendation) => done.push(recommendation),
            Err(status) => {
                let told = failure(Err::<(), _>(status));
                assert_eq!(told.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{told:?}");
                assert_eq!(told.blockers, [("QUOTA_USED_UP".to_owned(), body_name.to_owned())]);
                assert_eq!(told.message, "quota of 2024 used up: 5 of 5");
                blocked += 1;
            }
        }
    }
    assert_eq!((done.len(), blocked), (5, 195));
    expect_used(register, body_name, &done).await;
}

/// Five are used, five are confirmed, and five designations stand for them.
async fn expect_used(register: &mut Register, body_name: &str, done: &[Recommendation]) {
    let quota = NominatingQuota {
        year: 2024,
        limit: QUOTA,
        used: QUOTA,
        lapsed: false,
    };
    assert_eq!(body(register, body_name).await.quotas, [quota]);
    let request = ListRecommendationsRequest {
        page_size: 1000,
        filter: "state = CONFIRMED".to_owned(),
        ..ListRecommendationsRequest::default()
    };
    let listed = register
        .recommendations()
        .list_recommendations(request)
        .await
        .unwrap()
        .into_inner();
    let listed: BTreeSet<_> = listed
        .recommendations
        .into_iter()
        .map(|r| (r.name, r.designation))
        .collect();
    let told: BTreeSet<_> = done.iter().map(|r| (r.name.clone(), r.designation.clone())).collect();
    assert_eq!(listed, told);
    for (name, made) in &told {
        let made = designation(register, made).await;
        assert_eq!(
            (&made.recommendation, made.state()),
            (name, TalentDesignationState::InTerm)
        );
    }
    register.stop();
    let used = "SELECT count(*) FROM ledger WHERE verb = 'use_quota'";
    let confirmed = "SELECT count(*) FROM ledger WHERE verb = 'confirm' AND resource LIKE 'recommendations/%'";
    for count in [used, confirmed, "SELECT count(*) FROM talent_designations"] {
        assert_eq!(register.number(count).await, 5, "{count}");
    }
}

async fn two_hundred_at_once_confirm_five(store: Store) {
    let clock = Clock::on("2024-03-08");
    let (mut register, body, names) = two_hundred(store, &clock).await;
    let channels: Vec<Channel> = (0..8).map(|_| register.channel()).collect();
    expect_five(&mut register, &channels, &body, &names).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_hundred_at_once_in_two_processes_confirm_five() {
    let clock = Clock::on("2024-03-08");
    let (mut register, body, names) = two_hundred(Store::Postgres, &clock).await;
    let mut other = register.sibling().await;
    let channels: Vec<Channel> = (0..8)
        .map(|place| {
            if place % 2 == 0 {
                register.channel()
            } else {
                other.channel()
            }
        })
        .collect();
    expect_five(&mut register, &channels, &body, &names).await;
    // It ends before the database goes with the first.
    other.stop();
}

async fn a_batch_of_two_hundred_confirms_five_and_an_atomic_one_none(store: Store) {
    let clock = Clock::on("2024-03-08");
    let (mut register, body_name, names) = two_hundred(store, &clock).await;
    let moves: Vec<_> = names
        .iter()
        .map(|name| RecommendationMove::from(confirms(name)))
        .collect();
    let mut client = register.recommendations();
    let request = |atomic: bool| BatchMoveRecommendationsRequest {
        moves: moves.clone(),
        atomic,
    };
    let none = client
        .batch_move_recommendations(request(true))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(none.done, 0);
    let count = |outcomes: &[mingce_proto::registry::MoveOutcome], reason: &str| {
        outcomes.iter().filter(|outcome| outcome.reason == reason).count()
    };
    assert_eq!(
        (
            count(&none.outcomes, "BATCH_REFUSED"),
            count(&none.outcomes, "CASE_BLOCKED")
        ),
        (5, 195)
    );
    assert_eq!(body(&register, &body_name).await.quotas[0].used, 0);
    let some = client
        .batch_move_recommendations(request(false))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((some.done, count(&some.outcomes, "CASE_BLOCKED")), (5, 195));
    let blocked = some.outcomes.iter().find(|outcome| !outcome.done).unwrap();
    assert_eq!(blocked.blockers[0].reason, "QUOTA_USED_UP");
    let mut done = Vec::new();
    for outcome in some.outcomes.iter().filter(|outcome| outcome.done) {
        done.push(recommendation(&register, &outcome.name).await);
    }
    expect_used(&mut register, &body_name, &done).await;
}

/// One person, recommended by many bodies whose notices are over.
async fn one_of_many(store: Store, clock: &Clock) -> (Register, Vec<String>) {
    const BODIES: usize = 12;
    let (register, programme) = started(store, clock).await;
    let bodies = bodies(&register, &programme, BODIES, clock).await;
    let person = register.talent().create_talent(creates(0)).await.unwrap().into_inner();
    let mut drafts = Vec::new();
    for body in &bodies {
        drafts.push(drafted(&register, body, &person.name, 2024).await.name);
    }
    move_on(&register, &drafts, clock).await;
    (register, drafts)
}

/// Confirms all at once, over these connections in turn, and expects that one is confirmed.
async fn expect_one(register: &mut Register, channels: &[Channel], names: &[String]) {
    let mut calls = JoinSet::new();
    for (name, channel) in names.iter().zip(channels.iter().cycle()) {
        calls.spawn(confirmed(channel.clone(), name.clone()));
    }
    let (mut done, mut subjects) = (Vec::new(), Vec::new());
    for answer in calls.join_all().await {
        match answer {
            Ok(recommendation) => done.push(recommendation.designation),
            Err(status) => {
                let told = failure(Err::<(), _>(status));
                assert_eq!(told.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{told:?}");
                assert_eq!(told.blockers[0].0, "FAMILY_TAKEN", "{told:?}");
                subjects.push(told.blockers[0].1.clone());
            }
        }
    }
    assert_eq!((done.len(), subjects.len()), (1, names.len() - 1));
    assert!(subjects.iter().all(|subject| *subject == done[0]), "{subjects:?}");
    register.stop();
    for query in [
        "SELECT count(*) FROM talent_designations",
        "SELECT count(*) FROM ledger WHERE verb = 'use_quota'",
    ] {
        assert_eq!(register.number(query).await, 1, "{query}");
    }
}

async fn one_person_whom_many_bodies_recommend_is_designated_once(store: Store) {
    let clock = Clock::on("2024-03-08");
    let (mut register, names) = one_of_many(store, &clock).await;
    let channels: Vec<Channel> = (0..8).map(|_| register.channel()).collect();
    expect_one(&mut register, &channels, &names).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_person_is_designated_once_by_two_processes() {
    let clock = Clock::on("2024-03-08");
    let (mut register, names) = one_of_many(Store::Postgres, &clock).await;
    let mut other = register.sibling().await;
    let channels = [register.channel(), other.channel()];
    expect_one(&mut register, &channels, &names).await;
    other.stop();
}
