//! What the ORM crate has to know of a resource: its names, columns, keys and rules. Everything else is generic.

use std::collections::BTreeSet;
use std::sync::Arc;

use mingce_proto::registry::RecordStatus;
use mingce_proto::{Headed, Validate};
use prost::Message;
use prost::bytes::Bytes;

use crate::error::{Error, Result, Violation};
use crate::id::Id;
use crate::model::column::Column;
use crate::model::likeness::Likeness;
use crate::model::message_fields;
use crate::model::vault::Vault;
use crate::text;
use crate::write::unit_of_work::UnitOfWork;

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

/// The field of the whole names that an import matches by, among the values of a resource's fields.
pub(crate) const WHOLE_NAME: &str = "=";

/// Whether a field is one of [`Head`], which the write path sets.
pub(crate) fn is_head(number: u32) -> bool {
    number <= HEAD_FIELDS || number == SEQUENCE
}

/// Whether a change of this field is a change of the resource.
pub(crate) fn is_change(number: u32) -> bool {
    !is_head(number) || CHANGED.contains(&number)
}

/// The value of a column in one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, a date or a resource name.
    Text(String),
    /// An integer, an enum's number, a time in microseconds, or 0 and 1.
    Integer(i64),
    /// The values of a column with several.
    Many(BTreeSet<String>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}
impl From<bool> for Cell {
    fn from(yes: bool) -> Self {
        Self::Integer(yes.into())
    }
}

impl Cell {
    /// The values of a column with several; empty ones are left out.
    pub fn many<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Many(
            values
                .into_iter()
                .filter(|v| !v.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }
}

/// A column and how it is read from the resource.
#[derive(Debug)]
pub struct Field<C: Collection> {
    /// Its name and type.
    pub column: Column,
    /// Its value.
    pub get: fn(&C::Item) -> Cell,
}

/// A unique key that an active or merged record holds: an identifier, a code, a number within its scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What kind of key, for example `identifiers/ror` or `code`.
    pub namespace: String,
    /// Its value, in its canonical form.
    pub value: String,
    /// Personal data: stored as a keyed blind index only.
    pub private: bool,
    /// It says what a record has alone, not which record it is: rows of an import are not matched by it.
    pub non_identifying: bool,
    /// The field that holds it, for errors.
    pub field: String,
}

impl Key {
    /// A key that anybody may see.
    pub fn new(space: impl Into<String>, value: impl Into<String>, field: impl Into<String>) -> Self {
        Self {
            namespace: space.into(),
            value: value.into(),
            private: false,
            non_identifying: false,
            field: field.into(),
        }
    }

    /// The same key as a claim, which nobody else can make and by which no record is known.
    #[must_use]
    pub fn non_identifying(mut self) -> Self {
        self.non_identifying = true;
        self
    }

    /// The key of an identifier. One in `identifiers` and one in a reference meet here.
    pub fn identifier(scheme: &str, value: &str, field: impl Into<String>) -> Self {
        Self::new(format!("identifiers/{scheme}"), value, field)
    }

    /// Whether a subject has it alone and keeps it: what shares it is the same subject.
    pub(crate) fn is_own(&self) -> bool {
        self.private
            || self
                .namespace
                .strip_prefix("identifiers/")
                .is_none_or(crate::model::identifier::identifies)
    }

    /// As the key stands in the database.
    pub(crate) fn stored(&self, vault: Option<&Vault>) -> Result<String> {
        match (self.private, vault) {
            (false, _) => Ok(format!("{}/{}", self.namespace, text::grouped(&self.value))),
            (true, Some(vault)) => Ok(format!(
                "{}/{}",
                self.namespace,
                vault.blind(&self.namespace, &self.value)
            )),
            (true, None) => Err(Error::internal("a private key needs a vault")),
        }
    }
}

/// A resource whose type is erased: what the tables are called and hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// What it is called outside of resource names, for example `labDesignations`.
    pub collection: &'static str,
    /// Last collection of its name, for example `designations`.
    pub segment: &'static str,
    /// Collection of the parent and the column that holds the parent's name, for example `("labs", "lab")`.
    pub parent: Option<(&'static str, &'static str)>,
    /// Its table, for example `lab_designations`; its side tables are called after it.
    pub table: &'static str,
    /// Its field in requests, for example `lab`.
    pub singular: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Whether a part of it is sealed.
    pub sealed: bool,
    /// Whether its whole names are kept beside its rows. Else they are found by the search index.
    pub(crate) by_name: bool,
    /// Its full name in the contract, for example `mingce.labs.v1.Lab`.
    pub message: &'static str,
    /// Number and name of its fields.
    pub fields: Vec<(u32, String)>,
    /// Numbers of the fields that are sealed, and of those that VIEW_BASIC leaves out.
    pub(crate) private: Vec<u32>,
    pub(crate) full_only: Vec<u32>,
    /// Numbers of the fields beside the head that callers cannot set.
    pub(crate) output_only: Vec<u32>,
}

