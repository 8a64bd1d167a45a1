//! Imports of drafts: applications for a round, made and changed by a file under the rules of drafts that are made by
//! hand.

use std::fs;

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::{Award, AwardState, ListAwardsRequest};
use mingce_proto::labs::{
    LabDesignation, LabDesignationState, ListLabDesignationsRequest, UpdateLabDesignationRequest,
};
use mingce_proto::registry::{Round, RoundCap, View};
use mingce_proto::talent::{ListTalentDesignationsRequest, TalentDesignationState};
use prost_types::FieldMask;

use crate::award_fixture::{Year, march};
use crate::builders::{made, organization};
use crate::lab_fixture::{PROGRAMME, district, easy, in_review, lab, published, submitted};
use crate::public_files::{rows, table};
use crate::talent_fixture;

on_both_stores!(
    applications_of_labs_come_from_a_file_and_again,
    a_draft_from_a_file_is_held_to_its_round,
    what_only_the_decision_says_is_refused_in_a_row_of_a_draft_that_is_there_too,
    a_file_whose_round_was_missing_comes_in_once_it_is_open,
    applications_of_persons_come_from_a_file,
    nominations_come_from_a_file_and_again,
);

const LABS: [&str; 3] = ["试甲室", "试乙室", "试丙室"];

async fn three_labs(register: &Register) {
    let host = made(register, organization("试依托大学")).await;
    for name in LABS {
        let named = mingce_proto::labs::Lab {
            display_name: name.to_owned(),
            ..mingce_proto::labs::Lab::default()
        };
        lab(register, &host.name, named).await;
    }
}

/// Writes a file of labs for a round.
fn file(clock: &Clock, round: &str, issuers: [&str; 3]) -> String {
    let mut text = "实验室,级别,计划,状态,批次,机关\n".to_owned();
    for (lab, issuer) in LABS.iter().zip(issuers) {
        text.push_str(&format!("{lab},区级,{PROGRAMME},草稿,{round},{issuer}\n"));
    }
    fs::write(mapping(clock), MAPPING).unwrap();
    let path = beside(clock, "labs.csv");
    fs::write(&path, text).unwrap();
    path
}

/// What the columns mean.
const MAPPING: &str = r#"
[[part]]
collection = "labDesignations"
[part.fields]
lab = { display_name = "{实验室}" }
programme = "{计划}"
round = "{批次}"
issuer = "{机关}"
level = { from = "{级别}", values = { "区级" = "DISTRICT" } }
state = { from = "{状态}", values = { "草稿" = "DRAFT", "已申报" = "SUBMITTED" } }
"#;

fn mapping(clock: &Clock) -> String {
    beside(clock, "labs.toml")
}

/// A file beside that of the clock.
fn beside(clock: &Clock, name: &str) -> String {
    let path = std::path::Path::new(&clock.path()).with_file_name(name);
    path.to_str().unwrap().to_owned()
}

fn ran(register: &Register, clock: &Clock, file: &str, flags: &[&str]) -> mingce_e2e::binary::ProcessOutput {
    let mapping = mapping(clock);
    let args = [&["import", file, "--as", &mapping], flags].concat();
    register.cli(&args)
}

fn imported(register: &Register, clock: &Clock, file: &str, flags: &[&str]) -> String {
    ran(register, clock, file, flags).succeeded()
}

async fn designations(register: &Register) -> Vec<LabDesignation> {
    let request = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        view: View::Full as i32,
        order_by: "create_time".to_owned(),
        ..ListLabDesignationsRequest::default()
    };
    let mut all = register
        .labs()
        .list_lab_designations(request)
        .await
        .unwrap()
        .into_inner()
        .lab_designations;
    all.sort_by_key(|one| one.lab.as_ref().map(|lab| lab.display_name.clone()));
    all
}

