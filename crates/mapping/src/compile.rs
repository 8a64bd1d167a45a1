//! Makes a mapping of its TOML, checked against the contract: every wrong key is an error that names its place.

mod text;

use std::collections::HashMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use toml::{Table, Value as Toml};

use crate::collection::Collection;
use crate::error::Error;
use crate::options::Options;
use crate::spec::{Columns, Content, Entry, Filling, Group, Mapping, Part, Rows};
use crate::toml_spec::{FileSpec, OneOrMany, PartSpec};
use crate::value::SHARE;

impl Mapping {
    /// Reads a mapping from the text of a TOML file.
    pub fn parse(name: &str, text: &str) -> Result<Mapping, Error> {
        let file: FileSpec = toml::from_str(text).map_err(|e| {
            let problem = e.to_string();
            let quote = match problem.contains("unquoted key") {
                true => {
                    "\nkeys that are not of Latin letters stand in quotation marks (中文键名须加引号): \"名称\" = …"
                }
                false => "",
            };
            Error::mapping(name, format!("{}{quote}", problem.trim_end()))
        })?;
        if file.part.is_empty() {
            let problem = "there is no [[part]]: write one for each collection that the file holds";
            return Err(Error::mapping(name, problem));
        }
        let header = file.header.map(OneOrMany::into_vec).unwrap_or_default();
        let follow = header.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b));
        if !follow || header.contains(&0) || header.len() > 10 {
            let problem = "the row of the headers, or all their rows one after the other: header = [4, 5]";
            return Err(Error::mapping("header", problem));
        }
        let fill_down = match file.fill_down {
            Some(OneOrMany::One(word)) if word == "merged" => None,
            other => Some(other.map(OneOrMany::into_vec).unwrap_or_default()),
        };
        let options = Options {
            sheet: file.sheet,
            encoding: file.encoding,
            separator: file.separator,
            header: header.last().copied(),
            header_first: header.first().copied().filter(|_| header.len() > 1),
            hidden: file.hidden,
            merged: fill_down.is_none(),
        };
        let mut compiler = Compiler {
            columns: Columns {
                clean: file.clean,
                ..Columns::default()
            },
            values: file.values,
            used: Vec::new(),
        };
        for name in file.columns.keys() {
            compiler.column(name);
        }
        for (name, value) in file.columns {
            let column = compiler.column(&name);
            let place = format!("columns.{name}");
            let texts = compiler.texts(value, &place, None)?;
            if texts.iter().any(|t| t.rows != Rows::default() || t.times != 1) {
                let problem = "`rows` and `times` have no effect in a derived column; put them where it is used";
                return Err(Error::mapping(place, problem));
            }
            compiler.columns.set(column, texts);
        }
        compiler.columns.check_cycles()?;
        let mut sections = Vec::new();
        for (name, value) in file.sections {
            let place = format!("sections.{name}");
            let mut texts = compiler.texts(value, &place, None)?;
            let column = compiler.column(&name);
            let derived = compiler.columns.texts(column).is_some();
            match texts
                .pop()
                .filter(|t| t.pattern.is_some() && !derived && texts.is_empty())
            {
                Some(text) => sections.push((column, text)),
                None => {
                    let problem = "a text with `from` and `match` is expected, under a name that no other column has";
                    return Err(Error::mapping(place, problem));
                }
            }
        }
        let fill_down: Vec<usize> = fill_down
            .unwrap_or_default()
            .iter()
            .map(|c| compiler.column(c))
            .collect();
        if let Some(&column) = fill_down
            .iter()
            .find(|&&c| compiler.columns.texts(c).is_some() || sections.iter().any(|(section, _)| *section == c))
        {
            let problem = format!(
                "{:?} is no column of the file, so this has no effect: fill down the column that it is made of, or take the values of rows of their own with [sections]",
                compiler.columns.name(column)
            );
            return Err(Error::mapping("fill_down", problem));
        }
        let mut parts = Vec::new();
        for (index, table) in file.part.into_iter().enumerate() {
            parts.push(compiler.part(table, index + 1)?);
        }
        Ok(Mapping {
            name: name.to_owned(),
            options,
            parts,
            columns: compiler.columns,
            fill_down,
            sections,
        })
    }
}

struct Compiler {
    columns: Columns,
    values: HashMap<String, HashMap<String, String>>,
    /// The columns that were named since this was last emptied.
    used: Vec<usize>,
}

/// Keys of a message's table beside its fields.
const ITEM_KEYS: [&str; 3] = ["split", "join", "skip"];

impl Compiler {
    fn column(&mut self, name: &str) -> usize {
        let found = self.columns.names.iter().position(|n| n == name);
        let column = found.unwrap_or_else(|| {
            self.columns.names.push(name.to_owned());
            self.columns.derived.push(None);
            self.columns.names.len() - 1
        });
        self.used.push(column);
        column
    }

