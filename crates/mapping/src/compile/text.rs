//! Compiles what stands for one value: texts with what is done to them, splits and conditions.

use prost_reflect::{FieldDescriptor, Kind};
use regex::Regex;
use toml::Value as Toml;

use super::{Compiler, many, placed, wrong};
use crate::collection::pattern_of;
use crate::date::DateForm;
use crate::error::Error;
use crate::spec::{Condition, Split, Text};
use crate::template::Template;
use crate::toml_spec::{ConditionSpec, OneOrMany, SplitSpec, TextSpec, ValuesSpec};
use crate::value::convert;

impl Compiler {
    /// Alternatives: the first that is not empty counts.
    pub(super) fn texts(
        &mut self,
        value: Toml,
        place: &str,
        field: Option<&FieldDescriptor>,
    ) -> Result<Vec<Text>, Error> {
        let mut texts = Vec::new();
        for (place, value) in placed(value, place) {
            let text = self.text(value, &place, field)?;
            if text.split.is_some() {
                let problem = "one value: `split` is for fields of several, leave it out";
                return Err(Error::mapping(place, problem));
            }
            texts.push(text);
        }
        Ok(texts)
    }

    pub(super) fn texts_of_list(
        &mut self,
        value: Toml,
        place: &str,
        field: &FieldDescriptor,
    ) -> Result<Vec<Text>, Error> {
        let mut texts = Vec::new();
        for (place, value) in placed(value, place) {
            texts.push(self.text(value, &place, Some(field))?);
        }
        Ok(texts)
    }

    fn text(&mut self, value: Toml, place: &str, field: Option<&FieldDescriptor>) -> Result<Text, Error> {
        let spec = match value {
            Toml::String(from) => TextSpec {
                from,
                ..TextSpec::default()
            },
            Toml::Table(table) => table.try_into().map_err(|e| wrong(place, e))?,
            Toml::Integer(_) | Toml::Boolean(_) => {
                return Err(Error::mapping(place, "put the fixed value in quotation marks"));
            }
            _ => return Err(Error::mapping(place, "a text or a table with `from` is expected")),
        };
        let before = std::mem::take(&mut self.used);
        let from = Template::parse(&spec.from, &mut |name| self.column(name)).map_err(|p| Error::mapping(place, p))?;
        let named = std::mem::replace(&mut self.used, before);
        self.used.extend(&named);
        let split = spec
            .split
            .map(|s| self.split(s, &named, &format!("{place}.split")))
            .transpose()?;
        let skip = self.conditions(spec.skip, &format!("{place}.skip"))?;
        let values = match spec.values {
            Some(ValuesSpec::Own(own)) => Some(own),
            Some(ValuesSpec::Shared(name)) => match self.values.get(&name) {
                Some(shared) => Some(shared.clone()),
                None => {
                    return Err(Error::mapping(
                        format!("{place}.values"),
                        format!("no table [values.{name}]: write it, or correct its name"),
                    ));
                }
            },
            None if spec.other.is_some() => {
                let problem = "`other` needs `values`: add them, or leave it out";
                return Err(Error::mapping(place, problem));
            }
            None => None,
        };
        let pattern = |text: Option<String>, key: &str| {
            let read = text.map(|t| Regex::new(&t)).transpose();
            read.map_err(|e| Error::mapping(format!("{place}.{key}"), e.to_string()))
        };
        let (remove, pattern) = (pattern(spec.remove, "remove")?, pattern(spec.pattern, "match")?);
        if spec.range.is_some() && spec.date.is_none() {
            return Err(Error::mapping(place, "`range` needs `date`: add date = \"partial\""));
        }
        // The unit of a number without one is what `times` says.
        let units = spec.units.map(|mut units| {
            units.entry(String::new()).or_insert(spec.times.unwrap_or(1));
            units
        });
        let times = if units.is_some() { 1 } else { spec.times.unwrap_or(1) };
        if let Some(field) = field {
            if (times != 1 || units.is_some()) && !matches!(field.kind(), Kind::Int32 | Kind::Int64) {
                let problem = "`times` and `units` are for fields of whole numbers: leave them out";
                return Err(Error::mapping(place, problem));
            }
            if let Some(form) = spec.date {
                expect_fit(form, field, place)?;
            }
            // What does not come from a cell must fit the field now.
            let fixed = values.iter().flat_map(|v| v.values()).chain(spec.other.as_ref());
            let literal = (named.is_empty() && values.is_none()).then_some(&spec.from);
            for text in fixed.chain(literal).filter(|t| !t.is_empty()) {
                convert(text, &field.kind(), times)
                    .map_err(|u| Error::mapping(place, format!("{text:?}: {}", u.description)))?;
            }
        }
        Ok(Text {
            from,
            clean: spec.clean,
            values,
            other: spec.other,
            pattern,
            remove,
            date: spec.date,
            range: spec.range,
            units,
            times,
            split,
            rows: spec.rows,
            skip,
        })
    }

