//! The write queue: what shares a transaction, what fails in it alone, what waits, and what nobody waits for any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mingce_orm::{Call, Class, Db, Edit, Error, Mask, Store};
use mingce_proto::Classes;
use mingce_proto::labs::Organization;
use mingce_proto::registry::Identifier;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::task::{JoinHandle, JoinSet};

use crate::collections::{Institutes, PANICS};
use crate::fixture_db::{self, FixtureDb, Kind, Read, block_on, call, cx, execute, make, number, query, with_id};
use crate::invariants;

const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

pub fn named(name: &str, held: &[&str]) -> Organization {
    let identifier = |value: &&str| Identifier {
        scheme: "test".into(),
        value: (*value).to_owned(),
    };
    let identifiers = held.iter().map(identifier).collect();
    Organization {
        display_name: name.into(),
        identifiers,
        ..Organization::default()
    }
}

/// Locks the database as another process does: no write comes to its end until this is rolled back.
pub async fn block_writes(other: &Db) -> DatabaseTransaction {
    let mode = Some(SqliteTransactionMode::Immediate);
    let options = TransactionOptions {
        sqlite_transaction_mode: mode,
        ..TransactionOptions::default()
    };
    let held = other.owner().begin_with_options(options).await.unwrap();
    if other.backend() == DbBackend::Postgres {
        held.execute_unprepared("SELECT sequence FROM ledger_head FOR UPDATE")
            .await
            .unwrap();
    }
    held
}

type Waiting = JoinHandle<Result<Organization, Error>>;

/// Sends a call and waits until it is in the queue.
async fn queue(
    store: &Arc<Store>,
    call: impl Future<Output = Result<Organization, Error>> + Send + 'static,
) -> Waiting {
    let before = store.write_queue().accepted;
    let waiting = tokio::spawn(call);
    eventually("the call is not queued", async || store.write_queue().accepted > before).await;
    waiting
}

fn updating(
    store: &Arc<Store>,
    name: &str,
    item: Organization,
) -> impl Future<Output = Result<Organization, Error>> + Send + 'static {
    let (store, name) = (Arc::clone(store), name.to_owned());
    let item = Organization { name, ..item };
    let mask = Mask::parse::<Institutes>(&["display_name".into()], &item, Classes::ALL).unwrap();
    async move {
        store
            .update::<Institutes>(&cx("user:x"), call(), item, mask)
            .await
            .read()
    }
}

/// Waits for something that comes as soon as the machine has time for it.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn creating(
    store: &Arc<Store>,
    how: Call,
    item: Organization,
) -> impl Future<Output = Result<Organization, Error>> + Send + 'static {
    let store = Arc::clone(store);
    async move {
        store
            .create::<Institutes>(&cx("user:x"), how, "create", item)
            .await
            .read()
    }
}

/// Keeps all writers busy behind what `other` holds: what is queued after this shares a transaction.
async fn occupy(other: &Db, store: &Arc<Store>) -> Vec<Waiting> {
    // What is made once for all names is there before the first is written.
    mingce_orm::text::order_code("");
    let writers = if other.backend() == DbBackend::Postgres { 2 } else { 1 };
    let mut busy = Vec::new();
    for writer in 0..writers {
        busy.push(queue(store, creating(store, call(), named(&format!("busy {writer}"), &[]))).await);
        eventually("no writer takes the call", async || store.write_queue().waiting == 0).await;
        if other.backend() == DbBackend::Postgres {
            // It has come to the lock: what comes next is for another writer.
            let locked = "SELECT count(*) FROM pg_stat_activity \
                          WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let stand = i64::from(writer) + 1;
            eventually("a writer does not come to the lock", async || {
                number(other, locked).await == stand
            })
            .await;
        }
    }
    busy
}

