//! What a [`crate::Work`] is made of: rows as they were read, changes on top of them, and what is still to be loaded.

use std::collections::{BTreeSet, HashMap};

use crate::error::Result;
use crate::ledger::Entry;
use crate::resource::{Kind, Row};
use crate::vault::Vault;

pub(crate) type Table = &'static str;

/// A row as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The whole message, the private part opened.
    pub whole: Vec<u8>,
    /// The private part as it is stored.
    pub sealed: Option<Vec<u8>>,
}

/// What an edit asked for and what has to be loaded.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    pub rows: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    pub keys: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    pub names: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
}

impl Asks {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.keys.is_empty() && self.names.is_empty()
    }
}

/// What was read from the database. `None`: it is known that there is none.
#[derive(Debug, Default)]
pub(crate) struct Base {
    pub rows: HashMap<(Table, String), Option<Loaded>>,
    pub keys: HashMap<(Table, String), Option<String>>,
    pub names: HashMap<(Table, String), Vec<String>>,
}

/// A row from its whole message and its sealed part.
pub(crate) type Projection = fn(&[u8], Option<&[u8]>, Option<&Vault>) -> Result<Row>;

/// A row as it was, if it was, and as it will be.
pub(crate) type RowChange = (Option<Row>, Row);

/// A changed row: its whole message, and how it is turned into what the tables hold.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub whole: Vec<u8>,
    pub project: Projection,
}

/// Changes on top of what was read.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub rows: HashMap<(Table, String), Changed>,
    pub keys: HashMap<(Table, String), Option<String>>,
    pub names: HashMap<(Table, String), Vec<String>>,
    pub entries: Vec<Entry>,
}
