//! Resources on their way in: from a create or an update, or row by row from an import. Their references are resolved, they are
//! checked, and only then they are given to the store. docs/adr/0033-references.md

pub mod drafts;
pub mod import_record;
pub mod lookup;
pub mod named;
pub mod peers;
pub mod references;
pub mod runs;
pub mod session;
pub mod single;
pub mod stream;

mod late_rows;
mod piece;
mod yielding;
