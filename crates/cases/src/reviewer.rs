//! What is known of reviewers, asked for together, and whether they are cleared of conflicts with the parties of a case.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mingce_client::{Awards, Labs, Talent as TalentPeer};
use mingce_lifecycle::any::{CaseSummary, of_name};
use mingce_lifecycle::{EvalContext, Parties, review_verbs};
use mingce_orm::{AuditInfo, Class, Error, RequestContext, Result, UnitOfWork, WriteResult};
use mingce_proto::awards::{Award, ListAwardsRequest};
use mingce_proto::collections;
use mingce_proto::labs::ResolveOrganizationsRequest;
use mingce_proto::registry::{
    AssignReviewerRequest, Conflict, HandlingTerms, OrganizationReference, ReviewTerms, TalentReference, View,
};
use mingce_proto::talent::{BatchGetTalentsRequest, ListTalentsRequest, ResolveTalentsRequest, Talent};
use mingce_server::call::status::from_status;
use tonic::{Code, Status};

use crate::CaseRegister;
use crate::conflicts::{conflicts, window};

/// A reviewer and a case, with the conflicts between them.
#[derive(Debug, Clone)]
pub(crate) struct Cleared {
    /// The reviewer as they are known today.
    pub reviewer: TalentReference,
    /// Title of the case.
    pub title: String,
    /// Within so many days the review is due; 0 for no bound.
    pub review_days: i32,
    /// What stands between them.
    pub conflicts: Vec<Conflict>,
}

impl Cleared {
    /// Assigns the reviewer, in an edit.
    pub fn assign(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        stamp: &AuditInfo,
        r: &AssignReviewerRequest,
    ) -> Result<WriteResult> {
        let place = review_verbs::Place {
            panel: &r.panel,
            case_name: &r.case_name,
            case_display_name: &self.title,
            review_days: self.review_days,
        };
        review_verbs::assign(
            work,
            at,
            stamp,
            &place,
            &self.reviewer,
            &self.conflicts,
            &r.override_reason,
        )
    }
}

/// A case that is to be reviewed.
type Reviewed = (Parties, CaseSummary, ReviewTerms, HandlingTerms);

/// What is known of a reviewer. Records that were merged stand here under their survivors.
#[derive(Debug)]
struct Profile {
    reviewer: Talent,
    awards: Vec<Award>,
}

/// What the services know of reviewers, and of those whom cases are about.
#[derive(Debug, Default)]
struct Known {
    profiles: HashMap<String, Profile>,
    persons: Survivors,
    organizations: Survivors,
}

impl Known {
    /// The parties of a case under the names of the records that stand for them.
    fn parties(&self, parties: &Parties) -> Parties {
        let stands = |name: &String, survivors: &Survivors| survivors.get(name).unwrap_or(name).clone();
        Parties {
            persons: parties.persons.iter().map(|one| stands(one, &self.persons)).collect(),
            organizations: parties
                .organizations
                .iter()
                .map(|one| stands(one, &self.organizations))
                .collect(),
        }
    }
}

impl CaseRegister {
    /// For each of these assignments the reviewer with the conflicts that there are.
    ///
    /// # Errors
    /// UNAVAILABLE; FAILED_PRECONDITION, reason `PEER_NOT_CONFIGURED`. What is wrong with one assignment is in its place: NOT_FOUND,
    /// INVALID_ARGUMENT.
    pub(crate) async fn cleared(
        &self,
        cx: &RequestContext,
        requests: &[&AssignReviewerRequest],
    ) -> Result<Vec<Result<Cleared>>> {
        let at = self.at(cx)?;
        let cases = self.reviewed(&at, requests).await?;
        let found = || cases.values().filter_map(|case| case.as_ref().ok());
        let parties: Vec<&Parties> = found().map(|(parties, ..)| parties).collect();
        let reviewers = requests.iter().map(|r| r.reviewer.as_str()).collect();
        let known = self.known(cx, &reviewers, &parties).await?;
        let cleared = requests.iter().map(|r| {
            let case = cases.get(r.case_name.as_str());
            let case = case.ok_or_else(|| Error::internal("a case that was not asked for"))?;
            let (parties, seen, terms, handling) = case.as_ref().map_err(Clone::clone)?;
            let missing = || Error::not_found(collections::TALENTS, &r.reviewer);
            let name = known.persons.get(&r.reviewer).ok_or_else(missing)?;
            let profile = known.profiles.get(name).ok_or_else(missing)?;
            let window = window(&seen.facts.submit_date, terms.employment_months, at.today)?;
            let parties = known.parties(parties);
            let conflicts = conflicts(name, &profile.reviewer, &profile.awards, &parties, window);
            Ok(Cleared {
                reviewer: TalentReference {
                    display_name: profile.reviewer.display_name.clone(),
                    talent: name.clone(),
                    ..TalentReference::default()
                },
                title: seen.display_name.clone(),
                review_days: handling.review_days,
                conflicts,
            })
        });
        Ok(cleared.collect())
    }

