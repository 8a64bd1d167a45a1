//! The two databases that every test runs on.

use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor, Row, ValueRef};

use crate::postgres::Database;

/// What keeps the records of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// The file in the data folder, which needs no configuration.
    Sqlite,
    /// A fresh database on the tests' PostgreSQL server.
    Postgres,
}

/// Makes of each `async fn name(store: Store)` two tests, `sqlite::name` and `postgres::name`.
///
/// Connections are served by a thread of their own: a test that waits for the end of its register would otherwise keep
/// its connections from closing, and the register waits for those.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $name() {
                super::$name($crate::Store::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $name() {
                super::$name($crate::Store::Postgres).await;
            })*
        }
    };
}

/// The database of one register, for looking below its surface.
#[derive(Debug)]
pub(crate) enum RawDb<'a> {
    Sqlite(PathBuf),
    Postgres(&'a Database),
}

impl RawDb<'_> {
    /// Runs statements, and answers nothing.
    pub(crate) async fn execute(&self, statements: &str) {
        match self {
            RawDb::Sqlite(file) => sqlite(file)
                .await
                .execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
                .await
                .map(|_| ()),
            RawDb::Postgres(database) => connection(database)
                .await
                .execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
                .await
                .map(|_| ()),
        }
        .unwrap_or_else(|e| panic!("{statements}: {e}"));
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        match self {
            RawDb::Sqlite(file) => sqlite(file)
                .await
                .fetch_one(sqlx::raw_sql(AssertSqlSafe(query.to_owned())))
                .await
                .map(|row| row.get(0)),
            RawDb::Postgres(database) => connection(database)
                .await
                .fetch_one(sqlx::raw_sql(AssertSqlSafe(query.to_owned())))
                .await
                .map(|row| {
                    // A plain query answers in text.
                    let value = row.try_get_raw(0).unwrap();
                    assert!(!value.is_null(), "{query} answers NULL");
                    value
                        .as_str()
                        .unwrap()
                        .parse()
                        .unwrap_or_else(|_| panic!("{query} answers no whole number"))
                }),
        }
        .unwrap_or_else(|e| panic!("{query}: {e}"))
    }
}

async fn sqlite(file: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file))
        .await
        .unwrap()
}

async fn connection(database: &Database) -> PgConnection {
    PgConnection::connect(&database.url()).await.unwrap()
}
