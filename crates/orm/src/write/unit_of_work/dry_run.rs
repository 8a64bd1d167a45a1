//! Edits that are tried and never written: dry runs tell nothing of what is sealed, and long ones keep no more than they need.

use prost::Message;

use super::UnitOfWork;
use prost::bytes::Bytes;

use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::kind::Kind;
use crate::model::{message_fields, resource};
use crate::write::overlay::{ChangedRow, LoadedRow, PendingRow};

impl UnitOfWork {
    /// For a dry run: what is sealed leads to no record, and is not compared with what a caller gives.
    #[must_use]
    pub(crate) fn for_dry_run(self) -> Self {
        Self {
            is_dry_run: true,
            ..self
        }
    }

    /// Whether what comes of it is told to a caller and never written.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.is_dry_run
    }

    /// A stored resource to which fields are to be applied. In a dry run that gives sealed fields it is without those that are stored,
    /// so that no answer depends on them.
    pub(crate) fn base_of<C: Collection>(&mut self, stored: &C::Item, gives_sealed: bool) -> Result<C::Item> {
        self.conceals = self.is_dry_run && gives_sealed;
        if !self.conceals {
            return Ok(stored.clone());
        }
        let hidden = resource::private::<C>();
        resource::decode::<C>(&message_fields::retain(&stored.encode_to_vec(), |number| {
            !hidden.contains(&number)
        })?)
    }

    /// For a rehearsal: lets a resource be what it was at another moment, until [`UnitOfWork::discard`].
    pub fn suppose(&mut self, kind: &'static Kind, name: &str, body: &[u8]) {
        let Some(id) = kind.id(name) else { return };
        let was = ChangedRow {
            whole: Bytes::copy_from_slice(body),
            project: |_, _, _| Err(Error::internal("a rehearsal is never written")),
        };
        self.pending
            .rows
            .insert((kind.table, id.to_owned()), PendingRow::Changed(was));
    }

    /// For a rehearsal that goes on: lets go of what only a transaction would need, and answers how many bytes of memory the
    /// rest takes, about.
    pub fn lighten(&mut self) -> usize {
        /// What a map takes for each of its entries, beside their texts.
        const ENTRY: usize = 160;
        self.accepted.entries = Vec::new();
        for staged in self.accepted.rows.values_mut() {
            if let PendingRow::Made(draft) = staged {
                *staged = PendingRow::Changed(ChangedRow {
                    whole: draft.whole.clone(),
                    project: |_, _, _| Err(Error::internal("a rehearsal is never written")),
                });
            }
        }
        let own = self
            .accepted
            .rows
            .iter()
            .map(|((_, id), row)| id.len() + row.whole().len());
        let read = self.loaded.rows.iter().map(|((_, id), row)| {
            let sizes = |row: &LoadedRow| row.whole.len() + row.sealed.as_ref().map_or(0, Vec::len);
            id.len() + row.as_ref().map_or(0, sizes)
        });
        let keys = self.accepted.keys.iter().chain(&self.loaded.keys);
        let keys = keys.map(|((_, key), id)| key.len() + id.as_ref().map_or(0, String::len));
        let names = self.accepted.names.iter().chain(&self.loaded.names);
        let names = names.map(|((_, name), ids)| name.len() + ids.iter().map(|id| id.len() + 24).sum::<usize>());
        own.chain(read)
            .chain(keys)
            .chain(names)
            .map(|bytes| bytes + ENTRY)
            .sum()
    }
}
