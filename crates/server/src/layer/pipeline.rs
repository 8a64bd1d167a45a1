//! The path of one call through the server, as a list.

use std::fmt;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use tonic::body::Body;
use tower::layer::layer_fn;
use tower::{Service, ServiceBuilder};

use super::Answering;
use super::access_log::AccessLog;
use super::admission::{Admit, Bounds, HoldMemory};
use super::authentication::Authentication;
use super::authorization::Authorization;
use super::deadline::{Deadlines, Times};
use super::methods::{FindMethod, Methods};
use super::panic::CatchPanic;
use super::protocol::Protocol;
use super::router::{Mounts, Router};
use crate::clock::Clock;

/// What the layers go by.
pub(crate) struct Parts {
    pub(crate) methods: Methods,
    pub(crate) times: Times,
    pub(crate) clock: Clock,
    pub(crate) bounds: Bounds,
    pub(crate) mounts: Mounts,
}

/// The two ways into the services.
pub(crate) struct Pipeline {
    connections: Box<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>,
    in_process: Box<dyn Fn(Request<Body>) -> Answering + Send + Sync>,
}

impl Pipeline {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { times, clock, .. } = parts;
        let (methods, bounds) = (Arc::new(parts.methods), Arc::new(parts.bounds));
        let router = Router(Arc::new(parts.mounts));
        // What a call of a connection passes, from the outside to the inside.
        let connections = ServiceBuilder::new()
            .layer(layer_fn(Protocol))
            .layer(layer_fn(find_method(&methods)))
            .layer(layer_fn(AccessLog))
            .layer(layer_fn(deadlines(times)))
            .layer(layer_fn(authentication(&clock)))
            .layer(layer_fn(Authorization))
            .layer(layer_fn(|inner| Admit {
                inner,
                bounds: Arc::clone(&bounds),
            }))
            .layer(layer_fn(CatchPanic))
            .service(router.clone());

        // What a call passes that one service of the process makes to another. It takes no permit: the call that makes it has one.
        let in_process = ServiceBuilder::new()
            .layer(layer_fn(find_method(&methods)))
            .layer(layer_fn(AccessLog))
            .layer(layer_fn(deadlines(times)))
            .layer(layer_fn(authentication(&clock)))
            .layer(layer_fn(Authorization))
            .layer(layer_fn(|inner| HoldMemory {
                inner,
                bounds: Arc::clone(&bounds),
            }))
            .layer(layer_fn(CatchPanic))
            .service(router);

        Self {
            connections: Box::new(move |request| connections.clone().call(request)),
            in_process: Box::new(move |request| in_process.clone().call(request)),
        }
    }

    /// Answers a call of a connection.
    pub(crate) fn of_connection(&self, request: Request<Incoming>) -> Answering {
        (self.connections)(request)
    }

    /// Answers a call of a service of this process to another one.
    pub(crate) fn in_process(&self, request: Request<Body>) -> Answering {
        (self.in_process)(request)
    }
}

fn find_method<S>(methods: &Arc<Methods>) -> impl Fn(S) -> FindMethod<S> {
    move |inner| FindMethod {
        inner,
        methods: Arc::clone(methods),
    }
}

fn deadlines<S>(times: Times) -> impl Fn(S) -> Deadlines<S> {
    move |inner| Deadlines { inner, times }
}

fn authentication<S>(clock: &Clock) -> impl Fn(S) -> Authentication<S> {
    move |inner| Authentication {
        inner,
        clock: clock.clone(),
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").finish_non_exhaustive()
    }
}
