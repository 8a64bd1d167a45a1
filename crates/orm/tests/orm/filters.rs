//! Filters against a plain evaluation over the decoded resources, and the same answers from both databases.

use jiff::civil::Date;
use mingce_orm::id::Id;
use mingce_orm::{AuditInfo, Db, List, Store};
use mingce_proto::awards::{Award, AwardState, Contributor, SchemeReference};
use mingce_proto::registry::RecordStatus;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::collections::{Prizes, evidence, scheme};
use crate::fixture_db::{self, FixtureDb, Kind, cx};

const WORDS: &[&str] = &[
    "", "Abc", "abc", "a%c", "a_c", "A\\c", "青岛", "青", "É", "é", "z'\"z", "AND", "*",
];
const DATES: &[&str] = &[
    "",
    "2019",
    "2019-12",
    "2019-12-31",
    "2020",
    "2020-01",
    "2020-01-01",
    "2020-02",
    "2020-02-29",
    "2020-12",
    "2020-12-31",
    "2021",
    "2021-01-01",
    "9999-12-31",
];

fn schemes() -> Vec<String> {
    let name = |n: u8| format!("schemes/{}", Id::from_bytes([n; 16]));
    vec![String::new(), name(1), name(2)]
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(WORDS).prop_map(str::to_owned)
}

/// An award with its place among its like, and whether it is annulled.
pub fn award() -> impl Strategy<Value = (Award, bool)> {
    let words = (word(), word(), word(), prop::collection::vec(word(), 0..3));
    let numbers = (
        prop::sample::select(vec![0, 1999, 2000, 2024]),
        0..4i32,
        0..3usize,
        any::<bool>(),
    );
    let names = (
        prop::sample::select(schemes()),
        prop::sample::select(DATES),
        prop::bool::weighted(0.15),
    );
    (words, numbers, names).prop_map(
        |((title, number, grade, evidence), (year, state, people, classified), (scheme, day, annulled))| {
            let scheme = (!scheme.is_empty()).then(|| SchemeReference {
                scheme,
                ..SchemeReference::default()
            });
            let contributors = vec![Contributor::default(); people];
            let decision_date = day.to_owned();
            let award = Award {
                title,
                number,
                grade,
                evidence,
                year,
                state,
                contributors,
                classified,
                scheme,
                decision_date,
                ..Award::default()
            };
            (award, annulled)
        },
    )
}

/// Writes awards with the same ids into each database.
pub async fn fill(stores: &[(Db, Store)], awards: &[(Award, bool)]) {
    let cx = cx("user:filler");
    for (db, store) in stores {
        fixture_db::empty(db).await;
        let mut edits: Vec<mingce_orm::Edit> = Vec::new();
        for (place, (award, annulled)) in awards.iter().cloned().enumerate() {
            let cx = cx.clone();
            edits.push(Box::new(move |work| {
                // Ids that do not follow the order of making.
                let id = u8::try_from(place * 37 % 251).unwrap();
                let made =
                    work.create_as::<Prizes>(&cx, &AuditInfo::new("create"), &award, Id::from_bytes([id; 16]))?;
                let made_award = made.decode::<Prizes>()?;
                if annulled {
                    return work.change::<Prizes>(
                        &cx,
                        &AuditInfo::new("annul"),
                        &made_award,
                        RecordStatus::Annulled,
                        "",
                    );
                }
                Ok(made)
            }));
        }
        for done in store.change_each(&cx, edits).await.unwrap() {
            done.unwrap();
        }
    }
}

/// Stores on both databases.
pub async fn both() -> (Vec<FixtureDb>, Vec<(Db, Store)>) {
    let (mut fixtures, mut stores) = (Vec::new(), Vec::new());
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let (fixture, db) = FixtureDb::new(kind).await;
        stores.push((db.clone(), fixture_db::store(&db)));
        fixtures.push(fixture);
    }
    (fixtures, stores)
}

