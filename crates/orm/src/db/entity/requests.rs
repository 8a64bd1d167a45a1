//! Requests that were done, so that each is done once.

use sea_orm::entity::prelude::*;

use crate::db::entity::ledger;

/// A request, and the revision of a resource that came of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub request_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub actor: String,
    pub digest: Vec<u8>,
    pub resource: String,
    pub revision: i64,
    pub create_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "ledger::Entity",
        from = "(Column::Resource, Column::Revision)",
        to = "(ledger::Column::Resource, ledger::Column::Revision)"
    )]
    Ledger,
}

impl Related<ledger::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Ledger.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
