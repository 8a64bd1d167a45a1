//! The statements that read rows for edits and write what edits changed. Few, of fixed text, so that they stay prepared.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::sea_query::{ArrayType, Order, Query, SelectStatement, Value};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};

use crate::db::fault::locked;
use crate::db::select::{T, rendered};
use crate::db::statement::{StatementSink, among, bound, insert_made, insert_values, list, most_rows, sql, table_of};
use crate::error::Result;
use crate::model::resource::{Cell, Kind, Row, RowChange, WHOLE_NAME};
use crate::model::vault::Vault;
use crate::search_index::{gin_buckets, index};
use crate::write::commit_stamps::{CommitStamp, CommitStamps};
use crate::write::load_requests::LoadRequests;
use crate::write::overlay::{LoadedRow, ReadSet};
use crate::write::{idempotency, ledger, unmerged};

/// The column of the search tokens on PostgreSQL.
const TOKENS: &str = "tokens";

/// Whether rows stay locked until the end of the transaction. SQLite has one writer, and knows no locks of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Not at all: nothing is written.
    None,
    /// They do, and others that hold them are waited for: all that is asked for is locked in the order of tables and ids.
    Wait,
    /// They do. Where others hold one of them it is an error, `DATABASE_LOCKED`: this transaction holds rows already, and whoever
    /// waits while it holds something may wait for ever.
    Try,
}

impl Lock {
    /// The end of a query for rows of `t`, and of others.
    fn tail(self, backend: DbBackend, strength: &str, also: &str) -> String {
        let how = match self {
            Self::Wait if backend == DbBackend::Postgres => "",
            Self::Try if backend == DbBackend::Postgres => " NOWAIT",
            _ => return String::new(),
        };
        format!(" FOR {strength} OF t{also}{how}")
    }
}

/// Loads all that edits asked for.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    asks: &LoadRequests,
    base: &mut ReadSet,
    vault: Option<&Arc<Vault>>,
    lock: Lock,
) -> Result<()> {
    let backend = connection.get_database_backend();
    let tail = lock.tail(backend, "UPDATE", "");
    // Names come first, because they may wait for another import: what is read after that is as it will stay.
    let mut names: Vec<_> = asks.names.values().collect();
    names.sort_by_key(|(kind, _)| kind.table);
    for (kind, wanted) in names {
        let table = kind.table;
        if !kind.by_name {
            by_index(connection, kind, wanted, base, vault).await?;
            continue;
        }
        if backend == DbBackend::Postgres {
            take_turn(connection, table, lock).await?;
        }
        let text = format!(
            "SELECT t.id, t.body{}, n.value FROM {table}_values n JOIN {table} t ON t.id = n.id \
             WHERE n.field = ? AND {} ORDER BY t.id{tail}",
            sealed(kind),
            among(backend, "n.value")
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [WHOLE_NAME.into(), list(backend, wanted)]))
            .await?;
        base.names
            .extend(wanted.iter().map(|name| ((table, name.clone()), Vec::new())));
        for row in &found {
            let id = take_row(kind, row, base, vault)?;
            base.names
                .entry((table, row.try_get_by_index(after(kind))?))
                .or_default()
                .push(id);
        }
    }
    // In the order of tables and ids, so that two writers lock in the same order.
    let mut keys: Vec<_> = asks.keys.values().collect();
    keys.sort_by_key(|(kind, _)| kind.table);
    for (kind, wanted) in keys {
        let table = kind.table;
        // The key is locked too: while one waits for its row, the row may let the key go.
        let text = format!(
            "SELECT t.id, t.body{}, k.key FROM {table}_keys k JOIN {table} t ON t.id = k.id WHERE {} ORDER BY t.id{}",
            sealed(kind),
            among(backend, "k.key"),
            lock.tail(backend, "UPDATE", ", k")
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [list(backend, wanted)]))
            .await?;
        base.keys.extend(wanted.iter().map(|key| ((table, key.clone()), None)));
        for row in &found {
            let id = take_row(kind, row, base, vault)?;
            base.keys.insert((table, row.try_get_by_index(after(kind))?), Some(id));
        }
    }
    let rows = asks.rows.values().map(|(kind, wanted)| (*kind, wanted, false));
    let consulted = asks.consulted.values().map(|(kind, wanted)| (*kind, wanted, true));
    let mut rows: Vec<_> = rows.chain(consulted).collect();
    rows.sort_by_key(|(kind, _, is_consulted)| (kind.table, *is_consulted));
    for (kind, wanted, is_consulted) in rows {
        let table = kind.table;
        // What may be changed may be read.
        let is_wanted = |id: &&String| !is_consulted || !base.rows.contains_key(&(table, (*id).clone()));
        let wanted: Vec<&String> = wanted.iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            continue;
        }
        let tail = lock.tail(backend, if is_consulted { "SHARE" } else { "UPDATE" }, "");
        let text = format!(
            "SELECT t.id, t.body{} FROM {table} t WHERE {} ORDER BY t.id{tail}",
            sealed(kind),
            among(backend, "t.id")
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [list(backend, &wanted)]))
            .await?;
        base.rows
            .extend(wanted.into_iter().map(|id| ((table, id.clone()), None)));
        for row in &found {
            let id = take_row(kind, row, base, vault)?;
            if is_consulted && lock != Lock::None {
                base.shared.insert((table, id));
            }
        }
    }
    // After the rows are locked, as requests are: who holds the record that a list is about keeps others from changing it.
    let mut lists: Vec<_> = asks.lists.iter().collect();
    lists.sort_by_key(|(at, _)| **at);
    for ((table, column), (_, wanted)) in lists {
        let text = format!(
            "SELECT t.{column}, t.id FROM {table} t WHERE {} AND t.{column} <> '' ORDER BY t.id",
            among(backend, &format!("t.{column}"))
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [list(backend, wanted)]))
            .await?;
        base.lists.extend(
            wanted
                .iter()
                .map(|value| ((*table, *column, value.clone()), Vec::new())),
        );
        for row in &found {
            let at = (*table, *column, row.try_get_by_index(0)?);
            base.lists.entry(at).or_default().push(row.try_get_by_index(1)?);
        }
    }
    // After the rows are locked: what came first and held them is committed, and its requests are seen.
    if !asks.requests.is_empty() {
        let ids: Vec<&str> = asks.requests.iter().map(String::as_str).collect();
        base.requests.extend(idempotency::recorded(connection, &ids).await?);
        base.request_ids.extend(asks.requests.iter().cloned());
    }
    // After the rows too: nobody changes them meanwhile.
    if !asks.histories.is_empty() {
        let found = ledger::last_verbs(connection, &asks.histories).await?;
        base.histories
            .extend(asks.histories.iter().map(|name| (name.clone(), HashMap::new())));
        base.histories.extend(found);
    }
    for name in &asks.merges {
        let merge = unmerged::last_merge(connection, name, i64::MAX).await?;
        base.merges.insert(name.clone(), merge);
    }
    Ok(())
}

