//! Exact counts, divided by declared dimensions.

use std::sync::atomic::Ordering;

use mingce_proto::registry::compute_statistics_response::Group;
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse};
use sea_orm::DbBackend;
use sea_orm::sea_query::{self, Asterisk, BinOper, Cond, ExprTrait, Func, JoinType, Query, SelectStatement};

use crate::context::RequestContext;
use crate::db::counted::{Cell, Counted};
use crate::db::select::{T, nothing, of_t, rendered, zero};
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::column::{Column, Type, find, hundredths, points};
use crate::model::kind::Kind;
use crate::query::filter::{self, COMPARISONS_AT_MOST, Expr, Operator, Value};
use crate::query::list::selection;
use crate::query::predicate::value_of;
use crate::query::survivors::ANY;
use crate::write::store::Store;

/// How many groups an answer has at most.
const MOST_GROUPS: usize = 10_000;

/// How many bytes the filters of an answer have at most, or the names in it: with its values it fits into what most clients take.
pub const MOST_TEXT: usize = 1024 * 1024;

impl Store {
    /// Counts the resources of a collection, or the values of one of their fields.
    pub async fn count<C: Collection>(
        &self,
        cx: &RequestContext,
        wanted: &ComputeStatisticsRequest,
    ) -> Result<ComputeStatisticsResponse> {
        let kind = &C::shape().kind;
        let columns = kind.columns_for(cx.visible);
        let mut dimensions = Vec::new();
        for name in &wanted.group_by {
            dimensions.push(*dimension(&columns, name, "group_by", |c| c.groupable)?);
        }
        let counted = match wanted.count.as_str() {
            "" => None,
            name => Some(*dimension(&columns, name, "count", |c| {
                c.groupable || (c.multi_valued && !c.search_only)
            })?),
        };
        let asked = filter::parse(&wanted.filter, &columns)?;
        let condition = selection(self.db.backend(), kind, &wanted.filter, cx.visible)?;
        let mut query = Counting {
            kind,
            condition,
            counted,
            distinct: wanted.distinct,
            dimensions: &dimensions,
            follows: self.merged.load(Ordering::Relaxed),
        };
        let (mut total_count, mut found) = self.counts(cx, &query).await?;
        if found.is_merged && !query.follows && query.cites() {
            // From the first merge on it is looked for at once.
            self.merged.store(true, Ordering::Relaxed);
            query.follows = true;
            (total_count, found) = self.counts(cx, &query).await?;
        }
        if found.groups.len() > MOST_GROUPS {
            let said = format!("gives more than {MOST_GROUPS} groups: name fewer fields, or a narrower filter");
            return Err(Error::invalid("group_by", "TOO_MANY_GROUPS", said));
        }
        found.groups.retain(|(count, _)| *count > 0);
        let keyed = found.groups.into_iter().map(|(count, cells)| {
            let filter = members(asked.as_ref(), counted.as_ref(), &dimensions, &cells);
            let cells = dimensions.iter().zip(cells);
            let values: Vec<String> = cells.map(|(column, cell)| worded(column, cell)).collect();
            let places = dimensions.iter().zip(&values);
            let places: Vec<Place> = places.map(|(column, value)| place(column, value)).collect();
            let group = Group {
                values,
                count,
                filter,
                ..Group::default()
            };
            (places, group)
        });
        let mut keyed: Vec<_> = keyed.collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        let mut groups: Vec<Group> = keyed.into_iter().map(|(_, group)| group).collect();
        if groups.iter().map(|group| group.filter.len()).sum::<usize>() > MOST_TEXT {
            groups.iter_mut().for_each(|group| group.filter.clear());
        }
        Ok(ComputeStatisticsResponse { groups, total_count })
    }

    /// The total and the groups, of one moment.
    async fn counts(&self, cx: &RequestContext, query: &Counting<'_>) -> Result<(i64, Counts)> {
        let texts: Vec<bool> = [false]
            .into_iter()
            .chain(query.dimensions.iter().map(is_stored_as_text))
            .collect();
        let (text, values) = query.whole(self.db.backend());
        let mut total = 0;
        let mut found = Counts::default();
        for (count, mut cells) in self.db.counted(cx, &text, values, &texts).await? {
            let part = if cells.is_empty() { Cell::None } else { cells.remove(0) };
            match part {
                Cell::Number(GROUP) => found.groups.push((count, cells)),
                part => {
                    total = count;
                    found.is_merged = matches!(part, Cell::Number(TOTAL_MERGED));
                }
            }
        }
        Ok((total, found))
    }
}

/// What a row of a count is: a group, or the total of a register in which nothing, or something, was merged or annulled.
const GROUP: i64 = 0;
const TOTAL: i64 = 1;
const TOTAL_MERGED: i64 = 2;

#[derive(Default)]
struct Counts {
    groups: Vec<Counted>,
    is_merged: bool,
}

