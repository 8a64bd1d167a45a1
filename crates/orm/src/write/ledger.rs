//! The ledger: one entry for each change, written in the transaction that makes the change, numbered without gaps.
//!
//! The number is allocated from `ledger_head` before what bears it is written, and the time of the change with it. The
//! row stays locked until the commit, so both follow the order of commits and a rollback gives them back
//! (docs/adr/0004-sequence.md, 0039).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mingce_proto::Classes;
use mingce_proto::collections::IMPORTS;
use mingce_proto::field_class::told;
use mingce_proto::registry::Revision;
use prost::bytes::Bytes;
use sea_orm::sea_query::Value;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::db::database::Db;
use crate::db::entity::ledger::{Column, Entity};
use crate::db::select::is_among;
use crate::db::statement::{StatementSink, insert_values, list, numbered, numbers};
use crate::db::texts::Texts;
use crate::error::{Error, Result};
use crate::model::revision::timestamp;
use crate::query::page_token::{self, Position};
use crate::write::commit_stamps::CommitStamps;
use crate::write::ledger_entry::{Allocated, Entry};

/// The verb that takes an import back.
pub(crate) const UNDO: &str = "undo";

const COLUMNS: [&str; 12] = [
    "sequence",
    "resource",
    "revision",
    "verb",
    "actor",
    "reason",
    "request_id",
    "create_time",
    "changed_fields",
    "message",
    "snapshot",
    "import",
];

/// The text that allocates numbers.
static ALLOCATE: Texts<()> = Texts::new();

/// Allocates as many numbers as there are entries, and as many times, each later than that of any entry before. They
/// stay locked until the commit.
pub(crate) async fn allocate(tx: &DatabaseTransaction, count: usize, now: i64) -> Result<Allocated, DbErr> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    // SQL: sea-orm answers no columns of an update on SQLite.
    let text = "UPDATE ledger_head SET sequence = sequence + ?, time = CASE WHEN time + ? > ? THEN time + ? ELSE ? END \
                WHERE id = 1 RETURNING sequence, time";
    let (backend, values) = (
        tx.get_database_backend(),
        [count, count, now, count, now].map(Value::from),
    );
    let statement = ALLOCATE.statement(backend, (), values, || numbered(backend, text).into_owned());
    let head = tx.query_one_raw(statement).await?;
    let head = head.ok_or_else(|| DbErr::Custom("ledger_head has no row".to_owned()))?;
    let last: (i64, i64) = (head.try_get_by_index(0)?, head.try_get_by_index(1)?);
    Ok(Allocated {
        sequence: last.0 + 1 - count,
        time: last.1 + 1 - count,
    })
}

/// Writes the entries.
pub(crate) fn append(backend: DbBackend, entries: &[Arc<Entry>], stamps: &CommitStamps, put: &mut StatementSink<'_>) {
    let rows = entries.iter().zip(&stamps.all).map(|(entry, stamp)| {
        vec![
            stamp.sequence.into(),
            entry.name.as_str().into(),
            entry.revision.into(),
            entry.verb.into(),
            entry.actor.as_str().into(),
            entry.reason.as_str().into(),
            entry.request_id.as_str().into(),
            stamp.update_time.into(),
            entry.changed.join(",").into(),
            entry.kind.message.into(),
            stamp.body.to_vec().into(),
            entry.import.as_str().into(),
        ]
    });
    insert_values(backend, "ledger", &COLUMNS, "", rows, put);
}

/// The text of the query of [`last_verbs`].
static VERBS: Texts<()> = Texts::new();

/// The fields of resources that were ever changed, each with the verb that changed it last.
pub(crate) async fn last_verbs(
    on: &impl ConnectionTrait,
    names: &BTreeSet<String>,
) -> Result<HashMap<String, HashMap<String, String>>> {
    let backend = on.get_database_backend();
    let entries = VERBS.statement(backend, (), [list(backend, names)], || {
        let entries = Entity::find()
            .select_only()
            .columns([Column::Resource, Column::Verb, Column::ChangedFields, Column::Import])
            .filter(is_among(backend, Column::Resource.into_expr(), "".into()))
            .order_by_asc(Column::Resource)
            .order_by_asc(Column::Revision);
        entries.build(backend).sql
    });
    let mut all: HashMap<String, HashMap<String, String>> = HashMap::new();
    // How a resource stood before an import.
    let mut before: HashMap<(String, String), HashMap<String, String>> = HashMap::new();
    for row in on.query_all_raw(entries).await? {
        let text = |index: usize| row.try_get_by_index::<String>(index);
        let (name, verb, changed, import) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let fields = all.entry(name.clone()).or_default();
        let at = (name, import);
        if verb == UNDO {
            // What was taken back belongs to whom it belonged to before.
            let before = before.get(&at);
            for field in changed.split(',').filter(|field| !field.is_empty()) {
                match before.and_then(|before| before.get(field)) {
                    Some(verb) => fields.insert(field.to_owned(), verb.clone()),
                    None => fields.remove(field),
                };
            }
            continue;
        }
        if !at.1.is_empty() && !before.contains_key(&at) {
            before.insert(at, fields.clone());
        }
        for field in changed.split(',').filter(|field| !field.is_empty()) {
            fields.insert(field.to_owned(), verb.clone());
        }
    }
    Ok(all)
}

/// What an entry of the ledger says, without what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entered {
    /// Its number.
    pub sequence: i64,
    /// Resource name of what was changed.
    pub name: String,
    /// The revision that came of it.
    pub revision: i64,
    /// What was done.
    pub verb: String,
    /// When, in microseconds since 1970, UTC.
    pub time: i64,
    /// Who did it.
    pub actor: String,
    /// The id of the import that it belongs to, or that it takes back.
    pub import: String,
    /// The fields that it changed.
    pub changed: Vec<String>,
}

