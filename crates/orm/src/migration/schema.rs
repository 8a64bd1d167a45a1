//! Tables: how they are made by migrations, and whether a database holds those that this program knows.

use std::pin::Pin;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::MigrationStatus;
use sea_orm_migration::prelude::*;

use crate::db::database::Db;
use crate::db::settings;
use crate::error::{Class, Error, Result};
use crate::model::vault::Vault;

/// The type of a column in a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sql {
    /// Text, compared byte by byte on both databases.
    Text,
    /// 64 bits. Also enum numbers, times and booleans.
    Integer,
}

/// Runs statements in which words stand for what the database calls them: `$TEXT`, `$BYTES`, `$ID` (the id of a
/// resource, on SQLite beside a serial number), `$SEQUENCE` (a key that is a number), `$TOKENS` (the search tokens of a row,
/// where they are a column) and `$COMPACT` (the end of a table that is found by its key only). One that begins with
/// `$SQLITE` or `$POSTGRES` is for this database alone. Why not the builders of sea-query: docs/adr/0050-sea-orm.md.
pub async fn run(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let (own, other, words) = match connection.get_database_backend() {
        DbBackend::Postgres => ("$POSTGRES ", "$SQLITE ", POSTGRES),
        _ => ("$SQLITE ", "$POSTGRES ", SQLITE),
    };
    for statement in statements.iter().filter(|statement| !statement.starts_with(other)) {
        let statement = statement.strip_prefix(own).unwrap_or(statement).to_owned();
        let text = words
            .iter()
            .fold(statement, |text, (word, name)| text.replace(word, name));
        connection.execute_unprepared(&text).await?;
    }
    Ok(())
}

const SQLITE: [(&str, &str); 6] = [
    ("$ID", "serial INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE"),
    ("$SEQUENCE", "INTEGER PRIMARY KEY"),
    ("$TOKENS", ""),
    ("$TEXT", "TEXT"),
    ("$BYTES", "BLOB"),
    ("$COMPACT", " WITHOUT ROWID"),
];
const POSTGRES: [(&str, &str); 6] = [
    ("$ID", "id TEXT COLLATE \"C\" NOT NULL PRIMARY KEY"),
    ("$SEQUENCE", "BIGINT NOT NULL PRIMARY KEY"),
    ("$TOKENS", ", tokens TSVECTOR NOT NULL"),
    ("$TEXT", "TEXT COLLATE \"C\""),
    ("$BYTES", "BYTEA"),
    ("$COMPACT", ""),
];

/// A migration: its name, which is never changed, and what it does. All of it is done or nothing, on SQLite too: a start that is killed
/// begins anew.
pub struct Migration {
    name: &'static str,
    up: Up,
}

/// What a migration does.
pub type Up = for<'a> fn(&'a SchemaManager<'a>) -> Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send + 'a>>;

impl Migration {
    /// One of the list of a migrator.
    #[expect(clippy::new_ret_no_self, reason = "a migrator has a list of boxes")]
    pub fn new(name: &'static str, up: Up) -> Box<dyn MigrationTrait> {
        Box::new(Self { name, up })
    }
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        (self.up)(manager).await
    }
}

/// The tables of a resource: its own, and those of its several-valued fields and keys; and its search index.
pub fn resource(table: &str, columns: &[(&str, Sql)], sealed: bool, indexed: &[&str]) -> Vec<String> {
    let own: String = columns
        .iter()
        .map(|(name, kind)| {
            format!(
                "{name} {} NOT NULL, ",
                if *kind == Sql::Text { "$TEXT" } else { "BIGINT" }
            )
        })
        .collect();
    let sealed = if sealed { ", sealed $BYTES NOT NULL" } else { "" };
    let mut statements = vec![
        format!(
            "CREATE TABLE {table} ($ID, name $TEXT NOT NULL, revision BIGINT NOT NULL, \
             record_status BIGINT NOT NULL, survivor $TEXT NOT NULL, create_time BIGINT NOT NULL, \
             update_time BIGINT NOT NULL, sort_key $TEXT NOT NULL, {own}body $BYTES NOT NULL{sealed}$TOKENS)"
        ),
        format!("CREATE INDEX {table}_by_name ON {table} (record_status, sort_key, id)"),
        format!("CREATE INDEX {table}_by_survivor ON {table} (survivor) WHERE survivor <> ''"),
        format!(
            "CREATE TABLE {table}_values (field $TEXT NOT NULL, value $TEXT NOT NULL, id $TEXT NOT NULL, \
             PRIMARY KEY (field, value, id))$COMPACT"
        ),
        format!("CREATE TABLE {table}_keys (key $TEXT NOT NULL PRIMARY KEY, id $TEXT NOT NULL)$COMPACT"),
    ];
    statements.extend(crate::search_index::index::statements(table));
    statements.extend(
        indexed
            .iter()
            .map(|column| format!("CREATE INDEX {table}_by_{column} ON {table} ({column}, id)")),
    );
    statements
}

