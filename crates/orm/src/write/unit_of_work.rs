//! What an edit sees of the register, and what it wants changed. Nothing here touches the database.
//!
//! An edit is a pure function over a [`UnitOfWork`]. What it asks for and what is not loaded yet is noted, the edit is given
//! up, the writer loads all that was asked for in one round trip and runs the edit again. So an edit declares
//! nothing beforehand, and a batch of edits costs few round trips.

mod change;
mod dry_run;
mod related;

use std::collections::BTreeMap;
use std::sync::Arc;

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::head::Head;
use crate::model::key::Key;
use crate::model::kind::Kind;
use crate::model::vault::Vault;
use crate::model::{message_fields, resource};
use crate::write::change_set::ChangeSet;
use crate::write::idempotency::{IdempotencyKey, RecordedRequest, replayed};
use crate::write::import_seen::SeenNote;
use crate::write::ledger_entry::Entry;
use crate::write::load_requests::{LoadRequests, Table};
use crate::write::overlay::{Overlay, PendingRow, ReadSet};
use crate::write::result::{WriteOutcome, WriteResult};

/// The register as one batch of edits sees it.
#[derive(Debug, Default)]
pub struct UnitOfWork {
    pub(crate) loaded: ReadSet,
    accepted: Overlay,
    pending: Overlay,
    pub(crate) requested: LoadRequests,
    /// What was read at different moments contradicts itself: the transaction has to begin anew.
    pub(crate) is_stale: bool,
    pub(crate) vault: Option<Arc<Vault>>,
    /// What comes of it is told to a caller and never written: it tells nothing of what is sealed.
    is_dry_run: bool,
    /// The edit sets sealed fields in a dry run: whether they are others than before is not told.
    conceals: bool,
}

impl UnitOfWork {
    pub(crate) fn new(vault: Option<Arc<Vault>>) -> Self {
        Self {
            vault,
            ..Self::default()
        }
    }

    /// The resource with an id; `None` where there is none.
    pub fn get<C: Collection>(&mut self, id: &str) -> Result<Option<C::Item>> {
        match self.whole(&C::shape().kind, id)? {
            Some(whole) => Ok(Some(resource::decode::<C>(whole)?)),
            None => Ok(None),
        }
    }

    /// The resource with a name, or NOT_FOUND.
    pub fn require<C: Collection>(&mut self, name: &str) -> Result<C::Item> {
        let kind = &C::shape().kind;
        let missing = || Error::not_found(kind.collection, name);
        let found = self.get::<C>(kind.id(name).ok_or_else(missing)?)?;
        named_so(found, name).ok_or_else(missing)
    }

    /// Like [`UnitOfWork::get`], for what the edit only reads: others read it meanwhile, and nobody changes it before the edit is done.
    /// What many edits go by, such as a policy, so holds up none of them.
    pub fn get_shared<C: Collection>(&mut self, id: &str) -> Result<Option<C::Item>> {
        let kind = &C::shape().kind;
        let at = (kind.table, id.to_owned());
        match self.at_hand(&at) {
            Some(Some(whole)) => Ok(Some(resource::decode::<C>(whole)?)),
            Some(None) => Ok(None),
            None => {
                self.requested.consult(kind, at.1);
                Err(not_loaded())
            }
        }
    }

    /// Like [`UnitOfWork::require`], for what the edit only reads, as [`UnitOfWork::get_shared`] does.
    pub fn require_unchanged<C: Collection>(&mut self, name: &str) -> Result<C::Item> {
        let kind = &C::shape().kind;
        let missing = || Error::not_found(kind.collection, name);
        let found = self.get_shared::<C>(kind.id(name).ok_or_else(missing)?)?;
        named_so(found, name).ok_or_else(missing)
    }

    /// Like [`UnitOfWork::get`], with the survivor in the place of a duplicate.
    pub fn survivor<C: Collection>(&mut self, id: &str) -> Result<Option<C::Item>> {
        let kind = &C::shape().kind;
        let mut found = self.get::<C>(id)?;
        for _ in 0..100 {
            let Some(resource) = &found else { return Ok(None) };
            let head = resource.head();
            match kind.id(head.survivor) {
                Some(next) if head.record_status == RecordStatus::Duplicate as i32 => found = self.get::<C>(next)?,
                _ => return Ok(found),
            }
        }
        Err(Error::internal("duplicates lead in a circle"))
    }

    /// The active record with a name or, without a name, with a key; a survivor in the place of its duplicate.
    pub fn find<C: Collection>(&mut self, name: &str, key: Option<&Key>) -> Result<Option<C::Item>> {
        let kind = &C::shape().kind;
        let id = match (kind.id(name), key) {
            (Some(id), _) => Some(id.to_owned()),
            (None, Some(key)) if name.is_empty() => self.owner::<C>(key)?,
            _ => None,
        };
        let Some(id) = id else { return Ok(None) };
        let found = self.survivor::<C>(&id)?;
        Ok(found.filter(|r| r.head().record_status() == RecordStatus::Active))
    }

