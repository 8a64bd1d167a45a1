//! Batching changes nothing but the cost: the same calls at once end the same, whether they share statements and
//! transactions or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use mingce_orm::{Db, List, Mask, RequestContext, Store};
use mingce_proto::Classes;
use mingce_proto::codec::Reply;
use mingce_proto::labs::Organization;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use prost::Message;
use tokio::task::JoinSet;

use crate::collections::Institutes;
use crate::concurrent_ops::{PlannedCall, Request, bursts, label, plan};
use crate::fixture_db::{self, FixtureDb, Kind, Read, call, number, unmerge, with_id};
use crate::invariants;
use crate::read_batching::on_one_thread;
use crate::reference_model::{Op, Record};
use crate::write_queue::{block_writes, eventually, named};

/// How many calls share a statement or a transaction by default, and where none do.
const BATCHED: usize = 256;
const UNBATCHED: usize = 1;

/// What a call was answered: encoded resources, with nothing after each page that is not the last; or the reason.
type Answer = Result<Vec<Vec<u8>>, &'static str>;

/// The names that the records of one register really have, and what stands for them in a plan.
#[derive(Debug, Clone, Default)]
struct Names {
    real: BTreeMap<String, String>,
    made_up: Vec<(String, String)>,
}

impl Names {
    fn learn(&mut self, made_up: &str, real: &Organization) {
        self.real.insert(made_up.to_owned(), real.name.clone());
        self.made_up.push((real.name.clone(), made_up.to_owned()));
        self.made_up
            .push((real.uid.clone(), format!("{:>36}", self.real.len())));
    }

    fn real(&self, made_up: &str) -> String {
        self.real.get(made_up).cloned().unwrap_or_else(|| made_up.to_owned())
    }

    /// A message with the made-up names, which are as long as the real ones.
    fn translated(&self, mut message: Vec<u8>) -> Vec<u8> {
        for (real, made_up) in &self.made_up {
            assert_eq!(real.len(), made_up.len());
            let mut at = 0;
            while let Some(found) = message[at..].windows(real.len()).position(|w| w == real.as_bytes()) {
                at += found;
                message[at..at + real.len()].copy_from_slice(made_up.as_bytes());
            }
        }
        message
    }
}

/// A resource without when it was changed, and as which of all: calls of a burst come to the writer in any order.
fn unstamped(body: &[u8]) -> Vec<u8> {
    let mut item = Organization::decode(body).unwrap();
    (item.create_time, item.update_time, item.sequence) = (None, None, 0);
    item.encode_to_vec()
}

async fn send(store: &Store, planned: PlannedCall, names: Names) -> Answer {
    let cx = RequestContext {
        actor: planned.actor.clone(),
        now: planned.now,
        deadline: None,
        visible: Classes::ALL,
    };
    let real = |name: &str| names.real(name);
    let reply: mingce_orm::Result<Reply<Organization>> = match planned.request {
        Request::Change(op) => {
            // Every other call can be repeated.
            let call = if planned.now % 2_000 == 0 {
                call()
            } else {
                with_id("burst", &planned.actor, &Organization::default())
            };
            match op {
                Op::Create(input) => store.create::<Institutes>(&cx, call, "create", input.item()).await,
                Op::Update { name, etag, input } => {
                    let item = Organization {
                        name: real(&name),
                        etag,
                        ..input.item()
                    };
                    let mask = Mask::parse::<Institutes>(&input.paths(), &item, Classes::ALL).unwrap();
                    store.update::<Institutes>(&cx, call, item, mask).await
                }
                Op::Annul { name, etag } => store.annul::<Institutes>(&cx, call, &real(&name), &etag, "why").await,
                Op::Merge { name, survivor, etag } => {
                    let both = (real(&name), real(&survivor));
                    store
                        .merge::<Institutes>(&cx, call, (&both.0, &both.1), &etag, "why")
                        .await
                }
                Op::Unmerge { name, etag } => {
                    unmerge::<Institutes>(store, &cx, call, (&real(&name), &etag), "why").await
                }
                Op::Import(_) => unreachable!("an import is no single call"),
            }
        }
        Request::Get(name) => store.get::<Institutes>(&cx, &real(&name), 0).await,
        Request::List(..) | Request::Search(..) => return Ok(pages(store, &cx, &planned.request).await),
    };
    match reply {
        Ok(reply) => Ok(vec![reply.encode_to_vec()]),
        Err(error) => {
            assert!(error.detail().is_none(), "{}", error.detail().unwrap_or_default());
            Err(error.reason())
        }
    }
}

