//! How the tables of a register come to be, and come to be those of a later version.
//!
//! It may use all folders.

pub mod ledger;
mod m000005_index;
mod m000006_sections;
mod m000010_imports;
pub mod refill;
pub mod renew;
pub mod schema;
