//! The tables of the awards service.

use mingce_lifecycle::schema::{add_columns, add_review_score, add_waiting};
use mingce_orm::migration::refill::add_sequence;
use mingce_orm::migration::schema::Sql::{Integer, Text};
use mingce_orm::migration::schema::{resource, run};
use sea_orm_migration::prelude::*;

use crate::award::Awards;

/// The migrations of this service.
#[derive(Debug)]
pub struct Schema;

#[async_trait::async_trait]
impl MigratorTrait for Schema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Tables),
            Box::new(Cases),
            Box::new(Scores),
            Box::new(Waiting),
            Box::new(Sequences),
        ]
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

/// What awards need for their life cycle.
struct Cases;

impl MigrationName for Cases {
    fn name(&self) -> &'static str {
        "m20261124_000003_awards_cases"
    }
}

/// Organizations that joined in the awards that are there already: the completing ones beside the one that led.
const JOINED: &str = "INSERT INTO awards_values (field, value, id) SELECT 'joined_organizations', v.value, v.id \
                      FROM awards_values v JOIN awards a ON a.id = v.id \
                      WHERE v.field = 'completing_organizations' AND v.value <> a.lead_organization";

#[async_trait::async_trait]
impl MigrationTrait for Cases {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut statements = add_columns("awards", &[("public_safety", Integer), ("nominator", Text)]);
        statements.push(JOINED.to_owned());
        run(manager, &statements).await
    }
}

/// Lists sort and filter by the score of the reviews.
struct Scores;

impl MigrationName for Scores {
    fn name(&self) -> &'static str {
        "m20261130_000012_awards_scores"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Scores {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_review_score::<Awards>(manager).await
    }
}

/// What waits without a day, and what falls due of records.
struct Waiting;

impl MigrationName for Waiting {
    fn name(&self) -> &'static str {
        "m20261130_000040_awards_waiting"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Waiting {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_waiting::<crate::award::Awards>(manager).await
    }
}

/// Rows know the numbers of their last changes.
struct Sequences;

impl MigrationName for Sequences {
    fn name(&self) -> &'static str {
        "m20261130_000050_awards_sequences"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Sequences {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["schemes", "awards"] {
            add_sequence(manager, table).await?;
        }
        Ok(())
    }
}
