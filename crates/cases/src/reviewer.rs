//! Whether a reviewer is cleared of conflicts with the parties of a case. What is not known is not clear.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use mingce_client::{Awards, Labs, Talent as TalentPeer};
use mingce_lifecycle::any::of_name;
use mingce_lifecycle::{Parties, day, panel};
use mingce_orm::{Call, Class, Cx, Edit, Error, Result};
use mingce_proto::awards::{Award, ListAwardsRequest};
use mingce_proto::codec::Reply;
use mingce_proto::collections;
use mingce_proto::labs::ResolveOrganizationsRequest;
use mingce_proto::registry::{
    AssignReviewerRequest, Conflict, ConflictKind, OrganizationReference, Review, TalentReference, View,
};
use mingce_proto::talent::{BatchGetTalentsRequest, Employment, ListTalentsRequest, ResolveTalentsRequest, Talent};
use mingce_server::status::from_status;
use tonic::Code;

use crate::CaseRegister;

/// The days in which working in the same organization is a conflict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub from: Date,
    pub to: Date,
}

/// What is known of a reviewer, and whom the case is about. Records that were merged stand here under their survivors.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Resource name of the reviewer.
    pub name: String,
    /// The reviewer.
    pub reviewer: Talent,
    /// Their awards.
    pub awards: Vec<Award>,
    /// Whom the case is about.
    pub parties: Parties,
}

impl CaseRegister {
    /// Assigns a reviewer who is cleared, or with the reason why a conflict does not matter.
    ///
    /// # Errors
    /// As the contract says.
    pub(crate) async fn assign(&self, cx: &Cx, call: Call, r: AssignReviewerRequest) -> Result<Reply<Review>> {
        // What was done is answered without the peers, which may be away meanwhile.
        if !call.is_dry()
            && let Some(done) = self.store.answered::<panel::Reviews>(cx, &call).await?
        {
            return Ok(done);
        }
        let kind = of_name(&self.kinds, &r.case_name, "case_name")?;
        let at = self.at(cx)?;
        let (parties, seen, terms) = self
            .store
            .rehearse(&mut self.store.rehearsal(), |work| {
                let name = &r.case_name;
                Ok((
                    kind.parties(work, name)?,
                    kind.look(work, name)?,
                    kind.review_terms(work, &at, name)?,
                ))
            })
            .await?;
        let known = self.profile(cx, &r.reviewer, parties).await?;
        let window = window(&seen.facts.submit_date, terms.employment_months, at.today)?;
        let found = conflicts(&known.name, &known.reviewer, &known.awards, &known.parties, window);
        let reference = TalentReference {
            display_name: known.reviewer.display_name,
            talent: known.name,
            ..TalentReference::default()
        };
        let title = seen.display_name;
        let stamp = call.stamp("assign", &r.override_reason);
        let edit: Edit = Box::new(move |work| {
            let place = (r.panel.as_str(), r.case_name.as_str(), title.as_str());
            panel::assign(work, &at, &stamp, place, &reference, &found, &r.override_reason)
        });
        self.store.change::<panel::Reviews>(cx, call, edit).await
    }

