//! Health: how well each service is, asked once or watched.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, stream};
use http::Response as Answered;
use mingce_proto::codec::Checked;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::{Code, Request, Response, Status};
use tonic_health::ServingStatus as Known;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Service;

use crate::call::status;
use crate::layer::methods::OPEN;

/// How well each service is. Copies share what they know.
#[derive(Debug, Clone, Default)]
pub struct Health(watch::Sender<HashMap<String, ServingStatus>>);

impl Health {
    /// Says how well a service is, by its full name, or "" for the whole. Who watches it is told.
    pub fn set(&self, service: &str, status: Known) {
        self.0.send_modify(|all| {
            all.insert(service.to_owned(), status.into());
        });
    }
}

type Answering<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;
type Watching = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

/// The method `Check`.
struct Check(Health);

impl UnaryService<HealthCheckRequest> for Check {
    type Response = HealthCheckResponse;
    type Future = Answering<Response<HealthCheckResponse>>;

    fn call(&mut self, request: Request<HealthCheckRequest>) -> Self::Future {
        let status = self.0.0.borrow().get(&request.get_ref().service).copied();
        let unknown = || {
            let message = "this server has no such service; reflection lists the ones that it has";
            status::own(Code::NotFound, "NOT_FOUND", message)
        };
        let answered = status.map(|status| Response::new(answer(status))).ok_or_else(unknown);
        Box::pin(ready(answered))
    }
}

/// The method `Watch`. A service that is not known may become known, so the watch on it goes on.
struct Watch(Health);

impl ServerStreamingService<HealthCheckRequest> for Watch {
    type Response = HealthCheckResponse;
    type ResponseStream = Watching;
    type Future = Answering<Response<Watching>>;

    fn call(&mut self, request: Request<HealthCheckRequest>) -> Self::Future {
        let service = request.into_inner().service;
        let watching = (self.0.0.subscribe(), service, None);
        let changes = stream::unfold(watching, async |(mut all, service, told)| {
            let of = |all: &HashMap<_, _>| all.get(&service).copied().unwrap_or(ServingStatus::ServiceUnknown);
            let now = of(&*all.wait_for(|all| Some(of(all)) != told).await.ok()?);
            Some((Ok(answer(now)), (all, service, Some(now))))
        });
        let changes: Watching = Box::pin(changes);
        Box::pin(ready(Ok(Response::new(changes))))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

impl NamedService for Health {
    const NAME: &'static str = OPEN[0];
}

/// As tonic-health serves it, but with the codec of the contract: a request that cannot be read is the caller's fault.
impl Service<http::Request<Body>> for Health {
    type Response = Answered<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let health = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(Checked::default());
            Ok(match request.uri().path() {
                "/grpc.health.v1.Health/Check" => grpc.unary(Check(health), request).await,
                "/grpc.health.v1.Health/Watch" => grpc.server_streaming(Watch(health), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}
