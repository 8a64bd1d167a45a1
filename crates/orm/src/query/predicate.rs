//! Conditions of queries: filters and page positions as SQL with bound values, the same text for both databases.

use jiff::civil::Date;
use mingce_proto::registry::RecordStatus;
use sea_orm::DbBackend;
use sea_orm::sea_query::Value;

use crate::db::statement::Condition;
use crate::error::{Error, Result};
use crate::id::Name;
use crate::model::column::{Column, Period, Type, find};
use crate::model::resource::Kind;
use crate::query::filter::{Expr, Operator, Value as Wanted};
use crate::query::page_token::Position;
use crate::query::survivors::{names_nothing, names_same};
use crate::search_index::index;
use crate::text::{self, Term};

const STATUS: &[(&str, i32)] = &[
    ("RECORD_STATUS_ACTIVE", RecordStatus::Active as i32),
    ("RECORD_STATUS_DUPLICATE", RecordStatus::Duplicate as i32),
    ("RECORD_STATUS_ANNULLED", RecordStatus::Annulled as i32),
];

/// The fields that a resource can be filtered by: its own and those of every resource.
pub(crate) fn columns_of(kind: &Kind) -> Vec<Column> {
    let mut columns = kind.columns.clone();
    for of in kind.columns.iter().filter(|column| column.calendar) {
        let others = Period::ALL
            .into_iter()
            .filter(|(_, name)| find(&kind.columns, name).is_none());
        columns.extend(others.map(|(period, name)| Column::period(name, period, of.name)));
    }
    columns.extend([
        Column::one_of("record_status", STATUS),
        Column::time("create_time"),
        Column::time("update_time"),
        Column::integer("sequence"),
        // What a duplicate was merged into, and not what that was merged into.
        Column::resource("survivor", "labs/{id}").as_written(),
    ]);
    columns
}

/// A filter as a condition on the table `t`.
pub(crate) fn compile(backend: DbBackend, filter: &Expr, table: &str) -> Condition {
    match filter {
        Expr::And(parts) => joined(backend, parts, table, " AND "),
        Expr::Or(parts) => joined(backend, parts, table, " OR "),
        Expr::Not(part) => {
            let part = compile(backend, part, table);
            Condition {
                text: format!("NOT {}", part.text),
                values: part.values,
            }
        }
        Expr::Compare {
            column,
            operator,
            value,
        } if column.search_only => in_index(backend, table, column, *operator, value),
        Expr::Compare {
            column,
            operator,
            value,
        } if column.multi_valued => one_of_many(backend, table, column, *operator, value),
        Expr::Compare {
            column,
            operator,
            value,
        } => single(backend, column, *operator, value),
    }
}

fn joined(backend: DbBackend, parts: &[Expr], table: &str, with: &str) -> Condition {
    let parts: Vec<_> = parts.iter().map(|part| compile(backend, part, table)).collect();
    let text = parts.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join(with);
    Condition {
        text: format!("({text})"),
        values: parts.into_iter().flat_map(|p| p.values).collect(),
    }
}

/// The record that a value names.
fn cited<'a>(column: &Column, value: &'a Wanted) -> Option<&'a str> {
    match value {
        Wanted::Text(name) if column.cites && Name::parse(name).is_some() => Some(name),
        _ => None,
    }
}

fn single(backend: DbBackend, column: &Column, operator: Operator, value: &Wanted) -> Condition {
    let name = column.name;
    if let Type::Period(..) = column.kind {
        return of_period(column, operator, value);
    }
    if let (true, Wanted::Text(text)) = (column.cites, value)
        && text.is_empty()
    {
        let not = if operator == Operator::NotEqual { "NOT " } else { "" };
        return Condition::new(
            &format!("({not}(t.{name} = '' OR {}))", names_nothing(&format!("t.{name}"))),
            [],
        );
    }
    if let Some(record) = cited(column, value) {
        return names_same(backend, &format!("t.{name}"), operator != Operator::NotEqual, record);
    }
    if let (Type::Date, Wanted::Text(text)) = (column.kind, value)
        && text.len() < "2024-01-01".len()
        && matches!(operator, Operator::Equal | Operator::NotEqual | Operator::Has)
    {
        // A year or a month is any day in it.
        let not = if operator == Operator::NotEqual { "NOT " } else { "" };
        return Condition::new(&format!("(t.{name} {not}LIKE ?)"), [format!("{text}%").into()]);
    }
    if let (Type::Date, Wanted::Text(text)) = (column.kind, value)
        && let Some(range) = range_of_dates(name, operator, text)
    {
        return range;
    }
    let sign = match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Has => return has(column, value),
    };
    // What is not known is neither before nor after anything.
    let known = match (operator, column.kind) {
        (Operator::Less | Operator::LessOrEqual, Type::Text | Type::Date) => format!(" AND t.{name} <> ''"),
        (Operator::Less | Operator::LessOrEqual, _) => format!(" AND t.{name} <> 0"),
        _ => String::new(),
    };
    Condition::new(&format!("(t.{name} {sign} ?{known})"), [bound(column, value)])
}

