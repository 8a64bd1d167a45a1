//! What an edit wants changed: resources that it makes and changes, and the keys that they take and let go.

use std::collections::BTreeSet;
use std::sync::Arc;

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;
use prost::Message;
use prost::bytes::Bytes;

use super::{UnitOfWork, answer};
use crate::context::RequestContext;
use crate::error::{Class, Error, Result};
use crate::id::Id;
use crate::model::collection::Collection;
use crate::model::head::{Head, is_change};
use crate::model::kind::Kind;
use crate::model::revision::{AuditInfo, etag, timestamp};
use crate::model::table_row::Row;
use crate::model::vault::Vault;
use crate::model::{message_fields, resource, table_row};
use crate::write::ledger_entry::Entry;
use crate::write::overlay::{ChangedRow, PendingRow};
use crate::write::prepared_insert::{PreparedInsert, StoredKey};
use crate::write::result::{WriteOutcome, WriteResult};

impl UnitOfWork {
    /// Makes a resource with a new id.
    pub fn create<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
    ) -> Result<WriteResult> {
        self.create_as::<C>(cx, stamp, resource, Id::new(cx.now))
    }

    /// Makes a resource with this id.
    pub fn create_as<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
        id: Id,
    ) -> Result<WriteResult> {
        let draft = PreparedInsert::new::<C>(cx, stamp, resource, id, self.vault.as_deref())?;
        self.make(&Arc::new(draft))
    }

    /// Makes a resource as it was drafted, if its keys are free.
    pub(crate) fn make(&mut self, draft: &Arc<PreparedInsert>) -> Result<WriteResult> {
        let (kind, id) = (draft.kind, draft.row.id.as_str());
        for StoredKey { stored, key } in draft.keys.iter() {
            self.expect_free(kind, id, (stored, key.private), &key.field)?;
        }
        Ok(self.stage(draft))
    }

    /// Makes a resource as it was drafted, unless one of its keys, or this folded name, is known.
    pub(crate) fn make_if_unknown(
        &mut self,
        draft: &Arc<PreparedInsert>,
        name: Option<&str>,
    ) -> Result<Option<WriteResult>> {
        for StoredKey { stored, key } in draft.keys.iter() {
            if self.owner_of(draft.kind, stored, key.private)?.is_some() {
                return Ok(None);
            }
        }
        if let Some(name) = name
            && !self.with_name(draft.kind, name.to_owned())?.is_empty()
        {
            return Ok(None);
        }
        Ok(Some(self.stage(draft)))
    }

    fn stage(&mut self, draft: &Arc<PreparedInsert>) -> WriteResult {
        let (kind, id) = (draft.kind, draft.row.id.as_str());
        for key in &draft.row.keys {
            self.pending.keys.insert((kind.table, key.clone()), Some(id.to_owned()));
        }
        for name in &draft.row.names {
            let at = (kind.table, name.clone());
            self.pending.names.entry(at).or_default().push(id.to_owned());
        }
        self.pending.entries.push(Arc::clone(&draft.entry));
        let at = (kind.table, id.to_owned());
        self.pending.rows.insert(at, PendingRow::Made(Arc::clone(draft)));
        draft.answer.clone()
    }

    /// Changes a resource to this; its head stays as it is.
    pub fn update<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
    ) -> Result<WriteResult> {
        let head = resource.head();
        self.change::<C>(cx, stamp, resource, head.record_status(), head.survivor)
    }

    /// The same, with an entry in the ledger even where nothing of the resource is another: what was decided is kept.
    pub fn decide<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
    ) -> Result<WriteResult> {
        let head = resource.head();
        self.put::<C>(cx, stamp, resource, (head.record_status(), head.survivor), true)
    }

    /// Changes a resource to this, with another record status.
    pub fn change<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
        status: RecordStatus,
        survivor: &str,
    ) -> Result<WriteResult> {
        self.put::<C>(cx, stamp, resource, (status, survivor), false)
    }

    fn put<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        resource: &C::Item,
        (status, survivor): (RecordStatus, &str),
        always: bool,
    ) -> Result<WriteResult> {
        let kind = &C::shape().kind;
        let id = kind
            .id(resource.head().name)
            .ok_or_else(|| Error::internal("a resource without a name"))?
            .to_owned();
        let old = self
            .whole(kind, &id)?
            .ok_or_else(|| Error::internal("a change of what is not there"))?
            .to_vec();
        let mut head = resource::head(&old)?;
        if head.survivor != survivor {
            self.pending.merges.push((kind.table, id, survivor.to_owned()));
        }
        head.record_status = status as i32;
        survivor.clone_into(&mut head.survivor);
        self.write::<C>(cx, stamp, head, resource, &old, always)
    }

    fn write<C: Collection>(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        mut head: Head,
        resource: &C::Item,
        old: &[u8],
        always: bool,
    ) -> Result<WriteResult> {
        let kind = &C::shape().kind;
        if let Some((_, field)) = kind.parent
            && !head.name.starts_with(&format!("{}/", C::parent(resource)))
        {
            let said = format!(
                "{} stays with the parent that its name says: record it anew under the other",
                head.name
            );
            return Err(Error::invalid(
                format!("{}.{field}", C::SINGULAR),
                "PARENT_DIFFERS",
                said,
            ));
        }
        let encoded = resource.encode_to_vec();
        let changed = message_fields::changed(old, &head.with(&encoded)?)?;
        let changed: Vec<u32> = changed.into_iter().filter(|number| is_change(*number)).collect();
        if changed.is_empty() && !always && !std::mem::take(&mut self.conceals) {
            return answer::<C>(WriteOutcome::Unchanged, &head, old);
        }
        let old_head = resource::head(old)?;
        head.revision = old_head.revision + 1;
        // The writer says when, and as which change of all.
        head.update_time = Some(timestamp(cx.now));
        head.sequence = 0;
        head.etag = etag(head.revision);
        let whole = Bytes::from(head.with(&encoded)?);
        let new = resource::decode::<C>(&whole)?;
        let id = kind
            .id(&head.name)
            .ok_or_else(|| Error::internal("a resource without a name"))?
            .to_owned();

        self.hold_keys::<C>(kind, &id, (&resource::decode::<C>(old)?, &old_head), (&new, &head))?;
        if C::BY_NAME {
            for name in C::searched(&new) {
                let at = (kind.table, crate::text::fold(name));
                self.pending.names.entry(at).or_default().push(id.clone());
            }
        }
        let answer = answer::<C>(WriteOutcome::Updated, &head, &whole)?;
        self.pending.entries.push(Arc::new(Entry {
            kind,
            name: head.name.clone(),
            revision: head.revision,
            verb: stamp.verb,
            actor: cx.actor.clone(),
            reason: stamp.reason.clone(),
            request_id: stamp.request_id.clone(),
            import: stamp.import.clone(),
            changed: changed.iter().map(|number| kind.field(*number)).collect(),
            body: answer.body.clone(),
        }));
        self.pending.rows.insert(
            (kind.table, id),
            PendingRow::Changed(ChangedRow {
                whole,
                project: project::<C>,
            }),
        );
        Ok(answer)
    }

    /// Takes the keys that are new and lets go those that are no more.
    fn hold_keys<C: Collection>(
        &mut self,
        kind: &'static Kind,
        id: &str,
        (old, old_head): (&C::Item, &Head),
        (new, head): (&C::Item, &Head),
    ) -> Result<()> {
        let vault = self.vault.clone();
        let before = table_row::stored_keys::<C>(old, old_head, vault.as_deref())?;
        let mut after = BTreeSet::new();
        let keys = if head.record_status == RecordStatus::Annulled as i32 {
            Vec::new()
        } else {
            C::keys(new)
        };
        for key in keys {
            let stored = key.stored(vault.as_deref())?;
            if !before.contains(&stored) || (self.is_dry_run && key.private) {
                self.expect_free(kind, id, (&stored, key.private), &key.field)?;
            }
            after.insert(stored);
        }
        for gone in before.difference(&after) {
            // Looked up before another transaction gave the key to this record, which was read after that.
            self.is_stale |= self
                .known_owner(kind, gone)
                .is_some_and(|owner| owner.as_deref() != Some(id));
            self.pending.keys.insert((kind.table, gone.clone()), None);
        }
        // Whether a dry run takes a key or had it would tell what is stored: for the rows behind this one it takes each.
        let had = if self.is_dry_run { BTreeSet::new() } else { before };
        for taken in after.difference(&had) {
            self.pending
                .keys
                .insert((kind.table, taken.clone()), Some(id.to_owned()));
        }
        Ok(())
    }

    /// Nobody else holds a key.
    fn expect_free(
        &mut self,
        kind: &'static Kind,
        id: &str,
        (key, is_sealed): (&str, bool),
        field: &str,
    ) -> Result<()> {
        let Some(owner) = self.owner_of(kind, key, is_sealed)?.filter(|owner| owner != id) else {
            return Ok(());
        };
        let holder = self
            .whole(kind, &owner)?
            .map(resource::head)
            .transpose()?
            .map_or(String::new(), |h| h.name);
        let said = format!("{holder} has it already: correct this one, or use that record");
        Err(
            Error::new(Class::AlreadyExists, "IDENTIFIER_TAKEN", format!("{field}: {said}"))
                .at(format!("{}.{field}", kind.singular), said)
                .about(kind.collection, holder),
        )
    }
}

/// A row from its whole message. The private part keeps its sealed form where it says the same.
fn project<C: Collection>(whole: &[u8], sealed: Option<&[u8]>, vault: Option<&Vault>) -> Result<Row> {
    let (resource, head) = (resource::decode::<C>(whole)?, resource::head(whole)?);
    let keys = table_row::stored_keys::<C>(&resource, &head, vault)?;
    table_row::row::<C>(&resource, head, &Bytes::copy_from_slice(whole), keys, |id, part| {
        let vault = vault.ok_or_else(|| Error::internal("a private part needs a vault"))?;
        if let Some(sealed) = sealed
            && vault.open(id, sealed)? == part
        {
            return Ok(sealed.to_vec());
        }
        vault.seal(id, part)
    })
}
