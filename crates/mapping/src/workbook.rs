//! Rows of an XLSX workbook, read cell by cell, after a check that it does not unpack to more than is sound.

use std::io::{BufReader, Read};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError, open_workbook_from_rs};
use zip::ZipArchive;

use crate::delimited::MAX_COLUMNS;
use crate::error::Error;
use crate::source::{Bytes, Limits, SourceRow};

type Input = BufReader<Box<dyn Bytes>>;

/// Unpacks everything once without keeping it, and says what is too large. What the archive declares of itself is not
/// believed.
pub(crate) fn check(input: Input, limits: Limits) -> Result<(), String> {
    let mut archive = ZipArchive::new(input).map_err(|e| format!("not a workbook: {e}"))?;
    let mut all = 0;
    let mut held = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| format!("a broken workbook: {e}"))?;
        let name = entry
            .name()
            .map_err(|e| format!("a broken workbook: {e}"))?
            .into_owned();
        let sheet = name.starts_with("xl/worksheets/");
        let xml = name.ends_with(".xml") || name.ends_with(".rels");
        let mut buffer = vec![0; 64 * 1024];
        let mut run = 0;
        loop {
            let length = entry
                .read(&mut buffer)
                .map_err(|e| format!("a broken workbook: {name}: {e}"))?;
            if length == 0 {
                break;
            }
            all += length as u64;
            held += if xml && !sheet { length as u64 } else { 0 };
            for &byte in buffer.iter().take(length) {
                run = if matches!(byte, b'<' | b'>') { 0 } else { run + 1 };
                if xml && run > limits.text {
                    return Err(format!("{name}: a cell or tag of more than {} bytes", limits.text));
                }
            }
            if all > limits.unpacked || held > limits.held {
                return Err(format!(
                    "unpacks to more than {} MiB, or to more than {} MiB of texts and styles",
                    limits.unpacked >> 20,
                    limits.held >> 20
                ));
            }
        }
    }
    Ok(())
}

fn open(input: Input) -> Result<Xlsx<Input>, String> {
    open_workbook_from_rs(input).map_err(|e: XlsxError| format!("not an XLSX workbook: {e}"))
}

/// The name of the sheet that is asked for, or of the first.
pub(crate) fn sheet(input: Input, name: Option<&str>) -> Result<String, String> {
    let sheets = open(input)?.sheet_names();
    match name {
        Some(name) if sheets.iter().any(|s| s == name) => Ok(name.to_owned()),
        Some(name) => Err(format!("no sheet {name:?}; there are {}", sheets.join(", "))),
        None => sheets
            .into_iter()
            .next()
            .ok_or_else(|| "a workbook without sheets".to_owned()),
    }
}

/// How many rows the sheet says it has.
pub(crate) fn rows(input: Input, sheet: &str) -> Result<u64, String> {
    let mut workbook = open(input)?;
    let cells = workbook.worksheet_cells_reader(sheet).map_err(|e| e.to_string())?;
    Ok(u64::from(cells.dimensions().end.0) + 1)
}

/// Calls `row` with each row that has cells, until it answers false.
pub(crate) fn each(
    input: Input,
    sheet: &str,
    name: &str,
    row: &mut dyn FnMut(SourceRow) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut workbook = open(input).map_err(|p| Error::source(name, p))?;
    let mut cells = workbook
        .worksheet_cells_reader(sheet)
        .map_err(|e| Error::source(name, e))?;
    let mut current: Option<SourceRow> = None;
    while let Some(cell) = cells.next_cell().map_err(|e| Error::source(name, e))? {
        let (line, column) = cell.get_position();
        let (number, column) = (u64::from(line) + 1, column as usize);
        if column >= MAX_COLUMNS {
            return Err(Error::source(
                name,
                format!("row {number}: more than {MAX_COLUMNS} columns"),
            ));
        }
        if current.as_ref().is_none_or(|c| c.number != number) {
            if current.as_ref().is_some_and(|c| c.number > number) {
                return Err(Error::source(name, format!("row {number} stands after a later row")));
            }
            if let Some(done) = current.take()
                && !row(done)?
            {
                return Ok(());
            }
        }
        let cells = &mut current
            .get_or_insert(SourceRow {
                number,
                cells: Vec::new(),
            })
            .cells;
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        if let Some(place) = cells.get_mut(column) {
            *place = text(cell.get_value());
        }
    }
    if let Some(done) = current {
        row(done)?;
    }
    Ok(())
}

