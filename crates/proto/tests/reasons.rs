//! The table of reasons against the sources of the program, and `docs/reasons.md` against the table.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use mingce_proto::reasons::{Reason, all, of};
use prost_reflect::DescriptorPool;

/// Texts in the form of a reason that are none: variables of the environment.
const OTHERS: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CREDENTIALS_DIRECTORY",
    "LC_ALL",
    "LC_MESSAGES",
    "OUT_DIR",
    "RUST_LOG",
    "UPDATE_GOLDEN",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "target", "bench"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The texts in quotation marks of the program that have the form of a reason, with where they stand. Tests are left
/// out.
fn quoted() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in ["crates", "services"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 100, "the sources are not found");
    let mut texts = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for text in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            if text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(plain) {
                texts
                    .entry(text.to_owned())
                    .or_insert_with(|| path.display().to_string());
            }
        }
    }
    texts
}

/// The values of all enums of the contract, with and without the prefix of their enum.
fn values() -> BTreeSet<String> {
    let pool = DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap();
    let mut names = BTreeSet::new();
    for one in pool.all_enums() {
        for value in one.values() {
            let parts: Vec<_> = value.name().split('_').collect();
            names.extend((0..parts.len()).map(|from| parts[from..].join("_")));
        }
    }
    names
}

#[test]
fn every_reason_of_the_program_stands_in_the_table() {
    let (values, codes) = (values(), codes());
    let is_known = |text: &str| {
        of(text).is_some()
            || !text.contains('_')
            || text.ends_with('_')
            || text.starts_with("MINGCE_")
            || OTHERS.contains(&text)
            || values.contains(text)
            || codes.contains(&text)
    };
    let missing: Vec<_> = quoted().into_iter().filter(|(text, _)| !is_known(text)).collect();
    assert!(
        missing.is_empty(),
        "no line in crates/proto/reasons.txt for {missing:?}"
    );
}

#[test]
fn every_reason_of_the_table_is_given_by_the_program() {
    let quoted = quoted();
    let is_given = |reason: &&Reason| quoted.contains_key(reason.name) || reason.group == "Contract validation";
    let stale: Vec<_> = all()
        .iter()
        .filter(|reason| !is_given(reason))
        .map(|r| r.name)
        .collect();
    assert!(
        stale.is_empty(),
        "no source gives {stale:?}: take them out of crates/proto/reasons.txt"
    );
}

fn codes() -> Vec<&'static str> {
    let text = "CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED \
                FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED";
    text.split(' ').collect()
}

#[test]
fn each_line_of_the_table_is_whole_and_stands_once() {
    let text = fs::read_to_string(root().join("crates/proto/reasons.txt")).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .count();
    let names: BTreeSet<_> = all().iter().map(|reason| reason.name).collect();
    assert_eq!(
        (lines, names.len()),
        (all().len(), all().len()),
        "a line is no reason, or one stands twice"
    );
    let codes = codes();
    for reason in all() {
        let known = |at: &str| ["row", "blocker", "start"].contains(&at) || codes.contains(&at);
        assert!(reason.at.split(", ").all(known), "{reason:?}");
        assert!(
            reason.english.ends_with('.') && reason.english.len() < 200,
            "{reason:?}"
        );
        assert!(
            reason.chinese.contains(|c: char| c > '\u{4e00}') || reason.chinese.contains("UUID"),
            "{reason:?}"
        );
        assert!(!reason.group.is_empty(), "{reason:?}");
    }
}

/// The Chinese text of a reason stands before the English description of a refused row.
#[test]
fn the_chinese_text_of_each_reason_of_a_row_says_what_would_be_right() {
    let is_of_rows = |reason: &&Reason| reason.at.split(", ").any(|at| at == "row");
    for reason in all().iter().filter(is_of_rows) {
        assert!(reason.chinese.contains(['请', '应', '须', '只']), "{reason:?}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "golden files are written anew by it")]
fn the_page_of_the_reasons_is_up_to_date() {
    let path = root().join("docs/reasons.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == page,
        "docs/reasons.md is not what the table says: UPDATE_GOLDEN=1 cargo test -p mingce-proto writes it"
    );
}

fn page() -> String {
    let mut page = String::from(
        "# Reasons\n\nEach error carries one of these reasons in `google.rpc.ErrorInfo` (domain `mingce`). Each wrong field carries \
         one in\n`google.rpc.BadRequest`, and each refused row of an import in its problems. Each blocked verb carries one in \
         `verbs` and\nin `google.rpc.PreconditionFailure`. Reasons do not change; messages may. With the header `accept-language: \
         zh` errors\nalso carry a Chinese text (`google.rpc.LocalizedMessage`). [clients.md](clients.md#errors) says which errors \
         may be\nsent again.\n\n\
         错误原因一览。每个错误都带有下列原因之一；请求头 `accept-language: zh` 会附带中文说明。\n\n\
         \"Where\" is a gRPC code, or `row`: a refused row of an import (导入时被拒的行); `blocker`: why a verb is blocked, within\n\
         `CASE_BLOCKED` (不能办理的原因); `start`: why the program does not start (程序不能启动).\n",
    );
    let mut group = "";
    for reason in all() {
        if reason.group != group {
            group = reason.group;
            let _ = write!(
                page,
                "\n## {group}\n\n| reason | where | meaning | 说明 |\n| --- | --- | --- | --- |\n"
            );
        }
        let Reason {
            name,
            at,
            english,
            chinese,
            ..
        } = reason;
        let _ = writeln!(page, "| `{name}` | {at} | {english} | {chinese} |");
    }
    page
}
