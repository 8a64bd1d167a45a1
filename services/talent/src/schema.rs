//! The tables of the talent service.

use mingce_lifecycle::schema::{COLUMNS, add_columns, add_review_score, add_waiting};
use mingce_orm::migration::refill::add_sequence;
use mingce_orm::migration::schema::Sql::{Integer, Text};
use mingce_orm::migration::schema::{resource, run};
use mingce_orm::query::likely::index;
use sea_orm_migration::prelude::*;

use crate::designation::Designations;

/// The migrations of this service.
#[derive(Debug)]
pub struct Schema;

#[async_trait::async_trait]
impl MigratorTrait for Schema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Tables),
            Box::new(Cases),
            Box::new(Duplicates),
            Box::new(Scores),
            Box::new(Waiting),
            Box::new(Sequences),
        ]
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

/// What designations need for their life cycle, and the tables of nominating bodies and recommendations.
struct Cases;

impl MigrationName for Cases {
    fn name(&self) -> &'static str {
        "m20261124_000003_talent_cases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Cases {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut bodies = vec![
            ("organization", Text),
            ("programme", Text),
            ("level", Integer),
            ("state", Integer),
            ("start_date", Text),
            ("end_date", Text),
            ("document_number", Text),
        ];
        bodies.extend(COLUMNS);
        let mut recommendations = vec![
            ("nominating_body", Text),
            ("talent", Text),
            ("programme", Text),
            ("level", Integer),
            ("year", Integer),
            ("state", Integer),
            ("employer", Text),
            ("document_number", Text),
            ("designation", Text),
        ];
        recommendations.extend(COLUMNS);
        run(manager, &add_columns("talent_designations", &[("family", Text)])).await?;
        run(manager, &resource("nominating_bodies", &bodies, false, &["due_date"])).await?;
        run(
            manager,
            &resource(
                "recommendations",
                &recommendations,
                false,
                &["nominating_body", "due_date"],
            ),
        )
        .await
    }
}

/// The index by which persons that share an identifier in another spelling are found.
struct Duplicates;

impl MigrationName for Duplicates {
    fn name(&self) -> &'static str {
        "m20261129_000009_talent_duplicates"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Duplicates {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &index("talents")).await
    }
}

/// Lists sort and filter by the score of the reviews.
struct Scores;

impl MigrationName for Scores {
    fn name(&self) -> &'static str {
        "m20261130_000012_talent_scores"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Scores {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_review_score::<Designations>(manager).await
    }
}

/// What waits without a day, and what falls due of records.
struct Waiting;

impl MigrationName for Waiting {
    fn name(&self) -> &'static str {
        "m20261130_000040_talent_waiting"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Waiting {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_waiting::<crate::designation::Designations>(manager).await?;
        add_waiting::<crate::body::NominatingBodies>(manager).await?;
        add_waiting::<crate::recommendation::Recommendations>(manager).await
    }
}

/// Rows know the numbers of their last changes.
struct Sequences;

impl MigrationName for Sequences {
    fn name(&self) -> &'static str {
        "m20261130_000050_talent_sequences"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Sequences {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "talents",
            "programmes",
            "talent_designations",
            "nominating_bodies",
            "recommendations",
        ] {
            add_sequence(manager, table).await?;
        }
        Ok(())
    }
}
