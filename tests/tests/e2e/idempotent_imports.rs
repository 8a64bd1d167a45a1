//! Idempotent imports: the same file a second time changes nothing. Random rows of few names and few numbers, so that
//! many of them mean one record, mean several, or contradict each other; and rows that are known by a name alone.

use std::{env, fs};

use mingce_e2e::messy_files::Rng;
use mingce_e2e::{Register, Store, on_both_stores};
use serde_json::{Map, Value, json};

use crate::public_files::table;

on_both_stores!(
    importing_organizations_again_changes_nothing,
    importing_labs_again_changes_nothing,
    importing_talents_again_changes_nothing,
    importing_talent_designations_again_changes_nothing,
    importing_lab_designations_again_changes_nothing,
    importing_awards_again_changes_nothing,
    a_row_does_not_make_an_earlier_one_mean_another_record,
    what_was_refused_is_taken_once_somebody_has_changed_what_stood_in_its_way,
    a_child_before_its_parent_is_taken_in_one_go,
);

type Row = Map<String, Value>;

/// How many seeds each collection is tried with, where `MINGCE_IDEMPOTENT_FILES` does not say.
const SEEDS: u64 = 3;
/// How many rows a file has.
const ROWS: usize = 60;

const PEOPLE: [&str; 8] = [
    "张三",
    "张三丰",
    "张四",
    "李三",
    "Zhang San",
    "王五",
    "欧阳明",
    "欧阳 明",
];
const VALUES: [&str; 8] = ["1", "２", " 2", "3", "4", "5", "6", "7"];

fn put(row: &mut Row, field: &str, value: impl Into<Value>) {
    let value = value.into();
    if value != json!("") && value != json!([]) {
        row.insert(field.to_owned(), value);
    }
}

fn identifiers(rng: &mut Rng, schemes: &[&str], most: usize) -> Value {
    let count = rng.below(most + 1);
    (0..count)
        .map(|_| json!({"scheme": rng.one_of(schemes), "value": rng.one_of(&VALUES)}))
        .collect()
}

fn names(rng: &mut Rng, of: &[&str]) -> Value {
    let count = rng.below(6).saturating_sub(3);
    let kinds = ["OFFICIAL", "FORMER", "ALIAS", "ACRONYM"];
    (0..count)
        .map(|_| json!({"text": rng.one_of(of), "kind": format!("NAME_KIND_{}", rng.one_of(&kinds))}))
        .collect()
}

fn talent(rng: &mut Rng) -> Row {
    let mut row = Row::new();
    put(&mut row, "display_name", rng.one_of(&PEOPLE));
    put(&mut row, "names", names(rng, &PEOPLE));
    put(
        &mut row,
        "identifiers",
        identifiers(rng, &["staff", "project", "card"], 3),
    );
    put(&mut row, "title", rng.one_of(&["", "教授", "研究员"]));
    put(
        &mut row,
        "birth_date",
        rng.one_of(&["", "", "1970", "1949-12-31", "1980-05"]),
    );
    put(
        &mut row,
        "identity_document",
        rng.one_of(&["", "", "", "11010519491231002X", "P1234567", "无"]),
    );
    row
}

const BODIES: [&str; 8] = [
    "甲大学",
    "甲大學",
    "甲学院",
    "乙大学",
    "乙研究所",
    "Jia University",
    "JU",
    "丙实验室",
];

fn body(rng: &mut Rng) -> Row {
    let mut row = Row::new();
    put(&mut row, "display_name", rng.one_of(&BODIES));
    put(&mut row, "names", names(rng, &BODIES));
    put(&mut row, "identifiers", identifiers(rng, &["number", "code"], 2));
    put(&mut row, "city", rng.one_of(&["", "", "青岛", "济南"]));
    put(
        &mut row,
        "website",
        rng.one_of(&["", "https://example.org", "https://example.com"]),
    );
    row
}

