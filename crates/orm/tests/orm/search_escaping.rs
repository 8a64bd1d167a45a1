//! Values and queries with operators, quotes and control characters: the search index takes them as plain text.

use mingce_orm::id::Id;
use mingce_orm::text::{self, Query};
use mingce_orm::{AuditInfo, Collection, Db, List, Store};
use mingce_proto::labs::Organization;
use mingce_proto::registry::{Identifier, Name, RecordStatus};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use crate::collections::Institutes;
use crate::filters::both;
use crate::fixture_db::{self, FixtureDb, Kind, cx, make};
use crate::invariants;
use crate::search::{expected_hits, search_all};
use crate::write_queue::named;

/// Parts of values: what folding would make alike, what languages have a use for, and what cannot be seen.
const PARTS: &[&str] = &[
    "Ab", "ab", "AB", "ａｂ", "ＡＢ", "ß", "SS", "é", "e\u{301}", "É", "İ", "i", "ﬁ", "青岛", "青島", "　", " ", "  ",
    "\t", "\n", "\u{200b}", "\u{feff}", "\"", "'", "''", "\\", "\\\"", "%", "_", "*", "?", "$1", ":", "=", "!=", "(",
    ")", "[", "{", "&", "|", "!", "^", "-", "--", ";", ",", "，", "。", "·", "AND", "OR", "NOT", "NEAR", "＃", "＝",
    "😀", "𠮷", "\u{1}", "\u{7f}", "\u{ffff}",
];

fn value() -> impl Strategy<Value = String> {
    let short = prop::collection::vec(prop::sample::select(PARTS), 1..5).prop_map(|parts| parts.concat());
    // Two of these differ only in their last character.
    let long = (prop::sample::select(PARTS), prop::sample::select(PARTS)).prop_map(|(part, last)| {
        let most: String = part.chars().cycle().take(499).collect();
        most.chars().chain(last.chars().take(1)).collect()
    });
    prop_oneof![8 => short, 1 => long]
}

/// How a value is asked for: as it is, or as something like it that it is not.
#[derive(Debug, Clone, Copy)]
enum Like {
    Itself,
    Lower,
    Upper,
    Folded,
    Spelled,
    Trimmed,
    WithASpace,
    Shortened,
    Quoted,
}

fn ask() -> impl Strategy<Value = (&'static str, &'static str, Index, Like)> {
    let like = prop_oneof![
        4 => Just(Like::Itself),
        1 => Just(Like::Lower),
        1 => Just(Like::Upper),
        1 => Just(Like::Folded),
        1 => Just(Like::Spelled),
        1 => Just(Like::Trimmed),
        1 => Just(Like::WithASpace),
        1 => Just(Like::Shortened),
        1 => Just(Like::Quoted),
    ];
    (
        prop::sample::select(vec!["names", "identifiers"]),
        prop::sample::select(vec!["=", "!=", ":"]),
        any::<Index>(),
        like,
    )
}

impl Like {
    fn of(self, value: &str) -> String {
        match self {
            Self::Itself => value.to_owned(),
            Self::Lower => value.to_lowercase(),
            Self::Upper => value.to_uppercase(),
            Self::Folded => text::fold(value),
            Self::Spelled => text::spelled(value),
            Self::Trimmed => value.trim().to_owned(),
            Self::WithASpace => format!("{value} "),
            Self::Shortened => value.chars().skip(1).collect(),
            Self::Quoted => format!("\"{value}\""),
        }
    }
}

