//! Sorting what is new into PostgreSQL's search indexes, beside the writers.
//!
//! GIN puts new entries on a list, which each search reads from its beginning to its end once for each step, and by itself sorts it in
//! within the transaction that makes it too long. Here another connection does so: soon after many rows, and when it is quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::db::database::Db;
use crate::model::table_row::RowChange;

/// So many rows are not left waiting. A list of PostgreSQL's default length, 4 MB, holds some 4,000.
const MANY: usize = 2000;
/// Fewer wait for as long as this.
const QUIET: Duration = Duration::from_secs(1);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(60);

/// How many commits may be told of before they are looked at. Of others a later one tells.
const TOLD: usize = 256;

/// How many rows of which table.
pub(crate) type PendingRows = BTreeMap<&'static str, usize>;

/// The way to tell what was written. Nothing, where the index has no list.
#[derive(Debug, Clone)]
pub(crate) struct PendingListCleaner(Option<mpsc::Sender<PendingRows>>);

impl PendingListCleaner {
    pub fn start(db: &Db) -> Self {
        if db.backend() != DbBackend::Postgres {
            return Self(None);
        }
        let (tell, told) = mpsc::channel(TOLD);
        tokio::spawn(run(db.clone(), told));
        Self(Some(tell))
    }

    /// The rows of a transaction that have a place in an index.
    pub fn count(&self, rows: &[RowChange]) -> PendingRows {
        let mut fresh = PendingRows::new();
        if self.0.is_some() {
            for (_, row) in rows {
                *fresh.entry(row.kind.table).or_default() += 1;
            }
        }
        fresh
    }

    /// They are committed.
    pub fn notify(&self, fresh: PendingRows) {
        if let (Some(tell), false) = (&self.0, fresh.is_empty()) {
            let _ = tell.try_send(fresh);
        }
    }
}

async fn run(db: Db, mut told: mpsc::Receiver<PendingRows>) {
    while let Some(mut fresh) = told.recv().await {
        let until = Instant::now() + QUIET;
        while fresh.values().sum::<usize>() < MANY {
            let more = match timeout_at(until, told.recv()).await {
                Ok(Some(more)) => more,
                // The writers have ended, and so will the connections.
                Ok(None) => return,
                Err(_) => break,
            };
            for (table, rows) in more {
                *fresh.entry(table).or_default() += rows;
            }
        }
        for table in fresh.keys() {
            // SQL: a function of PostgreSQL.
            let text = format!("SELECT gin_clean_pending_list('{table}_by_token')");
            if let Err(error) = db.owner().execute_unprepared(&text).await {
                tracing::warn!(table, "what is new is not sorted into the search index: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}