fn organization(rng: &mut Rng) -> Row {
    let mut row = body(rng);
    put(&mut row, "kind", rng.one_of(&["", "ORGANIZATION_KIND_UNIVERSITY"]));
    if rng.below(5) == 0 {
        put(&mut row, "parent", format!("number:{}", rng.one_of(&VALUES).trim()));
    }
    if rng.below(5) == 0 {
        let kind = rng.one_of(&["RELATED", "PREDECESSOR"]);
        let other = json!({"organization": {"display_name": rng.one_of(&BODIES)}, "kind": format!("ORGANIZATION_RELATION_KIND_{kind}")});
        put(&mut row, "relations", json!([other]));
    }
    row
}

fn lab(rng: &mut Rng) -> Row {
    let mut row = body(rng);
    let hosts: Vec<Value> = match rng.below(4) {
        0 | 1 => vec![],
        2 => vec![json!({"organization": {"display_name": rng.one_of(&BODIES)}})],
        _ => {
            vec![json!({"organization": {"identifier": {"scheme": "number", "value": rng.one_of(&["1", "2", "9"])}}})]
        }
    };
    put(&mut row, "hosts", hosts);
    row
}

fn talent_designation(rng: &mut Rng) -> Row {
    let mut row = decision(rng);
    let who = match rng.below(3) {
        0 => json!({"display_name": rng.one_of(&PEOPLE), "birth_year": rng.one_of(&[1970, 1980])}),
        _ => json!({"identifier": {"scheme": "staff", "value": rng.one_of(&["1", "2", "3", "4", "９"])}}),
    };
    put(&mut row, "talent", who);
    put(
        &mut row,
        "programme",
        json!({"code": rng.one_of(&["one", "two", "three"])}),
    );
    put(&mut row, "employer", json!({"display_name": rng.one_of(&BODIES)}));
    put(&mut row, "round", rng.one_of(&["", "第一批", "第二批"]));
    let states = ["IN_TERM", "COMPLETED", "CANCELLED", "EXITED"];
    put(
        &mut row,
        "state",
        format!("TALENT_DESIGNATION_STATE_{}", rng.one_of(&states)),
    );
    row
}

fn decision(rng: &mut Rng) -> Row {
    let mut row = Row::new();
    put(
        &mut row,
        "number",
        rng.one_of(&["", "Z-1", "Z–1", "Z-2", "Ｚ-3", "Z-4"]),
    );
    put(&mut row, "decision_date", rng.one_of(&["", "2020-01-02", "2021-03-04"]));
    put(
        &mut row,
        "document_number",
        rng.one_of(&["", "虚构〔2020〕1号", "虚构〔2021〕2号"]),
    );
    put(&mut row, "end_date", rng.one_of(&["", "", "2030-01-01"]));
    row
}

fn lab_designation(rng: &mut Rng) -> Row {
    let mut row = decision(rng);
    put(
        &mut row,
        "lab",
        json!({"identifier": {"scheme": "number", "value": rng.one_of(&["1", "2", "3", "９"])}}),
    );
    put(&mut row, "programme", rng.one_of(&["甲计划", "⼄计划"]));
    put(&mut row, "level", rng.one_of(&["LEVEL_MUNICIPAL", "LEVEL_PROVINCIAL"]));
    let states = ["OPERATING", "RECTIFYING", "TERMINATED", "REVOKED"];
    put(
        &mut row,
        "state",
        format!("LAB_DESIGNATION_STATE_{}", rng.one_of(&states)),
    );
    row
}

fn award(rng: &mut Rng) -> Row {
    let mut row = Row::new();
    put(&mut row, "title", rng.one_of(&["甲项目", "⼄项目", "丙 项目"]));
    put(
        &mut row,
        "scheme",
        json!({"code": rng.one_of(&["prize-a", "prize-b", "none"])}),
    );
    put(&mut row, "number", rng.one_of(&["1", "２", "2", "3–1", "3-1", ""]));
    put(&mut row, "year", rng.one_of(&[2020, 2021]));
    put(&mut row, "grade", rng.one_of(&["", "一等奖"]));
    put(
        &mut row,
        "state",
        format!("AWARD_STATE_{}", rng.one_of(&["CONFERRED", "REVOKED", "APPROVED"])),
    );
    let people: Vec<Value> = (0..rng.below(3))
        .map(|_| json!({"talent": {"display_name": rng.one_of(&PEOPLE)}}))
        .collect();
    put(&mut row, "contributors", people);
    row
}

