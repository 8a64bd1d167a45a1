//! Which record is meant: by a row of an import, by a resource on its way in, by a name.

use std::collections::{BTreeMap, BTreeSet};

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;
use mingce_proto::registry::row_outcome::Holder;

use crate::error::{Class, Error, Result};
use crate::model::collection::{Collection, Fit};
use crate::write::precondition::expect_active;
use crate::write::unit_of_work::UnitOfWork;

/// What a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No record.
    Nothing,
    /// One.
    Means,
    /// One by an identifier, of which it says something else.
    Contradicts,
    /// Several.
    Several,
}

impl Verdict {
    /// From its number.
    pub(super) fn of(number: u32) -> Self {
        [Self::Nothing, Self::Means, Self::Contradicts]
            .into_iter()
            .find(|verdict| *verdict as u32 == number)
            .unwrap_or(Self::Several)
    }
}

/// What an earlier row means now, as it did when it had its turn.
pub(crate) fn verdict<C: Collection>(work: &mut UnitOfWork, row: &C::Item) -> Result<(Verdict, String)> {
    Ok(match find::<C>(work, row)? {
        Match::None => (Verdict::Nothing, String::new()),
        Match::Several(_) => (Verdict::Several, String::new()),
        Match::One(stored, way) => {
            let name = stored.head().name.to_owned();
            match way {
                MatchedBy::Key { by_own } if C::contradicts(row, &stored, by_own).is_some() => {
                    (Verdict::Contradicts, name)
                }
                _ => (Verdict::Means, name),
            }
        }
    })
}

/// The stored record that a resource on its way in speaks of, whatever became of it: the one that it names; for a row of an
/// import (`by_key`) else the one that it means. `None` too where that is not clear, which is said when the row is written.
pub fn meant<C: Collection>(work: &mut UnitOfWork, resource: &C::Item, by_key: bool) -> Result<Option<C::Item>> {
    let name = resource.head().name.to_owned();
    if let Some(id) = C::shape().kind.id(&name)
        && let Some(named) = work.get::<C>(id)?
    {
        return Ok(Some(named));
    }
    if !by_key {
        return Ok(None);
    }
    let mut canonical = resource.clone();
    C::normalize(&mut canonical);
    Ok(match find::<C>(work, &canonical) {
        Ok(Match::One(stored, _)) => Some(*stored),
        _ => None,
    })
}

/// How a row was found to mean a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchedBy {
    /// By its resource name.
    Told,
    /// By a key; one of them of a sort that a subject has alone and keeps.
    Key { by_own: bool },
    /// By a name.
    Name,
    /// By what only leads there through a merge.
    Merge,
    /// The same row of the same file meant it, and nothing has changed since.
    Before,
}

/// What a row means.
pub(super) enum Match<T> {
    None,
    One(Box<T>, MatchedBy),
    /// More than one record: their names.
    Several(Vec<String>),
}

/// Why a row that means several records is refused.
pub(super) fn several(records: &[String], singular: &str) -> Error {
    let (one, other) = (
        records.first().map_or("", String::as_str),
        records.get(1).map_or("", String::as_str),
    );
    let said = format!(
        "the row means {one} by one of its identifiers or names and {other} by another: merge them or mend the row"
    );
    Error::new(Class::Invalid, "RECORDS_DISAGREE", said.clone()).at(singular, said)
}

