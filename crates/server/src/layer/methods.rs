//! What the contract says of each mounted method: the permission that a caller needs, and whether it streams. Read from
//! the descriptor set at start-up; a method without a permission does not start the server, and neither does one whose
//! answer has a field without a class.

use std::collections::{HashMap, HashSet};
use std::future::ready;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::Request;
use mingce_proto::field_class;
use prost_reflect::{DescriptorPool, MethodDescriptor, Value};
use tonic::{Code, Status};

use super::{Answering, CallInfo, Inner, RequestBody};
use crate::call::status;
use crate::layer::message_framing::Limit;
use crate::start_error::StartError;

/// The option that names a method's permission.
const OPTION: &str = "mingce.registry.v1.permission";

/// Services of the machinery, open to everybody: is the server well, and what does it speak?
pub(crate) const OPEN: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// How large a message to these may be: it names a service, or what stands in a file, and is told back.
const NAMING: usize = 4096;

/// How the names of methods begin whose answers may be large.
const PAGES: [&str; 4] = ["List", "Search", "BatchGet", "Compute"];

/// One method that is served.
#[derive(Debug)]
pub(crate) struct Method {
    /// Its path, for example `/mingce.labs.v1.LabService/GetLab`.
    pub(crate) path: String,
    /// What the caller needs, as `service.collection.verb`; `None` for the machinery.
    pub(crate) permission: Option<String>,
    /// Either side sends more than one message.
    pub(crate) streams: bool,
    /// The server does.
    pub(crate) answers_stream: bool,
    /// Its answer goes on until the caller has enough, as the watch on health does.
    pub(crate) endless: bool,
    /// It answers a page, a batch or statistics.
    pub(crate) pages: bool,
    /// How large a request may be.
    pub(crate) limit: Limit,
}

/// How large messages may be.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// The one message of a unary call.
    pub(crate) unary: usize,
    /// Each message of a stream.
    pub(crate) message: usize,
    /// Methods that may have more, by path.
    pub(crate) methods: HashMap<String, usize>,
}

/// Every method that is served, by its path.
#[derive(Debug)]
pub(crate) struct Methods(HashMap<String, Arc<Method>>);

impl Methods {
    /// Reads the methods of `services` from `pool`.
    pub(crate) fn read(pool: &DescriptorPool, services: &[&str], sizes: &Sizes) -> Result<Self, StartError> {
        let mut methods = HashMap::new();
        // The messages of answers in which each field has a class.
        let mut classified = HashSet::new();
        for name in services {
            let service = pool.get_service_by_name(name).ok_or_else(|| {
                StartError::Contract(format!(
                    "the service {name} is mounted, but the descriptor set does not have it"
                ))
            })?;
            for method in service.methods() {
                let permission = if OPEN.contains(name) {
                    None
                } else {
                    let permission = permission(pool, &method)?;
                    expect_classes(&method, &mut classified)?;
                    Some(permission)
                };
                let path = format!("/{name}/{}", method.name());
                let many = method.is_client_streaming();
                let size = match sizes.methods.get(&path) {
                    _ if permission.is_none() => NAMING,
                    Some(size) => *size,
                    None if many => sizes.message,
                    None => sizes.unary,
                };
                let limit = if many { Limit::Each(size) } else { Limit::One(size) };
                let answers_stream = method.is_server_streaming();
                let streams = method.is_client_streaming() || answers_stream;
                let endless = permission.is_none() && answers_stream && !method.is_client_streaming();
                let method = Method {
                    path: path.clone(),
                    permission,
                    streams,
                    answers_stream,
                    endless,
                    pages: PAGES.iter().any(|verb| method.name().starts_with(verb)),
                    limit,
                };
                methods.insert(path, Arc::new(method));
            }
        }
        if let Some(unknown) = sizes.methods.keys().find(|path| !methods.contains_key(*path)) {
            return Err(StartError::Contract(format!(
                "a size limit is set for {unknown}, which is no method of this server"
            )));
        }
        Ok(Self(methods))
    }

    /// The method at a path, or UNIMPLEMENTED.
    pub(crate) fn at(&self, path: &str) -> Result<&Arc<Method>, Status> {
        self.0.get(path).ok_or_else(unknown)
    }
}

