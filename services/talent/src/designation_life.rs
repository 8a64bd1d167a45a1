//! The life cycle of designations of persons: what is published of them, what falls due, and what follows from a correction. Their
//! states and verbs: `designation_machine.rs`.

use jiff::civil::Date;
use mingce_lifecycle::ask::{Ask, Counted};
use mingce_lifecycle::case::{Decided, facts};
use mingce_lifecycle::correct::{expect_ended, look, moved_end};
use mingce_lifecycle::dates::{met, on};
use mingce_lifecycle::day;
use mingce_lifecycle::entry::on_enter;
use mingce_lifecycle::notice::{field, level_in_words};
use mingce_lifecycle::replay::term_under;
use mingce_lifecycle::replays::Replays;
use mingce_lifecycle::{
    ByItself, Case, EvalContext, Parties, Phase, Scope, StateEntry, StateMachine, Stateful, TransitionContext,
};
use mingce_orm::{Collection, Error, Result, UnitOfWork};
use mingce_proto::registry::{CaseDate, CaseKind, DueActor, DueKind, NoticeTerms, Policy, PublicField, ReviewTerms};
use mingce_proto::talent::TalentDesignationState as S;
use mingce_proto::talent::{Employment, TalentDesignation};

use crate::designation::{self, Designations, employer, programme, terms};
use crate::designation_guards::{ONE_PER_FAMILY, began, midterm_day};
use crate::designation_machine::{IN_REVIEW, IN_TERM, LIFE, ON_NOTICE, REPLAYS, RETURNED, SUBMITTED, SUSPENDED};
use crate::recommendation::Recommendations;
use crate::talent::person_of;

impl Stateful for Designations {
    fn state_machine() -> &'static StateMachine<Self> {
        &LIFE
    }
    fn governed_by(item: &TalentDesignation) -> Option<(i32, String)> {
        let scope = Self::scope(item);
        Some((scope.level, scope.programme.to_owned()))
    }
    fn on_enter(item: &mut TalentDesignation, arrival: &mut StateEntry<'_>) -> Result<()> {
        on_enter::<Self>(item, arrival)
    }
}

