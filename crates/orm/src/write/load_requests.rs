//! What edits ask for, and what is still to be loaded for them.

use std::collections::{BTreeSet, HashMap};

use crate::model::kind::Kind;

pub(crate) type Table = &'static str;

/// What an edit asked for and what has to be loaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoadRequests {
    pub rows: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    /// Rows that are only read: others may read them too until the transaction ends, and nobody may change them.
    pub consulted: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    pub keys: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    pub names: HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    /// Earlier requests, by their ids.
    pub requests: BTreeSet<String>,
    /// Which rows have one of these values in a column.
    pub lists: HashMap<(Table, &'static str), (&'static Kind, BTreeSet<String>)>,
    /// Who changed which field of these resources last.
    pub histories: BTreeSet<String>,
    /// What the last merge of these records changed.
    pub merges: BTreeSet<String>,
}

/// One thing that an edit is known beforehand to ask for. Of many edits there are many lists of few.
#[derive(Debug)]
pub(crate) enum LoadRequest {
    Row(&'static Kind, String),
    Key(&'static Kind, String),
    /// A whole name, folded.
    Name(&'static Kind, String),
}

impl LoadRequests {
    pub fn add(&mut self, ask: LoadRequest) {
        match ask {
            LoadRequest::Row(kind, id) => self.row(kind, id),
            LoadRequest::Key(kind, key) => self.key(kind, key),
            LoadRequest::Name(kind, name) => self.name(kind, name),
        }
    }

    pub fn row(&mut self, kind: &'static Kind, id: String) {
        of(&mut self.rows, kind).insert(id);
    }

    /// A row that is only read.
    pub fn consult(&mut self, kind: &'static Kind, id: String) {
        of(&mut self.consulted, kind).insert(id);
    }

    pub fn key(&mut self, kind: &'static Kind, key: String) {
        of(&mut self.keys, kind).insert(key);
    }

    /// A whole name, folded.
    pub fn name(&mut self, kind: &'static Kind, name: String) {
        of(&mut self.names, kind).insert(name);
    }

    /// The rows that have a value in a column.
    pub fn list(&mut self, kind: &'static Kind, column: &'static str, value: String) {
        let of = self.lists.entry((kind.table, column));
        of.or_insert_with(|| (kind, BTreeSet::new())).1.insert(value);
    }

    /// Asks for all that another asks for too.
    pub fn and(&mut self, other: Self) {
        self.requests.extend(other.requests);
        for ((_, column), (kind, values)) in other.lists {
            values.into_iter().for_each(|value| self.list(kind, column, value));
        }
        self.histories.extend(other.histories);
        self.merges.extend(other.merges);
        let lists = [
            (&mut self.rows, other.rows),
            (&mut self.consulted, other.consulted),
            (&mut self.keys, other.keys),
            (&mut self.names, other.names),
        ];
        for (ours, theirs) in lists {
            for (kind, mut wanted) in theirs.into_values() {
                let ours = of(ours, kind);
                // One by one where they are few: all are gone through otherwise.
                if wanted.len() < ours.len() / 8 {
                    ours.extend(wanted);
                } else {
                    ours.append(&mut wanted);
                }
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        let lists = [&self.rows, &self.consulted, &self.keys, &self.names];
        let is_empty = lists.iter().all(|list| list.is_empty()) && self.requests.is_empty();
        is_empty && self.lists.is_empty() && self.histories.is_empty() && self.merges.is_empty()
    }
}

fn of<'a>(
    lists: &'a mut HashMap<Table, (&'static Kind, BTreeSet<String>)>,
    kind: &'static Kind,
) -> &'a mut BTreeSet<String> {
    &mut lists.entry(kind.table).or_insert_with(|| (kind, BTreeSet::new())).1
}
