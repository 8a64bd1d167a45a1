//! Resources of this service on their way in: their references are resolved here.

use mingce_ingest::drafts::Drafts;
use mingce_ingest::lookup::{Place, find, keep_original_parent};
use mingce_ingest::peers;
use mingce_ingest::references::{ReferenceBatch, ResolvedReference};
use mingce_ingest::session::{LookupMode, Prepare, Row, Session, stand_in};
use mingce_ingest::single;
use mingce_orm::{Call, Collection, Edit, Error, RequestContext, Result, Store, UnitOfWork};
use mingce_proto::codec::Reply;
use mingce_proto::registry::{AssumedRecord, OrganizationReference, TalentReference};
use mingce_proto::talent::resolve_talents_response::Resolution;
use mingce_proto::talent::{ProgrammeReference, ResolveTalentsRequest, Talent, TalentDesignation};

use crate::TalentRegister;
use crate::assume::assumed;
use crate::designation::{self, Designations};
use crate::designation_verbs::begin;
use crate::programme::Programmes;
use crate::talent::{Talents, take_document};

impl TalentRegister {
    /// Resolves persons for another service.
    pub(crate) async fn resolve_for_others(
        &self,
        cx: &RequestContext,
        r: ResolveTalentsRequest,
    ) -> Result<Vec<Resolution>> {
        let mut work = self.store.unit_of_work();
        for record in &r.assumed {
            stand_in(&self.store, &mut work, &assumed(cx, record)).await?;
        }
        let how = LookupMode {
            importing: r.importing,
            trying: r.validate_only,
        };
        let found = find::<Talents, _>(&self.store, &mut work, &r.references, how).await?;
        let resolution = |mut found: ResolvedReference| Resolution {
            problem: peers::problem(&mut found),
            name: found.name,
            display_name: found.display_name,
            ..Resolution::default()
        };
        Ok(found.into_iter().map(resolution).collect())
    }

    /// The names of a list's parent and of the persons that were merged into it; none for all.
    pub(crate) async fn parents(&self, cx: &RequestContext, parent: &str) -> Result<Vec<String>> {
        if parent.ends_with("/-") {
            return Ok(Vec::new());
        }
        self.store.get::<Talents>(cx, parent, 0).await?;
        self.store.family::<Talents>(cx, parent).await
    }

    /// Begins a designation: a draft for a round that takes those of its level and programme.
    pub(crate) async fn begin_designation(
        &self,
        cx: &RequestContext,
        call: Call,
        round: &str,
        designation: TalentDesignation,
    ) -> Result<Reply<TalentDesignation>> {
        // Its programme may be named by a code, and its level comes from there.
        let given = TalentDesignation {
            name: String::new(),
            employer: None,
            ..designation.clone()
        };
        let mut rows = [Row::<Designations>::new(1, given)];
        self.prepare(cx, &mut Session::strict(&call), &mut rows).await?;
        let [row] = rows;
        if !row.notes.problems.is_empty() {
            // Refused together with all else that is wrong.
            return single::create::<Designations>(self, cx, call, "create", Some(designation)).await;
        }
        let round = match self.cases().round_for::<Designations>(cx, round, &row.resource).await {
            Ok(round) => round,
            // The round may have changed since a first try was done.
            Err(error) => return self.store.answered::<Designations>(cx, &call).await?.ok_or(error),
        };
        let begin = |designation: &mut TalentDesignation| begin(designation, &round);
        single::create_as::<Designations>(self, cx, call, "create", Some(designation), begin).await
    }

    /// The level, kind and family of designations come from their programme, also from one that was annulled since.
    async fn derive(&self, work: &mut UnitOfWork, rows: &mut [Row<Designations>]) -> Result<()> {
        let kind = &Programmes::shape().kind;
        let programmes = self
            .store
            .try_edit(work, |work| {
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

    async fn prepare(&self, cx: &RequestContext, session: &mut Session, rows: &mut [Row<Talents>]) -> Result<()> {
        for row in rows.iter_mut() {
            let problem = take_document(&mut row.resource);
            row.refuse(problem);
        }
        let cited = ReferenceBatch::of(rows, employers);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
    }

    fn assume(&self, cx: &RequestContext, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

impl Prepare<Programmes> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, _cx: &RequestContext, _session: &mut Session, _rows: &mut [Row<Programmes>]) -> Result<()> {
        Ok(())
    }
}

/// Applications from a file.
const DRAFTS: Drafts<Designations> = Drafts {
    round: |designation| &designation.round,
    begin,
    identity: |designation| [designation::talent(designation), designation::programme(designation)].join("|"),
};

impl Prepare<Designations> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &RequestContext, session: &mut Session, rows: &mut [Row<Designations>]) -> Result<()> {
        // Programme and person first: a decision is known by them.
        let cited = ReferenceBatch::of(rows, programme);
        let mut fresh = self.store.unit_of_work();
        let how = session.looking();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let found = find::<Programmes, _>(&self.store, work, &cited.wanted(), how).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let asked: Vec<_> = rows
            .iter()
            .map(|row| row.resource.talent.clone().unwrap_or_default())
            .collect();
        let cited = ReferenceBatch::of(rows, parent);
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let found = find::<Talents, _>(&self.store, work, &cited.wanted(), how).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let cited = ReferenceBatch::of(rows, employer);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let is_import = session.is_import();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        self.derive(work, rows).await?;
        if is_import {
            let talent: Place<Designations, TalentReference> = |d| &mut d.talent;
            keep_original_parent::<Talents, Designations, _>(&self.store, work, rows, &asked, talent).await?;
        }
        DRAFTS.into_rounds(&self.store, cx, session, rows).await
    }

    fn assume(&self, cx: &RequestContext, record: &AssumedRecord) -> Option<Edit> {
        Some(assumed(cx, record))
    }
}

/// Puts the parent of a request into a designation.
pub(crate) fn under(parent: &str, designation: Option<TalentDesignation>) -> Result<TalentDesignation> {
    let mut designation = designation.unwrap_or_default();
    let talent = designation.talent.get_or_insert_default();
    if talent.talent.is_empty() {
        *talent = TalentReference {
            talent: parent.to_owned(),
            display_name: std::mem::take(&mut talent.display_name),
            ..TalentReference::default()
        };
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
