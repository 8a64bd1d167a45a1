//! Resources of this service on their way in: their references are resolved here.

use mingce_orm::resource::imagined_id;
use mingce_orm::work::head_of;
use mingce_orm::{Answer, Collection, Cx, Edit, Error, Key, Result, Stamp, Store, Work, identifier};
use mingce_proto::registry::row_outcome::Problem;
use mingce_proto::registry::{AssumedRecord, TalentReference};
use mingce_proto::talent::resolve_talents_response::Resolution;
use mingce_proto::talent::{Programme, ProgrammeReference, ResolveTalentsRequest, Talent, TalentDesignation};
use mingce_server::peers;
use mingce_server::references::{Cited, Found, settle};
use mingce_server::rows::{Prepare, Row, Session, note, stand_in};

use crate::TalentRegister;
use crate::designation::Designations;
use crate::programme::{Programmes, code_key};
use crate::talent::Talents;

impl TalentRegister {
    /// Resolves persons for another service.
    pub(crate) async fn resolve_for_others(&self, cx: &Cx, r: ResolveTalentsRequest) -> Result<Vec<Resolution>> {
        let mut work = self.store.rehearsal();
        for record in &r.assumed {
            stand_in(&self.store, &mut work, &assumed(cx, record)).await?;
        }
        let found = self.find_talents(&mut work, &r.references).await?;
        let resolution = |found: Found| Resolution {
            name: found.name,
            display_name: found.display_name,
            problem: found.problem.map(|(field, reason, description)| Problem {
                field,
                reason: reason.into(),
                description,
            }),
            ..Resolution::default()
        };
        Ok(found.into_iter().map(resolution).collect())
    }

    /// The names of a list's parent and of the persons that were merged into it; none for all.
    pub(crate) async fn parents(&self, cx: &Cx, parent: &str) -> Result<Vec<String>> {
        if parent.ends_with("/-") {
            return Ok(Vec::new());
        }
        self.store.get::<Talents>(cx, parent, 0).await?;
        self.store.family::<Talents>(cx, parent).await
    }

    async fn find_talents(&self, work: &mut Work, references: &[TalentReference]) -> Result<Vec<Found>> {
        self.store
            .rehearse(work, |work| {
                // Goes on after a miss, so that all that has to be loaded is asked for at once.
                let found: Vec<_> = references
                    .iter()
                    .map(|reference| find_talent(work, reference))
                    .collect();
                found.into_iter().collect()
            })
            .await
    }
}

fn find_talent(work: &mut Work, wanted: &TalentReference) -> Result<Found> {
    let mut key = None;
    if let (true, Some(given)) = (wanted.talent.is_empty(), &wanted.identifier) {
        match identifier::canonical(&given.scheme, &given.value) {
            Ok(value) => key = Some(Key::identifier(&given.scheme, &value, "identifier")),
            Err(fault) => {
                let problem = Some(("identifier".to_owned(), fault.reason, fault.description));
                return Ok(Found {
                    problem,
                    ..Found::default()
                });
            }
        }
    }
    Ok(match work.find::<Talents>(&wanted.talent, key.as_ref())? {
        Some(person) => Found {
            name: head_of(&person)?.name,
            display_name: person.display_name,
            problem: None,
        },
        None if key.is_some() => Found::missing("identifier", "nobody in the register has this identifier"),
        None if wanted.talent.is_empty() => {
            Found::missing("talent", "give the person's resource name or an identifier")
        }
        None => Found::missing("talent", format!("{} does not exist or was annulled", wanted.talent)),
    })
}

fn find_programme(work: &mut Work, wanted: &ProgrammeReference) -> Result<(Found, Option<Programme>)> {
    let key = (wanted.programme.is_empty() && !wanted.code.is_empty()).then(|| code_key(&wanted.code));
    Ok(match work.find::<Programmes>(&wanted.programme, key.as_ref())? {
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
            Found::missing("code", format!("no programme has the code {:?}", wanted.code)),
            None,
        ),
        None if wanted.programme.is_empty() => {
            (Found::missing("programme", "give the programme's resource name"), None)
        }
        None => (
            Found::missing(
                "programme",
                format!("{} does not exist or was annulled", wanted.programme),
            ),
            None,
        ),
    })
}

impl Prepare<Talents> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Talents>]) -> Result<()> {
        let mut employers = Vec::new();
        for (row, person) in rows.iter_mut().enumerate() {
            for (place, employment) in person.resource.employments.iter_mut().enumerate() {
                let reference = employment.organization.get_or_insert_default();
                employers.push(Cited {
                    row,
                    path: format!("employments[{place}].organization"),
                    reference,
                });
            }
        }
        let problems = settle(employers, |wanted| {
            peers::organizations(&self.labs, cx, session, wanted)
        })
        .await?;
        note(rows, problems);
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

impl Prepare<Programmes> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, _cx: &Cx, _session: &mut Session, _rows: &mut [Row<Programmes>]) -> Result<()> {
        Ok(())
    }
}

impl Prepare<Designations> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Designations>]) -> Result<()> {
        let mut employers = Vec::new();
        for (row, designation) in rows.iter_mut().enumerate() {
            if let Some(reference) = &mut designation.resource.employer {
                employers.push(Cited {
                    row,
                    path: "employer".to_owned(),
                    reference,
                });
            }
        }
        let problems = settle(employers, |wanted| {
            peers::organizations(&self.labs, cx, session, wanted)
        })
        .await?;
        note(rows, problems);

