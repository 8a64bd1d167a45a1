//! The public files that the shipped mappings are for: loaded, counted, searched, exported and loaded again. They are no
//! part of the project; where they are absent the tests say so and end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, thread};

use mingce_e2e::binary::workspace;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::{Award, ListAwardsRequest};
use mingce_proto::labs::{LabDesignation, LabDesignationState, ListLabsRequest, RecordLabDesignationRequest};
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse, Level, View};
use mingce_proto::talent::{
    CreateProgrammeRequest, ListTalentsRequest, Programme, ProgrammeReference, RecordTalentDesignationRequest, Talent,
    TalentDesignation, TalentDesignationState,
};
use serde_json::Value;

use crate::made::person;

on_both_stores!(
    the_figures_are_those_of_the_files,
    a_dry_run_says_what_the_import_does_and_writes_nothing,
    labs_before_their_hosts_make_hosts_that_the_next_file_fills,
    an_import_that_was_killed_and_run_again_ends_as_a_whole_one,
    what_is_exported_imports_as_unchanged,
    names_are_found_however_they_are_typed,
);

/// Each file with its mapping, in the order in which they are loaded.
const FILES: [(&str, &str); 3] = [
    ("host-organizations.csv", "ror-organizations"),
    ("key-labs.csv", "ror-labs"),
    ("nobel-laureates.csv", "nobel"),
];

const COLLECTIONS: [&str; 8] = [
    "organizations",
    "labs",
    "lab-designations",
    "talents",
    "programmes",
    "talent-designations",
    "schemes",
    "awards",
];

/// The folder of the files, where there is one.
fn folder() -> Option<PathBuf> {
    let folder = workspace().join("../shared/data");
    if folder.is_dir() {
        return Some(folder.canonicalize().unwrap());
    }
    println!("skipped: the public files are not here; docs/import.md says where the originals are");
    None
}

/// Imports one of the files and answers the summary.
fn import(register: &Register, folder: &Path, (file, mapping): (&str, &str), flags: &[&str]) -> String {
    let path = folder.join(file);
    let args = [&["import", path.to_str().unwrap(), "--as", mapping], flags].concat();
    register.cli(&args).succeeded()
}

fn load(register: &Register, folder: &Path) {
    for file in FILES {
        import(register, folder, file, &[]);
    }
}

/// The rows of a summary's table: collection, then created, updated, unchanged and refused.
fn table(summary: &str) -> Vec<(String, [u64; 4])> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let label = words.next()?.to_owned();
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, created, updated, unchanged, refused] = numbers.try_into().ok()?;
        Some((label, [created, updated, unchanged, refused]))
    };
    summary.lines().filter_map(row).collect()
}

fn rows(expected: &[(&str, [u64; 4])]) -> Vec<(String, [u64; 4])> {
    expected.iter().map(|(label, numbers)| ((*label).to_owned(), *numbers)).collect()
}

fn statistics(collection: &str, count: &str, group_by: &[&str]) -> ComputeStatisticsRequest {
    ComputeStatisticsRequest {
        collection: collection.to_owned(),
        count: count.to_owned(),
        group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
        ..ComputeStatisticsRequest::default()
    }
}

/// Counts in the service that owns the collection.
async fn counted(register: &Register, request: ComputeStatisticsRequest) -> ComputeStatisticsResponse {
    let answer = match request.collection.as_str() {
        "organizations" | "labs" => register.labs().compute_statistics(request).await,
        "talents" => register.talent().compute_statistics(request).await,
        _ => register.awards().compute_statistics(request).await,
    };
    answer.unwrap().into_inner()
}

fn groups(counted: &ComputeStatisticsResponse) -> Vec<(&str, i64)> {
    counted.groups.iter().map(|group| (group.values[0].as_str(), group.count)).collect()
}

