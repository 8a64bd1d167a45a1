//! Conditions of queries: filters and page positions as expressions of sea-query with bound values.

use jiff::civil::Date;
use sea_orm::DbBackend;
use sea_orm::sea_query::{BinOper, Cond, Expr, ExprTrait, Func, LikeExpr, Query, Value};

use crate::db::select::{nothing, of_t, zero};
use crate::error::{Error, Result};
use crate::id::Name;
use crate::model::column::{Column, Type};
use crate::query::filter::{Expr as Filter, Operator, Value as Wanted};
use crate::query::page_token::Position;
use crate::query::survivors::{names_nothing, names_same};
use crate::search_index::index;
use crate::text::{self, Term};

/// A filter as a condition on the table `t`.
pub(crate) fn compile(backend: DbBackend, filter: &Filter, table: &str) -> Expr {
    let joined = |of: Cond, parts: &[Filter]| -> Expr {
        let parts = parts.iter().map(|part| compile(backend, part, table));
        parts.fold(of, |of, part| of.add(part)).into()
    };
    match filter {
        Filter::And(parts) => joined(Cond::all(), parts),
        Filter::Or(parts) => joined(Cond::any(), parts),
        Filter::Not(part) => compile(backend, part, table).not(),
        Filter::Compare {
            column,
            operator,
            value,
        } if column.search_only => in_index(backend, table, column, *operator, value),
        Filter::Compare {
            column,
            operator,
            value,
        } if column.multi_valued => one_of_many(backend, table, column, *operator, value),
        Filter::Compare {
            column,
            operator,
            value,
        } => single(backend, column, *operator, value),
    }
}

/// What holds, or does not hold where a field is not to be something.
fn unless_not(operator: Operator, condition: Expr) -> Expr {
    if operator == Operator::NotEqual {
        condition.not()
    } else {
        condition
    }
}

/// The record that a value names.
fn cited<'a>(column: &Column, value: &'a Wanted) -> Option<&'a str> {
    match value {
        Wanted::Text(name) if column.cites && Name::parse(name).is_some() => Some(name),
        _ => None,
    }
}

/// The value of a column with one value.
pub(crate) fn value_of(column: &Column) -> Expr {
    match column.kind {
        // SQL: it is a part of a text.
        Type::Period(..) => Expr::cust(column.value()),
        _ => of_t(column.name),
    }
}

fn single(backend: DbBackend, column: &Column, operator: Operator, value: &Wanted) -> Expr {
    let stored = value_of(column);
    if let Type::Period(..) = column.kind {
        // The days of a period.
        return match value {
            Wanted::Any => stored.ne(nothing()),
            value if operator == Operator::NotEqual => stored.ne(bound(column, value)),
            value => stored.eq(bound(column, value)),
        };
    }
    if let (true, Wanted::Text(text)) = (column.cites, value)
        && text.is_empty()
    {
        let names_none = stored.clone().eq(nothing()).or(names_nothing(stored));
        return unless_not(operator, names_none);
    }
    if let Some(record) = cited(column, value) {
        return names_same(backend, stored, operator != Operator::NotEqual, record);
    }
    if let (Type::Date, Wanted::Text(text)) = (column.kind, value)
        && text.len() < "2024-01-01".len()
        && matches!(operator, Operator::Equal | Operator::NotEqual | Operator::Has)
    {
        // A year or a month is any day in it.
        let pattern = format!("{text}%");
        return match operator {
            Operator::NotEqual => stored.not_like(pattern),
            _ => stored.like(pattern),
        };
    }
    if let (Type::Date, Wanted::Text(text)) = (column.kind, value)
        && let Some(range) = range_of_dates(&stored, operator, text)
    {
        return range;
    }
    let sign = match operator {
        Operator::Equal => BinOper::Equal,
        Operator::NotEqual => BinOper::NotEqual,
        Operator::Less => BinOper::SmallerThan,
        Operator::LessOrEqual => BinOper::SmallerThanOrEqual,
        Operator::Greater => BinOper::GreaterThan,
        Operator::GreaterOrEqual => BinOper::GreaterThanOrEqual,
        Operator::Has => return has(column, value),
    };
    let compared = stored.clone().binary(sign, bound(column, value));
    // What is not known is neither before nor after anything.
    match (operator, column.kind) {
        (Operator::Less | Operator::LessOrEqual, Type::Text | Type::Date) => compared.and(stored.ne(nothing())),
        (Operator::Less | Operator::LessOrEqual, _) => compared.and(stored.ne(zero())),
        _ => compared,
    }
}

/// A range of days. A stored year or month is in it where all of its days are: what is not certain is not found. `None` for what is no
/// range, or ends with the calendar.
fn range_of_dates(stored: &Expr, operator: Operator, text: &str) -> Option<Expr> {
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
        return Some(stored.clone().gte(bound));
    }
    // A year or a month sorts before its days, and those that hold the bound do not end before it.
    let parts = ["2024", "2024-03"]
        .into_iter()
        .filter_map(|part| bound.get(..part.len()));
    let none = parts.filter(|part| part.len() < bound.len());
    let none: Vec<&str> = std::iter::once("").chain(none).collect();
    Some(stored.clone().lt(bound).and(stored.clone().is_not_in(none)))
}

