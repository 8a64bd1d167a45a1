//! What the ledger says of the changes of an import, and of what became of its records since.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::db::entity::ledger::{Column, Entity};
use crate::db::select::nothing;
use crate::error::Result;
use crate::write::ledger::{Entered, UNDO, entries};
use crate::write::store::Store;

/// The changes of each of some records, from the first to the last.
pub(crate) type Trails = BTreeMap<String, Vec<Entered>>;

impl Store {
    /// The newest changes of an import before a place in the ledger: their places and records.
    pub(crate) async fn changes_of(&self, import: &str, before: i64, most: usize) -> Result<Vec<(i64, String)>> {
        let newest = Entity::find()
            .select_only()
            .columns([Column::Sequence, Column::Resource])
            .filter(Column::Import.eq(import))
            .filter(Column::Import.into_expr().ne(nothing()))
            .filter(Column::Sequence.lt(before))
            .filter(Column::Verb.ne(UNDO))
            .order_by_desc(Column::Sequence)
            .limit(most as u64);
        Ok(newest.into_tuple::<(i64, String)>().all(self.db.one()).await?)
    }

    /// All changes of these records, without what they were then.
    pub(crate) async fn trails(&self, names: &BTreeSet<String>) -> Result<Trails> {
        let mut trails = Trails::new();
        for entered in entries(&self.db, names).await? {
            trails.entry(entered.name.clone()).or_default().push(entered);
        }
        Ok(trails)
    }
}
