//! What the rows of one run meant so far: a second row that means the same record and says something else is refused, since
//! the one would overwrite the other, and each run of the same file would do so again. A row that would make an earlier one of
//! the run mean another record the next time is refused too. docs/adr/0035-steady-runs.md

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mingce_proto::registry::row_outcome::Holder;

use crate::answer::{Answer, Outcome};
use crate::error::{Class, Error, Result};
use crate::id::Id;
use crate::import::verdict;
use crate::resource::{self, Collection};
use crate::work::Work;
use crate::{text, wire};

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

/// A row whose meaning may change with what later rows make.
#[derive(Debug)]
struct Doubt {
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
#[derive(Debug, Default)]
pub struct Seen {
    records: HashMap<u128, First>,
    /// What each row of a dry run said, for when it is taken as done.
    dry: HashMap<i64, u64>,
    places: usize,
    /// Rows in doubt, by what a change has to touch to change what they mean: a name, or a record.
    doubts: HashMap<u128, Vec<Arc<Doubt>>>,
    doubt_bytes: usize,
    /// Keys of its own, so that nobody can send rows that look alike to it.
    hashers: [RandomState; 2],
}

impl Seen {
    /// What stands for a resource name.
    fn record(&self, name: &str) -> u128 {
        let [one, other] = &self.hashers;
        u128::from(one.hash_one(name)) << 64 | u128::from(other.hash_one(name))
    }

    /// How many bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        56 * self.records.capacity() + 24 * self.dry.capacity() + self.doubt_bytes
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

/// The turn of a row in its run.
#[derive(Debug, Default, Clone)]
pub struct Turn {
    row: i64,
    place: usize,
    seen: Arc<Mutex<Seen>>,
    /// What the row makes has this id, also where it is planned once more.
    id: Arc<OnceLock<Id>>,
}

impl Turn {
    /// The next turn in a run, of the row with this number.
    pub fn next(seen: &Arc<Mutex<Seen>>, row: i64) -> Self {
        let mut run = seen.lock().unwrap_or_else(PoisonError::into_inner);
        run.places += 1;
        Self {
            row,
            place: run.places,
            seen: Arc::clone(seen),
            id: Arc::default(),
        }
    }

    /// The id of what the row makes.
    pub(crate) fn id(&self, now: i64) -> Id {
        *self.id.get_or_init(|| Id::new(now))
    }

    /// Notes what the row means, or refuses that it changes what an earlier one meant. May be asked again for the same row.
    /// `called` is what the record is called so far.
    pub(crate) fn keep(&self, work: &Work, mut answer: Answer, said: &[u8], called: &str) -> Result<Answer> {
        let mut run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let said = run.hashers[0].hash_one(said);
        let key = run.record(&answer.name);
        match run.records.get(&key) {
            Some(first) if first.place < self.place => {
                if first.said == said {
                    if work.is_dry_run() && answer.outcome == Outcome::Updated {
                        answer.outcome = Outcome::Unchanged;
                    }
                } else if answer.outcome == Outcome::Updated {
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
                if work.is_dry_run() {
                    run.dry.insert(self.row, said);
                }
            }
        }
        Ok(answer)
    }

    /// Says that an earlier row meant this record and said something else, where one did.
    pub(crate) fn expect_once(&self, name: &str, said: &[u8], called: &str) -> Result<()> {
        let run = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match run.records.get(&run.record(name)) {
            Some(first) if first.place < self.place && first.said != run.hashers[0].hash_one(said) => {
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
        work: &mut Work,
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
        run.doubt_bytes += size_of::<Doubt>() + said.len() + 48 * keys.len();
        let doubt = Arc::new(Doubt {
            place: self.place,
            row: self.row,
            verdict,
            record: record.map(|name| run.record(name)),
            said: said.into(),
        });
        for key in keys {
            let of_key = run.doubts.entry(key).or_default();
            // An edit may be done again.
            of_key.retain(|other| other.place != self.place);
            of_key.push(Arc::clone(&doubt));
        }
    }

    /// Refuses a change after which an earlier row of the run would mean something else than it did: the same file would then change
    /// something each time. `said` is what the row said.
    pub(crate) fn expect_steady<C: Collection>(&self, work: &mut Work, answer: &Answer, said: &[u8]) -> Result<()> {
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
            let mut doubts: Vec<Arc<Doubt>> = Vec::new();
            for key in names.chain(keys).chain([changed]) {
                let of_key = run.doubts.get(&key).into_iter().flatten();
                doubts.extend(
                    of_key
                        .filter(|d| d.place < self.place && d.record != Some(changed))
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
                let seen = if answer.outcome == Outcome::Created {
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

/// The keys of a record that are not sealed, and are no claims.
fn keys_of<C: Collection>(item: &C::Item) -> Result<Vec<String>> {
    let keys = C::keys(item).into_iter().filter(|key| !key.private && !key.claim);
    keys.map(|key| key.stored(None)).collect()
}

/// What a row said, without what is sealed.
fn without_sealed<C: Collection>(said: &[u8]) -> Result<Vec<u8>> {
    let sealed = resource::private::<C>();
    wire::only(said, |number| !sealed.contains(&number))
}