struct Counting<'a> {
    kind: &'a Kind,
    condition: Cond,
    counted: Option<Column>,
    distinct: bool,
    dimensions: &'a [Column],
    /// A record that was merged counts as the one that stands for it.
    follows: bool,
}

impl Counting<'_> {
    /// Whether it counts or divides by records.
    fn cites(&self) -> bool {
        self.dimensions.iter().chain(&self.counted).any(|column| column.cites)
    }

    /// The total and the groups in one statement, which sees one moment of the register: each row has its count, what it is, and the
    /// values of the dimensions. SQL around what is built: the limit stands in the text, and what a row is too.
    fn whole(&self, backend: DbBackend) -> (String, Vec<sea_query::Value>) {
        let (total, mut values) = rendered(backend, &self.statement(&[]));
        let merged = if self.cites() && !self.follows {
            format!("CASE WHEN {ANY} THEN {TOTAL_MERGED} ELSE {TOTAL} END")
        } else {
            TOTAL.to_string()
        };
        if self.dimensions.is_empty() {
            return (format!("SELECT n, CAST({merged} AS BIGINT) FROM ({total}) q"), values);
        }
        let (mut none, mut names) = (String::new(), String::new());
        for (place, column) in self.dimensions.iter().enumerate() {
            let kind = if is_stored_as_text(column) { "TEXT" } else { "BIGINT" };
            none += &format!(", CAST(NULL AS {kind})");
            names += &format!(", v{place}");
        }
        let (divided, of_groups) = rendered(backend, &self.statement(self.dimensions));
        values.extend(of_groups);
        let text = format!(
            "SELECT n, CAST({merged} AS BIGINT){none} FROM ({total}) q \
             UNION ALL SELECT n, CAST({GROUP} AS BIGINT){names} FROM ({divided} LIMIT {}) g",
            MOST_GROUPS + 1
        );
        (text, values)
    }

    /// The statement that counts, in groups of these dimensions.
    fn statement(&self, dimensions: &[Column]) -> SelectStatement {
        let mut query = Query::select();
        query.from_as(self.kind.table, T);
        let mut named = Vec::new();
        for (place, column) in dimensions.iter().enumerate() {
            let mut value = if column.multi_valued {
                self.join_values(&mut query, JoinType::LeftJoin, format!("d{place}"), column)
            } else {
                value_of(column)
            };
            if self.follows && column.cites {
                value = survivor(&mut query, format!("s{place}"), value);
            }
            named.push(value);
        }
        let mut condition = self.condition.clone();
        let count = match &self.counted {
            None if dimensions.iter().any(|c| c.multi_valued) => of_t("id").count_distinct(),
            None => Func::count(sea_query::Expr::col(Asterisk)).into(),
            Some(column) => {
                let mut value = if column.multi_valued {
                    self.join_values(&mut query, JoinType::Join, "c".to_owned(), column)
                } else {
                    // What is known, as the groups show it: 0 of a number of things and false are known.
                    let value = value_of(column);
                    if is_text(column) {
                        condition = condition.add(value.clone().ne(nothing()));
                    } else if !knows_zero(column) {
                        condition = condition.add(value.clone().ne(zero()));
                    }
                    value
                };
                if self.follows && column.cites {
                    value = survivor(&mut query, "sc".to_owned(), value);
                    // What was annulled is not there.
                    condition = condition.add(value.clone().ne(nothing()));
                }
                if self.distinct {
                    value.count_distinct()
                } else {
                    let slash = sea_query::Expr::Constant("/".into());
                    let both = of_t("id").binary(CONCATENATED, slash).binary(CONCATENATED, value);
                    both.count_distinct()
                }
            }
        };
        query.expr_as(count, "n").cond_where(condition);
        for (place, value) in named.into_iter().enumerate() {
            query.expr_as(value.clone(), format!("v{place}")).add_group_by([value]);
        }
        query
    }

    /// Joins the values of a field with several, and answers the value.
    fn join_values(
        &self,
        query: &mut SelectStatement,
        join: JoinType,
        alias: String,
        column: &Column,
    ) -> sea_query::Expr {
        let of = |name: &'static str| sea_query::Expr::col((alias.clone(), name));
        let of_row = of("field").eq(column.name).and(of("id").equals((T, "id")));
        let value = of("value");
        query.join_as(join, format!("{}_values", self.kind.table), alias, of_row);
        value
    }
}

/// One text behind another, on both databases.
const CONCATENATED: BinOper = BinOper::Custom("||");

/// The record that stands for the one that a column names; nothing where that was annulled.
fn survivor(query: &mut SelectStatement, alias: String, value: sea_query::Expr) -> sea_query::Expr {
    let of = |name: &'static str| sea_query::Expr::col((alias.clone(), name));
    let (is_it, survivor) = (of("record").eq(value.clone()), of("survivor"));
    query.join_as(JoinType::LeftJoin, "survivors", alias, is_it);
    Func::coalesce([survivor, value, nothing()]).into()
}

