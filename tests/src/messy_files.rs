//! Tables as offices send them, made up: rows that are right, and among them each kind of fault, with what is right for
//! each. The same numbers give the same tables each time.

pub mod awards;
mod common;
pub mod decisions;
pub mod file;
pub mod labs;
pub mod organizations;
pub mod talents;
pub mod world;

use serde_json::{Map, Value};

pub use self::file::Form;
pub use self::world::World;

/// How many rows of a hundred each kind of fault takes.
pub const EACH: usize = 2;

/// How many rows a section of a table has, where it has such.
pub const SECTION: usize = 25;

/// What a record has to be, in the form of the subject's `project`.
pub type Record = Map<String, Value>;

/// Numbers that are the same each time.
#[derive(Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// A number below `sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A number as the file keeps it, and the format by which a workbook shows it.
    Number(String, &'static str),
    /// A formula whose value the file does not keep.
    Valueless,
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Number(text, _) => text,
            Cell::Valueless => "",
        }
    }
}

/// What is right for a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// It makes this record.
    Record(Record),
    /// It means the record of an earlier row, and changes nothing.
    Same,
    /// It is refused for this reason.
    Refused(&'static str),
    /// It yields nothing, and is not counted.
    Nothing,
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Under the columns of the subject.
    pub cells: Vec<Cell>,
    /// What is right for it.
    pub right: Expected,
    /// The kind of fault; empty for a clean row.
    pub kind: &'static str,
    /// Whether the sheet hides it.
    pub hidden: bool,
    /// The column that is one cell with that of the row above.
    pub merged: Option<usize>,
    /// What stands behind the last cell of a text.
    pub behind: &'static str,
}

/// A kind of fault.
#[derive(Debug)]
pub struct Kind {
    /// What it is called in messages.
    pub name: &'static str,
    /// The form of file in which it occurs, where not in each.
    pub only: Option<Form>,
    /// Sows it in a clean row, and says what is right now.
    pub sow: fn(&mut FaultyRow<'_>),
}

/// A kind that occurs in every form of file.
pub const fn kind(name: &'static str, sow: fn(&mut FaultyRow<'_>)) -> Kind {
    Kind { name, only: None, sow }
}

/// A kind that occurs in one form of file alone.
pub const fn only(form: Form, name: &'static str, sow: fn(&mut FaultyRow<'_>)) -> Kind {
    Kind {
        name,
        only: Some(form),
        sow,
    }
}

/// What a table is about.
#[derive(Debug)]
pub struct Subject {
    /// The collection.
    pub collection: &'static str,
    /// Its columns, as the mapping names them.
    pub columns: &'static [&'static str],
    /// The same as the file has them, row by row. Where there are two, what is empty in the upper belongs to the left.
    pub headers: &'static [&'static [&'static str]],
    /// Rows above the headers.
    pub above: usize,
    /// The encoding of a text, and its separator.
    pub text: (&'static str, char),
    /// The mapping.
    pub mapping: &'static str,
    /// A clean row, of this number.
    pub clean: fn(&mut World, usize) -> (Vec<String>, Record),
    /// Its kinds of faults.
    pub kinds: &'static [Kind],
    /// A row that stands before this one and yields nothing, such as the head of a section.
    pub before: fn(usize) -> Option<Vec<String>>,
    /// What is compared of a record that was exported.
    pub project: fn(&Value) -> Record,
}

/// All subjects, in the order in which they are loaded.
pub const SUBJECTS: [&Subject; 6] = [
    &organizations::SUBJECT,
    &labs::SUBJECT,
    &talents::SUBJECT,
    &decisions::LABS,
    &decisions::TALENTS,
    &awards::SUBJECT,
];

/// A row into which a fault is sown.
#[derive(Debug)]
pub struct FaultyRow<'a> {
    /// The row.
    pub row: Row,
    /// Rows that are to stand behind it.
    pub more: Vec<Row>,
    /// What there is already.
    pub world: &'a mut World,
    columns: &'static [&'static str],
    /// Its number among all.
    pub number: usize,
    /// The file that it goes into.
    pub form: Form,
}

impl FaultyRow<'_> {
    /// The place of a column.
    pub fn place(&self, column: &str) -> usize {
        self.columns
            .iter()
            .position(|c| *c == column)
            .unwrap_or_else(|| panic!("no column {column}"))
    }

    /// The text of a cell.
    pub fn get(&self, column: &str) -> String {
        self.row.cells[self.place(column)].text().to_owned()
    }

    /// Writes a text into a cell.
    pub fn set(&mut self, column: &str, text: impl Into<String>) {
        let place = self.place(column);
        self.row.cells[place] = Cell::Text(text.into());
    }

    /// Writes a number into a cell.
    pub fn set_number(&mut self, column: &str, number: impl Into<String>, format: &'static str) {
        let place = self.place(column);
        self.row.cells[place] = Cell::Number(number.into(), format);
    }

    /// The row is refused.
    pub fn refused(&mut self, reason: &'static str) {
        self.row.right = Expected::Refused(reason);
    }

    /// What the row makes.
    pub fn record(&mut self) -> &mut Record {
        match &mut self.row.right {
            Expected::Record(record) => record,
            right => panic!("{right:?}"),
        }
    }

    /// The row makes this instead.
    pub fn makes(&mut self, field: &str, value: impl Into<Value>) {
        self.record().insert(field.to_owned(), value.into());
    }

    /// A copy of the row that is to stand behind it.
    pub fn again(&mut self, right: Expected) -> &mut Row {
        self.more.push(Row {
            right,
            ..self.row.clone()
        });
        self.more.last_mut().unwrap()
    }

    /// Writes a text into a cell of the last of the rows behind.
    pub fn set_again(&mut self, column: &str, text: impl Into<String>) {
        let place = self.place(column);
        self.more.last_mut().unwrap().cells[place] = Cell::Text(text.into());
    }
}

/// Makes the rows of one file: `rows` of them, numbered from `first` on.
pub fn rows(subject: &'static Subject, world: &mut World, form: Form, first: usize, rows: usize) -> Vec<Row> {
    let kinds: Vec<&Kind> = subject
        .kinds
        .iter()
        .filter(|k| k.only.is_none_or(|only| only == form))
        .collect();
    assert!(kinds.len() * EACH < 90, "few rows of {} are clean", subject.collection);
    let mut made = Vec::new();
    for number in first..first + rows {
        if let Some(cells) = (subject.before)(number - first) {
            made.push(row(cells, Expected::Nothing));
            world.section = (number - first) / SECTION;
        }
        let (cells, record) = (subject.clean)(world, number);
        let kind = kinds.get(world.rng.below(100) / EACH);
        let mut sown = FaultyRow {
            row: row(cells, Expected::Record(record)),
            more: Vec::new(),
            world,
            columns: subject.columns,
            number,
            form,
        };
        if let Some(kind) = kind {
            sown.row.kind = kind.name;
            (kind.sow)(&mut sown);
        }
        let (row, more) = (sown.row, sown.more);
        if let (Expected::Record(record), true) = (&row.right, kind.is_none()) {
            world.learn(subject.collection, record);
        }
        let name = row.kind;
        made.push(row);
        made.extend(more.into_iter().map(|row| Row { kind: name, ..row }));
    }
    made
}

fn row(cells: Vec<String>, right: Expected) -> Row {
    Row {
        cells: cells.into_iter().map(Cell::Text).collect(),
        right,
        kind: "",
        hidden: false,
        merged: None,
        behind: "",
    }
}
