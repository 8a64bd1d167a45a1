//! The path of one call through the server, as a list.

use std::fmt;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use tonic::body::Body;
use tower::{Service, ServiceBuilder};

use super::access_log::access_log;
use super::admission::{Bounds, admission, memory};
use super::authentication::authentication;
use super::authorization::authorization;
use super::deadline::{Times, deadline};
use super::methods::{Methods, find_method};
use super::panic::catch_panic;
use super::protocol::protocol;
use super::router::{Mounts, Router};
use super::{Answering, layer};
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
            .layer(layer((), protocol))
            .layer(layer(Arc::clone(&methods), find_method))
            .layer(layer((), access_log))
            .layer(layer(times, deadline))
            .layer(layer(clock.clone(), authentication))
            .layer(layer((), authorization))
            .layer(layer(Arc::clone(&bounds), admission))
            .layer(layer((), catch_panic))
            .service(router.clone());

        // What a call passes that one service of the process makes to another. It takes no permit: the call that makes it has one.
        let in_process = ServiceBuilder::new()
            .layer(layer(methods, find_method))
            .layer(layer((), access_log))
            .layer(layer(times, deadline))
            .layer(layer(clock, authentication))
            .layer(layer((), authorization))
            .layer(layer(bounds, memory))
            .layer(layer((), catch_panic))
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

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").finish_non_exhaustive()
    }
}
