//! Which records name another one, and since when: by the fields that name records, and by the ledger.

use std::collections::{BTreeMap, HashSet};

use mingce_proto::Classes;
use mingce_proto::names::called;
use mingce_proto::registry::{Citation, RecordStatus};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::Value;

use crate::context::RequestContext;
use crate::db::statement::{among, list};
use crate::error::{Error, Result};
use crate::id::Name;
use crate::model::column::Column;
use crate::model::kind::Kind;
use crate::model::revision::timestamp;
use crate::write::store::Store;

/// How many records are listed.
const MOST: usize = 1000;
/// How many of those that name a record in one field are looked at, the newest first.
const LOOKED_AT: usize = 20_000;

/// From when on a record names another.
#[derive(Debug, Clone, Copy)]
pub enum Since {
    /// Behind a place in the ledger.
    Sequence(i64),
    /// At a time in microseconds, or later.
    Time(i64),
}

impl Since {
    /// As a request says it.
    pub fn of(sequence: i64, time: Option<&prost_types::Timestamp>) -> Self {
        match time {
            Some(time) if sequence == 0 => Self::Time(crate::model::revision::micros(time)),
            _ => Self::Sequence(sequence),
        }
    }

    /// What entries of the ledger from then on fulfil.
    fn condition(self) -> (&'static str, i64) {
        match self {
            Self::Sequence(sequence) => ("l.sequence > ?", sequence),
            Self::Time(time) => ("l.create_time >= ?", time),
        }
    }
}

impl Store {
    /// The records of these kinds that name a record by its resource name and began to after a moment, the newest first. Whether there
    /// may be more.
    pub async fn cited(
        &self,
        cx: &RequestContext,
        kinds: &[&'static Kind],
        name: &str,
        since: Since,
    ) -> Result<(Vec<Citation>, bool)> {
        if Name::parse(name).is_none() {
            let said = "expected the resource name of one record, like labs/{id} or labs/{id}/designations/{id}";
            return Err(Error::invalid("name", "NAME_WRONG_KIND", said));
        }
        self.citations(kinds, name, since, cx.visible).await
    }

    pub(crate) async fn citations(
        &self,
        kinds: &[&'static Kind],
        name: &str,
        since: Since,
        visible: Classes,
    ) -> Result<(Vec<Citation>, bool)> {
        let (db, (condition, from)) = (&self.db, since.condition());
        let mut found: BTreeMap<String, Citation> = BTreeMap::new();
        let mut more = false;
        for kind in kinds {
            let cites = |column: &&Column| column.cites && !column.search_only && visible.covers(column.needed);
            for column in kind.columns.iter().filter(cites) {
                let table = kind.table;
                let (of, mut values): (String, Vec<Value>) = if column.multi_valued {
                    let of = format!("{table}_values WHERE field = ? AND value = ?");
                    (of, vec![column.name.into(), name.into()])
                } else {
                    (format!("{table} WHERE {} = ?", column.name), vec![name.into()])
                };
                // SQL: limits stand in the text.
                let text = format!(
                    "SELECT t.name, t.revision, t.update_time, t.body FROM \
                     (SELECT id FROM {of} ORDER BY id DESC LIMIT {LOOKED_AT} + 0) c JOIN {table} t ON t.id = c.id \
                     JOIN ledger l ON l.resource = t.name AND l.revision = t.revision \
                     WHERE {condition} AND t.record_status <> ? ORDER BY t.id DESC LIMIT {} + 0",
                    MOST + 1
                );
                values.extend([from.into(), i64::from(RecordStatus::Annulled as i32).into()]);
                let rows = db.one().query_all_raw(db.sql(&text, values)).await?;
                more |= rows.len() > MOST;
                for row in rows.iter().take(MOST) {
                    let resource: String = row.try_get_by_index(0)?;
                    let citation = match found.get_mut(&resource) {
                        Some(citation) => citation,
                        None => found.entry(resource.clone()).or_insert(Citation {
                            cited: name.to_owned(),
                            revision: row.try_get_by_index(1)?,
                            update_time: Some(timestamp(row.try_get_by_index(2)?)),
                            display_names: called(kind.message, &row.try_get_by_index::<Vec<u8>>(3)?, name),
                            fields: Vec::new(),
                            resource,
                        }),
                    };
                    citation.fields.push(column.name.to_owned());
                }
            }
        }
        let known = self.cited_before(found.keys(), name, since).await?;
        found.retain(|resource, _| !known.contains(resource));
        let mut all: Vec<Citation> = found.into_values().collect();
        let time = |citation: &Citation| citation.update_time.as_ref().map_or(0, crate::model::revision::micros);
        all.sort_by(|a, b| time(b).cmp(&time(a)).then_with(|| a.resource.cmp(&b.resource)));
        more |= all.len() > MOST;
        all.truncate(MOST);
        Ok((all, more))
    }

    /// Which of these named a record before a moment already.
    async fn cited_before(
        &self,
        resources: impl Iterator<Item = &String>,
        name: &str,
        since: Since,
    ) -> Result<HashSet<String>> {
        let (db, (condition, from)) = (&self.db, since.condition());
        let resources: Vec<&String> = resources.collect();
        let mut known = HashSet::new();
        for some in resources.chunks(MOST) {
            // SQL: the ledger is joined with a summary of itself.
            let text = format!(
                "SELECT p.resource, p.snapshot FROM ledger p JOIN (SELECT l.resource, MAX(l.revision) AS revision FROM ledger l \
                 WHERE {} AND NOT {condition} GROUP BY l.resource) b ON b.resource = p.resource AND b.revision = p.revision",
                among(db.backend(), "l.resource")
            );
            let values = [list(db.backend(), some), from.into()];
            for row in db.one().query_all_raw(db.sql(&text, values)).await? {
                let snapshot: Vec<u8> = row.try_get_by_index(1)?;
                if snapshot.windows(name.len()).any(|part| part == name.as_bytes()) {
                    known.insert(row.try_get_by_index(0)?);
                }
            }
        }
        Ok(known)
    }
}
