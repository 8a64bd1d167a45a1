//! What an edit asks of records that belong together: all records of one subject, and all that lie under one.
//!
//! Both are read after the record that they are about is locked. Whoever adds to them holds that record too, so the answer is
//! as it will be when the edit is committed.

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;

use super::{UnitOfWork, not_loaded};
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::kind::Kind;

impl UnitOfWork {
    /// The names of all records of a subject, of which one has this name: the one that stands for it, and those that were merged into
    /// that. The one that stands is held until the edit is done, and with it the others: nobody merges or takes apart meanwhile.
    ///
    /// # Errors
    /// NOT_FOUND, and while something is not loaded.
    pub fn records<C: Collection>(&mut self, name: &str) -> Result<Vec<String>> {
        let kind = &C::shape().kind;
        let missing = || Error::not_found(kind.collection, name);
        let id = kind.id(name).ok_or_else(missing)?;
        // Most records stand for themselves: both are asked for at once.
        let merged = self.merged_into(kind, name);
        let stands = self.survivor::<C>(id)?.ok_or_else(missing)?;
        merged?;
        let mut names = vec![stands.head().name.to_owned()];
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            let merged = self.merged_into(kind, &name)?;
            names.extend(merged);
            next += 1;
        }
        Ok(names)
    }

    /// The names of the records that were merged into one.
    fn merged_into(&mut self, kind: &'static Kind, name: &str) -> Result<Vec<String>> {
        let mut ids = self.listed(kind, "survivor", name)?;
        for (table, id, survivor) in self.accepted.merges.iter().chain(&self.pending.merges) {
            if *table == kind.table {
                ids.retain(|known| known != id);
                if survivor == name {
                    ids.push(id.clone());
                }
            }
        }
        Ok(ids.into_iter().map(|id| kind.name(None, &id)).collect())
    }

    /// The resources that lie under a parent. The edit holds the parent, and so does whoever adds to them.
    ///
    /// # Errors
    /// While something is not loaded.
    pub fn under<C: Collection>(&mut self, parent: &str) -> Result<Vec<C::Item>> {
        let kind = &C::shape().kind;
        let Some((_, column)) = kind.parent else {
            return Ok(Vec::new());
        };
        let mut ids = self.listed(kind, column, parent)?;
        for layer in [&self.accepted, &self.pending] {
            let made = layer.rows.keys().filter(|(table, _)| *table == kind.table);
            ids.extend(made.map(|(_, id)| id.clone()));
        }
        ids.sort();
        ids.dedup();
        // All are asked for before the first answer is needed.
        let found: Vec<Result<Option<C::Item>>> = ids.iter().map(|id| self.get::<C>(id)).collect();
        let found = found.into_iter().collect::<Result<Vec<_>>>()?;
        let of_parent = |item: &C::Item| C::parent(item) == parent;
        Ok(found.into_iter().flatten().filter(of_parent).collect())
    }

    /// Whether an active resource has this value in a column, as it was written. The edit holds what the value names, and so does
    /// whoever writes it anew.
    ///
    /// # Errors
    /// While something is not loaded.
    pub fn is_named<C: Collection>(
        &mut self,
        column: &'static str,
        value: &str,
        names: fn(&C::Item) -> &str,
    ) -> Result<bool> {
        let kind = &C::shape().kind;
        let mut ids = self.listed(kind, column, value)?;
        for layer in [&self.accepted, &self.pending] {
            let made = layer.rows.keys().filter(|(table, _)| *table == kind.table);
            ids.extend(made.map(|(_, id)| id.clone()));
        }
        let found: Vec<Result<Option<C::Item>>> = ids.iter().map(|id| self.get_shared::<C>(id)).collect();
        for item in found {
            let item = item?.filter(|item| names(item) == value);
            if item.is_some_and(|item| item.head().record_status() != RecordStatus::Annulled) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn listed(&mut self, kind: &'static Kind, column: &'static str, value: &str) -> Result<Vec<String>> {
        let at = (kind.table, column, value.to_owned());
        match self.loaded.lists.get(&at) {
            Some(ids) => Ok(ids.clone()),
            None => {
                self.requested.list(kind, column, at.2);
                Err(not_loaded())
            }
        }
    }
}
