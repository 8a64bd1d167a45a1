//! Whether who calls may call the method.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use super::{Answering, CallInfo, Inner, RequestBody, refuse, unknown_call};
use crate::call::{Principal, status};
use crate::layer::methods::{Method, OPEN};

/// The layer.
#[derive(Debug, Clone)]
pub(crate) struct Authorization<S>(pub(crate) S);

impl<B: RequestBody, S: Inner<B>> Service<Request<B>> for Authorization<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let call = request.extensions().get::<std::sync::Arc<CallInfo>>();
        let who = request.extensions().get::<Principal>();
        let allowed = match (call, who) {
            (Some(call), Some(who)) => authorise(who, &call.method),
            _ => Err(unknown_call()),
        };
        match allowed {
            Ok(()) => self.0.call(request),
            Err(refusal) => refuse(request, refusal),
        }
    }
}

/// May `who` call `method`? In this version everybody may call what has a permission at all.
fn authorise(_who: &Principal, method: &Method) -> Result<(), Status> {
    let open = || {
        OPEN.iter().any(|service| {
            method
                .path
                .strip_prefix('/')
                .is_some_and(|path| path.starts_with(service))
        })
    };
    if method.permission.is_some() || open() {
        return Ok(());
    }
    Err(status::own(
        Code::PermissionDenied,
        "PERMISSION_DENIED",
        "the method has no permission, so nobody may call it",
    ))
}
