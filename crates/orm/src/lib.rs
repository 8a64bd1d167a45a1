//! The kit of all services: one write path, ledger, pages, filters, search, figures, identifiers, migrations.

pub mod cx;
pub mod db;
pub mod error;
pub mod field;
mod figures;
pub mod filter;
pub mod id;
pub mod identifier;
pub mod import;
mod ledger;
mod merge;
pub mod names;
pub mod order;
pub mod page;
pub mod read;
mod reads;
pub mod resource;
pub mod schema;
mod select;
pub mod store;
mod tables;
pub mod text;
pub mod vault;
mod wire;
pub mod work;
mod writer;

pub use cx::Cx;
pub use db::Db;
pub use error::{Class, Error, Result, Violation};
pub use field::Column;
pub use read::{List, Page};
pub use resource::{Cell, Collection, Field, Item, Key, Shape};
pub use store::{Call, Mask, Store};
pub use vault::Vault;
pub use work::{Answer, Outcome, Stamp, Work};
pub use writer::Edit;
