//! Drives the real binary, on real databases and through real sockets, as its users do.

#![allow(clippy::disallowed_methods, reason = "tests have settings of their own")]
// A test says what it expects by failing, and so does what it stands on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod binary;
pub mod cases;
pub mod disk_faults;
pub mod failure;
pub mod fixture;
pub mod fuzz;
pub mod messy_files;
pub mod postgres;
pub mod raw_client;
pub mod register;
pub mod store;

pub use failure::{Failure, failure};
pub use register::Register;
pub use store::Store;