        let mut fresh = self.store.rehearsal();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let asked: Vec<_> = rows
            .iter()
            .map(|row| row.resource.talent.clone().unwrap_or_default())
            .collect();
        let mut persons = Vec::new();
        for (row, designation) in rows.iter_mut().enumerate() {
            // An update may leave the person out, since the name says them; one that is there is checked.
            if designation.resource.talent.is_none() && designation.resource.name.is_empty() {
                designation.resource.talent = Some(TalentReference::default());
            }
            if let Some(reference) = &mut designation.resource.talent {
                persons.push(Cited {
                    row,
                    path: "talent".to_owned(),
                    reference,
                });
            }
        }
        let problems = settle(persons, async |wanted: Vec<TalentReference>| {
            self.find_talents(work, &wanted).await
        })
        .await?;
        note(rows, problems);

        // The level and kind come from the programme.
        for row in rows.iter_mut() {
            let Some(reference) = row.resource.programme.clone() else {
                continue;
            };
            let (found, programme) = self
                .store
                .rehearse(work, |work| find_programme(work, &reference))
                .await?;
            let cited = row.resource.programme.iter_mut();
            let cited = cited
                .map(|reference| Cited {
                    row: 0,
                    path: "programme".to_owned(),
                    reference,
                })
                .collect();
            let problems = settle(cited, async |_: Vec<ProgrammeReference>| Ok(vec![found])).await?;
            row.problems.extend(problems.into_iter().map(|(_, problem)| problem));
            if let Some(programme) = programme {
                row.resource.kind = programme.kind;
                if row.resource.level == 0 && row.resource.name.is_empty() {
                    row.resource.level = programme.level;
                }
            }
        }
        if session.create_missing {
            let under = self
                .store
                .rehearse(work, |work| {
                    let pairs = asked.iter().zip(rows.iter());
                    let under: Vec<_> = pairs
                        .map(|(asked, row)| recorded_under(work, asked, &row.resource))
                        .collect();
                    under.into_iter().collect::<Result<Vec<_>>>()
                })
                .await?;
            for (row, under) in rows.iter_mut().zip(under) {
                row.resource.talent = under.or_else(|| row.resource.talent.take());
            }
        }
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

/// The talent under whom a row's decision is recorded already, where the row means a duplicate whose decisions stay with it.
fn recorded_under(
    work: &mut Work,
    asked: &TalentReference,
    row: &TalentDesignation,
) -> Result<Option<TalentReference>> {
    let id = match (&Talents::shape().kind.id(&asked.talent), &asked.identifier) {
        (Some(id), _) => Some((*id).to_owned()),
        (None, Some(given)) => match identifier::canonical(&given.scheme, &given.value) {
            Ok(value) => work.owner::<Talents>(&Key::identifier(&given.scheme, &value, "identifier"))?,
            Err(_) => None,
        },
        (None, None) => None,
    };
    let Some(name) = id.map(|id| Talents::shape().kind.name(None, &id)) else {
        return Ok(None);
    };
    if Designations::parent(row) == name {
        return Ok(None);
    }
    let mut under = row.clone();
    under.talent.get_or_insert_default().talent = name;
    let decision = Designations::keys(&under).into_iter().next();
    let stored = work.find::<Designations>("", decision.as_ref())?;
    Ok(stored.and_then(|stored| stored.talent))
}

/// The edit that puts what an earlier part of a dry run would have created in the place of the record.
fn assumed(cx: &Cx, record: &AssumedRecord) -> Edit {
    let (cx, record) = (cx.clone(), record.clone());
    Box::new(move |work| {
        let stamp = Stamp::new("import");
        match (record.collection.as_str(), record.identifiers.first()) {
            ("talents", Some(held)) => {
                let mut person = Talent {
                    display_name: record.display_name.clone(),
                    identifiers: record.identifiers.clone(),
                    ..Talent::default()
                };
                if Talents::settle(&mut person).is_empty() {
                    let id = imagined_id(&format!("talents/{}/{}", held.scheme, held.value));
                    work.create_as::<Talents>(&cx, &stamp, &person, id)?;
                }
            }
            ("programmes", Some(held)) => {
                let (display_name, code) = (record.display_name.clone(), held.value.clone());
                let programme = Programme {
                    display_name,
                    code,
                    ..Programme::default()
                };
                let id = imagined_id(&format!("programmes/{}", programme.code));
                work.create_as::<Programmes>(&cx, &stamp, &programme, id)?;
            }
            _ => {}
        }
        Ok(Answer::of(&AssumedRecord::default()))
    })
}

/// Puts the parent of a request into a designation.
pub(crate) fn under(parent: &str, designation: Option<TalentDesignation>) -> Result<TalentDesignation> {
    let mut designation = designation.unwrap_or_default();
    let talent = designation.talent.get_or_insert_default();
    if talent.talent.is_empty() {
        parent.clone_into(&mut talent.talent);
        talent.identifier = None;
    }
    if talent.talent == parent {
        return Ok(designation);
    }
    let said = format!("the parent is {parent}: leave this out, or say the same");
    Err(Error::invalid(
        format!("{}.talent.talent", Designations::SINGULAR),
        "PARENT_DIFFERS",
        said,
    ))
}