fn has(column: &Column, value: &Wanted) -> Expr {
    let stored = of_t(column.name);
    match (value, column.kind) {
        (Wanted::Any, Type::Text | Type::Date | Type::Name(_)) => stored.ne(nothing()),
        (Wanted::Any, _) => stored.ne(zero()),
        (Wanted::Text(text), Type::Text) => {
            let escaped = column
                .form(text)
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            // Both databases fold ASCII letters only.
            let pattern = format!("%{}%", escaped.to_ascii_lowercase());
            Func::lower(stored).like(LikeExpr::new(pattern).escape('\\'))
        }
        _ => stored.eq(bound(column, value)),
    }
}

fn in_index(backend: DbBackend, table: &str, column: &Column, operator: Operator, value: &Wanted) -> Expr {
    let token = match value {
        Wanted::Any => text::value_token(column.name, None),
        value => text::value_token(column.name, Some(&text_of(column, value))),
    };
    let term = Term {
        text: token,
        prefix: false,
        or: Vec::new(),
    };
    unless_not(operator, index::has_all(backend, table, &[term]))
}

fn one_of_many(backend: DbBackend, table: &str, column: &Column, operator: Operator, value: &Wanted) -> Expr {
    let stored = || Expr::col(("v", "value"));
    // The rows that have a value for which this holds.
    let having = |test: Option<Expr>| {
        let mut rows = Query::select();
        rows.column(("v", "id")).from_as(format!("{table}_values"), "v");
        rows.and_where(Expr::col(("v", "field")).eq(column.name))
            .and_where_option(test);
        rows
    };
    if is_nothing(column, value) {
        let without = of_t("id").not_in_subquery(having(None));
        if !column.cites {
            return unless_not(operator, without);
        }
        let of_annulled = of_t("id").in_subquery(having(Some(names_nothing(stored()))));
        return unless_not(operator, without.or(of_annulled));
    }
    let test = match (cited(column, value), value) {
        (Some(record), _) => Some(names_same(backend, stored(), true, record)),
        (None, Wanted::Any) => None,
        (None, value) => Some(stored().eq(text_of(column, value))),
    };
    match operator {
        Operator::NotEqual => of_t("id").not_in_subquery(having(test)),
        _ => of_t("id").in_subquery(having(test)),
    }
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

/// The values of a position in an order of columns: one for each of them, and the id.
pub(crate) fn position_values(keys: &[(&'static str, Type, bool)], position: &[Position]) -> Result<Vec<Value>> {
    let malformed = || Error::invalid("page_token", "PAGE_TOKEN_MALFORMED", "not a token of this list");
    if position.len() != keys.len() + 1 {
        return Err(malformed());
    }
    let is_text = |kind: Type| matches!(kind, Type::Text | Type::Date | Type::Name(_));
    let kinds = keys.iter().map(|(_, kind, _)| is_text(*kind)).chain([true]);
    let values = position.iter().zip(kinds).map(|at| match at {
        (Position::Text(text), true) => Ok(Value::from(text.as_str())),
        (Position::Integer(number), false) => Ok(Value::from(*number)),
        _ => Err(malformed()),
    });
    values.collect()
}

/// All rows after the position with these values, in an order of columns that may each run down; ids always run up.
/// Where all run up, the databases compare whole rows, which an index serves; where not, the first column still bounds
/// what is looked at.
pub(crate) fn after_position(keys: &[(&'static str, Type, bool)], values: &[Value]) -> Expr {
    let columns = keys.iter().map(|(name, _, down)| (*name, *down)).chain([("id", false)]);
    let columns: Vec<(&'static str, bool, &Value)> = columns.zip(values).map(|((n, d), v)| (n, d, v)).collect();
    if runs_up(keys) {
        let names = columns.iter().map(|(name, ..)| of_t(name));
        return Expr::tuple(names).gt(Expr::tuple(values.iter().cloned().map(Expr::val)));
    }
    let mut choices = Cond::any();
    for (place, (name, down, value)) in columns.iter().enumerate() {
        let sign = if *down {
            BinOper::SmallerThan
        } else {
            BinOper::GreaterThan
        };
        let mut choice = Cond::all();
        for (name, _, value) in &columns[..place] {
            choice = choice.add(of_t(name).eq((*value).clone()));
        }
        choices = choices.add(choice.add(of_t(name).binary(sign, (*value).clone())));
    }
    let (name, down, value) = columns[0];
    let sign = if down {
        BinOper::SmallerThanOrEqual
    } else {
        BinOper::GreaterThanOrEqual
    };
    of_t(name).binary(sign, value.clone()).and(choices)
}

/// The values that this condition binds, in their order.
pub(crate) fn values_after(keys: &[(&'static str, Type, bool)], values: Vec<Value>) -> Vec<Value> {
    if runs_up(keys) {
        return values;
    }
    let choices = (0..values.len()).flat_map(|place| &values[..=place]);
    values.first().into_iter().chain(choices).cloned().collect()
}

fn runs_up(keys: &[(&'static str, Type, bool)]) -> bool {
    keys.iter().all(|(_, _, down)| !down)
}
