//! A file of rows: CSV, XLSX or JSON lines, told by its content, read from the start as often as asked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoding_rs::{Encoding, GB18030, UTF_8};
use serde::Deserialize;

use crate::decode::{Utf8, detect, implausible, named};
use crate::delimited::{Delimited, MAX_COLUMNS, MAX_ROW, separator};
use crate::error::{Error, Said, said};
use crate::facts::Facts;
use crate::foreign;
use crate::refused::EXTRA;
use crate::value::Unfit;
use crate::workbook::{self, Sheet};

/// How a file is to be read where it does not say so itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The sheet of a workbook; the first where none is named.
    pub sheet: Option<String>,
    /// `utf-8`, `gb18030`, `big5`, `windows-1252` or another; told from the bytes where none is named.
    pub encoding: Option<String>,
    /// `,`, `;`, a tab or another ASCII character; told from the header where none is named.
    pub separator: Option<char>,
    /// Number of the row that holds the headers; the first row that is not blank where none is named.
    pub header: Option<u64>,
    /// Number of the first of several rows of headers, of which `header` is the last.
    pub header_first: Option<u64>,
    /// What becomes of rows that the sheet hides.
    pub hidden: Hidden,
    /// Whether the cells of merged ranges take the value of the first.
    pub merged: bool,
}

/// What becomes of rows that a sheet hides, by hand or by a filter.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Hidden {
    /// Each is refused, so that somebody decides.
    #[default]
    Refuse,
    /// They are read as others.
    Read,
    /// They are passed over and counted.
    Skip,
}

/// What a workbook may unpack to. A file beyond is refused before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All parts together, in bytes.
    pub unpacked: u64,
    /// The parts that are held in memory (texts, styles), in bytes.
    pub held: u64,
    /// One text or tag, in bytes.
    pub text: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            unpacked: 2 << 30,
            held: 256 << 20,
            text: 1 << 20,
        }
    }
}

/// One row of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceRow {
    /// Its number as a spreadsheet shows it, 1 for the first row of the file; for JSON lines the line's.
    pub number: u64,
    /// Its cells under the headers. For JSON lines one cell, the line.
    pub cells: Vec<String>,
    /// Whether the sheet hides it.
    pub(crate) hidden: bool,
    /// Columns whose text is not all that is to be known of the cell.
    pub(crate) odd: Vec<(usize, Odd)>,
}

impl SourceRow {
    /// Whether all cells are empty, and none is a formula without a value.
    pub(crate) fn is_blank(&self) -> bool {
        self.odd.is_empty() && self.cells.iter().all(|c| c.trim().is_empty())
    }

    /// What is to be known of a cell beside its text.
    pub(crate) fn odd(&self, place: usize) -> Option<Odd> {
        self.odd.iter().find(|(p, _)| *p == place).map(|&(_, odd)| odd)
    }
}

/// What is to be known of a cell beside its text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Odd {
    /// A number of more digits than a spreadsheet keeps.
    Rounded,
    /// A formula whose value nobody kept.
    Valueless,
    /// A number cell with none that a spreadsheet shows: `inf`, `nan`, a day before all days.
    NoNumber,
    /// A number that is a month or a day in more than one way: 2010.1.
    Number,
}

impl Odd {
    /// Why the cell cannot be used, whatever its text is for; nothing where that depends.
    pub(crate) fn unfit(self) -> Option<Unfit> {
        let (reason, description) = match self {
            Odd::Rounded => (
                "NUMBER_ROUNDED",
                "a spreadsheet keeps 15 digits of a number, the others are lost: make the column text and fill it in again (号码已被表格软件改变，请把该列设为文本后重填)",
            ),
            Odd::Valueless => (
                "CELL_ERROR",
                "a formula whose value the file does not hold: open the file in a spreadsheet and save it once (公式没有保存结果，请打开文件并保存一次)",
            ),
            Odd::NoNumber => (
                "NUMBER_INVALID",
                "the cell holds no number, or no day, that can be shown: type it again (单元格中没有可用的数字或日期，请重新填写)",
            ),
            Odd::Number => return None,
        };
        Some(Unfit {
            reason,
            description: description.to_owned(),
        })
    }

    /// Of a cell that is a number, or may be one.
    pub(crate) fn of_number(text: &str) -> Option<Odd> {
        let bytes = text.as_bytes();
        let month = bytes.len() == 6 && text.ends_with(".1") && bytes.iter().take(4).all(u8::is_ascii_digit);
        month.then_some(Odd::Number)
    }

