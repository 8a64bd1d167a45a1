//! What a mapping is: parts, fields and texts, as the compiler makes them of its TOML.

use std::collections::HashMap;
use std::path::Path;

use mingce_proto::collections;
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde::Deserialize;

use crate::collection::Collection;
use crate::date::{Bound, DateForm};
use crate::error::Error;
use crate::options::Options;
use crate::template::{Clean, Template};
use regex::Regex;

/// The mappings that ship, by name.
pub const SHIPPED: [(&str, &str); 3] = [
    (
        "ror-organizations",
        include_str!("../../../mappings/ror-organizations.toml"),
    ),
    ("ror-labs", include_str!("../../../mappings/ror-labs.toml")),
    ("nobel", include_str!("../../../mappings/nobel.toml")),
];

/// What the columns of a kind of file mean.
#[derive(Debug)]
pub struct Mapping {
    pub(crate) name: String,
    pub(crate) options: Options,
    pub(crate) parts: Vec<Part>,
    pub(crate) columns: Columns,
    pub(crate) fill_down: Vec<usize>,
    /// Columns whose values stand in rows of their own, from the outer to the inner.
    pub(crate) sections: Vec<(usize, Text)>,
}

/// One collection that a file holds resources of.
#[derive(Debug)]
pub struct Part {
    pub(crate) collection: &'static Collection,
    pub(crate) message: MessageDescriptor,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// The columns are the resource's fields, as an export writes them.
    Plain,
    /// Columns are mapped to fields.
    Mapped { join: Vec<usize>, group: Group },
}

/// The columns that a mapping speaks of: those of the file and those that it derives.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    pub(crate) derived: Vec<Option<Vec<Text>>>,
    pub(crate) clean: Vec<Clean>,
}

/// The fields of one message and the rows that do not count for it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) skip: Vec<Condition>,
    pub(crate) fields: Vec<(FieldDescriptor, Filling)>,
}

/// What fills a field.
#[derive(Debug)]
pub(crate) enum Filling {
    /// One value: the first of these texts that is not empty.
    Value(Vec<Text>),
    /// One message.
    Message(Group),
    /// Several values or messages, from each entry in order.
    List(Vec<Entry>),
}

/// One source of the items of a repeated field.
#[derive(Debug)]
pub(crate) enum Entry {
    Value(Text),
    Message {
        group: Group,
        split: Option<Split>,
        join: Vec<usize>,
    },
}

/// A text and what is done to it.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) from: Template,
    pub(crate) clean: Vec<Clean>,
    pub(crate) values: Option<HashMap<String, String>>,
    pub(crate) other: Option<String>,
    /// The part of the cell that is meant: the first group, or the whole; nothing where it does not match.
    pub(crate) pattern: Option<Regex>,
    /// What is taken out of the cell.
    pub(crate) remove: Option<Regex>,
    pub(crate) date: Option<DateForm>,
    pub(crate) range: Option<Bound>,
    pub(crate) units: Option<HashMap<String, u64>>,
    pub(crate) times: u64,
    pub(crate) split: Option<Split>,
    pub(crate) rows: Rows,
    pub(crate) skip: Vec<Condition>,
}

/// Cells that hold several values.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) by: Vec<String>,
    pub(crate) columns: Vec<usize>,
}

/// What joined rows that differ mean for one value.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rows {
    /// They must agree; the resource is refused where they do not.
    #[default]
    Agree,
    /// The first that says something.
    First,
    /// The value that all rows of the resource have; nothing where they differ.
    Same,
    /// The value, but nothing where all rows of the resource have the same.
    Differ,
}

/// A row does not count where a column has, or has not, one of these values.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) column: usize,
    pub(crate) values: Vec<String>,
    pub(crate) equal: bool,
    pub(crate) because: String,
}