    pub(super) fn split(&mut self, value: Toml, named: &[usize], place: &str) -> Result<Split, Error> {
        let (by, columns) = match value {
            Toml::Table(table) => {
                let spec: SplitSpec = table.try_into().map_err(|e| wrong(place, e))?;
                let columns = spec.columns.map(|c| c.iter().map(|c| self.column(c)).collect());
                (spec.by.into_vec(), columns)
            }
            other => (
                other
                    .try_into::<OneOrMany<String>>()
                    .map_err(|e| wrong(place, e))?
                    .into_vec(),
                None,
            ),
        };
        if by.is_empty() || by.iter().any(String::is_empty) {
            let problem = "a separator is empty: write the sign between the values";
            return Err(Error::mapping(place, problem));
        }
        let mut of_file = Vec::new();
        let columns: Vec<usize> = columns.unwrap_or_else(|| named.to_vec());
        columns.iter().for_each(|&c| self.columns.of_file(c, &mut of_file));
        if of_file.is_empty() {
            let problem = "there is no column to split: name one in braces";
            return Err(Error::mapping(place, problem));
        }
        Ok(Split { by, columns: of_file })
    }

    pub(super) fn conditions(&mut self, value: Option<Toml>, place: &str) -> Result<Vec<Condition>, Error> {
        let mut conditions = Vec::new();
        for value in value.map(many).unwrap_or_default() {
            let spec: ConditionSpec = value.try_into().map_err(|e| wrong(place, e))?;
            let (values, equal) = match (spec.is, spec.not) {
                (Some(is), None) => (is.into_vec(), true),
                (None, Some(not)) => (not.into_vec(), false),
                _ => return Err(Error::mapping(place, "either `is` or `not` is expected")),
            };
            let because = spec.because.unwrap_or_else(|| {
                let values: Vec<_> = values.iter().map(|v| format!("{v:?}")).collect();
                format!(
                    "{} is {}{}",
                    spec.column,
                    if equal { "" } else { "not " },
                    values.join(" or ")
                )
            });
            conditions.push(Condition {
                column: self.column(&spec.column),
                values,
                equal,
                because,
            });
        }
        Ok(conditions)
    }
}

/// A form of dates gives nothing that the contract's pattern of the field would refuse in every row.
fn expect_fit(form: DateForm, field: &FieldDescriptor, place: &str) -> Result<(), Error> {
    let Some(pattern) = pattern_of(field).and_then(|pattern| Regex::new(&pattern).ok()) else {
        return Ok(());
    };
    let takes = |form: DateForm| form.samples().iter().all(|sample| pattern.is_match(sample));
    if takes(form) {
        return Ok(());
    }
    let problem = match takes(DateForm::Day) {
        true => "this field takes whole days only: date = \"day\"",
        false => "this field holds no date: leave `date` out",
    };
    Err(Error::mapping(place, problem))
}