async fn what_only_the_decision_says_is_refused_in_a_row_of_a_draft_that_is_there_too(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(easy()))).await;
    let round = Round {
        display_name: "2024年第一批".to_owned(),
        caps: Vec::<RoundCap>::new(),
        ..district("2024-03-10", "2024-12-20")
    };
    open(&register, round).await;
    three_labs(&register).await;
    let path = file(&clock, "2024年第一批", ["甲局", "甲局", "甲局"]);
    imported(&register, &clock, &path, &[]);
    let before = designations(&register).await;
    for (field, value) in [
        ("number", "X7"),
        ("document_number", "区科〔2024〕1号"),
        ("decision_date", "2024-03-11"),
        ("start_date", "2024-03-11"),
        ("end_date", "2024-12-31"),
    ] {
        fs::write(mapping(&clock), format!("{MAPPING}{field} = \"{value}\"\n")).unwrap();
        for flags in [&["--dry-run"][..], &[]] {
            let ran = ran(&register, &clock, &path, flags);
            assert_eq!(ran.code, Some(3), "{field}: {ran:?}");
            assert_eq!(table(&ran.stdout), rows(&[("labDesignations", [0, 0, 0, 3])]));
            assert!(ran.stdout.contains("FIELD_BEFORE_DECISION"), "{field}: {ran:?}");
        }
    }
    assert_eq!(designations(&register).await, before);
}

async fn a_file_whose_round_was_missing_comes_in_once_it_is_open(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(easy()))).await;
    three_labs(&register).await;
    let path = file(&clock, "2024年第一批", ["甲局", "甲局", "甲局"]);
    for _ in 0..2 {
        let ran = ran(&register, &clock, &path, &[]);
        assert_eq!(table(&ran.stdout), rows(&[("labDesignations", [0, 0, 0, 3])]));
        assert!(ran.stdout.contains("ROUND_UNKNOWN"), "{ran:?}");
    }
    let round = Round {
        display_name: "2024年第一批".to_owned(),
        caps: Vec::<RoundCap>::new(),
        ..district("2024-03-10", "2024-12-20")
    };
    open(&register, round).await;
    let summary = imported(&register, &clock, &path, &[]);
    assert_eq!(table(&summary), rows(&[("labDesignations", [3, 0, 0, 0])]));
    let summary = imported(&register, &clock, &path, &[]);
    assert_eq!(table(&summary), rows(&[("labDesignations", [0, 0, 3, 0])]));
}

async fn applications_of_labs_come_from_a_file_and_again(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    let policy = load(&register, policy("1", "2024-01-01", Terms::Lab(easy()))).await;
    let round = Round {
        display_name: "2024年第一批".to_owned(),
        caps: Vec::<RoundCap>::new(),
        ..district("2024-03-10", "2024-12-20")
    };
    let round = open(&register, round).await;
    three_labs(&register).await;
    let path = file(&clock, "2024年第一批", ["甲局", "甲局", "甲局"]);
    let tried = imported(&register, &clock, &path, &["--dry-run"]);
    assert_eq!(table(&tried), rows(&[("labDesignations", [3, 0, 0, 0])]));
    assert_eq!(designations(&register).await, []);
    let summary = imported(&register, &clock, &path, &[]);
    assert_eq!(table(&summary), rows(&[("labDesignations", [3, 0, 0, 0])]));
    // Each is what CreateLabDesignation would have made.
    let all = designations(&register).await;
    for one in &all {
        assert_eq!(
            (one.state(), one.round.as_str()),
            (LabDesignationState::Draft, "2024年第一批")
        );
        let facts = one.case.as_ref().unwrap();
        assert_eq!((&facts.round, &facts.policy), (&round.name, &policy.name));
    }
    // The same file again changes nothing.
    assert_eq!(
        table(&imported(&register, &clock, &path, &[])),
        rows(&[("labDesignations", [0, 0, 3, 0])])
    );
    // One goes on and one is decided: a newer file changes the draft that is left, and is told of the others.
    let [bing, jia, yi] = [2, 0, 1].map(|place: usize| {
        let by_name = |name: &str| {
            all.iter()
                .position(|one| one.lab.as_ref().unwrap().display_name == name)
        };
        all[by_name(LABS[place]).unwrap()].name.clone()
    });
    submitted(&register, &jia).await.unwrap();
    in_review(&register, &yi).await;
    published(&register, &yi).await.unwrap();
    clock.set("2024-03-14");
    crate::lab_fixture::approved(&register, &yi).await.unwrap();
    let unchanged = imported(&register, &clock, &path, &[]);
    assert_eq!(
        table(&unchanged),
        rows(&[("labDesignations", [0, 0, 3, 0])]),
        "{unchanged}"
    );
    let path = file(&clock, "2024年第一批", ["乙局", "乙局", "乙局"]);
    let ended = ran(&register, &clock, &path, &[]);
    assert_eq!(
        table(&ended.stdout),
        rows(&[("labDesignations", [0, 1, 0, 2])]),
        "{ended:?}"
    );
    let said = &ended.stdout;
    assert!(
        said.contains("in state submitted") && said.contains("in state operating"),
        "{said}"
    );
    let after = designations(&register).await;
    assert_eq!(after.len(), 3);
    for one in &after {
        let expected = if one.name == bing { "乙局" } else { "甲局" };
        assert_eq!(one.issuer, expected, "{:?}", one.state());
    }
    // What a clerk has written by hand stays with --keep-edits.
    let mine = UpdateLabDesignationRequest {
        lab_designation: Some(LabDesignation {
            name: bing.clone(),
            issuer: "丙局".to_owned(),
            ..LabDesignation::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["issuer".to_owned()],
        }),
        ..UpdateLabDesignationRequest::default()
    };
    register.labs().update_lab_designation(mine).await.unwrap();
    ran(&register, &clock, &path, &["--keep-edits"]);
    let kept = designations(&register)
        .await
        .into_iter()
        .find(|one| one.name == bing)
        .unwrap();
    assert_eq!(kept.issuer, "丙局");
}

