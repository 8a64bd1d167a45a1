//! The headers of a source: where they stand, what its columns are called, and where a column is that a mapping names.

use std::io::{BufRead, BufReader, Read};

use encoding_rs::Encoding;

use super::{Kind, Source};
use crate::decode::Utf8;
use crate::delimited::{MAX_COLUMNS, MAX_ROW, separator};
use crate::error::{Error, said};
use crate::facts::Facts;
use crate::options::Options;
use crate::row::EXTRA;
use crate::source_row::SourceRow;
use crate::workbook;

impl Source {
    pub(super) fn read_header(&mut self, options: &Options) -> Result<(), Error> {
        if let Kind::Lines = self.kind {
            self.rows = self.count_lines()?;
            return Ok(());
        }
        let mut detected = None;
        if let (Kind::Text { encoding, .. }, None) = (&self.kind, options.separator) {
            detected = Some(self.detect_separator(encoding, options.header)?);
        }
        if let (Kind::Text { separator, .. }, Some(found)) = (&mut self.kind, detected) {
            *separator = found;
        }
        let mut found: Option<SourceRow> = None;
        let mut upper = Vec::new();
        self.each_raw(&mut |row| {
            if options.header.map_or(!row.is_blank(), |n| row.number >= n) {
                found = Some(row);
            } else if options.header_first.is_some_and(|n| row.number >= n) {
                upper.push(row);
            }
            Ok(found.is_none())
        })?;
        let Some(row) = found.filter(|r| options.header.is_none_or(|n| r.number == n)) else {
            let problem = match options.header {
                Some(n) => said(
                    format!("there is no row of headers: row {n} is empty or not there; name another, as header = 4"),
                    format!("没有表头：第{n}行为空或不存在；请写明表头所在的行，如 header = 4"),
                ),
                None => said("there is no row of headers; the file is empty", "没有表头；文件是空的"),
            };
            return Err(Error::source(&self.name, problem));
        };
        self.header_row = row.number;
        self.header = self.named(&upper, &row);
        while self.header.last().is_some_and(String::is_empty) {
            self.header.pop();
        }
        self.rows = match &self.kind {
            Kind::Workbook { sheet, .. } => {
                let open = self.content.open().map_err(|e| Error::io(&self.name, e))?;
                workbook::rows(open, sheet).map_err(|p| Error::source(&self.name, p))?
            }
            _ => self.count_lines()?,
        };
        self.rows = self.rows.saturating_sub(self.header_row);
        Ok(())
    }

    /// The names of the columns: that of the last row of headers below those above it, joined by `/`.
    fn named(&self, upper: &[SourceRow], last: &SourceRow) -> Vec<String> {
        let width = upper
            .iter()
            .chain([last])
            .map(|r| r.cells.len())
            .max()
            .unwrap_or_default();
        let cell = |row: &SourceRow, column: usize| row.cells.get(column).map(|c| one_blank(c)).unwrap_or_default();
        let above = |row: &SourceRow, column: usize| match &self.kind {
            Kind::Workbook { facts, .. } => {
                let range = facts.wide.iter().find(|(r, from, to)| {
                    u64::from(*r) + 1 == row.number && (*from as usize..=*to as usize).contains(&column)
                });
                cell(row, range.map_or(column, |r| r.1 as usize))
            }
            // A text has no ranges: what is empty over a name belongs to the left.
            _ if cell(last, column).is_empty() => cell(row, column),
            _ => (0..=column)
                .rev()
                .map(|c| cell(row, c))
                .find(|c| !c.is_empty())
                .unwrap_or_default(),
        };
        let name = |column: usize| {
            let mut names: Vec<String> = upper.iter().map(|row| above(row, column)).collect();
            names.push(cell(last, column));
            names.retain(|n| !n.is_empty());
            names.dedup();
            names.join("/")
        };
        (0..width).map(name).collect()
    }

