//! The tables of the talent service.

use mingce_lifecycle::schema::{COLUMNS, add_columns, add_review_score, add_waiting};
use mingce_orm::migration::refill::add_sequence;
use mingce_orm::migration::schema::Sql::{Integer, Text};
use mingce_orm::migration::schema::{Migration, resource, run};
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
            Migration::new("m20261124_000002_talent", |manager| Box::pin(tables(manager))),
            Migration::new("m20261124_000003_talent_cases", |manager| Box::pin(cases(manager))),
            Migration::new("m20261129_000009_talent_duplicates", |manager| {
                Box::pin(duplicates(manager))
            }),
            Migration::new("m20261130_000012_talent_scores", |manager| Box::pin(scores(manager))),
            Migration::new("m20261130_000040_talent_waiting", |manager| Box::pin(waiting(manager))),
            Migration::new("m20261130_000050_talent_sequences", |manager| {
                Box::pin(sequences(manager))
            }),
        ]
    }
    fn migration_table_name() -> DynIden {
        "mingce_talent_migrations".into_iden()
    }
}

async fn tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
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

/// What designations need for their life cycle, and the tables of nominating bodies and recommendations.
async fn cases(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
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

/// The index by which persons that share an identifier in another spelling are found.
async fn duplicates(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, &index("talents")).await
}

/// Lists sort and filter by the score of the reviews.
async fn scores(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_review_score::<Designations>(manager).await
}

/// What waits without a day, and what falls due of records.
async fn waiting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_waiting::<crate::designation::Designations>(manager).await?;
    add_waiting::<crate::body::NominatingBodies>(manager).await?;
    add_waiting::<crate::recommendation::Recommendations>(manager).await
}

/// Rows know the numbers of their last changes.
async fn sequences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
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
