//! What a store verb needs to know of the call it serves. The first argument of every verb.

use std::time::Instant;

/// The context of one call: who, when, until when. Made at the edge; nothing below reads a clock.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Who calls, as `kind:id`, for example `user:clerk-07`.
    pub actor: String,
    /// The time of the call: microseconds since 1970, UTC.
    pub now: i64,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}
