//! Resources of this service on their way in: their references are resolved here.

use std::collections::BTreeSet;

use mingce_ingest::drafts::Drafts;
use mingce_ingest::lookup::{Keyed, Lookup, Place, find, identifier_key, keep_original_parent};
use mingce_ingest::peers;
use mingce_ingest::references::{ReferenceBatch, ResolvedReference};
use mingce_ingest::session::{Missing, Prepare, Row, Session, stand_in};
use mingce_orm::model::normalize::names_of;
use mingce_orm::write::imports;
use mingce_orm::{Collection, Edit, Error, Fit, RequestContext, Result, Store, UnitOfWork, WriteResult, text};
use mingce_proto::labs::resolve_organizations_response::Resolution;
use mingce_proto::labs::{
    Lab, LabDesignation, LabReference, Organization, ResolveOrganizationsRequest, ResolveOrganizationsResponse,
};
use mingce_proto::registry::{AssumedRecord, Identifier, OrganizationReference};
use prost::Message;

use crate::LabRegister;
use crate::designation::{Designations, lab};
use crate::lab::Labs;
use crate::organization::Organizations;
use crate::resolve::{self, Resolving};
use crate::verbs::begin;

impl LabRegister {
    /// Resolves organizations, and makes those that are missing where the call wants it.
    pub(crate) async fn resolve(
        &self,
        cx: &RequestContext,
        work: Option<&mut UnitOfWork>,
        references: Vec<OrganizationReference>,
        how: Resolving,
    ) -> Result<Vec<Resolution>> {
        let mut view = self.store.unit_of_work();
        let seen = self.store.try_edit(work.unwrap_or(&mut view), |work| {
            let resolutions = resolve::organizations(work, cx, &references, &how)?;
            // What would be made stays nowhere: it may be that nobody wants it in the end.
            work.discard();
            Ok(resolutions)
        });
        let resolutions = seen.await?;
        if how.dry || !resolutions.iter().any(|r| r.created) {
            return Ok(resolutions);
        }
        let at = cx.clone();
        let edit: Edit = Box::new(move |work| {
            let mut how = how.clone();
            if !how.run.is_empty() {
                how.import = imports::belongs(work, &at, &how.run, &how.source)?;
            }
            let resolutions = resolve::organizations(work, &at, &references, &how)?;
            if !how.run.is_empty() {
                let made: BTreeSet<&str> = resolutions
                    .iter()
                    .filter(|r| r.created)
                    .map(|r| r.name.as_str())
                    .collect();
                imports::add_references(work, &at, &how.import, Organizations::COLLECTION, made.len())?;
            }
            Ok(WriteResult::of(&ResolveOrganizationsResponse { resolutions }))
        });
        let answer = self.store.change_each(cx, vec![edit]).await?.pop();
        let answer = answer.ok_or_else(|| Error::internal("a writer answered nothing"))??;
        ResolveOrganizationsResponse::decode(answer.body)
            .map(|r| r.resolutions)
            .map_err(Error::internal)
    }

    /// Resolves organizations for another service.
    pub(crate) async fn resolve_for_others(
        &self,
        cx: &RequestContext,
        r: ResolveOrganizationsRequest,
    ) -> Result<Vec<Resolution>> {
        let how = Resolving {
            create_missing: r.create_missing,
            source: r.source,
            run: r.run,
            dry: r.validate_only,
            ..Resolving::default()
        };
        if !r.validate_only {
            return self.resolve(cx, None, r.references, how).await;
        }
        let mut work = self.store.unit_of_work();
        for record in &r.assumed {
            stand_in(&self.store, &mut work, &assumed(cx, record)).await?;
        }
        self.resolve(cx, Some(&mut work), r.references, how).await
    }

    /// The names of a list's parent and of the labs that were merged into it; none for all.
    pub(crate) async fn parents(&self, cx: &RequestContext, parent: &str) -> Result<Vec<String>> {
        if parent.ends_with("/-") {
            return Ok(Vec::new());
        }
        self.store.get::<Labs>(cx, parent, 0).await?;
        self.store.family::<Labs>(cx, parent).await
    }

    async fn ask(
        &self,
        cx: &RequestContext,
        session: &mut Session,
        references: Vec<OrganizationReference>,
    ) -> Result<Vec<ResolvedReference>> {
        let how = Resolving {
            create_missing: session.missing != Missing::Refused,
            source: session.settings.source.clone(),
            run: session.import.run.clone(),
            import: String::new(),
            dry: session.is_dry() || session.missing == Missing::Proposed,
        };
        let resolutions = self.resolve(cx, session.rehearsal.as_mut(), references, how).await?;
        Ok(resolutions.into_iter().map(peers::organization).collect())
    }

    /// Finds labs by resource name, else identifier, else name.
    async fn ask_labs(&self, session: &mut Session, references: Vec<LabReference>) -> Result<Vec<ResolvedReference>> {
        let (mut fresh, how) = (self.store.unit_of_work(), session.looking());
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        find::<Labs, LabReference>(&self.store, work, &references, how).await
    }
}