/// Gives the rows `t` of a table a value of a field with several: an expression over their columns, where a condition holds.
pub fn fill_values(table: &str, field: &str, value: &str, condition: &str) -> String {
    format!(
        "INSERT INTO {table}_values (field, value, id) SELECT '{field}', {value}, t.id FROM {table} t WHERE {condition} \
         ON CONFLICT (field, value, id) DO NOTHING"
    )
}

/// Gives them the values of another field, but for the one that a column has.
pub fn copy_values(table: &str, from: &str, field: &str, column: &str) -> String {
    format!(
        "INSERT INTO {table}_values (field, value, id) SELECT '{field}', v.value, v.id FROM {table}_values v \
         JOIN {table} t ON t.id = v.id WHERE v.field = '{from}' AND v.value <> t.{column} \
         ON CONFLICT (field, value, id) DO NOTHING"
    )
}

/// Brings the tables of a migrator to this program's version. Without `migrate` only where there are none yet.
///
/// # Errors
/// Where they are of another version, or were written with other search tokens.
pub async fn prepare<M: MigratorTrait>(db: &Db, migrate: bool) -> Result<()> {
    make::<M>(db, migrate).await?;
    expect_text(db, crate::text::VERSION).await
}

/// Refuses a register whose search tokens and sort keys were made by a later version of [`crate::text`]; a new one notes this one.
/// Those of an earlier one are made anew by [`crate::migration::renew`], which notes the new version.
pub(crate) async fn expect_text(db: &Db, version: &str) -> Result<()> {
    if settings::value(db.owner(), "text").await?.is_none() {
        settings::note_first(db.owner(), "text", version).await?;
    }
    match settings::value(db.owner(), "text").await? {
        // What earlier versions made is made anew, collection by collection: crate::migration::renew.
        Some(found) if found.parse::<u32>().ok() > version.parse().ok() => {
            let said = format!(
                "the search index was made by version {found} of the rules for texts, and this program has version {version}: use the \
                 program that wrote it, or a newer one"
            );
            Err(Error::new(Class::Precondition, "INDEX_OUTDATED", said))
        }
        _ => Ok(()),
    }
}

