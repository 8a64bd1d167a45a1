//! Nominating bodies and recommendations on their way in: their references are resolved here.

use mingce_ingest::lookup::find;
use mingce_ingest::peers;
use mingce_ingest::references::ReferenceBatch;
use mingce_ingest::session::{Prepare, Row, Session};
use mingce_orm::{Collection, RequestContext, Result, Store, Violation};
use mingce_proto::registry::{OrganizationReference, TalentReference};
use mingce_proto::talent::{NominatingBody, ProgrammeReference, Recommendation};

use crate::TalentRegister;
use crate::body::{NominatingBodies, organization_name, programme};
use crate::programme::Programmes;
use crate::recommendation::Recommendations;
use crate::talent::Talents;

/// A correction may leave out what it does not name.
fn organizations(body: &mut NominatingBody) -> Vec<(String, &mut OrganizationReference)> {
    if body.name.is_empty() {
        body.organization.get_or_insert_default();
    }
    let organization = body.organization.iter_mut();
    organization
        .map(|reference| ("organization".to_owned(), reference))
        .collect()
}

fn programmes(body: &mut NominatingBody) -> Vec<(String, &mut ProgrammeReference)> {
    if body.name.is_empty() {
        body.programme.get_or_insert_default();
    }
    let programme = body.programme.iter_mut();
    programme.map(|reference| ("programme".to_owned(), reference)).collect()
}

/// The person. An update may leave them out.
fn talents(recommendation: &mut Recommendation) -> Vec<(String, &mut TalentReference)> {
    if recommendation.name.is_empty() {
        recommendation.talent.get_or_insert_default();
    }
    let talent = recommendation.talent.iter_mut();
    talent.map(|reference| ("talent".to_owned(), reference)).collect()
}

fn employers(recommendation: &mut Recommendation) -> Vec<(String, &mut OrganizationReference)> {
    let employer = recommendation.employer.iter_mut();
    employer.map(|reference| ("employer".to_owned(), reference)).collect()
}

impl Prepare<NominatingBodies> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(
        &self,
        cx: &RequestContext,
        session: &mut Session,
        rows: &mut [Row<NominatingBodies>],
    ) -> Result<()> {
        let cited = ReferenceBatch::of(rows, organizations);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let cited = ReferenceBatch::of(rows, programmes);
        let mut work = self.store.unit_of_work();
        let found = find::<Programmes, _>(&self.store, &mut work, &cited.wanted(), session.looking()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let kind = &Programmes::shape().kind;
        let levels = self.store.try_edit(&mut work, |work| {
            let levels = rows.iter().map(|row| match kind.id(programme(&row.resource)) {
                Some(id) => work
                    .get::<Programmes>(id)
                    .map(|found| found.map_or(0, |found| found.level)),
                None => Ok(0),
            });
            // Goes on after an error, so that all that is needed is asked for at once.
            let levels: Vec<Result<i32>> = levels.collect();
            levels.into_iter().collect::<Result<Vec<_>>>()
        });
        let levels = levels.await?;
        for (row, level) in rows.iter_mut().zip(levels) {
            row.resource.level = level;
        }
        Ok(())
    }
}

impl Prepare<Recommendations> for TalentRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    /// What follows from the body is filled in with it.
    async fn prepare(
        &self,
        cx: &RequestContext,
        session: &mut Session,
        rows: &mut [Row<Recommendations>],
    ) -> Result<()> {
        let kind = &NominatingBodies::shape().kind;
        for row in rows.iter_mut().filter(|row| !row.resource.nominating_body.is_empty()) {
            if kind.id(&row.resource.nominating_body).is_none() {
                let said = "expected a resource name like nominatingBodies/{id}";
                row.refuse([Violation::new("nominating_body", "NAME_WRONG_KIND", said)]);
            }
        }
        let mut work = self.store.unit_of_work();
        let bodies = self.store.try_edit(&mut work, |work| {
            let bodies = rows.iter().map(|row| match row.resource.nominating_body.as_str() {
                "" => Ok(None),
                name if kind.id(name).is_none() => Ok(None),
                name => work.require::<NominatingBodies>(name).map(Some),
            });
            let bodies: Vec<Result<Option<NominatingBody>>> = bodies.collect();
            bodies.into_iter().collect::<Result<Vec<_>>>()
        });
        let bodies = bodies.await?;
        for (row, body) in rows.iter_mut().zip(bodies) {
            let Some(body) = body else { continue };
            organization_name(&body).clone_into(&mut row.resource.nominating_body_name);
            programme(&body).clone_into(&mut row.resource.programme);
            row.resource.level = body.level;
        }

        let cited = ReferenceBatch::of(rows, talents);
        let found = find::<Talents, _>(&self.store, &mut work, &cited.wanted(), session.looking()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let cited = ReferenceBatch::of(rows, employers);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await
    }
}
