//! Nominating bodies (自主荐才单位): the columns, keys and rules of the resource, and its quotas.

use std::sync::LazyLock;

use jiff::civil::Date;
use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::{Phase, Stateful, document};
use mingce_orm::model::normalize::{Violations, enum_values};
use mingce_orm::{Collection, Column, Field, Key, Result, Shape, UnitOfWork, Violation};
use mingce_proto::registry::{NominatingBodyTerms, Policy};
use mingce_proto::talent::{NominatingBody, NominatingQuota};

/// The collection.
#[derive(Debug)]
pub(crate) enum NominatingBodies {}

pub(crate) fn organization(body: &NominatingBody) -> &str {
    body.organization.as_ref().map_or("", |o| o.organization.as_str())
}

pub(crate) fn organization_name(body: &NominatingBody) -> &str {
    body.organization.as_ref().map_or("", |o| o.display_name.as_str())
}

pub(crate) fn programme(body: &NominatingBody) -> &str {
    body.programme.as_ref().map_or("", |p| p.programme.as_str())
}

impl Collection for NominatingBodies {
    type Item = NominatingBody;
    const MESSAGE: &'static str = "mingce.talent.v1.NominatingBody";
    const COLLECTION: &'static str = mingce_proto::collections::NOMINATING_BODIES;
    const TABLE: &'static str = "nominating_bodies";
    const SINGULAR: &'static str = "nominating_body";
    const DEFAULT_ORDER: &'static str = "create_time";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "level",
        "state",
        "start_date",
        "end_date",
        "document_number",
        "quotas",
        "case",
        "verbs",
        "documents",
    ];
    const DERIVED: &'static [(&'static str, &'static str)] = &[("programme", "level")];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<NominatingBodies>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let states = enum_values("mingce.talent.v1.NominatingBodyState");
            let mut fields: Vec<Field<NominatingBodies>> = vec![
                Field {
                    column: Column::resource("organization", "organizations/{id}")
                        .from_fields(&["organization.organization"])
                        .groupable(),
                    get: |b| organization(b).into(),
                },
                Field {
                    column: Column::resource("programme", "programmes/{id}")
                        .from_fields(&["programme.programme"])
                        .groupable(),
                    get: |b| programme(b).into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |b| b.level.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |b| b.state.into(),
                },
                Field {
                    column: Column::date("start_date").by_calendar(),
                    get: |b| b.start_date.as_str().into(),
                },
                Field {
                    column: Column::date("end_date"),
                    get: |b| b.end_date.as_str().into(),
                },
                Field {
                    column: Column::document("document_number").groupable(),
                    get: |b| b.document_number.as_str().into(),
                },
            ];
            fields.extend(mingce_lifecycle::schema::fields());
            Shape::new(fields)
        });
        &SHAPE
    }

    fn title(item: &NominatingBody) -> &str {
        organization_name(item)
    }

    /// An organization has one body under a programme that applies or is authorised.
    fn keys(item: &NominatingBody) -> Vec<Key> {
        if Self::state_machine().phase(item.state) == Phase::Ended {
            return Vec::new();
        }
        let live = format!("{}|{}", organization(item), programme(item));
        vec![Key::new("live", live, "organization")]
    }

    fn normalize(item: &mut NominatingBody) -> Vec<Violation> {
        item.quotas.sort_by_key(|quota| quota.year);
        item.verbs.clear();
        document::settle::<Self>(item);
        let mut problems = Violations::default();
        problems.date("start_date", &item.start_date);
        problems.date("end_date", &item.end_date);
        problems.into_inner()
    }
}

/// The terms of a policy of nominating bodies.
pub(crate) fn terms(policy: Option<&Policy>) -> NominatingBodyTerms {
    policy.and_then(|policy| policy.nominating_body).unwrap_or_default()
}

/// The policy that a body is under; `None` before its first verb.
pub(crate) fn policy_of(work: &mut UnitOfWork, body: &NominatingBody) -> Result<Option<Policy>> {
    match NominatingBodies::policy(body) {
        "" => Ok(None),
        name => work.require_unchanged::<Policies>(name).map(Some),
    }
}

