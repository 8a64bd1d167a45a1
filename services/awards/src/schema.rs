//! The tables of the awards service.

use mingce_orm::schema::Sql::{Integer, Text};
use mingce_orm::schema::{resource, run};
use sea_orm_migration::prelude::*;

/// The migrations of this service.
#[derive(Debug)]
pub struct Schema;

#[async_trait::async_trait]
impl MigratorTrait for Schema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables)]
    }
    fn migration_table_name() -> DynIden {
        "mingce_awards_migrations".into_iden()
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20261124_000002_awards"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    /// All of the tables or none, on SQLite too: a start that is killed begins anew.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schemes = [
            ("display_name", Text),
            ("code", Text),
            ("issuer", Text),
            ("level", Integer),
            ("category", Text),
            ("subject", Integer),
        ];
        let awards = [
            ("title", Text),
            ("scheme", Text),
            ("number", Text),
            ("year", Integer),
            ("grade", Text),
            ("state", Integer),
            ("level", Integer),
            ("category", Text),
            ("lead_organization", Text),
            ("contributor_count", Integer),
            ("document_number", Text),
            ("decision_date", Text),
            ("classified", Integer),
        ];
        run(manager, &resource("schemes", &schemes, false, &[])).await?;
        run(manager, &resource("awards", &awards, false, &["scheme"])).await
    }
}
