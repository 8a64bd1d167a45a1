//! Reading an SQLite file: rows are taken where they lie, by the thread that asks for them (docs/adr/0017-reading.md).
//!
//! Writing goes over sqlx, as on PostgreSQL: its thread for each connection costs a large write little, and a get more than
//! the look-up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, InterruptHandle, OpenFlags, OptionalExtension, Row, ToSql, params_from_iter};
use sea_orm::DbBackend;
use sea_orm::sea_query::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::db::texts::Texts;
use crate::db::watched::{in_vain, watched};
use crate::error::{Error, Result};

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 100;

/// How the file is read.
#[derive(Debug, Clone)]
pub(crate) struct ReadPoolConfig {
    pub path: PathBuf,
    /// The page cache of each connection.
    pub cache_kibibytes: u32,
    /// How much of the file is mapped into memory.
    pub map_mebibytes: u32,
}

/// Connections that only read. They are opened when they are first needed.
#[derive(Debug, Clone)]
pub(crate) struct ReadPool {
    config: Arc<ReadPoolConfig>,
    most: u32,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

/// A connection that nobody else has meanwhile.
struct PooledConnection {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        locked(&self.idle).extend(self.connection.take());
    }
}

/// How often SQLite is told again to stop.
const AGAIN: Duration = Duration::from_millis(20);

/// A query at work, until it has ended.
struct RunningQuery {
    handle: Mutex<Option<InterruptHandle>>,
    /// Nobody waits for it any more.
    left: AtomicBool,
}

/// Tells SQLite to stop what runs, where it is dropped before that has ended.
struct InterruptGuard(Arc<RunningQuery>);

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Release);
        if !interrupt(&self.0) {
            return;
        }
        // SQLite forgets it where the query has not begun its first step yet.
        let running = Arc::clone(&self.0);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                while interrupt(&running) {
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
    }
}

/// Tells SQLite to stop. Whether it was still at work.
fn interrupt(running: &RunningQuery) -> bool {
    let handle = locked(&running.handle);
    if let Some(handle) = handle.as_ref() {
        handle.interrupt();
    }
    handle.is_some()
}

impl ReadPool {
    pub fn new(way: ReadPoolConfig, most: u32) -> Self {
        Self {
            config: Arc::new(way),
            most,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(most as usize)),
        }
    }

    /// The bodies of these ids, in their order, as of one moment. The thread that asks does it: for few at a time.
    pub async fn by_ids(&self, table: &'static str, ids: &[&str]) -> Result<Vec<Option<Bytes>>> {
        let mut lent = self.acquire().await?;
        lent.with(|connection| by_ids(connection, table, ids))
    }

    /// The first column of what a query answers, in a thread for such work. Where the caller leaves, SQLite stops, and with the row
    /// by which they weigh more than `most`.
    pub async fn rows<T: Send + 'static>(
        &self,
        text: Arc<str>,
        values: impl IntoIterator<Item = Value>,
        take: fn(&Row<'_>) -> rusqlite::Result<T>,
        (weigh, most): (fn(&T) -> usize, usize),
    ) -> Result<Vec<T>> {
        let (mut lent, values) = (self.acquire().await?, values.into_iter().map(Bound).collect::<Vec<_>>());
        let handle = lent.with(|connection| Ok(connection.get_interrupt_handle()))?;
        let running = Arc::new(RunningQuery {
            handle: Mutex::new(Some(handle)),
            left: AtomicBool::new(false),
        });
        let _stop = InterruptGuard(Arc::clone(&running));
        let work = move || {
            if running.left.load(Ordering::Acquire) {
                locked(&running.handle).take();
                return Ok((Vec::new(), lent));
            }
            let rows = lent.with(|connection| {
                let mut statement = connection.prepare_cached(&text)?;
                let mut weight = 0;
                let mut taken = Vec::new();
                for row in statement.query_map(params_from_iter(values), take)? {
                    let row = row?;
                    weight += weigh(&row);
                    taken.push(row);
                    if weight > most {
                        break;
                    }
                }
                Ok(taken)
            });
            // Before the connection is another's.
            locked(&running.handle).take();
            rows.map(|rows| (rows, lent))
        };
        // Given back once the caller has the rows: no more of them are read than there are turns, however slowly they are taken.
        let (rows, _lent) = tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
        Ok(rows)
    }

    /// Ends all connections, once those at work are done.
    pub async fn close(&self) {
        let all = self.permits.acquire_many(self.most).await;
        self.permits.close();
        locked(&self.idle).clear();
        drop(all);
    }

    async fn acquire(&self) -> Result<PooledConnection> {
        let turn = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(turn) => turn,
            Err(TryAcquireError::Closed) => return Err(Error::shutting_down()),
            Err(TryAcquireError::NoPermits) => {
                let turn = watched("a connection that reads", Arc::clone(&self.permits).acquire_owned()).await;
                turn.ok_or_else(in_vain)?.map_err(|_| Error::shutting_down())?
            }
        };
        let idle = locked(&self.idle).pop();
        let connection = idle.map_or_else(|| self.config.open(), Ok)?;
        Ok(PooledConnection {
            connection: Some(connection),
            idle: Arc::clone(&self.idle),
            _permit: turn,
        })
    }
}

impl PooledConnection {
    /// Where it fails nobody knows how the connection was left: the next one is a new one.
    fn with<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let taken = self.connection.take();
        let connection = taken.ok_or_else(|| Error::internal("a connection that failed is asked again"))?;
        let done = work(&connection)?;
        self.connection = Some(connection);
        Ok(done)
    }
}

impl ReadPoolConfig {
    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "cache_size", -i64::from(self.cache_kibibytes))?;
        connection.pragma_update(None, "mmap_size", i64::from(self.map_mebibytes) << 20)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        Ok(connection)
    }
}

