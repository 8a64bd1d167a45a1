//! Queries outside of transactions: bodies, numbers and counts, each over the connections that are for it.

use std::sync::Arc;

use prost::bytes::Bytes;
use sea_orm::sea_query::{SelectStatement, Value};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::Db;
use crate::context::RequestContext;
use crate::db::counted::{Counted, of_row, of_sqlite};
use crate::db::select::{rendered, rendered_first};
use crate::db::sqlite_read_pool;
use crate::db::statement::numbered;
use crate::error::{Class, Error, Result};

impl Db {
    /// The one column of bytes that a query answers, in its order.
    ///
    /// The last is that by which they have more than `most` bytes, where there are so many.
    pub(crate) async fn bodies(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        self.bodies_by(self.bodies_text(text, most).into(), values, most).await
    }

    /// The text by which [`Self::bodies`] asks: for a query that is asked often, which is made so once.
    pub(crate) fn bodies_text(&self, text: &str, most: usize) -> String {
        match self.backend() {
            DbBackend::Postgres => as_array(&first_ones(text, most)),
            _ => text.to_owned(),
        }
    }

    /// The same by such a text.
    pub(crate) async fn bodies_by(
        &self,
        text: Arc<str>,
        values: impl IntoIterator<Item = Value>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        if let Some(file) = &self.file {
            let weight = (Bytes::len as fn(&Bytes) -> usize, most);
            return file.lists.rows(text, values, sqlite_read_pool::body, weight).await;
        }
        bodies_over(&self.read, &text, values).await
    }

    /// The same for so many of the first rows of a query, with what another query counts at the same moment: one
    /// statement sees one moment. Nothing is counted where there are no bodies. Only counts wait for it, and it ends
    /// with the time of the call.
    pub(crate) async fn bodies_and_count(
        &self,
        cx: &RequestContext,
        (mut page, rows): (SelectStatement, Value),
        count: &SelectStatement,
        most: usize,
    ) -> Result<(Vec<Bytes>, Option<i64>)> {
        let both = async {
            let Some(file) = &self.file else {
                let (page, values) = rendered_first(DbBackend::Postgres, &page, rows);
                let (count, counted) = rendered(DbBackend::Postgres, count);
                // SQL: one row, as of `bodies`.
                let text = format!("SELECT ARRAY({}), ({count})", first_ones(&page, most));
                let values = values.into_iter().chain(counted);
                let row = self.count.query_one_raw(self.sql(&text, values)).await?;
                let Some(row) = row else { return Ok((Vec::new(), None)) };
                let bodies: Vec<Vec<u8>> = row.try_get_by_index(0)?;
                let bodies: Vec<Bytes> = bodies.into_iter().map(Bytes::from).collect();
                return Ok((bodies, Some(row.try_get_by_index(1)?)));
            };
            page.expr(count.clone());
            let (text, values) = rendered_first(DbBackend::Sqlite, &page, rows);
            let weigh: fn(&(Bytes, i64)) -> usize = |(body, _)| body.len();
            let take: fn(&rusqlite::Row<'_>) -> rusqlite::Result<(Bytes, i64)> =
                |row| Ok((sqlite_read_pool::body(row)?, row.get(1)?));
            let rows = file.counts.rows(text.into(), values, take, (weigh, most)).await?;
            let count = rows.first().map(|(_, count)| *count);
            Ok((rows.into_iter().map(|(body, _)| body).collect(), count))
        };
        in_time(cx, both).await
    }

    /// The same for gets that are shared, on PostgreSQL, by a text of [`as_array`].
    pub(crate) async fn got(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<Bytes>> {
        bodies_over(&self.get, text, values).await
    }

    /// The rows of a query that counts: the count, and the values of each group, of which it is said whether they are text. Nobody but
    /// other counts waits for it; where the call's time is over, or its caller leaves, the database stops.
    pub(crate) async fn counted(
        &self,
        cx: &RequestContext,
        text: &str,
        values: Vec<Value>,
        texts: &[bool],
    ) -> Result<Vec<Counted>> {
        let counted = async {
            let Some(file) = &self.file else {
                let rows = self.count.query_all_raw(self.sql(text, values)).await?;
                return rows.iter().map(|row| of_row(row, texts)).collect();
            };
            file.counts.rows(text.into(), values, of_sqlite, (|_| 0, 0)).await
        };
        in_time(cx, counted).await
    }

    /// The one column of numbers that a query answers, in its order.
    pub(crate) async fn numbers(&self, text: Arc<str>, values: impl IntoIterator<Item = Value>) -> Result<Vec<i64>> {
        match &self.file {
            Some(file) => file.lists.rows(text, values, |row| row.get(0), (|_| 0, 0)).await,
            None => crate::db::statement::first(&self.read.query_all_raw(self.sql(&text, values)).await?),
        }
    }
}

/// The bodies of a query on PostgreSQL as one row, as it is asked: many small ones cost both sides more than what is in
/// them. SQL: sea-query makes no list of a query.
pub(crate) fn as_array(text: &str) -> String {
    numbered(DbBackend::Postgres, &format!("SELECT ARRAY({text})")).into_owned()
}

/// Asks for them.
async fn bodies_over(
    connection: &DatabaseConnection,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Bytes>> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, text, values);
    let row = connection.query_one_raw(statement).await?;
    let bodies: Vec<Vec<u8>> = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    Ok(bodies.into_iter().map(Bytes::from).collect())
}

/// The first bodies of a query on PostgreSQL, which knows how long each is without reading it. SQL: sea-query makes no
/// names for the columns of a query in `FROM`.
fn first_ones(text: &str, most: usize) -> String {
    format!(
        "SELECT b.body FROM (SELECT q.body, SUM(OCTET_LENGTH(q.body)) \
         OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM ({text}) q (body)) b \
         WHERE COALESCE(b.before, 0) <= {most}"
    )
}

/// What counts, as long as the call has time.
async fn in_time<T>(cx: &RequestContext, counted: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = cx.deadline else {
        return counted.await;
    };
    tokio::time::timeout_at(deadline.into(), counted)
        .await
        .unwrap_or_else(|_| {
            let said =
                "the time for this call is over and nothing was changed: ask with a narrower filter or fewer groups";
            Err(Error::new(Class::Deadline, "DEADLINE_EXCEEDED", said))
        })
}
