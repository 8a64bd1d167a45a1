//! A life cycle as data: states, and the edges between them with their guards.

use mingce_orm::{Blocker, Collection, Result, UnitOfWork};
use mingce_proto::registry::{DecisionDocument, Policy};
use mingce_proto::{Headed, StatefulMessage};

use crate::eval_context::EvalContext;

/// How far a case in a state has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is written, and can be changed by an update.
    Draft,
    /// It waits for its decision. Only verbs change it.
    Undecided,
    /// It was decided in favour, and lives on.
    Live,
    /// It has ended.
    Ended,
}

/// A state of a life cycle.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Its number in the contract.
    pub number: i32,
    /// A short name for drawings, for example `on_notice`.
    pub code: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// How far it has come.
    pub phase: Phase,
}

impl State {
    /// A state.
    pub const fn new(number: i32, code: &'static str, zh: &'static str, en: &'static str, phase: Phase) -> Self {
        Self {
            number,
            code,
            zh,
            en,
            phase,
        }
    }
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

/// What has to hold for an edge: a check with its words.
pub struct Guard<C: Stateful> {
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// What stands in the way; nothing where it holds.
    pub check: fn(&mut GuardContext<'_, C>) -> Result<Vec<Blocker>>,
}

impl<C: Stateful> std::fmt::Debug for Guard<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.en)
    }
}

/// A verb that leads from some states to others.
pub struct Transition<C: Stateful> {
    /// As it stands in the ledger, for example `approve`.
    pub verb: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// The rpc, for example `ApproveLabDesignation`.
    pub method: &'static str,
    /// Where it can begin.
    pub from: &'static [i32],
    /// Where it can end. Nowhere else: it stays where it is.
    pub to: &'static [i32],
    /// What has to hold.
    pub guards: &'static [Guard<C>],
}

impl<C: Stateful> std::fmt::Debug for Transition<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.verb)
    }
}

impl<C: Stateful> Transition<C> {
    /// Whether it can lead from one state to another.
    pub fn leads(&self, from: i32, to: i32) -> bool {
        self.from.contains(&from)
            && if self.to.is_empty() {
                from == to
            } else {
                self.to.contains(&to)
            }
    }
}

/// The life cycle of a kind of case.
#[derive(Debug)]
pub struct StateMachine<C: Stateful> {
    /// Its name in Chinese, for example `重点实验室认定`.
    pub zh: &'static str,
    /// Its name in English.
    pub en: &'static str,
    /// The gRPC service that has its methods, for example `mingce.labs.v1.LabDesignationService`.
    pub service: &'static str,
    /// The enum of its states in the contract, for example `mingce.labs.v1.LabDesignationState`.
    pub state_enum: &'static str,
    /// Where it begins.
    pub first: i32,
    /// Its states.
    pub states: &'static [State],
    /// Its edges.
    pub transitions: &'static [Transition<C>],
}

impl<C: Stateful> StateMachine<C> {
    /// A state by its number.
    pub fn state(&self, number: i32) -> Option<&State> {
        self.states.iter().find(|state| state.number == number)
    }

    /// How far a case has come. What the life cycle does not know has ended.
    pub fn phase(&self, number: i32) -> Phase {
        self.state(number).map_or(Phase::Ended, |state| state.phase)
    }

    /// The edge of a verb.
    pub fn transition(&self, verb: &str) -> Option<&Transition<C>> {
        self.transitions.iter().find(|edge| edge.verb == verb)
    }

    /// The edges that lead on from a state.
    pub fn from(&self, state: i32) -> impl Iterator<Item = &Transition<C>> {
        self.transitions.iter().filter(move |edge| edge.from.contains(&state))
    }
}

/// A collection whose resources go through a life cycle.
pub trait Stateful: Collection<Item: StatefulMessage> {
    /// The life cycle.
    fn state_machine() -> &'static StateMachine<Self>;
    /// The state.
    fn state(item: &Self::Item) -> i32 {
        item.state_number()
    }
    /// Sets the state.
    fn set_state(item: &mut Self::Item, state: i32) {
        item.set_state_number(state);
    }
    /// The policy version that it is under: its resource name; empty where it is under none yet.
    fn policy(item: &Self::Item) -> &str {
        item.facts().map_or("", |facts| facts.policy.as_str())
    }
    /// The level and the programme that decide which policy it comes under, where it is under none yet; `None` where none does.
    fn governed_by(_item: &Self::Item) -> Option<(i32, String)> {
        None
    }
    /// What follows from a transition, before it is written: the policy it is under, when it happened, what falls due next.
    ///
    /// # Errors
    /// Where a day cannot be computed.
    fn on_enter(_item: &mut Self::Item, _look: &mut StateEntry<'_>) -> Result<()> {
        Ok(())
    }
    /// The documents of its decisions, where it keeps them.
    fn documents_mut(item: &mut Self::Item) -> Option<&mut Vec<DecisionDocument>> {
        item.documents_mut()
    }
    /// Puts the verbs that lead on from here into an answer.
    fn show(item: &mut Self::Item, verbs: Vec<mingce_proto::registry::CaseVerb>) {
        *item.verbs_mut() = verbs;
    }
}

/// What [`Stateful::on_enter`] is told.
#[derive(Debug)]
pub struct StateEntry<'a> {
    /// The policy.
    pub policy: Option<&'a Policy>,
    /// When.
    pub at: &'a EvalContext,
    /// By which verb, and from which state; `None` where what falls due is only computed anew.
    pub by: Option<(&'a mingce_orm::AuditInfo, i32)>,
}

/// The state of a case as its documents have it.
pub fn state_of<C: Stateful>(item: &C::Item) -> String {
    state_name(C::state_machine(), C::state(item))
}

/// The name of a state in the contract.
pub(crate) fn state_name<C: Stateful>(life: &StateMachine<C>, number: i32) -> String {
    let named = mingce_proto::names::values(life.state_enum);
    let mut named = named.into_iter().filter(|(_, value)| *value == number);
    named.next().map_or(String::new(), |(name, _)| name)
}
