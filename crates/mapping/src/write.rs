//! Writes resources as CSV, XLSX or JSON lines, in the form that an import `--as` their collection reads as unchanged.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use prost_reflect::{DynamicMessage, FieldDescriptor, Value};
use rust_xlsxwriter::{Workbook, XlsxError};

use crate::collection::Collection;
use crate::delimited::push_cell;
use crate::error::Error;
use crate::plain::{cell, guarded};

/// The forms of a written file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// UTF-8 with a byte order mark, so that spreadsheets show Chinese; commas; CRLF. A text that a spreadsheet would
    /// take for a formula carries an apostrophe, which is taken off again when it is read.
    Csv,
    /// One sheet, named as the collection.
    Xlsx,
    /// One resource a line, as the contract's JSON.
    JsonLines,
}

impl Format {
    /// The format that a file's ending names.
    pub fn of(path: &Path) -> Result<Format, Error> {
        let ending = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Ok(Format::Csv),
            "xlsx" => Ok(Format::Xlsx),
            "jsonl" | "ndjson" => Ok(Format::JsonLines),
            _ => Err(Error::Write(format!(
                "{}: the name must end in .csv, .xlsx or .jsonl",
                path.display()
            ))),
        }
    }
}

/// Writes resources of one collection.
pub struct Writer {
    fields: Vec<FieldDescriptor>,
    input_only: &'static [&'static str],
    form: Form,
    written: u32,
    words: bool,
}

enum Form {
    Csv(Box<dyn Write + Send>),
    Xlsx(Box<Workbook>, File),
    JsonLines(Box<dyn Write + Send>),
}

impl Writer {
    /// Begins a file.
    pub fn new(format: Format, collection: &'static Collection, file: File) -> Result<Writer, Error> {
        let form = match format {
            Format::Csv => Form::Csv(Box::new(BufWriter::new(file))),
            Format::JsonLines => Form::JsonLines(Box::new(BufWriter::new(file))),
            Format::Xlsx => {
                let mut book = Workbook::new();
                // Rows go to a file as they come and are not held.
                book.add_worksheet_with_constant_memory()
                    .and_then(|s| s.set_name(collection.label))
                    .map_err(sheet)?;
                Form::Xlsx(Box::new(book), file)
            }
        };
        let mut writer = Writer::with(form, collection)?;
        writer.header()?;
        Ok(writer)
    }

    /// Writes JSON lines to anything.
    pub fn lines(collection: &'static Collection, out: Box<dyn Write + Send>) -> Result<Writer, Error> {
        Writer::with(Form::JsonLines(out), collection)
    }

    fn with(form: Form, collection: &'static Collection) -> Result<Writer, Error> {
        let message = collection
            .message()
            .ok_or_else(|| Error::Write("the contract lacks the message".to_owned()))?;
        // Fields that are never answered would only come back as empty, and an empty column empties a field.
        let mut fields: Vec<_> = message
            .fields()
            .filter(|f| !collection.input_only.contains(&f.name()))
            .collect();
        fields.sort_by_key(FieldDescriptor::number);
        Ok(Writer {
            fields,
            input_only: collection.input_only,
            form,
            written: 0,
            words: false,
        })
    }

    /// Writes enum values as their Chinese words, in tables; JSON lines are always the contract's.
    pub fn in_words(mut self) -> Writer {
        self.words = true;
        self
    }

    fn header(&mut self) -> Result<(), Error> {
        let names: Vec<_> = self.fields.iter().map(|f| f.name().to_owned()).collect();
        match &mut self.form {
            Form::Csv(out) => {
                out.write_all("\u{feff}".as_bytes()).map_err(failed)?;
                line(out, names.iter().map(String::as_str))
            }
            Form::Xlsx(book, _) => {
                let page = book.worksheet_from_index(0).map_err(sheet)?;
                for (name, column) in names.iter().zip(0u16..) {
                    page.write_string(0, column, name).map_err(sheet)?;
                }
                Ok(())
            }
            Form::JsonLines(_) => Ok(()),
        }
    }

    /// Adds a resource.
    pub fn write(&mut self, message: &DynamicMessage) -> Result<(), Error> {
        self.written += 1;
        match &mut self.form {
            Form::Csv(out) => {
                let mut cells = Vec::new();
                for field in &self.fields {
                    let text = cell(message, field, self.words)?;
                    let texts = matches!(message.get_field(field).as_ref(), Value::String(_));
                    cells.push(if texts { guarded(&text).into_owned() } else { text });
                }
                line(out, cells.iter().map(String::as_str))
            }
            Form::Xlsx(book, _) => {
                let page = book.worksheet_from_index(0).map_err(sheet)?;
                for (field, column) in self.fields.iter().zip(0u16..) {
                    let text = cell(message, field, self.words)?;
                    let number = match message.get_field(field).as_ref() {
                        Value::I32(n) => Some(f64::from(*n)),
                        // Beyond 2^53 a sheet would round.
                        Value::I64(n) => i32::try_from(*n).ok().map(f64::from),
                        _ => None,
                    };
                    match number {
                        _ if text.is_empty() => continue,
                        Some(number) => page.write_number(self.written, column, number),
                        None => page.write_string(self.written, column, &text),
                    }
                    .map_err(|e| too_large(e, self.written, field.name()))?;
                }
                Ok(())
            }
            Form::JsonLines(out) => {
                let mut message = message.clone();
                self.input_only.iter().for_each(|f| message.clear_field_by_name(f));
                serde_json::to_writer(&mut *out, &message).map_err(|e| Error::Write(e.to_string()))?;
                out.write_all(b"\n").map_err(failed)
            }
        }
    }

    /// Ends the file.
    pub fn finish(self) -> Result<(), Error> {
        match self.form {
            Form::Csv(mut out) | Form::JsonLines(mut out) => out.flush().map_err(failed),
            Form::Xlsx(mut book, file) => book.save_to_writer(file).map_err(sheet),
        }
    }
}

/// Writes one line of CSV.
fn line<'a>(out: &mut dyn Write, cells: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut text = String::new();
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_cell(&mut text, cell, ',');
    }
    text.push_str("\r\n");
    out.write_all(text.as_bytes()).map_err(failed)
}

fn failed(error: std::io::Error) -> Error {
    Error::Write(format!("writing failed: {error}"))
}

fn sheet(error: XlsxError) -> Error {
    Error::Write(format!("writing the workbook failed: {error}"))
}

fn too_large(error: XlsxError, row: u32, field: &str) -> Error {
    match error {
        XlsxError::MaxStringLengthExceeded => Error::Write(format!(
            "{field} of resource {row} has more than 32767 characters and fits no cell of a workbook; write .csv or .jsonl"
        )),
        XlsxError::RowColumnLimitError => {
            Error::Write("a workbook holds 1048575 resources at most; write .csv or .jsonl".to_owned())
        }
        other => sheet(other),
    }
}
