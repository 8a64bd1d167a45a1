//! Files into resources and back: reads CSV, XLSX and JSON lines by a mapping, and writes what it can read again.
//!
//! A [`Source`] is a file, a [`Mapping`] says what its columns mean, [`Part::read`] yields [`Row`]s (messages of the
//! contract) and [`Refusal`]s. A [`Writer`] is the way back. Nothing here knows of a network.

mod build;
mod collection;
mod compile;
mod content;
mod date;
mod decode;
mod delimited;
mod draft;
mod error;
mod facts;
mod filled;
mod foreign;
mod headers;
mod locate;
mod options;
mod plain;
mod reading;
mod refused;
mod row;
mod seen;
mod shown;
mod source;
mod source_row;
mod spec;
mod survey;
mod table;
mod template;
mod toml_spec;
mod typed;
mod unpacked;
mod value;
mod words;
mod workbook;
mod write;

pub use collection::{COLLECTIONS, Collection};
pub use error::{Error, Said};
pub use mingce_proto::reasons::chinese;
pub use options::{Hidden, Limits, Options};
pub use reading::{Counts, HIDDEN, Item};
pub use refused::RefusedWriter;
pub use row::{Refusal, Row};
pub use seen::seen;
pub use source::Source;
pub use source_row::SourceRow;
pub use spec::{Mapping, Part, SHIPPED};
pub use survey::{Guess, SeenColumn, Survey};
pub use table::Table;
pub use workbook::Sheet;
pub use write::{Format, Writer};
