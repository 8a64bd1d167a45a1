//! The path of one call through the server: method, deadline, place, permission, size, then the service; and back.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::{HeaderMap, Method as Verb, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use mingce_proto::budget::Budget;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::access::Access;
use crate::answer::{Answer, End, Reader};
use crate::call::authenticate;
use crate::clock::{Clock, RequestTime};
use crate::concurrency_limit::{ConcurrencyLimit, PermitKind};
use crate::connection_counter::Peer;
use crate::deadline::{self, Deadline, Times};
use crate::limited_body::{Admission, Limit, LimitedBody, PermitSlot};
use crate::mounts::Mounts;
use crate::permissions::{self, Method, Methods};
use crate::status;
use crate::waiting_calls::WaitingCalls;

/// How much a refused caller is heard out, and for how long.
const DRAINED_BYTES: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_millis(50);

/// How much the headers of a call may have in all, as HTTP/2 counts them. HTTP/2 itself lets more through, so that the refusal is ours.
const HEADERS: usize = 16 * 1024;
/// What HTTP/2 counts for each header beside its name and value.
const HEADER: usize = 32;

/// What every call passes through. Shared by all connections.
pub(crate) struct Edge {
    pub(crate) methods: Methods,
    pub(crate) times: Times,
    pub(crate) places: ConcurrencyLimit,
    /// Calls whose requests are not whole.
    pub(crate) half_open: WaitingCalls,
    /// Answers that are not read.
    pub(crate) answers: WaitingCalls,
    /// The memory that requests may take.
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) mounts: Mounts,
    /// Turns true when the server ends.
    pub(crate) ending: watch::Receiver<bool>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

/// One connection's view of the edge.
#[derive(Clone)]
pub(crate) struct ConnectionService(pub(crate) Arc<Edge>, pub(crate) Arc<Peer>);

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (edge, peer) = (self.0.clone(), self.1.clone());
        Box::pin(async move { Ok(edge.answer(request, peer).await) })
    }
}

impl Edge {
    async fn answer(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Answer> {
        if request.method() != Verb::POST || !speaks_grpc(request.headers()) {
            return Answer::plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This port speaks gRPC: POST with content-type application/grpc or application/grpc+proto.\n",
            );
        }
        if size(request.headers()) > HEADERS {
            drain_body(request.into_body()).await;
            let message = format!("the headers of a call may have {HEADERS} bytes in all: send less metadata");
            let refusal = status::own(Code::ResourceExhausted, "HEADERS_TOO_LARGE", message);
            return Answer::failure(refusal, None);
        }
        let started = Instant::now();
        let method = match self.methods.at(request.uri().path()) {
            Ok(method) => method.clone(),
            Err(unknown) => return Answer::failure(unknown, None),
        };
        let machinery = method.permission.is_none();
        let mut request = request;
        let (access, until) = match self.open(&mut request, &method, started) {
            (access, Ok(until)) => (access, until),
            (access, Err(refusal)) => {
                drain_body(request.into_body()).await;
                return Answer::failure(refusal, Some(access));
            }
        };
        let gate = Admission {
            places: self.places.clone(),
            half_open: self.half_open.clone(),
            peer: peer.clone(),
            part: part(&method),
            seat: PermitSlot::default(),
        };
        let seat = gate.seat.clone();
        // Also an answer without an end has to begin in good time.
        let begun = until.unwrap_or(started + self.times.default);
        match self.handle(request, &method, begun, gate).await {
            Ok(response) => {
                if let Some(until) = until {
                    deadline::cut_after(until);
                }
                let end = if method.answers_stream {
                    self.end(until, machinery)
                } else {
                    None
                };
                let reader = Reader {
                    peer,
                    answers: self.answers.clone(),
                };
                Answer::of(response, access, end, seat, reader)
            }
            Err(failure) => Answer::failure(failure, Some(access)),
        }
    }

    /// Answers a call of a service of this process to another one. It takes no place: the call that makes it has one.
    pub(crate) async fn answer_within(&self, mut request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let method = match self.methods.at(request.uri().path()) {
            Ok(method) => method.clone(),
            Err(unknown) => return unknown.into_http(),
        };
        let (mut access, until) = self.open(&mut request, &method, started);
        let answered = match until {
            Ok(until) => match self.mounts.call(request) {
                Some(answering) => {
                    let held = self.budget.hold();
                    run(held.during(answering), until.unwrap_or(started + self.times.default)).await
                }
                None => Err(permissions::unknown()),
            },
            Err(refusal) => Err(refusal),
        };
        let mut response = answered.unwrap_or_else(Status::into_http);
        match response
            .extensions_mut()
            .remove::<Status>()
            .filter(|s| s.code() != Code::Ok)
        {
            None => access.ok(),
            Some(failure) => {
                if let Some(own) = access.failed(&failure) {
                    let _ = own.add_header(response.headers_mut());
                }
            }
        }
        response
    }

