//! The statements that write what edits changed. Few, of fixed text, so that they stay prepared.

use std::collections::BTreeSet;

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{DbBackend, Statement};

use crate::db::statement::{Insertion, StatementSink, bound, insert_made, most_rows, numbered, rows_of_text, table_of};
use crate::db::texts::Texts;
use crate::model::cell::Cell;
use crate::model::kind::Kind;
use crate::model::table_row::{Row, RowChange, WHOLE_NAME};
use crate::search_index::{gin_buckets, index};
use crate::write::commit_stamps::{CommitStamp, CommitStamps};

/// The column of the search tokens on PostgreSQL.
const TOKENS: &str = "tokens";

/// Writes what lies beside changed rows: keys and values. Nothing of it bears the number of the change.
pub(crate) fn write_beside(backend: DbBackend, rows: &[RowChange], put: &mut StatementSink<'_>) {
    let none = BTreeSet::new();
    for (kind, of_kind) in by_kind(rows) {
        let mut side = IndexDelta::default();
        for (before, after) in of_kind {
            let id = after.id.as_str();
            let old = before.as_ref();
            side.keys(id, old.map_or(&none, |r| &r.keys), &after.keys);
            side.values(WHOLE_NAME, id, old.map_or(&none, |r| &r.names), &after.names);
            for (place, column) in kind
                .columns
                .iter()
                .enumerate()
                .filter(|(_, c)| c.multi_valued && !c.search_only)
            {
                let was = old.and_then(|r| many(r, place)).unwrap_or(&none);
                let is = many(after, place).unwrap_or(&none);
                side.values(column.name, id, was, is);
            }
        }
        // In the order of the index that takes them.
        side.keys_new.sort_unstable();
        side.values_new.sort_unstable();
        KEYS.remove(backend, kind.table, &side.keys_gone, put);
        KEYS.insert(backend, kind.table, &side.keys_new, put);
        VALUES.remove(backend, kind.table, &side.values_gone, put);
        VALUES.insert(backend, kind.table, &side.values_new, put);
    }
}

/// Writes changed rows, and the search index where it is no column of theirs.
pub(crate) fn write(
    backend: DbBackend,
    rows: &[RowChange],
    stamps: &CommitStamps,
    put: &mut StatementSink<'_>,
) -> Result<(), sea_orm::DbErr> {
    for (kind, of_kind) in by_kind(rows) {
        write_rows(backend, kind, of_kind, stamps, put);
        index::write(backend, kind.table, of_kind, put)?;
    }
    Ok(())
}

fn by_kind(rows: &[RowChange]) -> impl Iterator<Item = (&'static Kind, &[RowChange])> {
    let of_kinds = rows.chunk_by(|a, b| a.1.kind.table == b.1.kind.table);
    of_kinds.filter_map(|of_kind| of_kind.first().map(|first| (first.1.kind, of_kind)))
}

