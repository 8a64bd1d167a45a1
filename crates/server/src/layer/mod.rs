//! What a call passes before its service and after it, each in a file. [`pipeline`] is the list, in its order.

pub(crate) mod access_log;
pub(crate) mod admission;
pub(crate) mod authentication;
pub(crate) mod authorization;
pub(crate) mod concurrency_limit;
pub(crate) mod deadline;
pub(crate) mod limited_body;
pub(crate) mod message_framing;
pub(crate) mod methods;
pub(crate) mod panic;
pub(crate) mod pipeline;
pub(crate) mod protocol;
pub(crate) mod router;

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Buf;
use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::Status;
use tonic::body::Body;
use tower::layer::layer_fn;
use tower::{Layer, Service};

use crate::layer::methods::Method;

/// What comes of a call. A refusal is an answer too, with its status among the extensions, as tonic has it.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A layer: a function of what it goes by, of what is inside of it, and of the request.
pub(crate) fn layer<S, T: Clone, F: Clone>(with: T, call: F) -> impl Layer<S, Service = Layered<S, T, F>> {
    layer_fn(move |inner| Layered {
        inner,
        with: with.clone(),
        call: call.clone(),
    })
}

/// A service inside of a layer.
#[derive(Debug, Clone)]
pub(crate) struct Layered<S, T, F> {
    inner: S,
    with: T,
    call: F,
}

impl<B, S, T, F: Fn(&T, &mut S, Request<B>) -> Answering> Service<Request<B>> for Layered<S, T, F> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    /// No layer makes a call wait before it has looked at it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        (self.call)(&self.with, &mut self.inner, request)
    }
}

/// What is inside of a layer.
pub(crate) trait Inner<B>:
    Service<Request<B>, Response = Response<Body>, Error = Infallible, Future = Answering>
{
}
impl<B, S> Inner<B> for S where S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future = Answering>
{}

/// The body of a request, as far as layers look at it.
pub(crate) trait RequestBody: http_body::Body<Data: Send, Error: Send> + Send + 'static {}
impl<B> RequestBody for B where B: http_body::Body<Data: Send, Error: Send> + Send + 'static {}

/// What the layers know of a call. Among the extensions of its request, from [`methods`] on.
#[derive(Debug)]
pub(crate) struct CallInfo {
    pub(crate) method: Arc<Method>,
    pub(crate) started: Instant,
    /// Until when it may take, where it has an end. Set by [`deadline`].
    pub(crate) deadline: OnceLock<Option<Instant>>,
}

impl CallInfo {
    /// That of a request.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Arc<Self>> {
        request.extensions().get::<Arc<Self>>().cloned()
    }

    /// Until when it may take; `None`: for as long as it likes, or not known yet.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().copied().flatten()
    }
}

/// A layer without the one that says which method is called: a fault of ours.
fn unknown_call() -> Status {
    Status::internal("a layer came before the look-up of the method")
}

/// How much of a refused caller's request is read, and for how long.
const DRAINED_BYTES: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_millis(50);

/// Refuses a call, once what its caller still sends was read, for a moment. To answer before that resets the stream, and where a
/// connection has many such streams HTTP/2 takes what comes late on them for an attack and ends it, with all of its calls.
fn refuse<B: RequestBody>(request: Request<B>, status: Status) -> Answering {
    Box::pin(async move {
        let mut body = pin!(request.into_body());
        let rest = async {
            let mut drained = 0;
            while let Some(Ok(frame)) = body.frame().await {
                drained += frame.data_ref().map_or(0, Buf::remaining);
                if drained > DRAINED_BYTES {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
        Ok(status.into_http())
    })
}