#[test]
fn each_call_of_a_batch_gets_its_own_answer() {
    for kind in KINDS {
        block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db));
            let there = make::<Institutes>(&store, named("there", &["9"])).await;
            let other = fixture.open().await;
            let held = block_writes(&other).await;
            let busy = occupy(&other, &store).await;

            let first = queue(&store, creating(&store, call(), named("first", &["1"]))).await;
            let taken = queue(&store, creating(&store, call(), named("taken", &["1"]))).await;
            let asks = queue(&store, updating(&store, &there.name, named("changed", &[]))).await;
            let missing = queue(
                &store,
                updating(&store, &format!("organizations/{}", "0".repeat(26)), named("none", &[])),
            )
            .await;
            let id = "0a0b0c0d-0000-7000-8000-000000000001";
            let item = named("once", &["2"]);
            let made = queue(&store, creating(&store, with_id("create", id, &item), item.clone())).await;
            let again = queue(
                &store,
                creating(&store, with_id("create", &id.to_uppercase(), &item), item.clone()),
            )
            .await;
            let reused = queue(
                &store,
                creating(&store, with_id("create", id, &named("else", &[])), named("else", &[])),
            )
            .await;
            held.rollback().await.unwrap();

            for waiting in busy {
                waiting.await.unwrap().unwrap();
            }
            let first = first.await.unwrap().unwrap();
            let refused = taken.await.unwrap().unwrap_err();
            assert_eq!(
                (refused.reason(), refused.class()),
                ("IDENTIFIER_TAKEN", Class::AlreadyExists)
            );
            assert_eq!(refused.resource().unwrap().name, first.name);
            let changed = asks.await.unwrap().unwrap();
            assert_eq!((changed.display_name.as_str(), changed.revision), ("changed", 2));
            assert_eq!(missing.await.unwrap().unwrap_err().reason(), "RESOURCE_NOT_FOUND");
            let made = made.await.unwrap().unwrap();
            assert_eq!(again.await.unwrap().unwrap(), made);
            assert_eq!(reused.await.unwrap().unwrap_err().reason(), "REQUEST_ID_REUSED");
            assert_eq!(
                invariants::check(&db).await.len(),
                3 + if kind == Kind::Postgres { 2 } else { 1 }
            );
            if kind == Kind::Postgres {
                let text = "SELECT COUNT(DISTINCT xmin::text) FROM institutes WHERE display_name NOT LIKE 'busy%'";
                assert_eq!(number(&db, text).await, 1, "they did not share a transaction");
            }
        });
    }
}

#[test]
fn what_the_database_refuses_fails_alone() {
    for kind in KINDS {
        block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let refuse = match kind {
                Kind::Postgres => "ALTER TABLE institutes ADD CHECK (display_name <> 'poison')",
                Kind::Sqlite => {
                    "CREATE TRIGGER poison BEFORE INSERT ON institutes WHEN NEW.display_name = 'poison' \
                     BEGIN SELECT RAISE(ABORT, 'no'); END"
                }
            };
            execute(&db, refuse).await;
            let store = Arc::new(fixture_db::store(&db));
            let other = fixture.open().await;
            let held = block_writes(&other).await;
            let busy = occupy(&other, &store).await;
            let before = queue(&store, creating(&store, call(), named("before", &[]))).await;
            let poison = queue(&store, creating(&store, call(), named("poison", &[]))).await;
            let item = named("after", &["1"]);
            let after = queue(&store, creating(&store, with_id("create", "1", &item), item.clone())).await;
            held.rollback().await.unwrap();
            for waiting in busy.into_iter().chain([before]) {
                waiting.await.unwrap().unwrap();
            }
            let after = after.await.unwrap().unwrap();
            assert_eq!(
                creating(&store, with_id("create", "1", &item), item.clone())
                    .await
                    .unwrap(),
                after
            );
            let refused = poison.await.unwrap().unwrap_err();
            assert_eq!(refused.class(), Class::Internal);
            assert!(!refused.message().contains("poison"), "{refused}");
            let names: Vec<_> = invariants::check(&db)
                .await
                .into_iter()
                .map(|o| o.display_name)
                .filter(|n| !n.contains("busy"))
                .collect();
            assert_eq!(names.len(), 2);
        });
    }
}

