//! Reading a resource by an identifier instead of its name.

use mingce_proto::codec::Reply;
use mingce_proto::registry::{Identifier, View};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};

use crate::context::RequestContext;
use crate::db::texts::Texts;
use crate::error::{Class, Error, Result};
use crate::model::collection::Collection;
use crate::model::column::find;
use crate::model::key::Key;
use crate::model::{identifier, resource};
use crate::query::list::shown;
use crate::write::store::Store;

/// How often a survivor was merged itself, at most.
const MERGES: usize = 100;

/// The texts of the query for who holds a key.
static HOLDERS: Texts<&'static str> = Texts::new();

impl Store {
    /// The record that has an identifier; where that was merged, the one that stands for it.
    pub async fn get_by_identifier<C: Collection>(
        &self,
        cx: &RequestContext,
        wanted: Option<&Identifier>,
        view: i32,
    ) -> Result<Reply<C::Item>> {
        let kind = &C::shape().kind;
        let wanted = wanted.cloned().unwrap_or_default();
        let value = identifier::canonical(&wanted.scheme, &wanted.value)
            .map_err(|fault| Error::invalid("identifier.value", fault.reason, fault.description))?;
        let missing = || {
            let said = format!(
                "no record of {} has this identifier of the scheme {}",
                kind.collection, wanted.scheme
            );
            Error::new(Class::NotFound, "IDENTIFIER_NOT_FOUND", said.clone()).at("identifier", said)
        };
        // Who does not see identifiers would be told by this who has one.
        if find(&kind.columns_for(cx.visible), "identifiers").is_none() {
            return Err(missing());
        }
        let key = Key::identifier(&wanted.scheme, &value, "identifier").stored(None)?;
        let backend = self.db.backend();
        let holder = HOLDERS.statement(backend, kind.table, [key.into()], || {
            let holder = Query::select()
                .column(("k", "id"))
                .from_as(format!("{}_keys", kind.table), "k")
                .and_where(Expr::col(("k", "key")).eq(""))
                .take();
            backend.build(&holder).sql
        });
        let found = self.db.one().query_one_raw(holder).await?;
        let mut id: String = found.ok_or_else(missing)?.try_get_by_index(0)?;
        for _ in 0..MERGES {
            let body = self.reads.one(kind, &id).await?.ok_or_else(missing)?;
            match kind.id(&resource::head(&body)?.survivor) {
                Some(survivor) => id = survivor.to_owned(),
                None => return Ok(Reply::Encoded(shown(kind, body, view, View::Full)?)),
            }
        }
        Err(Error::internal("duplicates lead in a circle"))
    }
}
