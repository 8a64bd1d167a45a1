//! How records of this service are found by what a reference says: resource name, else key, else whole name.

use mingce_orm::id::Id;
use mingce_orm::model::identifier::{self, Fault};
use mingce_orm::write::matching::{MOST_HOLDERS, called, holder_of};
use mingce_orm::{Collection, Error, Fit, Key, Store, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::registry::row_outcome::Holder;
use mingce_proto::registry::{Identifier, TalentReference};

use crate::references::{Reference, ResolvedReference, all};
use crate::session::{LookupMode, Row};

/// What a reference is looked up by where it has no resource name, or the field that is wrong and why.
pub type Keyed = Result<Option<Key>, (&'static str, Fault)>;

/// How references of one sort are found in a collection.
pub trait Lookup<C: Collection>: Reference {
    /// What would tell records of one name apart, in English and Chinese.
    const HELPS: [&'static str; 2];

    /// What it is looked up by where it has no resource name.
    fn key(&self) -> Keyed;

    /// The whole name that it is looked up by where it has neither; empty where it is not.
    fn called(&self) -> &str {
        self.display_name()
    }

    /// How a record of that name fits it.
    ///
    /// # Errors
    /// Where something has to be loaded first.
    fn fits(&self, work: &mut UnitOfWork, stored: &C::Item) -> Result<Fit, Error>;

    /// Whether a record that fits comes before those that fit as well.
    fn prefers(&self, _stored: &C::Item) -> bool {
        false
    }

    /// Whether it can mean a record that has its key.
    fn agrees(&self, _stored: &C::Item) -> bool {
        true
    }

    /// Where it is only tried and its key is sealed: the id of what stands for the record, whatever is stored.
    fn stand_in(&self) -> Option<Id> {
        None
    }

    /// A record among several of one name, for a message.
    fn told(stored: &C::Item) -> String;
}

/// The key of a reference's identifier.
///
/// # Errors
/// Where it is none.
pub fn identifier_key(given: Option<&Identifier>) -> Keyed {
    let Some(given) = given else { return Ok(None) };
    if !given.value.trim().is_empty() && identifier::says_none(&given.value) {
        return Ok(None);
    }
    let value = identifier::canonical(&given.scheme, &given.value).map_err(|fault| ("identifier", fault))?;
    Ok(Some(Key::identifier(&given.scheme, &value, "identifier")))
}

/// Whether a reference means a person of the register: not one who is known by a name alone.
pub fn is_registered(reference: &TalentReference) -> bool {
    let says_document = !reference.identity_document.is_empty()
        && !matches!(identifier::document(&reference.identity_document), Ok(None));
    !reference.talent.is_empty()
        || reference.identifier.is_some()
        || says_document
        || reference.birth_year != 0
        || !reference.employer.is_empty()
}

/// Finds records of a collection of this service by resource name, else by key, else by name.
///
/// # Errors
/// Where the database cannot be read.
pub async fn find<C: Collection, T: Lookup<C>>(
    store: &Store,
    work: &mut UnitOfWork,
    references: &[T],
    how: LookupMode,
) -> Result<Vec<ResolvedReference>, Error> {
    store
        .try_edit(work, |work| {
            all(references
                .iter()
                .map(|reference| find_one::<C, T>(work, reference, how)))
        })
        .await
}

fn find_one<C: Collection, T: Lookup<C>>(
    work: &mut UnitOfWork,
    wanted: &T,
    how: LookupMode,
) -> Result<ResolvedReference, Error> {
    let (name, thing, kind) = (wanted.name(), C::SINGULAR, &C::shape().kind);
    let key = wanted.key();
    if !name.is_empty() {
        if let Some(found) = work.find::<C>(name, None)? {
            return is::<C>(&found);
        }
        // Records are never deleted: a name that is not there is of another register.
        let is_foreign = match kind.id(name) {
            Some(id) if how.importing => work.get::<C>(id)?.is_none(),
            _ => false,
        };
        if !is_foreign || (matches!(key, Ok(None)) && wanted.called().trim().is_empty()) {
            return Ok(ResolvedReference::missing(
                thing,
                format!("{name} does not exist or was annulled: name another"),
            ));
        }
    }
    let key = match key {
        Ok(key) => key,
        Err((field, fault)) => {
            return Ok(ResolvedReference {
                problem: Some((field.to_owned(), fault.reason, fault.description)),
                ..ResolvedReference::default()
            });
        }
    };
    if let Some(key) = key {
        if let Some(id) = wanted.stand_in().filter(|_| how.trying && key.private) {
            return Ok(ResolvedReference {
                name: kind.name(None, &id.to_string()),
                display_name: wanted.display_name().to_owned(),
                ..ResolvedReference::default()
            });
        }
        let found = work.find::<C>("", Some(&key))?;
        if let Some(found) = found.filter(|found| wanted.agrees(found)) {
            return is::<C>(&found);
        }
        return Ok(match key.field.as_str() {
            // A code may be shown; an identifier may say who a person is.
            "code" => {
                let said = format!("no {thing} has the code {:?}: correct it, or make it first", key.value);
                ResolvedReference::missing("code", said)
            }
            "identity_document" => {
                let said = format!(
                    "no {thing} has this document and this name, written so: correct them, or make the {thing} first"
                );
                ResolvedReference::missing("identity_document", said)
            }
            field => {
                let said = format!("no {thing} has this {field}: correct it, or make the {thing} first");
                ResolvedReference::missing(field, said)
            }
        });
    }
    let title = wanted.called().trim();
    if title.is_empty() {
        return Ok(ResolvedReference::missing(
            thing,
            format!("say which {thing}, best by its resource name"),
        ));
    }
    by_name::<C, T>(work, wanted, title)
}

fn by_name<C: Collection, T: Lookup<C>>(
    work: &mut UnitOfWork,
    wanted: &T,
    title: &str,
) -> Result<ResolvedReference, Error> {
    let mut found = called::<C>(work, title, |work, stored| wanted.fits(work, stored))?;
    if found.iter().any(|stored| wanted.prefers(stored)) {
        found.retain(|stored| wanted.prefers(stored));
    }
    match found.as_slice() {
        [] => {
            let thing = C::SINGULAR;
            let said = format!(
                "no {thing} has this name and what else the reference says: make it first, or name it otherwise"
            );
            Ok(ResolvedReference::missing("display_name", said))
        }
        [one] => is::<C>(one),
        several => {
            let (description, holders) = ambiguous::<C>(several, T::told, T::HELPS)?;
            Ok(ResolvedReference {
                problem: Some(("display_name".to_owned(), "REFERENCE_AMBIGUOUS", description)),
                holders,
                ..ResolvedReference::default()
            })
        }
    }
}

fn is<C: Collection>(found: &C::Item) -> Result<ResolvedReference, Error> {
    Ok(ResolvedReference {
        name: found.head().name.to_owned(),
        display_name: C::title(found).to_owned(),
        ..ResolvedReference::default()
    })
}

/// What is said where a name is that of several records: each of them, and what would tell them apart.
///
/// # Errors
/// Where a record does not read back.
pub fn ambiguous<C: Collection>(
    several: &[C::Item],
    told: fn(&C::Item) -> String,
    [help, help_zh]: [&str; 2],
) -> Result<(String, Vec<Holder>), Error> {
    let (count, shown) = (several.len(), several.iter().take(MOST_HOLDERS));
    let holders = shown.clone().map(holder_of::<C>).collect::<Result<Vec<_>, _>>()?;
    let mut list = shown.map(told).collect::<Vec<_>>().join("; ");
    if let Some(more) = count.checked_sub(MOST_HOLDERS + 1) {
        list.push_str(&format!("; {} more", more + 1));
    }
    let things = C::COLLECTION;
    let said = format!("{count} {things} have this name: {list}: {help} ({count} 条记录同名：{help_zh})");
    Ok((said, holders))
}

/// Where a resource has the reference to its parent.
pub type Place<D, T> = fn(&mut <D as Collection>::Item) -> &mut Option<T>;

/// Puts a row of an import, whose decision is recorded already under a duplicate, back under that duplicate: decisions stay with
/// the name that they were made on. `asked` is what each row said before its parent was resolved.
///
/// # Errors
/// Where the database cannot be read.
pub async fn keep_original_parent<P: Collection, D: Collection, T: Lookup<P>>(
    store: &Store,
    work: &mut UnitOfWork,
    rows: &mut [Row<D>],
    asked: &[T],
    parent: Place<D, T>,
) -> Result<(), Error> {
    let under = store
        .try_edit(work, |work| {
            all(asked.iter().zip(rows.iter()).map(|(asked, row)| {
                let kind = &P::shape().kind;
                let ids = match (kind.id(asked.name()), asked.key()) {
                    (Some(id), _) => vec![id.to_owned()],
                    (None, Ok(Some(key))) => work.owner::<P>(&key)?.into_iter().collect(),
                    (None, Ok(None)) if !asked.called().trim().is_empty() => work.named::<P>(asked.called())?,
                    _ => Vec::new(),
                };
                for name in ids.into_iter().map(|id| kind.name(None, &id)) {
                    if D::parent(&row.resource) == name {
                        continue;
                    }
                    let mut under = row.resource.clone();
                    parent(&mut under).get_or_insert_default().put(&name, "");
                    let decision = D::keys(&under).into_iter().next();
                    if let Some(mut stored) = work.find::<D>("", decision.as_ref())? {
                        return Ok(parent(&mut stored).take());
                    }
                }
                Ok(None)
            }))
        })
        .await?;
    for (row, under) in rows.iter_mut().zip(under) {
        if under.is_some() {
            *parent(&mut row.resource) = under;
        }
    }
    Ok(())
}
