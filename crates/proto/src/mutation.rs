//! What requests that change the register have in common, read from them by trait. Generated from the contract, so that no method
//! is named by hand.

/// A request that changes something: done once for its request id, or only tried.
pub trait Mutation: prost::Message {
    /// The method that takes it, without its service.
    const METHOD: &'static str;
    /// The same id is done once. Empty: no id.
    fn request_id(&self) -> &str;
    /// Whether it is only tried.
    fn validate_only(&self) -> bool;
}

/// A mutation of one resource, with a reason: a verb of a life cycle, for example.
pub trait ResourceMutation: Mutation {
    /// The name of the resource.
    fn name(&self) -> &str;
    /// The revision that it was decided on. Empty: any.
    fn etag(&self) -> &str;
    /// Why.
    fn reason(&self) -> &str;
}

/// A mutation that a document decides.
pub trait DocumentedMutation: ResourceMutation {
    /// The number of the document.
    fn document_number(&self) -> &str;
    /// Who issued it.
    fn issuer(&self) -> &str;
}

macro_rules! mutation {
    ($request:ty, $method:literal) => {
        impl Mutation for $request {
            const METHOD: &'static str = $method;

            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn validate_only(&self) -> bool {
                self.validate_only
            }
        }
    };
}

macro_rules! resource_mutation {
    ($request:ty) => {
        impl ResourceMutation for $request {
            fn name(&self) -> &str {
                &self.name
            }

            fn etag(&self) -> &str {
                &self.etag
            }

            fn reason(&self) -> &str {
                &self.reason
            }
        }
    };
}

macro_rules! documented_mutation {
    ($request:ty) => {
        impl DocumentedMutation for $request {
            fn document_number(&self) -> &str {
                &self.document_number
            }

            fn issuer(&self) -> &str {
                &self.issuer
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));
