//! What the rows of one run meant so far: a second row that means the same record and says something else is refused, since
//! the one would overwrite the other, and each run of the same file would do so again. A row that would make an earlier one of
//! the run mean another record the next time is refused too. docs/adr/0035-steady-runs.md

mod row_turn;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost::Message;
use sha2::{Digest, Sha256};

pub use self::row_turn::RowTurn;
use crate::error::{Error, Result};
use crate::write::matching::Verdict;

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
