//! Reading resources: by name, in pages, counted.

use std::marker::PhantomData;

use mingce_proto::Classes;
use mingce_proto::codec::Reply;
use mingce_proto::registry::{RecordStatus, View};
use prost::bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};
use sea_orm::DbBackend;
use sea_orm::sea_query::{self, Asterisk, Cond, ExprTrait, Func, Order, Query, SelectStatement, Value};

use crate::context::RequestContext;
use crate::db::select::{T, is_among, of_t, rendered, rendered_first};
use crate::db::statement::list;
use crate::db::texts::Texts;
use crate::error::{Class, Error, Result};
use crate::model::cell::Cell;
use crate::model::collection::Collection;
use crate::model::column::{Column, Type};
use crate::model::kind::Kind;
use crate::model::visible_columns::shown_order;
use crate::model::{message_fields, resource, table_row};
use crate::query::filter::{self, Expr};
use crate::query::get_batcher::{by_id, text_by_ids};
use crate::query::order_by;
use crate::query::page_token::{self, Position};
use crate::query::predicate::{after_position, compile, position_values, values_after};
use crate::write::store::Store;

/// More bytes than this are not got at once: with their tags they fit into the 4 MiB that most clients take.
const BATCH_BYTES: usize = 4_000_000;

/// The texts of batches of gets; and of pages without a filter in the order of the collection, the first and those
/// behind a position.
static BATCHES: Texts<&'static str> = Texts::new();
static PAGES: Texts<(&'static str, bool)> = Texts::new();

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

/// A page of resources, in their encoded form: they are handed on as they are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<C> {
    pub(crate) bodies: Vec<Bytes>,
    /// For the next page; empty on the last.
    pub next_page_token: String,
    /// How many match in all, where it was asked for.
    pub total_size: i64,
    of: PhantomData<C>,
}

impl<C: Collection> Page<C> {
    pub(crate) fn new(bodies: Vec<Bytes>) -> Self {
        Self {
            bodies,
            next_page_token: String::new(),
            total_size: 0,
            of: PhantomData,
        }
    }

    /// The resources.
    pub fn items(&self) -> Result<Vec<C::Item>> {
        self.bodies.iter().map(|body| resource::decode::<C>(body)).collect()
    }

    /// The page as a message of the contract: in all of these, 1 are the resources, 2 the token and 3 the number of all.
    pub fn reply<M>(self) -> Reply<M> {
        let length = self.bodies.iter().map(|body| body.len() + 6).sum::<usize>() + self.next_page_token.len() + 16;
        let mut message = Vec::with_capacity(length);
        for body in &self.bodies {
            encode_key(1, WireType::LengthDelimited, &mut message);
            encode_varint(body.len() as u64, &mut message);
            message.extend_from_slice(body);
        }
        if !self.next_page_token.is_empty() {
            prost::encoding::string::encode(2, &self.next_page_token, &mut message);
        }
        if self.total_size != 0 {
            prost::encoding::int64::encode(3, &self.total_size, &mut message);
        }
        Reply::Encoded(message.into())
    }
}

impl Store {
    /// The resource with a name, whatever its record status.
    pub async fn get<C: Collection>(&self, _cx: &RequestContext, name: &str, view: i32) -> Result<Reply<C::Item>> {
        let kind = &C::shape().kind;
        let missing = || Error::not_found(kind.collection, name);
        let body = self
            .reads
            .one(kind, kind.id(name).ok_or_else(missing)?)
            .await?
            .ok_or_else(missing)?;
        expect_name::<C>(&body, name)?;
        Ok(Reply::Encoded(shown(kind, body, view, View::Full)?))
    }

    /// The resources with these names, in their order. NOT_FOUND names the first that does not exist; `ANSWER_TOO_LARGE` says that
    /// they have too many bytes.
    pub async fn batch_get<C: Collection>(
        &self,
        _cx: &RequestContext,
        names: &[impl AsRef<str>],
        view: i32,
    ) -> Result<Page<C>> {
        let kind = &C::shape().kind;
        // Not over the connection of the shared gets, which would wait for it.
        let backend = self.db.backend();
        let ids = list(backend, names.iter().filter_map(|name| kind.id(name.as_ref())));
        let text = BATCHES.of(backend, kind.table, || {
            self.db.bodies_text(&text_by_ids(backend, kind), BATCH_BYTES)
        });
        let found = self.db.bodies_by(text, [ids], BATCH_BYTES).await?;
        if found.iter().map(Bytes::len).sum::<usize>() > BATCH_BYTES {
            let message = "these resources together have more than 4 MB: ask for fewer at once";
            return Err(Error::new(Class::Exhausted, "ANSWER_TOO_LARGE", message));
        }
        let found = by_id(&found);
        let bodies = names.iter().map(|name| {
            let name = name.as_ref();
            let missing = || Error::not_found(kind.collection, name);
            let id = kind.id(name).ok_or_else(missing)?;
            let body = found.body(id)?.ok_or_else(missing)?;
            expect_name::<C>(body, name)?;
            shown(kind, body.clone(), view, View::Full)
        });
        Ok(Page::new(bodies.collect::<Result<_>>()?))
    }

