//! Tables as files: delimited text in some encoding, and workbooks cell by cell, as programs of several makers write
//! them.

use std::fmt::Write as _;
use std::io::{Cursor, Write};

use encoding_rs::{Encoding, UTF_16LE};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{Cell, Row, Subject};

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Delimited text.
    Text,
    /// A workbook.
    Book,
}

/// A file, and the number that each of its rows has in it.
pub fn write(subject: &Subject, form: Form, rows: &[Row]) -> (Vec<u8>, Vec<u64>) {
    let first = subject.above + subject.headers.len();
    let numbers = (1..=rows.len()).map(|n| (first + n) as u64).collect();
    let bytes = match form {
        Form::Text => text(subject, rows),
        Form::Book => book(subject, rows),
    };
    (bytes, numbers)
}

fn text(subject: &Subject, rows: &[Row]) -> Vec<u8> {
    let (encoding, separator) = subject.text;
    let mut text = "\n".repeat(subject.above);
    let quoted = |cell: &str| {
        if cell.contains([separator, '"', '\n']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.to_owned()
        }
    };
    let mut line = |cells: &mut dyn Iterator<Item = &str>, behind: &str| {
        let cells: Vec<_> = cells.map(quoted).collect();
        text.push_str(&cells.join(&separator.to_string()));
        text.push_str(&behind.replace(',', &separator.to_string()));
        text.push_str("\r\n");
    };
    for header in subject.headers {
        line(&mut header.iter().copied(), "");
    }
    for row in rows {
        line(&mut row.cells.iter().map(Cell::text), row.behind);
    }
    match encoding {
        "utf-8-bom" => format!("\u{feff}{text}").into_bytes(),
        "utf-16le" => {
            let units = format!("\u{feff}{text}");
            debug_assert_eq!(Encoding::for_bom(b"\xff\xfe").unwrap().0, UTF_16LE);
            units.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        label => {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            let (bytes, _, failed) = encoding.encode(&text);
            assert!(!failed, "{label} has not all characters");
            bytes.into_owned()
        }
    }
}

/// The formats that cells have, in the order of their styles.
const FORMATS: [&str; 6] = ["General", "000000", "0.00", "yyyy-mm-dd", "yyyy\"年\"m\"月\"", "@"];

fn book(subject: &Subject, rows: &[Row]) -> Vec<u8> {
    let columns = subject.columns.len();
    let mut sheet = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">",
    );
    let first = subject.above + subject.headers.len();
    let _ = write!(
        sheet,
        "<dimension ref=\"A1:{}{}\"/><sheetData>",
        letter(columns - 1),
        first + rows.len()
    );
    let mut merged = Vec::new();
    for (at, header) in subject.headers.iter().enumerate() {
        let number = subject.above + at + 1;
        let _ = write!(sheet, "<row r=\"{number}\">");
        for (place, text) in header.iter().enumerate() {
            cell(&mut sheet, number, place, &Cell::Text((*text).to_owned()));
        }
        sheet.push_str("</row>");
        // A name above several columns is one wide cell.
        for (place, text) in header.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let wide = header[place + 1..].iter().take_while(|next| next.is_empty()).count();
            let under = subject.headers.get(at + 1).map_or("", |next| next[place]);
            if wide > 0 && !text.is_empty() && !under.is_empty() {
                merged.push(format!("{}{number}:{}{number}", letter(place), letter(place + wide)));
            }
        }
    }
    let mut top: Option<(usize, usize, usize)> = None;
    for (row, number) in rows.iter().zip(first + 1..) {
        let hidden = if row.hidden { " hidden=\"1\"" } else { "" };
        let _ = write!(sheet, "<row r=\"{number}\"{hidden}>");
        for (place, value) in row.cells.iter().enumerate() {
            cell(&mut sheet, number, place, value);
        }
        sheet.push_str("</row>");
        match (row.merged, &mut top) {
            (Some(_), Some(range)) => range.2 = number,
            (Some(place), None) => top = Some((place, number - 1, number)),
            (None, _) => merged.extend(top.take().map(range)),
        }
    }
    merged.extend(top.take().map(range));
    sheet.push_str("</sheetData>");
    if !merged.is_empty() {
        let _ = write!(sheet, "<mergeCells count=\"{}\">", merged.len());
        for range in merged {
            let _ = write!(sheet, "<mergeCell ref=\"{range}\"/>");
        }
        sheet.push_str("</mergeCells>");
    }
    sheet.push_str("</worksheet>");
    packed(&sheet)
}

fn range((place, from, to): (usize, usize, usize)) -> String {
    format!("{0}{from}:{0}{to}", letter(place))
}

fn letter(place: usize) -> char {
    char::from(b'A' + u8::try_from(place).unwrap())
}

fn cell(sheet: &mut String, number: usize, place: usize, cell: &Cell) {
    let at = letter(place);
    let _ = match cell {
        Cell::Text(text) if text.is_empty() => Ok(()),
        Cell::Text(text) if text.starts_with("#N/A") => write!(sheet, "<c r=\"{at}{number}\" t=\"e\"><v>#N/A</v></c>"),
        Cell::Text(text) => write!(
            sheet,
            "<c r=\"{at}{number}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>",
            text.replace('&', "&amp;").replace('<', "&lt;").replace('\n', "&#10;")
        ),
        Cell::Number(value, format) => {
            let style = FORMATS.iter().position(|known| known == format).unwrap();
            write!(sheet, "<c r=\"{at}{number}\" s=\"{style}\"><v>{value}</v></c>")
        }
        // As libraries that compute nothing write it.
        Cell::Valueless => write!(sheet, "<c r=\"{at}{number}\"><f>A1&amp;\"\"</f><v></v></c>"),
    };
}

fn packed(sheet: &str) -> Vec<u8> {
    let formats: String = FORMATS
        .iter()
        .enumerate()
        .map(|(i, code)| {
            let code = code.replace('"', "&quot;");
            format!("<numFmt numFmtId=\"{}\" formatCode=\"{code}\"/>", 164 + i)
        })
        .collect();
    let styles: String = (0..FORMATS.len())
        .map(|i| format!("<xf numFmtId=\"{}\" applyNumberFormat=\"1\"/>", 164 + i))
        .collect();
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let parts = [
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{package}/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{kind}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/worksheets/sheet1.xml\" ContentType=\"{kind}.worksheet+xml\"/>\
                 <Override PartName=\"/xl/styles.xml\" ContentType=\"{kind}.styles+xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"rId1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets><sheet name=\"名单\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"rId1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
                 <Relationship Id=\"rId2\" Type=\"{office}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "<styleSheet xmlns=\"{main}\"><numFmts count=\"{n}\">{formats}</numFmts><cellXfs count=\"{n}\">{styles}</cellXfs></styleSheet>",
                n = FORMATS.len()
            ),
        ),
        ("xl/worksheets/sheet1.xml", sheet.to_owned()),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The rows of a text of RFC 4180 with this separator, each with its cells.
pub fn read(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut signs = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => cell.extend(signs.next()),
            '"' => quoted = !quoted,
            _ if sign == separator && !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(sign),
        }
    }
    rows
}
