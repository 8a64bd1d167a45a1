//! The order of names in the search indexes: rowids of FTS5, buckets of GIN, and registers from before them.

use std::time::{Duration, Instant};

use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::schema::prepare;
use mingce_orm::{Db, Mask, Store};
use mingce_proto::Classes;
use mingce_proto::labs::Organization;

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, block_on, execute, query};
use crate::invariants;
use crate::search::{expected_hits, search_all};

/// Takes a table back to how it was: an index that keeps how long texts are, with these numbers of rows.
const BEFORE: &[&str] = &[
    "CREATE VIRTUAL TABLE temp.was USING fts5vocab(main, {table}_search, instance)",
    "CREATE TABLE temp.tokens AS SELECT w.doc & {number} AS number, group_concat(w.term, ' ') AS tokens FROM temp.was w \
     GROUP BY w.doc",
    "DROP TABLE temp.was",
    "DROP TABLE {table}_search",
    "CREATE VIRTUAL TABLE {table}_search USING fts5(tokens, content='', contentless_delete=1, detail=none, tokenize='ascii')",
    "INSERT INTO {table}_search (rowid, tokens) SELECT number, tokens FROM temp.tokens",
    "DROP TABLE temp.tokens",
];

/// Takes away what came later.
const SINCE: &[&str] = &[
    "DROP TABLE survivors",
    "DROP TABLE imports",
    "DROP TABLE imports_values",
    "DROP TABLE imports_keys",
    "DROP TABLE imports_search",
    "DROP TABLE import_seen",
    "DROP INDEX ledger_by_import",
    "ALTER TABLE ledger DROP COLUMN import",
    "ALTER TABLE ledger_head DROP COLUMN time",
];

const NAMES: [&str; 9] = [
    "青岛大学",
    "中国海洋大学",
    "清华大学",
    "清华大学",
    "Ocean University",
    "北京大学",
    "1号",
    "青岛科技大学",
    "\u{1f600}",
];

async fn make_all(store: &Store) {
    for display_name in NAMES {
        let made = Organization {
            display_name: display_name.into(),
            ..Organization::default()
        };
        fixture_db::make::<Institutes>(store, made).await;
    }
}

/// Takes the tokens of a table of PostgreSQL back to how they were: without the prefixes of buckets.
const UNPREFIXED: &str = "UPDATE {table} SET tokens = array_to_tsvector(ARRAY(SELECT CASE WHEN left(token, 1) IN ('＝', '＃') \
    THEN token ELSE substr(token, 2) END FROM unnest(tsvector_to_array(tokens)) token))";

#[test]
fn tokens_of_an_earlier_register_get_their_bucket_prefixes_on_postgres() {
    block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Postgres).await;
        let store = fixture_db::store(&db);
        make_all(&store).await;
        let everything = invariants::check(&db).await;
        let hits = search_all(&store, "大学", 2).await;
        assert_eq!(hits.len(), 6);
        for table in ["institutes", "persons", "prizes"] {
            execute(&db, &UNPREFIXED.replace("{table}", table)).await;
        }
        assert_eq!(search_all(&store, "大学", 2).await, []);
        execute(
            &db,
            "DELETE FROM mingce_ledger_migrations WHERE version LIKE '%sections'",
        )
        .await;
        let refused = prepare::<Ledger>(&db, false).await.unwrap_err();
        assert_eq!(refused.reason(), "SCHEMA_OUTDATED");
        prepare::<Ledger>(&db, true).await.unwrap();
        assert_eq!(invariants::check(&db).await, everything);
        assert_eq!(search_all(&store, "大学", 2).await, hits);
        fixture_db::make::<Institutes>(&store, everything[0].clone()).await;
        invariants::check(&db).await;
        let indexes =
            "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE '%by_token'";
        // Those of three collections, and of imports.
        assert_eq!(fixture_db::number(&db, indexes).await, 4);
    });
}

#[test]
fn rows_of_an_earlier_register_get_their_rowids_and_the_index_goes_by_them() {
    block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        make_all(&store).await;
        let everything = invariants::check(&db).await;
        let hits = search_all(&store, "大学", 2).await;
        assert_eq!(hits.len(), 6);

        // Rows were known by their serial numbers first, and then as now.
        for (number, migrations) in [("134217727", "%"), ("-1", "%index")] {
            for table in ["institutes", "persons", "prizes"] {
                for statement in BEFORE {
                    execute(&db, &statement.replace("{table}", table).replace("{number}", number)).await;
                }
            }
            if migrations == "%" {
                for statement in SINCE {
                    execute(&db, statement).await;
                }
            }
            let undone = format!(
                "DELETE FROM mingce_ledger_migrations WHERE version LIKE '{migrations}' AND version NOT LIKE '%ledger'"
            );
            execute(&db, &undone).await;
            let count = "SELECT count(*) FROM institutes_search_docsize";
            let refused = prepare::<Ledger>(&db, false).await.unwrap_err();
            assert_eq!(refused.reason(), "SCHEMA_OUTDATED");
            assert_eq!(fixture_db::number(&db, count).await, 9);

            prepare::<Ledger>(&db, true).await.unwrap();
            assert_eq!(invariants::check(&db).await, everything);
            assert_eq!(search_all(&store, "大学", 2).await, hits);
        }
        fixture_db::make::<Institutes>(&store, everything[0].clone()).await;
        invariants::check(&db).await;
    });
}

