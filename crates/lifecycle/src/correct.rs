//! Corrections (更正): what a decision says is changed by a verb of its own, with a reason and a document, under the guards that the
//! decision was under. No update touches it; of history, which others decided, an update may fill in what was not known.

use mingce_orm::model::resource::changed;
use mingce_orm::write::canonical::normalized;
use mingce_orm::{Blocker, Class, Collection, Error, Mask, Result};
use mingce_proto::names::POOL;
use mingce_proto::{Classes, Headed};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use crate::by_itself::due_again;
use crate::caps::{change_cap, misfit};
use crate::case::{Case, decision_day, facts};
use crate::day;
use crate::round::Rounds;
use crate::state_machine::{Guard, GuardContext, Phase, blocker};
use crate::transition::{Command, Step, TransitionContext};

/// The verb, as it stands in the ledger and in life cycles.
pub const VERB: &str = "correct";

/// What a call says is right.
#[derive(Debug, Clone)]
pub struct Correction<C: Collection> {
    /// The fields.
    pub mask: Mask,
    /// A resource with what is right in them.
    pub given: C::Item,
}

/// The call of a correction. It leads nowhere: the case stays in its state, and under the policy that it is under.
pub fn correct<C: Case>(step: Step, wanted: Correction<C>) -> Command<C> {
    let act = move |item: &mut C::Item, crossing: &mut TransitionContext<'_>| {
        let before = item.clone();
        *item = normalized::<C>(&wanted.mask.apply::<C>(&before, &wanted.given)?)?;
        C::keep_order(item, &before);
        if *item == before {
            let said = "it says so already: nothing of it is corrected";
            return Err(Error::invalid("update_mask", "NOTHING_CORRECTED", said));
        }
        expect_right::<C>(&before, item, crossing)?;
        if !C::policy(item).is_empty() {
            due_again::<C>(item, crossing.at, crossing.policy)?;
        }
        Ok(())
    };
    Command {
        arrives: false,
        ..Command::new(VERB, step, act)
    }
}

/// Holds a corrected case to what its decision was held to.
fn expect_right<C: Case>(before: &C::Item, item: &mut C::Item, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let is_here = C::is_taken_here(before);
    if C::decision_date(item) != C::decision_date(before) {
        let field = field_of::<C>(C::DECISION_DATE);
        match day::first_of(C::decision_date(item))? {
            Some(day) if is_here => decision_day::<C>(&field, item, day, crossing.at)?,
            Some(day) if day > crossing.at.today => {
                let said = format!("{day} is after today, {}: give a day up to today", crossing.at.today);
                return Err(Error::invalid(field, "DATE_IN_FUTURE", said));
            }
            None if is_here => return Err(Error::invalid(field, "REQUIRED", "a decision has a day: give it")),
            _ => {}
        }
    }
    C::follow(before, item, crossing)?;
    if !is_here {
        return Ok(());
    }
    let mut blockers = in_its_round::<C>(item, crossing)?;
    blockers.extend(change_cap::<C>(before, item, crossing)?);
    let touched = changed::<C>(before, item)?;
    for (fields, guard) in C::of_decision() {
        if touched.iter().any(|field| fields.contains(field)) {
            blockers.extend(look::<C>(item, crossing, guard)?);
        }
    }
    if blockers.is_empty() {
        return Ok(());
    }
    Err(Error::blocked("CASE_BLOCKED", blockers).about(C::COLLECTION, item.head().name))
}

/// What a guard finds of a case as it would be.
///
/// # Errors
/// While something is not loaded.
pub fn look<C: Case>(item: &C::Item, crossing: &mut TransitionContext<'_>, guard: &Guard<C>) -> Result<Vec<Blocker>> {
    let mut look = GuardContext {
        work: crossing.work,
        at: crossing.at,
        item,
        policy: crossing.policy,
    };
    (guard.check)(&mut look)
}

/// A case of a round stays one of those that the round takes.
fn in_its_round<C: Case>(item: &C::Item, crossing: &mut TransitionContext<'_>) -> Result<Vec<Blocker>> {
    let name = facts::<C>(item).round;
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let round = crossing.work.require::<Rounds>(&name)?;
    Ok(match misfit::<C>(&round, item) {
        None => Vec::new(),
        Some(said) => vec![blocker("ROUND_OF_OTHER_KIND", name, said, "批次不受理此类申报")],
    })
}