#[test]
fn a_batch_whose_commit_has_no_answer_is_not_done_again() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Postgres).await;
        for statement in [
            "CREATE SEQUENCE commits",
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('commits'); \
             PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON institutes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()",
        ] {
            execute(&db, statement).await;
        }
        let store = Arc::new(fixture_db::store(&db));
        let other = fixture.open().await;
        let held = block_writes(&other).await;
        let mut all = occupy(&other, &store).await;
        for place in 0..12 {
            all.push(queue(&store, creating(&store, call(), named(&format!("n{place}"), &[]))).await);
        }
        held.rollback().await.unwrap();
        for waiting in all {
            let refused = waiting.await.unwrap().unwrap_err();
            assert_eq!(
                (refused.reason(), refused.class()),
                ("COMMIT_UNKNOWN", Class::Unavailable)
            );
        }
        // Two that kept the writers busy, and the batches behind them.
        let commits = number(&other, "SELECT last_value FROM commits").await;
        assert!((3..=4).contains(&commits), "{commits} commits");
        execute(&other, "DROP TRIGGER cut ON institutes").await;
        assert!(invariants::check(&other).await.is_empty());
        creating(&store, call(), named("well again", &[])).await.unwrap();
    });
}

#[test]
fn a_full_queue_says_so_at_once_and_answers_all_that_it_took() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = Arc::new(fixture_db::store(&db));
        let other = fixture.open().await;
        let held = block_writes(&other).await;
        let busy = occupy(&other, &store).await;
        let mut calls = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..4200 {
            let store = Arc::clone(&store);
            calls.spawn(async move {
                let refuse: Edit = Box::new(|_| Err(Error::new(Class::Precondition, "REFUSED", "no")));
                let reason = store
                    .change::<Institutes>(&cx("user:x"), call(), refuse)
                    .await
                    .read()
                    .unwrap_err()
                    .reason();
                (reason, Instant::now())
            });
        }
        // The others are answered only after the writes are let go on.
        let mut told = Vec::new();
        while told.len() < 4200 - 4096 {
            let done = tokio::time::timeout(Duration::from_secs(60), calls.join_next()).await;
            told.push(done.unwrap().unwrap().unwrap());
        }
        assert!(
            told.iter()
                .all(|(reason, at)| *reason == "WRITE_QUEUE_FULL" && at.duration_since(begun) < Duration::from_secs(3))
        );
        held.rollback().await.unwrap();
        let rest = calls.join_all().await;
        assert!(rest.len() == 4096 && rest.iter().all(|(reason, _)| *reason == "REFUSED"));
        for waiting in busy {
            waiting.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_write_whose_caller_left_before_it_began_is_not_done_and_one_that_began_ends_whole() {
    for kind in KINDS {
        block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db));
            let other = fixture.open().await;
            let held = block_writes(&other).await;
            let busy = occupy(&other, &store).await;
            for place in 0..60 {
                let name = format!("left {place}");
                let left = queue(&store, creating(&store, call(), named(&name, &[&place.to_string()]))).await;
                left.abort();
                assert!(left.await.unwrap_err().is_cancelled());
            }
            let stays = queue(&store, creating(&store, call(), named("stays", &[]))).await;
            // These have begun.
            for waiting in &busy {
                waiting.abort();
            }
            held.rollback().await.unwrap();
            stays.await.unwrap().unwrap();
            for waiting in busy {
                let _ = waiting.await;
            }
            Arc::into_inner(store).unwrap().close().await;
            let names: Vec<_> = invariants::check(&db)
                .await
                .into_iter()
                .map(|o| o.display_name)
                .collect();
            assert!(names.iter().all(|name| !name.contains("left")), "{names:?}");
            assert_eq!(names.len(), if kind == Kind::Postgres { 3 } else { 2 });
        });
    }
}

