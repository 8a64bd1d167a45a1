//! What a call takes while it runs: memory for its request, and a permit of the concurrency limit once that is whole. A call that one
//! service of the process makes to another takes memory alone: the call that makes it has a permit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use mingce_proto::budget::Budget;
use tonic::body::Body;

use super::{Answering, CallInfo, Inner, refuse, unknown_call};
use crate::layer::concurrency_limit::{ConcurrencyLimit, PermitKind};
use crate::layer::limited_body::{Admission, LimitedBody, PermitSlot};
use crate::layer::message_framing::Limit;
use crate::layer::methods::Method;
use crate::transport::connection_counter::Peer;
use crate::transport::waiting_calls::WaitingCalls;

/// What calls of connections pass.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) permits: ConcurrencyLimit,
    /// Calls whose requests are not whole.
    pub(crate) half_open: WaitingCalls,
    /// The memory that requests may take.
    pub(crate) budget: Budget,
    /// How long the one message of a unary call may take to come, and what comes after it without a deadline.
    pub(crate) request: Duration,
    pub(crate) default: Duration,
}

/// The layer for calls of connections.
pub(crate) fn admission<S: Inner<Body>>(bounds: &Arc<Bounds>, inner: &mut S, request: Request<Incoming>) -> Answering {
    let peer = request.extensions().get::<Arc<Peer>>().cloned();
    let (Some(call), Some(peer)) = (CallInfo::of(&request), peer) else {
        return refuse(request, unknown_call());
    };
    let method = &call.method;
    let slot = PermitSlot::default();
    let admission = Admission {
        limit: bounds.permits.clone(),
        half_open: bounds.half_open.clone(),
        peer,
        kind: kind(method),
        slot: slot.clone(),
    };
    let until = call.deadline().unwrap_or(call.started + bounds.default);
    // Who sends slowly would otherwise hold a permit for as long as the call may take.
    let whole = if method.streams {
        until
    } else {
        until.min(Instant::now() + bounds.request)
    };
    let held = bounds.budget.hold();
    let limited = request.map(|body| {
        let body = LimitedBody::new(body, method.limit, whole, held.clone(), admission);
        Body::new(body)
    });
    let answering = held.during(inner.call(limited));
    Box::pin(async move {
        let mut response = answering.await?;
        response.extensions_mut().insert(slot);
        Ok(response)
    })
}

/// Which permit a method needs.
fn kind(method: &Method) -> PermitKind {
    match (&method.permission, method.limit) {
        (None, _) if method.endless => PermitKind::Machinery(2),
        (None, _) if method.streams => PermitKind::Machinery(8),
        (None, _) => PermitKind::Machinery(1),
        (Some(_), Limit::Each(_)) => PermitKind::Stream,
        (Some(_), Limit::One(_)) if method.pages => PermitKind::Page,
        (Some(_), Limit::One(_)) => PermitKind::Call,
    }
}

/// The layer for calls between services of the process.
pub(crate) fn memory<S: Inner<Body>>(bounds: &Arc<Bounds>, inner: &mut S, request: Request<Body>) -> Answering {
    Box::pin(bounds.budget.hold().during(inner.call(request)))
}
