//! The store of one service: the door to its tables. Every verb takes the call's context first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mingce_proto::Headed;
use mingce_proto::codec::Reply;
use mingce_proto::registry::{RecordStatus, Revision};
use prost::bytes::Bytes;
use sea_orm::{DatabaseTransaction, TransactionTrait};

use crate::context::RequestContext;
use crate::db::database::Db;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::model::collection::Collection;
use crate::model::kind::Kind;
use crate::model::revision::AuditInfo;
use crate::model::validate::expect_no_cycle;
use crate::model::vault::Vault;
use crate::query::get_batcher::GetBatcher;
use crate::write::call::Call;
use crate::write::canonical::{normalized, refused};
use crate::write::edit::{Edit, PreloadedEdit, apply};
use crate::write::field_mask::Mask;
use crate::write::idempotency;
use crate::write::ledger;
pub use crate::write::ledger::Entered;
use crate::write::load::{Lock, load};
use crate::write::precondition::require_active;
use crate::write::prepared_insert::PreparedInsert;
use crate::write::result::WriteResult;
use crate::write::unit_of_work::UnitOfWork;
use crate::write::write_queue::{QueueLength, WriteQueue};

/// The store of one service.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) db: Db,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) reads: Arc<GetBatcher>,
    /// Something was merged or annulled once, as far as this process has seen.
    pub(crate) merged: Arc<AtomicBool>,
    writers: Arc<WriteQueue>,
}

impl Store {
    /// The store of a database whose schema is there; one for each process, since each has its own writers. `vault`: for services that
    /// keep personal data.
    pub fn new(db: Db, vault: Option<Arc<Vault>>) -> Self {
        // What places are told by takes a moment to make: the first call is not to wait for it.
        std::thread::spawn(|| crate::text::order_code(""));
        let writers = Arc::new(WriteQueue::start(&db, vault.clone()));
        let reads = Arc::new(GetBatcher::start(&db));
        Self {
            db,
            vault,
            reads,
            merged: Arc::default(),
            writers,
        }
    }

    /// The queue of writes as it is now.
    pub fn write_queue(&self) -> QueueLength {
        self.writers.length()
    }

    /// Takes no more changes, and waits until those that were taken are written.
    pub async fn close(&self) {
        self.writers.close().await;
    }

    /// Does one edit as a call wants it, and answers the resource that it answers.
    pub async fn change<C: Collection>(&self, cx: &RequestContext, call: Call, edit: Edit) -> Result<Reply<C::Item>> {
        self.change_as_planned::<C>(cx, call, edit.into()).await
    }

