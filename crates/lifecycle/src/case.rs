//! Cases: what goes through a life cycle under a policy.

use jiff::civil::Date;
use mingce_orm::model::kind::Kind;
use mingce_orm::{Error, Result, UnitOfWork};
use mingce_proto::registry::{
    CaseDate, CaseFacts, CaseKind, DecisionDocument, DueKind, HandlingTerms, NoticeTerms, Policy, PublicField,
    ReviewTerms,
};
use mingce_proto::{CaseMessage, StatefulMessage};

use crate::ask::{Ask, Counted, handling};
use crate::day;
use crate::eval_context::EvalContext;
use crate::replays::{Pool, Replays, Wanted, of_round};
use crate::state_machine::{Guard, Phase, Stateful};
use crate::transition::TransitionContext;

/// The last day of the latest notice and of the time for objections to it, whichever is later.
///
/// # Errors
/// Where one of them is no day.
pub fn heard_until(facts: &CaseFacts) -> Result<Option<Date>> {
    let (notice, objections) = (
        day::parse(&facts.notice_end_date)?,
        day::parse(&facts.objection_end_date)?,
    );
    Ok(notice.max(objections))
}

/// What a case is decided by: where policies and rounds have to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Its level.
    pub level: i32,
    /// Its programme, as policies and rounds name it.
    pub programme: &'a str,
}

/// The persons and organizations that a case is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parties {
    /// Resource names of persons.
    pub persons: std::collections::BTreeSet<String>,
    /// Resource names of organizations.
    pub organizations: std::collections::BTreeSet<String>,
}

/// What a case says of the document of its decision.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decided<'a> {
    /// The number; empty for none.
    pub number: &'a str,
    /// The day of the decision; empty where the case keeps none.
    pub date: &'a str,
    /// Who decided; `None` where the case does not say.
    pub issuer: Option<&'a str>,
}

/// What a correction of some fields is under.
pub type Held<C> = (&'static [&'static str], Guard<C>);

/// A resource that is decided under a policy.
pub trait Case: Stateful<Item: CaseMessage> {
    /// Which kind of case it is.
    const KIND: CaseKind;

