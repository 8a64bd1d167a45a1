//! Rows on their way in, and what holds for all of one stream.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use mingce_orm::write::earlier::{DecidedRow, Earlier};
use mingce_orm::write::imports::id_of;
use mingce_orm::write::run_notes::{RowTurn, RunNotes};
use mingce_orm::{AuditInfo, Call, Collection, Edit, Error, RequestContext, Store, UnitOfWork, Violation};
use mingce_proto::registry::row_outcome::Holder;
use mingce_proto::registry::{AssumedRecord, CreatedReference, Import, ImportSettings};

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

/// What is noted of a row while its references are resolved.
#[derive(Debug, Clone, Default)]
pub struct RowNotes {
    /// What is wrong with it.
    pub problems: Vec<Violation>,
    /// The records that problems are about, by the field.
    pub holders: Vec<(String, Vec<Holder>)>,
    /// What is made because the row names it, or would be.
    pub created: Vec<CreatedReference>,
}

/// How references are looked up.
#[derive(Debug, Clone, Copy, Default)]
pub struct LookupMode {
    /// For an import: a resource name that is not in this register is of another one, and what else the reference says counts.
    pub importing: bool,
    /// Nothing will be written: what is sealed is not looked at.
    pub trying: bool,
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
    pub(crate) trying: bool,
    pub(crate) created: BTreeMap<(String, String), CreatedReference>,
    /// The import that it belongs to; none in a dry run.
    pub import: Import,
    /// What its rows meant so far.
    pub(crate) seen: Arc<Mutex<RunNotes>>,
    /// What was decided of them since this was taken last.
    pub(crate) decided: Vec<DecidedRow>,
    /// What the last import of the same file decided.
    pub(crate) earlier: Option<Earlier>,
    /// How many bytes of memory those take, about.
    pub(crate) created_bytes: usize,
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

    /// Whether what is decided of rows is kept, for when the same file is loaded again: its file has to be known.
    pub(crate) fn keeps_decisions(&self) -> bool {
        !self.is_dry() && !self.settings.source_sha256.is_empty()
    }

    /// Notes what was decided of a row, encoded as it was given: it is refused for a reason, or means a record.
    pub(crate) fn decide<C: Collection>(
        &mut self,
        row: (i64, &[u8]),
        decision: Result<&str, &str>,
    ) -> Result<(), Error> {
        if !self.keeps_decisions() {
            return Ok(());
        }
        let decided = match decision {
            Ok(record) => Some(DecidedRow::means::<C>(&self.import, &self.settings, row, record)?),
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
