//! The search index of a collection: tokens of names, in the full-text index that the database has (docs/adr/0011).
//!
//! SQLite keeps them in an FTS5 table without contents, with numbers of rows in the order of names ([`crate::search_index::places`]); PostgreSQL in a
//! column of the resource's own row with a GIN index, those of names by sections of their order ([`crate::search_index::sections`]). Neither cuts words or knows a language: what a token is says
//! [`crate::text`], the same for both.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sea_orm::sea_query::Expr;
use sea_orm::{DbBackend, DbErr};

use crate::db::statement::{PlannedStatement, StatementSink};
use crate::db::texts::Texts;
use crate::model::table_row::{Row, RowChange};
use crate::search_index::fts5_rowid::{SERIALS, rowid_lower_bound};
use crate::text::{Query, Term, whole_name};

/// The statements that make the index of a table, in the words of [`crate::migration::schema::run`].
pub(crate) fn statements(table: &str) -> [String; 3] {
    let [made, merged] = on_sqlite(table);
    [
        format!("$SQLITE {made}"),
        format!("$SQLITE {merged}"),
        format!("$POSTGRES {}", on_postgres(table)),
    ]
}

/// Those for SQLite. SQL: a virtual table.
pub(crate) fn on_sqlite(table: &str) -> [String; 2] {
    let made = format!(
        "CREATE VIRTUAL TABLE {table}_search USING fts5(tokens, content='', columnsize=0, detail=none, tokenize='ascii')"
    );
    [made, merged_later(table)]
}

/// FTS5 merges segments of an index while rows are written, once there are so many of one size. By itself it does so at 4: a large
/// import then writes each token more often.
const SEGMENTS: u32 = 8;

/// Sets at how many segments an index of SQLite merges them. SQL: it is FTS5.
pub(crate) fn merged_later(table: &str) -> String {
    format!("INSERT INTO {table}_search ({table}_search, rank) VALUES ('automerge', {SEGMENTS})")
}

/// The one for PostgreSQL. SQL: as all that makes tables.
pub(crate) fn on_postgres(table: &str) -> String {
    format!("CREATE INDEX {table}_by_token ON {table} USING gin (tokens)")
}

/// Whether a row of `t` has all of some terms that are no parts of names.
pub(crate) fn has_all(backend: DbBackend, table: &str, terms: &[Term]) -> Expr {
    has(backend, table, expression(backend, terms))
}

/// Whether a row of `t` is found by an expression.
pub(crate) fn has(backend: DbBackend, table: &str, expression: String) -> Expr {
    // SQL: each database asks its index in its own words.
    let condition: Cow<'static, str> = match backend {
        DbBackend::Postgres => "t.tokens @@ CAST($1 AS tsquery)".into(),
        _ => format!("t.serial IN (SELECT rowid & {SERIALS} FROM {table}_search WHERE {table}_search MATCH ?)").into(),
    };
    Expr::cust_with_values(condition, [expression])
}

/// How the database is asked for rows that have all terms.
pub(crate) fn expression(backend: DbBackend, terms: &[Term]) -> String {
    let (one, and, or): (fn(&str, bool) -> String, &str, &str) = match backend {
        DbBackend::Postgres => (
            |text, prefix| {
                let quoted = text.replace('\\', "\\\\").replace('\'', "''");
                format!("'{quoted}'{}", if prefix { ":*" } else { "" })
            },
            " & ",
            " | ",
        ),
        _ => (
            |text, prefix| {
                let quoted = text.replace('"', "\"\"");
                format!("\"{quoted}\"{}", if prefix { " *" } else { "" })
            },
            " AND ",
            " OR ",
        ),
    };
    let text = |term: &Term| {
        let own = one(&term.text, term.prefix);
        if term.or.is_empty() {
            return own;
        }
        let others = term.or.iter().map(|other| one(other, false));
        format!("({})", std::iter::once(own).chain(others).collect::<Vec<_>>().join(or))
    };
    let terms: Vec<String> = terms.iter().map(text).collect();
    terms.join(and)
}

/// The expression for rows of which a query is a whole name.
pub(crate) fn whole(backend: DbBackend, query: &Query) -> String {
    named(backend, query.whole())
}

/// The expression for rows that have a whole name.
pub(crate) fn named(backend: DbBackend, name: &str) -> String {
    let term = Term {
        text: whole_name(name),
        prefix: false,
        or: Vec::new(),
    };
    expression(backend, &[term])
}

/// Brings the index of SQLite up to what rows have become. On PostgreSQL tokens are a column like others.
pub(crate) fn write(
    backend: DbBackend,
    table: &'static str,
    rows: &[RowChange],
    put: &mut StatementSink<'_>,
) -> Result<(), DbErr> {
    if backend == DbBackend::Postgres {
        return Ok(());
    }
    let (mut gone, mut new) = (BTreeMap::new(), BTreeMap::new());
    for (before, after) in rows {
        let same = |before: &Row| before.tokens == after.tokens && before.order_code == after.order_code;
        if before.as_ref().is_some_and(same) {
            continue;
        }
        let lists = [(before.as_ref(), &mut gone), (Some(after.as_ref()), &mut new)];
        for (row, list) in lists {
            let row = row.filter(|row| !row.tokens.is_empty());
            list.extend(row.map(|row| (document_key(row), row.tokens.as_str())));
        }
    }
    for (rows, is_new, holds) in [(gone, false, "once held"), (new, true, "now holds")] {
        if rows.is_empty() {
            continue;
        }
        let values = [as_json(&rows)?.into()];
        let statement = WRITTEN.statement(backend, (table, is_new), values, || written(table, is_new));
        let wrong = format!(
            "the search index {holds} other rows than {table}, or {table} has more than SQLite's index can: use PostgreSQL"
        );
        put(PlannedStatement {
            statement,
            expects: Some((rows.len() as u64, wrong)),
        });
    }
    Ok(())
}

/// The texts that write an index of SQLite: whether rows are new or go.
static WRITTEN: Texts<(&'static str, bool)> = Texts::new();

/// SQL: it is FTS5. In one statement and in the order of the numbers, because FTS5 writes out what it has gathered
/// before each statement, and where numbers run back.
fn written(table: &str, is_new: bool) -> String {
    // The index keeps no texts: what goes is said once more.
    let into = if is_new {
        "(rowid, tokens) SELECT ".to_owned()
    } else {
        format!("({table}_search, rowid, tokens) SELECT 'delete', ")
    };
    format!(
        "INSERT INTO {table}_search {into}CAST(substr(r.key, 1, {DIGITS}) AS INTEGER) | t.serial, r.value FROM json_each(?) r \
         CROSS JOIN {table} t ON t.id = substr(r.key, {DIGITS} + 1) AND t.serial <= {SERIALS}"
    )
}

/// The first number of the place of a row, in so many digits, and its id: in the order of the numbers.
fn document_key(row: &Row) -> String {
    format!("{:0DIGITS$}{}", rowid_lower_bound(row.order_code), row.id)
}

/// The digits of the largest number.
const DIGITS: usize = 19;

fn as_json(value: &impl serde::Serialize) -> Result<String, DbErr> {
    serde_json::to_string(value).map_err(|error| DbErr::Custom(error.to_string()))
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
                or: Vec::new(),
            },
            Term {
                text: "san".into(),
                prefix: true,
                or: Vec::new(),
            },
        ];
        assert_eq!(expression(DbBackend::Sqlite, &terms), "\"张\"\"'\\\" AND \"san\" *");
        assert_eq!(expression(DbBackend::Postgres, &terms), "'张\"''\\\\' & 'san':*");
    }
}
