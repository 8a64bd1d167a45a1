//! Decisions that lists know by their month or year: recorded, imported, found, counted, and lived with.

use std::fs;

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{Award, AwardState, Contributor, RecordAwardRequest, SchemeReference, SchemeSubject};
use mingce_proto::labs::{
    CreateLabRequest, Lab, LabDesignation, LabDesignationState, LabDirector, LabMember, LabMembership,
    ListLabDesignationsRequest, RecordLabDesignationRequest, RevokeLabDesignationRequest, UpdateLabDesignationRequest,
};
use mingce_proto::registry::{ComputeStatisticsRequest, Level, Name, NameKind, TalentReference};
use mingce_proto::talent::{
    CompleteTalentDesignationRequest, ExitTalentDesignationRequest, ProgrammeReference, RecordTalentDesignationRequest,
    TalentCompletionGrade, TalentDesignation, TalentDesignationState,
};
use tonic::Code;

use crate::award_fixture::scheme;
use crate::builders::identifier;
use crate::public_files::{rows, table};
use crate::talent_fixture::{applicant, programme, said, stands};

on_both_stores!(
    a_decision_is_recorded_by_its_month_or_year_and_made_exact_later,
    ranges_find_what_certainly_lies_in_them_and_statistics_count_it_once,
    verbs_take_a_month_by_its_first_day_and_an_end_by_its_last,
    what_is_no_date_is_refused_and_verbs_ask_for_days,
    a_mapping_loads_months_and_years_and_an_export_brings_them_back,
);

async fn lab(register: &Register, display_name: &str) -> Lab {
    let lab = Lab {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(display_name)],
        ..Lab::default()
    };
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

fn decided(lab: &Lab, decision_date: &str) -> RecordLabDesignationRequest {
    RecordLabDesignationRequest {
        parent: lab.name.clone(),
        lab_designation: Some(LabDesignation {
            level: Level::District as i32,
            programme: "区级重点实验室".to_owned(),
            state: LabDesignationState::Operating as i32,
            decision_date: decision_date.to_owned(),
            ..LabDesignation::default()
        }),
        ..RecordLabDesignationRequest::default()
    }
}

async fn recorded(register: &Register, lab: &Lab, decision_date: &str) -> LabDesignation {
    let answer = register
        .labs()
        .record_lab_designation(decided(lab, decision_date))
        .await;
    answer.unwrap().into_inner()
}

async fn found(register: &Register, filter: &str, order_by: &str) -> Vec<String> {
    let request = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
        page_size: 2,
        ..ListLabDesignationsRequest::default()
    };
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListLabDesignationsRequest {
            page_token: token,
            ..request.clone()
        };
        let page = register
            .labs()
            .list_lab_designations(request)
            .await
            .unwrap()
            .into_inner();
        all.extend(page.lab_designations.into_iter().map(|d| d.decision_date));
        token = page.next_page_token;
        if token.is_empty() {
            return all;
        }
    }
}

async fn a_decision_is_recorded_by_its_month_or_year_and_made_exact_later(store: Store) {
    let register = Register::start(store).await;
    let of = lab(&register, "潮间带实验室").await;
    let month = recorded(&register, &of, "2024-03").await;
    assert_eq!((month.decision_date.as_str(), month.year), ("2024-03", 2024));
    let year = recorded(&register, &of, "2019").await;
    assert_eq!((year.decision_date.as_str(), year.year), ("2019", 2019));
    let exact = UpdateLabDesignationRequest {
        lab_designation: Some(LabDesignation {
            name: month.name.clone(),
            decision_date: "2024-03-15".to_owned(),
            ..LabDesignation::default()
        }),
        ..UpdateLabDesignationRequest::default()
    };
    let exact = register
        .labs()
        .update_lab_designation(exact)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((exact.decision_date.as_str(), exact.year), ("2024-03-15", 2024));

    // What lists say of a lab and its people is known as far.
    let someone = |name: &str| {
        Some(TalentReference {
            display_name: name.to_owned(),
            ..TalentReference::default()
        })
    };
    let known = Lab {
        display_name: "滩涂实验室".to_owned(),
        names: vec![Name {
            text: "滩涂研究室".to_owned(),
            kind: NameKind::Former as i32,
            start_date: "1998".to_owned(),
            end_date: "2009-06".to_owned(),
            ..Name::default()
        }],
        directors: vec![LabDirector {
            person: someone("试主任"),
            start_date: "2010-10".to_owned(),
            end_date: "2015".to_owned(),
        }],
        members: vec![LabMember {
            person: someone("试成员"),
            membership: LabMembership::Fixed as i32,
            start_date: "2010".to_owned(),
            end_date: String::new(),
        }],
        ..Lab::default()
    };
    let create = |lab: Lab| CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    let made = register
        .labs()
        .create_lab(create(known.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&made.names, &made.members), (&known.names, &known.members));
    assert_eq!(made.directors[0].end_date, "2015");
    let mut reversed = known;
    reversed.directors[0].end_date = "2010-09".to_owned();
    let refused = failure(register.labs().create_lab(create(reversed)).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "PERIOD_REVERSED"));
}

