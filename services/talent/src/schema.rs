//! The tables of the talent service.

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
        "mingce_talent_migrations".into_iden()
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20261124_000002_talent"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    /// All of the tables or none, on SQLite too: a start that is killed begins anew.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let talents = [
            ("display_name", Text),
            ("birth_year", Integer),
            ("nationality", Text),
            ("education", Text),
            ("title", Text),
            ("deceased", Integer),
        ];
        let programmes = [
            ("display_name", Text),
            ("code", Text),
            ("kind", Integer),
            ("level", Integer),
            ("family", Text),
        ];
        let designations = [
            ("talent", Text),
            ("programme", Text),
            ("level", Integer),
            ("kind", Integer),
            ("state", Integer),
            ("employer", Text),
            ("number", Text),
            ("round", Text),
            ("document_number", Text),
            ("issuer", Text),
            ("decision_date", Text),
            ("start_date", Text),
            ("end_date", Text),
            ("year", Integer),
        ];
        run(manager, &resource("talents", &talents, true, &[])).await?;
        run(manager, &resource("programmes", &programmes, false, &[])).await?;
        run(
            manager,
            &resource(
                "talent_designations",
                &designations,
                false,
                &["talent", "decision_date"],
            ),
        )
        .await
    }
}
