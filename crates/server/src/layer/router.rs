//! The services that are mounted, each under its name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceExt};

use super::Answering;
use super::methods::unknown;

type Answers = Box<dyn Fn(Request<Body>) -> Answering + Send + Sync>;

/// Services by name. Which methods each has says the contract, before a call comes here.
#[derive(Default)]
pub(crate) struct Mounts(BTreeMap<&'static str, Answers>);

impl Mounts {
    pub(crate) fn add_service<S>(&mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let call = move |request| -> Answering { Box::pin(service.clone().oneshot(request)) };
        self.0.insert(S::NAME, Box::new(call));
    }

    /// The answer of the service in whose path the call is; none where it is not mounted.
    pub(crate) fn call(&self, request: Request<Body>) -> Option<Answering> {
        let path = request.uri().path();
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        Some(self.0.get(service)?(request))
    }
}

impl fmt::Debug for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The service behind all layers: that in whose path the call is.
#[derive(Debug, Clone)]
pub(crate) struct Router(pub(crate) Arc<Mounts>);

impl Service<Request<Body>> for Router {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let answering = self.0.call(request);
        answering.unwrap_or_else(|| Box::pin(ready(Ok(unknown().into_http()))))
    }
}
