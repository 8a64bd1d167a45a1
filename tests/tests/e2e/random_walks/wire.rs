//! Calls of any method by its name, with requests and answers as JSON: one driver for all kinds of case.

use mingce_e2e::{Failure, Register};
use mingce_proto::names::POOL;
use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// A connection to a register.
pub struct Wire(Channel);

/// Messages as the bytes that they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, input: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(input.copy_to_bytes(input.remaining())))
    }
}

/// A method by its name, for example `mingce.labs.v1.LabService/GetLab`.
pub fn method(name: &str) -> MethodDescriptor {
    let (service, method) = name.split_once('/').unwrap();
    let service = POOL.get_service_by_name(service);
    let service = service.unwrap_or_else(|| panic!("the contract has no service of {name}"));
    let found = service.methods().find(|found| found.name() == method);
    found.unwrap_or_else(|| panic!("the contract has no {name}"))
}

fn from_json(kind: MessageDescriptor, json: &Value) -> DynamicMessage {
    DynamicMessage::deserialize(kind, json.clone()).unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn to_json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap()
}

impl Wire {
    pub fn to(register: &Register) -> Self {
        Self(register.channel())
    }

    /// Calls a method.
    pub async fn call(&self, name: &str, request: &Value) -> Result<Value, Failure> {
        let method = method(name);
        let message = Bytes::from(from_json(method.input(), request).encode_to_vec());
        let mut client = Grpc::new(self.0.clone());
        client.ready().await.unwrap();
        let path = format!("/{name}").parse().unwrap();
        match client.unary(Request::new(message), path, Raw).await {
            Ok(answer) => Ok(to_json(
                &DynamicMessage::decode(method.output(), answer.into_inner()).unwrap(),
            )),
            Err(status) => Err(Failure::from(status)),
        }
    }

    /// Calls a method that must succeed.
    #[track_caller]
    pub fn done<'a>(&'a self, name: &'a str, request: Value) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.call(name, &request).await;
            answer.unwrap_or_else(|failure| panic!("{at}: {name} {request}: {failure:?}"))
        }
    }
}
