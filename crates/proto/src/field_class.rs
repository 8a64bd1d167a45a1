//! Who may see the fields of answers: the class that the contract gives each of them, read from its descriptors once.
//! docs/adr/0054-field-classes.md

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::names::POOL;
use crate::registry::FieldClass;

/// The option that says it.
pub const OPTION: &str = "mingce.registry.v1.field_class";

/// A message that holds another one of any type.
const ANY: &str = "google.protobuf.Any";

/// A set of classes: what a caller sees, or what has to be seen for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Classes(u8);

impl Classes {
    /// No class: nothing is seen.
    pub const NONE: Self = Self(0);
    /// All classes: everything is seen.
    pub const ALL: Self = Self(0b1111);
    /// How many sets there are.
    pub(crate) const SETS: usize = 16;

    /// The set of these classes. The one that is not given is in no set.
    #[must_use]
    pub const fn of(classes: &[FieldClass]) -> Self {
        let mut all = Self::NONE;
        let mut rest = classes;
        while let [first, others @ ..] = rest {
            all = all.with(*first);
            rest = others;
        }
        all
    }

    /// The set with one more class.
    #[must_use]
    pub const fn with(self, class: FieldClass) -> Self {
        Self(self.0 | bit(class))
    }

    /// The set of all classes of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a field of this class is seen.
    pub const fn sees(self, class: FieldClass) -> bool {
        self.0 & bit(class) != 0
    }

    /// Whether all of these are in the set.
    pub const fn covers(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Whether everything is seen.
    pub const fn is_all(self) -> bool {
        self.covers(Self::ALL)
    }

    /// The classes of the fields that a caller may set, and is told of by name. Who sees what is personal may also give
    /// what is sealed, though nobody gets that back.
    #[must_use]
    pub const fn known(self) -> Self {
        if self.sees(FieldClass::Personal) {
            self.with(FieldClass::Sealed)
        } else {
            self
        }
    }

    /// Its place among all sets.
    pub(crate) const fn place(self) -> usize {
        self.0 as usize
    }
}

const fn bit(class: FieldClass) -> u8 {
    match class {
        FieldClass::Unspecified => 0,
        FieldClass::Public => 1,
        FieldClass::Internal => 1 << 1,
        FieldClass::Personal => 1 << 2,
        FieldClass::Sealed => 1 << 3,
    }
}

/// The class that a contract gives a field.
pub fn class_of(field: &FieldDescriptor) -> FieldClass {
    let Some(option) = field.parent_pool().get_extension_by_name(OPTION) else {
        return FieldClass::Unspecified;
    };
    let options = field.options();
    if !options.has_extension(&option) {
        return FieldClass::Unspecified;
    }
    match *options.get_extension(&option) {
        Value::EnumNumber(number) => FieldClass::try_from(number).unwrap_or_default(),
        _ => FieldClass::Unspecified,
    }
}

/// The first field of an answer that has no class, at any depth. `seen` are the messages that were looked at before. The
/// messages of protobuf itself, such as times, are values. An entry of a map has no place for a class, so an answer has
/// no maps.
pub fn unclassified(message: &MessageDescriptor, seen: &mut HashSet<String>) -> Option<FieldDescriptor> {
    if is_value(message) || !seen.insert(message.full_name().to_owned()) {
        return None;
    }
    message.fields().find_map(|field| match field.kind() {
        _ if class_of(&field) == FieldClass::Unspecified => Some(field),
        Kind::Message(inner) => unclassified(&inner, seen),
        _ => None,
    })
}

fn is_value(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("google.protobuf.")
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Value,
    /// A message, by its place in the contract.
    Message(usize),
    Any,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub number: u32,
    pub name: Box<str>,
    pub class: FieldClass,
    pub holds: Holds,
}

/// The messages of the contract, each with its fields, and the place of each by its full name.
#[derive(Debug)]
pub(crate) struct Contract {
    pub all: Vec<Vec<Field>>,
    pub places: HashMap<String, usize>,
}

pub(crate) static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::read(&POOL));

impl Contract {
    fn read(pool: &DescriptorPool) -> Self {
        let messages: Vec<MessageDescriptor> = pool.all_messages().filter(|message| !is_value(message)).collect();
        let places: HashMap<String, usize> = messages
            .iter()
            .enumerate()
            .map(|(place, message)| (message.full_name().to_owned(), place))
            .collect();
        let holds = |field: &FieldDescriptor| match field.kind() {
            Kind::Message(inner) if inner.full_name() == ANY => Holds::Any,
            Kind::Message(inner) => places
                .get(inner.full_name())
                .map_or(Holds::Value, |place| Holds::Message(*place)),
            _ => Holds::Value,
        };
        let fields = |message: &MessageDescriptor| {
            let fields = message.fields().map(|field| Field {
                number: field.number(),
                name: field.name().into(),
                class: class_of(&field),
                holds: holds(&field),
            });
            fields.collect()
        };
        let all = messages.iter().map(fields).collect();
        Self { all, places }
    }
}

/// What has to be seen to know the value at a path of a message, for example `hosts.organization.display_name`. `None`
/// where the contract has no such path, or gives no class to a field on it: nobody sees that.
pub fn needed(message: &str, path: &str) -> Option<Classes> {
    follow(message, path).map(|(needed, _)| needed)
}

/// The same where one value stands at the path, and no message of which something may be hidden.
pub fn needed_for_value(message: &str, path: &str) -> Option<Classes> {
    follow(message, path)
        .filter(|(_, holds)| *holds == Holds::Value)
        .map(|(needed, _)| needed)
}

/// What has to be seen for what stands at a path of a message, and what that is.
fn follow(message: &str, path: &str) -> Option<(Classes, Holds)> {
    let mut at = Holds::Message(*CONTRACT.places.get(message)?);
    let mut needed = Classes::NONE;
    for step in path.split('.') {
        let Holds::Message(place) = at else { return None };
        let fields = CONTRACT.all.get(place)?;
        let field = fields.iter().find(|field| &*field.name == step)?;
        if field.class == FieldClass::Unspecified {
            return None;
        }
        needed = needed.with(field.class);
        at = field.holds;
    }
    Some((needed, at))
}

/// Whether who sees these classes may name a path of a message, in a mask for example. A path that is hidden and one that
/// does not exist are the same.
pub fn may_name(message: &str, path: &str, visible: Classes) -> bool {
    needed(message, path).is_some_and(|needed| visible.known().covers(needed))
}

/// The fields of a message among these, by their names, of which a caller may be told. `None` where there were some and
/// none is left: what they tell of then did not happen for that caller.
pub fn told(message: &str, mut fields: Vec<String>, visible: Classes) -> Option<Vec<String>> {
    if visible.is_all() || fields.is_empty() {
        return Some(fields);
    }
    fields.retain(|field| may_name(message, field, visible));
    (!fields.is_empty()).then_some(fields)
}

#[cfg(test)]
#[path = "field_class_tests.rs"]
mod tests;
