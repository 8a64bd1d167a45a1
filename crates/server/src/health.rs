//! Health: how well each service is, asked once or watched.

use std::collections::HashMap;
use std::pin::Pin;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status};
use tonic_health::ServingStatus as Known;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use crate::status;

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

type Watching = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = Watching;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let status = self.0.borrow().get(&request.get_ref().service).copied();
        let unknown = || {
            let message = "this server has no such service; reflection lists the ones that it has";
            status::own(Code::NotFound, "NOT_FOUND", message)
        };
        status.map(|status| Response::new(answer(status))).ok_or_else(unknown)
    }

    /// A service that is not known may become known, so the watch on it goes on.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Watching>, Status> {
        let service = request.into_inner().service;
        let watching = (self.0.subscribe(), service, None);
        let changes = stream::unfold(watching, async |(mut all, service, told)| {
            let of = |all: &HashMap<_, _>| all.get(&service).copied().unwrap_or(ServingStatus::ServiceUnknown);
            let now = of(&*all.wait_for(|all| Some(of(all)) != told).await.ok()?);
            Some((Ok(answer(now)), (all, service, Some(now))))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
