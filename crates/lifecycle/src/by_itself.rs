//! What a kind of case does by itself when something falls due, and how that follows from what was changed beside its verbs.

use mingce_orm::{Result, UnitOfWork, WriteResult};
use mingce_proto::registry::{DueKind, Policy};

use crate::case::{Case, facts};
use crate::entry::on_enter;
use crate::eval_context::EvalContext;
use crate::state_machine::StateEntry;

/// What a kind of case does by itself when something falls due.
pub trait ByItself: Case {
    /// What falls due by itself.
    const AUTOMATIC: &'static [DueKind] = &[];
    /// Whether a case does by itself what falls due for it: its policy can leave that to a clerk.
    fn is_automatic(item: &Self::Item, _policy: Option<&Policy>) -> bool {
        Self::AUTOMATIC.contains(&facts::<Self>(item).due())
    }
    /// Does it, in an edit.
    ///
    /// # Errors
    /// Where the verb cannot be done.
    fn by_itself(_work: &mut UnitOfWork, _at: &EvalContext, _item: &Self::Item) -> Result<Option<WriteResult>> {
        Ok(None)
    }
}

/// Lets what falls due follow from a case whose facts or dates were changed beside its verbs.
///
/// # Errors
/// Where a day cannot be computed.
pub fn due_again<C: Case>(item: &mut C::Item, at: &EvalContext, policy: Option<&Policy>) -> Result<()> {
    let day = facts::<C>(item).state_date;
    on_enter::<C>(item, &StateEntry { policy, at, by: None })?;
    C::facts_mut(item).state_date = day;
    Ok(())
}
