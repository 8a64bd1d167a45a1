//! Reads what an export writes: tables whose columns are the fields of the resource, and JSON lines.

use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use serde_json::{Map, Value as Json};

use crate::date::{DateForm, date, unclear};
use crate::error::{Error, said};
use crate::row::{EXTRA, Refusal, Row, too_long};
use crate::source::Source;
use crate::source_row::{Odd, SourceRow};
use crate::spec::Part;
use crate::typed;
use crate::value::convert;
use crate::words::word;

/// Reads rows of one collection in the form of an export.
pub(crate) struct PlainReader<'a> {
    part: &'a Part,
    /// The field of each column; none for a column that is not read.
    fields: Vec<Option<FieldDescriptor>>,
    json: bool,
    guarded: bool,
}

impl<'a> PlainReader<'a> {
    pub(crate) fn new(part: &'a Part, source: &Source) -> Result<Self, Error> {
        let mut fields: Vec<Option<FieldDescriptor>> = Vec::new();
        for header in source.header() {
            let field = part.message.get_field_by_name(header);
            if field.is_none() && !header.is_empty() && !EXTRA.contains(&header.as_str()) {
                let known: Vec<_> = part.message.fields().map(|f| f.name().to_owned()).collect();
                let (label, known) = (part.collection.label, known.join(", "));
                return Err(Error::source(
                    source.name(),
                    said(
                        format!(
                            "no field {header:?} in {label}; there are {known}. Is the file to be read by a mapping of its own?"
                        ),
                        format!("{label} 没有“{header}”这个字段；现有：{known}。该文件是否应按自己的映射导入"),
                    ),
                ));
            }
            if field.is_some() && fields.contains(&field) {
                return Err(Error::source(
                    source.name(),
                    said(
                        format!("two columns are headed {header:?}; delete one"),
                        format!("有两列的表头都是“{header}”，请删去一列"),
                    ),
                ));
            }
            fields.push(field.filter(|f| is_read(part, f.name())));
        }
        if !source.is_json() && fields.iter().all(Option::is_none) {
            return Err(Error::source(
                source.name(),
                said(
                    "no column holds a field that can be set; headers are the names of fields, as in an export",
                    "没有一列是可以填写的字段；表头应为字段名，与导出的文件一样",
                ),
            ));
        }
        Ok(PlainReader {
            part,
            fields,
            json: source.is_json(),
            guarded: source.is_text(),
        })
    }

    /// The fields that the columns name. None for JSON lines: each says for itself what it sets.
    pub(crate) fn mask(&self) -> Vec<String> {
        self.fields
            .iter()
            .flatten()
            .map(|f| f.name().to_owned())
            .filter(|f| f != "name" && f != "etag")
            .collect()
    }

    pub(crate) fn read(&self, row: &SourceRow) -> Result<Row, Vec<Refusal>> {
        let mut message = DynamicMessage::new(self.part.message.clone());
        if self.json {
            self.line(row, &mut message).map_err(|r| vec![*r])?;
        } else {
            self.cells(row, &mut message)?;
        }
        Ok(Row {
            number: row.number,
            further: Vec::new(),
            message,
            origins: Vec::new(),
        })
    }

    pub(crate) fn refuse(
        &self,
        row: &SourceRow,
        field: &str,
        value: &str,
        reason: &str,
        description: String,
    ) -> Box<Refusal> {
        let personal = self.part.collection.is_personal(field);
        Box::new(Refusal {
            row: row.number,
            rows: vec![row.number],
            column: field.to_owned(),
            value: if personal { String::new() } else { value.to_owned() },
            personal,
            reason: reason.to_owned(),
            description: match (personal, reason) {
                // Said again without the value.
                (true, "DATE_AMBIGUOUS") => unclear(None, false).description,
                (true, "JSON_INVALID" | "VALUE_INVALID") => {
                    "the value does not fit the field: a text is expected".to_owned()
                }
                _ => description,
            },
        })
    }

    fn line(&self, row: &SourceRow, message: &mut DynamicMessage) -> Result<(), Box<Refusal>> {
        let line = row.cells.first().map_or("", String::as_str);
        let object: Map<String, Json> = serde_json::from_str(line).map_err(|e| {
            let description = format!(
                "one JSON object is expected on the line; column {} of it is not JSON",
                e.column()
            );
            self.refuse(row, "", "", "JSON_INVALID", description)
        })?;
        for (key, value) in object {
            if EXTRA.contains(&key.as_str()) {
                continue;
            }
            let fields = &self.part.message;
            let Some(field) = fields
                .get_field_by_json_name(&key)
                .or_else(|| fields.get_field_by_name(&key))
            else {
                let known: Vec<_> = fields.fields().map(|f| f.name().to_owned()).collect();
                let (label, known) = (self.part.collection.label, known.join(", "));
                let description = format!("there is no such field in {label}; there are {known}");
                return Err(self.refuse(row, &key, "", "FIELD_UNKNOWN", description));
            };
            if is_read(self.part, field.name()) {
                let text = value.to_string();
                self.set_json(row, message, &field, value, &text)?;
            }
        }
        Ok(())
    }

