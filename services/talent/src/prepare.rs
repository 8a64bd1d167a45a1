//! Resources of this service on their way in: their references are resolved here.

use mingce_orm::resource::imagined_id;
use mingce_orm::{Answer, Call, Collection, Cx, Edit, Error, Key, Result, Stamp, Store, Work};
use mingce_proto::codec::Reply;
use mingce_proto::registry::row_outcome::Problem;
use mingce_proto::registry::{AssumedRecord, OrganizationReference, TalentReference};
use mingce_proto::talent::resolve_talents_response::Resolution;
use mingce_proto::talent::{Programme, ProgrammeReference, ResolveTalentsRequest, Talent, TalentDesignation};
use mingce_server::peers;
use mingce_server::references::{Cited, Found, KeyOf, Place, find, identifier_key, stay_recorded};
use mingce_server::rows::{self, Prepare, Row, Session, add_missing, stand_in};

use crate::TalentRegister;
use crate::designation::Designations;
use crate::designation_verbs::begin;
use crate::programme::{Programmes, code_key};
use crate::talent::{Talents, take_document};

impl TalentRegister {
    /// Resolves persons for another service.
    pub(crate) async fn resolve_for_others(&self, cx: &Cx, r: ResolveTalentsRequest) -> Result<Vec<Resolution>> {
        let mut work = self.store.rehearsal();
        for record in &r.assumed {
            stand_in(&self.store, &mut work, &assumed(cx, record)).await?;
        }
        let found = find::<Talents, _>(&self.store, &mut work, &r.references, TALENT_KEY).await?;
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

    /// Begins a designation: a draft for a round that takes those of its level and programme.
    pub(crate) async fn begin_designation(
        &self,
        cx: &Cx,
        call: Call,
        round: &str,
        designation: TalentDesignation,
    ) -> Result<Reply<TalentDesignation>> {
        // Its programme may be named by a code, and its level comes from there.
        let mut rows = [Row::<Designations> {
            number: 1,
            resource: TalentDesignation {
                name: String::new(),
                employer: None,
                ..designation.clone()
            },
            problems: Vec::new(),
        }];
        self.prepare(cx, &mut Session::strict(), &mut rows).await?;
        let [row] = rows;
        if !row.problems.is_empty() {
            // Refused together with all else that is wrong.
            return rows::create::<Designations>(self, cx, call, "create", Some(designation)).await;
        }
        let round = match self.cases().round_for::<Designations>(cx, round, &row.resource).await {
            Ok(round) => round,
            // The round may have changed since a first try was done.
            Err(error) => return self.store.answered::<Designations>(cx, &call).await?.ok_or(error),
        };
        let begin = |designation: &mut TalentDesignation| begin(designation, &round);
        rows::create_as::<Designations>(self, cx, call, "create", Some(designation), begin).await
    }

    /// The level, kind and family of designations come from their programme, also from one that was annulled since.
    async fn derive(&self, work: &mut Work, rows: &mut [Row<Designations>]) -> Result<()> {
        let kind = &Programmes::shape().kind;
        let programmes = self
            .store
            .rehearse(work, |work| {
                let programmes: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        let reference = row.resource.programme.as_ref();
                        let id = reference.and_then(|reference| kind.id(&reference.programme));
                        id.map_or(Ok(None), |id| work.get::<Programmes>(id))
                    })
                    .collect();
                programmes.into_iter().collect::<Result<Vec<_>>>()
            })
            .await?;
        for (row, programme) in rows.iter_mut().zip(programmes) {
            let Some(programme) = programme else { continue };
            row.resource.kind = programme.kind;
            row.resource.family.clone_from(&programme.family);
            if row.resource.level == 0 && row.resource.name.is_empty() {
                row.resource.level = programme.level;
            }
        }
        Ok(())
    }
}

/// What a person is looked up by where their resource name is not given.
pub(crate) const TALENT_KEY: KeyOf<TalentReference> = |reference| identifier_key(reference.identifier.as_ref());

