//! The common ORM of all services: one write path, ledger, pages, filters, search, statistics, identifiers, migrations.

pub mod context;
pub mod db;
pub mod error;
pub mod id;
pub mod migration;
pub mod model;
pub mod query;
pub mod search_index;
pub mod text;
pub mod write;

pub use context::RequestContext;
pub use db::database::Db;
pub use error::{Blocker, Class, Error, Result, Violation};
pub use model::cell::Cell;
pub use model::collection::{Collection, Field, Fit, Item, Shape};
pub use model::column::Column;
pub use model::key::Key;
pub use model::likeness::{Beside, Likeness};
pub use model::revision::AuditInfo;
pub use model::vault::Vault;
pub use query::citations::Since;
pub use query::list::{List, Page};
pub use query::valued::Valued;
pub use write::call::Call;
pub use write::edit::{Edit, PreloadedEdit};
pub use write::field_mask::Mask;
pub use write::result::{WriteOutcome, WriteResult};
pub use write::store::Store;
pub use write::unit_of_work::UnitOfWork;
pub use write::write_queue::QueueLength;
