//! Walks through pages: the whole list in its order, whatever is written meanwhile.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use mingce_orm::{List, text};
use mingce_proto::awards::Award;
use proptest::prelude::*;

use crate::collections::{Prizes, scheme};
use crate::filters::{all, award, both, expr, fill};
use crate::fixture_db::{self, FixtureDb, Kind, cx, make};

const FIELDS: &[&str] = &[
    "title",
    "scheme",
    "number",
    "year",
    "grade",
    "state",
    "decision_date",
    "classified",
    "create_time",
];

fn order() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
    let keys = prop::sample::subsequence(FIELDS, 0..=3).prop_shuffle();
    (keys, prop::collection::vec(any::<bool>(), 3)).prop_map(|(keys, down)| keys.into_iter().zip(down).collect())
}

fn compare(field: &str, one: &Award, other: &Award) -> Ordering {
    let time = |a: &Award| a.create_time.map(|t| (t.seconds, t.nanos));
    match field {
        "title" => text::sort_key(&one.title).cmp(&text::sort_key(&other.title)),
        "scheme" => scheme(one).cmp(scheme(other)),
        "number" => one.number.cmp(&other.number),
        "year" => one.year.cmp(&other.year),
        "grade" => one.grade.cmp(&other.grade),
        "state" => one.state.cmp(&other.state),
        "decision_date" => one.decision_date.cmp(&other.decision_date),
        "classified" => one.classified.cmp(&other.classified),
        _ => time(one).cmp(&time(other)),
    }
}

#[test]
fn pages_make_the_whole_list_in_its_order() {
    let runtime = fixture_db::runtime();
    let (_fixtures, stores) = runtime.block_on(both());
    let walk = (order(), prop::option::of(expr()), 1..8i32);
    let values = (prop::collection::vec(award(), 1..30), prop::collection::vec(walk, 4));
    fixture_db::property(30, values, &runtime, |(awards, walks)| {
        let stores = &stores;
        async move {
            fill(stores, &awards).await;
            let everything = all(&stores[0].1, "record_status:*", "", 1000).await.unwrap();
            for (order, expr, size) in &walks {
                let filter = expr.as_ref().map_or("record_status = ACTIVE".to_owned(), |a| a.text());
                let words: Vec<_> = order
                    .iter()
                    .map(|(f, down)| format!("{f}{}", if *down { " desc" } else { "" }))
                    .collect();
                let keys = if order.is_empty() {
                    &vec![("year", true), ("title", false)]
                } else {
                    order
                };
                let is_active = |a: &&Award| a.record_status() == mingce_proto::registry::RecordStatus::Active;
                let mut wanted: Vec<_> = everything
                    .iter()
                    .filter(|a| expr.as_ref().map_or(is_active(a), |expr| expr.picks(a)))
                    .cloned()
                    .collect();
                wanted.sort_by(|one, other| {
                    let by_key = |(field, down): &(&str, bool)| {
                        let way = compare(field, one, other);
                        if *down { way.reverse() } else { way }
                    };
                    keys.iter()
                        .map(by_key)
                        .find(|o| o.is_ne())
                        .unwrap_or_else(|| one.name.cmp(&other.name))
                });
                for (db, store) in stores {
                    let found = all(store, &filter, &words.join(", "), *size).await.unwrap();
                    prop_assert_eq!(&found, &wanted, "{:?} {} {:?}", db.backend(), filter, words);
                }
            }
            Ok(())
        }
    });
}

#[test]
fn what_was_there_all_along_is_on_one_page_just_once() {
    let runtime = fixture_db::runtime();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let (_fixture, db) = runtime.block_on(FixtureDb::new(kind));
        let store = runtime.block_on(async { fixture_db::store(&db) });
        let stores = [(db, store)];
        let values = (
            prop::collection::vec(award(), 2..20),
            prop::collection::vec(award(), 1..10),
            order(),
            1..5i32,
        );
        fixture_db::property(15, values, &runtime, |(awards, later, order, page_size)| {
            let stores = &stores;
            async move {
                fill(stores, &awards).await;
                let store = &stores[0].1;
                let words: Vec<_> = order
                    .iter()
                    .map(|(f, down)| format!("{f}{}", if *down { " desc" } else { "" }))
                    .collect();
                let (order_by, mut later) = (words.join(", "), later.into_iter());
                let before: BTreeSet<_> = all(store, "", "", 1000)
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|a| a.name)
                    .collect();
                let (mut found, mut token) = (Vec::new(), String::new());
                loop {
                    let wanted = List {
                        page_size,
                        page_token: &token,
                        order_by: &order_by,
                        ..List::default()
                    };
                    let page = store.list::<Prizes>(&cx("user:reader"), wanted).await.unwrap();
                    found.extend(page.items().unwrap().into_iter().map(|a| a.name));
                    token = page.next_page_token;
                    if token.is_empty() {
                        break;
                    }
                    if let Some((award, _)) = later.next() {
                        let settled = Award {
                            title: format!("later {}", award.title),
                            number: "n".into(),
                            year: award.year.max(1990),
                            state: award.state.max(1),
                            evidence: Vec::new(),
                            contributors: Vec::new(),
                            scheme: Some(award.scheme.unwrap_or_default()),
                            ..award
                        };
                        make::<Prizes>(store, settled).await;
                    }
                }
                let once: BTreeSet<_> = found.iter().cloned().collect();
                prop_assert_eq!(once.len(), found.len(), "on two pages");
                prop_assert!(before.is_subset(&once), "on no page");
                Ok(())
            }
        });
    }
}

#[test]
fn a_token_is_good_for_its_own_list_only() {
    fixture_db::block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let stores = [(db.clone(), fixture_db::store(&db))];
        let award = Award {
            title: "A".repeat(300),
            grade: "B".repeat(60),
            number: "青".repeat(100),
            ..Award::default()
        };
        fill(
            &stores,
            &[(award.clone(), false), (award.clone(), false), (award, false)],
        )
        .await;
        let store = &stores[0].1;
        let first = List {
            page_size: 1,
            order_by: "title, grade, number",
            ..List::default()
        };
        let cx = cx("user:reader");
        let token = store.list::<Prizes>(&cx, first).await.unwrap().next_page_token;
        let second = List {
            page_token: &token,
            ..first
        };
        assert_eq!(
            store.list::<Prizes>(&cx, second).await.unwrap().items().unwrap().len(),
            1
        );
        let others = [
            List {
                order_by: "title, grade",
                ..second
            },
            List {
                order_by: "title, grade, number desc",
                ..second
            },
            List {
                filter: "year = 2000",
                ..second
            },
            List {
                parents: &["schemes/x".to_owned()],
                ..second
            },
        ];
        for other in others {
            let refused = store.list::<Prizes>(&cx, other).await.unwrap_err();
            assert_eq!(
                (refused.reason(), refused.violations()[0].field.as_str()),
                ("PAGE_TOKEN_OTHER_QUERY", "page_token")
            );
        }
        for refused in [
            store.search::<Prizes>(&cx, "A", 1, &token, 0).await.unwrap_err(),
            store
                .search::<crate::collections::Persons>(&cx, "A", 1, &token, 0)
                .await
                .unwrap_err(),
        ] {
            assert_eq!(refused.reason(), "PAGE_TOKEN_OTHER_QUERY");
        }
        let broken = List {
            page_token: "no token",
            ..first
        };
        assert_eq!(
            store.list::<Prizes>(&cx, broken).await.unwrap_err().reason(),
            "PAGE_TOKEN_MALFORMED"
        );
    });
}
