//! Termination: whatever state a walk left a case in, the office alone brings it to an end.

use std::collections::{BTreeMap, VecDeque};

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::Value;

use super::life_cycles::{Kind, OBJECTION, Transition};
use super::walk::{CaseRef, Walk, is_open, state, texts};

/// What applicants do, and nobody for them. A draft is not before the office.
const OF_APPLICANTS: [&str; 5] = ["submit", "nominate", "recommend", "withdraw", "create"];

/// What leads a case on. A correction leaves it in its state.
fn of_office(kind: &Kind) -> Vec<Transition> {
    let edges = kind.transitions().into_iter();
    edges
        .filter(|edge| {
            !OF_APPLICANTS.contains(&edge.verb) && !edge.verb.starts_with("annul_") && edge.verb != "correct"
        })
        .collect()
}

/// How many verbs of the office lie between each state and an end.
fn distances(kind: &Kind) -> BTreeMap<&'static str, usize> {
    let edges = of_office(kind);
    let states = edges.iter().flat_map(|edge| edge.from.iter().chain(&edge.to)).copied();
    let over = states.filter(|state| kind.is_over(state));
    let mut found: BTreeMap<&str, usize> = over.map(|state| (state, 0)).collect();
    let mut waiting: VecDeque<&str> = found.keys().copied().collect();
    while let Some(state) = waiting.pop_front() {
        let distance = found[state];
        for edge in edges.iter().filter(|edge| edge.to.contains(state)) {
            for from in &edge.from {
                if !found.contains_key(from) {
                    found.insert(from, distance + 1);
                    waiting.push_back(from);
                }
            }
        }
    }
    found
}

impl Walk<'_> {
    /// Brings all that is not a draft to its end.
    pub async fn end_all(&mut self) {
        for thing in self.all() {
            if thing.kind.name == OBJECTION.name {
                continue;
            }
            self.end(&thing).await;
        }
    }

    async fn end(&mut self, thing: &CaseRef) {
        let (distances, edges) = (distances(thing.kind), of_office(thing.kind));
        for _ in 0..80 {
            let now = self.read(thing).await;
            let at = state(thing.kind, &now).to_owned();
            if thing.kind.is_over(&at) || at == "DRAFT" {
                return;
            }
            let here = distances.get(at.as_str()).copied();
            let here = here.unwrap_or_else(|| panic!("nothing that the office does leads from {at} to an end: {now}"));
            let nearer = |edge: &&Transition| edge.to.iter().all(|to| distances.get(to).is_some_and(|d| *d < here));
            let open = |edge: &&Transition| edge.from.contains(at.as_str()) && is_open(&now, edge);
            if let Some(edge) = edges.iter().filter(open).find(nearer) {
                self.attempt(thing, edge, &now).await;
                continue;
            }
            self.wait_or_settle(&now).await;
        }
        panic!("the office finds no end for {thing:?}");
    }

    /// Settles what was objected to, else lets days pass.
    async fn wait_or_settle(&mut self, now: &Value) {
        let objections: Vec<String> = texts(&now["case"]["open_objections"])
            .into_iter()
            .map(str::to_owned)
            .collect();
        for name in &objections {
            let objection = CaseRef {
                kind: &OBJECTION,
                name: name.clone(),
            };
            let read = self.read(&objection).await;
            let verb = if state(&OBJECTION, &read) == "FILED" {
                "refuse"
            } else {
                "dismiss"
            };
            let edges = OBJECTION.transitions();
            let edge = edges.iter().find(|edge| edge.verb == verb).unwrap();
            self.attempt(&objection, edge, &read).await;
        }
        if objections.is_empty() {
            let day: Date = self.today().checked_add(40.days()).unwrap();
            self.turn_to(day).await;
        }
    }
}
