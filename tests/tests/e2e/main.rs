//! The tests of whole processes, in one program so that they are linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod again;
mod annulled;
mod bad_input;
mod bad_query;
mod by_hand;
mod circles;
mod contract;
mod crowd;
mod declared;
mod files;
mod harness;
mod ledger;
mod made;
mod merge;
mod once;
mod pages;
mod real_files;
mod records;
mod rules;
mod sample;
mod sealed;
mod services;
mod start_stop;
