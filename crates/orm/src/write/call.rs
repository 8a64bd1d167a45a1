//! How a call wants its change done: once, not at all, and why.

use mingce_proto::Mutation;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::model::revision::AuditInfo;
use crate::write::idempotency::IdempotencyKey;

/// How a call wants its change done.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub(super) once: Option<IdempotencyKey>,
    pub(super) validate_only: bool,
    reason: String,
}

impl Call {
    /// Of a request of the contract.
    pub fn of<R: Mutation>(request: &R) -> Self {
        Self::new(R::METHOD, request.request_id(), request.validate_only(), request)
    }

    /// From a request's `request_id` and `validate_only`. The digest covers the method and the whole request.
    pub fn new(method: &str, request_id: &str, validate_only: bool, request: &impl Message) -> Self {
        let once = (!request_id.is_empty() && !validate_only).then(|| {
            let mut digest = Sha256::new();
            digest.update(method.as_bytes());
            digest.update([0]);
            digest.update(with_small_letters(request.encode_to_vec(), request_id.as_bytes()));
            IdempotencyKey {
                request_id: request_id.to_lowercase(),
                digest: digest.finalize().to_vec(),
            }
        });
        Self {
            once,
            validate_only,
            reason: String::new(),
        }
    }

    /// Why, for the ledger: of changes that need no reason.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// Its request id and content, where it is to be done once.
    pub fn once(&self) -> Option<&IdempotencyKey> {
        self.once.as_ref()
    }

    /// Whether it only wants to know what would be.
    pub fn is_dry(&self) -> bool {
        self.validate_only
    }

    /// What the ledger says of an update.
    pub fn update_stamp(&self) -> AuditInfo {
        self.stamp("update", &self.reason)
    }

    /// What the ledger says of the change.
    pub fn stamp(&self, verb: &'static str, reason: &str) -> AuditInfo {
        let request_id = self.once.as_ref().map_or(String::new(), |once| once.request_id.clone());
        AuditInfo {
            verb,
            reason: reason.replace('\0', "\u{fffd}"),
            request_id,
            import: String::new(),
        }
    }
}

/// A request with its id in small letters: one UUID in capitals and in small letters is one.
fn with_small_letters(mut request: Vec<u8>, id: &[u8]) -> Vec<u8> {
    if !id.iter().any(u8::is_ascii_uppercase) {
        return request;
    }
    let mut at = 0;
    while let Some(found) = request[at..].windows(id.len()).position(|part| part == id) {
        request[at + found..at + found + id.len()].make_ascii_lowercase();
        at += found + id.len();
    }
    request
}