async fn a_draft_from_a_file_is_held_to_its_round(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(easy()))).await;
    let named = |name: &str, level: mingce_proto::registry::Level| Round {
        display_name: name.to_owned(),
        level: level as i32,
        ..district("2024-03-10", "2024-12-20")
    };
    use mingce_proto::registry::Level::{District, Municipal};
    let one = open(&register, named("同名批次", District)).await;
    open(&register, named("同名批次", District)).await;
    open(&register, named("市级批次", Municipal)).await;
    three_labs(&register).await;
    let refused = |round: &str| {
        let ended = ran(&register, &clock, &file(&clock, round, ["", "", ""]), &[]);
        assert_eq!(
            table(&ended.stdout),
            rows(&[("labDesignations", [0, 0, 0, 3])]),
            "{ended:?}"
        );
        ended.stdout
    };
    assert!(refused("没有这个批次").contains("ROUND_UNKNOWN"));
    assert!(refused("rounds/01jd2k3m4n5p6q7r8s9t0v1w2x").contains("ROUND_UNKNOWN"));
    // The column stands before the reason: its text does not name the field again.
    let said = refused("市级批次");
    assert!(said.contains("ROUND_OF_OTHER_KIND: rounds/"), "{said}");
    let said = refused("同名批次");
    assert!(said.contains("ROUND_AMBIGUOUS") && said.contains(&one.name), "{said}");
    // Without a round it is no draft, and what is beyond a draft no file makes.
    assert!(refused("").contains("STATE_UNDECIDED"));
    let text = fs::read_to_string(file(&clock, &one.name, ["", "", ""])).unwrap();
    let path = beside(&clock, "beyond.csv");
    fs::write(&path, text.replace("草稿", "已申报")).unwrap();
    let ended = ran(&register, &clock, &path, &[]);
    assert!(ended.stdout.contains("STATE_UNDECIDED"), "{ended:?}");
    // By its resource name it is clear.
    imported(&register, &clock, &file(&clock, &one.name, ["", "", ""]), &[]);
    let all = designations(&register).await;
    assert!(all.iter().all(|one| one.round == "同名批次"), "{all:?}");
    // The same application twice in a file is one.
    let text = fs::read_to_string(file(&clock, &one.name, ["", "", ""])).unwrap();
    let double = format!("{text}{}\n", text.lines().nth(1).unwrap());
    fs::write(&path, double).unwrap();
    let ended = ran(&register, &clock, &path, &[]);
    assert_eq!(table(&ended.stdout)[0].1[0], 0, "{ended:?}");
    assert_eq!(designations(&register).await.len(), 3);
}

