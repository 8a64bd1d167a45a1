//! What an edit sees of the register, and what it wants changed. Nothing here touches the database.
//!
//! An edit is a pure function over a [`Work`]. What it asks for and what is not loaded yet is noted, the edit is given
//! up, the writer loads all that was asked for in one round trip and runs the edit again. So an edit declares
//! nothing beforehand, and a batch of edits costs few round trips.

mod change;
mod rehearse;
mod related;

use std::collections::BTreeMap;
use std::sync::Arc;

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;

use crate::cx::Cx;
use crate::error::{Error, Result};
use crate::model::resource::{self, Collection, Head, Key, Kind};
use crate::model::vault::Vault;
use crate::model::wire;
use crate::write::answer::{Answer, Outcome};
use crate::write::asks::{Asks, Table};
use crate::write::imports::SeenNote;
use crate::write::layer::{Base, Layer, Staged};
use crate::write::ledger::Entry;
use crate::write::once::{Done, Once, same};
use crate::write::steps::Changes;

/// The register as one batch of edits sees it.
#[derive(Debug, Default)]
pub struct Work {
    pub(crate) base: Base,
    kept: Layer,
    staged: Layer,
    pub(crate) asks: Asks,
    /// What was read at different moments contradicts itself: the transaction has to begin anew.
    pub(crate) is_stale: bool,
    pub(crate) vault: Option<Arc<Vault>>,
    /// What comes of it is told to a caller and never written: it tells nothing of what is sealed.
    is_dry_run: bool,
    /// The edit sets sealed fields in a dry run: whether they are others than before is not told.
    conceals: bool,
}

impl Work {
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

    /// Like [`Work::get`], for what the edit only reads: others read it meanwhile, and nobody changes it before the edit is done.
    /// What many edits go by, such as a policy, so holds up none of them.
    pub fn consult<C: Collection>(&mut self, id: &str) -> Result<Option<C::Item>> {
        let kind = &C::shape().kind;
        let at = (kind.table, id.to_owned());
        match self.at_hand(&at) {
            Some(Some(whole)) => Ok(Some(resource::decode::<C>(whole)?)),
            Some(None) => Ok(None),
            None => {
                self.asks.consult(kind, at.1);
                Err(not_loaded())
            }
        }
    }

    /// Like [`Work::require`], for what the edit only reads, as [`Work::consult`] does.
    pub fn require_unchanged<C: Collection>(&mut self, name: &str) -> Result<C::Item> {
        let kind = &C::shape().kind;
        let missing = || Error::not_found(kind.collection, name);
        let found = self.consult::<C>(kind.id(name).ok_or_else(missing)?)?;
        named_so(found, name).ok_or_else(missing)
    }

