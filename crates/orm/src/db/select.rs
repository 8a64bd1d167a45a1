//! Parts of queries that sea-query builds, where the databases differ or a plan depends on how they are written.

use sea_orm::DbBackend;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, Value};

/// Whether an expression is one of a list that is bound as one value (see [`crate::db::statement::list`]), so that any length is the
/// same statement.
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
