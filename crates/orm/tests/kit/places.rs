//! The search indexes go by the order of names, also those of a register from before that.

use mingce_orm::Store;
use mingce_orm::migration::ledger::Ledger;
use mingce_orm::migration::schema::prepare;
use mingce_orm::write::store::Mask;
use mingce_proto::labs::Organization;

use crate::audit;
use crate::collections::Institutes;
use crate::ground::{self, Ground, Kind, Read, execute, wait};
use crate::search::{found, wanted};

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
        ground::make::<Institutes>(store, made).await;
    }
}

/// Takes the tokens of a table of PostgreSQL back to how they were: without signs.
const UNSIGNED: &str = "UPDATE {table} SET tokens = array_to_tsvector(ARRAY(SELECT CASE WHEN left(token, 1) IN ('＝', '＃') \
    THEN token ELSE substr(token, 2) END FROM unnest(tsvector_to_array(tokens)) token))";

#[test]
fn tokens_of_an_earlier_register_get_their_signs_on_postgres() {
    wait(async {
        let (_ground, db) = Ground::new(Kind::Postgres).await;
        let store = ground::store(&db);
        make_all(&store).await;
        let everything = audit::check(&db).await;
        let hits = found(&store, "大学", 2).await;
        assert_eq!(hits.len(), 6);
        for table in ["institutes", "persons", "prizes"] {
            execute(&db, &UNSIGNED.replace("{table}", table)).await;
        }
        assert_eq!(found(&store, "大学", 2).await, []);
        execute(
            &db,
            "DELETE FROM mingce_ledger_migrations WHERE version LIKE '%sections'",
        )
        .await;
        let refused = prepare::<Ledger>(&db, false).await.unwrap_err();
        assert_eq!(refused.reason(), "SCHEMA_OUTDATED");
        prepare::<Ledger>(&db, true).await.unwrap();
        assert_eq!(audit::check(&db).await, everything);
        assert_eq!(found(&store, "大学", 2).await, hits);
        ground::make::<Institutes>(&store, everything[0].clone()).await;
        audit::check(&db).await;
        let indexes =
            "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE '%by_token'";
        // Those of three collections, and of imports.
        assert_eq!(ground::number(&db, indexes).await, 4);
    });
}

#[test]
fn rows_of_an_earlier_register_get_their_places_and_the_index_goes_by_them() {
    wait(async {
        let (_ground, db) = Ground::new(Kind::Sqlite).await;
        let store = ground::store(&db);
        make_all(&store).await;
        let everything = audit::check(&db).await;
        let hits = found(&store, "大学", 2).await;
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
            assert_eq!(ground::number(&db, count).await, 9);

            prepare::<Ledger>(&db, true).await.unwrap();
            assert_eq!(audit::check(&db).await, everything);
            assert_eq!(found(&store, "大学", 2).await, hits);
        }
        ground::make::<Institutes>(&store, everything[0].clone()).await;
        audit::check(&db).await;
    });
}

#[test]
fn all_namesakes_are_found_by_pages_and_renamed_ones_no_longer() {
    wait(async {
        let (_ground, db) = Ground::new(Kind::Sqlite).await;
        let store = ground::store(&db);
        let name = |display_name: &str| Organization {
            display_name: display_name.into(),
            ..Organization::default()
        };
        let mut made = Vec::new();
        for _ in 0..3 {
            let mut together = tokio::task::JoinSet::new();
            for _ in 0..60 {
                let (store, name) = (store.clone(), name("清华大学"));
                together.spawn(async move { ground::make::<Institutes>(&store, name).await });
            }
            made.extend(together.join_all().await);
            ground::make::<Institutes>(&store, name("清华大学分校")).await;
        }
        for size in [1, 7, 50, 181, 183, 1000] {
            let everything = audit::check(&db).await;
            let hits = found(&store, "清华", size).await;
            assert_eq!(hits, wanted(&everything, "清华"), "{size}");
            let Some(one) = made.pop() else { return };
            let renamed = Organization {
                display_name: "北京大学".into(),
                ..one
            };
            let mask = Mask::parse::<Institutes>(&["display_name".into()], &renamed).unwrap();
            let renamed = store
                .update::<Institutes>(&ground::cx("user:x"), ground::call(), renamed, mask)
                .await;
            assert_eq!(renamed.read().unwrap().display_name, "北京大学");
        }
        assert_eq!(found(&store, "清华", 7).await.len(), 177);
        assert_eq!(found(&store, "北京", 7).await.len(), 6);
    });
}

#[test]
fn hits_of_one_place_come_in_the_order_of_their_names_and_annulled_ones_are_read_past() {
    wait(async {
        let (_ground, db) = Ground::new(Kind::Sqlite).await;
        let store = ground::store(&db);
        let make = async |display_name: String| {
            let made = Organization {
                display_name,
                ..Organization::default()
            };
            ground::make::<Institutes>(&store, made).await
        };
        // So long that they differ behind what a place can tell, made in the reverse of their order.
        for number in (0..80).rev() {
            make(format!("中国科学院海洋研究所实验室{number:02}")).await;
        }
        // Before and behind them others, most of them annulled.
        for number in 0..120 {
            let made = make(format!("{}海洋{number:03}号", ["安", "周"][number % 2])).await;
            if number % 20 > 1 {
                let cx = ground::cx("user:x");
                let annulled = store
                    .annul::<Institutes>(&cx, ground::call(), &made.name, "", "why")
                    .await;
                annulled.read().unwrap();
            }
        }
        let everything = audit::check(&db).await;
        let right = wanted(&everything, "海洋");
        assert_eq!(right.len(), 92);
        for size in [1, 7, 40, 92, 1000] {
            assert_eq!(found(&store, "海洋", size).await, right, "{size}");
        }
    });
}

#[test]
fn what_is_new_is_sorted_into_the_index_of_postgres_when_it_is_quiet() {
    wait(async {
        let (_ground, db) = Ground::new(Kind::Postgres).await;
        let store = ground::store(&db);
        // How many pages were on the list, which is empty then.
        let listed = "SELECT gin_clean_pending_list('institutes_by_token')";
        let one = Organization {
            display_name: "北京大学".into(),
            ..Organization::default()
        };
        ground::make::<Institutes>(&store, one).await;
        assert!(ground::number(&db, listed).await > 0);
        make_all(&store).await;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(ground::number(&db, listed).await, 0);
        assert_eq!(found(&store, "大学", 5).await.len(), 7);
    });
}
