//! Taking a merge back: the duplicate is active again, and what the merge changed in the survivor is as it was before, as far as nobody
//! has changed it since. What the merge changed stands in the ledger: the survivor before it and after it.

use mingce_proto::Headed;
use mingce_proto::registry::{RecordStatus, UnmergeReport};
use prost::Message;

use crate::context::RequestContext;
use crate::error::{Class, Error, Result};
use crate::model::collection::Collection;
use crate::model::head::is_head;
use crate::model::kind::Kind;
use crate::model::revision::AuditInfo;
use crate::model::validate::{check, expect_no_cycle};
use crate::model::{message_fields, resource};
use crate::write::call::Call;
use crate::write::edit::Edit;
use crate::write::merge_history::Merge;
use crate::write::precondition::expect_etag;
use crate::write::result::WriteResult;
use crate::write::revert_field::back;
use crate::write::store::Store;
use crate::write::unit_of_work::UnitOfWork;

impl Store {
    /// Takes a merge back. Answers the record that was the duplicate, what was restored, and what was written meanwhile, as far as the
    /// resources of `kinds` are concerned.
    pub async fn unmerge<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        (name, etag): (&str, &str),
        reason: &str,
        kinds: &[&'static Kind],
    ) -> Result<(C::Item, UnmergeReport)> {
        let (stamp, at) = (call.stamp("unmerge", reason), cx.clone());
        let (given, etag) = (name.to_owned(), etag.to_owned());
        let edit: Edit = Box::new(move |work| unmerge::<C>(work, &at, &stamp, (&given, &etag)));
        if call.is_dry() {
            let mut work = self.dry_run();
            let answer = self.try_edit(&mut work, &edit).await?;
            let undone = work.undone::<C>(name)?;
            return Ok((answer.decode::<C>()?, self.report(cx, undone, kinds).await?));
        }
        let reply = self.change::<C>(cx, call, edit).await?;
        let item = reply.decode().map_err(Error::internal)?;
        let undone = self.undone::<C>(name, item.head().revision).await?;
        Ok((item, self.report(cx, undone, kinds).await?))
    }
}

fn unmerge<C: Collection>(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    stamp: &AuditInfo,
    (name, etag): (&str, &str),
) -> Result<WriteResult> {
    let duplicate = work.require::<C>(name)?;
    expect_etag::<C>(&duplicate, etag)?;
    let head = duplicate.head();
    if head.record_status() != RecordStatus::Duplicate {
        let said = format!("{name} is not a duplicate: there is no merge to take back");
        return Err(Error::new(Class::Precondition, "RECORD_NOT_DUPLICATE", said).about(C::COLLECTION, name));
    }
    let merge = work.last_merge(&C::shape().kind, name);
    let mut stored = work.require::<C>(head.survivor)?;
    let merge = merge?;
    // It stands for itself before the survivor is looked at: a parent that it was is no circle then.
    let answer = work.change::<C>(cx, stamp, &duplicate, RecordStatus::Active, "")?;
    let mut restored = restore::<C>(work, &stored, name, merge.as_ref())?;
    // Also where nothing of it changes: that it stands alone again is part of its history.
    work.decide::<C>(cx, stamp, &restored)?;
    // What the survivor was merged into has the names too.
    loop {
        let below = stored.head();
        if below.record_status() != RecordStatus::Duplicate {
            return Ok(answer);
        }
        let above = work.require::<C>(below.survivor)?;
        let changed = carry::<C>(&above, (&stored, &restored), below.name)?;
        work.update::<C>(cx, stamp, &changed)?;
        (stored, restored) = (above, changed);
    }
}

/// A survivor without what the merge had added, and with what it had taken out, field by field, as far as the rules allow it.
fn restore<C: Collection>(
    work: &mut UnitOfWork,
    stored: &C::Item,
    name: &str,
    merge: Option<&Merge>,
) -> Result<C::Item> {
    let mut item = stored.clone();
    if let Some(merge) = merge {
        for number in message_fields::changed(&merge.before, &merge.after)? {
            let now = item.encode_to_vec();
            let back = back::<C>(&now, (&merge.before, &merge.after), number)?;
            let Some(back) = back.filter(|_| !is_head(number)) else {
                continue;
            };
            let tried = resource::decode::<C>(&message_fields::replace(&now, &back, |of| of == number)?)?;
            let circle = expect_no_cycle(work, C::acyclic_references(), stored, &tried);
            if work.is_waiting() {
                circle?;
            } else if circle.is_ok() && wrongs::<C>(&tried) <= wrongs::<C>(&item) {
                item = tried;
            }
        }
    }
    // Names that somebody has edited since are still marked with where they came from.
    C::on_unmerge(&mut item, name);
    Ok(item)
}

/// How much is wrong with a resource by itself. What earlier versions stored may have been so before.
fn wrongs<C: Collection>(item: &C::Item) -> usize {
    check(item, "").len() + C::normalize(&mut item.clone()).len()
}

/// What stands for a changed record, with the names that it would have taken over from that as it is now.
fn carry<C: Collection>(above: &C::Item, (was, is): (&C::Item, &C::Item), from: &str) -> Result<C::Item> {
    let mut own = above.clone();
    C::on_unmerge(&mut own, from);
    let took = |below: &C::Item| {
        let mut took = own.clone();
        C::on_merge(&mut took, below, from);
        took.encode_to_vec()
    };
    let (before, after) = (took(is), took(was));
    let mut now = above.encode_to_vec();
    for number in message_fields::changed(&before, &after)? {
        if let Some(back) = back::<C>(&now, (&before, &after), number)? {
            now = message_fields::replace(&now, &back, |of| of == number)?;
        }
    }
    resource::decode::<C>(&now)
}
