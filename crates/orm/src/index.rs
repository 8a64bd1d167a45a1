//! The search index of a collection: tokens of names, in the full-text index that the database has (docs/adr/0011).
//!
//! SQLite keeps them in an FTS5 table without contents whose row numbers are those of the resources; PostgreSQL in a
//! column of the resource's own row with a GIN index. Neither cuts words or knows a language: what a token is says
//! [`crate::text`], the same for both.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::layer::RowChange;
use crate::statement::sql;
use crate::text::{Query, Term, whole_name};

/// The statements that make the index of a table, in the words of [`crate::schema::run`].
pub(crate) fn statements(table: &str) -> [String; 2] {
    [
        format!(
            "$SQLITE CREATE VIRTUAL TABLE {table}_search USING fts5(tokens, content='', contentless_delete=1, \
             detail=none, tokenize='ascii')"
        ),
        format!("$POSTGRES CREATE INDEX {table}_by_token ON {table} USING gin (tokens)"),
    ]
}

/// The condition that a row of `t` has all terms, and its value.
pub(crate) fn has_all(backend: DbBackend, table: &str, terms: &[Term]) -> (String, Value) {
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
    let condition = match backend {
        DbBackend::Postgres => "t.tokens @@ CAST(? AS tsquery)".to_owned(),
        _ => format!("t.serial IN (SELECT rowid FROM {table}_search WHERE {table}_search MATCH ?)"),
    };
    (condition, terms.join(between).into())
}

/// The condition that the query is a whole name of a row of `t`, and its value.
pub(crate) fn is_whole(backend: DbBackend, table: &str, query: &Query) -> (String, Value) {
    let term = Term {
        text: whole_name(query.whole()),
        prefix: false,
    };
    has_all(backend, table, &[term])
}

/// Brings the index of SQLite up to what rows have become. On PostgreSQL tokens are a column like others.
pub(crate) async fn write(tx: &DatabaseTransaction, table: &str, rows: &[RowChange]) -> Result<(), sea_orm::DbErr> {
    let backend = tx.get_database_backend();
    if backend == DbBackend::Postgres {
        return Ok(());
    }
    let changed = || {
        rows.iter()
            .filter(|(before, after)| before.as_ref().is_none_or(|before| before.tokens != after.tokens))
    };
    let known: Vec<&str> = changed()
        .filter(|(before, _)| before.is_some())
        .map(|(_, after)| after.id.as_str())
        .collect();
    if !known.is_empty() {
        let text = format!(
            "DELETE FROM {table}_search WHERE rowid IN (SELECT serial FROM {table} WHERE {})",
            crate::statement::among(backend, "id")
        );
        tx.execute_raw(sql(backend, &text, [crate::statement::list(backend, known)]))
            .await?;
    }
    let tokens: serde_json::Map<String, serde_json::Value> = changed()
        .filter(|(_, after)| !after.tokens.is_empty())
        .map(|(_, after)| (after.id.clone(), after.tokens.as_str().into()))
        .collect();
    if tokens.is_empty() {
        return Ok(());
    }
    // One statement, because FTS5 writes out what it has gathered before each.
    let text = format!(
        "INSERT INTO {table}_search (rowid, tokens) SELECT t.serial, r.value FROM json_each(?) r CROSS JOIN {table} t ON t.id = r.key"
    );
    let tokens = serde_json::Value::Object(tokens).to_string();
    tx.execute_raw(sql(backend, &text, [tokens.into()])).await?;
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
