//! The tests of whole processes, in one program so that they are linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod by_hand;
mod contract;
mod harness;
mod start_stop;