/// The last day of what has ended, where it is corrected, is not after today. `end_dates`: as it was, and as it is to be.
///
/// # Errors
/// Naming the field `end_date`.
pub fn expect_ended<C: Case>(item: &C::Item, end_dates: [&str; 2], crossing: &TransitionContext<'_>) -> Result<()> {
    let (today, [before, after]) = (crossing.at.today, end_dates);
    match day::first_of(after)? {
        Some(end) if before != after && end > today && C::state_machine().phase(C::state(item)) == Phase::Ended => {
            let said = format!("it has ended: its last day is not after today, {today}, give such a day");
            Err(Error::invalid(field_of::<C>("end_date"), "DATE_IN_FUTURE", said))
        }
        _ => Ok(()),
    }
}

/// The last day of a term that began on another day than was written; as it is where it was not what the term gives.
///
/// # Errors
/// Beyond the year 9999.
pub fn moved_end(end: &str, (from, to): (&str, &str), months: i32) -> Result<String> {
    let (Some(from), Some(to)) = (day::first_of(from)?, day::first_of(to)?) else {
        return Ok(end.to_owned());
    };
    if months > 0 && day::last_of_term(from, months)?.to_string() == end {
        return Ok(day::last_of_term(to, months)?.to_string());
    }
    Ok(end.to_owned())
}

/// Refuses an update, or a row of an import, that touches what was decided. What others decided may be filled in where it was not
/// known, and ends with the state that the record then has.
///
/// # Errors
/// FAILED_PRECONDITION with each such field and the method that corrects it.
pub(crate) fn expect_kept<C: Case>(stored: &C::Item, new: &C::Item) -> Result<()> {
    if stored == new {
        return Ok(());
    }
    let mut touched = changed::<C>(stored, new)?;
    touched.retain(|field| C::DECIDED.contains(field));
    if !C::is_taken_here(stored) && !touched.is_empty() {
        let (old, said) = (dynamic::<C>(stored)?, dynamic::<C>(new)?);
        let has_moved = C::state(stored) != C::state(new);
        touched.retain(|field| {
            let of = |message: &DynamicMessage| message.get_field_by_name(field).map(std::borrow::Cow::into_owned);
            let is_completed = match (of(&old), of(&said)) {
                (Some(old), Some(said)) => completes(field, &old, &said),
                _ => false,
            };
            !(is_completed || has_moved && *field == "end_date")
        });
    }
    if touched.is_empty() {
        return Ok(());
    }
    let (life, state, name) = (C::state_machine(), C::state(stored), stored.head().name.to_owned());
    let edge = life.transition(VERB).filter(|edge| edge.from.contains(&state));
    let Some(edge) = edge else {
        // It ended without a decision in its favour. A record of that is mended.
        if !C::is_taken_here(stored) {
            return Ok(());
        }
        let code = life.state(state).map_or("unknown", |state| state.code);
        let said = format!("the case has ended in state {code}: nothing of it is changed any more, leave it as it is");
        return Err(Error::new(Class::Precondition, "CASE_NOT_EDITABLE", said).about(C::COLLECTION, name));
    };
    let said = format!(
        "was decided: {}/{} corrects it, with a reason and a document number",
        life.service, edge.method
    );
    let text = format!("{name}: {} {said}", touched.join(", "));
    let error = Error::new(Class::Precondition, "FIELD_DECIDED", text).about(C::COLLECTION, name);
    let at = |error: Error, field| error.at(field_of::<C>(field), said.as_str());
    Err(touched.into_iter().fold(error, at))
}

fn field_of<C: Collection>(field: &str) -> String {
    format!("{}.{field}", C::SINGULAR)
}

fn dynamic<C: Collection>(item: &C::Item) -> Result<DynamicMessage> {
    let descriptor = POOL
        .get_message_by_name(C::MESSAGE)
        .ok_or_else(|| Error::internal(format!("the contract has no {}", C::MESSAGE)))?;
    DynamicMessage::decode(descriptor, item.encode_to_vec().as_slice()).map_err(Error::internal)
}

