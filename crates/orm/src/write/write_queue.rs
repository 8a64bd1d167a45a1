//! The queue of writes: calls put their edits into it and wait for the answer of a writer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::context::RequestContext;
use crate::db::database::Db;
use crate::db::watched::{in_vain, watched};
use crate::error::{Class, Error, Result};
use crate::model::vault::Vault;
use crate::search_index::gin_pending_list::PendingListCleaner;
use crate::write::edit::{PreloadedEdit, Replies, WriteJob};
use crate::write::idempotency::IdempotencyKey;
use crate::write::load_requests::LoadRequests;
use crate::write::transaction_fault::commit_unknown;
use crate::write::writer::run;

/// How many jobs may wait.
const WAITING: usize = 4096;

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

/// What a writer answers. Where it does not, nobody knows what it has done.
async fn answered_in_time(what: &'static str, answer: oneshot::Receiver<Replies>) -> Result<Replies> {
    let answer = watched(what, answer).await.ok_or_else(commit_unknown)?;
    answer.map_err(|_| Error::internal("a writer ended without an answer"))
}
