//! What the rows of one run meant so far: a second row that means the same record and says something else is refused, since
//! the one would overwrite the other, and each run of the same file would do so again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mingce_proto::registry::row_outcome::Holder;

use crate::answer::{Answer, Outcome};
use crate::error::{Class, Error, Result};
use crate::id::Id;
use crate::work::Work;

/// How many records one run is remembered to have meant.
const MOST: usize = 1_000_000;

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
        56 * self.records.capacity() + 24 * self.dry.capacity()
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
                    let row = first.row;
                    let said = format!(
                        "row {row} means the same record and says something else: leave one of them out (与第{row}行为同一条记录)"
                    );
                    let holder = Holder {
                        name: answer.name,
                        display_name: called.to_owned(),
                    };
                    return Err(Error::new(Class::Invalid, "ROW_TWICE", said).held_by(vec![holder]));
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
}
