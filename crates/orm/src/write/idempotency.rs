//! Requests that are done once: what earlier calls with the same id were answered, and what is remembered of new ones.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::context::RequestContext;
use crate::db::database::Db;
use crate::db::entity::requests::Column;
use crate::db::entity::{ledger, requests};
use crate::db::select::is_among;
use crate::db::statement::{StatementSink, insert_values, list};
use crate::db::texts::Texts;
use crate::error::{Error, Result};
use crate::model::vault::Vault;
use crate::write::result::{WriteOutcome, WriteResult};

/// A retried call is done once: who called, with which id, with what content.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The `request_id`.
    pub request_id: String,
    /// Digest of method and request.
    pub digest: Vec<u8>,
}

impl IdempotencyKey {
    /// As it is remembered: whoever has the database and not the master key cannot try what a request may have said.
    pub(crate) fn keyed(&self, vault: Option<&Vault>) -> Self {
        Self {
            request_id: self.request_id.clone(),
            digest: vault.map_or_else(|| self.digest.clone(), |vault| vault.digest("request", &self.digest)),
        }
    }
}

/// Who called, and the `request_id`.
pub(crate) type RequestKey = (String, String);

/// What an earlier call was: its digest, and its answer.
pub(crate) type Replay = (Vec<u8>, WriteResult);

/// A request that is done and not yet remembered.
#[derive(Debug, Clone)]
pub(crate) struct RecordedRequest {
    pub key: RequestKey,
    pub digest: Vec<u8>,
    pub answer: WriteResult,
    /// When it was done, in microseconds.
    pub time: i64,
}

/// Requests that were done, each with the resource that came of it and what that was then.
fn answers() -> Select<requests::Entity> {
    let done = requests::Entity::find().inner_join(ledger::Entity).select_only();
    done.columns([Column::Resource, Column::Revision])
        .column(ledger::Column::Snapshot)
}

fn answer(name: String, revision: i64, body: Vec<u8>) -> WriteResult {
    WriteResult {
        outcome: WriteOutcome::Unchanged,
        name,
        revision,
        body: body.into(),
        kept: Vec::new(),
        title: None,
    }
}

/// What an earlier call with this id and content was answered. For a retry that would fail before it comes to a writer.
pub(crate) async fn answered(db: &Db, cx: &RequestContext, once: &IdempotencyKey) -> Result<Option<WriteResult>> {
    let same = answers()
        .filter(Column::RequestId.eq(once.request_id.as_str()))
        .filter(Column::Actor.eq(cx.actor.as_str()))
        .filter(Column::Digest.eq(once.digest.clone()));
    let found = same.into_tuple::<(String, i64, Vec<u8>)>().one(&db.read).await?;
    Ok(found.map(|(name, revision, body)| answer(name, revision, body)))
}

/// The text of the query of [`recorded`].
static RECORDED: Texts<()> = Texts::new();

/// What earlier calls with these ids were answered, whoever called.
pub(crate) async fn recorded(
    connection: &impl ConnectionTrait,
    ids: &[&str],
) -> Result<HashMap<RequestKey, Replay>, sea_orm::DbErr> {
    let mut seen = HashMap::new();
    if ids.is_empty() {
        return Ok(seen);
    }
    let backend = connection.get_database_backend();
    let known = RECORDED.statement(backend, (), [list(backend, ids)], || {
        let any = is_among(backend, Column::RequestId.into_expr(), "".into());
        let known = answers().columns([Column::Actor, Column::RequestId, Column::Digest]);
        known.filter(any).build(backend).sql
    });
    for row in connection.query_all_raw(known).await? {
        let answer = answer(
            row.try_get_by_index(0)?,
            row.try_get_by_index(1)?,
            row.try_get_by_index(2)?,
        );
        seen.insert(
            (row.try_get_by_index(3)?, row.try_get_by_index(4)?),
            (row.try_get_by_index(5)?, answer),
        );
    }
    Ok(seen)
}

/// Remembers requests in the transaction that did them.
pub(crate) fn record(backend: DbBackend, done: &[RecordedRequest], put: &mut StatementSink<'_>) {
    let rows = done.iter().map(|done| {
        let (actor, request_id) = &done.key;
        vec![
            actor.as_str().into(),
            request_id.as_str().into(),
            done.digest.clone().into(),
            done.answer.name.as_str().into(),
            done.answer.revision.into(),
            done.time.into(),
        ]
    });
    let columns = ["actor", "request_id", "digest", "resource", "revision", "create_time"];
    insert_values(backend, "requests", &columns, "", rows, put);
}

/// The answer of an earlier call, if it was the same.
///
/// # Errors
/// Where it was another one.
pub(crate) fn replayed(earlier: &Replay, once: &IdempotencyKey) -> Result<WriteResult> {
    let (digest, answer) = earlier;
    if *digest == once.digest {
        return Ok(answer.clone());
    }
    let said = "this request_id was used for another request: make a new one for each request";
    Err(Error::invalid("request_id", "REQUEST_ID_REUSED", said))
}
