//! What resources are called, beside their resource names in statistics; also those that other services keep.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use mingce_client::{Labs, Talent};
use mingce_orm::id::Name;
use mingce_orm::query::statistics::MOST_TEXT;
use mingce_orm::{RequestContext, Result};
use mingce_proto::collections;
use mingce_proto::labs::ResolveOrganizationsRequest;
use mingce_proto::registry::{ComputeStatisticsResponse, OrganizationReference, TalentReference};
use mingce_proto::talent::ResolveTalentsRequest;

/// How many references one call asks for.
const PIECE: usize = 5000;

/// Figures do not wait longer for names that another service keeps.
const PATIENCE: Duration = Duration::from_secs(2);

/// The resources that the values of groups name, each once.
fn names(counted: &ComputeStatisticsResponse) -> Vec<String> {
    let values = counted.groups.iter().flat_map(|group| &group.values);
    let names: BTreeSet<&String> = values.filter(|value| Name::parse(value).is_some()).collect();
    names.into_iter().cloned().collect()
}

/// Figures with what the resources are called that their groups name, as `titles` finds it.
///
/// # Errors
/// Those of the count and of `titles`.
pub async fn entitled(
    counted: Result<ComputeStatisticsResponse>,
    titles: impl AsyncFnOnce(&[String]) -> Result<HashMap<String, String>>,
) -> Result<ComputeStatisticsResponse> {
    let mut counted = counted?;
    let names = names(&counted);
    if !names.is_empty() {
        entitle(&mut counted, &titles(&names).await?);
    }
    Ok(counted)
}

/// Puts what resources are called beside the groups whose values name them.
fn entitle(counted: &mut ComputeStatisticsResponse, titles: &HashMap<String, String>) {
    let title = |value: &String| titles.get(value).cloned().unwrap_or_default();
    let mut length = 0;
    for group in &mut counted.groups {
        group.display_names = group.values.iter().map(title).collect();
        length += group.display_names.iter().map(String::len).sum::<usize>();
    }
    if length > MOST_TEXT {
        counted.groups.iter_mut().for_each(|group| group.display_names.clear());
    }
}

fn until(cx: &RequestContext) -> Option<Instant> {
    let patience = Instant::now() + PATIENCE;
    Some(cx.deadline.map_or(patience, |deadline| deadline.min(patience)))
}

fn of(collection: &str, names: &[String]) -> Vec<String> {
    let of =
        |name: &&String| Name::parse(name).is_some_and(|name| name.parent.is_none() && name.collection == collection);
    names.iter().filter(of).cloned().collect()
}

/// What organizations are called, by the labs service. Nothing where it is away.
pub async fn organizations(labs: &Labs, cx: &RequestContext, names: &[String]) -> HashMap<String, String> {
    let mut titles = HashMap::new();
    for piece in of(collections::ORGANIZATIONS, names).chunks(PIECE) {
        let reference = |name: &String| OrganizationReference {
            organization: name.clone(),
            ..OrganizationReference::default()
        };
        let request = ResolveOrganizationsRequest {
            references: piece.iter().map(reference).collect(),
            ..ResolveOrganizationsRequest::default()
        };
        match labs.resolve_organizations(until(cx), request).await {
            Ok(answer) => {
                let names = answer.resolutions.into_iter().map(|found| found.display_name);
                titles.extend(piece.iter().cloned().zip(names));
            }
            Err(status) => {
                tracing::warn!(code = ?status.code(), "figures have no names of organizations");
                break;
            }
        }
    }
    titles
}

/// What persons are called, by the talent service. Nothing where it is away.
pub async fn talents(talent: &Talent, cx: &RequestContext, names: &[String]) -> HashMap<String, String> {
    let mut titles = HashMap::new();
    for piece in of(collections::TALENTS, names).chunks(PIECE) {
        let reference = |name: &String| TalentReference {
            talent: name.clone(),
            ..TalentReference::default()
        };
        let request = ResolveTalentsRequest {
            references: piece.iter().map(reference).collect(),
            ..ResolveTalentsRequest::default()
        };
        match talent.resolve_talents(until(cx), request).await {
            Ok(answer) => {
                let names = answer.resolutions.into_iter().map(|found| found.display_name);
                titles.extend(piece.iter().cloned().zip(names));
            }
            Err(status) => {
                tracing::warn!(code = ?status.code(), "figures have no names of persons");
                break;
            }
        }
    }
    titles
}
