//! The tables of the labs service.

use mingce_lifecycle::schema::{add_columns, add_review_score, add_waiting};
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
            Box::new(Kinds),
            Box::new(Scores),
            Box::new(Waiting),
            Box::new(Sequences),
        ]
    }
    fn migration_table_name() -> DynIden {
        "mingce_labs_migrations".into_iden()
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20261124_000002_labs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    /// All of the tables or none, on SQLite too: a start that is killed begins anew.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let organizations = [
            ("display_name", Text),
            ("kind", Integer),
            ("state", Integer),
            ("division_code", Text),
            ("city", Text),
            ("country_code", Text),
            ("established_year", Integer),
            ("parent", Text),
            ("successor", Text),
            ("unverified", Integer),
        ];
        let labs = [
            ("display_name", Text),
            ("kind", Integer),
            ("platform", Integer),
            ("state", Integer),
            ("field", Text),
            ("discipline_code", Text),
            ("lead_host", Text),
            ("host_count", Integer),
            ("city", Text),
            ("division_code", Text),
            ("area_square_metres", Integer),
            ("equipment_value_fen", Integer),
            ("established_year", Integer),
            ("successor", Text),
        ];
        let designations = [
            ("lab", Text),
            ("level", Integer),
            ("programme", Text),
            ("platform", Integer),
            ("state", Integer),
            ("number", Text),
            ("round", Text),
            ("document_number", Text),
            ("issuer", Text),
            ("decision_date", Text),
            ("start_date", Text),
            ("end_date", Text),
            ("year", Integer),
        ];
        run(manager, &resource("organizations", &organizations, false, &[])).await?;
        run(manager, &resource("labs", &labs, false, &[])).await?;
        run(
            manager,
            &resource("lab_designations", &designations, false, &["lab", "decision_date"]),
        )
        .await
    }
}

/// What designations need for their life cycle.
struct Cases;

impl MigrationName for Cases {
    fn name(&self) -> &'static str {
        "m20261124_000003_labs_cases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Cases {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &add_columns("lab_designations", &[])).await
    }
}

/// The index by which organizations and labs that share an identifier in another spelling are found.
struct Duplicates;

impl MigrationName for Duplicates {
    fn name(&self) -> &'static str {
        "m20261129_000009_labs_duplicates"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Duplicates {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &index("organizations")).await?;
        run(manager, &index("labs")).await
    }
}

/// Kinds and parents of organizations have several values: those that there are stand among them.
struct Kinds;

impl MigrationName for Kinds {
    fn name(&self) -> &'static str {
        "m20261129_000010_labs_kinds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Kinds {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fill = [
            ("kinds", "CAST(kind AS TEXT)", "kind <> 0"),
            ("parents", "parent", "parent <> ''"),
        ];
        let fill = fill.map(|(field, value, condition)| {
            format!(
                "INSERT INTO organizations_values (field, value, id) SELECT '{field}', {value}, id FROM organizations \
                 WHERE {condition} ON CONFLICT (field, value, id) DO NOTHING"
            )
        });
        run(manager, &["$POSTGRES SET LOCAL statement_timeout = 0".to_owned()]).await?;
        run(manager, &fill).await
    }
}

/// Lists sort and filter by the score of the reviews.
struct Scores;

impl MigrationName for Scores {
    fn name(&self) -> &'static str {
        "m20261130_000012_labs_scores"
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
        "m20261130_000040_labs_waiting"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Waiting {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_waiting::<crate::designation::Designations>(manager).await
    }
}

/// Rows know the numbers of their last changes.
struct Sequences;

impl MigrationName for Sequences {
    fn name(&self) -> &'static str {
        "m20261130_000050_labs_sequences"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Sequences {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["organizations", "labs", "lab_designations"] {
            add_sequence(manager, table).await?;
        }
        Ok(())
    }
}
