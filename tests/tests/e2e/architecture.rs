//! What ARCHITECTURE.md says of the code and a compiler does not hold: what packages, folders and files may use, and
//! how old what they use may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn table(path: &str) -> Table {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The packages of the workspace, each with its folder.
fn members() -> BTreeMap<String, String> {
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
const FOLDERS: [(&str, &[&str]); 7] = [
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
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
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
fn paths_below(source: &str, beginning: &str) -> Vec<String> {
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

/// Whether a file has tests and nothing else.
fn is_test(file: &Path) -> bool {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    ["tests", "fuzz"].iter().any(|end| {
        stem.strip_suffix(*end)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// The text of a file, up to its tests.
fn without_tests(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let before = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    before.to_owned()
}

/// Which files of a folder of the ORM crate each of them uses, without their tests. What lies below a file belongs to it: `undo/back.rs` is
/// part of `undo`.
fn uses_in(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let path = root().join("crates/orm/src").join(folder);
    let mut files = Vec::new();
    sources(&path, &mut files);
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let own = file.strip_prefix(&path).unwrap().with_extension("");
        if is_test(&own) || own == Path::new("mod") {
            continue;
        }
        let text = &without_tests(&file);
        let below = format!("crate::{folder}::");
        let mut named = paths_below(text, &below);
        let mut parts = own.iter().map(|part| part.to_str().unwrap().to_owned());
        let own = parts.next().unwrap();
        if parts.next().is_none() {
            named.extend(paths_below(text, "super::"));
        }
        let used = uses.entry(own.clone()).or_default();
        for path in named {
            assert!(!path.starts_with('{'), "{}: one path a line", file.display());
            let first = path.split("::").next().unwrap_or_default();
            if first != own {
                used.insert(first.to_owned());
            }
        }
    }
    uses
}

/// Those that use themselves by way of others.
fn in_a_circle(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let comes_back = |name: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name]);
        while let Some(at) = open.pop() {
            let Some(used) = uses.get(at) else { continue };
            if used.contains(name) {
                return true;
            }
            open.extend(used.iter().filter(|other| seen.insert(*other)));
        }
        false
    };
    uses.keys().filter(|name| comes_back(name)).cloned().collect()
}

#[test]
fn files_of_a_folder_of_the_orm_crate_use_each_other_in_no_circle() {
    let mut seen = 0;
    for (folder, _) in FOLDERS {
        let uses = uses_in(folder);
        seen += uses.values().map(BTreeSet::len).sum::<usize>();
        let circle = in_a_circle(&uses);
        assert!(circle.is_empty(), "{folder}: {circle:?} use each other in a circle");
    }
    assert!(seen > 150, "{seen} uses");
}

/// The crates whose files are looked at one by one. Those of the ORM crate are looked at by folder.
const BY_FILE: [&str; 13] = [
    "crates/bench",
    "crates/cases",
    "crates/client",
    "crates/ingest",
    "crates/lifecycle",
    "crates/mapping",
    "crates/proto",
    "crates/server",
    "services/awards",
    "services/labs",
    "services/mingce",
    "services/talent",
    "tests",
];

/// The circles that stay.
const CIRCLES: [(&str, &[&str]); 2] = [
    // The table of all messages has what its two readers make of each field.
    ("crates/proto", &["shapes", "texts", "weight"]),
    // Whether two persons can be merged is said by their designations, and whether one can be live, by the merged
    // records of its person.
    ("services/talent", &["designation", "talent"]),
];

/// Reads a path at the beginning of a text, and adds it to those that are found; one with braces is several. What is
/// left of the text.
fn spread<'a>(mut text: &'a str, before: &str, found: &mut Vec<String>) -> &'a str {
    let mut path = before.to_owned();
    loop {
        if let Some(mut inside) = text.strip_prefix('{') {
            loop {
                inside = inside.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
                if inside.is_empty() || inside.starts_with('}') {
                    return inside.strip_prefix('}').unwrap_or_default();
                }
                let rest = spread(inside, &path, found);
                inside = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
            }
        }
        let end = text
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        path.push_str(&text[..end]);
        match text[end..].strip_prefix("::") {
            Some(rest) if end > 0 => {
                path.push_str("::");
                text = rest;
            }
            _ => {
                found.push(path.trim_end_matches(':').to_owned());
                return &text[end..];
            }
        }
    }
}

