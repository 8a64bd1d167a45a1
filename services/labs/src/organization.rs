//! Organizations (单位): the columns, keys and rules of the resource.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mingce_orm::model::collection::AcyclicReference;
use mingce_orm::model::normalize::{
    Known, Violations, absorb_names, contradiction, enum_values, fits, identifier_keys, identifiers_differ,
    keep_identifier_order, names_of, normalize_identifiers, normalize_names, preserve_identifiers, preserve_names,
};
use mingce_orm::{
    Beside, Cell, Collection, Column, Field, Fit, Key, Likeness, Result, Shape, UnitOfWork, Violation, text,
};
use mingce_proto::labs::{Organization, OrganizationRelation, OrganizationRelationKind};

/// The key that an unverified organization is told from others by: its name and city. It holds no other.
pub(crate) fn unverified_key(display_name: &str, city: &str) -> Key {
    Key::new(
        "unverified",
        format!("{}|{}", text::spelled(display_name), text::spelled(city)),
        "display_name",
    )
}

fn is_resource_name(name: &str) -> bool {
    name.is_empty() || Organizations::shape().kind.id(name).is_some()
}

/// What an organization belongs to, and what took over from it, do not lead back to it.
const CHAINS: &[AcyclicReference<Organizations>] = &[
    AcyclicReference {
        field: "parent",
        reason: "PARENT_CYCLE",
        next: |organization| parents(organization).collect(),
    },
    AcyclicReference {
        field: "successor",
        reason: "SUCCESSOR_CYCLE",
        next: |organization| vec![organization.successor.as_str()],
    },
];

fn other(relation: &OrganizationRelation) -> &str {
    relation.organization.as_ref().map_or("", |o| o.organization.as_str())
}

/// What it belongs to, the main one first.
fn parents(item: &Organization) -> impl Iterator<Item = &str> {
    let further = item
        .relations
        .iter()
        .filter(|r| r.kind() == OrganizationRelationKind::Parent);
    std::iter::once(item.parent.as_str()).chain(further.map(other))
}

fn known(item: &Organization) -> Known<'_> {
    (&item.display_name, &item.names, &item.identifiers)
}

/// The collection.
#[derive(Debug)]
pub(crate) enum Organizations {}

