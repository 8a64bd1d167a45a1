//! The line that each call leaves in the log: method, code, reason, time. No content, no names of persons or peers.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use tonic::{Code, Status};
use tracing::Level;

use crate::permissions::Method;
use crate::status;

/// What is known of a call while it runs.
#[derive(Debug)]
pub(crate) struct Access {
    method: Arc<Method>,
    started: Instant,
    deadline: Option<Instant>,
    request: Option<String>,
}

impl Access {
    pub(crate) fn new(method: Arc<Method>, started: Instant, deadline: Option<Instant>, headers: &HeaderMap) -> Self {
        Self {
            method,
            started,
            deadline,
            request: request_id(headers),
        }
    }

    /// The call ended well.
    pub(crate) fn ok(&self) {
        if tracing::enabled!(target: "mingce::access", Level::DEBUG) {
            let (ms, left) = self.times();
            let request = self.request.as_deref();
            tracing::debug!(target: "mingce::access", method = self.method.path, code = "OK", ms, left, request);
        }
    }

    /// The caller went away before the end.
    pub(crate) fn gone(&self) {
        let (ms, left) = self.times();
        let request = self.request.as_deref();
        tracing::info!(target: "mingce::access", method = self.method.path, code = "CANCELLED", ms, left, request);
    }

    /// The call failed. What only the log may know of it stands in the status's source.
    pub(crate) fn failed(&self, status: &Status) {
        let (ms, left) = self.times();
        let (method, request) = (self.method.path.as_str(), self.request.as_deref());
        let (code, reason) = (status::name(status.code()), status::reason(status));
        if matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss) {
            let detail = status.source().map(ToString::to_string);
            tracing::warn!(target: "mingce::access", method, code, reason, ms, left, request, detail);
        } else {
            tracing::info!(target: "mingce::access", method, code, reason, ms, left, request);
        }
    }

    /// Milliseconds that the call took, and that its deadline was away.
    fn times(&self) -> (f64, Option<f64>) {
        let now = Instant::now();
        let ms = |a: Instant, b: Instant| (a.saturating_duration_since(b).as_secs_f64() * 10_000.0).round() / 10.0;
        (ms(now, self.started), self.deadline.map(|deadline| ms(deadline, now)))
    }
}

/// The caller's own id for the call, so that the lines of several services can be put together. Only what cannot be
/// mistaken for anything else in a log.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let plain = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_request_id_comes_into_the_log() {
        let of = |id: &'static str| {
            request_id(&HeaderMap::from_iter([(
                http::HeaderName::from_static("x-request-id"),
                id.parse().unwrap(),
            )]))
        };
        assert_eq!(of("0190-ab").as_deref(), Some("0190-ab"));
        assert_eq!(of("a b=\"c\""), None);
        assert_eq!(request_id(&HeaderMap::new()), None);
    }
}
