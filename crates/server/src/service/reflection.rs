//! Reflection: what the server says that it speaks. [ADR 23](../../../docs/adr/0023-reflection.md)
//!
//! What is not found is told within the stream, which goes on. The bytes of a file are made once, and all answers share them: who asks
//! and does not read costs little.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use mingce_proto::codec::Checked;
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::body::Body;
use tonic::codec::Codec;
use tonic::server::NamedService;
use tonic::{Code, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
};
use tower::Service;

use crate::layer::methods::OPEN;
use crate::layer::router::Mounts;

/// The descriptors of what is served beside the contract: the machinery, and the details of errors, without which
/// clients print those as raw bytes.
pub(crate) const BESIDES: [&[u8]; 4] = [
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    tonic_types::pb::FILE_DESCRIPTOR_SET,
];

/// Mounts reflection as newer clients ask for it and as older ones do (grpcurl up to 1.8.6 among them).
pub(crate) fn mount(mounts: &mut Mounts, pool: &DescriptorPool, services: &[&str]) {
    let known = Arc::new(Known::of(pool, services));
    mounts.add_service(Reflection::<false>(Arc::clone(&known)));
    mounts.add_service(Reflection::<true>(known));
}

/// What can be asked for. The answers are encoded, each without the request that stands before it.
#[derive(Debug)]
struct Known {
    services: Bytes,
    files: HashMap<String, Bytes>,
    /// By the full name of what stands in a file.
    symbols: HashMap<String, Bytes>,
    /// By the full name of a message that can be extended, and by number.
    extensions: HashMap<String, BTreeMap<u32, Bytes>>,
}

impl Known {
    fn of(pool: &DescriptorPool, services: &[&str]) -> Self {
        let service = services.iter().chain(&OPEN).map(|name| ServiceResponse {
            name: (*name).to_owned(),
        });
        let mut known = Self {
            services: encoded(MessageResponse::ListServicesResponse(ListServiceResponse {
                service: service.collect(),
            })),
            files: pool
                .files()
                .map(|file| (file.name().to_owned(), whole(&file)))
                .collect(),
            symbols: HashMap::new(),
            extensions: HashMap::new(),
        };
        for service in pool.services() {
            let file = service.parent_file();
            known.name(service.full_name(), &file);
            service
                .methods()
                .for_each(|method| known.name(method.full_name(), &file));
        }
        for message in pool.all_messages() {
            let file = message.parent_file();
            known.name(message.full_name(), &file);
            message.fields().for_each(|field| known.name(field.full_name(), &file));
            message.oneofs().for_each(|oneof| known.name(oneof.full_name(), &file));
            known.extensions.entry(message.full_name().to_owned()).or_default();
        }
        for choice in pool.all_enums() {
            let file = choice.parent_file();
            known.name(choice.full_name(), &file);
            choice.values().for_each(|value| known.name(value.full_name(), &file));
        }
        for extension in pool.all_extensions() {
            let file = extension.parent_file();
            known.name(extension.full_name(), &file);
            let extended = extension.containing_message().full_name().to_owned();
            if let Some(bytes) = known.files.get(file.name()) {
                let numbers = known.extensions.entry(extended).or_default();
                numbers.insert(extension.number(), bytes.clone());
            }
        }
        known
    }

    fn name(&mut self, symbol: &str, file: &FileDescriptor) {
        if let Some(bytes) = self.files.get(file.name()) {
            self.symbols.insert(symbol.to_owned(), bytes.clone());
        }
    }

