//! The turn of a row in its run: what earlier rows meant is looked at, and what it means is noted.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mingce_proto::registry::row_outcome::Holder;

use super::{DoubtfulRow, First, RunNotes};
use crate::error::{Class, Error, Result};
use crate::id::Id;
use crate::model::collection::Collection;
use crate::model::key::Key;
use crate::model::kind::Kind;
use crate::model::resource;
use crate::text;
use crate::write::canonical::without_sealed;
use crate::write::earlier::Decision;
use crate::write::matching::{Verdict, verdict};
use crate::write::prepared_insert::StoredKey;
use crate::write::result::{WriteOutcome, WriteResult};
use crate::write::unit_of_work::UnitOfWork;

/// How many records one run is remembered to have meant.
const MOST: usize = 1_000_000;
/// How many bytes of memory are taken by the rows of a run that are known by a name alone, or that were refused because records
/// disagree. Rows behind these are not remembered.
const MOST_DOUBTS: usize = 32 << 20;

/// The turn of a row in its run.
#[derive(Debug, Default, Clone)]
pub struct RowTurn {
    row: i64,
    place: usize,
    seen: Arc<Mutex<RunNotes>>,
    /// What the row makes has this id, also where it is planned once more.
    id: Arc<OnceLock<Id>>,
    /// It is taken after rows that stand behind it.
    is_late: bool,
    /// What the last import of the same file decided of it.
    earlier: Option<Decision>,
    /// Rows before it meant records that were there.
    is_likely_known: bool,
}

impl RowTurn {
    /// The next turn in a run, of the row with this number.
    pub fn next(seen: &Arc<Mutex<RunNotes>>, row: i64) -> Self {
        let mut run = seen.lock().unwrap_or_else(PoisonError::into_inner);
        run.places += 1;
        Self {
            row,
            place: run.places,
            seen: Arc::clone(seen),
            id: Arc::default(),
            is_late: false,
            earlier: None,
            is_likely_known: run.finds_records,
        }
    }

    /// The same turn, of a row of which the last import of the same file decided this.
    #[must_use]
    pub fn decided(self, earlier: Option<Decision>) -> Self {
        Self { earlier, ..self }
    }

    /// Whether it is likely to mean a record that is there, as rows before it.
    pub(crate) fn is_likely_known(&self) -> bool {
        self.is_likely_known
    }

    /// The id of the record that the row meant, and whether the record is as the row says.
    pub(crate) fn meant(&self) -> Option<(&str, bool)> {
        match &self.earlier {
            Some(Decision::Means(id)) => Some((id, false)),
            Some(Decision::Stands(id)) => Some((id, true)),
            _ => None,
        }
    }

    /// Why the row was refused when the same file was loaded before.
    pub fn refused_before(&self) -> Option<&str> {
        match &self.earlier {
            Some(Decision::Refused(reason)) => Some(reason),
            _ => None,
        }
    }

    /// Refuses a change by a row that was refused before.
    pub(crate) fn expect_not_refused(&self, answer: &WriteResult) -> Result<()> {
        let reason = match &self.earlier {
            Some(Decision::Refused(reason)) if answer.outcome != WriteOutcome::Unchanged => reason,
            _ => return Ok(()),
        };
        let said = format!(
            "the row was refused when this file was loaded before ({reason}), and nothing else has changed the register since: mend the \
             row (上次导入同一文件时该行被拒，此后登记册未变，请修改该行)"
        );
        Err(Error::new(Class::Invalid, "ROW_REFUSED_BEFORE", said))
    }

    /// The same turn, at the end of the run: what all other rows mean has to stay.
    #[must_use]
    pub fn late(self) -> Self {
        Self { is_late: true, ..self }
    }

    /// Whether the row at this place is taken before it.
    fn is_behind(&self, place: usize) -> bool {
        place < self.place || (self.is_late && place != self.place)
    }

    /// The id of what the row makes.
    pub(crate) fn id(&self, now: i64) -> Id {
        *self.id.get_or_init(|| Id::new(now))
    }

