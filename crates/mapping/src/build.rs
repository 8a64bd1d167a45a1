//! Builds one message from the rows of one resource.

mod text;

use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

use crate::headers::Bound;
use crate::row::Origin;
use crate::source_row::SourceRow;
use crate::spec::{Entry, Filling, Group, Rows, Split, Text};
use crate::value::{Unfit, convert};

/// A row, or one of the values that stand in step in its split cells.
#[derive(Clone)]
pub(crate) struct At<'a> {
    pub(crate) row: &'a SourceRow,
    split: Option<(&'a Split, &'a [Vec<String>], usize)>,
}

/// What is wrong with a row, and where.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) row: u64,
    pub(crate) columns: Vec<usize>,
    pub(crate) reason: &'static str,
    pub(crate) description: String,
}

/// What rows say for a field: the text, its factor, and where it stands.
struct Said {
    text: String,
    times: u64,
    columns: Vec<usize>,
    row: u64,
}

/// Builds messages of one part over one source.
pub(crate) struct Builder<'a> {
    pub(crate) bound: &'a Bound<'a>,
    /// All rows of the resource at hand.
    all: Vec<At<'a>>,
    origins: Vec<Origin>,
    /// Whether a column has said something within the message at hand, and whether one was asked.
    said: bool,
    asked: bool,
    /// What is wrong so far: all of it is told.
    bad: Vec<Bad>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(bound: &'a Bound<'a>, rows: &'a [SourceRow]) -> Self {
        let all = rows.iter().map(|row| At { row, split: None }).collect();
        Builder {
            bound,
            all,
            origins: Vec::new(),
            said: false,
            asked: false,
            bad: Vec::new(),
        }
    }

    /// Fills `message` from all rows; where its items came from is the answer.
    pub(crate) fn build(mut self, group: &'a Group, message: &mut DynamicMessage) -> Result<Vec<Origin>, Vec<Bad>> {
        let rows = self.all.clone();
        self.fields(group, &rows, message, true);
        if self.bad.is_empty() {
            Ok(self.origins)
        } else {
            Err(self.bad)
        }
    }

    /// Keeps what is wrong; a cell that several fields use is told once.
    fn wrong(&mut self, bad: Bad) {
        let known = |b: &Bad| b.row == bad.row && b.reason == bad.reason && b.columns == bad.columns;
        if !self.bad.iter().any(known) {
            self.bad.push(bad);
        }
    }

    fn fields(&mut self, group: &'a Group, rows: &[At<'_>], message: &mut DynamicMessage, top: bool) {
        for (field, filling) in &group.fields {
            if let Err(bad) = self.field(field, filling, rows, message, top) {
                self.wrong(bad);
            }
        }
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        filling: &'a Filling,
        rows: &[At<'_>],
        message: &mut DynamicMessage,
        top: bool,
    ) -> Result<(), Bad> {
        match filling {
            Filling::Value(texts) => {
                if let Some(said) = self.value(texts, rows)? {
                    let value = fit(convert(&said.text, &field.kind(), said.times), said.row, said.columns)?;
                    message.set_field(field, value);
                }
            }
            Filling::Message(inner) => {
                if let Some(value) = self.message(field, inner, rows)? {
                    message.set_field(field, value);
                }
            }
            Filling::List(entries) => {
                let mut items = Vec::new();
                let mut origin = Vec::new();
                for (index, entry) in entries.iter().enumerate() {
                    let before = items.len();
                    self.entry(field, entry, rows, &mut items, &mut origin)?;
                    for made in origin.iter_mut().skip(before) {
                        made.0 = index;
                    }
                }
                if !items.is_empty() {
                    message.set_field(field, Value::List(items));
                }
                if top {
                    self.origins.push(Origin {
                        field: field.number(),
                        items: origin,
                    });
                }
            }
        }
        Ok(())
    }

    /// A message, or nothing where columns were asked for it and all were empty.
    fn message(&mut self, field: &FieldDescriptor, group: &'a Group, rows: &[At<'_>]) -> Result<Option<Value>, Bad> {
        let mut counting = Vec::new();
        for at in rows {
            if self.skipped(&group.skip, at)?.is_none() {
                counting.push(at.clone());
            }
        }
        let prost_reflect::Kind::Message(descriptor) = field.kind() else {
            return Ok(None);
        };
        if counting.is_empty() {
            // Whoever holds this message learns that it has nothing from columns.
            self.asked = true;
            return Ok(None);
        }
        let mut message = DynamicMessage::new(descriptor);
        let outer = (std::mem::take(&mut self.said), std::mem::take(&mut self.asked));
        self.fields(group, &counting, &mut message, false);
        let (said, asked) = (self.said, self.asked);
        (self.said, self.asked) = (outer.0 || said, outer.1 || asked);
        Ok((said || !asked).then_some(Value::Message(message)))
    }

    fn entry(
        &mut self,
        field: &FieldDescriptor,
        entry: &'a Entry,
        rows: &[At<'_>],
        items: &mut Vec<Value>,
        origin: &mut Vec<(usize, u64)>,
    ) -> Result<(), Bad> {
        match entry {
            Entry::Value(text) => {
                for at in rows {
                    let parts = match &text.split {
                        Some(split) => Some((split, self.parts(split, at)?)),
                        None => None,
                    };
                    let all: Vec<At<'_>> = match &parts {
                        Some((split, (parts, count))) => (0..*count)
                            .map(|index| At {
                                row: at.row,
                                split: Some((*split, parts.as_slice(), index)),
                            })
                            .collect(),
                        None => vec![at.clone()],
                    };
                    let mut values = Vec::new();
                    for at in &all {
                        if let Some(value) = self.text(text, at)?.filter(|v| !v.is_empty()) {
                            let columns = self.bound.of_file(text.from.columns());
                            values.push(fit(convert(&value, &field.kind(), text.times), at.row.number, columns)?);
                        }
                    }
                    of_cell(items, origin, values, at.row.number);
                }
            }
            Entry::Message {
                group,
                split: Some(split),
                ..
            } => {
                for at in rows {
                    if self.skipped(&group.skip, at)?.is_some() {
                        continue;
                    }
                    let (parts, count) = self.parts(split, at)?;
                    let mut values = Vec::new();
                    for index in 0..count {
                        let part = At {
                            row: at.row,
                            split: Some((split, &parts, index)),
                        };
                        values.extend(self.message(field, group, &[part])?);
                    }
                    of_cell(items, origin, values, at.row.number);
                }
            }
            Entry::Message {
                group,
                split: None,
                join,
            } => {
                for rows in self.grouped(join, rows)? {
                    let number = rows.first().map_or(0, |at| at.row.number);
                    let value = self.message(field, group, &rows)?;
                    of_cell(items, origin, value.into_iter().collect(), number);
                }
            }
        }
        Ok(())
    }

    /// The rows in groups of equal columns, in the order in which each begins; without columns each row alone.
    fn grouped<'b>(&self, join: &[usize], rows: &[At<'b>]) -> Result<Vec<Vec<At<'b>>>, Bad> {
        let mut groups: Vec<(Vec<String>, Vec<At<'b>>)> = Vec::new();
        for at in rows {
            let key = join
                .iter()
                .map(|&c| Ok(self.cell(c, at)?.into_owned()))
                .collect::<Result<Vec<_>, Bad>>()?;
            match groups.iter_mut().find(|(k, _)| !join.is_empty() && *k == key) {
                Some((_, group)) => group.push(at.clone()),
                None => groups.push((key, vec![at.clone()])),
            }
        }
        Ok(groups.into_iter().map(|(_, group)| group).collect())
    }

    /// The values that the split cells of a row hold, in step.
    fn parts(&self, split: &Split, at: &At<'_>) -> Result<(Vec<Vec<String>>, usize), Bad> {
        let mut all = Vec::new();
        let mut count = 0;
        for &column in &split.columns {
            let cell = self.cell(column, at)?;
            let mut values = vec![cell.as_ref()];
            for by in &split.by {
                values = values.iter().flat_map(|v| v.split(by.as_str())).collect();
            }
            let values: Vec<String> = values.into_iter().map(|v| v.trim().to_owned()).collect();
            // An empty cell says nothing about how many there are.
            let empty = values.iter().all(String::is_empty);
            if !empty && count != 0 && values.len() != count {
                return Err(Bad {
                    row: at.row.number,
                    columns: split.columns.clone(),
                    reason: "VALUES_UNEQUAL",
                    description: format!(
                        "columns that go in step hold {count} and {} values: give as many in each",
                        values.len()
                    ),
                });
            }
            count = if empty { count } else { values.len() };
            all.push(if empty { Vec::new() } else { values });
        }
        Ok((all, count))
    }

    /// The first of the texts by which the rows say something.
    fn value(&mut self, texts: &[Text], rows: &[At<'_>]) -> Result<Option<Said>, Bad> {
        for text in texts {
            let fixed = text.from.columns().next().is_none();
            self.asked |= !fixed;
            if text.rows == Rows::Differ && !self.differ(text)? {
                continue;
            }
            let mut found: Option<(String, u64)> = None;
            let mut silent = false;
            for at in rows {
                let Some(value) = self.text(text, at)? else { continue };
                match &found {
                    _ if value.is_empty() => silent = true,
                    None => found = Some((value, at.row.number)),
                    Some((first, row)) if *first != value => match text.rows {
                        Rows::First => {}
                        Rows::Same => silent = true,
                        Rows::Agree | Rows::Differ => {
                            return Err(Bad {
                                row: at.row.number,
                                columns: self.bound.of_file(text.from.columns()),
                                reason: "ROWS_DISAGREE",
                                description: format!(
                                    "row {row} is of the same resource and says something else: say the same in both"
                                ),
                            });
                        }
                    },
                    Some(_) => {}
                }
                if text.rows == Rows::First && found.is_some() {
                    break;
                }
            }
            if let Some((value, row)) = found.filter(|_| !(silent && text.rows == Rows::Same)) {
                self.said |= !fixed;
                let columns = self.bound.of_file(text.from.columns());
                return Ok(Some(Said {
                    text: value,
                    times: text.times,
                    columns,
                    row,
                }));
            }
        }
        Ok(None)
    }

    /// Whether the rows of the whole resource say different things.
    fn differ(&self, text: &Text) -> Result<bool, Bad> {
        let mut first = None;
        for at in &self.all {
            let value = self.text(text, at)?;
            match &first {
                None => first = Some(value),
                Some(first) if *first != value => return Ok(true),
                Some(_) => {}
            }
        }
        Ok(false)
    }

    /// The first row, whole.
    pub(crate) fn first(&self) -> Option<&At<'a>> {
        self.all.first()
    }
}

/// Adds the values of one cell. Joined rows repeat what they have in common, and that is not said again; two of one name in
/// one cell are two.
fn of_cell(items: &mut Vec<Value>, origin: &mut Vec<(usize, u64)>, values: Vec<Value>, row: u64) {
    let mut earlier: Vec<usize> = (0..items.len()).collect();
    for value in values {
        let same = earlier.iter().position(|&place| items.get(place) == Some(&value));
        match same {
            Some(place) => drop(earlier.swap_remove(place)),
            None => {
                items.push(value);
                origin.push((0, row));
            }
        }
    }
}

fn fit<T>(result: Result<T, Unfit>, row: u64, columns: Vec<usize>) -> Result<T, Bad> {
    result.map_err(|unfit| Bad {
        row,
        columns,
        reason: unfit.reason,
        description: unfit.description,
    })
}
