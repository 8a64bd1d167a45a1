//! The answer of a call on its way out: it keeps the call's place, ends at the deadline and at the server's end, and
//! leaves a line in the log.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::access::Access;
use crate::status;

/// What can end an answer before its time; resolves to the status that then stands at its end.
pub(crate) type End = Pin<Box<dyn Future<Output = Status> + Send>>;

/// The largest piece of an answer that hyper gets at once. What it has, it hands on to HTTP/2, where it would wait for a
/// reader that never comes, out of reach of any deadline.
const PIECE: usize = 64 * 1024;

/// The body of an answer.
pub(crate) struct Answer {
    inner: Body,
    /// What came from `inner` and is still to be handed on.
    rest: Bytes,
    end: Option<End>,
    access: Option<Access>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Answer {
    /// A handler's answer. A status that the libraries made gets the form of ours.
    pub(crate) fn of(
        response: Response<Body>,
        access: Access,
        end: Option<End>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Response<Self> {
        let (mut parts, inner) = response.into_parts();
        let mut access = Some(access);
        if let Some(failure) = parts.extensions.remove::<Status>().filter(|s| s.code() != Code::Ok) {
            let own = status::normalized(&failure);
            if let Some(own) = &own {
                let _ = own.add_header(&mut parts.headers);
            }
            if let Some(access) = access.take() {
                access.failed(own.as_ref().unwrap_or(&failure));
            }
        }
        Response::from_parts(
            parts,
            Self {
                inner,
                rest: Bytes::new(),
                end,
                access,
                _place: place,
            },
        )
    }

    /// An answer that says no more than that the call failed.
    pub(crate) fn failure(status: Status, access: Option<Access>) -> Response<Self> {
        if let Some(access) = access {
            access.failed(&status);
        }
        status.into_http::<Body>().map(Self::bare)
    }

    /// An answer of plain HTTP, for somebody who does not speak gRPC.
    pub(crate) fn plain(code: http::StatusCode, text: &'static str) -> Response<Self> {
        let inner = Body::new(http_body_util::Full::new(Bytes::from_static(text.as_bytes())));
        let mut response = Response::new(Self::bare(inner));
        *response.status_mut() = code;
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
        response
    }

    fn bare(inner: Body) -> Self {
        Self {
            inner,
            rest: Bytes::new(),
            end: None,
            access: None,
            _place: None,
        }
    }

    /// The next piece of what is still to be handed on.
    fn piece(&mut self) -> Frame<Bytes> {
        let length = self.rest.len().min(PIECE);
        Frame::data(self.rest.split_to(length))
    }

    /// Reads the status at the end of the answer, and writes ours over the libraries'.
    fn trailers(&mut self, trailers: &mut HeaderMap) {
        let ok = trailers.get(Status::GRPC_STATUS).is_none_or(|code| code == "0");
        let failure = if ok { None } else { Status::from_header_map(trailers) };
        let own = failure.as_ref().and_then(status::normalized);
        if let Some(own) = &own {
            let _ = own.add_header(trailers);
        }
        match (self.access.take(), own.or(failure)) {
            (Some(access), Some(failure)) => access.failed(&failure),
            (Some(access), None) => access.ok(),
            (None, _) => {}
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(end) = &mut self.end
            && let Poll::Ready(failure) = end.as_mut().poll(cx)
        {
            self.end = None;
            (self.inner, self.rest) = (Body::empty(), Bytes::new());
            if let Some(access) = self.access.take() {
                access.failed(&failure);
            }
            let mut trailers = HeaderMap::new();
            let _ = failure.add_header(&mut trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)?) else {
            return Poll::Ready(None);
        };
        let frame = match frame.into_data() {
            Ok(data) if data.len() > PIECE => {
                self.rest = data;
                self.piece()
            }
            Ok(data) => Frame::data(data),
            Err(mut other) => {
                if let Some(trailers) = other.trailers_mut() {
                    self.trailers(trailers);
                }
                other
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            self.inner.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(access) = self.access.take() {
            access.gone();
        }
    }
}
