//! What is made of texts and stored beside records is made anew where another version of [`crate::text`] made it:
//! columns of text, values, keys, sort keys, search tokens. Records themselves stay as they were written.
//! docs/adr/0029-characters.md. In SQL: it is done once, with what SQLite keeps of rows beside their columns.

use std::collections::BTreeMap;

use prost::Message;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::db::database::Db;
use crate::db::settings;
use crate::db::statement::{first, sql};
use crate::error::{Class, Error, Result};
use crate::model::cell::Cell;
use crate::model::collection::Collection;
use crate::model::column::Type;
use crate::model::table_row::{self, WHOLE_NAME};
use crate::search_index::fts5_rowid::rowid_lower_bound;
use crate::search_index::{gin_buckets, index};
use crate::text::{self, VERSION};

/// How many rows are read at once.
const PIECE: i64 = 1000;

/// Makes the columns and the search index of a collection anew where they are of an earlier version. Without `migrate` only where the
/// collection has no rows.
///
/// # Errors
/// `INDEX_OUTDATED` where they are, and `migrate` is not wanted.
pub async fn renew<C: Collection>(db: &Db, migrate: bool) -> Result<()> {
    let table = C::TABLE;
    let name = format!("text {table}");
    if is_noted(db, &name, VERSION).await? {
        return Ok(());
    }
    if !migrate && has_rows(db.owner(), table).await? {
        return Err(outdated());
    }
    for records in anew::<C>(db).await? {
        tracing::warn!(
            records = records.join(", "),
            "these records are written the same now that their characters are of one form: look at them, and merge them if they are one"
        );
    }
    Ok(())
}

/// Makes them anew whatever they are, and notes the version. The names of records that are written the same now and were not before.
///
/// # Errors
/// Where the database cannot be read or written.
pub async fn anew<C: Collection>(db: &Db) -> Result<Vec<Vec<String>>> {
    let name = format!("text {}", C::TABLE);
    let transaction = db.begin().await?;
    let mut equal = Vec::new();
    if has_rows(&transaction, C::TABLE).await? {
        write_anew::<C>(&transaction).await?;
        equal = keys_anew(&transaction, C::TABLE).await?;
        equal.extend(namesakes::<C>(&transaction).await?);
    }
    for name in [name.as_str(), "text"] {
        settings::note(&transaction, name, VERSION).await?;
    }
    transaction.commit().await?;
    Ok(equal)
}

/// Whether a thing is noted to be of this version.
///
/// # Errors
/// Where the database cannot be read.
pub async fn is_noted(db: &Db, name: &str, version: &str) -> Result<bool> {
    Ok(settings::value(db.owner(), name).await?.as_deref() == Some(version))
}

/// Notes that a thing is of this version.
///
/// # Errors
/// Where the database cannot be written.
pub async fn note(db: &Db, name: &str, version: &str) -> Result<()> {
    Ok(settings::note(db.owner(), name, version).await?)
}

/// Refuses what is not noted to be of this version, unless it is to be renewed next, or the collection has no rows: then it is noted.
///
/// # Errors
/// `INDEX_OUTDATED`.
pub async fn expect<C: Collection>(db: &Db, name: &str, version: &str, migrate: bool) -> Result<()> {
    if is_noted(db, name, version).await? {
        return Ok(());
    }
    if !has_rows(db.owner(), C::TABLE).await? {
        return note(db, name, version).await;
    }
    if migrate { Ok(()) } else { Err(outdated()) }
}

fn outdated() -> Error {
    let said = "names, numbers and the search index are as an earlier version of mingce wrote them: stop what uses the database, \
                back it up and run `mingce migrate`";
    Error::new(Class::Precondition, "INDEX_OUTDATED", said)
}

async fn has_rows(on: &impl ConnectionTrait, table: &str) -> Result<bool> {
    let any = sql(on.get_database_backend(), &format!("SELECT 1 FROM {table} LIMIT 1"), []);
    Ok(on.query_one_raw(any).await?.is_some())
}