    /// Where a column stands: by its header, by its letter or number (`#E`, `#5`), or as one of several of one header
    /// (`职称#2`). Columns that a file of refused rows puts first are not counted.
    pub(crate) fn places(&self, name: &str) -> Vec<usize> {
        let of = |header: &str| {
            let all = self.header.iter().enumerate();
            all.filter(|(_, h)| *h == header).map(|(i, _)| i).collect::<Vec<_>>()
        };
        let name = &one_blank(name);
        let found = of(name);
        let Some((header, place)) = name.rsplit_once('#').filter(|_| found.is_empty()) else {
            return found;
        };
        if !header.is_empty() {
            let number: usize = place.parse().unwrap_or_default();
            return number
                .checked_sub(1)
                .and_then(|n| of(header).get(n).copied())
                .into_iter()
                .collect();
        }
        let first = self.header.iter().take_while(|h| EXTRA.contains(&h.as_str())).count();
        let letters = || {
            place.bytes().try_fold(0usize, |n, b| {
                let letter = b
                    .is_ascii_alphabetic()
                    .then(|| usize::from(b.to_ascii_uppercase() - b'A') + 1)?;
                n.checked_mul(26)?.checked_add(letter)
            })
        };
        let number = place
            .parse::<usize>()
            .ok()
            .or_else(letters)
            .filter(|n| (1..=MAX_COLUMNS).contains(n));
        number.map(|n| first + n - 1).into_iter().collect()
    }

    /// The rows in which the headers seem to be, where `missing` is none of them: one, or two that follow each other. `columns` are
    /// all that a mapping names; `upper/lower` stands in two rows.
    pub(crate) fn seen_below(&self, missing: &str, columns: &[&str]) -> Option<(u64, u64)> {
        let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
        let look = self.each_raw(&mut |row| {
            rows.push((row.number, row.cells.iter().map(|c| one_blank(c)).collect()));
            Ok(row.number < 50)
        });
        look.ok()?;
        let row_of = |text: &str, but: Option<u64>| {
            let text = one_blank(text);
            let found = rows.iter().find(|(n, cells)| Some(*n) != but && cells.contains(&text));
            found.map(|(number, _)| *number)
        };
        let holds = |number: u64, text: &str| {
            rows.iter()
                .any(|(n, cells)| *n == number && cells.contains(&one_blank(text)))
        };
        let found = match (row_of(missing, Some(self.header_row)), missing.split_once('/')) {
            (Some(row), _) => {
                // What the row lacks may stand in the one beside it.
                let lower = |c: &str| c.rsplit_once('/').map_or(c.to_owned(), |(_, lower)| lower.to_owned());
                let lacks = |beside: u64| columns.iter().any(|c| !holds(row, c) && holds(beside, &lower(c)));
                if lacks(row + 1) {
                    (row, row + 1)
                } else if row > 1 && lacks(row - 1) {
                    (row - 1, row)
                } else {
                    (row, row)
                }
            }
            (None, Some((upper, lower))) => {
                let upper = row_of(upper, None)?;
                holds(upper + 1, lower).then_some((upper, upper + 1))?
            }
            (None, None) => return None,
        };
        let now = (self.options.header_first.unwrap_or(self.header_row), self.header_row);
        (found != now).then_some(found)
    }

    /// Another sheet of a workbook, in whose first rows a column is headed so.
    pub(crate) fn sheet_with(&self, column: &str) -> Option<&str> {
        let Kind::Workbook { sheet, sheets, .. } = &self.kind else {
            return None;
        };
        let column = one_blank(column);
        let others = sheets.iter().filter(|s| s.name != *sheet);
        others.map(|s| s.name.as_str()).find(|name| {
            let mut found = false;
            let Ok(bytes) = self.content.open() else { return false };
            let look = workbook::each(bytes, name, &Facts::default(), false, &self.name, &mut |row| {
                found = row.cells.iter().any(|c| one_blank(c) == column);
                Ok(!found && row.number < 50)
            });
            look.is_ok() && found
        })
    }

    fn detect_separator(&self, encoding: &'static Encoding, header: Option<u64>) -> Result<u8, Error> {
        let error = |e| Error::io(&self.name, e);
        let text = BufReader::new(Utf8::new(self.content.open().map_err(error)?, encoding));
        for (line, number) in text.take(MAX_ROW as u64).lines().zip(1..) {
            let line = line.map_err(|e| Error::source(&self.name, e))?;
            if header.map_or(!line.trim().is_empty(), |n| number >= n) {
                return Ok(separator(&line));
            }
        }
        Ok(b',')
    }
}

/// A header as it is compared: with one blank where it has several, or a line break.
fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
