//! What a transaction writes, statement by statement. None of them needs the answer of another, so that the next ones are made
//! while the database does those before.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};
use tokio::sync::mpsc;

use crate::imports::{self, SeenNote};
use crate::layer::RowChange;
use crate::ledger::{self, Entry};
use crate::once::{self, Done};
use crate::{survivors, tables};

/// From how many edits on some of the work on them is done in a thread of its own.
pub(crate) const MANY: usize = 200;
/// How many statements may be ready.
const READY: usize = 4;

/// All that a batch of edits has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Rows, by their tables and ids.
    pub rows: Vec<RowChange>,
    /// New requests that are to be done once.
    pub requests: Vec<Done>,
    /// What rows of imports meant.
    pub seen: Vec<Arc<SeenNote>>,
    /// What the ledger says, in this order.
    pub entries: Vec<Arc<Entry>>,
}

/// A statement, and what is wrong where it does not change so many rows.
#[derive(Debug)]
pub(crate) struct Step {
    pub statement: Statement,
    pub expects: Option<(u64, String)>,
}

/// Takes the statements in their order.
pub(crate) type Put<'a> = dyn FnMut(Step) + 'a;

impl Step {
    async fn run(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let done = tx.execute_raw(self.statement).await?.rows_affected();
        match self.expects {
            Some((rows, wrong)) if rows != done => Err(DbErr::Custom(wrong)),
            _ => Ok(()),
        }
    }
}

impl From<Statement> for Step {
    fn from(statement: Statement) -> Self {
        Self {
            statement,
            expects: None,
        }
    }
}

impl Changes {
    /// Writes them.
    pub async fn write(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let backend = tx.get_database_backend();
        if self.entries.len() < MANY {
            let mut steps = Vec::new();
            self.steps(backend, &mut |step| steps.push(step))?;
            for step in steps {
                step.run(tx).await?;
            }
            return Ok(());
        }
        let (ready, mut steps) = mpsc::channel(READY);
        let made = tokio::task::spawn_blocking(move || {
            // Nobody takes them any more where one has failed.
            self.steps(backend, &mut |step| drop(ready.blocking_send(step)))
        });
        while let Some(step) = steps.recv().await {
            step.run(tx).await?;
        }
        made.await.map_err(|error| DbErr::Custom(error.to_string()))?
    }

    /// The ledger comes last: its row is locked by whoever writes there until the commit.
    fn steps(&self, backend: DbBackend, put: &mut Put<'_>) -> Result<(), DbErr> {
        tables::write(backend, &self.rows, put)?;
        survivors::write(backend, &self.rows, put);
        once::remember(backend, &self.requests, put);
        imports::write_seen(backend, &self.seen, put);
        ledger::append(backend, &self.entries, put);
        Ok(())
    }
}