async fn the_figures_are_those_of_the_files(store: Store) {
    let Some(folder) = folder() else { return };
    let mut register = Register::start(store).await;
    let summaries = FILES.map(|file| table(&import(&register, &folder, file, &[])));
    assert_eq!(summaries[0], rows(&[("organizations", [211, 0, 0, 0])]));
    assert_eq!(summaries[1], rows(&[("labs", [340, 0, 0, 0]), ("labs", [0, 1, 0, 0])]));
    let made = |n| [n, 0, 0, 0];
    let nobel = [("schemes", made(6)), ("organizations", made(23)), ("talents", made(881)), ("awards", made(579))];
    assert_eq!(summaries[2], rows(&nobel));

    let pairs = counted(&register, statistics("awards", "contributors", &["category"])).await;
    let expected = [
        ("chemistry", 175),
        ("economics", 78),
        ("literature", 113),
        ("medicine", 211),
        ("peace", 130),
        ("physics", 204),
    ];
    assert_eq!((groups(&pairs), pairs.total_count), (expected.to_vec(), 911));
    let laureates = ComputeStatisticsRequest {
        distinct: true,
        ..statistics("awards", "contributors", &[])
    };
    assert_eq!(counted(&register, laureates).await.total_count, 904);
    let states = counted(&register, statistics("labs", "", &["state"])).await;
    let expected = [("ACTIVE", 333), ("INACTIVE", 6), ("WITHDRAWN", 1)];
    let states: Vec<_> = groups(&states).into_iter().map(|(s, n)| (s.trim_start_matches("OPERATING_STATE_"), n)).collect();
    assert_eq!(states, expected);
    let hosts = counted(&register, statistics("labs", "", &["host_count"])).await;
    assert_eq!(groups(&hosts), [("0", 19), ("1", 301), ("2", 16), ("3", 4)]);
    let links = counted(&register, statistics("labs", "hosts", &[])).await;
    assert_eq!(links.total_count, 301 + 2 * 16 + 3 * 4);

    // Whatever the whole is divided by, the parts are the whole.
    for (collection, dimensions, total) in [
        ("organizations", &["kind", "state", "city", "country_code", "established_year", "unverified"][..], None),
        ("labs", &["kind", "platform", "state", "city", "host_count", "lead_host", "established_year"], Some(340)),
        ("talents", &["nationality", "title", "birth_year", "deceased"], Some(881)),
        ("awards", &["scheme", "year", "grade", "state", "level", "category", "contributor_count"], Some(579)),
        ("schemes", &["level", "category", "subject", "issuer"], Some(6)),
    ] {
        let whole = counted(&register, statistics(collection, "", &[])).await.total_count;
        assert!(total.is_none_or(|total| total == whole), "{collection}: {whole}");
        for dimension in dimensions {
            let divided = counted(&register, statistics(collection, "", &[dimension])).await;
            let sum: i64 = divided.groups.iter().map(|group| group.count).sum();
            assert_eq!((sum, divided.total_count), (whole, whole), "{collection} by {dimension}");
        }
    }
    for award in awards(&register).await {
        // In twelfths, which halves, thirds and quarters are whole numbers of.
        let share = |c: &mingce_proto::awards::Contributor| c.share.map_or(0, |s| 12 * s.numerator / s.denominator);
        let sum: i32 = award.contributors.iter().map(share).sum();
        assert_eq!(sum, 12, "{}", award.title);
    }

    let before = ledger(&mut register).await;
    let again = FILES.map(|file| table(&import(&register, &folder, file, &[])));
    for (first, second) in summaries.iter().zip(&again) {
        for ((label, [created, updated, ..]), (_, numbers)) in first.iter().zip(second) {
            assert_eq!(*numbers, [0, 0, created + updated, 0], "{label}");
        }
    }
    assert_eq!(ledger(&mut register).await, before);
}

async fn awards(register: &Register) -> Vec<Award> {
    let request = ListAwardsRequest {
        page_size: 1000,
        view: View::Full as i32,
        ..ListAwardsRequest::default()
    };
    register.awards().list_awards(request).await.unwrap().into_inner().awards
}

/// How many entries the ledger has. Stops the register for a moment.
async fn ledger(register: &mut Register) -> i64 {
    register.stop();
    let (entries, head) = (
        register.number("SELECT count(*) FROM ledger").await,
        register.number("SELECT sequence FROM ledger_head").await,
    );
    assert_eq!(entries, head);
    register.restart();
    entries
}

