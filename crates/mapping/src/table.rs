//! Tables of texts for people who open them in a spreadsheet: CSV, or a workbook whose cells are all text.

use std::io::Write;

use rust_xlsxwriter::{Format as Style, Workbook, XlsxError};

use crate::delimited::push_cell;
use crate::error::Error;

/// A table that is written row by row.
pub struct Table<W: Write + Send> {
    form: Form<W>,
    rows: u32,
}

enum Form<W> {
    Csv(W, char),
    Xlsx(Box<Workbook>, Style, W),
}

impl<W: Write + Send> Table<W> {
    /// CSV in UTF-8 with a byte order mark, by which spreadsheets know it.
    pub fn csv(mut out: W, separator: char) -> Result<Self, Error> {
        out.write_all("\u{feff}".as_bytes()).map_err(failed)?;
        Ok(Table {
            form: Form::Csv(out, separator),
            rows: 0,
        })
    }

    /// A workbook of one sheet with so many columns. All cells are text, also those that people fill in later: so a spreadsheet
    /// changes no long number and no date.
    pub fn xlsx(out: W, sheet: &str, columns: usize) -> Result<Self, Error> {
        let mut book = Workbook::new();
        let style = Style::new().set_num_format("@");
        let page = book.add_worksheet_with_constant_memory().map_err(wrong)?;
        page.set_name(sheet).map_err(wrong)?;
        for column in (0u16..).take(columns) {
            page.set_column_format(column, &style).map_err(wrong)?;
        }
        Ok(Table {
            form: Form::Xlsx(Box::new(book), style, out),
            rows: 0,
        })
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) -> Result<(), Error> {
        match &mut self.form {
            Form::Csv(out, separator) => {
                let mut line = String::new();
                for (index, cell) in cells.iter().enumerate() {
                    if index > 0 {
                        line.push(*separator);
                    }
                    push_cell(&mut line, cell, *separator);
                }
                line.push_str("\r\n");
                out.write_all(line.as_bytes()).map_err(failed)?;
            }
            Form::Xlsx(book, style, _) => {
                let page = book.worksheet_from_index(0).map_err(wrong)?;
                for (cell, column) in cells.iter().zip(0u16..) {
                    if !cell.is_empty() {
                        page.write_string_with_format(self.rows, column, cell, style)
                            .map_err(wrong)?;
                    }
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the table.
    pub fn finish(self) -> Result<(), Error> {
        match self.form {
            Form::Csv(mut out, _) => out.flush().map_err(failed),
            Form::Xlsx(mut book, _, out) => book.save_to_writer(out).map_err(wrong),
        }
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Write(format!("writing the table failed: {error}"))
}

fn wrong(error: XlsxError) -> Error {
    match error {
        XlsxError::MaxStringLengthExceeded | XlsxError::RowColumnLimitError => Error::Write(
            "a workbook holds 32767 characters in a cell and 1048576 rows at most; name a .csv file".to_owned(),
        ),
        other => Error::Write(format!("writing the workbook failed: {other}")),
    }
}
