//! Columns that a later version adds are filled from the messages of the rows that are there, or from the ledger. In
//! SQL, as all of a migration (docs/adr/0050-sea-orm.md).

use prost::Message;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::SchemaManager;

use crate::db::statement::{bound, most_rows, sql, table_of};
use crate::migration::schema::run;
use crate::model::cell::Cell;
use crate::model::collection::Collection;
use crate::model::head::SEQUENCE;
use crate::model::table_row;

/// How many rows are read at once.
const PIECE: i64 = 1000;

/// Fills these columns of the rows for which `condition` holds.
///
/// # Errors
/// Where the database refuses it, or a message does not read back.
pub async fn refill<C: Collection>(on: &impl ConnectionTrait, columns: &[&str], condition: &str) -> Result<(), DbErr> {
    let (table, backend, shape) = (C::TABLE, on.get_database_backend(), &C::shape().kind);
    let read = format!("SELECT id, body FROM {table} WHERE id > ? AND ({condition}) ORDER BY id LIMIT {PIECE}");
    let set: Vec<String> = columns.iter().map(|column| format!("{column} = ?")).collect();
    let write = format!("UPDATE {table} SET {} WHERE id = ?", set.join(", "));
    let mut from = String::new();
    loop {
        let rows = on.query_all_raw(sql(backend, &read, [from.as_str().into()])).await?;
        for row in &rows {
            from = row.try_get_by_index(0)?;
            let body: Vec<u8> = row.try_get_by_index(1)?;
            let item = C::Item::decode(body.as_slice()).map_err(|e| DbErr::Custom(e.to_string()))?;
            let cells = table_row::cells::<C>(&item);
            let of = shape
                .columns
                .iter()
                .zip(cells)
                .filter(|(column, _)| columns.contains(&column.name));
            let mut named: Vec<(&str, Cell)> = of.map(|(column, cell)| (column.name, cell)).collect();
            named.sort_by_key(|(name, _)| columns.iter().position(|column| column == name));
            let is_empty = |cell: &Cell| matches!(cell, Cell::Integer(0)) || *cell == Cell::Text(String::new());
            if named.iter().all(|(_, cell)| is_empty(cell)) {
                // As the column begins.
                continue;
            }
            let mut values: Vec<Value> = Vec::with_capacity(columns.len() + 1);
            for (name, cell) in named {
                values.push(match cell {
                    Cell::Text(text) => text.into(),
                    Cell::Integer(number) => number.into(),
                    Cell::Many(_) => return Err(DbErr::Custom(format!("{name} has several values"))),
                });
            }
            values.push(from.as_str().into());
            on.execute_raw(sql(backend, &write, values)).await?;
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Gives the rows of a resource the numbers of their last changes, as the ledger has them: in a column and in their messages. Its table
/// was made by [`crate::migration::schema::resource`].
///
/// # Errors
/// Where the database cannot be written.
pub async fn add_sequence(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let column = [
        "$POSTGRES SET LOCAL statement_timeout = 0".to_owned(),
        format!("ALTER TABLE {table} ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0"),
    ];
    run(manager, &column).await?;
    let on = manager.get_connection();
    let backend = on.get_database_backend();
    let read = format!(
        "SELECT t.id, t.body, l.sequence FROM {table} t JOIN ledger l ON l.resource = t.name AND l.revision = t.revision \
         WHERE t.id > ? ORDER BY t.id LIMIT {PIECE}"
    );
    let mut from = String::new();
    loop {
        let rows = on.query_all_raw(sql(backend, &read, [from.as_str().into()])).await?;
        if rows.is_empty() {
            break;
        }
        let mut numbered: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
        for row in &rows {
            from = row.try_get_by_index(0)?;
            let (mut body, sequence): (Vec<u8>, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            // At its end: whoever reads it takes the fields in any order.
            prost::encoding::int64::encode(SEQUENCE, &sequence, &mut body);
            numbered.push(vec![from.as_str().into(), sequence.into(), body.into()]);
        }
        for piece in numbered.chunks(most_rows(backend)) {
            let write = format!(
                "UPDATE {table} SET sequence = r.c1, body = r.c2 FROM {} WHERE id = r.c0",
                table_of(backend, &["text", "bigint", "bytea"], piece.len())
            );
            let kinds = [ArrayType::String, ArrayType::BigInt, ArrayType::Bytes];
            let values = bound(backend, &kinds, piece.iter().cloned());
            on.execute_raw(sql(backend, &write, values)).await?;
        }
    }
    let index = format!("CREATE INDEX {table}_by_sequence ON {table} (sequence, id)");
    run(manager, &[index]).await
}
