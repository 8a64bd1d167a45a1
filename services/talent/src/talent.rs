//! Persons (人才): the columns, keys and rules of the resource, and which of its fields are sealed.

use std::sync::LazyLock;

use mingce_orm::model::identifier::{self, mask_document, resident_id};
use mingce_orm::model::normalize::{
    Known, Violations, absorb_names, contradiction, identifier_keys, is_other_person, keep_identifier_order, names_of,
    normalize_identifiers, normalize_names, preserve_identifiers, preserve_names, year_of,
};
use mingce_orm::{Beside, Cell, Collection, Column, Error, Field, Key, Likeness, Result, Shape, UnitOfWork, Violation};
use mingce_proto::talent::{Employment, Talent};

use crate::designation::expect_no_shared_family;

/// The person whom a reference means today.
pub(crate) fn person_of(work: &mut UnitOfWork, name: &str) -> Result<Talent> {
    let missing = || Error::not_found(Talents::COLLECTION, name);
    let id = Talents::shape().kind.id(name).ok_or_else(missing)?;
    work.survivor::<Talents>(id)?.ok_or_else(missing)
}

fn known(item: &Talent) -> Known<'_> {
    (&item.display_name, &item.names, &item.identifiers)
}

/// The collection.
#[derive(Debug)]
pub(crate) enum Talents {}

fn employer(employment: &Employment) -> &str {
    employment.organization.as_ref().map_or("", |o| o.organization.as_str())
}

