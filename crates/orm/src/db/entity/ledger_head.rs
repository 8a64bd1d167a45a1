//! How far the ledger goes: one row, which is locked by whoever writes entries.

use sea_orm::entity::prelude::*;

/// The id of the row.
pub(crate) const ID: i64 = 1;

/// The number and the time of the last entry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_head")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub sequence: i64,
    pub time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
