//! The last merge of a record, as the ledger has it.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::db::entity::ledger::{Column, Entity};
use crate::db::statement::sql;
use crate::error::Result;
use crate::model::resource;

/// A merge as the ledger has it.
#[derive(Debug, Clone)]
pub(crate) struct Merge {
    /// What the record was merged into.
    pub survivor: String,
    /// Place of the survivor's entry, and its time in microseconds.
    pub sequence: i64,
    pub time: i64,
    /// The survivor before the merge and after it, as answers show it.
    pub before: Vec<u8>,
    pub after: Vec<u8>,
}

/// The last merge of a record that came before its revision `below`. `None` where there was none, or a merge left no entry of the
/// survivor, as those of the first versions that changed nothing of it.
pub(crate) async fn last_merge(on: &impl ConnectionTrait, name: &str, below: i64) -> Result<Option<Merge>> {
    let backend = on.get_database_backend();
    // Its history has the merges of others into it too: these change nothing of its status.
    let merges = Entity::find()
        .select_only()
        .columns([Column::Sequence, Column::CreateTime, Column::Snapshot])
        .filter(Column::Resource.eq(name))
        .filter(Column::Revision.lt(below))
        .filter(Column::Verb.eq("merge"))
        .filter(Column::ChangedFields.starts_with("record_status"))
        .order_by_desc(Column::Revision)
        .into_tuple::<(i64, i64, Vec<u8>)>();
    let Some((sequence, time, snapshot)) = merges.one(on).await? else {
        return Ok(None);
    };
    let sequence = sequence + 1;
    let survivor = resource::head(&snapshot)?.survivor;
    // Both entries are written together: first that of the duplicate, then that of the survivor. SQL: the ledger is
    // joined with itself.
    let text = "SELECT a.snapshot, b.snapshot FROM ledger a JOIN ledger b ON b.resource = a.resource AND b.revision = a.revision - 1 \
                WHERE a.sequence = ? AND a.resource = ? AND a.verb = 'merge'";
    let values = [sequence.into(), survivor.as_str().into()];
    let Some(both) = on.query_one_raw(sql(backend, text, values)).await? else {
        return Ok(None);
    };
    Ok(Some(Merge {
        survivor,
        sequence,
        time,
        after: both.try_get_by_index(0)?,
        before: both.try_get_by_index(1)?,
    }))
}
