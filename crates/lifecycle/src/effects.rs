//! What verbs do that several kinds of case share.

use mingce_orm::{Error, Result, Violation};

use crate::case::Case;
use crate::transition::TransitionContext;
use crate::{day, notice};

/// Submits: the day of the first time is kept, and what a return had set is over.
///
/// # Errors
/// None; the form is that of an act.
pub fn submit<C: Case>(item: &mut C::Item, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let facts = C::facts_mut(item);
    if facts.submit_date.is_empty() {
        facts.submit_date = crossing.at.today.to_string();
    }
    facts.resubmit_date.clear();
    Ok(())
}

/// Returns, to be submitted again until a day, or without a bound where none is given. What was returned gets another day.
///
/// # Errors
/// Naming the field `due_date`.
pub fn give_back<C: Case>(item: &mut C::Item, crossing: &TransitionContext<'_>, due_date: &str) -> Result<()> {
    let until = day::given("due_date", due_date)?;
    let today = crossing.at.today;
    if let Some(past) = until.filter(|until| *until < today) {
        let said = format!("{past} is before today, {today}: give a day on which it can still be submitted");
        return Err(Error::invalid("due_date", "DATE_IN_PAST", said));
    }
    let facts = C::facts_mut(item);
    facts.returns += 1;
    facts.resubmit_date = until.map_or(String::new(), |day| day.to_string());
    Ok(())
}

/// A verb turns out to take a title away: it has to say why, and by which document. Where it always does, the contract says so.
///
/// # Errors
/// Naming `reason` and `document_number`, whichever is missing.
pub fn expect_grounds(crossing: &TransitionContext<'_>, document_number: &str) -> Result<()> {
    let missing = |field: &str, reason, what: &str| {
        let said = format!("by this the title is lost: give {what}");
        Violation::new(field, reason, said)
    };
    let mut all = Vec::new();
    if crossing.stamp.reason.is_empty() {
        all.push(missing("reason", "REVOCATION_REASON_MISSING", "the reason"));
    }
    if document_number.is_empty() {
        let what = "the document number of the decision";
        all.push(missing("document_number", "REVOCATION_DOCUMENT_MISSING", what));
    }
    if all.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid_all(all))
    }
}

/// Begins the notice before the decision, by the terms of the policy.
///
/// # Errors
/// Those of [`notice::publish`].
pub fn publish_notice<C: Case>(item: &mut C::Item, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let terms = crossing.policy.map(C::notice_terms).unwrap_or_default();
    notice::publish::<C>(item, crossing, terms)
}
