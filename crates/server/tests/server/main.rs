//! The server over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abuse;
mod calls;
mod lifecycle;
mod raw_client;
mod reflection_and_health;
mod refusals;
mod refusals_on_one_connection;
mod test_service;
