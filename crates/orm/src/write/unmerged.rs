//! What a merge changed, what became of that when it was taken back, and what was written between the two: all from the ledger.

use mingce_proto::field_class::may_name;
use mingce_proto::names::lists;
use mingce_proto::registry::unmerge_report::Field;
use mingce_proto::registry::{Revision, UnmergeReport, UnmergedOutcome};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait,
};

use crate::context::RequestContext;
use crate::db::entity::ledger::{Column, Entity};
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::head::is_head;
use crate::model::kind::Kind;
use crate::model::revision::{micros, timestamp};
use crate::model::{message_fields, resource};
use crate::query::citations::Since;
use crate::write::ledger::{fields_of, import_name, told_to};
use crate::write::ledger_entry::Entry;
use crate::write::merge_history::{Merge, last_merge};
use crate::write::revert_field::without;
use crate::write::store::Store;
use crate::write::unit_of_work::{UnitOfWork, not_loaded};

/// Changes of survivors that a report lists.
const REVISIONS: usize = 100;
/// How often what a record was merged into was merged on while it was merged, at most.
const MERGES: usize = 32;

/// A merge that was taken back, or would be.
#[derive(Debug, Clone)]
pub(crate) struct Undone {
    kind: &'static Kind,
    merge: Merge,
    /// Place of the survivor's entry that takes it back.
    sequence: i64,
    /// The survivor before it was taken back and after that.
    now: Vec<u8>,
    new: Vec<u8>,
}

impl UnitOfWork {
    /// The last merge of a record.
    pub(crate) fn last_merge(&mut self, kind: &'static Kind, name: &str) -> Result<Option<Merge>> {
        if let Some(merge) = self.own_merge(kind, name)? {
            return Ok(Some(merge));
        }
        match self.loaded.merges.get(name) {
            Some(merge) => Ok(merge.clone()),
            None => {
                self.requested.merges.insert(name.to_owned());
                Err(not_loaded())
            }
        }
    }

    /// A merge that this transaction did and that is in no ledger yet.
    fn own_merge(&self, kind: &'static Kind, name: &str) -> Result<Option<Merge>> {
        let entries = self.entries();
        let is_merge = |entry: &&Entry| entry.verb == "merge" && entry.changed.first() == Some(&"record_status");
        let of_it = |entry: &Entry| entry.name == name;
        let Some(place) = entries.iter().rposition(|entry| of_it(entry) && is_merge(entry)) else {
            return Ok(None);
        };
        let Some(after) = entries.get(place + 1).filter(|entry| entry.verb == "merge") else {
            return Ok(None);
        };
        let earlier = entries[..place].iter().rev().find(|entry| entry.name == after.name);
        let before = match earlier {
            Some(entry) => entry.body.to_vec(),
            None => self.stored(kind, &after.name)?,
        };
        Ok(Some(Merge {
            survivor: after.name.clone(),
            sequence: 0,
            time: resource::head(&after.body)?.update_time.as_ref().map_or(0, micros),
            before,
            after: after.body.to_vec(),
        }))
    }

    /// A record as it was read, without its private part.
    fn stored(&self, kind: &'static Kind, name: &str) -> Result<Vec<u8>> {
        let missing = || Error::internal("a survivor that was not read");
        let id = kind.id(name).ok_or_else(missing)?;
        let loaded = self.loaded.rows.get(&(kind.table, id.to_owned()));
        let loaded = loaded.and_then(Option::as_ref).ok_or_else(missing)?;
        message_fields::retain(&loaded.whole, |number| !kind.private.contains(&number))
    }

    /// What an unmerge that was tried here does. `None` where the ledger does not tell what the merge changed.
    pub(crate) fn undone<C: Collection>(&mut self, name: &str) -> Result<Option<Undone>> {
        let kind = &C::shape().kind;
        let Some(merge) = self.loaded.merges.get(name).cloned().flatten() else {
            return Ok(None);
        };
        let entries = self.entries();
        let new = entries.iter().rev().find(|entry| entry.name == merge.survivor);
        Ok(Some(Undone {
            kind,
            sequence: i64::MAX,
            now: self.stored(kind, &merge.survivor)?,
            new: new.map_or_else(Vec::new, |entry| entry.body.to_vec()),
            merge,
        }))
    }
}

impl Store {
    /// What the unmerge that made this revision of a record did.
    pub(crate) async fn undone<C: Collection>(&self, name: &str, revision: i64) -> Result<Option<Undone>> {
        let on = self.db.one();
        let Some(merge) = last_merge(on, name, revision).await? else {
            return Ok(None);
        };
        // SQL: the ledger is joined with itself.
        let text = "SELECT a.sequence, a.snapshot, b.snapshot FROM ledger d \
                    JOIN ledger a ON a.sequence = d.sequence + 1 AND a.resource = ? AND a.verb = 'unmerge' \
                    JOIN ledger b ON b.resource = a.resource AND b.revision = a.revision - 1 \
                    WHERE d.resource = ? AND d.revision = ?";
        let values = [merge.survivor.as_str().into(), name.into(), revision.into()];
        let Some(row) = on.query_one_raw(self.db.sql(text, values)).await? else {
            return Ok(None);
        };
        Ok(Some(Undone {
            kind: &C::shape().kind,
            sequence: row.try_get_by_index(0)?,
            new: row.try_get_by_index(1)?,
            now: row.try_get_by_index(2)?,
            merge,
        }))
    }

