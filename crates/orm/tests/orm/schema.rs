//! Migrations, and databases that are not ours.

use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::schema::{differences, is_sealed, prepare, recognise, recognise_file};
use mingce_orm::{Collection, Db};
use sea_orm::ConnectionTrait;
use sea_orm_migration::prelude::*;

use crate::collections::{Institutes, Persons, Prizes};
use crate::fixture_db::{FixtureDb, Kind, Tables, TestSchema, block_on, execute, make, number, query, store};
use crate::write_queue::named;

/// The test tables of a later program.
struct LaterTestSchema;

#[async_trait::async_trait]
impl MigratorTrait for LaterTestSchema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables), Box::new(More)]
    }
    fn migration_table_name() -> DynIden {
        TestSchema::migration_table_name()
    }
}

struct More;

impl MigrationName for More {
    fn name(&self) -> &'static str {
        "m20270101_000001_more"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for More {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("CREATE TABLE more (id BIGINT NOT NULL PRIMARY KEY)")
            .await
            .map(|_| ())
    }
}

const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

async fn tables(db: &Db) -> Vec<String> {
    let text = match db.backend() {
        sea_orm::DbBackend::Postgres => {
            "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || COALESCE(collation_name, '') \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1"
        }
        _ => "SELECT name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1",
    };
    query(db, text)
        .await
        .iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

#[test]
fn a_fresh_database_gets_its_tables_and_a_second_start_changes_nothing() {
    for kind in KINDS {
        block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let before = tables(&db).await;
            assert!(!before.is_empty());
            db.close().await;
            let db = fixture.open().await;
            recognise(&db).await.unwrap();
            prepare::<Ledger>(&db, false).await.unwrap();
            prepare::<TestSchema>(&db, false).await.unwrap();
            assert_eq!(tables(&db).await, before);
            for kind in [&Institutes::shape().kind, &Persons::shape().kind, &Prizes::shape().kind] {
                assert_eq!(differences(&db, kind).await.unwrap(), Vec::<String>::new());
            }
        });
    }
}

#[test]
fn processes_that_start_together_make_the_tables_once() {
    // What they do to each other is another thing each time.
    for kind in KINDS.into_iter().cycle().take(8) {
        block_on(async {
            let fixture = FixtureDb::bare(kind).await;
            let start = async || {
                let db = fixture.open().await;
                prepare::<Ledger>(&db, false).await.unwrap();
                prepare::<TestSchema>(&db, false).await.unwrap();
                number(&db, "SELECT COUNT(*) FROM mingce_test_migrations").await
            };
            assert_eq!(tokio::join!(start(), start(), start()), (1, 1, 1), "{kind:?}");
        });
    }
}

#[test]
fn a_column_too_many_or_too_few_is_told() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            execute(&db, "ALTER TABLE prizes ADD COLUMN unknown BIGINT").await;
            assert_eq!(
                differences(&db, &Prizes::shape().kind).await.unwrap(),
                ["prizes.unknown is declared nowhere"]
            );
            execute(&db, "ALTER TABLE persons DROP COLUMN title").await;
            assert_eq!(differences(&db, &Persons::shape().kind).await.unwrap().len(), 1);
        });
    }
}

#[test]
fn a_database_of_a_later_program_is_refused_and_one_of_an_earlier_waits_for_migrate() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let refused = prepare::<LaterTestSchema>(&db, false).await.unwrap_err();
            assert_eq!(refused.reason(), "SCHEMA_OUTDATED");
            prepare::<LaterTestSchema>(&db, true).await.unwrap();
            prepare::<LaterTestSchema>(&db, false).await.unwrap();
            let before = tables(&db).await;
            for migrate in [false, true] {
                let refused = prepare::<TestSchema>(&db, migrate).await.unwrap_err();
                assert_eq!(refused.reason(), "SCHEMA_UNKNOWN");
            }
            assert_eq!(tables(&db).await, before);
        });
    }
}

