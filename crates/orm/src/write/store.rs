//! The store of one service: the door to its tables. Every verb takes the call's context first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mingce_proto::codec::Reply;
use mingce_proto::registry::{RecordStatus, Revision};
use mingce_proto::weight::MOST_PATHS;
use mingce_proto::{Headed, MOST_VIOLATIONS, Mutation};
use prost::Message;
use prost::bytes::Bytes;
use sea_orm::{DatabaseTransaction, TransactionTrait};
use sha2::{Digest, Sha256};

use crate::context::RequestContext;
use crate::db::database::Db;
use crate::error::{Class, Error, Result, Violation};
use crate::id::Id;
use crate::model::resource::{self, Collection, Kind, is_head};
use crate::model::revision::AuditInfo;
use crate::model::validate::{self, expect_no_cycle};
use crate::model::vault::Vault;
use crate::model::{message_fields, texts};
use crate::query::get_batcher::GetBatcher;
use crate::write::idempotency::IdempotencyKey;
use crate::write::ledger;
pub use crate::write::ledger::Entered;
use crate::write::load::{self, Lock};
use crate::write::prepared_insert::PreparedInsert;
use crate::write::result::WriteResult;
use crate::write::unit_of_work::UnitOfWork;
use crate::write::writer::{Edit, PreloadedEdit, QueueLength, WriteQueue, apply};

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

/// How a call wants its change done.
#[derive(Debug, Clone, Default)]
pub struct Call {
    once: Option<IdempotencyKey>,
    validate_only: bool,
    reason: String,
}

impl Call {
    /// Of a request of the contract.
    pub fn of<R: Mutation>(request: &R) -> Self {
        Self::new(R::METHOD, request.request_id(), request.validate_only(), request)
    }

    /// From a request's `request_id` and `validate_only`. The digest covers the method and the whole request.
    pub fn new(method: &str, request_id: &str, validate_only: bool, request: &impl Message) -> Self {
        let once = (!request_id.is_empty() && !validate_only).then(|| {
            let mut digest = Sha256::new();
            digest.update(method.as_bytes());
            digest.update([0]);
            digest.update(with_small_letters(request.encode_to_vec(), request_id.as_bytes()));
            IdempotencyKey {
                request_id: request_id.to_lowercase(),
                digest: digest.finalize().to_vec(),
            }
        });
        Self {
            once,
            validate_only,
            reason: String::new(),
        }
    }

    /// Why, for the ledger: of changes that need no reason.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// Its request id and content, where it is to be done once.
    pub fn once(&self) -> Option<&IdempotencyKey> {
        self.once.as_ref()
    }

    /// Whether it only wants to know what would be.
    pub fn is_dry(&self) -> bool {
        self.validate_only
    }

    /// What the ledger says of an update.
    pub fn update_stamp(&self) -> AuditInfo {
        self.stamp("update", &self.reason)
    }

