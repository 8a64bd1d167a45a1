//! Expensive counts have connections of their own, and hold up no other call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mingce_orm::{Class, List, RequestContext};
use mingce_proto::awards::{Award, AwardState, SchemeReference};
use mingce_proto::registry::ComputeStatisticsRequest;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::collections::Prizes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, block_on, call, cx, execute, make};
use crate::write_queue::eventually;

/// Enough rows that a count of them takes a good part of a second.
const ROWS: &str = "100000";

/// A count that the database has to sort for.
fn expensive_count() -> ComputeStatisticsRequest {
    ComputeStatisticsRequest {
        filter: "record_status:*".to_owned(),
        group_by: vec!["grade".to_owned(), "year".to_owned()],
        count: "scheme".to_owned(),
        ..ComputeStatisticsRequest::default()
    }
}

/// The same row so often, with other names. What is in the index of search is not asked for.
async fn filled(kind: Kind) -> (FixtureDb, Arc<mingce_orm::Store>, Award) {
    let (fixture, db) = FixtureDb::new(kind).await;
    let store = Arc::new(fixture_db::store(&db));
    let one = Award {
        title: "青西新区科学技术奖".to_owned(),
        scheme: Some(SchemeReference {
            scheme: "schemes/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
            ..SchemeReference::default()
        }),
        grade: "一等奖".to_owned(),
        year: 2024,
        state: AwardState::Conferred.into(),
        ..Award::default()
    };
    let one = make::<Prizes>(&store, one).await;
    let (numbers, tokens, taken) = match kind {
        Kind::Sqlite => (
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"),
            "",
            "",
        ),
        Kind::Postgres => (
            format!("WITH n AS (SELECT generate_series(1, {ROWS}) AS i)"),
            ", tokens",
            ", p.tokens",
        ),
    };
    let fill = format!(
        "{numbers} INSERT INTO prizes (id, name, revision, record_status, survivor, create_time, update_time, sort_key, title, scheme, \
         number, year, grade, state, contributor_count, decision_date, classified, body{tokens}) \
         SELECT 'x' || n.i, 'prizes/x' || n.i, 1, 1, '', 1, 1, 'x', p.title, 'schemes/' || n.i, p.number, 2000 + n.i % 20, p.grade, \
         p.state, p.contributor_count, p.decision_date, p.classified, p.body{taken} FROM n CROSS JOIN prizes p WHERE p.name = '{}'",
        one.name
    );
    execute(&db, &fill).await;
    (fixture, store, one)
}

#[test]
fn sixty_four_expensive_counts_hold_up_neither_gets_nor_dry_runs_nor_histories_nor_lists_nor_writes() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, store, one) = filled(kind).await;
            let alone = Instant::now();
            store
                .count::<Prizes>(&cx("user:reader"), &expensive_count())
                .await
                .unwrap();
            let alone = alone.elapsed();
            let (mut counts, begun) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
            for _ in 0..64 {
                let (store, begun) = (Arc::clone(&store), Arc::clone(&begun));
                counts.spawn(async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    store.count::<Prizes>(&cx("user:reader"), &expensive_count()).await
                });
            }
            eventually("not all counts begin", async || begun.load(Ordering::Relaxed) == 64).await;
            // All of them take 32 times as long as one alone on SQLite, and 16 times on PostgreSQL.
            let bound = (alone * 8).max(Duration::from_secs(2));
            let others = async {
                store
                    .get::<Prizes>(&cx("user:reader"), &one.name, 0)
                    .await
                    .read()
                    .unwrap();
                let mut dry = store.unit_of_work();
                let read = store
                    .try_edit(&mut dry, |work| work.require::<Prizes>(&one.name))
                    .await
                    .unwrap();
                assert_eq!(read.name, one.name);
                let kinds = [&<Prizes as mingce_orm::Collection>::shape().kind];
                store
                    .history(&cx("user:reader"), &kinds, &one.name, 10, "")
                    .await
                    .unwrap();
                let page = List {
                    page_size: 2,
                    ..List::default()
                };
                store.list::<Prizes>(&cx("user:reader"), page).await.unwrap();
                store
                    .annul::<Prizes>(&cx("user:clerk"), call(), &one.name, "", "recorded twice")
                    .await
                    .unwrap();
            };
            timeout(bound, others)
                .await
                .unwrap_or_else(|_| panic!("{kind:?}: longer than {bound:?}"));
            assert!(!counts.is_empty());
            counts.abort_all();
            // Whoever has left is not counted for any more.
            let bound = (alone * 8).max(Duration::from_secs(5));
            timeout(bound, store.count::<Prizes>(&cx("user:reader"), &expensive_count()))
                .await
                .unwrap()
                .unwrap();
        });
    }
}

#[test]
fn a_count_ends_with_the_time_of_its_call() {
    block_on(async {
        let (_fixture, store, _) = filled(Kind::Sqlite).await;
        let cx = RequestContext {
            deadline: Some(Instant::now() + Duration::from_millis(20)),
            ..cx("user:reader")
        };
        let begun = Instant::now();
        let refused = store.count::<Prizes>(&cx, &expensive_count()).await.unwrap_err();
        assert_eq!(
            (refused.class(), refused.reason()),
            (Class::Deadline, "DEADLINE_EXCEEDED")
        );
        assert!(begun.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn more_groups_than_an_answer_has_are_refused() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, store, _) = filled(kind).await;
            let wanted = ComputeStatisticsRequest {
                group_by: vec!["scheme".to_owned()],
                ..ComputeStatisticsRequest::default()
            };
            let refused = store.count::<Prizes>(&cx("user:reader"), &wanted).await.unwrap_err();
            assert_eq!(refused.reason(), "TOO_MANY_GROUPS");
            assert!(refused.message().contains("10000"), "{refused}");
        });
    }
}
