//! What ARCHITECTURE.md says of the code and a compiler does not hold: what packages, folders and files may use, and
//! how old what they use may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn table(path: &str) -> Table {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The packages of the workspace, each with its folder.
pub(crate) fn members() -> BTreeMap<String, String> {
    let workspace = table("Cargo.toml");
    let mut members = BTreeMap::new();
    for listed in workspace["workspace"]["members"].as_array().unwrap() {
        let listed = listed.as_str().unwrap();
        let folders: Vec<String> = match listed.strip_suffix("/*") {
            Some(above) => {
                let entries = std::fs::read_dir(root().join(above)).unwrap();
                let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
                names.map(|name| format!("{above}/{name}")).collect()
            }
            None => vec![listed.to_owned()],
        };
        for folder in folders {
            let name = table(&format!("{folder}/Cargo.toml"))["package"]["name"].clone();
            members.insert(name.as_str().unwrap().to_owned(), folder);
        }
    }
    members
}

/// What a package uses when it runs, not what its tests use.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let package = table(&format!("{folder}/Cargo.toml"));
    let listed = package.get("dependencies").and_then(Value::as_table);
    listed
        .map(|listed| listed.keys().cloned().collect())
        .unwrap_or_default()
}

/// Which packages of the workspace each of them may use: the arrows of ARCHITECTURE.md.
const ARROWS: [(&str, &str); 14] = [
    ("mingce-proto", ""),
    ("mingce-client", "proto"),
    ("mingce-mapping", "proto"),
    ("mingce-orm", "proto"),
    ("mingce-lifecycle", "proto orm"),
    ("mingce-server", "proto client orm lifecycle"),
    ("mingce-ingest", "proto client orm lifecycle server"),
    ("mingce-cases", "proto client orm lifecycle server ingest"),
    ("mingce-labs", "proto client orm lifecycle server ingest cases"),
    ("mingce-talent", "proto client orm lifecycle server ingest cases"),
    ("mingce-awards", "proto client orm lifecycle server ingest cases"),
    ("mingce", "proto orm mapping server ingest cases labs talent awards"),
    ("mingce-bench", "proto orm"),
    // It starts the program, and speaks with it as clients do.
    ("mingce-e2e", "proto"),
];

/// No part of these speaks with the network.
const WITHOUT_TRANSPORT: [&str; 3] = ["mingce-orm", "mingce-lifecycle", "mingce-mapping"];
const TRANSPORTS: [&str; 6] = ["tonic", "hyper", "hyper-util", "http", "h2", "tower"];

/// Only these speak with a database. The programs of tests and measures open one beside the register.
const WITH_DATABASES: [&str; 3] = ["mingce-orm", "mingce-bench", "mingce-e2e"];
const DATABASES: [&str; 2] = ["sqlx", "sea-orm"];

#[test]
fn packages_use_those_that_the_architecture_lets_them_use() {
    let members = members();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let there: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(there, known, "each package has its line here");
    for (name, may_use) in ARROWS {
        let may_use: BTreeSet<String> = may_use
            .split_whitespace()
            .map(|part| format!("mingce-{part}"))
            .collect();
        let uses = dependencies(&members[name]);
        let other: Vec<_> = uses
            .iter()
            .filter(|used| members.contains_key(*used) && !may_use.contains(*used))
            .collect();
        assert!(other.is_empty(), "{name} may not use {other:?}");
        if WITHOUT_TRANSPORT.contains(&name) {
            let transports: Vec<_> = TRANSPORTS.iter().filter(|used| uses.contains(**used)).collect();
            assert!(transports.is_empty(), "{name} names no transport: {transports:?}");
        }
        if !WITH_DATABASES.contains(&name) {
            let databases: Vec<_> = DATABASES.iter().filter(|used| uses.contains(**used)).collect();
            assert!(databases.is_empty(), "{name} speaks with no database: {databases:?}");
        }
    }
}

