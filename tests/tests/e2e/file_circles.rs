//! Which files use each other in a circle. There is no way to begin to read such files, or to change one of them alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::architecture::{FOLDERS, code, members, paths_below, root, sources};

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
    // Those of the ORM crate are looked at by folder.
    for folder in members().values().filter(|folder| *folder != "crates/orm") {
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
