//! How the search index of SQLite knows rows: by numbers in the order of their names (docs/adr/0016).
//!
//! A number is where the name stands among all ([`crate::text::order_code`]), and the serial number of the row behind it. The
//! index gives its hits by these numbers, so that the first of many are found without reading the others. PostgreSQL's
//! index knows rows by where they lie.

use crate::text::ORDER_CODE_BITS;

/// The bits of a serial number.
const SERIAL_BITS: u32 = 27;
const _: () = assert!(ORDER_CODE_BITS + SERIAL_BITS < 64);
/// The highest serial number, and the bits of it in a row's number in the index.
pub(crate) const SERIALS: i64 = (1 << SERIAL_BITS) - 1;

/// The first number of a place; that of a row is this with its serial number added.
pub fn rowid_lower_bound(place: i64) -> i64 {
    place << SERIAL_BITS
}

/// The last number of the place that a number belongs to.
pub(crate) fn rowid_upper_bound(number: i64) -> i64 {
    number | SERIALS
}
