//! The write path. Calls that wait at the same moment share one transaction; each is answered after its commit.
//!
//! A writer takes what waits (no timer: a lone call waits for nobody), runs the edits, writes all changes with few
//! statements of many rows, and commits. An edit that fails leaves nothing and fails alone. Where the database refuses
//! the batch, its jobs are done again one by one. Writers are threads of their own: a job whose caller has left before it
//! began is dropped, and one that has begun is finished.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use tokio::runtime;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::context::RequestContext;
use crate::db::batch::drain_batch;
use crate::db::database::Db;
use crate::db::fault::{is_locked, is_slow, is_undone, is_unique, is_unreachable, wants_retry};
use crate::db::sound::Trouble;
use crate::db::wal_checkpoint::Checkpoints;
use crate::db::watched::{in_vain, watched};
use crate::error::{Class, Error, Result};
use crate::model::vault::Vault;
use crate::search_index::gin_pending_list::{PendingListCleaner, PendingRows};
use crate::write::change_set::MANY;
use crate::write::idempotency::{self, IdempotencyKey, RecordedRequest, Replay, RequestKey, replayed};
use crate::write::load::{self, Lock};
use crate::write::load_requests::{LoadRequest, LoadRequests};
use crate::write::result::WriteResult;
use crate::write::unit_of_work::UnitOfWork;

/// A pure function from the register as it is to an answer; what it wants changed it stages in the [`UnitOfWork`].
pub type Edit = Box<dyn Fn(&mut UnitOfWork) -> Result<WriteResult> + Send + Sync>;

/// An edit with what is known beforehand that it will ask for, so that it is run once.
pub struct PreloadedEdit {
    /// The edit.
    pub edit: Edit,
    pub(crate) asks: Vec<LoadRequest>,
}

impl From<Edit> for PreloadedEdit {
    fn from(edit: Edit) -> Self {
        let asks = Vec::new();
        Self { edit, asks }
    }
}

/// Edits that one call wants done, and who waits for them.
pub(crate) struct WriteJob {
    pub cx: RequestContext,
    pub once: Option<IdempotencyKey>,
    pub edits: Vec<Edit>,
    /// What is known beforehand that they will ask for.
    pub asks: LoadRequests,
    pub reply: oneshot::Sender<Replies>,
}

/// How many jobs may wait.
const WAITING: usize = 4096;
/// How often a transaction is tried that the database asks to try again.
const ATTEMPTS: u32 = 5;

/// The way to the writers. They end when it is closed or dropped, and all is written.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    /// None once it is closed.
    queue: RwLock<Option<mpsc::Sender<WriteJob>>>,
    accepted: AtomicUsize,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// The queue of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLength {
    /// How many jobs it has taken since the start.
    pub accepted: usize,
    /// How many of them no writer has begun.
    pub waiting: usize,
}

impl WriteQueue {
    pub fn start(db: &Db, vault: Option<Arc<Vault>>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        // In the runtime that the connections belong to, and not in line with the tasks that prepare the rows of imports.
        let runtime = runtime::Handle::current();
        let lists = PendingListCleaner::start(db);
        let threads = (0..db.writers()).filter_map(|_| {
            let (db, vault, waiting) = (db.clone(), vault.clone(), Arc::clone(&waiting));
            let (lists, runtime) = (lists.clone(), runtime.clone());
            let (handle, writer) = (
                runtime.clone(),
                run(db.clone(), vault.clone(), lists.clone(), Arc::clone(&waiting)),
            );
            let begun = thread::Builder::new()
                .name("writer".to_owned())
                .spawn(move || handle.block_on(writer));
            begun
                .inspect_err(|error| {
                    tracing::error!("a writer has no thread of its own, and shares those of the calls: {error}");
                    runtime.spawn(run(db, vault, lists, waiting));
                })
                .ok()
        });
        Self {
            threads: std::sync::Mutex::new(threads.collect()),
            queue: RwLock::new(Some(queue)),
            accepted: AtomicUsize::new(0),
        }
    }

