//! The history of a case, held against its life cycle: no entry is lost or doubled, and no state follows that could
//! not.

use serde_json::{Value, json};

use super::json_client::JsonClient;
use super::life_cycles::Kind;
use super::walk::{CaseRef, plain};

/// All entries, the newest first, read in pages of this size.
pub async fn of(wire: &JsonClient, thing: &CaseRef, page_size: usize) -> Vec<Value> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let request = json!({"name": thing.name, "page_size": page_size, "page_token": token});
        let page = wire.done(thing.kind.history, request).await;
        all.extend(page["revisions"].as_array().unwrap().iter().cloned());
        page["next_page_token"].as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            return all;
        }
    }
}

fn state(kind: &Kind, entry: &Value) -> String {
    let state = entry["snapshot"]["state"].as_str().unwrap();
    state.strip_prefix(kind.prefix).unwrap().to_owned()
}

/// The history of a resource as it is now has each revision once, in the order of the ledger, and each verb leads from
/// where it can to where it can.
pub fn expect_whole(thing: &CaseRef, now: &Value, history: &[Value]) {
    let count = now["revision"].as_i64().unwrap();
    let numbers: Vec<i64> = history
        .iter()
        .map(|entry| entry["revision"].as_i64().unwrap())
        .collect();
    let wanted: Vec<i64> = (1..=count).rev().collect();
    assert_eq!(numbers, wanted, "revisions of {}", thing.name);
    let places: Vec<i64> = history
        .iter()
        .map(|entry| entry["sequence"].as_i64().unwrap())
        .collect();
    assert!(
        places.is_sorted_by(|newer, older| newer > older),
        "{}: {places:?}",
        thing.name
    );
    let edges = thing.kind.transitions();
    let mut before: Option<String> = None;
    for entry in history.iter().rev() {
        let (verb, after) = (entry["verb"].as_str().unwrap(), state(thing.kind, entry));
        assert_eq!(entry["resource"], thing.name);
        match (before, edges.iter().find(|edge| edge.verb == verb)) {
            // A confirmation makes a designation that is in term.
            (None, None) => assert!(["create", "record", "file", "confirm"].contains(&verb), "{entry}"),
            (None, Some(_)) => panic!("{} begins with {verb}", thing.name),
            (Some(before), Some(edge)) => {
                let is_legal = edge.from.contains(before.as_str()) && edge.to.contains(after.as_str());
                assert!(is_legal, "{verb} led {} from {before} to {after}", thing.name);
            }
            (Some(before), None) => {
                let is_known = verb == "update" || thing.kind.notes.contains(&verb);
                assert!(
                    is_known && before == after,
                    "{verb} led {} from {before} to {after}",
                    thing.name
                );
            }
        }
        before = Some(after);
    }
    let mut newest = history[0]["snapshot"].clone();
    newest.as_object_mut().unwrap().remove("@type");
    assert_eq!(plain(&newest), plain(now), "the newest entry and what is read");
}