/// Whether one value says all that an older one says, and more of what that leaves open: an empty text or number, a day of which the
/// month or the year was known, a part of a message.
fn completes(field: &str, old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::String(old), Value::String(new)) => {
            let is_closer = field.ends_with("_date") && new.starts_with(&format!("{old}-"));
            old.is_empty() || old == new || is_closer
        }
        (Value::I32(0) | Value::I64(0) | Value::EnumNumber(0), _) => true,
        (Value::Message(old), Value::Message(new)) => old.descriptor().fields().all(|field| {
            let (old, new) = (old.get_field(&field), new.get_field(&field));
            completes(field.name(), &old, &new)
        }),
        (Value::List(old), Value::List(new)) => {
            let is_of_messages = old.iter().any(|one| one.as_message().is_some());
            let pairs = || old.iter().zip(new).all(|(old, new)| completes(field, old, new));
            old.is_empty()
                || if is_of_messages {
                    old.len() == new.len() && pairs()
                } else {
                    old.iter().all(|one| new.contains(one))
                }
        }
        (old, new) => old == new,
    }
}

/// For `Collection::keep_order`: after the decision, what follows from a reference (a level, a family) stays as it was decided while the
/// reference is the same.
pub fn steady<C: Case>(merged: &mut C::Item, stored: &C::Item) {
    if merged == stored || !is_decided::<C>(stored) {
        return;
    }
    let Ok(touched) = changed::<C>(stored, merged) else {
        return;
    };
    let follows = C::DERIVED.iter().filter(|(reference, _)| !touched.contains(reference));
    let fields: Vec<&str> = follows
        .map(|(_, field)| *field)
        .filter(|field| touched.contains(field))
        .collect();
    put_back::<C>(merged, stored, &fields);
}

/// For `Collection::preserve`: after the decision, a row of an import that names what the decision names leaves the name as it stood.
pub fn keep<C: Case>(merged: &mut C::Item, stored: &C::Item) {
    // A row that was a draft and is loaded again leads no case back.
    if C::state(merged) == C::state_machine().first && C::facts(stored).is_some_and(|facts| !facts.round.is_empty()) {
        C::set_state(merged, C::state(stored));
    }
    if merged == stored || !is_decided::<C>(stored) {
        return;
    }
    let (Ok(touched), Ok(old), Ok(mut new)) =
        (changed::<C>(stored, merged), dynamic::<C>(stored), dynamic::<C>(merged))
    else {
        return;
    };
    for field in touched.iter().filter(|field| C::DECIDED.contains(field)) {
        if let (Some(old), Some(value)) = (old.get_field_by_name(field), new.get_field_by_name(field)) {
            let kept = as_it_stood(&old, value.into_owned());
            new.set_field_by_name(field, kept);
        }
    }
    if let Ok(kept) = C::Item::decode(new.encode_to_vec().as_slice()) {
        *merged = kept;
    }
}

/// A value with each reference that means the same as in an older one as that has it: one to the same record, or by the same name.
fn as_it_stood(old: &Value, new: Value) -> Value {
    match (old, new) {
        (Value::Message(old), Value::Message(mut new)) => {
            if new.descriptor().name().ends_with("Reference") {
                let texts = |message: &DynamicMessage, number: u32| match message.get_field_by_number(number) {
                    Some(value) => value.as_str().unwrap_or_default().to_owned(),
                    None => String::new(),
                };
                let (of_old, of_new) = ([1, 2].map(|n| texts(old, n)), [1, 2].map(|n| texts(&new, n)));
                let is_same = of_old
                    .iter()
                    .zip(&of_new)
                    .any(|(old, new)| !old.is_empty() && old == new);
                let is_known = !of_old[0].is_empty() && !of_new[0].is_empty();
                return Value::Message(if is_same && is_known { old.clone() } else { new });
            }
            for field in old.descriptor().fields() {
                if !new.has_field(&field) {
                    continue;
                }
                let kept = as_it_stood(&old.get_field(&field), new.get_field(&field).into_owned());
                new.set_field(&field, kept);
            }
            Value::Message(new)
        }
        (Value::List(old), Value::List(new)) => {
            let mut old = old.iter();
            let item = |new: Value| old.next().map_or(new.clone(), |old| as_it_stood(old, new));
            Value::List(new.into_iter().map(item).collect())
        }
        (_, new) => new,
    }
}

