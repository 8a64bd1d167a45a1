//! The text that a mapping makes of the cells of a row.

use std::borrow::Cow;

use super::{At, Bad, Builder, fit};
use crate::date::{DateForm, bound, date, unclear};
use crate::source_row::Odd;
use crate::spec::{Condition, Text};
use crate::template::cleaned;
use crate::value::{Unfit, measured, sound};

impl Builder<'_> {
    /// What one row says by a text; nothing where the row does not count for it.
    pub(crate) fn text(&self, text: &Text, at: &At<'_>) -> Result<Option<String>, Bad> {
        if self.skipped(&text.skip, at)?.is_some() {
            return Ok(None);
        }
        let filled = text.from.fill(|column| self.cell(column, at))?;
        let columns = || self.bound.of_file(text.from.columns());
        let mut value = cleaned(&filled, &text.clean);
        if let Some(remove) = &text.remove {
            value = Cow::Owned(remove.replace_all(&value, "").trim().to_owned());
        }
        if let Some(pattern) = &text.pattern {
            let found = pattern.captures(&value);
            let part = found.and_then(|c| {
                c.iter()
                    .skip(1)
                    .flatten()
                    .next()
                    .or(c.get(0))
                    .map(|m| m.as_str().trim().to_owned())
            });
            value = Cow::Owned(part.unwrap_or_default());
        }
        if let Some(end) = text.range {
            value = Cow::Owned(bound(&value, end));
        }
        if let Some(values) = &text.values
            && !value.is_empty()
        {
            value = match (values.get(value.as_ref()), &text.other) {
                (Some(known), _) | (None, Some(known)) => Cow::Owned(known.clone()),
                (None, None) => {
                    let mut known: Vec<_> = values.keys().map(String::as_str).collect();
                    known.sort_unstable();
                    let description = format!(
                        "the mapping knows {}: write one of them, or add this value to the mapping",
                        known.join(", ")
                    );
                    return fit(
                        Err(Unfit {
                            reason: "VALUE_UNKNOWN",
                            description,
                        }),
                        at.row.number,
                        columns(),
                    );
                }
            };
        }
        if let Some(units) = text.units.as_ref().filter(|_| !value.is_empty()) {
            return fit(measured(&value, units), at.row.number, columns()).map(Some);
        }
        if matches!(text.date, Some(DateForm::Day | DateForm::Partial))
            && text.range.is_none()
            && !at.row.odd.is_empty()
        {
            let columns = columns();
            let is_unclear = |column: &usize| self.bound.odd(*column, at.row) == Some(Odd::Number);
            let found = columns.iter().copied().find(is_unclear);
            if let Some(column) = found {
                let number = self.bound.raw(column, at.row).trim();
                return fit(Err(unclear(Some(number), number.len() == 5)), at.row.number, columns);
            }
        }
        match text.date {
            Some(form) if !value.is_empty() => fit(date(&value, form), at.row.number, columns()).map(Some),
            _ => Ok(Some(value.into_owned())),
        }
    }

    /// A cell, cleaned; a derived column is worked out.
    pub(crate) fn cell<'b>(&'b self, column: usize, at: &'b At<'_>) -> Result<Cow<'b, str>, Bad> {
        let columns = &self.bound.mapping.columns;
        if let Some(texts) = columns.texts(column) {
            for text in texts {
                if let Some(value) = self.text(text, at)?.filter(|v| !v.is_empty()) {
                    return Ok(Cow::Owned(value));
                }
            }
            return Ok(Cow::Borrowed(""));
        }
        if let Some((split, parts, index)) = at.split
            && let Some(place) = split.columns.iter().position(|&c| c == column)
        {
            return Ok(Cow::Borrowed(
                parts.get(place).and_then(|p| p.get(index)).map_or("", String::as_str),
            ));
        }
        let raw = self.bound.raw(column, at.row);
        if let Some(unfit) = self.bound.odd(column, at.row).and_then(Odd::unfit) {
            fit(Err(unfit), at.row.number, vec![column])?;
        }
        let value = cleaned(raw, &columns.clean);
        fit(sound(&value), at.row.number, vec![column])?;
        Ok(value)
    }

    /// Why a row does not count, or nothing where it does.
    pub(crate) fn skipped<'c>(&self, conditions: &'c [Condition], at: &At<'_>) -> Result<Option<&'c str>, Bad> {
        for condition in conditions {
            let cell = self.cell(condition.column, at)?;
            if condition.values.iter().any(|v| *v == cell) == condition.equal {
                return Ok(Some(&condition.because));
            }
        }
        Ok(None)
    }
}
