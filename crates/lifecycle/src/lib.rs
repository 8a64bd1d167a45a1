//! State machines of cases: life cycles as data, their guards and policies, rounds, notices, objections, panels, and
//! what falls due.

pub mod agenda;
pub mod allocation;
pub mod any;
pub mod ask;
pub mod based;
pub mod batch;
#[cfg(test)]
mod built_in;
pub mod by_itself;
pub mod calendar;
pub mod caps;
pub mod case;
pub mod case_adapter;
pub mod cases;
pub mod correct;
pub mod dates;
pub mod day;
pub mod document;
pub mod due;
pub mod effects;
pub mod entry;
pub mod eval_context;
pub mod guard;
pub mod in_force;
pub mod lifecycle_docs;
pub mod notice;
pub mod objection;
pub mod panel;
pub mod policy;
pub mod policy_verbs;
pub mod ranking;
pub mod replay;
pub mod replays;
pub mod review;
pub mod review_verbs;
pub mod round;
pub mod round_verbs;
pub mod schema;
pub mod state_machine;
mod terms;
pub mod transition;
pub mod writes;

pub use any::DynCase;
pub use by_itself::ByItself;
pub use calendar::Calendar;
pub use case::{Case, Parties, Scope};
pub use case_adapter::CaseAdapter;
pub use cases::{Cases, Invocation, documented_invocation_of, invocation_of};
pub use eval_context::EvalContext;
pub use state_machine::{Guard, GuardContext, Phase, State, StateEntry, StateMachine, Stateful, Transition, blocker};
pub use transition::{Command, Step, TransitionContext};

/// Who does in the ledger what the register does by itself.
pub const BY_ITSELF: &str = "system:register";