/// Which folders of the ORM crate each of them may use, or what of them alone.
pub(crate) const FOLDERS: [(&str, &[&str]); 7] = [
    ("text", &[]),
    ("db", &[]),
    // The hooks of a collection are given what an edit sees.
    ("model", &["text", "write::unit_of_work::UnitOfWork"]),
    ("search_index", &["text", "db", "model"]),
    // Reads are functions of the store.
    ("query", &["text", "db", "model", "search_index", "write::store::Store"]),
    ("write", &["text", "db", "model", "search_index", "query"]),
    ("migration", &["text", "db", "model", "search_index", "query", "write"]),
];

/// The Rust files below a folder.
pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The paths from the root of the crate that a source names, in its code.
fn paths(source: &str) -> Vec<String> {
    paths_below(source, "crate::")
}

/// The paths that a source names, in its code, behind this beginning.
pub(crate) fn paths_below(source: &str, beginning: &str) -> Vec<String> {
    let code = code(source).collect::<Vec<_>>().join("\n");
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '{');
    let rest = code
        .match_indices(beginning)
        .map(|(at, start)| &code[at + start.len()..]);
    rest.map(|rest| rest.chars().take_while(|c| is_part(*c)).collect())
        .collect()
}

#[test]
fn folders_of_the_orm_crate_use_those_below_them() {
    let orm = root().join("crates/orm/src");
    let mut seen = 0;
    for (folder, may_use) in FOLDERS {
        let mut files = Vec::new();
        sources(&orm.join(folder), &mut files);
        assert!(files.len() > 3, "{folder} has {} files", files.len());
        for file in files {
            for path in paths(&std::fs::read_to_string(&file).unwrap()) {
                let first = path.split("::").next().unwrap_or_default();
                assert!(!first.starts_with('{'), "{}: one path a line", file.display());
                if first == folder || FOLDERS.iter().all(|(known, _)| *known != first) {
                    continue;
                }
                seen += 1;
                let is_allowed = |allowed: &&str| {
                    path.strip_prefix(*allowed)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                };
                assert!(
                    may_use.iter().any(is_allowed),
                    "{}: {folder} may not use {path}",
                    file.display()
                );
            }
        }
    }
    assert!(seen > 100, "{seen} paths");
}

/// The lines of a source without comments.
pub(crate) fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().map(|line| line.split("//").next().unwrap_or_default())
}

/// The Rust files below folders of the workspace, as paths from its root, each with its text.
fn all_sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    folders
        .iter()
        .for_each(|folder| sources(&root().join(folder).join("src"), &mut files));
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The names of files that a page has in its code spans, without those that stand for several.
fn named_files(page: &str) -> Vec<&str> {
    let spans = page.split('`').skip(1).step_by(2);
    let is_file = |span: &&str| {
        let is_code = [".rs", ".proto", ".txt", ".toml"].iter().any(|end| span.ends_with(end));
        is_code && !span.contains(|c: char| c.is_whitespace() || c == '…')
    };
    spans.filter(is_file).collect()
}

#[test]
fn each_file_that_architecture_md_names_is_there() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut known = Vec::new();
    for folder in ["crates", "services", "tests", "proto"] {
        all_files(&root().join(folder), &mut known);
    }
    let of_root = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    known.extend(of_root.map(|name| format!("/{}", name.to_str().unwrap())));
    let named = named_files(&page);
    assert!(named.len() > 150, "{} files", named.len());
    for name in named {
        let is_there = known.iter().any(|file| file.ends_with(&format!("/{name}")));
        assert!(is_there, "ARCHITECTURE.md names {name}, which is no file");
    }
    assert!(
        page.lines().count() < 250,
        "ARCHITECTURE.md is a map: it stays under 250 lines"
    );
    let longest = page.lines().map(|line| line.chars().count()).max();
    assert!(
        longest <= Some(120),
        "a line of ARCHITECTURE.md has {longest:?} characters"
    );
}

/// All files below a folder, as paths from the root without their `src`: `crates/orm/write/store.rs`.
fn all_files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, found);
        } else {
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
            found.push(format!("/{}", path.replace("/src/", "/")));
            found.push(format!("/{path}"));
        }
    }
}

