//! When each change of a transaction was made, and as which of all: known once the numbers are allocated, and then part
//! of what is written and answered.

use std::sync::Arc;

use prost::bytes::Bytes;
use prost::encoding::{int64, message};

use crate::error::Result;
use crate::model::head::{CREATE_TIME, SEQUENCE, UPDATE_TIME, is_head};
use crate::model::revision::{micros, timestamp};
use crate::model::{message_fields, resource};
use crate::write::ledger_entry::{Allocated, Entry};
use crate::write::result::WriteResult;

/// What one change became.
#[derive(Debug, Clone)]
pub(crate) struct CommitStamp {
    pub sequence: i64,
    pub create_time: i64,
    pub update_time: i64,
    /// The message with them, as answers show it.
    pub body: Bytes,
}

/// The changes of a transaction, in the order of its entries.
#[derive(Debug, Default)]
pub(crate) struct CommitStamps {
    pub all: Vec<CommitStamp>,
    entries: Vec<Arc<Entry>>,
    /// The places of the entries, by the names of their records and by revision.
    order: Vec<usize>,
}

impl CommitStamps {
    /// Gives each entry its number and its time, in their order.
    pub fn new(entries: &[Arc<Entry>], first: Allocated) -> Result<Self> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        let at = |place: &usize| entries.get(*place).map(|entry| (entry.name.as_str(), entry.revision));
        order.sort_by(|a, b| at(a).cmp(&at(b)));
        let mut stamps = Self {
            all: Vec::with_capacity(entries.len()),
            entries: entries.to_vec(),
            order,
        };
        for (entry, after) in entries.iter().zip(0..) {
            let (sequence, now) = (first.sequence + after, first.time + after);
            // Of what this transaction has made, the first of its changes says when.
            let create_time = if entry.revision == 1 {
                Some(now)
            } else {
                stamps.of(&entry.name, 1).map(|made| made.create_time)
            };
            let (create_time, body) = stamped(&entry.body, create_time, now, sequence)?;
            stamps.all.push(CommitStamp {
                sequence,
                create_time,
                update_time: now,
                body,
            });
        }
        Ok(stamps)
    }

    /// What a revision of a record became; `None` where this transaction has not made it.
    pub fn of(&self, name: &str, revision: i64) -> Option<&CommitStamp> {
        let at = |place: &usize| {
            self.entries
                .get(*place)
                .map(|entry| (entry.name.as_str(), entry.revision))
        };
        let wanted = Some((name, revision));
        let found = self.order.binary_search_by(|place| at(place).cmp(&wanted)).ok()?;
        self.all.get(*self.order.get(found)?)
    }

    /// An answer as what it says was written.
    pub fn complete(&self, answer: &mut WriteResult) {
        if let Some(stamp) = self.of(&answer.name, answer.revision) {
            answer.body = stamp.body.clone();
        }
    }
}

/// A message with its times and its number, which are fields of its head; and when the record was made, which it says itself where that
/// is not given.
fn stamped(body: &[u8], create_time: Option<i64>, now: i64, sequence: i64) -> Result<(i64, Bytes)> {
    let (before, rest) = message_fields::split_leading(body, |number| number < CREATE_TIME)?;
    let (times, rest) = message_fields::split_leading(rest, |number| matches!(number, CREATE_TIME | UPDATE_TIME))?;
    let (behind, rest) = message_fields::split_leading(rest, |number| is_head(number) && number != SEQUENCE)?;
    let (_, rest) = message_fields::split_leading(rest, |number| number == SEQUENCE)?;
    let create_time = match create_time {
        Some(known) => known,
        None => resource::head(times)?.create_time.as_ref().map_or(now, micros),
    };
    let mut stamped = Vec::with_capacity(body.len() + 32);
    stamped.extend_from_slice(before);
    message::encode(CREATE_TIME, &timestamp(create_time), &mut stamped);
    message::encode(UPDATE_TIME, &timestamp(now), &mut stamped);
    stamped.extend_from_slice(behind);
    int64::encode(SEQUENCE, &sequence, &mut stamped);
    stamped.extend_from_slice(rest);
    Ok((create_time, stamped.into()))
}

#[cfg(test)]
mod tests {
    use mingce_proto::registry::Import;
    use prost::Message;

    use super::*;

    /// Whatever is set and whatever is not, times and number are set and nothing else is another.
    #[test]
    fn a_stamp_changes_nothing_but_times_and_number() -> Result<()> {
        let whole = Import {
            name: "imports/1".to_owned(),
            uid: "1".to_owned(),
            etag: "\"r3\"".to_owned(),
            revision: 3,
            create_time: Some(timestamp(5_000_001)),
            update_time: Some(timestamp(6)),
            record_status: 2,
            survivor: "imports/2".to_owned(),
            sequence: 9,
            source: "a".to_owned(),
            ..Import::default()
        };
        let bare = Import {
            name: "imports/1".to_owned(),
            ..Import::default()
        };
        for (item, given, create_time) in [
            (&whole, None, 5_000_001),
            (&whole, Some(4), 4),
            (&bare, None, 70),
            (&Import::default(), Some(8), 8),
        ] {
            let encoded = item.encode_to_vec();
            let whole = resource::head(&encoded)?.with(&encoded)?;
            let (made, body) = stamped(&whole, given, 70, 1000)?;
            let right = Import {
                create_time: Some(timestamp(create_time)),
                update_time: Some(timestamp(70)),
                sequence: 1000,
                ..item.clone()
            };
            assert_eq!(made, create_time);
            assert_eq!(Import::decode(body.clone()).map_err(crate::Error::internal)?, right);
            // The head stands first and in its order, as it was written.
            assert_eq!(
                resource::head(&body)?.encode_to_vec(),
                message_fields::split_leading(&body, is_head)?.0
            );
        }
        Ok(())
    }
}
