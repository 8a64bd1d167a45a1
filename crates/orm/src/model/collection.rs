//! What the ORM crate has to know of a resource: its names, columns, keys and rules. Everything else is generic.

use mingce_proto::{Headed, Validate};
use prost::Message;

use crate::error::{Result, Violation};
use crate::model::cell::Cell;
use crate::model::column::Column;
use crate::model::key::Key;
use crate::model::kind::Kind;
use crate::model::likeness::Likeness;
use crate::model::visible_columns::{classified, filterable};
use crate::text;
use crate::write::unit_of_work::UnitOfWork;

/// A column and how it is read from the resource.
#[derive(Debug)]
pub struct Field<C: Collection> {
    /// Its name and type.
    pub column: Column,
    /// Its value.
    pub get: fn(&C::Item) -> Cell,
}

/// The kind of a resource with the readers of its columns. One for each type, made once.
#[derive(Debug)]
pub struct Shape<C: Collection> {
    /// The kind.
    pub kind: Kind,
    pub(super) get: Vec<fn(&C::Item) -> Cell>,
    /// By column: the token of having a value, where its values are tokens.
    pub(super) has_value: Vec<String>,
}

impl<C: Collection> Shape<C> {
    /// The shape of a resource with these columns.
    pub fn new(fields: Vec<Field<C>>) -> Self {
        let named = mingce_proto::names::fields(C::MESSAGE);
        let numbers = |names: &[&str]| {
            let listed = named.iter().filter(|(_, name)| names.contains(&name.as_str()));
            listed.map(|(number, _)| *number).collect()
        };
        let own: Vec<Column> = fields.iter().map(|f| classified(f.column, C::MESSAGE)).collect();
        let kind = Kind {
            filterable: filterable(&own, C::MESSAGE),
            columns: own,
            private: numbers(C::PRIVATE),
            output_only: numbers(C::OUTPUT_ONLY),
            full_only: numbers(C::FULL_ONLY),
            collection: C::COLLECTION,
            segment: C::SEGMENT,
            parent: C::PARENT,
            table: C::TABLE,
            singular: C::SINGULAR,
            sealed: !C::PRIVATE.is_empty(),
            by_name: C::BY_NAME,
            fields: named,
            message: C::MESSAGE,
        };
        let has_value = |column: &Column| match column.search_only {
            true => text::value_token(column.name, None),
            false => String::new(),
        };
        Self {
            has_value: kind.columns.iter().map(has_value).collect(),
            kind,
            get: fields.into_iter().map(|f| f.get).collect(),
        }
    }
}

/// The message of a resource.
pub trait Item: Message + Headed + Validate + Default + Clone + PartialEq + 'static {}
impl<M: Message + Headed + Validate + Default + Clone + PartialEq + 'static> Item for M {}

