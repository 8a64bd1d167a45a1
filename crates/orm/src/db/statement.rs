//! The texts of statements and what is bound to them, where the databases differ.

use std::borrow::Cow;

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{DbBackend, QueryResult, Statement};

use crate::db::texts::Texts;
use crate::error::Result;

/// For how many rows there are statements on SQLite: few, so that they stay prepared, and close enough that a batch is one
/// statement without many rows of nothing.
const SIZES: [usize; 16] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// A statement with `?` for each value, whatever the database. The text holds no `?` of its own.
pub(crate) fn sql(backend: DbBackend, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(backend, numbered(backend, text), values)
}

/// Such a text as the database counts its values.
pub(crate) fn numbered(backend: DbBackend, text: &str) -> Cow<'_, str> {
    if backend != DbBackend::Postgres {
        return Cow::Borrowed(text);
    }
    let mut numbered = String::with_capacity(text.len() + 16);
    let mut count = 0;
    for part in text.split_inclusive('?') {
        match part.strip_suffix('?') {
            Some(before) => {
                count += 1;
                numbered.push_str(before);
                numbered.push('$');
                numbered.push_str(&count.to_string());
            }
            None => numbered.push_str(part),
        }
    }
    Cow::Owned(numbered)
}

/// Statements of PostgreSQL that change tables and answer nothing, as one. None of them sees what another does. Its
/// text is made each time: which statements stand together is another thing each time.
pub(crate) fn together(statements: impl IntoIterator<Item = Statement>) -> Statement {
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for statement in statements {
        texts.push(numbered_from(values.len(), &statement.sql));
        values.extend(statement.values.into_iter().flat_map(|more| more.0));
    }
    let last = texts.pop().unwrap_or_default();
    let before: Vec<String> = texts
        .iter()
        .zip(0..)
        .map(|(text, n)| format!("s{n} AS ({text})"))
        .collect();
    let text = if before.is_empty() {
        last
    } else {
        format!("WITH {} {last}", before.join(", "))
    };
    Statement::from_sql_and_values(DbBackend::Postgres, text, values)
}

/// A text of [`sql`] whose values come behind so many others.
fn numbered_from(count: usize, text: &str) -> String {
    let mut parts = text.split('$');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        let number = number.parse::<usize>().unwrap_or_default() + count;
        numbered.push('$');
        numbered.push_str(&number.to_string());
        numbered.push_str(rest);
    }
    numbered
}

/// `column` is one of a list that is bound as one value (see [`list`]), so that any length is the same statement. For
/// statements that are SQL; [`crate::db::select::is_among`] is for others.
pub(crate) fn among(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("{column} = ANY(?)"),
        _ => format!("{column} IN (SELECT value FROM json_each(?))"),
    }
}

/// The list for [`among`].
pub(crate) fn list<T: AsRef<str>>(backend: DbBackend, items: impl IntoIterator<Item = T>) -> Value {
    let items = items.into_iter();
    match backend {
        DbBackend::Postgres => Value::Array(
            ArrayType::String,
            Some(Box::new(items.map(|i| i.as_ref().to_owned().into()).collect())),
        ),
        _ => {
            let items: Vec<T> = items.collect();
            let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
            serde_json::to_string(&items).unwrap_or_default().into()
        }
    }
}

/// The same of whole numbers.
pub(crate) fn numbers(backend: DbBackend, items: impl IntoIterator<Item = i64>) -> Value {
    let items = items.into_iter();
    match backend {
        DbBackend::Postgres => Value::Array(ArrayType::BigInt, Some(Box::new(items.map(Value::from).collect()))),
        _ => {
            let items: Vec<i64> = items.collect();
            serde_json::to_string(&items).unwrap_or_default().into()
        }
    }
}

/// How many rows one statement takes. PostgreSQL takes any number, as a list for each column.
pub(crate) fn most_rows(backend: DbBackend) -> usize {
    match backend {
        DbBackend::Postgres => usize::MAX,
        _ => SIZES[SIZES.len() - 1],
    }
}

/// A table with columns `c0`, `c1`, … of so many rows, whose values are bound by [`bound`]: `SELECT … FROM` this
/// `WHERE c0 IS NOT NULL`, because there may be rows of nothing at its end. `types` are those that PostgreSQL calls them.
pub(crate) fn table_of(backend: DbBackend, types: &[&str], rows: usize) -> String {
    let names = |name: fn(usize) -> String| (0..types.len()).map(name).collect::<Vec<_>>().join(", ");
    if backend == DbBackend::Postgres {
        let lists: Vec<_> = types.iter().map(|name| format!("?::{name}[]")).collect();
        return format!("UNNEST({}) AS r({})", lists.join(", "), names(|n| format!("c{n}")));
    }
    let row = format!("({})", vec!["?"; types.len()].join(", "));
    format!(
        "(SELECT {} FROM (VALUES {})) AS r",
        names(|n| format!("column{} AS c{n}", n + 1)),
        vec![row.as_str(); size_for(rows)].join(", ")
    )
}

/// The values for [`table_of`].
pub(crate) fn bound(
    backend: DbBackend,
    kinds: &[ArrayType],
    rows: impl ExactSizeIterator<Item = Vec<Value>>,
) -> Vec<Value> {
    let count = rows.len();
    if backend != DbBackend::Postgres {
        let nothing = (size_for(count) - count) * kinds.len();
        return rows
            .flatten()
            .chain(std::iter::repeat_n(Value::String(None), nothing))
            .collect();
    }
    let mut lists: Vec<Vec<Value>> = kinds.iter().map(|_| Vec::with_capacity(count)).collect();
    for row in rows {
        for (list, value) in lists.iter_mut().zip(row) {
            list.push(value);
        }
    }
    let lists = kinds.iter().zip(lists);
    lists
        .map(|(kind, list)| Value::Array(kind.clone(), Some(Box::new(list))))
        .collect()
}

