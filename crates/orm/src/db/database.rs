//! The database: SQLite by default, PostgreSQL by URL. Who reads has other connections than who writes.

mod head_keeper;
mod postgres;
pub(crate) mod read;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;

use sea_orm::sea_query::Value;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sqlx::Connection;
use tokio::sync::OnceCell;

use self::head_keeper::Keeper;
use crate::db::fault::is_locked;
use crate::db::fsync::FsyncHandle;
use crate::db::sqlite_read_pool::ReadPool;
use crate::db::statement::sql;
use crate::db::watched::watched;
use crate::error::{Error, Result};

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
