//! The fields that a caller can filter, sort and count by: those whose values the caller sees. One that is hidden is
//! answered as one that does not exist. docs/adr/0054-field-classes.md

use std::borrow::Cow;

use mingce_proto::Classes;
use mingce_proto::field_class::{needed, needed_for_value};
use mingce_proto::registry::{FieldClass, RecordStatus};

use crate::model::column::{Column, Period, Type, find};
use crate::model::kind::Kind;

const STATUS: &[(&str, i32)] = &[
    ("RECORD_STATUS_ACTIVE", RecordStatus::Active as i32),
    ("RECORD_STATUS_DUPLICATE", RecordStatus::Duplicate as i32),
    ("RECORD_STATUS_ANNULLED", RecordStatus::Annulled as i32),
];

/// A column of a message, with what has to be seen to know its values. Where the contract does not say it, only who sees
/// everything may use the column.
pub(super) fn classified(column: Column, message: &str) -> Column {
    let own = [column.name];
    let fields = if column.drawn_from.is_empty() {
        &own[..]
    } else {
        column.drawn_from
    };
    // How many there are is seen where they are; what one of them says, where all on the way to it is.
    let is_number = column.kind == Type::Integer;
    let needed_of = |field: &&str| match is_number {
        true => needed(message, field),
        false => needed_for_value(message, field),
    };
    let mut all = fields.iter().map(needed_of);
    let needed = all.try_fold(Classes::NONE, |all, one| Some(all.union(one?)));
    Column {
        needed: needed.unwrap_or(Classes::ALL),
        ..column
    }
}

/// All columns that a resource can be filtered by: its own, which are classified, and those of every resource.
pub(super) fn filterable(own: &[Column], message: &str) -> Vec<Column> {
    let mut columns = own.to_vec();
    for of in own.iter().filter(|column| column.calendar) {
        let others = Period::ALL.into_iter().filter(|(_, name)| find(own, name).is_none());
        columns.extend(others.map(|(period, name)| Column {
            needed: of.needed,
            ..Column::period(name, period, of.name)
        }));
    }
    let of_every_resource = [
        Column::one_of("record_status", STATUS),
        Column::time("create_time"),
        Column::time("update_time"),
        Column::integer("sequence"),
        // What a duplicate was merged into, and not what that was merged into.
        Column::resource("survivor", "labs/{id}").as_written(),
    ];
    columns.extend(of_every_resource.map(|column| classified(column, message)));
    columns
}

impl Kind {
    /// The columns that a caller may use who sees these classes.
    pub(crate) fn columns_for(&self, visible: Classes) -> Cow<'_, [Column]> {
        if visible.is_all() {
            return Cow::Borrowed(&self.filterable);
        }
        let shown = self.filterable.iter().filter(|column| visible.covers(column.needed));
        Cow::Owned(shown.copied().collect())
    }

    /// Columns of which the contract does not say who may use them: it has no such field, or one that nobody sees.
    pub fn unclassified_columns(&self) -> Vec<&'static str> {
        let all = self.filterable.iter();
        all.filter(|column| column.needed.sees(FieldClass::Sealed))
            .map(|column| column.name)
            .collect()
    }
}

/// The columns of a default order that are among these. A page token holds the values of the order: those of a hidden
/// column would stand in it.
pub(crate) fn shown_order<'a>(order: &'a str, columns: &[Column]) -> Cow<'a, str> {
    let is_shown = |key: &&str| {
        let name = key.split_whitespace().next();
        name.is_some_and(|name| find(columns, name).is_some())
    };
    let keys = order.split(", ");
    if keys.clone().all(|key| is_shown(&key)) {
        return Cow::Borrowed(order);
    }
    let shown: Vec<&str> = keys.filter(is_shown).collect();
    Cow::Owned(shown.join(", "))
}

#[cfg(test)]
#[path = "visible_columns_tests.rs"]
mod tests;