fn held<'a>(field: &str, item: &'a Organization) -> Vec<&'a str> {
    match field {
        "names" => Institutes::searched(item),
        _ => item.identifiers.iter().map(|held| held.value.as_str()).collect(),
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Writes institutes with the same ids into each database, as they are.
async fn fill(stores: &[(Db, Store)], items: &[Organization]) {
    let cx = cx("user:filler");
    for (db, store) in stores {
        fixture_db::empty(db).await;
        let mut edits: Vec<mingce_orm::Edit> = Vec::new();
        for (item, id) in items.iter().cloned().zip(1..) {
            let cx = cx.clone();
            edits.push(Box::new(move |work| {
                work.create_as::<Institutes>(&cx, &AuditInfo::new("create"), &item, Id::from_bytes([id; 16]))
            }));
        }
        for done in store.change_each(&cx, edits).await.unwrap() {
            done.unwrap();
        }
    }
}

async fn listed(store: &Store, filter: &str) -> Result<Vec<String>, TestCaseError> {
    let wanted = List {
        page_size: 1000,
        filter,
        ..List::default()
    };
    let page = store.list::<Institutes>(&cx("user:reader"), wanted).await;
    let page = page.map_err(|e| TestCaseError::fail(format!("{filter:?}: {e} {:?}", e.detail())))?;
    let mut names: Vec<_> = page.items().unwrap().into_iter().map(|item| item.name).collect();
    names.sort();
    Ok(names)
}

#[test]
fn a_value_in_the_index_is_found_letter_for_letter_in_its_one_form() {
    let runtime = fixture_db::runtime();
    let (_fixtures, stores) = runtime.block_on(both());
    let item = (
        value(),
        prop::collection::vec(value(), 0..3),
        prop::collection::vec(value(), 0..3),
    );
    let item = item.prop_map(|(display_name, names, identifiers)| {
        let name = |text| Name {
            text,
            ..Name::default()
        };
        let identifier = |value| Identifier {
            scheme: "test".into(),
            value,
        };
        Organization {
            display_name,
            names: names.into_iter().map(name).collect(),
            identifiers: identifiers.into_iter().map(identifier).collect(),
            ..Organization::default()
        }
    });
    let values = (prop::collection::vec(item, 1..12), prop::collection::vec(ask(), 12));
    fixture_db::property(30, values, &runtime, |(mut items, asks)| {
        let stores = &stores;
        async move {
            // An identifier has one holder.
            let mut taken = std::collections::BTreeSet::new();
            for item in &mut items {
                item.identifiers
                    .retain(|held| taken.insert(text::grouped(&held.value).into_owned()));
            }
            fill(stores, &items).await;
            let everything = invariants::check(&stores[0].0).await;
            prop_assert_eq!(&everything, &invariants::check(&stores[1].0).await);
            let matching = |test: &dyn Fn(&Organization) -> bool| -> Vec<String> {
                let all = everything.iter().filter(|item| test(item));
                all.map(|item| item.name.clone()).collect()
            };
            let mut filters: Vec<(String, Vec<String>)> = Vec::new();
            for field in ["names", "identifiers"] {
                filters.push((format!("{field}:*"), matching(&|item| !held(field, item).is_empty())));
                filters.push((format!("NOT {field}:*"), matching(&|item| held(field, item).is_empty())));
            }
            for (field, operator, at, like) in &asks {
                let all: Vec<_> = everything
                    .iter()
                    .flat_map(|item| [held("names", item), held("identifiers", item)].concat())
                    .collect();
                let value = like.of(all[at.index(all.len())]);
                if value.is_empty() && *operator == ":" {
                    continue;
                }
                let meant = text::grouped(&value);
                let is_meant = |item: &Organization| {
                    held(field, item).iter().any(|held| text::grouped(held) == meant) == (*operator != "!=")
                };
                filters.push((format!("{field} {operator} {}", quoted(&value)), matching(&is_meant)));
            }
            for (filter, wanted) in &filters {
                for (db, store) in stores {
                    prop_assert_eq!(&listed(store, filter).await?, wanted, "{:?} {:?}", db.backend(), filter);
                }
            }
            Ok(())
        }
    });
}

#[test]
fn a_value_of_500_characters_is_told_from_one_that_differs_at_its_end() {
    fixture_db::block_on(async {
        let (_fixtures, stores) = both().await;
        let long = |last: char| "青".repeat(499) + &last.to_string();
        let item = |last: char| named(&long(last), &[&long(last)]);
        fill(&stores, &[item('a'), item('A'), item('á')]).await;
        for (_, store) in &stores {
            for field in ["names", "identifiers"] {
                for (last, number) in [
                    ('a', Some(1)),
                    ('A', Some(2)),
                    ('á', Some(3)),
                    ('ａ', Some(1)),
                    ('b', None),
                ] {
                    let filter = format!("{field} = {}", quoted(&long(last)));
                    let expected: Vec<_> = number
                        .map(|n| format!("organizations/{}", Id::from_bytes([n; 16])))
                        .into_iter()
                        .collect();
                    assert_eq!(listed(store, &filter).await.unwrap(), expected, "{field} {last}");
                }
            }
        }
    });
}

/// What the languages of full-text search use, and what ends or quotes a text in SQL.
const SIGNS: &[&str] = &[
    "AND",
    "OR",
    "NOT",
    "NEAR",
    "NEAR(",
    "NEAR/2",
    "and",
    "or",
    "b, 3)",
    "*",
    "a*",
    "^",
    "^a",
    ":",
    "tokens:",
    "tokens:a",
    "a:*",
    "rank:",
    "&",
    "|",
    "!",
    "!a",
    "<->",
    "<2>",
    "'",
    "''",
    "\"",
    "\"\"",
    "\"a",
    "\\",
    "\\'",
    "a\\",
    "(",
    ")",
    "{a b}:",
    "[",
    "-",
    "-a",
    "+",
    "+a",
    ",",
    ".",
    ";",
    "--",
    "/*",
    "%",
    "_",
    "?",
    "$1",
    "#",
    "＃a",
    "＝a",
    "NULL",
    "青岛",
    "海AND洋",
    "a",
    "5g",
    "ａ",
    "\u{1}",
    "\t",
    "\n",
    "\u{200b}",
    "😀",
    "a&b",
    "a|b",
    "a'b",
    "a\"b",
    "xi'an",
];

fn signs() -> impl Strategy<Value = String> {
    let joined = prop::sample::select(vec!["", " "]);
    (prop::collection::vec(prop::sample::select(SIGNS), 1..4), joined).prop_map(|(parts, with)| parts.join(with))
}

fn operators(kind: Kind) {
    let runtime = fixture_db::runtime();
    let (_fixture, db) = runtime.block_on(FixtureDb::new(kind));
    let store = runtime.block_on(async { fixture_db::store(&db) });
    let name = signs().prop_filter("a name", |name| !name.trim().is_empty());
    let values = (prop::collection::vec(name, 1..16), prop::collection::vec(signs(), 12));
    fixture_db::property(20, values, &runtime, |(names, queries)| {
        let (db, store) = (&db, &store);
        async move {
            fixture_db::empty(db).await;
            for name in &names {
                make::<Institutes>(store, named(name, &[])).await;
            }
            let everything = invariants::check(db).await;
            // Each sign by itself too, and each name as a query.
            let alone = SIGNS.iter().map(|sign| (*sign).to_owned());
            for query in queries.into_iter().chain(names).chain(alone) {
                if Query::parse(&query).is_some() {
                    prop_assert_eq!(
                        &search_all(store, &query, 1000).await,
                        &expected_hits(&everything, &query),
                        "{:?}",
                        query
                    );
                } else {
                    let refused = store.search::<Institutes>(&cx("user:reader"), &query, 0, "", 0).await;
                    prop_assert_eq!(refused.unwrap_err().reason(), "QUERY_EMPTY", "{:?}", query);
                }
            }
            Ok(())
        }
    });
}

#[test]
fn signs_of_other_languages_are_plain_text_to_a_search_on_sqlite() {
    operators(Kind::Sqlite);
}

#[test]
fn signs_of_other_languages_are_plain_text_to_a_search_on_postgres() {
    operators(Kind::Postgres);
}

#[test]
fn words_that_are_operators_elsewhere_are_found() {
    fixture_db::block_on(async {
        let (_fixtures, stores) = both().await;
        for (_, store) in &stores {
            let mut made = Vec::new();
            for name in [
                "Search AND Rescue",
                "Do NOT",
                "NEAR",
                "Either OR",
                "tokens:a",
                "O'Neill \"&\" Sons",
                "a | b",
            ] {
                made.push(make::<Institutes>(store, named(name, &[])).await);
            }
            for (query, number) in [
                ("AND", 0),
                ("rescue and", 0),
                ("NOT", 1),
                ("near", 2),
                ("NEAR(", 2),
                ("OR", 3),
                ("tokens:a", 4),
                ("O'Neill", 5),
                ("\"&\" sons", 5),
                ("a|b", 6),
                ("b & a", 6),
            ] {
                let names: Vec<_> = search_all(store, query, 10).await.into_iter().map(|o| o.name).collect();
                assert!(names.contains(&made[number].name), "{query}: {names:?}");
            }
            let active = made.iter().all(|item| item.record_status() == RecordStatus::Active);
            assert!(active);
        }
    });
}
