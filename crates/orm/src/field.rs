//! The fields of a resource that can be filtered, sorted and counted by.

use std::borrow::Cow;

use crate::text;

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Words.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// An instant: microseconds since 1970, UTC.
    Time,
    /// An ISO 8601 year, month or day as text, for example `2021-03`.
    Date,
    /// A resource name of this form, for example `labs/{id}`.
    Name(&'static str),
    /// One of these values: the full name in the contract, and its number.
    Enum(&'static [(&'static str, i32)]),
}

/// A field that can be filtered by, and what else can be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the contract and in filters.
    pub name: &'static str,
    /// What its values are.
    pub kind: Type,
    /// Several values for each resource, in a side table.
    pub many: bool,
    /// Its several values stand in the search index alone: resources are found by them, and they are not counted.
    pub in_index: bool,
    /// Lists can be sorted by it.
    pub sortable: bool,
    /// Statistics can be grouped by it.
    pub dimension: bool,
    /// Its values name records. One that was merged counts, and is found, as the record that stands for it.
    pub cites: bool,
    /// Its values are numbers of documents, compared in the form of [`crate::text::document_number`].
    pub document: bool,
}

impl Column {
    /// A field with one value, which lists can be sorted by.
    pub const fn new(name: &'static str, kind: Type) -> Self {
        Self {
            name,
            kind,
            many: false,
            in_index: false,
            sortable: true,
            dimension: false,
            cites: false,
            document: false,
        }
    }

    /// A field of words.
    pub const fn text(name: &'static str) -> Self {
        Self::new(name, Type::Text)
    }

    /// A field of numbers of documents (文号).
    pub const fn document(name: &'static str) -> Self {
        let mut column = Self::new(name, Type::Text);
        column.document = true;
        column
    }

    /// A field with a whole number.
    pub const fn integer(name: &'static str) -> Self {
        Self::new(name, Type::Integer)
    }

    /// A field that is true or false.
    pub const fn boolean(name: &'static str) -> Self {
        Self::new(name, Type::Boolean)
    }

    /// A field with an instant.
    pub const fn time(name: &'static str) -> Self {
        Self::new(name, Type::Time)
    }

    /// A field with a year, month or day.
    pub const fn date(name: &'static str) -> Self {
        Self::new(name, Type::Date)
    }

    /// A field with a resource name of the form `of`, for example `organizations/{id}`.
    pub const fn resource(name: &'static str, of: &'static str) -> Self {
        Self::new(name, Type::Name(of)).cites()
    }

    /// A field with one of these values: their full names in the contract, and their numbers.
    pub const fn one_of(name: &'static str, values: &'static [(&'static str, i32)]) -> Self {
        Self::new(name, Type::Enum(values))
    }

    /// A text of it in the form in which rows have it and filters compare it.
    pub fn form<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.document {
            Cow::Owned(text::document_number(text))
        } else {
            text::grouped(text)
        }
    }

    /// The same with several values, so that nothing can be sorted by it.
    #[must_use]
    pub const fn many(mut self) -> Self {
        self.many = true;
        self.sortable = false;
        self
    }

    /// The same with several values, by which resources are found and which nobody counts: cheaper to write.
    #[must_use]
    pub const fn in_index(mut self) -> Self {
        self.in_index = true;
        self.many()
    }

    /// The same, and statistics can be grouped by it.
    #[must_use]
    pub const fn dimension(mut self) -> Self {
        self.dimension = true;
        self
    }

    /// The same, whose values name records where they are in the register.
    #[must_use]
    pub const fn cites(mut self) -> Self {
        self.cites = true;
        self
    }

    /// The same, whose values are taken as they are written.
    #[must_use]
    pub const fn as_written(mut self) -> Self {
        self.cites = false;
        self
    }

    /// The same, but lists cannot be sorted by it.
    #[must_use]
    pub const fn unsorted(mut self) -> Self {
        self.sortable = false;
        self
    }
}

/// The field of that name.
pub fn find<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns.iter().find(|column| column.name == name)
}

/// What the names of all values begin with, up to and with an underscore, for example `LAB_KIND_`.
pub fn enum_prefix(values: &[(&'static str, i32)]) -> &'static str {
    let Some((first, _)) = values.first() else { return "" };
    let shared = values.iter().fold(first.len(), |shared, (name, _)| {
        first
            .bytes()
            .zip(name.bytes())
            .take(shared)
            .take_while(|(a, b)| a == b)
            .count()
    });
    // The underscore is ASCII, so the cut is between characters whatever the names hold.
    first.as_bytes()[..shared]
        .iter()
        .rposition(|byte| *byte == b'_')
        .map_or("", |at| &first[..=at])
}

/// The number of a value that is named with or without the prefix: `LAB_KIND_ACADEMIC` or `ACADEMIC`.
pub fn enum_number(values: &[(&'static str, i32)], text: &str) -> Option<i32> {
    let prefix = enum_prefix(values);
    let named = |wanted: fn(&str, &str, &str) -> bool| {
        values
            .iter()
            .find(|(name, _)| wanted(name, prefix, text))
            .map(|(_, number)| *number)
    };
    // A full name goes first: without its prefix, another value may read the same.
    named(|name, _, text| name == text).or_else(|| named(|name, prefix, text| name.strip_prefix(prefix) == Some(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: &[(&str, i32)] = &[
        ("LAB_KIND_UNSPECIFIED", 0),
        ("LAB_KIND_ACADEMIC", 1),
        ("LAB_KIND_ENTERPRISE", 2),
    ];

    #[test]
    fn a_value_is_known_with_and_without_its_prefix_but_not_in_another_case() {
        assert_eq!(enum_prefix(KINDS), "LAB_KIND_");
        assert_eq!(enum_number(KINDS, "ACADEMIC"), Some(1));
        assert_eq!(enum_number(KINDS, "LAB_KIND_ENTERPRISE"), Some(2));
        for wrong in [
            "",
            "academic",
            "KIND_ACADEMIC",
            "LAB_KIND_",
            "LAB_KIND_LAB_KIND_ACADEMIC",
            "1",
            "国",
        ] {
            assert_eq!(enum_number(KINDS, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_prefix_ends_with_an_underscore_even_where_more_is_shared() {
        assert_eq!(enum_prefix(&[("LEVEL_NATION", 1), ("LEVEL_NATURE", 2)]), "LEVEL_");
        assert_eq!(enum_prefix(&[("LEVEL_CITY", 1)]), "LEVEL_");
        assert_eq!(enum_prefix(&[("A_B", 1), ("C_B", 2)]), "");
        assert_eq!(enum_prefix(&[]), "");
        assert_eq!(enum_number(&[("ONE", 1), ("TWO", 2)], "TWO"), Some(2));
    }

    #[test]
    fn a_full_name_goes_before_a_shortened_one() {
        const VALUES: &[(&str, i32)] = &[("A_A_B", 1), ("A_B", 2)];
        assert_eq!(enum_number(VALUES, "A_B"), Some(2));
        assert_eq!(enum_number(VALUES, "B"), Some(2));
        assert_eq!(enum_number(VALUES, "A_A_B"), Some(1));
    }

    #[test]
    fn a_field_with_several_values_cannot_be_sorted_by() {
        let names = Column::text("names").many();
        assert!(names.many && !names.sortable && !names.dimension);
        assert!(Column::text("city").sortable);
        assert!(Column::integer("year").dimension().dimension);
        assert!(!Column::text("city").unsorted().sortable);
    }
}