/// A collection of the register, for example all labs: what its resources hold and by which rules. The type that
/// implements it has no values; it belongs to the service that owns the collection, while the message is the contract's.
pub trait Collection: Send + Sync + Sized + 'static {
    /// The message of its resources.
    type Item: Item;
    /// The full name of the message in the contract, for example `mingce.labs.v1.Lab`.
    const MESSAGE: &'static str;
    /// What it is called outside of resource names: one of [`mingce_proto::collections`].
    const COLLECTION: &'static str;
    /// Last collection of its resources' names, for example `designations` where `COLLECTION` is `labDesignations`.
    const SEGMENT: &'static str = Self::COLLECTION;
    /// Collection of the parent and the column that holds the parent's name.
    const PARENT: Option<(&'static str, &'static str)> = None;
    /// Its table.
    const TABLE: &'static str;
    /// A resource's field in requests.
    const SINGULAR: &'static str;
    /// How lists are ordered when nothing is said.
    const DEFAULT_ORDER: &'static str = "display_name";
    /// Fields beside those of [`crate::model::head::Head`] that callers cannot set.
    const OUTPUT_ONLY: &'static [&'static str] = &[];
    /// Output-only fields that follow from a reference: the reference and the field.
    const DERIVED: &'static [(&'static str, &'static str)] = &[];
    /// Fields that VIEW_BASIC leaves out.
    const FULL_ONLY: &'static [&'static str] = &[];
    /// Fields that are sealed, and absent from answers, the ledger and logs.
    const PRIVATE: &'static [&'static str] = &[];
    /// Whether a row of an import without a known key is matched by its name (see [`Collection::is_same`]).
    const BY_NAME: bool = false;

    /// Its kind and columns.
    fn shape() -> &'static Shape<Self>;
    /// Resource name of the parent, where resources have one.
    fn parent(_item: &Self::Item) -> &str {
        ""
    }
    /// The name that a resource is sorted by.
    fn title(item: &Self::Item) -> &str;
    /// The names by which a resource is found.
    fn searched(item: &Self::Item) -> Vec<&str> {
        vec![Self::title(item)]
    }
    /// The unique keys that a resource holds.
    fn keys(item: &Self::Item) -> Vec<Key>;
    /// Brings a resource into its stored form (canonical identifiers, ranks, derived fields) and answers what is
    /// wrong with it. Field paths start below the resource.
    fn normalize(item: &mut Self::Item) -> Vec<Violation>;
    /// Refuses what callers may not write by themselves, because only a verb of its life cycle does: a record of history that is
    /// undecided (`stored` is `None`), or a state set by hand.
    ///
    /// # Errors
    /// With what would be right.
    fn check_write(_stored: Option<&Self::Item>, _new: &Self::Item) -> Result<()> {
        Ok(())
    }
    /// Refuses what a row of an import would change, where that is more than what nobody may write.
    ///
    /// # Errors
    /// With what would be right.
    fn check_import(_row: &Self::Item, _stored: &Self::Item) -> Result<()> {
        Ok(())
    }
    /// The fields by which a resource names another of its collection, and that do not lead back to it. Looked at in the transaction
    /// that writes them.
    fn acyclic_references() -> &'static [AcyclicReference<Self>] {
        &[]
    }
    /// Whether a row of an import, as it was given, may name others of its collection.
    fn names_others(_row: &Self::Item) -> bool {
        !Self::acyclic_references().is_empty()
    }
    /// Whether what is made, imported or updated can stand beside what is there, where no key of it can say so. Asked in the
    /// transaction that writes it; `stored` is what it was. Verbs have their guards.
    ///
    /// # Errors
    /// With what stands in the way, and while something is not loaded.
    fn check_beside(_work: &mut UnitOfWork, _stored: Option<&Self::Item>, _new: &Self::Item) -> Result<()> {
        Ok(())
    }
    /// Whether two records can become one. Asked in the transaction that merges them, before anything is changed.
    ///
    /// # Errors
    /// With what stands in the way, and while something is not loaded.
    fn check_merge(_work: &mut UnitOfWork, _duplicate: &Self::Item, _stays: &Self::Item) -> Result<()> {
        Ok(())
    }
    /// What else changes, in the same transaction, when a resource turns out to be one that should not have been made.
    ///
    /// # Errors
    /// While something is not loaded.
    fn on_annul(
        _work: &mut UnitOfWork,
        _cx: &crate::RequestContext,
        _stamp: &crate::AuditInfo,
        _stored: &Self::Item,
    ) -> Result<()> {
        Ok(())
    }
    /// Gives a resource this name to be sorted by. For collections that are matched by name.
    fn rename(_item: &mut Self::Item, _title: &str) {}
    /// Whether it was looked for in another way before a row of an import is taken, so that one that has no key may be made.
    fn is_sought(_row: &Self::Item) -> bool {
        false
    }
    /// Whether a row of an import without a known key means this stored resource, by a name that it bears now or by another.
    ///
    /// # Errors
    /// Where something has to be loaded first.
    fn is_same(_work: &mut UnitOfWork, _row: &Self::Item, _stored: &Self::Item) -> Result<Fit> {
        Ok(Fit::No)
    }
    /// Why a row of an import that shares a key with this stored resource cannot mean it. `by_own`: one of the keys that they share
    /// is of a sort that one subject has alone and keeps (see [`crate::model::identifier::identifies`]).
    fn contradicts(_row: &Self::Item, _stored: &Self::Item, _by_own: bool) -> Option<Violation> {
        None
    }
    /// What a change of a stored resource (as it is shown) may not set, though it is right by itself: the field, and why. An update is refused
    /// with it; in a row of an import the field is left out.
    fn check_settable(_stored: &Self::Item, _given: &Self::Item) -> Option<Violation> {
        None
    }
    /// Puts lists whose order means nothing in the stored order, where nothing else of them is another.
    fn keep_order(_merged: &mut Self::Item, _stored: &Self::Item) {}
    /// Keeps, in what an import makes of a stored resource, what its source does not speak of: identifiers of other
    /// schemes, names that came with a merge, former names.
    fn preserve(_merged: &mut Self::Item, _stored: &Self::Item) {}
    /// Takes the names of a resource that is merged into this one, marked with where they come from.
    fn on_merge(_item: &mut Self::Item, _other: &Self::Item, _from: &str) {}
    /// Gives back what came with a merge.
    fn on_unmerge(_item: &mut Self::Item, _from: &str) {}
    /// What a likely duplicate of it would share. None for records that are not merged. Of those that an import matches by name
    /// ([`Collection::BY_NAME`]) the column `city` has to agree too, of others `birth_year`.
    fn likeness(_item: &Self::Item) -> Option<Likeness<'_>> {
        None
    }
    /// Names of the records that it was marked as distinct from. None for records that are not merged.
    fn distinct_from(_item: &mut Self::Item) -> Option<&mut Vec<String>> {
        None
    }
}

/// A field by which a record names another of its collection, as a child names its parent.
#[derive(Debug)]
pub struct AcyclicReference<C: Collection> {
    /// The field.
    pub field: &'static str,
    /// The reason of an error where it leads in a circle.
    pub reason: &'static str,
    /// The resource names in it; empty ones are none.
    pub next: fn(&C::Item) -> Vec<&str>,
}

/// How well a stored resource fits the name of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is another one.
    No,
    /// By a name of old, an alias or an acronym.
    Loose,
    /// By a name that it bears now.
    Now,
}
