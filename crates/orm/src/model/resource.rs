//! Resources in their encoded form, read by the declaration of their collection.

use mingce_proto::Classes;
use mingce_proto::redaction::redact;
use prost::Message;
use prost::bytes::Bytes;

use crate::error::{Error, Result};
use crate::id::Id;
use crate::model::collection::Collection;
use crate::model::head::Head;
use crate::model::message_fields;

/// The head of an encoded resource.
pub(crate) fn head(message: &[u8]) -> Result<Head> {
    // What it does not know of, a message passes over.
    Head::decode(message).map_err(Error::internal)
}

/// Reads a resource from its encoded form.
pub(crate) fn decode<C: Collection>(message: &[u8]) -> Result<C::Item> {
    C::Item::decode(message).map_err(Error::internal)
}

/// The same, as far as it is seen by who sees these classes.
pub(crate) fn decode_for<C: Collection>(message: &Bytes, visible: Classes) -> Result<C::Item> {
    if visible.is_all() {
        return decode::<C>(message);
    }
    decode::<C>(&redact(C::MESSAGE, message.clone(), visible).map_err(Error::internal)?)
}

/// A resource as answers show it: without its private part.
///
/// # Errors
/// Where it does not read back.
pub fn shown<C: Collection>(resource: &C::Item) -> Result<C::Item> {
    let hidden = private::<C>();
    decode::<C>(&message_fields::retain(&resource.encode_to_vec(), |number| {
        !hidden.contains(&number)
    })?)
}

/// Numbers of the private fields of a resource.
pub(crate) fn private<C: Collection>() -> &'static [u32] {
    &C::shape().kind.private
}

/// The fields in which two resources differ, by their names in the contract.
///
/// # Errors
/// Where they do not read back.
pub fn changed<C: Collection>(old: &C::Item, new: &C::Item) -> Result<Vec<&'static str>> {
    let numbers = message_fields::changed(&old.encode_to_vec(), &new.encode_to_vec())?;
    Ok(numbers
        .into_iter()
        .map(|number| C::shape().kind.field(number))
        .collect())
}

/// An id that is the same for the same text: for records that a dry run takes as created.
pub fn name_based_id(text: &str) -> Id {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    Id::from_bytes(bytes)
}
