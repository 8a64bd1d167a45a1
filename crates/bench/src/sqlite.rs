//! What SQLite alone can do: it takes the register's rows, ledger and search index included, from one file into another.
//!
//! The same rows go into the same tables and indexes in the order in which they were imported, so many persons in a
//! transaction, as safe as the register writes them. No row crosses a border of languages. Which tables a person has is
//! read from the file itself. A search index without contents cannot be read back: it gets tokens that are made anew.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::cpu::{Used, Watch};
use crate::persons;

/// Persons of a transaction.
const PIECE: i64 = 2000;
/// The most persons that are copied.
const MOST: i64 = 100_000;
/// The tables of persons: their own, those beside it, and the ledger; not those in which an index keeps its parts.
const TABLES: &str = "SELECT name, type FROM pragma_table_list WHERE schema = 'register' AND type IN ('table', 'virtual') \
    AND (name IN ('talents', 'ledger') OR name LIKE 'talents\\_%' ESCAPE '\\') ORDER BY name <> 'talents', type, name";

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
        "CREATE TABLE staged.persons (turn INTEGER PRIMARY KEY, id TEXT NOT NULL); \
         INSERT INTO staged.persons SELECT row_number() OVER (ORDER BY rowid), id \
         FROM register.talents ORDER BY rowid LIMIT {MOST}; \
         CREATE UNIQUE INDEX staged.persons_by_id ON persons (id, turn)"
    );
    execute(&mut db, &staged).await?;
    let persons: i64 = db
        .fetch_one(sqlx::raw_sql("SELECT count(*) FROM staged.persons"))
        .await?
        .try_get(0)?;
    let mut moves = Vec::new();
    for row in db.fetch_all(sqlx::raw_sql(TABLES)).await? {
        let (table, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        moves.push(if kind == "virtual" {
            stage_index(&mut db, &table, persons).await?
        } else {
            stage_table(&mut db, &table).await?
        });
    }
    ensure!(moves.len() > 2, "the register has no tables of persons");

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

/// Makes an empty table with its indexes as the register has it, lays its rows ready, and answers the statement that
/// takes those of some persons.
async fn stage_table(db: &mut SqliteConnection, table: &str) -> Result<String> {
    let columns = columns(db, table).await?;
    let (person, order) = match table {
        "ledger" => ("substr(r.resource, 9) = p.id", "r.sequence"),
        _ if columns.iter().any(|column| column == "id") => ("r.id = p.id", "p.turn"),
        _ => bail!("whose a row of {table} is cannot be seen"),
    };
    make(db, table).await?;
    let stage = format!(
        "CREATE TABLE staged.{table} AS SELECT p.turn, r.* FROM register.{table} r CROSS JOIN staged.persons p \
         WHERE {person} ORDER BY {order}; CREATE INDEX staged.{table}_by_turn ON {table} (turn)"
    );
    execute(db, &stage).await?;
    let columns = columns.join(", ");
    Ok(format!(
        "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM staged.{table} WHERE turn BETWEEN ? AND ?"
    ))
}

/// The same for a search index, with tokens that are made anew.
async fn stage_index(db: &mut SqliteConnection, table: &str, persons: i64) -> Result<String> {
    let columns = columns(db, table).await?;
    let column = columns.first().with_context(|| format!("{table} has no column"))?;
    make(db, table).await?;
    let staged = format!(
        "CREATE TABLE staged.{table} (turn INTEGER PRIMARY KEY, number INTEGER NOT NULL, tokens TEXT NOT NULL)"
    );
    execute(db, &staged).await?;
    let text = format!(
        "INSERT INTO staged.{table} SELECT p.turn, (t.value ->> 0) + p.turn, t.value ->> 1 FROM json_each(?) t \
         CROSS JOIN staged.persons p ON p.turn = t.key + ?"
    );
    let mut from = 1;
    while from <= persons {
        let numbers = u64::try_from(from)?..u64::try_from(persons.min(from + PIECE - 1))? + 1;
        let tokens: Vec<(i64, String)> = numbers
            .map(|number| (persons::place(number), persons::tokens(number)))
            .collect();
        let statement = sqlx::query(AssertSqlSafe(text.clone()));
        let statement = statement.bind(serde_json::to_string(&tokens)?).bind(from);
        statement.execute(&mut *db).await.with_context(|| text.clone())?;
        from += PIECE;
    }
    Ok(format!(
        "INSERT INTO main.{table} (rowid, {column}) SELECT number, tokens FROM staged.{table} WHERE turn BETWEEN ? AND ? \
         ORDER BY number"
    ))
}

/// Makes a table of the register, and its indexes.
async fn make(db: &mut SqliteConnection, table: &str) -> Result<()> {
    let made = format!(
        "SELECT sql FROM register.sqlite_master WHERE tbl_name = '{table}' AND type IN ('table', 'index') \
         AND sql IS NOT NULL ORDER BY type DESC"
    );
    for statement in texts(db, &made).await? {
        execute(db, &statement).await?;
    }
    Ok(())
}

async fn columns(db: &mut SqliteConnection, table: &str) -> Result<Vec<String>> {
    texts(
        db,
        &format!("SELECT name FROM pragma_table_info('{table}', 'register')"),
    )
    .await
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a person's tables as a register may have them.
    async fn register(file: &Path, persons: usize) {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        let made = format!(
            "CREATE TABLE talents (serial INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL); \
             CREATE INDEX talents_by_body ON talents (body); \
             CREATE TABLE talents_keys (key TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID; \
             CREATE TABLE ledger (sequence INTEGER PRIMARY KEY, resource TEXT NOT NULL); \
             CREATE TABLE labs (id TEXT NOT NULL PRIMARY KEY); \
             CREATE VIRTUAL TABLE talents_search USING fts5(tokens, content='', columnsize=0, detail=none, \
                tokenize='ascii'); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {persons}) \
             INSERT INTO talents SELECT i, 'id' || i, x'00' FROM n; \
             INSERT INTO talents_keys SELECT 'key' || serial, id FROM talents; \
             INSERT INTO ledger SELECT serial, 'talents/' || id FROM talents; \
             INSERT INTO ledger VALUES (0, 'labs/id1');"
        );
        execute(&mut db, &made).await.unwrap();
        db.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_person_is_copied_with_all_tables_and_can_be_found_in_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register.db");
        register(&file, 2500).await;
        let (copied, _) = copy(&file, folder.path()).await.unwrap();
        assert_eq!(copied, 2500);

        let options = SqliteConnectOptions::new().filename(folder.path().join("copy.db"));
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        for (table, rows) in [("talents", 2500), ("talents_keys", 2500), ("ledger", 2500)] {
            let count = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
            assert_eq!(texts(&mut db, &count).await.unwrap(), [rows.to_string()], "{table}");
        }
        let found = format!(
            "SELECT t.id FROM talents_search JOIN talents t ON t.serial = talents_search.rowid & 134217727 WHERE talents_search MATCH '\"{}\"'",
            persons::query(2500)
        );
        assert!(texts(&mut db, &found).await.unwrap().contains(&"id2500".to_owned()));
        let tables = "SELECT name FROM sqlite_master WHERE name IN ('labs', 'talents_by_body')";
        assert_eq!(texts(&mut db, tables).await.unwrap(), ["talents_by_body"]);
    }
}
