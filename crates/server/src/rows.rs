//! Resources on their way in: one from a create or update, or many from an import stream. All are prepared alike:
//! checked by the rules of the contract, their references resolved, and only then given to the store.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mingce_lifecycle::correct::{self, Correction};
use mingce_lifecycle::{Case, Cases, Invocation, Step};
use mingce_orm::model::texts::cleaned;
use mingce_orm::model::validate::check;
use mingce_orm::write::earlier::{DecidedRow, Earlier};
use mingce_orm::write::imports::{Ended, id_of};
use mingce_orm::write::run_notes::{RowTurn, RunNotes};
use mingce_orm::write::store::{inbound, named, writable};
use mingce_orm::{AuditInfo, Call, Class, Collection, Edit, Error, Mask, RequestContext, Store, UnitOfWork, Violation};
use mingce_proto::codec::Reply;
use mingce_proto::registry::row_outcome::{Holder, Problem};
use mingce_proto::registry::{AssumedRecord, CreatedReference, Import, ImportSettings, RowOutcome};
use mingce_proto::{Validate, budget};
use prost::Message;
use tonic::{Status, Streaming};

use crate::again::Again;
use crate::kept::Keeper;
use crate::lookup::LookupMode;
use crate::piece::take;
use crate::references::RowNotes;
use crate::{runs, status};

/// How many rows are prepared and written together.
pub(crate) const PIECE: usize = 1000;
/// The same in bytes of memory, decoded.
const PIECE_MEMORY: usize = 16 << 20;
/// How many rows of a dry run are tried before what is not needed of them is let go.
const DRY_PIECE: usize = 250;
/// How many rows one stream may have.
const ROWS: usize = 100_000;
/// How many bytes of resources one stream may have.
const STREAM_BYTES: usize = 64 << 20;
/// How many bytes of memory a dry run may take for what it would have done.
const REHEARSED: usize = 24 << 20;
/// How many bytes of memory may be taken by what the rows of a stream became. Encoded it is less than the 4 MiB that clients take.
const OUTCOMES: usize = 6 << 20;
/// How many records one stream may have assumed.
const ASSUMED: usize = 20_000;
/// A resource on its way in.
#[derive(Debug)]
pub struct Row<C: Collection> {
    /// The row's number in its source.
    pub number: i64,
    /// What it says.
    pub resource: C::Item,
    /// What is wrong with it, and what else is known of it.
    pub notes: RowNotes,
    /// Its turn in the run, where it had it before.
    pub(crate) turn: Option<RowTurn>,
}

impl<C: Collection> Row<C> {
    /// A row of which nothing is known yet.
    pub fn new(number: i64, resource: C::Item) -> Self {
        Self {
            number,
            resource,
            notes: RowNotes::default(),
            turn: None,
        }
    }

    /// Notes what is wrong with it.
    pub fn refuse(&mut self, problems: impl IntoIterator<Item = Violation>) {
        self.notes.problems.extend(problems);
    }
}

/// What becomes of organizations that are named and not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// They are refused.
    #[default]
    Refused,
    /// What would be made stands for them.
    Proposed,
    /// They are made.
    Made,
}

/// What holds for all rows of a stream.
#[derive(Debug, Default)]
pub struct Session {
    /// The stream's settings.
    pub settings: ImportSettings,
    /// What becomes of what is named and not found.
    pub missing: Missing,
    /// In a dry run: the register with all that the run would have changed so far.
    pub rehearsal: Option<UnitOfWork>,
    /// Whether nothing is written.
    trying: bool,
    created: BTreeMap<(String, String), CreatedReference>,
    /// The import that it belongs to; none in a dry run.
    pub import: Import,
    /// What its rows meant so far.
    pub(crate) seen: Arc<Mutex<RunNotes>>,
    /// What was decided of them since this was taken last.
    pub(crate) decided: Vec<DecidedRow>,
    /// What the last import of the same file decided.
    pub(crate) earlier: Option<Earlier>,
    /// How many bytes of memory those take, about.
    created_bytes: usize,
}

impl Session {
    /// For a single create or update: nothing is made by the way.
    pub fn strict(call: &Call) -> Self {
        Self {
            trying: call.is_dry(),
            ..Self::default()
        }
    }

    /// What the ledger says of what its rows change.
    pub(crate) fn stamp(&self) -> AuditInfo {
        AuditInfo {
            verb: "import",
            reason: self.settings.source.clone(),
            import: id_of(&self.import.name).to_owned(),
            ..AuditInfo::default()
        }
    }

