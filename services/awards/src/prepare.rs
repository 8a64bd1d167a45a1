//! Resources of this service on their way in: their references are resolved here.

use mingce_orm::resource::imagined_id;
use mingce_orm::work::head_of;
use mingce_orm::{Answer, Cx, Edit, Result, Stamp, Store, Violation, Work};
use mingce_proto::awards::{Award, Scheme, SchemeReference};
use mingce_proto::registry::{AssumedRecord, OrganizationReference};
use mingce_server::peers;
use mingce_server::references::{Cited, Found, settle};
use mingce_server::rows::{Prepare, Row, Session, note};

use crate::AwardRegister;
use crate::award::Awards;
use crate::scheme::{Schemes, code_key};

impl Prepare<Schemes> for AwardRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, _cx: &Cx, _session: &mut Session, _rows: &mut [Row<Schemes>]) -> Result<()> {
        Ok(())
    }
}

impl Prepare<Awards> for AwardRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Awards>]) -> Result<()> {
        let problems = settle(organizations(rows), |wanted| {
            peers::organizations(&self.labs, cx, session, wanted)
        })
        .await?;
        note(rows, problems);

        let mut persons = Vec::new();
        for (row, award) in rows.iter_mut().enumerate() {
            for (place, contributor) in award.resource.contributors.iter_mut().enumerate() {
                // A name alone is a person outside the register.
                if let Some(reference) = &mut contributor.talent
                    && (!reference.talent.is_empty() || reference.identifier.is_some())
                {
                    persons.push(Cited {
                        row,
                        path: format!("contributors[{place}].talent"),
                        reference,
                    });
                }
            }
        }
        let problems = settle(persons, |wanted| peers::talents(&self.talent, cx, session, wanted)).await?;
        note(rows, problems);

        let mut fresh = self.store.rehearsal();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        for row in rows.iter_mut() {
            // Scheme and grade belong together: what an update leaves out is as it is stored.
            let stored: Option<Award> = match row.resource.name.as_str() {
                "" => None,
                name => {
                    self.store
                        .rehearse(work, |work| work.find::<Awards>(name, None))
                        .await?
                }
            };
            let Some(reference) = row.resource.scheme.clone() else {
                let scheme = stored.and_then(|award| award.scheme).unwrap_or_default();
                let (_, scheme) = self.store.rehearse(work, |work| find_scheme(work, &scheme)).await?;
                if let Some(scheme) = scheme {
                    check_grade(row, &scheme, None);
                }
                continue;
            };
            let (found, scheme) = self.store.rehearse(work, |work| find_scheme(work, &reference)).await?;
            let cited = row.resource.scheme.iter_mut();
            let cited = cited
                .map(|reference| Cited {
                    row: 0,
                    path: "scheme".to_owned(),
                    reference,
                })
                .collect();
            let problems = settle(cited, async |_: Vec<SchemeReference>| Ok(vec![found])).await?;
            row.problems.extend(problems.into_iter().map(|(_, problem)| problem));
            if let Some(scheme) = scheme {
                // Level and category come from the scheme.
                row.resource.level = scheme.level;
                row.resource.category.clone_from(&scheme.category);
                check_grade(row, &scheme, stored.as_ref().map(|award| award.grade.as_str()));
            }
        }
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        let held = record.identifiers.first().filter(|_| record.collection == "schemes")?;
        let scheme = Scheme {
            display_name: record.display_name.clone(),
            code: held.value.clone(),
            ..Scheme::default()
        };
        let cx = cx.clone();
        Some(Box::new(move |work| {
            let id = imagined_id(&format!("schemes/{}", scheme.code));
            work.create_as::<Schemes>(&cx, &Stamp::new("import"), &scheme, id)?;
            Ok(Answer::of(&AssumedRecord::default()))
        }))
    }
}

/// All organizations that awards name.
fn organizations(rows: &mut [Row<Awards>]) -> Vec<Cited<'_, OrganizationReference>> {
    let mut cited = Vec::new();
    for (row, award) in rows.iter_mut().enumerate() {
        for (place, contributor) in award.resource.contributors.iter_mut().enumerate() {
            let at = format!("contributors[{place}]");
            if let Some(reference) = &mut contributor.laureate_organization {
                cited.push(Cited {
                    row,
                    path: format!("{at}.laureate_organization"),
                    reference,
                });
            }
            for (place, reference) in contributor.organizations.iter_mut().enumerate() {
                cited.push(Cited {
                    row,
                    path: format!("{at}.organizations[{place}]"),
                    reference,
                });
            }
        }
        for (place, completing) in award.resource.completing_organizations.iter_mut().enumerate() {
            let reference = completing.organization.get_or_insert_default();
            cited.push(Cited {
                row,
                path: format!("completing_organizations[{place}].organization"),
                reference,
            });
        }
    }
    cited
}

fn find_scheme(work: &mut Work, wanted: &SchemeReference) -> Result<(Found, Option<Scheme>)> {
    let key = (wanted.scheme.is_empty() && !wanted.code.is_empty()).then(|| code_key(&wanted.code));
    Ok(match work.find::<Schemes>(&wanted.scheme, key.as_ref())? {
        Some(found) => {
            let name = head_of(&found)?.name;
            (
                Found {
                    name,
                    display_name: found.display_name.clone(),
                    problem: None,
                },
                Some(found),
            )
        }
        None if key.is_some() => (
            Found::missing("code", format!("no scheme has the code {:?}", wanted.code)),
            None,
        ),
        None if wanted.scheme.is_empty() => (Found::missing("scheme", "give the scheme's resource name"), None),
        None => (
            Found::missing("scheme", format!("{} does not exist or was annulled", wanted.scheme)),
            None,
        ),
    })
}

/// The grade, given or stored, is one of the scheme's.
fn check_grade(row: &mut Row<Awards>, scheme: &Scheme, stored: Option<&str>) {
    let grades: Vec<_> = scheme.grades.iter().map(|g| g.grade.as_str()).collect();
    let grade = if row.resource.grade.is_empty() {
        stored.unwrap_or_default()
    } else {
        &row.resource.grade
    };
    if !grade.is_empty() && !grades.is_empty() && !grades.contains(&grade) {
        let description = format!("{} has the grades {}", scheme.display_name, grades.join(", "));
        row.problems.push(Violation {
            field: "grade".to_owned(),
            reason: "GRADE_UNKNOWN",
            description,
        });
    }
}
