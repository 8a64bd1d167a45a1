//! The fields of a resource that can be filtered, sorted and counted by.

use std::borrow::Cow;

use mingce_proto::Classes;

use crate::text;

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Words.
    Text,
    /// A whole number.
    Integer,
    /// Points that are kept in hundredths, `9137`, and are written with a point, `91.37`.
    Hundredths,
    /// True or false.
    Boolean,
    /// An instant: microseconds since 1970, UTC.
    Time,
    /// An ISO 8601 year, month or day as text, for example `2021-03`.
    Date,
    /// The month, quarter, half-year or year of the day in another field, `2024-03` or `2024-Q1`. Of what is known by its year only, the
    /// year.
    Period(Period, &'static str),
    /// A resource name of this form, for example `labs/{id}`.
    Name(&'static str),
    /// One of these values: the full name in the contract, and its number.
    Enum(&'static [(&'static str, i32)]),
}

/// A part of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// `2024`.
    Year,
    /// `2024-H1`.
    HalfYear,
    /// `2024-Q1`.
    Quarter,
    /// `2024-03`.
    Month,
}

impl Period {
    /// All of them, with the names of their fields.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Year, "year"),
        (Self::HalfYear, "half_year"),
        (Self::Quarter, "quarter"),
        (Self::Month, "month"),
    ];

    /// The period of a column with days, in SQL. What is known by its year only is of no quarter.
    pub(crate) fn of(self, day: &str) -> String {
        let (mark, months) = match self {
            Self::Year => return format!("SUBSTR({day}, 1, 4)"),
            Self::Month => return format!("SUBSTR({day}, 1, 7)"),
            Self::Quarter => ('Q', 3),
            Self::HalfYear => ('H', 6),
        };
        let last = 12 / months;
        let parts: String = (1..last)
            .map(|part| {
                let end = part * months;
                format!("WHEN SUBSTR({day}, 6, 2) <= '{end:02}' THEN SUBSTR({day}, 1, 4) || '-{mark}{part}' ")
            })
            .collect();
        format!("CASE WHEN LENGTH({day}) < 7 THEN {day} {parts}ELSE SUBSTR({day}, 1, 4) || '-{mark}{last}' END")
    }

    /// Whether a text is one of its values.
    pub(crate) fn is_one(self, text: &str) -> bool {
        let (year, rest) = text.split_at_checked(4).unwrap_or(("", text));
        let is_year = year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit());
        let parts: &[&str] = match self {
            Self::Year => &[],
            Self::HalfYear => &["-H1", "-H2"],
            Self::Quarter => &["-Q1", "-Q2", "-Q3", "-Q4"],
            Self::Month => &[
                "-01", "-02", "-03", "-04", "-05", "-06", "-07", "-08", "-09", "-10", "-11", "-12",
            ],
        };
        is_year && (rest.is_empty() || parts.contains(&rest))
    }

    /// A value, for what is said where one is none.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Year => "a year, for example `2024`",
            Self::HalfYear => "a half-year, for example `2024-H1`",
            Self::Quarter => "a quarter, for example `2024-Q1`",
            Self::Month => "a month, for example `2024-03`",
        }
    }
}

/// A field that can be filtered by, and what else can be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the contract and in filters.
    pub name: &'static str,
    /// What its values are.
    pub kind: Type,
    /// Several values for each resource, in a side table.
    pub multi_valued: bool,
    /// Its several values stand in the search index alone: resources are found by them, and they are not counted.
    pub search_only: bool,
    /// Lists can be sorted by it.
    pub sortable: bool,
    /// Statistics can be grouped by it.
    pub groupable: bool,
    /// Its values name records. One that was merged counts, and is found, as the record that stands for it.
    pub cites: bool,
    /// Its values are numbers of documents, compared in the form of [`crate::text::document_number`].
    pub document: bool,
    /// Statistics can be divided by the months, quarters and half-years of its days.
    pub calendar: bool,
    /// The fields of the contract that its values come from, as paths; none for the field of its own name.
    pub drawn_from: &'static [&'static str],
    /// The classes that a caller has to see to use it. All of them, until it is known what it is drawn from.
    pub needed: Classes,
}

