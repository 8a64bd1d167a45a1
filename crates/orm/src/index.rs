//! The search index of a collection: tokens of names, in the full-text index that the database has (docs/adr/0011).
//!
//! SQLite keeps them in an FTS5 table without contents, with numbers of rows in the order of names ([`crate::places`]); PostgreSQL in a
//! column of the resource's own row with a GIN index. Neither cuts words or knows a language: what a token is says
//! [`crate::text`], the same for both.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use serde_json::{Map, json};

use crate::layer::RowChange;
use crate::places::SERIALS;
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
    let (mut gone, mut new) = (Map::new(), Map::new());
    for (before, after) in rows {
        match before {
            Some(before) if before.tokens == after.tokens && before.place == after.place => continue,
            Some(before) => gone.insert(after.id.clone(), before.place.into()),
            None => None,
        };
        if !after.tokens.is_empty() {
            new.insert(after.id.clone(), json!([after.place, after.tokens]));
        }
    }
    if !gone.is_empty() {
        let text = format!(
            "DELETE FROM {table}_search WHERE rowid IN (SELECT (r.value * {of_place}) | t.serial FROM json_each(?) r \
             CROSS JOIN {table} t ON t.id = r.key)",
            of_place = SERIALS + 1
        );
        let gone = serde_json::Value::Object(gone).to_string();
        tx.execute_raw(sql(backend, &text, [gone.into()])).await?;
    }
    if new.is_empty() {
        return Ok(());
    }
    let last = format!("SELECT serial FROM {table} ORDER BY serial DESC LIMIT 1");
    let last = tx.query_one_raw(sql(backend, &last, [])).await?;
    if last.map(|row| row.try_get_by_index::<i64>(0)).transpose()? > Some(SERIALS) {
        return Err(sea_orm::DbErr::Custom(format!(
            "{table} holds as many rows as SQLite's index can: use PostgreSQL"
        )));
    }
    // One statement in the order of the numbers, because FTS5 writes out what it has gathered before each, and where
    // numbers run back.
    let text = format!(
        "INSERT INTO {table}_search (rowid, tokens) SELECT ((r.value ->> 0) * {of_place}) | t.serial, r.value ->> 1 \
         FROM json_each(?) r CROSS JOIN {table} t ON t.id = r.key ORDER BY 1",
        of_place = SERIALS + 1
    );
    let new = serde_json::Value::Object(new).to_string();
    tx.execute_raw(sql(backend, &text, [new.into()])).await?;
    Ok(())
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
