//! Who calls, and at which time: both are the same for all that the call does.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

use super::{Answering, Inner, RequestBody};
use crate::call::authenticate;
use crate::clock::{Clock, RequestTime};

/// The layer.
#[derive(Debug, Clone)]
pub(crate) struct Authentication<S> {
    pub(crate) inner: S,
    pub(crate) clock: Clock,
}

impl<B: RequestBody, S: Inner<B>> Service<Request<B>> for Authentication<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Answering {
        let principal = authenticate(request.headers());
        request.extensions_mut().insert(principal);
        request.extensions_mut().insert(RequestTime(self.clock.now()));
        self.inner.call(request)
    }
}
