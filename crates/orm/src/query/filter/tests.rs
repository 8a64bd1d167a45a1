//! What filters are read as, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::error::{Class, Result};
use crate::id::Id;

const KINDS: &[(&str, i32)] = &[
    ("LAB_KIND_UNSPECIFIED", 0),
    ("LAB_KIND_ACADEMIC", 1),
    ("LAB_KIND_ENTERPRISE", 2),
];
const CITY: Column = Column::text("city");
const YEAR: Column = Column::integer("year");
const UNVERIFIED: Column = Column::boolean("unverified");
const CREATED: Column = Column::time("create_time");
const DECIDED: Column = Column::date("decision_date");
const LAB: Column = Column::resource("lab", "labs/{id}");
const KIND: Column = Column::one_of("kind", KINDS);
const HOSTS: Column = Column::resource("hosts", "organizations/{id}").multi_valued();
const NAMES: Column = Column::text("names").multi_valued();
const COLUMNS: &[Column] = &[CITY, YEAR, UNVERIFIED, CREATED, DECIDED, LAB, KIND, HOSTS, NAMES];
const NAME: &str = "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x";

fn read(text: &str) -> Expr {
    parse(text, COLUMNS).unwrap().unwrap()
}

fn compare(column: Column, operator: Operator, value: impl Into<Value>) -> Expr {
    Expr::Compare {
        column,
        operator,
        value: value.into(),
    }
}

fn year(number: i64) -> Expr {
    compare(YEAR, Operator::Equal, number)
}

/// The reason and the message of the refusal.
fn refused(text: &str) -> (&'static str, String) {
    let error = parse(text, COLUMNS).unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    assert_eq!(error.violations()[0].field, "filter");
    (error.reason(), error.violations()[0].description.clone())
}