#[test]
fn all_namesakes_are_found_by_pages_and_renamed_ones_no_longer() {
    block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        let name = |display_name: &str| Organization {
            display_name: display_name.into(),
            ..Organization::default()
        };
        let mut made = Vec::new();
        for _ in 0..3 {
            let mut together = tokio::task::JoinSet::new();
            for _ in 0..60 {
                let (store, name) = (store.clone(), name("清华大学"));
                together.spawn(async move { fixture_db::make::<Institutes>(&store, name).await });
            }
            made.extend(together.join_all().await);
            fixture_db::make::<Institutes>(&store, name("清华大学分校")).await;
        }
        for size in [1, 7, 50, 181, 183, 1000] {
            let everything = invariants::check(&db).await;
            let hits = search_all(&store, "清华", size).await;
            assert_eq!(hits, expected_hits(&everything, "清华"), "{size}");
            let Some(one) = made.pop() else { return };
            let renamed = Organization {
                display_name: "北京大学".into(),
                ..one
            };
            let mask = Mask::parse::<Institutes>(&["display_name".into()], &renamed, Classes::ALL).unwrap();
            let renamed = store
                .update::<Institutes>(&fixture_db::cx("user:x"), fixture_db::call(), renamed, mask)
                .await;
            assert_eq!(renamed.read().unwrap().display_name, "北京大学");
        }
        assert_eq!(search_all(&store, "清华", 7).await.len(), 177);
        assert_eq!(search_all(&store, "北京", 7).await.len(), 6);
    });
}

#[test]
fn hits_of_one_order_code_come_in_the_order_of_their_names_and_annulled_ones_are_skipped() {
    block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        let make = async |display_name: String| {
            let made = Organization {
                display_name,
                ..Organization::default()
            };
            fixture_db::make::<Institutes>(&store, made).await
        };
        // So long that they differ behind what an order code can tell, made in the reverse of their order.
        for number in (0..80).rev() {
            make(format!("中国科学院海洋研究所实验室{number:02}")).await;
        }
        // Before and behind them others, most of them annulled.
        for number in 0..120 {
            let made = make(format!("{}海洋{number:03}号", ["安", "周"][number % 2])).await;
            if number % 20 > 1 {
                let cx = fixture_db::cx("user:x");
                let annulled = store
                    .annul::<Institutes>(&cx, fixture_db::call(), &made.name, "", "why")
                    .await;
                annulled.read().unwrap();
            }
        }
        let everything = invariants::check(&db).await;
        let right = expected_hits(&everything, "海洋");
        assert_eq!(right.len(), 92);
        for size in [1, 7, 40, 92, 1000] {
            assert_eq!(search_all(&store, "海洋", size).await, right, "{size}");
        }
    });
}

/// Waits until a statement that cleans a pending list has begun after this and has ended. Waits 10 seconds at most, as
/// one may have begun just before. To ask for the length of the list would clean it.
async fn expect_cleaning(other: &Db) {
    let now = query(other, "SELECT clock_timestamp()::text").await;
    let now: String = now[0].try_get_by_index(0).unwrap();
    let cleaned = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' \
         AND query LIKE 'SELECT gin_clean%' AND query_start > '{now}'"
    );
    let until = Instant::now() + Duration::from_secs(10);
    while fixture_db::number(other, &cleaned).await == 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn the_pending_list_of_postgres_is_cleaned_when_it_is_quiet() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        let store = fixture_db::store(&db);
        // How many pages were on the list, which is empty then.
        let listed = "SELECT gin_clean_pending_list('institutes_by_token')";
        let one = Organization {
            display_name: "北京大学".into(),
            ..Organization::default()
        };
        fixture_db::make::<Institutes>(&store, one).await;
        assert!(fixture_db::number(&db, listed).await > 0);
        make_all(&store).await;
        expect_cleaning(&fixture.open().await).await;
        assert_eq!(fixture_db::number(&db, listed).await, 0);
        assert_eq!(search_all(&store, "大学", 5).await.len(), 7);
    });
}
