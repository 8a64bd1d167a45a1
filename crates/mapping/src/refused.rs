//! Writes the rows that were refused, with what is wrong with them, in a form that imports again by the same mapping.

use std::collections::BTreeMap;
use std::io::Write;

use crate::delimited::push_cell;
use crate::error::Error;
use crate::plain::guarded;
use crate::reading::Refusal;
use crate::source::{Source, SourceRow};
use crate::spec::Mapping;

/// The columns that are put before those of the source. An import passes over them.
pub(crate) const EXTRA: [&str; 5] = [
    "refused_row",
    "refused_column",
    "refused_value",
    "refused_reason",
    "refused_description",
];

/// Writes refused rows: CSV with the source's columns, or JSON lines where the source is such.
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

    /// Reads the source once more and writes the rows.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), Error> {
        let separator = self.mapping.options().separator.unwrap_or(self.source.separator());
        // Columns of an earlier such file are written anew.
        let own: Vec<bool> = self
            .source
            .header()
            .iter()
            .map(|h| !EXTRA.contains(&h.as_str()))
            .collect();
        let kept = |cells: &[String]| {
            let cells = cells
                .iter()
                .enumerate()
                .filter(|(i, _)| own.get(*i).copied().unwrap_or(true));
            cells.map(|(_, cell)| cell.clone()).collect::<Vec<_>>()
        };
        let mut put = |cells: &[String]| {
            let mut line = String::new();
            for (index, cell) in cells.iter().enumerate() {
                if index > 0 {
                    line.push(separator);
                }
                push_cell(&mut line, cell, separator);
            }
            line.push_str("\r\n");
            out.write_all(line.as_bytes()).map_err(failed)
        };
        if self.source.is_json() {
            return self.mapping.each(self.source, &mut |row| {
                if let Some(refusals) = self.rows.get(&row.number) {
                    self.line(&row, refusals, out)?;
                }
                Ok(true)
            });
        }
        // A mapping that says where the header stands must find it there again.
        let above = self.mapping.options().header.unwrap_or(1).saturating_sub(1);
        let mut header: Vec<String> = EXTRA.map(str::to_owned).to_vec();
        header.extend(kept(self.source.header()));
        // The mark says UTF-8 also where the mapping fixes another encoding.
        if let Some(first) = header.first_mut().filter(|_| above == 0) {
            first.insert(0, '\u{feff}');
        }
        for number in 0..above {
            put(&[if number == 0 {
                "\u{feff}".to_owned()
            } else {
                String::new()
            }])?;
        }
        put(&header)?;
        self.mapping.each(self.source, &mut |row| {
            if let Some(refusals) = self.rows.get(&row.number) {
                let mut cells = self.told(&row, refusals).map(|t| guarded(&t).into_owned()).to_vec();
                cells.extend(kept(&row.cells));
                put(&cells)?;
            }
            Ok(true)
        })
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
    fn told(&self, row: &SourceRow, refusals: &[&Refusal]) -> [String; 5] {
        let own: Vec<_> = refusals.iter().filter(|r| r.row == row.number).collect();
        if own.is_empty() {
            let other: Vec<_> = refusals.iter().map(|r| r.row.to_string()).collect();
            let description = format!("row {} of the same resource was refused", other.join(", "));
            return [
                row.number.to_string(),
                String::new(),
                String::new(),
                "SAME_RESOURCE".to_owned(),
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
            all(&|r| r.description.clone()),
        ]
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Write(format!("writing the refused rows failed: {error}"))
}