/// Decisions of every precision around the turn of years and half-years, one for each lab.
const DECISIONS: [&str; 9] = [
    "",
    "2023",
    "2023-12",
    "2023-12-31",
    "2024",
    "2024-01",
    "2024-06",
    "2024-06-30",
    "2024-07",
];

async fn ranges_find_what_certainly_lies_in_them_and_statistics_count_it_once(store: Store) {
    let register = Register::start(store).await;
    for (number, decision_date) in DECISIONS.iter().enumerate() {
        let of = lab(&register, &format!("海湾实验室{number}")).await;
        recorded(&register, &of, decision_date).await;
    }
    // A year sorts before its months, and a month before its days.
    let mut down = DECISIONS.to_vec();
    assert_eq!(found(&register, "", "decision_date").await, down);
    down.reverse();
    assert_eq!(found(&register, "", "decision_date desc").await, down);
    let of_2024 = ["2024", "2024-01", "2024-06", "2024-06-30", "2024-07"];
    let first_half = ["2024-01", "2024-06", "2024-06-30"];
    for (filter, expected) in [
        ("decision_date >= \"2024-01-01\"", of_2024.as_slice()),
        ("decision_date >= 2024", &of_2024),
        ("decision_date > \"2023-12-31\"", &of_2024),
        ("decision_date > 2023", &of_2024),
        ("decision_date = 2024", &of_2024),
        ("decision_date >= \"2024-01-02\"", &["2024-06", "2024-06-30", "2024-07"]),
        ("decision_date < \"2024-01-01\"", &["2023", "2023-12", "2023-12-31"]),
        ("decision_date <= \"2023-12-30\"", &[]),
        ("decision_date < \"2023-12-31\"", &[]),
        ("decision_date <= 2023-12", &["2023", "2023-12", "2023-12-31"]),
        ("decision_date >= 2024-01 AND decision_date <= 2024-06", &first_half),
        (
            "decision_date >= 2024-01-01 AND decision_date <= 2024-06-30",
            &first_half,
        ),
        (
            "decision_date >= 2024-06-02 AND decision_date <= 2024-07-30",
            &["2024-06-30"],
        ),
        ("decision_date = 2024-06", &["2024-06", "2024-06-30"]),
        ("decision_date = \"2024-06-30\"", &["2024-06-30"]),
        (
            "NOT decision_date >= 2024-06-02",
            &["", "2023", "2023-12", "2023-12-31", "2024", "2024-01", "2024-06"],
        ),
    ] {
        assert_eq!(found(&register, filter, "decision_date").await, expected, "{filter}");
    }
    let count = |filter: &str, group_by: &[&str]| ComputeStatisticsRequest {
        collection: "labDesignations".to_owned(),
        filter: filter.to_owned(),
        group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
        ..ComputeStatisticsRequest::default()
    };
    let years = register
        .labs()
        .compute_statistics(count("", &["year"]))
        .await
        .unwrap()
        .into_inner();
    let years: Vec<_> = years.groups.iter().map(|g| (g.values[0].as_str(), g.count)).collect();
    assert_eq!(years, [("", 1), ("2023", 3), ("2024", 5)]);
    let mut halves = 0;
    for filter in [
        "decision_date >= 2024-01-01 AND decision_date <= 2024-06-30",
        "decision_date >= 2024-07-01 AND decision_date <= 2024-12-31",
    ] {
        halves += register
            .labs()
            .compute_statistics(count(filter, &[]))
            .await
            .unwrap()
            .into_inner()
            .total_count;
    }
    assert_eq!(halves, 4, "what is known by its year is in no half of it");
}