async fn pages(store: &Store, cx: &RequestContext, request: &Request) -> Vec<Vec<u8>> {
    let (mut told, mut token) = (Vec::new(), String::new());
    loop {
        let page = match request {
            Request::Search(query, size) => store.search::<Institutes>(cx, query, *size, &token, 0).await,
            Request::List(filter, size) => {
                let wanted = List {
                    page_size: *size,
                    page_token: &token,
                    filter,
                    ..List::default()
                };
                store.list::<Institutes>(cx, wanted).await
            }
            other => panic!("{other:?}"),
        };
        let page = page.unwrap();
        told.extend(page.items().unwrap().iter().map(Message::encode_to_vec));
        token = page.next_page_token;
        if token.is_empty() {
            return told;
        }
        told.push(Vec::new());
    }
}

/// An entry of the ledger: revision, verb, actor, changed fields and snapshot.
type Change = (i64, String, String, String, Vec<u8>);

/// What one run of a plan left: all answers, the resources, and the history of each.
#[derive(Debug, PartialEq)]
struct Outcome {
    told: Vec<Vec<Answer>>,
    register: BTreeMap<String, Vec<u8>>,
    ledger: BTreeMap<String, Vec<Change>>,
}

async fn run(db: &Db, limit: usize, planned: &[Vec<PlannedCall>]) -> Outcome {
    fixture_db::empty(db).await;
    let store = Arc::new(fixture_db::store(&db.clone().batched_by(limit)));
    let (mut names, mut told, mut made) = (Names::default(), Vec::new(), 0);
    for burst in planned {
        let mut calls = JoinSet::new();
        for (place, call) in burst.iter().cloned().enumerate() {
            let (store, names) = (Arc::clone(&store), names.clone());
            calls.spawn(async move { (place, send(&store, call, names).await) });
        }
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(place, _)| *place);
        for (call, (_, answer)) in burst.iter().zip(&answers) {
            if matches!(call.request, Request::Change(Op::Create(_))) {
                made += 1;
                if let Ok(bodies) = answer {
                    names.learn(&label(made), &Organization::decode(bodies[0].as_slice()).unwrap());
                }
            }
        }
        told.push(answers);
    }
    let translated =
        |answer: Answer| answer.map(|all| all.iter().map(|body| names.translated(unstamped(body))).collect());
    let told = told
        .into_iter()
        .map(|burst| burst.into_iter().map(|(_, answer)| translated(answer)).collect())
        .collect();
    let name = |real: &str| String::from_utf8(names.translated(real.as_bytes().to_vec())).unwrap();
    let items = invariants::check(db).await;
    let register = items
        .iter()
        .map(|item| (name(&item.name), names.translated(unstamped(&item.encode_to_vec()))))
        .collect();
    let mut ledger: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in invariants::ledger(db).await {
        let snapshot = names.translated(unstamped(&entry.snapshot));
        ledger.entry(name(&entry.resource)).or_default().push((
            entry.revision,
            entry.verb,
            entry.actor,
            entry.changed,
            snapshot,
        ));
    }
    Outcome { told, register, ledger }
}

fn records(answer: &Answer) -> Result<Vec<Record>, &'static str> {
    let read = |body: &Vec<u8>| Record::from(Organization::decode(body.as_slice()).unwrap());
    answer
        .as_ref()
        .map(|all| all.iter().filter(|body| !body.is_empty()).map(read).collect())
        .map_err(|reason| *reason)
}

