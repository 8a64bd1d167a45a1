//! The server over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bears;
mod caller;
mod ends;
mod reflects;
mod refused;
mod refuses;
mod serves;
mod toy;
