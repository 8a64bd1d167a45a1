//! Search by pages: every hit once, whole names first.

use mingce_orm::text::{self, Query};
use mingce_orm::{Collection, Store};
use mingce_proto::labs::Organization;
use mingce_proto::registry::{Name, RecordStatus};
use proptest::prelude::*;

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, call, cx};
use crate::invariants;

/// Names out of few parts: many of them share their tokens and hold a query none the less only in part.
fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "青岛",
        "岛屿",
        "大学",
        "学院",
        "海",
        "ocean",
        "Ocean lab",
        "Xi'an",
        "5g",
        "重庆",
        " ",
        "·",
    ]);
    prop::collection::vec(part, 1..4)
        .prop_map(|parts| parts.concat())
        .prop_filter("a name", |n| !text::fold(n).is_empty())
}

fn query() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "青岛", "岛大", "学", "海", "oc", "ocean", "lab", "xian", "qingdao", "qd", "dx", "5g", "chong", " ",
    ]);
    let words = prop::collection::vec(part, 1..3).prop_map(|parts| parts.concat());
    prop_oneof![words, name()].prop_filter("a query", |q| Query::parse(q).is_some())
}

/// What a search finds, by pages of a size.
pub async fn search_all(store: &Store, query: &str, size: i32) -> Vec<Organization> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = store
            .search::<Institutes>(&cx("user:reader"), query, size, &token, 0)
            .await
            .unwrap();
        let full = page.items().unwrap().len() == usize::try_from(size).unwrap();
        assert!(
            full || page.next_page_token.is_empty(),
            "a short page that is not the last"
        );
        assert!(
            !page.items().unwrap().is_empty() || found.is_empty(),
            "an empty page after others"
        );
        found.extend(page.items().unwrap());
        token = page.next_page_token;
        if token.is_empty() {
            return found;
        }
    }
}

/// What a search has to find among all resources.
pub fn expected_hits(everything: &[Organization], query: &str) -> Vec<Organization> {
    let meanings = std::iter::once(query.to_owned()).chain(Query::others(query));
    let mut found = meanings.map(|meaning| meant(everything, &meaning));
    found.find(|found| !found.is_empty()).unwrap_or_default()
}

fn meant(everything: &[Organization], query: &str) -> Vec<Organization> {
    let Some(parsed) = Query::parse(query) else {
        return Vec::new();
    };
    let is_meant =
        |o: &&Organization| o.record_status() == RecordStatus::Active && parsed.accepts(Institutes::searched(o));
    let mut wanted: Vec<_> = everything.iter().filter(is_meant).cloned().collect();
    wanted.sort_by_cached_key(|o| {
        let whole = Institutes::searched(o)
            .iter()
            .any(|name| text::fold(name) == text::fold(query));
        (!whole, text::sort_key(&o.display_name), o.name.clone())
    });
    wanted
}

fn searches(kind: Kind, cases: u32) {
    let runtime = fixture_db::runtime();
    let (_fixture, db) = runtime.block_on(FixtureDb::new(kind));
    let store = runtime.block_on(async { fixture_db::store(&db) });
    let names = prop::collection::vec(
        (name(), prop::collection::vec(name(), 0..2), prop::bool::weighted(0.1)),
        1..30,
    );
    let values = (names, prop::collection::vec((query(), 1..5i32), 8));
    fixture_db::property(cases, values, &runtime, |(names, queries)| {
        let (db, store) = (&db, &store);
        async move {
            fixture_db::empty(db).await;
            for (display_name, others, annulled) in names {
                let names = others
                    .into_iter()
                    .map(|text| Name {
                        text,
                        ..Name::default()
                    })
                    .collect();
                let made = Organization {
                    display_name,
                    names,
                    ..Organization::default()
                };
                let made = fixture_db::make::<Institutes>(store, made).await;
                if annulled {
                    store
                        .annul::<Institutes>(&cx("user:x"), call(), &made.name, "", "why")
                        .await
                        .read()
                        .unwrap();
                }
            }
            let everything = invariants::check(db).await;
            for (query, size) in queries {
                let wanted = expected_hits(&everything, &query);
                prop_assert_eq!(
                    &search_all(store, &query, size).await,
                    &wanted,
                    "{:?} by {}",
                    query,
                    size
                );
            }
            Ok(())
        }
    });
}

#[test]
fn every_hit_is_on_one_page_and_whole_names_come_first_on_sqlite() {
    searches(Kind::Sqlite, 12);
}

#[test]
fn every_hit_is_on_one_page_and_whole_names_come_first_on_postgres() {
    searches(Kind::Postgres, 12);
}

#[test]
fn a_query_without_a_letter_is_refused() {
    fixture_db::block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let refused = fixture_db::store(&db)
            .search::<Institutes>(&cx("user:reader"), " ·!", 0, "", 0)
            .await
            .unwrap_err();
        assert_eq!(
            (refused.reason(), refused.violations()[0].field.as_str()),
            ("QUERY_EMPTY", "query")
        );
    });
}