fn bursts_end_the_same(kind: Kind, cases: u32) {
    let runtime = fixture_db::runtime();
    let (_fixture, db) = runtime.block_on(FixtureDb::new(kind));
    fixture_db::property(cases, bursts(), &runtime, |bursts| {
        let db = db.clone();
        async move {
            let planned = plan(&bursts);
            let shared = run(&db, BATCHED, &planned).await;
            for (call, answer) in planned.iter().flatten().zip(shared.told.iter().flatten()) {
                prop_assert_eq!(&records(answer), &call.expected, "{:?}", call);
            }
            let alone = run(&db, UNBATCHED, &planned).await;
            prop_assert_eq!(&shared, &alone);
            Ok::<_, TestCaseError>(())
        }
    });
}

#[test]
fn bursts_on_sqlite_end_the_same_with_and_without_batching() {
    bursts_end_the_same(Kind::Sqlite, 16);
}

#[test]
fn bursts_on_postgres_end_the_same_with_and_without_batching() {
    bursts_end_the_same(Kind::Postgres, 12);
}

#[test]
fn a_transaction_has_as_many_calls_as_the_batch_limit_allows() {
    on_one_thread(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        let other = fixture.open().await;
        for (limit, most) in [(UNBATCHED, 1..=1), (8, 8..=8), (BATCHED, 9..=40)] {
            fixture_db::empty(&db).await;
            // Two writers take what comes first, and wait; the others gather.
            let held = block_writes(&other).await;
            let store = Arc::new(fixture_db::store(&db.clone().batched_by(limit)));
            let mut calls = JoinSet::new();
            for place in 0..40 {
                let store = Arc::clone(&store);
                let item = named(&format!("n{place}"), &[&place.to_string()]);
                calls.spawn(async move {
                    store
                        .create::<Institutes>(&fixture_db::cx("user:x"), call(), "create", item)
                        .await
                        .map(|_| ())
                });
            }
            eventually("not all calls are queued", async || store.write_queue().accepted == 40).await;
            held.rollback().await.unwrap();
            for done in calls.join_all().await {
                done.unwrap();
            }
            let of_one =
                "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM institutes GROUP BY xmin::text) AS transactions";
            let seen = number(&db, of_one).await;
            assert!(most.contains(&seen), "{seen} by {limit}");
            assert_eq!(invariants::check(&db).await.len(), 40);
        }
    });
}

#[test]
fn a_change_of_a_row_that_cannot_be_read_fails_alone() {
    for (kind, limit) in [
        (Kind::Sqlite, BATCHED),
        (Kind::Sqlite, UNBATCHED),
        (Kind::Postgres, BATCHED),
        (Kind::Postgres, UNBATCHED),
    ] {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db.clone().batched_by(limit)));
            let mut made = Vec::new();
            for name in ["first", "broken", "third"] {
                made.push(fixture_db::make::<Institutes>(&store, named(name, &[name])).await);
            }
            let bytes = if kind == Kind::Postgres { "'\\xff'" } else { "x'ff'" };
            fixture_db::execute(
                &db,
                &format!("UPDATE institutes SET body = {bytes} WHERE name = '{}'", made[1].name),
            )
            .await;
            let mut calls = JoinSet::new();
            for (place, item) in made.iter().enumerate() {
                let (store, name) = (Arc::clone(&store), item.name.clone());
                calls.spawn(async move {
                    let done = store
                        .annul::<Institutes>(&fixture_db::cx("user:x"), call(), &name, "", "why")
                        .await;
                    (place, done.read().map(|o| o.revision).map_err(|e| e.reason()))
                });
            }
            let mut told = calls.join_all().await;
            told.sort_by_key(|t| t.0);
            assert_eq!(
                told,
                [(0, Ok(2)), (1, Err("INTERNAL")), (2, Ok(2))],
                "{kind:?} by {limit}"
            );
        });
    }
}
