//! The ledger: one row for each change. Its rows are inserted by `write/ledger.rs`, many at once, and never changed.

use sea_orm::entity::prelude::*;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub resource: String,
    pub revision: i64,
    pub verb: String,
    pub actor: String,
    pub reason: String,
    pub request_id: String,
    pub create_time: i64,
    /// Names of fields, with commas between them.
    pub changed_fields: String,
    /// Full name of the message in the contract.
    pub message: String,
    pub snapshot: Vec<u8>,
    /// The id of the import that it belongs to; empty for none.
    pub import: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
