//! A stream of rows: taken piece by piece, within bounds, with a record of the import.

use std::sync::PoisonError;

use mingce_orm::model::texts::cleaned;
use mingce_orm::model::validate::check;
use mingce_orm::write::canonical::inbound;
use mingce_orm::write::import_progress::Ended;
use mingce_orm::write::imports::id_of;
use mingce_orm::{Class, Collection, Error, Mask, RequestContext, UnitOfWork, Violation};
use mingce_proto::budget;
use mingce_proto::registry::row_outcome::{Holder, Problem};
use mingce_proto::registry::{CreatedReference, ImportSettings, RowOutcome};
use mingce_server::call::status;
use prost::Message;
use tonic::{Status, Streaming};

use crate::import_record::Keeper;
use crate::late_rows::LateRows;
use crate::piece::{PIECE, take};
use crate::runs;
use crate::session::{Missing, Prepare, Row, Session, stand_in};
use crate::single::inner_problems;
use crate::yielding::Yielding;

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
    let (mut length, mut again, mut breath) = (Length::default(), LateRows::<C>::default(), Yielding::default());
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
        Mask::parse::<C>(&mask.paths, &C::Item::default(), cx.visible)?;
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
