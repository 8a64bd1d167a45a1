//! The tables of the labs service.

use mingce_lifecycle::schema::{add_columns, add_review_score, add_waiting};
use mingce_orm::migration::refill::add_sequence;
use mingce_orm::migration::schema::Sql::{Integer, Text};
use mingce_orm::migration::schema::{Migration, fill_values, resource, run};
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
            Migration::new("m20261124_000002_labs", |manager| Box::pin(tables(manager))),
            Migration::new("m20261124_000003_labs_cases", |manager| Box::pin(cases(manager))),
            Migration::new("m20261129_000009_labs_duplicates", |manager| {
                Box::pin(duplicates(manager))
            }),
            Migration::new("m20261129_000010_labs_kinds", |manager| Box::pin(kinds(manager))),
            Migration::new("m20261130_000012_labs_scores", |manager| Box::pin(scores(manager))),
            Migration::new("m20261130_000040_labs_waiting", |manager| Box::pin(waiting(manager))),
            Migration::new("m20261130_000050_labs_sequences", |manager| {
                Box::pin(sequences(manager))
            }),
        ]
    }
    fn migration_table_name() -> DynIden {
        "mingce_labs_migrations".into_iden()
    }
}

async fn tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
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

/// What designations need for their life cycle.
async fn cases(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, &add_columns("lab_designations", &[])).await
}

/// The index by which organizations and labs that share an identifier in another spelling are found.
async fn duplicates(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, &index("organizations")).await?;
    run(manager, &index("labs")).await
}

/// Kinds and parents of organizations have several values: those that there are stand among them.
async fn kinds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let fill = [
        fill_values("organizations", "kinds", "CAST(t.kind AS TEXT)", "t.kind <> 0"),
        fill_values("organizations", "parents", "t.parent", "t.parent <> ''"),
    ];
    run(manager, &["$POSTGRES SET LOCAL statement_timeout = 0".to_owned()]).await?;
    run(manager, &fill).await
}

/// Lists sort and filter by the score of the reviews.
async fn scores(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_review_score::<Designations>(manager).await
}

/// What waits without a day, and what falls due of records.
async fn waiting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_waiting::<crate::designation::Designations>(manager).await
}

/// Rows know the numbers of their last changes.
async fn sequences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["organizations", "labs", "lab_designations"] {
        add_sequence(manager, table).await?;
    }
    Ok(())
}
