//! References to other records: resolved in one call for a whole request, and put in their stored form. One that a record
//! has already stays as it is, whatever became of its target. How records of this service are found is in [`crate::lookup`].

use std::collections::HashMap;

use mingce_orm::model::validate::check;
use mingce_orm::write::matching;
use mingce_orm::{Collection, Error, Store, Violation};
use mingce_proto::awards::SchemeReference;
use mingce_proto::labs::LabReference;
use mingce_proto::registry::row_outcome::Holder;
use mingce_proto::registry::{CreatedReference, OrganizationReference, TalentReference};
use mingce_proto::talent::ProgrammeReference;
use prost::Message;

use crate::session::{Row, RowNotes, Session};

/// A reference as the contract has it: a resource name and the name of the thing as it stood.
pub trait Reference: Message + Clone + Default {
    /// The resource name; empty where the reference is by something else.
    fn name(&self) -> &str;
    /// The name of the thing as it stood.
    fn display_name(&self) -> &str;
    /// Puts the stored form: the resource name, the name where none is given, and nothing that served to resolve it.
    fn put(&mut self, name: &str, display_name: &str);
    /// What breaks the rules that the contract has for such a reference: nobody is asked for what is none.
    fn broken(&self) -> Vec<Violation>;
}

macro_rules! reference {
    ($type:ident, $name:ident) => {
        impl Reference for $type {
            fn name(&self) -> &str {
                &self.$name
            }

            fn display_name(&self) -> &str {
                &self.display_name
            }

            fn put(&mut self, name: &str, display_name: &str) {
                let given = std::mem::take(&mut self.display_name);
                let display_name = if given.is_empty() {
                    display_name.to_owned()
                } else {
                    given
                };
                *self = Self {
                    $name: name.to_owned(),
                    display_name,
                    ..Self::default()
                };
            }

            fn broken(&self) -> Vec<Violation> {
                check(self, "")
            }
        }
    };
}
reference!(OrganizationReference, organization);
reference!(TalentReference, talent);
reference!(LabReference, lab);
reference!(ProgrammeReference, programme);
reference!(SchemeReference, scheme);

/// A bare resource name.
impl Reference for String {
    fn name(&self) -> &str {
        self
    }

    fn display_name(&self) -> &str {
        ""
    }

    fn put(&mut self, name: &str, _display_name: &str) {
        name.clone_into(self);
    }

    fn broken(&self) -> Vec<Violation> {
        Vec::new()
    }
}

/// Goes to the references of one sort in a resource, each with its path below the resource, for example
/// `hosts[1].organization`.
pub type Visitor<C, T> = fn(&mut <C as Collection>::Item) -> Vec<(String, &mut T)>;

/// All results, or the first error. Goes on after an error, so that all that has to be loaded is asked for at once.
pub(crate) fn all<R>(results: impl Iterator<Item = Result<R, Error>>) -> Result<Vec<R>, Error> {
    let results: Vec<_> = results.collect();
    results.into_iter().collect()
}

/// What a reference was found to mean.
#[derive(Debug, Clone, Default)]
pub struct ResolvedReference {
    /// Resource name; empty where there is none.
    pub name: String,
    /// Its name today.
    pub display_name: String,
    /// Why there is none: field below the reference, reason, description.
    pub problem: Option<(String, &'static str, String)>,
    /// The records that the problem is about.
    pub holders: Vec<Holder>,
    /// What is made because it is named, or would be.
    pub created: Option<CreatedReference>,
}

impl ResolvedReference {
    /// Nothing was found.
    pub fn missing(field: &str, description: impl Into<String>) -> Self {
        Self {
            problem: Some((field.to_owned(), "REFERENCE_NOT_FOUND", description.into())),
            ..Self::default()
        }
    }

    /// Puts a reference in its stored form, or says what is wrong with it.
    fn apply(&self, path: String, reference: &mut impl Reference, notes: &mut RowNotes) {
        let Some((field, reason, description)) = &self.problem else {
            notes.created.extend(self.created.clone());
            return reference.put(&self.name, &self.display_name);
        };
        let problems = &mut notes.problems;
        let field = if field.is_empty() {
            path
        } else {
            format!("{path}.{field}")
        };
        // A row of an import was checked by the rules of the contract before.
        if problems
            .iter()
            .any(|known| known.field == field && known.reason == *reason)
        {
            return;
        }
        if !self.holders.is_empty() {
            notes.holders.push((field.clone(), self.holders.clone()));
        }
        problems.push(Violation::new(field, reason, description));
    }
}

/// Where it stands what a reference means.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// Among those that are found, in their order.
    Wanted(usize),
    /// Among those that are none.
    Broken(usize),
}