#[test]
fn a_panic_in_what_follows_an_edit_fails_its_call_alone_and_the_writers_go_on() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = Arc::new(fixture_db::store(&db));
        let there = make::<Institutes>(&store, named("there", &[])).await;
        let other = fixture.open().await;
        let held = block_writes(&other).await;
        let busy = occupy(&other, &store).await;
        let before = queue(&store, creating(&store, call(), named("before", &[]))).await;
        let broken = queue(&store, updating(&store, &there.name, named(PANICS, &[]))).await;
        let after = queue(&store, creating(&store, call(), named("after", &[]))).await;
        held.rollback().await.unwrap();
        for waiting in busy.into_iter().chain([before, after]) {
            waiting.await.unwrap().unwrap();
        }
        assert_eq!(broken.await.unwrap().unwrap_err().class(), Class::Internal);
        creating(&store, call(), named("well again", &[])).await.unwrap();
        assert_eq!(invariants::check(&db).await.len(), 5);
    });
}

#[test]
fn a_connection_that_is_left_in_a_transaction_is_not_used_for_the_next_one() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = Arc::new(fixture_db::store(&db));
        creating(&store, call(), named("first", &[])).await.unwrap();
        // Behind the back of the library: it counts no transaction.
        execute(&db, "BEGIN").await;
        let refused = creating(&store, call(), named("refused", &[])).await.unwrap_err();
        assert_eq!(refused.class(), Class::Internal);
        creating(&store, call(), named("second", &[])).await.unwrap();
        assert_eq!(invariants::check(&fixture.open().await).await.len(), 2);
    });
}

#[test]
fn an_edit_that_fails_late_leaves_nothing() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = fixture_db::store(&db);
            let at = cx("user:x");
            let failing: Edit = Box::new(move |work| {
                let stamp = mingce_orm::AuditInfo::new("create");
                work.create::<Institutes>(&at, &stamp, &named("first", &["1"]))?;
                work.create::<Institutes>(&at, &stamp, &named("second", &["1"]))
            });
            let at = cx("user:x");
            let next: Edit = Box::new(move |work| {
                work.create::<Institutes>(&at, &mingce_orm::AuditInfo::new("create"), &named("third", &["1"]))
            });
            let done = store.change_each(&cx("user:x"), vec![failing, next]).await.unwrap();
            let told: Vec<_> = done
                .iter()
                .map(|d| d.as_ref().map(|a| a.revision).map_err(|e| e.reason()))
                .collect();
            assert_eq!(told, [Err("IDENTIFIER_TAKEN"), Ok(1)]);
            let names: Vec<_> = invariants::check(&db)
                .await
                .into_iter()
                .map(|o| o.display_name)
                .collect();
            assert_eq!(names, ["third"]);
        });
    }
}

#[test]
fn a_dry_run_writes_nothing_and_builds_on_itself() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = fixture_db::store(&db);
            let mut work = store.unit_of_work();
            let at = cx("user:x");
            let mut told = Vec::new();
            for name in ["first", "second"] {
                let item = named(name, &["1"]);
                let edit = |work: &mut mingce_orm::UnitOfWork| {
                    work.create::<Institutes>(&at, &mingce_orm::AuditInfo::new("create"), &item)
                };
                told.push(
                    store
                        .try_edit(&mut work, edit)
                        .await
                        .map(|a| a.revision)
                        .map_err(|e| e.reason()),
                );
            }
            assert_eq!(told, [Ok(1), Err("IDENTIFIER_TAKEN")]);
            let item = named("only tried", &["1"]);
            let tried = Call::new("create", "some-id", true, &item);
            let answer = store
                .create::<Institutes>(&cx("user:x"), tried, "create", item)
                .await
                .read()
                .unwrap();
            assert_eq!(answer.display_name, "only tried");
            assert!(invariants::check(&db).await.is_empty());
            assert!(query(&db, "SELECT request_id FROM requests").await.is_empty());
        });
    }
}

#[test]
fn an_edit_that_panics_fails_alone_and_the_writers_go_on() {
    for kind in KINDS {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = fixture_db::store(&db);
            for _ in 0..3 {
                let panics: Edit = Box::new(|_| panic!("this is a test"));
                let refused = store
                    .change::<Institutes>(&cx("user:x"), call(), panics)
                    .await
                    .read()
                    .unwrap_err();
                assert_eq!(refused.class(), Class::Internal);
            }
            make::<Institutes>(&store, named("after", &[])).await;
            assert_eq!(invariants::check(&db).await.len(), 1);
        });
    }
}