    /// Notes what was decided of a row, encoded as it was given: it is refused for a reason, or means a record.
    pub(crate) fn decide<C: Collection>(
        &mut self,
        row: (i64, &[u8]),
        decision: Result<&str, &str>,
    ) -> Result<(), Error> {
        if self.is_dry() {
            return Ok(());
        }
        let decided = match decision {
            Ok(record) => DecidedRow::means::<C>(&self.import, &self.settings, row, record)?,
            Err(reason) => DecidedRow::refused::<C>(&self.import, &self.settings, row, reason)?,
        };
        self.decided.extend(decided);
        Ok(())
    }

    /// The next turn, of a row of this number that says this.
    pub(crate) fn turn<C: Collection>(&self, row: i64, encoded: &[u8]) -> Result<RowTurn, Error> {
        let earlier = self.earlier.as_ref();
        let decision = earlier.map(|earlier| earlier.decision::<C>(&self.settings, row, encoded));
        Ok(RowTurn::next(&self.seen, row).decided(decision.transpose()?.flatten()))
    }

    /// Whether the rows are those of an import, which are matched to records by more than their resource names.
    pub fn is_import(&self) -> bool {
        self.missing != Missing::Refused
    }

    /// Whether nothing is written.
    pub fn is_dry(&self) -> bool {
        self.trying
    }

    /// How its references are looked up.
    pub fn looking(&self) -> LookupMode {
        LookupMode {
            importing: self.is_import(),
            trying: self.trying,
        }
    }

    /// Notes a record that was made, or would be, because a row named it. Whether it is the first time.
    pub(crate) fn note_created(&mut self, mut made: CreatedReference) -> bool {
        if self.is_dry() {
            made.name.clear();
        }
        let at = (made.collection.clone(), made.key.clone());
        let bytes = 2 * size_of::<CreatedReference>() + 2 * made.key.len() + made.display_name.len() + made.name.len();
        let is_new = !self.created.contains_key(&at);
        if is_new {
            self.created_bytes += bytes;
            self.created.insert(at, made);
        }
        is_new
    }
}

/// Resolves the references of resources, and adds what is wrong to their rows.
pub trait Prepare<C: Collection>: Send + Sync {
    /// The store that the resource is kept in.
    fn store(&self) -> &Store;

    /// Resolves the references of all rows at once.
    fn prepare(
        &self,
        cx: &RequestContext,
        session: &mut Session,
        rows: &mut [Row<C>],
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// For a dry run: the edit that stands for a record that an earlier part of the run would have created.
    fn assume(&self, _cx: &RequestContext, _record: &AssumedRecord) -> Option<Edit> {
        None
    }
}

/// Creates a resource, or records it as it was decided (`verb` says which), its references resolved.
///
/// # Errors
/// With every wrong field.
pub async fn create<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: Call,
    verb: &'static str,
    resource: Option<C::Item>,
) -> Result<Reply<C::Item>, Error> {
    create_as::<C>(service, cx, call, verb, resource, |_| {}).await
}

/// The same, with what the service sets by itself, such as the first state of a life cycle.
///
/// # Errors
/// With every wrong field.
pub async fn create_as<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: Call,
    verb: &'static str,
    resource: Option<C::Item>,
    begin: impl FnOnce(&mut C::Item),
) -> Result<Reply<C::Item>, Error> {
    let new = writable::<C>(resource.unwrap_or_default())?;
    let mut resource = match prepared::<C>(service, cx, &call, new).await {
        Ok(resource) => resource,
        // What it names may have changed since a first try was done.
        Err(error) => return service.store().answered::<C>(cx, &call).await?.ok_or(error),
    };
    begin(&mut resource);
    service.store().create::<C>(cx, call, verb, resource).await
}

/// Updates the fields of a resource that a mask names, their references resolved.
///
/// # Errors
/// With every wrong field.
pub async fn update<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: Call,
    resource: Option<C::Item>,
    paths: Option<prost_types::FieldMask>,
) -> Result<Reply<C::Item>, Error> {
    let resource = resource.unwrap_or_default();
    let mask = Mask::parse::<C>(&paths.unwrap_or_default().paths, &resource)?;
    let given = checked::<C>(&mask, &resource)?;
    let resource = match prepared::<C>(service, cx, &call, given).await {
        Ok(resource) => resource,
        Err(error) => return service.store().answered::<C>(cx, &call).await?.ok_or(error),
    };
    service.store().update::<C>(cx, call, resource, mask).await
}