/// The same of a programme.
pub(crate) const PROGRAMME_KEY: KeyOf<ProgrammeReference> = |reference| {
    let given = !reference.code.is_empty();
    Ok(given.then(|| code_key(&reference.code)))
};

fn employers(person: &mut Talent) -> Vec<(String, &mut OrganizationReference)> {
    let path = |place| format!("employments[{place}].organization");
    let employments = person.employments.iter_mut().enumerate();
    employments
        .map(|(place, employment)| (path(place), employment.organization.get_or_insert_default()))
        .collect()
}

fn employer(designation: &mut TalentDesignation) -> Vec<(String, &mut OrganizationReference)> {
    let employer = designation.employer.iter_mut();
    employer.map(|reference| ("employer".to_owned(), reference)).collect()
}

fn programme(designation: &mut TalentDesignation) -> Vec<(String, &mut ProgrammeReference)> {
    let programme = designation.programme.iter_mut();
    programme.map(|reference| ("programme".to_owned(), reference)).collect()
}

/// The person of a designation. An update may leave them out, since the name says them; one that is there is checked.
fn parent(designation: &mut TalentDesignation) -> Vec<(String, &mut TalentReference)> {
    if designation.name.is_empty() {
        designation.talent.get_or_insert_default();
    }
    let talent = designation.talent.iter_mut();
    talent.map(|reference| ("talent".to_owned(), reference)).collect()
}

impl Prepare<Talents> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Talents>]) -> Result<()> {
        for row in rows.iter_mut() {
            row.problems.extend(take_document(&mut row.resource));
        }
        let cited = Cited::of(rows, employers);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
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
        // Programme and person first: a decision is known by them.
        let cited = Cited::of(rows, programme);
        let mut fresh = self.store.rehearsal();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let found = find::<Programmes, _>(&self.store, work, &cited.wanted(), PROGRAMME_KEY).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let asked: Vec<_> = rows
            .iter()
            .map(|row| row.resource.talent.clone().unwrap_or_default())
            .collect();
        let cited = Cited::of(rows, parent);
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let found = find::<Talents, _>(&self.store, work, &cited.wanted(), TALENT_KEY).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let cited = Cited::of(rows, employer);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let is_import = session.is_import();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        self.derive(work, rows).await?;
        if is_import {
            let how: (Place<Designations, TalentReference>, _) = (|d| &mut d.talent, TALENT_KEY);
            stay_recorded::<Talents, Designations, _>(&self.store, work, rows, &asked, how).await?;
        }
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

/// The edit that puts what an earlier part of a dry run would have created in the place of the record.
fn assumed(cx: &Cx, record: &AssumedRecord) -> Edit {
    let (cx, record) = (cx.clone(), record.clone());
    Box::new(move |work| {
        let stamp = Stamp::new("import");
        match (record.collection.as_str(), record.identifiers.first()) {
            (Talents::COLLECTION, Some(held)) => {
                let mut person = Talent {
                    display_name: record.display_name.clone(),
                    identifiers: record.identifiers.clone(),
                    ..Talent::default()
                };
                if Talents::settle(&mut person).is_empty() {
                    // A row that changes a person may give further identifiers, by which later rows name it.
                    for held in &person.identifiers {
                        let key = Key::identifier(&held.scheme, &held.value, "identifiers");
                        if let Some(mut found) = work.find::<Talents>("", Some(&key))? {
                            add_missing(&mut found.identifiers, &person.identifiers);
                            return work.update::<Talents>(&cx, &stamp, &found);
                        }
                    }
                    let id = imagined_id(&format!("talents/{}/{}", held.scheme, held.value));
                    return work.create_as::<Talents>(&cx, &stamp, &person, id);
                }
            }
            (Programmes::COLLECTION, Some(held)) => {
                let (display_name, code) = (record.display_name.clone(), held.value.clone());
                let programme = Programme {
                    display_name,
                    code,
                    ..Programme::default()
                };
                let id = imagined_id(&format!("programmes/{}", programme.code));
                return work.create_as::<Programmes>(&cx, &stamp, &programme, id);
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
