//! Rows that were refused because what they name is not there. A row behind them, in a later call, may make it: they are sent once more
//! at the end of their part, until none of them is taken.

use mingce_mapping::Refusal;
use mingce_proto::registry::RowOutcome;

use super::piece::{Became, Sent, became};

/// How many bytes of messages are kept; of further rows it is told at once that they are refused.
const BYTES: usize = 16 << 20;
/// How often those are sent at most, on the average.
const ROUNDS: usize = 16;

/// A row with the reasons for which it was refused.
type Refused = (Sent, Vec<Refusal>);

/// Those of one part.
#[derive(Debug, Default)]
pub struct Again {
    rows: Vec<Refused>,
    bytes: usize,
    /// How many rows may still be sent.
    room: usize,
    /// How many calls the part has had.
    calls: usize,
}

impl Again {
    /// Notes the end of a call, and whether its rows had been sent before.
    pub fn ended(&mut self, is_again: bool) {
        self.calls += usize::from(!is_again);
    }

    /// Keeps a row that a later one may help. Answers why it was refused where nothing can.
    pub fn keep(&mut self, sent: Sent, outcome: &RowOutcome, refusals: Vec<Refusal>) -> Option<Vec<Refusal>> {
        let is_early = |reason: &str| reason == "REFERENCE_NOT_FOUND";
        let mut reasons = outcome.problems.iter().map(|problem| problem.reason.as_str());
        let is_helped = became(outcome) == Became::Refused && !outcome.problems.is_empty() && reasons.all(is_early);
        if !is_helped || self.bytes + sent.message.len() > BYTES {
            return Some(refusals);
        }
        self.bytes += sent.message.len();
        self.rows.push((sent, refusals));
        None
    }

    /// The rows to be sent now, where that may help. `before` is how many there were the last time.
    pub fn next(&mut self, before: Option<usize>) -> Option<Vec<Refused>> {
        let count = self.rows.len();
        match before {
            // One call has looked at all of its rows itself.
            None if self.calls < 2 => return None,
            None => self.room = ROUNDS * count,
            Some(before) if before == count => return None,
            Some(_) => {}
        }
        self.room = self.room.checked_sub(count).filter(|_| count > 0)?;
        self.bytes = 0;
        Some(std::mem::take(&mut self.rows))
    }

    /// Takes back rows that were not sent: they stay refused.
    pub fn put_back(&mut self, rows: impl IntoIterator<Item = Refused>) {
        self.rows.extend(rows);
    }

    /// Why those are refused that are left, and how many they are.
    pub fn left(&mut self) -> (usize, Vec<Refusal>) {
        let left = std::mem::take(self);
        (
            left.rows.len(),
            left.rows.into_iter().flat_map(|(_, refusals)| refusals).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use mingce_mapping::{Item, Mapping, Source};
    use mingce_proto::registry::row_outcome::{Outcome, Problem};
    use prost_reflect::prost::bytes::Bytes;

    use super::*;

    fn refused(reason: &str) -> RowOutcome {
        let mut outcome = RowOutcome {
            problems: vec![Problem {
                reason: reason.to_owned(),
                ..Problem::default()
            }],
            ..RowOutcome::default()
        };
        outcome.set_outcome(Outcome::Refused);
        outcome
    }

    fn sent() -> Sent {
        let mapping = Mapping::find("ror-labs").unwrap();
        let header = "ror_id,name_zh,name_en,acronyms,aliases,status,established,city,host_ror_ids,host_names,successor_ror_ids,website";
        let text = format!("{header}\nhttps://ror.org/000190731,甲实验室,,,,active,,,,,,\n");
        let source = Source::from_bytes("labs.csv", text.into_bytes(), &mapping.options()).unwrap();
        let mut rows = Vec::new();
        let mut keep = |item| {
            if let Item::Row(row) = item {
                rows.push(row);
            }
            Ok(true)
        };
        mapping.parts()[0].read(&mapping, &source, &mut keep).unwrap();
        Sent {
            row: rows.remove(0),
            assumed: None,
            message: Bytes::from_static(b"a row"),
        }
    }

    #[test]
    fn rows_are_sent_while_one_of_them_is_taken_and_those_that_are_not_sent_stay_refused() {
        let mut again = Again::default();
        assert!(again.keep(sent(), &refused("NUMBER_MISSING"), Vec::new()).is_some());
        for _ in 0..3 {
            assert!(
                again
                    .keep(sent(), &refused("REFERENCE_NOT_FOUND"), Vec::new())
                    .is_none()
            );
        }
        again.ended(false);
        assert!(again.next(None).is_none(), "one call has looked at all of its rows");
        again.ended(false);
        let mut rows = again.next(None).unwrap().into_iter();
        // One is taken, one is refused again, and one is not sent.
        rows.next().unwrap();
        let (second, _) = rows.next().unwrap();
        assert!(
            again
                .keep(second, &refused("REFERENCE_NOT_FOUND"), Vec::new())
                .is_none()
        );
        again.put_back(rows);
        assert_eq!(again.next(Some(3)).map(|rows| rows.len()), Some(2));
        for _ in 0..2 {
            again.keep(sent(), &refused("REFERENCE_NOT_FOUND"), Vec::new());
        }
        assert!(again.next(Some(2)).is_none(), "none of them was taken");
        assert_eq!(again.left().0, 2);
    }
}