impl Case for Designations {
    const KIND: CaseKind = CaseKind::TalentDesignation;
    const ON_NOTICE: &'static [i32] = &[ON_NOTICE];
    const IN_REVIEW: &'static [i32] = &[IN_REVIEW];
    const DECIDED: &'static [&'static str] = &[
        "programme",
        "level",
        "employer",
        "number",
        "round",
        "document_number",
        "issuer",
        "decision_date",
        "start_date",
        "end_date",
    ];

    fn decided_by(item: &TalentDesignation) -> Decided<'_> {
        Decided {
            number: &item.document_number,
            date: &item.decision_date,
            issuer: Some(&item.issuer),
        }
    }
    fn scope(item: &TalentDesignation) -> Scope<'_> {
        Scope {
            level: item.level,
            programme: programme(item),
        }
    }
    fn is_taken_here(item: &TalentDesignation) -> bool {
        !facts::<Self>(item).round.is_empty() || !item.recommendation.is_empty()
    }
    fn was_approved(item: &TalentDesignation) -> bool {
        matches!(
            item.state(),
            S::InTerm | S::Suspended | S::Completed | S::Cancelled | S::Exited
        )
    }
    fn display(work: &mut UnitOfWork, item: &TalentDesignation) -> Result<String> {
        let person = person_of(work, designation::talent(item))?;
        Ok(format!("{}·{}", person.display_name, Self::title(item)))
    }
    fn notice_terms(policy: &Policy) -> NoticeTerms {
        terms(Some(policy)).notice.unwrap_or_default()
    }
    fn review_terms(policy: &Policy) -> Option<&ReviewTerms> {
        policy
            .talent_designation
            .as_ref()
            .and_then(|terms| terms.review.as_ref())
    }

    fn public_fields(work: &mut UnitOfWork, item: &TalentDesignation) -> Result<Vec<PublicField>> {
        let person = person_of(work, designation::talent(item))?;
        let employer = item.employer.as_ref().map_or("", |o| o.display_name.as_str());
        Ok(vec![
            field("person", person.display_name),
            field("programme", Self::title(item)),
            field("employer", employer),
            field("level", level_in_words(item.level)),
        ])
    }

    /// The person under the names that they are and were recorded by, the employer, and where the person works since the
    /// application.
    fn parties(work: &mut UnitOfWork, item: &TalentDesignation) -> Result<Parties> {
        let cited = designation::talent(item);
        let person = person_of(work, cited)?;
        let day = facts::<Self>(item).submit_date;
        let is_current = |employment: &&Employment| day::is_within(&day, "", &employment.end_date);
        let mut parties = Parties::default();
        parties.persons.extend([cited.to_owned(), person.name]);
        let employments = person.employments.iter().filter(is_current);
        let organizations = employments.filter_map(|employment| employment.organization.as_ref());
        parties
            .organizations
            .extend(organizations.map(|o| o.organization.clone()));
        parties.organizations.insert(employer(item).to_owned());
        parties.organizations.remove("");
        Ok(parties)
    }

    fn decision_date(item: &TalentDesignation) -> &str {
        &item.decision_date
    }

    /// What began with the decision begins on its right day, and ends as far after it as before. A recommendation says for which
    /// programme it was.
    fn follow(
        before: &TalentDesignation,
        item: &mut TalentDesignation,
        crossing: &mut TransitionContext<'_>,
    ) -> Result<()> {
        if before.start_date == before.decision_date && item.start_date == before.start_date {
            item.start_date.clone_from(&item.decision_date);
        }
        if Self::is_taken_here(item) && item.end_date == before.end_date {
            let recommended = crossing.policy.and_then(|policy| policy.recommendation);
            let months = recommended.map_or(terms(crossing.policy).term_months, |terms| terms.term_months);
            let days = (before.start_date.as_str(), item.start_date.as_str());
            item.end_date = moved_end(&before.end_date, days, months)?;
        }
        if !item.recommendation.is_empty() {
            expect_recommended(before, item, crossing)?;
        }
        if Self::state_machine().phase(item.state) == Phase::Live && programme(before) != programme(item) {
            let taken = look::<Self>(item, crossing, &ONE_PER_FAMILY)?;
            if !taken.is_empty() {
                return Err(Error::blocked("CASE_BLOCKED", taken).about(Self::COLLECTION, &item.name));
            }
        }
        expect_ended::<Self>(item, [&before.end_date, &item.end_date], crossing)
    }

    fn results(
        item: &TalentDesignation,
        policy: Option<&Policy>,
        other: &Policy,
    ) -> Result<Vec<(String, String, String)>> {
        let months = [terms(policy).term_months, terms(Some(other)).term_months];
        term_under("term", &item.start_date, &item.end_date, months).map(Vec::from_iter)
    }

    fn replays() -> &'static Replays<Self> {
        &REPLAYS
    }

    fn due(item: &TalentDesignation, policy: Option<&Policy>, today: Date) -> Result<Option<(Date, DueKind)>> {
        match item.state {
            RETURNED => {
                let last = day::parse(&facts::<Self>(item).resubmit_date)?;
                Ok(last.map(|day| (day, DueKind::Resubmission)))
            }
            IN_TERM => {
                let end = day::last_of(&item.end_date)?.filter(|end| *end < Date::MAX);
                let end = end.or(counted_end(item, policy)?);
                let midterm = midterm_day(item, policy)?.filter(|_| item.midterm_date.is_empty());
                // An assessment that would come after the term does not come up, and none once the term is over.
                let midterm =
                    midterm.filter(|day| *day < Date::MAX && end.is_none_or(|end| *day <= end && today <= end));
                let ends = || end.map(|day| (day, DueKind::TermEnds));
                Ok(midterm.map(|day| (day, DueKind::Midterm)).or_else(ends))
            }
            _ => Ok(None),
        }
    }

    const HELD: &'static [i32] = &[SUSPENDED];

    fn dates(item: &TalentDesignation, policy: Option<&Policy>, _at: &EvalContext) -> Result<Vec<CaseDate>> {
        let (is_live, mut all) = (Self::state_machine().phase(item.state) == Phase::Live, Vec::new());
        let is_assessed = !item.midterm_date.is_empty();
        let end = day::last_of(&item.end_date)?.or(counted_end(item, policy)?);
        let midterm = midterm_day(item, policy)?.filter(|day| *day < Date::MAX && end.is_none_or(|end| *day <= end));
        let midterm = midterm.filter(|_| is_live || is_assessed);
        all.extend(midterm.map(|day| {
            let day = on(DueKind::Midterm, day, DueActor::Office);
            met(day, is_assessed, &item.midterm_date)
        }));
        let end = end.filter(|_| Self::was_approved(item));
        all.extend(end.map(|end| met(on(DueKind::TermEnds, end, DueActor::Office), !is_live, "")));
        Ok(all)
    }

    const ASKS: &'static [Ask] = &ASKS;
    const COUNTED: &'static [Counted] = &COUNTED;

    fn counts_from(item: &TalentDesignation) -> Result<Option<Date>> {
        if item.state == IN_TERM { began(item) } else { Ok(None) }
    }
}

/// Who acts, and on what.
static ASKS: [Ask; 6] = [
    Ask::at_once(
        SUBMITTED,
        DueKind::FormalCheck,
        DueActor::Office,
        &["accept", "return", "refuse"],
    ),
    Ask::at_once(RETURNED, DueKind::Resubmission, DueActor::Applicant, &["submit"]),
    Ask::at_once(
        IN_REVIEW,
        DueKind::Review,
        DueActor::Office,
        &["publish_notice", "reject"],
    ),
    Ask::on_day(
        ON_NOTICE,
        DueKind::NoticeEnds,
        DueActor::Decider,
        &["approve", "reject"],
    ),
    Ask::on_day(IN_TERM, DueKind::Midterm, DueActor::Office, &["assess_midterm"]),
    Ask::on_day(IN_TERM, DueKind::TermEnds, DueActor::Office, &["complete"]),
];

