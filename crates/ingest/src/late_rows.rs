//! Rows of an import that name what is not there. A row behind them may make it, so they are taken once more at the end of their stream,
//! as often as one of them is taken. docs/adr/0044-same-file.md

use mingce_orm::{Collection, Error, RequestContext};
use mingce_proto::registry::RowOutcome;
use mingce_proto::registry::row_outcome::Outcome;
use prost::Message;

use crate::import_record::Keeper;
use crate::piece::{PIECE, take};
use crate::session::{Prepare, Row, Session};

/// How many bytes of rows are kept.
const BYTES: usize = 4 << 20;
/// How often a row is taken at most, on the average.
const ROUNDS: usize = 16;

/// Rows that name what is not there, each with the place of its outcome.
pub(crate) struct LateRows<C: Collection> {
    rows: Vec<(usize, Row<C>)>,
    bytes: usize,
}

impl<C: Collection> Default for LateRows<C> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            bytes: 0,
        }
    }
}

impl<C: Collection> LateRows<C> {
    /// Keeps rows of a piece whose outcomes begin at a place, while there is room.
    pub(crate) fn add(&mut self, from: usize, rows: Vec<(usize, Row<C>)>) {
        for (place, row) in rows {
            self.bytes += row.resource.encoded_len();
            if self.bytes > BYTES {
                return;
            }
            self.rows.push((from + place, row));
        }
    }

    /// Takes them once more, until none of them is taken: a row behind them may name what they make.
    pub(crate) async fn take_all(
        mut self,
        service: &impl Prepare<C>,
        cx: &RequestContext,
        session: &mut Session,
        keeper: &mut Keeper,
        outcomes: &mut [RowOutcome],
    ) -> Result<(), Error> {
        // A list of each child before its parent would go on for as long as it is long.
        let mut room = ROUNDS * self.rows.len();
        let mut is_done = self.rows.is_empty();
        while !is_done && room >= self.rows.len() {
            is_done = true;
            room -= self.rows.len();
            let mut all = std::mem::take(&mut self.rows).into_iter().peekable();
            while all.peek().is_some() {
                let (places, rows): (Vec<usize>, Vec<Row<C>>) = all.by_ref().take(PIECE).unzip();
                let (piece, left) = take(service, cx, session, rows).await?;
                keeper.decided(&mut session.decided);
                keeper.note_now_and_then().await?;
                let at = |place: usize| places.get(place).copied();
                self.rows
                    .extend(left.into_iter().filter_map(|(place, row)| Some((at(place)?, row))));
                for (place, outcome) in places.iter().zip(piece) {
                    let is_refused = outcome.outcome() == Outcome::Refused;
                    is_done &= is_refused;
                    if !is_refused {
                        keeper.recount(&outcome);
                    }
                    if let Some(known) = outcomes.get_mut(*place) {
                        *known = outcome;
                    }
                }
            }
            is_done |= self.rows.is_empty();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mingce_orm::write::imports::Imports;
    use mingce_proto::registry::Import;

    use super::*;

    /// A row of any collection, of about this size.
    fn row(number: i64, bytes: usize) -> Row<Imports> {
        let resource = Import {
            source: "x".repeat(bytes),
            ..Import::default()
        };
        Row::new(number, resource)
    }

    fn kept(again: &LateRows<Imports>) -> Vec<(usize, i64)> {
        again.rows.iter().map(|(place, row)| (*place, row.number)).collect()
    }

    #[test]
    fn rows_keep_the_place_of_their_outcome_over_all_pieces() {
        let mut again = LateRows::default();
        again.add(0, vec![(0, row(1, 10)), (7, row(8, 10))]);
        again.add(PIECE, vec![(3, row(1004, 10))]);
        assert_eq!(kept(&again), [(0, 1), (7, 8), (PIECE + 3, 1004)]);
    }

    #[test]
    fn no_more_rows_are_kept_than_there_is_room_for() {
        let mut again = LateRows::default();
        again.add(0, vec![(0, row(1, BYTES / 2)), (1, row(2, BYTES / 2))]);
        assert_eq!(kept(&again), [(0, 1)]);
        // Nor one behind them, however short it is.
        again.add(PIECE, vec![(0, row(1001, 1))]);
        assert_eq!(kept(&again), [(0, 1)]);
    }
}
