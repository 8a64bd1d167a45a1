//! What a transaction writes, statement by statement. But for the numbers of its changes none of them needs the answer of another.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use crate::db::statement::{PlannedStatement, StatementSink, together};
use crate::model::table_row::RowChange;
use crate::query::survivors;
use crate::write::commit_stamps::CommitStamps;
use crate::write::idempotency::{self, RecordedRequest};
use crate::write::import_seen::{self, SeenNote};
use crate::write::ledger;
use crate::write::ledger_entry::Entry;
use crate::write::persist;
use crate::write::transaction_fault::Fault;

/// From how many edits on they are too large for one round trip, and their answers are given up in a thread of its own.
pub(crate) const MANY: usize = 200;

/// All that a batch of edits has changed.
#[derive(Debug, Default)]
pub(crate) struct ChangeSet {
    /// Rows, by their tables and ids.
    pub rows: Vec<RowChange>,
    /// New requests that are to be done once.
    pub requests: Vec<RecordedRequest>,
    /// What rows of imports meant.
    pub seen: Vec<Arc<SeenNote>>,
    /// What the ledger says, in this order.
    pub entries: Vec<Arc<Entry>>,
}

impl PlannedStatement {
    async fn run(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let done = tx.execute_raw(self.statement).await?.rows_affected();
        match self.expects {
            Some((rows, wrong)) if rows != done => Err(DbErr::Custom(wrong)),
            _ => Ok(()),
        }
    }
}

impl ChangeSet {
    /// Writes them, and answers what became of each. What bears the number of a change comes behind the allocation of
    /// the numbers: whoever has allocated is alone until the commit.
    pub async fn write(self, tx: &DatabaseTransaction, now: i64) -> Result<Arc<CommitStamps>, Fault> {
        let backend = tx.get_database_backend();
        run(tx, |put| {
            self.without_numbers(backend, put);
            Ok(())
        })
        .await?;
        if self.entries.is_empty() {
            return Ok(Arc::default());
        }
        let first = ledger::allocate(tx, self.entries.len(), now).await?;
        let stamps = Arc::new(CommitStamps::new(&self.entries, first)?);
        if backend == DbBackend::Postgres && self.entries.len() < MANY {
            // The others wait: it is one round trip.
            let mut all = Vec::new();
            self.with_numbers(backend, &stamps, &mut |step| all.push(step.statement))?;
            tx.execute_raw(together(all)).await?;
        } else {
            run(tx, |put| self.with_numbers(backend, &stamps, put)).await?;
        }
        Ok(stamps)
    }

    /// What bears no number of a change.
    fn without_numbers(&self, backend: DbBackend, put: &mut StatementSink<'_>) {
        persist::write_beside(backend, &self.rows, put);
        survivors::write(backend, &self.rows, put);
        idempotency::record(backend, &self.requests, put);
        import_seen::write_seen(backend, &self.seen, put);
    }

    /// What does. On PostgreSQL these are insertions, each into a table of its own.
    fn with_numbers(
        &self,
        backend: DbBackend,
        stamps: &CommitStamps,
        put: &mut StatementSink<'_>,
    ) -> Result<(), DbErr> {
        persist::write(backend, &self.rows, stamps, put)?;
        ledger::append(backend, &self.entries, stamps, put);
        Ok(())
    }
}

/// Does the statements that `made` makes, one after the other.
async fn run(
    tx: &DatabaseTransaction,
    made: impl FnOnce(&mut StatementSink<'_>) -> Result<(), DbErr>,
) -> Result<(), DbErr> {
    let mut steps = Vec::new();
    made(&mut |step| steps.push(step))?;
    for step in steps {
        step.run(tx).await?;
    }
    Ok(())
}
