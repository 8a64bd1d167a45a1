//! Row locks of edits on PostgreSQL, and the errors of those that wait in vain.

use std::sync::Arc;
use std::time::Duration;

use mingce_orm::model::revision::AuditInfo;
use mingce_orm::{Class, Db, Edit, Result, Store, UnitOfWork, WriteResult};
use mingce_proto::labs::Organization;
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use tokio::task::JoinHandle;

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, block_on, call, cx, execute, make, number, query};
use crate::import_rows::imported;
use crate::invariants;
use crate::write_queue::{block_writes, eventually, named};

fn id(item: &Organization) -> String {
    item.name.split_once('/').unwrap().1.to_owned()
}

/// Moves an organization to another city.
fn moved(work: &mut UnitOfWork, id: &str, city: &str) -> Result<WriteResult> {
    let mut item = work.get::<Institutes>(id)?.unwrap();
    item.city = city.to_owned();
    work.update::<Institutes>(&cx("user:x"), &AuditInfo::new("update"), &item)
}

fn begin(store: &Arc<Store>, edit: impl Fn(&mut UnitOfWork) -> Result<WriteResult> + Send + Sync + 'static) -> Doing {
    let store = Arc::clone(store);
    let edit: Edit = Box::new(edit);
    tokio::spawn(async move { store.change::<Institutes>(&cx("user:x"), call(), edit).await.read() })
}

type Doing = JoinHandle<Result<Organization>>;

async fn expect_waiting(db: &Db, most: i64) {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("nobody waits for a lock", async || number(db, waiting).await == most).await;
}

/// Locks a row of the test organizations if nobody holds it.
async fn lock(tx: &DatabaseTransaction, id: &str, strength: &str) -> bool {
    let text = format!("SELECT 1 FROM institutes WHERE id = '{id}' FOR {strength} NOWAIT");
    tx.execute_unprepared(&text).await.is_ok()
}

#[test]
fn edits_that_go_by_one_resource_run_beside_each_other_and_nobody_changes_it_meanwhile() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        let stores = [fixture_db::store(&db), fixture_db::store(&fixture.open().await)].map(Arc::new);
        let rule = id(&make::<Institutes>(&stores[0], named("the rule", &[])).await);
        let ruled = [
            id(&make::<Institutes>(&stores[0], named("one", &[])).await),
            id(&make::<Institutes>(&stores[0], named("another", &[])).await),
        ];
        let other = fixture.open().await;
        let held = block_writes(&other).await;
        let mut doing = Vec::new();
        for (store, id) in stores.iter().zip(&ruled) {
            let (rule, id) = (rule.clone(), id.clone());
            doing.push(begin(store, move |work| {
                let rule = work.get_shared::<Institutes>(&rule)?.unwrap();
                moved(work, &id, &rule.display_name)
            }));
        }
        // Both have come to the end of the ledger, which is held.
        expect_waiting(&other, 2).await;
        let beside = other.owner().begin().await.unwrap();
        assert!(lock(&beside, &rule, "SHARE").await, "the first holds up the second");
        beside.rollback().await.unwrap();
        let beside = other.owner().begin().await.unwrap();
        assert!(
            !lock(&beside, &rule, "UPDATE").await,
            "what edits go by changes under them"
        );
        beside.rollback().await.unwrap();
        held.rollback().await.unwrap();
        for one in doing {
            assert_eq!(one.await.unwrap().unwrap().city, "the rule");
        }
        invariants::check(&db).await;
    });
}

#[test]
fn what_was_only_read_can_still_be_changed_by_many_at_once() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let stores = [fixture_db::store(&db), fixture_db::store(&fixture.open().await)].map(Arc::new);
            let item = id(&make::<Institutes>(&stores[0], named("counted", &[])).await);
            let before = deadlocks(&db).await;
            for _ in 0..8 {
                let both = [0, 1].map(|at: usize| {
                    let id = item.clone();
                    begin(&stores[at], move |work| {
                        let read = work.get_shared::<Institutes>(&id)?.unwrap();
                        moved(work, &id, &format!("{}x", read.city))
                    })
                });
                for one in both {
                    one.await.unwrap().unwrap();
                }
            }
            let kept = invariants::check(&db).await;
            assert_eq!(kept[0].city, "x".repeat(16));
            assert_eq!(deadlocks(&db).await, before);
        });
    }
}

