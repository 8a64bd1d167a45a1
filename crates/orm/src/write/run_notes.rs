//! What the rows of one run meant so far: a second row that means the same record and says something else is refused, since
//! the one would overwrite the other, and each run of the same file would do so again. A row that would make an earlier one of
//! the run mean another record the next time is refused too. docs/adr/0035-steady-runs.md

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mingce_proto::registry::row_outcome::Holder;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::error::{Class, Error, Result};
use crate::id::Id;
use crate::model::message_fields;
use crate::model::resource::{self, Collection, Key, Kind};
use crate::text;
use crate::write::earlier::Decision;
use crate::write::import::verdict;
use crate::write::prepared_insert::StoredKey;
use crate::write::result::{WriteOutcome, WriteResult};
use crate::write::unit_of_work::UnitOfWork;

/// How many records one run is remembered to have meant.
const MOST: usize = 1_000_000;
/// How many bytes of memory are taken by the rows of a run that are known by a name alone, or that were refused because records
/// disagree. Rows behind these are not remembered.
const MOST_DOUBTS: usize = 32 << 20;

/// What a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No record.
    Nothing,
    /// One.
    Means,
    /// One by an identifier, of which it says something else.
    Contradicts,
    /// Several.
    Several,
}

impl Verdict {
    /// From its number.
    fn of(number: u32) -> Self {
        [Self::Nothing, Self::Means, Self::Contradicts]
            .into_iter()
            .find(|verdict| *verdict as u32 == number)
            .unwrap_or(Self::Several)
    }
}

/// What is kept of a run, for its further calls.
#[derive(Clone, PartialEq, Message)]
struct Notes {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    records: Vec<NotedRecord>,
    #[prost(message, repeated, tag = "3")]
    doubts: Vec<NotedDoubt>,
}

#[derive(Clone, PartialEq, Message)]
struct NotedRecord {
    #[prost(fixed64, repeated, tag = "1")]
    key: Vec<u64>,
    #[prost(uint64, tag = "2")]
    place: u64,
    #[prost(int64, tag = "3")]
    row: i64,
    #[prost(fixed64, tag = "4")]
    said: u64,
}

#[derive(Clone, PartialEq, Message)]
struct NotedDoubt {
    #[prost(fixed64, repeated, tag = "1")]
    keys: Vec<u64>,
    #[prost(uint64, tag = "2")]
    place: u64,
    #[prost(int64, tag = "3")]
    row: i64,
    #[prost(uint32, tag = "4")]
    verdict: u32,
    #[prost(fixed64, repeated, tag = "5")]
    record: Vec<u64>,
    #[prost(bytes = "vec", tag = "6")]
    said: Vec<u8>,
}

/// A row whose meaning may change with what later rows make.
#[derive(Debug)]
struct DoubtfulRow {
    place: usize,
    row: i64,
    verdict: Verdict,
    /// The record that it means.
    record: Option<u128>,
    /// What it said, without what is sealed.
    said: Box<[u8]>,
}

/// A row that meant a record.
#[derive(Debug, Clone, Copy)]
struct First {
    /// Its place in the run.
    place: usize,
    /// Its number in the source.
    row: i64,
    said: u64,
}

/// The records that the rows of one run meant so far.
#[derive(Debug)]
pub struct RunNotes {
    records: HashMap<u128, First>,
    /// What each row of a dry run said, for when it is taken as done.
    dry: HashMap<i64, u64>,
    places: usize,
    /// Most rows of the last piece meant records that were there.
    finds_records: bool,
    /// Rows in doubt, by what a change has to touch to change what they mean: a name, or a record.
    doubts: HashMap<u128, Vec<Arc<DoubtfulRow>>>,
    doubt_bytes: usize,
    /// A key of its own, so that nobody can send rows that look alike to it.
    key: [u8; KEY],
    /// Whether it is kept in the database, and what is not there yet.
    is_kept: bool,
    fresh: HashMap<u128, First>,
    fresh_doubts: BTreeMap<(usize, Vec<u128>), Arc<DoubtfulRow>>,
}

const KEY: usize = 16;

impl Default for RunNotes {
    fn default() -> Self {
        Self::of_key(rand::random())
    }
}

impl RunNotes {
    fn of_key(key: [u8; KEY]) -> Self {
        Self {
            records: HashMap::new(),
            dry: HashMap::new(),
            places: 0,
            finds_records: false,
            doubts: HashMap::new(),
            doubt_bytes: 0,
            key,
            is_kept: false,
            fresh: HashMap::new(),
            fresh_doubts: BTreeMap::new(),
        }
    }

