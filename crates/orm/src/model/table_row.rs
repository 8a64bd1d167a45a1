//! A resource as its tables hold it: its row, with keys, cells and search tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use mingce_proto::registry::RecordStatus;
use prost::bytes::Bytes;

use crate::error::{Error, Result};
use crate::model::cell::Cell;
use crate::model::collection::Collection;
use crate::model::column::Column;
use crate::model::head::Head;
use crate::model::kind::Kind;
use crate::model::message_fields;
use crate::model::resource::private;
use crate::model::vault::Vault;
use crate::text;

/// The field of the whole names that an import matches by, among the values of a resource's fields.
pub(crate) const WHOLE_NAME: &str = "=";

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