/// The fields of a resource that a mask names, each right by itself.
fn checked<C: Collection>(mask: &Mask, resource: &C::Item) -> Result<C::Item, Error> {
    let given = mask.only::<C>(resource)?;
    let mut problems = inner_problems(&given);
    let given = cleaned(C::MESSAGE, given, |_| false).unwrap_or_else(|texts| {
        problems.extend(texts);
        C::Item::default()
    });
    if problems.is_empty() {
        return Ok(given);
    }
    Err(Error::invalid_all(problems.into_iter().map(below::<C>).collect()))
}

/// What a correction says is right, and where.
#[derive(Debug)]
pub struct Right<C: Collection> {
    /// The resource.
    pub resource: Option<C::Item>,
    /// The fields that are corrected.
    pub paths: Option<prost_types::FieldMask>,
}

/// Corrects what the decision on a case says, its references resolved.
///
/// # Errors
/// With every wrong field, and with what stands in the way.
pub async fn correct<C: Case>(
    service: &impl Prepare<C>,
    cases: Cases<'_>,
    cx: &RequestContext,
    (call, step): (Call, Step),
    right: Right<C>,
) -> Result<Reply<C::Item>, Error> {
    let mask = Mask::among::<C>(&right.paths.unwrap_or_default().paths, C::DECIDED)?.with_derived::<C>();
    let resource = named::<C>(&right.resource.unwrap_or_default(), &step.name)?;
    let given = match prepared::<C>(service, cx, &call, checked::<C>(&mask, &resource)?).await {
        Ok(given) => given,
        Err(error) => return service.store().answered::<C>(cx, &call).await?.ok_or(error),
    };
    let correction = Correction { mask, given };
    let wanted = correct::correct::<C>(step, correction);
    cases.execute(cx, Invocation { call, wanted }).await
}

async fn prepared<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    call: &Call,
    resource: C::Item,
) -> Result<C::Item, Error> {
    let mut rows = [Row::<C>::new(1, resource)];
    service.prepare(cx, &mut Session::strict(call), &mut rows).await?;
    let [row] = rows;
    let problems = row.notes.problems;
    if problems.is_empty() {
        return Ok(row.resource);
    }
    Err(Error::invalid_all(problems.into_iter().map(below::<C>).collect()))
}

fn below<C: Collection>(mut problem: Violation) -> Violation {
    problem.field = format!("{}.{}", C::SINGULAR, problem.field);
    problem
}

/// What is wrong inside the fields of a resource of which only some fields are given: a field that is missing here may
/// well be there in what is stored, which is checked when both are put together.
fn inner_problems(resource: &impl Validate) -> Vec<Violation> {
    let mut problems = check(resource, "");
    problems.retain(|problem| problem.field.contains(['.', '[']));
    problems
}

/// Refuses a resource that breaks rules of the contract inside its fields, for calls that look at something else before the rest.
///
/// # Errors
/// With every wrong field.
pub fn expect_sound<C: Collection>(resource: &C::Item) -> Result<(), Error> {
    let problems: Vec<_> = inner_problems(resource).into_iter().map(below::<C>).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid_all(problems))
    }
}

/// What an import answers: an outcome for each row, and what was made by the way.
pub type Imported = (Vec<RowOutcome>, Vec<CreatedReference>);

/// A message of an import taken apart: settings, row number, resource.
pub type Opened<R> = (Option<ImportSettings>, i64, Option<R>);

/// Takes a stream of rows. `open` takes a message apart: settings, row number, resource.
///
/// # Errors
/// Where the settings are wrong, the stream breaks, or a service that owns a named record cannot be asked.
#[allow(clippy::result_large_err)]
pub async fn import<C, M>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    stream: Streaming<M>,
    open: fn(M) -> Opened<C::Item>,
) -> Result<Imported, Status>
where
    C: Collection,
{
    let mut session = Session {
        missing: Missing::Proposed,
        ..Session::default()
    };
    let mut keeper = Keeper::new(service.store(), cx, C::COLLECTION);
    let taken = take_all(service, cx, &mut session, &mut keeper, stream, open).await;
    match taken {
        Ok(outcomes) => {
            keeper.end(Ended::Done).await;
            Ok((outcomes, session.created.into_values().collect()))
        }
        Err(broken) => {
            keeper.end(broken.ended()).await;
            Err(broken.status())
        }
    }
}

