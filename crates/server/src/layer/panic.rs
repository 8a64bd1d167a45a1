//! A handler that panics is a fault of ours, and no reason for the caller to lose the connection.
//!
//! That of tower-http answers with another type of body, which each answer would then have to be.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::{Answering, Inner};
use crate::call::status;

/// The layer.
#[derive(Debug, Clone)]
pub(crate) struct CatchPanic<S>(pub(crate) S);

impl<B, S: Inner<B>> Service<Request<B>> for CatchPanic<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let answering = AssertUnwindSafe(self.0.call(request)).catch_unwind();
        Box::pin(async move {
            answering.await.unwrap_or_else(|_| {
                let panicked = Status::internal("the handler panicked");
                Ok(status::normalized(&panicked).unwrap_or(panicked).into_http())
            })
        })
    }
}
