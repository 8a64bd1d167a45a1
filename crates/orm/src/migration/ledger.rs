//! The tables of the ledger, which services that share a database share.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::prelude::*;

use crate::migration::m000005_index;
use crate::migration::refill::add_sequence;
use crate::migration::schema::{Migration, run};
use crate::search_index::index::merged_later;

/// The migrations of the ledger, which services that share a database share.
#[derive(Debug)]
pub struct Ledger;

#[async_trait::async_trait]
impl MigratorTrait for Ledger {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Migration::new("m20261124_000002_ledger", |manager| Box::pin(ledger_tables(manager))),
            Migration::new("m20261124_000004_places", |manager| Box::pin(places(manager))),
            Migration::new("m20261128_000005_index", |manager| Box::pin(index(manager))),
            Migration::new("m20261128_000006_sections", |manager| Box::pin(sections(manager))),
            Migration::new("m20261129_000007_keyed_requests", |manager| {
                Box::pin(keyed_requests(manager))
            }),
            Migration::new("m20261129_000008_kept", |manager| Box::pin(kept(manager))),
            Migration::new("m20261129_000009_survivors", |manager| Box::pin(survivors(manager))),
            Migration::new("m20261130_000010_imports", |manager| Box::pin(imports(manager))),
            Migration::new("m20261130_000050_ledger_sequences", |manager| {
                Box::pin(sequences(manager))
            }),
            Migration::new("m20261130_000060_ledger_verbs", |manager| Box::pin(verbs(manager))),
            Migration::new("m20261130_000070_segments", |manager| Box::pin(segments(manager))),
        ]
    }
    fn migration_table_name() -> DynIden {
        "mingce_ledger_migrations".into_iden()
    }
}

async fn ledger_tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let statements = [
        "CREATE TABLE ledger (sequence $SEQUENCE, resource $TEXT NOT NULL, revision BIGINT NOT NULL, \
         verb $TEXT NOT NULL, actor $TEXT NOT NULL, reason $TEXT NOT NULL, request_id $TEXT NOT NULL, \
         create_time BIGINT NOT NULL, changed_fields $TEXT NOT NULL, message $TEXT NOT NULL, snapshot $BYTES NOT NULL)",
        "CREATE UNIQUE INDEX ledger_by_resource ON ledger (resource, revision)",
        "CREATE TABLE ledger_head (id BIGINT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL)",
        "INSERT INTO ledger_head (id, sequence) VALUES (1, 0)",
        "CREATE TABLE requests (actor $TEXT NOT NULL, request_id $TEXT NOT NULL, digest $BYTES NOT NULL, \
         resource $TEXT NOT NULL, revision BIGINT NOT NULL, create_time BIGINT NOT NULL, \
         PRIMARY KEY (request_id, actor))",
        "CREATE TABLE settings (name $TEXT NOT NULL PRIMARY KEY, value $TEXT NOT NULL)",
    ];
    run(manager, &statements.map(str::to_owned)).await
}

/// Made the search indexes of SQLite anew, as [`Index`] does now.
async fn places(_manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    Ok(())
}

/// The search indexes of SQLite know rows by numbers in the order of their names, and nothing else of them. It stands with the
/// ledger because that belongs to all.
async fn index(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    match connection.get_database_backend() {
        DbBackend::Postgres => Ok(()),
        _ => crate::migration::m000005_index::renumber(connection).await,
    }
}

/// The search indexes of PostgreSQL know in which section of the order of names a row stands.
async fn sections(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    match connection.get_database_backend() {
        DbBackend::Postgres => crate::migration::m000006_sections::sign_all(connection).await,
        _ => Ok(()),
    }
}

/// Repeated requests are known by a keyed digest. Those from before have one that whoever has the database could try; a call that is
/// repeated over this migration is done again, or refused by what it has done.
async fn keyed_requests(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, &["DELETE FROM requests".to_owned()]).await
}

/// Entries of the ledger are neither changed nor taken out, whoever asks.
async fn kept(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    keep(manager).await
}

async fn keep(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let said = "entries of the ledger are neither changed nor deleted";
    let on_sqlite = ["UPDATE", "DELETE"].map(|verb| {
        format!(
            "$SQLITE CREATE TRIGGER IF NOT EXISTS ledger_no_{} BEFORE {verb} ON ledger BEGIN SELECT RAISE(ABORT, '{said}'); END",
            verb.to_lowercase()
        )
    });
    let on_postgres = [
        format!(
            "$POSTGRES CREATE OR REPLACE FUNCTION ledger_kept() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''{said}''; END'"
        ),
        "$POSTGRES CREATE OR REPLACE TRIGGER ledger_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger \
         FOR EACH STATEMENT EXECUTE FUNCTION ledger_kept()"
            .to_owned(),
    ];
    run(manager, &on_sqlite).await?;
    run(manager, &on_postgres).await
}

/// Which record stands for another is known in one table for all collections.
async fn survivors(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, &crate::query::survivors::statements()).await?;
    crate::query::survivors::gather(manager.get_connection()).await
}

/// Imports are records, and the entries of the ledger say which of them made a change. Those from before belong to none.
async fn imports(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, &crate::migration::m000010_imports::statements()).await
}

/// The time of the last entry of the ledger, as the next one is later; and imports know the numbers of their last changes.
async fn sequences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let statements = [
        "$POSTGRES SET LOCAL statement_timeout = 0",
        "ALTER TABLE ledger_head ADD COLUMN time BIGINT NOT NULL DEFAULT 0",
        "UPDATE ledger_head SET time = COALESCE((SELECT MAX(create_time) FROM ledger), 0)",
    ];
    run(manager, &statements.map(str::to_owned)).await?;
    add_sequence(manager, "imports").await
}

/// Changes of a round's caps have other verbs. Only a migration changes what entries say, and only the words.
async fn verbs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let free = [
        "$POSTGRES SET LOCAL statement_timeout = 0",
        "$POSTGRES DROP TRIGGER ledger_kept ON ledger",
        "$SQLITE DROP TRIGGER ledger_no_update",
    ];
    run(manager, &free.map(str::to_owned)).await?;
    let renamed = [
        ("take_place", "use_cap"),
        ("change_place", "change_cap"),
        ("give_back_place", "release_cap"),
    ];
    let renamed = renamed.map(|(old, new)| format!("UPDATE ledger SET verb = '{new}' WHERE verb = '{old}'"));
    run(manager, &renamed).await?;
    keep(manager).await
}

/// The search indexes of SQLite merge their segments later. It stands with the ledger because that belongs to all.
async fn segments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if connection.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    for table in m000005_index::indexed_tables(connection).await? {
        run(manager, &[merged_later(&table)]).await?;
    }
    Ok(())
}
