//! Persons (人才): the columns, keys and rules of the resource, and which of its fields are sealed.

use std::sync::LazyLock;

use mingce_orm::identifier::{IDENTITY_DOCUMENT, canonical, mask_document, resident_id};
use mingce_orm::names::{
    Problems, absorb_names, identifier_keys, keep_identifiers, keep_names, names_of, settle_identifiers, settle_names,
    year_of,
};
use mingce_orm::{Cell, Collection, Column, Field, Key, Shape, Violation};
use mingce_proto::talent::{Employment, Talent};

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
    const OUTPUT_ONLY: &'static [&'static str] = &["masked_identity_document", "birth_year"];
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
                    column: Column::text("names").in_index(),
                    get: |t| Cell::many(names_of(&t.display_name, &t.names)),
                },
                Field {
                    column: Column::text("identifiers").in_index(),
                    get: |t| Cell::many(t.identifiers.iter().map(|i| i.value.as_str())),
                },
                Field {
                    column: Column::integer("birth_year").dimension(),
                    get: |t| t.birth_year.into(),
                },
                Field {
                    column: Column::text("nationality").dimension(),
                    get: |t| t.nationality.as_str().into(),
                },
                Field {
                    column: Column::text("education").dimension(),
                    get: |t| t.education.as_str().into(),
                },
                Field {
                    column: Column::text("title").dimension(),
                    get: |t| t.title.as_str().into(),
                },
                Field {
                    column: Column::text("disciplines").many().dimension(),
                    get: |t| Cell::many(t.disciplines.iter().map(String::as_str)),
                },
                Field {
                    column: Column::resource("employers").many().dimension(),
                    get: |t| Cell::many(t.employments.iter().map(employer)),
                },
                Field {
                    column: Column::boolean("deceased").dimension(),
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
            let key = Key::new(
                "identity_document",
                item.identity_document.as_str(),
                "identity_document",
            );
            keys.push(Key { private: true, ..key });
        }
        keys
    }

    fn settle(item: &mut Talent) -> Vec<Violation> {
        let mut problems = Problems::default();
        problems.name("display_name", &mut item.display_name);
        settle_names(&mut item.names, &mut problems);
        settle_identifiers(&mut item.identifiers, &mut problems);
        problems.partial_date("birth_date", &item.birth_date);
        if !item.identity_document.is_empty() {
            match canonical(IDENTITY_DOCUMENT, &item.identity_document) {
                Ok(document) => item.identity_document = document.to_uppercase(),
                Err(fault) => problems.add("identity_document", fault.reason, fault.description),
            }
        }
        if item.identity_document.chars().count() == 18 {
            settle_resident(item, &mut problems);
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

    fn keep(merged: &mut Talent, stored: &Talent) {
        keep_identifiers(&mut merged.identifiers, &stored.identifiers);
        keep_names(&mut merged.names, &stored.names);
    }

    fn absorb(item: &mut Talent, other: &Talent, from: &str) {
        absorb_names(
            &mut item.names,
            &item.display_name,
            &other.display_name,
            &other.names,
            from,
        );
    }

    fn release(item: &mut Talent, from: &str) {
        item.names.retain(|name| name.merged_from != from);
    }
}

/// A resident identity card says the day of birth too.
fn settle_resident(item: &mut Talent, problems: &mut Problems) {
    match resident_id(&item.identity_document) {
        Err(fault) => problems.add("identity_document", fault.reason, fault.description),
        Ok(card) if item.birth_date.is_empty() => item.birth_date = card.birth_date,
        Ok(card) if !card.birth_date.starts_with(&item.birth_date) => {
            let said = "the day of birth is another one than in the identity document: mend one of them";
            problems.add("birth_date", "BIRTH_DATE_DIFFERS", said);
        }
        Ok(_) => {}
    }
}