impl Lookup<Labs> for LabReference {
    const HELPS: [&'static str; 2] = [
        "give an identifier, or a city or host that tells them apart; those that are one are merged with `mingce merge`",
        "请补充标识、城市或依托单位；若是重复记录，请用 mingce merge 合并",
    ];

    fn key(&self) -> Keyed {
        identifier_key(self.identifier.as_ref())
    }

    fn fits(&self, work: &mut UnitOfWork, stored: &Lab) -> Result<Fit> {
        let meant = Lab {
            display_name: self.display_name.trim().to_owned(),
            city: self.city.clone(),
            ..Lab::default()
        };
        let fit = Labs::is_same(work, &meant, stored)?;
        if fit == Fit::No || self.host.trim().is_empty() || is_hosted(work, stored, &self.host)? {
            return Ok(fit);
        }
        Ok(Fit::No)
    }

    fn prefers(&self, stored: &Lab) -> bool {
        !self.city.is_empty() && text::spelled(&stored.city) == text::spelled(&self.city)
    }

    fn told(stored: &Lab) -> String {
        resolve::named_at(&stored.display_name, &stored.city, &stored.name)
    }
}

/// Whether a lab has a host of this name, as it stood when the lab was written or as it is called today.
fn is_hosted(work: &mut UnitOfWork, lab: &Lab, host: &str) -> Result<bool> {
    let kind = &Organizations::shape().kind;
    let (mut is, mut waits) = (false, None);
    for reference in lab.hosts.iter().filter_map(|host| host.organization.as_ref()) {
        if text::same_name(&reference.display_name, host) {
            return Ok(true);
        }
        let Some(id) = kind.id(&reference.organization) else {
            continue;
        };
        match work.survivor::<Organizations>(id) {
            Ok(Some(today)) => {
                is |= names_of(&today.display_name, &today.names).any(|name| text::same_name(name, host))
            }
            Ok(None) => {}
            // To the end, so that all that has to be loaded is asked for at once.
            Err(error) => waits = Some(error),
        }
    }
    waits.map_or(Ok(is), Err)
}

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

    async fn prepare(&self, cx: &RequestContext, session: &mut Session, rows: &mut [Row<Organizations>]) -> Result<()> {
        let cited = ReferenceBatch::of(rows, related);
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
        let cited = ReferenceBatch::of(rows, relations);
        let found = self.ask(cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
    }

    fn assume(&self, cx: &RequestContext, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

impl Prepare<Labs> for LabRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &RequestContext, session: &mut Session, rows: &mut [Row<Labs>]) -> Result<()> {
        let cited = ReferenceBatch::of(rows, hosts);
        let found = self.ask(cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;
        let cited = ReferenceBatch::of(rows, successor);
        let found = self.ask_labs(session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
    }

    fn assume(&self, cx: &RequestContext, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

/// Applications from a file.
const DRAFTS: Drafts<Designations> = Drafts {
    round: |designation| &designation.round,
    begin,
    identity: |designation| [lab(designation), &designation.level.to_string(), &designation.programme].join("|"),
};

impl Prepare<Designations> for LabRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &RequestContext, session: &mut Session, rows: &mut [Row<Designations>]) -> Result<()> {
        let asked: Vec<_> = rows
            .iter()
            .map(|row| row.resource.lab.clone().unwrap_or_default())
            .collect();
        let cited = ReferenceBatch::of(rows, parent);
        let found = self.ask_labs(session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;
        let is_import = session.is_import();
        let mut fresh = self.store.unit_of_work();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        for designation in rows
            .iter_mut()
            .map(|row| &mut row.resource)
            .filter(|d| d.platform == 0 && d.name.is_empty())
        {
            let Some(name) = designation.lab.as_ref().map(|l| l.lab.clone()) else {
                continue;
            };
            let lab: Option<Lab> = self.store.try_edit(work, |work| work.find::<Labs>(&name, None)).await?;
            designation.platform = lab.map_or(0, |lab| lab.platform);
        }
        if is_import {
            let lab: Place<Designations, LabReference> = |d| &mut d.lab;
            keep_original_parent::<Labs, Designations, _>(&self.store, work, rows, &asked, lab).await?;
        }
        DRAFTS.into_rounds(&self.store, cx, session, rows).await
    }

    fn assume(&self, cx: &RequestContext, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

fn assumed(cx: &RequestContext, record: &AssumedRecord) -> Edit {
    let (cx, record) = (cx.clone(), record.clone());
    Box::new(move |work| {
        let made = resolve::assume(work, &cx, &record)?;
        Ok(made.unwrap_or_else(|| WriteResult::of(&AssumedRecord::default())))
    })
}

/// Puts the parent of a request into a designation.
pub(crate) fn under(parent: &str, designation: Option<LabDesignation>) -> Result<LabDesignation> {
    let mut designation = designation.unwrap_or_default();
    let lab = designation.lab.get_or_insert_default();
    if lab.lab.is_empty() {
        *lab = LabReference {
            lab: parent.to_owned(),
            display_name: std::mem::take(&mut lab.display_name),
            ..LabReference::default()
        };
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