    /// The same, of a run that is kept in the database.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { is_kept: true, ..self }
    }

    /// What stands for a resource name.
    fn record(&self, name: &str) -> u128 {
        self.digest(name.as_bytes())
    }

    /// What stands for what a row said.
    fn said(&self, said: &[u8]) -> u64 {
        u64::try_from(self.digest(said) >> 64).unwrap_or_default()
    }

    fn digest(&self, bytes: &[u8]) -> u128 {
        let digest = Sha256::new().chain_update(self.key).chain_update(bytes).finalize();
        digest.iter().take(16).fold(0, |all, byte| all << 8 | u128::from(*byte))
    }

    /// Notes of how many rows of a piece how many made a record.
    pub fn made(&mut self, made: usize, of: usize) {
        self.finds_records = 2 * made < of;
    }

    /// How many bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        56 * (self.records.capacity() + self.fresh.capacity()) + 24 * self.dry.capacity() + self.doubt_bytes
    }

    /// What was seen since this was asked last, to be kept; `None` where that is nothing.
    pub(crate) fn take_fresh(&mut self) -> Option<UnsavedNotes> {
        let fresh = UnsavedNotes {
            key: self.key,
            records: std::mem::take(&mut self.fresh),
            doubts: std::mem::take(&mut self.fresh_doubts),
        };
        (!fresh.records.is_empty() || !fresh.doubts.is_empty()).then_some(fresh)
    }

    /// Takes back what could not be kept.
    pub(crate) fn put_back(&mut self, fresh: UnsavedNotes) {
        self.fresh.extend(fresh.records);
        self.fresh_doubts.extend(fresh.doubts);
    }

    /// What was seen, from what was kept of it.
    pub(crate) fn of_notes(all: &[Vec<u8>]) -> Result<Self> {
        let mut seen: Option<Self> = None;
        for notes in all {
            let notes = Notes::decode(notes.as_slice()).map_err(Error::internal)?;
            let key = <[u8; KEY]>::try_from(notes.key).map_err(|_| Error::internal("notes of a run without a key"))?;
            let seen = seen.get_or_insert_with(|| Self::of_key(key));
            // Two processes that took rows of one run at a time cannot compare what they saw.
            if seen.key == key {
                seen.recall(notes.records, notes.doubts);
            }
        }
        Ok(seen.unwrap_or_default())
    }

    fn recall(&mut self, records: Vec<NotedRecord>, doubts: Vec<NotedDoubt>) {
        let whole = |halves: &[u64]| halves.iter().fold(0, |all: u128, half| all << 64 | u128::from(*half));
        for noted in records {
            let place = usize::try_from(noted.place).unwrap_or(usize::MAX);
            self.places = self.places.max(place);
            let first = First {
                place,
                row: noted.row,
                said: noted.said,
            };
            self.records.insert(whole(&noted.key), first);
        }
        for noted in doubts {
            let place = usize::try_from(noted.place).unwrap_or(usize::MAX);
            self.places = self.places.max(place);
            let doubt = Arc::new(DoubtfulRow {
                place,
                row: noted.row,
                verdict: Verdict::of(noted.verdict),
                record: (!noted.record.is_empty()).then(|| whole(&noted.record)),
                said: noted.said.into(),
            });
            self.doubt_bytes += size_of::<DoubtfulRow>() + doubt.said.len() + 24 * noted.keys.len();
            for key in noted.keys.chunks(2) {
                self.doubts.entry(whole(key)).or_default().push(Arc::clone(&doubt));
            }
        }
    }

    /// Takes a record that stands in for one that an earlier row of a dry run would have made.
    pub fn stands_for(&mut self, name: &str, row: i64) {
        if let Some(said) = self.dry.get(&row) {
            let first = First {
                place: 0,
                row,
                said: *said,
            };
            self.records.insert(self.record(name), first);
        }
    }
}

/// What was seen and is not kept yet.
#[derive(Debug)]
pub(crate) struct UnsavedNotes {
    key: [u8; KEY],
    records: HashMap<u128, First>,
    doubts: BTreeMap<(usize, Vec<u128>), Arc<DoubtfulRow>>,
}

impl UnsavedNotes {
    /// As it is kept.
    pub(crate) fn notes(&self) -> Vec<u8> {
        let halves = |key: u128| [u64::try_from(key >> 64), u64::try_from(key & u128::from(u64::MAX))];
        let halves = |key: u128| halves(key).map(std::result::Result::unwrap_or_default);
        let records = self.records.iter().map(|(key, first)| NotedRecord {
            key: halves(*key).to_vec(),
            place: first.place as u64,
            row: first.row,
            said: first.said,
        });
        let doubts = self.doubts.iter().map(|((_, keys), doubt)| NotedDoubt {
            keys: keys.iter().copied().flat_map(halves).collect(),
            place: doubt.place as u64,
            row: doubt.row,
            verdict: doubt.verdict as u32,
            record: doubt.record.map(|key| halves(key).to_vec()).unwrap_or_default(),
            said: doubt.said.to_vec(),
        });
        let notes = Notes {
            key: self.key.to_vec(),
            records: records.collect(),
            doubts: doubts.collect(),
        };
        notes.encode_to_vec()
    }
}

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

/// What a row said, without what is sealed.
pub(crate) fn without_sealed<C: Collection>(said: &[u8]) -> Result<Vec<u8>> {
    let sealed = resource::private::<C>();
    message_fields::retain(said, |number| !sealed.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_from_its_notes() -> Result<()> {
        let mut seen = RunNotes::default();
        let record = seen.record("labs/1");
        let first = First {
            place: 3,
            row: 7,
            said: seen.said(b"what it said"),
        };
        seen.records.insert(record, first);
        seen.fresh.insert(record, first);
        let doubt = Arc::new(DoubtfulRow {
            place: 4,
            row: 8,
            verdict: Verdict::Contradicts,
            record: Some(record),
            said: Box::from(&b"another"[..]),
        });
        seen.fresh_doubts.insert((4, vec![record, 1]), doubt);
        let notes = seen.take_fresh().unwrap().notes();
        assert!(seen.take_fresh().is_none());
        let again = RunNotes::of_notes(&[notes])?;
        let known = again
            .records
            .get(&again.record("labs/1"))
            .map(|f| (f.place, f.row, f.said));
        assert_eq!(known, Some((3, 7, again.said(b"what it said"))));
        assert_eq!(again.places, 4);
        for key in [record, 1] {
            let doubt = &again.doubts[&key][0];
            assert_eq!(
                (doubt.place, doubt.row, doubt.verdict, doubt.record, &*doubt.said),
                (4, 8, Verdict::Contradicts, Some(record), &b"another"[..])
            );
        }
        Ok(())
    }
}
