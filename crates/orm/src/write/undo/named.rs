//! Which records name others, in all collections of a process: the columns that hold resource names say so.

use std::sync::Arc;

use mingce_proto::registry::RecordStatus;
use sea_orm::ConnectionTrait;

use super::collection::may_cite;
use super::{AnyCollection, REFERRERS, Referrers};
use crate::db::statement::{among, list};
use crate::error::Result;
use crate::model::column::Type;
use crate::write::store::Store;

impl Store {
    /// Which records that are not annulled name these: for other services. At most five for each.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn referrers(&self, kinds: &[Arc<dyn AnyCollection>], names: &[String]) -> Result<Referrers> {
        self.named_by(kinds, names, Origin::Any, REFERRERS).await
    }

    pub(super) async fn named_by(
        &self,
        kinds: &[Arc<dyn AnyCollection>],
        names: &[String],
        origin: Origin<'_>,
        most: usize,
    ) -> Result<Referrers> {
        let backend = self.db.backend();
        let mut found = Referrers::new();
        for kind in kinds.iter().map(|kind| kind.kind()) {
            for column in kind.columns.iter().filter(|c| may_cite(c)) {
                let can_name = |name: &&String| match column.kind {
                    // The same column names cases of all kinds.
                    Type::Name(of) if column.name != "case_name" => is_like(name, of),
                    _ => true,
                };
                let names: Vec<&String> = names.iter().filter(can_name).collect();
                if names.is_empty() {
                    continue;
                }
                let (from, value) = if column.multi_valued {
                    let table = kind.table;
                    (
                        format!("{table}_values v JOIN {table} t ON t.id = v.id"),
                        "v.value".to_owned(),
                    )
                } else {
                    (format!("{} t", kind.table), format!("t.{}", column.name))
                };
                let mut condition = format!(
                    "{} AND t.record_status <> {} AND t.name <> {value}",
                    among(backend, &value),
                    RecordStatus::Annulled as i32
                );
                let mut values = vec![list(backend, names)];
                if column.multi_valued {
                    condition.push_str(" AND v.field = ?");
                    values.push(column.name.into());
                }
                let touched = "EXISTS (SELECT 1 FROM ledger l WHERE l.resource = t.name AND l.import = ?)";
                match origin {
                    Origin::Any => {}
                    Origin::Of(import) => {
                        condition.push_str(&format!(" AND {touched}"));
                        values.push(import.into());
                    }
                    Origin::Not(import) => {
                        condition.push_str(&format!(" AND NOT {touched}"));
                        values.push(import.into());
                    }
                }
                // SQL: rows are numbered for each record, and so many of them are kept, as the text says.
                let text = format!(
                    "SELECT named, by_record FROM (SELECT {value} AS named, t.name AS by_record, \
                     ROW_NUMBER() OVER (PARTITION BY {value} ORDER BY t.name) AS place FROM {from} WHERE {condition}) n \
                     WHERE place <= {most} ORDER BY named, by_record"
                );
                for row in self.db.read.query_all_raw(self.db.sql(&text, values)).await? {
                    let by: &mut Vec<String> = found.entry(row.try_get_by_index(0)?).or_default();
                    let record: String = row.try_get_by_index(1)?;
                    if !by.contains(&record) {
                        by.push(record);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Whose records are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    Any,
    /// Those that this import has touched.
    Of(&'a str),
    /// The others.
    Not(&'a str),
}

/// Whether a resource name has a form such as `talents/{id}/designations/{id}`.
fn is_like(name: &str, form: &str) -> bool {
    let (mut parts, mut form) = (name.split('/'), form.split('/'));
    loop {
        match (parts.next(), form.next()) {
            (None, None) => return true,
            (Some(_), Some("{id}")) => {}
            (Some(part), Some(word)) if part == word => {}
            _ => return false,
        }
    }
}