    async fn change_as_planned<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        planned: PreloadedEdit,
    ) -> Result<Reply<C::Item>> {
        let answer = if call.validate_only {
            self.try_edit(&mut self.dry_run(), &planned.edit).await?
        } else {
            let once = call.once.map(|once| once.keyed(self.vault.as_deref()));
            let mut answers = self.writers.submit(cx, once, planned).await?;
            answers
                .pop()
                .ok_or_else(|| Error::internal("a writer answered nothing"))??
        };
        Ok(answer.reply())
    }

    /// Does several edits in their order, in one transaction; each is kept or fails alone.
    pub async fn change_each(
        &self,
        cx: &RequestContext,
        edits: impl IntoIterator<Item = impl Into<PreloadedEdit>>,
    ) -> Result<Vec<Result<WriteResult>>> {
        let planned: Vec<PreloadedEdit> = edits.into_iter().map(Into::into).collect();
        if planned.is_empty() {
            return Ok(Vec::new());
        }
        self.writers.submit_in_turn(cx, planned).await
    }

    /// A view of the register in which edits can be tried, one upon the other, without being written.
    pub fn unit_of_work(&self) -> UnitOfWork {
        UnitOfWork::new(self.vault.clone())
    }

    /// The same for what a caller asks to be tried: what comes of it tells nothing of what is sealed.
    pub fn dry_run(&self) -> UnitOfWork {
        self.unit_of_work().for_dry_run()
    }

    /// Tries an edit: its changes stay in `work` and are never written.
    pub async fn try_edit<T>(&self, work: &mut UnitOfWork, edit: impl Fn(&mut UnitOfWork) -> Result<T>) -> Result<T> {
        loop {
            let result = apply(work, &edit);
            if !work.is_waiting() {
                return result;
            }
            let asks = std::mem::take(&mut work.requested);
            load(self.db.one(), &asks, &mut work.loaded, self.vault.as_ref(), Lock::None).await?;
        }
    }

    /// Reads in as many steps as it takes, all of one moment.
    pub async fn look<T>(&self, edit: impl Fn(&mut UnitOfWork) -> Result<T>) -> Result<T> {
        let mut work = self.unit_of_work();
        let mut moment: Option<DatabaseTransaction> = None;
        loop {
            let result = apply(&mut work, &edit);
            if !work.is_waiting() {
                return result;
            }
            let asks = std::mem::take(&mut work.requested);
            let at = match moment {
                Some(begun) => begun,
                None => self.db.one().begin().await?,
            };
            load(&at, &asks, &mut work.loaded, self.vault.as_ref(), Lock::None).await?;
            moment = Some(at);
        }
    }

    /// What an earlier call with the same request id and content was answered.
    pub async fn answered<C: Collection>(&self, cx: &RequestContext, call: &Call) -> Result<Option<Reply<C::Item>>> {
        let Some(once) = &call.once else { return Ok(None) };
        let found = idempotency::answered(&self.db, cx, &once.keyed(self.vault.as_deref())).await?;
        Ok(found.map(WriteResult::reply))
    }

    /// Makes a resource.
    pub async fn create<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        verb: &'static str,
        resource: C::Item,
    ) -> Result<Reply<C::Item>> {
        let stamp = call.stamp(verb, "");
        let settled = normalized::<C>(&resource).and_then(|new| {
            // Whatever begins a life cycle does so in its first state; a record says where it stands.
            if verb == "record" {
                C::check_write(None, &new)?;
            }
            Ok(new)
        });
        let draft = settled.and_then(|new| {
            let draft = PreparedInsert::new::<C>(cx, &stamp, &new, Id::new(cx.now), self.vault.as_deref())?;
            Ok((new, Arc::new(draft)))
        });
        let asks = draft.as_ref().map(|(_, draft)| draft.asks()).unwrap_or_default();
        // What is wrong is said by the writer too: a request id that was used before goes first.
        let edit: Edit = Box::new(move |work| {
            let (new, draft) = draft.as_ref().map_err(Clone::clone)?;
            let answer = work.make(draft)?;
            C::check_beside(work, None, new)?;
            Ok(answer)
        });
        self.change_as_planned::<C>(cx, call, PreloadedEdit { edit, asks })
            .await
    }

    /// Changes the fields that the mask names to what they are in `resource`.
    pub async fn update<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        resource: C::Item,
        mask: Mask,
    ) -> Result<Reply<C::Item>> {
        let (stamp, at) = (call.update_stamp(), cx.clone());
        let name = resource.head().name;
        C::shape().kind.expect(name, &format!("{}.name", C::SINGULAR))?;
        self.change::<C>(
            cx,
            call,
            Box::new(move |work| {
                let head = resource.head();
                let stored = require_active::<C>(work, head.name, head.etag)?;
                if let Some(problem) = mask.check_settable::<C>(&stored, &resource)? {
                    return Err(refused::<C>(vec![problem]));
                }
                let base = work.base_of::<C>(&stored, mask.has_private::<C>())?;
                let mut merged = normalized::<C>(&mask.apply::<C>(&base, &resource)?)?;
                C::keep_order(&mut merged, &stored);
                C::check_write(Some(&stored), &merged)?;
                C::check_beside(work, Some(&stored), &merged)?;
                expect_no_cycle(work, C::acyclic_references(), &stored, &merged)?;
                work.update::<C>(&at, &stamp, &merged)
            }),
        )
        .await
    }

    /// Marks a resource as one that should not have been made.
    pub async fn annul<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        name: &str,
        etag: &str,
        reason: &str,
    ) -> Result<Reply<C::Item>> {
        let (stamp, at) = (call.stamp("annul", reason), cx.clone());
        let (name, etag) = (name.to_owned(), etag.to_owned());
        self.change::<C>(
            cx,
            call,
            Box::new(move |work| {
                let stored = require_active::<C>(work, &name, &etag)?;
                C::on_annul(work, &at, &stamp, &stored)?;
                work.change::<C>(&at, &stamp, &stored, RecordStatus::Annulled, "")
            }),
        )
        .await
    }

    /// The entries of the ledger about these resources, each resource's in their order, without what they hold.
    pub async fn entries(&self, _cx: &RequestContext, names: &BTreeSet<String>) -> Result<Vec<Entered>> {
        ledger::entries(&self.db, names).await
    }

    /// What entries of the ledger hold, by their numbers: resources as they were, without what is private.
    pub async fn snapshots(&self, _cx: &RequestContext, sequences: &BTreeSet<i64>) -> Result<HashMap<i64, Bytes>> {
        ledger::snapshots(&self.db, sequences).await
    }

    /// A page of the history of one resource of these kinds, the newest entry first, and the token for the next page.
    /// What changed hidden fields alone is left out, so that a page may have fewer entries.
    pub async fn history(
        &self,
        cx: &RequestContext,
        kinds: &[&'static Kind],
        name: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<(Vec<Revision>, String)> {
        let Some(kind) = kinds.iter().find(|kind| kind.id(name).is_some()) else {
            let known: Vec<_> = kinds.iter().map(|k| k.name(k.parent.map(|_| "{id}"), "{id}")).collect();
            let said = format!("expected a resource name like {}", known.join(" or "));
            return Err(Error::invalid("name", "NAME_WRONG_KIND", said));
        };
        let (entries, next) = ledger::history(&self.db, name, page_size, page_token).await?;
        if entries.is_empty() && page_token.is_empty() {
            return Err(Error::not_found(kind.collection, name));
        }
        let told = entries
            .into_iter()
            .filter_map(|entry| ledger::told_to(cx.visible, kind.message, entry));
        Ok((told.collect(), next))
    }
}

/// Settles a resource and makes it.
pub fn create<C: Collection>(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    stamp: &AuditInfo,
    resource: &C::Item,
) -> Result<WriteResult> {
    let new = normalized::<C>(resource)?;
    C::check_write(None, &new)?;
    work.create::<C>(cx, stamp, &new)
}