fn term(person: &str, code: &str, start: &str, end: &str) -> RecordTalentDesignationRequest {
    RecordTalentDesignationRequest {
        parent: person.to_owned(),
        talent_designation: Some(TalentDesignation {
            programme: Some(ProgrammeReference {
                code: code.to_owned(),
                ..ProgrammeReference::default()
            }),
            state: TalentDesignationState::InTerm as i32,
            decision_date: start.to_owned(),
            start_date: start.to_owned(),
            end_date: end.to_owned(),
            ..TalentDesignation::default()
        }),
        ..RecordTalentDesignationRequest::default()
    }
}

async fn verbs_take_a_month_by_its_first_day_and_an_end_by_its_last(store: Store) {
    let clock = Clock::on("2024-03-30");
    let register = Register::start_at(store, &clock).await;
    let person = applicant(&register, "试人才").await.name;
    for code in ["a", "b", "c"] {
        programme(&register, code, "").await;
    }
    let record = async |code: &str, start: &str, end: &str| {
        let answer = register
            .talent()
            .record_talent_designation(term(&person, code, start, end))
            .await;
        answer.unwrap().into_inner().name
    };
    let ends = record("a", "2022-04", "2024-03").await;
    let complete = CompleteTalentDesignationRequest {
        name: ends.clone(),
        grade: TalentCompletionGrade::Qualified as i32,
        ..CompleteTalentDesignationRequest::default()
    };
    let blocked = failure(
        register
            .talent_cases()
            .complete_talent_designation(complete.clone())
            .await,
    );
    assert_eq!(blocked.reasons(), ["TERM_RUNNING"], "{blocked:?}");
    assert!(blocked.message.contains("2024-03-31"), "{blocked:?}");
    clock.set("2024-03-31");
    let done = register
        .talent_cases()
        .complete_talent_designation(complete)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(done.end_date, "2024-03");

    let leave = |name: &str| ExitTalentDesignationRequest {
        name: name.to_owned(),
        reason: "试退出".to_owned(),
        ..ExitTalentDesignationRequest::default()
    };
    let early = record("b", "2023", "2025").await;
    let left = register
        .talent_cases()
        .exit_talent_designation(leave(&early))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (left.start_date.as_str(), left.end_date.as_str()),
        ("2023", "2024-03-31")
    );
    let over = record("c", "2020", "2023").await;
    let left = register
        .talent_cases()
        .exit_talent_designation(leave(&over))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(left.end_date, "2023", "it ended before");

    let of = lab(&register, "近岸实验室").await;
    let operating = recorded(&register, &of, "2024-03").await;
    let revoke = RevokeLabDesignationRequest {
        name: operating.name,
        reason: "试撤销".to_owned(),
        document_number: "试撤〔2024〕1号".to_owned(),
        ..RevokeLabDesignationRequest::default()
    };
    let revoked = register
        .lab_cases()
        .revoke_lab_designation(revoke)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (revoked.decision_date.as_str(), revoked.end_date.as_str()),
        ("2024-03", "2024-03-31")
    );
    let read = stands(&register, &ends).await;
    assert_eq!(said(&read.verbs).len(), read.verbs.len());
}

async fn what_is_no_date_is_refused_and_verbs_ask_for_days(store: Store) {
    let register = Register::start(store).await;
    let of = lab(&register, "河口实验室").await;
    for (wrong, reason) in [
        ("2024-13", "DATE_DOES_NOT_EXIST"),
        ("2024-3", "STRING_PATTERN"),
        ("2024-02-30", "DATE_DOES_NOT_EXIST"),
        ("24", "STRING_PATTERN"),
        ("2024-", "STRING_PATTERN"),
    ] {
        let refused = failure(register.labs().record_lab_designation(decided(&of, wrong)).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{wrong}");
        assert_eq!(refused.fields, ["lab_designation.decision_date"], "{wrong}");
    }
    let approve = mingce_proto::labs::ApproveLabDesignationRequest {
        name: format!("{}/designations/{}", of.name, &of.name[5..]),
        decision_date: "2024-03".to_owned(),
        document_number: "试〔2024〕1号".to_owned(),
        ..Default::default()
    };
    let refused = failure(register.lab_cases().approve_lab_designation(approve).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "STRING_PATTERN"));
    assert_eq!(refused.fields, ["decision_date"]);
}

