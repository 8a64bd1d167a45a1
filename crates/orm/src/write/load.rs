//! The statements that read rows for edits. Few, of fixed text, so that they stay prepared.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, JoinType, LockBehavior, LockType, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use crate::db::fault::locked;
use crate::db::select::{T, is_among, nothing, of_t};
use crate::db::statement::list;
use crate::db::texts::Texts;
use crate::error::Result;
use crate::model::kind::Kind;
use crate::model::table_row::WHOLE_NAME;
use crate::model::vault::Vault;
use crate::search_index::index;
use crate::write::idempotency;
use crate::write::ledger;
use crate::write::load_requests::{LoadRequests, Table};
use crate::write::merge_history;
use crate::write::overlay::{LoadedRow, ReadSet};

/// Whether rows stay locked until the end of the transaction. SQLite has one writer, and knows no locks of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Locks the rows of these tables that a query answers.
    fn apply(self, backend: DbBackend, query: &mut SelectStatement, strength: LockType, tables: &[&'static str]) {
        let tables = tables.iter().copied();
        match self {
            Self::Wait if backend == DbBackend::Postgres => {
                query.lock_with_tables(strength, tables);
            }
            Self::Try if backend == DbBackend::Postgres => {
                query.lock_with_tables_behavior(strength, tables, LockBehavior::Nowait);
            }
            _ => {}
        }
    }
}

