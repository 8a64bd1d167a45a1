//! A collection without its type: what its names, tables and fields are called.

use crate::error::{Error, Result};
use crate::model::column::Column;
use crate::model::head::is_head;

/// A resource whose type is erased: what the tables are called and hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// What it is called outside of resource names, for example `labDesignations`.
    pub collection: &'static str,
    /// Last collection of its name, for example `designations`.
    pub segment: &'static str,
    /// Collection of the parent and the column that holds the parent's name, for example `("labs", "lab")`.
    pub parent: Option<(&'static str, &'static str)>,
    /// Its table, for example `lab_designations`; its side tables are called after it.
    pub table: &'static str,
    /// Its field in requests, for example `lab`.
    pub singular: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// These and those that every resource has, and the periods of days.
    pub(crate) filterable: Vec<Column>,
    /// Whether a part of it is sealed.
    pub sealed: bool,
    /// Whether its whole names are kept beside its rows. Else they are found by the search index.
    pub(crate) by_name: bool,
    /// Its full name in the contract, for example `mingce.labs.v1.Lab`.
    pub message: &'static str,
    /// Number and name of its fields.
    pub fields: Vec<(u32, String)>,
    /// Numbers of the fields that are sealed, and of those that VIEW_BASIC leaves out.
    pub(crate) private: Vec<u32>,
    pub(crate) full_only: Vec<u32>,
    /// Numbers of the fields beside the head that callers cannot set.
    pub(crate) output_only: Vec<u32>,
}

impl Kind {
    /// The resource name of an id.
    pub fn name(&self, parent: Option<&str>, id: &str) -> String {
        match (self.parent, parent) {
            (Some((collection, _)), Some(parent)) => format!("{collection}/{parent}/{}/{id}", self.segment),
            _ => format!("{}/{id}", self.segment),
        }
    }

    /// The id in a resource name of this kind.
    pub fn id<'a>(&self, name: &'a str) -> Option<&'a str> {
        let parsed = crate::id::Name::parse(name)?;
        (parsed.collection == self.segment && parsed.parent_collection == self.parent.map(|p| p.0)).then_some(parsed.id)
    }

    /// The id in a resource name, or an error that says what a name looks like.
    pub fn expect<'a>(&self, name: &'a str, field: &str) -> Result<&'a str> {
        self.id(name).ok_or_else(|| {
            let like = self.name(self.parent.map(|_| "{id}"), "{id}");
            Error::invalid(
                field,
                "NAME_WRONG_KIND",
                format!("expected a resource name like {like}"),
            )
        })
    }

    /// The name of a field.
    pub(crate) fn field(&self, number: u32) -> &str {
        self.fields.iter().find(|f| f.0 == number).map_or("", |f| f.1.as_str())
    }

    /// Whether callers can set a field.
    pub(crate) fn is_writable(&self, number: u32) -> bool {
        !is_head(number) && !self.output_only.contains(&number)
    }
}
