//! `order_by` (AIP-132): what a list is sorted by.

use crate::error::{Error, Result};
use crate::model::column::{self, Column};

/// More keys than this are refused.
const KEYS_AT_MOST: usize = 3;

/// One thing that a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The field.
    pub column: Column,
    /// From the greatest to the least.
    pub descending: bool,
}

/// Reads `city, year desc`; a blank text stands for `default`. Errors: `ORDER_INVALID`.
pub fn parse(text: &str, columns: &[Column], default: &str) -> Result<Vec<Key>> {
    let text = if text.trim().is_empty() { default } else { text };
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<Key> = Vec::new();
    for (place, part) in text.split(',').enumerate() {
        if place == KEYS_AT_MOST {
            return Err(invalid(columns, format!("more than {KEYS_AT_MOST} fields")));
        }
        let mut words = part.split_whitespace();
        let Some(name) = words.next() else {
            return Err(invalid(columns, format!("number {} is empty", place + 1)));
        };
        let Some(column) = column::find(columns, name).filter(|column| column.sortable) else {
            return Err(invalid(columns, format!("`{name}` is not a field to sort by")));
        };
        let descending = match (words.next(), words.next()) {
            (None, _) => false,
            (Some(word), None) if word.eq_ignore_ascii_case("asc") => false,
            (Some(word), None) if word.eq_ignore_ascii_case("desc") => true,
            _ => {
                let wanted = "only ` desc` or ` asc` may follow, then a comma";
                return Err(invalid(columns, format!("after `{}` {wanted}", column.name)));
            }
        };
        if keys.iter().any(|key| key.column.name == column.name) {
            return Err(invalid(columns, format!("`{}` stands there twice", column.name)));
        }
        keys.push(Key {
            column: *column,
            descending,
        });
    }
    Ok(keys)
}

fn invalid(columns: &[Column], wrong: String) -> Error {
    let fields: Vec<_> = columns
        .iter()
        .filter(|c| c.sortable)
        .map(|c| format!("`{}`", c.name))
        .collect();
    let fields = if fields.is_empty() {
        "none".to_owned()
    } else {
        fields.join(", ")
    };
    Error::invalid(
        "order_by",
        "ORDER_INVALID",
        format!("{wrong}; write up to {KEYS_AT_MOST} fields, for example `year desc`. Fields to sort by: {fields}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: &[Column] = &[
        Column::text("city"),
        Column::integer("year"),
        Column::text("number"),
        Column::text("grade"),
        Column::text("names").multi_valued(),
        Column::text("motivation").unsorted(),
    ];

    fn keys(text: &str) -> Result<Vec<(&'static str, bool)>> {
        Ok(parse(text, COLUMNS, "city")?
            .into_iter()
            .map(|key| (key.column.name, key.descending))
            .collect())
    }

    #[test]
    fn fields_are_read_with_their_direction_and_any_blanks() {
        assert_eq!(keys("year desc,city").unwrap(), [("year", true), ("city", false)]);
        assert_eq!(
            keys("  city ASC ,\tyear   DESC,number ").unwrap(),
            [("city", false), ("year", true), ("number", false)]
        );
    }

    #[test]
    fn a_blank_order_is_the_default() {
        assert_eq!(keys("").unwrap(), [("city", false)]);
        assert_eq!(keys(" \t").unwrap(), [("city", false)]);
        assert!(parse("", COLUMNS, "year desc").unwrap()[0].descending);
        assert_eq!(parse("", COLUMNS, "").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_sorted_by_is_refused_with_what_can() {
        let wrong = [
            "nonsense",
            "names",
            "motivation",
            "city,",
            ",",
            "city,,year",
            "city down",
            "city desc desc",
            "city year",
            "city,city desc",
            "city,year,number,grade",
            "City",
            "-city",
        ];
        for text in wrong {
            let error = keys(text).unwrap_err();
            assert_eq!(error.reason(), "ORDER_INVALID", "{text}");
            assert_eq!(error.violations()[0].field, "order_by");
            assert!(
                error.message().ends_with("`city`, `year`, `number`, `grade`"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |text| keys(text).unwrap_err().message().to_owned();
        assert!(said("city, colour desc").starts_with("order_by: `colour` is not a field to sort by;"));
        assert!(said("city,,year").starts_with("order_by: number 2 is empty;"));
        assert!(said("city down").starts_with("order_by: after `city` only"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z ,]{0,40}|(city|year|desc|asc|,| ){0,12}|\\PC*") {
            match parse(&text, COLUMNS, "city") {
                Ok(keys) => prop_assert!((1..=KEYS_AT_MOST).contains(&keys.len())),
                Err(error) => prop_assert_eq!(error.reason(), "ORDER_INVALID"),
            }
        }
    }
}