/// The paths that a code names within its crate: behind `use`, and wherever it says `crate::` or `super::`.
fn own_paths(code: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some(at) = ["crate::", "super::"].iter().filter_map(|start| rest.find(start)).min() {
        let is_inside = rest[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'));
        rest = if is_inside {
            &rest[at + "crate::".len()..]
        } else {
            spread(&rest[at..], "", &mut found)
        };
    }
    found
}

/// What a path means from the root of its crate, in a module of that crate.
fn absolute(path: &str, module: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let up = parts.iter().take_while(|part| **part == "super").count();
    let mut whole: Vec<String> = match up {
        0 => Vec::new(),
        _ => module.split("::").map(str::to_owned).collect(),
    };
    whole.truncate(whole.len().saturating_sub(up));
    let is_name = |part: &&&str| !matches!(**part, "crate" | "super" | "self");
    whole.extend(parts.iter().filter(is_name).map(|part| (*part).to_owned()));
    whole
}

/// The module of the longest beginning of a path that is one.
fn module_of(path: &[String], modules: &BTreeMap<String, String>) -> Option<String> {
    let mut beginnings = (1..=path.len()).rev().map(|length| path[..length].join("::"));
    beginnings.find(|module| modules.contains_key(module))
}

/// Which files of a crate each of them uses, as modules. Not counted are the root of the crate and what a file lies
/// below: these say which files there are. What the root passes on is in its own file all the same.
fn uses_by_file(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let src = root().join(folder).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let (mut modules, mut passed_on) = (BTreeMap::new(), BTreeMap::new());
    for file in files.iter().filter(|file| !is_test(file)) {
        let path = file.strip_prefix(&src).unwrap().with_extension("");
        let mut parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
        let text = without_tests(file);
        let code = code(&text).collect::<Vec<_>>().join("\n");
        if let ["lib" | "main"] = parts[..] {
            let mut paths = Vec::new();
            for (at, start) in code.match_indices("pub use ") {
                spread(&code[at + start.len()..], "", &mut paths);
            }
            for path in paths {
                let path = absolute(&path, "");
                passed_on.insert(path.last().unwrap().clone(), path);
            }
            continue;
        }
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        modules.insert(parts.join("::"), code);
    }
    let used_by = |own: &String, code: &String| {
        let paths = own_paths(code).into_iter().map(|path| absolute(&path, own));
        let paths = paths.map(|path| match path.first().and_then(|first| passed_on.get(first)) {
            Some(whole) if !modules.contains_key(&path[0]) => whole.clone(),
            _ => path,
        });
        let used = paths.filter_map(|path| module_of(&path, &modules));
        used.filter(|used| used != own && !own.starts_with(&format!("{used}::")))
            .collect()
    };
    modules
        .iter()
        .map(|(own, code)| (own.clone(), used_by(own, code)))
        .collect()
}

#[test]
fn files_of_a_crate_use_each_other_in_no_circle_but_those_that_are_named() {
    let mut seen = 0;
    for folder in BY_FILE {
        let uses = uses_by_file(folder);
        assert!(uses.len() > 3, "{folder} has {} files", uses.len());
        seen += uses.values().map(BTreeSet::len).sum::<usize>();
        let known = CIRCLES
            .iter()
            .filter(|(of, _)| *of == folder)
            .flat_map(|(_, files)| *files);
        let known: BTreeSet<String> = known.map(|file| (*file).to_owned()).collect();
        assert_eq!(
            in_a_circle(&uses),
            known,
            "the files of {folder} that use each other in a circle"
        );
    }
    assert!(seen > 600, "{seen} uses");
}

#[test]
fn the_paths_of_a_code_are_read_with_their_braces() {
    let code = "use crate::a::{b::{C, d}, self};\nuse crate::{\n    e as f,\n    g::*,\n};\nuse other::crate_x::h;\n\
        fn i(j: super::super::k::L) -> crate::m::N<crate::o::P> { super::q::<crate::R>() }";
    let paths: Vec<String> = own_paths(code)
        .iter()
        .map(|path| absolute(path, "x::y::z").join(" "))
        .collect();
    assert_eq!(
        paths,
        ["a b C", "a b d", "a", "e", "g", "x k L", "m N", "o P", "x y q", "R"]
    );
}

#[test]
fn a_circle_is_found_and_what_leads_to_one_is_none() {
    fn found(uses: &[(&str, &str)]) -> Vec<String> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, used) in uses {
            let used = used.split_whitespace().map(str::to_owned);
            all.entry((*name).to_owned()).or_default().extend(used);
        }
        in_a_circle(&all).into_iter().collect()
    }
    let none: [&str; 0] = [];
    assert_eq!(found(&[("a", "b c"), ("b", "c"), ("c", "other")]), none);
    assert_eq!(found(&[("a", "b"), ("b", "c"), ("c", "b d"), ("d", "")]), ["b", "c"]);
}

/// The lines of a source without comments.
fn code(source: &str) -> impl Iterator<Item = &str> {
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
