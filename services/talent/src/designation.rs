//! Designations of persons (认定): the columns, keys and rules of the resource.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mingce_lifecycle::caps::release_cap;
use mingce_lifecycle::writes::check_write;
use mingce_lifecycle::{Case, Phase, Stateful, blocker, document};
use mingce_orm::model::normalize::{Violations, enum_values, year_of};
use mingce_orm::{
    AuditInfo, Blocker, Class, Collection, Column, Error, Field, Key, RequestContext, Result, Shape, UnitOfWork,
    Violation,
};
use mingce_proto::Headed;
use mingce_proto::registry::{Policy, RecordStatus, TalentDesignationTerms};
use mingce_proto::talent::TalentDesignation;

use crate::talent::Talents;

/// The collection.
#[derive(Debug)]
pub(crate) enum Designations {}

pub(crate) fn talent(designation: &TalentDesignation) -> &str {
    designation.talent.as_ref().map_or("", |t| t.talent.as_str())
}

pub(crate) fn programme(designation: &TalentDesignation) -> &str {
    designation.programme.as_ref().map_or("", |p| p.programme.as_str())
}

pub(crate) fn employer(designation: &TalentDesignation) -> &str {
    designation.employer.as_ref().map_or("", |o| o.organization.as_str())
}

/// The terms of a policy of persons.
pub(crate) fn terms(policy: Option<&Policy>) -> TalentDesignationTerms {
    policy
        .and_then(|policy| policy.talent_designation.clone())
        .unwrap_or_default()
}

/// What a live designation claims: a person has one in a family of programmes.
pub(crate) fn family_key(talent: &str, family: &str) -> Key {
    Key::new("family", format!("{talent}|{family}"), "programme").non_identifying()
}