/// Whether somebody holds one of these keys of a table.
pub(crate) async fn is_any_held(connection: &impl ConnectionTrait, table: &str, keys: &[&str]) -> Result<bool> {
    let backend = connection.get_database_backend();
    let text = format!("SELECT 1 FROM {table}_keys WHERE {} LIMIT 1", among(backend, "key"));
    let found = connection
        .query_one_raw(sql(backend, &text, [list(backend, keys)]))
        .await?;
    Ok(found.is_some())
}

/// No unique key keeps two imports from making the same name at the same moment: they go one after the other.
async fn take_turn(connection: &impl ConnectionTrait, table: &str, lock: Lock) -> Result<()> {
    let text = match lock {
        Lock::None => return Ok(()),
        Lock::Wait => "SELECT pg_advisory_xact_lock(hashtext(?)) IS NOT NULL",
        Lock::Try => "SELECT pg_try_advisory_xact_lock(hashtext(?))",
    };
    let statement = sql(DbBackend::Postgres, text, [table.into()]);
    let row = connection.query_one_raw(statement).await?;
    match row.map(|row| row.try_get_by_index(0)).transpose()? {
        Some(true) => Ok(()),
        _ => Err(locked()),
    }
}

/// What [`take_row`] reads of rows of a table.
fn rows_of(kind: &Kind) -> SelectStatement {
    let mut rows = Query::select();
    rows.columns([(T, "id"), (T, "body")]).from_as(kind.table, T);
    if kind.sealed {
        rows.column((T, "sealed"));
    }
    rows
}

fn sealed(kind: &Kind) -> &'static str {
    if kind.sealed { ", t.sealed" } else { "" }
}

/// The place of the column after those of the row.
fn after(kind: &Kind) -> usize {
    if kind.sealed { 3 } else { 2 }
}

