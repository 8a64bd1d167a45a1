//! Which organization or lab is meant: by resource name, else identifier, else name or former name narrowed by city.

use mingce_orm::names::identifiers_differ;
use mingce_orm::resource::imagined_id;
use mingce_orm::work::head_of;
use mingce_orm::{Answer, Collection, Cx, Fit, Key, Result, Stamp, Violation, Work, identifier, text};
use mingce_proto::labs::resolve_organizations_response::Resolution;
use mingce_proto::labs::{Lab, Organization};
use mingce_proto::registry::row_outcome::Problem;
use mingce_proto::registry::{AssumedRecord, Identifier, Name, OrganizationReference, RecordStatus};
use mingce_server::rows::add_missing;

use crate::lab::Labs;
use crate::organization::Organizations;

/// How organizations are resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolving {
    /// Makes what is not found and has a name.
    pub create_missing: bool,
    /// Where the names come from, for the ledger.
    pub source: String,
    /// Nothing will be written: what is made has an id that follows from its key.
    pub dry: bool,
}

/// Resolves all references. What cannot be resolved says so in its answer.
pub(crate) fn organizations(
    work: &mut Work,
    cx: &Cx,
    references: &[OrganizationReference],
    how: &Resolving,
) -> Result<Vec<Resolution>> {
    let mut resolutions = Vec::with_capacity(references.len());
    let mut failed = None;
    for reference in references {
        match organization(work, cx, reference, how) {
            Ok(resolution) => resolutions.push(resolution),
            // Goes on, so that all that has to be loaded is asked for at once.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(resolutions), Err)
}

fn organization(work: &mut Work, cx: &Cx, wanted: &OrganizationReference, how: &Resolving) -> Result<Resolution> {
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
                format!("{} does not exist or was annulled", wanted.organization),
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
            "no organization has this identifier, and no name is given to make one"
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
        let said = format!(
            "{} organizations have this name: give an identifier, or a city that tells them apart",
            found.len()
        );
        return Ok(problem("display_name", "REFERENCE_AMBIGUOUS", said));
    }
    if !how.create_missing {
        return Ok(problem(
            "display_name",
            "REFERENCE_NOT_FOUND",
            "no organization has this name",
        ));
    }
    let key = key_of(&meant);
    let stamp = Stamp {
        verb: "import",
        reason: how.source.clone(),
        ..Stamp::default()
    };
    let meant = match settled(&meant) {
        Ok(meant) => meant,
        Err(wrong) => return Ok(problem("display_name", wrong.reason, wrong.description)),
    };
    let answer = if how.dry {
        work.create_as::<Organizations>(cx, &stamp, &meant, imagined_id(&key))?
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
fn candidates(work: &mut Work, meant: &Organization) -> Result<Vec<Organization>> {
    let mut found: Vec<(Fit, Organization)> = Vec::new();
    // A reference says less than a row: a name of old may serve it, also beside an identifier that nobody has.
    let by_name = Organization {
        identifiers: Vec::new(),
        ..meant.clone()
    };
    for id in work.named::<Organizations>(&meant.display_name)? {
        let Some(candidate) = work.survivor::<Organizations>(&id)? else {
            continue;
        };
        let active = head_of(&candidate)?.record_status() == RecordStatus::Active;
        if !active || identifiers_differ(&meant.identifiers, &candidate.identifiers) {
            continue;
        }
        let fit = Organizations::is_same(work, &by_name, &candidate)?;
        if fit != Fit::No && !found.iter().any(|(_, known)| *known == candidate) {
            found.push((fit, candidate));
        }
    }
    // The name that one bears now comes before those that others bore.
    let best = found.iter().map(|(fit, _)| *fit).max();
    let mut found: Vec<Organization> = found
        .into_iter()
        .filter(|(fit, _)| Some(*fit) == best)
        .map(|(_, o)| o)
        .collect();
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
    match Organizations::settle(&mut organization).into_iter().next() {
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
        name: head_of(found)?.name,
        display_name: found.display_name.clone(),
        ..Resolution::default()
    })
}

fn problem(field: &str, reason: &str, description: impl Into<String>) -> Resolution {
    let problem = Problem {
        field: field.to_owned(),
        reason: reason.to_owned(),
        description: description.into(),
    };
    Resolution {
        problem: Some(problem),
        ..Resolution::default()
    }
}

/// Puts what an earlier part of a dry run would have created in the place of the record.
pub(crate) fn assume(work: &mut Work, cx: &Cx, record: &AssumedRecord) -> Result<Option<Answer>> {
    let identifiers = record.identifiers.clone();
    let names: Vec<Name> = record
        .names
        .iter()
        .map(|text| Name {
            text: text.clone(),
            ..Name::default()
        })
        .collect();
    let stamp = Stamp::new("import");
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
            work.create_as::<Organizations>(cx, &stamp, &assumed, imagined_id(&key_of(&assumed)))
                .map(Some)
        }
        Labs::COLLECTION => {
            let display_name = record.display_name.clone();
            let mut assumed = Lab {
                display_name,
                identifiers,
                names,
                ..Lab::default()
            };
            if Labs::settle(&mut assumed).is_empty() {
                for held in &assumed.identifiers {
                    let key = Key::identifier(&held.scheme, &held.value, "identifiers");
                    if let Some(mut found) = work.find::<Labs>("", Some(&key))? {
                        add_missing(&mut found.identifiers, &assumed.identifiers);
                        add_missing(&mut found.names, &assumed.names);
                        return work.update::<Labs>(cx, &stamp, &found).map(Some);
                    }
                }
                let key = format!("lab|{}|{:?}", assumed.display_name, assumed.identifiers);
                return work
                    .create_as::<Labs>(cx, &stamp, &assumed, imagined_id(&key))
                    .map(Some);
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}
