//! How messages are read from the wire: as prost does it, but a message that cannot be read is the sender's fault and
//! says so (INVALID_ARGUMENT, reason `MESSAGE_MALFORMED`), where tonic's own codec answers INTERNAL.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};
use tonic_prost::{ProstCodec, ProstEncoder};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::budget;
use crate::field_class::Classes;
use crate::redaction::{self, Unreadable};
use crate::weight::{self, Refused};

/// What a server answers: a message, or one that is encoded already, as the register keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply<M> {
    /// The message.
    Message(M),
    /// What [`Message::encode`] makes of it.
    Encoded(Bytes),
}

impl<M: Message + Default> Reply<M> {
    /// The message, read where it is encoded.
    ///
    /// # Errors
    /// Where what is encoded is no such message.
    pub fn decode(self) -> Result<M, DecodeError> {
        match self {
            Self::Message(message) => Ok(message),
            Self::Encoded(bytes) => M::decode(bytes),
        }
    }
}

impl<M: prost::Name> Reply<M> {
    /// The message as those see it who see these classes; as it is where nothing of it is hidden.
    ///
    /// # Errors
    /// Where what is encoded is no such message.
    pub fn redacted(self, visible: Classes) -> Result<Self, Unreadable> {
        if visible.is_all() {
            return Ok(self);
        }
        let name = M::full_name();
        let encoded = match self {
            whole if !redaction::hides(&name, visible) => return Ok(whole),
            Self::Message(message) => message.encode_to_vec().into(),
            Self::Encoded(bytes) => bytes,
        };
        redaction::redact(&name, encoded, visible).map(Self::Encoded)
    }
}

impl<M> From<M> for Reply<M> {
    fn from(message: M) -> Self {
        Self::Message(message)
    }
}

impl<M: Default> Default for Reply<M> {
    fn default() -> Self {
        Self::Message(M::default())
    }
}

impl<M: Message + Default> Message for Reply<M> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        match self {
            Self::Message(message) => message.encode_raw(buffer),
            Self::Encoded(bytes) => buffer.put_slice(bytes),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        let mut message = std::mem::take(self).decode()?;
        let merged = message.merge_field(tag, wire_type, buffer, context);
        *self = Self::Message(message);
        merged
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Message(message) => message.encoded_len(),
            Self::Encoded(bytes) => bytes.len(),
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The codec of the generated clients and servers.
#[derive(Debug, Clone, Copy)]
pub struct Checked<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Checked<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Checked<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CheckedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckedDecoder(PhantomData)
    }
}

/// Reads messages of one type.
#[derive(Debug, Clone, Copy)]
pub struct CheckedDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for CheckedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        U::decode(bytes).map(Some).map_err(malformed)
    }
}

/// The codec of the generated servers: as [`Checked`], but a request is weighed before it is decoded.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Weighed<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Weighed<T, U>
where
    T: Message + Send + 'static,
    U: Message + prost::Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WeighedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        WeighedDecoder {
            message: U::full_name(),
            of: PhantomData,
        }
    }
}

/// Reads messages of one type that are not too heavy.
#[derive(Debug, Clone)]
pub struct WeighedDecoder<U> {
    message: String,
    of: PhantomData<U>,
}

impl<U: Message + Default> Decoder for WeighedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let weight = if bytes.chunk().len() == bytes.remaining() {
            weight::weigh(&self.message, bytes.chunk())
        } else {
            // tonic gathers a message in one piece; should it ever not, this one is put together.
            let whole = bytes.copy_to_bytes(bytes.remaining());
            weight::weigh(&self.message, &whole).map_err(refused)?;
            return U::decode(whole).map(Some).map_err(malformed);
        };
        budget::take(weight.map_err(refused)?)?;
        U::decode(bytes).map(Some).map_err(malformed)
    }
}

/// Messages of any method as the bytes that they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
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

/// A request that is not decoded, as an error with the path of the field.
fn refused(refused: Refused) -> Status {
    let (reason, field, said) = match refused {
        Refused::Malformed(what) => return unreadable(String::new(), format!("the message cannot be read: {what}")),
        Refused::TooMany { field, most } => ("REPEATED_MAX_ITEMS", field, format!("must have at most {most} items")),
        Refused::TooComplex { field, place, most } => {
            let said = format!(
                "with item {place} the message takes more than {most} bytes of memory, {} times its own size and {} KiB: \
                 leave out items that say nothing, or send fewer at once",
                weight::TIMES,
                weight::BESIDE >> 10
            );
            ("MESSAGE_TOO_COMPLEX", field, said)
        }
    };
    let message = format!("{field}: {said}");
    invalid(reason, field, said, message)
}