    /// What it keeps of its way; `None` where it began none.
    fn facts(item: &Self::Item) -> Option<&CaseFacts> {
        item.facts()
    }
    /// The same, to be changed.
    fn facts_mut(item: &mut Self::Item) -> &mut CaseFacts {
        item.facts_mut()
    }
    /// Where policies and rounds have to fit.
    fn scope(item: &Self::Item) -> Scope<'_>;
    /// The grade that caps count by.
    fn grade(_item: &Self::Item) -> &str {
        ""
    }
    /// Whether the register itself decides, or decided, on it. What was recorded as history was decided elsewhere.
    fn is_taken_here(item: &Self::Item) -> bool {
        Self::facts(item).is_some_and(|facts| !facts.round.is_empty())
    }
    /// Whether its approval took a place of the caps of its round.
    fn was_approved(_item: &Self::Item) -> bool {
        false
    }
    /// Its title for lists of work and notices.
    ///
    /// # Errors
    /// While what it names is not loaded.
    fn display(work: &mut UnitOfWork, item: &Self::Item) -> Result<String>;
    /// The terms of the notice before its decision.
    fn notice_terms(policy: &Policy) -> NoticeTerms;
    /// The terms of its review, where it has one.
    fn review_terms(_policy: &Policy) -> Option<&ReviewTerms> {
        None
    }
    /// What may be published of it, and nothing else.
    ///
    /// # Errors
    /// While what it names is not loaded.
    fn public_fields(work: &mut UnitOfWork, item: &Self::Item) -> Result<Vec<PublicField>>;
    /// Whether it must not be published at all.
    fn is_secret(_item: &Self::Item) -> bool {
        false
    }
    /// Whom it is about, for conflicts of reviewers.
    ///
    /// # Errors
    /// While what it names is not loaded.
    fn parties(work: &mut UnitOfWork, item: &Self::Item) -> Result<Parties>;
    /// How long those who handle it have.
    fn handling(policy: &Policy) -> Option<HandlingTerms> {
        handling(policy)
    }
    /// What falls due next, from its state. What all cases share (notices) comes before. Without a policy: what the case says by itself.
    ///
    /// # Errors
    /// Where a day cannot be computed.
    fn due(item: &Self::Item, policy: Option<&Policy>, today: Date) -> Result<Option<(Date, DueKind)>>;
    /// Who has to do what when something falls due, and what waits without a day.
    const ASKS: &'static [Ask];
    /// What falls due of a record by the policy in force.
    const COUNTED: &'static [Counted] = &[];
    /// The day from which the policy in force counts what falls due of a record.
    ///
    /// # Errors
    /// Where it is none.
    fn counts_from(_item: &Self::Item) -> Result<Option<Date>> {
        Ok(None)
    }
    /// What was computed for it by its policy, and would come out as what under another one.
    ///
    /// # Errors
    /// Where a day cannot be computed.
    fn results(_item: &Self::Item, _policy: Option<&Policy>, _other: &Policy) -> Result<Vec<(String, String, String)>> {
        Ok(Vec::new())
    }
    /// What can be replayed of its decisions.
    fn replays() -> &'static Replays<Self>;
    /// The record that its rules look at beside it, which changes on: it is replayed as it was then.
    fn beside(_name: &str) -> Option<(&'static Kind, String)> {
        None
    }
    /// Of what its approval takes places.
    ///
    /// # Errors
    /// While something is not loaded.
    fn pools(
        work: &mut UnitOfWork,
        item: &Self::Item,
        policy: Option<&Policy>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Pool>> {
        of_round(work, Self::facts(item), Self::grade(item), policy, wanted)
    }
    /// What its decision says: the fields that no update touches once it was decided, and that a correction may change.
    const DECIDED: &'static [&'static str];
    /// The field that has the day of its decision; empty where it keeps none.
    const DECISION_DATE: &'static str = "decision_date";
    /// The day of its decision; of one that others took perhaps a month or a year.
    fn decision_date(_item: &Self::Item) -> &str {
        ""
    }
    /// The documents of its decisions.
    fn documents(item: &Self::Item) -> &[DecisionDocument] {
        item.documents()
    }
    /// The number of the document of its decision, to be changed.
    fn document_number_mut(item: &mut Self::Item) -> &mut String {
        item.document_number_mut()
    }
    /// The numbers of documents that parts of it have, which are only added to.
    fn documents_of_parts(_item: &Self::Item) -> Vec<&str> {
        Vec::new()
    }
    /// What it says of the document of its decision.
    fn decided_by(item: &Self::Item) -> Decided<'_>;
    /// What has to hold of it after a correction of some of these fields, as it had to for the decision.
    fn of_decision() -> &'static [Held<Self>] {
        &[]
    }
    /// What follows from a correction, before it is looked at as a whole: days that are counted from others, what else says the same.
    ///
    /// # Errors
    /// Where it cannot be so.
    fn follow(_before: &Self::Item, _item: &mut Self::Item, _crossing: &mut TransitionContext<'_>) -> Result<()> {
        Ok(())
    }
    /// The states of a live case in which something was decided against it.
    const HELD: &'static [i32] = &[];
    /// Its own days, those that are over too, beside those that all cases have.
    ///
    /// # Errors
    /// Where a day cannot be computed.
    fn dates(_item: &Self::Item, _policy: Option<&Policy>, _at: &EvalContext) -> Result<Vec<CaseDate>> {
        Ok(Vec::new())
    }
    /// The state that waits for the end of a notice.
    const ON_NOTICE: &'static [i32];
    /// The state in which reviewers work.
    const IN_REVIEW: &'static [i32] = &[];
}

/// What a case keeps of its way; empty where it began none.
pub fn facts<C: Case>(item: &C::Item) -> CaseFacts {
    C::facts(item).cloned().unwrap_or_default()
}

/// The verb by which a case is returned, in every life cycle that has one.
pub(crate) const RETURN: &str = "return";

/// Whether in a state a case has the reason of the decision that led there.
pub(crate) fn is_against<C: Case>(state: i32) -> bool {
    C::state_machine().phase(state) == Phase::Ended || C::HELD.contains(&state)
}

/// The day of a decision: the one that is given, or today. A decision is not made in the future, and not before the notice is over.
///
/// # Errors
/// Naming the field `decision_date`.
pub fn decided<C: Case>(item: &C::Item, given: &str, at: &EvalContext) -> Result<Date> {
    let day = day::given("decision_date", given)?.unwrap_or(at.today);
    decision_day::<C>("decision_date", item, day, at)?;
    Ok(day)
}

/// Refuses a day on which a case cannot have been decided.
///
/// # Errors
/// Naming the field.
pub(crate) fn decision_day<C: Case>(field: &str, item: &C::Item, day: Date, at: &EvalContext) -> Result<()> {
    if day > at.today {
        let said = format!(
            "{day} is after today, {}: a decision is recorded when it is made",
            at.today
        );
        return Err(Error::invalid(field, "DATE_IN_FUTURE", said));
    }
    let heard = heard_until(&facts::<C>(item))?;
    if let Some(end) = heard.filter(|end| day <= *end) {
        let said = format!("the notice and the time for objections ran until {end}: the decision comes after them");
        return Err(Error::invalid(field, "DECISION_BEFORE_NOTICE_ENDED", said));
    }
    Ok(())
}
