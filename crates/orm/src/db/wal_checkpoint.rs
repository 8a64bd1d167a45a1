//! Bringing what SQLite's log holds into the file, beside the writer.
//!
//! By itself SQLite does so in the commit that makes the log long, and all that wait for the writer wait for the disk meanwhile. Here a
//! connection of its own does the most of it while writing goes on, and the writer only the rest, so that the log can begin anew.
//!
//! SQLite waits for the disk only where nothing of the log is left, which is never so beside a writer: the writer would wait for
//! all that was brought into the file. So what is done aside is also waited for there.

use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use tokio::task::JoinHandle;

use crate::db::database::Db;
use crate::db::fsync::{FsyncHandle, PASS};
use crate::db::watched::watched;
use crate::error::{Error, Result};

/// From how many pages in the log on.
const PAGES: i64 = 8000;

/// How often what is in the log is brought into the file before the writer does the rest: each time it is less.
const PASSES: usize = 3;

/// How long the log is. SQL: a pragma.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// What the writer knows of the log, beside which the file is written.
pub(crate) struct Checkpoints<'a> {
    db: &'a Db,
    aside: Option<JoinHandle<Result<()>>>,
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

    async fn step(&mut self, file: &Arc<FsyncHandle>) -> Result<()> {
        if file.is_lost() {
            return Ok(());
        }
        if let Some(aside) = self.aside.take_if(|aside| aside.is_finished()) {
            aside.await.map_err(Error::internal)??;
            self.db.log(PASS).await?;
        } else if self.aside.is_none() && self.db.log(LOOK).await? >= PAGES {
            let file = Arc::clone(file);
            self.aside = Some(tokio::task::spawn_blocking(move || background(&file)));
        }
        Ok(())
    }
}

fn background(synced: &FsyncHandle) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&synced.path, flags)?;
    for _ in 0..PASSES {
        synced.pass(&connection)?;
        synced.sync()?;
    }
    Ok(())
}
