//! What is changed: the verbs of the store, edits and what they see, imports, and how the writer puts edits into transactions.
//!
//! It may use all folders but `migration`.

pub mod answer;
mod asks;
mod distinct;
mod draft;
pub mod earlier;
pub mod import;
pub mod imports;
mod layer;
mod ledger;
mod merge;
pub mod once;
pub mod seen;
mod stamps;
mod steps;
pub mod store;
pub(crate) mod tables;
mod trail;
pub mod undo;
mod unmerge;
mod unmerged;
pub mod work;
pub(crate) mod writer;
