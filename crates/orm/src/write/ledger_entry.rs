//! An entry of the ledger as an edit stages it, and the numbers and times that entries are given.

use prost::bytes::Bytes;

use crate::model::kind::Kind;

/// One entry, before it has its number and its time.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub kind: &'static Kind,
    pub name: String,
    pub revision: i64,
    pub verb: &'static str,
    pub actor: String,
    pub reason: String,
    pub request_id: String,
    /// The id of the import that it belongs to; empty for none.
    pub import: String,
    pub changed: Vec<&'static str>,
    pub body: Bytes,
}

/// The first of the numbers and of the times that were allocated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allocated {
    pub sequence: i64,
    pub time: i64,
}
