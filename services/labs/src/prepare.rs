//! Resources of this service on their way in: their references are resolved here.

use mingce_orm::rules::interned;
use mingce_orm::{Answer, Collection, Cx, Edit, Error, Result, Store, Work};
use mingce_proto::labs::resolve_organizations_response::Resolution;
use mingce_proto::labs::{
    Lab, LabDesignation, LabReference, Organization, ResolveOrganizationsRequest, ResolveOrganizationsResponse,
};
use mingce_proto::registry::{AssumedRecord, Identifier, OrganizationReference};
use mingce_server::references::{Cited, Found, KeyOf, Place, find, identifier_key, stay_recorded};
use mingce_server::rows::{Prepare, Row, Session, stand_in};
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
        ResolveOrganizationsResponse::decode(answer.body)
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
            session.note_created(Organizations::COLLECTION, &made.key, &made.display_name, &made.name);
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
        find::<Labs, LabReference>(&self.store, work, &references, LAB_KEY).await
    }
}

/// What a lab is looked up by where its resource name is not given.
const LAB_KEY: KeyOf<LabReference> = |reference| identifier_key(reference.identifier.as_ref());

/// Parent and successor, which are bare resource names or, in a request, identifiers.
fn related(organization: &mut Organization) -> Vec<(String, &mut String)> {
    [
        ("parent".to_owned(), &mut organization.parent),
        ("successor".to_owned(), &mut organization.successor),
    ]
    .into_iter()
    .filter(|(_, name)| !name.is_empty())
    .collect()
}

fn relations(organization: &mut Organization) -> Vec<(String, &mut OrganizationReference)> {
    let path = |place| format!("relations[{place}].organization");
    let relations = organization.relations.iter_mut().enumerate();
    relations
        .map(|(place, relation)| (path(place), relation.organization.get_or_insert_default()))
        .collect()
}

fn hosts(lab: &mut Lab) -> Vec<(String, &mut OrganizationReference)> {
    let path = |place| format!("hosts[{place}].organization");
    let hosts = lab.hosts.iter_mut().enumerate();
    hosts
        .map(|(place, host)| (path(place), host.organization.get_or_insert_default()))
        .collect()
}

fn successor(lab: &mut Lab) -> Vec<(String, &mut LabReference)> {
    let successor = lab.successor.iter_mut();
    successor.map(|reference| ("successor".to_owned(), reference)).collect()
}

/// The lab of a designation. An update may leave it out, since the name says it; one that is there is checked.
fn parent(designation: &mut LabDesignation) -> Vec<(String, &mut LabReference)> {
    if designation.name.is_empty() {
        designation.lab.get_or_insert_default();
    }
    let lab = designation.lab.iter_mut();
    lab.map(|reference| ("lab".to_owned(), reference)).collect()
}

impl Prepare<Organizations> for LabRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &Cx, session: &mut Session, rows: &mut [Row<Organizations>]) -> Result<()> {
        let cited = Cited::of(rows, related);
        let named = |given: String| match given.split_once(':') {
            Some((scheme, value)) => OrganizationReference {
                identifier: Some(Identifier {
                    scheme: scheme.to_owned(),
                    value: value.to_owned(),
                }),
                ..OrganizationReference::default()
            },
            None => OrganizationReference {
                organization: given,
                ..OrganizationReference::default()
            },
        };
        let wanted = cited.wanted().into_iter().map(named).collect();
        let mut found = self.ask(cx, session, wanted).await?;
        for (field, ..) in found.iter_mut().filter_map(|found| found.problem.as_mut()) {
            field.clear();
        }
        cited.settle(&self.store, session, rows, found).await?;
        let cited = Cited::of(rows, relations);
        let found = self.ask(cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
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
        let cited = Cited::of(rows, hosts);
        let found = self.ask(cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;
        let cited = Cited::of(rows, successor);
        let found = self.ask_labs(session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
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
        let asked: Vec<_> = rows
            .iter()
            .map(|row| row.resource.lab.clone().unwrap_or_default())
            .collect();
        let cited = Cited::of(rows, parent);
        let found = self.ask_labs(session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;
        let is_import = session.is_import();
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
        if is_import {
            let how: (Place<Designations, LabReference>, _) = (|d| &mut d.lab, LAB_KEY);
            stay_recorded::<Labs, Designations, _>(&self.store, work, rows, &asked, how).await?;
        }
        Ok(())
    }

    fn assume(&self, cx: &Cx, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

fn assumed(cx: &Cx, record: &AssumedRecord) -> Edit {
    let (cx, record) = (cx.clone(), record.clone());
    Box::new(move |work| {
        let made = resolve::assume(work, &cx, &record)?;
        Ok(made.unwrap_or_else(|| Answer::of(&AssumedRecord::default())))
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
