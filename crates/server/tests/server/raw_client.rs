//! Starts servers and calls them, byte by byte where tonic's own client sends only what is right.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mingce_proto::labs::{GetLabRequest, Lab};
use mingce_server::{Config, Server};
use prost::Message;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::test_service::TestService;

pub const GET: &str = "/mingce.labs.v1.LabService/GetLab";
pub const IMPORT: &str = "/mingce.labs.v1.LabService/ImportLabs";
pub const LAB: &str = "labs/01jd2k3m4n5p6q7r8s9t0v1w2x";

pub struct Started {
    pub address: SocketAddr,
    pub stop: Option<oneshot::Sender<()>>,
    pub served: JoinHandle<Result<(), mingce_server::StartError>>,
}

pub fn config() -> Config {
    Config {
        listen: "127.0.0.1:0".to_owned(),
        drain_notice: Duration::from_millis(50),
        ..Config::default()
    }
}

pub async fn start_with(config: Config, service: TestService) -> Started {
    let bound = Server::new(config).add_service(service).bind().await.unwrap();
    let address = bound.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(bound.serve(async move {
        let _ = stopped.await;
    }));
    Started {
        address,
        stop: Some(stop),
        served,
    }
}

pub async fn start(config: Config) -> SocketAddr {
    let running = start_with(config, TestService::default()).await;
    std::mem::forget(running.stop);
    running.address
}

pub fn channel(address: SocketAddr) -> tonic::transport::Channel {
    tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy()
}

pub type Connection = SendRequest<BoxBody<Bytes, Infallible>>;

pub async fn connect(address: SocketAddr) -> Connection {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

pub fn get_lab() -> Bytes {
    framed(
        &GetLabRequest {
            name: LAB.to_owned(),
            view: 0,
        }
        .encode_to_vec(),
    )
}

pub fn whole(bytes: Bytes) -> BoxBody<Bytes, Infallible> {
    Full::new(bytes).boxed()
}

/// A body that goes on until its sender is dropped.
pub fn open_body() -> (mpsc::Sender<Bytes>, BoxBody<Bytes, Infallible>) {
    let (sender, pieces) = mpsc::channel(4);
    let stream = ReceiverStream::new(pieces).map(|piece| Ok(Frame::data(piece)));
    (sender, BodyExt::boxed(StreamBody::new(SyncStream(stream))))
}

/// A stream behind one reader is never polled from two threads.
struct SyncStream<S>(S);

impl<S: tokio_stream::Stream + Unpin> tokio_stream::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

pub fn request(
    path: &str,
    headers: &[(&'static str, &str)],
    body: BoxBody<Bytes, Infallible>,
) -> http::Request<BoxBody<Bytes, Infallible>> {
    let mut request = http::Request::post(format!("http://register{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// One call: its status and what it answered.
pub async fn call_with(
    connection: &mut Connection,
    path: &str,
    headers: &[(&'static str, &str)],
    body: BoxBody<Bytes, Infallible>,
) -> (Status, Bytes) {
    connection.ready().await.unwrap();
    let response = connection.send_request(request(path, headers, body)).await.unwrap();
    assert_eq!(response.status(), 200);
    if let Some(status) = Status::from_header_map(response.headers()) {
        return (status, Bytes::new());
    }
    let collected = response.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_else(HeaderMap::new);
    (
        Status::from_header_map(&trailers).expect("a status"),
        collected.to_bytes(),
    )
}

pub async fn get(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Lab, Status> {
    let (status, body) = call_with(&mut connect(address).await, GET, headers, whole(get_lab())).await;
    if status.code() == Code::Ok {
        Ok(Lab::decode(&body[5..]).unwrap())
    } else {
        Err(status)
    }
}

pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"))
        .reason
}

#[track_caller]
pub fn assert_refused(status: &Status, code: Code, why: &str) {
    assert_eq!((status.code(), reason(status).as_str()), (code, why), "{status:?}");
}

pub async fn eventually(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the other side closes a connection in time.
pub async fn closed_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let mut byte = [0];
    matches!(
        tokio::time::timeout(limit, stream.read(&mut byte)).await,
        Ok(Ok(0) | Err(_))
    )
}
