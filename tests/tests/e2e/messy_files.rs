//! Tables with each kind of fault of files and offices in them: every one is refused or read right, no clean row is
//! refused, nothing is lost or doubled, and the same file a second time changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;
use std::{env, fs};

use mingce_e2e::messy_files::{Expected, Form, Row, SUBJECTS, Subject, World, file, rows};
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::{CreateSchemeRequest, Scheme, SchemeSubject};
use mingce_proto::registry::Level;
use mingce_proto::talent::{CreateProgrammeRequest, Programme};
use serde_json::Value;

use crate::public_files::table;

on_both_stores!(every_injected_fault_is_refused_or_read_right_and_no_clean_row_is);

/// How many rows of a hundred each subject has, in their order.
const SHARES: [usize; 6] = [20, 15, 25, 10, 12, 18];

/// How many rows there are in all, where `MINGCE_MESSY_ROWS` does not say.
const ROWS: usize = 5_000;

async fn every_injected_fault_is_refused_or_read_right_and_no_clean_row_is(store: Store) {
    let all = env::var("MINGCE_MESSY_ROWS").map_or(ROWS, |text| text.parse().unwrap());
    let seed = env::var("MINGCE_MESSY_SEED").map_or(1, |text| text.parse().unwrap());
    let register = Register::start(store).await;
    prepare(&register).await;
    let mut world = World::new(seed);
    let (mut wrong, mut all_made) = (Vec::new(), Vec::new());
    for (subject, share) in SUBJECTS.iter().zip(SHARES) {
        let half = all * share / 200;
        let mut made = Vec::new();
        for (form, first) in [(Form::Text, 0), (Form::Book, half)] {
            let rows = rows(subject, &mut world, form, first, half);
            wrong.extend(load(&register, subject, form, &rows));
            made.extend(rows);
        }
        told(subject, &made);
        all_made.push(made);
    }
    // At the end, so that nothing was made by the way.
    for (subject, made) in SUBJECTS.iter().zip(&all_made) {
        wrong.extend(kept(&register, subject, made));
    }
    // One of each sort is told.
    let mut sorts: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (sort, example) in &wrong {
        sorts.entry(sort).or_insert((0, example)).0 += 1;
    }
    let told: Vec<_> = sorts
        .iter()
        .map(|(sort, (count, example))| format!("{count} × {sort}: {example}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} are wrong\n{}",
        wrong.len(),
        told.join("\n")
    );
}

/// What the tables name and do not hold.
async fn prepare(register: &Register) {
    let programme = Programme {
        display_name: "虚构计划".to_owned(),
        code: "messy-plan".to_owned(),
        level: Level::Municipal as i32,
        ..Programme::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(programme),
        ..CreateProgrammeRequest::default()
    };
    register.talent().create_programme(request).await.unwrap();
    let scheme = Scheme {
        display_name: "虚构奖".to_owned(),
        code: "messy-prize".to_owned(),
        level: Level::Municipal as i32,
        subject: SchemeSubject::Project as i32,
        ..Scheme::default()
    };
    let request = CreateSchemeRequest {
        scheme: Some(scheme),
        ..CreateSchemeRequest::default()
    };
    register.awards().create_scheme(request).await.unwrap();
}

/// How many rows are to end as created, unchanged and refused.
fn ends(rows: &[Row]) -> [u64; 3] {
    let count = |is: fn(&Expected) -> bool| rows.iter().filter(|row| is(&row.right)).count() as u64;
    [
        count(|r| matches!(r, Expected::Record(_))),
        count(|r| matches!(r, Expected::Same)),
        count(|r| matches!(r, Expected::Refused(_))),
    ]
}

/// What is wrong: the sort, and one of it.
type Wrong = (String, String);

/// Imports a file as a dry run, in earnest, and once more. What was not right.
#[allow(clippy::print_stdout)]
fn load(register: &Register, subject: &Subject, form: Form, rows: &[Row]) -> Vec<Wrong> {
    let ending = if form == Form::Text { "csv" } else { "xlsx" };
    let name = format!("{}.{ending}", subject.collection);
    let (bytes, numbers) = file::write(subject, form, rows);
    fs::write(register.folder().join(&name), bytes).unwrap();
    let fill = if form == Form::Text {
        ""
    } else {
        "fill_down = \"merged\""
    };
    let mapping = subject.mapping.replace("FILL_DOWN", fill);
    fs::write(register.folder().join("messy.toml"), mapping).unwrap();
    let [made, same, refused] = ends(rows);
    let (first, again) = ([made, 0, same, refused], [0, 0, made + same, refused]);
    let mut runs = vec![("dry run", first), ("run", first), ("second run", again)];
    if subject.collection == "talents" {
        // A dry run looks for nobody by identity document.
        runs.remove(0);
    }
    let mut wrong = Vec::new();
    for (run, expected) in runs {
        let from = Instant::now();
        let mut command = register.command(&["import", &name, "--as", "messy.toml", "--refused", "refused.csv"]);
        if run == "dry run" {
            command.arg("--dry-run");
        }
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        if !matches!(ran.status.code(), Some(0 | 3)) {
            wrong.push((
                format!("{name}, {run}"),
                format!("{said}{}", String::from_utf8_lossy(&ran.stderr)),
            ));
            return wrong;
        }
        let found = table(&said);
        println!(
            "{name}, {run}: {} rows in {:.1} s: {found:?}",
            rows.len(),
            from.elapsed().as_secs_f64()
        );
        if found != [(subject.collection.to_owned(), expected)] {
            wrong.push((
                format!("{name}, {run}, the table"),
                format!("{found:?} and not {expected:?}"),
            ));
        }
        let separator = if form == Form::Text { subject.text.1 } else { ',' };
        let refused = refused_rows(register, separator);
        wrong.extend(differences(&format!("{name}, {run}"), rows, &numbers, &refused));
    }
    wrong
}

/// The refused rows of the last import, each with its reasons.
fn refused_rows(register: &Register, separator: char) -> HashMap<u64, String> {
    let Ok(text) = fs::read_to_string(register.folder().join("refused.csv")) else {
        return HashMap::new();
    };
    // Above the headers there may be blank rows, as the mapping wants them.
    let table = file::read(&text, separator);
    let header = table.iter().position(|row| row[0] == "refused_row").unwrap();
    let rows = table[header + 1..].iter();
    rows.map(|row| (row[0].parse().unwrap(), row[3].clone())).collect()
}

/// Rows that did not end as is right.
fn differences(run: &str, rows: &[Row], numbers: &[u64], refused: &HashMap<u64, String>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (row, number) in rows.iter().zip(numbers) {
        let found = refused.get(number).map_or("", String::as_str);
        let right = match &row.right {
            Expected::Refused(reason) => found.split("; ").any(|one| one == *reason),
            _ => found.is_empty(),
        };
        if !right {
            let what = if row.kind.is_empty() { "a clean row" } else { row.kind };
            wrong.push((
                format!("{run}, {what}"),
                format!(
                    "row {number}: refused {found:?}, right {:?}\n    {:?}",
                    row.right, row.cells
                ),
            ));
        }
    }
    wrong
}

/// The organizations that there are: their name in use by resource name.
fn organizations(register: &Register) -> HashMap<String, Value> {
    let file = "organizations.jsonl";
    let ran = register
        .command(&["export", "organizations", "--to", file])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let text = fs::read_to_string(register.folder().join(file)).unwrap();
    let each = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    each.map(|of| (of["name"].as_str().unwrap().to_owned(), of["displayName"].clone()))
        .collect()
}

/// Gives each reference to an organization the name of what it leads to, in the place of the one that the row had for
/// it.
fn rename(of: &mut Value, names: &HashMap<String, Value>) {
    match of {
        Value::Object(fields) => {
            let led = fields.get("organization").and_then(Value::as_str).map(str::to_owned);
            if let Some(led) = led {
                fields.insert("displayName".to_owned(), names[&led].clone());
            }
            fields.values_mut().for_each(|value| rename(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        _ => {}
    }
}

/// Records that are not there, and such as nobody gave.
fn kept(register: &Register, subject: &Subject, rows: &[Row]) -> Vec<Wrong> {
    let file = "all.jsonl";
    let ran = register
        .command(&["export", subject.collection, "--to", file])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let text = fs::read_to_string(register.folder().join(file)).unwrap();
    let names = organizations(register);
    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        let mut of: Value = serde_json::from_str(line).unwrap();
        rename(&mut of, &names);
        *there
            .entry(Value::Object((subject.project)(&of)).to_string())
            .or_default() += 1;
    }
    let mut wrong = Vec::new();
    for row in rows {
        let Expected::Record(record) = &row.right else { continue };
        let record = Value::Object(record.clone()).to_string();
        match there.get_mut(&record) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => _ = there.remove(&record),
            None => wrong.push((
                format!("{}, {:?}, is not there", subject.collection, row.kind),
                format!("{record}\n    {:?}", row.cells),
            )),
        }
    }
    let nobody = format!("{}, nobody gave", subject.collection);
    wrong.extend(there.into_keys().map(|record| (nobody.clone(), record)));
    wrong
}

/// How often each kind stood in the tables.
#[allow(clippy::print_stdout)]
fn told(subject: &Subject, rows: &[Row]) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *kinds.entry(row.kind).or_default() += 1;
    }
    let clean = kinds.remove("").unwrap_or_default();
    let least = kinds.values().min().copied().unwrap_or_default();
    println!(
        "{}: {} kinds, each in {least} rows or more, and {clean} clean rows",
        subject.collection,
        kinds.len()
    );
    assert_eq!(
        kinds.len(),
        subject.kinds.len(),
        "a kind was not sown: more rows are needed"
    );
}
