//! The messages of the contract as their bytes are read before they are decoded: to be weighed, and for their texts.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::encoding::WireType;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::names::POOL;
use crate::texts::{self, Text};
use crate::weight;

mod sizes {
    include!(concat!(env!("OUT_DIR"), "/sizes.rs"));
}

/// Messages in messages go no deeper. prost has the same limit.
pub(crate) const DEEPEST: usize = 100;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Text,
    Scalar(usize),
    /// A message by its place among the shapes; its own memory is apart from that of the message that has it.
    Message {
        shape: usize,
        apart: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Field {
    pub name: Box<str>,
    pub form: Form,
    /// What it is for, of a text.
    pub text: Option<Text>,
    /// Its place among the repeated fields of its message.
    pub slot: Option<usize>,
    /// How many elements the contract allows.
    pub most: usize,
    /// Also in a message of a stream, which else is refused with its row alone.
    pub always: bool,
}

/// What is known of a message of the contract.
#[derive(Debug)]
pub(crate) struct Shape {
    pub size: usize,
    /// By number.
    pub fields: Vec<Option<Field>>,
    /// How many repeated fields it has.
    pub slots: usize,
    /// So many bytes of it take no more memory than is allowed, whatever they say.
    pub light: usize,
    /// One of many in a stream. An element too much refuses its row and not all others.
    pub streams: bool,
}

/// The messages of the contract, and the place of each by its full name.
pub(crate) struct Shapes {
    pub all: Vec<Shape>,
    pub places: HashMap<String, usize>,
    /// So many bytes are light in each of them.
    pub light: usize,
}

pub(crate) static SHAPES: LazyLock<Shapes> = LazyLock::new(shapes);

/// Whether the size of a message is known, and not only bounded.
#[cfg(test)]
pub(crate) fn is_measured(message: &str) -> bool {
    sizes::SIZES.iter().any(|(name, _)| *name == message)
}

/// The next field of an encoded message: its number, what it holds where that has a length, and what follows.
pub(crate) fn next(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let mut rest = bytes;
    let (number, kind) = prost::encoding::decode_key(&mut rest).ok()?;
    let length = match kind {
        WireType::LengthDelimited => {
            let length = prost::encoding::decode_varint(&mut rest).ok()?;
            let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            return Some((number as usize, content, rest));
        }
        WireType::Varint => {
            prost::encoding::decode_varint(&mut rest).ok()?;
            0
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    Some((number as usize, &[], rest.get(length..)?))
}

fn shapes() -> Shapes {
    let messages: Vec<MessageDescriptor> = POOL.all_messages().collect();
    let places: HashMap<String, usize> = messages
        .iter()
        .enumerate()
        .map(|(place, message)| (message.full_name().to_owned(), place))
        .collect();
    let sizes: HashMap<&str, usize> = sizes::SIZES.iter().copied().collect();
    let streamed: Vec<String> = POOL
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(prost_reflect::MethodDescriptor::is_client_streaming)
        .map(|method| method.input().full_name().to_owned())
        .collect();
    let mut all: Vec<Shape> = messages
        .iter()
        .map(|message| {
            let mut slots = 0;
            let mut fields = Vec::new();
            for field in message.fields() {
                // Numbers beyond are of options and extensions, which nobody sends.
                let Some(number) = usize::try_from(field.number()).ok().filter(|number| *number < 1000) else {
                    continue;
                };
                if fields.len() <= number {
                    fields.resize_with(number + 1, || None);
                }
                if let Some(place) = fields.get_mut(number) {
                    *place = Some(form(&field, &places, &mut slots));
                }
            }
            Shape {
                // Of types that are not in the table none is larger than this, by far.
                size: sizes.get(message.full_name()).copied().unwrap_or(1024),
                fields,
                slots,
                light: 0,
                streams: streamed.iter().any(|name| name == message.full_name()),
            }
        })
        .collect();
    for place in 0..all.len() {
        let light = weight::light(&all, place);
        if let Some(shape) = all.get_mut(place) {
            shape.light = light;
        }
    }
    let light = all.iter().map(|shape| shape.light).min().unwrap_or(0);
    Shapes { all, places, light }
}

fn form(field: &FieldDescriptor, places: &HashMap<String, usize>, slots: &mut usize) -> Field {
    let mask = field.full_name() == "google.protobuf.FieldMask.paths";
    let repeated = field.is_list() || field.is_map();
    let slot = repeated.then_some(*slots);
    *slots += usize::from(repeated);
    let form = match field.kind() {
        Kind::Message(of) => Form::Message {
            shape: places.get(of.full_name()).copied().unwrap_or(usize::MAX),
            apart: field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()),
        },
        Kind::String | Kind::Bytes => Form::Text,
        Kind::Bool => Form::Scalar(1),
        Kind::Double | Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => Form::Scalar(8),
        _ => Form::Scalar(4),
    };
    Field {
        name: field.name().into(),
        form,
        text: matches!(field.kind(), Kind::String).then(|| texts::of(field)),
        slot,
        most: if mask {
            weight::MOST_PATHS
        } else {
            most_items(field).unwrap_or(usize::MAX)
        },
        always: mask,
    }
}

/// How many elements the rules of the contract allow a field.
fn most_items(field: &FieldDescriptor) -> Option<usize> {
    let extension = POOL.get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let rules = options.get_extension(&extension);
    let repeated = rules.as_message()?.get_field_by_name("repeated")?;
    let repeated = repeated.as_message()?;
    if !repeated.has_field_by_name("max_items") {
        return None;
    }
    let most = repeated.get_field_by_name("max_items")?.as_u64()?;
    usize::try_from(most).ok()
}
