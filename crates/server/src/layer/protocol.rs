//! Whether a caller speaks gRPC, with headers of a size that we take.

use std::future::ready;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tonic::Code;
use tonic::body::Body;

use super::{Answering, Inner, RequestBody, refuse};
use crate::call::status;

/// How much the headers of a call may have in all, as HTTP/2 counts them. HTTP/2 itself lets more through, so that the refusal is ours.
const HEADERS: usize = 16 * 1024;
/// What HTTP/2 counts for each header beside its name and value.
const HEADER: usize = 32;

/// The layer.
pub(crate) fn protocol<B: RequestBody, S: Inner<B>>((): &(), inner: &mut S, request: Request<B>) -> Answering {
    if request.method() != Method::POST || !speaks_grpc(request.headers()) {
        return Box::pin(ready(Ok(not_grpc())));
    }
    if size(request.headers()) > HEADERS {
        let message = format!("the headers of a call may have {HEADERS} bytes in all: send less metadata");
        return refuse(
            request,
            status::own(Code::ResourceExhausted, "HEADERS_TOO_LARGE", message),
        );
    }
    inner.call(request)
}
fn size(headers: &HeaderMap) -> usize {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER);
    sizes.sum()
}

/// Whether the content is gRPC with messages of Protocol Buffers: the name alone, or with `+proto`, and parameters.
fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| {
        let name = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        let name = name.trim_ascii();
        name.eq_ignore_ascii_case(b"application/grpc") || name.eq_ignore_ascii_case(b"application/grpc+proto")
    })
}

/// An answer of plain HTTP, for somebody who does not speak gRPC.
fn not_grpc() -> Response<Body> {
    let text = "This port speaks gRPC: POST with content-type application/grpc or application/grpc+proto.\n";
    let mut response = Response::new(Body::new(Full::new(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let kind = http::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