/// A filter, as a tree of its own.
#[derive(Debug, Clone)]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Text(&'static str, &'static str, String),
    Number(&'static str, &'static str, i32),
    State(&'static str, &'static str),
    Flag(&'static str, bool),
    Day(&'static str, &'static str),
    Scheme(&'static str, String),
    Evidence(&'static str, String),
    Set(&'static str),
    Status(RecordStatus),
}

const STATES: &[(&str, i32)] = &[("APPROVED", 1), ("CONFERRED", 2), ("REVOKED", 3)];

pub fn expr() -> impl Strategy<Value = Expr> {
    let operator = || prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let equal = || prop::sample::select(vec!["=", "!=", ":"]);
    let full = || word().prop_filter("has needs words", |w| !w.is_empty());
    let text_field = prop::sample::select(vec!["title", "number", "grade"]);
    let days = vec![
        "2020",
        "2019",
        "2020-02",
        "2020-12",
        "2020-02-29",
        "2020-01-01",
        "2019-12-31",
        "2020-01",
        "2020-12-31",
        "2021-01-01",
        "9999",
        "9999-12-31",
    ];
    let fields = vec![
        "title",
        "scheme",
        "number",
        "year",
        "grade",
        "state",
        "evidence",
        "decision_date",
        "classified",
    ];
    let one = prop_oneof![
        3 => (text_field.clone(), operator(), word()).prop_map(|(f, o, w)| Expr::Text(f, o, w)),
        2 => (text_field, full()).prop_map(|(f, w)| Expr::Text(f, ":", w)),
        2 => (prop::sample::select(vec!["year", "contributor_count"]), operator(), prop::sample::select(vec![0, 1, 2, 1999, 2000]))
            .prop_map(|(f, o, n)| Expr::Number(f, o, n)),
        1 => (equal(), prop::sample::select(STATES)).prop_map(|(o, s)| Expr::State(o, s.0)),
        1 => (equal(), any::<bool>()).prop_map(|(o, yes)| Expr::Flag(o, yes)),
        2 => (prop_oneof![operator(), Just(":")], prop::sample::select(days)).prop_map(|(o, d)| Expr::Day(o, d)),
        1 => (equal(), prop::sample::select(schemes())).prop_filter("a name", |(_, n)| !n.is_empty()).prop_map(|(o, n)| Expr::Scheme(o, n)),
        2 => (equal(), full()).prop_map(|(o, w)| Expr::Evidence(o, w)),
        1 => prop::sample::select(fields).prop_map(Expr::Set),
        1 => prop::sample::select(vec![RecordStatus::Active, RecordStatus::Annulled]).prop_map(Expr::Status),
    ];
    one.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Any),
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
        ]
    })
}

impl Expr {
    /// As a caller writes it.
    pub fn text(&self) -> String {
        let quoted = |word: &str| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
        let joined = |parts: &[Self], word: &str| {
            parts
                .iter()
                .map(|p| format!("({})", p.text()))
                .collect::<Vec<_>>()
                .join(word)
        };
        match self {
            Self::All(parts) => joined(parts, " AND "),
            Self::Any(parts) => joined(parts, " OR "),
            Self::Not(part) => format!("NOT ({})", part.text()),
            Self::Text(field, operator, word) => format!("{field} {operator} {}", quoted(word)),
            Self::Evidence(operator, word) => format!("evidence {operator} {}", quoted(word)),
            Self::Number(field, operator, number) => format!("{field} {operator} {number}"),
            Self::State(operator, state) => format!("state {operator} {state}"),
            Self::Flag(operator, yes) => format!("classified {operator} {yes}"),
            Self::Day(operator, day) => format!("decision_date {operator} {day}"),
            Self::Scheme(operator, name) => format!("scheme {operator} {name}"),
            Self::Set(field) => format!("{field}:*"),
            Self::Status(status) => format!("record_status = {}", status.as_str_name()),
        }
    }

    fn names_status(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::names_status),
            Self::Not(part) => part.names_status(),
            Self::Status(_) => true,
            _ => false,
        }
    }

    /// Whether a list with this filter has the award.
    pub fn picks(&self, award: &Award) -> bool {
        self.holds(award) && (self.names_status() || award.record_status() == RecordStatus::Active)
    }

    fn holds(&self, award: &Award) -> bool {
        let text = |field: &str| match field {
            "title" => award.title.as_str(),
            "number" => award.number.as_str(),
            _ => award.grade.as_str(),
        };
        match self {
            Self::All(parts) => parts.iter().all(|p| p.holds(award)),
            Self::Any(parts) => parts.iter().any(|p| p.holds(award)),
            Self::Not(part) => !part.holds(award),
            Self::Text(field, ":", word) => text(field).to_ascii_lowercase().contains(&word.to_ascii_lowercase()),
            Self::Text(field, operator, word) => compare(operator, text(field), word.as_str(), ""),
            Self::Number("year", operator, number) => compare(operator, award.year, *number, 0),
            Self::Number(_, operator, number) => {
                compare(operator, i32::try_from(award.contributors.len()).unwrap(), *number, 0)
            }
            Self::State(operator, state) => {
                let number = STATES.iter().find(|s| s.0 == *state).unwrap().1;
                (award.state == number) == (*operator != "!=")
            }
            Self::Flag(operator, yes) => (award.classified == *yes) == (*operator != "!="),
            Self::Day(operator, day) => {
                // A range has what lies in it with all of its days.
                let stored = award.decision_date.as_str();
                let within = stored.starts_with(day);
                match (*operator, days(stored), days(day).unwrap()) {
                    ("=" | ":", _, _) => within,
                    ("!=", _, _) => !within,
                    (_, None, _) => false,
                    ("<", Some((_, last)), (first, _)) => last < first,
                    ("<=", Some((_, last)), (_, end)) => last <= end,
                    (">", Some((first, _)), (_, end)) => first > end,
                    (_, Some((first, _)), (begin, _)) => first >= begin,
                }
            }
            Self::Scheme(operator, name) => (scheme(award) == name) == (*operator != "!="),
            Self::Evidence(operator, word) => evidence(award).any(|e| e == word) == (*operator != "!="),
            Self::Set(field) => match *field {
                "year" => award.year != 0,
                "state" => award.state != 0,
                "classified" => award.classified,
                "scheme" => !scheme(award).is_empty(),
                "decision_date" => !award.decision_date.is_empty(),
                "evidence" => evidence(award).any(|e| !e.is_empty()),
                field => !text(field).is_empty(),
            },
            Self::Status(status) => award.record_status() == *status,
        }
    }
}