impl Collection for Talents {
    type Item = Talent;
    const MESSAGE: &'static str = "mingce.talent.v1.Talent";
    const COLLECTION: &'static str = mingce_proto::collections::TALENTS;
    const TABLE: &'static str = "talents";
    const SINGULAR: &'static str = "talent";
    const OUTPUT_ONLY: &'static [&'static str] = &["masked_identity_document", "birth_year", "distinct_from"];
    const FULL_ONLY: &'static [&'static str] = &["employments"];
    const PRIVATE: &'static [&'static str] = &["identity_document", "birth_date"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Talents>> = LazyLock::new(|| {
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |t| t.display_name.as_str().into(),
                },
                Field {
                    column: Column::text("names")
                        .from_fields(&["display_name", "names.text"])
                        .search_only(),
                    get: |t| Cell::many(names_of(&t.display_name, &t.names)),
                },
                Field {
                    column: Column::text("identifiers")
                        .from_fields(&["identifiers.value"])
                        .search_only(),
                    get: |t| Cell::many(t.identifiers.iter().map(|i| i.value.as_str())),
                },
                Field {
                    column: Column::integer("birth_year").groupable(),
                    get: |t| t.birth_year.into(),
                },
                Field {
                    column: Column::text("nationality").groupable(),
                    get: |t| t.nationality.as_str().into(),
                },
                Field {
                    column: Column::text("education").groupable(),
                    get: |t| t.education.as_str().into(),
                },
                Field {
                    column: Column::text("title").groupable(),
                    get: |t| t.title.as_str().into(),
                },
                Field {
                    column: Column::text("disciplines").multi_valued().groupable(),
                    get: |t| Cell::many(t.disciplines.iter().map(String::as_str)),
                },
                Field {
                    column: Column::resource("employers", "organizations/{id}")
                        .from_fields(&["employments.organization.organization"])
                        .multi_valued()
                        .groupable(),
                    get: |t| Cell::many(t.employments.iter().map(employer)),
                },
                Field {
                    column: Column::boolean("deceased").groupable(),
                    get: |t| t.deceased.into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Talent) -> &str {
        &item.display_name
    }

    fn searched(item: &Talent) -> Vec<&str> {
        names_of(&item.display_name, &item.names).collect()
    }

    fn keys(item: &Talent) -> Vec<Key> {
        let mut keys: Vec<Key> = identifier_keys(&item.identifiers).collect();
        if !item.identity_document.is_empty() {
            keys.push(document_key(&item.identity_document));
        }
        keys
    }

    fn check_merge(work: &mut UnitOfWork, duplicate: &Talent, stays: &Talent) -> Result<()> {
        expect_no_shared_family(work, [&duplicate.name, &stays.name])
    }

    fn normalize(item: &mut Talent) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        normalize_names(&mut item.names, &item.display_name, &mut problems);
        normalize_identifiers(&mut item.identifiers, &mut problems);
        problems.partial_date("birth_date", &item.birth_date);
        // One that is given is checked on its way in. What older versions have stored stays where it is no document.
        if let Ok(document) = identifier::document(&item.identity_document) {
            item.identity_document = document.unwrap_or_default();
        }
        if let Ok(card) = resident_id(&item.identity_document) {
            settle_resident(item, card.birth_date, &mut problems);
        }
        item.masked_identity_document = mask_document(&item.identity_document);
        item.birth_year = year_of(&item.birth_date);
        for (place, employment) in item.employments.iter().enumerate() {
            let at = format!("employments[{place}]");
            problems.partial_date(format!("{at}.start_date"), &employment.start_date);
            problems.partial_date(format!("{at}.end_date"), &employment.end_date);
            problems.period(format!("{at}.end_date"), &employment.start_date, &employment.end_date);
        }
        problems.into_inner()
    }

    fn contradicts(row: &Talent, stored: &Talent, by_own: bool) -> Option<Violation> {
        let differ = |field: &str, what: &str| {
            let said = format!("the record has another {what}");
            Some(Violation::new(field, "RECORDS_DISAGREE", said))
        };
        let canonical = |item: &Talent| {
            identifier::document(&item.identity_document)
                .ok()
                .flatten()
                .unwrap_or_default()
        };
        let (document, held) = (canonical(row), canonical(stored));
        if !document.is_empty() && !held.is_empty() && document != held {
            return differ("identity_document", "identity document");
        }
        if !by_own && row.birth_year != 0 && stored.birth_year != 0 && row.birth_year != stored.birth_year {
            return differ("birth_date", "year of birth");
        }
        // A number of a house says little where another house may give it too; the year of birth says more.
        let same_year = row.birth_year != 0 && row.birth_year == stored.birth_year;
        if !by_own && !same_year && is_other_person(known(row), known(stored)) {
            return differ("display_name", "surname or given name");
        }
        contradiction(known(row), known(stored), by_own)
    }

    /// A document on record with a day of birth stands: a day that is given beside it, without the document, is neither stored nor
    /// compared. Whether it was the right one would tell what is sealed. The year can be seen.
    fn check_settable(stored: &Talent, given: &Talent) -> Option<Violation> {
        let is_known = !stored.masked_identity_document.is_empty() && stored.birth_year != 0;
        let is_day = given.birth_date.len() > 4 && year_of(&given.birth_date) == stored.birth_year;
        let said = "the record has an identity document, and a day of birth is not compared with it: give \
                    identity_document too, or leave this out";
        let is_alone = is_known && is_day && given.identity_document.is_empty();
        is_alone.then(|| Violation::new("birth_date", "BIRTH_DATE_WITHOUT_DOCUMENT", said))
    }

    fn keep_order(merged: &mut Talent, stored: &Talent) {
        keep_identifier_order(&mut merged.identifiers, &stored.identifiers);
    }

    fn preserve(merged: &mut Talent, stored: &Talent) {
        preserve_identifiers(&mut merged.identifiers, &stored.identifiers);
        preserve_names(
            &mut merged.names,
            &merged.display_name,
            (&stored.display_name, &stored.names),
        );
    }

    fn on_merge(item: &mut Talent, other: &Talent, from: &str) {
        absorb_names(
            &mut item.names,
            &item.display_name,
            &other.display_name,
            &other.names,
            from,
        );
    }

    fn on_unmerge(item: &mut Talent, from: &str) {
        item.names.retain(|name| name.merged_from != from);
    }

    fn likeness(item: &Talent) -> Option<Likeness<'_>> {
        Some(Likeness {
            display_name: &item.display_name,
            names: &item.names,
            identifiers: &item.identifiers,
            beside: Beside::BirthYear(item.birth_year),
            unverified: false,
            distinct_from: &item.distinct_from,
        })
    }

    fn distinct_from(item: &mut Talent) -> Option<&mut Vec<String>> {
        Some(&mut item.distinct_from)
    }
}

/// The key of an identity document in its one form.
pub(crate) fn document_key(document: &str) -> Key {
    let key = Key::new("identity_document", document, "identity_document");
    Key { private: true, ..key }
}

/// What is given as the document of a person, in its stored form, or what is wrong with it.
pub(crate) fn take_document(item: &mut Talent) -> Option<Violation> {
    match identifier::document(&item.identity_document) {
        Ok(document) => {
            item.identity_document = document.unwrap_or_default();
            None
        }
        Err(fault) => Some(Violation::new("identity_document", fault.reason, fault.description)),
    }
}

/// A resident identity card says the day of birth too.
fn settle_resident(item: &mut Talent, birth_date: String, problems: &mut Violations) {
    if birth_date.starts_with(&item.birth_date) {
        item.birth_date = birth_date;
    } else {
        let said = "the day of birth is another one than in the identity document: correct one of them";
        problems.add("birth_date", "BIRTH_DATE_DIFFERS", said);
    }
}
