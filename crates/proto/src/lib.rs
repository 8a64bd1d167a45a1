//! The contract as Rust: messages, clients and server traits of the three services, their rules of validity and the
//! descriptor set. Generated from `proto/` by `build.rs`; the comments stand there.

pub mod budget;
pub mod case_message;
pub mod codec;
pub mod collections;
pub mod field_class;
pub mod head;
pub mod mutation;
pub mod names;
pub mod reasons;
pub mod redaction;
mod shapes;
pub mod texts;
pub mod weight;

#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}
#[allow(clippy::all, clippy::pedantic, clippy::expect_used, unused_mut)]
mod rules {
    use super::mingce;

    include!(concat!(env!("OUT_DIR"), "/validate_impl.rs"));
}

mod choices {
    include!(concat!(env!("OUT_DIR"), "/choices.rs"));
}

/// Once more than so many fields are found to be wrong, the others are not looked at.
pub const MOST_VIOLATIONS: usize = 32;

pub use case_message::{CaseMessage, StatefulMessage};
pub use field_class::Classes;
pub use generated::mingce;
pub use generated::mingce::{awards::v1 as awards, labs::v1 as labs, registry::v1 as registry, talent::v1 as talent};
pub use head::{Head, Headed};
pub use mutation::{DocumentedMutation, Mutation, ResourceMutation};
pub use prost_protovalidate::Validate;

/// Every file of the contract with its imports and options, encoded: for reflection, permissions and mappings.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The text of each file of the contract and of those that it imports, by its path: for those who generate clients. Not those of
/// `google/protobuf`, which every generator has.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));
