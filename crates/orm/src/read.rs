//! Reading resources: by name, in pages, by search, counted.

use mingce_proto::registry::{RecordStatus, View};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::Value;

use crate::cx::Cx;
use crate::db::{among, list};
use crate::error::{Error, Result};
use crate::field::{Column, Type};
use crate::filter::{self, Expr};
use crate::index;
use crate::order;
use crate::page::{self, Position};
use crate::reads::bodies;
use crate::resource::{self, Collection, Kind};
use crate::select::{Condition, after_position, columns_of, compile};
use crate::store::Store;
use crate::text::Query;

/// What a list call asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct List<'a> {
    /// At most so many; 0 for the default.
    pub page_size: i32,
    /// The token of the page before.
    pub page_token: &'a str,
    /// Which ones.
    pub filter: &'a str,
    /// In which order.
    pub order_by: &'a str,
    /// Whether to count all that match.
    pub count: bool,
    /// How much of each.
    pub view: i32,
    /// Names of the parents whose children are wanted; empty for those of all.
    pub parents: &'a [String],
}

/// A page of resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<R> {
    /// The resources.
    pub items: Vec<R>,
    /// For the next page; empty on the last.
    pub next_page_token: String,
    /// How many match in all, where it was asked for.
    pub total_size: i64,
}

impl Store {
    /// The resource with a name, whatever its record status.
    pub async fn get<C: Collection>(&self, _cx: &Cx, name: &str, view: i32) -> Result<C::Item> {
        let kind = &C::shape().kind;
        let missing = || Error::not_found(kind.collection, name);
        let body = self
            .reads
            .one(kind, kind.id(name).ok_or_else(missing)?)
            .await?
            .ok_or_else(missing)?;
        named::<C>(&body, name, view)
    }

    /// The resources with these names, in their order. NOT_FOUND names the first that does not exist.
    pub async fn batch_get<C: Collection>(
        &self,
        _cx: &Cx,
        names: &[impl AsRef<str>],
        view: i32,
    ) -> Result<Vec<C::Item>> {
        let kind = &C::shape().kind;
        let found = bodies(&self.db, kind, names.iter().filter_map(|name| kind.id(name.as_ref()))).await?;
        names
            .iter()
            .map(|name| {
                let name = name.as_ref();
                let missing = || Error::not_found(kind.collection, name);
                named::<C>(
                    found.get(kind.id(name).ok_or_else(missing)?).ok_or_else(missing)?,
                    name,
                    view,
                )
            })
            .collect()
    }