impl Kind {
    /// The resource name of an id.
    pub fn name(&self, parent: Option<&str>, id: &str) -> String {
        match (self.parent, parent) {
            (Some((collection, _)), Some(parent)) => format!("{collection}/{parent}/{}/{id}", self.segment),
            _ => format!("{}/{id}", self.segment),
        }
    }

    /// The id in a resource name of this kind.
    pub fn id<'a>(&self, name: &'a str) -> Option<&'a str> {
        let parsed = crate::id::Name::parse(name)?;
        (parsed.collection == self.segment && parsed.parent_collection == self.parent.map(|p| p.0)).then_some(parsed.id)
    }

    /// The id in a resource name, or an error that says what a name looks like.
    pub fn expect<'a>(&self, name: &'a str, field: &str) -> Result<&'a str> {
        self.id(name).ok_or_else(|| {
            let like = self.name(self.parent.map(|_| "{id}"), "{id}");
            Error::invalid(
                field,
                "NAME_WRONG_KIND",
                format!("expected a resource name like {like}"),
            )
        })
    }

    /// The name of a field.
    pub(crate) fn field(&self, number: u32) -> &str {
        self.fields.iter().find(|f| f.0 == number).map_or("", |f| f.1.as_str())
    }

    /// Whether callers can set a field.
    pub(crate) fn is_writable(&self, number: u32) -> bool {
        !is_head(number) && !self.output_only.contains(&number)
    }
}

/// The kind of a resource with the readers of its columns. One for each type, made once.
#[derive(Debug)]
pub struct Shape<C: Collection> {
    /// The kind.
    pub kind: Kind,
    get: Vec<fn(&C::Item) -> Cell>,
    /// By column: the token of having a value, where its values are tokens.
    has_value: Vec<String>,
}

