//! Searching resources: whole names first, then in the order of names.
//!
//! On SQLite the index gives its hits in the order of names, but for those of one place ([`crate::search_index::places`]): what is read is as
//! much as a page needs and the namesakes of the last, however many hits there are. On PostgreSQL it gives them by sections of that order
//! ([`crate::search_index::sections`]), and those of the sections that a page needs are read and sorted.

use std::sync::Arc;

use mingce_proto::Classes;
use mingce_proto::registry::View;
use prost::bytes::Bytes;
use sea_orm::DbBackend;
use sea_orm::sea_query::Value;

use crate::context::RequestContext;
use crate::db::texts::Texts;
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::kind::Kind;
use crate::model::resource;
use crate::query::list::{Page, id_of, limit, shown};
use crate::query::page_token::{self, Position};
use crate::search_index::fts5_rowid::{self, SERIALS};
use crate::search_index::{gin_buckets, index};
use crate::text::{self, Query};
use crate::write::store::Store;

/// How many hits are asked for beyond those that are wanted, so that those of the last name are mostly among them.
const BESIDE: usize = 30;

/// Where a page ended: whether in the whole names, and the name and id there.
struct SortPosition<'a> {
    whole: bool,
    sort_key: &'a str,
    id: &'a str,
}

/// Whether the whole names are wanted or the others, and after which place.
type Part<'a> = (bool, Option<&'a SortPosition<'a>>);

impl<'a> SortPosition<'a> {
    /// From a page token's positions.
    fn of(position: &'a [Position]) -> Result<Self> {
        match position {
            [Position::Integer(rank), Position::Text(sort_key), Position::Text(id)] => Ok(Self {
                whole: rank % 2 == 0,
                sort_key,
                id,
            }),
            _ => Err(Error::invalid(
                "page_token",
                "PAGE_TOKEN_MALFORMED",
                "not a token of this search",
            )),
        }
    }

    fn values(&self) -> [Value; 2] {
        [self.sort_key.into(), self.id.into()]
    }
}

impl Store {
    /// A page of what a search finds: whole names first, then in the order of names.
    pub async fn search<C: Collection>(
        &self,
        cx: &RequestContext,
        query: &str,
        page_size: i32,
        page_token: &str,
        view: i32,
    ) -> Result<Page<C>> {
        let whole = self
            .search_as::<C>(cx.visible, (query, 0, query), page_size, page_token, view)
            .await?;
        if !whole.bodies.is_empty() || !page_token.is_empty() {
            return Ok(whole);
        }
        // Nothing is found by all of it: what else may be meant.
        for (place, other) in (1..).zip(Query::others(query)) {
            let meant = (query, place, other.as_str());
            let page = self.search_as::<C>(cx.visible, meant, page_size, "", view).await?;
            if !page.bodies.is_empty() {
                return Ok(page);
            }
        }
        Ok(whole)
    }

    /// A page of what a query finds by what the caller sees, or of what it may mean beside: the query as it was sent,
    /// which of its meanings this is, and that meaning. A page token says the meaning itself.
    async fn search_as<C: Collection>(
        &self,
        visible: Classes,
        (query, meaning, meant): (&str, i64, &str),
        page_size: i32,
        page_token: &str,
        view: i32,
    ) -> Result<Page<C>> {
        let kind = &C::shape().kind;
        let arguments = ["search", kind.table, query];
        let mut position = page_token::decode(page_token, &arguments)?;
        let meaning = position.as_deref().map_or(Ok(meaning), meaning_of)?;
        let others = Query::others(query);
        let meant = match usize::try_from(meaning - 1).ok().and_then(|place| others.get(place)) {
            Some(other) if position.is_some() => other,
            _ => meant,
        };
        let Some(parsed) = Query::parse(meant) else {
            return Err(Error::invalid(
                "query",
                "QUERY_EMPTY",
                "give at least one letter, digit or Chinese character",
            ));
        };
        let size = page_token::size(page_size);
        let mut page = Page::new(Vec::new());
        let mut bytes = 0;
        // Tokens find a little too much; what the recheck leaves out is made up for by reading on.
        loop {
            let rows = self.found(kind, &parsed, position.as_deref(), size).await?;
            if is_full(&rows, size)
                && let Some(last) = rows.last()
            {
                position = Some(found_at::<C>(last, &parsed, meaning)?);
            } else {
                position = None;
            }
            for body in rows {
                if !parsed.accepts(C::searched(&resource::decode_for::<C>(&body, visible)?)) {
                    continue;
                }
                bytes += body.len();
                if (page.bodies.len() == size || bytes > page_token::BYTES)
                    && let Some(last) = page.bodies.last()
                {
                    page.next_page_token = page_token::encode(&arguments, &found_at::<C>(last, &parsed, meaning)?);
                    return Ok(page);
                }
                page.bodies.push(shown(kind, body, view, View::Basic)?);
            }
            if position.is_none() {
                return Ok(page);
            }
        }
    }

