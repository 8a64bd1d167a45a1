//! Bringing what SQLite's log holds into the file, beside the writer.
//!
//! By itself SQLite does so in the commit that makes the log long, and all that wait for the writer wait for the disk meanwhile. Here a
//! connection of its own does the most of it while writing goes on, and the writer only the rest, so that the log can begin anew.
//!
//! SQLite waits for the disk only where nothing of the log is left, which is never so beside a writer: the writer would wait for
//! all that was brought into the file. So what is done aside is also waited for there.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};
use tokio::task::JoinHandle;

use crate::db::Db;
use crate::error::{Error, Result};
use crate::sound::Trouble;
use crate::watched::watched;

/// From how many pages in the log on.
const PAGES: i64 = 8000;

/// From how many pages in the log on SQLite does so by itself, where this has failed.
pub(crate) const PAGES_AT_MOST: &str = "32000";

/// How often what is in the log is brought into the file before the writer does the rest: each time it is less.
const PASSES: usize = 3;

/// The code of a sync that failed.
const SQLITE_IOERR_FSYNC: i32 = 1034;

const PASS: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// What the writer knows of the log, beside which the file is written.
pub(crate) struct Checkpoints<'a> {
    db: &'a Db,
    aside: Option<JoinHandle<Result<()>>>,
}

/// The file, to wait until the disk has it. It is never closed: where a process closes a file it loses all of its locks, and these are
/// SQLite's.
#[derive(Debug)]
pub(crate) struct Synced {
    path: PathBuf,
    file: ManuallyDrop<File>,
    /// The disk has not taken what was brought into the file.
    is_lost: AtomicBool,
}

impl Synced {
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::internal)?;
        Ok(Self {
            path: path.to_owned(),
            file: ManuallyDrop::new(file),
            is_lost: AtomicBool::new(false),
        })
    }

    /// Whether the log has to stay as it is: nothing is written any more, and no connection that writes is closed.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// Waits until the disk has the file.
    ///
    /// The system tells once that it could not write, and forgets what it could not. A later sync succeeds without it, and then the
    /// log, which still has it, would begin anew. So the host is told, to end the process at once: one that starts brings the whole
    /// log into the file again.
    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| self.lost(&error))
    }

    /// Brings the log into the file, which SQLite syncs by itself where it has brought all of it.
    fn pass(&self, connection: &Connection) -> Result<()> {
        connection
            .query_row(PASS, [], |_| Ok(()))
            .map_err(|error| match error.sqlite_error() {
                Some(code) if code.extended_code == SQLITE_IOERR_FSYNC => self.lost(&error),
                _ => error.into(),
            })
    }

    fn lost(&self, error: &dyn std::fmt::Display) -> Error {
        tracing::error!("the disk has not taken what was written to the database: {error}");
        self.is_lost.store(true, Ordering::Release);
        Trouble::Unsynced.noted().into()
    }
}

impl<'a> Checkpoints<'a> {
    pub fn of(db: &'a Db) -> Self {
        Self { db, aside: None }
    }

    /// A transaction more may be in the log.
    pub async fn after_commit(&mut self) {
        let Some(file) = self.db.synced() else { return };
        if let Err(error) = self.step(file).await
            && !file.is_lost()
        {
            tracing::warn!("the log of SQLite was not brought into the file: {}", error.logged());
            self.db.discard().await;
        }
    }

    /// Waits for what runs aside.
    pub async fn end(self) {
        if let Some(aside) = self.aside {
            let _ = watched("the log of SQLite", aside).await;
        }
    }

    async fn step(&mut self, file: &Arc<Synced>) -> Result<()> {
        if file.is_lost() {
            return Ok(());
        }
        if let Some(aside) = self.aside.take_if(|aside| aside.is_finished()) {
            aside.await.map_err(Error::internal)??;
            self.db.log(PASS).await?;
        } else if self.aside.is_none() && self.db.log(LOOK).await? >= PAGES {
            let file = Arc::clone(file);
            self.aside = Some(tokio::task::spawn_blocking(move || aside(&file)));
        }
        Ok(())
    }
}

fn aside(synced: &Synced) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&synced.path, flags)?;
    for _ in 0..PASSES {
        synced.pass(&connection)?;
        synced.sync()?;
    }
    Ok(())
}
