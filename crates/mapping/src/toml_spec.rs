//! The TOML of a mapping as it is written, before it is checked against the contract.

use std::collections::HashMap;

use serde::Deserialize;
use toml::{Table, Value as Toml};

use crate::date::{Bound, DateForm};
use crate::options::Hidden;
use crate::spec::Rows;
use crate::template::Clean;

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSpec {
    /// Words for people who read the mapping.
    #[serde(rename = "about")]
    pub(crate) _about: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) separator: Option<char>,
    pub(crate) sheet: Option<String>,
    pub(crate) header: Option<OneOrMany<u64>>,
    #[serde(default)]
    pub(crate) hidden: Hidden,
    #[serde(default)]
    pub(crate) clean: Vec<Clean>,
    pub(crate) fill_down: Option<OneOrMany<String>>,
    #[serde(default)]
    pub(crate) columns: Table,
    #[serde(default)]
    pub(crate) sections: Table,
    #[serde(default)]
    pub(crate) values: HashMap<String, HashMap<String, String>>,
    #[serde(default)]
    pub(crate) part: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartSpec {
    pub(crate) collection: String,
    pub(crate) join: Option<OneOrMany<String>>,
    pub(crate) skip: Option<Toml>,
    pub(crate) fields: Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextSpec {
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) clean: Vec<Clean>,
    pub(crate) values: Option<ValuesSpec>,
    pub(crate) other: Option<String>,
    #[serde(rename = "match")]
    pub(crate) pattern: Option<String>,
    pub(crate) remove: Option<String>,
    pub(crate) date: Option<DateForm>,
    pub(crate) range: Option<Bound>,
    pub(crate) times: Option<u64>,
    pub(crate) units: Option<HashMap<String, u64>>,
    pub(crate) split: Option<Toml>,
    #[serde(default)]
    pub(crate) rows: Rows,
    pub(crate) skip: Option<Toml>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum ValuesSpec {
    Shared(String),
    Own(HashMap<String, String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionSpec {
    pub(crate) column: String,
    pub(crate) is: Option<OneOrMany<String>>,
    pub(crate) not: Option<OneOrMany<String>>,
    pub(crate) because: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitSpec {
    pub(crate) by: OneOrMany<String>,
    pub(crate) columns: Option<Vec<String>>,
}
