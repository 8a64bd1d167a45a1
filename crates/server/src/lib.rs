//! The boot of every service: listening, limits, deadlines, permissions, health, reflection, drain, and the way from a
//! request to the ORM crate and from its errors to gRPC.

pub mod boot;
pub mod call;
pub mod clock;
pub mod config;
pub mod host;
pub mod service;
pub mod signal;
pub mod telemetry;

mod layer;
mod start_error;
mod transport;

pub use boot::{Bound, Server};
pub use call::Principal;
pub use clock::Clock;
pub use config::Config;
pub use host::{Failure, Flags, Host};
pub use service::health::Health;
pub use start_error::StartError;
