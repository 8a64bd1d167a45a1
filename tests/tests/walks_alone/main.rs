//! Random walks by themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod random_walks;
