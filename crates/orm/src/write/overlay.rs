//! What a [`crate::UnitOfWork`] is made of: rows as they were read, and changes on top of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use std::sync::Arc;

use prost::bytes::Bytes;

use crate::error::Result;
use crate::model::table_row::Row;
use crate::model::vault::Vault;
use crate::write::idempotency::{RecordedRequest, Replay, RequestKey};
use crate::write::import_seen::SeenNote;
use crate::write::ledger_entry::Entry;
use crate::write::load_requests::Table;
use crate::write::merge_history::Merge;
use crate::write::prepared_insert::PreparedInsert;

/// A row as it was read.
#[derive(Clone)]
pub(crate) struct LoadedRow {
    /// The whole message, the private part opened.
    pub whole: Vec<u8>,
    /// The private part as it is stored.
    pub sealed: Option<Vec<u8>>,
}

/// What was read from the database. `None`: it is known that there is none.
#[derive(Debug, Default)]
pub(crate) struct ReadSet {
    pub rows: HashMap<(Table, String), Option<LoadedRow>>,
    /// Those of them that others may read meanwhile, so that they are not to be changed yet.
    pub shared: HashSet<(Table, String)>,
    pub keys: HashMap<(Table, String), Option<String>>,
    pub names: HashMap<(Table, String), Vec<String>>,
    /// Which request ids were looked for, and the requests that were found.
    pub request_ids: BTreeSet<String>,
    pub requests: HashMap<RequestKey, Replay>,
    /// The ids of the rows that have a value in a column.
    pub lists: HashMap<(Table, &'static str, String), Vec<String>>,
    /// By resource name: each field that was changed, with the verb that changed it last.
    pub histories: HashMap<String, HashMap<String, String>>,
    /// By resource name: its last merge, as the ledger has it.
    pub merges: HashMap<String, Option<Merge>>,
}

/// A row from its whole message and its sealed part.
pub(crate) type Projection = fn(&[u8], Option<&[u8]>, Option<&Vault>) -> Result<Row>;

/// A changed row: its whole message, and how it is turned into what the tables hold.
#[derive(Clone)]
pub(crate) struct ChangedRow {
    pub whole: Bytes,
    pub project: Projection,
}

/// A row as an edit leaves it.
#[derive(Debug, Clone)]
pub(crate) enum PendingRow {
    /// Made by this batch and not changed since.
    Made(Arc<PreparedInsert>),
    /// Changed.
    Changed(ChangedRow),
}

impl PendingRow {
    pub fn whole(&self) -> &[u8] {
        match self {
            Self::Made(draft) => &draft.whole,
            Self::Changed(changed) => &changed.whole,
        }
    }
}

/// Changes on top of what was read.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub rows: HashMap<(Table, String), PendingRow>,
    pub keys: HashMap<(Table, String), Option<String>>,
    pub names: HashMap<(Table, String), Vec<String>>,
    pub entries: Vec<Arc<Entry>>,
    pub requests: Vec<RecordedRequest>,
    /// What rows of imports meant.
    pub seen: Vec<Arc<SeenNote>>,
    /// Records that were merged into another, or that stand for themselves again: table, id and survivor.
    pub merges: Vec<(Table, String, String)>,
}

// Both hold what is sealed in clear.
impl std::fmt::Debug for LoadedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loaded({} bytes)", self.whole.len())
    }
}

impl std::fmt::Debug for ChangedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Changed({} bytes)", self.whole.len())
    }
}