/// The entries of these resources, each resource's in their order.
pub(crate) async fn entries(db: &Db, names: &BTreeSet<String>) -> Result<Vec<Entered>> {
    let backend = db.backend();
    let entries = Entity::find()
        .select_only()
        .columns([Column::Sequence, Column::Resource, Column::Revision, Column::Verb])
        .columns([Column::CreateTime, Column::Actor, Column::Import, Column::ChangedFields])
        .filter(is_among(backend, Column::Resource.into_expr(), list(backend, names)))
        .order_by_asc(Column::Resource)
        .order_by_asc(Column::Revision)
        .into_tuple::<(i64, String, i64, String, i64, String, String, String)>();
    let entered = entries.all(&db.read).await?.into_iter().map(|entry| {
        let (sequence, name, revision, verb, time, actor, import, changed) = entry;
        Entered {
            sequence,
            name,
            revision,
            verb,
            time,
            actor,
            import,
            changed: fields_of(&changed),
        }
    });
    Ok(entered.collect())
}

/// The fields that an entry names.
pub(crate) fn fields_of(changed: &str) -> Vec<String> {
    let fields = changed.split(',').filter(|field| !field.is_empty());
    fields.map(str::to_owned).collect()
}

/// What entries hold: the resources as they were, by the numbers of the entries.
pub(crate) async fn snapshots(db: &Db, sequences: &BTreeSet<i64>) -> Result<HashMap<i64, Bytes>> {
    let backend = db.backend();
    let sequences = numbers(backend, sequences.iter().copied());
    let held = Entity::find()
        .select_only()
        .columns([Column::Sequence, Column::Snapshot])
        .filter(is_among(backend, Column::Sequence.into_expr(), sequences))
        .into_tuple::<(i64, Vec<u8>)>();
    let held = held.all(&db.read).await?.into_iter();
    Ok(held.map(|(sequence, body)| (sequence, Bytes::from(body))).collect())
}

/// The resource name of the import that a change belongs to; empty for none.
pub(crate) fn import_name(id: String) -> String {
    if id.is_empty() {
        return id;
    }
    format!("{IMPORTS}/{id}")
}

/// An entry about a resource of a message as a caller is told of it: without the names of fields that are hidden. `None`
/// where it changed no others.
pub(crate) fn told_to(visible: Classes, message: &str, entry: Revision) -> Option<Revision> {
    let changed_fields = told(message, entry.changed_fields, visible)?;
    Some(Revision {
        changed_fields,
        ..entry
    })
}

/// The text of a page of a history.
static PAGE: Texts<()> = Texts::new();

/// What the rows before have is summed, so that none is read beyond the one by which a page has too many bytes. SQL:
/// sea-query binds a limit as it is, and SQLite then plans the statement anew each time.
fn page_text() -> String {
    let columns = COLUMNS.join(", ");
    format!(
        "SELECT {columns} FROM (SELECT {columns}, SUM(LENGTH(snapshot)) OVER (ORDER BY revision DESC \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (SELECT {columns} FROM ledger \
         WHERE resource = ? AND revision < ? ORDER BY revision DESC LIMIT ? + 0) page) summed \
         WHERE COALESCE(before, 0) <= {} ORDER BY revision DESC",
        page_token::BYTES
    )
}

/// A page of the history of one resource, the newest entry first, and the token for the next page.
pub(crate) async fn history(db: &Db, name: &str, page_size: i32, page_token: &str) -> Result<(Vec<Revision>, String)> {
    let size = page_token::size(page_size);
    let arguments = ["history", name];
    let from = match page_token::decode(page_token, &arguments)?.as_deref() {
        None => i64::MAX,
        Some([Position::Integer(revision)]) => *revision,
        Some(_) => {
            return Err(Error::invalid(
                "page_token",
                "PAGE_TOKEN_MALFORMED",
                "not a token of this list",
            ));
        }
    };
    let (backend, limit) = (db.backend(), i64::try_from(size + 1).unwrap_or(i64::MAX));
    let page = PAGE.statement(backend, (), [name.into(), from.into(), limit.into()], || {
        numbered(backend, &page_text()).into_owned()
    });
    let rows = db.read.query_all_raw(page).await?;
    let lengths = rows
        .iter()
        .map(|row| row.try_get_by_index::<Vec<u8>>(10).map(|snapshot| snapshot.len()));
    let fitting = page_token::fitting(lengths.collect::<std::result::Result<Vec<_>, _>>()?, size);
    let mut revisions = Vec::with_capacity(rows.len());
    for row in rows.iter().take(fitting) {
        let text = |index: usize| row.try_get_by_index::<String>(index);
        let changed: String = text(8)?;
        revisions.push(Revision {
            sequence: row.try_get_by_index(0)?,
            resource: text(1)?,
            revision: row.try_get_by_index(2)?,
            verb: text(3)?,
            actor: text(4)?,
            reason: text(5)?,
            request_id: text(6)?,
            create_time: Some(timestamp(row.try_get_by_index(7)?)),
            changed_fields: fields_of(&changed),
            snapshot: Some(prost_types::Any {
                type_url: format!("type.googleapis.com/{}", text(9)?),
                value: row.try_get_by_index::<Vec<u8>>(10)?,
            }),
            import: import_name(text(11)?),
        });
    }
    let more = rows.len() > fitting;
    let last = revisions.last().filter(|_| more);
    let token = last.map_or(String::new(), |r| {
        page_token::encode(&arguments, &[Position::Integer(r.revision)])
    });
    Ok((revisions, token))
}
