//! Rows that were refused because what they name is not there. A row behind them, in a later call, may make it: they are sent once more
//! at the end of their part, until none of them is taken.

use mingce_mapping::Refusal;
use mingce_proto::registry::RowOutcome;

use super::piece::{Became, Sent, became};

/// How many bytes of messages are kept; of further rows it is told at once that they are refused.
const BYTES: usize = 16 << 20;
/// How often those are sent at most, on the average.
const ROUNDS: usize = 16;

/// Those of one part.
#[derive(Debug, Default)]
pub struct Again {
    rows: Vec<(Sent, Vec<Refusal>)>,
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
    pub fn next(&mut self, before: Option<usize>) -> Option<Vec<Sent>> {
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
        Some(
            std::mem::take(&mut self.rows)
                .into_iter()
                .map(|(sent, _)| sent)
                .collect(),
        )
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
