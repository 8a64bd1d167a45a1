//! Crossing an edge: one function tries every verb of every life cycle, and one says beforehand which would be done.

use mingce_orm::write::canonical::normalized;
use mingce_orm::write::precondition::require_active;
use mingce_orm::{AuditInfo, Blocker, Class, Error, Result, UnitOfWork, WriteResult};
use mingce_proto::Headed;
use mingce_proto::registry::{self, CaseVerb, DecisionDocument, Policy, RecordStatus};

use crate::eval_context::EvalContext;
use crate::policy::policy_of;
use crate::state_machine::{GuardContext, StateEntry, Stateful, Transition, state_of};

/// What a call of a verb says beside what the verb itself needs.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Resource name of the case.
    pub name: String,
    /// Its etag, or empty.
    pub etag: String,
    /// For the ledger.
    pub stamp: AuditInfo,
    /// The document of the decision, and who issued it; empty for none.
    pub document: Document,
}

/// The document that a call of a verb names.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// Its number.
    pub number: String,
    /// Who issued it.
    pub issuer: String,
}

/// What an act of a verb sees beside the case.
#[derive(Debug)]
pub struct TransitionContext<'a> {
    /// The register: what else changes in the same transaction is staged here.
    pub work: &'a mut UnitOfWork,
    /// When.
    pub at: &'a EvalContext,
    /// The policy that the case is under.
    pub policy: Option<&'a Policy>,
    /// For the ledger: what else changes has the same reason.
    pub stamp: &'a AuditInfo,
    /// What else is decided is decided by the same document.
    pub document: &'a Document,
}

/// What a verb does to its case beside leading to another state. Where the edge leads to several, it sets the state.
pub type Effect<C> =
    Box<dyn Fn(&mut <C as mingce_orm::Collection>::Item, &mut TransitionContext<'_>) -> Result<()> + Send + Sync>;

/// A call of a verb: which one, on what, and what it does.
pub struct Command<C: Stateful> {
    /// The verb, one of the life cycle.
    pub verb: &'static str,
    /// What the call says.
    pub step: Step,
    /// What it does.
    pub effect: Effect<C>,
    /// Whether the case then has come a step further: the day is noted, and the policy that it is under.
    pub arrives: bool,
}

impl<C: Stateful> std::fmt::Debug for Command<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.step.name)
    }
}

