//! One transaction of the writer: it runs the edits of jobs, loads what they ask for, and writes what they changed.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::db::database::Db;
use crate::error::{Error, Result};
use crate::model::vault::Vault;
use crate::search_index::gin_pending_list::{PendingListCleaner, PendingRows};
use crate::write::edit::{Replies, WriteJob, apply};
use crate::write::idempotency::{self, RecordedRequest, Replay, RequestKey, replayed};
use crate::write::load::{Lock, is_any_held, load};
use crate::write::load_requests::LoadRequests;
use crate::write::result::WriteResult;
use crate::write::transaction_fault::{Fault, LONGEST_BEFORE_COMMIT, LONGEST_COMMIT};
use crate::write::unit_of_work::UnitOfWork;

/// Writes jobs and commits. `known` is what they are known to ask for.
pub(super) async fn transaction(
    db: &Db,
    vault: Option<&Arc<Vault>>,
    lists: &PendingListCleaner,
    jobs: &[WriteJob],
    known: &mut LoadRequests,
    then: Lock,
) -> Result<Vec<Replies>, Fault> {
    let uncommitted = uncommitted(db, vault, lists, jobs, known, then);
    let (tx, results, written) = tokio::time::timeout(LONGEST_BEFORE_COMMIT, uncommitted)
        .await
        .unwrap_or(Err(Fault::Stuck))?;
    let Some(written) = written else {
        tx.rollback().await?;
        return Ok(results);
    };
    let committed = tokio::time::timeout(LONGEST_COMMIT, tx.commit()).await;
    let late = |_| Err(sea_orm::DbErr::Custom("the database has not answered".to_owned()));
    committed.unwrap_or_else(late).map_err(Fault::Commit)?;
    lists.notify(written);
    Ok(results)
}

/// A transaction that is ready to be committed, and how many rows it has written; `None` where it has written nothing. What is found
/// to be needed goes to `known`, so that the next attempt asks for it at once, and is locked as `then` says.
async fn uncommitted(
    db: &Db,
    vault: Option<&Arc<Vault>>,
    lists: &PendingListCleaner,
    jobs: &[WriteJob],
    known: &mut LoadRequests,
    then: Lock,
) -> Result<(DatabaseTransaction, Vec<Replies>, Option<PendingRows>), Fault> {
    let tx = db.begin().await?;
    let mut seen = requests(&tx, jobs).await?;
    let mut work = UnitOfWork::new(vault.cloned());
    let mut lock = Lock::Wait;
    if !known.is_empty() {
        load(&tx, known, &mut work.loaded, vault, lock).await?;
        lock = then;
    }
    let (mut results, asked) = loop {
        let (results, fresh) = edit_all(&mut work, jobs, &mut seen);
        if work.requested.is_empty() {
            break (results, fresh);
        }
        for (at, _) in fresh {
            seen.remove(&at);
        }
        work.reset();
        let asks = std::mem::take(&mut work.requested);
        let loaded = load(&tx, &asks, &mut work.loaded, vault, lock).await;
        known.and(asks);
        loaded.map_err(|error| match error.reason() {
            "DATABASE_LOCKED" if lock == Lock::Try => Fault::Held,
            _ => error.into(),
        })?;
        lock = then;
    };
    if work.is_stale || raced_by_retry(&tx, jobs, &results, &seen).await? || appeared(&tx, &work).await? {
        return Err(Error::concurrent().into());
    }
    let mut changes = work.finish()?;
    changes.requests.extend(new_requests(jobs, &asked, &seen));
    if changes.entries.is_empty() && changes.requests.is_empty() {
        return Ok((tx, results, None));
    }
    let written = lists.count(&changes.rows);
    let of_calls = jobs.iter().map(|job| job.cx.now).max().unwrap_or_default();
    let stamps = changes.write(&tx, db.now(of_calls)).await?;
    for answer in results.iter_mut().flatten().flatten() {
        stamps.complete(answer);
    }
    Ok((tx, results, Some(written)))
}

type Replays = HashMap<RequestKey, Replay>;
/// The requests that are new, each with its job's place.
type NewRequests = Vec<(RequestKey, usize)>;

fn edit_all(work: &mut UnitOfWork, jobs: &[WriteJob], seen: &mut Replays) -> (Vec<Replies>, NewRequests) {
    let mut fresh = Vec::new();
    let mut results = Vec::with_capacity(jobs.len());
    for (place, job) in jobs.iter().enumerate() {
        let at = job
            .once
            .as_ref()
            .map(|once| (job.cx.actor.clone(), once.request_id.clone()));
        if let (Some(at), Some(once)) = (&at, &job.once)
            && let Some(earlier) = seen.get(at)
        {
            results.push(vec![replayed(earlier, once)]);
            continue;
        }
        let result: Vec<_> = job.edits.iter().map(|edit| apply(work, edit)).collect();
        if let (Some(at), Some(once), [Ok(answer)]) = (at, &job.once, result.as_slice()) {
            seen.insert(at.clone(), (once.digest.clone(), answer.clone()));
            fresh.push((at, place));
        }
        results.push(result);
    }
    (results, fresh)
}

/// What earlier calls with the request ids of these jobs were answered.
async fn requests(tx: &DatabaseTransaction, jobs: &[WriteJob]) -> Result<Replays, Fault> {
    let ids: Vec<&str> = jobs
        .iter()
        .filter_map(|j| j.once.as_ref())
        .map(|o| o.request_id.as_str())
        .collect();
    Ok(idempotency::recorded(tx, &ids).await?)
}

/// Whether a call failed because its first try was committed after [`requests`] looked for it: what it found in its way
/// is its own doing. SQLite lets nobody write meanwhile.
async fn raced_by_retry(
    tx: &DatabaseTransaction,
    jobs: &[WriteJob],
    results: &[Vec<Result<WriteResult>>],
    seen: &Replays,
) -> Result<bool, Fault> {
    let failed = |(job, result): (&WriteJob, &Vec<Result<WriteResult>>)| {
        job.once.is_some() && matches!(result.as_slice(), [Err(_)])
    };
    if tx.get_database_backend() != DbBackend::Postgres || !jobs.iter().zip(results).any(failed) {
        return Ok(false);
    }
    Ok(requests(tx, jobs).await?.keys().any(|at| !seen.contains_key(at)))
}

/// Whether a key is held now that nobody held when it was looked up. PostgreSQL looks and waits in one statement: the record that had
/// one key may have let it go for another meanwhile, and the statement finds neither. SQLite lets nobody write meanwhile.
async fn appeared(tx: &DatabaseTransaction, work: &UnitOfWork) -> Result<bool, Fault> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    for (table, keys) in work.unheld() {
        if is_any_held(tx, table, &keys).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The new requests of jobs, to be remembered.
fn new_requests(jobs: &[WriteJob], fresh: &NewRequests, seen: &Replays) -> Vec<RecordedRequest> {
    let done = fresh.iter().filter_map(|(at, place)| {
        let ((digest, answer), job) = (seen.get(at)?, jobs.get(*place)?);
        Some(RecordedRequest {
            key: at.clone(),
            digest: digest.clone(),
            answer: answer.clone(),
            time: job.cx.now,
        })
    });
    done.collect()
}
