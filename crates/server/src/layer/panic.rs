//! A handler that panics is a fault of ours, and no reason for the caller to lose the connection.
//!
//! That of tower-http answers with another type of body, which each answer would then have to be.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::Request;
use tonic::Status;

use super::{Answering, Inner};
use crate::call::status;

/// The layer.
pub(crate) fn catch_panic<B, S: Inner<B>>((): &(), inner: &mut S, request: Request<B>) -> Answering {
    let answering = AssertUnwindSafe(inner.call(request)).catch_unwind();
    Box::pin(async move {
        answering.await.unwrap_or_else(|_| {
            let panicked = Status::internal("the handler panicked");
            Ok(status::normalized(&panicked).unwrap_or(panicked).into_http())
        })
    })
}