impl Collection for Organizations {
    type Item = Organization;
    const MESSAGE: &'static str = "mingce.labs.v1.Organization";
    const COLLECTION: &'static str = mingce_proto::collections::ORGANIZATIONS;
    const TABLE: &'static str = "organizations";
    const SINGULAR: &'static str = "organization";
    const BY_NAME: bool = true;
    const OUTPUT_ONLY: &'static [&'static str] = &["distinct_from"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Organizations>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.labs.v1.OrganizationKind");
            let states = enum_values("mingce.labs.v1.OperatingState");
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |o| o.display_name.as_str().into(),
                },
                Field {
                    column: Column::text("names")
                        .from_fields(&["display_name", "names.text"])
                        .search_only(),
                    get: |o| Cell::many(names_of(&o.display_name, &o.names)),
                },
                Field {
                    column: Column::text("identifiers")
                        .from_fields(&["identifiers.value"])
                        .search_only(),
                    get: |o| Cell::many(o.identifiers.iter().map(|i| i.value.as_str())),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |o| o.kind.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |o| o.state.into(),
                },
                Field {
                    column: Column::text("division_code").groupable(),
                    get: |o| o.division_code.as_str().into(),
                },
                Field {
                    column: Column::text("city").groupable(),
                    get: |o| o.city.as_str().into(),
                },
                Field {
                    column: Column::text("country_code").groupable(),
                    get: |o| o.country_code.as_str().into(),
                },
                Field {
                    column: Column::integer("established_year").groupable(),
                    get: |o| o.established_year.into(),
                },
                Field {
                    column: Column::resource("parent", "organizations/{id}").groupable(),
                    get: |o| o.parent.as_str().into(),
                },
                Field {
                    column: Column::resource("successor", "organizations/{id}"),
                    get: |o| o.successor.as_str().into(),
                },
                Field {
                    column: Column::boolean("unverified").groupable(),
                    get: |o| o.unverified.into(),
                },
                Field {
                    column: Column::one_of("kinds", kinds)
                        .from_fields(&["kind", "other_kinds"])
                        .multi_valued()
                        .groupable(),
                    get: |o| {
                        let all = std::iter::once(o.kind).chain(o.other_kinds.iter().copied());
                        Cell::Many(all.filter(|kind| *kind != 0).map(|kind| kind.to_string()).collect())
                    },
                },
                Field {
                    column: Column::resource("parents", "organizations/{id}")
                        .from_fields(&["parent", "relations.kind", "relations.organization.organization"])
                        .multi_valued()
                        .groupable(),
                    get: |o| Cell::many(parents(o)),
                },
                Field {
                    column: Column::resource("related", "organizations/{id}")
                        .from_fields(&["relations.organization.organization"])
                        .multi_valued()
                        .groupable(),
                    get: |o| Cell::many(o.relations.iter().map(other)),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Self::Item) -> &str {
        &item.display_name
    }

    fn searched(item: &Self::Item) -> Vec<&str> {
        names_of(&item.display_name, &item.names).collect()
    }

    fn keys(item: &Self::Item) -> Vec<Key> {
        let unverified = item.unverified && item.identifiers.is_empty();
        identifier_keys(&item.identifiers)
            .chain(unverified.then(|| unverified_key(&item.display_name, &item.city)))
            .collect()
    }

    fn acyclic_references() -> &'static [AcyclicReference<Self>] {
        CHAINS
    }

    fn names_others(row: &Self::Item) -> bool {
        !row.parent.is_empty() || !row.successor.is_empty() || !row.relations.is_empty()
    }

    fn normalize(item: &mut Self::Item) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        normalize_names(&mut item.names, &item.display_name, &mut problems);
        normalize_identifiers(&mut item.identifiers, &mut problems);
        problems.division_code(&item.division_code);
        for (field, value) in [("parent", &item.parent), ("successor", &item.successor)] {
            if !is_resource_name(value) {
                problems.add(
                    field,
                    "NAME_WRONG_KIND",
                    "expected a resource name like organizations/{id}",
                );
            } else if !value.is_empty() && *value == item.name {
                let said = "an organization is not its own: name another, or leave this out";
                problems.add(field, "REFERENCE_TO_ITSELF", said);
            }
        }
        let kind = item.kind;
        item.other_kinds.retain(|other| *other != kind);
        let mut seen = BTreeSet::new();
        for (place, relation) in item.relations.iter().enumerate() {
            let at = format!("relations[{place}]");
            problems.partial_date(format!("{at}.start_date"), &relation.start_date);
            problems.partial_date(format!("{at}.end_date"), &relation.end_date);
            problems.period(format!("{at}.end_date"), &relation.start_date, &relation.end_date);
            let name = other(relation);
            if !name.is_empty() && name == item.name {
                let said = "an organization has no relation to itself: name another, or leave this out";
                problems.add(format!("{at}.organization"), "REFERENCE_TO_ITSELF", said);
            }
            if !name.is_empty() && !seen.insert((name, relation.kind, relation.start_date.as_str())) {
                let said = "each organization stands once with a kind and a first day: leave one out";
                problems.add(format!("{at}.organization"), "RELATION_TWICE", said);
            }
        }
        problems.into_inner()
    }

    /// The same name in the same city, unless both have an identifier of one scheme and these differ.
    fn is_same(_work: &mut UnitOfWork, row: &Organization, stored: &Organization) -> Result<Fit> {
        let city = row.city.is_empty() || stored.city.is_empty() || text::same_name(&row.city, &stored.city);
        if !city || identifiers_differ(&row.identifiers, &stored.identifiers) {
            return Ok(Fit::No);
        }
        let fit = fits(
            (&row.display_name, &row.identifiers),
            &stored.display_name,
            &stored.names,
        );
        Ok(fit)
    }

    fn contradicts(row: &Organization, stored: &Organization, by_own: bool) -> Option<Violation> {
        contradiction(known(row), known(stored), by_own)
    }

    fn keep_order(merged: &mut Organization, stored: &Organization) {
        keep_identifier_order(&mut merged.identifiers, &stored.identifiers);
    }

    fn rename(item: &mut Organization, title: &str) {
        title.clone_into(&mut item.display_name);
    }

    fn preserve(merged: &mut Self::Item, stored: &Self::Item) {
        preserve_identifiers(&mut merged.identifiers, &stored.identifiers);
        preserve_names(
            &mut merged.names,
            &merged.display_name,
            (&stored.display_name, &stored.names),
        );
    }

    fn on_merge(item: &mut Self::Item, other: &Self::Item, from: &str) {
        // What it belongs to or what took over may be the duplicate, which now is the same organization.
        for field in [&mut item.parent, &mut item.successor] {
            if field == from {
                field.clear();
            }
        }
        item.relations.retain(|relation| self::other(relation) != from);
        absorb_names(
            &mut item.names,
            &item.display_name,
            &other.display_name,
            &other.names,
            from,
        );
    }

    fn on_unmerge(item: &mut Self::Item, from: &str) {
        item.names.retain(|name| name.merged_from != from);
    }

    fn likeness(item: &Organization) -> Option<Likeness<'_>> {
        Some(Likeness {
            display_name: &item.display_name,
            names: &item.names,
            identifiers: &item.identifiers,
            beside: Beside::City(&item.city),
            unverified: item.unverified,
            distinct_from: &item.distinct_from,
        })
    }

    fn distinct_from(item: &mut Organization) -> Option<&mut Vec<String>> {
        Some(&mut item.distinct_from)
    }
}