    /// A page of a list.
    pub async fn list<C: Collection>(&self, _cx: &Cx, wanted: List<'_>) -> Result<Page<C::Item>> {
        let kind = &C::shape().kind;
        let columns = columns_of(kind);
        let (mut condition, order) = (
            selection(kind, wanted.filter)?,
            order::parse(wanted.order_by, &columns, C::DEFAULT_ORDER)?,
        );
        if let (Some((_, column)), false) = (kind.parent, wanted.parents.is_empty()) {
            condition.and(
                &among(self.db.backend(), &format!("t.{column}")),
                [list(self.db.backend(), wanted.parents)],
            );
        }
        let total_size = if wanted.count {
            let text = format!("SELECT COUNT(*) FROM {} t WHERE {}", kind.table, condition.text);
            let row = self
                .db
                .read
                .query_one_raw(self.db.sql(&text, condition.values.clone()))
                .await?;
            row.map(|r| r.try_get_by_index(0)).transpose()?.unwrap_or(0)
        } else {
            0
        };
        // The first is the one that was asked for; others were merged into it, and more may be.
        let parent = wanted.parents.first().map_or("", String::as_str);
        let arguments = [kind.table, wanted.filter, wanted.order_by, parent];
        let keys: Vec<(&str, Type, bool)> = order
            .iter()
            .map(|k| (sort_column(&k.column, C::DEFAULT_ORDER), k.column.kind, k.descending))
            .collect();
        if let Some(position) = page::decode(wanted.page_token, &arguments)? {
            condition.extend(after_position(&keys, &position)?);
        }
        let size = page::size(wanted.page_size);
        let mut names: Vec<String> = keys.iter().map(|(name, ..)| format!("t.{name}")).collect();
        names.push("t.id".into());
        let ordered: Vec<String> = keys
            .iter()
            .map(|(name, _, descending)| format!("t.{name}{}", if *descending { " DESC" } else { "" }))
            .collect();
        let text = format!(
            "SELECT t.body, {} FROM {} t WHERE {} ORDER BY {}, t.id LIMIT ?",
            names.join(", "),
            kind.table,
            condition.text,
            ordered.join(", ")
        );
        condition.values.push(limit(size));
        let rows = self.db.read.query_all_raw(self.db.sql(&text, condition.values)).await?;
        let mut next_page_token = String::new();
        if rows.len() > size
            && let Some(last) = rows.get(size - 1)
        {
            let mut position = Vec::new();
            for (place, (_, kind, _)) in keys.iter().enumerate() {
                position.push(match kind {
                    Type::Text | Type::Date | Type::Name => Position::Text(last.try_get_by_index(place + 1)?),
                    _ => Position::Integer(last.try_get_by_index(place + 1)?),
                });
            }
            position.push(Position::Text(last.try_get_by_index(keys.len() + 1)?));
            next_page_token = page::encode(&arguments, &position);
        }
        let items = rows.iter().take(size).map(|row| {
            let body: Vec<u8> = row.try_get_by_index(0)?;
            show::<C>(&body, wanted.view, View::Basic)
        });
        Ok(Page {
            items: items.collect::<Result<_>>()?,
            next_page_token,
            total_size,
        })
    }