    /// Notes what the row means, or refuses that it changes what an earlier one meant. May be asked again for the same row.
    /// `called` is what the record is called so far.
    pub(crate) fn keep(
        &self,
        work: &UnitOfWork,
        mut answer: WriteResult,
        said: &[u8],
        called: &str,
    ) -> Result<WriteResult> {
        let mut run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let said = run.said(said);
        let key = run.record(&answer.name);
        match run.records.get(&key) {
            Some(first) if self.is_behind(first.place) => {
                if first.said == said {
                    if work.is_dry_run() && answer.outcome == WriteOutcome::Updated {
                        answer.outcome = WriteOutcome::Unchanged;
                    }
                } else if answer.outcome == WriteOutcome::Updated {
                    return Err(twice(first.row, answer.name, called));
                }
            }
            None if run.records.len() >= MOST => {}
            _ => {
                let first = First {
                    place: self.place,
                    row: self.row,
                    said,
                };
                run.records.insert(key, first);
                if run.is_kept {
                    run.fresh.insert(key, first);
                }
                if work.is_dry_run() {
                    run.dry.insert(self.row, said);
                }
            }
        }
        Ok(answer)
    }

    /// For a row of a dry run that would make a record: whether an earlier one would have made it already, by its keys, and said the
    /// same. What one stream would make, the next one finds so.
    ///
    /// # Errors
    /// Where it said something else, or only took a key that nobody else can have.
    pub(crate) fn is_made(&self, kind: &Kind, keys: &[StoredKey], said: &[u8]) -> Result<bool> {
        let mut run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let said = run.said(said);
        let mut fresh = Vec::new();
        // Claims last: it may be the same record that has them.
        let (claims, own): (Vec<_>, Vec<_>) = keys.iter().partition(|stored| stored.key.non_identifying);
        for StoredKey { stored, key } in own.into_iter().chain(claims) {
            // No resource name has this in it.
            let at = run.record(&format!("{}\n{stored}", kind.table));
            match run.records.get(&at).filter(|first| self.is_behind(first.place)) {
                Some(first) if key.non_identifying => return Err(held_by_row(kind, key, first.row)),
                Some(first) if first.said != said => return Err(twice(first.row, String::new(), "")),
                Some(_) => return Ok(true),
                None => fresh.push(at),
            }
        }
        let first = First {
            place: self.place,
            row: self.row,
            said,
        };
        if run.records.len() + fresh.len() <= MOST {
            run.records.extend(fresh.into_iter().map(|at| (at, first)));
        }
        Ok(false)
    }

    /// Says that an earlier row meant this record and said something else, where one did.
    pub(crate) fn expect_once(&self, name: &str, said: &[u8], called: &str) -> Result<()> {
        let run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match run.records.get(&run.record(name)) {
            Some(first) if self.is_behind(first.place) && first.said != run.said(said) => {
                Err(twice(first.row, name.to_owned(), called))
            }
            _ => Ok(()),
        }
    }

    /// Notes a row that is known by its folded name alone, and the record that it means; none where the row was refused.
    pub(crate) fn known_by_name<C: Collection>(&self, said: &[u8], title: &str, record: &str) -> Result<()> {
        let record = (!record.is_empty()).then_some(record);
        self.note(without_sealed::<C>(said)?, Some(title), &[], (Verdict::Means, record));
        Ok(())
    }

    /// Notes a row that was refused because it means `records` and disagrees, where that follows from what is not sealed.
    pub(crate) fn doubt<C: Collection>(
        &self,
        work: &mut UnitOfWork,
        said: &[u8],
        title: Option<&str>,
        records: &[String],
        because: Verdict,
    ) -> Result<()> {
        let said = without_sealed::<C>(said)?;
        let (now, _) = verdict::<C>(work, &resource::decode::<C>(&said)?)?;
        if now == because {
            self.note(said, title, records, (because, None));
        }
        Ok(())
    }

    fn note(&self, said: Vec<u8>, title: Option<&str>, records: &[String], (verdict, record): (Verdict, Option<&str>)) {
        let mut run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let run = &mut *run;
        if run.doubt_bytes > MOST_DOUBTS {
            return;
        }
        let mut keys: Vec<u128> = records.iter().map(|name| run.record(name)).collect();
        keys.extend(title.map(|title| run.record(title)));
        run.doubt_bytes += size_of::<DoubtfulRow>() + said.len() + 48 * keys.len();
        let doubt = Arc::new(DoubtfulRow {
            place: self.place,
            row: self.row,
            verdict,
            record: record.map(|name| run.record(name)),
            said: said.into(),
        });
        if run.is_kept {
            let at = (self.place, keys.clone());
            run.fresh_doubts.insert(at, Arc::clone(&doubt));
        }
        for key in keys {
            let of_key = run.doubts.entry(key).or_default();
            // An edit may be done again.
            of_key.retain(|other| other.place != self.place);
            of_key.push(Arc::clone(&doubt));
        }
    }

