//! A database that is locked by another process, or has no room left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mingce_orm::Class;
use tokio::task::JoinSet;

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, block_on, call, cx, execute, number};
use crate::invariants;
use crate::write_queue::{block_writes, eventually, named};

#[test]
fn the_log_of_sqlite_begins_anew_while_writing_and_reading_go_on() {
    block_on(async {
        let (fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = Arc::new(fixture_db::store(&db));
        let log = fixture.file().with_extension("db-wal");
        let mut calls = JoinSet::new();
        for place in 0..4 {
            let store = Arc::clone(&store);
            calls.spawn(async move {
                for turn in 0..900 {
                    let number = place * 1000 + turn;
                    let made = named(&format!("n{number}"), &[&number.to_string()]);
                    let made = fixture_db::make::<Institutes>(&store, made).await;
                    store
                        .get::<Institutes>(&cx("user:reader"), &made.name, 0)
                        .await
                        .unwrap();
                }
            });
        }
        calls.join_all().await;
        // Its file never becomes shorter. SQLite alone would let it grow to four times as many pages.
        let longest = std::fs::metadata(&log).unwrap().len();
        assert!(longest < 16_000 * 4120, "{longest} bytes");
        assert_eq!(invariants::check(&db).await.len(), 3600);
    });
}

#[test]
fn writes_wait_for_another_process_and_each_is_done_once() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (fixture, db) = FixtureDb::new(kind).await;
            let stores = [
                Arc::new(fixture_db::store(&db)),
                Arc::new(fixture_db::store(&fixture.open().await)),
            ];
            let other = fixture.open().await;
            let held = block_writes(&other).await;
            let mut calls = JoinSet::new();
            for place in 0..40 {
                let store = Arc::clone(&stores[place % 2]);
                calls.spawn(async move {
                    let item = named(&format!("n{place}"), &[&place.to_string()]);
                    let made = store
                        .create::<Institutes>(&cx("user:x"), call(), "create", item)
                        .await
                        .read();
                    made.map(|made| (made.name, Instant::now()))
                        .map_err(|e| (e.reason(), e.class()))
                });
            }
            eventually("the calls are not taken", async || {
                let queues = [stores[0].write_queue(), stores[1].write_queue()];
                queues.iter().all(|queue| queue.accepted == 20 && queue.waiting < 20)
            })
            .await;
            // A fixed wait: SQLite does not tell that a writer waits for its lock.
            tokio::time::sleep(Duration::from_millis(100)).await;
            // Readers wait for nobody.
            let page = stores[0]
                .list::<Institutes>(&cx("user:reader"), mingce_orm::List::default())
                .await
                .unwrap();
            assert!(page.items().unwrap().is_empty());
            let released = Instant::now();
            held.rollback().await.unwrap();
            let mut made = Vec::new();
            for done in calls.join_all().await {
                match done {
                    Ok((name, at)) => {
                        assert!(at > released, "written through the lock");
                        made.push(name);
                    }
                    Err(told) => assert_eq!(told, ("DATABASE_LOCKED", Class::Unavailable)),
                }
            }
            made.sort();
            let mut there: Vec<_> = invariants::check(&db).await.into_iter().map(|o| o.name).collect();
            there.sort();
            assert_eq!(there, made, "lost or doubled");
            assert!(!made.is_empty());
        });
    }
}

#[test]
fn a_full_disk_is_told_leaves_nothing_half_written_and_is_over_when_there_is_room() {
    block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = Arc::new(fixture_db::store(&db));
        let pages = number(&db, "PRAGMA page_count").await;
        let most = format!("PRAGMA max_page_count = {}", pages + 20);
        let (mut made, mut refused) = (Vec::new(), 0);
        for place in 0..300 {
            // It is a limit of the connection, and one whose transaction SQLite has undone by itself is replaced.
            execute(&db, &most).await;
            let item = named(&format!("{place} {}", "a long name ".repeat(20)), &[&place.to_string()]);
            let done = store
                .create::<Institutes>(&cx("user:x"), call(), "create", item)
                .await
                .read()
                .map(|made| made.name);
            match done {
                Ok(name) => made.push(name),
                Err(error) => {
                    assert_eq!(
                        (error.reason(), error.class()),
                        ("DATABASE_FULL", Class::Exhausted),
                        "{:?}",
                        error.detail()
                    );
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "the disk never was full");
        made.sort();
        let mut there: Vec<_> = invariants::check(&db).await.into_iter().map(|o| o.name).collect();
        there.sort();
        assert_eq!(there, made);

        execute(&db, "PRAGMA max_page_count = 1000000").await;
        let after = named("after", &["after"]);
        store
            .create::<Institutes>(&cx("user:x"), call(), "create", after)
            .await
            .read()
            .unwrap();
        assert_eq!(invariants::check(&db).await.len(), made.len() + 1);
    });
}
