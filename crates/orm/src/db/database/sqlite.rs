//! Opening an SQLite file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, SqlxSqliteConnector, Statement};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Db, File, MAX_BATCH, SQLITE_COUNTS, SQLITE_OTHER_READS, SQLITE_READS, is_between_transactions};
use crate::db::fsync::{FsyncHandle, PAGES_AT_MOST};
use crate::db::sqlite_read_pool::{ReadPool, ReadPoolConfig};
use crate::error::{Error, Result};

/// The oldest SQLite that does not corrupt a WAL at its reset, as `major * 1_000_000 + minor * 1000 + patch`.
const SQLITE_AT_LEAST: (u32, &str) = (3_051_003, "3.51.3");

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
}
