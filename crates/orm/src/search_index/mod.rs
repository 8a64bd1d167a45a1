//! The search index of a collection, which each database has in its own way, and the order of names in it.
//!
//! It may use `model`, `text` and `db`.

pub mod fts5_rowid;
pub(crate) mod gin_buckets;
pub(crate) mod gin_pending_list;
pub(crate) mod index;
