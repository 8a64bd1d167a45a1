//! Opening the database: SQLite by default, PostgreSQL by URL. One pool for readers, one for writers.

use std::path::Path;
use std::time::Duration;

use prost::bytes::Bytes;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, QueryResult, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use tokio::sync::mpsc;

use crate::error::{Class, Error, Result};

/// The oldest SQLite that does not corrupt a WAL at its reset, as `major * 1_000_000 + minor * 1000 + patch`.
const SQLITE_AT_LEAST: (u32, &str) = (3_051_003, "3.51.3");

/// Connections of a pool.
const SQLITE_READS: u32 = 4;
const POSTGRES_READS: u32 = 8;
const POSTGRES_WRITES: u32 = 5;

/// For how many rows there are statements on SQLite: few, so that they stay prepared, and close enough that a batch is one
/// statement without many rows of nothing.
const SIZES: [usize; 16] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// The database of a store.
#[derive(Debug, Clone)]
pub struct Db {
    /// For reads outside of transactions.
    pub(crate) read: DatabaseConnection,
    /// For reads that many calls share. On SQLite a connection of its own, whose cache they share too.
    shared: DatabaseConnection,
    write: DatabaseConnection,
    share: usize,
}

/// The weight from which a batch takes no more: the rows of about one piece of an import.
const HEAVY: usize = 1024;

/// How many calls share a statement or a transaction at most, where nothing else is said.
pub const SHARE: usize = 256;

