//! Random histories against the reference model: calls in sequence and at once, by one store and by two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mingce_orm::db::database::MAX_BATCH;
use mingce_orm::{Call, Mask, Store};
use mingce_proto::Classes;
use mingce_proto::labs::Organization;
use mingce_proto::registry::RecordStatus;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;
use sea_orm::DbBackend;
use tokio::task::JoinSet;

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, cx, unmerge, with_id};
use crate::import_rows::imported;
use crate::invariants;
use crate::reference_model::{Input, Model, Op, Record};

/// A change in a history, before it is known which records there are.
#[derive(Debug, Clone)]
enum Step {
    Create(Input),
    Update(Index, Etag, Input),
    Annul(Index, Etag),
    Merge(Index, Index, Etag),
    Unmerge(Index, Etag),
    Import(Input),
    /// An earlier call, or one of the same burst, again.
    Again(Index),
    /// Another call under the request id of an earlier one.
    Reuse(Index),
}

#[derive(Debug, Clone, Copy)]
enum Etag {
    None,
    Fresh,
    Stale,
}

fn input() -> impl Strategy<Value = Input> {
    let names = prop::sample::select(vec![
        "Alpha",
        "ALPHA",
        "beta",
        "甲 研究所",
        "甲研究所",
        "乙",
        " ",
        "γ",
        "δ",
        "epsilon",
    ]);
    let held = prop::collection::vec(prop::sample::select(vec!["1", "2", "3", "4", "5", "6", "7"]), 0..3);
    let city = prop::sample::select(vec!["", "青岛", "Berlin"]);
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    (
        prop::option::weighted(0.8, names),
        prop::option::of(held),
        prop::option::of(city),
    )
        .prop_map(move |(name, held, city)| Input {
            display_name: name.map(str::to_owned),
            identifiers: held.map(owned),
            city: city.map(str::to_owned),
        })
}

fn step() -> impl Strategy<Value = Step> {
    let etag = || prop_oneof![3 => Just(Etag::None), 3 => Just(Etag::Fresh), 1 => Just(Etag::Stale)];
    let some = any::<Index>;
    prop_oneof![
        4 => input().prop_map(Step::Create),
        4 => (some(), etag(), input()).prop_map(|(at, etag, input)| Step::Update(at, etag, input)),
        1 => (some(), etag()).prop_map(|(at, etag)| Step::Annul(at, etag)),
        3 => (some(), some(), etag()).prop_map(|(at, into, etag)| Step::Merge(at, into, etag)),
        2 => (some(), etag()).prop_map(|(at, etag)| Step::Unmerge(at, etag)),
        3 => input().prop_map(Step::Import),
        3 => some().prop_map(Step::Again),
        1 => some().prop_map(Step::Reuse),
    ]
}

/// Bursts: the steps of one are sent at the same moment.
fn bursts() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let burst = prop_oneof![2 => prop::collection::vec(step(), 1), 1 => prop::collection::vec(step(), 2..12)];
    prop::collection::vec(burst, 1..50)
}

/// A call of a history. Its actor is its own, so that the ledger tells what it did; a retry has the same.
#[derive(Debug, Clone)]
struct Request {
    actor: String,
    op: Op,
}

/// What became of a call.
type Answer = Result<Record, &'static str>;

async fn send(store: &Store, request: &Request) -> Answer {
    let cx = cx(&request.actor);
    let call = with_id(
        "history",
        &request.actor,
        &Organization {
            city: format!("{:?}", request.op),
            ..Organization::default()
        },
    );
    let done = match request.op.clone() {
        Op::Create(input) => store
            .create::<Institutes>(&cx, call, "create", input.item())
            .await
            .read(),
        Op::Update { name, etag, input } => {
            let item = Organization {
                name,
                etag,
                ..input.item()
            };
            let mask = Mask::parse::<Institutes>(&input.paths(), &item, Classes::ALL).unwrap();
            store.update::<Institutes>(&cx, call, item, mask).await.read()
        }
        Op::Annul { name, etag } => store.annul::<Institutes>(&cx, call, &name, &etag, "why").await.read(),
        Op::Merge { name, survivor, etag } => store
            .merge::<Institutes>(&cx, call, (&name, &survivor), &etag, "why")
            .await
            .read(),
        Op::Unmerge { name, etag } => unmerge::<Institutes>(store, &cx, call, (&name, &etag), "why")
            .await
            .read(),
        Op::Import(input) => {
            let edit = imported(store, &cx, input.item());
            let mut done = store.change_each(&cx, vec![edit]).await.unwrap();
            done.pop().unwrap().and_then(|answer| answer.decode::<Institutes>())
        }
    };
    done.map(Record::from).map_err(|error| {
        assert!(error.detail().is_none(), "{}", error.detail().unwrap_or_default());
        error.reason()
    })
}