impl<C: Stateful> Command<C> {
    /// A call of a verb.
    pub fn new(
        verb: &'static str,
        step: Step,
        act: impl Fn(&mut C::Item, &mut TransitionContext<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let stamp = AuditInfo { verb, ..step.stamp };
        Self {
            verb,
            step: Step { stamp, ..step },
            effect: Box::new(act),
            arrives: true,
        }
    }

    /// Tries it: the case stands at its new state in `work`, or an error says what stands in the way and nothing is staged.
    ///
    /// # Errors
    /// NOT_FOUND, ABORTED, and FAILED_PRECONDITION with `STATE_WRONG` or `CASE_BLOCKED`.
    pub fn apply(&self, work: &mut UnitOfWork, at: &EvalContext) -> Result<WriteResult> {
        let edge = C::state_machine()
            .transition(self.verb)
            .ok_or_else(|| Error::internal(format!("{} is no verb of {}", self.verb, C::SINGULAR)))?;
        let stored = require_active::<C>(work, &self.step.name, &self.step.etag)?;
        let state = C::state(&stored);
        if !edge.from.contains(&state) {
            return Err(wrong_state::<C>(edge, state, &self.step.name));
        }
        if C::policy(&stored).is_empty() && at.scope.is_some() && at.scope != C::governed_by(&stored) {
            // The policy in force was looked up for another level or programme than it has now.
            return Err(Error::concurrent());
        }
        let policy = policy_of::<C>(work, at, &stored)?;
        let blockers = blockers::<C>(edge, work, at, &stored, policy.as_ref())?;
        if !blockers.is_empty() {
            return Err(Error::blocked("CASE_BLOCKED", blockers).about(C::COLLECTION, &self.step.name));
        }
        let mut item = stored;
        if let [only] = edge.to {
            C::set_state(&mut item, *only);
        }
        let mut crossing = TransitionContext {
            work,
            at,
            policy: policy.as_ref(),
            stamp: &self.step.stamp,
            document: &self.step.document,
        };
        (self.effect)(&mut item, &mut crossing)?;
        if !edge.leads(state, C::state(&item)) {
            return Err(Error::internal(format!(
                "{} does not lead to {}",
                self.verb,
                C::state(&item)
            )));
        }
        let Document { number, issuer } = &self.step.document;
        if !number.is_empty() {
            let state = state_of::<C>(&item);
            if let Some(documents) = C::documents_mut(&mut item) {
                documents.push(DecisionDocument {
                    number: number.clone(),
                    date: at.today.to_string(),
                    issuer: issuer.clone(),
                    verb: self.verb.to_owned(),
                    state,
                });
            }
        }
        if self.arrives {
            let mut arrival = StateEntry {
                policy: policy.as_ref(),
                at,
                by: Some((&self.step.stamp, state)),
            };
            C::on_enter(&mut item, &mut arrival)?;
        }
        let settled = normalized::<C>(&item)?;
        work.decide::<C>(&at.cx, &self.step.stamp, &settled)
    }
}

/// The verbs that lead on from where a case stands, and what stands in the way of each.
///
/// # Errors
/// While something is not loaded.
pub fn verbs<C: Stateful>(
    work: &mut UnitOfWork,
    at: &EvalContext,
    item: &C::Item,
    policy: Option<&Policy>,
) -> Result<Vec<CaseVerb>> {
    let (life, head) = (C::state_machine(), item.head());
    if head.record_status() != RecordStatus::Active {
        return Ok(Vec::new());
    }
    // Goes on after an error, so that all that is needed is asked for at once.
    let all: Vec<Result<CaseVerb>> = life
        .from(C::state(item))
        .map(|edge| {
            let blockers = blockers::<C>(edge, work, at, item, policy)?;
            Ok(CaseVerb {
                verb: edge.verb.to_owned(),
                method: format!("{}/{}", life.service, edge.method),
                open: blockers.is_empty(),
                blockers: blockers.into_iter().map(shown).collect(),
            })
        })
        .collect();
    all.into_iter().collect()
}

/// What stands in the way of an edge.
fn blockers<C: Stateful>(
    edge: &Transition<C>,
    work: &mut UnitOfWork,
    at: &EvalContext,
    item: &C::Item,
    policy: Option<&Policy>,
) -> Result<Vec<Blocker>> {
    let mut look = GuardContext { work, at, item, policy };
    let found: Vec<Result<Vec<Blocker>>> = edge.guards.iter().map(|guard| (guard.check)(&mut look)).collect();
    let mut all = Vec::new();
    for blockers in found {
        all.extend(blockers?);
    }
    Ok(all)
}

fn wrong_state<C: Stateful>(edge: &Transition<C>, state: i32, name: &str) -> Error {
    let life = C::state_machine();
    let said = |number: i32| life.state(number).map_or("unknown", |state| state.code);
    let legal: Vec<_> = life.from(state).map(|edge| edge.verb).collect();
    let legal = if legal.is_empty() {
        "the case has ended".to_owned()
    } else {
        format!("now possible: {}", legal.join(", "))
    };
    let from: Vec<_> = edge.from.iter().map(|state| said(*state)).collect();
    let text = format!(
        "{name}: cannot {} a case in state {} (allowed from {}); {legal}",
        edge.verb,
        said(state),
        from.join(", ")
    );
    Error::new(Class::Precondition, "STATE_WRONG", text).about(C::COLLECTION, name)
}

/// What stands in the way, as answers show it.
pub fn shown(blocker: Blocker) -> registry::Blocker {
    registry::Blocker {
        reason: blocker.reason.to_owned(),
        subject: blocker.subject,
        description: blocker.description,
        description_zh: blocker.description_zh,
    }
}
