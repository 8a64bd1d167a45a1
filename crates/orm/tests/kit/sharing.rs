//! Sharing changes nothing but the cost: the same calls at once end the same, whether they share statements and
//! transactions or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mingce_orm::{Db, List, Mask, RequestContext, Store};
use mingce_proto::codec::Reply;
use mingce_proto::labs::Organization;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use prost::Message;
use tokio::task::JoinSet;

use crate::audit;
use crate::collections::Institutes;
use crate::ground::{self, Ground, Kind, Read, call, number, once, unmerge};
use crate::model::{Op, Record};
use crate::shared_reads::on_one_thread;
use crate::waves::{Ask, Planned, label, plan, waves};
use crate::writers::{hold, named};

/// How many calls share something where nothing is said, and where none do.
const SHARED: usize = 256;
const ALONE: usize = 1;

/// What a call was answered: encoded resources, with nothing after each page that is not the last; or the reason.
type Told = Result<Vec<Vec<u8>>, &'static str>;

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

/// A resource without when it was changed, and as which of all: calls of a wave come to the writer in any order.
fn unstamped(body: &[u8]) -> Vec<u8> {
    let mut item = Organization::decode(body).unwrap();
    (item.create_time, item.update_time, item.sequence) = (None, None, 0);
    item.encode_to_vec()
}

