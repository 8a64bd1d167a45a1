//! A file of rows: CSV, XLSX or JSON lines, told by its content, read from the start as often as asked.

mod header;

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{Encoding, GB18030, UTF_8};

use crate::content::Content;
use crate::decode::{Utf8, detect, implausible, named};
use crate::delimited::{Delimited, MAX_ROW};
use crate::error::{Error, Said, said};
use crate::facts::Facts;
use crate::foreign;
use crate::options::{Hidden, Limits, Options};
use crate::source_row::{Odd, SourceRow};
use crate::unpacked;
use crate::workbook::{self, Sheet};

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
            unpacked::check(content.open().map_err(io)?, Limits::default()).map_err(wrong)?;
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
