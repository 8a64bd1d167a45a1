//! Opening the database: SQLite by default, PostgreSQL by URL. Who reads has other connections than who writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prost::bytes::Bytes;
use sea_orm::sea_query::{SelectStatement, Value};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, SqlxPostgresConnector,
    SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::OnceCell;

use crate::context::RequestContext;
use crate::db::counted::{Counted, of_row, of_sqlite};
use crate::db::fault::is_locked;
use crate::db::fsync::{FsyncHandle, PAGES_AT_MOST};
use crate::db::head::Keeper;
use crate::db::select::{rendered, rendered_first};
use crate::db::sqlite_read_pool::{self, ReadPool, ReadPoolConfig};
use crate::db::statement::{numbered, sql};
use crate::db::watched::watched;
use crate::error::{Class, Error, Result};

/// The oldest SQLite that does not corrupt a WAL at its reset, as `major * 1_000_000 + minor * 1000 + patch`.
const SQLITE_AT_LEAST: (u32, &str) = (3_051_003, "3.51.3");

/// Connections of a pool.
const SQLITE_READS: u32 = 4;
const SQLITE_OTHER_READS: u32 = 2;
const SQLITE_COUNTS: u32 = 2;
const POSTGRES_READS: u32 = 8;
const POSTGRES_COUNTS: u32 = 4;
/// How many gets that are shared run at once.
const POSTGRES_GETS: u32 = 2;
const POSTGRES_WRITES: u32 = 5;

/// How many calls share a statement or a transaction at most, where nothing else is said.
pub const MAX_BATCH: usize = 256;

/// The database of a store.
#[derive(Debug, Clone)]
pub struct Db {
    /// For reads outside of transactions.
    pub(crate) read: DatabaseConnection,
    /// For what reads few rows by their keys. On PostgreSQL gets that are shared too: they do not stand in line with lists.
    get: DatabaseConnection,
    /// For counts, on PostgreSQL: nobody stands in line with them.
    count: DatabaseConnection,
    /// For reads of messages on SQLite.
    file: Option<File>,
    write: DatabaseConnection,
    max_batch: usize,
    clock: Option<Clock>,
}

/// What the writers take the time of changes from: microseconds since 1970.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// How an SQLite file is read.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    /// For lists and searches.
    lists: ReadPool,
    /// For gets, which share a page cache.
    gets: ReadPool,
    /// For counts, which may take long.
    counts: ReadPool,
    /// How far the ledger is known to go.
    head: Arc<OnceCell<Keeper>>,
    synced: Arc<FsyncHandle>,
}