/// Why a stream did not come to its end.
enum StreamError {
    /// It broke off.
    Off(Status),
    /// What was sent, or the register, is at fault.
    At(Error),
}

impl From<Error> for StreamError {
    fn from(error: Error) -> Self {
        Self::At(error)
    }
}

impl StreamError {
    fn ended(&self) -> Ended {
        match self {
            Self::Off(_) => Ended::Interrupted,
            Self::At(error) => Ended::Failed(error.reason()),
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Off(status) => status,
            Self::At(error) => status::from_error(error),
        }
    }
}

#[allow(clippy::result_large_err)]
async fn take_all<C: Collection, M>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    session: &mut Session,
    keeper: &mut Keeper,
    mut stream: Streaming<M>,
    open: fn(M) -> Opened<C::Item>,
) -> Result<Vec<RowOutcome>, StreamError> {
    let (mut outcomes, mut waiting, mut first) = (Vec::new(), Vec::new(), true);
    let (mut length, mut again, mut breath) = (Length::default(), Again::<C>::default(), Yielding::default());
    while let Some(message) = keeper.waiting_for(stream.message()).await?.map_err(StreamError::Off)? {
        let (settings, number, resource) = open(message);
        if let Some(settings) = settings.or_else(|| first.then(ImportSettings::default)) {
            begin(service, cx, session, settings, first).await?;
            if first && !session.is_dry() {
                session.import = keeper.begin(&session.settings).await?;
                if !session.settings.run.is_empty() {
                    let (id, part) = (id_of(&session.import.name).to_owned(), session.settings.part);
                    let is_new = session.import.revision == 1;
                    session.seen = runs::of_import(service.store(), (id, C::COLLECTION, part), is_new).await?;
                    keeper.remember(&session.seen);
                }
            }
        }
        first = false;
        if number < i64::from(resource.is_some()) {
            return Err(Error::invalid("row", "INT64_GTE", "the row's number is 1 or more").into());
        }
        if let Some(resource) = resource {
            length.row(resource.encoded_len())?;
            let problems = inner_problems(&resource);
            let resource = inbound::<C>(resource)?;
            let mut row = Row::new(number, resource);
            row.refuse(problems);
            waiting.push(row);
            breath.take().await;
        }
        let most = if session.is_dry() { DRY_PIECE } else { PIECE };
        if waiting.len() >= most || budget::taken() > PIECE_MEMORY {
            let (piece, rows) = take(service, cx, session, std::mem::take(&mut waiting)).await?;
            keeper.count(&piece);
            keeper.decided(&mut session.decided);
            again.add(outcomes.len(), rows);
            outcomes.extend(length.outcomes(piece, session)?);
            keeper.note_now_and_then().await?;
            budget::release();
        }
    }
    let (piece, rows) = take(service, cx, session, waiting).await?;
    keeper.count(&piece);
    keeper.decided(&mut session.decided);
    again.add(outcomes.len(), rows);
    outcomes.extend(length.outcomes(piece, session)?);
    again.take_all(service, cx, session, keeper, &mut outcomes).await?;
    Ok(outcomes)
}

/// How long a stream is so far.
#[derive(Debug, Default)]
struct Length {
    rows: usize,
    bytes: usize,
    outcomes: usize,
}

impl Length {
    /// Counts a row.
    fn row(&mut self, bytes: usize) -> Result<(), Error> {
        self.rows += 1;
        self.bytes += bytes;
        if self.rows > ROWS {
            return Err(too_long(&format!("{ROWS} rows")));
        }
        if self.bytes > STREAM_BYTES {
            return Err(too_long(&format!("{} MiB of rows", STREAM_BYTES >> 20)));
        }
        Ok(())
    }

