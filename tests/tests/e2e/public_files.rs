//! Fixture of the public files that the shipped mappings are for. They are no part of the project; where they are
//! absent the tests say so and end.

use std::path::{Path, PathBuf};

use mingce_e2e::Register;
use mingce_e2e::binary::workspace;
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse};

/// Each file with its mapping, in the order in which they are loaded.
pub const FILES: [(&str, &str); 3] = [
    ("host-organizations.csv", "ror-organizations"),
    ("key-labs.csv", "ror-labs"),
    ("nobel-laureates.csv", "nobel"),
];

/// The folder of the files, where there is one.
#[allow(clippy::print_stdout)]
pub fn folder() -> Option<PathBuf> {
    let folder = workspace().join("../shared/data");
    if folder.is_dir() {
        return Some(folder.canonicalize().unwrap());
    }
    println!("skipped: the public files are not here; docs/import.md says where the originals are");
    None
}

/// Imports one of the files and answers the summary.
pub fn import(register: &Register, folder: &Path, (file, mapping): (&str, &str), flags: &[&str]) -> String {
    let path = folder.join(file);
    let args = [&["import", path.to_str().unwrap(), "--as", mapping], flags].concat();
    register.cli(&args).succeeded()
}

/// Imports all files.
pub fn load(register: &Register, folder: &Path) {
    for file in FILES {
        import(register, folder, file, &[]);
    }
}

/// The rows of a summary's table: collection, then created, updated, unchanged and refused.
pub fn table(summary: &str) -> Vec<(String, [u64; 4])> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let label = words.next()?.to_owned();
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, created, updated, unchanged, refused] = numbers.try_into().ok()?;
        Some((label, [created, updated, unchanged, refused]))
    };
    summary.lines().filter_map(row).collect()
}

/// A table as it should be.
pub fn rows(expected: &[(&str, [u64; 4])]) -> Vec<(String, [u64; 4])> {
    expected
        .iter()
        .map(|(label, numbers)| ((*label).to_owned(), *numbers))
        .collect()
}

/// What to count, and what to divide it by.
pub fn statistics(collection: &str, count: &str, group_by: &[&str]) -> ComputeStatisticsRequest {
    ComputeStatisticsRequest {
        collection: collection.to_owned(),
        count: count.to_owned(),
        group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
        ..ComputeStatisticsRequest::default()
    }
}

/// Counts in the service that owns the collection.
pub async fn counted(register: &Register, request: ComputeStatisticsRequest) -> ComputeStatisticsResponse {
    let answer = match request.collection.as_str() {
        "organizations" | "labs" => register.labs().compute_statistics(request).await,
        "talents" => register.talent().compute_statistics(request).await,
        _ => register.awards().compute_statistics(request).await,
    };
    answer.unwrap().into_inner()
}

/// How many entries the ledger has of other things than imports. Stops the register for a moment.
pub async fn ledger(register: &mut Register) -> i64 {
    register.stop();
    let (entries, head) = (
        register.number("SELECT count(*) FROM ledger").await,
        register.number("SELECT sequence FROM ledger_head").await,
    );
    assert_eq!(entries, head);
    let of_records = "SELECT count(*) FROM ledger WHERE resource NOT LIKE 'imports/%'";
    let of_records = register.number(of_records).await;
    register.restart();
    of_records
}
