//! A labs service that does what the request's header `x-do` says.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mingce_orm::{Class, Error};
use mingce_proto::codec::Checked;
use mingce_proto::codec::Reply;
use mingce_proto::labs::{GetLabRequest, ImportLabsRequest, ImportLabsResponse, Lab};
use mingce_server::call::{self, Answered};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, mpsc};
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};

use crate::raw_client::{IMPORT, eventually, reason};

#[derive(Clone, Default)]
pub struct TestService {
    pub running: Arc<AtomicUsize>,
    /// What handlers told to `wait` pass once it is open.
    pub gate: Arc<RwLock<()>>,
    /// What the handler of the stream saw at its end.
    pub outcomes: Option<mpsc::UnboundedSender<Result<usize, String>>>,
}

impl NamedService for TestService {
    const NAME: &'static str = "mingce.labs.v1.LabService";
}

/// Counts as running for as long as it lives.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TestService {
    /// Holds calls that are told to `wait` until the guard is dropped.
    pub async fn close_gate(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// Waits until so many handlers run.
    pub async fn expect_running(&self, count: usize) {
        eventually("so many handlers run", Duration::from_secs(10), async || {
            self.running.load(Ordering::SeqCst) == count
        })
        .await;
    }

    async fn get(self, request: Request<GetLabRequest>) -> Answered<Lab> {
        let _running = Running::new(&self.running);
        let wish = request
            .metadata()
            .get("x-do")
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let (cx, request) = call::open(request)?;
        match wish.split_once(' ').unwrap_or((&wish, "")) {
            ("wait", _) => drop(self.gate.read().await),
            ("sleep", ms) => tokio::time::sleep(Duration::from_millis(ms.parse().unwrap())).await,
            ("panic", _) => panic!("as the test wished"),
            ("internal", _) => return call::reply::<_, Lab>(Err(Error::internal("the password of 10.0.0.7 is wrong"))),
            ("missing", _) => return call::reply::<_, Lab>(Err(Error::not_found("labs", request.name))),
            ("exhausted", _) => {
                return call::reply::<_, Lab>(Err(Error::new(Class::Exhausted, "QUEUE_FULL", "try again")));
            }
            ("large", bytes) => {
                return call::reply(Ok(Lab {
                    name: "x".repeat(bytes.parse().unwrap()),
                    ..Lab::default()
                }));
            }
            _ => {}
        }
        let left = cx.deadline.map_or(-1, |d| {
            i64::try_from(d.saturating_duration_since(Instant::now()).as_millis()).unwrap()
        });
        call::reply(Ok(Lab {
            name: request.name,
            etag: format!("{} {left}", cx.actor),
            ..Lab::default()
        }))
    }

    /// Reads the rows in a task of its own, so that they are read on when the call is dropped.
    async fn import(
        self,
        request: Request<Streaming<ImportLabsRequest>>,
    ) -> Result<Response<ImportLabsResponse>, Status> {
        let mut rows = request.into_inner();
        let reading = tokio::spawn(async move {
            let _running = Running::new(&self.running);
            let mut count = 0;
            let seen = loop {
                match rows.message().await {
                    Ok(Some(_)) => count += 1,
                    Ok(None) => break Ok(count),
                    Err(status) => break Err(status),
                }
            };
            if let Some(outcomes) = &self.outcomes {
                let _ = outcomes.send(seen.as_ref().copied().map_err(reason));
            }
            seen
        });
        reading
            .await
            .unwrap()
            .map(|_| Response::new(ImportLabsResponse::default()))
    }
}

impl tower::Service<http::Request<tonic::body::Body>> for TestService {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                IMPORT => {
                    let handler = tower::service_fn(move |request| service.clone().import(request));
                    tonic::server::Grpc::new(Checked::<ImportLabsResponse, ImportLabsRequest>::default())
                        .client_streaming(handler, request)
                        .await
                }
                _ => {
                    let handler = tower::service_fn(move |request| service.clone().get(request));
                    tonic::server::Grpc::new(Checked::<Reply<Lab>, GetLabRequest>::default())
                        .unary(handler, request)
                        .await
                }
            })
        })
    }
}