/// A cell as its text: numbers without a needless point, dates in ISO 8601, errors by their sign (`#N/A`).
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(n) => n.to_string(),
        DataRef::Float(n) => number(*n),
        DataRef::String(s) | DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => s.clone(),
        DataRef::SharedString(s) => (*s).to_owned(),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTime(d) => moment(d),
        DataRef::Error(e) => e.to_string(),
    }
}

fn number(n: f64) -> String {
    // Below 2^53 a whole number is exact.
    if n.fract() == 0.0 && n.abs() < 9e15 {
        format!("{n:.0}")
    } else {
        n.to_string()
    }
}

fn moment(date: &ExcelDateTime) -> String {
    if date.is_duration() {
        return number(date.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
    match (hour, minute, second) {
        (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;
    use crate::source::{Options, Source};

    fn read(bytes: Vec<u8>, sheet: Option<&str>) -> Result<Vec<SourceRow>, Error> {
        let source = Source::from_bytes(
            "book",
            bytes,
            &Options {
                sheet: sheet.map(str::to_owned),
                ..Options::default()
            },
        )?;
        let mut rows = vec![SourceRow {
            number: 0,
            cells: source.header().to_vec(),
        }];
        source.each(&mut |row| {
            rows.push(row);
            Ok(true)
        })?;
        Ok(rows)
    }

    fn book() -> Vec<u8> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet().set_name("名单").unwrap();
        sheet.write_row(1, 0, ["编号", "日期", "面积", "日"]).unwrap();
        sheet.write_string(3, 0, "007").unwrap();
        let date = ExcelDateTime::parse_from_str("2024-06-30").unwrap();
        sheet
            .write_datetime_with_format(3, 1, &date, &Format::new().set_num_format("yyyy-mm-dd"))
            .unwrap();
        sheet.write_number(3, 2, 1200).unwrap();
        sheet.write_number(3, 3, 0.5).unwrap();
        sheet.write_string(5, 3, "x\ny").unwrap();
        book.add_worksheet()
            .set_name("other")
            .unwrap()
            .write_string(0, 0, "z")
            .unwrap();
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn cells_come_as_texts_with_the_row_numbers_of_the_sheet() {
        let rows = read(book(), None).unwrap();
        let row = |number, cells: [&str; 4]| SourceRow {
            number,
            cells: cells.map(str::to_owned).to_vec(),
        };
        let expected = [
            row(0, ["编号", "日期", "面积", "日"]),
            row(4, ["007", "2024-06-30", "1200", "0.5"]),
            row(6, ["", "", "", "x\ny"]),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_sheet_is_found_by_its_name_and_a_wrong_name_lists_those_there_are() {
        assert_eq!(read(book(), Some("other")).unwrap()[0].cells, ["z"]);
        let error = read(book(), Some("third")).unwrap_err().to_string();
        assert_eq!(error, "book: no sheet \"third\"; there are 名单, other");
    }

    #[test]
    fn a_broken_workbook_is_an_error() {
        let mut bytes = book();
        bytes.truncate(bytes.len() / 2);
        assert!(
            read(bytes, None)
                .unwrap_err()
                .to_string()
                .starts_with("book: not a workbook")
        );
    }

    fn packed(name: &str, text: &[u8]) -> Input {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text).unwrap();
        BufReader::new(Box::new(zip.finish().unwrap()))
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_is_read() {
        let limits = Limits {
            unpacked: 1 << 20,
            held: 1 << 18,
            text: 1 << 10,
        };
        let many = b"<c/>".repeat(1 << 17);
        assert!(check(packed("xl/worksheets/sheet1.xml", &many), limits).is_ok());
        assert!(
            check(packed("xl/sharedStrings.xml", &many), limits)
                .unwrap_err()
                .starts_with("unpacks to more")
        );
        let all = b"<c/>".repeat((1 << 18) + 1);
        assert!(
            check(packed("xl/worksheets/sheet1.xml", &all), limits)
                .unwrap_err()
                .starts_with("unpacks to more")
        );
        let cell = [b"<c>".as_slice(), &[b'x'; 2000], b"</c>"].concat();
        assert!(
            check(packed("xl/worksheets/sheet1.xml", &cell), limits)
                .unwrap_err()
                .contains("a cell or tag of more")
        );
    }
}
