//! Awards (授奖): the columns, keys and rules of the resource.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mingce_orm::names::{Problems, enum_values, settle_ranks};
use mingce_orm::{Cell, Collection, Column, Field, Key, Shape, Violation};
use mingce_proto::awards::{Award, CompletingOrganization, Contributor, Share};
use mingce_proto::registry::OrganizationReference;

/// The collection.
#[derive(Debug)]
pub(crate) enum Awards {}

fn scheme(award: &Award) -> &str {
    award.scheme.as_ref().map_or("", |s| s.scheme.as_str())
}

fn organization(reference: &Option<OrganizationReference>) -> &str {
    reference.as_ref().map_or("", |o| o.organization.as_str())
}

fn completing(of: &CompletingOrganization) -> &str {
    organization(&of.organization)
}

/// A contributor by resource name, or by name where they are not in the register.
fn contributor(of: &Contributor) -> &str {
    match (&of.talent, &of.laureate_organization) {
        (Some(person), _) if !person.talent.is_empty() => &person.talent,
        (Some(person), _) => &person.display_name,
        (None, laureate) => organization(laureate),
    }
}

impl Collection for Awards {
    type Item = Award;
    const MESSAGE: &'static str = "mingce.awards.v1.Award";
    const COLLECTION: &'static str = "awards";
    const TABLE: &'static str = "awards";
    const SINGULAR: &'static str = "award";
    const FULL_ONLY: &'static [&'static str] = &["motivation", "evidence"];
    const DEFAULT_ORDER: &'static str = "year desc, title";
    const OUTPUT_ONLY: &'static [&'static str] = &["level", "category"];

    const DERIVED: &'static [(&'static str, &'static str)] = &[("scheme", "level"), ("scheme", "category")];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Awards>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let states = enum_values("mingce.awards.v1.AwardState");
            Shape::new(vec![
                Field {
                    column: Column::text("title"),
                    get: |a| a.title.as_str().into(),
                },
                Field {
                    column: Column::resource("scheme").dimension(),
                    get: |a| scheme(a).into(),
                },
                Field {
                    column: Column::text("number"),
                    get: |a| a.number.as_str().into(),
                },
                Field {
                    column: Column::integer("year").dimension(),
                    get: |a| a.year.into(),
                },
                Field {
                    column: Column::text("grade").dimension(),
                    get: |a| a.grade.as_str().into(),
                },
                Field {
                    column: Column::one_of("state", states).dimension(),
                    get: |a| a.state.into(),
                },
                Field {
                    column: Column::one_of("level", levels).dimension(),
                    get: |a| a.level.into(),
                },
                Field {
                    column: Column::text("category").dimension(),
                    get: |a| a.category.as_str().into(),
                },
                Field {
                    column: Column::text("contributors").many().dimension(),
                    get: |a| Cell::many(a.contributors.iter().map(contributor)),
                },
                Field {
                    column: Column::resource("organizations").many().dimension(),
                    get: |a| {
                        Cell::many(
                            a.contributors
                                .iter()
                                .flat_map(|c| &c.organizations)
                                .map(|o| o.organization.as_str()),
                        )
                    },
                },
                Field {
                    column: Column::resource("completing_organizations").many().dimension(),
                    get: |a| Cell::many(a.completing_organizations.iter().map(completing)),
                },
                Field {
                    column: Column::resource("lead_organization").dimension(),
                    get: |a| a.completing_organizations.first().map_or("", completing).into(),
                },
                Field {
                    column: Column::integer("contributor_count").dimension(),
                    get: |a| i64::try_from(a.contributors.len()).unwrap_or(0).into(),
                },
                Field {
                    column: Column::text("document_number").dimension(),
                    get: |a| a.document_number.as_str().into(),
                },
                Field {
                    column: Column::date("decision_date"),
                    get: |a| a.decision_date.as_str().into(),
                },
                Field {
                    column: Column::boolean("classified").dimension(),
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

    fn keys(item: &Award) -> Vec<Key> {
        vec![Key::new(
            "number",
            format!("{}|{}", scheme(item), item.number),
            "number",
        )]
    }

    fn settle(item: &mut Award) -> Vec<Violation> {
        let mut problems = Problems::default();
        problems.name("title", &mut item.title);
        problems.date("decision_date", &item.decision_date);
        settle_ranks(
            &mut item.contributors,
            "contributors",
            (|c| c.rank, |c, rank| c.rank = rank),
            &mut problems,
        );
        let organizations = &mut item.completing_organizations;
        settle_ranks(
            organizations,
            "completing_organizations",
            (|c| c.rank, |c, rank| c.rank = rank),
            &mut problems,
        );
        let mut seen = BTreeSet::new();
        for (place, one) in item.contributors.iter_mut().enumerate() {
            let at = format!("contributors[{place}]");
            if one.talent.is_some() == one.laureate_organization.is_some() {
                problems.add(
                    &at,
                    "CONTRIBUTOR_KIND",
                    "a contributor is either a person or an organization",
                );
            } else if contributor(one).is_empty() {
                problems.add(
                    format!("{at}.talent"),
                    "PERSON_MISSING",
                    "give the person's resource name or their name",
                );
            } else if contributor(one).contains('/') && !seen.insert(contributor(one).to_owned()) {
                problems.add(&at, "CONTRIBUTOR_TWICE", "each contributor stands once");
            }
            if let Some(share) = &mut one.share {
                share.numerator = share.numerator.max(1);
            }
        }
        settle_shares(&item.contributors, &mut problems);
        let mut seen = BTreeSet::new();
        for (place, one) in item.completing_organizations.iter().enumerate() {
            if !completing(one).is_empty() && !seen.insert(completing(one)) {
                let at = format!("completing_organizations[{place}].organization");
                problems.add(at, "ORGANIZATION_TWICE", "each completing organization stands once");
            }
        }
        problems.into_inner()
    }
}

/// Shares add up to no more than the whole prize.
fn settle_shares(contributors: &[Contributor], problems: &mut Problems) {
    let shares: Vec<&Share> = contributors.iter().filter_map(|c| c.share.as_ref()).collect();
    // In parts of the product of the different denominators.
    let denominators: BTreeSet<i128> = shares.iter().map(|s| i128::from(s.denominator.max(1))).collect();
    let whole = denominators.iter().try_fold(1i128, |all, d| all.checked_mul(*d));
    let sum = whole.and_then(|whole| {
        shares.iter().try_fold(0i128, |sum, share| {
            let part = whole / i128::from(share.denominator.max(1));
            sum.checked_add(part.checked_mul(share.numerator.into())?)
        })
    });
    match (whole, sum) {
        (Some(whole), Some(sum)) if sum <= whole => {}
        (Some(_), Some(_)) => {
            problems.add(
                "contributors",
                "SHARES_EXCEED_WHOLE",
                "the shares add up to more than 1",
            );
        }
        _ => problems.add(
            "contributors",
            "SHARES_UNCLEAR",
            "write the shares with fewer different denominators",
        ),
    }
}
