//! How the search index of SQLite knows rows: by numbers in the order of their names (docs/adr/0016).
//!
//! A number is where the name stands among all ([`crate::text::place`]), and the serial number of the row behind it. The
//! index gives its hits by these numbers, so that the first of many are found without reading the others. PostgreSQL's
//! index knows rows by where they lie.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::statement::{first, sql};
use crate::text::{PLACE_BITS, place};

/// The bits of a serial number.
const SERIAL_BITS: u32 = 27;
const _: () = assert!(PLACE_BITS + SERIAL_BITS < 64);
/// The highest serial number, and the bits of it in a row's number in the index.
pub(crate) const SERIALS: i64 = (1 << SERIAL_BITS) - 1;

/// The first number of a place; that of a row is this with its serial number added.
pub fn first_of(place: i64) -> i64 {
    place << SERIAL_BITS
}

/// The last number of the place that a number belongs to.
pub(crate) fn last_beside(number: i64) -> i64 {
    number | SERIALS
}

/// How many rows are numbered by one statement.
const PIECE: i64 = 5000;

/// Makes the search indexes of all tables anew, with numbers in the order of names. For registers that were made when the
/// index knew rows by their serial numbers, or kept how long texts are.
pub(crate) async fn renumber(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let indexes = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%\\_search' ESCAPE '\\' \
                   AND sql LIKE 'CREATE VIRTUAL TABLE % USING fts5(%'";
    let indexes = connection.query_all_raw(sql(DbBackend::Sqlite, indexes, [])).await?;
    let indexes: Vec<String> = first(&indexes).map_err(|error| DbErr::Custom(error.to_string()))?;
    for index in &indexes {
        if let Some(table) = index.strip_suffix("_search") {
            renumber_index(connection, table).await?;
        }
    }
    Ok(())
}

async fn renumber_index(connection: &impl ConnectionTrait, table: &str) -> Result<(), DbErr> {
    let run = async |statements: &[String]| {
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        Ok::<(), DbErr>(())
    };
    // The index keeps no texts: its tokens are read back from it, row by row.
    run(&[
        "CREATE TABLE temp.numbers (serial INTEGER PRIMARY KEY, number INTEGER NOT NULL)".into(),
        format!("CREATE VIRTUAL TABLE temp.hits USING fts5vocab(main, {table}_search, instance)"),
        format!(
            "CREATE TABLE temp.tokens AS SELECT doc & {SERIALS} AS serial, group_concat(term, ' ') AS tokens FROM temp.hits \
             GROUP BY doc"
        ),
        "DROP TABLE temp.hits".into(),
        format!("DROP TABLE main.{table}_search"),
    ])
    .await?;
    let mut from = 0_i64;
    loop {
        let text = format!("SELECT serial, sort_key FROM {table} WHERE serial > ? ORDER BY serial LIMIT ?");
        let values = [Value::from(from), PIECE.into()];
        let mut numbers = Vec::new();
        for row in connection.query_all_raw(sql(DbBackend::Sqlite, &text, values)).await? {
            let (serial, sort_key): (i64, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            numbers.push((serial, first_of(place(&sort_key)) | serial));
            from = serial;
        }
        if numbers.is_empty() {
            break;
        }
        let numbers = serde_json::to_string(&numbers).map_err(|error| DbErr::Custom(error.to_string()))?;
        let text = "INSERT INTO temp.numbers SELECT value ->> 0, value ->> 1 FROM json_each(?)";
        connection
            .execute_raw(sql(DbBackend::Sqlite, text, [numbers.into()]))
            .await?;
    }
    run(&[
        crate::index::on_sqlite(table),
        format!(
            "INSERT INTO main.{table}_search (rowid, tokens) SELECT n.number, t.tokens FROM temp.tokens t \
             JOIN temp.numbers n ON n.serial = t.serial ORDER BY n.number"
        ),
        "DROP TABLE temp.tokens".into(),
        "DROP TABLE temp.numbers".into(),
    ])
    .await
}
