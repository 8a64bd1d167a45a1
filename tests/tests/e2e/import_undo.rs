//! The undo of an import: as far as nobody built on it, with what stays and why.

use std::collections::BTreeMap;
use std::fs;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{AnnulLabRequest, CreateLabRequest, Lab, LabHost, Organization};
use mingce_proto::registry::{
    Import, ImportState, OrganizationReference, RecordStatus, StayReason, UndoImportRequest, UndoImportResponse,
};
use mingce_proto::talent::{Employment, GetTalentRequest, ListTalentsRequest, Talent};

use crate::builders::{annul, history, identifier, made, merge, organization, person, read, updated};
use crate::imports::{called, imports, newest, organizations, write};

mod calls;
mod related_records;

on_both_stores!(
    what_nobody_built_on_is_taken_back_and_the_register_is_as_before,
    what_was_built_on_stays_and_it_is_said_why,
    what_a_later_import_changed_stays_until_that_is_taken_back,
    sealed_fields_stay_and_the_others_are_set_back,
    what_was_taken_back_belongs_to_whom_it_belonged_before,
    an_identifier_that_somebody_else_has_now_keeps_a_record_as_it_is,
);

fn load(register: &Register, file: &str, text: &str, collection: &str) {
    write(register, file, text);
    register.cli(&["import", file, "--as", collection]).succeeded();
}

fn undo(import: &Import) -> UndoImportRequest {
    UndoImportRequest {
        name: import.name.clone(),
        reason: "误导入".to_owned(),
        ..UndoImportRequest::default()
    }
}

async fn undone(register: &Register, import: &Import) -> UndoImportResponse {
    register.imports().undo_import(undo(import)).await.unwrap().into_inner()
}

fn numbers(import: &Import) -> (i64, i64, i64) {
    (import.annulled, import.restored, import.staying)
}

/// What stays, by what it is called.
fn reasons(answer: &UndoImportResponse) -> BTreeMap<String, StayReason> {
    let stays = answer.staying.iter().map(|s| (s.display_name.clone(), s.reason()));
    stays.collect()
}

/// A collection as an export writes it, without what says how often and when a record was written.
fn exported(register: &Register, collection: &str) -> Vec<BTreeMap<String, serde_json::Value>> {
    let file = format!("{collection}-export.jsonl");
    register.cli(&["export", collection, "--to", &file]).succeeded();
    let text = fs::read_to_string(register.folder().join(file)).unwrap();
    let mut rows: Vec<BTreeMap<String, serde_json::Value>> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for row in &mut rows {
        for field in ["etag", "revision", "updateTime", "sequence"] {
            row.remove(field);
        }
    }
    rows
}

async fn what_nobody_built_on_is_taken_back_and_the_register_is_as_before(store: Store) {
    let register = Register::start(store).await;
    for name in ["示例甲大学", "示例乙研究所"] {
        let made = made(&register, organization(name)).await;
        lab_of(&register, &made.name).await;
        person(&register, employed(&format!("{name}职员"), &made.name)).await;
    }
    let before = ["organizations", "labs", "talents"].map(|collection| exported(&register, collection));
    let known = organizations(&register).await;
    let (first, second) = (&known[0], &known[1]);
    let rows = format!(
        "name,display_name,city,website\n{},{},示例城,https://a.example\n,示例新单位,青岛,\n{},示例改名单位,,\n",
        first.name, first.display_name, second.name
    );
    load(&register, "o.csv", &rows, "organizations");
    load(
        &register,
        "labs.csv",
        "display_name,city,hosts\n示例新室,青岛,示例新单位、示例未知单位\n",
        "labs",
    );
    let all = imports(&register).await;
    assert_eq!(numbers(&undone(&register, &all[0]).await.import.unwrap()), (2, 0, 0));
    let answer = undone(&register, &all[1]).await;
    let import = answer.import.unwrap();
    assert_eq!((numbers(&import), answer.staying.len()), ((1, 2, 0), 0));
    assert_eq!(
        (import.state(), answer.next_page_token.as_str()),
        (ImportState::Undone, "")
    );
    let after = ["organizations", "labs", "talents"].map(|collection| exported(&register, collection));
    assert!(before == after, "{before:#?}\n{after:#?}");
    // The history says what happened.
    let entry = history(&register, &first.name).await.remove(0);
    assert_eq!(
        (entry.verb.as_str(), entry.reason.as_str(), entry.import.as_str()),
        ("undo", "误导入", import.name.as_str())
    );
    // Once more nothing is changed.
    let again = undone(&register, &import).await.import.unwrap();
    assert_eq!(numbers(&again), (1, 2, 0));
    assert_eq!(history(&register, &first.name).await[0].revision, entry.revision);
    let said = register.cli(&["imports", "--limit", "2", "--lang", "zh"]).succeeded();
    assert!(
        said.contains("已撤回  o.csv") && said.contains("撤回：作废 1，恢复原状 2，保留 0"),
        "{said}"
    );
}