    /// The second half of an answer.
    fn answer(&self, asked: Option<&MessageRequest>) -> Bytes {
        let found = match asked {
            Some(MessageRequest::ListServices(_)) => Some(self.services.clone()),
            Some(MessageRequest::FileByFilename(name)) => self.files.get(name).cloned(),
            Some(MessageRequest::FileContainingSymbol(name)) => self.symbols.get(name).cloned(),
            Some(MessageRequest::FileContainingExtension(asked)) => {
                let numbers = self.extensions.get(&asked.containing_type);
                let number = u32::try_from(asked.extension_number).ok();
                numbers.zip(number).and_then(|(all, one)| all.get(&one).cloned())
            }
            Some(MessageRequest::AllExtensionNumbersOfType(name)) => self.extensions.get(name).map(|numbers| {
                let numbers = numbers.keys().filter_map(|number| i32::try_from(*number).ok());
                encoded(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers.collect(),
                }))
            }),
            None => {
                return failure(
                    Code::InvalidArgument,
                    "the request asks for nothing: set one of its fields",
                );
            }
        };
        found.unwrap_or_else(|| {
            let message = "this server does not have it: a name is a full one without a dot before it, \
                           such as mingce.labs.v1.LabService";
            failure(Code::NotFound, message)
        })
    }
}

/// A file as an answer.
fn whole(file: &FileDescriptor) -> Bytes {
    encoded(MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: vec![file.encode_to_vec()],
    }))
}

fn failure(code: Code, message: &str) -> Bytes {
    encoded(MessageResponse::ErrorResponse(ErrorResponse {
        error_code: code.into(),
        error_message: message.to_owned(),
    }))
}

fn encoded(response: MessageResponse) -> Bytes {
    let response = ServerReflectionResponse {
        message_response: Some(response),
        ..ServerReflectionResponse::default()
    };
    response.encode_to_vec().into()
}

/// The request as it stands before the answer, with gRPC's prefix of both: a message is the sum of its encoded parts.
fn head(request: ServerReflectionRequest, answer: &Bytes) -> Result<Bytes, Status> {
    let request = ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: None,
    };
    let length = u32::try_from(request.encoded_len() + answer.len())
        .map_err(|_| Status::internal("the answer has more than 4 GiB"))?;
    let mut head = BytesMut::new();
    head.put_u8(0);
    head.put_u32(length);
    request
        .encode(&mut head)
        .map_err(|error| Status::internal(error.to_string()))?;
    Ok(head.freeze())
}

/// Reflection under its name of today, or under its older one: what goes over the wire is the same.
#[derive(Debug, Clone)]
struct Reflection<const OLDER: bool>(Arc<Known>);

impl NamedService for Reflection<false> {
    const NAME: &'static str = OPEN[1];
}

impl NamedService for Reflection<true> {
    const NAME: &'static str = OPEN[2];
}

/// How far an answer is.
enum Step {
    /// The next request is to be read.
    Read(Streaming<ServerReflectionRequest>),
    /// The second half of an answer is to follow.
    Follow(Streaming<ServerReflectionRequest>, Bytes),
    /// All is said.
    Over,
}

impl Step {
    /// The next piece of the body. Nothing is read before what was asked is answered.
    async fn next(self, known: &Known) -> Option<(Result<Frame<Bytes>, Status>, Self)> {
        let mut requests = match self {
            Self::Read(requests) => requests,
            Self::Follow(requests, answer) => return Some((Ok(Frame::data(answer)), Self::Read(requests))),
            Self::Over => return None,
        };
        let end = match requests.message().await {
            Ok(Some(request)) => {
                let answer = known.answer(request.message_request.as_ref());
                match head(request, &answer) {
                    Ok(head) => return Some((Ok(Frame::data(head)), Self::Follow(requests, answer))),
                    Err(failure) => failure,
                }
            }
            Ok(None) => Status::ok(""),
            Err(failure) => failure,
        };
        let mut trailers = HeaderMap::new();
        let told = end.add_header(&mut trailers).map(|()| Frame::trailers(trailers));
        Some((told, Self::Over))
    }
}

impl<const OLDER: bool> Service<Request<Body>> for Reflection<OLDER> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Its one method.
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let decoder = Checked::<ServerReflectionResponse, ServerReflectionRequest>::default().decoder();
        let requests = Streaming::new_request(decoder, request.into_body(), None, None);
        let pieces = stream::unfold((Step::Read(requests), Arc::clone(&self.0)), async |(step, known)| {
            let (piece, step) = step.next(&known).await?;
            Some((piece, (step, known)))
        });
        let mut response = Response::new(Body::new(StreamBody::new(pieces)));
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, tonic::metadata::GRPC_CONTENT_TYPE);
        ready(Ok(response))
    }
}
