//! Calls of any method by its name, with requests and answers as JSON: one driver for all kinds of case.

use std::sync::atomic::{AtomicU64, Ordering};

use mingce_e2e::raw_client::RawClient;
use mingce_e2e::{Failure, Register};
use mingce_proto::names::POOL;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::Value;

use super::request::Rng;

/// Connections to the processes of a register, which may be several on one database: each call goes to one of them.
pub struct JsonClient {
    processes: Vec<RawClient>,
    turn: AtomicU64,
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

impl JsonClient {
    pub fn to(registers: &[&Register]) -> Self {
        Self {
            processes: registers.iter().map(|register| RawClient::to(register)).collect(),
            turn: AtomicU64::new(0),
        }
    }

    /// From here on calls go to the processes in an order that depends on the seed alone.
    pub fn begin(&self, seed: u64) {
        self.turn.store(seed, Ordering::Relaxed);
    }

    fn process(&self) -> &RawClient {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.processes[Rng::new(turn).below(self.processes.len())]
    }

    /// Calls a method.
    pub async fn call(&self, name: &str, request: &Value) -> Result<Value, Failure> {
        let method = method(name);
        let message = from_json(method.input(), request).encode_to_vec().into();
        let answer = self.process().call(name, false, vec![message]).await?;
        Ok(to_json(&DynamicMessage::decode(method.output(), answer).unwrap()))
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