    /// What is known of a reviewer of a case.
    ///
    /// # Errors
    /// NOT_FOUND; UNAVAILABLE; FAILED_PRECONDITION, reason `PEER_NOT_CONFIGURED`.
    pub(crate) async fn profile(&self, cx: &Cx, name: &str, mut parties: Parties) -> Result<Profile> {
        let talent = told(self.peers.talent.as_ref(), "talent", "--talent-url")?;
        let known_awards = told(self.peers.awards.as_ref(), "awards", "--awards-url")?;
        let persons = same_persons(talent, cx, parties.persons.iter().map(String::as_str).chain([name])).await?;
        let name = persons
            .get(name)
            .ok_or_else(|| Error::not_found(collections::TALENTS, name))?;
        let mut reviewer = person(talent, cx, name).await?;
        let mut awards = awards_of(known_awards, cx, &identities(talent, cx, name).await?).await?;
        let contributors = awards.iter_mut().flat_map(|award| &mut award.contributors);
        let mut contributors: Vec<&mut String> = contributors
            .filter_map(|contributor| contributor.talent.as_mut())
            .map(|reference| &mut reference.talent)
            .collect();
        let named = same_persons(talent, cx, contributors.iter().map(|name| name.as_str())).await?;
        for contributor in &mut contributors {
            survive(contributor, &named);
        }
        let mut employers: Vec<&mut String> = reviewer
            .employments
            .iter_mut()
            .filter_map(|employment| employment.organization.as_mut())
            .map(|reference| &mut reference.organization)
            .collect();
        let organizations = employers.iter().map(|name| name.as_str());
        let organizations = organizations.chain(parties.organizations.iter().map(String::as_str));
        let organizations = same_organizations(&self.peers.labs, cx, organizations).await?;
        for employer in &mut employers {
            survive(employer, &organizations);
        }
        parties.persons = parties.persons.into_iter().map(|one| survivor(one, &persons)).collect();
        parties.organizations = parties
            .organizations
            .into_iter()
            .map(|one| survivor(one, &organizations))
            .collect();
        Ok(Profile {
            name: name.clone(),
            reviewer,
            awards,
            parties,
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

/// One that nothing is known of stands for itself.
fn survivor(mut name: String, survivors: &Survivors) -> String {
    survive(&mut name, survivors);
    name
}

/// How many references one call asks for.
const PIECE: usize = 5000;

/// The names, each once, without those that are empty.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().collect()
}

async fn same_persons<'a>(talent: &TalentPeer, cx: &Cx, names: impl Iterator<Item = &'a str>) -> Result<Survivors> {
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

async fn same_organizations<'a>(labs: &Labs, cx: &Cx, names: impl Iterator<Item = &'a str>) -> Result<Survivors> {
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

async fn person(talent: &TalentPeer, cx: &Cx, name: &str) -> Result<Talent> {
    let request = BatchGetTalentsRequest {
        names: vec![name.to_owned()],
        view: View::Full as i32,
    };
    let found = talent.batch_get_talents(cx.deadline, request).await;
    let mut found = found.map_err(|status| match status.code() {
        Code::NotFound => Error::not_found(collections::TALENTS, name),
        _ => from_status(status, "talent"),
    })?;
    found
        .talents
        .pop()
        .ok_or_else(|| Error::not_found(collections::TALENTS, name))
}

/// The name of a person, and those of the records that were merged into it.
async fn identities(talent: &TalentPeer, cx: &Cx, name: &str) -> Result<Vec<String>> {
    let mut all = vec![name.to_owned()];
    let mut place = 0;
    while let Some(survivor) = all.get(place) {
        let request = ListTalentsRequest {
            page_size: 1000,
            filter: format!("survivor = \"{survivor}\" AND record_status = DUPLICATE"),
            ..ListTalentsRequest::default()
        };
        let page = talent.list_talents(cx.deadline, request).await;
        let page = page.map_err(|status| from_status(status, "talent"))?;
        for duplicate in page.talents {
            if !all.contains(&duplicate.name) {
                all.push(duplicate.name);
            }
        }
        place += 1;
    }
    Ok(all)
}

/// The awards that name a person by one of these names.
async fn awards_of(awards: &Awards, cx: &Cx, names: &[String]) -> Result<Vec<Award>> {
    let mut all = Vec::new();
    for name in names {
        let mut page_token = String::new();
        loop {
            let request = ListAwardsRequest {
                page_size: 1000,
                page_token,
                filter: format!("contributors = \"{name}\""),
                ..ListAwardsRequest::default()
            };
            let page = awards.list_awards(cx.deadline, request).await;
            let page = page.map_err(|status| from_status(status, "awards"))?;
            all.extend(page.awards);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    Ok(all)
}

/// Every conflict of a reviewer with the parties of a case.
pub(crate) fn conflicts(
    name: &str,
    reviewer: &Talent,
    awards: &[Award],
    parties: &Parties,
    window: Window,
) -> Vec<Conflict> {
    // Each once, with the name of its subject as the first that tells of it has it.
    let mut found: BTreeMap<(i32, &str), &str> = BTreeMap::new();
    let own = reviewer.display_name.as_str();
    if parties.persons.contains(name) {
        found.insert((ConflictKind::Party as i32, name), own);
    }
    let employments = &reviewer.employments;
    if employments.is_empty() {
        found.insert((ConflictKind::ProfileMissing as i32, name), own);
    }
    for employment in employments.iter().filter(|employment| overlaps(employment, window)) {
        let Some(organization) = &employment.organization else {
            continue;
        };
        if parties.organizations.contains(&organization.organization) {
            let conflict = (
                ConflictKind::SameOrganization as i32,
                organization.organization.as_str(),
            );
            found.entry(conflict).or_insert(&organization.display_name);
        }
    }
    for award in awards {
        let with_a_party = award.contributors.iter().any(|contributor| {
            let person = contributor.talent.as_ref().map_or("", |t| t.talent.as_str());
            person != name && parties.persons.contains(person)
        });
        if with_a_party {
            found.insert((ConflictKind::CoContributor as i32, &award.name), &award.title);
        }
    }
    found
        .into_iter()
        .map(|((kind, subject), display_name)| Conflict {
            kind,
            subject: subject.to_owned(),
            display_name: display_name.to_owned(),
        })
        .collect()
}

/// Whether an employment falls into a window. A year or month stands for all of its days, an unknown day for any.
fn overlaps(employment: &Employment, window: Window) -> bool {
    let begins = employment.start_date.as_str();
    let ends = employment.end_date.as_str();
    let (from, to) = (window.from.to_string(), window.to.to_string());
    let not_after = begins.is_empty() || begins.get(..) <= to.get(..begins.len().min(to.len()));
    let not_before = ends.is_empty() || ends.get(..) >= from.get(..ends.len().min(from.len()));
    not_after && not_before
}

/// The window of a case: so many months before it was submitted, until today.
///
/// # Errors
/// Beyond the years that there are.
pub(crate) fn window(submit_date: &str, months: i32, today: Date) -> Result<Window> {
    let submitted = day::parse(submit_date)?.unwrap_or(today);
    Ok(Window {
        from: day::months_after(submitted, -months)?,
        to: today,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use mingce_proto::awards::Contributor;

    const WINDOW: Window = Window {
        from: date(2022, 3, 1),
        to: date(2024, 6, 30),
    };

    fn employment(organization: &str, start_date: &str, end_date: &str) -> Employment {
        Employment {
            organization: Some(OrganizationReference {
                organization: organization.to_owned(),
                ..OrganizationReference::default()
            }),
            start_date: start_date.to_owned(),
            end_date: end_date.to_owned(),
            ..Employment::default()
        }
    }

    fn reviewer(employments: Vec<Employment>) -> Talent {
        Talent {
            employments,
            ..Talent::default()
        }
    }

    fn parties() -> Parties {
        let mut parties = Parties::default();
        parties.organizations.insert("organizations/a".to_owned());
        parties.persons.insert("talents/p".to_owned());
        parties
    }

    fn kinds(found: &[Conflict]) -> Vec<ConflictKind> {
        found.iter().map(Conflict::kind).collect()
    }

    #[test]
    fn a_missing_profile_is_unknown_and_not_clear() {
        let no_employments = conflicts("talents/r", &reviewer(vec![]), &[], &parties(), WINDOW);
        assert_eq!(kinds(&no_employments), [ConflictKind::ProfileMissing]);
        let known = reviewer(vec![employment("organizations/b", "", "")]);
        assert!(conflicts("talents/r", &known, &[], &parties(), WINDOW).is_empty());
    }

    #[test]
    fn the_same_organization_counts_at_the_time_only() {
        for (start, end, is_conflict) in [
            ("", "", true),
            ("2010", "2021", false),
            ("2010", "2022", true),
            ("2010-01-01", "2022-02-28", false),
            ("2010-01-01", "2022-03-01", true),
            ("2024-07", "", false),
            ("2024-06", "", true),
        ] {
            let known = reviewer(vec![employment("organizations/a", start, end)]);
            let found = conflicts("talents/r", &known, &[], &parties(), WINDOW);
            let expected = if is_conflict {
                vec![ConflictKind::SameOrganization]
            } else {
                vec![]
            };
            assert_eq!(kinds(&found), expected, "{start} to {end}");
        }
    }

    #[test]
    fn a_party_and_a_co_contributor_are_in_conflict() {
        let known = reviewer(vec![employment("organizations/b", "", "")]);
        let contributor = |name: &str| Contributor {
            talent: Some(TalentReference {
                talent: name.to_owned(),
                ..TalentReference::default()
            }),
            ..Contributor::default()
        };
        let award = |name: &str, with: &str| Award {
            name: name.to_owned(),
            contributors: vec![contributor("talents/r"), contributor(with)],
            ..Award::default()
        };
        let awards = [award("awards/1", "talents/p"), award("awards/2", "talents/q")];
        let found = conflicts("talents/r", &known, &awards, &parties(), WINDOW);
        assert_eq!(kinds(&found), [ConflictKind::CoContributor]);
        assert_eq!(found[0].subject, "awards/1");
        let found = conflicts("talents/p", &known, &[], &parties(), WINDOW);
        assert_eq!(kinds(&found), [ConflictKind::Party]);
    }
}
