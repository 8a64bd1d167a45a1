//! The file of SQLite, as far as the disk has it.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use crate::db::sound::Trouble;
use crate::error::{Error, Result};

/// From how many pages in its log on SQLite brings them into the file by itself, where that has failed beside the writer.
pub(crate) const PAGES_AT_MOST: &str = "32000";

/// Brings the log into the file. SQL: a pragma.
pub(crate) const PASS: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The code of a sync that failed.
const SQLITE_IOERR_FSYNC: i32 = 1034;

/// The file, to wait until the disk has it. It is never closed: where a process closes a file it loses all of its locks, and these are
/// SQLite's.
#[derive(Debug)]
pub(crate) struct FsyncHandle {
    pub path: PathBuf,
    file: ManuallyDrop<File>,
    /// The disk has not taken what was brought into the file.
    is_lost: AtomicBool,
}

impl FsyncHandle {
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
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| self.lost(&error))
    }

    /// Brings the log into the file, which SQLite syncs by itself where it has brought all of it.
    pub fn pass(&self, connection: &Connection) -> Result<()> {
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
