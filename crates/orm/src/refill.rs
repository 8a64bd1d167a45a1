//! Columns that a later version adds are filled from the messages of the rows that are there.

use prost::Message;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use crate::resource::{self, Cell, Collection};
use crate::statement::sql;

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
            let cells = resource::cells::<C>(&item);
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
