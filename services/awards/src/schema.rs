//! The tables of the awards service.

use mingce_lifecycle::schema::{add_columns, add_review_score, add_waiting};
use mingce_orm::migration::refill::add_sequence;
use mingce_orm::migration::schema::Sql::{Integer, Text};
use mingce_orm::migration::schema::{Migration, copy_values, resource, run};
use sea_orm_migration::prelude::*;

use crate::award::Awards;

/// The migrations of this service.
#[derive(Debug)]
pub struct Schema;

#[async_trait::async_trait]
impl MigratorTrait for Schema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Migration::new("m20261124_000002_awards", |manager| Box::pin(tables(manager))),
            Migration::new("m20261124_000003_awards_cases", |manager| Box::pin(cases(manager))),
            Migration::new("m20261130_000012_awards_scores", |manager| Box::pin(scores(manager))),
            Migration::new("m20261130_000040_awards_waiting", |manager| Box::pin(waiting(manager))),
            Migration::new("m20261130_000050_awards_sequences", |manager| {
                Box::pin(sequences(manager))
            }),
        ]
    }
    fn migration_table_name() -> DynIden {
        "mingce_awards_migrations".into_iden()
    }
}

async fn tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
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

/// What awards need for their life cycle; and organizations that joined in those that are there already: the completing ones beside the
/// one that led.
async fn cases(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut statements = add_columns("awards", &[("public_safety", Integer), ("nominator", Text)]);
    statements.push(copy_values(
        "awards",
        "completing_organizations",
        "joined_organizations",
        "lead_organization",
    ));
    run(manager, &statements).await
}

/// Lists sort and filter by the score of the reviews.
async fn scores(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_review_score::<Awards>(manager).await
}

/// What waits without a day, and what falls due of records.
async fn waiting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_waiting::<crate::award::Awards>(manager).await
}

/// Rows know the numbers of their last changes.
async fn sequences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["schemes", "awards"] {
        add_sequence(manager, table).await?;
    }
    Ok(())
}
