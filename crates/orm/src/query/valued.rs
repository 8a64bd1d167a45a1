//! Resources by a value of a field with several, or by its beginning, in the order of the values.

use mingce_proto::registry::RecordStatus;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::Value;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::resource;
use crate::query::list::limit;
use crate::query::page_token::{self, Position};
use crate::write::store::Store;

/// Which values are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Valued<'a> {
    /// The field: one with several values, which stand beside the rows.
    pub field: &'a str,
    /// The value, in the form in which rows have it.
    pub value: &'a str,
    /// All values that begin so.
    pub prefix: bool,
    /// At most so many; 0 for the default.
    pub page_size: i32,
    /// The token of the page before.
    pub page_token: &'a str,
}

impl Store {
    /// A page of active resources, each with the value by which it was found, and the token for the next page. What has several such
    /// values stands once for each.
    ///
    /// # Errors
    /// Where the token is none of this query.
    pub async fn valued<C: Collection>(
        &self,
        _cx: &RequestContext,
        wanted: Valued<'_>,
    ) -> Result<(Vec<(String, C::Item)>, String)> {
        let table = C::TABLE;
        let size = page_token::size(wanted.page_size);
        let how = if wanted.prefix { "prefix" } else { "value" };
        let arguments = [table, wanted.field, wanted.value, how];
        let mut values: Vec<Value> = vec![wanted.field.into()];
        let mut bounds = if wanted.prefix {
            // No text holds the last character of all.
            values.extend([wanted.value.into(), format!("{}{}", wanted.value, char::MAX).into()]);
            "v.value >= ? AND v.value < ?".to_owned()
        } else {
            values.push(wanted.value.into());
            "v.value = ?".to_owned()
        };
        match page_token::decode(wanted.page_token, &arguments)?.as_deref() {
            None => {}
            Some([Position::Text(value), Position::Text(id)]) => {
                bounds.push_str(" AND (v.value, v.id) > (?, ?)");
                values.extend([value.as_str().into(), id.as_str().into()]);
            }
            Some(_) => {
                let said = "not a token of this list";
                return Err(Error::invalid("page_token", "PAGE_TOKEN_MALFORMED", said));
            }
        }
        values.extend([i64::from(RecordStatus::Active as i32).into(), limit(size)]);
        // What the rows before have is summed, so that none is read beyond the one by which a page has too many bytes.
        // SQL: sea-query binds a limit as it is, and SQLite then plans the statement anew each time.
        let text = format!(
            "SELECT value, id, body FROM (SELECT value, id, body, SUM(LENGTH(body)) OVER (ORDER BY value, id \
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (SELECT v.value, v.id, t.body \
             FROM {table}_values v JOIN {table} t ON t.id = v.id WHERE v.field = ? AND {bounds} AND t.record_status = ? \
             ORDER BY v.value, v.id LIMIT ? + 0) page) summed WHERE COALESCE(before, 0) <= {} ORDER BY value, id",
            page_token::BYTES
        );
        let rows = self.db.read.query_all_raw(self.db.sql(&text, values)).await?;
        let rows = rows.iter().map(|row| {
            let (value, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            Ok((value, id, row.try_get_by_index::<Vec<u8>>(2)?))
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let fitting = page_token::fitting(rows.iter().map(|(.., body)| body.len()), size);
        let last = rows.get(fitting - 1).filter(|_| rows.len() > fitting);
        let next = last.map_or(String::new(), |(value, id, _)| {
            page_token::encode(&arguments, &[Position::Text(value.clone()), Position::Text(id.clone())])
        });
        let found = rows.into_iter().take(fitting);
        let found = found.map(|(value, _, body)| Ok((value, resource::decode::<C>(&body)?)));
        Ok((found.collect::<Result<_>>()?, next))
    }
}
