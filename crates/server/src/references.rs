//! References to other records: resolved in one call for a whole request, and put in their stored form.

use std::collections::HashMap;
use std::future::Future;

use mingce_orm::{Error, Violation};
use mingce_proto::awards::SchemeReference;
use mingce_proto::labs::LabReference;
use mingce_proto::registry::{OrganizationReference, TalentReference};
use mingce_proto::talent::ProgrammeReference;
use prost::Message;

/// A reference as the contract has it: a resource name and the name of the thing as it stood.
pub trait Reference: Message + Clone + Default {
    /// Puts the stored form: the resource name, the name where none is given, and nothing that served to resolve it.
    fn put(&mut self, name: &str, display_name: &str);
}

macro_rules! reference {
    ($type:ident, $name:ident) => {
        impl Reference for $type {
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
        }
    };
}
reference!(OrganizationReference, organization);
reference!(TalentReference, talent);
reference!(LabReference, lab);
reference!(ProgrammeReference, programme);
reference!(SchemeReference, scheme);

/// A reference in a row of a request: which row, at which path of the resource.
#[derive(Debug)]
pub struct Cited<'a, T> {
    /// The place of the row.
    pub row: usize,
    /// The path below the resource, for example `hosts[1].organization`.
    pub path: String,
    /// The reference.
    pub reference: &'a mut T,
}

/// What a reference was found to mean.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Resource name; empty where there is none.
    pub name: String,
    /// Its name today.
    pub display_name: String,
    /// Why there is none: field below the reference, reason, description.
    pub problem: Option<(String, &'static str, String)>,
}

impl Found {
    /// Nothing was found.
    pub fn missing(field: &str, description: impl Into<String>) -> Self {
        Self {
            problem: Some((field.to_owned(), "REFERENCE_NOT_FOUND", description.into())),
            ..Self::default()
        }
    }
}

/// Resolves all references at once (each different one is asked for once), puts them in their stored form, and
/// answers what is wrong with which row.
///
/// # Errors
/// Where the owner of what is named cannot be asked.
pub async fn settle<'a, T, A>(
    cited: Vec<Cited<'a, T>>,
    ask: impl FnOnce(Vec<T>) -> A,
) -> Result<Vec<(usize, Violation)>, Error>
where
    T: Reference,
    A: Future<Output = Result<Vec<Found>, Error>>,
{
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut wanted = Vec::new();
    let mut which = Vec::with_capacity(cited.len());
    for one in &cited {
        let place = *places.entry(one.reference.encode_to_vec()).or_insert_with(|| {
            wanted.push(one.reference.clone());
            wanted.len() - 1
        });
        which.push(place);
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let count = wanted.len();
    let found = ask(wanted).await?;
    if found.len() != count {
        return Err(Error::internal(format!(
            "{count} references were asked for and {} answered",
            found.len()
        )));
    }
    let mut problems = Vec::new();
    for (one, place) in cited.into_iter().zip(which) {
        let Some(found) = found.get(place) else { continue };
        match &found.problem {
            Some((field, reason, description)) => {
                let field = if field.is_empty() {
                    one.path
                } else {
                    format!("{}.{field}", one.path)
                };
                problems.push((
                    one.row,
                    Violation {
                        field,
                        reason,
                        description: description.clone(),
                    },
                ));
            }
            None => one.reference.put(&found.name, &found.display_name),
        }
    }
    Ok(problems)
}
