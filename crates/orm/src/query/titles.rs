//! What records are called, and which others were merged into one.

use std::collections::HashMap;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{ExprTrait, Query};

use crate::context::RequestContext;
use crate::db::select::{T, is_among, nothing, of_t};
use crate::db::statement::{first, list};
use crate::error::Result;
use crate::model::collection::Collection;
use crate::model::column::find;
use crate::model::resource;
use crate::write::store::Store;

/// How many resources are asked for their titles at once.
const AT_ONCE: usize = 1000;

impl Store {
    /// What resources of a collection are called, by their resource names; of those that are others' and that are not there, nothing.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn titles<C: Collection>(&self, names: &[String]) -> Result<HashMap<String, String>> {
        let kind = &C::shape().kind;
        let ids: Vec<&str> = names.iter().filter_map(|name| kind.id(name)).collect();
        let mut titles = HashMap::with_capacity(ids.len());
        let title = ["display_name", "title"]
            .into_iter()
            .find(|name| find(&kind.columns, name).is_some());
        for ids in ids.chunks(AT_ONCE) {
            let backend = self.db.backend();
            let rows = Query::select()
                .columns([(T, "name"), (T, title.unwrap_or("body"))])
                .from_as(kind.table, T)
                .and_where(is_among(backend, of_t("id"), list(backend, ids)))
                .take();
            for row in self.db.one().query_all(&rows).await? {
                let called = if title.is_some() {
                    row.try_get_by_index(1)?
                } else {
                    C::title(&resource::decode::<C>(&row.try_get_by_index::<Vec<u8>>(1)?)?).to_owned()
                };
                titles.insert(row.try_get_by_index(0)?, called);
            }
        }
        Ok(titles)
    }

    /// The name of a record and those of all records that were merged into it.
    pub async fn family<C: Collection>(&self, _cx: &RequestContext, name: &str) -> Result<Vec<String>> {
        let mut names = vec![name.to_owned()];
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            let merged = Query::select()
                .column((T, "name"))
                .from_as(C::TABLE, T)
                .and_where(of_t("survivor").eq(name))
                .and_where(of_t("survivor").ne(nothing()))
                .take();
            let rows = self.db.one().query_all(&merged).await?;
            names.extend(first::<String>(&rows)?);
            next += 1;
        }
        Ok(names)
    }
}
