//! Awards (授奖): the columns, keys and rules of the resource.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use mingce_lifecycle::caps::release_cap;
use mingce_lifecycle::writes::check_write;
use mingce_lifecycle::{Case, Phase, Stateful, document};
use mingce_orm::model::normalize::{Violations, enum_values, normalize_ranks};
use mingce_orm::text::fold;
use mingce_orm::{
    AuditInfo, Cell, Collection, Column, Field, Key, RequestContext, Result, Shape, UnitOfWork, Violation,
};
use mingce_proto::awards::{Award, AwardState as S, CompletingOrganization, Contributor, Share};
use mingce_proto::registry::OrganizationReference;
use sha2::{Digest, Sha256};

/// The collection.
#[derive(Debug)]
pub(crate) enum Awards {}

pub(crate) fn scheme(award: &Award) -> &str {
    award.scheme.as_ref().map_or("", |s| s.scheme.as_str())
}

pub(crate) fn organization(reference: &Option<OrganizationReference>) -> &str {
    reference.as_ref().map_or("", |o| o.organization.as_str())
}

pub(crate) fn completing(of: &CompletingOrganization) -> &str {
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

/// The round that a nomination is in; empty for recorded history.
fn round(award: &Award) -> &str {
    award.case.as_ref().map_or("", |case| case.round.as_str())
}

/// A text as it is compared, in a form of bounded length.
fn compared(text: &str) -> String {
    let folded = fold(text);
    let folded = if folded.is_empty() { text } else { &folded };
    HEXLOWER.encode(&Sha256::digest(folded))
}

/// The key that the nomination of a project holds in a year: a project is nominated once a year for a scheme. A project is known by
/// its code, else by its title.
pub(crate) fn nomination_key(award: &Award, year: i32) -> Key {
    let (kind, project) = if award.project_code.trim().is_empty() {
        ("title", &award.title)
    } else {
        ("code", &award.project_code)
    };
    let nomination = [scheme(award), kind, &compared(project), &year.to_string()].join("|");
    Key::new("nomination", nomination, "project_code").non_identifying()
}

/// The keys that an award holds for its evidence: nothing is rewarded twice at one level.
pub(crate) fn evidence_keys(award: &Award) -> Vec<Key> {
    let held: BTreeSet<String> = award.evidence.iter().map(|text| compared(text)).collect();
    held.into_iter()
        .map(|text| Key::new("evidence", format!("{}|{text}", award.level), "evidence").non_identifying())
        .collect()
}

impl Collection for Awards {
    type Item = Award;
    const MESSAGE: &'static str = "mingce.awards.v1.Award";
    const COLLECTION: &'static str = mingce_proto::collections::AWARDS;
    const TABLE: &'static str = "awards";
    const SINGULAR: &'static str = "award";
    const FULL_ONLY: &'static [&'static str] = &["motivation", "evidence"];
    const DEFAULT_ORDER: &'static str = "year desc, title";
    const OUTPUT_ONLY: &'static [&'static str] = &["level", "category", "case", "verbs", "documents"];

    const DERIVED: &'static [(&'static str, &'static str)] = &[("scheme", "level"), ("scheme", "category")];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Awards>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let states = enum_values("mingce.awards.v1.AwardState");
            let mut fields: Vec<Field<Awards>> = vec![
                Field {
                    column: Column::text("title"),
                    get: |a| a.title.as_str().into(),
                },
                Field {
                    column: Column::resource("scheme", "schemes/{id}")
                        .from_fields(&["scheme.scheme"])
                        .groupable(),
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
                    column: Column::one_of("level", levels).groupable(),
                    get: |a| a.level.into(),
                },
                Field {
                    column: Column::text("category").groupable(),
                    get: |a| a.category.as_str().into(),
                },
                Field {
                    column: Column::text("contributors")
                        .from_fields(&[
                            "contributors.talent.talent",
                            "contributors.talent.display_name",
                            "contributors.laureate_organization.organization",
                        ])
                        .multi_valued()
                        .groupable()
                        .cites(),
                    get: |a| Cell::many(a.contributors.iter().map(contributor)),
                },
                Field {
                    column: Column::resource("organizations", "organizations/{id}")
                        .from_fields(&["contributors.organizations.organization"])
                        .multi_valued()
                        .groupable(),
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
                    column: Column::resource("completing_organizations", "organizations/{id}")
                        .from_fields(&["completing_organizations.organization.organization"])
                        .multi_valued()
                        .groupable(),
                    get: |a| Cell::many(a.completing_organizations.iter().map(completing)),
                },
                Field {
                    column: Column::resource("lead_organization", "organizations/{id}")
                        .from_fields(&["completing_organizations.organization.organization"])
                        .groupable(),
                    get: |a| a.completing_organizations.first().map_or("", completing).into(),
                },
                // Led and joined awards are counted apart.
                Field {
                    column: Column::resource("joined_organizations", "organizations/{id}")
                        .from_fields(&["completing_organizations.organization.organization"])
                        .multi_valued()
                        .groupable(),
                    get: |a| Cell::many(a.completing_organizations.iter().skip(1).map(completing)),
                },
                Field {
                    column: Column::integer("contributor_count")
                        .from_fields(&["contributors"])
                        .groupable(),
                    get: |a| i64::try_from(a.contributors.len()).unwrap_or(0).into(),
                },
                Field {
                    column: Column::document("document_number").groupable(),
                    get: |a| a.document_number.as_str().into(),
                },
                Field {
                    column: Column::date("decision_date").by_calendar(),
                    get: |a| a.decision_date.as_str().into(),
                },
                Field {
                    column: Column::boolean("classified").groupable(),
                    get: |a| a.classified.into(),
                },
                Field {
                    column: Column::boolean("public_safety").groupable(),
                    get: |a| a.public_safety.into(),
                },
                Field {
                    column: Column::text("nominator").groupable(),
                    get: |a| a.nominator.as_str().into(),
                },
            ];
            fields.extend(mingce_lifecycle::schema::fields());
            fields.push(mingce_lifecycle::schema::score());
            Shape::new(fields)
        });
        &SHAPE
    }

    fn title(item: &Award) -> &str {
        &item.title
    }

    fn searched(item: &Award) -> Vec<&str> {
        vec![&item.title, &item.number]
    }

    /// A number is given once per scheme, a project is nominated once a year, and evidence is rewarded once at a level. A nomination
    /// has its number from its approval on.
    fn keys(item: &Award) -> Vec<Key> {
        let is_nomination = !round(item).is_empty();
        let is_given = matches!(item.state(), S::Approved | S::Conferred | S::Revoked);
        let mut keys = Vec::new();
        if !item.number.is_empty() && (is_given || !is_nomination) {
            let number = format!("{}|{}", scheme(item), item.number);
            keys.push(Key::new("number", number, "number"));
        }
        if is_nomination && !matches!(item.state(), S::Draft | S::Withdrawn) {
            keys.push(nomination_key(item, item.year));
        }
        if matches!(item.state(), S::Approved | S::Conferred) {
            keys.extend(evidence_keys(item));
        }
        keys
    }

    fn normalize(item: &mut Award) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("title", &mut item.title);
        let dates = [("decision_date", item.decision_date.as_str())];
        problems.dates_of_decision(Self::is_taken_here(item), &dates);
        item.verbs.clear();
        if matches!(Self::state_machine().phase(item.state), Phase::Draft | Phase::Undecided) {
            let is_case = item.case.is_some();
            let mut later = [
                ("number", &mut item.number),
                ("document_number", &mut item.document_number),
                ("decision_date", &mut item.decision_date),
            ];
            problems.before_decision(is_case, &mut later);
            problems.before_decision(is_case, &mut [("money_fen", &mut item.money_fen)]);
        }
        document::settle::<Self>(item);
        if item.number.is_empty() && matches!(item.state(), S::Approved | S::Conferred | S::Revoked) {
            let said = "an award that was approved has a number: give the one of its certificate";
            problems.add("number", "NUMBER_MISSING", said);
        }
        normalize_ranks(
            &mut item.contributors,
            "contributors",
            (|c| c.rank, |c, rank| c.rank = rank),
            &mut problems,
        );
        let organizations = &mut item.completing_organizations;
        normalize_ranks(
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
                    "a contributor is either a person or an organization: give one of the two",
                );
            } else if contributor(one).is_empty() {
                problems.add(
                    format!("{at}.talent"),
                    "PERSON_MISSING",
                    "give the person's resource name or their name",
                );
            } else if contributor(one).contains('/') && !seen.insert(contributor(one).to_owned()) {
                problems.add(&at, "CONTRIBUTOR_TWICE", "each contributor stands once: leave one out");
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
                let said = "each completing organization stands once: leave one out";
                problems.add(at, "ORGANIZATION_TWICE", said);
            }
        }
        problems.into_inner()
    }

    fn on_annul(work: &mut UnitOfWork, cx: &RequestContext, stamp: &AuditInfo, stored: &Self::Item) -> Result<()> {
        release_cap::<Self>(work, cx, stamp, stored)
    }

    fn check_write(stored: Option<&Award>, new: &Award) -> Result<()> {
        check_write::<Self>(stored, new)
    }

    /// A draft has no key: the round that it is for was looked through.
    fn is_sought(row: &Award) -> bool {
        row.state() == S::Draft && !round(row).is_empty()
    }

    fn check_import(row: &Award, stored: &Award) -> Result<()> {
        mingce_lifecycle::writes::check_import::<Self>(row, stored)
    }

    fn keep_order(merged: &mut Award, stored: &Award) {
        mingce_lifecycle::correct::steady::<Self>(merged, stored);
    }

    fn preserve(merged: &mut Award, stored: &Award) {
        mingce_lifecycle::correct::keep::<Self>(merged, stored);
    }
}