const SERVICES: [&str; 3] = ["services/labs", "services/talent", "services/awards"];

#[test]
fn in_a_service_only_the_handlers_of_calls_name_tonic() {
    let files = all_sources(&SERVICES);
    let (handlers, others): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| name.ends_with("service.rs"));
    assert!(handlers.len() > 5 && handlers.iter().all(|(_, text)| text.contains("tonic::")));
    for (name, text) in others {
        assert!(
            code(text).all(|line| !line.contains("tonic")),
            "{name} names tonic, which is for handlers of calls"
        );
    }
}

#[test]
fn only_the_orm_crate_and_migrations_contain_sql() {
    let begins = [
        "SELECT ",
        "INSERT INTO ",
        "INSERT OR ",
        "DELETE FROM ",
        "ALTER TABLE ",
        "CREATE TABLE ",
        "PRAGMA ",
    ];
    let holds = |text: &str| code(text).any(|line| begins.iter().any(|begin| line.contains(begin)));
    let orm = all_sources(&["crates/orm"]);
    assert!(
        orm.iter().filter(|(_, text)| holds(text)).count() > 20,
        "the ORM crate contains it"
    );
    let others = [
        "services/mingce",
        "crates/lifecycle",
        "crates/cases",
        "crates/server",
        "crates/mapping",
        "crates/client",
        "crates/proto",
    ];
    for (name, text) in all_sources(&[&SERVICES[..], &others].concat()) {
        assert!(
            name.ends_with("/schema.rs") || !holds(&text),
            "{name} contains SQL, which is for the ORM crate and for migrations (schema.rs)"
        );
    }
}

/// Whose versions before one have a known fault, by the advisories of RustSec.
enum FixedIn {
    /// All versions before it.
    All,
    /// Those that are compatible with it.
    Compatible,
}

const FIXED: [(&str, &str, FixedIn); 6] = [
    // RUSTSEC-2026-0258
    ("h2", "0.4.16", FixedIn::All),
    // RUSTSEC-2026-0007
    ("bytes", "1.11.1", FixedIn::All),
    // RUSTSEC-2026-0097
    ("rand", "0.10.1", FixedIn::Compatible),
    // RUSTSEC-2026-0194 and 0195: XLSX files are read with it.
    ("quick-xml", "0.41.0", FixedIn::All),
    // RUSTSEC-2025-0055
    ("tracing-subscriber", "0.3.20", FixedIn::All),
    // RUSTSEC-2026-0049 and others
    ("rustls-webpki", "0.103.13", FixedIn::All),
];

/// Nobody maintains these any more: RUSTSEC-2025-0134.
const UNMAINTAINED: [&str; 1] = ["rustls-pemfile"];

fn version(text: &str) -> Vec<u64> {
    let release = text.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map(|part| part.parse().unwrap()).collect()
}

/// The part of a version that is the same in all versions that are compatible with it.
fn compatibility(version: &[u64]) -> &[u64] {
    let significant = version.iter().position(|part| *part > 0).unwrap_or(0) + 1;
    &version[..significant]
}

#[test]
fn no_package_is_older_than_the_fix_of_a_known_vulnerability() {
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100, "{} packages", packages.len());
    for package in packages {
        let (name, found) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        assert!(!UNMAINTAINED.contains(&name), "nobody maintains {name} any more");
        for (_, least, which) in FIXED.iter().filter(|(of, ..)| *of == name) {
            let (found, least) = (version(found), version(least));
            let is_meant = matches!(which, FixedIn::All) || compatibility(&found) == compatibility(&least);
            assert!(
                !is_meant || found >= least,
                "{name} {found:?} has a known vulnerability: {least:?} is the least"
            );
        }
    }
}

#[test]
fn compatible_versions_begin_with_the_same_number_that_is_not_zero() {
    for (text, right) in [
        ("1.11.1", vec![1]),
        ("0.4.16", vec![0, 4]),
        ("0.0.7", vec![0, 0, 7]),
        ("2.0.0-rc.1", vec![2]),
    ] {
        assert_eq!(compatibility(&version(text)), right, "{text}");
    }
}
