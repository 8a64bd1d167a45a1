//! The kit: one write path, ledger, pages, filters, search, identifiers, migrations.

pub mod cx;
pub mod error;
pub mod filter;
pub mod identifier;
pub mod order;
pub mod page;
pub mod text;

pub use cx::Cx;
pub use error::{Class, Error, Result, Violation};