    /// Active rows that meet all terms of a query, after a position, one more than `most`.
    async fn found(
        &self,
        kind: &Kind,
        query: &Query,
        position: Option<&[Position]>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        let after = position.map(SortPosition::of).transpose()?;
        // Whole names, then the others; where a page ended in the others, the next goes on there.
        let parts: &[Part<'_>] = match &after {
            None => &[(true, None), (false, None)],
            Some(place) if place.whole => &[(true, after.as_ref()), (false, None)],
            Some(_) => &[(false, after.as_ref())],
        };
        if self.db.backend() == DbBackend::Postgres {
            return self.hits_by_steps(kind, query, parts, most).await;
        }
        let mut rows = Vec::new();
        for (whole, after) in parts {
            let (all, name) = (
                index::expression(DbBackend::Sqlite, query.terms()),
                index::whole(DbBackend::Sqlite, query),
            );
            let wanted = format!("({all}) {} {name}", if *whole { "AND" } else { "NOT" });
            rows.extend(self.hits_in_order(kind, &wanted, *after, most - rows.len()).await?);
            if is_full(&rows, most) {
                break;
            }
        }
        Ok(rows)
    }

    /// On PostgreSQL: hits are read and sorted step by step, until they are enough.
    async fn hits_by_steps(&self, kind: &Kind, query: &Query, parts: &[Part<'_>], most: usize) -> Result<Vec<Bytes>> {
        let mut steps = Vec::new();
        for (whole, after) in parts {
            if *whole {
                steps.push(index::whole(DbBackend::Postgres, query));
            } else {
                let from = after.map_or(0, |place| gin_buckets::bucket_of(text::order_code(place.sort_key)));
                steps.extend(gin_buckets::steps(query, from));
            }
        }
        let after = parts.first().and_then(|(_, after)| *after);
        let limit = rounded(most) + 1;
        let text = BY_STEPS.of(DbBackend::Postgres, (kind.table, limit, after.is_some()), || {
            let text = text_by_steps(kind.table, limit, after.is_some());
            self.db.bodies_text(&text, page_token::BYTES)
        });
        let mut values: Vec<Value> = vec![steps.join("\n").into()];
        values.extend(after.iter().flat_map(|place| place.values()));
        self.db.bodies_by(text, values, page_token::BYTES).await
    }

    /// On SQLite: as many hits are read as are wanted, and the others of the place where these end.
    async fn hits_in_order(
        &self,
        kind: &Kind,
        wanted: &str,
        after: Option<&SortPosition<'_>>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        let table = kind.table;
        let text = IN_ORDER.of(DbBackend::Sqlite, (table, after.is_some()), || {
            text_in_order(table, after.is_some())
        });
        let mut from = after.map_or(0, |place| {
            fts5_rowid::rowid_lower_bound(text::order_code(place.sort_key))
        });
        let mut rows = Vec::new();
        loop {
            let missing = most - rows.len();
            let (hits, next) = self.hits_from(table, wanted, from, missing + 1).await?;
            if !hits.is_empty() {
                let namesakes = hits.chunk_by(|one, other| {
                    fts5_rowid::rowid_upper_bound(*one) == fts5_rowid::rowid_upper_bound(*other)
                });
                let first = namesakes
                    .filter(|group| group.len() > 1)
                    .filter_map(|group| group.first());
                let (first, all) = (serials(first)?, serials(&hits)?);
                let mut values: Vec<Value> = vec![first.into(), all.as_str().into(), all.as_str().into()];
                values.extend(after.iter().flat_map(|place| place.values()));
                values.push(limit(missing));
                rows.extend(self.db.bodies_by(Arc::clone(&text), values, page_token::BYTES).await?);
            }
            match next {
                Some(next) if !is_full(&rows, most) => from = next,
                _ => return Ok(rows),
            }
        }
    }

    /// The numbers of hits from one on: so many, and the others where these end. And where there may be more.
    async fn hits_from(
        &self,
        table: &'static str,
        wanted: &str,
        from: i64,
        most: usize,
    ) -> Result<(Vec<i64>, Option<i64>)> {
        // SQL: it is FTS5.
        let text = HITS.of(DbBackend::Sqlite, table, || {
            format!(
                "SELECT rowid FROM {table}_search WHERE {table}_search MATCH ? AND rowid >= ? ORDER BY rowid LIMIT ? + 0"
            )
        });
        let mut size = most + BESIDE;
        loop {
            let limit = i64::try_from(size).unwrap_or(i64::MAX);
            let values: [Value; 3] = [wanted.into(), from.into(), limit.into()];
            let mut hits = self.db.numbers(Arc::clone(&text), values).await?;
            if hits.len() < size {
                return Ok((hits, None));
            }
            let end = most
                .checked_sub(1)
                .and_then(|at| hits.get(at))
                .map(|at| fts5_rowid::rowid_upper_bound(*at));
            match (end, hits.last()) {
                (Some(end), Some(last)) if *last > end => {
                    hits.retain(|hit| *hit <= end);
                    return Ok((hits, Some(end + 1)));
                }
                // Many of one name: once more, with more of them.
                _ => size *= 4,
            }
        }
    }
}

/// The texts of searches: of PostgreSQL by the rows that are wanted and whether it goes on behind a place, of SQLite by
/// the latter.
static BY_STEPS: Texts<(&'static str, usize, bool)> = Texts::new();
static IN_ORDER: Texts<(&'static str, bool)> = Texts::new();
static HITS: Texts<&'static str> = Texts::new();

/// The hits of one step are sorted after the other, for as long as there are too few. Not by the index of names, which
/// would be read through for a few hits. What is planned must not depend on values, or it is planned for each call: so
/// limits stand in the text, and steps come from a function of which nobody knows how many it has. SQL: sea-query has
/// no WITH ORDINALITY.
fn text_by_steps(table: &str, limit: usize, goes_on: bool) -> String {
    // All behind the first step is behind the place where a page ended.
    let behind = if goes_on {
        " AND (step.n > 1 OR (t.sort_key, t.id) > (?, ?))"
    } else {
        ""
    };
    format!(
        "SELECT f.body FROM (SELECT step.n, h.sort_key, h.id, h.body FROM STRING_TO_TABLE(?, CHR(10)) \
         WITH ORDINALITY step (query, n) CROSS JOIN LATERAL (SELECT t.sort_key, t.id, t.body FROM {table} t \
         WHERE +t.record_status = 1 AND t.tokens @@ CAST(step.query AS tsquery){behind} \
         ORDER BY t.sort_key, t.id LIMIT {limit}) h LIMIT {limit}) f ORDER BY f.n, f.sort_key, f.id"
    )
}

/// Of namesakes one row is read, and the index of names has the order of the others. SQL: the order of joins and the
/// sign before a column are for the planner.
fn text_in_order(table: &str, goes_on: bool) -> String {
    let behind = if goes_on {
        "WHERE (f.sort_key, f.id) > (?, ?) "
    } else {
        ""
    };
    format!(
        "WITH same AS MATERIALIZED (SELECT n.serial, n.sort_key, n.id FROM {table} one \
         CROSS JOIN {table} n ON n.record_status = 1 AND n.sort_key = one.sort_key \
         WHERE one.serial IN (SELECT value FROM json_each(?)) AND n.serial IN (SELECT value FROM json_each(?))), \
         found AS (SELECT serial, sort_key, id FROM same UNION ALL SELECT t.serial, t.sort_key, t.id FROM {table} t \
         WHERE t.serial IN (SELECT value FROM json_each(?) EXCEPT SELECT serial FROM same) AND +t.record_status = 1) \
         SELECT t.body FROM (SELECT f.serial FROM found f {behind}ORDER BY f.sort_key, f.id LIMIT ? + 0) p \
         CROSS JOIN {table} t ON t.serial = p.serial ORDER BY t.sort_key, t.id"
    )
}

/// The sizes of pages for which there are statements: so few that those of all collections stay prepared.
const SIZES: [usize; 7] = [10, 20, 50, 100, 200, 500, 1000];

/// The smallest of them that is enough.
fn rounded(size: usize) -> usize {
    SIZES.into_iter().find(|known| *known >= size).unwrap_or(size)
}

/// Whether more than `most` rows are here, or more than a page has in bytes: then there may be others.
fn is_full(rows: &[Bytes], most: usize) -> bool {
    rows.len() > most || rows.iter().map(Bytes::len).sum::<usize>() > page_token::BYTES
}

/// The serial numbers of rows, as a list for SQLite.
fn serials<'a>(numbers: impl IntoIterator<Item = &'a i64>) -> Result<String> {
    let serials: Vec<i64> = numbers.into_iter().map(|number| number & SERIALS).collect();
    serde_json::to_string(&serials).map_err(Error::internal)
}

/// Which meaning of a query a page is of.
fn meaning_of(position: &[Position]) -> Result<i64> {
    match position {
        [Position::Integer(rank), ..] => Ok(rank / 2),
        _ => Err(Error::invalid(
            "page_token",
            "PAGE_TOKEN_MALFORMED",
            "not a token of this search",
        )),
    }
}

/// Where a resource stands among what a query finds. Every view has the names.
fn found_at<C: Collection>(body: &[u8], query: &Query, meaning: i64) -> Result<Vec<Position>> {
    let resource = resource::decode::<C>(body)?;
    let wanted = text::whole_name(query.whole());
    let is_whole = C::searched(&resource)
        .into_iter()
        .any(|name| text::whole_name(name) == wanted);
    Ok(vec![
        Position::Integer(2 * meaning + i64::from(!is_whole)),
        Position::Text(text::sort_key(C::title(&resource))),
        Position::Text(id_of(&C::shape().kind, body)?),
    ])
}