    /// Like [`Work::get`], with the survivor in the place of a duplicate.
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
        let Some(before) = self.base.histories.get(name) else {
            self.asks.histories.insert(name.to_owned());
            return Err(not_loaded());
        };
        // What the transaction did so far is not in the ledger yet.
        let own = self.kept.entries.iter().chain(&self.staged.entries);
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
        let own = self.kept.entries.iter().chain(&self.staged.entries);
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
            self.staged.names.entry(at).or_default().push(id.to_owned());
        }
    }

    fn with_name(&mut self, kind: &'static Kind, folded: String) -> Result<Vec<String>> {
        let at = (kind.table, folded);
        let Some(found) = self.base.names.get(&at) else {
            self.asks.name(kind, at.1);
            return Err(not_loaded());
        };
        let mut ids = found.clone();
        for layer in [&self.kept, &self.staged] {
            ids.extend(layer.names.get(&at).into_iter().flatten().cloned());
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// A resource that may be changed.
    fn whole(&mut self, kind: &'static Kind, id: &str) -> Result<Option<&[u8]>> {
        let at = (kind.table, id.to_owned());
        let is_changed = self.staged.rows.contains_key(&at) || self.kept.rows.contains_key(&at);
        if !is_changed && (!self.base.rows.contains_key(&at) || self.base.shared.contains(&at)) {
            self.asks.row(kind, at.1);
            return Err(not_loaded());
        }
        Ok(self.at_hand(&at).flatten())
    }

    /// A resource as the edits before left it, or as it was read; `None` where it was not read yet.
    fn at_hand(&self, at: &(Table, String)) -> Option<Option<&[u8]>> {
        let changed = self.staged.rows.get(at).or_else(|| self.kept.rows.get(at));
        match changed {
            Some(staged) => Some(Some(staged.whole())),
            None => {
                let read = self.base.rows.get(at)?;
                Some(read.as_ref().map(|loaded| loaded.whole.as_slice()))
            }
        }
    }

    /// Who holds a key, as far as that was looked up.
    fn known_owner(&self, kind: &'static Kind, stored: &str) -> Option<&Option<String>> {
        let at = (kind.table, stored.to_owned());
        let changed = self.staged.keys.get(&at).or_else(|| self.kept.keys.get(&at));
        changed.or_else(|| self.base.keys.get(&at))
    }

    fn owner_of(&mut self, kind: &'static Kind, stored: &str, is_sealed: bool) -> Result<Option<String>> {
        if is_sealed && self.is_dry_run {
            let at = (kind.table, stored.to_owned());
            let made = [&self.staged, &self.kept]
                .into_iter()
                .find_map(|layer| layer.keys.get(&at));
            return Ok(made.cloned().flatten());
        }
        if let Some(owner) = self.known_owner(kind, stored) {
            return Ok(owner.clone());
        }
        let at = (kind.table, stored.to_owned());
        self.asks.key(kind, at.1);
        Err(not_loaded())
    }

    /// Whether an edit has asked for something that is not loaded yet. Its result then means nothing.
    pub fn is_waiting(&self) -> bool {
        !self.asks.is_empty()
    }

    /// What an earlier request with this id and content was answered. For edits that are several requests at once.
    ///
    /// # Errors
    /// Where the id was used for another request.
    pub fn answered(&mut self, cx: &Cx, once: &Once) -> Result<Option<Answer>> {
        if !self.base.request_ids.contains(&once.request_id) {
            self.asks.requests.insert(once.request_id.clone());
            return Err(not_loaded());
        }
        let once = &once.keyed(self.vault.as_deref());
        let key = (cx.actor.clone(), once.request_id.clone());
        let done = self.kept.requests.iter().chain(&self.staged.requests);
        if let Some(done) = done.into_iter().find(|done| done.key == key) {
            return same(&(done.digest.clone(), done.answer.clone()), once).map(Some);
        }
        self.base
            .requests
            .get(&key)
            .map(|earlier| same(earlier, once))
            .transpose()
    }

    /// Remembers what a request is answered, in the transaction that does it.
    pub fn remember(&mut self, cx: &Cx, once: &Once, answer: &Answer) {
        self.staged.requests.push(Done {
            key: (cx.actor.clone(), once.request_id.clone()),
            digest: once.keyed(self.vault.as_deref()).digest,
            answer: answer.clone(),
            time: cx.now,
        });
    }

    /// Keeps what rows of an import meant.
    pub(crate) fn keep_seen(&mut self, note: &Arc<SeenNote>) {
        self.staged.seen.push(Arc::clone(note));
    }

    /// Gives up what this edit has staged so far: for one that answers why it does nothing.
    pub fn forget(&mut self) {
        self.staged = Layer::default();
    }

    /// Keeps what the last edit changed.
    pub(crate) fn keep(&mut self) {
        let staged = std::mem::take(&mut self.staged);
        self.kept.rows.extend(staged.rows);
        self.kept.keys.extend(staged.keys);
        for (name, ids) in staged.names {
            self.kept.names.entry(name).or_default().extend(ids);
        }
        self.kept.entries.extend(staged.entries);
        self.kept.requests.extend(staged.requests);
        self.kept.seen.extend(staged.seen);
        self.kept.merges.extend(staged.merges);
    }

    /// Forgets what the last edit changed.
    pub(crate) fn drop_edit(&mut self) {
        self.staged = Layer::default();
    }

    /// Forgets what all edits changed, and keeps what was read.
    pub(crate) fn start_over(&mut self) {
        self.kept = Layer::default();
        self.staged = Layer::default();
    }

    /// The keys that nobody held when they were looked up, and that nothing here takes, by their table. Nothing is locked by what is
    /// not there: somebody may hold one of them now.
    pub(crate) fn unheld(&self) -> BTreeMap<&'static str, Vec<&str>> {
        let mut unheld: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, owner) in &self.base.keys {
            if owner.is_none() && !self.kept.keys.contains_key(at) {
                unheld.entry(at.0).or_default().push(at.1.as_str());
            }
        }
        unheld
    }

    /// The rows to write, each with what the tables hold of it now, the entries for the ledger, and the requests to remember.
    pub(crate) fn finish(self) -> Result<Changes> {
        let vault = self.vault.as_deref();
        let mut rows = Vec::with_capacity(self.kept.rows.len());
        for (at, staged) in &self.kept.rows {
            let changed = match staged {
                Staged::Made(draft) => {
                    rows.push((None, Arc::clone(&draft.row)));
                    continue;
                }
                Staged::Changed(changed) => changed,
            };
            let loaded = self.base.rows.get(at).and_then(Option::as_ref);
            let sealed = loaded.and_then(|l| l.sealed.as_deref());
            let before = loaded.map(|l| (changed.project)(&l.whole, sealed, vault)).transpose()?;
            rows.push((before, Arc::new((changed.project)(&changed.whole, sealed, vault)?)));
        }
        rows.sort_by(|a, b| (a.1.kind.table, &a.1.id).cmp(&(b.1.kind.table, &b.1.id)));
        Ok(Changes {
            rows,
            requests: self.kept.requests,
            seen: self.kept.seen,
            entries: self.kept.entries,
        })
    }
}

pub(crate) fn answer<C: Collection>(outcome: Outcome, head: &Head, whole: &[u8]) -> Result<Answer> {
    let hidden = resource::private::<C>();
    let body = if hidden.is_empty() {
        whole.to_vec()
    } else {
        wire::only(whole, |number| !hidden.contains(&number))?
    };
    Ok(Answer {
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