fn verb(op: &Op) -> &'static str {
    match op {
        Op::Create(_) => "create",
        Op::Update { .. } => "update",
        Op::Annul { .. } => "annul",
        Op::Merge { .. } => "merge",
        Op::Unmerge { .. } => "unmerge",
        Op::Import(_) => "import",
    }
}

/// A history under way: what was sent, and what the model says of it.
struct History {
    stores: Vec<Arc<Store>>,
    model: Model,
    sent: Vec<Request>,
    /// What calls with a request id were answered for good.
    answered: BTreeMap<String, (Op, Record)>,
    entries: usize,
}

impl History {
    fn request(&self, step: &Step, in_burst: &[Request], alone: bool) -> Option<Request> {
        let nowhere = format!("organizations/{}", "0".repeat(26));
        // Mostly one of this status; now and then any, or a name that leads nowhere.
        let pick = |at: &Index, status: RecordStatus| {
            let of_status = self.model.0.values().filter(|r| r.status == status);
            let all: Vec<_> = of_status
                .chain(self.model.0.values().take(2))
                .map(|r| r.name.as_str())
                .chain([&*nowhere])
                .collect();
            all[at.index(all.len())].to_owned()
        };
        let active = |at: &Index| pick(at, RecordStatus::Active);
        let duplicate = |at: &Index| pick(at, RecordStatus::Duplicate);
        let etag = |etag: &Etag, name: &str| match etag {
            Etag::None => String::new(),
            Etag::Stale => "\"r0\"".to_owned(),
            Etag::Fresh => self
                .model
                .0
                .get(name)
                .map_or(String::new(), |r| format!("\"r{}\"", r.revision)),
        };
        let earlier = |at: &Index| {
            let all: Vec<_> = self
                .sent
                .iter()
                .chain(in_burst)
                .filter(|r| !matches!(r.op, Op::Import(_)))
                .collect();
            if all.is_empty() {
                None
            } else {
                Some(all[at.index(all.len())].clone())
            }
        };
        let op = match step {
            Step::Create(input) => Op::Create(input.clone()),
            Step::Import(input) => Op::Import(input.clone()),
            Step::Update(at, e, input) => Op::Update {
                name: active(at),
                etag: etag(e, &active(at)),
                input: input.clone(),
            },
            Step::Annul(at, e) => Op::Annul {
                name: active(at),
                etag: etag(e, &active(at)),
            },
            Step::Merge(at, into, e) => Op::Merge {
                name: active(at),
                survivor: active(into),
                etag: etag(e, &active(at)),
            },
            Step::Unmerge(at, e) => Op::Unmerge {
                name: duplicate(at),
                etag: etag(e, &duplicate(at)),
            },
            Step::Again(at) => return earlier(at),
            Step::Reuse(at) if alone => {
                let op = Op::Create(Input {
                    display_name: Some("reused".into()),
                    ..Input::default()
                });
                return earlier(at).map(|request| Request { op, ..request });
            }
            Step::Reuse(_) => return None,
        };
        Some(Request {
            actor: format!("user:{}-{}", self.sent.len(), in_burst.len()),
            op,
        })
    }

