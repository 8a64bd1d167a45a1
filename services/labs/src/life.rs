//! The life cycle of designations of labs: what the register knows of each case. Its states and verbs are in `machine.rs`.

use jiff::civil::Date;
use mingce_lifecycle::ask::{Ask, Counted};
use mingce_lifecycle::case::Decided;
use mingce_lifecycle::correct::{expect_ended, moved_end};
use mingce_lifecycle::entry::on_enter;
use mingce_lifecycle::notice::{field, level_in_words};
use mingce_lifecycle::replay::term_under;
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{
    ByItself, Case, EvalContext, Parties, Scope, StateEntry, StateMachine, Stateful, TransitionContext,
};
use mingce_orm::model::kind::Kind;
use mingce_orm::{Collection, Result, UnitOfWork};
use mingce_proto::labs::LabDesignation;
use mingce_proto::labs::LabDesignationState as S;
use mingce_proto::registry::{CaseDate, CaseKind, DueKind, NoticeTerms, Policy, PublicField, ReviewTerms};

use crate::designation::Designations;
use crate::due;
use crate::evaluation;
use crate::guards::{lab_of, terms};
use crate::lab::Labs;
use crate::machine::{IN_REVIEW, LIFE, ON_NOTICE, RECTIFYING, REPLAYS};

impl Stateful for Designations {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
    fn governed_by(item: &LabDesignation) -> Option<(i32, String)> {
        let scope = Self::scope(item);
        Some((scope.level, scope.programme.to_owned()))
    }
    fn on_enter(item: &mut LabDesignation, arrival: &mut StateEntry<'_>) -> Result<()> {
        on_enter::<Self>(item, arrival)
    }
}

impl Case for Designations {
    const KIND: CaseKind = CaseKind::LabDesignation;
    const ON_NOTICE: &'static [i32] = &[ON_NOTICE];
    const IN_REVIEW: &'static [i32] = &[IN_REVIEW];
    const DECIDED: &'static [&'static str] = &[
        "level",
        "programme",
        "platform",
        "number",
        "round",
        "document_number",
        "issuer",
        "decision_date",
        "start_date",
        "end_date",
    ];

    fn documents_of_parts(item: &LabDesignation) -> Vec<&str> {
        item.evaluations.iter().map(|e| e.document_number.as_str()).collect()
    }
    fn decided_by(item: &LabDesignation) -> Decided<'_> {
        Decided {
            number: &item.document_number,
            date: &item.decision_date,
            issuer: Some(&item.issuer),
        }
    }
    fn scope(item: &LabDesignation) -> Scope<'_> {
        Scope {
            level: item.level,
            programme: &item.programme,
        }
    }
    fn was_approved(item: &LabDesignation) -> bool {
        matches!(
            item.state(),
            S::Building | S::Operating | S::Rectifying | S::Terminated | S::Revoked | S::Merged
        )
    }
    fn display(work: &mut UnitOfWork, item: &LabDesignation) -> Result<String> {
        Ok(format!("{}·{}", lab_of(work, item)?.display_name, item.programme))
    }
    fn notice_terms(policy: &Policy) -> NoticeTerms {
        terms(Some(policy)).notice.unwrap_or_default()
    }
    fn review_terms(policy: &Policy) -> Option<&ReviewTerms> {
        policy.lab_designation.as_ref().and_then(|terms| terms.review.as_ref())
    }

    fn public_fields(work: &mut UnitOfWork, item: &LabDesignation) -> Result<Vec<PublicField>> {
        let lab = lab_of(work, item)?;
        let host = |host: &mingce_proto::labs::LabHost| {
            host.organization
                .as_ref()
                .map_or(String::new(), |o| o.display_name.clone())
        };
        let hosts: Vec<String> = lab.hosts.iter().map(host).collect();
        Ok(vec![
            field("lab", lab.display_name.as_str()),
            field("programme", item.programme.as_str()),
            field("level", level_in_words(item.level)),
            field("field", lab.field.as_str()),
            field("hosts", hosts.join("、")),
        ])
    }

    fn parties(work: &mut UnitOfWork, item: &LabDesignation) -> Result<Parties> {
        let lab = lab_of(work, item)?;
        let mut parties = Parties::default();
        let hosts = lab.hosts.into_iter().filter_map(|host| host.organization);
        parties.organizations.extend(hosts.map(|o| o.organization));
        let directors = lab.directors.into_iter().filter_map(|d| d.person);
        let members = lab.members.into_iter().filter_map(|m| m.person);
        parties
            .persons
            .extend(directors.chain(members).map(|person| person.talent));
        parties.organizations.remove("");
        parties.persons.remove("");
        Ok(parties)
    }

    fn due(item: &LabDesignation, policy: Option<&Policy>, _today: Date) -> Result<Option<(Date, DueKind)>> {
        due::next(item, policy)
    }

    const HELD: &'static [i32] = &[RECTIFYING];

    fn dates(item: &LabDesignation, policy: Option<&Policy>, at: &EvalContext) -> Result<Vec<CaseDate>> {
        due::dates(item, policy, at.today)
    }

    const ASKS: &'static [Ask] = &due::ASKS;
    const COUNTED: &'static [Counted] = &due::COUNTED;

    fn counts_from(item: &LabDesignation) -> Result<Option<Date>> {
        due::counts_from(item)
    }

    fn decision_date(item: &LabDesignation) -> &str {
        &item.decision_date
    }

    /// What began with the decision begins on its right day, and so does a building term that was not extended.
    fn follow(before: &LabDesignation, item: &mut LabDesignation, crossing: &mut TransitionContext<'_>) -> Result<()> {
        if before.start_date == before.decision_date && item.start_date == before.start_date {
            item.start_date.clone_from(&item.decision_date);
        }
        if Self::is_taken_here(item) && item.start_date != before.start_date {
            let days = (before.start_date.as_str(), item.start_date.as_str());
            let months = terms(crossing.policy).building_months;
            item.building_end_date = moved_end(&before.building_end_date, days, months)?;
            if before.operating_date == before.start_date {
                item.operating_date.clone_from(&item.start_date);
            }
        }
        expect_ended::<Self>(item, [&before.end_date, &item.end_date], crossing)
    }

    fn results(
        item: &LabDesignation,
        policy: Option<&Policy>,
        other: &Policy,
    ) -> Result<Vec<(String, String, String)>> {
        let (own, other) = (terms(policy), terms(Some(other)));
        let mut results = evaluation::results(item, &other);
        if item.extensions == 0 {
            let months = [own.building_months, other.building_months];
            results.extend(term_under(
                "building term",
                &item.start_date,
                &item.building_end_date,
                months,
            )?);
        }
        Ok(results)
    }

    fn replays() -> &'static Replays<Self> {
        &REPLAYS
    }

    /// The lab as it was when it applied.
    fn beside(name: &str) -> Option<(&'static Kind, String)> {
        let (lab, _) = name.split_once("/designations/")?;
        Some((&Labs::shape().kind, lab.to_owned()))
    }
}

impl ByItself for Designations {}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_lifecycle::lifecycle_docs;

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(lifecycle_docs::faults::<Designations>(), Vec::<String>::new());
        assert_eq!(mingce_lifecycle::due::faults::<Designations>(), Vec::<String>::new());
    }

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        lifecycle_docs::expect_page::<Designations>("lab-designation.md");
    }
}
