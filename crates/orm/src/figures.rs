//! Exact counts, divided by declared dimensions.

use mingce_proto::registry::compute_statistics_response::Group;
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::Value;

use crate::cx::Cx;
use crate::error::{Error, Result};
use crate::field::{Column, Type, find};
use crate::read::selection;
use crate::resource::{Collection, Kind};
use crate::select::{Condition, columns_of};
use crate::store::Store;

impl Store {
    /// Counts the resources of a collection, or the values of one of their fields.
    pub async fn count<C: Collection>(
        &self,
        _cx: &Cx,
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
        let rows = self
            .db
            .read
            .query_all_raw(self.db.sql(&total.text, total.values))
            .await?;
        let total_count = rows.first().map(|r| r.try_get_by_index(0)).transpose()?.unwrap_or(0);
        let mut groups = Vec::new();
        if !dimensions.is_empty() {
            let divided = query.statement(&dimensions);
            for row in self
                .db
                .read
                .query_all_raw(self.db.sql(&divided.text, divided.values))
                .await?
            {
                let mut values = Vec::new();
                for (place, column) in dimensions.iter().enumerate() {
                    values.push(if column.many || is_text(column) {
                        row.try_get_by_index::<Option<String>>(place + 1)?.unwrap_or_default()
                    } else {
                        worded(column, row.try_get_by_index(place + 1)?)
                    });
                }
                groups.push(Group {
                    values,
                    count: row.try_get_by_index(0)?,
                });
            }
            groups.retain(|group| group.count > 0);
            groups.sort_by(|a, b| a.values.cmp(&b.values));
        }
        Ok(ComputeStatisticsResponse { groups, total_count })
    }
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
                    let empty = if is_text(column) { "''" } else { "0" };
                    condition.and(&format!("t.{} <> {empty}", column.name), []);
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
    matches!(column.kind, Type::Text | Type::Date | Type::Name)
}

/// A number as answers write it: the name of an enum value, true or false, or digits. Empty where there is none.
fn worded(column: &Column, number: i64) -> String {
    match column.kind {
        Type::Boolean => (number != 0).to_string(),
        _ if number == 0 && !column.name.ends_with("_count") => String::new(),
        Type::Enum(values) => {
            let found = values.iter().find(|(_, n)| i64::from(*n) == number);
            found.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
        }
        _ => number.to_string(),
    }
}

fn dimension<'a>(columns: &'a [Column], name: &str, field: &str, fits: fn(&Column) -> bool) -> Result<&'a Column> {
    find(columns, name).filter(|c| fits(c)).ok_or_else(|| {
        let known: Vec<_> = columns.iter().filter(|c| fits(c)).map(|c| c.name).collect();
        Error::invalid(
            field,
            "DIMENSION_UNKNOWN",
            format!("{name:?} is none: use {}", known.join(", ")),
        )
    })
}
