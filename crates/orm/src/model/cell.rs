//! The values of columns.

use std::collections::BTreeSet;

/// The value of a column in one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, a date or a resource name.
    Text(String),
    /// An integer, an enum's number, a time in microseconds, or 0 and 1.
    Integer(i64),
    /// The values of a column with several.
    Many(BTreeSet<String>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}
impl From<bool> for Cell {
    fn from(yes: bool) -> Self {
        Self::Integer(yes.into())
    }
}

impl Cell {
    /// The values of a column with several; empty ones are left out.
    pub fn many<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Many(
            values
                .into_iter()
                .filter(|v| !v.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }
}
