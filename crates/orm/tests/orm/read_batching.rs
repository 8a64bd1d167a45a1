//! Reads that share a statement: each gets its own answer, and what goes wrong with one is its own.

use std::sync::Arc;

use mingce_orm::{Class, Store};
use mingce_proto::labs::Organization;
use mingce_proto::registry::{OrganizationReference, View};
use mingce_proto::talent::{Employment, Talent};
use tokio::task::JoinSet;

use crate::collections::{Institutes, Persons};
use crate::fixture_db::{self, FixtureDb, Kind, Read, cx, execute, make};
use crate::write_queue::named;

const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];
/// How many calls may share a statement: the default, and one alone.
const LIMITS: [usize; 2] = [256, 1];
/// How many reads may wait.
const WAITING: usize = 8192;

/// Runs a test on one thread: what is spawned there is all sent before anybody answers any of it.
pub fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

type Answer = Result<Organization, &'static str>;

async fn get(store: &Store, name: &str) -> Answer {
    let found = store.get::<Institutes>(&cx("user:reader"), name, 0).await.read();
    found.map_err(|error| error.reason())
}

/// Reads names at the same moment, and answers in their order.
async fn get_at_once(store: &Arc<Store>, names: &[String]) -> Vec<Answer> {
    let mut calls = JoinSet::new();
    for (place, name) in names.iter().cloned().enumerate() {
        let store = Arc::clone(store);
        calls.spawn(async move { (place, get(&store, &name).await) });
    }
    let mut told = calls.join_all().await;
    told.sort_by_key(|(place, _)| *place);
    told.into_iter().map(|(_, told)| told).collect()
}

#[test]
fn each_read_of_a_burst_gets_its_own_answer() {
    for (kind, limit) in KINDS.into_iter().flat_map(|kind| LIMITS.map(|limit| (kind, limit))) {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db.batched_by(limit)));
            let mut made = Vec::new();
            for name in ["first", "second", "third"] {
                made.push(make::<Institutes>(&store, named(name, &[name])).await);
            }
            let person = Talent {
                display_name: "张三".into(),
                ..Talent::default()
            };
            let person = make::<Persons>(&store, person).await;
            let missing = format!("organizations/{}", "0".repeat(26));
            let names = [
                made[0].name.clone(),
                made[1].name.clone(),
                missing,
                made[0].name.clone(),
                "organizations/there".to_owned(),
                person.name.clone(),
                // Another collection's id is none of this one.
                person.name.replace("talents", "organizations"),
                made[2].name.to_uppercase(),
                String::new(),
                "organizations/' OR 1=1 --".to_owned(),
                made[2].name.clone(),
            ];
            let reader = Arc::clone(&store);
            let name = person.name.clone();
            let among = tokio::spawn(async move { reader.get::<Persons>(&cx("user:reader"), &name, 0).await.read() });
            let none = Err("RESOURCE_NOT_FOUND");
            let expected = [
                Ok(made[0].clone()),
                Ok(made[1].clone()),
                none.clone(),
                Ok(made[0].clone()),
                none.clone(),
                none.clone(),
                none.clone(),
                none.clone(),
                none.clone(),
                none,
                Ok(made[2].clone()),
            ];
            assert_eq!(get_at_once(&store, &names).await, expected, "{kind:?} by {limit}");
            assert_eq!(among.await.unwrap().unwrap(), person);
        });
    }
}

#[test]
fn reads_of_one_id_at_once_are_each_in_the_view_that_was_asked_for() {
    for (kind, limit) in KINDS.into_iter().flat_map(|kind| LIMITS.map(|limit| (kind, limit))) {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db.batched_by(limit)));
            let organization = Some(OrganizationReference::default());
            let employment = Employment {
                organization,
                ..Employment::default()
            };
            let person = Talent {
                display_name: "张三".into(),
                employments: vec![employment],
                ..Talent::default()
            };
            let person = make::<Persons>(&store, person).await;
            let mut calls = JoinSet::new();
            for place in 0..60 {
                let (store, name) = (Arc::clone(&store), person.name.clone());
                let view = [View::Unspecified, View::Full, View::Basic][place % 3];
                calls.spawn(async move {
                    let found = store.get::<Persons>(&cx("user:reader"), &name, view as i32).await;
                    (view, found.read().unwrap())
                });
            }
            let brief = Talent {
                employments: Vec::new(),
                ..person.clone()
            };
            for (view, found) in calls.join_all().await {
                let expected = if view == View::Basic { &brief } else { &person };
                assert_eq!(&found, expected, "{view:?}");
            }
        });
    }
}

