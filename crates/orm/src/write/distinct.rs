//! Two records that somebody has looked at and that are no duplicates: each names the other.

use mingce_proto::Headed;
use mingce_proto::codec::Reply;

use crate::context::RequestContext;
use crate::error::{Class, Error, Result};
use crate::model::collection::Collection;
use crate::query::likely::are_distinct;
use crate::write::call::Call;
use crate::write::precondition::{expect_active, expect_etag};
use crate::write::store::Store;

/// How many others a record can be marked as distinct from.
const MOST: usize = 500;

impl Store {
    /// Says that two records are two, and answers the first.
    pub async fn mark_distinct<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        (name, other): (&str, &str),
        etag: &str,
        reason: &str,
    ) -> Result<Reply<C::Item>> {
        if name == other {
            let said = "a record is not distinct from itself: name the other one";
            return Err(Error::invalid("other", "OTHER_IS_SAME", said));
        }
        let (stamp, at) = (call.stamp("mark_distinct", reason), cx.clone());
        let (name, other, etag) = (name.to_owned(), other.to_owned(), etag.to_owned());
        self.change::<C>(
            cx,
            call,
            Box::new(move |work| {
                let (mut one, mut two) = (work.require::<C>(&name)?, work.require::<C>(&other)?);
                expect_etag::<C>(&one, &etag)?;
                expect_active::<C>(&one)?;
                expect_active::<C>(&two)?;
                for (item, own, name) in [(&mut two, &other, &name), (&mut one, &name, &other)] {
                    let names = named::<C>(item)?;
                    if names.contains(name) {
                        continue;
                    }
                    if names.len() >= MOST {
                        let said = format!("{own} is marked as distinct from {MOST} records already");
                        return Err(
                            Error::new(Class::Precondition, "DISTINCT_TOO_MANY", said).about(C::COLLECTION, own)
                        );
                    }
                    names.push(name.clone());
                }
                work.update::<C>(&at, &stamp, &two)?;
                work.update::<C>(&at, &stamp, &one)
            }),
        )
        .await
    }

    /// Takes that back, and answers the first.
    pub async fn unmark_distinct<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        (name, other): (&str, &str),
        etag: &str,
        reason: &str,
    ) -> Result<Reply<C::Item>> {
        let (stamp, at) = (call.stamp("unmark_distinct", reason), cx.clone());
        let (name, other, etag) = (name.to_owned(), other.to_owned(), etag.to_owned());
        self.change::<C>(
            cx,
            call,
            Box::new(move |work| {
                let (mut one, mut two) = (work.require::<C>(&name)?, work.require::<C>(&other)?);
                expect_etag::<C>(&one, &etag)?;
                if !are_distinct::<C>(&one, &two)? {
                    let said = format!("{name} is not marked as distinct from {other}: there is nothing to take back");
                    return Err(
                        Error::new(Class::Precondition, "RECORDS_NOT_DISTINCT", said).about(C::COLLECTION, &name)
                    );
                }
                named::<C>(&mut one)?.retain(|named| *named != other);
                named::<C>(&mut two)?.retain(|named| *named != name);
                work.update::<C>(&at, &stamp, &two)?;
                work.update::<C>(&at, &stamp, &one)
            }),
        )
        .await
    }
}

/// Refuses to merge two records that are two.
pub(crate) fn expect_not_distinct<C: Collection>(one: &C::Item, other: &C::Item) -> Result<()> {
    if !are_distinct::<C>(one, other)? {
        return Ok(());
    }
    let (one, other) = (one.head().name.to_owned(), other.head().name.to_owned());
    let said = format!("{one} and {other} were marked as distinct: take that back first, if they are one after all");
    Err(Error::new(Class::Precondition, "RECORDS_DISTINCT", said).about(C::COLLECTION, one))
}

fn named<C: Collection>(item: &mut C::Item) -> Result<&mut Vec<String>> {
    C::distinct_from(item).ok_or_else(|| Error::internal("records of this collection are not merged"))
}
