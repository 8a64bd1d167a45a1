//! Calls of any method of the contract by its descriptor: bytes on the wire, dynamic messages here.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use mingce_proto::codec::Raw;
use prost_reflect::prost::Message;
use prost_reflect::prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// The largest answer that is taken: 5,000 outcomes or 1,000 whole resources, with room.
const ANSWER_BYTES: usize = 256 << 20;

/// Connects to a server, for example `http://127.0.0.1:50051`.
pub async fn connect(url: &str) -> Result<Channel> {
    if !url.starts_with("http://") {
        return Err(anyhow!(
            "{url:?} is no address of a server: expected http://HOST:PORT (there is no TLS yet)"
        ));
    }
    let endpoint =
        Endpoint::from_shared(url.to_owned()).with_context(|| format!("{url:?} is no address of a server"))?;
    let endpoint = endpoint.connect_timeout(Duration::from_secs(5)).tcp_nodelay(true);
    endpoint
        .connect()
        .await
        .map_err(|_| anyhow!("cannot connect to {url}: is the server running there?"))
}

async fn client(channel: &Channel, method: &MethodDescriptor) -> Result<(Grpc<Channel>, PathAndQuery), Status> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path
        .parse()
        .map_err(|_| Status::internal(format!("{path} is no path of a method")))?;
    let mut client = Grpc::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES);
    client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    Ok((client, path))
}

/// One question, one answer.
pub async fn unary(
    channel: &Channel,
    method: &MethodDescriptor,
    message: &DynamicMessage,
) -> Result<DynamicMessage, Status> {
    let (mut client, path) = client(channel, method).await?;
    let answer = client
        .unary(Request::new(Bytes::from(message.encode_to_vec())), path, Raw)
        .await?
        .into_inner();
    DynamicMessage::decode(method.output(), answer)
        .map_err(|e| Status::internal(format!("the answer cannot be read: {e}")))
}

/// A stream of messages, one answer.
pub async fn client_streaming(
    channel: &Channel,
    method: &MethodDescriptor,
    messages: impl Stream<Item = Bytes> + Send + 'static,
) -> Result<Bytes, Status> {
    let (mut client, path) = client(channel, method).await?;
    Ok(client
        .client_streaming(Request::new(messages), path, Raw)
        .await?
        .into_inner())
}

/// What a server's refusal says to the person at the command line.
pub fn failure(what: &str, status: &Status) -> anyhow::Error {
    let code = format!("{:?}", status.code());
    match status.code() {
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded => {
            anyhow!("{what}: {} ({code})", status.message())
        }
        _ => anyhow!("{what} was refused: {} ({code})", status.message()),
    }
}