    /// Of a text: `3.79901E+17` is what a spreadsheet made of a long number.
    pub(crate) fn of_text(text: &str) -> Option<Odd> {
        if text.len() > 24 || !text.trim_end().ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (mantissa, exponent) = text.trim().split_once(['E', 'e'])?;
        let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
        let exponent: u32 = exponent.strip_prefix('+')?.parse().ok()?;
        let mut digits = mantissa.bytes();
        let number = digits.next().is_some_and(|d| d.is_ascii_digit())
            && digits.next().is_none_or(|d| d == b'.')
            && digits.all(|d| d.is_ascii_digit());
        (number && (11..100).contains(&exponent)).then_some(Odd::Rounded)
    }
}

/// A file that was recognised and whose headers were read.
#[derive(Debug)]
pub struct Source {
    name: String,
    content: Content,
    kind: Kind,
    header: Vec<String>,
    header_row: u64,
    rows: u64,
    options: Options,
}

#[derive(Debug)]
enum Content {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

#[derive(Debug)]
enum Kind {
    Text {
        encoding: &'static Encoding,
        separator: u8,
    },
    Workbook {
        sheet: String,
        sheets: Vec<Sheet>,
        facts: Box<Facts>,
    },
    Lines,
}

/// What files and memory have in common.
pub(crate) trait Bytes: Read + Seek {}
impl<T: Read + Seek> Bytes for T {}

impl Content {
    fn open(&self) -> io::Result<BufReader<Box<dyn Bytes>>> {
        let bytes: Box<dyn Bytes> = match self {
            Content::File(path) => Box::new(File::open(path)?),
            Content::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        };
        Ok(BufReader::with_capacity(64 * 1024, bytes))
    }
}

/// Whether a file's name says that it holds JSON lines: one without any line says nothing itself.
fn is_lines(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".jsonl") || name.ends_with(".ndjson")
}

impl Source {
    /// Recognises the file at `path` and reads its headers.
    pub fn open(path: &Path, options: &Options) -> Result<Source, Error> {
        let name = path.display().to_string();
        let kind = std::fs::metadata(path).map_err(|e| Error::io(&name, e))?;
        if !kind.is_file() {
            let problem = said(
                "not a file: name one, and no folder",
                "不是文件：请给出文件，而不是文件夹",
            );
            return Err(Error::source(&name, problem));
        }
        Source::recognise(name, Content::File(path.to_path_buf()), options)
    }

