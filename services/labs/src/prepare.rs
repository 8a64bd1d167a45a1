//! Resources of this service on their way in: their references are resolved here.

use mingce_orm::rules::interned;
use mingce_orm::work::head_of;
use mingce_orm::{Answer, Collection, Cx, Edit, Error, Key, Result, Store, Work, identifier};
use mingce_proto::labs::resolve_organizations_response::Resolution;
use mingce_proto::labs::{
    Lab, LabDesignation, LabReference, ResolveOrganizationsRequest, ResolveOrganizationsResponse,
};
use mingce_proto::registry::{AssumedRecord, OrganizationReference};
use mingce_server::references::{Cited, Found, settle};
use mingce_server::rows::{Prepare, Row, Session, note, stand_in};
use prost::Message;

use crate::LabRegister;
use crate::designation::Designations;
use crate::lab::Labs;
use crate::organization::Organizations;
use crate::resolve::{self, Resolving};

impl LabRegister {
    /// Resolves organizations, and makes those that are missing where the call wants it.
    pub(crate) async fn resolve(
        &self,
        cx: &Cx,
        work: Option<&mut Work>,
        references: Vec<OrganizationReference>,
        how: Resolving,
    ) -> Result<Vec<Resolution>> {
        if let Some(work) = work {
            return self
                .store
                .rehearse(work, |work| resolve::organizations(work, cx, &references, &how))
                .await;
        }
        let mut view = self.store.rehearsal();
        let resolutions = self
            .store
            .rehearse(&mut view, |work| resolve::organizations(work, cx, &references, &how))
            .await?;
        if !resolutions.iter().any(|r| r.created) {
            return Ok(resolutions);
        }
        let at = cx.clone();
        let edit: Edit = Box::new(move |work| {
            let resolutions = resolve::organizations(work, &at, &references, &how)?;
            Ok(Answer::of(&ResolveOrganizationsResponse { resolutions }))
        });
        let answer = self.store.change_each(cx, vec![edit]).await?.pop();
        let answer = answer.ok_or_else(|| Error::internal("a writer answered nothing"))??;
        ResolveOrganizationsResponse::decode(answer.body.as_slice())
            .map(|r| r.resolutions)
            .map_err(Error::internal)
    }

    /// Resolves organizations for another service.
    pub(crate) async fn resolve_for_others(&self, cx: &Cx, r: ResolveOrganizationsRequest) -> Result<Vec<Resolution>> {
        let how = Resolving {
            create_missing: r.create_missing,
            source: r.source,
            dry: r.validate_only,
        };
        if !r.validate_only {
            return self.resolve(cx, None, r.references, how).await;
        }
        let mut work = self.store.rehearsal();
        for record in &r.assumed {
            stand_in(&self.store, &mut work, &assumed(cx, record)).await?;
        }
        self.resolve(cx, Some(&mut work), r.references, how).await
    }

    /// The names of a list's parent and of the labs that were merged into it; none for all.
    pub(crate) async fn parents(&self, cx: &Cx, parent: &str) -> Result<Vec<String>> {
        if parent.ends_with("/-") {
            return Ok(Vec::new());
        }
        self.store.get::<Labs>(cx, parent, 0).await?;
        self.store.family::<Labs>(cx, parent).await
    }

    async fn ask(&self, cx: &Cx, session: &mut Session, references: Vec<OrganizationReference>) -> Result<Vec<Found>> {
        let how = Resolving {
            create_missing: session.create_missing,
            source: session.settings.source.clone(),
            dry: session.is_dry(),
        };
        let resolutions = self.resolve(cx, session.rehearsal.as_mut(), references, how).await?;
        for made in resolutions.iter().filter(|r| r.created) {
            session.note_created("organizations", &made.key, &made.display_name, &made.name);
        }
        let found = |r: Resolution| Found {
            name: r.name,
            display_name: r.display_name,
            problem: r.problem.map(|p| (p.field, interned(&p.reason), p.description)),
        };
        Ok(resolutions.into_iter().map(found).collect())
    }

    /// Finds labs by resource name, else identifier.
    async fn ask_labs(&self, session: &mut Session, references: Vec<LabReference>) -> Result<Vec<Found>> {
        let mut fresh = self.store.rehearsal();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        self.store
            .rehearse(work, |work| {
                // Goes on after a miss, so that all that has to be loaded is asked for at once.
                let found: Vec<_> = references.iter().map(|reference| find_lab(work, reference)).collect();
                found.into_iter().collect()
            })
            .await
    }
}