fn take_row(kind: &Kind, row: &QueryResult, base: &mut ReadSet, vault: Option<&Arc<Vault>>) -> Result<String> {
    let id: String = row.try_get_by_index(0)?;
    let mut whole: Vec<u8> = row.try_get_by_index(1)?;
    let sealed: Option<Vec<u8>> = if kind.sealed {
        Some(row.try_get_by_index(2)?).filter(|sealed: &Vec<u8>| !sealed.is_empty())
    } else {
        None
    };
    match (&sealed, vault) {
        (Some(sealed), Some(vault)) => whole.extend(vault.open(&id, sealed)?),
        // What was read without it would be written without it.
        (Some(_), None) => {
            return Err(crate::error::Error::internal(
                "a store without a vault reads what is sealed",
            ));
        }
        (None, _) => {}
    }
    let at = (kind.table, id.clone());
    base.shared.remove(&at);
    base.rows.insert(at, Some(LoadedRow { whole, sealed }));
    Ok(id)
}

/// How many records of one name are looked at.
pub(crate) const NAMESAKES: usize = 1000;

/// Loads the records that have a whole name, of a collection that keeps none. They are only read: what goes by a name is decided before
/// anything is written.
async fn by_index(
    connection: &impl ConnectionTrait,
    kind: &'static Kind,
    wanted: &BTreeSet<String>,
    base: &mut ReadSet,
    vault: Option<&Arc<Vault>>,
) -> Result<()> {
    let (backend, table) = (connection.get_database_backend(), kind.table);
    for name in wanted {
        let mut records = rows_of(kind);
        records
            .and_where(index::has_name(backend, table, name))
            .order_by((T, "id"), Order::Asc);
        let (text, values) = rendered(backend, &records);
        let text = format!("{text} LIMIT {}", NAMESAKES + 1);
        let found = connection.query_all_raw(sql(backend, &text, values)).await?;
        let ids = found.iter().map(|row| take_row(kind, row, base, vault));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        base.names.insert((table, name.clone()), ids);
    }
    Ok(())
}

/// Writes what lies beside changed rows: keys and values. Nothing of it bears the number of the change.
pub(crate) fn write_beside(backend: DbBackend, rows: &[RowChange], put: &mut StatementSink<'_>) {
    let none = BTreeSet::new();
    for (kind, of_kind) in by_kind(rows) {
        let mut side = IndexDelta::default();
        for (before, after) in of_kind {
            let id = after.id.as_str();
            let old = before.as_ref();
            side.keys(id, old.map_or(&none, |r| &r.keys), &after.keys);
            side.values(WHOLE_NAME, id, old.map_or(&none, |r| &r.names), &after.names);
            for (place, column) in kind
                .columns
                .iter()
                .enumerate()
                .filter(|(_, c)| c.multi_valued && !c.search_only)
            {
                let was = old.and_then(|r| many(r, place)).unwrap_or(&none);
                let is = many(after, place).unwrap_or(&none);
                side.values(column.name, id, was, is);
            }
        }
        let table = kind.table;
        // In the order of the index that takes them.
        side.keys_new.sort_unstable();
        side.values_new.sort_unstable();
        let (keys, values) = (format!("{table}_keys"), format!("{table}_values"));
        remove(backend, &keys, ["key", "id"], &side.keys_gone, put);
        insert(backend, &keys, ["key", "id"], &side.keys_new, put);
        remove(backend, &values, ["field", "value", "id"], &side.values_gone, put);
        insert(backend, &values, ["field", "value", "id"], &side.values_new, put);
    }
}

/// Writes changed rows, and the search index where it is no column of theirs.
pub(crate) fn write(
    backend: DbBackend,
    rows: &[RowChange],
    stamps: &CommitStamps,
    put: &mut StatementSink<'_>,
) -> Result<(), sea_orm::DbErr> {
    for (kind, of_kind) in by_kind(rows) {
        write_rows(backend, kind, of_kind, stamps, put);
        index::write(backend, kind.table, of_kind, put)?;
    }
    Ok(())
}

fn by_kind(rows: &[RowChange]) -> impl Iterator<Item = (&'static Kind, &[RowChange])> {
    let of_kinds = rows.chunk_by(|a, b| a.1.kind.table == b.1.kind.table);
    of_kinds.filter_map(|of_kind| of_kind.first().map(|first| (first.1.kind, of_kind)))
}

