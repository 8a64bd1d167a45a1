//! What a store verb needs to know of the call it serves. The first argument of every verb.

use std::time::Instant;

use mingce_proto::Classes;

/// The context of one call: who, when, until when. Made at the edge; nothing below reads a clock.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Who calls, as `kind:id`, for example `user:clerk-07`.
    pub actor: String,
    /// The time of the call: microseconds since 1970, UTC.
    pub now: i64,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// The classes of the fields that the caller sees, and so may filter, sort, count and search by.
    pub visible: Classes,
}

impl RequestContext {
    /// The same call where the register reads for itself, and not for the caller: what it finds is not answered as it
    /// is.
    #[must_use]
    pub fn seeing_all(&self) -> Self {
        Self {
            visible: Classes::ALL,
            ..self.clone()
        }
    }
}
