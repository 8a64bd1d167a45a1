//! The head of a resource: the fields that are the same in all of them.

use mingce_proto::registry::RecordStatus;
use prost::Message;

use crate::error::{Error, Result};
use crate::model::message_fields;

/// Fields 1 to 8 and 100, the same in every resource: set by the write path, never by callers.
#[derive(Clone, PartialEq, Message)]
pub struct Head {
    /// Collection name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The id as a UUID.
    #[prost(string, tag = "2")]
    pub uid: String,
    /// `"r3"` for revision 3.
    #[prost(string, tag = "3")]
    pub etag: String,
    /// 1 when created, then one more with each change.
    #[prost(int64, tag = "4")]
    pub revision: i64,
    /// When the record was made.
    #[prost(message, optional, tag = "5")]
    pub create_time: Option<prost_types::Timestamp>,
    /// When the record last changed.
    #[prost(message, optional, tag = "6")]
    pub update_time: Option<prost_types::Timestamp>,
    /// How good the record is.
    #[prost(enumeration = "RecordStatus", tag = "7")]
    pub record_status: i32,
    /// Collection name of the record that stands for a duplicate.
    #[prost(string, tag = "8")]
    pub survivor: String,
    /// The number of its last change in the ledger; 0 before it is written.
    #[prost(int64, tag = "100")]
    pub sequence: i64,
}

impl Head {
    /// An encoded resource with this head, whatever head it had.
    pub(crate) fn with(&self, encoded: &[u8]) -> Result<Vec<u8>> {
        let mut whole = Vec::with_capacity(self.encoded_len() + encoded.len());
        self.encode(&mut whole).map_err(Error::internal)?;
        message_fields::append(&mut whole, encoded, |number| !is_head(number))?;
        Ok(whole)
    }
}

/// Fields of [`Head`] that a change can be about: the record status and the survivor. The others follow from each change.
const CHANGED: [u32; 2] = [7, 8];
/// The last of those that stand side by side.
const HEAD_FIELDS: u32 = 8;
pub(crate) const CREATE_TIME: u32 = 5;
pub(crate) const UPDATE_TIME: u32 = 6;
pub(crate) const SEQUENCE: u32 = 100;

/// Whether a field is one of [`Head`], which the write path sets.
pub(crate) fn is_head(number: u32) -> bool {
    number <= HEAD_FIELDS || number == SEQUENCE
}

/// Whether a change of this field is a change of the resource.
pub(crate) fn is_change(number: u32) -> bool {
    !is_head(number) || CHANGED.contains(&number)
}