#[test]
fn a_reader_that_leaves_costs_the_others_nothing() {
    for (kind, limit) in KINDS.into_iter().flat_map(|kind| LIMITS.map(|limit| (kind, limit))) {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db.batched_by(limit)));
            let mut made = Vec::new();
            for place in 0..6 {
                made.push(make::<Institutes>(&store, named(&format!("n{place}"), &[])).await);
            }
            let mut stay = JoinSet::new();
            for place in 0..300 {
                let wanted = made[place % made.len()].clone();
                if place % 3 == 0 {
                    let (store, wanted) = (Arc::clone(&store), wanted.clone());
                    stay.spawn(async move { assert_eq!(get(&store, &wanted.name).await, Ok(wanted)) });
                    tokio::task::yield_now().await;
                }
                // Polled once, so that it waits, and dropped. SQLite is read at once by a call that is alone.
                tokio::select! {
                    biased;
                    done = get(&store, &wanted.name) => {
                        assert_eq!((kind, done), (Kind::Sqlite, Ok(wanted.clone())), "it cannot be done yet");
                    }
                    () = std::future::ready(()) => {}
                }
            }
            assert_eq!(stay.join_all().await.len(), 100);
            assert_eq!(get(&store, &made[0].name).await, Ok(made[0].clone()));
        });
    }
}

#[test]
fn a_full_queue_of_reads_says_so_at_once_and_answers_all_that_it_took() {
    for kind in KINDS {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db));
            let made = make::<Institutes>(&store, named("there", &[])).await;
            let told = get_at_once(&store, &vec![made.name.clone(); WAITING + 500]).await;
            // One reads by itself while the others wait. SQLite is read in the thread that asks: then nobody waits on
            // one thread.
            let most = if kind == Kind::Sqlite { told.len() } else { WAITING + 1 };
            let (taken, refused) = told.split_at(most);
            assert!(taken.iter().all(|told| *told == Ok(made.clone())), "{kind:?}");
            assert!(refused.iter().all(|told| *told == Err("READ_QUEUE_FULL")), "{kind:?}");
            assert_eq!(get(&store, &made.name).await, Ok(made));
        });
    }
}

#[test]
fn readers_go_on_after_a_statement_that_failed() {
    for (kind, limit) in KINDS.into_iter().flat_map(|kind| LIMITS.map(|limit| (kind, limit))) {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db.clone().batched_by(limit)));
            let made = make::<Institutes>(&store, named("there", &[])).await;
            let person = Talent {
                display_name: "张三".into(),
                ..Talent::default()
            };
            let person = make::<Persons>(&store, person).await;
            execute(&db, "ALTER TABLE institutes RENAME TO elsewhere").await;
            let (reader, name) = (Arc::clone(&store), person.name.clone());
            let among = tokio::spawn(async move { reader.get::<Persons>(&cx("user:reader"), &name, 0).await.read() });
            let mut calls = JoinSet::new();
            for _ in 0..40 {
                let (store, name) = (Arc::clone(&store), made.name.clone());
                calls.spawn(async move { store.get::<Institutes>(&cx("user:reader"), &name, 0).await.read() });
            }
            for refused in calls.join_all().await {
                let refused = refused.unwrap_err();
                assert_eq!(refused.class(), Class::Internal);
                assert!(!refused.message().contains("institutes"), "{refused}");
            }
            // The statement for another collection is another one.
            assert_eq!(among.await.unwrap().unwrap(), person);
            execute(&db, "ALTER TABLE elsewhere RENAME TO institutes").await;
            assert_eq!(
                get_at_once(&store, &vec![made.name.clone(); 40]).await,
                vec![Ok(made); 40]
            );
        });
    }
}

#[test]
fn a_row_that_cannot_be_read_fails_the_call_for_it_alone() {
    for (kind, limit) in KINDS.into_iter().flat_map(|kind| LIMITS.map(|limit| (kind, limit))) {
        on_one_thread(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = Arc::new(fixture_db::store(&db.clone().batched_by(limit)));
            let mut made = Vec::new();
            for name in ["first", "broken", "third"] {
                made.push(make::<Institutes>(&store, named(name, &[name])).await);
            }
            let bytes = if kind == Kind::Postgres { "'\\xff'" } else { "x'ff'" };
            execute(
                &db,
                &format!("UPDATE institutes SET body = {bytes} WHERE name = '{}'", made[1].name),
            )
            .await;
            let names: Vec<_> = made.iter().map(|item| item.name.clone()).collect();
            let told = get_at_once(&store, &names).await;
            assert_eq!(told[0], Ok(made[0].clone()), "{kind:?} by {limit}");
            assert!(told[1].is_err());
            assert_eq!(told[2], Ok(made[2].clone()), "{kind:?} by {limit}");
        });
    }
}