async fn deadlocks(db: &Db) -> i64 {
    match db.backend() {
        sea_orm::DbBackend::Postgres => {
            number(
                db,
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
            )
            .await
        }
        _ => 0,
    }
}

/// Whoever holds what is first in the order may wait for what is behind it.
#[test]
fn whoever_finds_late_what_it_needs_holds_nothing_while_it_waits_for_it() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        let store = Arc::new(fixture_db::store(&db));
        let first = id(&make::<Institutes>(&store, named("first", &[])).await);
        let last = id(&make::<Institutes>(&store, named("last", &[])).await);
        assert!(first < last);
        let other = fixture.open().await;
        let held = other.owner().begin().await.unwrap();
        assert!(lock(&held, &first, "UPDATE").await);
        let (one, two) = (last.clone(), first.clone());
        let doing = begin(&store, move |work| {
            moved(work, &one, "here")?;
            moved(work, &two, "there")
        });
        expect_waiting(&other, 1).await;
        assert!(lock(&held, &last, "UPDATE").await, "it waits, and holds what is behind");
        held.rollback().await.unwrap();
        assert_eq!(doing.await.unwrap().unwrap().city, "there");
        assert_eq!(invariants::check(&db).await.len(), 2);
    });
}

#[test]
fn a_statement_that_takes_too_long_and_a_lock_that_is_not_given_are_told_apart() {
    block_on(async {
        for (setting, reason, class) in [
            ("statement_timeout", "STATEMENT_TIMEOUT", Class::Deadline),
            ("lock_timeout", "DATABASE_LOCKED", Class::Unavailable),
        ] {
            let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
            let store = Arc::new(fixture_db::store(&db));
            // From the first row that a transaction writes on, which is one beside those that bear its number.
            let hurry = format!(
                "CREATE FUNCTION hurry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 PERFORM set_config('{setting}', '100ms', true); RETURN NEW; END $$"
            );
            execute(&db, &hurry).await;
            let each = "CREATE TRIGGER hurry BEFORE INSERT ON institutes_values FOR EACH ROW EXECUTE FUNCTION hurry()";
            execute(&db, each).await;
            let other = fixture.open().await;
            let held = block_writes(&other).await;
            let who = cx("user:x");
            let making = store.create::<Institutes>(&who, call(), "create", named("late", &[]));
            let refused = tokio::time::timeout(Duration::from_secs(60), making).await.unwrap();
            let refused = refused.read().unwrap_err();
            assert_eq!((refused.reason(), refused.class()), (reason, class), "{refused}");
            held.rollback().await.unwrap();
            assert!(invariants::check(&db).await.is_empty() && query(&db, "SELECT 1 FROM ledger").await.is_empty());
            make::<Institutes>(&store, named("in time", &[])).await;
        }
    });
}

#[test]
fn a_row_of_an_import_finds_a_record_that_lets_one_key_go_for_another_meanwhile() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        let stores = [fixture_db::store(&db), fixture_db::store(&fixture.open().await)].map(Arc::new);
        let record = make::<Institutes>(&stores[0], named("A", &["4"])).await;
        let other = fixture.open().await;
        let held = block_writes(&other).await;
        let at = id(&record);
        let first = begin(&stores[0], move |work| {
            let mut item = work.get::<Institutes>(&at)?.unwrap();
            item.identifiers = named("A", &["1"]).identifiers;
            work.update::<Institutes>(&cx("user:x"), &AuditInfo::new("update"), &item)
        });
        expect_waiting(&other, 1).await;
        // It has no name: where it finds nobody it is refused. It waits for the record that has the first of its keys.
        let store = Arc::clone(&stores[1]);
        let row = Organization {
            city: "青岛".to_owned(),
            ..named("", &["4", "1"])
        };
        let second = tokio::spawn(async move {
            let edit = imported(&store, &cx("user:importer"), row);
            let mut done = store.change_each(&cx("user:importer"), [edit]).await.unwrap();
            done.pop().unwrap()
        });
        expect_waiting(&other, 2).await;
        held.rollback().await.unwrap();
        first.await.unwrap().unwrap();
        let found = second.await.unwrap().unwrap().decode::<Institutes>().unwrap();
        assert_eq!((found.name, found.city.as_str()), (record.name, "青岛"));
        invariants::check(&db).await;
    });
}