    /// A page of a list.
    pub async fn list<C: Collection>(&self, cx: &RequestContext, wanted: List<'_>) -> Result<Page<C>> {
        let kind = &C::shape().kind;
        let columns = kind.columns_for(cx.visible);
        let parsed = filter::parse(wanted.filter, &columns)?;
        let by_default = shown_order(C::DEFAULT_ORDER, &columns);
        let order = order_by::parse(wanted.order_by, &columns, &by_default)?;
        let by_number = order.first().is_some_and(|key| key.column.name == "sequence");
        // The first is the one that was asked for; others were merged into it, and more may be.
        let parent = wanted.parents.first().map_or("", String::as_str);
        let arguments = [kind.table, wanted.filter, wanted.order_by, parent];
        let keys: Vec<(&'static str, Type, bool)> = order
            .iter()
            .map(|k| (sort_column(&k.column, C::DEFAULT_ORDER), k.column.kind, k.descending))
            .collect();
        let position = page_token::decode(wanted.page_token, &arguments)?;
        let position = position.map(|position| position_values(&keys, &position)).transpose()?;
        let size = page_token::size(wanted.page_size);
        let backend = self.db.backend();
        let condition = || {
            let chosen = chosen(backend, kind, parsed.as_ref(), by_number);
            match kind.parent {
                Some((_, column)) if !wanted.parents.is_empty() => {
                    chosen.add(is_among(backend, of_t(column), list(backend, wanted.parents)))
                }
                _ => chosen,
            }
        };
        let page = || {
            let after = position.as_ref().map(|values| after_position(&keys, values));
            ordered(kind, condition().add_option(after), &keys)
        };
        let is_plain = parsed.is_none()
            && wanted.order_by.is_empty()
            && wanted.parents.is_empty()
            && by_default == C::DEFAULT_ORDER;
        let (mut bodies, total_size) = if wanted.count {
            let all = number_of(kind, condition());
            let (bodies, total) = self
                .db
                .bodies_and_count(cx, (page(), limit(size)), &all, page_token::BYTES)
                .await?;
            let total = match total {
                Some(total) => total,
                // A first page without anything is all that there is; before one behind the last there may be others.
                None if wanted.page_token.is_empty() => 0,
                None => {
                    let (text, values) = rendered(backend, &all);
                    let found = self.db.counted(cx, &text, values, &[]).await?;
                    found.first().map_or(0, |(count, _)| *count)
                }
            };
            (bodies, total)
        } else if is_plain {
            let text = PAGES.of(backend, (kind.table, position.is_some()), || {
                let (text, _) = rendered_first(backend, &page(), limit(size));
                self.db.bodies_text(&text, page_token::BYTES)
            });
            let after = values_after(&keys, position.clone().unwrap_or_default());
            let values = std::iter::once(active()).chain(after).chain([limit(size)]);
            (self.db.bodies_by(text, values, page_token::BYTES).await?, 0)
        } else {
            let (text, values) = rendered_first(backend, &page(), limit(size));
            (self.db.bodies(&text, values, page_token::BYTES).await?, 0)
        };
        let fitting = page_token::fitting(bodies.iter().map(Bytes::len), size);
        let mut next_page_token = String::new();
        if bodies.len() > fitting {
            bodies.truncate(fitting);
            if let Some(last) = bodies.last() {
                next_page_token = page_token::encode(&arguments, &position_of::<C>(last, &keys)?);
            }
        }
        let shown = bodies
            .into_iter()
            .map(|body| shown(kind, body, wanted.view, View::Basic));
        Ok(Page {
            next_page_token,
            total_size,
            ..Page::new(shown.collect::<Result<_>>()?)
        })
    }
}

/// The bodies of the rows for which a condition holds, in an order of columns and then of ids.
fn ordered(kind: &Kind, condition: Cond, keys: &[(&'static str, Type, bool)]) -> SelectStatement {
    let mut page = Query::select();
    page.column((T, "body")).from_as(kind.table, T).cond_where(condition);
    for (name, _, descending) in keys {
        page.order_by((T, *name), if *descending { Order::Desc } else { Order::Asc });
    }
    page.order_by((T, "id"), Order::Asc);
    page
}

/// How many rows there are for which a condition holds.
fn number_of(kind: &Kind, condition: Cond) -> SelectStatement {
    let mut number = Query::select();
    number.expr(Func::count(sea_query::Expr::col(Asterisk)));
    number.from_as(kind.table, T).cond_where(condition);
    number
}

/// The condition of a filter. Active records only, unless the filter names `record_status`.
pub(crate) fn selection(backend: DbBackend, kind: &Kind, text: &str, visible: Classes) -> Result<Cond> {
    let parsed = filter::parse(text, &kind.columns_for(visible))?;
    Ok(chosen(backend, kind, parsed.as_ref(), false))
}

/// The same of a filter that was read. `by_number`: in the order of sequences, of which SQLite knows by no statistics that its index
/// leads to few rows, and that of record statuses to nearly all.
fn chosen(backend: DbBackend, kind: &Kind, parsed: Option<&Expr>, by_number: bool) -> Cond {
    let all = parsed.is_some_and(|expr| filter::mentions(expr, "record_status"));
    let mut condition = Cond::all();
    if !all {
        let status = if by_number && backend == DbBackend::Sqlite {
            sea_query::Expr::cust("+t.record_status")
        } else {
            of_t("record_status")
        };
        condition = condition.add(status.eq(active()));
    }
    condition.add_option(parsed.map(|expr| compile(backend, expr, kind.table)))
}

/// The record status of what lists have.
fn active() -> Value {
    i64::from(RecordStatus::Active as i32).into()
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

/// Where a resource stands in a list, for the page after it.
fn position_of<C: Collection>(body: &[u8], keys: &[(&str, Type, bool)]) -> Result<Vec<Position>> {
    let (resource, head) = (resource::decode::<C>(body)?, resource::head(body)?);
    let mut position = Vec::with_capacity(keys.len() + 1);
    for (name, ..) in keys {
        position.push(match table_row::cell::<C>(&resource, &head, name)? {
            Cell::Text(text) => Position::Text(text),
            Cell::Integer(number) => Position::Integer(number),
            Cell::Many(_) => return Err(Error::internal("lists are not sorted by several values")),
        });
    }
    position.push(Position::Text(id_of(&C::shape().kind, body)?));
    Ok(position)
}

pub(crate) fn id_of(kind: &Kind, body: &[u8]) -> Result<String> {
    let name = std::str::from_utf8(message_fields::name(body)?).map_err(Error::internal)?;
    let id = kind
        .id(name)
        .ok_or_else(|| Error::internal("a resource without a name"))?;
    Ok(id.to_owned())
}

/// A child's id under another parent is no name of it.
fn expect_name<C: Collection>(body: &[u8], name: &str) -> Result<()> {
    if message_fields::name(body)? == name.as_bytes() {
        Ok(())
    } else {
        Err(Error::not_found(C::COLLECTION, name))
    }
}

/// One row more than a page has, to see whether there is another page. For `LIMIT ? + 0`: a bare `LIMIT ?` makes SQLite
/// plan the statement anew for each value that is bound.
pub(crate) fn limit(size: usize) -> Value {
    i64::try_from(size + 1).unwrap_or(i64::MAX).into()
}

fn is_basic(view: i32, default: View) -> bool {
    let view = View::try_from(view).ok().filter(|v| *v != View::Unspecified);
    view.unwrap_or(default) == View::Basic
}

/// A resource as a view shows it.
pub(crate) fn shown(kind: &Kind, body: Bytes, view: i32, default: View) -> Result<Bytes> {
    if is_basic(view, default) {
        message_fields::without(body, &kind.full_only)
    } else {
        Ok(body)
    }
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

#[cfg(test)]
mod tests {
    #[test]
    fn every_page_of_the_contract_has_its_fields_where_a_reply_puts_them() {
        let is_page = |name: &str| ["BatchGet", "List", "Search"].iter().any(|verb| name.starts_with(verb));
        let services = mingce_proto::names::POOL.services();
        let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
        let mut seen = 0;
        for method in methods.filter(|method| is_page(method.name())) {
            let page = method.output();
            let items = page.get_field(1).unwrap();
            assert!(
                items.is_list() && items.kind().as_message().is_some(),
                "{}",
                page.full_name()
            );
            for (name, number) in [("next_page_token", 2), ("total_size", 3)] {
                let found = page.get_field_by_name(name).map(|field| field.number());
                assert!(found.is_none_or(|found| found == number), "{} {name}", page.full_name());
            }
            seen += 1;
        }
        assert!(seen > 15, "{seen} methods");
    }
}
