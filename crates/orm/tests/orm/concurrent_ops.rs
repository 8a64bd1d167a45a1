//! Bursts of concurrent calls that do not touch each other, with the answers that the model gives.

use std::collections::BTreeSet;

use mingce_orm::text::{Query, sort_key};
use mingce_proto::registry::RecordStatus;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::reference_model::{Input, Model, Op, Record};

/// A call of a burst, before it is known which records there are.
#[derive(Debug, Clone)]
pub enum Step {
    Create(Input),
    Update(Index, bool, Input),
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

fn input() -> impl Strategy<Value = Input> {
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
        .prop_map(|(name, identifiers, city)| Input {
            display_name: name.map(str::to_owned),
            identifiers,
            city: city.map(str::to_owned),
        })
}

/// Bursts of changes and single reads, and bursts of nothing but reads.
pub fn bursts() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let some = any::<Index>;
    let get = || some().prop_map(Step::Get);
    let change = prop_oneof![
        6 => input().prop_map(Step::Create),
        5 => (some(), any::<bool>(), input()).prop_map(|(at, stale, input)| Step::Update(at, stale, input)),
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
    let burst = prop_oneof![
        3 => prop::collection::vec(change, 1..16),
        1 => prop::collection::vec(read, 1..12),
    ];
    prop::collection::vec(burst, 2..10)
}

#[derive(Debug, Clone)]
pub enum Request {
    Change(Op),
    Get(String),
    List(&'static str, i32),
    Search(&'static str, i32),
}

/// A call whose answer no order of its burst can change. Records have made-up names here: that of the third is 3.
#[derive(Debug, Clone)]
pub struct PlannedCall {
    pub actor: String,
    pub now: i64,
    pub request: Request,
    pub expected: Result<Vec<Record>, &'static str>,
}

/// The made-up name of a record.
pub fn label(number: usize) -> String {
    format!("organizations/{number:026}")
}

/// What the calls of one burst read and change.
#[derive(Default)]
struct Touched {
    read: BTreeSet<String>,
    written: BTreeSet<String>,
    identifiers: BTreeSet<String>,
}

impl Touched {
    /// Takes what a change is about for it alone; not where another call of the burst is about it.
    fn write(&mut self, model: &Model, records: &[&String], input: Option<&Input>) -> bool {
        let held = records.iter().filter_map(|name| model.0.get(*name));
        let held = held.flat_map(|record| record.identifiers.clone());
        let input = input.and_then(|input| input.identifiers.clone()).unwrap_or_default();
        let identifiers: BTreeSet<_> = held.chain(input).collect();
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

/// Leaves of each burst what is independent, and says by the model what it is answered.
pub fn plan(bursts: &[Vec<Step>]) -> Vec<Vec<PlannedCall>> {
    let (mut model, mut now, mut made) = (Model::default(), 1_790_000_000_000_000, 0);
    let mut planned = Vec::new();
    for burst in bursts {
        let mut touched = Touched::default();
        let mut calls: Vec<PlannedCall> = Vec::new();
        let before = model.clone();
        let names: Vec<String> = before.0.keys().cloned().chain([label(0)]).collect();
        let duplicates = before.0.values().filter(|r| r.status == RecordStatus::Duplicate);
        let duplicates: Vec<String> = duplicates.map(|r| r.name.clone()).chain([label(0)]).collect();
        let any = |at: &Index| names[at.index(names.len())].clone();
        let etag = |name: &str, stale: bool| match before.0.get(name) {
            Some(record) => format!("\"r{}\"", record.revision - i64::from(stale)),
            None => String::new(),
        };
        for (place, step) in burst.iter().enumerate() {
            let request = match step {
                Step::Create(input) => touched
                    .write(&before, &[], Some(input))
                    .then(|| Request::Change(Op::Create(input.clone()))),
                Step::Update(at, stale, input) => {
                    let (name, input) = (any(at), input.clone());
                    let etag = etag(&name, *stale);
                    touched
                        .write(&before, &[&name], Some(&input))
                        .then_some(Request::Change(Op::Update { name, etag, input }))
                }
                Step::Annul(at, stale) => {
                    let name = any(at);
                    let etag = etag(&name, *stale);
                    touched
                        .write(&before, &[&name], None)
                        .then_some(Request::Change(Op::Annul { name, etag }))
                }
                Step::Merge(at, into) => {
                    let (name, survivor) = (any(at), any(into));
                    let etag = String::new();
                    touched
                        .write(&before, &[&name, &survivor], None)
                        .then_some(Request::Change(Op::Merge { name, survivor, etag }))
                }
                Step::Unmerge(at) => {
                    let name = duplicates[at.index(duplicates.len())].clone();
                    let survivor = before.0.get(&name).map_or(name.clone(), |r| r.survivor.clone());
                    let etag = String::new();
                    touched
                        .write(&before, &[&name, &survivor], None)
                        .then_some(Request::Change(Op::Unmerge { name, etag }))
                }
                Step::Get(at) => {
                    let name = any(at);
                    let is_free = !touched.written.contains(&name);
                    touched.read.insert(name.clone());
                    is_free.then_some(Request::Get(name))
                }
                Step::List(filter, size) => Some(Request::List(filter, *size)),
                Step::Search(query, size) => Some(Request::Search(query, *size)),
            };
            let Some(request) = request else { continue };
            now += 1_000;
            let expected = match &request {
                Request::Change(op) => {
                    made += usize::from(matches!(op, Op::Create(_)));
                    model.apply(op, &label(made)).map(|record| vec![record])
                }
                Request::Get(name) => match before.0.get(name) {
                    Some(record) => Ok(vec![record.clone()]),
                    None => Err("RESOURCE_NOT_FOUND"),
                },
                Request::List(filter, _) => {
                    let mut found: Vec<_> = before.0.values().filter(|r| meets(filter, r)).cloned().collect();
                    found.sort_by_key(|r| (sort_key(&r.display_name), r.name.clone()));
                    Ok(found)
                }
                Request::Search(query, _) => Ok(searched(&before, query)),
            };
            let actor = format!("user:{}-{place}", planned.len());
            calls.push(PlannedCall {
                actor,
                now,
                request,
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