async fn write_anew<C: Collection>(on: &DatabaseTransaction) -> Result<()> {
    let (table, backend) = (C::TABLE, on.get_database_backend());
    let is_postgres = backend == DbBackend::Postgres;
    if is_postgres {
        // An index of a large table takes longer than a call may.
        on.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        on.execute_unprepared(&format!("DROP INDEX IF EXISTS {table}_by_token"))
            .await?;
    } else {
        on.execute_unprepared(&format!("DROP TABLE IF EXISTS main.{table}_search"))
            .await?;
        on.execute_unprepared("CREATE TABLE temp.renewed (number INTEGER PRIMARY KEY, tokens TEXT NOT NULL)")
            .await?;
    }
    on.execute_unprepared(&format!("DELETE FROM {table}_values")).await?;
    let serial = if is_postgres { "0" } else { "serial" };
    let read = format!("SELECT id, body, CAST({serial} AS BIGINT) FROM {table} WHERE id > ? ORDER BY id LIMIT {PIECE}");
    let mut from = String::new();
    loop {
        let rows = on.query_all_raw(sql(backend, &read, [from.as_str().into()])).await?;
        for row in &rows {
            from = row.try_get_by_index(0)?;
            let (body, serial): (Vec<u8>, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            let item = C::Item::decode(body.as_slice()).map_err(Error::internal)?;
            write_row::<C>(on, &from, serial, &item).await?;
        }
        if rows.is_empty() {
            break;
        }
    }
    if is_postgres {
        on.execute_unprepared(&index::on_postgres(table)).await?;
    } else {
        for statement in index::on_sqlite(table) {
            on.execute_unprepared(&statement).await?;
        }
        let fill = format!(
            "INSERT INTO main.{table}_search (rowid, tokens) SELECT number, tokens FROM temp.renewed ORDER BY number"
        );
        on.execute_unprepared(&fill).await?;
        on.execute_unprepared("DROP TABLE temp.renewed").await?;
    }
    Ok(())
}

async fn write_row<C: Collection>(on: &DatabaseTransaction, id: &str, serial: i64, item: &C::Item) -> Result<()> {
    let (table, backend) = (C::TABLE, on.get_database_backend());
    let cells = table_row::cells::<C>(item);
    let sort_key = text::sort_key(C::title(item));
    let place = text::order_code(&sort_key);
    let tokens = table_row::tokens::<C>(item, &cells);
    let (mut set, mut values) = ("sort_key = ?".to_owned(), vec![Value::from(sort_key)]);
    let mut many = table_row::whole_names::<C>(item)
        .into_iter()
        .map(|name| (WHOLE_NAME, name))
        .collect::<Vec<_>>();
    for (column, cell) in C::shape().kind.columns.iter().zip(cells) {
        match cell {
            Cell::Text(text) if column.kind == Type::Text => {
                set.push_str(&format!(", {} = ?", column.name));
                values.push(text.into());
            }
            Cell::Many(all) if !column.search_only => many.extend(all.into_iter().map(|value| (column.name, value))),
            _ => {}
        }
    }
    if backend == DbBackend::Postgres {
        set.push_str(", tokens = array_to_tsvector(string_to_array(?, ' '))");
        values.push(gin_buckets::with_bucket_prefix(&tokens, place).into());
    } else if !tokens.is_empty() {
        let values = [Value::from(rowid_lower_bound(place) | serial), tokens.into()];
        on.execute_raw(sql(
            backend,
            "INSERT INTO temp.renewed (number, tokens) VALUES (?, ?)",
            values,
        ))
        .await?;
    }
    values.push(id.into());
    on.execute_raw(sql(backend, &format!("UPDATE {table} SET {set} WHERE id = ?"), values))
        .await?;
    let insert = format!("INSERT INTO {table}_values (field, value, id) VALUES (?, ?, ?)");
    for (field, value) in many {
        let values = [Value::from(field), value.into(), id.into()];
        on.execute_raw(sql(backend, &insert, values)).await?;
    }
    Ok(())
}

/// Keys in the form that they have now. The names of records of which two would have one: the one that had it first keeps it.
async fn keys_anew(on: &DatabaseTransaction, table: &str) -> Result<Vec<Vec<String>>> {
    let backend = on.get_database_backend();
    let read = format!("SELECT key, id FROM {table}_keys WHERE key > ? ORDER BY key LIMIT {PIECE}");
    let (mut from, mut old) = (String::new(), Vec::new());
    loop {
        let rows = on.query_all_raw(sql(backend, &read, [from.as_str().into()])).await?;
        for row in &rows {
            from = row.try_get_by_index(0)?;
            let new = text::grouped(&from);
            if new != from {
                old.push((from.clone(), new.into_owned(), row.try_get_by_index::<String>(1)?));
            }
        }
        if rows.is_empty() {
            break;
        }
    }
    let mut equal = Vec::new();
    for (key, new, id) in old {
        let values = [key.as_str().into(), id.as_str().into()];
        on.execute_raw(sql(
            backend,
            &format!("DELETE FROM {table}_keys WHERE key = ? AND id = ?"),
            values,
        ))
        .await?;
        let values = [new.as_str().into(), id.as_str().into()];
        let insert = format!("INSERT INTO {table}_keys (key, id) VALUES (?, ?) ON CONFLICT (key) DO NOTHING");
        let made = on.execute_raw(sql(backend, &insert, values)).await?;
        if made.rows_affected() == 0 {
            let both = format!(
                "SELECT t.name FROM {table} t WHERE t.id = ? OR t.id IN (SELECT k.id FROM {table}_keys k WHERE k.key = ?) ORDER BY t.id"
            );
            let both = on.query_all_raw(sql(backend, &both, [id.into(), new.into()])).await?;
            equal.push(first::<String>(&both)?);
        }
    }
    Ok(equal)
}

/// The names of active records whose names are written the same now and were not before. Only where records are matched by name.
async fn namesakes<C: Collection>(on: &DatabaseTransaction) -> Result<Vec<Vec<String>>> {
    let (table, backend) = (C::TABLE, on.get_database_backend());
    if !C::BY_NAME {
        return Ok(Vec::new());
    }
    let read = format!(
        "SELECT DISTINCT o.name, o.body FROM {table}_values v JOIN {table}_values w ON w.field = v.field AND w.value = v.value AND w.id <> v.id \
         JOIN {table} o ON o.id = v.id WHERE v.field = ? AND o.record_status = 1"
    );
    let mut spellings: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in on.query_all_raw(sql(backend, &read, [WHOLE_NAME.into()])).await? {
        let (name, body): (String, Vec<u8>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let item = C::Item::decode(body.as_slice()).map_err(Error::internal)?;
        for written in C::searched(&item) {
            spellings
                .entry(text::spelled(written))
                .or_default()
                .insert(name.clone(), written.to_owned());
        }
    }
    let differ =
        |records: &BTreeMap<String, String>| records.values().any(|written| text::canonical(written) != *written);
    Ok(spellings
        .into_values()
        .filter(|records| records.len() > 1 && differ(records))
        .map(|records| records.into_keys().collect())
        .collect())
}
