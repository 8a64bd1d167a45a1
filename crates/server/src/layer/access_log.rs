//! The line that each call leaves in the log: method, code, reason, time. No content, no names of persons or peers.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tonic::{Code, Status};
use tracing::Level;

use super::{Answering, CallInfo, Inner, RequestBody, refuse, unknown_call};
use crate::call::status;

/// The header with the id of a call.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer. A call that failed is logged here, in the form in which its caller learns it. One that went well so far has its [`Access`]
/// among the extensions of the answer, for whoever sees its end.
pub(crate) fn access_log<B: RequestBody, S: Inner<B>>((): &(), inner: &mut S, request: Request<B>) -> Answering {
    let Some(call) = CallInfo::of(&request) else {
        return refuse(request, unknown_call());
    };
    let mut access = Access::new(call, request.headers());
    let answering = inner.call(request);
    Box::pin(async move {
        let mut response = answering.await?;
        let status = response.extensions_mut().remove::<Status>();
        if let Some(failure) = status.filter(|status| status.code() != Code::Ok) {
            if let Some(own) = access.failed(&failure) {
                let _ = own.add_header(response.headers_mut());
            }
            access.put(response.headers_mut());
        } else {
            access.put(response.headers_mut());
            response.extensions_mut().insert(access);
        }
        Ok(response)
    })
}
/// What is known of a call while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) call: Arc<CallInfo>,
    request: Option<String>,
    /// Whether its caller reads Chinese rather than English.
    chinese: bool,
}

impl Access {
    fn new(call: Arc<CallInfo>, headers: &HeaderMap) -> Self {
        Self {
            call,
            request: request_id(headers),
            chinese: wants_chinese(headers),
        }
    }

    /// The call ended well.
    pub(crate) fn ok(&self) {
        if tracing::enabled!(target: "mingce::access", Level::DEBUG) {
            let (ms, left) = self.times();
            let request = self.request.as_deref();
            tracing::debug!(target: "mingce::access", method = self.call.method.path, code = "OK", ms, left, request);
        }
    }

    /// The caller went away before the end.
    pub(crate) fn gone(&self) {
        let (ms, left) = self.times();
        let request = self.request.as_deref();
        tracing::info!(target: "mingce::access", method = self.call.method.path, code = "CANCELLED", ms, left, request);
    }

    /// The call failed. What only the log may know of it stands in the status's source. The status that the caller gets instead,
    /// if another: in the form of ours, and what is a fault of ours with the id of the call.
    pub(crate) fn failed(&mut self, failure: &Status) -> Option<Status> {
        let request = self.request.get_or_insert_with(made_id).clone();
        let mut own = status::normalized(failure);
        let status = own.as_ref().unwrap_or(failure);
        let (ms, left) = self.times();
        let method = self.call.method.path.as_str();
        let (code, reason) = (status::name(status.code()), status::reason(status));
        if matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss) {
            let detail = status.source().map(ToString::to_string);
            tracing::warn!(target: "mingce::access", method, code, reason, ms, left, request, detail);
            own = Some(status::with_request(status, &request));
        } else {
            tracing::info!(target: "mingce::access", method, code, reason, ms, left, request);
        }
        if self.chinese {
            own = Some(status::in_chinese(own.as_ref().unwrap_or(failure)));
        }
        own
    }

    /// Puts the id of the call into the headers of its answer, where it has one: it was sent, or the call failed.
    fn put(&self, headers: &mut HeaderMap) {
        if let Some(id) = self.request.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(REQUEST_ID, id);
        }
    }

    /// Milliseconds that the call took, and that its deadline was away.
    fn times(&self) -> (f64, Option<f64>) {
        let now = Instant::now();
        let ms = |a: Instant, b: Instant| (a.saturating_duration_since(b).as_secs_f64() * 10_000.0).round() / 10.0;
        (
            ms(now, self.call.started),
            self.call.deadline().map(|deadline| ms(deadline, now)),
        )
    }
}

/// The caller's own id for the call, so that the lines of several services can be put together. Only what cannot be
/// mistaken for anything else in a log.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain =
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    plain.then(|| id.to_owned())
}

/// Whether `accept-language` asks for Chinese before English, which is what there is.
fn wants_chinese(headers: &HeaderMap) -> bool {
    let wanted = headers
        .get(http::header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let (mut most, mut is_chinese) = (0.0, false);
    for range in wanted.unwrap_or_default().split(',') {
        let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|q| q.parse().ok())
            .unwrap_or(0.0);
        let language = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        // Of two that are wanted alike, the first.
        if weight > most && ["zh", "en"].contains(&language.as_str()) {
            (most, is_chinese) = (weight, language == "zh");
        }
    }
    is_chinese
}

/// An id for a call whose caller gave none. No other process and no other call has it.
fn made_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:016x}-{}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_spoken_to_whom_it_is_the_first_language() {
        let of = |wanted: &'static str| {
            wants_chinese(&HeaderMap::from_iter([(
                http::header::ACCEPT_LANGUAGE,
                wanted.parse().unwrap(),
            )]))
        };
        for wanted in [
            "zh",
            "zh-CN",
            "zh-CN,zh;q=0.9,en;q=0.8",
            "ZH-Hans",
            "en;q=0.3, zh;q=0.4",
            "fr, zh;q=0.5",
        ] {
            assert!(of(wanted), "{wanted}");
        }
        for other in [
            "en",
            "",
            "*",
            "fr",
            "en,zh",
            "en-GB,en;q=0.9,zh;q=0.8",
            "zh;q=0",
            "zhuang",
            "zh;q=x",
        ] {
            assert!(!of(other), "{other}");
        }
        assert!(!wants_chinese(&HeaderMap::new()));
    }

    #[test]
    fn only_a_plain_request_id_comes_into_the_log() {
        let of = |id: &'static str| {
            request_id(&HeaderMap::from_iter([(
                http::HeaderName::from_static("x-request-id"),
                id.parse().unwrap(),
            )]))
        };
        assert_eq!(of("0190-ab").as_deref(), Some("0190-ab"));
        assert_eq!(of("req_1.a").as_deref(), Some("req_1.a"));
        assert_eq!((of("a b=\"c\""), of("")), (None, None));
        assert_ne!(made_id(), made_id());
        assert_eq!(request_id(&HeaderMap::new()), None);
    }
}
