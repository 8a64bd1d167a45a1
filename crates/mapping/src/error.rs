//! Why a mapping or a file as a whole cannot be used. What is wrong with one row is a [`Refusal`](crate::Refusal).

use std::io;

/// A mapping or a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mapping's text is wrong at a place.
    #[error("mapping, {place}: {problem}")]
    Mapping {
        /// Where, for example `part 2 (talents), names[1].text`.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// `--as` names nothing that is known.
    #[error(
        "no mapping {name:?}{meant}: give a mapping that ships ({shipped}), a collection ({collections}) or the path of a TOML file"
    )]
    UnknownMapping {
        /// What was asked for.
        name: String,
        /// The mappings that ship.
        shipped: String,
        /// The collections.
        collections: String,
        /// The collection that the name is another spelling of, in words; empty for none.
        meant: String,
    },
    /// A column that the mapping speaks of is not in the file.
    #[error("{source_name}: no column {column:?}; there are {present}{hint}")]
    ColumnMissing {
        /// The file.
        source_name: String,
        /// The header that was looked for.
        column: String,
        /// The headers that there are.
        present: String,
        /// Where the headers seem to be, in words; empty where that is not seen.
        hint: String,
    },
    /// The file cannot be read as what it is.
    #[error("{source_name}: {problem}")]
    Source {
        /// The file.
        source_name: String,
        /// What is wrong and where.
        problem: String,
    },
    /// The operating system refused.
    #[error("{name}: {error}")]
    Io {
        /// The file.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// A value cannot be written in the format that was asked for.
    #[error("{0}")]
    Write(String),
}

impl Error {
    /// An error of the mapping at `place`.
    pub(crate) fn mapping(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Mapping {
            place: place.into(),
            problem: problem.into(),
        }
    }

    /// An error of the file `name`.
    pub(crate) fn source(name: &str, problem: impl ToString) -> Self {
        Error::Source {
            source_name: name.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// An error of the operating system with the file `name`.
    pub(crate) fn io(name: &str, error: io::Error) -> Self {
        Error::Io {
            name: name.to_owned(),
            error,
        }
    }
}
