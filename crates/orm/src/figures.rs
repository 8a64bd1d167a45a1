//! Exact counts, divided by declared dimensions.

use mingce_proto::registry::compute_statistics_response::Group;
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse};
use sea_orm::sea_query::Value;

use crate::cx::Cx;
use crate::error::{Error, Result};
use crate::field::{Column, Type, find};
use crate::read::selection;
use crate::resource::{Collection, Kind};
use crate::select::{Condition, columns_of};
use crate::store::Store;

/// How many groups an answer has at most.
const MOST_GROUPS: usize = 10_000;

impl Store {
    /// Counts the resources of a collection, or the values of one of their fields.
    pub async fn count<C: Collection>(
        &self,
        cx: &Cx,
        wanted: &ComputeStatisticsRequest,
    ) -> Result<ComputeStatisticsResponse> {
        let kind = &C::shape().kind;
        let columns = columns_of(kind);
        let mut dimensions = Vec::new();
        for name in &wanted.group_by {
            dimensions.push(*dimension(&columns, name, "group_by", |c| c.dimension)?);
        }
        let counted = match wanted.count.as_str() {
            "" => None,
            name => Some(*dimension(&columns, name, "count", |c| {
                c.dimension || (c.many && !c.in_index)
            })?),
        };
        let condition = selection(self.db.backend(), kind, &wanted.filter)?;
        let query = Counting {
            kind,
            condition,
            counted,
            distinct: wanted.distinct,
        };

        let total = query.statement(&[]);
        let total = self.db.counted(cx, &total.text, total.values, &[]).await?;
        let total_count = total.first().map_or(0, |(count, _)| *count);
        let mut groups = Vec::new();
        if !dimensions.is_empty() {
            let mut divided = query.statement(&dimensions);
            divided.text += &format!(" LIMIT {}", MOST_GROUPS + 1);
            let texts: Vec<bool> = dimensions.iter().map(is_stored_as_text).collect();
            let mut found = self.db.counted(cx, &divided.text, divided.values, &texts).await?;
            if found.len() > MOST_GROUPS {
                let said = format!("gives more than {MOST_GROUPS} groups: name fewer fields, or a narrower filter");
                return Err(Error::invalid("group_by", "TOO_MANY_GROUPS", said));
            }
            found.retain(|(count, _)| *count > 0);
            let mut keyed: Vec<(Vec<Place>, Group)> = found
                .into_iter()
                .map(|(count, cells)| {
                    let cells = dimensions.iter().zip(cells);
                    let values: Vec<String> = cells.map(|(column, cell)| worded(column, cell)).collect();
                    let places = dimensions
                        .iter()
                        .zip(&values)
                        .map(|(column, value)| place(column, value));
                    (places.collect(), Group { values, count })
                })
                .collect();
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            groups = keyed.into_iter().map(|(_, group)| group).collect();
        }
        Ok(ComputeStatisticsResponse { groups, total_count })
    }
}

/// A row of a count: the count, and the value of each dimension.
pub(crate) type Counted = (i64, Vec<Cell>);

/// A value that is counted by.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    None,
}

/// A row of SQLite.
pub(crate) fn of_sqlite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Counted> {
    let columns = 1..row.as_ref().column_count();
    let cells = columns.map(|at| {
        Ok(match row.get::<_, rusqlite::types::Value>(at)? {
            rusqlite::types::Value::Text(text) => Cell::Text(text),
            rusqlite::types::Value::Integer(number) => Cell::Number(number),
            _ => Cell::None,
        })
    });
    Ok((row.get(0)?, cells.collect::<rusqlite::Result<_>>()?))
}

/// A row of PostgreSQL, of whose dimensions it is said whether they are text.
pub(crate) fn of_row(row: &sea_orm::QueryResult, texts: &[bool]) -> Result<Counted> {
    let cells = texts.iter().zip(1..).map(|(is_text, at)| {
        Ok::<_, Error>(if *is_text {
            row.try_get_by_index::<Option<String>>(at)?
                .map_or(Cell::None, Cell::Text)
        } else {
            Cell::Number(row.try_get_by_index(at)?)
        })
    });
    Ok((row.try_get_by_index(0)?, cells.collect::<Result<_>>()?))
}

struct Counting<'a> {
    kind: &'a Kind,
    condition: Condition,
    counted: Option<Column>,
    distinct: bool,
}

impl Counting<'_> {
    /// The statement that counts, in groups of these dimensions.
    fn statement(&self, dimensions: &[Column]) -> Condition {
        let table = self.kind.table;
        let (mut joins, mut values): (String, Vec<Value>) = (String::new(), Vec::new());
        let mut named = Vec::new();
        for (place, column) in dimensions.iter().enumerate() {
            if column.many {
                joins += &format!(" LEFT JOIN {table}_values d{place} ON d{place}.field = ? AND d{place}.id = t.id");
                values.push(column.name.into());
                named.push(format!("d{place}.value"));
            } else {
                named.push(format!("t.{}", column.name));
            }
        }
        let mut condition = self.condition.clone();
        let count = match &self.counted {
            None if dimensions.iter().any(|c| c.many) => "COUNT(DISTINCT t.id)".to_owned(),
            None => "COUNT(*)".to_owned(),
            Some(column) => {
                let value = if column.many {
                    joins += &format!(" JOIN {table}_values c ON c.field = ? AND c.id = t.id");
                    values.push(column.name.into());
                    "c.value".to_owned()
                } else {
                    // What is known, as the groups show it: 0 of a number of things and false are known.
                    if is_text(column) {
                        condition.and(&format!("t.{} <> ''", column.name), []);
                    } else if !knows_zero(column) {
                        condition.and(&format!("t.{} <> 0", column.name), []);
                    }
                    format!("t.{}", column.name)
                };
                if self.distinct {
                    format!("COUNT(DISTINCT {value})")
                } else {
                    format!("COUNT(DISTINCT t.id || '/' || {value})")
                }
            }
        };
        let grouped = if named.is_empty() {
            String::new()
        } else {
            format!(" GROUP BY {}", named.join(", "))
        };
        let selected: String = named.iter().map(|name| format!(", {name}")).collect();
        values.extend(condition.values);
        let text = format!(
            "SELECT {count}{selected} FROM {table} t{joins} WHERE {}{grouped}",
            condition.text
        );
        Condition { text, values }
    }
}

fn is_text(column: &Column) -> bool {
    matches!(column.kind, Type::Text | Type::Date | Type::Name(_))
}

/// Whether 0 is a value, and not that there is none.
fn knows_zero(column: &Column) -> bool {
    column.kind == Type::Boolean || column.name.ends_with("_count")
}

fn is_stored_as_text(column: &Column) -> bool {
    column.many || is_text(column)
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
        _ => number.to_string(),
    }
}

/// Where a value stands among others: numbers as numbers, those of an enum as the contract has them, text byte by byte. What is not
/// known comes first.
type Place = (i64, String);

fn place(column: &Column, value: &str) -> Place {
    let number = match column.kind {
        _ if value.is_empty() => Some(i64::MIN),
        Type::Integer | Type::Time => value.parse().ok(),
        Type::Enum(values) => values
            .iter()
            .find(|(name, _)| *name == value)
            .map_or_else(|| value.parse().ok(), |(_, number)| Some(i64::from(*number))),
        Type::Boolean => Some(i64::from(value == "true")),
        Type::Text | Type::Date | Type::Name(_) => Some(0),
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
