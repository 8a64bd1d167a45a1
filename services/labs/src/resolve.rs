//! Which organization or lab is meant: by resource name, else identifier, else name or former name narrowed by city.

use std::collections::HashMap;

use mingce_ingest::lookup::ambiguous;
use mingce_ingest::session::add_missing;
use mingce_orm::model::identifier;
use mingce_orm::model::normalize::identifiers_differ;
use mingce_orm::model::resource::name_based_id;
use mingce_orm::write::matching::called;
use mingce_orm::{AuditInfo, Collection, Fit, Key, RequestContext, Result, UnitOfWork, Violation, WriteResult, text};
use mingce_proto::Headed;
use mingce_proto::labs::resolve_organizations_response::Resolution;
use mingce_proto::labs::{Lab, Organization};
use mingce_proto::registry::row_outcome::Problem;
use mingce_proto::registry::{AssumedRecord, Identifier, Name, OrganizationReference};

use crate::lab::Labs;
use crate::organization::Organizations;

/// How organizations are resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolving {
    /// Makes what is not found and has a name.
    pub create_missing: bool,
    /// Where the names come from, for the ledger.
    pub source: String,
    /// The run of the import that names them; empty for none.
    pub run: String,
    /// The id of that import in this database, once something is made.
    pub import: String,
    /// Nothing will be written: what would be made has an id that follows from its key.
    pub dry: bool,
}

/// What would tell organizations of one name apart.
const HELPS: [&str; 2] = [
    "give an identifier, or a city that tells them apart; those that are one are merged with `mingce merge`",
    "请补充标识或城市；若是重复记录，请用 mingce merge 合并",
];

/// An organization among several of one name.
fn told(organization: &Organization) -> String {
    named_at(&organization.display_name, &organization.city, &organization.name)
}

/// A record among several of one name: its name, its city where that is known, its resource name.
pub(crate) fn named_at(display_name: &str, city: &str, name: &str) -> String {
    if city.is_empty() {
        format!("{display_name} ({name})")
    } else {
        format!("{display_name} ({city}, {name})")
    }
}