/// The refusal of bytes that are no such message, with the path of the field where that is known.
pub fn unreadable(field: String, message: String) -> Status {
    invalid("MESSAGE_MALFORMED", field, message.clone(), message)
}

fn invalid(reason: &str, field: String, said: String, message: String) -> Status {
    let mut metadata = HashMap::new();
    if !field.is_empty() {
        metadata.insert("field".to_owned(), field.clone());
    }
    let mut details = ErrorDetails::with_error_info(reason, "mingce", metadata);
    let mut violation = FieldViolation::new(field, said);
    violation.reason = reason.to_owned();
    details.set_bad_request(vec![violation]);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// prost names the field and what is wrong with it, never what stands there. The error stays in the status as its
/// source: a client so tells an answer that it cannot read itself from a request that the server could not read.
fn malformed(error: prost::DecodeError) -> Status {
    let text = error.to_string();
    let what = text
        .strip_prefix("failed to decode Protobuf message: ")
        .unwrap_or(&text);
    let mut status = unreadable(path(what), format!("the message cannot be read: {what}"));
    status.set_source(Arc::new(error));
    status
}

/// The path of the field that prost names as `Lab.names: Name.text: `, each message with its field, before it says what is wrong.
fn path(what: &str) -> String {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let steps = what.split(": ").map_while(|step| step.split_once('.'));
    let fields = steps.take_while(|(message, field)| plain(message) && plain(field));
    fields.map(|(_, field)| field).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use proptest::prelude::*;
    use tonic::Streaming;

    use super::*;
    use crate::registry::Name;

    /// Reads `message` as it would come over the wire.
    fn read(message: &[u8]) -> Result<Name, Status> {
        let mut framed = vec![0];
        framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend_from_slice(message);
        let decoder = Checked::<Name, Name>::default().decoder();
        let mut stream = Streaming::new_request(decoder, Full::new(Bytes::from(framed)), None, None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stream.message()).map(Option::unwrap)
    }

    #[test]
    fn invalid_utf_8_a_cut_message_and_an_unknown_wire_type_are_the_senders_fault() {
        for bytes in [
            &[0x0a, 2, 0xff, 0xfe][..],
            &[0x0a, 9, b'a'],
            &[0x0f],
            &[0x0b, 0x0a],
            &[0x00],
        ] {
            let status = read(bytes).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{bytes:?}");
            assert_eq!(status.get_details_error_info().unwrap().reason, "MESSAGE_MALFORMED");
            let wrong = &status.get_details_bad_request().unwrap().field_violations[0];
            assert_eq!(wrong.reason, "MESSAGE_MALFORMED");
            assert_eq!(wrong.description, status.message());
        }
        let named = read(&[0x0a, 2, 0xff, 0xfe]).unwrap_err();
        assert!(named.message().contains("Name.text"), "{}", named.message());
        assert_eq!(
            named.get_details_bad_request().unwrap().field_violations[0].field,
            "text"
        );
    }

    #[test]
    fn the_path_of_what_cannot_be_read_leads_through_the_messages_around_it() {
        for (what, path) in [
            (
                "CreateLabRequest.lab: Lab.names: Name.text: invalid string value",
                "lab.names.text",
            ),
            (
                "Lab.names: invalid wire type: Varint (expected LengthDelimited)",
                "names",
            ),
            ("buffer underflow", ""),
            ("unexpected type URL.type_url: expected type URL", ""),
        ] {
            assert_eq!(super::path(what), path, "{what}");
        }
    }

    proptest! {
        #[test]
        fn a_reply_is_the_same_on_the_wire_whether_it_was_encoded_before_or_not(text in ".*", kind in any::<i32>()) {
            let name = Name { text, kind, ..Name::default() };
            let encoded = Reply::<Name>::Encoded(name.encode_to_vec().into());
            let message = Reply::from(name.clone());
            prop_assert_eq!(encoded.encode_to_vec(), message.encode_to_vec());
            prop_assert_eq!(encoded.encoded_len(), message.encoded_len());
            prop_assert_eq!(Reply::<Name>::decode(encoded).unwrap(), name.clone());
            let read = <Reply<Name> as Message>::decode(name.encode_to_vec().as_slice()).unwrap();
            prop_assert_eq!(read, Reply::Message(name));
        }

        #[test]
        fn what_was_written_is_read(text in ".*", language in ".*", kind in any::<i32>()) {
            let name = Name { text, language, kind, ..Name::default() };
            prop_assert_eq!(read(&name.encode_to_vec()).unwrap(), name);
        }

        #[test]
        fn any_bytes_are_a_message_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(status) = read(&bytes) {
                prop_assert_eq!(status.code(), Code::InvalidArgument);
            }
        }
    }
}