impl Mapping {
    /// The mapping that `--as` names: one that ships, a collection, or the path of a TOML file.
    pub fn find(name: &str) -> Result<Mapping, Error> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Mapping::parse(name, text);
        }
        if let Some(collection) = Collection::find(name) {
            return Mapping::plain(collection);
        }
        let path = Path::new(name);
        if path.extension().is_none() && !path.is_file() {
            let shipped = SHIPPED.map(|(n, _)| n).join(", ");
            return Err(Error::UnknownMapping {
                name: name.to_owned(),
                shipped,
                collections: Collection::labels(),
                meant: collections::meant(name).map_or(String::new(), |meant| format!(" (you may mean {meant})")),
            });
        }
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(name, e))?;
        Mapping::parse(name, &text)
    }

    /// The mapping of what an export of `collection` writes.
    pub fn plain(collection: &'static Collection) -> Result<Mapping, Error> {
        let part = Part {
            collection,
            message: collection.descriptor()?,
            content: Content::Plain,
        };
        Ok(Mapping {
            name: collection.label.to_owned(),
            options: Options::default(),
            parts: vec![part],
            columns: Columns::default(),
            fill_down: Vec::new(),
            sections: Vec::new(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How files of this kind are to be read. What the caller knows better goes over it.
    pub fn options(&self) -> Options {
        self.options.clone()
    }

    /// Its parts in the order in which they are to be loaded.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Columns {
    pub(crate) fn set(&mut self, column: usize, texts: Vec<Text>) {
        if let Some(place) = self.derived.get_mut(column) {
            *place = Some(texts);
        }
    }

    /// The texts of a derived column; none for a column of the file.
    pub(crate) fn texts(&self, column: usize) -> Option<&[Text]> {
        self.derived.get(column).and_then(Option::as_deref)
    }

    /// A column's header.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }

    /// The columns of the file that a column stands for, itself or those it is derived from.
    pub(crate) fn of_file(&self, column: usize, found: &mut Vec<usize>) {
        let mut seen = Vec::new();
        let mut waiting = vec![column];
        while let Some(column) = waiting.pop() {
            match self.texts(column) {
                None if found.contains(&column) => {}
                None => found.push(column),
                // Several may be made of one, and before they are checked one may be made of itself.
                Some(_) if seen.contains(&column) => {}
                Some(texts) => {
                    seen.push(column);
                    let from = waiting.len();
                    waiting.extend(texts.iter().flat_map(|t| t.from.columns()));
                    // The first of them is the next.
                    if let Some(added) = waiting.get_mut(from..) {
                        added.reverse();
                    }
                }
            }
        }
    }

    /// Refuses derived columns that need themselves, and those that would take too long to work out in each row.
    pub(crate) fn check_cycles(&self) -> Result<(), Error> {
        let mut visits = vec![Visit::New; self.names.len()];
        (0..self.names.len()).try_for_each(|column| self.visit(column, &mut visits, 0).map(|_| ()))
    }

    /// How many cells a column takes, each counted as often as it is asked for, and over how many others it leads. Each
    /// column is looked at once.
    fn visit(&self, column: usize, visits: &mut [Visit], above: usize) -> Result<(u64, usize), Error> {
        let wrong = |problem: String| Err(Error::mapping(format!("columns.{}", self.name(column)), problem));
        let too_deep = || format!("derived columns lead over more than {DEEPEST} others; make it of fewer");
        match visits.get_mut(column) {
            Some(Visit::Done(cells, deep)) => return Ok((*cells, *deep)),
            Some(Visit::Open) => {
                return wrong("a derived column that needs itself; give it a name of its own".to_owned());
            }
            Some(visit) => *visit = Visit::Open,
            None => return Ok((1, 0)),
        }
        let (mut cells, mut deep) = (1u64, 0);
        for text in self.texts(column).unwrap_or_default() {
            let conditions = text.skip.iter().map(|c| c.column);
            for used in text.from.columns().chain(conditions) {
                if above >= DEEPEST {
                    return wrong(too_deep());
                }
                let (more, below) = self.visit(used, visits, above + 1)?;
                cells = cells.saturating_add(more);
                deep = deep.max(below + 1);
            }
        }
        if cells > MOST_CELLS {
            let said = format!("takes the cells of more than {MOST_CELLS} columns in each row; make it of fewer");
            return wrong(said);
        }
        if deep > DEEPEST {
            return wrong(too_deep());
        }
        if let Some(visit) = visits.get_mut(column) {
            *visit = Visit::Done(cells, deep);
        }
        Ok((cells, deep))
    }
}

/// The most cells that a derived column takes, directly and over others, each counted as often as it is asked for.
const MOST_CELLS: u64 = 10_000;
/// Over how many others a derived column leads at most.
const DEEPEST: usize = 100;

/// What is known of a column on the way through all of them.
#[derive(Clone, Copy)]
enum Visit {
    New,
    /// It is on the way that leads here.
    Open,
    /// How many cells it takes, and over how many others it leads.
    Done(u64, usize),
}