    /// The id of the record that holds a key.
    pub fn owner<C: Collection>(&mut self, key: &Key) -> Result<Option<String>> {
        let stored = key.stored(self.vault.as_deref())?;
        self.owner_of(&C::shape().kind, &stored, key.private)
    }

    /// The ids of the records that have a whole name, folded.
    pub fn named<C: Collection>(&mut self, name: &str) -> Result<Vec<String>> {
        self.with_name(&C::shape().kind, crate::text::fold(name))
    }

    /// Which of these fields of a resource were last changed by something else than an import.
    pub(crate) fn edited(&mut self, name: &str, fields: &[String]) -> Result<Vec<String>> {
        let Some(before) = self.loaded.histories.get(name) else {
            self.requested.histories.insert(name.to_owned());
            return Err(not_loaded());
        };
        // What the transaction did so far is not in the ledger yet.
        let own = self.accepted.entries.iter().chain(&self.pending.entries);
        let own: Vec<_> = own.filter(|entry| entry.name == name).collect();
        let last = |field: &String| {
            let here = own.iter().rev().find(|entry| entry.changed.contains(&field.as_str()));
            here.map_or_else(|| before.get(field).map(String::as_str), |entry| Some(entry.verb))
        };
        let is_edit = |field: &&String| last(field).is_some_and(|verb| verb != "import");
        Ok(fields.iter().filter(is_edit).cloned().collect())
    }

    /// What the transaction did so far, in the order of its entries.
    pub(crate) fn entries(&self) -> Vec<&Entry> {
        let own = self.accepted.entries.iter().chain(&self.pending.entries);
        own.map(std::convert::AsRef::as_ref).collect()
    }

    /// Lets later edits of a rehearsal find a record by its names, where the collection keeps no whole names by itself.
    pub fn name_staged<C: Collection>(&mut self, name: &str, item: &C::Item) {
        let kind = &C::shape().kind;
        let Some(id) = kind.id(name).filter(|_| !kind.by_name) else {
            return;
        };
        for name in C::searched(item) {
            let at = (kind.table, crate::text::fold(name));
            self.pending.names.entry(at).or_default().push(id.to_owned());
        }
    }

