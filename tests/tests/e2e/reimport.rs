//! Imports once more: public files after a kill, and exports.

use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, thread};

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{LabDesignation, LabDesignationState, ListLabsRequest, RecordLabDesignationRequest};
use mingce_proto::registry::Level;
use mingce_proto::talent::{
    CreateProgrammeRequest, ListTalentsRequest, Programme, ProgrammeReference, RecordTalentDesignationRequest, Talent,
    TalentDesignation, TalentDesignationState,
};
use serde_json::Value;

use crate::builders::person;
use crate::public_files::{FILES, folder, import, ledger, load, rows, table};

on_both_stores!(
    an_import_that_was_killed_and_run_again_ends_as_a_whole_one,
    what_is_exported_imports_as_unchanged,
);

const COLLECTIONS: [&str; 8] = [
    "organizations",
    "labs",
    "labDesignations",
    "talents",
    "programmes",
    "talentDesignations",
    "schemes",
    "awards",
];

async fn an_import_that_was_killed_and_run_again_ends_as_a_whole_one(store: Store) {
    let Some(folder) = folder() else { return };
    let whole = Register::start(store).await;
    load(&whole, &folder);
    let mut register = Register::start(store).await;
    import(&register, &folder, FILES[0], &[]);
    // The command and the server are killed when the first labs or laureates are there, and at moments of no meaning.
    let moments = [None, Some(60), Some(150), Some(300)];
    for ((file, mapping), moment) in [FILES[1]]
        .into_iter()
        .zip([None])
        .chain([FILES[2]; 4].into_iter().zip(moments))
    {
        let path = folder.join(file);
        let mut running = register
            .command(&["import", path.to_str().unwrap(), "--as", mapping])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        match moment {
            // Fixed waits: moments of the import that no event marks are what the test is about.
            Some(millis) => thread::sleep(Duration::from_millis(millis)),
            None => {
                let until = Instant::now() + Duration::from_secs(30);
                while !has_begun(&register, mapping).await && Instant::now() < until {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
        running.kill().unwrap();
        register.kill();
        running.wait().unwrap();
        register.restart();
    }
    // Then the server alone, under a command that goes on.
    let path = folder.join(FILES[2].0);
    let running = register
        .command(&["import", path.to_str().unwrap(), "--as", FILES[2].1])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Another such moment.
    thread::sleep(Duration::from_millis(150));
    register.kill();
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        !ended.status.success(),
        "the server was gone and the import ended as if it had been there"
    );
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    register.restart();

    load(&register, &folder);
    for collection in COLLECTIONS {
        let (expected, found) = (plain_export(&whole, collection), plain_export(&register, collection));
        let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{collection}");
        assert_eq!(expected.len(), found.len(), "{collection}");
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
            assert_eq!(
                table(&summary),
                rows(&[(collection, [0, 0, count, 0])]),
                "{file}: {summary}"
            );
            fs::remove_file(register.folder().join(file)).unwrap();
        }
    }
    assert_eq!(ledger(&mut register).await, entries);
}

/// Whether an import has kept something.
async fn has_begun(register: &Register, mapping: &str) -> bool {
    if mapping == "ror-labs" {
        let request = ListLabsRequest {
            page_size: 1,
            ..ListLabsRequest::default()
        };
        return !register
            .labs()
            .list_labs(request)
            .await
            .unwrap()
            .into_inner()
            .labs
            .is_empty();
    }
    let request = ListTalentsRequest {
        page_size: 1,
        ..ListTalentsRequest::default()
    };
    !register
        .talent()
        .list_talents(request)
        .await
        .unwrap()
        .into_inner()
        .talents
        .is_empty()
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
            for field in [
                "name",
                "uid",
                "createTime",
                "updateTime",
                "etag",
                "revision",
                "sequence",
            ] {
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