async fn send(store: &Store, planned: Planned, names: Names) -> Told {
    let cx = RequestContext {
        actor: planned.actor.clone(),
        now: planned.now,
        deadline: None,
    };
    let real = |name: &str| names.real(name);
    let reply: mingce_orm::Result<Reply<Organization>> = match planned.ask {
        Ask::Change(op) => {
            // Every other call can be repeated.
            let call = if planned.now % 2_000 == 0 {
                call()
            } else {
                once("wave", &planned.actor, &Organization::default())
            };
            match op {
                Op::Create(said) => store.create::<Institutes>(&cx, call, "create", said.item()).await,
                Op::Update { name, etag, said } => {
                    let item = Organization {
                        name: real(&name),
                        etag,
                        ..said.item()
                    };
                    let mask = Mask::parse::<Institutes>(&said.paths(), &item).unwrap();
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
        Ask::Get(name) => store.get::<Institutes>(&cx, &real(&name), 0).await,
        Ask::List(..) | Ask::Search(..) => return Ok(pages(store, &cx, &planned.ask).await),
    };
    match reply {
        Ok(reply) => Ok(vec![reply.encode_to_vec()]),
        Err(error) => {
            assert!(error.detail().is_none(), "{}", error.detail().unwrap_or_default());
            Err(error.reason())
        }
    }
}

async fn pages(store: &Store, cx: &RequestContext, ask: &Ask) -> Vec<Vec<u8>> {
    let (mut told, mut token) = (Vec::new(), String::new());
    loop {
        let page = match ask {
            Ask::Search(query, size) => store.search::<Institutes>(cx, query, *size, &token, 0).await,
            Ask::List(filter, size) => {
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
struct End {
    told: Vec<Vec<Told>>,
    register: BTreeMap<String, Vec<u8>>,
    ledger: BTreeMap<String, Vec<Change>>,
}

async fn run(db: &Db, share: usize, planned: &[Vec<Planned>]) -> End {
    ground::empty(db).await;
    let store = Arc::new(ground::store(&db.clone().batched_by(share)));
    let (mut names, mut told, mut made) = (Names::default(), Vec::new(), 0);
    for wave in planned {
        let mut calls = JoinSet::new();
        for (place, call) in wave.iter().cloned().enumerate() {
            let (store, names) = (Arc::clone(&store), names.clone());
            calls.spawn(async move { (place, send(&store, call, names).await) });
        }
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(place, _)| *place);
        for (call, (_, answer)) in wave.iter().zip(&answers) {
            if matches!(call.ask, Ask::Change(Op::Create(_))) {
                made += 1;
                if let Ok(bodies) = answer {
                    names.learn(&label(made), &Organization::decode(bodies[0].as_slice()).unwrap());
                }
            }
        }
        told.push(answers);
    }
    let translated =
        |answer: Told| answer.map(|all| all.iter().map(|body| names.translated(unstamped(body))).collect());
    let told = told
        .into_iter()
        .map(|wave| wave.into_iter().map(|(_, answer)| translated(answer)).collect())
        .collect();
    let name = |real: &str| String::from_utf8(names.translated(real.as_bytes().to_vec())).unwrap();
    let items = audit::check(db).await;
    let register = items
        .iter()
        .map(|item| (name(&item.name), names.translated(unstamped(&item.encode_to_vec()))))
        .collect();
    let mut ledger: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in audit::ledger(db).await {
        let snapshot = names.translated(unstamped(&entry.snapshot));
        ledger.entry(name(&entry.resource)).or_default().push((
            entry.revision,
            entry.verb,
            entry.actor,
            entry.changed,
            snapshot,
        ));
    }
    End { told, register, ledger }
}

fn records(answer: &Told) -> Result<Vec<Record>, &'static str> {
    let read = |body: &Vec<u8>| Record::from(Organization::decode(body.as_slice()).unwrap());
    answer
        .as_ref()
        .map(|all| all.iter().filter(|body| !body.is_empty()).map(read).collect())
        .map_err(|reason| *reason)
}

fn waves_end_the_same(kind: Kind, cases: u32) {
    let runtime = ground::runtime();
    let (_ground, db) = runtime.block_on(Ground::new(kind));
    ground::property(cases, waves(), &runtime, |waves| {
        let db = db.clone();
        async move {
            let planned = plan(&waves);
            let shared = run(&db, SHARED, &planned).await;
            for (call, answer) in planned.iter().flatten().zip(shared.told.iter().flatten()) {
                prop_assert_eq!(&records(answer), &call.expected, "{:?}", call);
            }
            let alone = run(&db, ALONE, &planned).await;
            prop_assert_eq!(&shared, &alone);
            Ok::<_, TestCaseError>(())
        }
    });
}

#[test]
fn waves_of_calls_on_sqlite_end_the_same_whether_they_share_or_not() {
    waves_end_the_same(Kind::Sqlite, 16);
}

#[test]
fn waves_of_calls_on_postgres_end_the_same_whether_they_share_or_not() {
    waves_end_the_same(Kind::Postgres, 12);
}

#[test]
fn so_many_calls_share_a_transaction_as_is_said() {
    on_one_thread(async {
        let (ground, db) = Ground::new(Kind::Postgres).await;
        let other = ground.open().await;
        for (share, most) in [(ALONE, 1..=1), (8, 8..=8), (SHARED, 9..=40)] {
            ground::empty(&db).await;
            // Two writers take what comes first, and wait; the others gather.
            let held = hold(&other).await;
            let store = Arc::new(ground::store(&db.clone().batched_by(share)));
            let mut calls = JoinSet::new();
            for place in 0..40 {
                let store = Arc::clone(&store);
                let item = named(&format!("n{place}"), &[&place.to_string()]);
                calls.spawn(async move {
                    store
                        .create::<Institutes>(&ground::cx("user:x"), call(), "create", item)
                        .await
                        .map(|_| ())
                });
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            held.rollback().await.unwrap();
            for done in calls.join_all().await {
                done.unwrap();
            }
            let of_one =
                "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM institutes GROUP BY xmin::text) AS transactions";
            let seen = number(&db, of_one).await;
            assert!(most.contains(&seen), "{seen} by {share}");
            assert_eq!(audit::check(&db).await.len(), 40);
        }
    });
}

#[test]
fn a_change_of_a_row_that_cannot_be_read_fails_alone() {
    for (kind, share) in [
        (Kind::Sqlite, SHARED),
        (Kind::Sqlite, ALONE),
        (Kind::Postgres, SHARED),
        (Kind::Postgres, ALONE),
    ] {
        on_one_thread(async {
            let (_ground, db) = Ground::new(kind).await;
            let store = Arc::new(ground::store(&db.clone().batched_by(share)));
            let mut made = Vec::new();
            for name in ["first", "broken", "third"] {
                made.push(ground::make::<Institutes>(&store, named(name, &[name])).await);
            }
            let bytes = if kind == Kind::Postgres { "'\\xff'" } else { "x'ff'" };
            ground::execute(
                &db,
                &format!("UPDATE institutes SET body = {bytes} WHERE name = '{}'", made[1].name),
            )
            .await;
            let mut calls = JoinSet::new();
            for (place, item) in made.iter().enumerate() {
                let (store, name) = (Arc::clone(&store), item.name.clone());
                calls.spawn(async move {
                    let done = store
                        .annul::<Institutes>(&ground::cx("user:x"), call(), &name, "", "why")
                        .await;
                    (place, done.read().map(|o| o.revision).map_err(|e| e.reason()))
                });
            }
            let mut told = calls.join_all().await;
            told.sort_by_key(|t| t.0);
            assert_eq!(
                told,
                [(0, Ok(2)), (1, Err("INTERNAL")), (2, Ok(2))],
                "{kind:?} by {share}"
            );
        });
    }
}