    /// The cases of assignments, by their names.
    async fn reviewed(
        &self,
        at: &EvalContext,
        requests: &[&AssignReviewerRequest],
    ) -> Result<BTreeMap<String, Result<Reviewed>>> {
        let names: BTreeSet<&str> = requests.iter().map(|r| r.case_name.as_str()).collect();
        let mut work = self.store.unit_of_work();
        let read = self.store.try_edit(&mut work, |work| {
            let mut read = |name: &str| -> Result<Reviewed> {
                let kind = of_name(&self.kinds, name, "case_name")?;
                let parties = kind.parties(work, name);
                let (seen, terms) = (kind.look(work, name), kind.review_terms(work, at, name));
                Ok((parties?, seen?, terms?, kind.handling(work, at, name)?))
            };
            Ok(names.iter().map(|name| ((*name).to_owned(), read(name))).collect())
        });
        read.await
    }

    /// What the services know of reviewers and of the parties of cases.
    async fn known(&self, cx: &RequestContext, reviewers: &BTreeSet<&str>, parties: &[&Parties]) -> Result<Known> {
        let talent = told(self.peers.talent.as_ref(), "talent", "--talent-url")?;
        let known_awards = told(self.peers.awards.as_ref(), "awards", "--awards-url")?;
        let persons = parties.iter().flat_map(|of| &of.persons).map(String::as_str);
        let persons = same_persons(talent, cx, persons.chain(reviewers.iter().copied())).await?;
        let names: BTreeSet<&str> = reviewers
            .iter()
            .filter_map(|name| persons.get(*name))
            .map(String::as_str)
            .collect();
        let mut profiles: Vec<Talent> = profiles(talent, cx, &names).await?;
        let identities = identities(talent, cx, &names).await?;
        let mut awards = awards_of(known_awards, cx, &identities).await?;
        let contributors = awards.values_mut().flatten().flat_map(|award| &mut award.contributors);
        let mut contributors: Vec<&mut String> = contributors
            .filter_map(|contributor| contributor.talent.as_mut())
            .map(|reference| &mut reference.talent)
            .collect();
        let named = same_persons(talent, cx, contributors.iter().map(|name| name.as_str())).await?;
        for contributor in &mut contributors {
            survive(contributor, &named);
        }
        let mut employers: Vec<&mut String> = profiles
            .iter_mut()
            .flat_map(|reviewer| &mut reviewer.employments)
            .filter_map(|employment| employment.organization.as_mut())
            .map(|reference| &mut reference.organization)
            .collect();
        let organizations = employers.iter().map(|name| name.as_str());
        let theirs = parties.iter().flat_map(|of| &of.organizations).map(String::as_str);
        let organizations = same_organizations(&self.peers.labs, cx, organizations.chain(theirs)).await?;
        for employer in &mut employers {
            survive(employer, &organizations);
        }
        let profiles = profiles.into_iter().map(|reviewer| {
            let awards = awards.remove(&reviewer.name).unwrap_or_default();
            (reviewer.name.clone(), Profile { reviewer, awards })
        });
        Ok(Known {
            profiles: profiles.collect(),
            persons,
            organizations,
        })
    }
}

/// A service that has to be asked. Where this process was not told where it is, that says nothing of a reviewer.
fn told<'a, T>(peer: Option<&'a T>, service: &'static str, flag: &str) -> Result<&'a T> {
    peer.ok_or_else(|| {
        let said = format!(
            "a reviewer is compared with what the service {service} knows, and this server was not told where it is: start it with {flag}"
        );
        Error::new(Class::Precondition, "PEER_NOT_CONFIGURED", said).about("services", service)
    })
}

/// The survivors by the names of those that stand for something.
type Survivors = BTreeMap<String, String>;

fn survive(name: &mut String, survivors: &Survivors) {
    if let Some(survivor) = survivors.get(name.as_str()) {
        name.clone_from(survivor);
    }
}

/// How many references one call asks for.
const PIECE: usize = 5000;

/// The names, each once, without those that are empty.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().collect()
}

async fn same_persons<'a>(
    talent: &TalentPeer,
    cx: &RequestContext,
    names: impl Iterator<Item = &'a str>,
) -> Result<Survivors> {
    let mut found = Survivors::new();
    for piece in distinct(names).chunks(PIECE) {
        let reference = |name: &&str| TalentReference {
            talent: (*name).to_owned(),
            ..TalentReference::default()
        };
        let request = ResolveTalentsRequest {
            references: piece.iter().map(reference).collect(),
            ..ResolveTalentsRequest::default()
        };
        let answer = talent.resolve_talents(cx.deadline, request).await;
        let answer = answer.map_err(|status| from_status(status, "talent"))?;
        let names = answer.resolutions.into_iter().map(|resolution| resolution.name);
        found.extend(known(piece, names));
    }
    Ok(found)
}

