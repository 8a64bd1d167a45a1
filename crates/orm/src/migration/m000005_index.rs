//! The search indexes of SQLite, made anew with numbers of rows in the order of names. In SQL, as all of a migration.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::db::statement::{first, sql};
use crate::search_index::fts5_rowid::{SERIALS, rowid_lower_bound};
use crate::text::order_code;

/// How many rows are numbered by one statement.
const PIECE: i64 = 5000;

/// Makes the search indexes of all tables anew, with numbers in the order of names. For registers that were made when the
/// index knew rows by their serial numbers, or kept how long texts are.
pub(crate) async fn renumber(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    for table in indexed_tables(connection).await? {
        renumber_index(connection, &table).await?;
    }
    Ok(())
}

/// The tables that have a search index on SQLite.
pub(crate) async fn indexed_tables(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let indexes = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%\\_search' ESCAPE '\\' \
                   AND sql LIKE 'CREATE VIRTUAL TABLE % USING fts5(%'";
    let indexes = connection.query_all_raw(sql(DbBackend::Sqlite, indexes, [])).await?;
    let indexes: Vec<String> = first(&indexes).map_err(|error| DbErr::Custom(error.to_string()))?;
    let tables = indexes.iter().filter_map(|index| index.strip_suffix("_search"));
    Ok(tables.map(str::to_owned).collect())
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
            numbers.push((serial, rowid_lower_bound(order_code(&sort_key)) | serial));
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
    run(&crate::search_index::index::on_sqlite(table)).await?;
    run(&[
        format!(
            "INSERT INTO main.{table}_search (rowid, tokens) SELECT n.number, t.tokens FROM temp.tokens t \
             JOIN temp.numbers n ON n.serial = t.serial ORDER BY n.number"
        ),
        "DROP TABLE temp.tokens".into(),
        "DROP TABLE temp.numbers".into(),
    ])
    .await
}
