//! What is read: single resources, pages, searches, counts, likely duplicates; and the languages of filters, orders and pages.
//!
//! It may use `text`, `model`, `db` and `search_index`. Its functions are those of the `Store` in `write`, of which it uses nothing else.

pub(crate) mod citations;
pub mod figures;
pub mod filter;
pub mod likely;
mod lookup;
pub mod order;
pub mod page;
pub mod read;
pub(crate) mod reads;
mod search;
mod select;
pub(crate) mod survivors;
pub(crate) mod valued;