/// All references of one sort in the rows of a request.
#[derive(Debug)]
pub struct ReferenceBatch<C: Collection, T> {
    walk: Visitor<C, T>,
    wanted: Vec<T>,
    /// References that break the rules of the contract: the first thing that is wrong with each.
    broken: Vec<ResolvedReference>,
    /// For each reference, row by row, its place.
    which: Vec<Which>,
}

impl<C: Collection, T: Reference> ReferenceBatch<C, T> {
    /// Gathers the references of all rows.
    pub fn of(rows: &mut [Row<C>], walk: Visitor<C, T>) -> Self {
        let mut places: HashMap<Vec<u8>, Which> = HashMap::new();
        let (mut wanted, mut broken, mut which) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            for (_, reference) in walk(&mut row.resource) {
                which.push(*places.entry(reference.encode_to_vec()).or_insert_with(|| {
                    if let Some(wrong) = reference.broken().into_iter().next() {
                        broken.push(ResolvedReference {
                            problem: Some((wrong.field, wrong.reason, wrong.description)),
                            ..ResolvedReference::default()
                        });
                        return Which::Broken(broken.len() - 1);
                    }
                    wanted.push(reference.clone());
                    Which::Wanted(wanted.len() - 1)
                }));
            }
        }
        Self {
            walk,
            wanted,
            broken,
            which,
        }
    }

    /// Each different reference that can be looked up, once.
    pub fn wanted(&self) -> Vec<T> {
        self.wanted.clone()
    }

    /// Puts the references in their stored form, by what was found for those that are wanted, and adds what is wrong to the
    /// rows. The same rows as before, with the same references. What else the key of a record is made of is settled first.
    ///
    /// A name that leads to another record, or nowhere, may be one that the stored record has had since before its target was
    /// merged or annulled. Then it stays.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn settle(
        self,
        store: &Store,
        session: &mut Session,
        rows: &mut [Row<C>],
        found: Vec<ResolvedReference>,
    ) -> Result<(), Error> {
        if found.len() != self.wanted.len() {
            let (asked, count) = (self.wanted.len(), found.len());
            return Err(Error::internal(format!(
                "{asked} references were asked for and {count} answered"
            )));
        }
        let mut which = self.which.iter().map(|which| match which {
            Which::Wanted(place) => found.get(*place),
            Which::Broken(place) => self.broken.get(*place),
        });
        let mut elsewhere: Vec<(&mut Row<C>, HashMap<String, &ResolvedReference>)> = Vec::new();
        for row in rows {
            let mut paths = HashMap::new();
            for (path, reference) in (self.walk)(&mut row.resource) {
                let Some(found) = which.next().flatten() else {
                    continue;
                };
                if reference.name().is_empty() || reference.name() == found.name {
                    found.apply(path, reference, &mut row.notes);
                } else {
                    paths.insert(path, found);
                }
            }
            if !paths.is_empty() {
                elsewhere.push((row, paths));
            }
        }
        if elsewhere.is_empty() {
            return Ok(());
        }
        let by_key = session.is_import();
        let mut fresh = store.unit_of_work();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let stored = store
            .try_edit(work, |work| {
                all(elsewhere
                    .iter()
                    .map(|(row, _)| matching::meant::<C>(work, &row.resource, by_key)))
            })
            .await?;
        for ((row, paths), mut stored) in elsewhere.into_iter().zip(stored) {
            let had: HashMap<(String, String), String> = stored
                .iter_mut()
                .flat_map(|stored| (self.walk)(stored))
                .map(|(path, r)| ((field_of(&path), r.name().to_owned()), r.display_name().to_owned()))
                .collect();
            for (path, reference) in (self.walk)(&mut row.resource) {
                let Some(found) = paths.get(&path) else { continue };
                let name = reference.name().to_owned();
                match had.get(&(field_of(&path), name.clone())) {
                    Some(display_name) => reference.put(&name, display_name),
                    None => found.apply(path, reference, &mut row.notes),
                }
            }
        }
        Ok(())
    }
}

/// A path without the places in it: an item that has moved is the same.
fn field_of(path: &str) -> String {
    path.replace(|c: char| c.is_ascii_digit(), "")
}