/// The texts of the query for one body.
static BY_ID: Texts<&'static str> = Texts::new();

fn by_ids(connection: &Connection, table: &'static str, ids: &[&str]) -> rusqlite::Result<Vec<Option<Bytes>>> {
    // SQL: rusqlite takes a text, and this one is as short as it can be.
    let text = BY_ID.of(DbBackend::Sqlite, table, || {
        format!("SELECT body FROM {table} WHERE id = ?")
    });
    let mut one = connection.prepare_cached(&text)?;
    let mut found = || ids.iter().map(|id| one.query_row([id], body).optional()).collect();
    if ids.len() == 1 {
        return found();
    }
    connection.prepare_cached("BEGIN")?.execute([])?;
    let found = found();
    connection.prepare_cached("ROLLBACK")?.execute([])?;
    found
}

/// The bytes in the first column of a row.
pub(crate) fn body(row: &Row<'_>) -> rusqlite::Result<Bytes> {
    Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_bytes()?))
}

/// A value as SQLite takes it.
struct Bound(Value);

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match &self.0 {
            Value::String(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Value::BigInt(Some(number)) => ValueRef::Integer(*number),
            Value::Int(Some(number)) => ValueRef::Integer((*number).into()),
            Value::Bool(Some(yes)) => ValueRef::Integer((*yes).into()),
            Value::String(None) | Value::Bytes(None) | Value::BigInt(None) | Value::Int(None) | Value::Bool(None) => {
                ValueRef::Null
            }
            other => {
                let said = format!("no query of the ORM crate binds a value like {other:?}");
                return Err(rusqlite::Error::ToSqlConversionFailure(said.into()));
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

    /// One connection to a file with three rows.
    fn readers() -> (tempfile::TempDir, ReadPool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let made = "PRAGMA journal_mode = WAL; CREATE TABLE labs (id TEXT PRIMARY KEY, body BLOB NOT NULL); \
                    INSERT INTO labs VALUES ('a', x'01'), ('b', x''), ('c', '三')";
        Connection::open(&path).unwrap().execute_batch(made).unwrap();
        let way = ReadPoolConfig {
            path,
            cache_kibibytes: 100,
            map_mebibytes: 0,
        };
        (folder, ReadPool::new(way, 1))
    }

    async fn first(readers: &ReadPool, text: &str, value: impl Into<Value>) -> Result<Vec<i64>> {
        readers
            .rows(text.into(), [value.into()], |row| row.get(0), (|_| 0, 0))
            .await
    }

    #[tokio::test]
    async fn each_id_is_answered_in_its_place_and_one_that_is_asked_twice_twice() {
        let (_folder, readers) = readers();
        let found = readers.by_ids("labs", &["c", "x", "a", "b", "a"]).await.unwrap();
        let wanted: [Option<&[u8]>; 5] = [Some("三".as_bytes()), None, Some(&[1]), Some(&[]), Some(&[1])];
        assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), wanted);
        assert_eq!(readers.by_ids("labs", &["x"]).await.unwrap(), [None]);
    }

    #[tokio::test]
    async fn whoever_leaves_stops_what_runs_and_whoever_comes_next_is_served() {
        let (_folder, readers) = readers();
        for _ in 0..20 {
            let endless = readers.rows(ENDLESS.into(), [], |row| row.get::<_, i64>(0), (|_| 0, 0));
            assert!(tokio::time::timeout(Duration::from_millis(5), endless).await.is_err());
            let served = first(&readers, "SELECT length(id) + ? FROM labs", 4i64);
            let served = tokio::time::timeout(Duration::from_secs(10), served).await;
            assert_eq!(served.unwrap().unwrap(), [5, 5, 5]);
        }
    }

    /// Also in the moment between the query and its first step.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_leaves_at_any_moment_stops_what_runs() {
        let (_folder, readers) = readers();
        for round in 0..400 {
            let endless = readers.rows(ENDLESS.into(), [], |row| row.get::<_, i64>(0), (|_| 0, 0));
            let left = tokio::time::timeout(Duration::from_micros(round * 2), endless).await;
            assert!(left.is_err());
            let served = first(&readers, "SELECT length(id) + ? FROM labs", 4i64);
            let served = tokio::time::timeout(Duration::from_secs(20), served).await;
            assert_eq!(served.expect("the connection is not given back").unwrap(), [5, 5, 5]);
        }
    }

    #[tokio::test]
    async fn a_failure_is_told_and_leaves_nothing_behind() {
        let (_folder, readers) = readers();
        for _ in 0..2 {
            assert!(readers.by_ids("nothing", &["a", "b"]).await.is_err());
            assert!(first(&readers, "SELECT ? FROM nothing", 1i64).await.is_err());
            assert!(first(&readers, "SELECT ?", 1.5f64).await.is_err());
            assert!(first(&readers, "DELETE FROM labs WHERE ? = 1", 1i64).await.is_err());
            assert_eq!(
                first(&readers, "SELECT count(*) + ? FROM labs", 0i64).await.unwrap(),
                [3]
            );
        }
    }

    #[tokio::test]
    async fn once_closed_nobody_is_served_and_no_connection_is_left() {
        let (folder, readers) = readers();
        let open = Connection::open(folder.path().join("a.db")).unwrap();
        assert_eq!(first(&readers, "SELECT ?", 1i64).await.unwrap(), [1]);
        readers.close().await;
        assert_eq!(
            first(&readers, "SELECT ?", 1i64).await.unwrap_err().reason(),
            "SHUTTING_DOWN"
        );
        // The last connection that is closed takes the log with it.
        open.execute_batch("DELETE FROM labs").unwrap();
        open.close().unwrap();
        assert!(!folder.path().join("a.db-wal").exists());
    }
}
