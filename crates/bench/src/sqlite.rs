//! What SQLite alone can do: it takes the register's rows, ledger and tokens included, from one file into another.
//!
//! The same rows go into the same tables and indexes in the order in which they were imported, so many persons in a
//! transaction, as safe as the register writes them. No row crosses a border of languages.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::cpu::{Used, Watch};

/// Persons of a transaction.
const PIECE: i64 = 2000;
/// The most persons that are copied.
const MOST: i64 = 100_000;
/// The tables of a person, and where each has the person's id.
const TABLES: [(&str, &str); 5] = [
    ("talents", "r.id"),
    ("talents_keys", "r.id"),
    ("talents_values", "r.id"),
    ("talents_tokens", "r.id"),
    ("ledger", "substr(r.resource, 9)"),
];

/// Copies the persons of a register's file, which no process has open, into a new file in a folder. Answers how many,
/// and what that took without the preparations.
///
/// # Errors
/// Where a statement fails.
pub async fn copy(register: &Path, folder: &Path) -> Result<(u64, Used)> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("copy.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-32768");
    let mut db = SqliteConnection::connect_with(&options)
        .await
        .context("no copy can be made")?;
    attach(&mut db, register, "register").await?;
    attach(&mut db, &folder.join("staged.db"), "staged").await?;
    // What is only prepared need not be safe.
    execute(
        &mut db,
        "PRAGMA staged.synchronous = OFF; PRAGMA staged.journal_mode = OFF",
    )
    .await?;
    let staged = format!(
        "CREATE TABLE staged.persons AS SELECT row_number() OVER (ORDER BY rowid) AS place, id \
         FROM register.talents ORDER BY rowid LIMIT {MOST}; \
         CREATE UNIQUE INDEX staged.persons_by_id ON persons (id, place)"
    );
    execute(&mut db, &staged).await?;
    let mut moves = Vec::new();
    for (table, person) in TABLES {
        let columns = texts(
            &mut db,
            &format!("SELECT name FROM pragma_table_info('{table}', 'register')"),
        )
        .await?;
        ensure!(!columns.is_empty(), "the register has no table {table}");
        let columns = columns.join(", ");
        let made = format!(
            "SELECT sql FROM register.sqlite_master WHERE tbl_name = '{table}' AND sql IS NOT NULL ORDER BY type DESC"
        );
        for statement in texts(&mut db, &made).await? {
            execute(&mut db, &statement).await?;
        }
        let order = if table == "ledger" { "r.sequence" } else { "p.place" };
        let stage = format!(
            "CREATE TABLE staged.{table} AS SELECT p.place, r.* FROM register.{table} r CROSS JOIN staged.persons p \
             WHERE p.id = {person} ORDER BY {order}; CREATE INDEX staged.{table}_by_place ON {table} (place)"
        );
        execute(&mut db, &stage).await?;
        moves.push(format!(
            "INSERT INTO main.{table} SELECT {columns} FROM staged.{table} WHERE place BETWEEN ? AND ?"
        ));
    }
    let persons: i64 = db
        .fetch_one(sqlx::raw_sql("SELECT count(*) FROM staged.persons"))
        .await?
        .try_get(0)?;

    let counting = Watch::default().begin()?;
    let mut from = 1;
    while from <= persons {
        execute(&mut db, "BEGIN IMMEDIATE").await?;
        for text in &moves {
            let statement = sqlx::query(AssertSqlSafe(text.clone()))
                .bind(from)
                .bind(from + PIECE - 1);
            ensure!(
                statement.execute(&mut db).await?.rows_affected() > 0,
                "nothing was copied: {text}"
            );
        }
        execute(&mut db, "COMMIT").await?;
        from += PIECE;
    }
    let used = counting.end()?;
    db.close().await?;
    Ok((u64::try_from(persons)?, used))
}

async fn attach(db: &mut SqliteConnection, file: &Path, name: &str) -> Result<()> {
    let text = format!("ATTACH DATABASE ? AS {name}");
    sqlx::query(AssertSqlSafe(text))
        .bind(file.display().to_string())
        .execute(db)
        .await?;
    Ok(())
}

async fn execute(db: &mut SqliteConnection, statements: &str) -> Result<()> {
    db.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
        .await
        .with_context(|| statements.to_owned())?;
    Ok(())
}

async fn texts(db: &mut SqliteConnection, query: &str) -> Result<Vec<String>> {
    let rows = db
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(query.to_owned())))
        .await
        .with_context(|| query.to_owned())?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