async fn applications_of_persons_come_from_a_file(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = Register::start_at(store, &clock).await;
    let (policy, round) = talent_fixture::spring(&register, talent_fixture::terms()).await;
    talent_fixture::programme(&register, "p", "").await;
    for name in ["孙甲", "孙乙"] {
        talent_fixture::applicant(&register, name).await;
    }
    let path = beside(&clock, "talents.jsonl");
    let line = |name: &str| {
        format!(
            "{{\"talent\": {{\"identifier\": {{\"scheme\": \"number\", \"value\": \"{name}\"}}}}, \
             \"programme\": {{\"code\": \"p\"}}, \"state\": \"TALENT_DESIGNATION_STATE_DRAFT\", \"round\": \"{}\"}}\n",
            round.name
        )
    };
    fs::write(&path, line("孙甲") + &line("孙乙")).unwrap();
    let path = path.as_str();
    let summary = register
        .cli(&["import", path, "--as", "talentDesignations"])
        .succeeded();
    assert_eq!(table(&summary), rows(&[("talentDesignations", [2, 0, 0, 0])]));
    let request = ListTalentDesignationsRequest {
        parent: "talents/-".to_owned(),
        ..ListTalentDesignationsRequest::default()
    };
    let all = register
        .talent()
        .list_talent_designations(request)
        .await
        .unwrap()
        .into_inner();
    for one in &all.talent_designations {
        assert_eq!((one.state(), one.level), (TalentDesignationState::Draft, round.level));
        let facts = one.case.as_ref().unwrap();
        assert_eq!((&facts.round, &facts.policy), (&round.name, &policy.name));
    }
    talent_fixture::submit(&register, &all.talent_designations[0].name)
        .await
        .unwrap();
    let again = register
        .cli(&["import", path, "--as", "talentDesignations"])
        .succeeded();
    assert_eq!(table(&again), rows(&[("talentDesignations", [0, 0, 2, 0])]));
}

async fn awards(register: &Register) -> Vec<Award> {
    let request = ListAwardsRequest {
        view: View::Full as i32,
        ..ListAwardsRequest::default()
    };
    let mut all = register
        .awards()
        .list_awards(request)
        .await
        .unwrap()
        .into_inner()
        .awards;
    all.sort_by_key(|award| award.title.clone());
    all
}

async fn nominations_come_from_a_file_and_again(store: Store) {
    let year = Year::begin(store, crate::award_fixture::terms()).await;
    let register = &year.register;
    let path = beside(&year.clock, "awards.jsonl");
    let write = |motivation: &str, round: &str| {
        let line = |title: &str| {
            let organization = format!("{{\"organization\": \"{}\"}}", year.organizations[0].name);
            format!(
                "{{\"title\": \"{title}\", \"scheme\": {{\"scheme\": \"{}\"}}, \"year\": 2024, \"state\": \"AWARD_STATE_DRAFT\", \
                 \"round\": \"{round}\", \"contributors\": [{{\"talent\": {{\"talent\": \"{}\"}}, \"organizations\": [{organization}]}}], \
                 \"completingOrganizations\": [{{\"organization\": {organization}}}], \"motivation\": \"{motivation}\"}}\n",
                year.scheme.name, year.people[0].name
            )
        };
        fs::write(&path, line("甲项目") + &line("乙项目")).unwrap();
    };
    let import = || register.cli(&["import", &path, "--as", "awards"]);
    write("一", &year.round.name);
    let ended = import();
    assert_eq!(table(&ended.stdout), rows(&[("awards", [2, 0, 0, 0])]), "{ended:?}");
    let all = awards(register).await;
    assert!(all.iter().all(|award| award.state() == AwardState::Draft), "{all:?}");
    assert!(
        all.iter()
            .all(|award| award.case.as_ref().unwrap().round == year.round.name)
    );
    assert_eq!(table(&import().stdout), rows(&[("awards", [0, 0, 2, 0])]));
    year.nominate(&all[0].name).await.unwrap();
    write("二", &year.round.name);
    let ended = import();
    assert_eq!(table(&ended.stdout), rows(&[("awards", [0, 1, 0, 1])]), "{ended:?}");
    assert!(ended.stdout.contains("CASE_NOT_EDITABLE"), "{ended:?}");
    // Withdrawn or refused, it is not begun anew by the file.
    year.refuse(&all[0].name).await.unwrap();
    let ended = import();
    assert_eq!(table(&ended.stdout)[0].1[0], 0, "{ended:?}");
    assert_eq!(awards(register).await.len(), 2);
    // For another round it is another nomination.
    let next = march(register, &year.scheme, "2025").await;
    write("三", &next.name);
    let ended = import();
    assert_eq!(table(&ended.stdout)[0].1[0], 2, "{ended:?}");
}