    /// The same for bytes that are in memory already; `name` is for messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, options: &Options) -> Result<Source, Error> {
        Source::recognise(name.to_owned(), Content::Memory(bytes.into()), options)
    }

    fn recognise(name: String, content: Content, options: &Options) -> Result<Source, Error> {
        let io = |e| Error::io(&name, e);
        let mut start = Vec::new();
        content
            .open()
            .map_err(io)?
            .take(4096)
            .read_to_end(&mut start)
            .map_err(io)?;
        let kind = if start.starts_with(b"PK\x03\x04") {
            let wrong = |p: Said| Error::source(&name, p);
            if let Some(problem) = foreign::archive(content.open().map_err(io)?) {
                return Err(wrong(problem));
            }
            workbook::check(content.open().map_err(io)?, Limits::default()).map_err(wrong)?;
            let sheets = workbook::sheets(content.open().map_err(io)?).map_err(wrong)?;
            let sheet = workbook::sheet(&sheets, options.sheet.as_deref()).map_err(wrong)?;
            let facts = Box::new(Facts::read(content.open().map_err(io)?, &sheet).map_err(wrong)?);
            Kind::Workbook { sheet, sheets, facts }
        } else if let Some(problem) = foreign::other(&start, || content.open()).map_err(io)? {
            return Err(Error::source(&name, problem));
        } else if first_sign(&start) == Some(b'{') || (first_sign(&start).is_none() && is_lines(&name)) {
            Kind::Lines
        } else {
            let fixed = options.encoding.as_deref().map(|e| named(e, "encoding")).transpose()?;
            let encoding = detect(content.open().map_err(io)?, fixed).map_err(io)?;
            if fixed.is_none() && start.contains(&0) && (encoding == UTF_8 || encoding == GB18030) {
                return Err(Error::source(
                    &name,
                    said(
                        "bytes of zero, so this is no text or UTF-16 without its mark: name it, encoding = \"utf-16le\"",
                        "文件含有零字节：不是文本，或是没有标记的 UTF-16；若是后者，请在映射中写明 encoding = \"utf-16le\"",
                    ),
                ));
            }
            if fixed.is_none() {
                implausible(content.open().map_err(io)?, encoding)
                    .map_err(io)?
                    .map_or(Ok(()), |problem| Err(Error::source(&name, problem)))?;
            }
            let separator = match options.separator {
                Some(c) if c.is_ascii() && !"\"\r\n".contains(c) => c as u8,
                Some(c) => {
                    let problem = format!("{c:?} is not a separator: write one such as \",\", \";\" or \"\\t\"");
                    return Err(Error::mapping("separator", problem));
                }
                None => b',',
            };
            Kind::Text { encoding, separator }
        };
        let mut source = Source {
            name,
            content,
            kind,
            header: Vec::new(),
            header_row: 0,
            rows: 0,
            options: options.clone(),
        };
        source.read_header(options)?;
        Ok(source)
    }

    fn read_header(&mut self, options: &Options) -> Result<(), Error> {
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

    /// The first rows of the file, titles and headers among them.
    pub(crate) fn top(&self, most: usize) -> Result<Vec<SourceRow>, Error> {
        let mut top = Vec::new();
        self.each_raw(&mut |row| {
            top.push(row);
            Ok(top.len() < most)
        })?;
        Ok(top)
    }

    /// Whether a row of a workbook has cells that are merged over several columns.
    pub(crate) fn is_grouped(&self, number: u64) -> bool {
        match &self.kind {
            Kind::Workbook { facts, .. } => facts.wide.iter().any(|(row, ..)| u64::from(*row) + 1 == number),
            _ => false,
        }
    }

    /// The sheets of a workbook; none for other files.
    pub fn sheets(&self) -> &[Sheet] {
        match &self.kind {
            Kind::Workbook { sheets, .. } => sheets,
            _ => &[],
        }
    }

    /// The sheet that is read; empty for other files.
    pub fn sheet(&self) -> &str {
        match &self.kind {
            Kind::Workbook { sheet, .. } => sheet,
            _ => "",
        }
    }

    /// The number of the row of headers, the last where there are several.
    pub fn header_row(&self) -> u64 {
        self.header_row
    }

    /// How many rows below the headers the sheet hides, and whether a filter is set.
    pub fn hidden_rows(&self) -> (usize, bool) {
        match &self.kind {
            Kind::Workbook { facts, .. } => {
                let below = facts.hidden.iter().filter(|&&row| u64::from(row) >= self.header_row);
                (below.count(), facts.filtered)
            }
            _ => (0, false),
        }
    }

    /// What becomes of hidden rows.
    pub(crate) fn hidden(&self) -> Hidden {
        self.options.hidden
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

    fn count_lines(&self) -> Result<u64, Error> {
        let mut reader = self.content.open().map_err(|e| Error::io(&self.name, e))?;
        let mut lines = 0;
        let mut last = b'\n';
        loop {
            let buffer = reader.fill_buf().map_err(|e| Error::io(&self.name, e))?;
            let Some(&end) = buffer.last() else { break };
            lines += buffer.iter().filter(|&&b| b == b'\n').count() as u64;
            last = end;
            let length = buffer.len();
            reader.consume(length);
        }
        Ok(lines + u64::from(last != b'\n'))
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The headers, trimmed. Empty for JSON lines.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The values of columns of one row, both joined by a comma; empty for JSON lines.
    pub(crate) fn values(&self, row: &SourceRow, columns: &str) -> String {
        let value = |column: &str| {
            let place = self.places(column).first().copied();
            place.and_then(|p| row.cells.get(p)).cloned().unwrap_or_default()
        };
        if self.is_json() {
            String::new()
        } else {
            columns.split(", ").map(value).collect::<Vec<_>>().join(", ")
        }
    }

    /// About how many rows there are below the header, for a progress bar.
    pub fn approximate_rows(&self) -> u64 {
        self.rows
    }

    /// Whether the rows are JSON lines.
    pub fn is_json(&self) -> bool {
        matches!(self.kind, Kind::Lines)
    }

    /// Whether the file is delimited text, whose cells can carry a guard against spreadsheets (see [`Format::Csv`](crate::Format)).
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text { .. })
    }

    /// The separator with which rows of this source are written again.
    pub(crate) fn separator(&self) -> char {
        match self.kind {
            Kind::Text { separator, .. } => char::from(separator),
            _ => ',',
        }
    }

    /// Calls `row` with each row below the header that is not blank, until it answers false.
    pub fn each(&self, row: &mut dyn FnMut(SourceRow) -> Result<bool, Error>) -> Result<(), Error> {
        self.each_raw(&mut |mut read| {
            if read.number <= self.header_row || read.is_blank() {
                return Ok(true);
            }
            if !self.is_json() {
                while read.cells.len() > self.header.len() && read.cells.last().is_some_and(|c| c.trim().is_empty()) {
                    read.cells.pop();
                }
                if read.cells.len() < self.header.len() {
                    read.cells.resize(self.header.len(), String::new());
                }
            }
            row(read)
        })
    }

    fn each_raw(&self, row: &mut dyn FnMut(SourceRow) -> Result<bool, Error>) -> Result<(), Error> {
        let bytes = self.content.open().map_err(|e| Error::io(&self.name, e))?;
        let bad = |e: io::Error| Error::source(&self.name, e);
        match &self.kind {
            Kind::Workbook { sheet, facts, .. } => {
                workbook::each(bytes, sheet, facts, self.options.merged, &self.name, row)
            }
            Kind::Text { encoding, separator } => {
                let text = BufReader::with_capacity(64 * 1024, Utf8::new(bytes, encoding));
                let mut rows = Delimited::new(text, *separator);
                while let Some(cells) = rows.next_row().map_err(bad)? {
                    // A text does not say which of its cells were numbers.
                    let odd = |text: &String| Odd::of_number(text).or_else(|| Odd::of_text(text));
                    let odd = cells
                        .iter()
                        .enumerate()
                        .filter_map(|(i, c)| Some((i, odd(c)?)))
                        .collect();
                    if !row(SourceRow {
                        number: rows.number,
                        cells,
                        hidden: false,
                        odd,
                    })? {
                        break;
                    }
                }
                Ok(())
            }
            Kind::Lines => {
                let mut text = BufReader::with_capacity(64 * 1024, Utf8::new(bytes, UTF_8));
                let mut number = 0;
                loop {
                    let mut line = String::new();
                    (&mut text).take(MAX_ROW as u64).read_line(&mut line).map_err(bad)?;
                    number += 1;
                    if line.is_empty() {
                        return Ok(());
                    }
                    if line.len() >= MAX_ROW {
                        return Err(Error::source(
                            &self.name,
                            said(
                                format!("line {number}: more than {MAX_ROW} bytes; write one resource on a line"),
                                format!("第{number}行：超过 {MAX_ROW} 字节；每行应为一条记录"),
                            ),
                        ));
                    }
                    if !row(SourceRow {
                        number,
                        cells: vec![line.trim().to_owned()],
                        ..SourceRow::default()
                    })? {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// A header as it is compared: with one blank where it has several, or a line break.
fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first byte that is neither white space nor part of a byte order mark.
fn first_sign(start: &[u8]) -> Option<u8> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    start.iter().copied().find(|b| !b.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from_bytes("test", text.as_bytes().to_vec(), &Options::default()).unwrap()
    }

    fn read(source: &Source) -> Vec<SourceRow> {
        let mut rows = Vec::new();
        source
            .each(&mut |row| {
                rows.push(row);
                Ok(true)
            })
            .unwrap();
        rows
    }

    #[test]
    fn blank_rows_are_skipped_and_headers_trimmed() {
        let source = source("\n id ; full  name ;\n1;x\n;;\n\n2\n");
        assert_eq!(source.header(), ["id", "full name"]);
        let row = |number, cells: [&str; 2]| SourceRow {
            number,
            cells: cells.map(str::to_owned).to_vec(),
            ..SourceRow::default()
        };
        assert_eq!(read(&source), [row(3, ["1", "x"]), row(6, ["2", ""])]);
        assert_eq!(source.approximate_rows(), 4);
    }

    #[test]
    fn the_header_can_stand_below_a_title() {
        let options = Options {
            header: Some(3),
            ..Options::default()
        };
        let source = Source::from_bytes("test", "名单\n\nid\tname\n1\tx\n".as_bytes().to_vec(), &options).unwrap();
        assert_eq!(source.header(), ["id", "name"]);
        assert_eq!(read(&source)[0].number, 4);
    }

    #[test]
    fn json_lines_are_told_by_their_first_sign() {
        let source = source("\u{feff}{\"a\":1}\n\n{\"b\":2}");
        assert!(source.is_json());
        assert_eq!(read(&source).iter().map(|r| r.number).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn an_empty_file_an_old_workbook_and_a_folder_are_refused_in_words() {
        let refused = |bytes: &[u8]| {
            Source::from_bytes("f", bytes.to_vec(), &Options::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(b"\n\n"), "f: there is no row of headers; the file is empty");
        assert_eq!(
            refused(b"\xd0\xcf\x11\xe0...."),
            "f: a workbook of the old format (.xls, or .et of WPS); open it and save it as .xlsx (另存为 → Excel 工作簿)"
        );
        let folder = Source::open(Path::new("/"), &Options::default())
            .unwrap_err()
            .to_string();
        assert_eq!(folder, "/: not a file: name one, and no folder");
    }
}