/// Resolves all references. What cannot be resolved says so in its answer.
pub(crate) fn organizations(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    references: &[OrganizationReference],
    how: &Resolving,
) -> Result<Vec<Resolution>> {
    let mut resolutions = Vec::with_capacity(references.len());
    let mut failed = None;
    let mut made: HashMap<String, String> = HashMap::new();
    for reference in references {
        match organization(work, cx, reference, how) {
            Ok(mut resolution) => {
                // What an earlier one makes is made for this one too.
                if resolution.created {
                    made.insert(resolution.name.clone(), resolution.key.clone());
                } else if let Some(key) = made.get(&resolution.name) {
                    (resolution.created, resolution.key) = (true, key.clone());
                }
                resolutions.push(resolution);
            }
            // Goes on, so that all that has to be loaded is asked for at once.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(resolutions), Err)
}

fn organization(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    wanted: &OrganizationReference,
    how: &Resolving,
) -> Result<Resolution> {
    if !wanted.organization.is_empty() {
        if let Some(found) = work.find::<Organizations>(&wanted.organization, None)? {
            return resolution(&found);
        }
        // Records are never deleted: a name that is not there is of another register, whose export says the organization's name too.
        let id = Organizations::shape().kind.id(&wanted.organization);
        let is_foreign = match id {
            Some(id) => work.get::<Organizations>(id)?.is_none(),
            None => false,
        };
        if !(is_foreign && how.create_missing && !wanted.display_name.trim().is_empty()) {
            return Ok(problem(
                "organization",
                "REFERENCE_NOT_FOUND",
                format!("{} does not exist or was annulled: name another", wanted.organization),
            ));
        }
    }
    let mut held = None;
    if let Some(given) = &wanted.identifier {
        let value = match identifier::canonical(&given.scheme, &given.value) {
            Ok(value) => value,
            Err(fault) => return Ok(problem("identifier", fault.reason, fault.description)),
        };
        let key = Key::identifier(&given.scheme, &value, "identifier");
        if let Some(found) = work.find::<Organizations>("", Some(&key))? {
            return resolution(&found);
        }
        held = Some(Identifier {
            scheme: given.scheme.clone(),
            value,
        });
    }
    let name = wanted.display_name.trim();
    if name.is_empty() {
        let said = if held.is_some() {
            "no organization has this identifier, and no name is given to make one: correct it, or give the name too"
        } else {
            "give a resource name, an identifier or a name"
        };
        return Ok(problem(
            if held.is_some() { "identifier" } else { "" },
            "REFERENCE_NOT_FOUND",
            said,
        ));
    }
    let meant = Organization {
        display_name: name.to_owned(),
        city: wanted.city.clone(),
        identifiers: held.iter().cloned().collect(),
        unverified: true,
        ..Organization::default()
    };
    let found = candidates(work, &meant)?;
    if let [found] = found.as_slice() {
        return resolution(found);
    }
    if !found.is_empty() {
        let (said, holders) = ambiguous::<Organizations>(&found, told, HELPS)?;
        let mut unclear = problem("display_name", "REFERENCE_AMBIGUOUS", said);
        unclear.problem.get_or_insert_default().holders = holders;
        return Ok(unclear);
    }
    if !how.create_missing {
        return Ok(problem(
            "display_name",
            "REFERENCE_NOT_FOUND",
            "no organization has this name: correct it, or make the organization first",
        ));
    }
    let key = key_of(&meant);
    let stamp = AuditInfo {
        verb: "import",
        reason: how.source.clone(),
        import: how.import.clone(),
        ..AuditInfo::default()
    };
    let meant = match settled(&meant) {
        Ok(meant) => meant,
        Err(wrong) => return Ok(problem("display_name", wrong.reason, wrong.description)),
    };
    let answer = if how.dry {
        work.create_as::<Organizations>(cx, &stamp, &meant, name_based_id(&key))?
    } else {
        work.create::<Organizations>(cx, &stamp, &meant)?
    };
    let made = Resolution {
        created: true,
        key,
        name: answer.name,
        display_name: meant.display_name,
        problem: None,
    };
    Ok(made)
}

/// Active organizations that a name means.
fn candidates(work: &mut UnitOfWork, meant: &Organization) -> Result<Vec<Organization>> {
    // A reference says less than a row: a name of old may serve it, also beside an identifier that nobody has.
    let by_name = Organization {
        identifiers: Vec::new(),
        ..meant.clone()
    };
    let mut found = called::<Organizations>(work, &meant.display_name, |work, candidate| {
        if identifiers_differ(&meant.identifiers, &candidate.identifiers) {
            return Ok(Fit::No);
        }
        Organizations::is_same(work, &by_name, candidate)
    })?;
    // Where a city is given, one that is known to be there comes before those of which no city is known.
    if !meant.city.is_empty() {
        let there = |o: &Organization| text::spelled(&o.city) == text::spelled(&meant.city);
        if found.iter().any(there) {
            found.retain(there);
        }
    }
    Ok(found)
}

fn settled(organization: &Organization) -> Result<Organization, Violation> {
    let mut organization = organization.clone();
    match Organizations::normalize(&mut organization).into_iter().next() {
        Some(wrong) => Err(wrong),
        None => Ok(organization),
    }
}

/// Tells apart what one run makes: the same in a dry run and in the run itself.
fn key_of(organization: &Organization) -> String {
    match organization.identifiers.first() {
        Some(held) => format!("{}:{}", held.scheme, held.value),
        None => format!(
            "{}|{}",
            text::spelled(&organization.display_name),
            text::spelled(&organization.city)
        ),
    }
}

fn resolution(found: &Organization) -> Result<Resolution> {
    Ok(Resolution {
        name: found.head().name.to_owned(),
        display_name: found.display_name.clone(),
        ..Resolution::default()
    })
}

fn problem(field: &str, reason: &str, description: impl Into<String>) -> Resolution {
    let problem = Problem {
        field: field.to_owned(),
        reason: reason.to_owned(),
        description: description.into(),
        holders: Vec::new(),
    };
    Resolution {
        problem: Some(problem),
        ..Resolution::default()
    }
}

/// Puts what an earlier part of a dry run would have created in the place of the record.
pub(crate) fn assume(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    record: &AssumedRecord,
) -> Result<Option<WriteResult>> {
    let identifiers = record.identifiers.clone();
    let names: Vec<Name> = record
        .names
        .iter()
        .map(|text| Name {
            text: text.clone(),
            ..Name::default()
        })
        .collect();
    let stamp = AuditInfo::new("import");
    match record.collection.as_str() {
        Organizations::COLLECTION => {
            let assumed = Organization {
                display_name: record.display_name.clone(),
                city: record.city.clone(),
                unverified: identifiers.is_empty(),
                identifiers,
                names,
                ..Organization::default()
            };
            let Ok(assumed) = settled(&assumed) else {
                return Ok(None);
            };
            // A row that changes an organization may give further identifiers and names, by which later rows name it.
            for held in &assumed.identifiers {
                let key = Key::identifier(&held.scheme, &held.value, "identifiers");
                if let Some(mut found) = work.find::<Organizations>("", Some(&key))? {
                    add_missing(&mut found.identifiers, &assumed.identifiers);
                    add_missing(&mut found.names, &assumed.names);
                    return work.update::<Organizations>(cx, &stamp, &found).map(Some);
                }
            }
            work.create_as::<Organizations>(cx, &stamp, &assumed, name_based_id(&key_of(&assumed)))
                .map(Some)
        }
        Labs::COLLECTION => {
            let display_name = record.display_name.clone();
            let mut assumed = Lab {
                display_name,
                identifiers,
                names,
                city: record.city.clone(),
                ..Lab::default()
            };
            if Labs::normalize(&mut assumed).is_empty() {
                for held in &assumed.identifiers {
                    let key = Key::identifier(&held.scheme, &held.value, "identifiers");
                    if let Some(mut found) = work.find::<Labs>("", Some(&key))? {
                        add_missing(&mut found.identifiers, &assumed.identifiers);
                        add_missing(&mut found.names, &assumed.names);
                        return work.update::<Labs>(cx, &stamp, &found).map(Some);
                    }
                }
                let key = format!(
                    "lab|{}|{}|{:?}",
                    assumed.display_name, assumed.city, assumed.identifiers
                );
                return work
                    .create_as::<Labs>(cx, &stamp, &assumed, name_based_id(&key))
                    .map(Some);
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}
