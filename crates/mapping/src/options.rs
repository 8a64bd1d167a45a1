//! How a file is to be read, and what it may unpack to.

use serde::Deserialize;

/// How a file is to be read where it does not say so itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The sheet of a workbook; the first where none is named.
    pub sheet: Option<String>,
    /// `utf-8`, `gb18030`, `big5`, `windows-1252` or another; told from the bytes where none is named.
    pub encoding: Option<String>,
    /// `,`, `;`, a tab or another ASCII character; told from the header where none is named.
    pub separator: Option<char>,
    /// Number of the row that holds the headers; the first row that is not blank where none is named.
    pub header: Option<u64>,
    /// Number of the first of several rows of headers, of which `header` is the last.
    pub header_first: Option<u64>,
    /// What becomes of rows that the sheet hides.
    pub hidden: Hidden,
    /// Whether the cells of merged ranges take the value of the first.
    pub merged: bool,
}

/// What becomes of rows that a sheet hides, by hand or by a filter.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Hidden {
    /// Each is refused, so that somebody decides.
    #[default]
    Refuse,
    /// They are read as others.
    Read,
    /// They are passed over and counted.
    Skip,
}

/// What a workbook may unpack to. A file beyond is refused before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All parts together, in bytes.
    pub unpacked: u64,
    /// The parts that are held in memory (texts, styles), in bytes.
    pub held: u64,
    /// One text or tag, in bytes.
    pub text: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            unpacked: 2 << 30,
            held: 256 << 20,
            text: 1 << 20,
        }
    }
}
