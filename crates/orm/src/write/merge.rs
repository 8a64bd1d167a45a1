//! Merging a duplicate into the record that stays. Taking that back: `unmerge.rs`.

use mingce_proto::codec::Reply;
use mingce_proto::registry::RecordStatus;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::write::call::Call;
use crate::write::canonical::normalized;
use crate::write::distinct::expect_not_distinct;
use crate::write::precondition::{expect_active, expect_etag};
use crate::write::store::Store;

impl Store {
    /// Merges a resource into another and answers that one. The duplicate keeps its keys: they lead to the survivor.
    pub async fn merge<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        (name, survivor): (&str, &str),
        etag: &str,
        reason: &str,
    ) -> Result<Reply<C::Item>> {
        if name == survivor {
            return Err(Error::invalid(
                "survivor",
                "SURVIVOR_IS_SAME",
                "a record cannot be merged into itself",
            ));
        }
        let (stamp, at) = (call.stamp("merge", reason), cx.clone());
        let (name, survivor, etag) = (name.to_owned(), survivor.to_owned(), etag.to_owned());
        self.change::<C>(
            cx,
            call,
            Box::new(move |work| {
                let duplicate = work.require::<C>(&name)?;
                let mut stays = work.require::<C>(&survivor)?;
                expect_etag::<C>(&duplicate, &etag)?;
                expect_active::<C>(&duplicate)?;
                expect_active::<C>(&stays)?;
                expect_not_distinct::<C>(&duplicate, &stays)?;
                C::check_merge(work, &duplicate, &stays)?;
                work.change::<C>(&at, &stamp, &duplicate, RecordStatus::Duplicate, &survivor)?;
                C::on_merge(&mut stays, &duplicate, &name);
                // Its history says so also where it takes over no name.
                work.decide::<C>(&at, &stamp, &normalized::<C>(&stays)?)
            }),
        )
        .await
    }
}
