//! What a file seems to hold: its headers and its columns.

use std::path::Path;

use crate::date::{DateForm, date};
use crate::error::Error;
use crate::options::Options;
use crate::source::Source;
use crate::source_row::SourceRow;
use crate::template::halfwidth;
use crate::typed::BETWEEN;

/// How many rows are looked at.
const ROWS: usize = 200;
/// In how many rows at the top the headers are looked for.
const TOP: usize = 30;

/// What a file seems to hold.
#[derive(Debug)]
pub struct Survey {
    /// The file, read with the headers that were found.
    pub source: Source,
    /// The rows of the headers.
    pub header: Vec<u64>,
    /// Its columns.
    pub columns: Vec<SeenColumn>,
}

/// A column as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenColumn {
    /// Its letter.
    pub letter: String,
    /// Its header; empty for none.
    pub name: String,
    /// The first cell that is not empty. Of an identity document only the first digit is shown.
    pub example: String,
    /// What its cells are.
    pub guess: Guess,
    /// How a mapping names it.
    pub(crate) reference: String,
    /// The signs by which cells hold several values, such as `、` and `，`.
    pub(crate) between: Vec<char>,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guess {
    /// There are none.
    Empty,
    /// Days, months or years.
    Date,
    /// Numbers.
    Number,
    /// Numbers of identity documents.
    IdentityDocument,
    /// Texts.
    Text,
}

impl Guess {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Guess::Empty => "empty 空",
            Guess::Date => "date 日期",
            Guess::Number => "number 数字",
            Guess::IdentityDocument => "identity document 证件号",
            Guess::Text => "text 文字",
        }
    }

    fn of(cells: &[&str]) -> Guess {
        let all = |test: fn(&str) -> bool| cells.iter().all(|c| test(c));
        if cells.is_empty() {
            Guess::Empty
        } else if all(is_document) {
            Guess::IdentityDocument
        } else if all(|c| is_number(c) && !is_year(c)) {
            Guess::Number
        } else if all(|c| date(c, DateForm::Partial).is_ok()) {
            Guess::Date
        } else if all(is_number) {
            Guess::Number
        } else {
            Guess::Text
        }
    }
}

fn is_document(cell: &str) -> bool {
    cell.len() == 18 && cell.bytes().take(17).all(|b| b.is_ascii_digit())
}

fn is_number(cell: &str) -> bool {
    let plain = halfwidth(cell).trim_end_matches('%').replace(',', "");
    plain.len() < 18 && plain.bytes().next().is_some_and(|b| b.is_ascii_digit()) && plain.parse::<f64>().is_ok()
}

/// Whether a cell is none of a row of headers.
fn is_value(cell: &str) -> bool {
    is_number(cell) || is_document(cell) || date(cell, DateForm::Partial).is_ok()
}

/// Whether a number may be a year, a month or a day: 2019, 2019.10, 20191001.
fn is_year(cell: &str) -> bool {
    matches!(cell.len(), 4 | 6 | 7 | 8) && (cell.starts_with("19") || cell.starts_with("20"))
}

impl Survey {
    /// Looks at the file. What `options` fix is not guessed.
    pub fn of(path: &Path, options: &Options) -> Result<Survey, Error> {
        Survey::new(options, &|options| Source::open(path, options))
    }

    pub(crate) fn new(options: &Options, open: &dyn Fn(&Options) -> Result<Source, Error>) -> Result<Survey, Error> {
        let mut options = options.clone();
        let mut source = open(&options)?;
        if options.header.is_none() && !source.is_json() {
            let top = source.top(TOP)?;
            let (first, last) = headers(&source, &top);
            options.header = Some(last);
            options.header_first = (first != last).then_some(first);
            source = open(&options)?;
        }
        let last = source.header_row();
        let first = options.header_first.unwrap_or(last);
        let mut rows = Vec::new();
        source.each(&mut |row| {
            rows.push(row);
            Ok(rows.len() < ROWS)
        })?;
        let columns = if source.is_json() {
            Vec::new()
        } else {
            columns(&source, &rows)
        };
        Ok(Survey {
            source,
            header: (first..=last).collect(),
            columns,
        })
    }
}

/// The first and the last row of the headers: the row of most names, with the one above it where that has merged cells.
fn headers(source: &Source, top: &[SourceRow]) -> (u64, u64) {
    let names = |row: &SourceRow| {
        let mut names: Vec<&str> = row.cells.iter().map(|c| c.trim()).filter(|c| !c.is_empty()).collect();
        let texts = names.iter().filter(|c| !is_value(c) && c.chars().count() <= 40).count();
        let filled = names.len();
        names.sort_unstable();
        names.dedup();
        // Below the headers stand numbers and what repeats.
        if texts == filled {
            names.len()
        } else {
            names.len().min(texts) / 2
        }
    };
    let mut best: Option<(usize, &SourceRow)> = None;
    for row in top.iter().filter(|r| !r.is_blank()) {
        let count = names(row);
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, row));
        }
    }
    let Some((_, row)) = best else { return (1, 1) };
    // A group of headers is a merged cell over some of the columns; a title is one over all.
    let several = |number: u64| {
        let group = source.is_grouped(number);
        let row = top.iter().find(|r| r.number == number);
        group && row.is_some_and(|r| r.cells.iter().filter(|c| !c.trim().is_empty()).count() > 1)
    };
    if several(row.number) && top.iter().any(|r| r.number == row.number + 1) {
        (row.number, row.number + 1)
    } else if row.number > 1 && several(row.number - 1) {
        (row.number - 1, row.number)
    } else {
        (row.number, row.number)
    }
}

fn columns(source: &Source, rows: &[SourceRow]) -> Vec<SeenColumn> {
    let width = rows
        .iter()
        .map(|r| r.cells.len())
        .chain([source.header().len()])
        .max()
        .unwrap_or_default();
    let column = |place: usize| {
        let name = source.header().get(place).cloned().unwrap_or_default();
        let cells: Vec<&str> = rows
            .iter()
            .filter_map(|r| r.cells.get(place))
            .map(|c| c.trim())
            .filter(|c| !c.is_empty())
            .collect();
        let guess = Guess::of(&cells);
        let letter = letter(place);
        let plain = !name.is_empty() && !name.contains(['{', '}', '#', '?']) && source.places(&name).len() == 1;
        let first = cells.first().copied().unwrap_or_default();
        SeenColumn {
            reference: if plain {
                format!("{{{name}}}")
            } else {
                format!("{{#{letter}}}")
            },
            example: match first.chars().next() {
                Some(sign) if first.chars().filter(char::is_ascii_digit).count() > 14 => format!("{sign}***"),
                _ => first.chars().filter(|c| !c.is_control()).take(24).collect(),
            },
            between: BETWEEN
                .into_iter()
                .filter(|sign| cells.iter().any(|c| c.contains(*sign)))
                .collect(),
            letter,
            name,
            guess,
        }
    };
    let columns = (0..width).map(column);
    columns
        .filter(|c| !c.name.is_empty() || c.guess != Guess::Empty)
        .collect()
}

/// A column's letter: A for the first.
fn letter(place: usize) -> String {
    let mut letters = Vec::new();
    let mut left = place + 1;
    while left > 0 {
        let digit = u8::try_from((left - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_letters_of_a_spreadsheet() {
        assert_eq!(letter(0) + &letter(25) + &letter(26) + &letter(701), "AZAAZZ");
    }
}
