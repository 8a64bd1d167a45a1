//! The kit of cases: life cycles as data, their guards and policies, rounds, notices, objections, panels, and what falls due.

pub mod act;
pub mod agenda;
pub mod any;
pub mod based;
pub mod batch;
pub mod calendar;
pub mod case;
pub mod cases;
pub mod correct;
pub mod cross;
pub mod dates;
pub mod day;
pub mod document;
pub mod due;
pub mod guard;
pub mod in_force;
pub mod life;
pub mod notice;
pub mod objection;
pub mod panel;
pub mod picture;
pub mod policy;
pub mod ranking;
pub mod replay;
pub mod round;
pub mod schema;
#[cfg(test)]
mod shipped;
mod terms;

pub use any::{AnyCase, ByItself, Of};
pub use calendar::Calendar;
pub use case::{At, Case, Look, Parties, Scope, blocker};
pub use cases::{Called, Cases, by_document, called};
pub use cross::{Crossing, Move, Step};
pub use life::{Arrival, Edge, Guard, Life, Living, Phase, State};

/// Who does in the ledger what the register does by itself.
pub const BY_ITSELF: &str = "system:register";