fn is_decided<C: Case>(item: &C::Item) -> bool {
    matches!(C::state_machine().phase(C::state(item)), Phase::Live | Phase::Ended)
}

fn put_back<C: Case>(merged: &mut C::Item, stored: &C::Item, fields: &[&str]) {
    let paths: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    if let Ok(mask) = Mask::among::<C>(&paths, fields, Classes::ALL)
        && let Ok(kept) = mask.apply::<C>(merged, stored)
    {
        *merged = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::awards::{Award, Contributor};
    use mingce_proto::registry::{OrganizationReference, TalentReference};

    fn message(award: &Award) -> Value {
        let descriptor = POOL.get_message_by_name("mingce.awards.v1.Award").unwrap();
        Value::Message(DynamicMessage::decode(descriptor, award.encode_to_vec().as_slice()).unwrap())
    }

    fn person(talent: &str, display_name: &str) -> Contributor {
        Contributor {
            rank: 1,
            talent: Some(TalentReference {
                talent: talent.to_owned(),
                display_name: display_name.to_owned(),
                ..TalentReference::default()
            }),
            ..Contributor::default()
        }
    }

    fn award() -> Award {
        Award {
            number: "1".to_owned(),
            decision_date: "2024".to_owned(),
            contributors: vec![person("", "试甲")],
            evidence: vec!["论文一".to_owned()],
            ..Award::default()
        }
    }

    #[test]
    fn what_was_not_known_is_filled_in_and_what_was_known_stays() {
        let old = message(&award());
        let filled = |change: &dyn Fn(&mut Award)| {
            let mut new = award();
            change(&mut new);
            completes("", &old, &message(&new))
        };
        assert!(filled(&|_| ()));
        assert!(filled(&|a| a.document_number = "试〔2024〕1号".to_owned()));
        assert!(filled(&|a| a.decision_date = "2024-03".to_owned()));
        assert!(filled(&|a| a.decision_date = "2024-03-15".to_owned()));
        assert!(filled(&|a| a.money_fen = 1));
        assert!(filled(&|a| a.contributors = vec![person("talents/a", "试甲")]));
        assert!(filled(&|a| a.evidence.push("论文二".to_owned())));
        assert!(!filled(&|a| a.decision_date = "2023".to_owned()));
        assert!(!filled(&|a| a.decision_date = "20245".to_owned()));
        assert!(!filled(&|a| a.decision_date.clear()));
        assert!(!filled(&|a| a.number = "1-1".to_owned()));
        assert!(!filled(&|a| a.contributors = vec![person("talents/a", "试乙")]));
        assert!(!filled(&|a| a.contributors.push(person("", "试乙"))));
        assert!(!filled(&|a| a.evidence = vec!["论文二".to_owned()]));
        assert!(!filled(&|a| a.classified = true));
    }

    #[test]
    fn a_reference_to_the_same_stays_as_it_stood() {
        let to = |organization: &str, display_name: &str| OrganizationReference {
            organization: organization.to_owned(),
            display_name: display_name.to_owned(),
            ..OrganizationReference::default()
        };
        let of = |reference: OrganizationReference| Award {
            contributors: vec![Contributor {
                organizations: vec![reference],
                ..person("", "试甲")
            }],
            ..Award::default()
        };
        let stored = message(&of(to("organizations/a", "青岛示例学院")));
        let kept = |new: OrganizationReference| as_it_stood(&stored, message(&of(new)));
        assert_eq!(kept(to("organizations/a", "青岛示例大学")), stored);
        assert_eq!(kept(to("organizations/b", "青岛示例学院")), stored);
        let other = to("organizations/b", "青岛示例大学");
        assert_eq!(kept(other.clone()), message(&of(other)));
    }
}