fn find_lab(work: &mut Work, wanted: &LabReference) -> Result<Found> {
    let mut key = None;
    if let (true, Some(given)) = (wanted.lab.is_empty(), &wanted.identifier) {
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
    Ok(match work.find::<Labs>(&wanted.lab, key.as_ref())? {
        Some(lab) => Found {
            name: head_of(&lab)?.name,
            display_name: lab.display_name,
            problem: None,
        },
        None if key.is_some() => Found::missing("identifier", "no lab has this identifier"),
        None if wanted.lab.is_empty() => Found::missing("lab", "give the lab's resource name"),
        None => Found::missing("lab", format!("{} does not exist or was annulled", wanted.lab)),
    })
}

impl Prepare<Organizations> for LabRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Organizations>]) -> Result<()> {
        // Parent and successor are bare resource names: they have to exist.
        let mut wanted: Vec<(usize, &'static str, OrganizationReference)> = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            for (field, name) in [("parent", &row.resource.parent), ("successor", &row.resource.successor)] {
                if !name.is_empty() {
                    let reference = OrganizationReference {
                        organization: name.clone(),
                        ..Default::default()
                    };
                    wanted.push((place, field, reference));
                }
            }
        }
        let cited = wanted
            .iter_mut()
            .map(|(row, path, reference)| Cited {
                row: *row,
                path: (*path).to_owned(),
                reference,
            })
            .collect();
        let mut problems = settle(cited, |references| self.ask(cx, session, references)).await?;
        for (row, field, reference) in wanted {
            let Some(row) = rows.get_mut(row) else { continue };
            let name = if field == "parent" {
                &mut row.resource.parent
            } else {
                &mut row.resource.successor
            };
            *name = reference.organization;
        }
        for (_, problem) in &mut problems {
            problem.field = problem.field.split('.').next().unwrap_or_default().to_owned();
        }
        note(rows, problems);
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

impl Prepare<Labs> for LabRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Labs>]) -> Result<()> {
        let mut hosts = Vec::new();
        for (row, lab) in rows.iter_mut().enumerate() {
            for (place, host) in lab.resource.hosts.iter_mut().enumerate() {
                let reference = host.organization.get_or_insert_default();
                hosts.push(Cited {
                    row,
                    path: format!("hosts[{place}].organization"),
                    reference,
                });
            }
        }
        let problems = settle(hosts, |references| self.ask(cx, session, references)).await?;
        note(rows, problems);
        let mut successors = Vec::new();
        for (row, lab) in rows.iter_mut().enumerate() {
            if let Some(reference) = &mut lab.resource.successor {
                successors.push(Cited {
                    row,
                    path: "successor".to_owned(),
                    reference,
                });
            }
        }
        let problems = settle(successors, |references| self.ask_labs(session, references)).await?;
        note(rows, problems);
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

impl Prepare<Designations> for LabRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, _cx: &Cx, session: &mut Session, rows: &mut [Row<Designations>]) -> Result<()> {
        // An update may leave the lab out, since its name says it; one that is there is checked.
        let asked: Vec<_> = rows
            .iter()
            .map(|row| row.resource.lab.clone().unwrap_or_default())
            .collect();
        let mut labs = Vec::new();
        for (row, designation) in rows.iter_mut().enumerate() {
            if designation.resource.lab.is_none() && designation.resource.name.is_empty() {
                designation.resource.lab = Some(LabReference::default());
            }
            if let Some(reference) = &mut designation.resource.lab {
                labs.push(Cited {
                    row,
                    path: "lab".to_owned(),
                    reference,
                });
            }
        }
        let problems = settle(labs, |references| self.ask_labs(session, references)).await?;
        note(rows, problems);
        let mut fresh = self.store.rehearsal();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        for designation in rows
            .iter_mut()
            .map(|row| &mut row.resource)
            .filter(|d| d.platform == 0 && d.name.is_empty())
        {
            let Some(name) = designation.lab.as_ref().map(|l| l.lab.clone()) else {
                continue;
            };
            let lab: Option<Lab> = self.store.rehearse(work, |work| work.find::<Labs>(&name, None)).await?;
            designation.platform = lab.map_or(0, |lab| lab.platform);
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
                row.resource.lab = under.or_else(|| row.resource.lab.take());
            }
        }
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

/// The lab under whom a row's decision is recorded already, where the row means a duplicate whose decisions stay with it.
fn recorded_under(work: &mut Work, asked: &LabReference, row: &LabDesignation) -> Result<Option<LabReference>> {
    let id = match (&Labs::shape().kind.id(&asked.lab), &asked.identifier) {
        (Some(id), _) => Some((*id).to_owned()),
        (None, Some(given)) => match identifier::canonical(&given.scheme, &given.value) {
            Ok(value) => work.owner::<Labs>(&Key::identifier(&given.scheme, &value, "identifier"))?,
            Err(_) => None,
        },
        (None, None) => None,
    };
    let Some(name) = id.map(|id| Labs::shape().kind.name(None, &id)) else {
        return Ok(None);
    };
    if Designations::parent(row) == name {
        return Ok(None);
    }
    let mut under = row.clone();
    under.lab.get_or_insert_default().lab = name;
    let decision = Designations::keys(&under).into_iter().next();
    let stored = work.find::<Designations>("", decision.as_ref())?;
    Ok(stored.and_then(|stored| stored.lab))
}

fn assumed(cx: &Cx, record: &AssumedRecord) -> Edit {
    let (cx, record) = (cx.clone(), record.clone());
    Box::new(move |work| {
        resolve::assume(work, &cx, &record)?;
        Ok(Answer::of(&AssumedRecord::default()))
    })
}

/// Puts the parent of a request into a designation.
pub(crate) fn under(parent: &str, designation: Option<LabDesignation>) -> Result<LabDesignation> {
    let mut designation = designation.unwrap_or_default();
    let lab = designation.lab.get_or_insert_default();
    if lab.lab.is_empty() {
        parent.clone_into(&mut lab.lab);
        lab.identifier = None;
    }
    if lab.lab == parent {
        return Ok(designation);
    }
    let said = format!("the parent is {parent}: leave this out, or say the same");
    Err(Error::invalid(
        format!("{}.lab.lab", Designations::SINGULAR),
        "PARENT_DIFFERS",
        said,
    ))
}
