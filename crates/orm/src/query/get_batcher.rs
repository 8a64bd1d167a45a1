//! Shared reads: calls that wait for one resource at the same moment become one statement.
//!
//! There is no timer: a reader takes what waits and asks for it at once, and while a statement runs the next calls gather. Two calls
//! for one id both get it; a failed statement fails those that shared it. A call that is alone reads by itself, without the way to a
//! reader and back.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use prost::bytes::Bytes;
use sea_orm::DbBackend;
use sea_orm::sea_query::Query;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::db::batch::drain_batch;
use crate::db::database::Db;
use crate::db::database::read::as_array;
use crate::db::select::{T, is_among, of_t, rendered};
use crate::db::statement::list;
use crate::db::texts::Texts;
use crate::db::watched::{in_vain, watched};
use crate::error::{Class, Error, Result};
use crate::model::kind::Kind;
use crate::model::message_fields;

/// How many calls may wait.
const WAITING: usize = 8192;

/// After how many look-ups in SQLite, which may wait for the disk, others of the same thread have their turn.
const IN_A_ROW: usize = 32;

/// The encoded message of a resource. Calls that share a statement share it.
pub(crate) type Body = Bytes;

struct GetRequest {
    kind: &'static Kind,
    id: String,
    reply: oneshot::Sender<Result<Option<Body>>>,
}

/// The way to the readers. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct GetBatcher {
    queue: mpsc::Sender<GetRequest>,
    /// How many calls have no answer yet.
    in_flight: AtomicUsize,
    db: Db,
}

impl GetBatcher {
    pub fn start(db: &Db) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..db.readers() {
            tokio::spawn(run(db.clone(), Arc::clone(&waiting)));
        }
        Self {
            queue,
            in_flight: AtomicUsize::new(0),
            db: db.clone(),
        }
    }

    /// The message of one id, where it exists.
    pub async fn one(&self, kind: &'static Kind, id: &str) -> Result<Option<Body>> {
        let others = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight(&self.in_flight);
        if others == 0 {
            let found = watched("a get", bodies(&self.db, kind, &[id])).await;
            return found.ok_or_else(in_vain)??.pop().unwrap_or(Ok(None));
        }
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send(GetRequest {
                kind,
                id: id.to_owned(),
                reply,
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::new(
                    Class::Exhausted,
                    "READ_QUEUE_FULL",
                    "too many reads wait: try again in a moment",
                ),
                mpsc::error::TrySendError::Closed(_) => Error::shutting_down(),
            })?;
        watched("a get", answer)
            .await
            .ok_or_else(in_vain)?
            .map_err(|_| Error::internal("a reader ended without an answer"))?
    }
}

/// A call that has no answer yet.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn run(db: Db, waiting: Arc<Mutex<mpsc::Receiver<GetRequest>>>) {
    loop {
        let mut asks = drain_batch(&mut *waiting.lock().await, db.max_batch(), |_| 1).await;
        if asks.is_empty() {
            return;
        }
        // Callers that have left cost nothing.
        asks.retain(|ask| !ask.reply.is_closed());
        let mut kinds: HashMap<&'static str, Vec<GetRequest>> = HashMap::new();
        for ask in asks {
            kinds.entry(ask.kind.table).or_default().push(ask);
        }
        for asks in kinds.into_values() {
            let Some(kind) = asks.first().map(|ask| ask.kind) else {
                continue;
            };
            let ids: Vec<&str> = asks.iter().map(|ask| ask.id.as_str()).collect();
            // A reader outlives a panic.
            let found = AssertUnwindSafe(bodies(&db, kind, &ids)).catch_unwind().await;
            let answers =
                match found.unwrap_or_else(|_| Err(Error::internal("a get panicked, see the log before this"))) {
                    Ok(bodies) => bodies,
                    Err(error) => vec![Err(error); asks.len()],
                };
            for (ask, answer) in asks.into_iter().zip(answers) {
                let _ = ask.reply.send(answer);
            }
        }
    }
}

/// The messages of these ids, in their order.
async fn bodies(db: &Db, kind: &Kind, ids: &[&str]) -> Result<Vec<Result<Option<Body>>>> {
    if let Some(file) = db.gets() {
        let mut found = Vec::with_capacity(ids.len());
        for (piece, ids) in ids.chunks(IN_A_ROW).enumerate() {
            if piece > 0 {
                tokio::task::yield_now().await;
            }
            found.extend(file.by_ids(kind.table, ids).await?.into_iter().map(Ok));
        }
        return Ok(found);
    }
    let backend = db.backend();
    let text = BY_IDS.of(backend, kind.table, || as_array(&text_by_ids(backend, kind)));
    let found = db.got(&text, [list(backend, ids)]).await?;
    let found = by_id(&found);
    Ok(ids.iter().map(|id| found.body(id).map(|body| body.cloned())).collect())
}

/// The texts of gets that are shared, on PostgreSQL.
static BY_IDS: Texts<&'static str> = Texts::new();

/// The query for the encoded messages of a list of ids, as far as they exist.
pub(crate) fn text_by_ids(backend: DbBackend, kind: &Kind) -> String {
    let mut bodies = Query::select();
    bodies
        .column((T, "body"))
        .from_as(kind.table, T)
        .and_where(is_among(backend, of_t("id"), "".into()));
    rendered(backend, &bodies).0
}

/// Encoded messages by the ids in their names.
pub(crate) struct ById<'a> {
    bodies: HashMap<&'a [u8], &'a Body>,
    /// One of them does not even have a name: whatever is missing may be this one.
    broken: bool,
}

impl ById<'_> {
    pub fn body(&self, id: &str) -> Result<Option<&Body>> {
        match self.bodies.get(id.as_bytes()) {
            None if self.broken => Err(Error::internal("a stored message does not decode")),
            found => Ok(found.copied()),
        }
    }
}

pub(crate) fn by_id(bodies: &[Body]) -> ById<'_> {
    let named: HashMap<&[u8], &Body> = bodies
        .iter()
        .filter_map(|body| Some((message_fields::id(body)?, body)))
        .collect();
    ById {
        broken: named.len() < bodies.len(),
        bodies: named,
    }
}