    /// What came of a merge, as far as a caller is told of it.
    pub(crate) async fn report(
        &self,
        cx: &RequestContext,
        undone: Option<Undone>,
        kinds: &[&'static Kind],
    ) -> Result<UnmergeReport> {
        let Some(undone) = undone else {
            return Ok(UnmergeReport::default());
        };
        let (merge, message, visible) = (&undone.merge, undone.kind.message, cx.visible);
        let mut report = UnmergeReport {
            survivor: merge.survivor.clone(),
            merge_time: Some(timestamp(merge.time)),
            merge_sequence: merge.sequence,
            fields: undone.fields()?,
            ..UnmergeReport::default()
        };
        let is_told = |field: &Field| visible.is_all() || may_name(message, &field.field, visible);
        report.fields.retain(is_told);
        for stood in self.stood(&merge.survivor, (merge.sequence, undone.sequence)).await? {
            let changes = self.changes(&stood).await?.into_iter();
            let told = changes.filter_map(|entry| told_to(visible, message, entry));
            report.revisions.extend(told);
            let since = Since::Sequence(stood.from);
            let (citations, more) = self.citations(kinds, &stood.name, since, visible).await?;
            report.citations.extend(citations);
            report.more_citations |= more;
        }
        report.revisions.sort_by_key(|revision| -revision.sequence);
        report.more_revisions = report.revisions.len() > REVISIONS;
        report.revisions.truncate(REVISIONS);
        Ok(report)
    }

    /// The records that a name led to between two places of the ledger: the survivor, and what that was merged into meanwhile.
    async fn stood(&self, survivor: &str, (from, to): (i64, i64)) -> Result<Vec<Stood>> {
        let mut all = vec![Stood {
            name: survivor.to_owned(),
            from,
            to,
        }];
        let mut next = 0;
        while let Some(stood) = all.get(next).cloned() {
            next += 1;
            let entries = Entity::find()
                .select_only()
                .columns([Column::Sequence, Column::Verb, Column::Snapshot])
                .filter(Column::Resource.eq(stood.name.as_str()))
                .filter(Column::Sequence.gt(stood.from))
                .filter(Column::Sequence.lt(stood.to))
                .filter(Column::ChangedFields.starts_with("record_status"))
                .filter(Column::Verb.is_in(["merge", "unmerge"]))
                .order_by_asc(Column::Revision)
                .into_tuple::<(i64, String, Vec<u8>)>();
            let entries = entries.all(self.db.one()).await?;
            for (place, (sequence, verb, snapshot)) in entries.iter().enumerate() {
                if verb != "merge" || all.len() >= MERGES {
                    continue;
                }
                let end = entries.get(place + 1).map(|(sequence, ..)| *sequence);
                all.push(Stood {
                    name: resource::head(snapshot)?.survivor,
                    // The survivor's own entry is part of the merge.
                    from: sequence + 1,
                    to: end.unwrap_or(stood.to),
                });
            }
        }
        Ok(all)
    }

    /// The newest changes of a record while a name led to it, without their snapshots.
    async fn changes(&self, stood: &Stood) -> Result<Vec<Revision>> {
        let newest = Entity::find()
            .select_only()
            .columns([Column::Sequence, Column::Revision, Column::Verb, Column::Actor])
            .columns([Column::Reason, Column::RequestId, Column::CreateTime])
            .columns([Column::ChangedFields, Column::Import])
            .filter(Column::Resource.eq(stood.name.as_str()))
            .filter(Column::Sequence.gt(stood.from))
            .filter(Column::Sequence.lt(stood.to))
            .order_by_desc(Column::Revision)
            .limit(REVISIONS as u64 + 1);
        let rows = self.db.one().query_all(newest.as_query()).await?;
        rows.iter().map(|row| revision(&stood.name, row)).collect()
    }
}

/// A record to which a name led from one place of the ledger to another.
#[derive(Debug, Clone)]
struct Stood {
    name: String,
    from: i64,
    to: i64,
}

fn revision(name: &str, row: &QueryResult) -> Result<Revision> {
    let text = |index: usize| row.try_get_by_index::<String>(index);
    Ok(Revision {
        resource: name.to_owned(),
        sequence: row.try_get_by_index(0)?,
        revision: row.try_get_by_index(1)?,
        verb: text(2)?,
        actor: text(3)?,
        reason: text(4)?,
        request_id: text(5)?,
        create_time: Some(timestamp(row.try_get_by_index(6)?)),
        changed_fields: fields_of(&text(7)?),
        snapshot: None,
        import: import_name(text(8)?),
    })
}

impl Undone {
    /// What became of each field of the survivor that the merge had changed.
    fn fields(&self) -> Result<Vec<Field>> {
        let (before, after, kind) = (&self.merge.before, &self.merge.after, self.kind);
        let mut fields = Vec::new();
        for number in message_fields::changed(before, after)?
            .into_iter()
            .filter(|n| !is_head(*n))
        {
            let parts = [before, after, &self.now, &self.new].map(|message| message_fields::parts(message, number));
            let [before, after, now, new] = parts;
            let (before, after, now, new) = (before?, after?, now?, new?);
            let is_restored = if lists(kind.message).contains(&number) {
                let has = |part: &&[u8]| new.contains(part);
                without(&before, &after).iter().all(&has) && !without(&after, &before).iter().any(has)
            } else {
                new == before
            };
            let outcome = match (is_restored, now == after) {
                (true, _) => UnmergedOutcome::Restored,
                (false, true) => UnmergedOutcome::AgainstRules,
                (false, false) => UnmergedOutcome::ChangedMeanwhile,
            };
            fields.push(Field {
                field: kind.field(number).to_owned(),
                outcome: outcome.into(),
                value: mingce_proto::names::text_of(kind.message, number, &before.concat()),
            });
        }
        Ok(fields)
    }
}
