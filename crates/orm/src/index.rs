//! The search index of a collection: tokens of names, in the full-text index that the database has (docs/adr/0011).
//!
//! SQLite keeps them in an FTS5 table without contents, with numbers of rows in the order of names ([`crate::places`]); PostgreSQL in a
//! column of the resource's own row with a GIN index. Neither cuts words or knows a language: what a token is says
//! [`crate::text`], the same for both.

use std::collections::BTreeMap;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::layer::RowChange;
use crate::places::{SERIALS, first_of};
use crate::resource::Row;
use crate::statement::sql;
use crate::text::{Query, Term, whole_name};

/// The statements that make the index of a table, in the words of [`crate::schema::run`].
pub(crate) fn statements(table: &str) -> [String; 2] {
    [
        format!("$SQLITE {}", on_sqlite(table)),
        format!("$POSTGRES CREATE INDEX {table}_by_token ON {table} USING gin (tokens)"),
    ]
}

/// The one for SQLite.
pub(crate) fn on_sqlite(table: &str) -> String {
    format!(
        "CREATE VIRTUAL TABLE {table}_search USING fts5(tokens, content='', contentless_delete=1, detail=none, \
         tokenize='ascii')"
    )
}

/// The condition that a row of `t` has all terms, and its value.
pub(crate) fn has_all(backend: DbBackend, table: &str, terms: &[Term]) -> (String, Value) {
    let condition = match backend {
        DbBackend::Postgres => "t.tokens @@ CAST(? AS tsquery)".to_owned(),
        _ => format!("t.serial IN (SELECT rowid & {SERIALS} FROM {table}_search WHERE {table}_search MATCH ?)"),
    };
    (condition, expression(backend, terms).into())
}

/// How the database is asked for rows that have all terms.
fn expression(backend: DbBackend, terms: &[Term]) -> String {
    let (text, between): (fn(&Term) -> String, &str) = match backend {
        DbBackend::Postgres => (
            |term| {
                let quoted = term.text.replace('\\', "\\\\").replace('\'', "''");
                format!("'{quoted}'{}", if term.prefix { ":*" } else { "" })
            },
            " & ",
        ),
        _ => (
            |term| {
                let quoted = term.text.replace('"', "\"\"");
                format!("\"{quoted}\"{}", if term.prefix { " *" } else { "" })
            },
            " AND ",
        ),
    };
    let terms: Vec<String> = terms.iter().map(text).collect();
    terms.join(between)
}

/// How the database is asked for what a query finds: the rows of which it is a whole name, or the others.
pub(crate) fn found(backend: DbBackend, query: &Query, whole: bool) -> String {
    let term = Term {
        text: whole_name(query.whole()),
        prefix: false,
    };
    let (all, name) = (expression(backend, query.terms()), expression(backend, &[term]));
    match (backend, whole) {
        (DbBackend::Postgres, true) => format!("({all}) & {name}"),
        (DbBackend::Postgres, false) => format!("({all}) & !{name}"),
        (_, true) => format!("({all}) AND {name}"),
        (_, false) => format!("({all}) NOT {name}"),
    }
}

/// Brings the index of SQLite up to what rows have become. On PostgreSQL tokens are a column like others.
pub(crate) async fn write(tx: &DatabaseTransaction, table: &str, rows: &[RowChange]) -> Result<(), sea_orm::DbErr> {
    let backend = tx.get_database_backend();
    if backend == DbBackend::Postgres {
        return Ok(());
    }
    let changed = rows.iter().filter(|(before, after)| {
        let same = |before: &Row| before.tokens == after.tokens && before.place == after.place;
        !before.as_ref().is_some_and(same)
    });
    let changed: Vec<&RowChange> = changed.collect();
    let serials = serials(tx, table, &changed).await?;
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for ((before, after), serial) in changed.into_iter().zip(serials) {
        gone.extend(before.as_ref().map(|before| first_of(before.place) | serial));
        if !after.tokens.is_empty() {
            new.push((first_of(after.place) | serial, after.tokens.as_str()));
        }
    }
    if !gone.is_empty() {
        let text = format!("DELETE FROM {table}_search WHERE rowid IN (SELECT value FROM json_each(?))");
        tx.execute_raw(sql(backend, &text, [as_json(&gone)?.into()])).await?;
    }
    if !new.is_empty() {
        // In one statement and in the order of the numbers, because FTS5 writes out what it has gathered before each
        // statement, and where numbers run back.
        let text =
            format!("INSERT INTO {table}_search (rowid, tokens) SELECT CAST(key AS INTEGER), value FROM json_each(?)");
        let new = as_json(&new.into_iter().collect::<BTreeMap<i64, &str>>())?;
        tx.execute_raw(sql(backend, &text, [new.into()])).await?;
    }
    Ok(())
}

/// The serial numbers of rows that are written.
async fn serials(tx: &DatabaseTransaction, table: &str, rows: &[&RowChange]) -> Result<Vec<i64>, sea_orm::DbErr> {
    let ids: Vec<&str> = rows.iter().map(|(_, row)| row.id.as_str()).collect();
    let text = format!(
        "SELECT json_group_array(serial) FROM (SELECT t.serial FROM json_each(?) r CROSS JOIN {table} t ON t.id = r.value)"
    );
    let row = tx
        .query_one_raw(sql(tx.get_database_backend(), &text, [as_json(&ids)?.into()]))
        .await?;
    let found: String = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    let serials: Vec<i64> = serde_json::from_str(&found).map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?;
    if serials.len() != rows.len() || serials.iter().any(|serial| *serial > SERIALS) {
        let said =
            format!("{table} holds other rows than were written, or more than SQLite's index can: use PostgreSQL");
        return Err(sea_orm::DbErr::Custom(said));
    }
    Ok(serials)
}

fn as_json(value: &impl serde::Serialize) -> Result<String, sea_orm::DbErr> {
    serde_json::to_string(value).map_err(|error| sea_orm::DbErr::Custom(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_quoted_for_the_database() {
        let terms = [
            Term {
                text: "张\"'\\".into(),
                prefix: false,
            },
            Term {
                text: "san".into(),
                prefix: true,
            },
        ];
        let value = |backend| match has_all(backend, "talents", &terms).1 {
            Value::String(Some(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(value(DbBackend::Sqlite), "\"张\"\"'\\\" AND \"san\" *");
        assert_eq!(value(DbBackend::Postgres), "'张\"''\\\\' & 'san':*");
    }
}