/// Rows as JSON lines, where what is missing stays, or as a table, where what is empty is emptied.
fn file(rows: &[Row], is_table: bool) -> String {
    if !is_table {
        return rows
            .iter()
            .map(|row| format!("{}\n", Value::Object(row.clone())))
            .collect();
    }
    let mut columns: Vec<&String> = rows.iter().flat_map(Map::keys).collect();
    columns.sort();
    columns.dedup();
    let header: Vec<&str> = columns.iter().map(|c| c.as_str()).collect();
    let mut text = format!("{}\n", header.join(","));
    for row in rows {
        let cell = |column: &&String| match row.get(*column) {
            None => String::new(),
            Some(Value::String(text)) => format!("\"{}\"", text.replace('"', "\"\"")),
            Some(value) => format!("\"{}\"", value.to_string().replace('"', "\"\"")),
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        text.push_str(&format!("{}\n", cells.join(",")));
    }
    text
}

/// Imports a file and answers how many rows were created and updated, and what was said.
fn import(register: &Register, name: &str, collection: &str) -> (u64, u64, String) {
    let ran = register.cli(&["import", name, "--as", collection]);
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    let found = table(&ran.stdout);
    let [created, updated, ..] = found[0].1;
    (created, updated, ran.stdout)
}

fn load(register: &Register, collection: &str, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(register.folder().join("given.jsonl"), text).unwrap();
    register.cli(&["import", "given.jsonl", "--as", collection]).succeeded();
}

/// Loads a file of random rows over what another file made, and then the same once more and once more.
async fn expect_idempotent(store: Store, collection: &str, given: &[(&str, Vec<Value>)], row: fn(&mut Rng) -> Row) {
    let seeds = env::var("MINGCE_IDEMPOTENT_FILES").map_or(SEEDS, |text| text.parse().unwrap());
    let first = env::var("MINGCE_IDEMPOTENT_SEED").map_or(1, |text| text.parse().unwrap());
    let (mut wrong, mut taken) = (Vec::new(), 0);
    for seed in first..first + seeds {
        let register = Register::start(store).await;
        for (collection, rows) in given {
            load(&register, collection, rows);
        }
        let is_table = seed % 2 == 0;
        let mut rng = Rng(seed);
        let before: Vec<Row> = (0..ROWS / 3).map(|_| row(&mut rng)).collect();
        fs::write(register.folder().join("before.jsonl"), file(&before, false)).unwrap();
        import(&register, "before.jsonl", collection);
        let rows: Vec<Row> = (0..ROWS).map(|_| row(&mut rng)).collect();
        let name = if is_table { "rows.csv" } else { "rows.jsonl" };
        fs::write(register.folder().join(name), file(&rows, is_table)).unwrap();
        let (created, updated, first) = import(&register, name, collection);
        taken += u64::from(created + updated > 0);
        for again in ["second", "third"] {
            let (created, updated, said) = import(&register, name, collection);
            if created + updated > 0 {
                wrong.push(format!(
                    "seed {seed}, {again} time:\n{said}\nfirst time:\n{first}\n{}",
                    file(&rows, false)
                ));
                break;
            }
        }
    }
    assert!(
        2 * taken > seeds,
        "{collection}: of most seeds no row was taken, so they show nothing"
    );
    assert!(
        wrong.is_empty(),
        "{collection}, {} of {seeds} seeds: {}",
        wrong.len(),
        wrong[0]
    );
}

async fn importing_talents_again_changes_nothing(store: Store) {
    expect_idempotent(store, "talents", &[], talent).await;
}

async fn importing_organizations_again_changes_nothing(store: Store) {
    expect_idempotent(store, "organizations", &[], organization).await;
}

async fn importing_labs_again_changes_nothing(store: Store) {
    let hosts = (1..4).map(
        |n| json!({"display_name": format!("示例{n}大学"), "identifiers": [{"scheme": "number", "value": n.to_string()}]}),
    );
    expect_idempotent(store, "labs", &[("organizations", hosts.collect())], lab).await;
}

async fn importing_talent_designations_again_changes_nothing(store: Store) {
    let people = (1..5).map(|n| {
        let who = PEOPLE[n % 3];
        json!({"display_name": who, "birth_date": if n % 2 == 0 { "1970" } else { "1980" },
               "identifiers": [{"scheme": "staff", "value": n.to_string()}]})
    });
    let programmes = ["one", "two", "three"].map(|code| {
        let family = if code == "three" { "" } else { "family" };
        json!({"display_name": format!("计划{code}"), "code": code, "level": "LEVEL_MUNICIPAL",
               "kind": "PROGRAMME_KIND_LEADING_TALENT", "family": family})
    });
    let given = [("talents", people.collect()), ("programmes", programmes.to_vec())];
    expect_idempotent(store, "talentDesignations", &given, talent_designation).await;
}

async fn importing_lab_designations_again_changes_nothing(store: Store) {
    let labs = (1..4).map(|n| json!({"display_name": format!("实验室{n}"), "identifiers": [{"scheme": "number", "value": n.to_string()}]}));
    expect_idempotent(store, "labDesignations", &[("labs", labs.collect())], lab_designation).await;
}

async fn importing_awards_again_changes_nothing(store: Store) {
    let schemes = ["a", "b"]
        .map(|n| json!({"display_name": format!("奖{n}"), "code": format!("prize-{n}"), "level": "LEVEL_MUNICIPAL"}));
    expect_idempotent(store, "awards", &[("schemes", schemes.to_vec())], award).await;
}

async fn a_row_does_not_make_an_earlier_one_mean_another_record(store: Store) {
    let register = Register::start(store).await;
    let number = |value: &str| json!([{"scheme": "number", "value": value}]);
    let old = |text: &str, kind: &str| json!([{"text": text, "kind": kind}]);
    let given = [
        json!({"display_name": "新名大学", "city": "青岛", "names": old("旧名学院", "NAME_KIND_ALIAS")}),
        json!({"display_name": "青岛样例海洋大学", "identifiers": number("1")}),
    ];
    for collection in ["organizations", "labs"] {
        load(&register, collection, &given);
        let rows = [
            // It means what has the name as an alias, and would mean what bears it now.
            json!({"display_name": "旧名学院", "website": "https://example.org"}),
            json!({"display_name": "旧名学院", "website": "https://example.com", "identifiers": number("8")}),
            // It was refused, and would be taken once the record has had its name.
            json!({"display_name": "济南虚构化肥厂", "identifiers": number("1")}),
            json!({"display_name": "青岛样例海洋大学", "identifiers": number("1"), "names": old("济南虚构化肥厂", "NAME_KIND_FORMER")}),
            // The same name elsewhere is no doubt.
            json!({"display_name": "另一研究所", "city": "青岛"}),
            json!({"display_name": "另一研究所", "city": "济南"}),
        ];
        let rows: Vec<Row> = rows.iter().map(|row| row.as_object().unwrap().clone()).collect();
        fs::write(register.folder().join("rows.jsonl"), file(&rows, false)).unwrap();
        let mut ends = Vec::new();
        for flags in [&["--dry-run"][..], &[], &[], &[]] {
            let args = [&["import", "rows.jsonl", "--as", collection][..], flags].concat();
            let ran = register.cli(&args);
            assert_eq!(ran.code, Some(3), "{ran:?}");
            assert!(
                ran.stdout.contains("row 2: ROW_UNSTEADY: with this row, row 1 would"),
                "{ran:?}"
            );
            assert!(
                ran.stdout.contains("row 4: ROW_UNSTEADY: with this row, row 3 would"),
                "{ran:?}"
            );
            assert!(ran.stdout.contains("RECORDS_DISAGREE"), "{ran:?}");
            ends.push(table(&ran.stdout)[0].1);
        }
        assert_eq!(
            ends,
            [[2, 1, 0, 3], [2, 1, 0, 3], [0, 0, 3, 3], [0, 0, 3, 3]],
            "{collection}"
        );
    }
}

/// The counts of an import that must end with this code.
fn counts(register: &Register, flags: &[&str], code: i32) -> ([u64; 4], String) {
    let args = [&["import", "rows.jsonl", "--as", "organizations"][..], flags].concat();
    let ran = register.cli(&args);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    (table(&ran.stdout)[0].1, ran.stdout)
}

async fn what_was_refused_is_taken_once_somebody_has_changed_what_stood_in_its_way(store: Store) {
    let register = Register::start(store).await;
    let of = |scheme: &str, value: &str| json!({"scheme": scheme, "value": value});
    let ids = |of: &[Value]| json!(of);
    load(
        &register,
        "organizations",
        &[json!({"display_name": "青岛样例海洋大学", "identifiers": ids(&[of("number", "1")])})],
    );
    let row = json!({"display_name": "济南虚构化肥厂", "identifiers": ids(&[of("number", "1")]), "website": "https://example.com"});
    fs::write(register.folder().join("rows.jsonl"), format!("{row}\n")).unwrap();
    for flags in [&[][..], &["--dry-run"], &[]] {
        let (found, said) = counts(&register, flags, 3);
        assert_eq!(found, [0, 0, 0, 1], "{said}");
        assert!(said.contains("RECORDS_DISAGREE"), "{said}");
    }
    // Another organization that has nothing to do with it: it is judged anew, and is as wrong as before.
    load(&register, "organizations", &[json!({"display_name": "另一研究所"})]);
    assert_eq!(counts(&register, &[], 3).0, [0, 0, 0, 1]);
    // Somebody notes that the two names are of one body.
    let mut record = crate::imports::called(&register, "青岛样例海洋大学").await;
    record.names.push(mingce_proto::registry::Name {
        text: "济南虚构化肥厂".to_owned(),
        kind: mingce_proto::registry::NameKind::Former.into(),
        ..Default::default()
    });
    let update = mingce_proto::labs::UpdateOrganizationRequest {
        organization: Some(record),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["names".to_owned()],
        }),
        ..Default::default()
    };
    register.labs().update_organization(update).await.unwrap();
    for (flags, expected) in [
        (&["--dry-run"][..], [0, 1, 0, 0]),
        (&[], [0, 1, 0, 0]),
        (&[], [0, 0, 1, 0]),
    ] {
        let (found, said) = counts(&register, flags, 0);
        assert_eq!(found, expected, "{said}");
    }
}

