//! Related records of one import, of several collections, are undone together.

use std::collections::BTreeMap;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{CorrectLabDesignationRequest, LabDesignation, ListLabDesignationsRequest};
use mingce_proto::registry::{StayReason, UndoImportRequest};

use super::{employed, load, numbers, reasons, talents, undo, undone};
use crate::builders::{annul, person, updated};
use crate::imports::{called, imports, newest, organizations, write};

on_both_stores!(
    what_rows_named_goes_with_the_import,
    records_that_name_each_other_go_together,
    each_service_takes_its_part_back,
    decisions_go_too_and_stay_where_a_verb_was_called,
);

const PERSONS: &str =
    "display_name,birth_date,employments\n张示例,1970,示例甲大学\n李示例,1971,示例乙大学\n王示例,1972,示例甲大学\n";

async fn what_rows_named_goes_with_the_import(store: Store) {
    let register = Register::start(store).await;
    write(&register, "persons.toml", MAPPING);
    write(&register, "persons.csv", PERSONS);
    register
        .cli(&["import", "persons.csv", "--as", "persons.toml"])
        .succeeded();
    let import = newest(&register).await;
    assert_eq!(import.mapping_sha256.len(), 64);
    let named = called(&register, "示例乙大学").await;
    person(&register, employed("赵示例", &named.name)).await;
    let answer = undone(&register, &import).await;
    assert_eq!(
        reasons(&answer),
        BTreeMap::from([("示例乙大学".to_owned(), StayReason::ReferredTo)])
    );
    assert_eq!(numbers(&answer.import.unwrap()), (4, 0, 1));
    assert_eq!((talents(&register).await, organizations(&register).await.len()), (1, 1));
}

const MAPPING: &str = r#"
[[part]]
collection = "talents"

[part.fields]
display_name = "{display_name}"
birth_date = { from = "{birth_date}", date = "year" }
identifiers = { scheme = "staff", value = "{display_name}" }
employments = { organization = { display_name = "{employments}" } }
"#;

const FAMILY: &str = r#"
[[part]]
collection = "organizations"

[part.fields]
display_name = "{名称}"
identifiers = { scheme = "number", value = "{编号}" }

[[part]]
collection = "organizations"

[part.fields]
display_name = "{名称}"
identifiers = { scheme = "number", value = "{编号}" }
relations = { organization = { identifier = { scheme = "number", value = "{相关}" } }, kind = "RELATED" }
"#;

