//! Sharing changes nothing but the cost: the same calls at once end the same, whether they share statements and
//! transactions or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mingce_orm::text::{Query, sort_key};
use mingce_orm::{Cx, Db, List, Mask, Result, Store};
use mingce_proto::codec::Reply;
use mingce_proto::labs::Organization;
use mingce_proto::registry::RecordStatus;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;
use prost::Message;
use tokio::task::JoinSet;

use crate::audit;
use crate::collections::Institutes;
use crate::ground::{self, Ground, Kind, call, number, once};
use crate::model::{Model, Op, Record, Said};
use crate::writers::named;

/// How many calls share something where nothing is said, and where none do.
const SHARED: usize = 256;
const ALONE: usize = 1;

/// A call of a wave, before it is known which records there are.
#[derive(Debug, Clone)]
enum Step {
    Create(Said),
    Update(Index, bool, Said),
    Annul(Index, bool),
    Merge(Index, Index),
    Unmerge(Index),
    Get(Index),
    List(&'static str, i32),
    Search(&'static str, i32),
}

const FILTERS: &[&str] = &[
    "",
    "record_status:*",
    "city = 青岛",
    "names = Alpha",
    "names != 甲研究所",
    "identifiers = 3",
    "identifiers != 4",
    "NOT identifiers:*",
];

fn meets(filter: &str, record: &Record) -> bool {
    let is_active = record.status == RecordStatus::Active;
    let named = |name: &str| record.display_name == name || record.names.iter().any(|n| n.0 == name);
    let holds = |held: &str| record.identifiers.iter().any(|i| i == held);
    match filter {
        "" => is_active,
        "record_status:*" => true,
        "city = 青岛" => is_active && record.city == "青岛",
        "names = Alpha" => is_active && named("Alpha"),
        "names != 甲研究所" => is_active && !named("甲研究所"),
        "identifiers = 3" => is_active && holds("3"),
        "identifiers != 4" => is_active && !holds("4"),
        "NOT identifiers:*" => is_active && record.identifiers.is_empty(),
        other => panic!("{other}"),
    }
}

fn said() -> impl Strategy<Value = Said> {
    let names = prop::sample::select(vec![
        "Alpha",
        "ALPHA",
        "beta",
        "甲 研究所",
        "甲研究所",
        "乙",
        " ",
        "γ δ",
    ]);
    let held = prop::collection::vec((0..12u32).prop_map(|held| held.to_string()), 0..3);
    let city = prop::sample::select(vec!["", "青岛", "Berlin"]);
    (
        prop::option::weighted(0.9, names),
        prop::option::of(held),
        prop::option::of(city),
    )
        .prop_map(|(name, identifiers, city)| Said {
            display_name: name.map(str::to_owned),
            identifiers,
            city: city.map(str::to_owned),
        })
}

/// Waves of changes and single reads, and waves of nothing but reads.
fn waves() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let some = any::<Index>;
    let get = || some().prop_map(Step::Get);
    let change = prop_oneof![
        6 => said().prop_map(Step::Create),
        5 => (some(), any::<bool>(), said()).prop_map(|(at, stale, said)| Step::Update(at, stale, said)),
        1 => (some(), any::<bool>()).prop_map(|(at, stale)| Step::Annul(at, stale)),
        3 => (some(), some()).prop_map(|(at, into)| Step::Merge(at, into)),
        2 => some().prop_map(Step::Unmerge),
        2 => get(),
    ];
    let size = || 1..5i32;
    let read = prop_oneof![
        4 => get(),
        1 => (prop::sample::select(FILTERS), size()).prop_map(|(filter, size)| Step::List(filter, size)),
        1 => (prop::sample::select(vec!["甲", "研究", "alpha", "be", "yjs"]), size())
            .prop_map(|(query, size)| Step::Search(query, size)),
    ];
    let wave = prop_oneof![
        3 => prop::collection::vec(change, 1..16),
        1 => prop::collection::vec(read, 1..12),
    ];
    prop::collection::vec(wave, 2..10)
}

#[derive(Debug, Clone)]
enum Ask {
    Change(Op),
    Get(String),
    List(&'static str, i32),
    Search(&'static str, i32),
}

/// A call whose answer no order of its wave can change. Records have made-up names here: that of the third is 3.
#[derive(Debug, Clone)]
struct Planned {
    actor: String,
    now: i64,
    ask: Ask,
    expected: std::result::Result<Vec<Record>, &'static str>,
}

fn label(number: usize) -> String {
    format!("organizations/{number:026}")
}

/// What the calls of one wave read and change.
#[derive(Default)]
struct Touched {
    read: BTreeSet<String>,
    written: BTreeSet<String>,
    identifiers: BTreeSet<String>,
}

impl Touched {
    /// Takes what a change is about for it alone; not where another call of the wave is about it.
    fn write(&mut self, model: &Model, records: &[&String], said: Option<&Said>) -> bool {
        let held = records.iter().filter_map(|name| model.0.get(*name));
        let held = held.flat_map(|record| record.identifiers.clone());
        let said = said.and_then(|said| said.identifiers.clone()).unwrap_or_default();
        let identifiers: BTreeSet<_> = held.chain(said).collect();
        let is_free = records
            .iter()
            .all(|name| !self.read.contains(*name) && !self.written.contains(*name));
        if !is_free || !identifiers.is_disjoint(&self.identifiers) {
            return false;
        }
        self.written.extend(records.iter().map(|name| (*name).clone()));
        self.identifiers.extend(identifiers);
        true
    }
}

/// Leaves of each wave what is independent, and says by the model what it is answered.
fn plan(waves: &[Vec<Step>]) -> Vec<Vec<Planned>> {
    let (mut model, mut now, mut made) = (Model::default(), 1_790_000_000_000_000, 0);
    let mut planned = Vec::new();
    for wave in waves {
        let mut touched = Touched::default();
        let mut calls: Vec<Planned> = Vec::new();
        let before = model.clone();
        let names: Vec<String> = before.0.keys().cloned().chain([label(0)]).collect();
        let duplicates = before.0.values().filter(|r| r.status == RecordStatus::Duplicate);
        let duplicates: Vec<String> = duplicates.map(|r| r.name.clone()).chain([label(0)]).collect();
        let any = |at: &Index| names[at.index(names.len())].clone();
        let etag = |name: &str, stale: bool| match before.0.get(name) {
            Some(record) => format!("\"r{}\"", record.revision - i64::from(stale)),
            None => String::new(),
        };
        for (place, step) in wave.iter().enumerate() {
            let ask = match step {
                Step::Create(said) => touched
                    .write(&before, &[], Some(said))
                    .then(|| Ask::Change(Op::Create(said.clone()))),
                Step::Update(at, stale, said) => {
                    let (name, said) = (any(at), said.clone());
                    let etag = etag(&name, *stale);
                    touched
                        .write(&before, &[&name], Some(&said))
                        .then_some(Ask::Change(Op::Update { name, etag, said }))
                }
                Step::Annul(at, stale) => {
                    let name = any(at);
                    let etag = etag(&name, *stale);
                    touched
                        .write(&before, &[&name], None)
                        .then_some(Ask::Change(Op::Annul { name, etag }))
                }
                Step::Merge(at, into) => {
                    let (name, survivor) = (any(at), any(into));
                    let etag = String::new();
                    touched
                        .write(&before, &[&name, &survivor], None)
                        .then_some(Ask::Change(Op::Merge { name, survivor, etag }))
                }
                Step::Unmerge(at) => {
                    let name = duplicates[at.index(duplicates.len())].clone();
                    let survivor = before.0.get(&name).map_or(name.clone(), |r| r.survivor.clone());
                    let etag = String::new();
                    touched
                        .write(&before, &[&name, &survivor], None)
                        .then_some(Ask::Change(Op::Unmerge { name, etag }))
                }
                Step::Get(at) => {
                    let name = any(at);
                    let is_free = !touched.written.contains(&name);
                    touched.read.insert(name.clone());
                    is_free.then_some(Ask::Get(name))
                }
                Step::List(filter, size) => Some(Ask::List(filter, *size)),
                Step::Search(query, size) => Some(Ask::Search(query, *size)),
            };
            let Some(ask) = ask else { continue };
            now += 1_000;
            let expected = match &ask {
                Ask::Change(op) => {
                    made += usize::from(matches!(op, Op::Create(_)));
                    model.apply(op, &label(made)).map(|record| vec![record])
                }
                Ask::Get(name) => match before.0.get(name) {
                    Some(record) => Ok(vec![record.clone()]),
                    None => Err("RESOURCE_NOT_FOUND"),
                },
                Ask::List(filter, _) => {
                    let mut found: Vec<_> = before.0.values().filter(|r| meets(filter, r)).cloned().collect();
                    found.sort_by_key(|r| (sort_key(&r.display_name), r.name.clone()));
                    Ok(found)
                }
                Ask::Search(query, _) => Ok(searched(&before, query)),
            };
            let actor = format!("user:{}-{place}", planned.len());
            calls.push(Planned {
                actor,
                now,
                ask,
                expected,
            });
        }
        planned.push(calls);
    }
    planned
}

fn searched(model: &Model, query: &str) -> Vec<Record> {
    let parsed = Query::parse(query).unwrap();
    let accepted = |r: &&Record| {
        let names = std::iter::once(&r.display_name).chain(r.names.iter().map(|n| &n.0));
        r.status == RecordStatus::Active && parsed.accepts(names.map(String::as_str))
    };
    let mut found: Vec<_> = model.0.values().filter(accepted).cloned().collect();
    found.sort_by_key(|r| {
        let mut names = std::iter::once(&r.display_name).chain(r.names.iter().map(|n| &n.0));
        let whole = names.any(|name| mingce_orm::text::fold(name) == parsed.whole());
        (!whole, sort_key(&r.display_name), r.name.clone())
    });
    found
}

/// What a call was answered: encoded resources, with nothing after each page that is not the last; or the reason.
type Told = std::result::Result<Vec<Vec<u8>>, &'static str>;

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

async fn send(store: &Store, planned: Planned, names: Names) -> Told {
    let cx = Cx {
        actor: planned.actor.clone(),
        now: planned.now,
        deadline: None,
    };
    let real = |name: &str| names.real(name);
    let reply: Result<Reply<Organization>> = match planned.ask {
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
                Op::Unmerge { name, etag } => store.unmerge::<Institutes>(&cx, call, &real(&name), &etag, "why").await,
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

async fn pages(store: &Store, cx: &Cx, ask: &Ask) -> Vec<Vec<u8>> {
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

/// What one run of a plan left: all answers, the resources, and the history of each.
#[derive(Debug, PartialEq)]
struct End {
    told: Vec<Vec<Told>>,
    register: BTreeMap<String, Vec<u8>>,
    ledger: BTreeMap<String, Vec<(i64, String, String, String, Vec<u8>)>>,
}

async fn run(db: &Db, share: usize, planned: &[Vec<Planned>]) -> End {
    ground::empty(db).await;
    let store = Arc::new(ground::store(&db.clone().shared_by(share)));
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
    let translated = |answer: Told| answer.map(|all| all.into_iter().map(|body| names.translated(body)).collect());
    let told = told
        .into_iter()
        .map(|wave| wave.into_iter().map(|(_, answer)| translated(answer)).collect())
        .collect();
    let name = |real: &str| String::from_utf8(names.translated(real.as_bytes().to_vec())).unwrap();
    let items = audit::check(db).await;
    let register = items
        .iter()
        .map(|item| (name(&item.name), names.translated(item.encode_to_vec())))
        .collect();
    let mut ledger: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in audit::ledger(db).await {
        let snapshot = names.translated(entry.snapshot);
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

fn records(answer: &Told) -> std::result::Result<Vec<Record>, &'static str> {
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
    // On one thread all calls wait before a writer looks.
    crate::shared_reads::on_one_thread(async {
        let (_ground, db) = Ground::new(Kind::Postgres).await;
        for (share, transactions) in [(ALONE, 40), (8, 5), (SHARED, 1)] {
            ground::empty(&db).await;
            let store = Arc::new(ground::store(&db.clone().shared_by(share)));
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
            for done in calls.join_all().await {
                done.unwrap();
            }
            let seen = number(&db, "SELECT COUNT(DISTINCT xmin::text) FROM institutes").await;
            assert_eq!(seen, transactions, "by {share}");
            assert_eq!(audit::check(&db).await.len(), 40);
        }
    });
}