    /// Sets the fields from their cells; all that is wrong is told.
    fn cells(&self, row: &SourceRow, message: &mut DynamicMessage) -> Result<(), Vec<Refusal>> {
        if row.cells.len() > self.fields.len() {
            let description = too_long(row.cells.len(), self.fields.len());
            return Err(vec![*self.refuse(row, "", "", "ROW_TOO_LONG", description)]);
        }
        let mut refused = Vec::new();
        for (place, (cell, field)) in row.cells.iter().zip(&self.fields).enumerate() {
            if let Some(field) = field
                && let Err(refusal) = self.cell(row, place, cell, field, message)
            {
                refused.push(*refusal);
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    fn cell(
        &self,
        row: &SourceRow,
        place: usize,
        cell: &str,
        field: &FieldDescriptor,
        message: &mut DynamicMessage,
    ) -> Result<(), Box<Refusal>> {
        if let Some(unfit) = row.odd(place).and_then(Odd::unfit) {
            return Err(self.refuse(row, field.name(), cell, unfit.reason, unfit.description));
        }
        if !cell.is_empty() {
            let text = if self.guarded { unguarded(cell) } else { cell };
            if field.is_list() || matches!(field.kind(), Kind::Message(_)) {
                if let Some(value) = typed::value(field, text) {
                    message.set_field(field, value);
                    return Ok(());
                }
                let json = serde_json::from_str(text).map_err(|e| {
                    self.refuse(
                        row,
                        field.name(),
                        text,
                        "JSON_INVALID",
                        format!("JSON is expected, as an export writes it: {e}"),
                    )
                })?;
                self.set_json(row, message, field, json, text)?;
            } else {
                let text = if field.kind() == Kind::String {
                    text
                } else {
                    text.trim()
                };
                if text.is_empty() {
                    return Ok(());
                }
                if is_date(field) {
                    if row.odd(place) == Some(Odd::Number) {
                        let unfit = unclear(Some(text), text.len() == 5);
                        return Err(self.refuse(row, field.name(), text, unfit.reason, unfit.description));
                    }
                    let day = date(text, DateForm::Partial)
                        .map_err(|unfit| self.refuse(row, field.name(), text, unfit.reason, unfit.description))?;
                    message.set_field(field, Value::String(day));
                    return Ok(());
                }
                let value = convert(text, &field.kind(), 1)
                    .map_err(|unfit| self.refuse(row, field.name(), text, unfit.reason, unfit.description))?;
                message.set_field(field, value);
            }
        }
        Ok(())
    }

    /// Sets a field from its JSON. The field is read alone, so that an error is known to be its own.
    fn set_json(
        &self,
        row: &SourceRow,
        message: &mut DynamicMessage,
        field: &FieldDescriptor,
        json: Json,
        text: &str,
    ) -> Result<(), Box<Refusal>> {
        let json = typed::english(field, json);
        let alone = Json::Object(Map::from_iter([(field.json_name().to_owned(), json)]));
        let options = DeserializeOptions::new();
        match DynamicMessage::deserialize_with_options(self.part.message.clone(), alone, &options) {
            Ok(mut read) => {
                if let Some(value) = read.take_field(field) {
                    message.set_field(field, value);
                }
                Ok(())
            }
            Err(e) => {
                let said = format!("{e}; write it as an export does");
                Err(self.refuse(row, field.name(), text, "VALUE_INVALID", said))
            }
        }
    }
}

/// Whether a field holds a date, of which a table may have any form.
fn is_date(field: &FieldDescriptor) -> bool {
    field.kind() == Kind::String && field.name().ends_with("_date")
}

/// Whether an import looks at a field: what can be set, and the etag, which tells whether somebody changed the record since it was
/// exported.
fn is_read(part: &Part, field: &str) -> bool {
    field == "etag" || !part.collection.is_output_only(field)
}

/// Signs at the start of a cell by which a spreadsheet takes it for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn takes_guard(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// A text as a cell of CSV: an apostrophe before what a spreadsheet would take for a formula.
pub(crate) fn guarded(text: &str) -> std::borrow::Cow<'_, str> {
    if takes_guard(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// The text behind a guard.
pub(crate) fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if takes_guard(rest) => rest,
        _ => cell,
    }
}

/// A field of `message` as the text of a cell; empty where it has its default. `words`: enum values as their Chinese words.
pub(crate) fn cell(message: &DynamicMessage, field: &FieldDescriptor, words: bool) -> Result<String, Error> {
    if !message.has_field(field) {
        return Ok(String::new());
    }
    let value = message.get_field(field);
    Ok(match (value.as_ref(), field.kind()) {
        (Value::String(text), _) => text.clone(),
        (Value::Bool(b), _) => b.to_string(),
        (Value::I32(n), _) => n.to_string(),
        (Value::I64(n), _) => n.to_string(),
        (Value::EnumNumber(n), Kind::Enum(values)) => values.get_value(*n).map_or_else(
            || n.to_string(),
            |v| match word(v.name()).filter(|_| words) {
                Some(word) => word.to_owned(),
                None => v.name().to_owned(),
            },
        ),
        _ => {
            // The field alone as JSON, without the braces and the key around it: so its keys keep their order.
            let mut alone = DynamicMessage::new(message.descriptor());
            alone.set_field(field, value.into_owned());
            let json = serde_json::to_string(&alone).map_err(|e| Error::Write(e.to_string()))?;
            let key = format!("{{\"{}\":", field.json_name());
            let inner = json
                .strip_prefix(&key)
                .and_then(|j| j.strip_suffix('}'))
                .unwrap_or(&json);
            // A time is a bare text in JSON, and is more use without its quotation marks.
            inner
                .strip_prefix('"')
                .and_then(|j| j.strip_suffix('"'))
                .unwrap_or(inner)
                .to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_guard_is_put_on_and_taken_off(text in "['=+@a\t\r-]{0,5}\\PC{0,5}") {
            let cell = guarded(&text);
            prop_assert_eq!(unguarded(&cell), &text);
            prop_assert!(!cell.starts_with(FORMULA));
        }
    }

    #[test]
    fn names_with_an_apostrophe_are_left_alone() {
        assert_eq!(unguarded("'s-Hertogenbosch"), "'s-Hertogenbosch");
        assert_eq!(guarded("'s-Hertogenbosch"), "'s-Hertogenbosch");
        assert_eq!(guarded("=1+1"), "'=1+1");
    }
}
