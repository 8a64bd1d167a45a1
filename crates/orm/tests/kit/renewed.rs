//! What was stored before characters had one form is found, grouped and compared as if it had been written so.

use mingce_orm::renew::renew;
use sea_orm::DbBackend;

use crate::collections::Institutes;
use crate::ground::{Ground, Kind, execute, make, number, query, store, wait};
use crate::search::found;
use crate::writers::named;

/// Writes a radical into a record in the place of the character that it stands for, as an earlier version has stored it.
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
        wait(async {
            let (_ground, db) = Ground::new(kind).await;
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
            renew::<Institutes>(&db, true).await.unwrap();
            assert_eq!(number(&db, equal).await, 2);
            for asked in ["长江示例", "長江示例", "changjiang", "⻓江"] {
                assert_eq!(found(&store, asked, 10).await.len(), 2, "{asked}");
            }
            let names = "SELECT COUNT(*) FROM institutes_values WHERE field = '=' AND value = '长江示例'";
            assert_eq!(number(&db, names).await, 2);
            renew::<Institutes>(&db, false).await.unwrap();
            store.close().await;
        });
    }
}