fn is_text(column: &Column) -> bool {
    matches!(column.kind, Type::Text | Type::Date | Type::Period(..) | Type::Name(_))
}

/// Whether 0 is a value, and not that there is none.
fn knows_zero(column: &Column) -> bool {
    column.kind == Type::Boolean || column.name.ends_with("_count")
}

fn is_stored_as_text(column: &Column) -> bool {
    column.multi_valued || is_text(column)
}

/// A value as answers write it: a number as the name of an enum value, true or false, or digits. Empty where there is none.
fn worded(column: &Column, cell: Cell) -> String {
    let number = match cell {
        Cell::Text(text) => match (column.kind, text.parse()) {
            // One of several values of an enum.
            (Type::Enum(_), Ok(number)) => number,
            _ => return text,
        },
        Cell::None => return String::new(),
        Cell::Number(number) => number,
    };
    match column.kind {
        Type::Boolean => (number != 0).to_string(),
        _ if number == 0 && !knows_zero(column) => String::new(),
        Type::Enum(values) => {
            let found = values.iter().find(|(_, n)| i64::from(*n) == number);
            found.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
        }
        Type::Hundredths => points(number),
        _ => number.to_string(),
    }
}

/// The filter whose list has the members of a group: what was asked for, and the values of the group. Empty where no filter says it.
fn members(asked: Option<&Expr>, counted: Option<&Column>, dimensions: &[Column], cells: &[Cell]) -> String {
    let mut parts: Vec<Expr> = asked.into_iter().cloned().collect();
    for (column, cell) in dimensions.iter().zip(cells) {
        let Some(value) = wanted(column, cell) else {
            return String::new();
        };
        parts.push(Expr::Compare {
            column: *column,
            operator: Operator::Equal,
            value,
        });
    }
    parts.extend(
        counted
            .filter(|column| !knows_zero(column))
            .map(|column| Expr::Compare {
                column: *column,
                operator: Operator::Has,
                value: Value::Any,
            }),
    );
    let all = Expr::And(parts);
    let text = all.to_string();
    if text.len() > FILTER_AT_MOST || comparisons(&all) > COMPARISONS_AT_MOST {
        return String::new();
    }
    text
}

/// Longer filters are refused.
const FILTER_AT_MOST: usize = 4000;

fn comparisons(filter: &Expr) -> usize {
    match filter {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().map(comparisons).sum(),
        Expr::Not(part) => comparisons(part),
        Expr::Compare { .. } => 1,
    }
}

/// A value that is counted by, as a filter has it. `None` where none means it: a number that is no value of the contract.
fn wanted(column: &Column, cell: &Cell) -> Option<Value> {
    let known = |number: i64, values: &[(&str, i32)]| values.iter().any(|(_, known)| i64::from(*known) == number);
    Some(match (column.kind, cell) {
        (Type::Enum(values), cell) => {
            let number = match cell {
                Cell::Number(number) => *number,
                Cell::Text(text) => text.parse().ok()?,
                Cell::None => 0,
            };
            known(number, values).then_some(Value::Integer(number))?
        }
        (Type::Boolean, cell) => Value::Boolean(matches!(cell, Cell::Number(number) if *number != 0)),
        (_, Cell::Text(text)) => Value::Text(text.clone()),
        (_, Cell::Number(number)) => Value::Integer(*number),
        (Type::Integer | Type::Hundredths | Type::Time, Cell::None) => Value::Integer(0),
        (_, Cell::None) => Value::Text(String::new()),
    })
}

/// Where a value stands among others: numbers as numbers, those of an enum as the contract has them, text byte by byte. What is not
/// known comes first.
type Place = (i64, String);

fn place(column: &Column, value: &str) -> Place {
    let number = match column.kind {
        _ if value.is_empty() => Some(i64::MIN),
        Type::Integer | Type::Time => value.parse().ok(),
        Type::Hundredths => hundredths(value),
        Type::Enum(values) => values
            .iter()
            .find(|(name, _)| *name == value)
            .map_or_else(|| value.parse().ok(), |(_, number)| Some(i64::from(*number))),
        Type::Boolean => Some(i64::from(value == "true")),
        Type::Text | Type::Date | Type::Period(..) | Type::Name(_) => Some(0),
    };
    (number.unwrap_or(i64::MAX), value.to_owned())
}

fn dimension<'a>(columns: &'a [Column], name: &str, field: &str, fits: fn(&Column) -> bool) -> Result<&'a Column> {
    find(columns, name).filter(|c| fits(c)).ok_or_else(|| {
        let known: Vec<_> = columns.iter().filter(|c| fits(c)).map(|c| c.name).collect();
        Error::invalid(
            field,
            "DIMENSION_UNKNOWN",
            format!("unknown dimension {name:?}; available: {}", known.join(", ")),
        )
    })
}
