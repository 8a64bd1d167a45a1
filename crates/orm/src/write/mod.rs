//! What is changed: the verbs of the store, edits and what they see, imports, and how the writer puts edits into transactions.
//!
//! It may use all folders but `migration`.

mod change_set;
mod commit_stamps;
mod distinct;
pub mod earlier;
pub mod idempotency;
pub mod import;
pub mod imports;
mod ledger;
mod load;
mod load_requests;
mod merge;
mod overlay;
mod prepared_insert;
pub mod result;
pub mod run_notes;
pub mod store;
pub(crate) mod tables;
mod trail;
pub mod undo;
pub mod unit_of_work;
mod unmerge;
mod unmerged;
pub(crate) mod writer;
