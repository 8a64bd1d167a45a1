//! What records are compared by, to find those that may be of one subject.

use mingce_proto::registry::{Identifier, Name};

/// What a record is compared by.
#[derive(Debug, Clone, Copy)]
pub struct Likeness<'a> {
    /// Its name in use.
    pub display_name: &'a str,
    /// Its other names.
    pub names: &'a [Name],
    /// Its identifiers.
    pub identifiers: &'a [Identifier],
    /// What has to agree beside a name.
    pub beside: Beside<'a>,
    /// Nobody has confirmed it: the other one stays.
    pub unverified: bool,
    /// Names of records that it was marked as distinct from.
    pub distinct_from: &'a [String],
}

/// What has to agree beside a name.
#[derive(Debug, Clone, Copy)]
pub enum Beside<'a> {
    /// The city, if it is known.
    City(&'a str),
    /// The year of birth.
    BirthYear(i32),
}