/// The days of a period.
fn of_period(column: &Column, operator: Operator, value: &Wanted) -> Condition {
    let days = column.value();
    match value {
        Wanted::Any => Condition::new(&format!("({days} <> '')"), []),
        value => {
            let sign = if operator == Operator::NotEqual { "<>" } else { "=" };
            Condition::new(&format!("({days} {sign} ?)"), [bound(column, value)])
        }
    }
}

/// A range of days. A stored year or month is in it where all of its days are: what is not certain is not found. `None` for what is no
/// range, or ends with the calendar.
fn range_of_dates(name: &str, operator: Operator, text: &str) -> Option<Condition> {
    // What a range ends with, or begins after, is told by its last day (see `filter::value`).
    let bound = match operator {
        Operator::Less | Operator::GreaterOrEqual => text.to_owned(),
        Operator::LessOrEqual | Operator::Greater => text.parse::<Date>().ok()?.tomorrow().ok()?.to_string(),
        _ => return None,
    };
    // Whatever begins on the first day of a year or a month sorts from that year or month on.
    let bound = bound.strip_suffix("-01").unwrap_or(&bound);
    let bound = bound.strip_suffix("-01").unwrap_or(bound);
    if matches!(operator, Operator::Greater | Operator::GreaterOrEqual) {
        return Some(Condition::new(&format!("(t.{name} >= ?)"), [bound.into()]));
    }
    // A year or a month sorts before its days, and those that hold the bound do not end before it.
    let mut values: Vec<Value> = vec![bound.into(), "".into()];
    values.extend(
        ["2024", "2024-03"]
            .iter()
            .filter_map(|part| bound.get(..part.len()).filter(|part| part.len() < bound.len()))
            .map(Value::from),
    );
    let none = vec!["?"; values.len() - 1].join(", ");
    Some(Condition::new(
        &format!("(t.{name} < ? AND t.{name} NOT IN ({none}))"),
        values,
    ))
}

fn has(column: &Column, value: &Wanted) -> Condition {
    let name = column.name;
    match (value, column.kind) {
        (Wanted::Any, Type::Text | Type::Date | Type::Name(_)) => Condition::new(&format!("(t.{name} <> '')"), []),
        (Wanted::Any, _) => Condition::new(&format!("(t.{name} <> 0)"), []),
        (Wanted::Text(text), Type::Text) => {
            let escaped = column
                .form(text)
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            // Both databases fold ASCII letters only.
            let pattern = format!("%{}%", escaped.to_ascii_lowercase());
            Condition::new(&format!("(LOWER(t.{name}) LIKE ? ESCAPE '\\')"), [pattern.into()])
        }
        _ => Condition::new(&format!("(t.{name} = ?)"), [bound(column, value)]),
    }
}

fn in_index(backend: DbBackend, table: &str, column: &Column, operator: Operator, value: &Wanted) -> Condition {
    let token = match value {
        Wanted::Any => text::value_token(column.name, None),
        value => text::value_token(column.name, Some(&text_of(column, value))),
    };
    let term = Term {
        text: token,
        prefix: false,
        or: Vec::new(),
    };
    let (test, value) = index::has_all(backend, table, &[term]);
    let not = if operator == Operator::NotEqual { "NOT " } else { "" };
    Condition::new(&format!("({not}{test})"), [value])
}

