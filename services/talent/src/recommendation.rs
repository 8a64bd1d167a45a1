//! Recommendations (自主荐才): the columns, keys and rules of the resource.

use std::sync::LazyLock;

use mingce_lifecycle::writes::check_write;
use mingce_lifecycle::{Phase, Stateful, document};
use mingce_orm::model::normalize::enum_values;
use mingce_orm::{Class, Collection, Column, Error, Field, Key, Result, Shape, Violation};
use mingce_proto::registry::{Policy, RecommendationTerms};
use mingce_proto::talent::{Recommendation, RecommendationState};

/// The collection.
#[derive(Debug)]
pub(crate) enum Recommendations {}

/// The terms of a policy of recommendations.
pub(crate) fn terms(policy: Option<&Policy>) -> RecommendationTerms {
    policy.and_then(|policy| policy.recommendation).unwrap_or_default()
}

pub(crate) fn talent(item: &Recommendation) -> &str {
    item.talent.as_ref().map_or("", |t| t.talent.as_str())
}

pub(crate) fn talent_name(item: &Recommendation) -> &str {
    item.talent.as_ref().map_or("", |t| t.display_name.as_str())
}

pub(crate) fn employer(item: &Recommendation) -> &str {
    item.employer.as_ref().map_or("", |o| o.organization.as_str())
}

impl Collection for Recommendations {
    type Item = Recommendation;
    const MESSAGE: &'static str = "mingce.talent.v1.Recommendation";
    const COLLECTION: &'static str = mingce_proto::collections::RECOMMENDATIONS;
    const TABLE: &'static str = "recommendations";
    const SINGULAR: &'static str = "recommendation";
    const DEFAULT_ORDER: &'static str = "create_time";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "nominating_body_name",
        "programme",
        "level",
        "state",
        "document_number",
        "designation",
        "case",
        "verbs",
        "documents",
    ];
    const DERIVED: &'static [(&'static str, &'static str)] = &[
        ("nominating_body", "nominating_body_name"),
        ("nominating_body", "programme"),
        ("nominating_body", "level"),
    ];
    const FULL_ONLY: &'static [&'static str] = &["statement"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Recommendations>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let states = enum_values("mingce.talent.v1.RecommendationState");
            let mut fields: Vec<Field<Recommendations>> = vec![
                Field {
                    column: Column::resource("nominating_body", "nominatingBodies/{id}").groupable(),
                    get: |r| r.nominating_body.as_str().into(),
                },
                Field {
                    column: Column::resource("talent", "talents/{id}")
                        .from_fields(&["talent.talent"])
                        .groupable(),
                    get: |r| talent(r).into(),
                },
                Field {
                    column: Column::resource("programme", "programmes/{id}").groupable(),
                    get: |r| r.programme.as_str().into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |r| r.level.into(),
                },
                Field {
                    column: Column::integer("year").groupable(),
                    get: |r| r.year.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |r| r.state.into(),
                },
                Field {
                    column: Column::resource("employer", "organizations/{id}")
                        .from_fields(&["employer.organization"])
                        .groupable(),
                    get: |r| employer(r).into(),
                },
                Field {
                    column: Column::document("document_number").groupable(),
                    get: |r| r.document_number.as_str().into(),
                },
                Field {
                    column: Column::resource("designation", "talents/{id}/designations/{id}"),
                    get: |r| r.designation.as_str().into(),
                },
            ];
            fields.extend(mingce_lifecycle::schema::fields());
            Shape::new(fields)
        });
        &SHAPE
    }

    fn title(item: &Recommendation) -> &str {
        talent_name(item)
    }

    /// A body recommends a person once in a year. One that came to nothing, or was cancelled, is in nobody's way.
    fn keys(item: &Recommendation) -> Vec<Key> {
        if Self::state_machine().phase(item.state) == Phase::Ended {
            return Vec::new();
        }
        let year = [&item.nominating_body, talent(item), &item.year.to_string()].join("|");
        vec![Key::new("year", year, "talent")]
    }

    fn normalize(item: &mut Recommendation) -> Vec<Violation> {
        item.verbs.clear();
        document::settle::<Self>(item);
        Vec::new()
    }

    /// Only a draft is written. A recommendation is no record of history that could be mended.
    fn check_write(stored: Option<&Recommendation>, new: &Recommendation) -> Result<()> {
        check_write::<Self>(stored, new)?;
        match stored {
            Some(stored) if stored.state() != RecommendationState::Draft && stored != new => {
                let said = "it was filed: nothing of it is changed any more, leave it as it is";
                let error = Error::new(Class::Precondition, "CASE_NOT_EDITABLE", said);
                Err(error.about(Self::COLLECTION, &stored.name))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use mingce_proto::registry::TalentReference;
    use mingce_proto::talent::RecommendationState as S;

    use super::*;

    fn recommendation(state: S) -> Recommendation {
        Recommendation {
            name: "recommendations/c".to_owned(),
            nominating_body: "nominatingBodies/a".to_owned(),
            talent: Some(TalentReference {
                talent: "talents/b".to_owned(),
                ..TalentReference::default()
            }),
            year: 2024,
            state: state as i32,
            ..Recommendation::default()
        }
    }

    #[test]
    fn a_person_is_recommended_once_by_a_body_in_a_year() {
        for state in [S::Draft, S::Filed, S::OnNotice, S::Confirmed] {
            let keys = Recommendations::keys(&recommendation(state));
            assert_eq!(
                keys,
                [Key::new("year", "nominatingBodies/a|talents/b|2024", "talent")],
                "{state:?}"
            );
        }
        for state in [S::Refused, S::Cancelled, S::Withdrawn] {
            assert_eq!(Recommendations::keys(&recommendation(state)), [], "{state:?}");
        }
    }

    #[test]
    fn only_a_draft_is_written() {
        let states = [
            S::Draft,
            S::Filed,
            S::OnNotice,
            S::Confirmed,
            S::Refused,
            S::Cancelled,
            S::Withdrawn,
        ];
        for state in states {
            let stored = recommendation(state);
            let new = Recommendation {
                statement: "other words".to_owned(),
                ..stored.clone()
            };
            let written = Recommendations::check_write(Some(&stored), &new);
            let reason = written.err().map(|error| error.reason().to_owned());
            let expected = (state != S::Draft).then(|| "CASE_NOT_EDITABLE".to_owned());
            assert_eq!(reason, expected, "{state:?}");
            Recommendations::check_write(Some(&stored), &stored).unwrap();
        }
    }
}