/// What the policy in force says of records. The mid-term of a title whose term is over does not come up.
static COUNTED: [Counted; 2] = [
    Counted {
        state: IN_TERM,
        due: DueKind::Midterm,
        months: |policy| terms(Some(policy)).midterm_months,
        day: day::months_after,
        only: |today| format!("NOT end_date < \"{today}\""),
    },
    Counted {
        state: IN_TERM,
        due: DueKind::TermEnds,
        months: |policy| terms(Some(policy)).term_months,
        day: day::last_of_term,
        only: |_| "NOT end_date:*".to_owned(),
    },
];

/// The last day of the term of a record that does not say it: as long after its beginning as the policy says.
fn counted_end(item: &TalentDesignation, policy: Option<&Policy>) -> Result<Option<Date>> {
    let months = terms(policy).term_months;
    let is_counted = item.end_date.is_empty() && months > 0 && !Designations::is_taken_here(item);
    let began = began(item)?.filter(|_| is_counted);
    Ok(began.and_then(|began| day::last_of_term(began, months).ok()))
}

/// The programme, the level and the first possible day of a designation that a recommendation made.
fn expect_recommended(
    before: &TalentDesignation,
    item: &TalentDesignation,
    crossing: &mut TransitionContext<'_>,
) -> Result<()> {
    let field = |name: &str| format!("{}.{name}", Designations::SINGULAR);
    let own = |one: &TalentDesignation| (programme(one).to_owned(), one.level);
    if own(before) != own(item) {
        let said = format!(
            "{} was for its programme: cancel it where that was wrong",
            item.recommendation
        );
        return Err(Error::invalid(field("programme"), "RECOMMENDED_PROGRAMME", said));
    }
    let Some(id) = Recommendations::shape().kind.id(&item.recommendation) else {
        return Ok(());
    };
    let by = crossing.work.get::<Recommendations>(id)?;
    let end = by
        .and_then(|by| by.case)
        .map_or(String::new(), |case| case.notice_end_date);
    if before.decision_date != item.decision_date && !end.is_empty() && item.decision_date <= end {
        let said = format!("the notice ran until {end}: the decision comes after it");
        return Err(Error::invalid(
            field("decision_date"),
            "DECISION_BEFORE_NOTICE_ENDED",
            said,
        ));
    }
    Ok(())
}

impl ByItself for Designations {}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::registry::TalentDesignationTerms;

    #[test]
    fn the_page_of_the_life_cycle_is_up_to_date() {
        mingce_lifecycle::lifecycle_docs::expect_page::<Designations>("talent-designation.md");
    }

    #[test]
    fn the_life_cycle_is_that_of_the_contract() {
        assert_eq!(
            mingce_lifecycle::lifecycle_docs::faults::<Designations>(),
            Vec::<String>::new()
        );
        assert_eq!(mingce_lifecycle::due::faults::<Designations>(), Vec::<String>::new());
    }

    fn in_term(start: &str, end: &str) -> TalentDesignation {
        TalentDesignation {
            state: IN_TERM,
            start_date: start.to_owned(),
            end_date: end.to_owned(),
            ..TalentDesignation::default()
        }
    }

    fn policy(midterm_months: i32) -> Policy {
        Policy {
            talent_designation: Some(TalentDesignationTerms {
                term_months: 24,
                midterm_months,
                ..TalentDesignationTerms::default()
            }),
            ..Policy::default()
        }
    }

    fn due(item: &TalentDesignation, midterm_months: i32) -> Option<(String, DueKind)> {
        let today = jiff::civil::date(2025, 1, 1);
        let due = Designations::due(item, Some(&policy(midterm_months)), today).unwrap();
        due.map(|(day, kind)| (day.to_string(), kind))
    }

    #[test]
    fn the_midterm_falls_due_first_and_then_the_end_of_the_term() {
        let mut item = in_term("2024-03-15", "2026-03-14");
        assert_eq!(due(&item, 12), Some(("2025-03-15".to_owned(), DueKind::Midterm)));
        let ends = Some(("2026-03-14".to_owned(), DueKind::TermEnds));
        assert_eq!(due(&item, 0), ends);
        assert_eq!(due(&item, 30), ends, "after the term nothing is assessed");
        item.midterm_date = "2025-03-20".to_owned();
        assert_eq!(due(&item, 12), ends);
        item.state = SUSPENDED;
        assert_eq!(due(&item, 12), None);
    }

    #[test]
    fn a_record_at_the_end_of_the_calendar_has_nothing_due() {
        assert_eq!(due(&in_term("9999-12-31", "9999-12-31"), 12), None);
        assert_eq!(due(&in_term("", ""), 12), None);
    }

    #[test]
    fn a_returned_application_falls_due_on_the_day_that_was_set() {
        let mut item = in_term("", "");
        item.state = RETURNED;
        assert_eq!(due(&item, 12), None);
        "2024-02-28".clone_into(&mut Designations::facts_mut(&mut item).resubmit_date);
        assert_eq!(due(&item, 12), Some(("2024-02-28".to_owned(), DueKind::Resubmission)));
    }
}
