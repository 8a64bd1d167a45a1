//! Overload: calls beyond the limit are refused at once and retried, and cancelled calls give their permits back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mingce_client::Peer;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use mingce_proto::talent::{CreateTalentRequest, ListTalentsRequest, Talent};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::builders::identifier;

on_both_stores!(
    a_burst_is_refused_in_part_at_once_and_done_once_by_retries,
    cancelled_calls_free_their_permits,
);

const CALLS: usize = 1600;
const CONNECTIONS: usize = 40;
/// How many calls the register takes at once where nothing is said.
const PERMITS: usize = 1024;

fn person(number: usize) -> CreateTalentRequest {
    let talent = Talent {
        display_name: "张三".to_owned(),
        identifiers: vec![identifier(&number.to_string())],
        ..Talent::default()
    };
    CreateTalentRequest {
        talent: Some(talent),
        request_id: format!("0192f3a4-5b6c-7d8e-9f01-{number:012}"),
        ..CreateTalentRequest::default()
    }
}

/// Does something while another process is in the way of every write.
async fn with_writes_blocked<T>(register: &Register, store: Store, work: impl Future<Output = T>) -> T {
    if store == Store::Sqlite {
        let options = SqliteConnectOptions::new().filename(register.sqlite_file());
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let done = work.await;
        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
        return done;
    }
    let hold = "BEGIN; SELECT sequence FROM ledger_head FOR UPDATE; \
                DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'let_go') LOOP \
                PERFORM pg_sleep(0.01); END LOOP; END $$; COMMIT; DROP TABLE let_go";
    let work = async {
        // The lock comes first: who has it sleeps.
        let sleeping = "SELECT count(*) FROM pg_stat_activity \
                        WHERE datname = current_database() AND wait_event = 'PgSleep'";
        let until = Instant::now() + Duration::from_secs(8);
        while register.number(sleeping).await == 0 {
            assert!(Instant::now() < until, "nobody has the lock");
        }
        let done = work.await;
        register.execute("CREATE TABLE let_go ()").await;
        done
    };
    tokio::join!(register.execute(hold), work).1
}

/// Waits for something that must come soon.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(8);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a person by a client that tries again.
async fn create(peer: &Peer, number: usize, refused: &AtomicUsize) -> Result<Talent, Status> {
    let until = Instant::now() + Duration::from_secs(30);
    let first = AtomicUsize::new(1);
    let created = peer.call(Some(until), |attempt| {
        let mut talent = TalentServiceClient::new(attempt.transport());
        let request = attempt.request(person(number));
        let is_first = first.swap(0, Ordering::Relaxed);
        async move {
            let answer = talent.create_talent(request).await;
            if let Err(status) = &answer {
                let told = failure(Err::<(), _>(status.clone()));
                let busy = [
                    (Code::ResourceExhausted, "OVERLOADED"),
                    (Code::ResourceExhausted, "WRITE_QUEUE_FULL"),
                ];
                assert!(busy.contains(&told.is()), "{told:?}");
                refused.fetch_add(is_first, Ordering::Relaxed);
            }
            Ok(answer?.into_inner())
        }
    });
    created.await
}

/// The names of all persons, as far as a list finds them.
async fn all(register: &Register) -> BTreeSet<String> {
    let mut talent = register.talent();
    let mut request = ListTalentsRequest {
        page_size: 1000,
        filter: "display_name = 张三".to_owned(),
        ..ListTalentsRequest::default()
    };
    let mut found = BTreeSet::new();
    loop {
        let page = talent.list_talents(request.clone()).await.unwrap().into_inner();
        for talent in page.talents {
            assert!(found.insert(talent.name), "a person stands on two pages");
        }
        if page.next_page_token.is_empty() {
            return found;
        }
        request.page_token = page.next_page_token;
    }
}

/// Each of so many persons was made once and never changed.
async fn expect_each_once(mut register: Register, persons: usize) {
    register.stop();
    let persons = i64::try_from(persons).unwrap();
    for count in [
        "SELECT count(*) FROM talents",
        "SELECT count(*) FROM ledger",
        "SELECT count(DISTINCT resource) FROM ledger",
        "SELECT count(*) FROM requests",
        "SELECT sequence FROM ledger_head",
    ] {
        assert_eq!(register.number(count).await, persons, "{count}");
    }
}

async fn a_burst_is_refused_in_part_at_once_and_done_once_by_retries(store: Store) {
    let register = Register::start(store).await;
    let (refused, mut calls) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let url = register.url();
    let begin = async {
        for connection in 0..CONNECTIONS {
            let peer = Peer::lazy("talent", &url).unwrap();
            for place in 0..CALLS / CONNECTIONS {
                let (peer, refused) = (peer.clone(), Arc::clone(&refused));
                let number = connection * (CALLS / CONNECTIONS) + place;
                calls.spawn(async move { create(&peer, number, &refused).await });
            }
        }
        // None of those that have a place comes to its end: the others do not wait for them.
        let beyond = CALLS - PERMITS;
        eventually("who finds no place is told so", || {
            refused.load(Ordering::Relaxed) >= beyond
        })
        .await;
    };
    with_writes_blocked(&register, store, begin).await;
    let mut names = BTreeSet::new();
    for made in calls.join_all().await {
        assert!(names.insert(made.unwrap().name), "two calls made one person");
    }
    assert_eq!(names.len(), CALLS);
    assert_eq!(all(&register).await, names);
    expect_each_once(register, CALLS).await;
}

async fn cancelled_calls_free_their_permits(store: Store) {
    const LEAVE: usize = 900;
    let register = Register::start(store).await;
    let channels: Vec<Channel> = (0..CONNECTIONS).map(|_| register.channel()).collect();
    let call = |number: usize| {
        let mut talent = TalentServiceClient::new(channels[number % CONNECTIONS].clone());
        async move { talent.create_talent(person(number)).await }
    };
    let mut stay = JoinSet::new();
    let leave_and_stay = async {
        let mut leave = JoinSet::new();
        for number in 0..LEAVE {
            leave.spawn(call(number));
        }
        // Fixed waits here: the register does not tell how many calls it has, nor that it has let go of some.
        tokio::time::sleep(Duration::from_millis(700)).await;
        leave.shutdown().await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        // With those that left there would be no places for these.
        for number in LEAVE..2 * LEAVE {
            stay.spawn(call(number));
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    };
    with_writes_blocked(&register, store, leave_and_stay).await;
    let mut names = BTreeSet::new();
    for made in stay.join_all().await {
        names.insert(made.unwrap().into_inner().name);
    }
    assert_eq!(names.len(), LEAVE);
    // What those that left wanted was done or not, but not by halves: asked for again it is there.
    let mut again = JoinSet::new();
    for number in 0..LEAVE {
        again.spawn(call(number));
    }
    for made in again.join_all().await {
        names.insert(made.unwrap().into_inner().name);
    }
    assert_eq!(all(&register).await, names);
    expect_each_once(register, 2 * LEAVE).await;
}
