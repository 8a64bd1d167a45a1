//! What follows when a case comes into a state.

use mingce_orm::{AuditInfo, Result};
use mingce_proto::registry::{CaseReason, DueKind};

use crate::case::{Case, RETURN, facts, heard_until, is_against};
use crate::day;
use crate::due;
use crate::eval_context::EvalContext;
use crate::state_machine::StateEntry;

/// What [`Stateful::on_enter`](crate::Stateful::on_enter) does for a case: it notes the policy and the day, and what falls due next.
///
/// # Errors
/// Where a day cannot be computed.
pub fn on_enter<C: Case>(item: &mut C::Item, arrival: &StateEntry<'_>) -> Result<()> {
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
