//! The verbs of rounds: one is annulled, or closed, by itself too.

use std::sync::Arc;

use mingce_orm::write::canonical::normalized;
use mingce_orm::write::precondition::require_active;
use mingce_orm::{AuditInfo, Class, Collection, Error, RequestContext, Result, UnitOfWork, WriteResult};
use mingce_proto::registry::{RecordStatus, RoundState};

use crate::any::DynCase;
use crate::eval_context::EvalContext;
use crate::round::{Rounds, closed};
use crate::transition::Step;

/// Annuls a round in which no case is.
///
/// # Errors
/// NOT_FOUND; ABORTED; FAILED_PRECONDITION, reason `ROUND_IN_USE`.
pub fn annul(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    step: &Step,
    kinds: &[Arc<dyn DynCase>],
) -> Result<WriteResult> {
    let round = require_active::<Rounds>(work, &step.name, &step.etag)?;
    for kind in kinds.iter().filter(|kind| kind.kind() == round.kind()) {
        if kind.is_in(work, &round.name)? {
            let said = format!("cases are in {}: annul them first, or close the round", round.name);
            return Err(Error::new(Class::Precondition, "ROUND_IN_USE", said).about(Rounds::COLLECTION, &round.name));
        }
    }
    work.change::<Rounds>(cx, &step.stamp, &round, RecordStatus::Annulled, "")
}

/// Closes a round.
///
/// # Errors
/// Where it is closed.
pub fn close(work: &mut UnitOfWork, cx: &RequestContext, step: &Step) -> Result<WriteResult> {
    let mut round = require_active::<Rounds>(work, &step.name, &step.etag)?;
    if round.state() == RoundState::Closed {
        return Err(closed(&step.name));
    }
    round.set_state(RoundState::Closed);
    work.update::<Rounds>(cx, &step.stamp, &normalized::<Rounds>(&round)?)
}

/// Closes a round whose window is over; one that is closed, or not over, stays as it is.
///
/// # Errors
/// While it is not loaded.
pub fn close_if_due(work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<WriteResult> {
    let round = work.require::<Rounds>(name)?;
    let stamp = AuditInfo {
        reason: format!("due {}", round.due_date),
        ..AuditInfo::new("close")
    };
    if round.due_date.is_empty() || round.due_date > at.today.to_string() {
        return work.update::<Rounds>(&at.cx, &stamp, &round);
    }
    let step = Step {
        name: name.to_owned(),
        stamp,
        ..Step::default()
    };
    close(work, &at.cx, &step)
}
