//! The kit of all services: one write path, ledger, pages, filters, search, figures, identifiers, migrations.

pub mod cx;
pub mod db;
pub mod error;
pub mod id;
pub mod migration;
pub mod model;
pub mod query;
pub mod search_index;
pub mod text;
pub mod write;

pub use cx::Cx;
pub use db::database::Db;
pub use error::{Blocker, Class, Error, Result, Violation};
pub use model::field::Column;
pub use model::likeness::{Beside, Likeness};
pub use model::resource::{Cell, Collection, Field, Fit, Item, Key, Shape};
pub use model::revision::Stamp;
pub use model::vault::Vault;
pub use query::citations::Since;
pub use query::read::{List, Page};
pub use query::valued::Valued;
pub use write::answer::{Answer, Outcome};
pub use write::store::{Call, Mask, Store};
pub use write::work::Work;
pub use write::writer::{Edit, Planned, WriteQueue};
