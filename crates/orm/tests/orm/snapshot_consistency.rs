//! One call answers from one snapshot, however many parts it has and whoever writes meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use mingce_orm::{AuditInfo, Edit, List, Store};
use mingce_proto::Headed;
use mingce_proto::labs::Organization;
use mingce_proto::registry::ComputeStatisticsRequest;

use crate::collections::Institutes;
use crate::fixture_db::{FixtureDb, Kind, block_on, cx, make, store};

fn institute(display_name: &str, city: &str) -> Organization {
    Organization {
        display_name: display_name.to_owned(),
        city: city.to_owned(),
        ..Organization::default()
    }
}

/// Changes both in one transaction.
async fn update_both(store: &Store, names: [String; 2], city: String) {
    let edit: Edit = Box::new(move |work| {
        let stored = names.clone().map(|name| work.require::<Institutes>(&name));
        let [one, other] = stored;
        let (one, other) = (one?, other?);
        let at = cx("user:clerk");
        let with = |item: Organization| Organization {
            city: city.clone(),
            ..item
        };
        work.update::<Institutes>(&at, &AuditInfo::new("update"), &with(one))?;
        work.update::<Institutes>(&at, &AuditInfo::new("update"), &with(other))
    });
    let done = store.change_each(&cx("user:clerk"), [edit]).await.unwrap();
    done.into_iter().next().unwrap().unwrap();
}

#[test]
fn what_is_read_in_several_steps_is_of_one_moment() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = store(&db);
            let one = make::<Institutes>(&store, institute("甲所", "0")).await.name;
            let other = make::<Institutes>(&store, institute("乙所", "0")).await.name;
            let (writes, mut wanted) = tokio::sync::mpsc::unbounded_channel::<std::sync::mpsc::Sender<()>>();
            let (writer, names) = (store.clone(), [one.clone(), other.clone()]);
            let clerk = tokio::spawn(async move {
                let mut times = 0;
                while let Some(done) = wanted.recv().await {
                    times += 1;
                    update_both(&writer, names.clone(), times.to_string()).await;
                    done.send(()).unwrap();
                }
                times
            });
            for _ in 0..5 {
                let (one, other, writes) = (&one, &other, &writes);
                let seen = store
                    .look(move |work| {
                        let one = work.require::<Institutes>(one)?;
                        if work.require::<Institutes>(other).is_err() {
                            // The first is loaded, and the second is not yet: both are changed now.
                            let (done, is_done) = std::sync::mpsc::channel();
                            writes.send(done).unwrap();
                            is_done.recv_timeout(Duration::from_secs(20)).unwrap();
                        }
                        let other = work.require::<Institutes>(other)?;
                        Ok((one, other))
                    })
                    .await
                    .unwrap();
                assert_eq!(seen.0.city, seen.1.city, "{kind:?}");
                assert_eq!(seen.0.head().revision, seen.1.head().revision);
            }
            drop(writes);
            assert_eq!(clerk.await.unwrap(), 5, "{kind:?}: the clerk wrote between the steps");
        });
    }
}

#[test]
fn groups_add_up_to_their_total_and_lists_are_as_long_as_they_say() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = store(&db);
            let (ends, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
            let mut writers = Vec::new();
            for writer in 0..4 {
                let (store, ends, made) = (store.clone(), Arc::clone(&ends), Arc::clone(&made));
                writers.push(tokio::spawn(async move {
                    let mut number = 0;
                    while !ends.load(Ordering::Relaxed) && number < 200 {
                        number += 1;
                        let city = ["青岛", "济南"][number % 2];
                        make::<Institutes>(&store, institute(&format!("单位{writer}-{number}"), city)).await;
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
            let asked = ComputeStatisticsRequest {
                group_by: vec!["city".to_owned()],
                ..ComputeStatisticsRequest::default()
            };
            let until = Instant::now() + Duration::from_secs(60);
            let mut totals = vec![0];
            // Until much was written beside.
            while totals.last().is_some_and(|total| *total < 300) {
                let counted = store.count::<Institutes>(&cx("user:reader"), &asked).await.unwrap();
                let sum: i64 = counted.groups.iter().map(|group| group.count).sum();
                assert_eq!(sum, counted.total_count, "{kind:?}");
                let list = List {
                    page_size: 1000,
                    count: true,
                    ..List::default()
                };
                let page = store.list::<Institutes>(&cx("user:reader"), list).await.unwrap();
                let items = page.items().unwrap().len();
                assert_eq!(i64::try_from(items).unwrap(), page.total_size, "{kind:?}");
                totals.push(counted.total_count);
                assert!(Instant::now() < until);
            }
            ends.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.await.unwrap();
            }
            totals.dedup();
            assert!(totals.len() > 5, "{kind:?}: nobody wrote meanwhile: {totals:?}");
            let first = List {
                page_size: 1,
                count: true,
                order_by: "create_time",
                ..List::default()
            };
            let page = store.list::<Institutes>(&cx("user:reader"), first).await.unwrap();
            let all = page.total_size;
            assert_eq!(all, made.load(Ordering::Relaxed));
            let none = List {
                filter: "city = 北京",
                ..first
            };
            let page = store.list::<Institutes>(&cx("user:reader"), none).await.unwrap();
            assert_eq!((page.items().unwrap().len(), page.total_size), (0, 0));
        });
    }
}