async fn a_child_before_its_parent_is_taken_in_one_go(store: Store) {
    let register = Register::start(store).await;
    let number = |value: u32| json!([{"scheme": "number", "value": value.to_string()}]);
    // Each is part of the next one.
    let rows = (1..8).map(|n| {
        let mut row = json!({"display_name": format!("示例{n}所"), "identifiers": number(n)});
        if n < 7 {
            row["parent"] = json!(format!("number:{}", n + 1));
        }
        format!("{row}\n")
    });
    let missing = json!({"display_name": "示例八所", "identifiers": number(8), "parent": "number:9"});
    let text: String = rows.chain([format!("{missing}\n")]).collect();
    fs::write(register.folder().join("rows.jsonl"), text).unwrap();
    for expected in [[7, 0, 0, 1], [0, 0, 7, 1]] {
        let (found, said) = counts(&register, &[], 3);
        assert_eq!(found, expected, "{said}");
        assert!(said.contains("row 8, parent"), "{said}");
    }
    let import = crate::imports::newest(&register).await;
    assert_eq!((import.counts[0].unchanged, import.counts[0].refused), (7, 1));
    // It is there: the row is taken, though nothing was refused for anything else.
    load(
        &register,
        "organizations",
        &[json!({"display_name": "示例九所", "identifiers": number(9)})],
    );
    assert_eq!(counts(&register, &[], 0).0, [1, 0, 7, 0]);
}
