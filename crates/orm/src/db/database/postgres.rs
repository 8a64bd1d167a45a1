//! Connecting to PostgreSQL.

use std::time::Duration;

use sea_orm::{ConnectionTrait, SqlxPostgresConnector};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

use super::{Db, MAX_BATCH, POSTGRES_COUNTS, POSTGRES_GETS, POSTGRES_READS, POSTGRES_WRITES, is_between_transactions};
use crate::error::{Class, Error, Result};

impl Db {
    /// Connects to PostgreSQL, for example `postgres://user@127.0.0.1:5432/mingce`.
    pub async fn postgres(url: &str) -> Result<Self> {
        let options: PgConnectOptions = url
            .parse()
            .map_err(|e| Error::new(Class::Invalid, "DATABASE_URL_INVALID", format!("the database URL: {e}")))?;
        let options = options
            .application_name("mingce")
            .statement_cache_capacity(300)
            .options([
                ("statement_timeout", "30000"),
                ("idle_in_transaction_session_timeout", "30000"),
                ("lock_timeout", "10000"),
                // Statements are short: to compile one takes longer than to run it. docs/adr/0037-one-thing-one-count.md
                ("jit", "off"),
            ]);
        let away = |why: &dyn std::fmt::Display| {
            Error::new(
                Class::Unavailable,
                "DATABASE_UNREACHABLE",
                format!("the database does not answer: {why}"),
            )
        };
        // A pool goes on trying for as long as it may wait: a wrong address is said at once by a connection of our own.
        match tokio::time::timeout(Duration::from_secs(10), PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => connection.close().await.map_err(|e| away(&e))?,
            // The words of the database alone: sqlx adds the line of PostgreSQL's own source.
            Ok(Err(error)) => {
                return Err(match error.as_database_error() {
                    Some(said) => away(&said.message()),
                    None => away(&error),
                });
            }
            Err(_) => return Err(away(&"no answer within 10 seconds")),
        }
        let pool = |most: u32| {
            PgPoolOptions::new()
                .max_connections(most)
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(10))
                .max_lifetime(Duration::from_secs(600))
                .idle_timeout(Duration::from_secs(60))
        };
        let write = pool(POSTGRES_WRITES)
            .before_acquire(|connection, _| Box::pin(is_between_transactions(connection)))
            .connect_with(options.clone())
            .await
            .map_err(|e| away(&e))?;
        // Opened before they are needed, and kept: what a new connection does first takes long where much goes on.
        let get = pool(POSTGRES_READS)
            .min_connections(POSTGRES_GETS + 1)
            // What is read in several steps is of one moment where they are one transaction.
            .connect_lazy_with(options.clone().options([
                ("default_transaction_isolation", "repeatable read"),
                ("default_transaction_read_only", "on"),
            ]));
        let count = pool(POSTGRES_COUNTS).connect_lazy_with(options.clone());
        let read = pool(POSTGRES_READS).connect_lazy_with(options);
        let db = Self {
            read: SqlxPostgresConnector::from_sqlx_postgres_pool(read),
            get: SqlxPostgresConnector::from_sqlx_postgres_pool(get),
            count: SqlxPostgresConnector::from_sqlx_postgres_pool(count),
            file: None,
            write: SqlxPostgresConnector::from_sqlx_postgres_pool(write),
            max_batch: MAX_BATCH,
            clock: None,
        };
        db.expect_writable().await?;
        Ok(db)
    }

    /// Refuses a PostgreSQL database that cannot be written, or has no schema to hold tables. Reads only.
    async fn expect_writable(&self) -> Result<()> {
        // SQL: what PostgreSQL says of itself.
        let text =
            "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_schema()::text";
        let Some(row) = self.write.query_one_raw(self.sql(text, [])).await? else {
            return Err(Error::internal("PostgreSQL says nothing of itself"));
        };
        let read_only = |said: &str| Err(Error::new(Class::Unavailable, "DATABASE_READ_ONLY", said));
        if row.try_get_by_index(0)? {
            return read_only("the database is a standby: name the primary");
        }
        if row.try_get_by_index(1)? {
            return read_only(
                "the database is read-only for this role: set default_transaction_read_only to off for the role, the database and the \
                 server",
            );
        }
        if row.try_get_by_index::<Option<String>>(2)?.is_none() {
            let said = "the search_path of this role names no schema that exists: set it to the schema of the register, for example \
                        public";
            return Err(Error::new(Class::Precondition, "DATABASE_FOREIGN", said));
        }
        Ok(())
    }

    /// Whether a URL names a PostgreSQL database.
    pub fn is_postgres(url: &str) -> bool {
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Where the database of a PostgreSQL URL is, without how to get in.
    pub fn display_url(url: &str) -> String {
        url.parse::<PgConnectOptions>().map_or_else(
            |_| "postgres".to_owned(),
            |o| {
                format!(
                    "postgres://{}:{}/{}",
                    o.get_host(),
                    o.get_port(),
                    o.get_database().unwrap_or_default()
                )
            },
        )
    }
}
