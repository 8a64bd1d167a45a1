//! Rows from before Unicode normalization are indexed anew: found, grouped and compared as if they were written now.

use mingce_orm::migration::renew::{anew, renew};
use sea_orm::DbBackend;

use crate::collections::Institutes;
use crate::fixture_db::{FixtureDb, Kind, block_on, execute, make, number, query, store};
use crate::search::search_all;
use crate::write_queue::named;

/// Writes a radical into a record in the place of the character that it stands for, as an earlier version has stored
/// it.
async fn with_radical(db: &mingce_orm::Db, name: &str) {
    let text = format!("SELECT body FROM institutes WHERE name = '{name}'");
    let body: Vec<u8> = query(db, &text).await[0].try_get_by_index(0).unwrap();
    let old: Vec<u8> = {
        let (character, radical) = ("长".as_bytes(), "⻓".as_bytes());
        let at = body.windows(3).position(|part| part == character).unwrap();
        [&body[..at], radical, &body[at + 3..]].concat()
    };
    let hex: String = old.iter().map(|byte| format!("{byte:02x}")).collect();
    let literal = match db.backend() {
        DbBackend::Postgres => format!("decode('{hex}', 'hex')"),
        _ => format!("X'{hex}'"),
    };
    execute(
        db,
        &format!(
            "UPDATE institutes SET body = {literal}, display_name = '⻓江示例', sort_key = 'x' WHERE name = '{name}'"
        ),
    )
    .await;
}

#[test]
fn old_rows_are_renewed_by_migrate_alone_and_two_that_become_equal_stay_two() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            renew::<Institutes>(&db, false).await.unwrap();
            let store = store(&db);
            let old = make::<Institutes>(&store, named("长江示例", &[])).await;
            make::<Institutes>(&store, named("长江示例", &["1"])).await;
            with_radical(&db, &old.name).await;
            execute(&db, "DELETE FROM settings WHERE name = 'text institutes'").await;
            let equal = "SELECT COUNT(*) FROM institutes WHERE display_name = '长江示例'";
            assert_eq!(number(&db, equal).await, 1);
            let refused = renew::<Institutes>(&db, false).await.unwrap_err();
            assert_eq!(refused.reason(), "INDEX_OUTDATED");
            assert!(refused.message().contains("mingce migrate"), "{refused}");
            // Keys as they were written then: one in another width, and one that becomes that of another record.
            let [two, three] = ["2", "3"].map(|number| named(&format!("示例{number}"), &[number]));
            let (two, three) = (
                make::<Institutes>(&store, two).await,
                make::<Institutes>(&store, three).await,
            );
            let holder = |ending: &str| {
                format!(
                    "SELECT t.name FROM institutes_keys k JOIN institutes t ON t.id = k.id WHERE k.key LIKE '%/{ending}'"
                )
            };
            let holds = async |ending: &str| -> Vec<String> {
                let rows = query(&db, &holder(ending)).await;
                rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
            };
            assert_eq!(holds("2").await, [two.name.as_str()]);
            execute(
                &db,
                "UPDATE institutes_keys SET key = REPLACE(key, '/2', '/２') WHERE key LIKE '%/2'",
            )
            .await;
            execute(
                &db,
                "UPDATE institutes_keys SET key = REPLACE(key, '/3', '/１') WHERE key LIKE '%/3'",
            )
            .await;
            let first = holds("1").await;
            let told = anew::<Institutes>(&db).await.unwrap();
            assert_eq!(holds("2").await, [two.name.as_str()]);
            assert_eq!(holds("1").await, first, "the one that had it keeps it");
            let told: Vec<Vec<&str>> = told
                .iter()
                .map(|one| one.iter().map(String::as_str).collect())
                .collect();
            assert_eq!(
                told,
                [
                    [first[0].as_str(), three.name.as_str()],
                    [old.name.as_str(), first[0].as_str()]
                ]
            );
            assert_eq!(number(&db, equal).await, 2);
            for asked in ["长江示例", "長江示例", "changjiang", "⻓江"] {
                assert_eq!(search_all(&store, asked, 10).await.len(), 2, "{asked}");
            }
            let names = "SELECT COUNT(*) FROM institutes_values WHERE field = '=' AND value = '长江示例'";
            assert_eq!(number(&db, names).await, 2);
            renew::<Institutes>(&db, false).await.unwrap();
            execute(&db, "DELETE FROM settings WHERE name = 'text institutes'").await;
            renew::<Institutes>(&db, true).await.unwrap();
            renew::<Institutes>(&db, false).await.unwrap();
            store.close().await;
        });
    }
}