/// Shares add up to no more than the whole prize.
fn settle_shares(contributors: &[Contributor], problems: &mut Violations) {
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
                "the shares add up to more than 1: correct them",
            );
        }
        _ => problems.add(
            "contributors",
            "SHARES_UNCLEAR",
            "write the shares with fewer different denominators",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::awards::SchemeReference;
    use mingce_proto::registry::CaseFacts;

    fn award(state: S, round: &str) -> Award {
        Award {
            title: "海气界面热通量变化机理".to_owned(),
            scheme: Some(SchemeReference {
                scheme: "schemes/a".to_owned(),
                ..SchemeReference::default()
            }),
            year: 2024,
            level: 2,
            number: "试2024-1-01".to_owned(),
            state: state as i32,
            evidence: vec!["10.1000/Ｘ1".to_owned(), "10.1000/x1".to_owned()],
            case: Some(CaseFacts {
                round: round.to_owned(),
                ..CaseFacts::default()
            }),
            ..Award::default()
        }
    }

    fn spaces(award: &Award) -> Vec<String> {
        Awards::keys(award).into_iter().map(|key| key.namespace).collect()
    }

    #[test]
    fn a_nomination_holds_its_project_from_its_submission_and_its_number_and_evidence_once_it_is_approved() {
        let in_round = |state| spaces(&award(state, "rounds/a"));
        assert_eq!(in_round(S::Draft), Vec::<String>::new());
        assert_eq!(in_round(S::Withdrawn), Vec::<String>::new());
        for state in [
            S::Nominated,
            S::Refused,
            S::Accepted,
            S::InReview,
            S::Shortlisted,
            S::NotSelected,
        ] {
            assert_eq!(in_round(state), ["nomination"], "{state:?}");
        }
        for state in [S::Approved, S::Conferred] {
            assert_eq!(in_round(state), ["number", "nomination", "evidence"], "{state:?}");
        }
        assert_eq!(in_round(S::Revoked), ["number", "nomination"]);
    }

    #[test]
    fn recorded_history_holds_its_number_and_its_evidence_and_no_nomination() {
        assert_eq!(spaces(&award(S::Conferred, "")), ["number", "evidence"]);
        assert_eq!(spaces(&award(S::Revoked, "")), ["number"]);
        assert_eq!(spaces(&award(S::NotSelected, "")), ["number"]);
        let without = Award {
            number: String::new(),
            ..award(S::NotSelected, "")
        };
        assert_eq!(spaces(&without), Vec::<String>::new());
    }

    #[test]
    fn a_project_is_known_by_its_code_and_without_one_by_its_title_however_they_are_written() {
        let titled = award(S::Nominated, "rounds/a");
        let spaced = Award {
            title: "海气界面热通量变化机理 ".to_owned(),
            ..titled.clone()
        };
        assert_eq!(nomination_key(&titled, 2024), nomination_key(&spaced, 2024));
        assert_ne!(nomination_key(&titled, 2024), nomination_key(&titled, 2023));
        let coded = |code: &str, title: &str| Award {
            project_code: code.to_owned(),
            title: title.to_owned(),
            ..titled.clone()
        };
        let (one, other) = (coded("P-1", "甲"), coded("ｐ-1", "乙"));
        assert_eq!(nomination_key(&one, 2024), nomination_key(&other, 2024));
        assert_ne!(nomination_key(&one, 2024), nomination_key(&coded("P-2", "甲"), 2024));
        // A code that reads like a title is no title.
        let code = coded("海气界面热通量变化机理", "甲");
        assert_ne!(nomination_key(&code, 2024), nomination_key(&titled, 2024));
        // A title without words is compared as it stands.
        assert_ne!(
            nomination_key(&coded("", "！"), 2024),
            nomination_key(&coded("", "？"), 2024)
        );
    }

    #[test]
    fn evidence_is_the_same_however_it_is_written_and_another_at_another_level() {
        let one = award(S::Conferred, "");
        assert_eq!(evidence_keys(&one).len(), 1);
        let elsewhere = Award {
            level: 3,
            ..one.clone()
        };
        assert_ne!(evidence_keys(&one), evidence_keys(&elsewhere));
        assert!(evidence_keys(&one).iter().all(|key| key.non_identifying));
    }

    #[test]
    fn what_was_approved_has_a_number_and_what_waits_may_have_none() {
        let problems = |state| {
            let mut item = Award {
                number: String::new(),
                ..award(state, "")
            };
            let problems = Awards::normalize(&mut item);
            problems.into_iter().map(|p| (p.field, p.reason)).collect::<Vec<_>>()
        };
        for state in [S::Approved, S::Conferred, S::Revoked] {
            assert_eq!(problems(state), [("number".to_owned(), "NUMBER_MISSING")], "{state:?}");
        }
        for state in [S::Draft, S::Nominated, S::Shortlisted, S::Refused, S::NotSelected] {
            assert_eq!(problems(state), [], "{state:?}");
        }
    }
}
