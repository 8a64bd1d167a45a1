//! The tables that the cases of all services share: policies, rounds, notices, objections, panels and reviews.

use mingce_orm::migration::refill::{add_sequence, refill};
use mingce_orm::migration::schema::Sql::{self, Integer, Text};
use mingce_orm::migration::schema::{Migration, resource, run};
use mingce_orm::model::normalize::enum_values;
use mingce_orm::{Cell, Collection, Column, Field};
use sea_orm_migration::prelude::*;

use crate::case::Case;
use crate::document;
use crate::due::falls;
use crate::objection::Objections;
use crate::panel::Panels;
use crate::review::Reviews;

/// The migrations of the shared tables, which services that share a database share.
#[derive(Debug)]
pub struct Schema;

#[async_trait::async_trait]
impl MigratorTrait for Schema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Migration::new("m20261124_000003_cases", |manager| Box::pin(tables(manager))),
            Migration::new("m20261130_000040_cases_waiting", |manager| Box::pin(waiting(manager))),
            Migration::new("m20261130_000050_cases_sequences", |manager| {
                Box::pin(sequences(manager))
            }),
        ]
    }
    fn migration_table_name() -> DynIden {
        "mingce_cases_migrations".into_iden()
    }
}

async fn tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let policies = [
        ("kind", Integer),
        ("level", Integer),
        ("programme", Text),
        ("version", Text),
        ("start_date", Text),
    ];
    let rounds = [
        ("display_name", Text),
        ("kind", Integer),
        ("level", Integer),
        ("programme", Text),
        ("year", Integer),
        ("policy", Text),
        ("start_date", Text),
        ("end_date", Text),
        ("state", Integer),
        ("due_date", Text),
        ("due", Integer),
    ];
    let notices = [
        ("case_name", Text),
        ("kind", Integer),
        ("round", Text),
        ("start_date", Text),
        ("end_date", Text),
    ];
    let objections = [
        ("case_name", Text),
        ("notice", Text),
        ("state", Integer),
        ("file_date", Text),
        ("named", Integer),
    ];
    let panels = [("display_name", Text), ("kind", Integer), ("state", Integer)];
    let reviews = [("panel", Text), ("case_name", Text), ("reviewer", Text)];
    run(manager, &resource("policies", &policies, false, &["kind"])).await?;
    run(manager, &resource("rounds", &rounds, false, &["due_date"])).await?;
    run(
        manager,
        &resource("notices", &notices, false, &["case_name", "start_date"]),
    )
    .await?;
    run(manager, &resource("objections", &objections, true, &["case_name"])).await?;
    run(manager, &resource("panels", &panels, false, &[])).await?;
    run(manager, &resource("reviews", &reviews, true, &["panel"])).await
}

/// What falls due of objections, panels and reviews.
async fn waiting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in [Objections::TABLE, Reviews::TABLE] {
        let statements = [
            format!("ALTER TABLE {table} ADD COLUMN due_date $TEXT NOT NULL DEFAULT ''"),
            format!("CREATE INDEX {table}_by_due ON {table} (due_date, id) WHERE due_date <> ''"),
        ];
        run(manager, &statements).await?;
    }
    for table in [Objections::TABLE, Reviews::TABLE, Panels::TABLE] {
        add_since(manager, table).await?;
    }
    let on = manager.get_connection();
    refill::<Objections>(on, &["due_since"], "due_since = ''").await?;
    refill::<Reviews>(on, &["due_since"], "due_since = ''").await?;
    refill::<Panels>(on, &["due_since"], "due_since = ''").await
}

/// Rows know the numbers of their last changes.
async fn sequences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["policies", "rounds", "notices", "objections", "panels", "reviews"] {
        add_sequence(manager, table).await?;
    }
    Ok(())
}

/// The columns that every kind of case has of its way, for its table.
pub const COLUMNS: [(&str, Sql); 4] = [
    ("case_round", Text),
    ("case_policy", Text),
    ("due_date", Text),
    ("due", Integer),
];

/// Statements that add these columns, and others, to a table of earlier versions.
pub fn add_columns(table: &str, others: &[(&str, Sql)]) -> Vec<String> {
    let mut statements: Vec<String> = COLUMNS
        .iter()
        .chain(others)
        .map(|(name, kind)| {
            let kind = match kind {
                Text => "$TEXT NOT NULL DEFAULT ''",
                Integer => "BIGINT NOT NULL DEFAULT 0",
            };
            format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")
        })
        .collect();
    statements.push(format!("CREATE INDEX {table}_by_round ON {table} (case_round, id)"));
    statements.push(format!("CREATE INDEX {table}_by_due ON {table} (due_date, id)"));
    statements
}

/// Brings the column of the score to the table of a kind that is reviewed, with the scores that there are.
///
/// # Errors
/// Where a row cannot be read or written.
pub async fn add_review_score<C: Case + Collection>(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = C::TABLE;
    let add = format!("ALTER TABLE {table} ADD COLUMN {SCORE} BIGINT NOT NULL DEFAULT 0");
    run(manager, &["$POSTGRES SET LOCAL statement_timeout = 0".to_owned(), add]).await?;
    // Nothing is reviewed outside of a round.
    refill::<C>(manager.get_connection(), &[SCORE], "case_round <> ''").await
}

const SCORE: &str = "review_score";

/// The score of a kind that is reviewed, as a collection declares it.
pub fn score<C: Case + Collection>() -> Field<C> {
    Field {
        column: Column::hundredths(SCORE)
            .from_fields(&["case.review_score"])
            .groupable(),
        get: |item| C::facts(item).map_or(0, |f| f.review_score).into(),
    }
}

/// Adds the column of what waits without a day, and fills what falls due of the cases that are there. What a record says of it was in no
/// column before.
///
/// # Errors
/// Where the database refuses it.
pub async fn add_waiting<C: Collection>(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_since(manager, C::TABLE).await?;
    refill::<C>(
        manager.get_connection(),
        &["due_date", "due", "due_since"],
        "due_date = ''",
    )
    .await
}

async fn add_since(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let statements = [
        "$POSTGRES SET LOCAL statement_timeout = 0".to_owned(),
        format!("ALTER TABLE {table} ADD COLUMN due_since $TEXT NOT NULL DEFAULT ''"),
        format!("CREATE INDEX {table}_by_since ON {table} (due_since, id) WHERE due_since <> ''"),
    ];
    run(manager, &statements).await
}

/// The same columns as a collection declares them.
pub fn fields<C: Case + Collection>() -> Vec<Field<C>> {
    vec![
        Field {
            column: Column::resource("case_round", "rounds/{id}")
                .from_fields(&["case.round"])
                .groupable(),
            get: |item| C::facts(item).map_or("", |f| f.round.as_str()).into(),
        },
        Field {
            column: Column::resource("case_policy", "policies/{id}")
                .from_fields(&["case.policy"])
                .groupable(),
            get: |item| C::facts(item).map_or("", |f| f.policy.as_str()).into(),
        },
        Field {
            column: Column::date("due_date").from_fields(&["case.due_date"]),
            get: |item| falls::<C>(item).date.as_str().into(),
        },
        Field {
            column: Column::one_of("due", enum_values("mingce.registry.v1.DueKind"))
                .from_fields(&["case.due"])
                .groupable(),
            get: |item| falls::<C>(item).due.into(),
        },
        Field {
            column: Column::date("due_since").from_fields(&["case.due_date", "case.state_date"]),
            get: |item| falls::<C>(item).since.as_str().into(),
        },
        Field {
            column: document::column(),
            get: |item| Cell::many(C::documents(item).iter().map(|d| d.number.as_str())),
        },
    ]
}
