//! Rows of delimited text (RFC 4180), with bounds and with the row numbers that a spreadsheet shows.

use std::io::{self, BufRead};

use crate::error::said;

/// The most characters (bytes of UTF-8) in one cell, and in one row.
pub(crate) const MAX_CELL: usize = 1024 * 1024;
pub(crate) const MAX_ROW: usize = 8 * MAX_CELL;
/// The most columns.
pub(crate) const MAX_COLUMNS: usize = 16_384;

/// Reads rows one by one. Line breaks inside quotes belong to the cell and do not count as rows; blank lines count.
pub(crate) struct Delimited<R> {
    input: R,
    separator: u8,
    /// Number of the row that was read last; 1 for the first.
    pub(crate) number: u64,
    after_return: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    CellStart,
    Bare,
    Quoted,
    /// After a quote inside quotes: the end of the quoted part, or half of a doubled quote.
    Quote,
}

impl<R: BufRead> Delimited<R> {
    pub(crate) fn new(input: R, separator: u8) -> Self {
        Delimited {
            input,
            separator,
            number: 0,
            after_return: false,
        }
    }

    /// The next row, or none at the end.
    pub(crate) fn next_row(&mut self) -> io::Result<Option<Vec<String>>> {
        let mut cells = Vec::new();
        let mut cell = Vec::new();
        let mut at = At::CellStart;
        let mut size = 0;
        let mut begun = false;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                if !begun {
                    return Ok(None);
                }
                if at == At::Quoted {
                    let row = self.number + 1;
                    return Err(bad(
                        format!("row {row}: a quotation mark opens a cell and nothing closes it: close or delete it"),
                        format!("第{row}行：单元格的引号没有结束，请补上或删去"),
                    ));
                }
                cells.push(text(cell)?);
                self.number += 1;
                return Ok(Some(cells));
            }
            let mut used = 0;
            let mut ended = false;
            for &byte in buffer {
                used += 1;
                if std::mem::take(&mut self.after_return) && byte == b'\n' && !begun {
                    continue;
                }
                begun = true;
                size += 1;
                at = match (at, byte) {
                    (At::CellStart, b'"') => At::Quoted,
                    (At::Quoted, b'"') => At::Quote,
                    (At::Quote, b'"') => {
                        cell.push(b'"');
                        At::Quoted
                    }
                    (At::Quoted, _) => {
                        cell.push(byte);
                        At::Quoted
                    }
                    (_, b'\n' | b'\r') => {
                        self.after_return = byte == b'\r';
                        ended = true;
                        break;
                    }
                    (_, b) if b == self.separator => {
                        if cells.len() >= MAX_COLUMNS {
                            let row = self.number + 1;
                            return Err(bad(
                                format!("row {row}: more than {MAX_COLUMNS} columns; delete those that are not needed"),
                                format!("第{row}行：超过 {MAX_COLUMNS} 列，请删去不需要的列"),
                            ));
                        }
                        cells.push(text(std::mem::take(&mut cell))?);
                        At::CellStart
                    }
                    _ => {
                        cell.push(byte);
                        At::Bare
                    }
                };
                if cell.len() > MAX_CELL || size > MAX_ROW {
                    let row = self.number + 1;
                    return Err(bad(
                        format!(
                            "row {row}: a cell of more than {MAX_CELL} bytes or a row of more than {MAX_ROW}; is a quotation mark not closed?"
                        ),
                        format!("第{row}行：单元格超过 {MAX_CELL} 字节，或该行超过 {MAX_ROW} 字节；是否有引号没有结束"),
                    ));
                }
            }
            self.input.consume(used);
            if ended {
                cells.push(text(cell)?);
                self.number += 1;
                return Ok(Some(cells));
            }
        }
    }
}

fn bad(en: impl Into<String>, zh: impl Into<String>) -> io::Error {
    said(en, zh).into()
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| bad("text that is not UTF-8", "文字不是 UTF-8"))
}

/// Appends a cell to a line, in quotes where it needs them.
pub(crate) fn push_cell(line: &mut String, cell: &str, separator: char) {
    let plain = !cell.contains([separator, '"', '\n', '\r']) && cell.trim() == cell;
    if plain {
        line.push_str(cell);
    } else {
        line.push('"');
        line.push_str(&cell.replace('"', "\"\""));
        line.push('"');
    }
}

/// The separator that a header line uses: the one of `,` `;` tab that occurs most outside quotes.
pub(crate) fn separator(line: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(!quoted && byte == *separator);
        }
    }
    // The first of equals stays: a line of one column has none of them.
    let mut best = counts[0];
    for each in counts {
        if each.1 > best.1 {
            best = each;
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut reader = Delimited::new(text.as_bytes(), b',');
        let mut rows = Vec::new();
        while let Some(cells) = reader.next_row().unwrap() {
            rows.push((reader.number, cells));
        }
        rows
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_numbers_them() {
        let read = rows("a,b\r\n\r\n\"x\r\ny\",\"1,\"\"2\"\"\"\n\nlast");
        let expected = [
            (1, vec!["a", "b"]),
            (2, vec![""]),
            (3, vec!["x\r\ny", "1,\"2\""]),
            (4, vec![""]),
            (5, vec!["last"]),
        ];
        assert_eq!(
            read,
            expected.map(|(n, cells)| (n, cells.into_iter().map(str::to_owned).collect()))
        );
        assert_eq!(rows("a\rb\r").len(), 2);
    }

    #[test]
    fn an_open_quotation_mark_is_an_error_that_names_its_row() {
        let mut reader = Delimited::new("a\n\"b\nc\n".as_bytes(), b',');
        reader.next_row().unwrap();
        assert!(
            reader
                .next_row()
                .unwrap_err()
                .to_string()
                .starts_with("row 2: a quotation mark opens")
        );
    }

    #[test]
    fn a_cell_without_end_is_stopped_before_it_fills_the_memory() {
        let text = format!("a\n\"{}", "x".repeat(MAX_CELL + 10));
        let mut reader = Delimited::new(text.as_bytes(), b',');
        reader.next_row().unwrap();
        assert!(
            reader
                .next_row()
                .unwrap_err()
                .to_string()
                .starts_with("row 2: a cell of more than")
        );
    }

    #[test]
    fn the_separator_is_told_from_the_header() {
        assert_eq!(separator("id,name"), b',');
        assert_eq!(separator("id;\"a,b,c\";x"), b';');
        assert_eq!(separator("id\tname"), b'\t');
        assert_eq!(separator("id"), b',');
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_what_another_writer_wrote_too(
            table in prop::collection::vec(prop::collection::vec("[ab,;\"\r\n\t 市]{0,6}", 2..5), 1..6)
        ) {
            let mut own = String::new();
            let mut other = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &table {
                for (i, cell) in row.iter().enumerate() {
                    if i > 0 { own.push(',') }
                    push_cell(&mut own, cell, ',');
                }
                own.push_str("\r\n");
                other.write_record(row).unwrap();
            }
            let other = String::from_utf8(other.into_inner().unwrap()).unwrap();
            for text in [own, other] {
                let read: Vec<_> = rows(&text).into_iter().map(|(_, cells)| cells).collect();
                prop_assert_eq!(&read, &table);
            }
        }
    }
}
