//! What an edit answers.

use mingce_proto::codec::Reply;
use prost::Message;
use prost::bytes::Bytes;

use crate::error::Result;
use crate::model::collection::Collection;
use crate::model::resource;

/// What became of the resource of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was so already: nothing was written.
    Unchanged,
}

/// What an edit answers: a resource as it is now.
#[derive(Debug, Clone)]
pub struct WriteResult {
    /// What was done.
    pub outcome: WriteOutcome,
    /// Its resource name.
    pub name: String,
    /// Its revision.
    pub revision: i64,
    /// Its encoded message, without the private part.
    pub body: Bytes,
    /// Fields that a row of an import would have changed and that stay as people left them.
    pub kept: Vec<String>,
    /// What the resource is called, where it was made by a row of an import.
    pub title: Option<Box<str>>,
}

impl WriteResult {
    /// An answer that is no resource: what an edit found, as a message.
    pub fn of(message: &impl Message) -> Self {
        Self {
            outcome: WriteOutcome::Unchanged,
            name: String::new(),
            revision: 0,
            body: message.encode_to_vec().into(),
            kept: Vec::new(),
            title: None,
        }
    }

    /// The resource as a server answers it.
    pub fn reply<M>(self) -> Reply<M> {
        Reply::Encoded(self.body)
    }

    /// Reads the resource.
    pub fn decode<C: Collection>(&self) -> Result<C::Item> {
        resource::decode::<C>(&self.body)
    }
}