/// For how many rows the text is that takes so many. On PostgreSQL one takes any number.
pub(crate) fn rows_of_text(backend: DbBackend, rows: usize) -> usize {
    match backend {
        DbBackend::Postgres => 0,
        _ => size_for(rows),
    }
}

fn size_for(rows: usize) -> usize {
    SIZES.into_iter().find(|size| *size >= rows).unwrap_or(rows)
}

/// The first column of each row.
pub(crate) fn first<T: sea_orm::TryGetable>(rows: &[QueryResult]) -> Result<Vec<T>> {
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// A statement, and what is wrong where it does not change so many rows.
#[derive(Debug)]
pub(crate) struct PlannedStatement {
    pub statement: Statement,
    pub expects: Option<(u64, String)>,
}

/// Takes the statements in their order.
pub(crate) type StatementSink<'a> = dyn FnMut(PlannedStatement) + 'a;

impl From<Statement> for PlannedStatement {
    fn from(statement: Statement) -> Self {
        Self {
            statement,
            expects: None,
        }
    }
}

/// Where rows are inserted, and how.
pub(crate) struct Insertion<'a> {
    pub table: String,
    pub columns: Vec<&'a str>,
    /// Makes of the bound value of a column what is stored.
    pub made: fn(&str, String) -> String,
    /// What the statement ends with.
    pub tail: String,
}

impl<'a> Insertion<'a> {
    /// Of values as they are bound.
    pub fn plain(table: String, columns: &[&'a str]) -> Self {
        Self {
            table,
            columns: columns.to_vec(),
            made: |_, value| value,
            tail: String::new(),
        }
    }

    /// SQL: sea-query has no lists of rows (`UNNEST`) and no `OR FAIL`.
    fn text(&self, backend: DbBackend, types: &[&str], rows: usize) -> String {
        // Where a row is refused, the whole transaction is given up: SQLite need not be able to take back the statement
        // alone.
        let insert = match backend {
            DbBackend::Postgres => "INSERT",
            _ => "INSERT OR FAIL",
        };
        let columns = self.columns.iter().enumerate();
        let picked: Vec<_> = columns
            .map(|(n, column)| (self.made)(column, format!("c{n}")))
            .collect();
        let text = format!(
            "{insert} INTO {} ({}) SELECT {} FROM {} WHERE c0 IS NOT NULL{}",
            self.table,
            self.columns.join(", "),
            picked.join(", "),
            table_of(backend, types, rows),
            self.tail
        );
        numbered(backend, &text).into_owned()
    }
}

/// The texts of insertions into tables that every register has.
static FIXED: Texts<(&'static str, usize)> = Texts::new();

/// Inserts rows of bound values into such a table.
pub(crate) fn insert_values(
    backend: DbBackend,
    table: &'static str,
    columns: &[&str],
    tail: &str,
    rows: impl Iterator<Item = Vec<Value>>,
    put: &mut StatementSink<'_>,
) {
    let insertion = || Insertion {
        tail: tail.to_owned(),
        ..Insertion::plain(table.to_owned(), columns)
    };
    insert_made(backend, (&FIXED, table), insertion, rows, put);
}

/// Inserts rows of bound values. The text is looked up by a table and the number of rows, and made where it is not
/// known.
pub(crate) fn insert_made<'a>(
    backend: DbBackend,
    (texts, table): (&Texts<(&'static str, usize)>, &'static str),
    insertion: impl Fn() -> Insertion<'a>,
    mut rows: impl Iterator<Item = Vec<Value>>,
    put: &mut StatementSink<'_>,
) {
    loop {
        let piece: Vec<_> = rows.by_ref().take(most_rows(backend)).collect();
        let Some(first) = piece.first() else { return };
        let (kinds, types): (Vec<ArrayType>, Vec<&str>) = first.iter().map(array_of).unzip();
        let size = rows_of_text(backend, piece.len());
        let text = texts.of(backend, (table, size), || {
            insertion().text(backend, &types, piece.len())
        });
        let values = bound(backend, &kinds, piece.into_iter());
        put(Statement::from_sql_and_values(backend, &*text, values).into());
    }
}

/// The type of a list of such values, and its name in PostgreSQL.
fn array_of(value: &Value) -> (ArrayType, &'static str) {
    match value {
        Value::BigInt(_) => (ArrayType::BigInt, "bigint"),
        Value::Bytes(_) => (ArrayType::Bytes, "bytea"),
        _ => (ArrayType::String, "text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_together_keep_their_values_in_their_places() {
        let one = |text: &str, values: &[i64]| sql(DbBackend::Postgres, text, values.iter().map(|v| (*v).into()));
        let alone = together([one("INSERT INTO a SELECT ?", &[1])]);
        assert_eq!(alone.sql, "INSERT INTO a SELECT $1");
        let all = together([
            one("INSERT INTO a SELECT ?, ?", &[1, 2]),
            one("INSERT INTO b SELECT ?", &[3]),
            one("INSERT INTO c SELECT ?, ?::bigint", &[4, 5]),
        ]);
        assert_eq!(
            all.sql,
            "WITH s0 AS (INSERT INTO a SELECT $1, $2), s1 AS (INSERT INTO b SELECT $3) INSERT INTO c SELECT $4, $5::bigint"
        );
        let values = all.values.map(|values| values.0).unwrap_or_default();
        assert_eq!(values, [1_i64, 2, 3, 4, 5].map(Value::from));
    }
}
