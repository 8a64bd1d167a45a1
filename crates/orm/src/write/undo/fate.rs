//! What becomes of a record when an import is taken back, as the ledger has it.

use std::collections::BTreeSet;

use mingce_proto::registry::{StayReason, StayingRecord};

use crate::model::kind::Kind;
use crate::model::revision::timestamp;
use crate::write::ledger::{Entered, UNDO, import_name};

/// Verbs that change records and are none of a life cycle.
const OF_RECORDS: [&str; 8] = [
    "create",
    "record",
    "update",
    "import",
    "annul",
    UNDO,
    "mark_distinct",
    "unmark_distinct",
];

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// It is as it was already.
    Done,
    Annul,
    /// To what it was at this place in the ledger. These sealed fields stay.
    Restore(i64, Vec<String>),
    Stay(StayingRecord),
}

pub(super) fn stays(name: &str, reason: StayReason) -> StayingRecord {
    StayingRecord {
        name: name.to_owned(),
        reason: reason.into(),
        ..StayingRecord::default()
    }
}

/// What becomes of a record of which the ledger says this.
pub(super) fn fate(kind: Option<&'static Kind>, name: &str, trail: &[Entered], import: &str) -> Fate {
    let is_own = |step: &&Entered| step.import == import && step.verb != UNDO;
    let Some(first) = trail.iter().find(is_own) else {
        return Fate::Done;
    };
    let undone: BTreeSet<&str> = trail
        .iter()
        .filter(|step| step.verb == UNDO)
        .map(|step| step.import.as_str())
        .collect();
    let Some(kind) = kind else {
        return if undone.contains(import) {
            Fate::Done
        } else {
            Fate::Stay(stays(name, StayReason::Elsewhere))
        };
    };
    let is_made = first.revision == 1;
    let sealed: BTreeSet<&String> = trail.iter().filter(is_own).flat_map(|step| &step.changed).collect();
    let is_sealed = |field: &&String| kind.private.iter().any(|number| kind.field(*number) == field.as_str());
    let sealed: Vec<String> = sealed.into_iter().filter(is_sealed).cloned().collect();
    if undone.contains(import) {
        if is_made || sealed.is_empty() {
            return Fate::Done;
        }
        return Fate::Stay(StayingRecord {
            fields: sealed,
            ..stays(name, StayReason::Sealed)
        });
    }
    // An import that was taken back has left nothing of what it did.
    let since = trail.iter().filter(|step| step.revision > first.revision);
    let mut since = since.filter(|step| !is_own(step) && !undone.contains(step.import.as_str()));
    if let Some(step) = since.next() {
        if is_made && (step.verb == "annul" || since.any(|step| step.verb == "annul")) {
            return Fate::Done;
        }
        return Fate::Stay(built_on(name, step));
    }
    let before = trail.iter().find(|step| step.revision == first.revision - 1);
    match before {
        None => Fate::Annul,
        Some(before) => Fate::Restore(before.sequence, sealed),
    }
}

/// A record that somebody built on.
pub(super) fn built_on(name: &str, step: &Entered) -> StayingRecord {
    let reason = match step.verb.as_str() {
        "merge" | "unmerge" => StayReason::Merged,
        verb if OF_RECORDS.contains(&verb) => StayReason::ChangedSince,
        _ => StayReason::DecidedSince,
    };
    StayingRecord {
        revision: step.revision,
        verb: step.verb.clone(),
        actor: step.actor.clone(),
        change_time: Some(timestamp(step.time)),
        import: import_name(step.import.clone()),
        ..stays(name, reason)
    }
}
