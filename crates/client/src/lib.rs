//! What one service uses to call another, and others may: connections that come by themselves, deadlines passed on,
//! retries of calls that bear repeating.

mod peer;
mod retry;
mod transport;

pub mod services;

pub use peer::{Attempt, Peer};
pub use services::{Awards, Labs, Talent};
pub use transport::{InProcess, Transport};