fn value(text: &str) -> Value {
    match read(text) {
        Expr::Compare { value, .. } => value,
        other => unreachable!("{other:?}"),
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

#[test]
fn a_blank_filter_asks_for_nothing() {
    for text in ["", " ", "\t\n\u{3000}"] {
        assert_eq!(parse(text, COLUMNS).unwrap(), None);
    }
}

#[test]
fn every_operator_is_read_with_and_without_blanks() {
    use Operator::*;
    for operator in [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, Has] {
        let symbol = operator.symbol();
        for text in [format!("year{symbol}2024"), format!("  year \n{symbol}\t2024 ")] {
            assert_eq!(read(&text), compare(YEAR, operator, 2024), "{text}");
        }
    }
}

#[test]
fn or_binds_tighter_than_and_and_and_can_be_left_out() {
    let expected = Expr::And(vec![year(1), Expr::Or(vec![year(2), year(3)]), year(4)]);
    for text in [
        "year=1 AND year=2 OR year=3 AND year=4",
        "year=1 year=2 OR year=3 year=4",
        "(year = 1) AND (((year = 2) OR (year = 3)) AND year = 4)",
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    assert_eq!(read("(year=1)(year=2)"), Expr::And(vec![year(1), year(2)]));
    assert_eq!(expected.to_string(), "year = 1 AND year = 2 OR year = 3 AND year = 4");
    let other = read("(year=1 AND year=2) OR (year=3 AND year=4)");
    assert_eq!(other.to_string(), "(year = 1 AND year = 2) OR (year = 3 AND year = 4)");
}

#[test]
fn not_and_minus_deny_one_comparison_or_parenthesis() {
    let not = |part| Expr::Not(Box::new(part));
    for text in [
        "NOT year=1 year=2",
        "-year=1 AND year=2",
        "NOT(year=1)year=2",
        "-(year=1) (year=2)",
    ] {
        assert_eq!(read(text), Expr::And(vec![not(year(1)), year(2)]), "{text}");
    }
    assert_eq!(read("NOT (year=1 OR year=2)"), not(Expr::Or(vec![year(1), year(2)])));
    assert_eq!(
        read("NOT (NOT (year=1 year=2)) year=3"),
        Expr::And(vec![year(1), year(2), year(3)])
    );
    assert_eq!(read("NOT year=1 OR year=2"), Expr::Or(vec![not(year(1)), year(2)]));
    assert_eq!(read("year > -5"), compare(YEAR, Operator::Greater, -5));
}

#[test]
fn values_need_no_quotes_where_they_are_letters_digits_and_a_few_signs() {
    assert_eq!(value("city=青岛"), "青岛".into());
    assert_eq!(value("city:Röntgen"), "Röntgen".into());
    assert_eq!(value("city:Ro\u{308}ntgen"), "Ro\u{308}ntgen".into());
    assert_eq!(value("city=a_b-c.d/e:f+g"), "a_b-c.d/e:f+g".into());
    assert_eq!(value(&format!("hosts:{NAME}")), NAME.into());
    assert_eq!(read("(city=青岛)"), compare(CITY, Operator::Equal, "青岛"));
}

#[test]
fn values_in_quotes_hold_anything() {
    assert_eq!(value(r#"city = "New York""#), "New York".into());
    assert_eq!(value(r#"city = 'L"Aquila'"#), "L\"Aquila".into());
    assert_eq!(value(r#"city = "a\"b\\c\'d""#), "a\"b\\c'd".into());
    assert_eq!(value(r#"city = "AND""#), "AND".into());
    assert_eq!(value(r#"city = "*""#), "*".into());
    assert_eq!(value(r#"city = """#), "".into());
    assert_eq!(value(r#"year = "2024""#), 2024.into());
}

#[test]
fn a_star_asks_whether_a_field_is_set_and_nothing_else() {
    for column in COLUMNS {
        assert_eq!(
            read(&format!("{}:*", column.name)),
            compare(*column, Operator::Has, Value::Any)
        );
    }
    assert_eq!(value(r#"city:"*""#), "*".into());
    for text in [
        "city = *",
        "city = Qing*",
        "city:*dao",
        "year != *",
        "hosts:organizations/*",
    ] {
        let (reason, description) = refused(text);
        assert_eq!(reason, "FILTER_VALUE_INVALID", "{text}");
        assert!(description.contains(":*` for"), "{description}");
    }
}

#[test]
fn times_are_instants_or_days_that_begin_at_midnight_in_china() {
    assert_eq!(
        read("create_time < 2024-09-30"),
        read("create_time < 2024-09-29T16:00:00Z")
    );
    assert_eq!(
        value("create_time >= 0001-01-01"),
        value("create_time >= 0001-01-01T00:00:00Z")
    );
    for text in [
        "create_time >= 2024-09-30T00:00:00Z",
        "create_time >= \"2024-09-30T08:00:00.000+08:00\"",
        "create_time >= 2024-09-30t00:00:00.0000001z",
    ] {
        assert_eq!(
            read(text),
            compare(CREATED, Operator::GreaterOrEqual, 1_727_654_400_000_000),
            "{text}"
        );
    }
    assert_eq!(
        value("create_time = 2024-09-30T00:00:00.000001Z"),
        1_727_654_400_000_001.into()
    );
    for wrong in [
        "2024",
        "2024-09",
        "2024-9-30",
        "2024-02-30",
        "2024-09-30T00:00:00",
        "2024-09-30T25:00:00Z",
        "0000-01-01",
        "0001-01-01T00:00:00+08:00",
        "2024-W40-1T00:00:00Z",
        "20240930T000000Z",
        "yesterday",
        "+002024-09-30T00:00:00Z",
        "1727654400",
        "\"2024-09-30T00:00:00+08:00[Asia/Shanghai]\"",
        "9999-12-31T23:59:59-23:00",
    ] {
        assert_eq!(
            refused(&format!("create_time > {wrong}")).0,
            "FILTER_VALUE_INVALID",
            "{wrong}"
        );
    }
}

#[test]
fn dates_are_years_months_or_days_and_upper_bounds_hold_the_last_day() {
    for (text, expected) in [
        ("decision_date = 2021", "2021"),
        ("decision_date:2021-03", "2021-03"),
        ("decision_date >= 2021", "2021"),
        ("decision_date < 2021-03", "2021-03"),
        ("decision_date <= 2021", "2021-12-31"),
        ("decision_date > 2024-02", "2024-02-29"),
        ("decision_date <= 2021-03-04", "2021-03-04"),
        ("decision_date <= 9999", "9999-12-31"),
    ] {
        assert_eq!(value(text), expected.into(), "{text}");
    }
    for wrong in [
        "21",
        "2021-13",
        "2021-02-29",
        "2021-3",
        "2021/03",
        "0000",
        "+123",
        "二〇二一",
        "2021-03-04T00:00:00Z",
        "''",
    ] {
        assert_eq!(
            refused(&format!("decision_date = {wrong}")).0,
            "FILTER_VALUE_INVALID",
            "{wrong}"
        );
    }
}

#[test]
fn enums_are_read_with_and_without_their_prefix_and_a_wrong_one_is_told_all() {
    assert_eq!(value("kind = ACADEMIC"), 1.into());
    assert_eq!(value("kind != LAB_KIND_ENTERPRISE"), 2.into());
    let (reason, description) = refused("year = 1 kind = academic");
    assert_eq!(reason, "FILTER_VALUE_INVALID");
    assert_eq!(
        description,
        "at character 17: expected one of these for `kind`: UNSPECIFIED, ACADEMIC, ENTERPRISE"
    );
}

#[test]
fn a_value_of_another_type_is_refused_with_what_would_be_right() {
    assert_eq!(value("unverified = true"), Value::Boolean(true));
    assert_eq!(value(&format!("year = {}", i64::MIN)), i64::MIN.into());
    for (text, right) in [
        ("year = 1.5", "a whole number"),
        ("year = 9223372036854775808", "a whole number"),
        ("year = '２０２４'", "a whole number"),
        ("unverified = yes", "`true` or `false`"),
        ("unverified = TRUE", "`true` or `false`"),
        ("lab = 海洋实验室", "for example `labs/01jd2k3m4n5p6q7r8s9t0v1w2x`"),
        (
            "hosts:organizations/1",
            "for example `organizations/01jd2k3m4n5p6q7r8s9t0v1w2x`",
        ),
        ("create_time < 昨天", "a time"),
        ("decision_date < 昨天", "a year, month or day"),
        ("city:''", "`city:*`"),
        ("city = 'a\0b'", "U+0000"),
    ] {
        let (reason, description) = refused(text);
        assert_eq!(reason, "FILTER_VALUE_INVALID", "{text}");
        assert!(description.contains(right), "{description}");
    }
}

#[test]
fn an_unknown_field_is_refused_with_those_that_there_are() {
    let (reason, description) = refused("(year = 1 OR 城市 = 2)");
    assert_eq!(reason, "FILTER_FIELD_UNKNOWN");
    assert!(
        description.starts_with("at character 14: `城市` is not"),
        "{description}"
    );
    for column in COLUMNS {
        assert!(description.contains(&format!("`{}`", column.name)), "{description}");
    }
    for text in ["Year = 1", "lab.kind = X", "AND1 = 2", "and = 2"] {
        assert_eq!(refused(text).0, "FILTER_FIELD_UNKNOWN", "{text}");
    }
    assert!(refused(&format!("{} = 1", "x".repeat(5000))).1.len() < 300);
}

#[test]
fn what_cannot_be_read_is_refused_at_its_character() {
    for (text, at, expected) in [
        ("year", 5, "expected one of"),
        ("year 2024", 6, "expected one of"),
        ("year ! 2024", 6, "expected one of"),
        ("year =", 7, "expected a value"),
        ("year = AND kind = ACADEMIC", 8, "expected a value"),
        ("year == 2024", 7, "expected a value"),
        ("city = 〔青〕", 8, "expected a value"),
        ("city = 青岛（市）", 10, "expected a blank"),
        ("city = 'a''b'", 11, "expected a blank"),
        ("year=1(year=2)", 7, "expected a blank"),
        ("city = a,b", 9, "expected a blank"),
        ("city = '青岛", 11, "expected the quote"),
        (r"city = '青\岛'", 11, "expected a quote or a backslash"),
        (r"city = '青\", 10, "expected a quote or a backslash"),
        ("year = 1 AND", 13, "expected a field"),
        ("year = 1 AND AND year = 2", 14, "expected a field"),
        ("OR year = 1", 1, "expected a field"),
        ("NOT NOT year = 1", 5, "expected a field"),
        ("--year = 1", 2, "expected a field"),
        ("= 1", 1, "expected a field"),
        ("()", 2, "expected a field"),
        ("(year = 1", 10, "expected `)` for the `(` at character 1"),
        ("year = 1) AND year = 2", 9, "there is no `(`"),
        ("year = 1 and kind = ACADEMIC", 10, "capitals"),
        ("kind < ACADEMIC", 6, "has no order"),
        ("unverified>=true", 11, "has no order"),
        ("lab > x", 5, "has no order"),
        ("names <= x", 7, "has no order"),
    ] {
        let (reason, description) = refused(text);
        assert_eq!(reason, "FILTER_INVALID", "{text}");
        assert!(
            description.starts_with(&format!("at character {at}: ")),
            "{text}: {description}"
        );
        assert!(description.contains(expected), "{text}: {description}");
    }
}

#[test]
fn a_word_without_a_field_is_sent_to_the_search_method_and_not_repeated() {
    for text in ["张三", "'张三'", "year = 1 张三", "city = New 张三", "-张三", "张三(x)"] {
        let (reason, description) = refused(text);
        assert_eq!(reason, "FILTER_INVALID", "{text}");
        assert!(
            description.contains("search method") && !description.contains("张三"),
            "{description}"
        );
    }
}

#[test]
fn depth_and_count_are_bounded_and_no_text_exhausts_the_stack() {
    let nested = |depth| format!("{}year = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(read(&nested(20)), year(1));
    assert!(
        refused(&nested(21))
            .1
            .contains("at character 21: more than 20 parentheses")
    );
    let deepest = format!("{}year = 1{}", "NOT (year = 2 OR ".repeat(20), ")".repeat(20));
    assert_eq!(read(&read(&deepest).to_string()), read(&deepest));
    let many = |count| vec!["year = 1"; count].join(" OR ");
    assert!(matches!(read(&many(100)), Expr::Or(parts) if parts.len() == 100));
    assert!(refused(&many(101)).1.contains("more than 100 comparisons"));
    for part in [
        "(",
        ")",
        "-",
        "NOT ",
        "NOT(",
        "-(",
        "(year=1 ",
        "'",
        "\\",
        "year=1 AND(",
        "名",
        "\0",
    ] {
        let text = part.repeat(100_000);
        assert_eq!(refused(&text).0, "FILTER_INVALID", "{part}");
    }
}

#[test]
fn a_filter_says_which_fields_it_mentions() {
    let filter = read("year = 1 AND (city = x OR NOT (kind = ACADEMIC AND names:y))");
    assert!(
        ["year", "city", "kind", "names"]
            .iter()
            .all(|name| mentions(&filter, name))
    );
    assert!(
        ["lab", "hosts", "x", "", "name"]
            .iter()
            .all(|name| !mentions(&filter, name))
    );
}

fn comparison() -> impl Strategy<Value = Expr> {
    use Operator::*;
    let any_operator = prop::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, Has]);
    let unordered = prop::sample::select(vec![Equal, NotEqual, Has]);
    let text = prop_oneof![".+", "[a-zA-Z0-9 \\\\\"'*():=-]{1,8}", "AND|OR|NOT|\\*"]
        .prop_filter("no NUL", |t| !t.contains('\0'));
    let day = (1i16..=9999, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"));
    prop_oneof![
        (prop::sample::select(vec![CITY, NAMES]), any_operator.clone(), text).prop_map(|(column, operator, text)| {
            let operator = if column.multi_valued && operator.compares_order() {
                Has
            } else {
                operator
            };
            compare(column, operator, text.as_str())
        }),
        (any_operator.clone(), any::<i64>()).prop_map(|(o, n)| compare(YEAR, o, n)),
        (unordered.clone(), any::<bool>()).prop_map(|(o, yes)| compare(UNVERIFIED, o, Value::Boolean(yes))),
        (
            any_operator.clone(),
            -62_135_596_800_000_000i64..253_402_207_200_000_000
        )
            .prop_map(|(o, micros)| compare(CREATED, o, micros)),
        (any_operator, day).prop_map(|(o, day)| compare(DECIDED, o, day.as_str())),
        (unordered.clone(), any::<bool>(), 0i64..i64::MAX).prop_map(|(o, many, now)| {
            compare(
                if many { HOSTS } else { LAB },
                o,
                format!("organizations/{}", Id::new(now)).as_str(),
            )
        }),
        (unordered, 0i64..3).prop_map(|(o, number)| compare(KIND, o, number)),
        prop::sample::select(COLUMNS).prop_map(|column| compare(column, Has, Value::Any)),
    ]
}

/// Filters as [`parse`] makes them.
fn filters() -> impl Strategy<Value = Expr> {
    comparison().prop_recursive(4, 40, 4, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts()
                .prop_filter("flat", |p| !p.iter().any(|e| matches!(e, Expr::And(_))))
                .prop_map(Expr::And),
            parts()
                .prop_filter("flat", |p| !p.iter().any(|e| matches!(e, Expr::Or(_))))
                .prop_map(Expr::Or),
            inner
                .clone()
                .prop_filter("flat", |e| !matches!(e, Expr::Not(_)))
                .prop_map(|e| Expr::Not(Box::new(e))),
        ]
    })
}

/// Texts that are nearly filters.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "(",
        ")",
        "NOT ",
        "-",
        " AND ",
        " OR ",
        " ",
        "year=1",
        "city:青",
        "kind = ACADEMIC",
        "hosts:*",
        "'",
        "\"",
        "\\",
        "x",
        "decision_date<=2021",
        "=",
        "create_time<2024-01-01",
        "\u{3000}",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_filter_reads_back_from_its_canonical_form(filter in filters()) {
        let text = filter.to_string();
        prop_assert_eq!(parse(&text, COLUMNS).unwrap(), Some(filter), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![".*", "[a-z=<>!:()\"'\\\\ -]{0,40}", nearly()]) {
        let result: Result<_> = parse(&text, COLUMNS);
        match result {
            Ok(None) => prop_assert!(text.trim().is_empty()),
            Ok(Some(filter)) => prop_assert_eq!(parse(&filter.to_string(), COLUMNS).unwrap(), Some(filter)),
            Err(error) => {
                prop_assert!(["FILTER_INVALID", "FILTER_FIELD_UNKNOWN", "FILTER_VALUE_INVALID"].contains(&error.reason()));
                let description = &error.violations()[0].description;
                let at = description.strip_prefix("at character ").and_then(|rest| rest.split_once(':'));
                let at: usize = at.unwrap().0.parse().unwrap();
                prop_assert!((1..=text.chars().count() + 1).contains(&at), "{}", description);
            }
        }
    }
}