    /// Sends the steps of a burst at once, and looks for an order of them that explains every answer.
    async fn burst(&mut self, db: &mingce_orm::Db, steps: &[Step]) -> Result<(), TestCaseError> {
        // PostgreSQL keeps imports apart that look for names, but not from a call that makes or takes a name without
        // looking.
        let is_import = |step: &Step| matches!(step, Step::Import(_));
        let imports_only = db.backend() == DbBackend::Postgres && steps.iter().any(is_import);
        let mut requests: Vec<Request> = Vec::new();
        for step in steps.iter().filter(|step| !imports_only || is_import(step)) {
            let next = self.request(step, &requests, steps.len() == 1);
            requests.extend(next);
        }
        let mut tasks = JoinSet::new();
        for (place, request) in requests.iter().cloned().enumerate() {
            let store = Arc::clone(&self.stores[place % self.stores.len()]);
            tasks.spawn(async move { (place, send(&store, &request).await) });
        }
        let mut answers: Vec<Option<Answer>> = vec![None; requests.len()];
        while let Some(done) = tasks.join_next().await {
            let (place, answer) = done.unwrap();
            answers[place] = Some(answer);
        }
        let answers: Vec<Answer> = answers.into_iter().map(Option::unwrap).collect();

        // Replays what the ledger says was done, in its order; between them lie all states that anybody can have seen.
        let entries = invariants::ledger(db).await;
        let mut states = vec![self.model.clone()];
        let mut done: BTreeMap<&str, (usize, Record)> = BTreeMap::new();
        let mut new = &entries[self.entries..];
        while let Some(first) = new.first() {
            let length = new.iter().take_while(|e| e.actor == first.actor).count();
            let (own, rest) = new.split_at(length);
            let Some(request) = requests.iter().find(|r| r.actor == first.actor) else {
                return Err(TestCaseError::fail(format!("nobody asked for {first:?}")));
            };
            let before = &states[states.len() - 1];
            let mut after = before.clone();
            let answer = after.apply(&request.op, &first.resource);
            let Ok(record) = answer else {
                return Err(TestCaseError::fail(format!("{request:?} was done, but is {answer:?}")));
            };
            let changed: BTreeSet<_> = after
                .0
                .values()
                .filter(|r| before.0.get(&r.name) != Some(r))
                .map(|r| &r.name)
                .collect();
            prop_assert_eq!(
                changed,
                own.iter().map(|e| &e.resource).collect::<BTreeSet<_>>(),
                "{:?}",
                request
            );
            prop_assert_eq!(
                own.len(),
                own.iter().map(|e| &e.resource).collect::<BTreeSet<_>>().len()
            );
            prop_assert!(
                own.iter().all(|e| e.verb == verb(&request.op)),
                "{:?}: {:?}",
                request,
                own
            );
            prop_assert!(
                done.insert(&request.actor, (states.len(), record)).is_none(),
                "done twice: {:?}",
                request
            );
            states.push(after);
            new = rest;
        }
        self.entries = entries.len();

        for (request, answer) in requests.iter().zip(&answers) {
            // This is told from the request alone, before its id is looked up.
            let of_itself = matches!(&request.op, Op::Merge { name, survivor, .. } if name == survivor);
            if let Some((op, first)) = self.answered.get(&request.actor).filter(|_| !of_itself) {
                let expected = if *op == request.op {
                    Ok(first.clone())
                } else {
                    Err("REQUEST_ID_REUSED")
                };
                prop_assert_eq!(answer, &expected, "{:?}", request);
                continue;
            }
            match (answer, done.get(request.actor.as_str())) {
                (Ok(record), Some((_, expected))) => prop_assert_eq!(record, expected, "{:?}", request),
                (Ok(record), None) => {
                    let so_already = |state: &Model| state.clone().apply(&request.op, "").is_ok_and(|r| r == *record);
                    let unchanged = |state: &Model| {
                        let mut after = state.clone();
                        after.apply(&request.op, "").is_ok() && after == *state
                    };
                    prop_assert!(
                        states.iter().any(|s| so_already(s) && unchanged(s)),
                        "{:?}: {:?}",
                        request,
                        record
                    );
                }
                // Allowed to a writer that others overtook time and again; nothing is done then.
                (Err("CONCURRENT_CHANGE"), None) if requests.len() > 1 => {}
                (Err(reason), at) => {
                    // One that was done cannot fail afterwards.
                    let seen = at.map_or(states.len(), |(at, _)| *at);
                    let fails = |state: &Model| state.clone().apply(&request.op, "").err() == Some(reason);
                    prop_assert!(
                        states[..seen].iter().any(fails),
                        "{:?}: {} in none of {:#?}",
                        request,
                        reason,
                        states
                    );
                }
            }
        }
        for (request, answer) in requests.into_iter().zip(answers) {
            if let (Ok(record), false) = (answer, matches!(request.op, Op::Import(_))) {
                self.answered
                    .entry(request.actor.clone())
                    .or_insert_with(|| (request.op.clone(), record));
            }
            self.sent.push(request);
        }
        self.model = states.pop().unwrap();
        Ok(())
    }
}

