//! Cases: what goes through a life cycle under a policy, and what its guards see.

use std::sync::Arc;

use jiff::civil::Date;
use mingce_orm::model::kind::Kind;
use mingce_orm::{AuditInfo, Blocker, Class, Error, RequestContext, Result, UnitOfWork};
use mingce_proto::registry::{
    CaseDate, CaseFacts, CaseKind, CaseReason, DecisionDocument, DueKind, HandlingTerms, NoticeTerms, Policy,
    PublicField, ReviewTerms,
};
use mingce_proto::{CaseMessage, Headed, StatefulMessage};

use crate::calendar::{Calendar, UnknownYear};
use crate::correct::{Held, expect_kept};
use crate::day;
use crate::document::Decided;
use crate::due::{self, Ask, Counted};
use crate::policy::Policies;
use crate::replay::{self, Pool, Replays, Wanted};
use crate::state_machine::{Phase, Stateful};
use crate::transition::TransitionContext;

/// When and for whom something is tried: the context of the call, the day in China, the calendar, and the policy that is in force
/// for cases that are under none yet.
#[derive(Debug, Clone)]
pub struct EvalContext {
    /// The context of the call.
    pub cx: RequestContext,
    /// The day.
    pub today: Date,
    /// The working days.
    pub calendar: Arc<Calendar>,
    /// For a case without a policy.
    pub in_force: Option<Arc<Policy>>,
    /// The level and the programme that `in_force` was looked up for.
    pub scope: Option<(i32, String)>,
}

impl EvalContext {
    /// The moment of a call.
    ///
    /// # Errors
    /// Where its time is no day.
    pub fn new(cx: &RequestContext, calendar: &Arc<Calendar>) -> Result<Self> {
        Ok(Self {
            today: day::today(cx)?,
            cx: cx.clone(),
            calendar: Arc::clone(calendar),
            in_force: None,
            scope: None,
        })
    }

    /// The day on which a time ends within which somebody has to act: where its last day is a day off, the next working day (Civil
    /// Code, art. 203). Where the holidays of the year are not known yet, the day stays.
    pub fn last_day(&self, day: Date) -> Date {
        match self.calendar.is_working_day(day) {
            Ok(false) => self.calendar.next_working_day(day).unwrap_or(day),
            Ok(true) | Err(_) => day,
        }
    }

    /// The last day of a time of so many calendar days that begins on this day; `None` for no bound.
    ///
    /// # Errors
    /// Beyond the year 9999.
    pub fn within(&self, days: i32) -> Result<Option<Date>> {
        if days == 0 {
            return Ok(None);
        }
        Ok(Some(self.last_day(day::days_after(self.today, days)?)))
    }

    /// The last day of a notice that begins on this day.
    ///
    /// # Errors
    /// Where the holidays of a year are not known.
    pub fn end_of_notice(&self, working_days: i32) -> Result<Date> {
        let days = u32::try_from(working_days).unwrap_or_default();
        self.calendar.end_of_notice(self.today, days).map_err(unknown)
    }

    /// The last day on which an objection to a notice that begins on this day can be filed: so many days later, and on a working day
    /// (Civil Code, art. 203), but not before the notice ends.
    ///
    /// # Errors
    /// Where the holidays of a year are not known.
    pub fn end_of_objections(&self, terms: &NoticeTerms) -> Result<Date> {
        let notice = self.end_of_notice(terms.working_days)?;
        if terms.objection_days == 0 {
            return Ok(notice);
        }
        let last = day::days_after(self.today, terms.objection_days)?;
        if self.calendar.is_working_day(last).map_err(unknown)? {
            return Ok(last);
        }
        self.calendar.next_working_day(last).map_err(unknown)
    }
}

fn unknown(year: UnknownYear) -> Error {
    Error::new(Class::Precondition, "CALENDAR_UNKNOWN", year.to_string())
}

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

/// What a guard sees: the case, the policy, and the register.
#[derive(Debug)]
pub struct GuardContext<'a, C: Stateful> {
    /// The register.
    pub work: &'a mut UnitOfWork,
    /// When it is tried.
    pub at: &'a EvalContext,
    /// The case as it is.
    pub item: &'a C::Item,
    /// The policy that it is under.
    pub policy: Option<&'a Policy>,
}

impl<C: Stateful> GuardContext<'_, C> {
    /// The case itself stands in the way.
    pub fn blocker(&self, reason: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Blocker {
        let subject = self.item.head().name.to_owned();
        blocker(reason, subject, en, zh)
    }
}