/// The layer: finds the method, for those behind it.
pub(crate) fn find_method<B: RequestBody, S: Inner<B>>(
    methods: &Arc<Methods>,
    inner: &mut S,
    mut request: Request<B>,
) -> Answering {
    let call = match methods.at(request.uri().path()) {
        Ok(method) => CallInfo {
            method: Arc::clone(method),
            started: Instant::now(),
            deadline: OnceLock::new(),
        },
        Err(unknown) => return Box::pin(ready(Ok(unknown.into_http()))),
    };
    request.extensions_mut().insert(Arc::new(call));
    inner.call(request)
}
/// The refusal of a call for a method that is not served.
pub(crate) fn unknown() -> Status {
    let message = "this server has no such method; reflection lists the ones that it has";
    status::own(Code::Unimplemented, "METHOD_UNKNOWN", message)
}

/// The permission option of a method.
fn permission(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<String, StartError> {
    let name = method.full_name();
    let wrong = |what: String| {
        StartError::Contract(format!(
            "{name} {what}: it needs option ({OPTION}) = \"service.collection.verb\" in the contract"
        ))
    };
    let option = pool
        .get_extension_by_name(OPTION)
        .ok_or_else(|| wrong("has no permission".to_owned()))?;
    let options = method.options();
    if !options.has_extension(&option) {
        return Err(wrong("has no permission".to_owned()));
    }
    let Value::String(permission) = options.get_extension(&option).into_owned() else {
        return Err(wrong("has a permission that is no text".to_owned()));
    };
    if well_formed(&permission) {
        Ok(permission)
    } else {
        Err(wrong(format!("has the permission {permission:?}")))
    }
}

/// Refuses a method whose answer has a field without a class: nobody knows who may see it.
fn expect_classes(method: &MethodDescriptor, classified: &mut HashSet<String>) -> Result<(), StartError> {
    let Some(field) = field_class::unclassified(&method.output(), classified) else {
        return Ok(());
    };
    let (field, method, option) = (field.full_name(), method.full_name(), field_class::OPTION);
    Err(StartError::Contract(format!(
        "{field} has no class and is in the answer of {method}: it needs [({option}) = FIELD_CLASS_PUBLIC], or another \
         class, in the contract"
    )))
}

/// `service.collection.verb`, each part in lowerCamelCase.
fn well_formed(permission: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase()) && part.bytes().all(|b| b.is_ascii_alphabetic())
    };
    permission.split('.').count() == 3 && permission.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        let methods = HashMap::from([("/mingce.labs.v1.LabService/ResolveOrganizations".to_owned(), 4 << 20)]);
        Sizes {
            unary: 256 << 10,
            message: 1 << 20,
            methods,
        }
    }

    #[test]
    fn every_method_of_the_contract_has_its_permission_and_limit() {
        let pool = DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap();
        let names: Vec<String> = pool.services().map(|s| s.full_name().to_owned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names.len(), 10, "{names:?}");
        let methods = Methods::read(&pool, &names, &sizes()).unwrap();
        let get = methods.at("/mingce.labs.v1.LabService/GetLab").unwrap();
        assert_eq!(
            (get.permission.as_deref(), get.limit),
            (Some("labs.labs.get"), Limit::One(256 << 10))
        );
        let import = methods.at("/mingce.labs.v1.LabService/ImportLabs").unwrap();
        assert_eq!(
            (import.streams, import.answers_stream, import.limit),
            (true, false, Limit::Each(1 << 20))
        );
        let resolve = methods.at("/mingce.labs.v1.LabService/ResolveOrganizations").unwrap();
        assert_eq!(resolve.limit, Limit::One(4 << 20));
        assert_eq!(
            methods.at("/mingce.labs.v1.LabService/Nothing").unwrap_err().code(),
            Code::Unimplemented
        );
    }

    #[test]
    fn a_limit_for_a_method_that_is_not_there_is_an_error() {
        let pool = DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap();
        let error = Methods::read(&pool, &["mingce.awards.v1.AwardService"], &sizes()).unwrap_err();
        assert!(error.to_string().contains("ResolveOrganizations"), "{error}");
    }

    #[test]
    fn a_permission_has_three_parts_in_lower_camel_case() {
        assert!(well_formed("labs.labs.create") && well_formed("labs.labDesignations.record"));
        for wrong in [
            "",
            "labs",
            "labs.labs",
            "labs.labs.get.more",
            "labs..get",
            "Labs.labs.get",
            "labs.labs.get ",
            "labs.-.get",
            "labs.lab-designations.get",
        ] {
            assert!(!well_formed(wrong), "{wrong:?}");
        }
    }
}