impl Collection for Designations {
    type Item = TalentDesignation;
    const MESSAGE: &'static str = "mingce.talent.v1.TalentDesignation";
    const COLLECTION: &'static str = mingce_proto::collections::TALENT_DESIGNATIONS;
    const SEGMENT: &'static str = "designations";
    const PARENT: Option<(&'static str, &'static str)> = Some(("talents", "talent"));
    const TABLE: &'static str = "talent_designations";
    const SINGULAR: &'static str = "talent_designation";
    const DEFAULT_ORDER: &'static str = "decision_date";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "kind",
        "year",
        "case",
        "verbs",
        "documents",
        "family",
        "midterm_date",
        "midterm_passed",
        "completion_grade",
        "recommendation",
    ];
    const DERIVED: &'static [(&'static str, &'static str)] = &[("programme", "kind"), ("programme", "family")];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Designations>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let kinds = enum_values("mingce.talent.v1.ProgrammeKind");
            let states = enum_values("mingce.talent.v1.TalentDesignationState");
            let mut fields: Vec<Field<Designations>> = vec![
                Field {
                    column: Column::resource("talent", "talents/{id}")
                        .from_fields(&["talent.talent"])
                        .groupable(),
                    get: |d| talent(d).into(),
                },
                Field {
                    column: Column::resource("programme", "programmes/{id}")
                        .from_fields(&["programme.programme"])
                        .groupable(),
                    get: |d| programme(d).into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |d| d.level.into(),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |d| d.kind.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |d| d.state.into(),
                },
                Field {
                    column: Column::resource("employer", "organizations/{id}")
                        .from_fields(&["employer.organization"])
                        .groupable(),
                    get: |d| employer(d).into(),
                },
                Field {
                    column: Column::text("number"),
                    get: |d| d.number.as_str().into(),
                },
                Field {
                    column: Column::text("round").groupable(),
                    get: |d| d.round.as_str().into(),
                },
                Field {
                    column: Column::document("document_number").groupable(),
                    get: |d| d.document_number.as_str().into(),
                },
                Field {
                    column: Column::text("issuer").groupable(),
                    get: |d| d.issuer.as_str().into(),
                },
                Field {
                    column: Column::date("decision_date").by_calendar(),
                    get: |d| d.decision_date.as_str().into(),
                },
                Field {
                    column: Column::date("start_date"),
                    get: |d| d.start_date.as_str().into(),
                },
                Field {
                    column: Column::date("end_date"),
                    get: |d| d.end_date.as_str().into(),
                },
                Field {
                    column: Column::integer("year").groupable(),
                    get: |d| d.year.into(),
                },
                Field {
                    column: Column::text("family").groupable(),
                    get: |d| d.family.as_str().into(),
                },
            ];
            fields.extend(mingce_lifecycle::schema::fields());
            fields.push(mingce_lifecycle::schema::score());
            Shape::new(fields)
        });
        &SHAPE
    }

    fn parent(item: &TalentDesignation) -> &str {
        talent(item)
    }

    fn title(item: &TalentDesignation) -> &str {
        item.programme.as_ref().map_or("", |p| p.display_name.as_str())
    }

    /// One decision on one person under one programme, before it one application in a round; a number is given once per programme,
    /// and one designation in a family is live.
    fn keys(item: &TalentDesignation) -> Vec<Key> {
        let (phase, case) = (Self::state_machine().phase(item.state), item.case.as_ref());
        let round = case.map_or("", |case| case.round.as_str());
        if matches!(phase, Phase::Draft | Phase::Undecided) {
            let application = [talent(item), programme(item), round].join("|");
            return vec![Key::new("application", application, "programme")];
        }
        if phase == Phase::Ended && !round.is_empty() && item.decision_date.is_empty() {
            return Vec::new();
        }
        // Two rounds, or two recommendations, may decide on one person on the same day.
        let of = [round, &item.recommendation].concat();
        let decided = if of.is_empty() {
            item.decision_date.clone()
        } else {
            format!("{}|{of}", item.decision_date)
        };
        let decision = [talent(item), programme(item), &item.number, &decided].join("|");
        let mut keys = vec![Key::new("decision", decision, "programme")];
        if !item.number.is_empty() {
            keys.push(Key::new(
                "number",
                format!("{}|{}", programme(item), item.number),
                "number",
            ));
        }
        if phase == Phase::Live && !item.family.is_empty() {
            keys.push(family_key(talent(item), &item.family));
        }
        keys
    }

    fn normalize(item: &mut TalentDesignation) -> Vec<Violation> {
        let mut problems = Violations::default();
        if matches!(Self::state_machine().phase(item.state), Phase::Draft | Phase::Undecided) {
            let is_case = item.case.is_some();
            let mut later = [
                ("number", &mut item.number),
                ("document_number", &mut item.document_number),
                ("decision_date", &mut item.decision_date),
                ("start_date", &mut item.start_date),
                ("end_date", &mut item.end_date),
            ];
            problems.before_decision(is_case, &mut later);
        }
        let dates = [
            ("decision_date", item.decision_date.as_str()),
            ("start_date", &item.start_date),
            ("end_date", &item.end_date),
        ];
        problems.dates_of_decision(Self::is_taken_here(item), &dates);
        problems.period("end_date", &item.start_date, &item.end_date);
        item.year = year_of(&item.decision_date);
        item.verbs.clear();
        document::settle::<Self>(item);
        problems.into_inner()
    }

    fn check_beside(work: &mut UnitOfWork, stored: Option<&Self::Item>, new: &Self::Item) -> Result<()> {
        may_be_live(work, stored, new)
    }

    fn on_annul(work: &mut UnitOfWork, cx: &RequestContext, stamp: &AuditInfo, stored: &Self::Item) -> Result<()> {
        release_cap::<Self>(work, cx, stamp, stored)
    }

    fn check_write(stored: Option<&TalentDesignation>, new: &TalentDesignation) -> Result<()> {
        check_write::<Self>(stored, new)
    }

    fn check_import(row: &TalentDesignation, stored: &TalentDesignation) -> Result<()> {
        mingce_lifecycle::writes::check_import::<Self>(row, stored)
    }

    fn keep_order(merged: &mut TalentDesignation, stored: &TalentDesignation) {
        mingce_lifecycle::correct::steady::<Self>(merged, stored);
    }

    fn preserve(merged: &mut TalentDesignation, stored: &TalentDesignation) {
        mingce_lifecycle::correct::keep::<Self>(merged, stored);
    }
}

/// What is recorded, imported or changed by hand as live has its family alone, also beside what is live under another record of the
/// person.
fn may_be_live(work: &mut UnitOfWork, stored: Option<&TalentDesignation>, new: &TalentDesignation) -> Result<()> {
    let is_live = |item: &TalentDesignation| Designations::state_machine().phase(item.state) == Phase::Live;
    let had = stored.filter(|stored| is_live(stored)).map(|stored| &stored.family);
    if !is_live(new) || new.family.is_empty() || had == Some(&new.family) {
        return Ok(());
    }
    let own = talent(new);
    let names = work.records::<Talents>(own)?;
    // Under its own name the key of the family says it.
    let others = names.iter().filter(|name| *name != own);
    let asked: Vec<_> = others
        .map(|name| work.owner::<Designations>(&family_key(name, &new.family)))
        .collect();
    for owner in asked {
        let Some(id) = owner? else { continue };
        let holder = work.get::<Designations>(&id)?.map_or(String::new(), |other| other.name);
        let said = format!(
            "{holder} is live in the family {} and of the same person: end it first",
            new.family
        );
        let error = Error::new(Class::AlreadyExists, "IDENTIFIER_TAKEN", format!("programme: {said}"));
        return Err(error
            .at(format!("{}.programme", Designations::SINGULAR), said)
            .about(Designations::COLLECTION, holder));
    }
    Ok(())
}

