//! Filters with some bytes changed: each is read as what it says and becomes SQL with bound values, or is refused at its character.

use mingce_e2e::fuzz::fuzz;
use rusqlite::Connection;
use sea_orm::DbBackend;
use sea_orm::sea_query::Query;

use super::*;
use crate::db::select::{T, rendered};
use crate::db::statement::sql;
use crate::model::column::Period;
use crate::query::predicate::compile;

const KINDS: &[(&str, i32)] = &[
    ("LAB_KIND_UNSPECIFIED", 0),
    ("LAB_KIND_ACADEMIC", 1),
    ("LAB_KIND_ENTERPRISE", 2),
];

/// A field of each sort.
const COLUMNS: &[Column] = &[
    Column::text("city"),
    Column::document("number"),
    Column::integer("year"),
    Column::hundredths("score"),
    Column::boolean("unverified"),
    Column::time("create_time"),
    Column::date("decision_date"),
    Column::period("quarter", Period::Quarter, "decision_date"),
    Column::resource("lab", "labs/{id}"),
    Column::resource("survivor", "labs/{id}").as_written(),
    Column::one_of("kind", KINDS),
    Column::one_of("kinds", KINDS).multi_valued(),
    Column::resource("hosts", "organizations/{id}").multi_valued(),
    Column::text("names").multi_valued(),
    Column::text("identifiers").search_only(),
];

/// The tables that conditions speak of, in a database that says whether it understands them.
const TABLES: &str = "
    CREATE TABLE labs (id, serial, city, number, year, score, unverified, create_time, decision_date, lab, survivor, kind);
    CREATE TABLE labs_values (id, field, value);
    CREATE TABLE survivors (record, survivor);
    CREATE VIRTUAL TABLE labs_search USING fts5 (tokens);
";

/// In many values, and in nothing that SQL has.
const MARK: &str = "zqx";

const SEEDS: [&str; 7] = [
    "kind = ACADEMIC AND (city = zqx OR NOT hosts:*) year >= 2020",
    "city:\"zqx %_'\\\" \\\\ ?;--\" AND names = 'zqx青岛' AND -unverified = true",
    "decision_date <= 2021-03 decision_date > 2019 quarter = 2024-Q1 create_time < 2024-09-30T00:00:00Z",
    "NOT (lab = labs/01jd2k3m4n5p6q7r8s9t0v1w2x OR survivor != '' OR lab = \"\")",
    "hosts != organizations/01jd2k3m4n5p6q7r8s9t0v1w2x OR kinds:UNSPECIFIED OR names = \"\" names:*",
    "identifiers = zqx/1 OR identifiers != \"zqx'2\" OR identifiers:*",
    "score > 91.37 AND (number = \"青科字〔2024〕zqx号\" OR ((year = 1)))",
];

const WORDS: &[&[u8]] = &[
    b" AND ",
    b" OR ",
    b"NOT ",
    b"-",
    b"(",
    b")",
    b"\"",
    b"'",
    b"\\",
    b"?",
    b"*",
    b":*",
    b" != ",
    b" <= ",
    b"city:",
    b"year = ",
    b"zqx",
    b"99999999999999999999",
    b"2024-02-30",
    b"\xe3\x80\x80",
];

#[test]
fn a_filter_with_any_bytes_changed_becomes_sql_with_bound_values_or_is_refused_at_its_character() {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch(TABLES).unwrap();
    let told = fuzz(4_000, &SEEDS.map(|seed| seed.as_bytes().to_vec()), WORDS, |_, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let filter = match parse(&text, COLUMNS) {
            Ok(Some(filter)) => filter,
            Ok(None) => {
                assert!(text.trim().is_empty());
                return true;
            }
            Err(error) => {
                told_well(&text, &error);
                return false;
            }
        };
        let canonical = filter.to_string();
        assert!(canonical.len() <= 8 * text.len() + 64, "{canonical}");
        assert_eq!(
            parse(&canonical, COLUMNS).unwrap().as_ref(),
            Some(&filter),
            "{canonical}"
        );
        let (text, count) = bound(DbBackend::Sqlite, &filter);
        let prepared = database.prepare(&text).unwrap();
        assert_eq!(prepared.parameter_count(), count, "{text}");
        let (text, count) = bound(DbBackend::Postgres, &filter);
        assert!(!text.contains('?'), "{text}");
        assert!(count == 0 || text.contains(&format!("${count}")), "{text}");
        true
    });
    told.expect_both();
}

/// The statement of a filter, and how many values are bound to it. Nothing of a value stands in its text.
fn bound(backend: DbBackend, filter: &Expr) -> (String, usize) {
    let mut query = Query::select();
    query
        .column((T, "id"))
        .from_as("labs", T)
        .and_where(compile(backend, filter, "labs"));
    let (text, values) = rendered(backend, &query);
    assert!(text.is_ascii() && !text.contains(MARK), "{text}");
    assert_eq!(text.matches('?').count(), values.len(), "{text}");
    assert_eq!(text.matches('(').count(), text.matches(')').count(), "{text}");
    assert!(text.matches('\'').count().is_multiple_of(2), "{text}");
    let count = values.len();
    (sql(backend, &text, values).sql, count)
}

/// A refusal has one of three reasons, and names a place in the text and what is right there.
fn told_well(text: &str, error: &Error) {
    let reasons = ["FILTER_INVALID", "FILTER_FIELD_UNKNOWN", "FILTER_VALUE_INVALID"];
    assert!(reasons.contains(&error.reason()), "{error:?}");
    let violation = &error.violations()[0];
    assert_eq!(violation.field, "filter");
    let (at, right) = violation
        .description
        .strip_prefix("at character ")
        .and_then(|rest| rest.split_once(": "))
        .unwrap();
    let at: usize = at.parse().unwrap();
    assert!((1..=text.chars().count() + 1).contains(&at), "{error:?}");
    assert!((1..1_000).contains(&right.len()), "{error:?}");
}