async fn a_dry_run_says_what_the_import_does_and_writes_nothing(store: Store) {
    let Some(folder) = folder() else { return };
    let mut register = Register::start(store).await;
    let mut entries = 0;
    // The labs first, so that all their hosts are missing; again at the end, so that nothing is.
    for file in [FILES[1], FILES[0], FILES[2], FILES[1]] {
        let said = import(&register, &folder, file, &["--dry-run"]);
        assert_eq!(ledger(&mut register).await, entries, "{file:?}");
        let done = import(&register, &folder, file, &[]);
        entries = ledger(&mut register).await;
        let (head, said) = said.split_once('\n').unwrap();
        assert!(head.contains("dry run"), "{head}");
        assert_eq!(said.replace("would be created", "created"), done, "{file:?}");
    }
}

async fn labs_before_their_hosts_make_hosts_that_the_next_file_fills(store: Store) {
    let Some(folder) = folder() else { return };
    let register = Register::start(store).await;
    let labs = import(&register, &folder, FILES[1], &[]);
    assert!(labs.contains("211 organizations that rows name created, unverified"), "{labs}");
    let organizations = import(&register, &folder, FILES[0], &[]);
    assert_eq!(table(&organizations), rows(&[("organizations", [0, 211, 0, 0])]));
    assert_eq!(counted(&register, statistics("organizations", "", &[])).await.total_count, 211);
}

async fn an_import_that_was_killed_and_run_again_ends_as_a_whole_one(store: Store) {
    let Some(folder) = folder() else { return };
    let whole = Register::start(store).await;
    load(&whole, &folder);
    let mut register = Register::start(store).await;
    // The command and the server are killed while the labs come, and while the laureates come.
    for (file, mapping) in [FILES[1], FILES[2]] {
        let path = folder.join(file);
        let mut import = register
            .command(&["import", path.to_str().unwrap(), "--as", mapping])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while !has_begun(&register, mapping).await && import.try_wait().unwrap().is_none() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        import.kill().unwrap();
        import.wait().unwrap();
        register.kill();
        register.restart();
    }
    // Then the server alone, under a command that goes on.
    let path = folder.join(FILES[2].0);
    let import_ = register
        .command(&["import", path.to_str().unwrap(), "--as", FILES[2].1])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(150));
    register.kill();
    let ended = import_.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success(), "the server was gone and the import ended as if it had been there");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    register.restart();

    for file in [FILES[1], FILES[0], FILES[2]] {
        import(&register, &folder, file, &[]);
    }
    for collection in COLLECTIONS {
        let (expected, found) = (plain_export(&whole, collection), plain_export(&register, collection));
        let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{collection}");
        assert_eq!(expected.len(), found.len(), "{collection}");
    }
}

/// Whether an import has kept something and, as far as one can see, not everything.
async fn has_begun(register: &Register, mapping: &str) -> bool {
    if mapping == "ror-labs" {
        let request = ListLabsRequest {
            page_size: 1,
            ..ListLabsRequest::default()
        };
        return !register.labs().list_labs(request).await.unwrap().into_inner().labs.is_empty();
    }
    let request = ListTalentsRequest {
        page_size: 1,
        ..ListTalentsRequest::default()
    };
    !register.talent().list_talents(request).await.unwrap().into_inner().talents.is_empty()
}

/// What a collection says, without what differs from run to run: names, times, and how often a record was written.
fn plain_export(register: &Register, collection: &str) -> Vec<String> {
    let lines = register.cli(&["export", collection, "--to", "-"]).succeeded();
    let mut plain: Vec<String> = lines
        .lines()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            strip(&mut value);
            value.to_string()
        })
        .collect();
    plain.sort();
    plain
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for field in ["name", "uid", "createTime", "updateTime", "etag", "revision"] {
                fields.remove(field);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::String(text) => {
            if let Some((collection, id)) = text.split_once('/')
                && id.len() == 26
                && ["organizations", "labs", "talents", "schemes"].contains(&collection)
            {
                *text = collection.to_owned();
            }
        }
        _ => {}
    }
}

