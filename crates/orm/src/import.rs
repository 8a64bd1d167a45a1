//! Rows of an import: each is matched to a record, or makes one, or is refused, alone.

use std::collections::BTreeSet;

use mingce_proto::registry::RecordStatus;

use crate::answer::{Answer, Stamp};
use crate::cx::Cx;
use crate::error::{Class, Error, Result};
use crate::resource::Collection;
use crate::store::{Mask, create, settled};
use crate::work::{Work, head_of};
use crate::writer::Edit;

/// The edit that a row of an import is. `paths`: the fields that the source speaks of; empty: those that are set.
pub fn row<C: Collection>(cx: &Cx, source: &str, paths: &[String], resource: C::Item) -> Result<Edit> {
    // An empty cell does not destroy what is sealed.
    let mask = Mask::parse::<C>(paths, &resource)?
        .without_unset_private::<C>(&resource)?
        .with_derived::<C>(&resource)?;
    let cx = cx.clone();
    let stamp = Stamp {
        verb: "import",
        reason: source.to_owned(),
        request_id: String::new(),
    };
    Ok(Box::new(move |work| place::<C>(work, &cx, &stamp, &mask, &resource)))
}

fn place<C: Collection>(work: &mut Work, cx: &Cx, stamp: &Stamp, mask: &Mask, resource: &C::Item) -> Result<Answer> {
    // Keys are compared in their canonical form. What else is wrong is said when it is clear what the row makes.
    let mut canonical = resource.clone();
    let problems = C::settle(&mut canonical);
    let Some((stored, merged_away)) = find::<C>(work, &canonical)? else {
        if problems.is_empty() && !C::BY_NAME && C::keys(&canonical).is_empty() {
            let said =
                "the row has nothing by which it can be told from others when it is loaded again: give an identifier";
            return Err(Error::invalid(C::SINGULAR, "IDENTIFIER_MISSING", said));
        }
        return create::<C>(work, cx, stamp, resource);
    };
    if merged_away {
        // The source still lists a record that a clerk has merged: the decision stands.
        return work.update::<C>(cx, stamp, &stored);
    }
    let mut merged = mask.apply::<C>(&stored, &canonical)?;
    C::keep(&mut merged, &stored);
    let merged = settled::<C>(&merged)?;
    work.update::<C>(cx, stamp, &merged)
}

/// The active record that a row means, and whether all that the row says of it leads there through a merge.
fn find<C: Collection>(work: &mut Work, row: &C::Item) -> Result<Option<(C::Item, bool)>> {
    let kind = &C::shape().kind;
    let name = head_of(row)?.name;
    if !name.is_empty() {
        let named = work.require::<C>(&name)?;
        let found = active::<C>(work, named)?;
        let merged_away = head_of(&found)?.name != name;
        return Ok(Some((found, merged_away)));
    }
    let (mut ids, mut merged_away) = (BTreeSet::new(), true);
    for key in C::keys(row) {
        if let Some(id) = work.owner::<C>(&key)?
            && let Some(found) = work.survivor::<C>(&id)?
        {
            let name = head_of(&found)?.name;
            merged_away &= kind.id(&name) != Some(id.as_str());
            ids.insert(name);
        }
    }
    merged_away &= !ids.is_empty();
    if ids.is_empty() && C::BY_NAME {
        for id in work.named::<C>(C::title(row))? {
            if let Some(found) = work.survivor::<C>(&id)?
                && head_of(&found)?.record_status() == RecordStatus::Active
                && C::is_same(row, &found)
            {
                ids.insert(head_of(&found)?.name);
            }
        }
    }
    let mut ids = ids.into_iter();
    match (ids.next(), ids.next()) {
        (None, _) => Ok(None),
        (Some(name), None) => {
            let named = work.require::<C>(&name)?;
            let found = active::<C>(work, named)?;
            Ok(Some((found, merged_away)))
        }
        (Some(one), Some(other)) => {
            let said = format!(
                "the row means {one} by one of its identifiers or names and {other} by another: merge them or mend the row"
            );
            Err(Error::new(Class::Invalid, "RECORDS_DISAGREE", said).at(C::SINGULAR, "means more than one record"))
        }
    }
}

fn active<C: Collection>(work: &mut Work, found: C::Item) -> Result<C::Item> {
    let head = head_of(&found)?;
    let id = C::shape().kind.expect(&head.name, "name")?;
    let found = work.survivor::<C>(id)?.unwrap_or(found);
    crate::store::expect_active::<C>(&found)?;
    Ok(found)
}