#[derive(Default)]
struct IndexDelta<'a> {
    keys_gone: Vec<[&'a str; 2]>,
    keys_new: Vec<[&'a str; 2]>,
    values_gone: Vec<[&'a str; 3]>,
    values_new: Vec<[&'a str; 3]>,
}

impl<'a> IndexDelta<'a> {
    fn keys(&mut self, id: &'a str, was: &'a BTreeSet<String>, is: &'a BTreeSet<String>) {
        self.keys_gone.extend(was.difference(is).map(|key| [key.as_str(), id]));
        self.keys_new.extend(is.difference(was).map(|key| [key.as_str(), id]));
    }

    fn values(&mut self, field: &'a str, id: &'a str, was: &'a BTreeSet<String>, is: &'a BTreeSet<String>) {
        self.values_gone
            .extend(was.difference(is).map(|value| [field, value.as_str(), id]));
        self.values_new
            .extend(is.difference(was).map(|value| [field, value.as_str(), id]));
    }
}

fn many(row: &Row, place: usize) -> Option<&BTreeSet<String>> {
    match row.cells.get(place) {
        Some(Cell::Many(values)) => Some(values),
        _ => None,
    }
}

/// Names of the columns of a resource's own table, but for what one database has by itself.
pub(crate) fn columns(kind: &Kind) -> Vec<&'static str> {
    let mut names = vec![
        "id",
        "name",
        "revision",
        "record_status",
        "survivor",
        "create_time",
        "update_time",
        "sequence",
        "sort_key",
    ];
    names.extend(kind.columns.iter().filter(|c| !c.multi_valued).map(|c| c.name));
    names.push("body");
    if kind.sealed {
        names.push("sealed");
    }
    names
}

fn write_rows(backend: DbBackend, kind: &Kind, rows: &[RowChange], stamps: &CommitStamps, put: &mut StatementSink<'_>) {
    let mut names = columns(kind);
    let has_tokens = backend == DbBackend::Postgres;
    if has_tokens {
        names.push(TOKENS);
    }
    let set: Vec<_> = names.iter().skip(1).map(|n| format!("{n} = excluded.{n}")).collect();
    let tail = format!(" ON CONFLICT (id) DO UPDATE SET {}", set.join(", "));
    let values = rows.iter().map(|(_, row)| {
        let mut values = values(row, stamps.of(&row.head.name, row.head.revision));
        if has_tokens {
            values.push(gin_buckets::tokens(row).into());
        }
        values
    });
    insert_made(backend, kind.table, &names, made_of, &tail, values, put);
}

/// The tokens of a row are bound as one text.
fn made_of(column: &str, value: String) -> String {
    match column {
        TOKENS => format!("array_to_tsvector(string_to_array({value}, ' '))"),
        _ => value,
    }
}

fn values(row: &Row, stamp: Option<&CommitStamp>) -> Vec<Value> {
    let head = &row.head;
    let mut values: Vec<Value> = vec![
        row.id.as_str().into(),
        head.name.as_str().into(),
        head.revision.into(),
        i64::from(head.record_status).into(),
        head.survivor.as_str().into(),
        stamp.map_or(0, |stamp| stamp.create_time).into(),
        stamp.map_or(0, |stamp| stamp.update_time).into(),
        stamp.map_or(0, |stamp| stamp.sequence).into(),
        row.sort_key.as_str().into(),
    ];
    values.extend(row.cells.iter().filter_map(|cell| match cell {
        Cell::Text(text) => Some(text.as_str().into()),
        Cell::Integer(number) => Some((*number).into()),
        Cell::Many(_) => None,
    }));
    values.push(stamp.map_or(&row.body, |stamp| &stamp.body).to_vec().into());
    if row.kind.sealed {
        // Nothing sealed is no bytes.
        values.push(row.sealed.clone().unwrap_or_default().into());
    }
    values
}

fn insert<const N: usize>(
    backend: DbBackend,
    table: &str,
    columns: [&str; N],
    rows: &[[&str; N]],
    put: &mut StatementSink<'_>,
) {
    let rows = rows.iter().map(|row| row.iter().map(|text| (*text).into()).collect());
    insert_values(backend, table, &columns, "", rows, put);
}

fn remove<const N: usize>(
    backend: DbBackend,
    table: &str,
    columns: [&str; N],
    rows: &[[&str; N]],
    put: &mut StatementSink<'_>,
) {
    let picked: Vec<_> = (0..N).map(|n| format!("c{n}")).collect();
    for piece in rows.chunks(most_rows(backend)) {
        let text = format!(
            "DELETE FROM {table} WHERE ({}) IN (SELECT {} FROM {} WHERE c0 IS NOT NULL)",
            columns.join(", "),
            picked.join(", "),
            table_of(backend, &["text"; N], piece.len())
        );
        let rows = piece.iter().map(|row| row.iter().map(|text| (*text).into()).collect());
        let values = bound(backend, &vec![ArrayType::String; N], rows);
        put(sql(backend, &text, values).into());
    }
}
