//! Sends what no generated client would send: a gRPC call made of bytes and headers; and messages of any method as
//! their bytes.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mingce_proto::codec::Raw;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::Register;

/// What came back of a call: the answer's messages as they were framed, or the status.
pub type Answer = Result<Vec<u8>, Status>;

/// Calls a method, for example `mingce.labs.v1.LabService/GetLab`, with one message of these bytes.
pub async fn call(register: &Register, method: &str, message: &[u8], headers: &[(&str, &str)]) -> Answer {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    send(register, method, body, headers).await
}

/// Calls a method with a body that need not hold a message.
pub async fn send(register: &Register, method: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
    let stream = tokio::net::TcpStream::connect(register.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{}/{method}", register.address()))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender
        .send_request(request.body(Full::<Bytes>::from(body)).unwrap())
        .await
        .unwrap();
    let headers = response.headers().clone();
    let whole = response.into_body().collect().await.unwrap();
    connection.abort();
    let status = whole
        .trailers()
        .and_then(Status::from_header_map)
        .or_else(|| Status::from_header_map(&headers));
    match status {
        Some(status) if status.code() == Code::Ok => Ok(whole.to_bytes().to_vec()),
        Some(status) => Err(status),
        None => panic!("the answer has no status: {headers:?}"),
    }
}

/// A connection that calls any method with messages as their bytes.
#[derive(Debug, Clone)]
pub struct RawClient(Channel);

impl RawClient {
    /// To a register.
    pub fn to(register: &Register) -> Self {
        Self(register.channel())
    }

    /// Calls a method, for example `mingce.labs.v1.LabService/GetLab`. One that takes a stream gets all messages,
    /// another the first.
    pub async fn call(&self, method: &str, streams: bool, messages: Vec<Bytes>) -> Result<Bytes, Status> {
        let mut client = Grpc::new(self.0.clone());
        client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        let path = format!("/{method}").parse().unwrap();
        let answer = if streams {
            let messages = tokio_stream::iter(messages);
            client.client_streaming(Request::new(messages), path, Raw).await
        } else {
            let message = messages.into_iter().next().unwrap_or_default();
            client.unary(Request::new(message), path, Raw).await
        };
        answer.map(tonic::Response::into_inner)
    }
}
