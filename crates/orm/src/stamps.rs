//! When each change of a transaction was made, and as which of all: known once the numbers are drawn, and then part of what is written
//! and answered.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;
use prost::bytes::Bytes;

use crate::answer::Answer;
use crate::error::Result;
use crate::ledger::{Drawn, Entry};
use crate::resource::{self, is_head};
use crate::wire;
use crate::work::{micros, timestamp};

/// What one change became.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub sequence: i64,
    pub create_time: i64,
    pub update_time: i64,
    /// The message with them, as answers show it.
    pub body: Bytes,
}

/// The changes of a transaction, in the order of its entries.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    pub all: Vec<Stamp>,
    /// Where each revision stands among them.
    places: HashMap<String, Vec<(i64, usize)>>,
}

impl Stamps {
    /// Gives each entry its number and its time, in their order.
    pub fn new(entries: &[Arc<Entry>], first: Drawn) -> Result<Self> {
        let mut stamps = Self {
            all: Vec::with_capacity(entries.len()),
            places: HashMap::with_capacity(entries.len()),
        };
        for (place, (entry, after)) in entries.iter().zip(0..).enumerate() {
            let (sequence, now) = (first.sequence + after, first.time + after);
            let mut head = resource::head(&entry.body)?;
            let of_record = stamps.places.entry(entry.name.clone()).or_default();
            // Of what this transaction has made, the first of its changes says when.
            let made = of_record.first().filter(|(revision, _)| *revision == 1);
            let create_time = match made.and_then(|(_, at)| stamps.all.get(*at)) {
                Some(made) => made.create_time,
                None if entry.revision == 1 => now,
                None => head.create_time.as_ref().map_or(now, micros),
            };
            head.create_time = Some(timestamp(create_time));
            head.update_time = Some(timestamp(now));
            head.sequence = sequence;
            let mut body = Vec::with_capacity(entry.body.len() + 16);
            head.encode(&mut body).map_err(crate::error::Error::internal)?;
            body.extend_from_slice(wire::after(&entry.body, is_head)?);
            of_record.push((entry.revision, place));
            stamps.all.push(Stamp {
                sequence,
                create_time,
                update_time: now,
                body: body.into(),
            });
        }
        Ok(stamps)
    }

    /// What a revision of a record became; `None` where this transaction has not made it.
    pub fn of(&self, name: &str, revision: i64) -> Option<&Stamp> {
        let of_record = self.places.get(name)?;
        let (_, place) = of_record.iter().find(|(known, _)| *known == revision)?;
        self.all.get(*place)
    }

    /// An answer as what it says was written.
    pub fn complete(&self, answer: &mut Answer) {
        if let Some(stamp) = self.of(&answer.name, answer.revision) {
            answer.body = stamp.body.clone();
        }
    }
}
