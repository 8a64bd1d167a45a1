//! What queries have in common that sea-query builds: where the databases differ, what a plan depends on, and the way
//! to a text.

use sea_orm::DbBackend;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{
    Expr, ExprTrait, Func, PostgresQueryBuilder, Query, SelectStatement, SqlWriterValues, SqliteQueryBuilder, Value,
};

/// What a query calls the table of a resource.
pub(crate) const T: &str = "t";

/// A column of `t`.
pub(crate) fn of_t(column: &'static str) -> Expr {
    Expr::col((T, column))
}

/// Whether an expression is one of a list that is bound as one value (see [`crate::db::statement::list`]), so that any
/// length is the same statement.
pub(crate) fn is_among(backend: DbBackend, expr: Expr, list: Value) -> Expr {
    match backend {
        DbBackend::Postgres => expr.eq(PgFunc::any(list)),
        _ => {
            let each = Func::cust("json_each").arg(list);
            expr.in_subquery(Query::select().column("value").from_function(each, "listed").take())
        }
    }
}

/// The empty text, in the statement itself: a partial index is found by what stands there, and not by a bound value.
pub(crate) fn nothing() -> Expr {
    Expr::Constant("".into())
}

/// Zero, in the statement itself.
pub(crate) fn zero() -> Expr {
    Expr::Constant(0_i64.into())
}

/// A query as text with `?` for each value, whatever the database, and its values: other text may come around it.
pub(crate) fn rendered(backend: DbBackend, query: &SelectStatement) -> (String, Vec<Value>) {
    let mut text = SqlWriterValues::new("?", false);
    match backend {
        DbBackend::Postgres => query.build_collect_any_into(&PostgresQueryBuilder, &mut text),
        _ => query.build_collect_any_into(&SqliteQueryBuilder, &mut text),
    }
    let (text, values) = text.into_parts();
    (text, values.0)
}

/// The same of so many of its first rows. Not by its own limit: a bare `LIMIT ?` makes SQLite plan a statement anew for
/// each value that is bound.
pub(crate) fn rendered_first(backend: DbBackend, query: &SelectStatement, most: Value) -> (String, Vec<Value>) {
    let (mut text, mut values) = rendered(backend, query);
    text.push_str(" LIMIT ? + 0");
    values.push(most);
    (text, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(backend: DbBackend, condition: Expr) -> (String, usize) {
        let query = Query::select()
            .column((T, "id"))
            .from_as("labs", T)
            .and_where(condition)
            .take();
        let (text, values) = rendered_first(backend, &query, 3_i64.into());
        let start = "SELECT \"t\".\"id\" FROM \"labs\" AS \"t\" WHERE ";
        let condition = text
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(" LIMIT ? + 0"));
        (condition.map(str::to_owned).unwrap_or(text), values.len())
    }

    #[test]
    fn each_value_is_a_question_mark_on_both_databases_and_constants_stand_in_the_text() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let condition = of_t("city")
                .ne(nothing())
                .and(of_t("year").gt(zero()).or(of_t("year").eq(5_i64)));
            let right = "\"t\".\"city\" <> '' AND (\"t\".\"year\" > 0 OR \"t\".\"year\" = ?)";
            assert_eq!(text(backend, condition), (right.to_owned(), 2));
        }
    }

    #[test]
    fn a_list_of_any_length_is_one_value() {
        let among = |backend| text(backend, is_among(backend, of_t("id"), "".into()));
        let right = "\"t\".\"id\" IN (SELECT \"value\" FROM json_each(?) AS \"listed\")";
        assert_eq!(among(DbBackend::Sqlite), (right.to_owned(), 2));
        assert_eq!(among(DbBackend::Postgres), ("\"t\".\"id\" = ANY(?)".to_owned(), 2));
    }
}
