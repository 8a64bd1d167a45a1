//! Test collections over messages of the contract. Their rules are small enough to be written once more in a model.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mingce_orm::model::normalize::{absorb_names, enum_values, identifier_keys, names_of};
use mingce_orm::{Cell, Collection, Column, Field, Fit, Key, Result, Shape, UnitOfWork, Violation, text};
use mingce_proto::awards::Award;
use mingce_proto::labs::Organization;
use mingce_proto::talent::Talent;

fn named(display_name: &mut String) -> Vec<Violation> {
    *display_name = display_name.trim().to_owned();
    let problem = Violation::new("display_name", "NAME_EMPTY", "a name has at least one character");
    if display_name.is_empty() {
        vec![problem]
    } else {
        Vec::new()
    }
}

/// Organizations, matched by name in an import.
#[derive(Debug)]
pub enum Institutes {}

/// The name of an organization whose columns cannot be made.
pub const PANICS: &str = "panics";

impl Collection for Institutes {
    type Item = Organization;
    const MESSAGE: &'static str = "mingce.labs.v1.Organization";
    const COLLECTION: &'static str = "organizations";
    const TABLE: &'static str = "institutes";
    const SINGULAR: &'static str = "organization";
    const BY_NAME: bool = true;

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Institutes>> = LazyLock::new(|| {
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |o| {
                        assert!(o.display_name != PANICS, "as a fault of ours would");
                        o.display_name.as_str().into()
                    },
                },
                Field {
                    column: Column::text("names").search_only(),
                    get: |o| Cell::many(names_of(&o.display_name, &o.names)),
                },
                Field {
                    column: Column::text("identifiers").search_only(),
                    get: |o| Cell::many(o.identifiers.iter().map(|i| i.value.as_str())),
                },
                Field {
                    column: Column::text("city").groupable(),
                    get: |o| o.city.as_str().into(),
                },
            ])
        });
        &SHAPE
    }
    fn title(item: &Organization) -> &str {
        &item.display_name
    }
    fn searched(item: &Organization) -> Vec<&str> {
        names_of(&item.display_name, &item.names).collect()
    }
    fn keys(item: &Organization) -> Vec<Key> {
        identifier_keys(&item.identifiers).collect()
    }
    fn normalize(item: &mut Organization) -> Vec<Violation> {
        let mut seen = BTreeSet::new();
        item.identifiers
            .retain(|held| seen.insert((held.scheme.clone(), held.value.clone())));
        named(&mut item.display_name)
    }
    fn is_same(_work: &mut UnitOfWork, row: &Organization, stored: &Organization) -> Result<Fit> {
        let named = Self::searched(stored)
            .iter()
            .any(|name| text::fold(name) == text::fold(&row.display_name));
        let here = row.city.is_empty() || stored.city.is_empty() || row.city == stored.city;
        Ok(if named && here { Fit::Now } else { Fit::No })
    }
    fn on_merge(item: &mut Organization, other: &Organization, from: &str) {
        absorb_names(
            &mut item.names,
            &item.display_name,
            &other.display_name,
            &other.names,
            from,
        );
    }
    fn on_unmerge(item: &mut Organization, from: &str) {
        item.names.retain(|name| name.merged_from != from);
    }
}

/// Persons with two sealed fields, one of them a key.
#[derive(Debug)]
pub enum Persons {}

impl Collection for Persons {
    type Item = Talent;
    const MESSAGE: &'static str = "mingce.talent.v1.Talent";
    const COLLECTION: &'static str = "talents";
    const TABLE: &'static str = "persons";
    const SINGULAR: &'static str = "talent";
    const PRIVATE: &'static [&'static str] = &["identity_document", "birth_date"];
    const FULL_ONLY: &'static [&'static str] = &["employments"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Persons>> = LazyLock::new(|| {
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |t| t.display_name.as_str().into(),
                },
                Field {
                    column: Column::text("title"),
                    get: |t| t.title.as_str().into(),
                },
            ])
        });
        &SHAPE
    }
    fn title(item: &Talent) -> &str {
        &item.display_name
    }
    fn keys(item: &Talent) -> Vec<Key> {
        let document = item.identity_document.as_str();
        let key = Key::new("identity_document", document, "identity_document");
        if document.is_empty() {
            Vec::new()
        } else {
            vec![Key { private: true, ..key }]
        }
    }
    fn normalize(item: &mut Talent) -> Vec<Violation> {
        named(&mut item.display_name)
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
}

/// Awards: a column of each type.
#[derive(Debug)]
pub enum Prizes {}

impl Collection for Prizes {
    type Item = Award;
    const MESSAGE: &'static str = "mingce.awards.v1.Award";
    const COLLECTION: &'static str = "awards";
    const TABLE: &'static str = "prizes";
    const SINGULAR: &'static str = "award";
    const DEFAULT_ORDER: &'static str = "year desc, title";

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Prizes>> = LazyLock::new(|| {
            let states = enum_values("mingce.awards.v1.AwardState");
            Shape::new(vec![
                Field {
                    column: Column::text("title"),
                    get: |a| a.title.as_str().into(),
                },
                Field {
                    column: Column::resource("scheme", "schemes/{id}").groupable(),
                    get: |a| scheme(a).into(),
                },
                Field {
                    column: Column::text("number"),
                    get: |a| a.number.as_str().into(),
                },
                Field {
                    column: Column::integer("year").groupable(),
                    get: |a| a.year.into(),
                },
                Field {
                    column: Column::text("grade").groupable(),
                    get: |a| a.grade.as_str().into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |a| a.state.into(),
                },
                Field {
                    column: Column::text("evidence").multi_valued().groupable(),
                    get: |a| Cell::many(evidence(a)),
                },
                Field {
                    column: Column::integer("contributor_count").groupable(),
                    get: |a| i64::try_from(a.contributors.len()).unwrap().into(),
                },
                Field {
                    column: Column::date("decision_date"),
                    get: |a| a.decision_date.as_str().into(),
                },
                Field {
                    column: Column::boolean("classified").groupable(),
                    get: |a| a.classified.into(),
                },
            ])
        });
        &SHAPE
    }
    fn title(item: &Award) -> &str {
        &item.title
    }
    fn searched(item: &Award) -> Vec<&str> {
        vec![&item.title, &item.number]
    }
    fn keys(_: &Award) -> Vec<Key> {
        Vec::new()
    }
    fn normalize(_: &mut Award) -> Vec<Violation> {
        Vec::new()
    }
}

pub fn scheme(award: &Award) -> &str {
    award.scheme.as_ref().map_or("", |s| s.scheme.as_str())
}

pub fn evidence(award: &Award) -> impl Iterator<Item = &str> {
    award.evidence.iter().map(String::as_str)
}