impl<C: Collection> Shape<C> {
    /// The shape of a resource with these columns.
    pub fn new(fields: Vec<Field<C>>) -> Self {
        let named = mingce_proto::names::fields(C::MESSAGE);
        let numbers = |names: &[&str]| {
            let listed = named.iter().filter(|(_, name)| names.contains(&name.as_str()));
            listed.map(|(number, _)| *number).collect()
        };
        let kind = Kind {
            private: numbers(C::PRIVATE),
            output_only: numbers(C::OUTPUT_ONLY),
            full_only: numbers(C::FULL_ONLY),
            collection: C::COLLECTION,
            segment: C::SEGMENT,
            parent: C::PARENT,
            table: C::TABLE,
            singular: C::SINGULAR,
            columns: fields.iter().map(|f| f.column).collect(),
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
    /// Fields beside those of [`Head`] that callers cannot set.
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
    fn acyclic_references() -> &'static [crate::model::validate::AcyclicReference<Self>] {
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

/// A resource as its tables hold it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub kind: &'static Kind,
    pub id: String,
    pub head: Head,
    pub sort_key: String,
    /// Where its name stands among all (see [`text::order_code`]).
    pub order_code: i64,
    pub cells: Vec<Cell>,
    /// Its search tokens, with a space between.
    pub tokens: String,
    /// Its whole names, folded, where an import matches by them.
    pub names: BTreeSet<String>,
    pub keys: BTreeSet<String>,
    /// The message as answers show it.
    pub body: Bytes,
    /// The private part, sealed.
    pub sealed: Option<Vec<u8>>,
}

/// A row as it was, if it was, and as it will be.
pub(crate) type RowChange = (Option<Row>, Arc<Row>);

/// The head of an encoded resource.
pub(crate) fn head(message: &[u8]) -> Result<Head> {
    // What it does not know of, a message passes over.
    Head::decode(message).map_err(Error::internal)
}

/// Reads a resource from its encoded form.
pub(crate) fn decode<C: Collection>(message: &[u8]) -> Result<C::Item> {
    C::Item::decode(message).map_err(Error::internal)
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

/// The value of a column of a resource's own table, as the row has it.
pub(crate) fn cell<C: Collection>(resource: &C::Item, head: &Head, column: &str) -> Result<Cell> {
    let time = |time: &Option<prost_types::Timestamp>| time.as_ref().map_or(0, crate::model::revision::micros);
    let shape = C::shape();
    Ok(match column {
        "sort_key" => Cell::Text(text::sort_key(C::title(resource))),
        "record_status" => Cell::Integer(head.record_status.into()),
        "create_time" => Cell::Integer(time(&head.create_time)),
        "update_time" => Cell::Integer(time(&head.update_time)),
        "survivor" => Cell::Text(head.survivor.clone()),
        "sequence" => Cell::Integer(head.sequence),
        name => {
            let place = shape.kind.columns.iter().position(|c| c.name == name);
            let column = place.and_then(|place| shape.kind.columns.get(place).zip(shape.get.get(place)));
            let (column, get) = column.ok_or_else(|| Error::internal(format!("{name} is no column")))?;
            comparable(column, get(resource))
        }
    })
}

/// The values of the columns of a resource, as its rows have them.
pub(crate) fn cells<C: Collection>(resource: &C::Item) -> Vec<Cell> {
    let shape = C::shape();
    let columns = shape.kind.columns.iter().zip(&shape.get);
    columns.map(|(column, get)| comparable(column, get(resource))).collect()
}

/// The whole names of a resource, folded, where an import matches by them.
pub(crate) fn whole_names<C: Collection>(resource: &C::Item) -> BTreeSet<String> {
    if C::BY_NAME {
        C::searched(resource).into_iter().map(text::fold).collect()
    } else {
        BTreeSet::new()
    }
}

/// A value in the form in which filters and statistics compare.
fn comparable(column: &Column, cell: Cell) -> Cell {
    let own = |text: String| match column.form(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(other) => other,
    };
    match cell {
        Cell::Text(text) => Cell::Text(own(text)),
        Cell::Many(values) => Cell::Many(values.into_iter().map(own).collect()),
        other => other,
    }
}

/// The tokens of a resource: those of its names, each whole name, and the values of fields that stand in the index.
pub(crate) fn tokens<C: Collection>(resource: &C::Item, cells: &[Cell]) -> String {
    let names = C::searched(resource);
    let mut tokens = text::tokens(names.iter().copied());
    names.iter().for_each(|name| tokens.add_text(&text::whole_name(name)));
    let shape = C::shape();
    for ((column, has_value), cell) in shape.kind.columns.iter().zip(&shape.has_value).zip(cells) {
        if let (true, Cell::Many(values)) = (column.search_only, cell) {
            if !values.is_empty() {
                tokens.add_text(has_value);
            }
            for value in values {
                tokens.add_text(&text::value_token(column.name, Some(value)));
            }
        }
    }
    tokens.sorted().join(" ")
}

/// The keys of a resource as the database holds them: none once it is annulled.
pub(crate) fn stored_keys<C: Collection>(
    resource: &C::Item,
    head: &Head,
    vault: Option<&Vault>,
) -> Result<BTreeSet<String>> {
    if head.record_status == RecordStatus::Annulled as i32 {
        return Ok(BTreeSet::new());
    }
    C::keys(resource).iter().map(|key| key.stored(vault)).collect()
}

/// A whole resource (private part included, `whole` in its encoded form) as its tables hold it, with its keys. `seal` turns the private
/// part into what is kept.
pub(crate) fn row<C: Collection>(
    resource: &C::Item,
    head: Head,
    whole: &Bytes,
    keys: BTreeSet<String>,
    seal: impl FnOnce(&str, &[u8]) -> Result<Vec<u8>>,
) -> Result<Row> {
    let shape = C::shape();
    let id = shape
        .kind
        .id(&head.name)
        .ok_or_else(|| Error::internal("a resource without a name"))?
        .to_owned();
    let hidden = private::<C>();
    let (body, part) = if hidden.is_empty() {
        (whole.clone(), Vec::new())
    } else {
        (
            message_fields::retain(whole, |n| !hidden.contains(&n))?.into(),
            message_fields::retain(whole, |n| hidden.contains(&n))?,
        )
    };
    let cells: Vec<Cell> = cells::<C>(resource);
    let sort_key = text::sort_key(C::title(resource));
    Ok(Row {
        kind: &shape.kind,
        order_code: text::order_code(&sort_key),
        sort_key,
        tokens: tokens::<C>(resource, &cells),
        cells,
        names: whole_names::<C>(resource),
        keys,
        sealed: if part.is_empty() { None } else { Some(seal(&id, &part)?) },
        body,
        head,
        id,
    })
}

/// An id that is the same for the same text: for records that a dry run takes as created.
pub fn name_based_id(text: &str) -> Id {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    Id::from_bytes(bytes)
}