/// The active record that a row means, and how.
pub(super) fn find<C: Collection>(work: &mut UnitOfWork, row: &C::Item) -> Result<Match<C::Item>> {
    let kind = &C::shape().kind;
    let name = row.head().name.to_owned();
    if !name.is_empty() {
        let id = kind.expect(&name, &format!("{}.name", C::SINGULAR))?;
        // Records are never deleted: a name that is not there is of another register, and the row is matched without it.
        if let Some(named) = work.get::<C>(id)? {
            if named.head().name != name {
                return Err(Error::not_found(kind.collection, &name));
            }
            let found = active::<C>(work, named)?;
            let way = if found.head().name == name {
                MatchedBy::Told
            } else {
                MatchedBy::Merge
            };
            return Ok(Match::One(Box::new(found), way));
        }
    }
    // Looked up also where a key says enough: imports that touch one name then go one after the other on PostgreSQL, and
    // none renames a record to what another has just found to be free.
    let title = C::title(row);
    let named = if C::BY_NAME && !title.trim().is_empty() {
        work.named::<C>(title)?
    } else {
        Vec::new()
    };
    let (mut found, mut merged_away, mut by_own) = (BTreeMap::new(), true, false);
    for key in C::keys(row).into_iter().filter(|key| !key.non_identifying) {
        if let Some(id) = work.owner::<C>(&key)?
            && let Some(holder) = work.survivor::<C>(&id)?
        {
            let name = holder.head().name.to_owned();
            merged_away &= kind.id(&name) != Some(id.as_str());
            by_own |= key.is_own();
            found.insert(name, holder);
        }
    }
    let mut way = if merged_away {
        MatchedBy::Merge
    } else {
        MatchedBy::Key { by_own }
    };
    if found.is_empty() && !named.is_empty() {
        way = MatchedBy::Name;
        for namesake in among::<C>(work, named, |work, found| C::is_same(work, row, found))? {
            found.insert(namesake.head().name.to_owned(), namesake);
        }
    }
    if found.len() > 1 {
        return Ok(Match::Several(found.into_keys().collect()));
    }
    let Some((_, found)) = found.pop_first() else {
        return Ok(Match::None);
    };
    expect_active::<C>(&found)?;
    Ok(Match::One(Box::new(found), way))
}

/// How many records a problem names.
pub const MOST_HOLDERS: usize = 5;

/// A record that a problem is about.
///
/// # Errors
/// Where the record does not read back.
pub fn holder_of<C: Collection>(item: &C::Item) -> Result<Holder> {
    Ok(Holder {
        name: item.head().name.to_owned(),
        display_name: C::title(item).to_owned(),
    })
}

/// The active records that a whole name means, as `fits` says: those that bear it now come before those that bore it.
///
/// # Errors
/// Where something has to be loaded first.
pub fn called<C: Collection>(
    work: &mut UnitOfWork,
    name: &str,
    fits: impl FnMut(&mut UnitOfWork, &C::Item) -> Result<Fit>,
) -> Result<Vec<C::Item>> {
    let ids = work.named::<C>(name)?;
    among::<C>(work, ids, fits)
}

fn among<C: Collection>(
    work: &mut UnitOfWork,
    ids: Vec<String>,
    mut fits: impl FnMut(&mut UnitOfWork, &C::Item) -> Result<Fit>,
) -> Result<Vec<C::Item>> {
    let (mut found, mut best, mut seen) = (Vec::new(), Fit::No, BTreeSet::new());
    let mut waits = None;
    for id in ids {
        // To the end, so that all that has to be loaded is asked for at once.
        let survivor = match work.survivor::<C>(&id) {
            Ok(survivor) => survivor,
            Err(error) => {
                waits = Some(error);
                continue;
            }
        };
        let Some(candidate) = survivor else { continue };
        let head = candidate.head();
        if head.record_status() != RecordStatus::Active || !seen.insert(head.name.to_owned()) {
            continue;
        }
        let fit = match fits(work, &candidate) {
            Ok(fit) => fit,
            Err(error) => {
                waits = Some(error);
                continue;
            }
        };
        if fit > best {
            (found, best) = (Vec::new(), fit);
        }
        if fit == best && fit != Fit::No {
            found.push(candidate);
        }
    }
    waits.map_or(Ok(found), Err)
}

fn active<C: Collection>(work: &mut UnitOfWork, found: C::Item) -> Result<C::Item> {
    let head = found.head();
    let id = C::shape().kind.expect(head.name, "name")?;
    let found = work.survivor::<C>(id)?.unwrap_or(found);
    expect_active::<C>(&found)?;
    Ok(found)
}
