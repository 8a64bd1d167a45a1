//! A resource that is to be made, as far as it can be made without the register: its head, message, row and entry.
//!
//! Whoever calls makes it, side by side with others, so that the writer, of whom there is one, only looks whether its keys
//! are free.

use std::sync::Arc;

use mingce_proto::registry::RecordStatus;
use prost::Message;
use prost::bytes::Bytes;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::model::collection::Collection;
use crate::model::head::{Head, is_change};
use crate::model::key::Key;
use crate::model::kind::Kind;
use crate::model::revision::{AuditInfo, etag, timestamp};
use crate::model::table_row::Row;
use crate::model::vault::Vault;
use crate::model::{message_fields, table_row};
use crate::write::ledger_entry::Entry;
use crate::write::load_requests::LoadRequest;
use crate::write::result::{WriteOutcome, WriteResult};

/// A resource that is to be made.
pub(crate) struct PreparedInsert {
    pub kind: &'static Kind,
    pub row: Arc<Row>,
    /// The whole message, the private part open.
    pub whole: Bytes,
    pub answer: WriteResult,
    pub entry: Arc<Entry>,
    /// Its keys.
    pub keys: Arc<[StoredKey]>,
}

// It holds what is sealed in clear.
impl std::fmt::Debug for PreparedInsert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({})", self.answer.name)
    }
}

/// A key, and as the database has it.
#[derive(Debug)]
pub(crate) struct StoredKey {
    /// As the database has it.
    pub stored: String,
    /// The key.
    pub key: Key,
}

/// The keys of a resource.
pub(crate) fn stored_keys<C: Collection>(resource: &C::Item, vault: Option<&Vault>) -> Result<Arc<[StoredKey]>> {
    let keys = C::keys(resource).into_iter().map(|key| {
        Ok(StoredKey {
            stored: key.stored(vault)?,
            key,
        })
    });
    keys.collect()
}

impl PreparedInsert {
    /// From a settled resource.
    pub fn new<C: Collection>(
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
        id: Id,
        vault: Option<&Vault>,
    ) -> Result<Self> {
        let keys = stored_keys::<C>(resource, vault)?;
        Self::of_encoded::<C>(cx, stamp, (resource, &resource.encode_to_vec(), keys), id, vault)
    }

    /// The same of one whose encoded form and keys are there.
    pub fn of_encoded<C: Collection>(
        cx: &RequestContext,
        stamp: &AuditInfo,
        (resource, encoded, keys): (&C::Item, &[u8], Arc<[StoredKey]>),
        id: Id,
        vault: Option<&Vault>,
    ) -> Result<Self> {
        let kind = &C::shape().kind;
        let parent = kind
            .parent
            .and_then(|_| crate::id::Name::parse(C::parent(resource)))
            .map(|p| p.id);
        if kind.parent.is_some() && parent.is_none() {
            return Err(Error::internal("a resource without its parent"));
        }
        let now = Some(timestamp(cx.now));
        let head = Head {
            name: kind.name(parent, &id.to_string()),
            uid: id.uuid(),
            etag: etag(1),
            revision: 1,
            create_time: now,
            update_time: now,
            record_status: RecordStatus::Active as i32,
            survivor: String::new(),
            sequence: 0,
        };
        let whole = Bytes::from(head.with(encoded)?);
        let changed = message_fields::present_fields(&whole)?
            .into_iter()
            .filter(|number| is_change(*number));
        let changed = changed.map(|number| kind.field(number)).collect();
        let stored = keys.iter().map(|key| key.stored.clone()).collect();
        let row = table_row::row::<C>(resource, head, &whole, stored, |id, part| {
            let vault = vault.ok_or_else(|| Error::internal("a private part needs a vault"))?;
            vault.seal(id, part)
        })?;
        let answer = WriteResult {
            outcome: WriteOutcome::Created,
            name: row.head.name.clone(),
            revision: row.head.revision,
            body: row.body.clone(),
            kept: Vec::new(),
            title: None,
        };
        let entry = Entry {
            kind,
            name: row.head.name.clone(),
            revision: row.head.revision,
            verb: stamp.verb,
            actor: cx.actor.clone(),
            reason: stamp.reason.clone(),
            request_id: stamp.request_id.clone(),
            import: stamp.import.clone(),
            changed,
            body: row.body.clone(),
        };
        Ok(Self {
            kind,
            row: Arc::new(row),
            whole,
            answer,
            entry: Arc::new(entry),
            keys,
        })
    }

    /// What has to be known before it can be made.
    pub fn asks(&self) -> Vec<LoadRequest> {
        let asks = self
            .keys
            .iter()
            .map(|key| LoadRequest::Key(self.kind, key.stored.clone()));
        asks.collect()
    }
}