async fn same_organizations<'a>(
    labs: &Labs,
    cx: &RequestContext,
    names: impl Iterator<Item = &'a str>,
) -> Result<Survivors> {
    let mut found = Survivors::new();
    for piece in distinct(names).chunks(PIECE) {
        let reference = |name: &&str| OrganizationReference {
            organization: (*name).to_owned(),
            ..OrganizationReference::default()
        };
        let request = ResolveOrganizationsRequest {
            references: piece.iter().map(reference).collect(),
            ..ResolveOrganizationsRequest::default()
        };
        let answer = labs.resolve_organizations(cx.deadline, request).await;
        let answer = answer.map_err(|status| from_status(status, "labs"))?;
        let names = answer.resolutions.into_iter().map(|resolution| resolution.name);
        found.extend(known(piece, names));
    }
    Ok(found)
}

/// Those of the names that stand for something, each with what it stands for.
fn known<'a>(
    asked: &'a [&str],
    found: impl Iterator<Item = String> + 'a,
) -> impl Iterator<Item = (String, String)> + 'a {
    let both = asked.iter().map(|name| (*name).to_owned()).zip(found);
    both.filter(|(_, survivor)| !survivor.is_empty())
}

/// How many resource names one filter asks for.
const IN_FILTER: usize = 50;

/// How many persons one call gets. Whole records of more can be too large for an answer.
const WHOLE: usize = 50;

/// The persons with these names. One that is not there is left out.
async fn profiles(talent: &TalentPeer, cx: &RequestContext, names: &BTreeSet<&str>) -> Result<Vec<Talent>> {
    let names: Vec<&str> = names.iter().copied().collect();
    let mut found = Vec::with_capacity(names.len());
    for piece in names.chunks(WHOLE) {
        match get(talent, cx, piece).await {
            Ok(talents) => found.extend(talents),
            // One by one those are found that are there and fit into an answer.
            Err(status) if matches!(status.code(), Code::NotFound | Code::ResourceExhausted) && piece.len() > 1 => {
                for name in piece {
                    match get(talent, cx, &[*name]).await {
                        Err(status) if status.code() == Code::NotFound => {}
                        one => found.extend(one.map_err(|status| from_status(status, "talent"))?),
                    }
                }
            }
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => return Err(from_status(status, "talent")),
        }
    }
    Ok(found)
}

async fn get(talent: &TalentPeer, cx: &RequestContext, names: &[&str]) -> Result<Vec<Talent>, Status> {
    let request = BatchGetTalentsRequest {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        view: View::Full as i32,
    };
    Ok(talent.batch_get_talents(cx.deadline, request).await?.talents)
}

/// The names of persons, and those of the records that were merged into them: each with the person that it stands for.
async fn identities(
    talent: &TalentPeer,
    cx: &RequestContext,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>> {
    let mut all: BTreeMap<String, String> = names
        .iter()
        .map(|name| ((*name).to_owned(), (*name).to_owned()))
        .collect();
    let mut asked: Vec<String> = all.keys().cloned().collect();
    while !asked.is_empty() {
        let mut next = Vec::new();
        for piece in asked.chunks(IN_FILTER) {
            let filter = format!("record_status = DUPLICATE AND ({})", any_of("survivor", piece));
            let mut page_token = String::new();
            loop {
                let request = ListTalentsRequest {
                    page_size: 1000,
                    page_token,
                    filter: filter.clone(),
                    ..ListTalentsRequest::default()
                };
                let page = talent.list_talents(cx.deadline, request).await;
                let page = page.map_err(|status| from_status(status, "talent"))?;
                for duplicate in page.talents {
                    let Some(person) = all.get(&duplicate.survivor).cloned() else {
                        continue;
                    };
                    if all.insert(duplicate.name.clone(), person).is_none() {
                        next.push(duplicate.name);
                    }
                }
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
        asked = next;
    }
    Ok(all)
}

/// The awards that name persons by one of their names, by person.
async fn awards_of(
    awards: &Awards,
    cx: &RequestContext,
    identities: &BTreeMap<String, String>,
) -> Result<HashMap<String, Vec<Award>>> {
    let mut all: HashMap<String, Vec<Award>> = HashMap::new();
    let names: Vec<String> = identities.keys().cloned().collect();
    for piece in names.chunks(IN_FILTER) {
        let filter = any_of("contributors", piece);
        let mut page_token = String::new();
        loop {
            let request = ListAwardsRequest {
                page_size: 1000,
                page_token,
                filter: filter.clone(),
                ..ListAwardsRequest::default()
            };
            let page = awards.list_awards(cx.deadline, request).await;
            let page = page.map_err(|status| from_status(status, "awards"))?;
            for award in page.awards {
                let named = award.contributors.iter().filter_map(|one| one.talent.as_ref());
                let theirs: BTreeSet<&String> = named.filter_map(|person| identities.get(&person.talent)).collect();
                for person in theirs {
                    let of = all.entry(person.clone()).or_default();
                    // A filter finds all names of a person: an award can come with more than one piece.
                    if of.iter().all(|known| known.name != award.name) {
                        of.push(award.clone());
                    }
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    Ok(all)
}

/// A filter for those that have one of these names in a field.
fn any_of(field: &str, names: &[String]) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("{field} = \"{name}\"")).collect();
    all.join(" OR ")
}