/// The first and the last day of a year, month or day.
fn days(text: &str) -> Option<(Date, Date)> {
    let numbers: Vec<i16> = text.split('-').filter_map(|part| part.parse().ok()).collect();
    let day = |y: i16, m: i16, d: i16| Date::new(y, m.try_into().unwrap(), d.try_into().unwrap()).unwrap();
    Some(match numbers[..] {
        [y] => (day(y, 1, 1), day(y, 12, 31)),
        [y, m] => (day(y, m, 1), day(y, m, 1).last_of_month()),
        [y, m, d] => (day(y, m, d), day(y, m, d)),
        _ => return None,
    })
}

/// What is not known is neither before nor after anything.
fn compare<T: PartialOrd>(operator: &str, stored: T, value: T, unknown: T) -> bool {
    match operator {
        "=" => stored == value,
        "!=" => stored != value,
        "<" => stored < value && stored != unknown,
        "<=" => stored <= value && stored != unknown,
        ">" => stored > value,
        _ => stored >= value,
    }
}

/// All awards of a filter, by pages of a size.
pub async fn all(store: &Store, filter: &str, order_by: &str, page_size: i32) -> mingce_orm::Result<Vec<Award>> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let wanted = List {
            page_size,
            page_token: &token,
            filter,
            order_by,
            count: true,
            ..List::default()
        };
        let page = store.list::<Prizes>(&cx("user:reader"), wanted).await?;
        let size = usize::try_from(page_size).unwrap();
        assert!(
            page.items().unwrap().len() == size
                || (page.items().unwrap().len() < size && page.next_page_token.is_empty()),
            "a short page"
        );
        found.extend(page.items().unwrap());
        if page.next_page_token.is_empty() {
            assert_eq!(page.total_size, i64::try_from(found.len()).unwrap());
            return Ok(found);
        }
        token = page.next_page_token;
    }
}

#[test]
fn a_filter_finds_what_it_says_on_both_databases() {
    let states: Vec<_> = STATES
        .iter()
        .map(|s| AwardState::try_from(s.1).unwrap().as_str_name())
        .collect();
    assert_eq!(
        states,
        ["AWARD_STATE_APPROVED", "AWARD_STATE_CONFERRED", "AWARD_STATE_REVOKED"]
    );
    let runtime = fixture_db::runtime();
    let (_fixtures, stores) = runtime.block_on(both());
    let values = (prop::collection::vec(award(), 1..25), prop::collection::vec(expr(), 20));
    fixture_db::property(40, values, &runtime, |(awards, exprs)| {
        let stores = &stores;
        async move {
            fill(stores, &awards).await;
            let everything = "record_status:*";
            let (first, second) = (
                all(&stores[0].1, everything, "", 1000).await,
                all(&stores[1].1, everything, "", 1000).await,
            );
            let (first, second) = (first.unwrap(), second.unwrap());
            prop_assert_eq!(&first, &second);
            prop_assert_eq!(first.len(), awards.len());
            for expr in &exprs {
                let wanted: Vec<_> = first
                    .iter()
                    .filter(|a| expr.picks(a))
                    .map(|a| a.name.as_str())
                    .collect();
                for (_, store) in stores {
                    let found = all(store, &expr.text(), "", 1000).await;
                    let found =
                        found.map_err(|e| TestCaseError::fail(format!("{}: {e} {:?}", expr.text(), e.detail())))?;
                    let found: Vec<_> = found.iter().map(|a| a.name.as_str()).collect();
                    prop_assert_eq!(&found, &wanted, "{}", expr.text());
                }
            }
            Ok(())
        }
    });
}
