//! The search index of a collection, which each database has in its own way, and the order of names in it.
//!
//! It may use `model`, `text` and `db`.

pub(crate) mod index;
pub(crate) mod lists;
pub mod places;
pub(crate) mod sections;
