//! A case in its round: whether it fits, and the place of its caps that an approval takes.

use mingce_orm::{AuditInfo, Blocker, Error, RequestContext, Result, UnitOfWork};
use mingce_proto::registry::Round;

use crate::case::{Case, facts};
use crate::round::{Rounds, cap_reached};
use crate::transition::TransitionContext;

/// The cases of a round are those of its kind, level and programme.
///
/// # Errors
/// Where this is none.
pub fn expect_fit<C: Case>(round: &Round, item: &C::Item) -> Result<()> {
    match misfit::<C>(round, item) {
        None => Ok(()),
        Some(said) => Err(Error::invalid("round", "ROUND_OF_OTHER_KIND", said)),
    }
}

/// Why a round does not take a case, without the field that names the round; nothing where it takes it.
pub fn misfit<C: Case>(round: &Round, item: &C::Item) -> Option<String> {
    let scope = C::scope(item);
    let fits = round.kind() == C::KIND
        && round.level == scope.level
        && (round.programme.is_empty() || round.programme == scope.programme);
    if fits {
        return None;
    }
    Some(format!(
        "{} is for {} of {}{}: name a round for this one",
        round.name,
        round.kind().as_str_name(),
        round.level().as_str_name(),
        if round.programme.is_empty() {
            String::new()
        } else {
            format!(" under {}", round.programme)
        }
    ))
}

/// Puts a case into a round: it is decided under the policy of the round, whichever is in force when it is submitted.
pub fn enter<C: Case>(item: &mut C::Item, round: &Round) {
    let facts = C::facts_mut(item);
    facts.round.clone_from(&round.name);
    facts.policy.clone_from(&round.policy);
}

/// Gives back the place that the approval of a case took, because it is annulled. Nothing else gives one back: not the end of a title,
/// and not its revocation.
///
/// # Errors
/// While the round is not loaded.
pub fn release_cap<C: Case>(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    stamp: &AuditInfo,
    item: &C::Item,
) -> Result<()> {
    let name = facts::<C>(item).round;
    if name.is_empty() || !C::was_approved(item) {
        return Ok(());
    }
    let mut round = work.require::<Rounds>(&name)?;
    let grade = C::grade(item);
    let mut given = false;
    for cap in &mut round.caps {
        if (cap.grade.is_empty() || cap.grade == grade) && cap.used > 0 {
            cap.used -= 1;
            given = true;
        }
    }
    if given {
        let stamp = AuditInfo {
            verb: "release_cap",
            ..stamp.clone()
        };
        work.update::<Rounds>(cx, &stamp, &round)?;
    }
    Ok(())
}

/// Takes a place of the caps of a case's round, which [`crate::guard::cap_left`] has seen.
///
/// # Errors
/// While the round is not loaded.
pub fn use_cap<C: Case>(item: &C::Item, crossing: &mut TransitionContext<'_>) -> Result<()> {
    let name = facts::<C>(item).round;
    if name.is_empty() {
        return Ok(());
    }
    let mut round = crossing.work.require::<Rounds>(&name)?;
    let grade = C::grade(item);
    let mut taken = false;
    for cap in &mut round.caps {
        if cap.grade.is_empty() || cap.grade == grade {
            cap.used += 1;
            taken = true;
        }
    }
    if taken {
        let stamp = AuditInfo {
            verb: "use_cap",
            ..crossing.stamp.clone()
        };
        crossing.work.update::<Rounds>(&crossing.at.cx, &stamp, &round)?;
    }
    Ok(())
}

/// Gives back the place of the grade that a case was decided by, and takes one of the grade that is right; or says that there is none.
///
/// # Errors
/// While the round is not loaded.
pub fn change_cap<C: Case>(
    before: &C::Item,
    item: &C::Item,
    crossing: &mut TransitionContext<'_>,
) -> Result<Option<Blocker>> {
    let (old, new, name) = (C::grade(before), C::grade(item), facts::<C>(item).round);
    if old == new || name.is_empty() {
        return Ok(None);
    }
    let mut round = crossing.work.require::<Rounds>(&name)?;
    for cap in round.caps.iter_mut().filter(|cap| !cap.grade.is_empty()) {
        if cap.grade == new && cap.used >= cap.limit {
            return Ok(Some(cap_reached(&name, cap)));
        }
        cap.used += i32::from(cap.grade == new) - i32::from(cap.grade == old && cap.used > 0);
    }
    let stamp = AuditInfo {
        verb: "change_cap",
        ..crossing.stamp.clone()
    };
    crossing.work.update::<Rounds>(&crossing.at.cx, &stamp, &round)?;
    Ok(None)
}
