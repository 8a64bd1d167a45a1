//! The head of a resource: the fields that are the same in each, read without a copy.

use prost_types::Timestamp;

use crate::registry::RecordStatus;

/// Fields 1 to 8 and 100 of a resource, which the write path sets and callers do not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Head<'a> {
    /// Collection name.
    pub name: &'a str,
    /// The id as a UUID.
    pub uid: &'a str,
    /// `"r3"` for revision 3.
    pub etag: &'a str,
    /// 1 when created, then one more with each change.
    pub revision: i64,
    /// When the record was made.
    pub create_time: Option<Timestamp>,
    /// When the record last changed.
    pub update_time: Option<Timestamp>,
    /// How good the record is, by its number.
    pub record_status: i32,
    /// Collection name of the record that stands for a duplicate.
    pub survivor: &'a str,
    /// The number of its last change in the ledger; 0 before it is written.
    pub sequence: i64,
}

impl Head<'_> {
    /// How good the record is.
    pub fn record_status(&self) -> RecordStatus {
        RecordStatus::try_from(self.record_status).unwrap_or_default()
    }
}

/// The message of a resource.
pub trait Headed {
    /// Its head.
    fn head(&self) -> Head<'_>;
}

macro_rules! headed {
    ($message:ty) => {
        impl Headed for $message {
            fn head(&self) -> Head<'_> {
                Head {
                    name: &self.name,
                    uid: &self.uid,
                    etag: &self.etag,
                    revision: self.revision,
                    create_time: self.create_time,
                    update_time: self.update_time,
                    record_status: self.record_status,
                    survivor: &self.survivor,
                    sequence: self.sequence,
                }
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/heads.rs"));