    fn with_name(&mut self, kind: &'static Kind, folded: String) -> Result<Vec<String>> {
        let at = (kind.table, folded);
        let Some(found) = self.loaded.names.get(&at) else {
            self.requested.name(kind, at.1);
            return Err(not_loaded());
        };
        let mut ids = found.clone();
        for layer in [&self.accepted, &self.pending] {
            ids.extend(layer.names.get(&at).into_iter().flatten().cloned());
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// A resource that may be changed.
    fn whole(&mut self, kind: &'static Kind, id: &str) -> Result<Option<&[u8]>> {
        let at = (kind.table, id.to_owned());
        let is_changed = self.pending.rows.contains_key(&at) || self.accepted.rows.contains_key(&at);
        if !is_changed && (!self.loaded.rows.contains_key(&at) || self.loaded.shared.contains(&at)) {
            self.requested.row(kind, at.1);
            return Err(not_loaded());
        }
        Ok(self.at_hand(&at).flatten())
    }

    /// A resource as the edits before left it, or as it was read; `None` where it was not read yet.
    fn at_hand(&self, at: &(Table, String)) -> Option<Option<&[u8]>> {
        let changed = self.pending.rows.get(at).or_else(|| self.accepted.rows.get(at));
        match changed {
            Some(staged) => Some(Some(staged.whole())),
            None => {
                let read = self.loaded.rows.get(at)?;
                Some(read.as_ref().map(|loaded| loaded.whole.as_slice()))
            }
        }
    }

    /// Who holds a key, as far as that was looked up.
    fn known_owner(&self, kind: &'static Kind, stored: &str) -> Option<&Option<String>> {
        let at = (kind.table, stored.to_owned());
        let changed = self.pending.keys.get(&at).or_else(|| self.accepted.keys.get(&at));
        changed.or_else(|| self.loaded.keys.get(&at))
    }

    fn owner_of(&mut self, kind: &'static Kind, stored: &str, is_sealed: bool) -> Result<Option<String>> {
        if is_sealed && self.is_dry_run {
            let at = (kind.table, stored.to_owned());
            let made = [&self.pending, &self.accepted]
                .into_iter()
                .find_map(|layer| layer.keys.get(&at));
            return Ok(made.cloned().flatten());
        }
        if let Some(owner) = self.known_owner(kind, stored) {
            return Ok(owner.clone());
        }
        let at = (kind.table, stored.to_owned());
        self.requested.key(kind, at.1);
        Err(not_loaded())
    }

    /// Whether an edit has asked for something that is not loaded yet. Its result then means nothing.
    pub fn is_waiting(&self) -> bool {
        !self.requested.is_empty()
    }

    /// What an earlier request with this id and content was answered. For edits that are several requests at once.
    ///
    /// # Errors
    /// Where the id was used for another request.
    pub fn answered(&mut self, cx: &RequestContext, once: &IdempotencyKey) -> Result<Option<WriteResult>> {
        if !self.loaded.request_ids.contains(&once.request_id) {
            self.requested.requests.insert(once.request_id.clone());
            return Err(not_loaded());
        }
        let once = &once.keyed(self.vault.as_deref());
        let key = (cx.actor.clone(), once.request_id.clone());
        let done = self.accepted.requests.iter().chain(&self.pending.requests);
        if let Some(done) = done.into_iter().find(|done| done.key == key) {
            return replayed(&(done.digest.clone(), done.answer.clone()), once).map(Some);
        }
        self.loaded
            .requests
            .get(&key)
            .map(|earlier| replayed(earlier, once))
            .transpose()
    }

    /// Remembers what a request is answered, in the transaction that does it.
    pub fn record_request(&mut self, cx: &RequestContext, once: &IdempotencyKey, answer: &WriteResult) {
        self.pending.requests.push(RecordedRequest {
            key: (cx.actor.clone(), once.request_id.clone()),
            digest: once.keyed(self.vault.as_deref()).digest,
            answer: answer.clone(),
            time: cx.now,
        });
    }

    /// Keeps what rows of an import meant.
    pub(crate) fn record_run_notes(&mut self, note: &Arc<SeenNote>) {
        self.pending.seen.push(Arc::clone(note));
    }

    /// Gives up what this edit has staged so far: for one that answers why it does nothing.
    pub fn discard(&mut self) {
        self.pending = Overlay::default();
    }

    /// Keeps what the last edit changed.
    pub(crate) fn accept_pending(&mut self) {
        let staged = std::mem::take(&mut self.pending);
        self.accepted.rows.extend(staged.rows);
        self.accepted.keys.extend(staged.keys);
        for (name, ids) in staged.names {
            self.accepted.names.entry(name).or_default().extend(ids);
        }
        self.accepted.entries.extend(staged.entries);
        self.accepted.requests.extend(staged.requests);
        self.accepted.seen.extend(staged.seen);
        self.accepted.merges.extend(staged.merges);
    }

    /// Forgets what the last edit changed.
    pub(crate) fn discard_pending(&mut self) {
        self.pending = Overlay::default();
    }

    /// Forgets what all edits changed, and keeps what was read.
    pub(crate) fn reset(&mut self) {
        self.accepted = Overlay::default();
        self.pending = Overlay::default();
    }

    /// The keys that nobody held when they were looked up, and that nothing here takes, by their table. Nothing is locked by what is
    /// not there: somebody may hold one of them now.
    pub(crate) fn unheld(&self) -> BTreeMap<&'static str, Vec<&str>> {
        let mut unheld: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, owner) in &self.loaded.keys {
            if owner.is_none() && !self.accepted.keys.contains_key(at) {
                unheld.entry(at.0).or_default().push(at.1.as_str());
            }
        }
        unheld
    }

    /// The rows to write, each with what the tables hold of it now, the entries for the ledger, and the requests to remember.
    pub(crate) fn finish(self) -> Result<ChangeSet> {
        let vault = self.vault.as_deref();
        let mut rows = Vec::with_capacity(self.accepted.rows.len());
        for (at, staged) in &self.accepted.rows {
            let changed = match staged {
                PendingRow::Made(draft) => {
                    rows.push((None, Arc::clone(&draft.row)));
                    continue;
                }
                PendingRow::Changed(changed) => changed,
            };
            let loaded = self.loaded.rows.get(at).and_then(Option::as_ref);
            let sealed = loaded.and_then(|l| l.sealed.as_deref());
            let before = loaded.map(|l| (changed.project)(&l.whole, sealed, vault)).transpose()?;
            rows.push((before, Arc::new((changed.project)(&changed.whole, sealed, vault)?)));
        }
        rows.sort_by(|a, b| (a.1.kind.table, &a.1.id).cmp(&(b.1.kind.table, &b.1.id)));
        Ok(ChangeSet {
            rows,
            requests: self.accepted.requests,
            seen: self.accepted.seen,
            entries: self.accepted.entries,
        })
    }
}

pub(crate) fn answer<C: Collection>(outcome: WriteOutcome, head: &Head, whole: &[u8]) -> Result<WriteResult> {
    let hidden = resource::private::<C>();
    let body = if hidden.is_empty() {
        whole.to_vec()
    } else {
        message_fields::retain(whole, |number| !hidden.contains(&number))?
    };
    Ok(WriteResult {
        outcome,
        name: head.name.clone(),
        revision: head.revision,
        body: body.into(),
        kept: Vec::new(),
        title: None,
    })
}

/// A child's id under another parent is no name of it.
fn named_so<M: Headed>(found: Option<M>, name: &str) -> Option<M> {
    found.filter(|found| found.head().name == name)
}

pub(crate) fn not_loaded() -> Error {
    Error::internal("an edit went on although it waits for rows")
}