    fn part(&mut self, table: Table, number: usize) -> Result<Part, Error> {
        let place = format!("part {number}");
        let spec: PartSpec = table.try_into().map_err(|e| wrong(&place, e))?;
        let Some(collection) = Collection::find(&spec.collection) else {
            return Err(Error::mapping(place, Collection::unknown(&spec.collection)));
        };
        let place = format!("part {number} ({})", collection.label);
        let message = collection.descriptor()?;
        let join = spec.join.map(OneOrMany::into_vec).unwrap_or_default();
        let join = join.iter().map(|c| self.column(c)).collect();
        let skip = self.conditions(spec.skip, &format!("{place}, skip"))?;
        let fields = self.fields(spec.fields, &message, &format!("{place}, "), collection)?;
        Ok(Part {
            collection,
            message,
            content: Content::Mapped {
                join,
                group: Group { skip, fields },
            },
        })
    }

    fn fields(
        &mut self,
        table: Table,
        message: &MessageDescriptor,
        place: &str,
        collection: &Collection,
    ) -> Result<Vec<(FieldDescriptor, Filling)>, Error> {
        let mut fields = Vec::new();
        for (name, value) in table {
            let place = format!("{place}{name}");
            let Some(field) = message.get_field_by_name(&name) else {
                let known: Vec<_> = message.fields().map(|f| f.name().to_owned()).collect();
                let problem = format!("{} has no such field; it has {}", message.name(), known.join(", "));
                return Err(Error::mapping(place, problem));
            };
            if collection.message().as_ref() == Some(message) && collection.is_output_only(&name) {
                let problem = "only the service sets this field: leave it out";
                return Err(Error::mapping(place, problem));
            }
            let filling = self.filling(value, &field, &place, collection)?;
            fields.push((field, filling));
        }
        Ok(fields)
    }

    fn filling(
        &mut self,
        value: Toml,
        field: &FieldDescriptor,
        place: &str,
        collection: &Collection,
    ) -> Result<Filling, Error> {
        let of_message = match field.kind() {
            // A share can be told in one text, as `1/4`.
            Kind::Message(m) if m.full_name() == SHARE && !value.is_table() => None,
            Kind::Message(m) => Some(m),
            _ => None,
        };
        match (of_message, field.is_list()) {
            (None, false) => self.texts(value, place, Some(field)).map(Filling::Value),
            (None, true) => {
                let mut texts = self.texts_of_list(value, place, field)?;
                Ok(Filling::List(texts.drain(..).map(Entry::Value).collect()))
            }
            (Some(message), false) => match self.item(value, &message, place, collection)? {
                Entry::Message {
                    group,
                    split: None,
                    join,
                } if join.is_empty() => Ok(Filling::Message(group)),
                _ => Err(Error::mapping(
                    place,
                    "one message: `split` and `join` are for fields of several, leave them out",
                )),
            },
            (Some(message), true) => {
                let mut entries = Vec::new();
                for (place, value) in placed(value, place) {
                    entries.push(self.item(value, &message, &place, collection)?);
                }
                Ok(Filling::List(entries))
            }
        }
    }

    fn item(
        &mut self,
        value: Toml,
        message: &MessageDescriptor,
        place: &str,
        collection: &Collection,
    ) -> Result<Entry, Error> {
        let Toml::Table(mut table) = value else {
            return Err(Error::mapping(
                place,
                format!("{}: a table of its fields is expected", message.name()),
            ));
        };
        let [split, join, skip] = ITEM_KEYS.map(|key| table.remove(key));
        let before = std::mem::take(&mut self.used);
        let fields = self.fields(table, message, &format!("{place}."), collection)?;
        let named = std::mem::replace(&mut self.used, before);
        self.used.extend(&named);
        let split = split
            .map(|s| self.split(s, &named, &format!("{place}.split")))
            .transpose()?;
        let skip = self.conditions(skip, &format!("{place}.skip"))?;
        let join = match join {
            Some(join) => {
                let place = format!("{place}.join");
                join.try_into::<OneOrMany<String>>()
                    .map_err(|e| wrong(&place, e))?
                    .into_vec()
            }
            None => Vec::new(),
        };
        let join = join.iter().map(|c| self.column(c)).collect();
        Ok(Entry::Message {
            group: Group { skip, fields },
            split,
            join,
        })
    }
}

fn many(value: Toml) -> Vec<Toml> {
    match value {
        Toml::Array(values) => values,
        one => vec![one],
    }
}

/// The values of one or of a list, each with its place.
fn placed(value: Toml, place: &str) -> Vec<(String, Toml)> {
    let several = value.is_array();
    let placed = many(value).into_iter().enumerate().map(|(index, value)| {
        let place = if several {
            format!("{place}[{index}]")
        } else {
            place.to_owned()
        };
        (place, value)
    });
    placed.collect()
}

fn wrong(place: &str, error: toml::de::Error) -> Error {
    Error::mapping(place, error.message())
}
