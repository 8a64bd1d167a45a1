//! What stands in a dry run for records that an earlier part of it would have created.

use mingce_ingest::session::add_missing;
use mingce_orm::model::resource::name_based_id;
use mingce_orm::{AuditInfo, Collection, Edit, Key, RequestContext, Result, UnitOfWork, WriteResult};
use mingce_proto::registry::{AssumedRecord, Name, OrganizationReference};
use mingce_proto::talent::{Employment, Programme, Talent};

use crate::programme::Programmes;
use crate::talent::Talents;

/// The edit that puts what an earlier part of a dry run would have created in the place of the record.
pub(crate) fn assumed(cx: &RequestContext, record: &AssumedRecord) -> Edit {
    let (cx, record) = (cx.clone(), record.clone());
    Box::new(move |work| {
        let made = match record.collection.as_str() {
            Talents::COLLECTION => person(work, &cx, &record)?,
            Programmes::COLLECTION => programme(work, &cx, &record)?,
            _ => None,
        };
        Ok(made.unwrap_or_else(|| WriteResult::of(&AssumedRecord::default())))
    })
}

fn names(record: &AssumedRecord) -> Vec<Name> {
    let name = |text: &String| Name {
        text: text.clone(),
        ..Name::default()
    };
    record.names.iter().map(name).collect()
}

fn person(work: &mut UnitOfWork, cx: &RequestContext, record: &AssumedRecord) -> Result<Option<WriteResult>> {
    let employment = |name: &String| Employment {
        organization: Some(OrganizationReference {
            display_name: name.clone(),
            ..OrganizationReference::default()
        }),
        ..Employment::default()
    };
    let mut person = Talent {
        display_name: record.display_name.clone(),
        identifiers: record.identifiers.clone(),
        names: names(record),
        employments: record.employers.iter().map(employment).collect(),
        birth_date: match record.birth_year {
            0 => String::new(),
            year => format!("{year:04}"),
        },
        ..Talent::default()
    };
    if !Talents::normalize(&mut person).is_empty() {
        return Ok(None);
    }
    let stamp = AuditInfo::new("import");
    // A row that changes a person may give further identifiers, by which later rows name it.
    for held in &person.identifiers {
        let key = Key::identifier(&held.scheme, &held.value, "identifiers");
        if let Some(mut found) = work.find::<Talents>("", Some(&key))? {
            add_missing(&mut found.identifiers, &person.identifiers);
            add_missing(&mut found.names, &person.names);
            add_missing(&mut found.employments, &person.employments);
            let answer = work.update::<Talents>(cx, &stamp, &found)?;
            work.name_staged::<Talents>(&answer.name, &found);
            return Ok(Some(answer));
        }
    }
    if person.identifiers.is_empty() && is_known(work, &person)? {
        return Ok(None);
    }
    let id = match person.identifiers.first() {
        Some(held) => format!("talents/{}/{}", held.scheme, held.value),
        None => format!("talents|{}|{}", person.display_name, person.birth_year),
    };
    let answer = work.create_as::<Talents>(cx, &stamp, &person, name_based_id(&id))?;
    work.name_staged::<Talents>(&answer.name, &person);
    Ok(Some(answer))
}

/// Whether there is a person of this name and year: a row that only an identity document leads to them is taken for a new one by a
/// dry run, and they are not two.
fn is_known(work: &mut UnitOfWork, person: &Talent) -> Result<bool> {
    let ids = work.named::<Talents>(&person.display_name)?;
    let mut known = false;
    for id in ids {
        let found = work.survivor::<Talents>(&id)?;
        known |= found.is_some_and(|found| found.birth_year == person.birth_year);
    }
    Ok(known)
}

fn programme(work: &mut UnitOfWork, cx: &RequestContext, record: &AssumedRecord) -> Result<Option<WriteResult>> {
    let Some(held) = record.identifiers.first() else {
        return Ok(None);
    };
    let programme = Programme {
        display_name: record.display_name.clone(),
        code: held.value.clone(),
        names: names(record),
        ..Programme::default()
    };
    let id = name_based_id(&format!("programmes/{}", programme.code));
    let answer = work.create_as::<Programmes>(cx, &AuditInfo::new("import"), &programme, id)?;
    work.name_staged::<Programmes>(&answer.name, &programme);
    Ok(Some(answer))
}
