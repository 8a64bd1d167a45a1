//! The search indexes of PostgreSQL, of which each token of a name gets the sign of its section. In SQL, as all of a
//! migration.

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::db::statement::{bound, sql};
use crate::search_index::gin_buckets::with_bucket_prefix;
use crate::text::order_code;

/// How many rows are rewritten by one statement.
const PIECE: i64 = 5000;

/// Gives the tokens of all tables their signs. For registers from before there were any.
pub(crate) async fn sign_all(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    // An index of a large table takes longer than a call may.
    connection.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    let tables = "SELECT table_name::text FROM information_schema.columns WHERE table_schema = current_schema() \
                  AND column_name = 'tokens' AND udt_name = 'tsvector' ORDER BY 1";
    let tables = connection.query_all_raw(sql(DbBackend::Postgres, tables, [])).await?;
    for row in tables {
        sign_table(connection, &row.try_get_by_index::<String>(0)?).await?;
    }
    Ok(())
}

async fn sign_table(connection: &impl ConnectionTrait, table: &str) -> Result<(), DbErr> {
    let index = format!("DROP INDEX IF EXISTS {table}_by_token");
    connection.execute_unprepared(&index).await?;
    let read = format!(
        "SELECT id, sort_key, array_to_string(tsvector_to_array(tokens), ' ') FROM {table} WHERE id > ? ORDER BY id LIMIT {PIECE}"
    );
    let write = format!(
        "UPDATE {table} t SET tokens = array_to_tsvector(string_to_array(n.tokens, ' ')) \
         FROM UNNEST(?::text[], ?::text[]) AS n(id, tokens) WHERE t.id = n.id"
    );
    let mut from = String::new();
    loop {
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let found = sql(DbBackend::Postgres, &read, [from.as_str().into()]);
        for row in connection.query_all_raw(found).await? {
            let (sort_key, tokens): (String, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            from = row.try_get_by_index(0)?;
            rows.push(vec![
                from.as_str().into(),
                with_bucket_prefix(&tokens, order_code(&sort_key)).into(),
            ]);
        }
        if rows.is_empty() {
            break;
        }
        let values = bound(
            DbBackend::Postgres,
            &[ArrayType::String, ArrayType::String],
            rows.into_iter(),
        );
        connection.execute_raw(sql(DbBackend::Postgres, &write, values)).await?;
    }
    connection
        .execute_unprepared(&crate::search_index::index::on_postgres(table))
        .await
        .map(drop)
}
