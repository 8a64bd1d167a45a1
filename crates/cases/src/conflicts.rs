//! The conflicts of a reviewer with the parties of a case. What is not known is not clear.

use std::collections::BTreeMap;

use jiff::civil::Date;
use mingce_lifecycle::{Parties, day};
use mingce_orm::Result;
use mingce_proto::awards::Award;
use mingce_proto::registry::{Conflict, ConflictKind};
use mingce_proto::talent::{Employment, Talent};

/// The days in which working in the same organization is a conflict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub from: Date,
    pub to: Date,
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
    use mingce_proto::registry::{OrganizationReference, TalentReference};

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
