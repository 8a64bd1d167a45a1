//! What is read: single resources, pages, searches, counts, likely duplicates; and the languages of filters, orders and pages.
//!
//! It may use `text`, `model`, `db` and `search_index`. Its functions are those of the `Store` in `write`, of which it uses nothing else.

pub(crate) mod citations;
pub mod filter;
pub(crate) mod get_batcher;
pub mod likely;
pub mod list;
mod lookup;
pub mod order_by;
pub mod page_token;
mod predicate;
mod search;
pub mod statistics;
pub(crate) mod survivors;
mod titles;
pub(crate) mod valued;