#[test]
fn other_tables_are_refused_and_left_as_they_are() {
    for kind in KINDS {
        block_on(async {
            let fixture = FixtureDb::bare(kind).await;
            let db = fixture.open().await;
            recognise(&db).await.unwrap();
            assert!(!is_sealed(&db).await.unwrap());
            execute(&db, "CREATE TABLE shop (id BIGINT NOT NULL PRIMARY KEY)").await;
            let before = tables(&db).await;
            assert_eq!(recognise(&db).await.unwrap_err().reason(), "DATABASE_FOREIGN");
            assert_eq!(tables(&db).await, before);
        });
    }
}

#[test]
fn a_file_that_is_no_register_is_refused_and_keeps_every_byte() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        recognise_file(&path).await.unwrap();
        assert!(!path.exists());

        std::fs::write(&path, "this is a letter, and no database at all. ".repeat(200)).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(recognise_file(&path).await.unwrap_err().reason(), "DATABASE_FOREIGN");
        assert_eq!(std::fs::read(&path).unwrap(), before);

        std::fs::remove_file(&path).unwrap();
        let other = Db::sqlite(&path).await.unwrap();
        execute(&other, "PRAGMA journal_mode = DELETE").await;
        execute(&other, "CREATE TABLE shop (id BIGINT NOT NULL PRIMARY KEY)").await;
        other.close().await;
        let before = std::fs::read(&path).unwrap();
        assert_eq!(recognise_file(&path).await.unwrap_err().reason(), "DATABASE_FOREIGN");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "files were laid beside it");

        let (fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        db.close().await;
        recognise_file(&fixture.file()).await.unwrap();
    });
}

#[test]
fn sqlite_is_built_with_a_page_cache_for_each_connection() {
    block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        // `.cargo/config.toml` says so; a build from elsewhere has one cache behind one lock.
        let used = "SELECT sqlite_compileoption_used('ENABLE_MEMORY_MANAGEMENT')";
        assert_eq!(number(&db, used).await, 0);
    });
}

#[test]
fn a_postgresql_that_cannot_be_written_or_has_no_schema_is_told_apart() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        for (setting, reason, word) in [
            (
                "default_transaction_read_only = on",
                "DATABASE_READ_ONLY",
                "default_transaction_read_only",
            ),
            ("search_path = nowhere", "DATABASE_FOREIGN", "search_path"),
        ] {
            let name = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I";
            execute(&db, &format!("{name} SET {setting}', current_database()); END $$")).await;
            let refused = Db::postgres(&fixture.url()).await.unwrap_err();
            assert_eq!(refused.reason(), reason);
            assert!(refused.message().contains(word), "{refused}");
            execute(&db, &format!("{name} RESET ALL', current_database()); END $$")).await;
        }
        fixture.open().await.close().await;
    });
}

#[test]
fn a_register_with_other_search_tokens_is_refused() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            assert_eq!(
                number(&db, "SELECT COUNT(*) FROM settings WHERE name = 'text'").await,
                1
            );
            execute(&db, "UPDATE settings SET value = '1000' WHERE name = 'text'").await;
            for migrate in [false, true] {
                let refused = prepare::<Ledger>(&db, migrate).await.unwrap_err();
                assert_eq!(refused.reason(), "INDEX_OUTDATED");
                assert!(refused.message().contains("a newer one"), "{refused}");
            }
        });
    }
}

#[test]
fn entries_of_the_ledger_are_neither_changed_nor_deleted_by_whoever_asks() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = store(&db);
            make::<Institutes>(&store, named("青岛示例大学", &[])).await;
            for statement in ["UPDATE ledger SET actor = 'nobody'", "DELETE FROM ledger"] {
                let refused = db.owner().execute_unprepared(statement).await.unwrap_err();
                assert!(refused.to_string().contains("neither changed nor deleted"), "{refused}");
            }
            assert_eq!(
                number(&db, "SELECT COUNT(*) FROM ledger WHERE actor = 'user:maker'").await,
                1
            );
        });
    }
}