/// What stands in the way, in both languages.
pub fn blocker(
    reason: &'static str,
    subject: impl Into<String>,
    en: impl Into<String>,
    zh: impl Into<String>,
) -> Blocker {
    Blocker {
        reason,
        subject: subject.into(),
        description: en.into(),
        description_zh: zh.into(),
    }
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
        due::handling(policy)
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
        replay::of_round::<Self>(work, item, policy, wanted)
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

/// What [`Stateful::on_enter`] does for a case: it notes the policy and the day, and what falls due next.
///
/// # Errors
/// Where a day cannot be computed.
pub fn on_enter<C: Case>(item: &mut C::Item, arrival: &crate::state_machine::StateEntry<'_>) -> Result<()> {
    let state = C::state(item);
    if let Some(policy) = arrival.policy {
        policy.name.clone_into(&mut C::facts_mut(item).policy);
    }
    C::facts_mut(item).state_date = arrival.at.today.to_string();
    if let Some((stamp, from)) = arrival.by {
        note_reason::<C>(item, arrival.at, stamp, from);
    }
    let due = match heard_until(&facts::<C>(item))? {
        Some(end) if C::ON_NOTICE.contains(&state) => Some((day::days_after(end, 1)?, DueKind::NoticeEnds)),
        _ => match C::due(item, arrival.policy, arrival.at.today)? {
            Some(due) => Some(due),
            None => due::handled::<C>(state, arrival)?,
        },
    };
    let facts = C::facts_mut(item);
    facts.due_date = due.map_or(String::new(), |(date, _)| date.to_string());
    let waits = due::waits::<C>(state).map_or(DueKind::Unspecified, |ask| ask.due);
    facts.due = due.map_or(waits, |(_, kind)| kind) as i32;
    Ok(())
}

/// The verb by which a case is returned, in every life cycle that has one.
pub(crate) const RETURN: &str = "return";

/// Whether in a state a case has the reason of the decision that led there.
pub(crate) fn is_against<C: Case>(state: i32) -> bool {
    C::state_machine().phase(state) == Phase::Ended || C::HELD.contains(&state)
}

/// Keeps why a case was returned as long as it is, and why it was decided against it.
fn note_reason<C: Case>(item: &mut C::Item, at: &EvalContext, stamp: &AuditInfo, from: i32) {
    let state = C::state(item);
    let facts = C::facts_mut(item);
    let said = CaseReason {
        verb: stamp.verb.to_owned(),
        reason: stamp.reason.clone(),
        actor: at.cx.actor.clone(),
        date: at.today.to_string(),
        until_date: facts.resubmit_date.clone(),
    };
    if stamp.verb == RETURN {
        facts.return_reason = Some(said);
        facts.decision_reason = None;
    } else if state != from {
        facts.return_reason = None;
        facts.decision_reason = is_against::<C>(state).then_some(said);
    }
}

/// Refuses what only verbs may write: the state of a case, anything of one that waits for its decision, what a decision says, and a
/// record of history that is undecided.
///
/// # Errors
/// Saying what would be right.
pub fn check_write<C: Case>(stored: Option<&C::Item>, new: &C::Item) -> Result<()> {
    let life = C::state_machine();
    let said = |number: i32| life.state(number).map_or("unknown", |state| state.code);
    let Some(stored) = stored else {
        let is_draft = C::state(new) == life.first && C::facts(new).is_some_and(|facts| !facts.round.is_empty());
        if !is_draft && matches!(life.phase(C::state(new)), Phase::Draft | Phase::Undecided) {
            let draft = said(life.first);
            let text = format!(
                "a record says how a decision stands: {} is a state before the decision, which only the verbs of {} lead to. A row of an \
                 import can be a {draft}: it then names its round",
                said(C::state(new)),
                life.service
            );
            return Err(Error::invalid(
                format!("{}.state", C::SINGULAR),
                "STATE_UNDECIDED",
                text,
            ));
        }
        return Ok(());
    };
    let (before, after) = (C::state(stored), C::state(new));
    let is_case = C::facts(stored).is_some_and(|facts| !facts.policy.is_empty());
    if before != after
        && (is_case
            || [before, after]
                .iter()
                .any(|s| matches!(life.phase(*s), Phase::Draft | Phase::Undecided)))
    {
        let text = format!(
            "the case is in state {}: only the methods of {} change the state, leave it as it is",
            said(before),
            life.service
        );
        return Err(Error::new(Class::Precondition, "STATE_BY_VERBS", text).about(C::COLLECTION, stored.head().name));
    }
    if life.phase(before) == Phase::Undecided && stored != new {
        let text = format!(
            "the case is in state {} and waits for a decision: it cannot be edited until it is decided or returned",
            said(before)
        );
        return Err(Error::new(Class::Precondition, "CASE_NOT_EDITABLE", text).about(C::COLLECTION, stored.head().name));
    }
    if matches!(life.phase(before), Phase::Live | Phase::Ended) {
        expect_kept::<C>(stored, new)?;
    }
    Ok(())
}

/// Refuses a row that was a draft and would change a case that is none any more.
///
/// # Errors
/// FAILED_PRECONDITION, reason `CASE_NOT_EDITABLE`.
pub fn check_import<C: Case>(row: &C::Item, stored: &C::Item) -> Result<()> {
    let life = C::state_machine();
    let is_draft = C::state(row) == life.first && C::facts(row).is_some_and(|facts| !facts.round.is_empty());
    if !is_draft || life.phase(C::state(stored)) == Phase::Draft {
        return Ok(());
    }
    let code = life.state(C::state(stored)).map_or("unknown", |state| state.code);
    let said = format!("the application is in state {code}: drafts of a file change drafts alone; take the row out");
    Err(Error::new(Class::Precondition, "CASE_NOT_EDITABLE", said).about(C::COLLECTION, stored.head().name))
}

/// The policy that a case is under.
///
/// # Errors
/// While it is not loaded.
pub fn policy_of<C: Stateful>(work: &mut UnitOfWork, at: &EvalContext, item: &C::Item) -> Result<Option<Policy>> {
    let name = C::policy(item);
    if name.is_empty() {
        return Ok(at.in_force.as_deref().cloned());
    }
    work.require_unchanged::<Policies>(name).map(Some)
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