/// The texts of the queries for records.
static BY_NAME: Texts<(&'static str, Lock)> = Texts::new();
static BY_NAME_IN_INDEX: Texts<&'static str> = Texts::new();
static BY_KEY: Texts<(&'static str, Lock)> = Texts::new();
static BY_ID: Texts<(&'static str, Lock, bool)> = Texts::new();
static BY_COLUMN: Texts<(&'static str, &'static str)> = Texts::new();
static HELD: Texts<&'static str> = Texts::new();

/// Loads all that edits asked for.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    asks: &LoadRequests,
    base: &mut ReadSet,
    vault: Option<&Arc<Vault>>,
    lock: Lock,
) -> Result<()> {
    let backend = connection.get_database_backend();
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
        let values = [WHOLE_NAME.into(), list(backend, wanted)];
        let named = BY_NAME.statement(backend, (table, lock), values, || by_name(backend, kind, lock));
        let found = connection.query_all_raw(named).await?;
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
        let values = [list(backend, wanted)];
        let with_key = BY_KEY.statement(backend, (table, lock), values, || by_key(backend, kind, lock));
        let found = connection.query_all_raw(with_key).await?;
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
        let values = [list(backend, &wanted)];
        let with_id = BY_ID.statement(backend, (table, lock, is_consulted), values, || {
            by_id(backend, kind, lock, is_consulted)
        });
        let found = connection.query_all_raw(with_id).await?;
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
        let values = [list(backend, wanted)];
        let listed = BY_COLUMN.statement(backend, (*table, *column), values, || by_column(backend, table, column));
        let found = connection.query_all_raw(listed).await?;
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
        let merge = merge_history::last_merge(connection, name, i64::MAX).await?;
        base.merges.insert(name.clone(), merge);
    }
    Ok(())
}

/// Whether somebody holds one of these keys of a table.
pub(crate) async fn is_any_held(connection: &impl ConnectionTrait, table: Table, keys: &[&str]) -> Result<bool> {
    let backend = connection.get_database_backend();
    let held = HELD.statement(backend, table, [list(backend, keys)], || {
        let held = Query::select()
            .column(("k", "key"))
            .from_as(format!("{table}_keys"), "k")
            .and_where(is_among(backend, Expr::col(("k", "key")), "".into()))
            .take();
        format!("{} LIMIT 1", backend.build(&held).sql)
    });
    Ok(connection.query_one_raw(held).await?.is_some())
}

/// The query for the records with these names, which stand beside the rows.
fn by_name(backend: DbBackend, kind: &Kind, lock: Lock) -> String {
    let mut rows = columns_of(kind);
    rows.column(("n", "value"))
        .from_as(format!("{}_values", kind.table), "n")
        .join_as(JoinType::Join, kind.table, T, of_t("id").equals(("n", "id")))
        .and_where(Expr::col(("n", "field")).eq(""))
        .and_where(is_among(backend, Expr::col(("n", "value")), "".into()))
        .order_by((T, "id"), Order::Asc);
    lock.apply(backend, &mut rows, LockType::Update, &[T]);
    backend.build(&rows).sql
}

/// The query for those with these keys. The key is locked too: while one waits for its row, the row may let the key go.
fn by_key(backend: DbBackend, kind: &Kind, lock: Lock) -> String {
    let mut rows = columns_of(kind);
    rows.column(("k", "key"))
        .from_as(format!("{}_keys", kind.table), "k")
        .join_as(JoinType::Join, kind.table, T, of_t("id").equals(("k", "id")))
        .and_where(is_among(backend, Expr::col(("k", "key")), "".into()))
        .order_by((T, "id"), Order::Asc);
    lock.apply(backend, &mut rows, LockType::Update, &[T, "k"]);
    backend.build(&rows).sql
}

/// The query for those with these ids. What is only consulted others may read too.
fn by_id(backend: DbBackend, kind: &Kind, lock: Lock, is_consulted: bool) -> String {
    let mut rows = columns_of(kind);
    rows.from_as(kind.table, T)
        .and_where(is_among(backend, of_t("id"), "".into()))
        .order_by((T, "id"), Order::Asc);
    let strength = if is_consulted {
        LockType::Share
    } else {
        LockType::Update
    };
    lock.apply(backend, &mut rows, strength, &[T]);
    backend.build(&rows).sql
}

/// The query for the ids of those that have one of these values in a column.
fn by_column(backend: DbBackend, table: Table, column: &'static str) -> String {
    let mut rows = Query::select();
    rows.columns([(T, column), (T, "id")])
        .from_as(table, T)
        .and_where(is_among(backend, of_t(column), "".into()))
        .and_where(of_t(column).ne(nothing()))
        .order_by((T, "id"), Order::Asc);
    backend.build(&rows).sql
}

/// No unique key keeps two imports from making the same name at the same moment: they go one after the other.
async fn take_turn(connection: &impl ConnectionTrait, table: &str, lock: Lock) -> Result<()> {
    // SQL: advisory locks are PostgreSQL's.
    let text = match lock {
        Lock::None => return Ok(()),
        Lock::Wait => "SELECT pg_advisory_xact_lock(hashtext($1)) IS NOT NULL",
        Lock::Try => "SELECT pg_try_advisory_xact_lock(hashtext($1))",
    };
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, text, [table.into()]);
    let row = connection.query_one_raw(statement).await?;
    match row.map(|row| row.try_get_by_index(0)).transpose()? {
        Some(true) => Ok(()),
        _ => Err(locked()),
    }
}

/// What [`take_row`] reads of rows.
fn columns_of(kind: &Kind) -> SelectStatement {
    let mut rows = Query::select();
    rows.columns([(T, "id"), (T, "body")]);
    if kind.sealed {
        rows.column((T, "sealed"));
    }
    rows
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
const NAMESAKES: usize = 1000;

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
        let values = [index::named(backend, name).into()];
        let named = BY_NAME_IN_INDEX.statement(backend, table, values, || {
            let mut rows = columns_of(kind);
            rows.from_as(table, T)
                .and_where(index::has(backend, table, String::new()))
                .order_by((T, "id"), Order::Asc);
            format!("{} LIMIT {}", backend.build(&rows).sql, NAMESAKES + 1)
        });
        let found = connection.query_all_raw(named).await?;
        let ids = found.iter().map(|row| take_row(kind, row, base, vault));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        base.names.insert((table, name.clone()), ids);
    }
    Ok(())
}
