//! Resources of this service on their way in: their references are resolved here.

use mingce_ingest::drafts::Drafts;
use mingce_ingest::lookup::{Keyed, Lookup, find, is_registered};
use mingce_ingest::peers;
use mingce_ingest::references::ReferenceBatch;
use mingce_ingest::session::{Prepare, Row, Session};
use mingce_orm::model::normalize::fits;
use mingce_orm::model::resource::name_based_id;
use mingce_orm::write::matching;
use mingce_orm::{AuditInfo, Collection, Edit, Fit, RequestContext, Result, Store, UnitOfWork, Violation, text};
use mingce_proto::awards::{Award, Scheme, SchemeReference};
use mingce_proto::registry::{AssumedRecord, Name, OrganizationReference, TalentReference};

use crate::AwardRegister;
use crate::award::{self, Awards};
use crate::scheme::{Schemes, code_key};
use crate::verbs::begin;

impl Prepare<Schemes> for AwardRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, _cx: &RequestContext, _session: &mut Session, _rows: &mut [Row<Schemes>]) -> Result<()> {
        Ok(())
    }
}

/// Nominations from a file. A project is known by its code, else by its title.
const DRAFTS: Drafts<Awards> = Drafts {
    round: |award| &award.round,
    begin,
    identity: |award| {
        let project = if award.project_code.is_empty() {
            &award.title
        } else {
            &award.project_code
        };
        [award::scheme(award), &award.year.to_string(), &text::grouped(project)].join("|")
    },
};

impl Prepare<Awards> for AwardRegister {
    fn store(&self) -> &Store {
        &self.store
    }

