//! How a call reaches a service: over the network, or within the process that serves it.

use std::error::Error;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

type Dispatch = dyn Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync;

/// The services of this process, once it serves them. Calls take no connection and no place among the calls of the server: the call
/// that makes them has its place.
#[derive(Clone, Default)]
pub struct InProcess(Arc<OnceLock<Box<Dispatch>>>);

impl InProcess {
    /// From now on calls are answered by this. The first one stays.
    pub fn serve<F>(&self, dispatch: impl Fn(Request<Body>) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let _ = self.0.set(Box::new(move |request| Box::pin(dispatch(request))));
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InProcess").field(&self.0.get().is_some()).finish()
    }
}

/// What a generated client sends its calls over.
#[derive(Debug, Clone)]
pub enum Transport {
    /// A connection, which comes with the first call.
    Network(Channel),
    /// No connection.
    InProcess(InProcess),
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Network(channel) => channel.poll_ready(cx).map_err(Into::into),
            Self::InProcess(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self {
            Self::Network(channel) => {
                let answering = channel.call(request);
                Box::pin(async { answering.await.map_err(Into::into) })
            }
            Self::InProcess(services) => match services.0.get() {
                Some(dispatch) => {
                    let answering = dispatch(request);
                    Box::pin(async { Ok(answering.await) })
                }
                None => Box::pin(ready(Ok(Status::unavailable(
                    "the services of this process are not open yet",
                )
                .into_http()))),
            },
        }
    }
}