    /// A page of what a search finds: whole names first, then in the order of names.
    pub async fn search<C: Collection>(
        &self,
        _cx: &Cx,
        query: &str,
        page_size: i32,
        page_token: &str,
        view: i32,
    ) -> Result<Page<C::Item>> {
        let kind = &C::shape().kind;
        let Some(parsed) = Query::parse(query) else {
            return Err(Error::invalid(
                "query",
                "QUERY_EMPTY",
                "give at least one letter, digit or Chinese character",
            ));
        };
        let arguments = ["search", kind.table, query];
        let size = page::size(page_size);
        let mut position = page::decode(page_token, &arguments)?;
        let (mut items, mut shown_last) = (Vec::new(), None);
        // Tokens find a little too much; what the recheck leaves out is made up for by reading on.
        loop {
            let rows = self.found(kind, &parsed, position.as_deref(), size).await?;
            let is_end = rows.len() <= size;
            for (body, place) in rows {
                let resource = resource::decode::<C>(&body)?;
                position = Some(place.clone());
                if !parsed.accepts(C::searched(&resource)) {
                    continue;
                }
                if items.len() == size {
                    let next_page_token =
                        shown_last.map_or(String::new(), |last: Vec<_>| page::encode(&arguments, &last));
                    return Ok(Page {
                        items,
                        next_page_token,
                        total_size: 0,
                    });
                }
                items.push(shown::<C>(resource, view, View::Basic));
                shown_last = Some(place);
            }
            if is_end {
                return Ok(Page {
                    items,
                    next_page_token: String::new(),
                    total_size: 0,
                });
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
    ) -> Result<Vec<(Vec<u8>, Vec<Position>)>> {
        let table = kind.table;
        let backend = self.db.backend();
        let (whole, whole_value) = index::is_whole(backend, table, query);
        let (all, all_value) = index::has_all(backend, table, query.terms());
        let mut condition = Condition::new("+t.record_status = 1", []);
        condition.and(&all, [all_value]);
        let mut outer = Condition::new("1 = 1", []);
        match position {
            None => {}
            Some([Position::Integer(rank), Position::Text(sort), Position::Text(id)]) => {
                let values: Vec<Value> = vec![(*rank).into(), sort.as_str().into(), id.as_str().into()];
                outer.and("(f.rank, f.sort_key, f.id) > (?, ?, ?)", values);
            }
            Some(_) => {
                return Err(Error::invalid(
                    "page_token",
                    "PAGE_TOKEN_MALFORMED",
                    "not a token of this search",
                ));
            }
        }
        let text = format!(
            "SELECT f.body, f.rank, f.sort_key, f.id FROM (SELECT t.body, CASE WHEN {whole} THEN 0 ELSE 1 END AS rank, t.sort_key, t.id FROM {table} t WHERE {}) f \
             WHERE {} ORDER BY f.rank, f.sort_key, f.id LIMIT ?",
            condition.text, outer.text
        );
        let mut values = vec![whole_value];
        values.extend(condition.values);
        values.extend(outer.values);
        values.push(limit(most));
        let rows = self.db.read.query_all_raw(self.db.sql(&text, values)).await?;
        let read = |row: &sea_orm::QueryResult| {
            let rank: i32 = row.try_get_by_index(1)?;
            let position = vec![
                Position::Integer(rank.into()),
                Position::Text(row.try_get_by_index(2)?),
                Position::Text(row.try_get_by_index(3)?),
            ];
            Ok((row.try_get_by_index(0)?, position))
        };
        rows.iter().map(read).collect()
    }

    /// The name of a record and those of all records that were merged into it.
    pub async fn family<C: Collection>(&self, _cx: &Cx, name: &str) -> Result<Vec<String>> {
        let text = format!(
            "SELECT name FROM {} WHERE survivor = ? AND survivor <> ''",
            C::shape().kind.table
        );
        let mut names = vec![name.to_owned()];
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            let rows = self.db.read.query_all_raw(self.db.sql(&text, [name.into()])).await?;
            names.extend(crate::db::first::<String>(&rows)?);
            next += 1;
        }
        Ok(names)
    }
}

/// The condition of a filter. Active records only, unless the filter names `record_status`.
pub(crate) fn selection(kind: &Kind, text: &str) -> Result<Condition> {
    let parsed = filter::parse(text, &columns_of(kind))?;
    let all = parsed
        .as_ref()
        .is_some_and(|expr: &Expr| filter::mentions(expr, "record_status"));
    let mut condition = Condition::new("1 = 1", []);
    if !all {
        condition.and("t.record_status = ?", [i64::from(RecordStatus::Active as i32).into()]);
    }
    if let Some(expr) = parsed {
        condition.extend(compile(&expr, kind.table));
    }
    Ok(condition)
}

/// Names sort by their pinyin key.
fn sort_column(column: &Column, default: &str) -> &'static str {
    let by_default = default.split(", ").any(|name| name == column.name);
    if by_default && matches!(column.name, "display_name" | "title") {
        "sort_key"
    } else {
        column.name
    }
}

/// A resource, if this is its name: a child's id under another parent is none.
fn named<C: Collection>(body: &[u8], name: &str, view: i32) -> Result<C::Item> {
    if resource::head(body)?.name == name {
        show::<C>(body, view, View::Full)
    } else {
        Err(Error::not_found(C::COLLECTION, name))
    }
}

fn limit(size: usize) -> Value {
    i64::try_from(size + 1).unwrap_or(i64::MAX).into()
}

fn show<C: Collection>(body: &[u8], view: i32, default: View) -> Result<C::Item> {
    Ok(shown::<C>(resource::decode::<C>(body)?, view, default))
}

fn shown<C: Collection>(mut resource: C::Item, view: i32, default: View) -> C::Item {
    let view = View::try_from(view)
        .ok()
        .filter(|v| *v != View::Unspecified)
        .unwrap_or(default);
    if view == View::Basic {
        C::shorten(&mut resource);
    }
    resource
}

/// What a list request asks for: all list requests of the contract have these fields.
#[macro_export]
macro_rules! wanted {
    ($request:expr) => {
        $crate::List {
            page_size: $request.page_size,
            page_token: &$request.page_token,
            filter: &$request.filter,
            order_by: &$request.order_by,
            count: $request.include_total_size,
            view: $request.view,
            parents: &[],
        }
    };
}