#[derive(Default)]
struct IndexDelta<'a> {
    keys_gone: Vec<[&'a str; 2]>,
    keys_new: Vec<[&'a str; 2]>,
    values_gone: Vec<[&'a str; 3]>,
    values_new: Vec<[&'a str; 3]>,
}

impl<'a> IndexDelta<'a> {
    fn keys(&mut self, id: &'a str, was: &'a BTreeSet<String>, is: &'a BTreeSet<String>) {
        self.keys_gone.extend(was.difference(is).map(|key| [key.as_str(), id]));
        self.keys_new.extend(is.difference(was).map(|key| [key.as_str(), id]));
    }

    fn values(&mut self, field: &'a str, id: &'a str, was: &'a BTreeSet<String>, is: &'a BTreeSet<String>) {
        self.values_gone
            .extend(was.difference(is).map(|value| [field, value.as_str(), id]));
        self.values_new
            .extend(is.difference(was).map(|value| [field, value.as_str(), id]));
    }
}

fn many(row: &Row, place: usize) -> Option<&BTreeSet<String>> {
    match row.cells.get(place) {
        Some(Cell::Many(values)) => Some(values),
        _ => None,
    }
}

/// Names of the columns of a resource's own table, but for what one database has by itself.
pub(crate) fn columns(kind: &Kind) -> Vec<&'static str> {
    let mut names = vec![
        "id",
        "name",
        "revision",
        "record_status",
        "survivor",
        "create_time",
        "update_time",
        "sequence",
        "sort_key",
    ];
    names.extend(kind.columns.iter().filter(|c| !c.multi_valued).map(|c| c.name));
    names.push("body");
    if kind.sealed {
        names.push("sealed");
    }
    names
}

/// The texts that write rows.
static ROWS: Texts<(&'static str, usize)> = Texts::new();

fn write_rows(backend: DbBackend, kind: &Kind, rows: &[RowChange], stamps: &CommitStamps, put: &mut StatementSink<'_>) {
    let has_tokens = backend == DbBackend::Postgres;
    let values = rows.iter().map(|(_, row)| {
        let mut values = values(row, stamps.of(&row.head.name, row.head.revision));
        if has_tokens {
            values.push(gin_buckets::tokens(row).into());
        }
        values
    });
    let insertion = || {
        let mut names = columns(kind);
        if has_tokens {
            names.push(TOKENS);
        }
        let set: Vec<_> = names.iter().skip(1).map(|n| format!("{n} = excluded.{n}")).collect();
        Insertion {
            table: kind.table.to_owned(),
            columns: names,
            made: made_of,
            tail: format!(" ON CONFLICT (id) DO UPDATE SET {}", set.join(", ")),
        }
    };
    insert_made(backend, (&ROWS, kind.table), insertion, values, put);
}

/// The tokens of a row are bound as one text.
fn made_of(column: &str, value: String) -> String {
    match column {
        TOKENS => format!("array_to_tsvector(string_to_array({value}, ' '))"),
        _ => value,
    }
}

fn values(row: &Row, stamp: Option<&CommitStamp>) -> Vec<Value> {
    let head = &row.head;
    let mut values: Vec<Value> = vec![
        row.id.as_str().into(),
        head.name.as_str().into(),
        head.revision.into(),
        i64::from(head.record_status).into(),
        head.survivor.as_str().into(),
        stamp.map_or(0, |stamp| stamp.create_time).into(),
        stamp.map_or(0, |stamp| stamp.update_time).into(),
        stamp.map_or(0, |stamp| stamp.sequence).into(),
        row.sort_key.as_str().into(),
    ];
    values.extend(row.cells.iter().filter_map(|cell| match cell {
        Cell::Text(text) => Some(text.as_str().into()),
        Cell::Integer(number) => Some((*number).into()),
        Cell::Many(_) => None,
    }));
    values.push(stamp.map_or(&row.body, |stamp| &stamp.body).to_vec().into());
    if row.kind.sealed {
        // Nothing sealed is no bytes.
        values.push(row.sealed.clone().unwrap_or_default().into());
    }
    values
}

/// A table beside those of resources, which has a name with their name in it, and the texts that write it.
struct SideTable<const N: usize> {
    ending: &'static str,
    columns: [&'static str; N],
    insertions: Texts<(&'static str, usize)>,
    removals: Texts<(&'static str, usize)>,
}

static KEYS: SideTable<2> = SideTable::new("_keys", ["key", "id"]);
static VALUES: SideTable<3> = SideTable::new("_values", ["field", "value", "id"]);

impl<const N: usize> SideTable<N> {
    const fn new(ending: &'static str, columns: [&'static str; N]) -> Self {
        Self {
            ending,
            columns,
            insertions: Texts::new(),
            removals: Texts::new(),
        }
    }

    fn insert(&self, backend: DbBackend, of: &'static str, rows: &[[&str; N]], put: &mut StatementSink<'_>) {
        let rows = rows.iter().map(|row| row.iter().map(|text| (*text).into()).collect());
        let insertion = || Insertion::plain(format!("{of}{}", self.ending), &self.columns);
        insert_made(backend, (&self.insertions, of), insertion, rows, put);
    }

    fn remove(&self, backend: DbBackend, of: &'static str, rows: &[[&str; N]], put: &mut StatementSink<'_>) {
        for piece in rows.chunks(most_rows(backend)) {
            let text = self.removals.of(backend, (of, rows_of_text(backend, piece.len())), || {
                let picked: Vec<_> = (0..N).map(|n| format!("c{n}")).collect();
                // SQL: a list of rows, as of insertions.
                let text = format!(
                    "DELETE FROM {of}{} WHERE ({}) IN (SELECT {} FROM {} WHERE c0 IS NOT NULL)",
                    self.ending,
                    self.columns.join(", "),
                    picked.join(", "),
                    table_of(backend, &["text"; N], piece.len())
                );
                numbered(backend, &text).into_owned()
            });
            let rows = piece.iter().map(|row| row.iter().map(|text| (*text).into()).collect());
            let values = bound(backend, &vec![ArrayType::String; N], rows);
            put(Statement::from_sql_and_values(backend, &*text, values).into());
        }
    }
}
