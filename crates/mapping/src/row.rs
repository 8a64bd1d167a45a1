//! What the rows of a source become: resources, and refusals.

use prost_reflect::DynamicMessage;

/// A resource that one or more rows describe.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number of its first row, as a spreadsheet shows it.
    pub number: u64,
    /// Numbers of its further rows.
    pub further: Vec<u64>,
    /// The resource.
    pub message: DynamicMessage,
    pub(crate) origins: Vec<Origin>,
}

/// Where the items of a repeated field came from: the entry of the mapping and the row.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) field: u32,
    pub(crate) items: Vec<(usize, u64)>,
}

/// A resource that was refused, by the mapping or by a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Number of the row that is wrong.
    pub row: u64,
    /// Numbers of all rows of the resource, which are refused with it.
    pub rows: Vec<u64>,
    /// The columns that are wrong, joined by a comma; empty where it is none of them.
    pub column: String,
    /// What stands there; empty where it is personal data, and until it is looked up where a service refused.
    pub value: String,
    /// Whether the columns hold personal data, which no message may repeat.
    pub personal: bool,
    /// Machine-readable reason in UPPER_SNAKE_CASE.
    pub reason: String,
    /// What is wrong and what would be right.
    pub description: String,
}

/// The columns that are put before those of the source. An import passes over them.
pub(crate) const EXTRA: [&str; 6] = [
    "refused_row",
    "refused_column",
    "refused_value",
    "refused_reason",
    "refused_reason_zh",
    "refused_description",
];

/// What is wrong with a row that has cells beyond the headers.
pub(crate) fn too_long(cells: usize, headers: usize) -> String {
    format!(
        "{cells} cells stand under {headers} headers: clear what is beyond them; in CSV a cell with the separator \
         stands in quotation marks"
    )
}
