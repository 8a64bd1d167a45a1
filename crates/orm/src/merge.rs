//! Merging a duplicate into the record that stays, and taking that back.

use mingce_proto::codec::Reply;
use mingce_proto::registry::RecordStatus;

use crate::cx::Cx;
use crate::distinct::expect_not_distinct;
use crate::error::{Class, Error, Result};
use crate::resource::Collection;
use crate::store::{Call, Store, expect_active, expect_etag, settled};
use crate::work::head_of;

impl Store {
    /// Merges a resource into another and answers that one. The duplicate keeps its keys: they lead to the survivor.
    pub async fn merge<C: Collection>(
        &self,
        cx: &Cx,
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
                C::may_merge(work, &duplicate, &stays)?;
                work.change::<C>(&at, &stamp, &duplicate, RecordStatus::Duplicate, &survivor)?;
                C::absorb(&mut stays, &duplicate, &name);
                // Its history says so also where it takes over no name.
                work.decide::<C>(&at, &stamp, &settled::<C>(&stays)?)
            }),
        )
        .await
    }

    /// Takes a merge back and answers the record that was the duplicate.
    pub async fn unmerge<C: Collection>(
        &self,
        cx: &Cx,
        call: Call,
        name: &str,
        etag: &str,
        reason: &str,
    ) -> Result<Reply<C::Item>> {
        let (stamp, at) = (call.stamp("unmerge", reason), cx.clone());
        let (name, etag) = (name.to_owned(), etag.to_owned());
        self.change::<C>(
            cx,
            call,
            Box::new(move |work| {
                let duplicate = work.require::<C>(&name)?;
                expect_etag::<C>(&duplicate, &etag)?;
                let head = head_of(&duplicate)?;
                if head.record_status() != RecordStatus::Duplicate {
                    let said = format!("{name} is not a duplicate: there is no merge to take back");
                    return Err(Error::new(Class::Precondition, "RECORD_NOT_DUPLICATE", said)
                        .about(C::COLLECTION, name.clone()));
                }
                let mut survivor = work.require::<C>(&head.survivor)?;
                let further = head_of(&survivor)?;
                if further.record_status() == RecordStatus::Duplicate {
                    // Its names have gone on with the survivor's: from there they cannot be told apart again.
                    let (stands, last) = (further.name, further.survivor);
                    let said =
                        format!("{stands}, which stands for it, was merged into {last}: take that merge back first");
                    return Err(Error::new(Class::Precondition, "RECORD_NOT_ACTIVE", said).about(C::COLLECTION, stands));
                }
                C::release(&mut survivor, &name);
                // Also where it has no name to give back: that it stands alone again is part of its history.
                work.decide::<C>(&at, &stamp, &survivor)?;
                work.change::<C>(&at, &stamp, &duplicate, RecordStatus::Active, "")
            }),
        )
        .await
    }
}