    fn queue(&self) -> Result<mpsc::Sender<WriteJob>> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        queue.clone().ok_or_else(Error::shutting_down)
    }

    /// The queue as it is now.
    pub fn length(&self) -> QueueLength {
        let waiting = self.queue().map_or(0, |queue| queue.max_capacity() - queue.capacity());
        QueueLength {
            accepted: self.accepted.load(Ordering::Relaxed),
            waiting,
        }
    }

    /// Does edits and answers after the commit.
    pub async fn submit(
        &self,
        cx: &RequestContext,
        once: Option<IdempotencyKey>,
        planned: PreloadedEdit,
    ) -> Result<Replies> {
        let (reply, answer) = oneshot::channel();
        let mut asks = LoadRequests::default();
        planned.asks.into_iter().for_each(|ask| asks.add(ask));
        self.queue()?
            .try_send(WriteJob {
                cx: cx.clone(),
                once,
                edits: vec![planned.edit],
                asks,
                reply,
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::new(
                    Class::Exhausted,
                    "WRITE_QUEUE_FULL",
                    "too many writes wait: try again in a moment",
                ),
                mpsc::error::TrySendError::Closed(_) => Error::shutting_down(),
            })?;
        self.accepted.fetch_add(1, Ordering::Relaxed);
        answered_in_time("a write", answer).await
    }

    /// Does edits and answers after the commit; where the queue is full it waits for a place. For imports, which bring
    /// their work in pieces and have time.
    pub async fn submit_in_turn(&self, cx: &RequestContext, planned: Vec<PreloadedEdit>) -> Result<Replies> {
        let (reply, answer) = oneshot::channel();
        let (mut edits, mut asks) = (Vec::with_capacity(planned.len()), LoadRequests::default());
        for one in planned {
            one.asks.into_iter().for_each(|ask| asks.add(ask));
            edits.push(one.edit);
        }
        let job = WriteJob {
            cx: cx.clone(),
            once: None,
            edits,
            asks,
            reply,
        };
        watched("a place in the queue of writes", self.queue()?.send(job))
            .await
            .ok_or_else(in_vain)?
            .map_err(|_| Error::shutting_down())?;
        self.accepted.fetch_add(1, Ordering::Relaxed);
        answered_in_time("a write of several changes", answer).await
    }

    /// Takes no more jobs, lets the writers finish what waits, and waits for them.
    pub async fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

type Replies = Vec<Result<WriteResult>>;

/// What a writer answers. Where it does not, nobody knows what it has done.
async fn answered_in_time(what: &'static str, answer: oneshot::Receiver<Replies>) -> Result<Replies> {
    let answer = watched(what, answer).await.ok_or_else(commit_unknown)?;
    answer.map_err(|_| Error::internal("a writer ended without an answer"))
}

fn commit_unknown() -> Error {
    let said = "the database did not say whether it committed the change: it may be done or not; send it again with the same \
                request_id";
    Error::new(Class::Unavailable, "COMMIT_UNKNOWN", said)
}

async fn run(
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

/// Why a transaction did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
    #[error("{}", .0.logged())]
    Orm(#[from] Error),
    /// It held rows already, and others held those that it needed then. It begins anew, and asks for all of them at once.
    #[error("another transaction holds a row that was found to be needed")]
    Held,
    /// It took longer than anything that goes on may take.
    #[error("a transaction has not come to its end within {} seconds", LONGEST_BEFORE_COMMIT.as_secs())]
    Stuck,
    /// Something in it panicked; what it had written is undone.
    #[error("a transaction panicked, see the log before this")]
    Panic,
    /// The commit was sent and its answer is missing: it is not known whether it was done.
    #[error("the commit has no answer: {0}")]
    Commit(sea_orm::DbErr),
}

impl Fault {
    /// Whether the other jobs of the batch may succeed without the one that is at fault. Not where the database is away
    /// or locked, and never where the batch may be written already: doing it again would do it twice.
    fn may_be_of_one_job(&self) -> bool {
        match self {
            Self::Database(error) => !is_unreachable(error) && !is_locked(error) && !is_slow(error),
            Self::Panic | Self::Held => true,
            Self::Stuck => false,
            Self::Orm(error) => !matches!(error.class(), Class::Unavailable | Class::Exhausted),
            Self::Commit(error) => wants_retry(error) && !is_locked(error),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(error) if is_unique(&error) => Error::concurrent(),
            Fault::Database(error) => error.into(),
            Fault::Orm(error) => error,
            Fault::Panic => Error::internal(fault),
            Fault::Held => Error::concurrent(),
            Fault::Stuck => {
                tracing::error!("{fault}");
                in_vain()
            }
            Fault::Commit(error) if wants_retry(&error) || is_locked(&error) || is_undone(&error) => error.into(),
            Fault::Commit(error) => {
                tracing::warn!("a commit has no answer: {error}");
                commit_unknown()
            }
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

/// How long a transaction may take until it is committed, and its commit: longer than the databases themselves let a statement take,
/// which do not answer at all where the network has lost them.
const LONGEST_BEFORE_COMMIT: Duration = Duration::from_secs(300);
const LONGEST_COMMIT: Duration = Duration::from_secs(120);

async fn transaction(
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
        load::load(&tx, known, &mut work.loaded, vault, lock).await?;
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
        let loaded = load::load(&tx, &asks, &mut work.loaded, vault, lock).await;
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

/// Runs one edit: its changes are kept, or none of them.
pub(crate) fn apply<T>(work: &mut UnitOfWork, edit: impl Fn(&mut UnitOfWork) -> Result<T>) -> Result<T> {
    // A writer outlives the fault of one edit; what it staged is dropped with it.
    let result = catch_unwind(AssertUnwindSafe(|| edit(work)))
        .unwrap_or_else(|_| Err(Error::internal("an edit panicked, see the log before this")));
    if result.is_ok() && !work.is_waiting() {
        work.accept_pending();
    } else {
        work.discard_pending();
    }
    result
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
        if load::is_any_held(tx, table, &keys).await? {
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
