//! All days of a case, those that are over too, and why it stands where it stands.

use jiff::civil::Date;
use mingce_orm::{RequestContext, Result, Store, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::registry::{CaseDate, CaseReason, DueActor, DueKind, Policy, Revision};

use crate::case::{Case, RETURN, facts, heard_until, is_against};
use crate::day;
use crate::due::{ask, waits};
use crate::eval_context::EvalContext;
use crate::round::Rounds;
use crate::state_machine::Phase;

/// A day on which somebody has to act.
pub fn on(due: DueKind, day: Date, actor: DueActor) -> CaseDate {
    CaseDate {
        due: due as i32,
        date: day.to_string(),
        actor: actor as i32,
        ..CaseDate::default()
    }
}

/// The same, and whether it was done: on a day, where that is known.
#[must_use]
pub fn met(date: CaseDate, met: bool, met_date: &str) -> CaseDate {
    CaseDate {
        met,
        met_date: met_date.to_owned(),
        ..date
    }
}

/// All days of a case, by day.
///
/// # Errors
/// While something is not loaded.
pub fn dates<C: Case>(
    work: &mut UnitOfWork,
    at: &EvalContext,
    item: &C::Item,
    policy: Option<&Policy>,
) -> Result<Vec<CaseDate>> {
    let (state, facts, life) = (C::state(item), facts::<C>(item), C::state_machine());
    let mut all = C::dates(item, policy, at)?;
    if life.phase(state) == Phase::Draft && facts.submit_date.is_empty() && !facts.round.is_empty() {
        let round = work.require_unchanged::<Rounds>(&facts.round)?;
        let end = day::parse(&round.end_date)?;
        all.extend(end.map(|end| on(DueKind::Submission, end, DueActor::Applicant)));
    }
    if !facts.submit_date.is_empty() {
        let submitted = CaseDate {
            due: DueKind::Submission as i32,
            actor: DueActor::Applicant as i32,
            ..CaseDate::default()
        };
        all.push(met(submitted, true, &facts.submit_date));
    }
    // What is asked for in this state at once.
    if let Some(ask) = waits::<C>(state) {
        let day = day::parse(&facts.due_date)?.filter(|_| facts.due == ask.due as i32);
        all.push(CaseDate {
            due: ask.due as i32,
            date: day.map_or(String::new(), |day| day.to_string()),
            actor: ask.actor as i32,
            ..CaseDate::default()
        });
    }
    if let Some(end) = heard_until(&facts)? {
        let (is_open, due) = (C::ON_NOTICE.contains(&state), DueKind::NoticeEnds);
        let actor = ask::<C>(state, due as i32).map_or(DueActor::Unspecified, |ask| ask.actor);
        all.push(met(on(due, day::days_after(end, 1)?, actor), !is_open, ""));
    }
    if let Some(end) = day::parse(&facts.objection_end_date)? {
        let ends = on(DueKind::ObjectionsEnd, end, DueActor::Unspecified);
        all.push(met(ends, at.today > end, ""));
    }
    let today = at.today.to_string();
    for one in &mut all {
        let is_asked = one.actor != DueActor::Unspecified as i32;
        one.overdue = is_asked && !one.met && !one.date.is_empty() && one.date < today;
    }
    all.sort_by_key(|one| {
        let day = if one.date.is_empty() { &one.met_date } else { &one.date };
        (day.is_empty(), day.clone(), one.due, one.year)
    });
    Ok(all)
}

/// Finds in the ledger why a case was returned or ended, where an earlier version did not keep it with the case.
///
/// # Errors
/// Where the database cannot be read.
pub async fn from_ledger<C: Case>(store: &Store, cx: &RequestContext, item: &mut C::Item) -> Result<()> {
    let (state, facts) = (C::state(item), facts::<C>(item));
    let returned = C::state_machine()
        .transition(RETURN)
        .is_some_and(|edge| edge.to.contains(&state));
    let is_missing =
        (returned && facts.return_reason.is_none()) || (is_against::<C>(state) && facts.decision_reason.is_none());
    if !is_missing || facts.policy.is_empty() {
        return Ok(());
    }
    let name = item.head().name.to_owned();
    let kinds = [&C::shape().kind];
    let (revisions, _) = store.history(&cx.seeing_all(), &kinds, &name, 50, "").await?;
    let led_here = |revision: &&Revision| {
        let edge = C::state_machine().transition(&revision.verb);
        edge.is_some_and(|edge| edge.to.contains(&state))
    };
    let Some(revision) = revisions.iter().find(led_here) else {
        return Ok(());
    };
    let day = revision
        .create_time
        .as_ref()
        .and_then(|time| day::of_seconds(time.seconds).ok());
    let said = CaseReason {
        verb: revision.verb.clone(),
        reason: revision.reason.clone(),
        actor: revision.actor.clone(),
        date: day.map_or(String::new(), |day| day.to_string()),
        until_date: facts.resubmit_date.clone(),
    };
    let facts = C::facts_mut(item);
    if returned {
        facts.return_reason = Some(said);
    } else {
        facts.decision_reason = Some(said);
    }
    Ok(())
}
