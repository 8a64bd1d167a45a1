//! The statements that read rows for edits and write what edits changed. Few, of fixed text, so that they stay prepared.

use std::collections::BTreeSet;
use std::sync::Arc;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult};

use crate::db::{among, list, rows_of, sql};
use crate::error::Result;
use crate::layer::{Asks, Base, Loaded, RowChange};
use crate::resource::{Cell, Kind, Row};
use crate::vault::Vault;

/// How many rows one statement writes, the largest first.
const PIECES: [usize; 4] = [64, 16, 4, 1];

/// Loads all that edits asked for. In a transaction (`lock`) the rows stay locked until its end.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    asks: Asks,
    base: &mut Base,
    vault: Option<&Arc<Vault>>,
    lock: bool,
) -> Result<()> {
    let backend = connection.get_database_backend();
    let tail = if lock && backend == DbBackend::Postgres {
        " FOR UPDATE OF t"
    } else {
        ""
    };
    // In the order of tables and ids, so that two writers lock in the same order.
    let mut keys: Vec<_> = asks.keys.into_values().collect();
    keys.sort_by_key(|(kind, _)| kind.table);
    for (kind, wanted) in keys {
        let table = kind.table;
        // The key is locked too: while one waits for its row, the row may let the key go.
        let and_key = if tail.is_empty() { "" } else { ", k" };
        let text = format!(
            "SELECT t.id, t.body{}, k.key FROM {table}_keys k JOIN {table} t ON t.id = k.id WHERE {} ORDER BY t.id{tail}{and_key}",
            sealed(kind),
            among(backend, "k.key")
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [list(backend, &wanted)]))
            .await?;
        base.keys.extend(wanted.into_iter().map(|key| ((table, key), None)));
        for row in &found {
            let id = take_row(kind, row, base, vault)?;
            base.keys.insert((table, row.try_get_by_index(after(kind))?), Some(id));
        }
    }
    let mut names: Vec<_> = asks.names.into_values().collect();
    names.sort_by_key(|(kind, _)| kind.table);
    for (kind, wanted) in names {
        let table = kind.table;
        if lock && backend == DbBackend::Postgres {
            // No unique key keeps two imports from making the same name at the same moment: they go one after the other.
            connection
                .execute_raw(sql(
                    backend,
                    "SELECT pg_advisory_xact_lock(hashtext(?))",
                    [table.into()],
                ))
                .await?;
        }
        let text = format!(
            "SELECT t.id, t.body{}, n.token FROM {table}_tokens n JOIN {table} t ON t.id = n.id WHERE {} ORDER BY t.id{tail}",
            sealed(kind),
            among(backend, "n.token")
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [list(backend, &wanted)]))
            .await?;
        base.names
            .extend(wanted.into_iter().map(|name| ((table, name), Vec::new())));
        for row in &found {
            let id = take_row(kind, row, base, vault)?;
            base.names
                .entry((table, row.try_get_by_index(after(kind))?))
                .or_default()
                .push(id);
        }
    }
    let mut rows: Vec<_> = asks.rows.into_values().collect();
    rows.sort_by_key(|(kind, _)| kind.table);
    for (kind, wanted) in rows {
        let table = kind.table;
        let text = format!(
            "SELECT t.id, t.body{} FROM {table} t WHERE {} ORDER BY t.id{tail}",
            sealed(kind),
            among(backend, "t.id")
        );
        let found = connection
            .query_all_raw(sql(backend, &text, [list(backend, &wanted)]))
            .await?;
        base.rows.extend(wanted.into_iter().map(|id| ((table, id), None)));
        for row in &found {
            take_row(kind, row, base, vault)?;
        }
    }
    Ok(())
}

fn sealed(kind: &Kind) -> &'static str {
    if kind.sealed { ", t.sealed" } else { "" }
}

/// The place of the column after those of the row.
fn after(kind: &Kind) -> usize {
    if kind.sealed { 3 } else { 2 }
}

fn take_row(kind: &Kind, row: &QueryResult, base: &mut Base, vault: Option<&Arc<Vault>>) -> Result<String> {
    let id: String = row.try_get_by_index(0)?;
    let mut whole: Vec<u8> = row.try_get_by_index(1)?;
    let sealed: Option<Vec<u8>> = if kind.sealed { row.try_get_by_index(2)? } else { None };
    if let (Some(sealed), Some(vault)) = (&sealed, vault) {
        whole.extend(vault.open(&id, sealed)?);
    }
    base.rows
        .insert((kind.table, id.clone()), Some(Loaded { whole, sealed }));
    Ok(id)
}

