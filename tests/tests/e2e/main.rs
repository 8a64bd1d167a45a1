//! The tests of whole processes, in one program so that they are linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod bad_query;
mod by_hand;
mod contract;
mod harness;
mod made;
mod merge;
mod pages;
mod real_files;
mod records;
mod sample;
mod sealed;
mod services;
mod start_stop;