fn host(name: &str) -> LabHost {
    LabHost {
        organization: Some(OrganizationReference {
            organization: name.to_owned(),
            ..OrganizationReference::default()
        }),
        ..LabHost::default()
    }
}

async fn lab_of(register: &Register, host_name: &str) -> Lab {
    let request = CreateLabRequest {
        lab: Some(Lab {
            display_name: format!("示例实验室 {host_name}"),
            hosts: vec![host(host_name)],
            ..Lab::default()
        }),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

async fn what_was_built_on_stays_and_it_is_said_why(store: Store) {
    let register = Register::start(store).await;
    let old = made(&register, organization("示例旧单位")).await;
    let held = made(&register, organization("示例合并单位")).await;
    let file = "display_name,city\n示例甲,青岛\n示例乙,青岛\n示例丙,青岛\n示例丁,青岛\n示例旧单位,青岛\n示例戊,青岛\n";
    load(&register, "o.csv", file, "organizations");
    let import = newest(&register).await;
    let mut changed = called(&register, "示例甲").await;
    changed.website = "https://a.example".to_owned();
    updated(&register, changed, &["website"]).await;
    let merged = called(&register, "示例乙").await;
    let answer = register
        .labs()
        .merge_organizations(merge(&merged.name, &held.name))
        .await;
    answer.unwrap();
    let named = called(&register, "示例丙").await;
    let lab = lab_of(&register, &named.name).await;
    // What somebody has annulled is gone already.
    let gone = called(&register, "示例戊").await;
    register.labs().annul_organization(annul(&gone.name)).await.unwrap();

    let answer = undone(&register, &import).await;
    assert_eq!(
        reasons(&answer),
        BTreeMap::from([
            ("示例甲".to_owned(), StayReason::ChangedSince),
            ("示例乙".to_owned(), StayReason::Merged),
            ("示例丙".to_owned(), StayReason::ReferredTo),
        ])
    );
    let of = |name: &str| answer.staying.iter().find(|s| s.display_name == name).unwrap();
    let changed = of("示例甲");
    assert_eq!(
        (changed.revision, changed.verb.as_str(), changed.actor.as_str()),
        (2, "update", "anonymous")
    );
    assert!(changed.change_time.is_some());
    assert_eq!(of("示例乙").verb, "merge");
    assert_eq!(of("示例丙").referrers, std::slice::from_ref(&lab.name));
    let after = answer.import.clone().unwrap();
    assert_eq!((after.state(), numbers(&after)), (ImportState::PartlyUndone, (1, 1, 3)));
    assert_eq!(read(&register, &old.name).await.city, "");
    assert!(
        organizations(&register)
            .await
            .iter()
            .all(|o| o.display_name != "示例丁")
    );
    let said = register.cli(&["undo", &import.run, "--reason", "误导入", "--lang", "zh"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stdout.contains("作废 0，恢复原状 0，保留 3"), "{said:?}");
    assert!(said.stdout.contains("示例丙\n  被引用：labs/"), "{said:?}");
    assert!(
        said.stdout.contains("此后有改动（修订 2，update，anonymous"),
        "{said:?}"
    );
    assert!(said.stdout.contains("此后被合并（修订 2，merge"), "{said:?}");
    // Once what names it is gone, it goes too.
    let annul_lab = AnnulLabRequest {
        name: lab.name,
        reason: "误录".to_owned(),
        ..AnnulLabRequest::default()
    };
    register.labs().annul_lab(annul_lab).await.unwrap();
    let answer = undone(&register, &import).await;
    assert_eq!(numbers(&answer.import.unwrap()), (2, 1, 2));
    assert_eq!(
        read(&register, &named.name).await.record_status(),
        RecordStatus::Annulled
    );
}

async fn what_a_later_import_changed_stays_until_that_is_taken_back(store: Store) {
    let register = Register::start(store).await;
    let file =
        |website: &str, more: &str| format!("display_name,city,website\n示例甲,青岛,{website}\n示例乙,青岛,\n{more}");
    load(&register, "1.csv", &file("https://a.example", ""), "organizations");
    load(
        &register,
        "2.csv",
        &file("https://b.example", "示例丙,青岛,\n"),
        "organizations",
    );
    let all = imports(&register).await;
    let (second, first) = (&all[0], &all[1]);
    let kept = called(&register, "示例甲").await.name;
    let answer = undone(&register, first).await;
    assert_eq!(
        reasons(&answer),
        BTreeMap::from([("示例甲".to_owned(), StayReason::ChangedSince)])
    );
    assert_eq!(answer.staying[0].import, second.name);
    assert_eq!(read(&register, &kept).await.website, "https://b.example");
    assert_eq!(numbers(&undone(&register, second).await.import.unwrap()), (1, 1, 0));
    assert_eq!(read(&register, &kept).await.website, "https://a.example");
    // What the second did is as if it had not been.
    let answer = undone(&register, first).await;
    assert_eq!(answer.import.unwrap().state(), ImportState::Undone);
    assert_eq!(organizations(&register).await.len(), 0);
}

fn employed(name: &str, employer: &str) -> Talent {
    Talent {
        display_name: name.to_owned(),
        identifiers: vec![identifier(name)],
        employments: vec![Employment {
            organization: Some(OrganizationReference {
                organization: employer.to_owned(),
                ..OrganizationReference::default()
            }),
            ..Employment::default()
        }],
        ..Talent::default()
    }
}

async fn talents(register: &Register) -> usize {
    let answer = register.talent().list_talents(ListTalentsRequest::default()).await;
    answer.unwrap().into_inner().talents.len()
}

async fn sealed_fields_stay_and_the_others_are_set_back(store: Store) {
    let register = Register::start(store).await;
    let known = person(
        &register,
        Talent {
            display_name: "张示例".to_owned(),
            title: "讲师".to_owned(),
            identifiers: vec![identifier("1")],
            ..Talent::default()
        },
    )
    .await;
    let held = |number: &str| format!(r#""[{{""scheme"":""number"",""value"":""{number}""}}]""#);
    let file = format!(
        "display_name,title,birth_date,identifiers\n张示例,教授,1970-02-03,{}\n李示例,教授,1971-02-03,{}\n",
        held("1"),
        held("2")
    );
    load(&register, "t.csv", &file, "talents");
    let import = newest(&register).await;
    for dry_run in [true, false, false] {
        let request = UndoImportRequest {
            validate_only: dry_run,
            ..undo(&import)
        };
        let answer = register.imports().undo_import(request).await.unwrap().into_inner();
        assert_eq!(
            reasons(&answer),
            BTreeMap::from([("张示例".to_owned(), StayReason::Sealed)])
        );
        assert_eq!(answer.staying[0].fields, ["birth_date"]);
        assert_eq!(numbers(&answer.import.unwrap()), (1, 1, 1));
    }
    let get = GetTalentRequest {
        name: known.name,
        ..GetTalentRequest::default()
    };
    let now = register.talent().get_talent(get).await.unwrap().into_inner();
    // The year follows from what is sealed.
    assert_eq!((now.title.as_str(), now.birth_year), ("讲师", 1970));
    let said = register.cli(&["undo", &import.name, "--reason", "误导入"]);
    assert!(
        said.stdout
            .contains("sealed fields cannot be set back and stay: birth_date"),
        "{said:?}"
    );
    assert_eq!(talents(&register).await, 1);
}

async fn what_was_taken_back_belongs_to_whom_it_belonged_before(store: Store) {
    let register = Register::start(store).await;
    let held = r#""[{""scheme"":""number"",""value"":""1""}]""#;
    let file =
        |city: &str, website: &str| format!("display_name,city,website,identifiers\n示例甲,{city},{website},{held}\n");
    load(&register, "1.csv", &file("青岛", "https://a.example"), "organizations");
    let name = called(&register, "示例甲").await.name;
    let mended = Organization {
        name: name.clone(),
        city: "烟台".to_owned(),
        ..Organization::default()
    };
    updated(&register, mended, &["city"]).await;
    load(&register, "2.csv", &file("济南", "https://b.example"), "organizations");
    let second = newest(&register).await;
    assert_eq!(numbers(&undone(&register, &second).await.import.unwrap()), (0, 1, 0));
    let now = read(&register, &name).await;
    assert_eq!((now.city.as_str(), now.website.as_str()), ("烟台", "https://a.example"));
    // A person has set the city, and an import the website, as before.
    let said = {
        write(&register, "3.csv", &file("济南", "https://c.example"));
        register
            .cli(&["import", "3.csv", "--as", "organizations", "--keep-edits"])
            .succeeded()
    };
    assert!(said.contains("示例甲: city"), "{said}");
    let now = read(&register, &name).await;
    assert_eq!((now.city.as_str(), now.website.as_str()), ("烟台", "https://c.example"));
}

async fn an_identifier_that_somebody_else_has_now_keeps_a_record_as_it_is(store: Store) {
    let register = Register::start(store).await;
    let held = |number: &str| Organization {
        identifiers: vec![identifier(number)],
        ..organization("示例甲")
    };
    let known = made(&register, held("1")).await;
    let row = format!(
        "name,display_name,identifiers\n{},示例甲,\"[{{\"\"scheme\"\":\"\"number\"\",\"\"value\"\":\"\"2\"\"}}]\"\n",
        known.name
    );
    load(&register, "o.csv", &row, "organizations");
    let import = newest(&register).await;
    made(
        &register,
        Organization {
            display_name: "示例乙".to_owned(),
            ..held("1")
        },
    )
    .await;
    for dry_run in [true, false] {
        let request = UndoImportRequest {
            validate_only: dry_run,
            ..undo(&import)
        };
        let answer = register.imports().undo_import(request).await.unwrap().into_inner();
        assert_eq!(
            reasons(&answer),
            BTreeMap::from([("示例甲".to_owned(), StayReason::InConflict)])
        );
        assert!(answer.staying[0].detail.starts_with("IDENTIFIER_TAKEN: "), "{answer:?}");
        assert_eq!(numbers(&answer.import.unwrap()), (0, 0, 1));
    }
}
