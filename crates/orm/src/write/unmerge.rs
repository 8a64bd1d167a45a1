//! Taking a merge back: the duplicate is active again, and what the merge changed in the survivor is as it was before, as far as nobody
//! has changed it since. What the merge changed stands in the ledger: the survivor before it and after it.

use mingce_proto::Headed;
use mingce_proto::names::lists;
use mingce_proto::registry::{RecordStatus, UnmergeReport};
use prost::Message;

use crate::context::RequestContext;
use crate::error::{Class, Error, Result};
use crate::model::message_fields;
use crate::model::resource::{self, Collection, Kind, is_head};
use crate::model::revision::AuditInfo;
use crate::model::validate::{check, expect_no_cycle};
use crate::write::result::WriteResult;
use crate::write::store::{Call, Store, expect_etag};
use crate::write::unit_of_work::UnitOfWork;
use crate::write::unmerged::Merge;
use crate::write::writer::Edit;

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
            return Ok((answer.decode::<C>()?, self.report(undone, kinds).await?));
        }
        let reply = self.change::<C>(cx, call, edit).await?;
        let item = reply.decode().map_err(Error::internal)?;
        let undone = self.undone::<C>(name, item.head().revision).await?;
        Ok((item, self.report(undone, kinds).await?))
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

/// A field as it was before a change, in its encoded form; `None` where it was changed again since, and is no list.
pub(crate) fn back<C: Collection>(now: &[u8], (before, after): (&[u8], &[u8]), number: u32) -> Result<Option<Vec<u8>>> {
    let [now, before, after] = [now, before, after].map(|message| message_fields::parts(message, number));
    let (now, before, after) = (now?, before?, after?);
    if now == after {
        return Ok(Some(before.concat()));
    }
    if !lists(C::MESSAGE).contains(&number) {
        return Ok(None);
    }
    Ok(Some(list_back(now, &before, &after).concat()))
}

/// A list that was changed again since: without what the change had added, and with what it had taken out, each behind what stood before
/// it, where that is there still.
fn list_back<'a>(mut now: Vec<&'a [u8]>, before: &[&'a [u8]], after: &[&[u8]]) -> Vec<&'a [u8]> {
    for added in without(after, before) {
        if let Some(place) = now.iter().position(|part| *part == added) {
            now.remove(place);
        }
    }
    for (place, part) in before.iter().enumerate() {
        if after.contains(part) || now.contains(part) {
            continue;
        }
        let earlier = before.iter().take(place).rev();
        let behind = earlier
            .filter_map(|other| now.iter().position(|part| part == other))
            .next();
        now.insert(behind.map_or(0, |at| at + 1), part);
    }
    now
}

/// The parts that another list has not, each as often as it has more of them.
pub(crate) fn without<'a>(all: &[&'a [u8]], other: &[&[u8]]) -> Vec<&'a [u8]> {
    let mut other = other.to_vec();
    let mut rest = all.to_vec();
    rest.retain(|part| match other.iter().position(|known| known == part) {
        Some(place) => {
            other.remove(place);
            false
        }
        None => true,
    });
    rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_of_a_list_comes_back_to_its_place_whoever_changed_the_list_since() {
        let parts = |text: &'static str| -> Vec<&'static [u8]> { text.as_bytes().chunks(1).collect() };
        for (before, after, now, back) in [
            // Taken out, and one added at either end since.
            ("abc", "ac", "acx", "abcx"),
            ("abc", "ac", "xac", "xabc"),
            // Its neighbour is gone, or stands elsewhere.
            ("abc", "ac", "cx", "bcx"),
            ("abc", "ac", "cax", "cabx"),
            ("abcd", "ad", "axd", "abcxd"),
            // Added by the change, and taken out or there twice since.
            ("ab", "abm", "amxb", "axb"),
            ("ab", "abm", "abx", "abx"),
            // Put back by somebody.
            ("abc", "ac", "axbc", "axbc"),
        ] {
            let (before, after) = (parts(before), parts(after));
            let found = list_back(parts(now), &before, &after).concat();
            assert_eq!(String::from_utf8(found).unwrap(), back, "{now}");
        }
    }
}