    async fn prepare(&self, cx: &RequestContext, session: &mut Session, rows: &mut [Row<Awards>]) -> Result<()> {
        // The scheme first: an award is known by it and its number.
        let cited = ReferenceBatch::of(rows, scheme);
        let (mut fresh, how) = (self.store.unit_of_work(), session.looking());
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let found = find::<Schemes, _>(&self.store, work, &cited.wanted(), how).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let cited = ReferenceBatch::of(rows, organizations);
        let found = peers::organizations(&self.labs, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let cited = ReferenceBatch::of(rows, persons);
        let found = peers::talents(&self.talent, cx, session, cited.wanted()).await?;
        cited.settle(&self.store, session, rows, found).await?;

        let is_import = session.is_import();
        let work = session.rehearsal.as_mut().unwrap_or(&mut fresh);
        let wrong = self
            .store
            .try_edit(work, |work| {
                let wrong: Vec<_> = rows.iter().map(|row| graded(work, &row.resource, is_import)).collect();
                wrong.into_iter().collect::<Result<Vec<_>>>()
            })
            .await?;
        for (row, (scheme, wrong)) in rows.iter_mut().zip(wrong) {
            row.refuse(wrong);
            // Level and category come from the scheme, also from one that was annulled since.
            if let (Some(_), Some(scheme)) = (&row.resource.scheme, scheme) {
                row.resource.level = scheme.level;
                row.resource.category = scheme.category;
            }
        }
        DRAFTS.into_rounds(&self.store, cx, session, rows).await
    }

    fn assume(&self, cx: &RequestContext, record: &AssumedRecord) -> Option<Edit> {
        let held = record
            .identifiers
            .first()
            .filter(|_| record.collection == Schemes::COLLECTION)?;
        let name = |text: &String| Name {
            text: text.clone(),
            ..Name::default()
        };
        let scheme = Scheme {
            display_name: record.display_name.clone(),
            code: held.value.clone(),
            names: record.names.iter().map(name).collect(),
            ..Scheme::default()
        };
        let cx = cx.clone();
        Some(Box::new(move |work| {
            let id = name_based_id(&format!("schemes/{}", scheme.code));
            let answer = work.create_as::<Schemes>(&cx, &AuditInfo::new("import"), &scheme, id)?;
            work.name_staged::<Schemes>(&answer.name, &scheme);
            Ok(answer)
        }))
    }
}

impl Lookup<Schemes> for SchemeReference {
    const HELPS: [&'static str; 2] = ["give the code", "请填写代码"];

    fn key(&self) -> Keyed {
        let given = !self.code.is_empty();
        Ok(given.then(|| code_key(&self.code)))
    }

    fn fits(&self, _work: &mut UnitOfWork, stored: &Scheme) -> Result<Fit> {
        Ok(fits(
            (self.display_name.trim(), &[]),
            &stored.display_name,
            &stored.names,
        ))
    }

    fn told(stored: &Scheme) -> String {
        format!("{} ({}, {})", stored.display_name, stored.code, stored.name)
    }
}

fn scheme(award: &mut Award) -> Vec<(String, &mut SchemeReference)> {
    let scheme = award.scheme.iter_mut();
    scheme.map(|reference| ("scheme".to_owned(), reference)).collect()
}

/// All organizations that an award names.
fn organizations(award: &mut Award) -> Vec<(String, &mut OrganizationReference)> {
    let mut cited = Vec::new();
    for (place, contributor) in award.contributors.iter_mut().enumerate() {
        let at = format!("contributors[{place}]");
        if let Some(reference) = &mut contributor.laureate_organization {
            cited.push((format!("{at}.laureate_organization"), reference));
        }
        for (place, reference) in contributor.organizations.iter_mut().enumerate() {
            cited.push((format!("{at}.organizations[{place}]"), reference));
        }
    }
    for (place, completing) in award.completing_organizations.iter_mut().enumerate() {
        let reference = completing.organization.get_or_insert_default();
        cited.push((format!("completing_organizations[{place}].organization"), reference));
    }
    cited
}

/// Persons of the register among the contributors. A name alone is a person outside of it.
fn persons(award: &mut Award) -> Vec<(String, &mut TalentReference)> {
    let contributors = award.contributors.iter_mut().enumerate();
    contributors
        .filter_map(|(place, contributor)| {
            let reference = contributor.talent.as_mut()?;
            if is_registered(reference) {
                return Some((format!("contributors[{place}].talent"), reference));
            }
            // It says that there is none, as offices fill cells.
            reference.identity_document.clear();
            None
        })
        .collect()
}

/// The scheme of an award, and what is wrong with the grade: it is one of the scheme's, or the award has had it before the
/// scheme's grades changed. Scheme and grade belong together: what an update leaves out is as it is stored.
fn graded(work: &mut UnitOfWork, award: &Award, is_import: bool) -> Result<(Option<Scheme>, Option<Violation>)> {
    let named = if award.name.is_empty() {
        None
    } else {
        matching::meant::<Awards>(work, award, false)?
    };
    let of = |award: &Award| {
        award
            .scheme
            .as_ref()
            .map_or(String::new(), |scheme| scheme.scheme.clone())
    };
    let (name, grade) = match &named {
        Some(stored) if award.scheme.is_none() => (of(stored), award.grade.clone()),
        Some(stored) if award.grade.is_empty() => (of(award), stored.grade.clone()),
        _ => (of(award), award.grade.clone()),
    };
    let Some(id) = Schemes::shape().kind.id(&name) else {
        return Ok((None, None));
    };
    let Some(scheme) = work.get::<Schemes>(id)? else {
        return Ok((None, None));
    };
    if grade.is_empty() || scheme.grades.is_empty() || scheme.grades.iter().any(|known| known.grade == grade) {
        return Ok((Some(scheme), None));
    }
    let stored = matching::meant::<Awards>(work, award, is_import)?;
    if stored.is_some_and(|stored| stored.grade == grade && of(&stored) == name) {
        return Ok((Some(scheme), None));
    }
    let grades: Vec<_> = scheme.grades.iter().map(|known| known.grade.as_str()).collect();
    let said = format!(
        "{} has the grades {}: give one of them",
        scheme.display_name,
        grades.join(", ")
    );
    Ok((Some(scheme), Some(Violation::new("grade", "GRADE_UNKNOWN", said))))
}
