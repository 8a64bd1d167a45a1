//! Filters (AIP-160) over declared fields: `kind = ACADEMIC AND (city = 青岛 OR NOT hosts:*)`.
//!
//! A comparison is a field, an operator and a value. `OR` binds tighter than `AND`, as AIP-160 has it, and `AND` may
//! be left out. A minus is a `NOT`. Values of other characters than letters, digits and `_ - . / : +` stand in quotes.

mod parse;
mod value;

use std::fmt;

use crate::error::Error;
use crate::model::column::Column;

pub use parse::{COMPARISONS_AT_MOST, parse};

/// What a filter asks for. Those that [`parse`] makes are flat (no AND right in an AND, no OR right in an OR, no NOT of
/// a NOT), have at least two parts in each AND and OR, and have a bounded depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// All of these hold.
    And(Vec<Expr>),
    /// One of these holds.
    Or(Vec<Expr>),
    /// This does not hold.
    Not(Box<Expr>),
    /// A field is compared with a value.
    Compare {
        /// The field.
        column: Column,
        /// How.
        operator: Operator,
        /// With what; it fits the type of the field.
        value: Value,
    },
}

/// How a field is compared. With a field of several values, `Equal` and `Has` hold where one of them is the value, and
/// `NotEqual` where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`, which is: contains, ignoring case, for a text; has as a value, for others; is set, with [`Value::Any`].
    Has,
}

impl Operator {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Has => ":",
        }
    }

    /// Whether it asks which of two values is the greater.
    fn compares_order(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, a resource name, or a year, month or day in ISO 8601. `=`, `!=` and `:` take a year or month for any day
    /// in it; with `<=` and `>` it is already its last day, so that comparing as text is right for all four.
    Text(String),
    /// A whole number, the number of an enum's value, or microseconds since 1970.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Anything: `field:*` asks whether the field is set. Only with `:`.
    Any,
}

/// Whether the filter asks about that field.
pub fn mentions(filter: &Expr, name: &str) -> bool {
    match filter {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(|part| mentions(part, name)),
        Expr::Not(part) => mentions(part, name),
        Expr::Compare { column, .. } => column.name == name,
    }
}

/// The filter in its one canonical form, which [`parse`] reads as the same filter.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => list(f, parts, " AND ", |_| false),
            // Only where the text had parentheses too, so that the canonical form is not nested deeper.
            Self::Or(parts) => list(f, parts, " OR ", |part| matches!(part, Self::And(_))),
            Self::Not(part) => {
                f.write_str("NOT ")?;
                enclosed(f, part, !matches!(**part, Self::Compare { .. }))
            }
            Self::Compare {
                column,
                operator: Operator::Has,
                value,
            } => {
                write!(f, "{}:", column.name)?;
                value::write(f, *column, value)
            }
            Self::Compare {
                column,
                operator,
                value,
            } => {
                write!(f, "{} {} ", column.name, operator.symbol())?;
                value::write(f, *column, value)
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str, closed: fn(&Expr) -> bool) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(word)?;
        }
        enclosed(f, part, closed(part))?;
    }
    Ok(())
}

fn enclosed(f: &mut fmt::Formatter<'_>, part: &Expr, closed: bool) -> fmt::Result {
    if closed {
        write!(f, "({part})")
    } else {
        write!(f, "{part}")
    }
}

/// The filter cannot be read: at which character, counted from 1, and what was expected.
fn invalid(at: usize, expected: &str) -> Error {
    Error::invalid("filter", "FILTER_INVALID", format!("at character {at}: {expected}"))
}

/// The value does not fit its field.
fn value_invalid(at: usize, expected: &str) -> Error {
    Error::invalid(
        "filter",
        "FILTER_VALUE_INVALID",
        format!("at character {at}: {expected}"),
    )
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
