//! Calls between services over real sockets: peers that are down, busy, slow, or wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mingce_client::Labs;
use mingce_proto::codec::Checked;
use mingce_proto::labs::{ResolveOrganizationsRequest, ResolveOrganizationsResponse};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

type Answer = Result<ResolveOrganizationsResponse, Status>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A labs service that answers its n-th call as the test says.
#[derive(Clone)]
struct Scripted {
    calls: Arc<AtomicU32>,
    seen: Arc<Mutex<Vec<MetadataMap>>>,
    script: Arc<dyn Fn(u32) -> Answering + Send + Sync>,
}

impl NamedService for Scripted {
    const NAME: &'static str = "mingce.labs.v1.LabService";
}

impl tower::Service<http::Request<Body>> for Scripted {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        let handler = tower::service_fn(move |request: Request<ResolveOrganizationsRequest>| {
            this.seen.lock().unwrap().push(request.metadata().clone());
            let answer = (this.script)(this.calls.fetch_add(1, Ordering::SeqCst) + 1);
            async move { answer.await.map(Response::new) }
        });
        let mut grpc =
            tonic::server::Grpc::new(Checked::<ResolveOrganizationsResponse, ResolveOrganizationsRequest>::default());
        Box::pin(async move { Ok(grpc.unary(handler, request).await) })
    }
}

/// Starts one on a free port, or on `address`.
async fn start(address: &str, script: impl Fn(u32) -> Answering + Send + Sync + 'static) -> (SocketAddr, Scripted) {
    let service = Scripted {
        calls: Arc::default(),
        seen: Arc::default(),
        script: Arc::new(script),
    };
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(service.clone());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, service)
}

fn answer(result: Answer) -> Answering {
    Box::pin(async move { result })
}

fn in_time(seconds: u64) -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(seconds))
}

async fn resolve(address: SocketAddr, deadline: Option<Instant>) -> Answer {
    Labs::lazy(&format!("http://{address}"))
        .unwrap()
        .resolve_organizations(deadline, ResolveOrganizationsRequest::default())
        .await
}

/// A port on which nobody listens.
async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_peer_that_is_down_is_unavailable_soon_and_named() {
    let started = Instant::now();
    let status = resolve(free_port().await, in_time(30)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the service labs cannot be reached")
    );
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_peer_that_comes_back_is_found_again() {
    let address = free_port().await;
    let labs = Labs::lazy(&format!("http://{address}")).unwrap();
    let request = ResolveOrganizationsRequest::default;
    assert_eq!(
        labs.resolve_organizations(in_time(5), request())
            .await
            .unwrap_err()
            .code(),
        Code::Unavailable
    );
    start(&address.to_string(), |_| answer(Ok(Default::default()))).await;
    labs.resolve_organizations(in_time(5), request()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_is_busy_twice_is_asked_a_third_time_under_the_same_id() {
    for busy in [Status::unavailable("starting"), Status::resource_exhausted("busy")] {
        let (address, service) = start("127.0.0.1:0", move |n| {
            answer(if n < 3 {
                Err(busy.clone())
            } else {
                Ok(Default::default())
            })
        })
        .await;
        resolve(address, in_time(5)).await.unwrap();
        let ids: Vec<_> = service
            .seen
            .lock()
            .unwrap()
            .iter()
            .map(|m| m.get("x-request-id").unwrap().clone())
            .collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 16), "{ids:?}");
    }
}

#[tokio::test]
async fn a_peer_that_stays_busy_is_asked_four_times() {
    let (address, service) = start("127.0.0.1:0", |_| answer(Err(Status::unavailable("starting")))).await;
    let status = resolve(address, in_time(5)).await.unwrap_err();
    assert_eq!(
        (status.code(), service.calls.load(Ordering::SeqCst)),
        (Code::Unavailable, 4)
    );
}

#[tokio::test]
async fn a_failure_that_does_not_pass_is_not_tried_again() {
    let too_large = ErrorDetails::with_error_info("MESSAGE_TOO_LARGE", "mingce", std::collections::HashMap::new());
    let mut failures: Vec<Status> = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::Aborted,
        Code::Internal,
        Code::Unknown,
        Code::DeadlineExceeded,
    ]
    .map(|code| Status::new(code, "no"))
    .into();
    failures.push(Status::with_error_details(Code::ResourceExhausted, "no", too_large));
    for failure in failures {
        let code = failure.code();
        let (address, service) = start("127.0.0.1:0", move |_| answer(Err(failure.clone()))).await;
        let status = resolve(address, in_time(5)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message(), service.calls.load(Ordering::SeqCst)),
            (code, "no", 1)
        );
    }
}

#[tokio::test]
async fn the_deadline_is_passed_on_and_kept() {
    let (address, service) = start("127.0.0.1:0", |_| Box::pin(std::future::pending())).await;
    let started = Instant::now();
    let status = resolve(address, Some(started + Duration::from_millis(400)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(status.message().contains("labs"), "{status:?}");
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(370) && took < Duration::from_millis(600),
        "{took:?}"
    );
    let told = service.seen.lock().unwrap()[0]
        .get("grpc-timeout")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let micros: u64 = told
        .strip_suffix('u')
        .unwrap_or_else(|| panic!("{told}"))
        .parse()
        .unwrap();
    assert!((300_000..=380_000).contains(&micros), "{told}");
}

#[tokio::test]
async fn retries_end_with_the_deadline() {
    let (address, _) = start("127.0.0.1:0", |_| answer(Err(Status::unavailable("starting")))).await;
    let started = Instant::now();
    resolve(address, Some(started + Duration::from_millis(100)))
        .await
        .unwrap_err();
    assert!(
        started.elapsed() < Duration::from_millis(150),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_deadline_that_is_over_costs_no_call() {
    let (address, service) = start("127.0.0.1:0", |_| answer(Ok(Default::default()))).await;
    let status = resolve(address, Some(Instant::now())).await.unwrap_err();
    assert_eq!(
        (status.code(), service.calls.load(Ordering::SeqCst)),
        (Code::DeadlineExceeded, 0)
    );
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_with_what_would_be_right() {
    for url in ["", "127.0.0.1:50051", "https://127.0.0.1:1", "http://"] {
        let status = Labs::lazy(url).unwrap_err();
        assert!(
            status.message().contains("http://127.0.0.1:50051"),
            "{url:?}: {status:?}"
        );
    }
}
