//! Asking the services that own what a request names: one batch call for all references of a piece of work.

use std::collections::BTreeSet;

pub use mingce_client::{Awards, InProcess, Labs, Talent};
use mingce_orm::model::identifier;
use mingce_orm::{Error, RequestContext};
use mingce_proto::collections;
use mingce_proto::labs::ResolveOrganizationsRequest;
use mingce_proto::labs::resolve_organizations_response::Resolution;
use mingce_proto::registry::row_outcome::Problem;
use mingce_proto::registry::{AssumedRecord, CreatedReference, Identifier, OrganizationReference, TalentReference};
use mingce_proto::talent::ResolveTalentsRequest;

pub use crate::piece::assumed_reference;
use crate::references::ResolvedReference;
use crate::session::{Missing, Session};
use mingce_orm::model::validate::interned;
use mingce_server::StartError;
use mingce_server::call::status::from_status;

/// The labs service at an address.
///
/// # Errors
/// Where the address is none.
pub fn labs(url: &str) -> Result<Labs, StartError> {
    Labs::lazy(url).map_err(|status| StartError::Contract(format!("the labs service at {url}: {}", status.message())))
}

/// The talent service at an address.
///
/// # Errors
/// Where the address is none.
pub fn talent(url: &str) -> Result<Talent, StartError> {
    Talent::lazy(url)
        .map_err(|status| StartError::Contract(format!("the talent service at {url}: {}", status.message())))
}

/// The awards service at an address.
///
/// # Errors
/// Where the address is none.
pub fn awards(url: &str) -> Result<Awards, StartError> {
    Awards::lazy(url)
        .map_err(|status| StartError::Contract(format!("the awards service at {url}: {}", status.message())))
}

/// How many references one call asks for.
const PIECE: usize = 5000;

/// Resolves organizations with the labs service, and lets it make or propose those that are missing where the session wants it.
///
/// # Errors
/// UNAVAILABLE where the labs service cannot be asked.
pub async fn organizations(
    labs: &Labs,
    cx: &RequestContext,
    session: &mut Session,
    references: Vec<OrganizationReference>,
) -> Result<Vec<ResolvedReference>, Error> {
    let mut found = Vec::with_capacity(references.len());
    for piece in references.chunks(PIECE) {
        let named = |r: &OrganizationReference| (r.identifier.clone(), r.display_name.clone());
        let request = ResolveOrganizationsRequest {
            references: piece.to_vec(),
            create_missing: session.missing != Missing::Refused,
            validate_only: session.is_dry() || session.missing == Missing::Proposed,
            source: session.settings.source.clone(),
            run: session.import.run.clone(),
            assumed: assumed(session, collections::ORGANIZATIONS, piece.iter().map(named)),
        };
        let answer = labs
            .resolve_organizations(cx.deadline, request)
            .await
            .map_err(|s| from_status(s, "labs"))?;
        found.extend(answer.resolutions.into_iter().map(organization));
    }
    Ok(found)
}

/// What a resolution of the labs service means.
pub fn organization(resolution: Resolution) -> ResolvedReference {
    let created = resolution.created.then(|| CreatedReference {
        collection: collections::ORGANIZATIONS.to_owned(),
        key: resolution.key,
        display_name: resolution.display_name.clone(),
        name: resolution.name.clone(),
    });
    ResolvedReference {
        created,
        ..means(resolution.name, resolution.display_name, resolution.problem)
    }
}

/// Resolves persons with the talent service.
///
/// # Errors
/// UNAVAILABLE where the talent service cannot be asked.
pub async fn talents(
    talent: &Talent,
    cx: &RequestContext,
    session: &mut Session,
    references: Vec<TalentReference>,
) -> Result<Vec<ResolvedReference>, Error> {
    let mut found = Vec::with_capacity(references.len());
    for piece in references.chunks(PIECE) {
        let named = |r: &TalentReference| (r.identifier.clone(), r.display_name.clone());
        let request = ResolveTalentsRequest {
            references: piece.to_vec(),
            assumed: assumed(session, collections::TALENTS, piece.iter().map(named)),
            validate_only: session.is_dry(),
            importing: session.is_import(),
        };
        let answer = talent
            .resolve_talents(cx.deadline, request)
            .await
            .map_err(|s| from_status(s, "talent"))?;
        found.extend(
            answer
                .resolutions
                .into_iter()
                .map(|r| means(r.name, r.display_name, r.problem)),
        );
    }
    Ok(found)
}

fn means(name: String, display_name: String, problem: Option<Problem>) -> ResolvedReference {
    let problem = problem.unwrap_or_default();
    let reason = (!problem.reason.is_empty()).then(|| interned(&problem.reason));
    ResolvedReference {
        name,
        display_name,
        problem: reason.map(|reason| (problem.field, reason, problem.description)),
        holders: problem.holders,
        created: None,
    }
}

/// The same of something that was found here, as a peer is told it.
pub fn problem(found: &mut ResolvedReference) -> Option<Problem> {
    let (field, reason, description) = found.problem.take()?;
    Some(Problem {
        field,
        reason: reason.to_owned(),
        description,
        holders: std::mem::take(&mut found.holders),
    })
}

/// The assumed records that these references can mean.
fn assumed(
    session: &Session,
    collection: &str,
    named: impl Iterator<Item = (Option<Identifier>, String)>,
) -> Vec<AssumedRecord> {
    if session.settings.assumed.is_empty() {
        return Vec::new();
    }
    let (mut identifiers, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (held, name) in named {
        identifiers.extend(held.map(|i| canonical(&i)));
        if !name.is_empty() {
            names.insert(mingce_orm::text::fold(&name));
        }
    }
    let named = |name: &str| names.contains(&mingce_orm::text::fold(name));
    let wanted = |record: &&AssumedRecord| {
        record.collection == collection
            && (record.identifiers.iter().any(|i| identifiers.contains(&canonical(i)))
                || named(&record.display_name)
                || record.names.iter().any(|name| named(name)))
    };
    session.settings.assumed.iter().filter(wanted).cloned().collect()
}

fn canonical(held: &Identifier) -> (String, String) {
    let value = identifier::canonical(&held.scheme, &held.value).unwrap_or_else(|_| held.value.clone());
    (held.scheme.clone(), value)
}