fn one_of_many(backend: DbBackend, table: &str, column: &Column, operator: Operator, value: &Wanted) -> Condition {
    let not = if operator == Operator::NotEqual { "NOT " } else { "" };
    if is_nothing(column, value) {
        let name: Value = column.name.into();
        let values = format!("SELECT v.id FROM {table}_values v WHERE v.field = ?");
        if !column.cites {
            return Condition::new(&format!("({not}(t.id NOT IN ({values})))"), [name]);
        }
        let nothing = names_nothing("v.value");
        return Condition::new(
            &format!("({not}(t.id NOT IN ({values}) OR t.id IN ({values} AND {nothing})))"),
            [name.clone(), name],
        );
    }
    let test = match (cited(column, value), value) {
        (Some(record), _) => names_same(backend, "v.value", true, record),
        (None, Wanted::Any) => Condition::new("", []),
        (None, value) => Condition::new("v.value = ?", [text_of(column, value).into()]),
    };
    let (mut values, test) = match test.text.as_str() {
        "" => (Vec::new(), String::new()),
        text => (test.values, format!(" AND {text}")),
    };
    values.insert(0, column.name.into());
    Condition::new(
        &format!("(t.id {not}IN (SELECT v.id FROM {table}_values v WHERE v.field = ?{test}))"),
        values,
    )
}

/// Whether a value stands for none: an empty text, or an enum value that is not given.
fn is_nothing(column: &Column, value: &Wanted) -> bool {
    match (column.kind, value) {
        (Type::Text | Type::Name(_), Wanted::Text(text)) => text.is_empty(),
        (Type::Enum(_), Wanted::Integer(number)) => *number == 0,
        _ => false,
    }
}

fn bound(column: &Column, value: &Wanted) -> Value {
    match value {
        Wanted::Text(text) => column.form(text).into_owned().into(),
        Wanted::Integer(number) => (*number).into(),
        Wanted::Boolean(yes) => i64::from(*yes).into(),
        Wanted::Any => "".into(),
    }
}

fn text_of(column: &Column, value: &Wanted) -> String {
    match value {
        // As the columns have it.
        Wanted::Text(text) => column.form(text).into_owned(),
        Wanted::Integer(number) => number.to_string(),
        Wanted::Boolean(yes) => yes.to_string(),
        Wanted::Any => String::new(),
    }
}

/// All rows after a position, in an order of columns that may each run down; ids always run up. Where all run up, the
/// databases compare whole rows, which an index serves; where not, the first column still bounds what is looked at.
pub(crate) fn after_position(keys: &[(&str, Type, bool)], position: &[Position]) -> Result<Condition> {
    let malformed = || Error::invalid("page_token", "PAGE_TOKEN_MALFORMED", "not a token of this list");
    if position.len() != keys.len() + 1 {
        return Err(malformed());
    }
    let is_text = |kind: Type| matches!(kind, Type::Text | Type::Date | Type::Name(_));
    let mut columns: Vec<(&str, bool)> = keys.iter().map(|(name, _, down)| (*name, *down)).collect();
    columns.push(("id", false));
    let kinds = keys.iter().map(|(_, kind, _)| is_text(*kind)).chain([true]);
    let mut bound: Vec<Value> = Vec::new();
    for (value, text) in position.iter().zip(kinds) {
        bound.push(match (value, text) {
            (Position::Text(text), true) => text.as_str().into(),
            (Position::Integer(number), false) => (*number).into(),
            _ => return Err(malformed()),
        });
    }
    if columns.iter().all(|(_, down)| !down) {
        let names: Vec<_> = columns.iter().map(|(name, _)| format!("t.{name}")).collect();
        let marks = vec!["?"; names.len()].join(", ");
        return Ok(Condition::new(&format!("({}) > ({marks})", names.join(", ")), bound));
    }
    let mut choices = Vec::new();
    let mut values = Vec::new();
    for (place, (name, down)) in columns.iter().enumerate() {
        let mut parts: Vec<String> = columns[..place]
            .iter()
            .map(|(before, _)| format!("t.{before} = ?"))
            .collect();
        parts.push(format!("t.{name} {} ?", if *down { "<" } else { ">" }));
        choices.push(format!("({})", parts.join(" AND ")));
        values.extend_from_slice(&bound[..=place]);
    }
    let (first, down) = columns[0];
    let text = format!(
        "(t.{first} {} ? AND ({}))",
        if down { "<=" } else { ">=" },
        choices.join(" OR ")
    );
    values.insert(0, bound[0].clone());
    Ok(Condition { text, values })
}