async fn what_is_exported_imports_as_unchanged(store: Store) {
    let Some(folder) = folder() else { return };
    let mut register = Register::start(store).await;
    load(&register, &folder);
    add_what_the_files_lack(&register).await;
    let entries = ledger(&mut register).await;
    for collection in COLLECTIONS {
        for ending in ["csv", "xlsx", "jsonl"] {
            let file = format!("{collection}.{ending}");
            let exported = register.cli(&["export", collection, "--to", &file]).succeeded();
            let count: u64 = exported.split(' ').next().unwrap().parse().unwrap();
            assert!(count > 0, "{exported}");
            let summary = register.cli(&["import", &file, "--as", collection]).succeeded();
            assert_eq!(table(&summary), rows(&[(collection, [0, 0, count, 0])]), "{file}: {summary}");
            fs::remove_file(register.beside().join(file)).unwrap();
        }
    }
    assert_eq!(ledger(&mut register).await, entries);
}

/// Designations and a programme, and a person with a sealed document.
async fn add_what_the_files_lack(register: &Register) {
    let sealed = Talent {
        display_name: "=1+1 张三".to_owned(),
        identity_document: "11010519491231002X".to_owned(),
        ..Talent::default()
    };
    let parent = person(register, sealed).await.name;
    let programme = Programme {
        display_name: "虚构的人才计划".to_owned(),
        code: "invented".to_owned(),
        level: Level::District as i32,
        ..Programme::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(programme),
        ..CreateProgrammeRequest::default()
    };
    let programme = register.talent().create_programme(request).await.unwrap().into_inner();
    let designation = TalentDesignation {
        programme: Some(ProgrammeReference {
            programme: programme.name,
            ..ProgrammeReference::default()
        }),
        state: TalentDesignationState::InTerm as i32,
        decision_date: "2023-06-01".to_owned(),
        ..TalentDesignation::default()
    };
    let request = RecordTalentDesignationRequest {
        parent,
        talent_designation: Some(designation),
        ..RecordTalentDesignationRequest::default()
    };
    register.talent().record_talent_designation(request).await.unwrap();

    let request = ListLabsRequest {
        page_size: 1,
        ..ListLabsRequest::default()
    };
    let labs = register.labs().list_labs(request).await.unwrap().into_inner().labs;
    let designation = LabDesignation {
        level: Level::Municipal as i32,
        programme: "市级重点实验室".to_owned(),
        state: LabDesignationState::Operating as i32,
        decision_date: "2021-03-05".to_owned(),
        document_number: "虚构〔2021〕1号".to_owned(),
        ..LabDesignation::default()
    };
    let request = RecordLabDesignationRequest {
        parent: labs[0].name.clone(),
        lab_designation: Some(designation),
        ..RecordLabDesignationRequest::default()
    };
    register.labs().record_lab_designation(request).await.unwrap();
}

async fn names_are_found_however_they_are_typed(store: Store) {
    let Some(folder) = folder() else { return };
    let register = Register::start(store).await;
    load(&register, &folder);
    for (collection, query, found) in [
        ("talents", "Rontgen", "Wilhelm Conrad Röntgen"),
        ("talents", "röntgen wilhelm", "Wilhelm Conrad Röntgen"),
        ("talents", "Curie, Marie", "Marie Curie, née Sklodowska"),
        ("labs", "State Key Pollution Control", "污染控制与资源化研究国家重点实验室"),
        ("labs", "污染控制", "污染控制与资源化研究国家重点实验室"),
        ("labs", "wurankongzhi", "污染控制与资源化研究国家重点实验室"),
        ("labs", "wrkz", "污染控制与资源化研究国家重点实验室"),
        ("organizations", "南京大学", "南京大学"),
        ("organizations", "nanjingdaxue", "南京大学"),
        ("organizations", "nanjing daxue", "南京大学"),
        ("organizations", "njdx", "南京大学"),
        ("organizations", "NJU", "南京大学"),
        ("organizations", "Nanjing University", "南京大学"),
        ("awards", "Nobel Prize in Physics 1901", "Nobel Prize in Physics 1901"),
    ] {
        let said = register.cli(&["search", collection, query]).succeeded();
        let names: Vec<_> = said.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name).collect();
        assert!(names.contains(&found), "{query}: {names:?}");
        // A query that names one thing finds few beside it.
        assert!(names.len() <= 6, "{query}: {names:?}");
    }
    let said = register.cli(&["search", "labs", "State Key"]).succeeded();
    assert!(said.contains("the first 50"), "{said}");
    assert!(register.cli(&["search", "talents", "nobody such"]).succeeded().contains("nothing found"));
}
