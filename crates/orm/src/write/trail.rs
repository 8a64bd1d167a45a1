//! What the ledger says of the changes of an import, and of what became of its records since.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait;

use crate::error::Result;
use crate::write::ledger::{Entered, UNDO, entries};
use crate::write::store::Store;

/// The changes of each of some records, from the first to the last.
pub(crate) type Trails = BTreeMap<String, Vec<Entered>>;

impl Store {
    /// The newest changes of an import before a place in the ledger: their places and records.
    pub(crate) async fn changes_of(&self, import: &str, before: i64, most: usize) -> Result<Vec<(i64, String)>> {
        let text = "SELECT sequence, resource FROM ledger WHERE import = ? AND import <> '' AND sequence < ? AND verb <> ? \
                    ORDER BY sequence DESC LIMIT ? + 0";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let values = [import.into(), before.into(), UNDO.into(), most.into()];
        let rows = self.db.one().query_all_raw(self.db.sql(text, values)).await?;
        rows.iter()
            .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
            .collect()
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
