//! The write path. Calls that wait at the same moment share one transaction; each is answered after its commit.
//!
//! A writer takes what waits (no timer: a lone call waits for nobody), runs the edits, writes all changes with few
//! statements of many rows, and commits. An edit that fails leaves nothing and fails alone. Where the database refuses
//! the batch, its jobs are done again one by one. Writers are threads of their own: a job whose caller has left before it
//! began is dropped, and one that has begun is finished.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Mutex, mpsc};

use crate::db::batch::drain_batch;
use crate::db::database::Db;
use crate::db::fault::{is_locked, is_unique, wants_retry};
use crate::db::sound::Trouble;
use crate::db::wal_checkpoint::Checkpoints;
use crate::error::{Error, Result};
use crate::model::vault::Vault;
use crate::search_index::gin_pending_list::PendingListCleaner;
use crate::write::change_set::MANY;
use crate::write::edit::{Replies, WriteJob};
use crate::write::load::Lock;
use crate::write::load_requests::LoadRequests;
use crate::write::transaction::transaction;
use crate::write::transaction_fault::Fault;

/// How often a transaction is tried that the database asks to try again.
const ATTEMPTS: u32 = 5;

/// Writes what waits, until the queue is closed and empty.
pub(super) async fn run(
    db: Db,
    vault: Option<Arc<Vault>>,
    lists: PendingListCleaner,
    waiting: Arc<Mutex<mpsc::Receiver<WriteJob>>>,
) {
    let mut log = Checkpoints::of(&db);
    loop {
        let mut jobs = drain_batch(&mut *waiting.lock().await, db.max_batch(), |job: &WriteJob| {
            job.edits.len()
        })
        .await;
        if jobs.is_empty() {
            return log.end().await;
        }
        // Nobody waits for these any more, and nothing of them is done: the time is for those who do.
        jobs.retain(|job| !job.reply.is_closed());
        if jobs.is_empty() {
            continue;
        }
        if db.synced().is_some_and(|file| file.is_lost()) {
            for job in jobs {
                let _ = job.reply.send(vec![Err(Trouble::Unsynced.into()); job.edits.len()]);
            }
            continue;
        }
        let mut asks = LoadRequests::default();
        jobs.iter_mut().for_each(|job| asks.and(std::mem::take(&mut job.asks)));
        let results = match write(&db, vault.as_ref(), &lists, &jobs, asks).await {
            Ok(results) => results,
            Err(fault) if jobs.len() == 1 || !fault.may_be_of_one_job() => {
                let error = Error::from(fault);
                jobs.iter().map(|_| vec![Err(error.clone())]).collect()
            }
            Err(fault) => {
                tracing::debug!(
                    jobs = jobs.len(),
                    "a batch was refused, its jobs are done one by one: {fault}"
                );
                let mut results = Vec::with_capacity(jobs.len());
                for job in &jobs {
                    let asks = LoadRequests::default();
                    let alone = write(&db, vault.as_ref(), &lists, std::slice::from_ref(job), asks).await;
                    results.push(match alone {
                        Ok(mut one) => one.pop().unwrap_or_default(),
                        Err(fault) => vec![Err(fault.into())],
                    });
                }
                results
            }
        };
        let mut done = Vec::new();
        for (job, mut result) in jobs.into_iter().zip(results) {
            // A job that failed as a whole has one error for all of its edits.
            if let [Err(error)] = result.as_slice() {
                result = vec![Err(error.clone()); job.edits.len()];
            }
            let _ = job.reply.send(result);
            done.push(job.edits);
        }
        log.after_commit().await;
        // To give back the memory of an import's rows takes as long as to write some of them.
        if done.iter().map(Vec::len).sum::<usize>() > MANY {
            tokio::task::spawn_blocking(move || drop(done));
        }
    }
}

/// Writes jobs in one transaction, and again where the database asks for it or a key was taken meanwhile. `known` is what they are
/// known to ask for.
async fn write(
    db: &Db,
    vault: Option<&Arc<Vault>>,
    lists: &PendingListCleaner,
    jobs: &[WriteJob],
    mut known: LoadRequests,
) -> Result<Vec<Replies>, Fault> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        // The last one waits for whatever others hold, as PostgreSQL has it: it ends those that wait for each other.
        let then = if attempt < ATTEMPTS { Lock::Try } else { Lock::Wait };
        // A writer outlives a panic: the connection that it happened on is closed before it is used again.
        let done = AssertUnwindSafe(transaction(db, vault, lists, jobs, &mut known, then))
            .catch_unwind()
            .await;
        let fault = match done.unwrap_or(Err(Fault::Panic)) {
            Ok(results) => return Ok(results),
            Err(fault) => fault,
        };
        let again = match &fault {
            // What was locked was waited for already.
            Fault::Database(error) | Fault::Commit(error) if is_locked(error) => false,
            Fault::Database(error) | Fault::Commit(error) if wants_retry(error) => true,
            Fault::Database(error) => jobs.len() == 1 && is_unique(error),
            Fault::Orm(error) => error.reason() == "CONCURRENT_CHANGE",
            Fault::Held => true,
            Fault::Commit(_) | Fault::Panic | Fault::Stuck => false,
        };
        if !again || attempt >= ATTEMPTS {
            return Err(fault);
        }
        if matches!(fault, Fault::Held) {
            continue;
        }
        let jitter = rand::random::<u64>() % (5 << attempt);
        tokio::time::sleep(Duration::from_millis(jitter)).await;
    }
}