impl Db {
    /// Opens an SQLite file, and makes it where it does not exist yet.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        Self::sqlite_mapped(path, 0).await
    }

    /// The same, with so many MiB of the file mapped into memory for reading, of which SQLite takes 2047 at most. Pages are then
    /// read where the system has them, and not copied.
    pub async fn sqlite_mapped(path: &Path, mebibytes: u32) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(300)
            .pragma("cache_size", "-16384")
            .pragma("wal_autocheckpoint", PAGES_AT_MOST)
            .pragma("temp_store", "memory");
        // Two that open a new file at the same moment meet where it is turned to WAL, for which SQLite does not wait.
        let mut attempt = 0;
        let write = loop {
            attempt += 1;
            let opened = SqlitePoolOptions::new()
                .max_connections(1)
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(is_between_transactions(connection)))
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
                    let code = error.as_database_error().and_then(|known| known.code());
                    return Err(crate::db::inspect::of_code(path, &code.unwrap_or_default(), &error));
                }
            }
        };
        // The system caches the file too.
        let read = SqlitePoolOptions::new()
            .max_connections(SQLITE_OTHER_READS)
            .test_before_acquire(false)
            .connect_lazy_with(
                options
                    .read_only(true)
                    .create_if_missing(false)
                    .pragma("cache_size", "-2048"),
            );
        let readers = |most: u32, cache_kibibytes: u32| {
            let way = ReadPoolConfig {
                path: path.to_owned(),
                cache_kibibytes,
                map_mebibytes: mebibytes,
            };
            ReadPool::new(way, most)
        };
        let read = SqlxSqliteConnector::from_sqlx_sqlite_pool(read);
        let db = Self {
            get: read.clone(),
            count: read.clone(),
            read,
            file: Some(File {
                path: path.to_owned(),
                lists: readers(SQLITE_READS, 4 << 10),
                gets: readers(1, 24 << 10),
                counts: readers(SQLITE_COUNTS, 2 << 10),
                head: Arc::default(),
                synced: Arc::new(FsyncHandle::open(path)?),
            }),
            write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
            max_batch: MAX_BATCH,
            clock: None,
        };
        // SQL: a function of SQLite.
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
                // Statements are short: to compile one takes longer than to run it. docs/adr/0037-one-thing-one-count.md
                ("jit", "off"),
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
            // The words of the database alone: sqlx adds the line of PostgreSQL's own source.
            Ok(Err(error)) => {
                return Err(match error.as_database_error() {
                    Some(said) => away(&said.message()),
                    None => away(&error),
                });
            }
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
            .before_acquire(|connection, _| Box::pin(is_between_transactions(connection)))
            .connect_with(options.clone())
            .await
            .map_err(|e| away(&e))?;
        // Opened before they are needed, and kept: what a new connection does first takes long where much goes on.
        let get = pool(POSTGRES_READS)
            .min_connections(POSTGRES_GETS + 1)
            // What is read in several steps is of one moment where they are one transaction.
            .connect_lazy_with(options.clone().options([
                ("default_transaction_isolation", "repeatable read"),
                ("default_transaction_read_only", "on"),
            ]));
        let count = pool(POSTGRES_COUNTS).connect_lazy_with(options.clone());
        let read = pool(POSTGRES_READS).connect_lazy_with(options);
        let db = Self {
            read: SqlxPostgresConnector::from_sqlx_postgres_pool(read),
            get: SqlxPostgresConnector::from_sqlx_postgres_pool(get),
            count: SqlxPostgresConnector::from_sqlx_postgres_pool(count),
            file: None,
            write: SqlxPostgresConnector::from_sqlx_postgres_pool(write),
            max_batch: MAX_BATCH,
            clock: None,
        };
        db.expect_writable().await?;
        Ok(db)
    }

    /// Refuses a PostgreSQL database that cannot be written, or has no schema to hold tables. Reads only.
    async fn expect_writable(&self) -> Result<()> {
        // SQL: what PostgreSQL says of itself.
        let text =
            "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_schema()::text";
        let Some(row) = self.write.query_one_raw(self.sql(text, [])).await? else {
            return Err(Error::internal("PostgreSQL says nothing of itself"));
        };
        let read_only = |said: &str| Err(Error::new(Class::Unavailable, "DATABASE_READ_ONLY", said));
        if row.try_get_by_index(0)? {
            return read_only("the database is a standby: name the primary");
        }
        if row.try_get_by_index(1)? {
            return read_only(
                "the database is read-only for this role: set default_transaction_read_only to off for the role, the database and the \
                 server",
            );
        }
        if row.try_get_by_index::<Option<String>>(2)?.is_none() {
            let said = "the search_path of this role names no schema that exists: set it to the schema of the register, for example \
                        public";
            return Err(Error::new(Class::Precondition, "DATABASE_FOREIGN", said));
        }
        Ok(())
    }

    /// Whether a URL names a PostgreSQL database.
    pub fn is_postgres(url: &str) -> bool {
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Where the database of a PostgreSQL URL is, without how to get in.
    pub fn display_url(url: &str) -> String {
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
    pub fn batched_by(self, calls: usize) -> Self {
        Self {
            max_batch: calls.max(1),
            ..self
        }
    }

    /// The same, whose writers take the time of changes from this clock (microseconds since 1970). Without one it is that of the call.
    #[must_use]
    pub fn timed_by(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Some(Clock(Arc::new(clock)));
        self
    }

    /// The time of a change that is written now.
    pub(crate) fn now(&self, of_call: i64) -> i64 {
        self.clock.as_ref().map_or(of_call, |Clock(now)| now())
    }

    /// How many calls share a statement or a transaction at most.
    pub(crate) fn max_batch(&self) -> usize {
        self.max_batch
    }

    /// How many statements for single resources run at once. Fewer are shared by more calls each; calls that share
    /// nothing need them all.
    pub(crate) fn readers(&self) -> usize {
        match (self.backend(), self.max_batch) {
            (DbBackend::Postgres, 1) => POSTGRES_READS as usize,
            (DbBackend::Postgres, _) => POSTGRES_GETS as usize,
            (_, 1) => SQLITE_READS as usize,
            (_, _) => 1,
        }
    }

    /// How many writers work at the same time. SQLite has one.
    pub(crate) fn writers(&self) -> usize {
        match (self.backend(), self.max_batch) {
            (DbBackend::Postgres, 1) => POSTGRES_WRITES as usize,
            (DbBackend::Postgres, _) => 2,
            _ => 1,
        }
    }

    /// For migrations: the connection that may change the schema.
    pub fn owner(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a write transaction. Only the ORM crate does.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, sea_orm::DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let begun = self.write.begin_with_options(options).await;
        if let Err(error) = &begun
            && !is_locked(error)
        {
            self.discard().await;
        }
        begun
    }

    /// Ends the connection that writes an SQLite file, where nobody knows in which state a failure has left it. What it had not
    /// committed is undone, and the next transaction gets a new one.
    pub(crate) async fn discard(&self) {
        if self.file.is_some()
            && let Ok(connection) = self.write.get_sqlite_connection_pool().acquire().await
            && let Err(error) = connection.detach().close_hard().await
        {
            tracing::debug!("a connection to SQLite did not end in order: {error}");
        }
    }

    /// A statement with `?` for each value, in the database's own way of counting them.
    pub(crate) fn sql(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        sql(self.backend(), text, values)
    }

    /// The one column of bytes that a query answers, in its order.
    ///
    /// The last is that by which they have more than `most` bytes, where there are so many.
    pub(crate) async fn bodies(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        self.bodies_by(self.bodies_text(text, most).into(), values, most).await
    }

    /// The text by which [`Self::bodies`] asks: for a query that is asked often, which is made so once.
    pub(crate) fn bodies_text(&self, text: &str, most: usize) -> String {
        match self.backend() {
            DbBackend::Postgres => as_array(&first_ones(text, most)),
            _ => text.to_owned(),
        }
    }

    /// The same by such a text.
    pub(crate) async fn bodies_by(
        &self,
        text: Arc<str>,
        values: impl IntoIterator<Item = Value>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        if let Some(file) = &self.file {
            let weight = (Bytes::len as fn(&Bytes) -> usize, most);
            return file.lists.rows(text, values, sqlite_read_pool::body, weight).await;
        }
        bodies_over(&self.read, &text, values).await
    }

    /// The same for so many of the first rows of a query, with what another query counts at the same moment: one
    /// statement sees one moment. Nothing is counted where there are no bodies. Only counts wait for it, and it ends
    /// with the time of the call.
    pub(crate) async fn bodies_and_count(
        &self,
        cx: &RequestContext,
        (mut page, rows): (SelectStatement, Value),
        count: &SelectStatement,
        most: usize,
    ) -> Result<(Vec<Bytes>, Option<i64>)> {
        let both = async {
            let Some(file) = &self.file else {
                let (page, values) = rendered_first(DbBackend::Postgres, &page, rows);
                let (count, counted) = rendered(DbBackend::Postgres, count);
                // SQL: one row, as of `bodies`.
                let text = format!("SELECT ARRAY({}), ({count})", first_ones(&page, most));
                let values = values.into_iter().chain(counted);
                let row = self.count.query_one_raw(self.sql(&text, values)).await?;
                let Some(row) = row else { return Ok((Vec::new(), None)) };
                let bodies: Vec<Vec<u8>> = row.try_get_by_index(0)?;
                let bodies: Vec<Bytes> = bodies.into_iter().map(Bytes::from).collect();
                return Ok((bodies, Some(row.try_get_by_index(1)?)));
            };
            page.expr(count.clone());
            let (text, values) = rendered_first(DbBackend::Sqlite, &page, rows);
            let weigh: fn(&(Bytes, i64)) -> usize = |(body, _)| body.len();
            let take: fn(&rusqlite::Row<'_>) -> rusqlite::Result<(Bytes, i64)> =
                |row| Ok((sqlite_read_pool::body(row)?, row.get(1)?));
            let rows = file.counts.rows(text.into(), values, take, (weigh, most)).await?;
            let count = rows.first().map(|(_, count)| *count);
            Ok((rows.into_iter().map(|(body, _)| body).collect(), count))
        };
        in_time(cx, both).await
    }

    /// The same for gets that are shared, on PostgreSQL, by a text of [`as_array`].
    pub(crate) async fn got(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<Bytes>> {
        bodies_over(&self.get, text, values).await
    }

    /// Where gets that are shared are read on SQLite.
    pub(crate) fn gets(&self) -> Option<&ReadPool> {
        let file = self.file.as_ref()?;
        Some(if self.max_batch == 1 { &file.lists } else { &file.gets })
    }

    /// The file of SQLite.
    pub(crate) fn synced(&self) -> Option<&Arc<FsyncHandle>> {
        self.file.as_ref().map(|file| &file.synced)
    }

    /// Does something with SQLite's log over the connection that writes, and answers how many pages of it are not in the file.
    pub(crate) async fn log(&self, pragma: &str) -> Result<i64> {
        let row = self.write.query_one_raw(self.sql(pragma, [])).await?;
        let row = row.ok_or_else(|| Error::internal("SQLite says nothing of its log"))?;
        Ok(row.try_get_by_index::<i64>(1)? - row.try_get_by_index::<i64>(2)?)
    }

    /// Where single rows are read by their keys, apart from what may take long.
    pub(crate) fn one(&self) -> &DatabaseConnection {
        &self.get
    }

    /// The rows of a query that counts: the count, and the values of each group, of which it is said whether they are text. Nobody but
    /// other counts waits for it; where the call's time is over, or its caller leaves, the database stops.
    pub(crate) async fn counted(
        &self,
        cx: &RequestContext,
        text: &str,
        values: Vec<Value>,
        texts: &[bool],
    ) -> Result<Vec<Counted>> {
        let counted = async {
            let Some(file) = &self.file else {
                let rows = self.count.query_all_raw(self.sql(text, values)).await?;
                return rows.iter().map(|row| of_row(row, texts)).collect();
            };
            file.counts.rows(text.into(), values, of_sqlite, (|_| 0, 0)).await
        };
        in_time(cx, counted).await
    }

    /// From now on a small file beside an SQLite database says how far its ledger goes (docs/adr/0021-head.md).
    ///
    /// # Errors
    /// Where the tables are not there, or cannot be read.
    pub async fn keep_head(&self) -> Result<()> {
        if let Some(file) = &self.file {
            file.head.get_or_try_init(|| Keeper::start(self, &file.path)).await?;
        }
        Ok(())
    }

    /// The one column of numbers that a query answers, in its order.
    pub(crate) async fn numbers(&self, text: Arc<str>, values: impl IntoIterator<Item = Value>) -> Result<Vec<i64>> {
        match &self.file {
            Some(file) => file.lists.rows(text, values, |row| row.get(0), (|_| 0, 0)).await,
            None => crate::db::statement::first(&self.read.query_all_raw(self.sql(&text, values)).await?),
        }
    }

    /// Ends all connections, once those at work are done. Where the disk has not taken what was brought into an SQLite file, that
    /// would end the log that still has it: this then waits for the end of the process ([`crate::db::sound::Trouble::Unsynced`]).
    pub async fn close(&self) {
        if self.synced().is_some_and(|file| file.is_lost()) {
            std::future::pending::<()>().await;
        }
        // What does not end by then is left to the end of the process, as after a kill.
        let _ = watched("those who still use the database, to close it", self.end()).await;
    }

    async fn end(&self) {
        if let Some(head) = self.file.as_ref().and_then(|file| file.head.get()) {
            head.end(self).await;
        }
        let _ = self.read.close_by_ref().await;
        let _ = self.count.close_by_ref().await;
        let _ = self.get.close_by_ref().await;
        if let Some(file) = &self.file {
            file.counts.close().await;
            file.lists.close().await;
            file.gets.close().await;
        }
        // At last, so that SQLite brings what was written into the file.
        let _ = self.write.close_by_ref().await;
    }
}

/// The bodies of a query on PostgreSQL as one row, as it is asked: many small ones cost both sides more than what is in
/// them. SQL: sea-query makes no list of a query.
pub(crate) fn as_array(text: &str) -> String {
    numbered(DbBackend::Postgres, &format!("SELECT ARRAY({text})")).into_owned()
}

/// Asks for them.
async fn bodies_over(
    connection: &DatabaseConnection,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Bytes>> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, text, values);
    let row = connection.query_one_raw(statement).await?;
    let bodies: Vec<Vec<u8>> = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    Ok(bodies.into_iter().map(Bytes::from).collect())
}

/// The first bodies of a query on PostgreSQL, which knows how long each is without reading it. SQL: sea-query makes no
/// names for the columns of a query in `FROM`.
fn first_ones(text: &str, most: usize) -> String {
    format!(
        "SELECT b.body FROM (SELECT q.body, SUM(OCTET_LENGTH(q.body)) \
         OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM ({text}) q (body)) b \
         WHERE COALESCE(b.before, 0) <= {most}"
    )
}

/// What counts, as long as the call has time.
async fn in_time<T>(cx: &RequestContext, counted: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = cx.deadline else {
        return counted.await;
    };
    tokio::time::timeout_at(deadline.into(), counted)
        .await
        .unwrap_or_else(|_| {
            let said =
                "the time for this call is over and nothing was changed: ask with a narrower filter or fewer groups";
            Err(Error::new(Class::Deadline, "DEADLINE_EXCEEDED", said))
        })
}

/// Whether a connection may be used for the next transaction. sqlx counts how deep in transactions a connection is, and does not
/// count down where COMMIT or ROLLBACK fails: what begins then is a savepoint in a transaction that nobody commits, and each
/// release of it reads like a commit (docs/adr/0019-commit.md).
async fn is_between_transactions<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    let inside = connection.is_in_transaction();
    if inside {
        tracing::warn!(
            "a connection to the database was still in a transaction: it is closed, and what it had not committed is undone"
        );
    }
    Ok(!inside)
}
