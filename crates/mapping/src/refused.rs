//! Writes the rows that were refused, with what is wrong with them, in a form that imports again by the same mapping.

use std::collections::BTreeMap;
use std::io::Write;

use mingce_proto::reasons::chinese;

use crate::error::Error;
use crate::plain::{guarded, unguarded};
use crate::row::{EXTRA, Refusal};
use crate::source::Source;
use crate::source_row::{Odd, SourceRow};
use crate::spec::{Content, Mapping};
use crate::table::Table;

/// Writes refused rows with the source's columns as CSV or a workbook, or JSON lines where the source is such.
pub struct RefusedWriter<'a> {
    mapping: &'a Mapping,
    source: &'a Source,
    rows: BTreeMap<u64, Vec<&'a Refusal>>,
}

impl<'a> RefusedWriter<'a> {
    /// Prepares to write the rows of `refusals`, each once, with all rows of a resource of which one is wrong.
    pub fn new(mapping: &'a Mapping, source: &'a Source, refusals: impl IntoIterator<Item = &'a Refusal>) -> Self {
        let mut rows: BTreeMap<u64, Vec<&Refusal>> = BTreeMap::new();
        for refusal in refusals {
            for &row in &refusal.rows {
                rows.entry(row).or_default().push(refusal);
            }
        }
        RefusedWriter { mapping, source, rows }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Reads the source once more and writes the rows as CSV, or as JSON lines where the source is such.
    pub fn write(&self, mut out: impl Write + Send) -> Result<(), Error> {
        if self.source.is_json() {
            self.mapping.each(self.source, &mut |row| {
                if let Some(refusals) = self.rows.get(&row.number) {
                    self.line(&row, refusals, &mut out)?;
                }
                Ok(true)
            })?;
            return out.flush().map_err(failed);
        }
        let separator = self.mapping.options().separator.unwrap_or(self.source.separator());
        self.table(Table::csv(out, separator)?, Guard::On)
    }

    /// The same as a workbook of which all cells are text.
    pub fn write_xlsx(&self, out: impl Write + Send) -> Result<(), Error> {
        if self.source.is_json() {
            return Err(Error::Write(
                "JSON lines do not fit into a workbook; name a .jsonl file".to_owned(),
            ));
        }
        // A mapping that names a sheet must find it there again.
        let sheet = self.mapping.options().sheet.unwrap_or_else(|| "refused".to_owned());
        let columns = EXTRA.len() + self.mapping.header(self.source).len();
        self.table(Table::xlsx(out, &sheet, columns)?, Guard::Off)
    }

    fn table<W: Write + Send>(&self, mut table: Table<W>, guard: Guard) -> Result<(), Error> {
        // Columns of an earlier such file are written anew.
        let names = self.mapping.header(self.source);
        let own: Vec<bool> = names.iter().map(|h| !EXTRA.contains(&h.as_str())).collect();
        let plain = self
            .mapping
            .parts()
            .iter()
            .any(|part| matches!(part.content, Content::Plain));
        let kept = |cells: &mut dyn Iterator<Item = String>| {
            let cells = cells.enumerate();
            let cells = cells.filter(|(i, _)| own.get(*i).copied().unwrap_or(true));
            cells.map(|(_, cell)| cell).collect::<Vec<_>>()
        };
        // A mapping that says where the header stands must find it there again.
        for _ in 1..self.mapping.options().header.unwrap_or(1) {
            table.row(&[])?;
        }
        let mut header: Vec<String> = EXTRA.map(str::to_owned).to_vec();
        header.extend(kept(&mut names.iter().cloned()));
        table.row(&header)?;
        self.mapping.each(self.source, &mut |row| {
            if let Some(refusals) = self.rows.get(&row.number) {
                let told = self.told(&row, refusals);
                let mut cells = match guard {
                    Guard::On => told.map(|t| guarded(&t).into_owned()).to_vec(),
                    Guard::Off => told.to_vec(),
                };
                let mut again = row.cells.iter().enumerate().map(|(place, cell)| {
                    let cell = still_wrong(cell, row.odd(place), is_unclear(refusals, &row, names.get(place)));
                    // In the form of an export, CSV has guards and a workbook has none.
                    match (plain, self.source.is_text(), guard) {
                        (true, true, Guard::Off) => unguarded(&cell).to_owned(),
                        (true, false, Guard::On) => guarded(&cell).into_owned(),
                        _ => cell,
                    }
                });
                cells.extend(kept(&mut again));
                table.row(&cells)?;
            }
            Ok(true)
        })?;
        table.finish()
    }

    fn line(&self, row: &SourceRow, refusals: &[&Refusal], out: &mut dyn Write) -> Result<(), Error> {
        let mut line = String::from("{");
        for (key, value) in EXTRA.iter().zip(self.told(row, refusals)) {
            line.push_str(&format!("\"{key}\":{},", serde_json::Value::String(value)));
        }
        let object = row.cells.first().map_or("", String::as_str);
        // A line that is no object cannot carry the reasons; it stands as it was.
        let rest = object
            .strip_prefix('{')
            .filter(|o| serde_json::from_str::<serde_json::Value>(&format!("{{{o}")).is_ok());
        let line = match rest.map(str::trim_start) {
            Some("}") => format!("{}}}", line.trim_end_matches(',')),
            Some(rest) => format!("{line}{rest}"),
            None => object.to_owned(),
        };
        writeln!(out, "{line}").map_err(failed)
    }

    /// The cells of the extra columns.
    fn told(&self, row: &SourceRow, refusals: &[&Refusal]) -> [String; 6] {
        let mut own: Vec<&Refusal> = Vec::new();
        for refusal in refusals.iter().copied().filter(|r| r.row == row.number) {
            // Several parts may say the same of a column.
            let same = |r: &&Refusal| {
                (&r.column, &r.reason, &r.description) == (&refusal.column, &refusal.reason, &refusal.description)
            };
            if !own.iter().any(same) {
                own.push(refusal);
            }
        }
        if own.is_empty() {
            let other: Vec<_> = refusals.iter().map(|r| r.row.to_string()).collect();
            let description = format!(
                "row {} of the same resource was refused: mend it there",
                other.join(", ")
            );
            return [
                row.number.to_string(),
                String::new(),
                String::new(),
                "SAME_RESOURCE".to_owned(),
                chinese("SAME_RESOURCE").unwrap_or_default().to_owned(),
                description,
            ];
        }
        let all = |get: &dyn Fn(&Refusal) -> String| {
            let texts: Vec<_> = own.iter().map(|r| get(r)).filter(|t| !t.is_empty()).collect();
            texts.join("; ")
        };
        let value = |r: &Refusal| match (r.value.is_empty() && !r.personal, r.personal) {
            (_, true) => String::new(),
            (true, _) => self.source.values(row, &r.column),
            (false, _) => r.value.clone(),
        };
        let (column, value) = (all(&|r| r.column.clone()), all(&value));
        [
            row.number.to_string(),
            column,
            value,
            all(&|r| r.reason.clone()),
            all(&|r| chinese(&r.reason).unwrap_or_default().to_owned()),
            all(&|r| r.description.clone()),
        ]
    }
}

/// Whether cells carry the guard against spreadsheets.
#[derive(Clone, Copy, PartialEq)]
enum Guard {
    On,
    Off,
}

/// A cell as it is written again: what could not be used as it stood must not become a text that can.
fn still_wrong(cell: &str, odd: Option<Odd>, unclear: bool) -> String {
    match odd {
        // The digits that are left are not the number.
        Some(Odd::Rounded) => cell.parse::<f64>().map_or_else(|_| cell.to_owned(), scientific),
        Some(Odd::Valueless) => "#VALUE!".to_owned(),
        Some(Odd::NoNumber) => "#NUM!".to_owned(),
        // A number may be several days; a text of the same signs is one.
        Some(Odd::Number) if unclear => format!("{cell}?"),
        Some(Odd::Number) | None => cell.to_owned(),
    }
}

/// Whether a column was refused as a date of several meanings.
fn is_unclear(refusals: &[&Refusal], row: &SourceRow, column: Option<&String>) -> bool {
    let names = |refusal: &Refusal| column.is_some_and(|c| refusal.column.split(", ").any(|each| each == c));
    let own = refusals.iter().filter(|r| r.row == row.number);
    own.into_iter().any(|r| r.reason == "DATE_AMBIGUOUS" && names(r))
}

/// `3.79901197909011E+17`, as a spreadsheet shows a long number.
fn scientific(number: f64) -> String {
    format!("{number:.14e}").replace('e', "E+")
}

fn failed(error: std::io::Error) -> Error {
    Error::Write(format!("writing the refused rows failed: {error}"))
}