fn histories(kind: Kind, stores: usize, limit: usize, cases: u32) {
    let runtime = fixture_db::runtime();
    let (fixture, db) = runtime.block_on(FixtureDb::new(kind));
    let databases: Vec<_> = (1..stores)
        .map(|_| runtime.block_on(fixture.open()))
        .chain([db.clone()])
        .collect();
    let stores: Vec<_> = runtime.block_on(async {
        databases
            .iter()
            .map(|db| Arc::new(fixture_db::store(&db.clone().batched_by(limit))))
            .collect()
    });
    fixture_db::property(cases, bursts(), &runtime, |bursts| {
        let (db, stores) = (db.clone(), stores.clone());
        async move {
            fixture_db::empty(&db).await;
            let (model, sent, answered) = (Model::default(), Vec::new(), BTreeMap::new());
            let mut history = History {
                stores,
                model,
                sent,
                answered,
                entries: 0,
            };
            for steps in &bursts {
                history.burst(&db, steps).await?;
            }
            let items = invariants::check(&db).await;
            let found: BTreeMap<_, _> = items
                .into_iter()
                .map(|item| (item.name.clone(), Record::from(item)))
                .collect();
            prop_assert_eq!(found, history.model.0);
            Ok(())
        }
    });
}

#[test]
fn a_history_on_sqlite_is_what_the_rules_say() {
    histories(Kind::Sqlite, 1, MAX_BATCH, 60);
}

#[test]
fn a_history_on_postgres_is_what_the_rules_say() {
    histories(Kind::Postgres, 1, MAX_BATCH, 40);
}

#[test]
fn two_stores_on_one_sqlite_database_are_as_one() {
    histories(Kind::Sqlite, 2, MAX_BATCH, 40);
}

#[test]
fn two_stores_on_one_postgres_database_are_as_one() {
    histories(Kind::Postgres, 2, MAX_BATCH, 40);
}

#[test]
fn a_history_of_calls_that_share_nothing_is_what_the_rules_say_on_sqlite() {
    histories(Kind::Sqlite, 1, 1, 20);
}

#[test]
fn a_history_of_calls_that_share_nothing_is_what_the_rules_say_on_postgres() {
    histories(Kind::Postgres, 1, 1, 20);
}

#[test]
fn a_retry_that_overtakes_its_first_call_is_answered_the_same() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        fixture_db::block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let stores = [
                Arc::new(fixture_db::store(&db)),
                Arc::new(fixture_db::store(&fixture.open().await)),
            ];
            for round in 0..60 {
                let input = Input {
                    display_name: Some("A".into()),
                    identifiers: Some(vec![round.to_string()]),
                    city: None,
                };
                let request = Request {
                    actor: format!("user:{round}"),
                    op: Op::Create(input),
                };
                let mut tasks = JoinSet::new();
                for place in 0..4 {
                    let (store, request) = (Arc::clone(&stores[place % 2]), request.clone());
                    tasks.spawn(async move { send(&store, &request).await });
                }
                let answers = tasks.join_all().await;
                assert!(
                    answers.iter().all(|a| a.is_ok() && *a == answers[0]),
                    "{kind:?} {round}: {answers:#?}"
                );
            }
            assert_eq!(invariants::check(&db).await.len(), 60);
        });
    }
}

#[test]
fn merges_are_taken_back_in_the_order_in_which_they_were_made() {
    fixture_db::block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        let named = |name: &str| Organization {
            display_name: name.into(),
            ..Organization::default()
        };
        let mut made = Vec::new();
        for name in ["A", "B", "C"] {
            made.push(fixture_db::make::<Institutes>(&store, named(name)).await);
        }
        let cx = cx("user:x");
        for (name, into) in [(0, 1), (1, 2)] {
            let names = (made[name].name.as_str(), made[into].name.as_str());
            store
                .merge::<Institutes>(&cx, Call::default(), names, "", "same")
                .await
                .read()
                .unwrap();
        }
        for name in [0, 1] {
            unmerge::<Institutes>(&store, &cx, Call::default(), (&made[name].name, ""), "not same")
                .await
                .read()
                .unwrap();
        }
        for before in &made {
            let after = store.get::<Institutes>(&cx, &before.name, 0).await.read().unwrap();
            let fields = |o: &Organization| {
                (
                    o.record_status,
                    o.survivor.clone(),
                    o.display_name.clone(),
                    o.names.clone(),
                )
            };
            assert_eq!(fields(&after), fields(before));
        }
        invariants::check(&db).await;
    });
}