impl Db {
    /// Opens an SQLite file, and makes it where it does not exist yet.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(300)
            .pragma("cache_size", "-49152")
            .pragma("wal_autocheckpoint", "8000")
            .pragma("temp_store", "memory");
        // Two that open a new file at the same moment meet where it is turned to WAL, for which SQLite does not wait.
        let mut attempt = 0;
        let write = loop {
            attempt += 1;
            let opened = SqlitePoolOptions::new()
                .max_connections(1)
                .test_before_acquire(false)
                .connect_with(options.clone())
                .await;
            match opened {
                Ok(pool) => break pool,
                Err(error)
                    if attempt < 20
                        && error
                            .as_database_error()
                            .is_some_and(|e| e.code().as_deref() == Some("5")) =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => {
                    let said = format!("{}: the database cannot be opened: {error}", path.display());
                    return Err(Error::new(Class::Unavailable, "DATABASE_UNREACHABLE", said));
                }
            }
        };
        let options = options.read_only(true).create_if_missing(false);
        // The system caches the file too.
        let readers = |most: u32, kibibytes: u32| {
            let options = options.clone().pragma("cache_size", format!("-{kibibytes}"));
            SqlitePoolOptions::new()
                .max_connections(most)
                .test_before_acquire(false)
                .connect_lazy_with(options)
        };
        let (read, shared) = (readers(SQLITE_READS, 8 << 10), readers(1, 24 << 10));
        let db = Self {
            read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
            shared: SqlxSqliteConnector::from_sqlx_sqlite_pool(shared),
            write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
            share: SHARE,
        };
        let row = db
            .write
            .query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version()"))
            .await?;
        let version: String = row.map(|r| r.try_get_by_index(0)).transpose()?.unwrap_or_default();
        let number = version
            .split('.')
            .filter_map(|part| part.parse::<u32>().ok())
            .fold(0, |n, part| n * 1000 + part);
        if number < SQLITE_AT_LEAST.0 {
            return Err(Error::internal(format!(
                "SQLite {version} is older than {}",
                SQLITE_AT_LEAST.1
            )));
        }
        Ok(db)
    }

    /// Connects to PostgreSQL, for example `postgres://user@127.0.0.1:5432/mingce`.
    pub async fn postgres(url: &str) -> Result<Self> {
        let options: PgConnectOptions = url
            .parse()
            .map_err(|e| Error::new(Class::Invalid, "DATABASE_URL_INVALID", format!("the database URL: {e}")))?;
        let options = options
            .application_name("mingce")
            .statement_cache_capacity(300)
            .options([
                ("statement_timeout", "30000"),
                ("idle_in_transaction_session_timeout", "30000"),
                ("lock_timeout", "10000"),
            ]);
        let away = |why: &dyn std::fmt::Display| {
            Error::new(
                Class::Unavailable,
                "DATABASE_UNREACHABLE",
                format!("the database does not answer: {why}"),
            )
        };
        // A pool goes on trying for as long as it may wait: a wrong address is said at once by a connection of our own.
        match tokio::time::timeout(Duration::from_secs(10), PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => connection.close().await.map_err(|e| away(&e))?,
            Ok(Err(error)) => return Err(away(&error)),
            Err(_) => return Err(away(&"no answer within 10 seconds")),
        }
        let pool = |most: u32| {
            PgPoolOptions::new()
                .max_connections(most)
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(10))
                .max_lifetime(Duration::from_secs(600))
                .idle_timeout(Duration::from_secs(60))
        };
        let write = pool(POSTGRES_WRITES)
            .connect_with(options.clone())
            .await
            .map_err(|e| away(&e))?;
        let read = pool(POSTGRES_READS).connect_lazy_with(options);
        let read = SqlxPostgresConnector::from_sqlx_postgres_pool(read);
        let db = Self {
            shared: read.clone(),
            read,
            write: SqlxPostgresConnector::from_sqlx_postgres_pool(write),
            share: SHARE,
        };
        let row = db.write.query_one_raw(db.sql("SHOW transaction_read_only", [])).await?;
        if row.map(|r| r.try_get_by_index::<String>(0)).transpose()?.as_deref() == Some("on") {
            return Err(Error::new(
                Class::Unavailable,
                "DATABASE_READ_ONLY",
                "the database is a standby: name the primary",
            ));
        }
        Ok(db)
    }

    /// Whether a URL names a PostgreSQL database.
    pub fn is_postgres(url: &str) -> bool {
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Where the database of a PostgreSQL URL is, without how to get in.
    pub fn place(url: &str) -> String {
        url.parse::<PgConnectOptions>().map_or_else(
            |_| "postgres".to_owned(),
            |o| {
                format!(
                    "postgres://{}:{}/{}",
                    o.get_host(),
                    o.get_port(),
                    o.get_database().unwrap_or_default()
                )
            },
        )
    }

    /// Which database it is.
    pub fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    /// The same database, with at most so many calls that share a statement or a transaction. 1: none do.
    #[must_use]
    pub fn shared_by(self, calls: usize) -> Self {
        Self {
            share: calls.max(1),
            ..self
        }
    }

    /// How many calls share a statement or a transaction at most.
    pub(crate) fn share(&self) -> usize {
        self.share
    }

    /// How many statements for single resources run at once. Fewer are shared by more calls each; calls that share
    /// nothing need them all.
    pub(crate) fn readers(&self) -> usize {
        match (self.backend(), self.share) {
            (DbBackend::Postgres, 1) => POSTGRES_READS as usize,
            (DbBackend::Postgres, _) => 2,
            (_, 1) => SQLITE_READS as usize,
            (_, _) => 1,
        }
    }

    /// How many writers work at the same time. SQLite has one.
    pub(crate) fn writers(&self) -> usize {
        match (self.backend(), self.share) {
            (DbBackend::Postgres, 1) => POSTGRES_WRITES as usize,
            (DbBackend::Postgres, _) => 2,
            _ => 1,
        }
    }

    /// For migrations: the connection that may change the schema.
    pub fn owner(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a write transaction. Only the kit does.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, sea_orm::DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.write.begin_with_options(options).await
    }

    /// A statement with `?` for each value, in the database's own way of counting them.
    pub(crate) fn sql(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        sql(self.backend(), text, values)
    }

    /// The one column of bytes that a query answers, in its order.
    pub(crate) async fn bodies(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<Bytes>> {
        bodies(&self.read, text, values).await
    }

    /// The same over the connections that are kept for statements that many calls share.
    pub(crate) async fn shared_bodies(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Bytes>> {
        let connection = if self.share == 1 { &self.read } else { &self.shared };
        bodies(connection, text, values).await
    }

    /// Ends all connections, once those at work are done.
    pub async fn close(&self) {
        let _ = self.read.close_by_ref().await;
        let _ = self.shared.close_by_ref().await;
        let _ = self.write.close_by_ref().await;
    }
}

/// SQLite works in a thread of its own, and each row would be handed over by itself: the rows come as one text, each
/// after its length in ten digits. SQLite puts texts together by their lengths, whatever bytes they hold.
async fn bodies(
    connection: &DatabaseConnection,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Bytes>> {
    let backend = connection.get_database_backend();
    if backend == DbBackend::Postgres {
        let rows = connection.query_all_raw(sql(backend, text, values)).await?;
        let body = |row: &QueryResult| Ok(row.try_get_by_index::<Vec<u8>>(0)?.into());
        return rows.iter().map(body).collect();
    }
    let text = format!(
        "SELECT CAST(group_concat(printf('%010d', length(r.body)) || CAST(r.body AS TEXT), '') AS BLOB) FROM ({text}) r"
    );
    let row = connection.query_one_raw(sql(backend, &text, values)).await?;
    let all: Option<Vec<u8>> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    let (mut rest, mut bodies) = (Bytes::from(all.unwrap_or_default()), Vec::new());
    while !rest.is_empty() {
        let length = rest
            .get(..10)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        let end = length.map(|length| length + 10).filter(|end| *end <= rest.len());
        let end = end.ok_or_else(|| Error::internal("rows that came as one do not come apart"))?;
        bodies.push(rest.split_to(end).slice(10..));
    }
    Ok(bodies)
}

/// What waits in a queue, at most so many; none once the queue has ended. Whoever is about to ask gets the chance to do so
/// first, where others run: that is no wait, and fewer statements are shared by more. Nothing is added once what was taken
/// weighs [`HEAVY`]: the pieces of several imports then follow each other, and while one is written the next is prepared.
pub(crate) async fn gather<T>(queue: &mut mpsc::Receiver<T>, most: usize, weight: impl Fn(&T) -> usize) -> Vec<T> {
    let Some(first) = queue.recv().await else {
        return Vec::new();
    };
    let (mut weighs, mut waiting) = (weight(&first), vec![first]);
    for has_yielded in [false, true] {
        while waiting.len() < most
            && weighs < HEAVY
            && let Ok(another) = queue.try_recv()
        {
            weighs += weight(&another);
            waiting.push(another);
        }
        if !has_yielded && waiting.len() < most && weighs < HEAVY {
            tokio::task::yield_now().await;
        }
    }
    waiting
}

/// A statement with `?` for each value, whatever the database. The text holds no `?` of its own.
pub(crate) fn sql(backend: DbBackend, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    if backend != DbBackend::Postgres {
        return Statement::from_sql_and_values(backend, text, values);
    }
    let mut numbered = String::with_capacity(text.len() + 16);
    let mut count = 0;
    for part in text.split_inclusive('?') {
        match part.strip_suffix('?') {
            Some(before) => {
                count += 1;
                numbered.push_str(before);
                numbered.push('$');
                numbered.push_str(&count.to_string());
            }
            None => numbered.push_str(part),
        }
    }
    Statement::from_sql_and_values(backend, numbered, values)
}

/// `column` is one of a list that is bound as one value (see [`list`]), so that any length is the same statement.
pub(crate) fn among(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("{column} = ANY(?)"),
        _ => format!("{column} IN (SELECT value FROM json_each(?))"),
    }
}

/// The list for [`among`].
pub(crate) fn list<T: AsRef<str>>(backend: DbBackend, items: impl IntoIterator<Item = T>) -> Value {
    let items = items.into_iter();
    match backend {
        DbBackend::Postgres => Value::Array(
            ArrayType::String,
            Some(Box::new(items.map(|i| i.as_ref().to_owned().into()).collect())),
        ),
        _ => {
            let items: Vec<T> = items.collect();
            let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
            serde_json::to_string(&items).unwrap_or_default().into()
        }
    }
}

/// How many rows one statement takes. PostgreSQL takes any number, as a list for each column.
pub(crate) fn most_rows(backend: DbBackend) -> usize {
    match backend {
        DbBackend::Postgres => usize::MAX,
        _ => SIZES[SIZES.len() - 1],
    }
}

/// A table with columns `c0`, `c1`, … of so many rows, whose values are bound by [`bound`]: `SELECT … FROM` this
/// `WHERE c0 IS NOT NULL`, because there may be rows of nothing at its end. `types` are those that PostgreSQL calls them.
pub(crate) fn table_of(backend: DbBackend, types: &[&str], rows: usize) -> String {
    let names = |name: fn(usize) -> String| (0..types.len()).map(name).collect::<Vec<_>>().join(", ");
    if backend == DbBackend::Postgres {
        let lists: Vec<_> = types.iter().map(|name| format!("?::{name}[]")).collect();
        return format!("UNNEST({}) AS r({})", lists.join(", "), names(|n| format!("c{n}")));
    }
    let row = format!("({})", vec!["?"; types.len()].join(", "));
    format!(
        "(SELECT {} FROM (VALUES {})) AS r",
        names(|n| format!("column{} AS c{n}", n + 1)),
        vec![row.as_str(); size_for(rows)].join(", ")
    )
}

/// The values for [`table_of`].
pub(crate) fn bound(
    backend: DbBackend,
    kinds: &[ArrayType],
    rows: impl ExactSizeIterator<Item = Vec<Value>>,
) -> Vec<Value> {
    let count = rows.len();
    if backend != DbBackend::Postgres {
        let nothing = (size_for(count) - count) * kinds.len();
        return rows
            .flatten()
            .chain(std::iter::repeat_n(Value::String(None), nothing))
            .collect();
    }
    let mut lists: Vec<Vec<Value>> = kinds.iter().map(|_| Vec::with_capacity(count)).collect();
    for row in rows {
        for (list, value) in lists.iter_mut().zip(row) {
            list.push(value);
        }
    }
    let lists = kinds.iter().zip(lists);
    lists
        .map(|(kind, list)| Value::Array(kind.clone(), Some(Box::new(list))))
        .collect()
}

fn size_for(rows: usize) -> usize {
    SIZES.into_iter().find(|size| *size >= rows).unwrap_or(rows)
}

/// The first column of each row.
pub(crate) fn first<T: sea_orm::TryGetable>(rows: &[QueryResult]) -> Result<Vec<T>> {
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Whether the database asks to try the whole transaction again: a serialization failure, a deadlock, SQLite busy.
pub(crate) fn wants_retry(error: &sea_orm::DbErr) -> bool {
    matches!(
        code(error).as_deref(),
        Some("40001" | "40P01" | "5" | "6" | "517" | "261")
    )
}

/// Whether a unique key was taken meanwhile.
pub(crate) fn is_unique(error: &sea_orm::DbErr) -> bool {
    matches!(code(error).as_deref(), Some("23505" | "1555" | "2067"))
}

/// Whether another process keeps an SQLite database locked for longer than we wait.
pub(crate) fn is_locked(error: &sea_orm::DbErr) -> bool {
    matches!(code(error).as_deref(), Some("5" | "6" | "261" | "55P03"))
}

/// Whether the database has no room left on its disk. What was not committed is undone.
pub(crate) fn is_full(error: &sea_orm::DbErr) -> bool {
    matches!(code(error).as_deref(), Some("13" | "53100"))
}

/// Whether there is no connection to the database, or it broke: an input or output error, or the server going away
/// (classes 57P and 08 of SQLSTATE).
pub(crate) fn is_unreachable(error: &sea_orm::DbErr) -> bool {
    let code = code(error).unwrap_or_default();
    // 57014: a statement was ended because it took too long.
    let gone = code.starts_with("57P") || code == "57014" || (code.len() == 5 && code.starts_with("08"));
    let broken = matches!(
        error,
        sea_orm::DbErr::Exec(sea_orm::RuntimeErr::SqlxError(inner)) | sea_orm::DbErr::Query(sea_orm::RuntimeErr::SqlxError(inner))
            if matches!(**inner, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
    );
    gone || broken || matches!(error, sea_orm::DbErr::ConnectionAcquire(_) | sea_orm::DbErr::Conn(_))
}

fn code(error: &sea_orm::DbErr) -> Option<String> {
    let (sea_orm::DbErr::Exec(runtime) | sea_orm::DbErr::Query(runtime) | sea_orm::DbErr::Conn(runtime)) = error else {
        return None;
    };
    match runtime {
        sea_orm::RuntimeErr::SqlxError(error) => error.as_database_error()?.code().map(|c| c.into_owned()),
        _ => None,
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        if wants_retry(&error) || is_locked(&error) {
            return Error::new(
                Class::Aborted,
                "CONCURRENT_CHANGE",
                "another change came first: try again",
            );
        }
        if is_full(&error) {
            let said = "the disk of the database is full: nothing was written, make room and try again";
            return Error::new(Class::Exhausted, "DATABASE_FULL", said);
        }
        if is_unreachable(&error) {
            return Error::new(
                Class::Unavailable,
                "DATABASE_UNREACHABLE",
                "the database does not answer: try again",
            );
        }
        Error::internal(error)
    }
}