/// The quota of a body in a year: what was granted, else what its policy gives every year.
pub(crate) fn quota_of(body: &NominatingBody, policy: Option<&Policy>, year: i32) -> NominatingQuota {
    let granted = body.quotas.iter().find(|quota| quota.year == year);
    granted.copied().unwrap_or_else(|| NominatingQuota {
        year,
        limit: terms(policy).yearly_quota,
        ..NominatingQuota::default()
    })
}

/// Puts a quota in the place of the one that a body has of the year.
pub(crate) fn put_quota(body: &mut NominatingBody, quota: NominatingQuota) {
    body.quotas.retain(|held| held.year != quota.year);
    body.quotas.push(quota);
    body.quotas.sort_by_key(|quota| quota.year);
}

/// Whether nothing of a year's quota can be used any more.
pub(crate) fn has_lapsed(quota: &NominatingQuota, today: Date) -> bool {
    quota.lapsed || quota.year < i32::from(today.year())
}

/// Whether a body may recommend on a day.
pub(crate) fn is_authorised(body: &NominatingBody, today: Date) -> bool {
    let today = today.to_string();
    body.state() == mingce_proto::talent::NominatingBodyState::Authorised
        && body.start_date <= today
        && today <= body.end_date
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use mingce_proto::registry::OrganizationReference;
    use mingce_proto::talent::{NominatingBodyState as S, ProgrammeReference};

    use super::*;

    fn body(state: S) -> NominatingBody {
        NominatingBody {
            organization: Some(OrganizationReference {
                organization: "organizations/a".to_owned(),
                ..OrganizationReference::default()
            }),
            programme: Some(ProgrammeReference {
                programme: "programmes/b".to_owned(),
                ..ProgrammeReference::default()
            }),
            start_date: "2024-03-01".to_owned(),
            end_date: "2027-02-28".to_owned(),
            state: state as i32,
            ..NominatingBody::default()
        }
    }

    #[test]
    fn only_a_body_that_has_not_ended_holds_its_place() {
        for state in [S::Applied, S::OnNotice, S::Authorised, S::Suspended] {
            let keys = NominatingBodies::keys(&body(state));
            assert_eq!(
                keys,
                [Key::new("live", "organizations/a|programmes/b", "organization")],
                "{state:?}"
            );
        }
        for state in [S::Expired, S::Revoked, S::Refused] {
            assert_eq!(NominatingBodies::keys(&body(state)), [], "{state:?}");
        }
    }

    #[test]
    fn a_year_without_a_grant_has_the_quota_of_the_policy() {
        let policy = Policy {
            nominating_body: Some(NominatingBodyTerms {
                yearly_quota: 5,
                ..NominatingBodyTerms::default()
            }),
            ..Policy::default()
        };
        let mut body = body(S::Authorised);
        let quota = |year: i32, limit: i32, used: i32| NominatingQuota {
            year,
            limit,
            used,
            lapsed: false,
        };
        put_quota(&mut body, quota(2025, 3, 0));
        put_quota(&mut body, quota(2024, 2, 1));
        put_quota(&mut body, quota(2025, 4, 2));
        assert_eq!(body.quotas, [quota(2024, 2, 1), quota(2025, 4, 2)]);
        assert_eq!(quota_of(&body, Some(&policy), 2024), quota(2024, 2, 1));
        assert_eq!(quota_of(&body, Some(&policy), 2026), quota(2026, 5, 0));
        assert_eq!(quota_of(&body, None, 2026), quota(2026, 0, 0));
    }

    #[test]
    fn a_body_recommends_from_its_first_day_to_its_last() {
        for (day, may) in [
            (date(2024, 2, 29), false),
            (date(2024, 3, 1), true),
            (date(2027, 2, 28), true),
            (date(2027, 3, 1), false),
        ] {
            assert_eq!(is_authorised(&body(S::Authorised), day), may, "{day}");
            assert!(!is_authorised(&body(S::Suspended), day), "{day}");
        }
    }

    #[test]
    fn a_quota_lapses_with_its_year_whether_that_was_noted_or_not() {
        let mut quota = NominatingQuota {
            year: 2024,
            ..NominatingQuota::default()
        };
        assert!(!has_lapsed(&quota, date(2024, 12, 31)));
        assert!(has_lapsed(&quota, date(2025, 1, 1)));
        quota.lapsed = true;
        assert!(has_lapsed(&quota, date(2024, 12, 31)));
    }
}