/// Refuses a merger of two records of which each has a live designation in the same family: one of them has to end first.
///
/// # Errors
/// FAILED_PRECONDITION, reason `FAMILY_TAKEN`.
pub(crate) fn expect_no_shared_family(work: &mut UnitOfWork, both: [&str; 2]) -> Result<()> {
    let asked = both.map(|name| live_families(work, name));
    let [ours, theirs] = asked;
    let (ours, theirs) = (ours?, theirs?);
    let shared = ours
        .iter()
        .filter_map(|(family, one)| theirs.get(family).map(|other| (family, one, other)));
    let blockers: Vec<Blocker> = shared
        .map(|(family, one, other)| {
            let en = format!("{one} and {other} are both live in the family {family}: end one of them first");
            let zh = format!("{one}与{other}在同一计划类别{family}中均有效，须先终结其一");
            blocker("FAMILY_TAKEN", other, en, zh)
        })
        .collect();
    if blockers.is_empty() {
        return Ok(());
    }
    Err(Error::blocked("FAMILY_TAKEN", blockers).about(Talents::COLLECTION, both[0]))
}

/// The families in which a person has a live designation, under whichever of its names, and the designations.
fn live_families(work: &mut UnitOfWork, name: &str) -> Result<BTreeMap<String, String>> {
    let names = work.records::<Talents>(name)?;
    let asked: Vec<_> = names.iter().map(|name| work.under::<Designations>(name)).collect();
    let mut families = BTreeMap::new();
    for designations in asked {
        let live = designations?.into_iter().filter(|one| {
            let is_active = one.head().record_status() == RecordStatus::Active;
            is_active && Designations::state_machine().phase(one.state) == Phase::Live && !one.family.is_empty()
        });
        families.extend(live.map(|one| (one.family, one.name)));
    }
    Ok(families)
}

#[cfg(test)]
mod tests {
    use mingce_proto::registry::{CaseFacts, TalentReference};
    use mingce_proto::talent::{ProgrammeReference, TalentDesignationState as S};

    use super::*;

    fn designation(state: S) -> TalentDesignation {
        TalentDesignation {
            talent: Some(TalentReference {
                talent: "talents/a".to_owned(),
                ..TalentReference::default()
            }),
            programme: Some(ProgrammeReference {
                programme: "programmes/b".to_owned(),
                ..ProgrammeReference::default()
            }),
            state: state as i32,
            family: "island".to_owned(),
            decision_date: "2024-05-31".to_owned(),
            ..TalentDesignation::default()
        }
    }

    fn spaces(item: &TalentDesignation) -> Vec<String> {
        Designations::keys(item).into_iter().map(|key| key.namespace).collect()
    }

    #[test]
    fn only_what_is_live_holds_the_family() {
        for state in [S::InTerm, S::Suspended] {
            let keys = Designations::keys(&designation(state));
            assert!(keys.contains(&family_key("talents/a", "island")), "{state:?}: {keys:?}");
        }
        for state in [
            S::Completed,
            S::Cancelled,
            S::Exited,
            S::Draft,
            S::OnNotice,
            S::Rejected,
        ] {
            assert!(!spaces(&designation(state)).contains(&"family".to_owned()), "{state:?}");
        }
        let none = TalentDesignation {
            family: String::new(),
            ..designation(S::InTerm)
        };
        assert_eq!(spaces(&none), ["decision"]);
    }

    #[test]
    fn an_application_is_one_in_its_round_and_frees_it_when_it_ends_without_a_decision() {
        let case = |state: S, round: &str| TalentDesignation {
            case: Some(CaseFacts {
                round: round.to_owned(),
                ..CaseFacts::default()
            }),
            decision_date: String::new(),
            ..designation(state)
        };
        for state in [S::Draft, S::Submitted, S::Returned, S::InReview, S::OnNotice] {
            assert_eq!(spaces(&case(state, "rounds/c")), ["application"], "{state:?}");
        }
        let (one, other) = (case(S::Draft, "rounds/c"), case(S::Draft, "rounds/d"));
        assert_ne!(Designations::keys(&one), Designations::keys(&other));
        for state in [S::Refused, S::Rejected, S::Withdrawn] {
            assert_eq!(spaces(&case(state, "rounds/c")), Vec::<String>::new(), "{state:?}");
            // A record of history is told by its decision, whatever that was.
            assert_eq!(spaces(&case(state, "")), ["decision"], "{state:?}");
        }
    }

    #[test]
    fn a_draft_says_nothing_of_its_decision() {
        let mut draft = TalentDesignation {
            number: "1".to_owned(),
            document_number: "青科〔2024〕1号".to_owned(),
            start_date: "2024-06-01".to_owned(),
            end_date: "2020-01-01".to_owned(),
            ..designation(S::Draft)
        };
        assert_eq!(Designations::normalize(&mut draft), Vec::new());
        let expected = TalentDesignation {
            decision_date: String::new(),
            ..designation(S::Draft)
        };
        assert_eq!(draft, expected);
    }
}
