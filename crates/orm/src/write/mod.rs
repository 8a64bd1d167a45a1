//! What is changed: the verbs of the store, edits and what they see, imports, and how the writer puts edits into transactions.
//!
//! It may use all folders but `migration`.

pub(crate) mod call;
pub mod canonical;
mod change_set;
mod commit_stamps;
mod distinct;
pub mod earlier;
pub(crate) mod edit;
pub(crate) mod field_mask;
pub mod idempotency;
pub mod import;
pub mod import_progress;
mod import_seen;
pub mod imports;
mod ledger;
mod ledger_entry;
mod load;
mod load_requests;
pub mod matching;
mod merge;
mod merge_history;
mod overlay;
pub(crate) mod persist;
pub mod precondition;
mod prepared_insert;
pub mod result;
mod revert_field;
pub mod run_notes;
pub mod store;
mod trail;
mod transaction;
mod transaction_fault;
pub mod undo;
pub mod unit_of_work;
mod unmerge;
mod unmerged;
pub(crate) mod write_queue;
mod writer;
