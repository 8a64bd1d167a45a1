//! What is said of a revision: its etag, its times, and why it was made.

/// The etag of a revision.
pub fn etag(revision: i64) -> String {
    format!("\"r{revision}\"")
}

/// A time in microseconds as the contract writes it.
pub fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1000;
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// A time of the contract in microseconds.
pub fn micros(time: &prost_types::Timestamp) -> i64 {
    time.seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(time.nanos) / 1000)
}

/// What the ledger says of a change beside the change itself.
#[derive(Debug, Clone, Default)]
pub struct AuditInfo {
    /// What is done, for example `create`.
    pub verb: &'static str,
    /// Why.
    pub reason: String,
    /// The `request_id` of the call.
    pub request_id: String,
    /// The id of the import that makes the change, or that is taken back by it.
    pub import: String,
}

impl AuditInfo {
    /// A change without a reason.
    pub fn new(verb: &'static str) -> Self {
        Self {
            verb,
            ..Self::default()
        }
    }
}