    /// What the ledger says of the change.
    pub fn stamp(&self, verb: &'static str, reason: &str) -> AuditInfo {
        let request_id = self.once.as_ref().map_or(String::new(), |once| once.request_id.clone());
        AuditInfo {
            verb,
            reason: reason.replace('\0', "\u{fffd}"),
            request_id,
            import: String::new(),
        }
    }
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
            load::load(self.db.one(), &asks, &mut work.loaded, self.vault.as_ref(), Lock::None).await?;
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
            load::load(&at, &asks, &mut work.loaded, self.vault.as_ref(), Lock::None).await?;
            moment = Some(at);
        }
    }

    /// What an earlier call with the same request id and content was answered.
    pub async fn answered<C: Collection>(&self, cx: &RequestContext, call: &Call) -> Result<Option<Reply<C::Item>>> {
        let Some(once) = &call.once else { return Ok(None) };
        let found = crate::write::idempotency::answered(&self.db, cx, &once.keyed(self.vault.as_deref())).await?;
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
                let stored = work.require::<C>(head.name)?;
                expect_etag::<C>(&stored, head.etag)?;
                expect_active::<C>(&stored)?;
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
                let stored = work.require::<C>(&name)?;
                expect_etag::<C>(&stored, &etag)?;
                expect_active::<C>(&stored)?;
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
    pub async fn history(
        &self,
        _cx: &RequestContext,
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
        let page = ledger::history(&self.db, name, page_size, page_token).await?;
        if page.0.is_empty() && page_token.is_empty() {
            return Err(Error::not_found(kind.collection, name));
        }
        Ok(page)
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

/// The resource in its stored form.
///
/// # Errors
/// With what is wrong with it.
pub fn normalized<C: Collection>(resource: &C::Item) -> Result<C::Item> {
    let encoded = resource.encode_to_vec();
    let mut new = texts::in_one_form(C::MESSAGE, &encoded).unwrap_or_else(|| resource.clone());
    let problems = unsound::<C>(&new, &encoded).or_else(|| Some(C::normalize(&mut new)).filter(|p| !p.is_empty()));
    problems.map_or(Ok(new), |problems| Err(refused::<C>(problems)))
}

/// What the contract finds wrong with a resource, as it was sent.
pub(crate) fn unsound<C: Collection>(resource: &C::Item, encoded: &[u8]) -> Option<Vec<Violation>> {
    let mut problems = validate::check(resource, "");
    problems.extend(with_nul::<C>(encoded));
    (!problems.is_empty()).then_some(problems)
}

/// What is wrong with the first text of an encoded resource that holds U+0000.
pub(crate) fn with_nul<C: Collection>(encoded: &[u8]) -> Option<Violation> {
    let field = mingce_proto::texts::with_nul(C::MESSAGE, encoded)?;
    Some(Violation::new(field, "TEXT_HOLDS_NUL", texts::HOLDS_NUL))
}

/// What is wrong with a resource, as an error of the request that holds it.
pub(crate) fn refused<C: Collection>(mut problems: Vec<Violation>) -> Error {
    for problem in &mut problems {
        problem.field = format!("{}.{}", C::SINGULAR, problem.field);
    }
    Error::invalid_all(problems)
}

/// Refuses what was decided on another revision.
///
/// # Errors
/// ABORTED, reason `ETAG_MISMATCH`.
pub fn expect_etag<C: Collection>(stored: &C::Item, etag: &str) -> Result<()> {
    let head = stored.head();
    if etag.is_empty() || etag == head.etag {
        return Ok(());
    }
    let said = format!(
        "{} is at {}, not at {etag}: read it again and decide anew",
        head.name, head.etag
    );
    Err(Error::new(Class::Aborted, "ETAG_MISMATCH", said).about(C::COLLECTION, head.name))
}

/// Refuses a change of a record that does not stand for itself.
///
/// # Errors
/// Reason `RECORD_NOT_ACTIVE`.
pub fn expect_active<C: Collection>(stored: &C::Item) -> Result<()> {
    let head = stored.head();
    let said = match head.record_status() {
        RecordStatus::Duplicate => format!("{} was merged into {}: use that one", head.name, head.survivor),
        RecordStatus::Annulled => format!("{} was annulled: use another, or make a new one", head.name),
        _ => return Ok(()),
    };
    Err(Error::new(Class::Precondition, "RECORD_NOT_ACTIVE", said).about(C::COLLECTION, head.name))
}

/// A resource as a caller may send it: without its output-only fields, but for its name and etag.
///
/// # Errors
/// Where it does not read back.
pub fn inbound<C: Collection>(new: C::Item) -> Result<C::Item> {
    less::<C>(new, |number| {
        matches!(number, 1 | 3) || C::shape().kind.is_writable(number)
    })
}

/// What can be written of a resource, and nothing of its head: a copy of a record is not that record.
///
/// # Errors
/// Where it does not read back.
pub fn writable<C: Collection>(new: C::Item) -> Result<C::Item> {
    less::<C>(new, |number| C::shape().kind.is_writable(number))
}

/// A resource with only the fields that `keep` says.
fn less<C: Collection>(new: C::Item, keep: impl Fn(u32) -> bool) -> Result<C::Item> {
    let kept = message_fields::retain_if_changed(&new.encode_to_vec(), keep)?;
    kept.map_or(Ok(new), |kept| resource::decode::<C>(&kept))
}

/// A resource under a name, whatever head it had: for verbs whose requests name it apart.
pub fn named<C: Collection>(resource: &C::Item, name: &str) -> Result<C::Item> {
    let head = resource::Head {
        name: name.to_owned(),
        ..resource::Head::default()
    };
    resource::decode::<C>(&head.with(&resource.encode_to_vec())?)
}

/// The fields that an update sets.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Numbers of the fields.
    fields: Vec<u32>,
    /// Fields that people changed since the last import stay.
    keeps_edits: bool,
}

impl Mask {
    fn of(fields: Vec<u32>) -> Self {
        Self {
            fields,
            keeps_edits: false,
        }
    }

    /// The mask of an import that leaves what people changed since the last one as it is.
    #[must_use]
    pub fn keeping_edits(mut self, keeps_edits: bool) -> Self {
        self.keeps_edits = keeps_edits;
        self
    }

    pub(crate) fn keeps_edits(&self) -> bool {
        self.keeps_edits
    }

    /// The names of its fields that are sealed and that a resource sets.
    pub(crate) fn sets_private<C: Collection>(&self, resource: &C::Item) -> Result<Vec<String>> {
        let (hidden, set) = (
            resource::private::<C>(),
            message_fields::present_fields(&resource.encode_to_vec())?,
        );
        let given = self.fields.iter().filter(|n| hidden.contains(n) && set.contains(n));
        Ok(given.map(|number| C::shape().kind.field(*number).to_owned()).collect())
    }

    /// The mask without fields, and without what follows from them.
    pub(crate) fn without_all<C: Collection>(mut self, fields: &[String]) -> Self {
        for field in fields {
            self = self.without::<C>(field);
            for (_, derived) in C::DERIVED.iter().filter(|(reference, _)| reference == field) {
                self = self.without::<C>(derived);
            }
        }
        self
    }

    /// The fields of an `update_mask`. None at all: those that are not empty in the resource. `*`: all that can be
    /// written; of the sealed ones, which a reader cannot send back, only those that are set.
    pub fn parse<C: Collection>(paths: &[String], resource: &C::Item) -> Result<Self> {
        Self::parse_for::<C>(paths, &resource.encode_to_vec())
    }

    /// The same for an encoded resource.
    pub(crate) fn parse_for<C: Collection>(paths: &[String], encoded: &[u8]) -> Result<Self> {
        Self::parse_paths::<C>(paths, encoded).map(Self::with_derived::<C>)
    }

    fn parse_paths<C: Collection>(paths: &[String], encoded: &[u8]) -> Result<Self> {
        let kind = &C::shape().kind;
        if paths.is_empty() {
            let mut set = message_fields::present_fields(encoded)?;
            set.retain(|number| kind.is_writable(*number));
            return Ok(Self::of(set));
        }
        let all = kind.fields.iter().filter(|(number, _)| kind.is_writable(*number));
        if paths.iter().any(|path| path == "*") {
            return Self::of(all.map(|f| f.0).collect()).without_unset_private_of::<C>(encoded);
        }
        let (mut numbers, mut problems) = (Vec::new(), Vec::new());
        if paths.len() > MOST_PATHS {
            let said = format!("must have at most {MOST_PATHS} paths");
            return Err(Error::invalid("update_mask", "REPEATED_MAX_ITEMS", said));
        }
        for path in paths {
            if problems.len() > MOST_VIOLATIONS {
                break;
            }
            let wrong = |reason, description: String| Violation::new("update_mask", reason, description);
            match kind.fields.iter().find(|(_, name)| name == path) {
                Some((number, _)) if kind.is_writable(*number) => numbers.push(*number),
                Some(_) => problems.push(wrong("MASK_FIELD_OUTPUT_ONLY", format!("{path} cannot be written"))),
                None => {
                    let names: Vec<_> = all.clone().map(|(_, name)| name.as_str()).collect();
                    let known = format!("{path:?} is no top-level field of it: use {}", names.join(", "));
                    problems.push(wrong("MASK_FIELD_UNKNOWN", known));
                }
            }
        }
        if problems.is_empty() {
            Ok(Self::of(numbers))
        } else {
            Err(Error::invalid_all(problems))
        }
    }

    /// The fields that these paths name, each one of `fields`: for verbs that set others than an update does.
    ///
    /// # Errors
    /// Naming those that are none of them, and where no field is named.
    pub fn among<C: Collection>(paths: &[String], fields: &[&str]) -> Result<Self> {
        let known = fields.join(", ");
        if paths.is_empty() {
            let said = format!("name the fields: one or more of {known}");
            return Err(Error::invalid("update_mask", "REQUIRED", said));
        }
        let number = |path: &String| {
            let named = C::shape().kind.fields.iter().find(|(_, name)| name == path);
            named
                .filter(|(_, name)| fields.contains(&name.as_str()))
                .map(|field| field.0)
        };
        let wrong = paths.iter().filter(|path| number(path).is_none()).take(MOST_VIOLATIONS);
        let wrong: Vec<Violation> = wrong
            .map(|path| {
                let said = format!("{path:?} is none of the fields that this sets: use {known}");
                Violation::new("update_mask", "MASK_FIELD_UNKNOWN", said)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Error::invalid_all(wrong));
        }
        Ok(Self::of(paths.iter().filter_map(number).collect()))
    }

    /// Whether one of its fields is sealed.
    pub(crate) fn has_private<C: Collection>(&self) -> bool {
        let hidden = resource::private::<C>();
        self.fields.iter().any(|number| hidden.contains(number))
    }

    /// `stored` with the fields of the mask as they are in `new`.
    pub fn apply<C: Collection>(&self, stored: &C::Item, new: &C::Item) -> Result<C::Item> {
        let merged = message_fields::replace(&stored.encode_to_vec(), &new.encode_to_vec(), |number| {
            self.fields.contains(&number)
        })?;
        resource::decode::<C>(&merged)
    }

    /// The mask without the sealed fields that a resource leaves empty.
    pub(crate) fn without_unset_private<C: Collection>(self, resource: &C::Item) -> Result<Self> {
        if !self.has_private::<C>() {
            return Ok(self);
        }
        self.without_unset_private_of::<C>(&resource.encode_to_vec())
    }

    /// The same for an encoded resource.
    pub(crate) fn without_unset_private_of<C: Collection>(mut self, encoded: &[u8]) -> Result<Self> {
        if !self.has_private::<C>() {
            return Ok(self);
        }
        let (hidden, set) = (resource::private::<C>(), message_fields::present_fields(encoded)?);
        self.fields
            .retain(|number| !hidden.contains(number) || set.contains(number));
        Ok(self)
    }

    /// What it names and may not be set, of what can be told without what is sealed.
    pub(crate) fn check_settable<C: Collection>(&self, stored: &C::Item, given: &C::Item) -> Result<Option<Violation>> {
        if !self.has_private::<C>() {
            return Ok(None);
        }
        Ok(C::check_settable(stored, &self.only::<C>(given)?))
    }

    /// The mask without a field.
    pub(crate) fn without<C: Collection>(mut self, field: &str) -> Self {
        let fields = &C::shape().kind.fields;
        self.fields
            .retain(|number| !fields.iter().any(|(known, name)| known == number && name == field));
        self
    }

    /// The mask with the output-only fields that follow from the references in it.
    #[must_use]
    pub fn with_derived<C: Collection>(mut self) -> Self {
        let number = |name: &str| C::shape().kind.fields.iter().find(|f| f.1 == name).map(|f| f.0);
        for (reference, field) in C::DERIVED {
            if number(reference).is_some_and(|n| self.fields.contains(&n)) {
                self.fields.extend(number(field));
            }
        }
        self
    }

    /// `new` with nothing but the fields of the mask and its head.
    pub fn only<C: Collection>(&self, new: &C::Item) -> Result<C::Item> {
        let kept = message_fields::retain(&new.encode_to_vec(), |number| {
            is_head(number) || self.fields.contains(&number)
        })?;
        resource::decode::<C>(&kept)
    }
}

/// A request with its id in small letters: one UUID in capitals and in small letters is one.
fn with_small_letters(mut request: Vec<u8>, id: &[u8]) -> Vec<u8> {
    if !id.iter().any(u8::is_ascii_uppercase) {
        return request;
    }
    let mut at = 0;
    while let Some(found) = request[at..].windows(id.len()).position(|part| part == id) {
        request[at + found..at + found + id.len()].make_ascii_lowercase();
        at += found + id.len();
    }
    request
}
