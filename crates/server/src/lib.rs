//! The boot of every service: listening, limits, deadlines, permissions, health, reflection, drain, and the way from a
//! request to the kit and from the kit's errors to gRPC.

pub mod boot;
pub mod call;
pub mod clock;
pub mod config;
pub mod drafts;
pub mod host;
pub mod lookup;
pub mod named;
pub mod peers;
pub mod references;
pub mod rows;
pub mod runs;
pub mod signal;
pub mod status;
pub mod telemetry;

mod accept;
mod access;
mod again;
mod answer;
mod concurrency_limit;
mod connection_counter;
mod deadline;
mod edge;
mod frames;
mod health;
pub mod kept;
mod limited_body;
mod mounts;
mod permissions;
mod piece;
mod reflection;
mod waiting_calls;

pub use boot::{Bound, Server, StartError};
pub use call::Principal;
pub use clock::Clock;
pub use config::Config;
pub use health::Health;
pub use host::{Failure, Flags, Host};