async fn a_mapping_loads_months_and_years_and_an_export_brings_them_back(store: Store) {
    let register = Register::start(store).await;
    lab(&register, "L1").await;
    applicant(&register, "P1").await;
    programme(&register, "p", "").await;
    let prize = scheme(&register, "s", Level::Municipal, SchemeSubject::Person, &[]).await;
    let award = Award {
        title: "试项目".to_owned(),
        scheme: Some(SchemeReference {
            scheme: prize.name,
            ..SchemeReference::default()
        }),
        number: "0".to_owned(),
        year: 2022,
        state: AwardState::Conferred as i32,
        decision_date: "2022-11".to_owned(),
        contributors: vec![Contributor {
            talent: Some(TalentReference {
                display_name: "试获奖人".to_owned(),
                ..TalentReference::default()
            }),
            ..Contributor::default()
        }],
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    let award = register.awards().record_award(request).await.unwrap().into_inner();
    assert_eq!(award.decision_date, "2022-11");
    let write = |name: &str, text: &str| fs::write(register.folder().join(name), text).unwrap();
    write(
        "list.toml",
        r#"
[[part]]
collection = "labDesignations"
[part.fields]
lab = { identifier = { scheme = "number", value = "{编号}" } }
level = "区级"
programme = "区级重点实验室"
state = "运行"
decision_date = { from = "{批准时间}", date = "partial" }
[[part]]
collection = "talentDesignations"
[part.fields]
talent = { identifier = { scheme = "number", value = "{人员}" } }
programme = { code = "p" }
state = "COMPLETED"
decision_date = { from = "{批准时间}", date = "partial" }
start_date = { from = "{管理期}", date = "partial", range = "start" }
end_date = { from = "{管理期}", date = "partial", range = "end" }
[[part]]
collection = "awards"
[part.fields]
title = "试奖{序号}"
scheme = { code = "s" }
number = "{序号}"
year = "2024"
state = "CONFERRED"
decision_date = { from = "{批准时间}", date = "partial" }
contributors = { talent = { display_name = "试获奖人" } }
"#,
    );
    write(
        "list.csv",
        "序号,编号,人员,批准时间,管理期\n1,L1,P1,2024年3月,2024.3-2026.2\n2,L1,P1,2021,2021-2023\n3,L1,P1,2020/5/6,2020/5/6-2022/5/5\n",
    );
    let ran = register.cli(&["import", "list.csv", "--as", "list.toml"]).succeeded();
    let all = ["labDesignations", "talentDesignations", "awards"];
    assert_eq!(table(&ran), rows(&all.map(|label| (label, [3, 0, 0, 0]))), "{ran}");
    let again = register.cli(&["import", "list.csv", "--as", "list.toml"]).succeeded();
    assert_eq!(table(&again), rows(&all.map(|label| (label, [0, 0, 3, 0]))), "{again}");
    assert_eq!(found(&register, "", "").await, ["2020-05-06", "2021", "2024-03"]);
    for (collection, count) in [("labDesignations", 3), ("talentDesignations", 3), ("awards", 4)] {
        for ending in ["csv", "xlsx", "jsonl"] {
            let file = format!("{collection}.{ending}");
            register.cli(&["export", collection, "--to", &file]).succeeded();
            let ran = register.cli(&["import", &file, "--as", collection]).succeeded();
            assert_eq!(table(&ran), rows(&[(collection, [0, 0, count, 0])]), "{file}: {ran}");
        }
    }
    let mapping = fs::read_to_string(register.folder().join("list.toml")).unwrap();
    write("day.toml", &mapping.replace("\"partial\"", "\"day\""));
    let ran = register.cli(&["import", "list.csv", "--as", "day.toml", "--lang", "zh"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(format!("{ran:?}").contains("日期不完整"), "{ran:?}");
    write(
        "no-date.toml",
        "[[part]]\ncollection = \"talents\"\n[part.fields]\ndisplay_name = \"{人员}\"\nnationality = { from = \"{编号}\", date = \"partial\" }\n",
    );
    let ran = register.cli(&["import", "list.csv", "--as", "no-date.toml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr
            .contains("part 1 (talents), nationality: this field holds no date"),
        "{ran:?}"
    );
}