    /// What comes before a handler: how long the call may take, who calls and whether they may, and the time that it is made at.
    fn open<B>(
        &self,
        request: &mut Request<B>,
        method: &Arc<Method>,
        started: Instant,
    ) -> (Access, Result<Option<Instant>, Status>) {
        let asked = self.times.of(request.headers(), method.streams, method.endless);
        let until = asked.as_ref().ok().copied().flatten().map(|time| started + time);
        let access = Access::new(method.clone(), started, until, request.headers());
        let principal = authenticate(request.headers());
        let allowed = asked.and_then(|_| permissions::authorise(&principal, method));
        request.extensions_mut().insert(principal);
        request.extensions_mut().insert(RequestTime(self.clock.now()));
        if let Some(until) = until {
            request.extensions_mut().insert(Deadline(until));
        }
        (access, allowed.map(|()| until))
    }

    /// Lets the service read its request and answer it.
    async fn handle(
        &self,
        request: Request<Incoming>,
        method: &Method,
        until: Instant,
        gate: Admission,
    ) -> Result<Response<Body>, Status> {
        // Who sends slowly would otherwise hold a place for as long as the call may take.
        let whole = if method.streams {
            until
        } else {
            until.min(Instant::now() + self.times.request)
        };
        let held = self.budget.hold();
        let body = |body| Body::new(LimitedBody::new(body, method.limit, whole, held.clone(), gate));
        let Some(answering) = self.mounts.call(request.map(body)) else {
            return Err(permissions::unknown());
        };
        run(held.during(answering), until).await
    }

    /// What ends a streamed answer: its deadline; and where it would go on for ever, the end of the server.
    fn end(&self, until: Option<Instant>, machinery: bool) -> Option<End> {
        let mut ending = self.ending.clone();
        let closes = async move {
            if !machinery || ending.wait_for(|ends| *ends).await.is_err() {
                std::future::pending::<()>().await;
            }
            status::own(
                Code::Unavailable,
                "SHUTTING_DOWN",
                "the server is ending: connect again",
            )
        };
        Some(match until {
            None => Box::pin(closes),
            Some(until) => Box::pin(async move {
                tokio::time::timeout_at(until.into(), closes)
                    .await
                    .unwrap_or_else(|_| deadline::exceeded())
            }),
        })
    }
}

/// Runs a service until it answers or the deadline is over. A handler that panics is a fault of ours, and no reason for
/// the caller to lose the connection.
async fn run(
    handling: impl Future<Output = Result<Response<Body>, Infallible>>,
    until: Instant,
) -> Result<Response<Body>, Status> {
    let handling = AssertUnwindSafe(handling).catch_unwind();
    match tokio::time::timeout_at(until.into(), handling)
        .await
        .map_err(|_| deadline::exceeded())?
    {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => {
            let panicked = Status::internal("the handler panicked");
            Err(status::normalized(&panicked).unwrap_or(panicked))
        }
    }
}

/// Takes in what a refused caller still sends, for a moment. To answer before that resets the stream, and where a connection
/// has many such streams HTTP/2 takes what comes late on them for an attack and ends it, with all of its calls.
async fn drain_body(mut body: Incoming) {
    let rest = async {
        let mut heard = 0;
        while let Some(Ok(frame)) = body.frame().await {
            heard += frame.data_ref().map_or(0, bytes::Bytes::len);
            if heard > DRAINED_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
}

fn size(headers: &HeaderMap) -> usize {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER);
    sizes.sum()
}

/// Which places a method needs.
fn part(method: &Method) -> PermitKind {
    match (&method.permission, method.limit) {
        (None, _) if method.endless => PermitKind::Machinery(2),
        (None, _) if method.streams => PermitKind::Machinery(8),
        (None, _) => PermitKind::Machinery(1),
        (Some(_), Limit::Each(_)) => PermitKind::Stream,
        (Some(_), Limit::One(_)) if method.pages => PermitKind::Page,
        (Some(_), Limit::One(_)) => PermitKind::Call,
    }
}

/// Whether the content is gRPC with messages of Protocol Buffers: the name alone, or with `+proto`, and parameters.
fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| {
        let name = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        let name = name.trim_ascii();
        name.eq_ignore_ascii_case(b"application/grpc") || name.eq_ignore_ascii_case(b"application/grpc+proto")
    })
}