    /// Counts what became of a piece, and what a dry run has to remember of it.
    fn outcomes(&mut self, piece: Vec<RowOutcome>, session: &mut Session) -> Result<Vec<RowOutcome>, Error> {
        // A name that people read may be all that there is of an outcome, so it counts as much as what is around it.
        let holder = |h: &Holder| size_of::<Holder>() + h.name.len() + 2 * h.display_name.len();
        let problem = |p: &Problem| {
            let holders = p.holders.iter().map(holder).sum::<usize>();
            size_of::<Problem>() + p.field.len() + p.reason.len() + p.description.len() + holders
        };
        let one = |o: &RowOutcome| {
            let kept = o.kept_fields.iter().map(|field| size_of::<String>() + field.len());
            let names = o.name.len() + 2 * o.display_name.len() + kept.sum::<usize>();
            size_of::<RowOutcome>() + names + o.problems.iter().map(problem).sum::<usize>()
        };
        self.outcomes += piece.iter().map(one).sum::<usize>();
        if self.outcomes + session.created_bytes > OUTCOMES {
            let most = format!(
                "rows whose outcomes, problems and new references take {} MiB",
                OUTCOMES >> 20
            );
            return Err(too_long(&most));
        }
        let rehearsed = session.rehearsal.as_mut().map_or(0, UnitOfWork::lighten);
        if rehearsed > REHEARSED {
            let most = format!("rows whose dry run takes {} MiB to remember", REHEARSED >> 20);
            return Err(too_long(&most));
        }
        Ok(piece)
    }
}

/// A stream goes beyond what one may have.
fn too_long(most: &str) -> Error {
    let said = format!("one stream takes at most {most}: send the rows in several streams, each of fewer");
    Error::new(Class::Exhausted, "STREAM_TOO_LONG", said)
}

/// For so long the rows of an import are worked on before others may run: an import has time, and a get has not.
const SLICE: Duration = Duration::from_micros(500);

/// Lets others run now and then. Not with each few rows: whoever goes on may do so in another thread, and has nothing at hand there.
pub(crate) struct Yielding(Instant);

impl Default for Yielding {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Yielding {
    pub(crate) async fn take(&mut self) {
        if self.0.elapsed() >= SLICE {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}

async fn begin<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    session: &mut Session,
    settings: ImportSettings,
    first: bool,
) -> Result<(), Error> {
    let mut broken = check(&settings, "settings");
    // The source is told to the services that own what rows name, which would refuse it.
    let texts = cleaned("mingce.registry.v1.ImportSettings", settings.clone(), |_| false).err();
    broken.extend(texts.into_iter().flatten().map(|problem| Violation {
        field: format!("settings.{}", problem.field),
        ..problem
    }));
    if !broken.is_empty() {
        return Err(Error::invalid_all(broken));
    }
    if first {
        let mask = settings.update_mask.clone().unwrap_or_default();
        Mask::parse::<C>(&mask.paths, &C::Item::default())?;
        session.trying = settings.validate_only;
        session.rehearsal = settings.validate_only.then(|| service.store().dry_run());
        if settings.validate_only {
            session.seen = runs::of_dry((settings.run.clone(), C::COLLECTION, settings.part));
        }
        session.earlier = service.store().earlier::<C>(cx, &settings).await?;
        session.settings = ImportSettings {
            assumed: Vec::new(),
            ..settings.clone()
        };
    } else if (ImportSettings {
        assumed: settings.assumed.clone(),
        ..ImportSettings::default()
    }) != settings
    {
        let said = "only the first message sets anything but `assumed`";
        return Err(Error::invalid("settings", "SETTINGS_LATE", said));
    }
    if let Some(work) = &mut session.rehearsal {
        for record in &settings.assumed {
            if let Some(edit) = service.assume(cx, record) {
                let made = stand_in(service.store(), work, &edit).await?;
                if let Some(name) = made.filter(|_| record.row > 0 && record.collection == C::COLLECTION) {
                    let mut seen = session.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.stands_for(&name, record.row);
                }
            }
        }
        session.settings.assumed.extend(settings.assumed);
        if work.lighten() > REHEARSED || session.settings.assumed.len() > ASSUMED {
            let said = format!("at most {ASSUMED} records in one stream: only those that its rows name");
            return Err(Error::invalid("settings.assumed", "ASSUMED_TOO_MANY", said));
        }
    }
    budget::release();
    Ok(())
}

/// Adds what a list lacks: for a stand-in of a record that exists.
pub fn add_missing<T: PartialEq + Clone>(list: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

/// Puts a stand-in into a rehearsal and answers its name. A record that is there already needs none.
///
/// # Errors
/// Where the database cannot be read.
pub async fn stand_in(store: &Store, work: &mut UnitOfWork, edit: &Edit) -> Result<Option<String>, Error> {
    use mingce_orm::Class::{AlreadyExists, Invalid};
    match store.try_edit(work, edit).await {
        Ok(answer) => Ok(Some(answer.name)),
        Err(error) if matches!(error.class(), AlreadyExists | Invalid) => Ok(None),
        Err(error) => Err(error),
    }
}