/// Writes changed rows with their side tables.
pub(crate) async fn write(tx: &DatabaseTransaction, rows: &[RowChange]) -> Result<(), sea_orm::DbErr> {
    let none = BTreeSet::new();
    for of_kind in rows.chunk_by(|a, b| a.1.kind.table == b.1.kind.table) {
        let Some(kind) = of_kind.first().map(|r| r.1.kind) else {
            continue;
        };
        write_rows(tx, kind, of_kind).await?;
        let mut side = Side::default();
        for (before, after) in of_kind {
            let id = after.id.as_str();
            let old = before.as_ref();
            side.keys.difference(id, old.map_or(&none, |r| &r.keys), &after.keys);
            side.tokens
                .difference(id, old.map_or(&none, |r| &r.tokens), &after.tokens);
            for (place, column) in kind.columns.iter().enumerate().filter(|(_, c)| c.many) {
                let was = old.and_then(|r| many(r, place)).unwrap_or(&none);
                let is = many(after, place).unwrap_or(&none);
                for gone in was.difference(is) {
                    side.values_gone.push([column.name, gone, id]);
                }
                for new in is.difference(was) {
                    side.values_new.push([column.name, new, id]);
                }
            }
        }
        let table = kind.table;
        remove(tx, &format!("{table}_keys"), ["key", "id"], &side.keys.gone).await?;
        insert(tx, &format!("{table}_keys (key, id)"), &side.keys.new).await?;
        remove(tx, &format!("{table}_tokens"), ["token", "id"], &side.tokens.gone).await?;
        insert(tx, &format!("{table}_tokens (token, id)"), &side.tokens.new).await?;
        remove(
            tx,
            &format!("{table}_values"),
            ["field", "value", "id"],
            &side.values_gone,
        )
        .await?;
        insert(tx, &format!("{table}_values (field, value, id)"), &side.values_new).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Side<'a> {
    keys: Pairs<'a>,
    tokens: Pairs<'a>,
    values_gone: Vec<[&'a str; 3]>,
    values_new: Vec<[&'a str; 3]>,
}

#[derive(Default)]
struct Pairs<'a> {
    gone: Vec<[&'a str; 2]>,
    new: Vec<[&'a str; 2]>,
}

impl<'a> Pairs<'a> {
    fn difference(&mut self, id: &'a str, was: &'a BTreeSet<String>, is: &'a BTreeSet<String>) {
        self.gone.extend(was.difference(is).map(|text| [text.as_str(), id]));
        self.new.extend(is.difference(was).map(|text| [text.as_str(), id]));
    }
}

fn many(row: &Row, place: usize) -> Option<&BTreeSet<String>> {
    match row.cells.get(place) {
        Some(Cell::Many(values)) => Some(values),
        _ => None,
    }
}

/// Names of the columns of a resource's own table.
pub(crate) fn columns(kind: &Kind) -> Vec<&'static str> {
    let mut names = vec![
        "id",
        "name",
        "revision",
        "record_status",
        "survivor",
        "create_time",
        "update_time",
        "sort_key",
    ];
    names.extend(kind.columns.iter().filter(|c| !c.many).map(|c| c.name));
    names.push("body");
    if kind.sealed {
        names.push("sealed");
    }
    names
}

async fn write_rows(tx: &DatabaseTransaction, kind: &Kind, rows: &[RowChange]) -> Result<(), sea_orm::DbErr> {
    let names = columns(kind);
    let set: Vec<_> = names.iter().skip(1).map(|n| format!("{n} = excluded.{n}")).collect();
    let into = format!("{} ({})", kind.table, names.join(", "));
    let tail = format!(" ON CONFLICT (id) DO UPDATE SET {}", set.join(", "));
    insert_values(tx, &into, &tail, rows.iter().map(|(_, row)| values(row)).collect()).await
}

/// Inserts rows of bound values with statements of several rows: few sizes, so that statements stay prepared.
pub(crate) async fn insert_values(
    tx: &DatabaseTransaction,
    into: &str,
    tail: &str,
    mut rows: Vec<Vec<Value>>,
) -> Result<(), sea_orm::DbErr> {
    while let Some(first) = rows.first() {
        let marks = format!("({})", vec!["?"; first.len()].join(", "));
        let piece = PIECES.into_iter().find(|p| *p <= rows.len()).unwrap_or(1);
        let text = format!(
            "INSERT INTO {into} VALUES {}{tail}",
            vec![marks.as_str(); piece].join(", ")
        );
        let values: Vec<Value> = rows.drain(..piece).flatten().collect();
        tx.execute_raw(sql(tx.get_database_backend(), &text, values)).await?;
    }
    Ok(())
}

fn values(row: &Row) -> Vec<Value> {
    let head = &row.head;
    let mut values: Vec<Value> = vec![
        row.id.as_str().into(),
        head.name.as_str().into(),
        head.revision.into(),
        i64::from(head.record_status).into(),
        head.survivor.as_str().into(),
        head.create_time.as_ref().map_or(0, crate::work::micros).into(),
        head.update_time.as_ref().map_or(0, crate::work::micros).into(),
        row.sort_key.as_str().into(),
    ];
    values.extend(row.cells.iter().filter_map(|cell| match cell {
        Cell::Text(text) => Some(text.as_str().into()),
        Cell::Integer(number) => Some((*number).into()),
        Cell::Many(_) => None,
    }));
    values.push(row.body.clone().into());
    if row.kind.sealed {
        values.push(row.sealed.clone().into());
    }
    values
}

async fn insert<const N: usize>(
    tx: &DatabaseTransaction,
    table: &str,
    rows: &[[&str; N]],
) -> Result<(), sea_orm::DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let columns: Vec<_> = (0..N).map(|n| format!("c{n}")).collect();
    let text = format!(
        "INSERT INTO {table} SELECT {} FROM {}",
        columns.join(", "),
        rows_of(backend, N)
    );
    tx.execute_raw(sql(backend, &text, crate::db::rows(backend, rows)))
        .await?;
    Ok(())
}

async fn remove<const N: usize>(
    tx: &DatabaseTransaction,
    table: &str,
    columns: [&str; N],
    rows: &[[&str; N]],
) -> Result<(), sea_orm::DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let picked: Vec<_> = (0..N).map(|n| format!("c{n}")).collect();
    let text = format!(
        "DELETE FROM {table} WHERE ({}) IN (SELECT {} FROM {})",
        columns.join(", "),
        picked.join(", "),
        rows_of(backend, N)
    );
    tx.execute_raw(sql(backend, &text, crate::db::rows(backend, rows)))
        .await?;
    Ok(())
}
