//! Why a server does not start.

/// Why a server does not start. Each is one line that says what would help.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen.
    #[error("{0}")]
    Listen(String),
    /// The contract is wrong, or the services do not go with it.
    #[error("{0}")]
    Contract(String),
    /// The system does not let us wait for signals.
    #[error("signals cannot be waited for: {0}")]
    Signals(String),
    /// The log cannot be started.
    #[error("the log cannot be started: {0}")]
    Telemetry(String),
}