async fn make<M: MigratorTrait>(db: &Db, migrate: bool) -> Result<()> {
    let (mut attempt, mut waited, mut first, mut is_new) = (0, 0, None, false);
    loop {
        let status = M::get_migration_with_status_read_only(db.owner())
            .await
            .map_err(|error| {
                if let Some(trouble) = crate::db::fault::note(&error) {
                    return trouble.into();
                }
                let said = format!(
                    "the database has tables that this version of mingce does not know ({error}): use a newer version"
                );
                Error::new(Class::Precondition, "SCHEMA_UNKNOWN", said)
            })?;
        let pending = status.iter().filter(|m| m.status() == MigrationStatus::Pending).count();
        if pending == 0 {
            return Ok(());
        }
        // Who saw none of them makes all of them, beside others who do so at this moment.
        is_new |= pending == status.len();
        if !is_new && !migrate {
            if waited < 5 {
                waited += 1;
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
            let said = "the database is of an earlier version of mingce: stop what uses it, back it up and run `mingce migrate`";
            return Err(Error::new(Class::Precondition, "SCHEMA_OUTDATED", said));
        }
        attempt += 1;
        match M::up(db.owner(), None).await {
            Ok(()) => return Ok(()),
            // Another process may be making the same tables at this moment.
            Err(error) if attempt < 10 && !crate::db::fault::is_full(&error) => {
                first.get_or_insert(error);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) if crate::db::fault::is_full(&error) => return Err(error.into()),
            Err(error) => {
                let why = first.unwrap_or(error);
                return Err(Error::internal(format!("the tables cannot be made: {why}")));
            }
        }
    }
}

/// Refuses a database that holds something else. Reads only.
pub async fn recognise(db: &Db) -> Result<()> {
    known(&tables(db).await?)
}

async fn tables(db: &Db) -> Result<Vec<String>> {
    // SQL: each database has its own catalogue.
    let text = match db.backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    crate::db::statement::first::<String>(&db.owner().query_all_raw(db.sql(text, [])).await?)
}

pub use crate::db::inspect::recognise_file;

fn known(tables: &[String]) -> Result<()> {
    if crate::db::inspect::is_register(tables) {
        return Ok(());
    }
    let said = "the database holds other tables and no register: give mingce a database of its own";
    Err(Error::new(Class::Precondition, "DATABASE_FOREIGN", said))
}

/// Whether the register has been sealed with a master key. One without tables has not.
pub async fn is_sealed(db: &Db) -> Result<bool> {
    if !tables(db).await?.iter().any(|table| table == "settings") {
        return Ok(false);
    }
    Ok(settings::value(db.owner(), "vault").await?.is_some())
}

/// Notes which master key a register is sealed with, or refuses another one.
pub async fn expect_vault(db: &Db, vault: &Vault) -> Result<()> {
    settings::note_first(db.owner(), "vault", &vault.fingerprint()).await?;
    let noted = settings::value(db.owner(), "vault").await?;
    if noted.as_deref() == Some(&vault.fingerprint()) {
        return expect_sealing_key(db, vault).await;
    }
    let said = "the register was sealed with another master key: give the key file that belongs to it";
    Err(Error::new(Class::Precondition, "MASTER_KEY_OTHER", said))
}

/// Whether the tables of a resource have just the columns that it declares. For tests of services.
pub async fn differences(db: &Db, kind: &crate::model::kind::Kind) -> Result<Vec<String>> {
    // SQL: both ask the database itself for what it knows of a table, and SQLite takes a name in quotes that it does not find for a
    // text.
    let text = format!(
        "SELECT {} FROM {} LIMIT 0",
        crate::write::persist::columns(kind).join(", "),
        kind.table
    );
    let mut wrong = Vec::new();
    if let Err(error) = db.read.query_all_raw(db.sql(&text, [])).await {
        wrong.push(error.to_string());
    }
    let mut declared = crate::write::persist::columns(kind);
    declared.extend(["serial", "tokens"]);
    let text = match db.backend() {
        DbBackend::Postgres => {
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = ? AND table_schema = current_schema()"
        }
        _ => "SELECT name FROM pragma_table_info(?)",
    };
    for column in
        crate::db::statement::first::<String>(&db.read.query_all_raw(db.sql(text, [kind.table.into()])).await?)?
    {
        if !declared.contains(&column.as_str()) {
            wrong.push(format!("{}.{column} is declared nowhere", kind.table));
        }
    }
    Ok(wrong)
}

/// Notes which key seals, or refuses a file without the one that has sealed until now.
async fn expect_sealing_key(db: &Db, vault: &Vault) -> Result<()> {
    let noted = settings::value(db.owner(), "sealing_key").await?;
    if let Some(noted) = &noted
        && !vault.has_key(noted)
    {
        let said = "the key file lacks the master key that the register seals with now: it is older than the last change of \
                    keys; give the present one";
        return Err(Error::new(Class::Precondition, "MASTER_KEY_OTHER", said));
    }
    let now = vault.sealing_key();
    if noted.as_ref() != Some(&now) {
        settings::note(db.owner(), "sealing_key", &now).await?;
    }
    Ok(())
}