    /// Refuses a change after which an earlier row of the run would mean something else than it did: the same file would then change
    /// something each time. `said` is what the row said.
    pub(crate) fn expect_steady<C: Collection>(
        &self,
        work: &mut UnitOfWork,
        answer: &WriteResult,
        said: &[u8],
    ) -> Result<()> {
        let (doubts, changed, item) = {
            let run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if run.doubts.is_empty() {
                return Ok(());
            }
            let item = resource::decode::<C>(&answer.body)?;
            let changed = run.record(&answer.name);
            let names = C::searched(&item).into_iter().map(|name| run.record(&text::fold(name)));
            let keys = keys_of::<C>(&item)?;
            let keys = keys.iter().map(|key| run.record(key));
            let mut doubts: Vec<Arc<DoubtfulRow>> = Vec::new();
            for key in names.chain(keys).chain([changed]) {
                let of_key = run.doubts.get(&key).into_iter().flatten();
                doubts.extend(
                    of_key
                        .filter(|d| self.is_behind(d.place) && d.record != Some(changed))
                        .cloned(),
                );
            }
            (doubts, changed, item)
        };
        for doubt in doubts {
            let row = resource::decode::<C>(&doubt.said)?;
            let (now, name) = verdict::<C>(work, &row)?;
            let means_this = || {
                let run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                run.record(&name) == changed
            };
            let is_other = match (doubt.verdict, now) {
                (Verdict::Means | Verdict::Nothing, Verdict::Means) => means_this(),
                (Verdict::Means, Verdict::Several) | (Verdict::Several | Verdict::Contradicts, Verdict::Means) => true,
                (Verdict::Several, Verdict::Nothing) => true,
                _ => false,
            };
            if is_other {
                // The row is refused each time: what it means must stay too. A record that it would have changed is its own.
                let seen = if answer.outcome == WriteOutcome::Created {
                    Verdict::Nothing
                } else {
                    Verdict::Means
                };
                let keys = keys_of::<C>(&resource::decode::<C>(said)?)?;
                self.note(
                    without_sealed::<C>(said)?,
                    Some(&text::fold(C::title(&item))),
                    &keys,
                    (seen, Some(&answer.name)),
                );
                let row = doubt.row;
                let said = format!(
                    "with this row, row {row} would mean another record when the file is loaded again: give both rows identifiers by which \
                     they are told apart, or leave one of them out (与第{row}行互相影响，请为两行都补填标识)"
                );
                return Err(Error::new(Class::Invalid, "ROW_UNSTEADY", said));
            }
        }
        Ok(())
    }
}

/// Two rows of a run that differ mean one record, `name`.
fn twice(row: i64, name: String, called: &str) -> Error {
    let said = format!(
        "row {row} means the same record and says something else: leave one of them out (与第{row}行为同一条记录)"
    );
    let holder = Holder {
        name,
        display_name: called.to_owned(),
    };
    Error::new(Class::Invalid, "ROW_TWICE", said).held_by(vec![holder])
}

/// A record that an earlier row of a dry run would make has the key that this one would take.
fn held_by_row(kind: &Kind, key: &Key, row: i64) -> Error {
    let field = &key.field;
    let said = format!("what row {row} makes has it already: correct one of the two");
    Error::new(Class::AlreadyExists, "IDENTIFIER_TAKEN", format!("{field}: {said}"))
        .at(format!("{}.{field}", kind.singular), said)
}

/// The keys of a record that are not sealed, and are no claims.
fn keys_of<C: Collection>(item: &C::Item) -> Result<Vec<String>> {
    let keys = C::keys(item)
        .into_iter()
        .filter(|key| !key.private && !key.non_identifying);
    keys.map(|key| key.stored(None)).collect()
}
