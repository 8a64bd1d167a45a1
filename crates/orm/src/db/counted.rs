//! What a count answers, row by row.

use crate::error::{Error, Result};

/// A row of a count: the count, and the value of each dimension.
pub(crate) type Counted = (i64, Vec<Cell>);

/// A value that is counted by.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    None,
}

/// A row of SQLite.
pub(crate) fn of_sqlite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Counted> {
    let columns = 1..row.as_ref().column_count();
    let cells = columns.map(|at| {
        Ok(match row.get::<_, rusqlite::types::Value>(at)? {
            rusqlite::types::Value::Text(text) => Cell::Text(text),
            rusqlite::types::Value::Integer(number) => Cell::Number(number),
            _ => Cell::None,
        })
    });
    Ok((row.get(0)?, cells.collect::<rusqlite::Result<_>>()?))
}

/// A row of PostgreSQL, of whose dimensions it is said whether they are text.
pub(crate) fn of_row(row: &sea_orm::QueryResult, texts: &[bool]) -> Result<Counted> {
    let cells = texts.iter().zip(1..).map(|(is_text, at)| {
        Ok::<_, Error>(if *is_text {
            row.try_get_by_index::<Option<String>>(at)?
                .map_or(Cell::None, Cell::Text)
        } else {
            row.try_get_by_index::<Option<i64>>(at)?
                .map_or(Cell::None, Cell::Number)
        })
    });
    Ok((row.try_get_by_index(0)?, cells.collect::<Result<_>>()?))
}
