//! What is written of a case beside its verbs: what an update, a record of history and a row of an import may say.

use mingce_orm::{Class, Error, Result};
use mingce_proto::Headed;

use crate::case::Case;
use crate::correct::expect_kept;
use crate::state_machine::Phase;

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