impl Column {
    /// A field with one value, which lists can be sorted by.
    pub const fn new(name: &'static str, kind: Type) -> Self {
        Self {
            name,
            kind,
            multi_valued: false,
            search_only: false,
            sortable: true,
            groupable: false,
            cites: false,
            document: false,
            calendar: false,
            drawn_from: &[],
            needed: Classes::ALL,
        }
    }

    /// The period of the days of another field.
    pub const fn period(name: &'static str, period: Period, of: &'static str) -> Self {
        Self::new(name, Type::Period(period, of)).unsorted().groupable()
    }

    /// Its value in SQL, of the table `t`.
    pub(crate) fn value(&self) -> String {
        match self.kind {
            Type::Period(period, of) => period.of(&format!("t.{of}")),
            _ => format!("t.{}", self.name),
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

    /// A field with points in hundredths.
    pub const fn hundredths(name: &'static str) -> Self {
        Self::new(name, Type::Hundredths)
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
    pub const fn multi_valued(mut self) -> Self {
        self.multi_valued = true;
        self.sortable = false;
        self
    }

    /// The same with several values, by which resources are found and which nobody counts: cheaper to write.
    #[must_use]
    pub const fn search_only(mut self) -> Self {
        self.search_only = true;
        self.multi_valued()
    }

    /// The same, whose values come from these fields of the contract, as paths from the resource.
    #[must_use]
    pub const fn from_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.drawn_from = fields;
        self
    }

    /// The same, and statistics can be grouped by it.
    #[must_use]
    pub const fn groupable(mut self) -> Self {
        self.groupable = true;
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

    /// The same, and statistics can be divided by the months, quarters and half-years of its days.
    #[must_use]
    pub const fn by_calendar(mut self) -> Self {
        self.calendar = true;
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

/// Hundredths of a point as people write them: `91.37`.
pub fn points(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Points as people write them, with at most two decimals, in hundredths: `91.37` is 9137, `80` is 8000. `None` for what is none.
pub fn hundredths(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole, 9) || !is_digits(part, 2) {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 100 + part)
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
    fn a_period_has_its_values_and_no_others() {
        for (period, good) in [
            (Period::Year, "2024"),
            (Period::HalfYear, "2024-H2"),
            (Period::Quarter, "2024-Q4"),
            (Period::Quarter, "2024"),
            (Period::Month, "2024-12"),
        ] {
            assert!(period.is_one(good), "{good}");
        }
        for (period, bad) in [
            (Period::Year, "2024-03"),
            (Period::HalfYear, "2024-H3"),
            (Period::Quarter, "2024-Q0"),
            (Period::Quarter, "2024Q1"),
            (Period::Month, "2024-13"),
            (Period::Month, "2024-3"),
            (Period::Month, ""),
            (Period::Month, "２０２４-03"),
        ] {
            assert!(!period.is_one(bad), "{bad}");
        }
    }

    #[test]
    fn points_are_read_and_written_with_two_decimals() {
        for (text, number) in [
            ("91.37", 9137),
            ("80", 8000),
            ("0.05", 5),
            ("91.3", 9130),
            ("0", 0),
            ("100.00", 10000),
        ] {
            assert_eq!(hundredths(text), Some(number), "{text}");
            assert_eq!(hundredths(&points(number)), Some(number));
        }
        assert_eq!((points(9137), points(5)), ("91.37".to_owned(), "0.05".to_owned()));
        for wrong in [
            "",
            ".",
            "91.",
            ".5",
            "91.375",
            "-1",
            "+1",
            "1e2",
            "９１",
            "91,37",
            "99999999999",
        ] {
            assert_eq!(hundredths(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_field_with_several_values_cannot_be_sorted_by() {
        let names = Column::text("names").multi_valued();
        assert!(names.multi_valued && !names.sortable && !names.groupable);
        assert!(Column::text("city").sortable);
        assert!(Column::integer("year").groupable().groupable);
        assert!(!Column::text("city").unsorted().sortable);
    }
}
