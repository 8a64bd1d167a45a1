//! What an edit sees of the register, and what it wants changed. Nothing here touches the database.
//!
//! An edit is a pure function over a [`Work`]. What it asks for and what is not loaded yet is noted, the edit is given
//! up, the writer loads all that was asked for in one round trip and runs the edit again. So an edit declares
//! nothing beforehand, and a batch of edits costs few round trips.

use std::collections::BTreeSet;
use std::sync::Arc;

use mingce_proto::registry::RecordStatus;
use prost::Message;

use crate::answer::{Answer, Outcome, Stamp};
use crate::cx::Cx;
use crate::draft::Draft;
use crate::error::{Class, Error, Result};
use crate::id::Id;
use crate::layer::{Asks, Base, Changed, Layer, Loaded, Staged};
use crate::ledger::Entry;
use crate::once::{Done, Once, same};
use crate::resource::{self, Collection, HEAD_FIELDS, Head, Key, Kind, Row};
use crate::steps::Changes;
use crate::vault::Vault;
use crate::wire;

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

    /// For a dry run: what is sealed leads to no record, and is not compared with what a caller gives.
    #[must_use]
    pub(crate) fn for_dry_run(self) -> Self {
        Self {
            is_dry_run: true,
            ..self
        }
    }

    /// A stored resource to which fields are to be applied. In a dry run that gives sealed fields it is without those that are stored,
    /// so that no answer depends on them.
    pub(crate) fn base_of<C: Collection>(&mut self, stored: &C::Item, gives_sealed: bool) -> Result<C::Item> {
        self.conceals = self.is_dry_run && gives_sealed;
        if !self.conceals {
            return Ok(stored.clone());
        }
        let hidden = resource::private::<C>();
        resource::decode::<C>(&wire::only(&stored.encode_to_vec(), |number| {
            !hidden.contains(&number)
        })?)
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
        let found = self.get::<C>(kind.id(name).ok_or_else(missing)?)?.ok_or_else(missing)?;
        if head_of(&found)?.name == name {
            Ok(found)
        } else {
            Err(missing())
        }
    }

    /// Like [`Work::get`], with the survivor in the place of a duplicate.
    pub fn survivor<C: Collection>(&mut self, id: &str) -> Result<Option<C::Item>> {
        let kind = &C::shape().kind;
        let mut found = self.get::<C>(id)?;
        for _ in 0..100 {
            let Some(resource) = &found else { return Ok(None) };
            let head = head_of(resource)?;
            match kind.id(&head.survivor) {
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
        Ok(found.filter(|r| head_of(r).is_ok_and(|h| h.record_status() == RecordStatus::Active)))
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

    /// Makes a resource with a new id.
    pub fn create<C: Collection>(&mut self, cx: &Cx, stamp: &Stamp, resource: &C::Item) -> Result<Answer> {
        self.create_as::<C>(cx, stamp, resource, Id::new(cx.now))
    }

    /// Makes a resource with this id.
    pub fn create_as<C: Collection>(&mut self, cx: &Cx, stamp: &Stamp, resource: &C::Item, id: Id) -> Result<Answer> {
        let draft = Draft::new::<C>(cx, stamp, resource, id, self.vault.as_deref())?;
        self.make(&Arc::new(draft))
    }

    /// Makes a resource as it was drafted, if its keys are free.
    pub(crate) fn make(&mut self, draft: &Arc<Draft>) -> Result<Answer> {
        let (kind, id) = (draft.kind, draft.row.id.as_str());
        for key in &draft.keys {
            self.expect_free(kind, id, (&key.stored, key.is_sealed), &key.field)?;
        }
        Ok(self.stage(draft))
    }

    /// Makes a resource as it was drafted, unless one of its keys, or this folded name, is known.
    pub(crate) fn make_if_unknown(&mut self, draft: &Arc<Draft>, name: Option<&str>) -> Result<Option<Answer>> {
        for key in &draft.keys {
            if self.owner_of(draft.kind, &key.stored, key.is_sealed)?.is_some() {
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

    fn stage(&mut self, draft: &Arc<Draft>) -> Answer {
        let (kind, id) = (draft.kind, draft.row.id.as_str());
        for key in &draft.row.keys {
            self.staged.keys.insert((kind.table, key.clone()), Some(id.to_owned()));
        }
        for name in &draft.row.names {
            let at = (kind.table, name.clone());
            self.staged.names.entry(at).or_default().push(id.to_owned());
        }
        self.staged.entries.push(Arc::clone(&draft.entry));
        let at = (kind.table, id.to_owned());
        self.staged.rows.insert(at, Staged::Made(Arc::clone(draft)));
        draft.answer.clone()
    }

    /// Changes a resource to this; its head stays as it is.
    pub fn update<C: Collection>(&mut self, cx: &Cx, stamp: &Stamp, resource: &C::Item) -> Result<Answer> {
        let head = head_of(resource)?;
        self.change::<C>(cx, stamp, resource, head.record_status(), &head.survivor)
    }

    /// The same, with an entry in the ledger even where nothing of the resource is another: what was decided is kept.
    pub fn decide<C: Collection>(&mut self, cx: &Cx, stamp: &Stamp, resource: &C::Item) -> Result<Answer> {
        let head = head_of(resource)?;
        self.put::<C>(cx, stamp, resource, (head.record_status(), &head.survivor), true)
    }

    /// Changes a resource to this, with another record status.
    pub fn change<C: Collection>(
        &mut self,
        cx: &Cx,
        stamp: &Stamp,
        resource: &C::Item,
        status: RecordStatus,
        survivor: &str,
    ) -> Result<Answer> {
        self.put::<C>(cx, stamp, resource, (status, survivor), false)
    }

    fn put<C: Collection>(
        &mut self,
        cx: &Cx,
        stamp: &Stamp,
        resource: &C::Item,
        (status, survivor): (RecordStatus, &str),
        always: bool,
    ) -> Result<Answer> {
        let kind = &C::shape().kind;
        let id = kind
            .id(&head_of(resource)?.name)
            .ok_or_else(|| Error::internal("a resource without a name"))?
            .to_owned();
        let old = self
            .whole(kind, &id)?
            .ok_or_else(|| Error::internal("a change of what is not there"))?
            .to_vec();
        let mut head = resource::head(&old)?;
        head.record_status = status as i32;
        survivor.clone_into(&mut head.survivor);
        self.write::<C>(cx, stamp, head, resource, &old, always)
    }

    fn write<C: Collection>(
        &mut self,
        cx: &Cx,
        stamp: &Stamp,
        mut head: Head,
        resource: &C::Item,
        old: &[u8],
        always: bool,
    ) -> Result<Answer> {
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
        let fields = wire::only(&resource.encode_to_vec(), |number| number > HEAD_FIELDS)?;
        let with = |head: &Head| [head.encode_to_vec(), fields.clone()].concat();
        let changed = wire::changed(old, &with(&head))?;
        let changed: Vec<u32> = changed
            .into_iter()
            .filter(|number| *number >= HEAD_FIELDS - 1)
            .collect();
        if changed.is_empty() && !always && !std::mem::take(&mut self.conceals) {
            return answer::<C>(Outcome::Unchanged, &head, old);
        }
        let old_head = resource::head(old)?;
        head.revision = old_head.revision + 1;
        let latest = old_head.update_time.map_or(i64::MIN, |t| micros(&t));
        head.update_time = Some(timestamp(cx.now.max(latest)));
        head.etag = etag(head.revision);
        let whole = with(&head);
        let new = resource::decode::<C>(&whole)?;
        let id = kind
            .id(&head.name)
            .ok_or_else(|| Error::internal("a resource without a name"))?
            .to_owned();

        self.hold_keys::<C>(kind, &id, (&resource::decode::<C>(old)?, &old_head), (&new, &head))?;
        if C::BY_NAME {
            for name in C::searched(&new) {
                let at = (kind.table, crate::text::fold(name));
                self.staged.names.entry(at).or_default().push(id.clone());
            }
        }
        let answer = answer::<C>(Outcome::Updated, &head, &whole)?;
        self.staged.entries.push(Arc::new(Entry {
            kind,
            name: head.name.clone(),
            revision: head.revision,
            verb: stamp.verb,
            actor: cx.actor.clone(),
            reason: stamp.reason.clone(),
            request_id: stamp.request_id.clone(),
            time: head.update_time.as_ref().map_or(cx.now, micros),
            changed: changed.iter().map(|number| kind.field(*number).to_owned()).collect(),
            body: answer.body.clone(),
        }));
        self.staged.rows.insert(
            (kind.table, id),
            Staged::Changed(Changed {
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
        let before = resource::stored_keys::<C>(old, old_head, vault.as_deref())?;
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
            self.staged.keys.insert((kind.table, gone.clone()), None);
        }
        // Whether a dry run takes a key or had it would tell what is stored: for the rows behind this one it takes each.
        let had = if self.is_dry_run { BTreeSet::new() } else { before };
        for taken in after.difference(&had) {
            self.staged
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
        let said = format!("{holder} has it already");
        Err(
            Error::new(Class::AlreadyExists, "IDENTIFIER_TAKEN", format!("{field}: {said}"))
                .at(format!("{}.{field}", kind.singular), said)
                .about(kind.collection, holder),
        )
    }

    fn whole(&mut self, kind: &'static Kind, id: &str) -> Result<Option<&[u8]>> {
        let at = (kind.table, id.to_owned());
        if !self.staged.rows.contains_key(&at) && !self.kept.rows.contains_key(&at) && !self.base.rows.contains_key(&at)
        {
            self.asks.row(kind, at.1);
            return Err(not_loaded());
        }
        let changed = self
            .staged
            .rows
            .get(&at)
            .or_else(|| self.kept.rows.get(&at))
            .map(Staged::whole);
        Ok(changed.or_else(|| {
            self.base
                .rows
                .get(&at)
                .and_then(Option::as_ref)
                .map(|l| l.whole.as_slice())
        }))
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

    /// Gives up what this edit has staged so far: for one that answers why it does nothing.
    pub fn forget(&mut self) {
        self.staged = Layer::default();
    }

    /// For a rehearsal that goes on: lets go of what only a transaction would need, and answers how many bytes of memory the
    /// rest takes, about.
    pub fn lighten(&mut self) -> usize {
        /// What a map takes for each of its entries, beside their texts.
        const ENTRY: usize = 160;
        self.kept.entries = Vec::new();
        for staged in self.kept.rows.values_mut() {
            if let Staged::Made(draft) = staged {
                *staged = Staged::Changed(Changed {
                    whole: draft.whole.clone(),
                    project: |_, _, _| Err(Error::internal("a rehearsal is never written")),
                });
            }
        }
        let own = self.kept.rows.iter().map(|((_, id), row)| id.len() + row.whole().len());
        let read = self.base.rows.iter().map(|((_, id), row)| {
            let sizes = |row: &Loaded| row.whole.len() + row.sealed.as_ref().map_or(0, Vec::len);
            id.len() + row.as_ref().map_or(0, sizes)
        });
        let keys = self.kept.keys.iter().chain(&self.base.keys);
        let keys = keys.map(|((_, key), id)| key.len() + id.as_ref().map_or(0, String::len));
        let names = self.kept.names.iter().chain(&self.base.names);
        let names = names.map(|((_, name), ids)| name.len() + ids.iter().map(|id| id.len() + 24).sum::<usize>());
        own.chain(read)
            .chain(keys)
            .chain(names)
            .map(|bytes| bytes + ENTRY)
            .sum()
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
            entries: self.kept.entries,
        })
    }
}

/// A row from its whole message. The private part keeps its sealed form where it says the same.
fn project<C: Collection>(whole: &[u8], sealed: Option<&[u8]>, vault: Option<&Vault>) -> Result<Row> {
    let resource = resource::decode::<C>(whole)?;
    resource::row::<C>(&resource, resource::head(whole)?, whole, vault, |id, part| {
        let vault = vault.ok_or_else(|| Error::internal("a private part needs a vault"))?;
        if let Some(sealed) = sealed
            && vault.open(id, sealed)? == part
        {
            return Ok(sealed.to_vec());
        }
        vault.seal(id, part)
    })
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
    })
}

/// The head of a resource.
pub fn head_of(resource: &impl Message) -> Result<Head> {
    resource::head(&resource.encode_to_vec())
}

/// The etag of a revision.
pub fn etag(revision: i64) -> String {
    format!("\"r{revision}\"")
}

/// A time in microseconds as the contract writes it.
pub fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1000;
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// A time of the contract in microseconds.
pub fn micros(time: &prost_types::Timestamp) -> i64 {
    time.seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(time.nanos) / 1000)
}

fn not_loaded() -> Error {
    Error::internal("an edit went on although it waits for rows")
}
