//! Rows of an import: each is matched to a record, or makes one, or is refused, alone.

use std::collections::BTreeSet;

use mingce_proto::registry::RecordStatus;

use crate::cx::Cx;
use crate::error::{Class, Error, Result};
use crate::resource::Resource;
use crate::store::{Mask, create, settled};
use crate::work::{Answer, Stamp, Work, head_of};
use crate::writer::Edit;

/// The edit that a row of an import is. `paths`: the fields that the source speaks of; empty: those that are set.
pub fn row<R: Resource>(cx: &Cx, source: &str, paths: &[String], resource: R) -> Result<Edit> {
    let mask = Mask::parse(paths, &resource)?;
    let cx = cx.clone();
    let stamp = Stamp { verb: "import", reason: source.to_owned(), request_id: String::new() };
    Ok(Box::new(move |work| place(work, &cx, &stamp, &mask, &resource)))
}

fn place<R: Resource>(work: &mut Work, cx: &Cx, stamp: &Stamp, mask: &Mask, resource: &R) -> Result<Answer> {
    // Keys are compared in their canonical form. What else is wrong is said when it is clear what the row makes.
    let mut canonical = resource.clone();
    let problems = canonical.settle();
    let Some(stored) = find(work, &canonical)? else {
        if problems.is_empty() && !R::BY_NAME && canonical.keys().is_empty() {
            let said = "the row has nothing by which it can be told from others when it is loaded again: give an identifier";
            return Err(Error::invalid(R::SINGULAR, "IDENTIFIER_MISSING", said));
        }
        return create(work, cx, stamp, resource);
    };
    let merged = settled(&mask.apply(&stored, &canonical)?)?;
    work.update(cx, stamp, &merged)
}

/// The active record that a row means.
fn find<R: Resource>(work: &mut Work, row: &R) -> Result<Option<R>> {
    let name = head_of(row)?.name;
    if !name.is_empty() {
        let named: R = work.require(&name)?;
        return active(work, named).map(Some);
    }
    let mut ids = BTreeSet::new();
    for key in row.keys() {
        if let Some(id) = work.owner::<R>(&key)?
            && let Some(found) = work.survivor::<R>(&id)?
        {
            ids.insert(head_of(&found)?.name);
        }
    }
    if ids.is_empty() && R::BY_NAME {
        for id in work.named::<R>(row.title())? {
            if let Some(found) = work.survivor::<R>(&id)?
                && head_of(&found)?.record_status() == RecordStatus::Active
                && row.is_same(&found)
            {
                ids.insert(head_of(&found)?.name);
            }
        }
    }
    let mut ids = ids.into_iter();
    match (ids.next(), ids.next()) {
        (None, _) => Ok(None),
        (Some(name), None) => {
            let named: R = work.require(&name)?;
            active(work, named).map(Some)
        }
        (Some(one), Some(other)) => {
            let said = format!("the row means {one} by one of its identifiers or names and {other} by another: merge them or mend the row");
            Err(Error::new(Class::Invalid, "RECORDS_DISAGREE", said).at(R::SINGULAR, "means more than one record"))
        }
    }
}

fn active<R: Resource>(work: &mut Work, found: R) -> Result<R> {
    let head = head_of(&found)?;
    let id = R::shape().kind.expect(&head.name, "name")?;
    let found = work.survivor::<R>(id)?.unwrap_or(found);
    crate::store::expect_active(&found)?;
    Ok(found)
}