async fn records_that_name_each_other_go_together(store: Store) {
    let register = Register::start(store).await;
    write(&register, "family.toml", FAMILY);
    write(
        &register,
        "family.csv",
        "名称,编号,相关\n示例甲,1,2\n示例乙,2,1\n示例丙,3,1\n示例丁,4,3\n",
    );
    register
        .cli(&["import", "family.csv", "--as", "family.toml"])
        .succeeded();
    let import = newest(&register).await;
    assert_eq!((imports(&register).await.len(), import.counts[0].updated), (1, 4));
    // One at a time: each page takes those along that name its records.
    let mut request = UndoImportRequest {
        page_size: 1,
        validate_only: true,
        ..undo(&import)
    };
    let mut annulled = 0;
    loop {
        let answer = register
            .imports()
            .undo_import(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.staying, []);
        annulled += answer.import.unwrap().annulled;
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    assert!(annulled >= 4);
    // What stays holds all that it names, one over another.
    let mut changed = called(&register, "示例丁").await;
    changed.website = "https://a.example".to_owned();
    updated(&register, changed, &["website"]).await;
    let answer = undone(&register, &import).await;
    let stays = reasons(&answer);
    assert_eq!(stays.len(), 4, "{stays:?}");
    assert_eq!(stays["示例丁"], StayReason::ChangedSince);
    assert_eq!(stays["示例乙"], StayReason::ReferredTo);
    register
        .labs()
        .annul_organization(annul(&called(&register, "示例丁").await.name))
        .await
        .unwrap();
    let answer = undone(&register, &import).await;
    assert_eq!((numbers(&answer.import.unwrap()), answer.staying.len()), ((3, 0, 0), 0));
    assert_eq!(organizations(&register).await.len(), 0);
}

async fn each_service_takes_its_part_back(store: Store) {
    let mut labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    // From now on it knows whom to ask.
    let (address, talent_url) = (labs.address().to_owned(), talent.url());
    labs.stop();
    labs.set_flags(&["labs", "--talent-url", &talent_url]);
    labs.restart_at(&address);
    write(&talent, "persons.toml", MAPPING);
    write(&talent, "persons.csv", PERSONS);
    let (labs_url, talent_url) = (labs.url(), talent.url());
    let urls = [
        "--labs-url",
        labs_url.as_str(),
        "--talent-url",
        talent_url.as_str(),
        "--awards-url",
        talent_url.as_str(),
    ];
    let run = |args: &[&str]| talent.cli(&[args, &urls].concat());
    run(&["import", "persons.csv", "--as", "persons.toml"]).succeeded();
    let (part, other) = (newest(&labs).await, newest(&talent).await);
    assert_eq!(
        (part.run.as_str(), part.source.as_str()),
        (other.run.as_str(), "persons.csv")
    );
    assert_eq!((part.counts[0].created_references, other.counts[0].created), (2, 3));
    // Alone the organizations stay: persons name them, in another database.
    let alone = undone(&labs, &part).await;
    assert_eq!(alone.staying.len(), 2);
    assert!(alone.staying[0].referrers[0].starts_with("talents/"), "{alone:?}");
    let said = run(&["undo", &other.name, "--reason", "误导入"]).succeeded();
    assert!(said.contains("3 annulled") && said.contains("2 annulled"), "{said}");
    assert_eq!((talents(&talent).await, organizations(&labs).await.len()), (0, 0));
    let listed = run(&["imports"]).succeeded();
    assert_eq!(listed.matches(other.run.as_str()).count(), 2, "{listed}");
}

const DECISIONS: &str = r#"
[[part]]
collection = "labDesignations"

[part.fields]
lab = { display_name = "{名称}" }
level = "DISTRICT"
programme = "区级重点实验室"
state = "OPERATING"
number = "{编号}"
decision_date = { from = "{日期}", date = "partial" }
"#;

async fn decisions_go_too_and_stay_where_a_verb_was_called(store: Store) {
    let register = Register::start(store).await;
    load(
        &register,
        "labs.csv",
        "display_name,city,hosts\n示例一室,青岛,示例甲大学\n示例二室,青岛,示例甲大学\n",
        "labs",
    );
    let labs = newest(&register).await;
    write(&register, "d.toml", DECISIONS);
    write(
        &register,
        "d.csv",
        "名称,编号,日期\n示例一室,示-1,2019-05-06\n示例二室,示-2,2019-05-06\n",
    );
    register.cli(&["import", "d.csv", "--as", "d.toml"]).succeeded();
    let decided = newest(&register).await;
    let list = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: "number = \"示-1\"".to_owned(),
        ..ListLabDesignationsRequest::default()
    };
    let answer = register.labs().list_lab_designations(list).await.unwrap().into_inner();
    let correct = CorrectLabDesignationRequest {
        name: answer.lab_designations[0].name.clone(),
        reason: "文件误录".to_owned(),
        document_number: "示更〔2024〕1号".to_owned(),
        lab_designation: Some(LabDesignation {
            decision_date: "2018-05-06".to_owned(),
            ..LabDesignation::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["decision_date".to_owned()],
        }),
        ..CorrectLabDesignationRequest::default()
    };
    register.lab_cases().correct_lab_designation(correct).await.unwrap();
    // The labs are named by decisions that are not of their import.
    let answer = undone(&register, &labs).await;
    assert_eq!(numbers(answer.import.as_ref().unwrap()), (0, 0, 3), "{answer:?}");
    let answer = undone(&register, &decided).await;
    assert_eq!(numbers(answer.import.as_ref().unwrap()), (1, 0, 1));
    assert_eq!(
        (answer.staying[0].reason(), answer.staying[0].verb.as_str()),
        (StayReason::DecidedSince, "correct")
    );
    // What one decision holds keeps its lab, and that its host.
    let answer = undone(&register, &labs).await;
    assert_eq!(numbers(answer.import.as_ref().unwrap()), (1, 0, 2), "{answer:?}");
    let stays = reasons(&answer);
    assert_eq!(
        stays.keys().map(String::as_str).collect::<Vec<_>>(),
        ["示例一室", "示例甲大学"]
    );
}
