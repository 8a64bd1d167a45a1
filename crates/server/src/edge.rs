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
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service;

use crate::access::Access;
use crate::answer::{Answer, End};
use crate::call::authenticate;
use crate::clock::{Clock, Moment};
use crate::deadline::{self, Deadline, Times};
use crate::limit::Places;
use crate::permissions::{self, Method, Methods};
use crate::size::Measured;
use crate::status;

/// How much a refused caller is heard out, and for how long.
const HEARD: usize = 64 * 1024;
const MOMENT: Duration = Duration::from_millis(50);

/// What every call passes through. Shared by all connections.
pub(crate) struct Edge {
    pub(crate) methods: Methods,
    pub(crate) times: Times,
    pub(crate) places: Places,
    /// The memory that requests may take.
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) routes: Routes,
    /// Turns true when the server ends.
    pub(crate) ending: watch::Receiver<bool>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

/// One connection's view of the edge.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<Edge>);

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let edge = self.0.clone();
        Box::pin(async move { Ok(edge.answer(request).await) })
    }
}

impl Edge {
    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        if request.method() != Verb::POST || !speaks_grpc(request.headers()) {
            return Answer::plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This port speaks gRPC: POST with content-type application/grpc.\n",
            );
        }
        let started = Instant::now();
        let method = match self.methods.at(request.uri().path()) {
            Ok(method) => method.clone(),
            Err(unknown) => return Answer::failure(unknown, None),
        };
        let machinery = method.permission.is_none();
        let asked = self.times.of(request.headers(), method.streams, method.endless);
        let until = asked.as_ref().ok().copied().flatten().map(|time| started + time);
        let access = Access::new(method.clone(), started, until, request.headers());

        // Health and reflection answer also when every place is taken: who looks must learn that the server lives.
        let place = if machinery {
            Ok(None)
        } else {
            self.places.take().map(Some)
        };
        let place = match asked.and(place) {
            Ok(place) => place,
            Err(refusal) => {
                hear_out(request.into_body()).await;
                return Answer::failure(refusal, Some(access));
            }
        };
        let principal = authenticate(request.headers());
        if let Err(denial) = permissions::authorise(&principal, &method) {
            return Answer::failure(denial, Some(access));
        }
        let mut request = request;
        request.extensions_mut().insert(principal);
        request.extensions_mut().insert(Moment(self.clock.now()));
        if let Some(until) = until {
            request.extensions_mut().insert(Deadline(until));
        }
        // Also an answer without an end has to begin in good time.
        match self
            .handle(request, &method, until.unwrap_or(started + self.times.default))
            .await
        {
            Ok(response) => {
                if let Some(until) = until {
                    deadline::cut_after(until);
                }
                let end = if method.answers_stream {
                    self.end(until, machinery)
                } else {
                    None
                };
                Answer::of(response, access, end, place)
            }
            Err(failure) => Answer::failure(failure, Some(access)),
        }
    }

    /// Runs the service until it answers or the deadline is over. A handler that panics is a fault of ours, and no
    /// reason for the caller to lose the connection.
    async fn handle(
        &self,
        request: Request<Incoming>,
        method: &Method,
        until: Instant,
    ) -> Result<Response<tonic::body::Body>, Status> {
        // Who sends slowly would otherwise hold a place for as long as the call may take.
        let whole = if method.streams {
            until
        } else {
            until.min(Instant::now() + self.times.request)
        };
        let held = self.budget.hold();
        let request = request.map(|body| Measured::new(body, method.limit, whole, held.clone()));
        let mut routes = self.routes.clone();
        let handling = held.during(async move { routes.call(request).await });
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

/// Takes in what a refused caller still sends, for a moment. To answer before that resets the stream, and where a connection
/// has many such streams HTTP/2 takes what comes late on them for an attack and ends it, with all of its calls.
async fn hear_out(mut body: Incoming) {
    let rest = async {
        let mut heard = 0;
        while let Some(Ok(frame)) = body.frame().await {
            heard += frame.data_ref().map_or(0, bytes::Bytes::len);
            if heard > HEARD {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(MOMENT, rest).await;
}

fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
