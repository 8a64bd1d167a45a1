//! References as lists have them: labs, schemes and programmes by name, persons by an identity document or by what is known beside
//! their name. Invented persons only.

use std::fs;

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::{
    CreateLabRequest, ImportLabDesignationsRequest, Lab, LabDesignation, LabDesignationState, LabHost, LabMember,
    LabReference, RecordLabDesignationRequest,
};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Level, Name, NameKind, OrganizationReference, RowOutcome, TalentReference};
use mingce_proto::talent::{
    CreateProgrammeRequest, Employment, ImportTalentDesignationsRequest, ListRevisionsRequest, Programme,
    ProgrammeReference, Talent, TalentDesignation, TalentDesignationState,
};
use prost::Message;
use tonic::Code;

use crate::made::{identifier, person};

on_both_stores!(
    a_lab_is_named_as_lists_name_it,
    a_programme_and_a_scheme_are_named_by_what_they_are_called_now_before_what_they_were,
    a_document_leads_to_a_person_only_for_who_knows_the_name_too,
    a_name_with_a_year_or_an_employer_is_one_person_or_none,
    a_lab_takes_nothing_that_serves_to_find_its_persons,
    a_file_names_what_an_earlier_part_of_it_makes_and_its_dry_run_says_the_same,
);

/// The number that the standard itself has as its example, and passports of nobody.
const NUMBER: &str = "11010519491231002X";
const PASSPORT: &str = "E98765432";
const UNKNOWN: &str = "E11223344";

fn host(display_name: &str) -> LabHost {
    LabHost {
        organization: Some(OrganizationReference {
            display_name: display_name.to_owned(),
            ..OrganizationReference::default()
        }),
        ..LabHost::default()
    }
}

async fn hosted(register: &Register, display_name: &str, city: &str, of: &str) -> Lab {
    let organization = mingce_proto::labs::Organization {
        display_name: of.to_owned(),
        identifiers: vec![identifier(of)],
        ..Default::default()
    };
    let request = crate::made::create(organization);
    // Some have a host in common.
    let _ = register.labs().create_organization(request).await;
    let lab = Lab {
        display_name: display_name.to_owned(),
        city: city.to_owned(),
        hosts: vec![host(of)],
        ..Lab::default()
    };
    create_lab(register, lab).await.unwrap()
}

async fn create_lab(register: &Register, lab: Lab) -> Result<Lab, tonic::Status> {
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    register
        .labs()
        .create_lab(request)
        .await
        .map(tonic::Response::into_inner)
}

fn named(display_name: &str, city: &str, host: &str) -> LabReference {
    LabReference {
        display_name: display_name.to_owned(),
        city: city.to_owned(),
        host: host.to_owned(),
        ..LabReference::default()
    }
}

fn decided(lab: LabReference, number: &str) -> LabDesignation {
    LabDesignation {
        lab: Some(lab),
        programme: "市级重点实验室".to_owned(),
        level: Level::Municipal as i32,
        state: LabDesignationState::Operating as i32,
        number: number.to_owned(),
        decision_date: "2021-11-26".to_owned(),
        ..LabDesignation::default()
    }
}

async fn designations(register: &Register, rows: Vec<LabDesignation>) -> Vec<RowOutcome> {
    let rows: Vec<_> = (1..)
        .zip(rows)
        .map(|(row, designation)| ImportLabDesignationsRequest {
            row,
            lab_designation: Some(designation),
            ..ImportLabDesignationsRequest::default()
        })
        .collect();
    let answer = register.labs().import_lab_designations(tokio_stream::iter(rows)).await;
    answer.unwrap().into_inner().outcomes
}

async fn a_lab_is_named_as_lists_name_it(store: Store) {
    let register = Register::start(store).await;
    let one = hosted(&register, "海洋化学实验室", "青岛", "第一大学").await;
    let other = hosted(&register, "海洋化学实验室", "济南", "第二大学").await;
    let third = hosted(&register, "海洋化学实验室", "济南", "第三大学").await;
    let renamed = Lab {
        names: vec![Name {
            text: "深海实验室".to_owned(),
            kind: NameKind::Former as i32,
            ..Name::default()
        }],
        city: "青岛".to_owned(),
        display_name: "远海实验室".to_owned(),
        ..Lab::default()
    };
    let renamed = create_lab(&register, renamed).await.unwrap();
    let rows = vec![
        decided(named("海洋化学实验室", "", ""), "1"),
        decided(named("海洋化学实验室", "青岛", ""), "2"),
        decided(named("海洋化学实验室", "济南", ""), "3"),
        decided(named("海洋化学实验室", "济南", "第三大学"), "4"),
        decided(named("深海实验室", "", ""), "5"),
        decided(named("没有的实验室", "", ""), "6"),
        decided(named("海洋化学实验室", "", "第二大学"), "7"),
    ];
    let told = designations(&register, rows.clone()).await;
    let under = |outcome: &RowOutcome| outcome.name.split("/designations").next().unwrap().to_owned();
    let expected = ["", &one.name, "", &third.name, &renamed.name, "", &other.name];
    assert_eq!(told.iter().map(under).collect::<Vec<_>>(), expected, "{told:#?}");
    let unclear = &told[0].problems[0];
    assert_eq!(
        (unclear.field.as_str(), unclear.reason.as_str()),
        ("lab.display_name", "REFERENCE_AMBIGUOUS")
    );
    for part in [
        "海洋化学实验室 (青岛, ",
        &other.name,
        "mingce merge",
        "identifier",
        "3 条记录同名",
        "请补充标识",
    ] {
        assert!(unclear.description.contains(part), "{part}: {}", unclear.description);
    }
    let mut holders: Vec<_> = unclear
        .holders
        .iter()
        .map(|h| (h.name.clone(), h.display_name.as_str()))
        .collect();
    holders.sort();
    let mut all = [&one, &other, &third].map(|lab| (lab.name.clone(), "海洋化学实验室"));
    all.sort();
    assert_eq!(holders, all);
    assert_eq!(told[2].problems[0].holders.len(), 2);
    assert_eq!(told[5].problems[0].reason, "REFERENCE_NOT_FOUND");
    assert_eq!(
        told[1].display_name, "市级重点实验室",
        "what the row means is said by name too"
    );
    // What bears the name now comes before what bore it.
    let deep = hosted(&register, "深海实验室", "烟台", "第四大学").await;
    let told = designations(&register, vec![decided(named("深海实验室", "", ""), "8")]).await;
    assert_eq!(under(&told[0]), deep.name);
    // A lab that has the city comes before one of which no city is known.
    let placed = hosted(&register, "远洋实验室", "青岛", "第五大学").await;
    hosted(&register, "远洋实验室", "", "第六大学").await;
    let told = designations(&register, vec![decided(named("远洋实验室", "青岛", ""), "10")]).await;
    assert_eq!(under(&told[0]), placed.name, "{told:#?}");
    // In a call too.
    let record = RecordLabDesignationRequest {
        parent: one.name.clone(),
        lab_designation: Some(decided(LabReference::default(), "9")),
        ..RecordLabDesignationRequest::default()
    };
    register.labs().record_lab_designation(record).await.unwrap();
    let successor = Lab {
        display_name: "近海实验室".to_owned(),
        successor: Some(named("海洋化学实验室", "青岛", "")),
        ..Lab::default()
    };
    let made = create_lab(&register, successor.clone()).await.unwrap();
    assert_eq!(made.successor.unwrap().lab, one.name);
    let unclear = Lab {
        successor: Some(named("海洋化学实验室", "", "")),
        ..successor
    };
    let refused = failure(create_lab(&register, unclear).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "REFERENCE_AMBIGUOUS"));
    assert_eq!(refused.fields, ["lab.successor.display_name"]);
    assert!(refused.descriptions[0].contains(&one.name), "{refused:?}");
    let again = designations(&register, rows).await;
    assert_eq!(again[1].outcome(), Outcome::Unchanged);
}

async fn programme(register: &Register, code: &str, display_name: &str, former: &str) -> Programme {
    let names = (!former.is_empty()).then(|| Name {
        text: former.to_owned(),
        kind: NameKind::Former as i32,
        ..Name::default()
    });
    let request = CreateProgrammeRequest {
        programme: Some(Programme {
            code: code.to_owned(),
            display_name: display_name.to_owned(),
            level: Level::Municipal as i32,
            names: names.into_iter().collect(),
            ..Programme::default()
        }),
        ..CreateProgrammeRequest::default()
    };
    register.talent().create_programme(request).await.unwrap().into_inner()
}

async fn scheme(register: &Register, code: &str, display_name: &str, former: &str) -> Scheme {
    let names = (!former.is_empty()).then(|| Name {
        text: former.to_owned(),
        kind: NameKind::Former as i32,
        ..Name::default()
    });
    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            code: code.to_owned(),
            display_name: display_name.to_owned(),
            names: names.into_iter().collect(),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    register.awards().create_scheme(request).await.unwrap().into_inner()
}

fn recognised(who: TalentReference, programme: &str, number: &str) -> TalentDesignation {
    TalentDesignation {
        talent: Some(who),
        programme: Some(ProgrammeReference {
            display_name: programme.to_owned(),
            ..ProgrammeReference::default()
        }),
        state: TalentDesignationState::InTerm as i32,
        number: number.to_owned(),
        decision_date: "2023-11-17".to_owned(),
        ..TalentDesignation::default()
    }
}

async fn recognitions(register: &Register, rows: Vec<TalentDesignation>) -> Vec<RowOutcome> {
    let rows: Vec<_> = (1..)
        .zip(rows)
        .map(|(row, designation)| ImportTalentDesignationsRequest {
            row,
            talent_designation: Some(designation),
            ..ImportTalentDesignationsRequest::default()
        })
        .collect();
    let answer = register
        .talent()
        .import_talent_designations(tokio_stream::iter(rows))
        .await;
    answer.unwrap().into_inner().outcomes
}

fn award(number: &str, scheme: SchemeReference, who: TalentReference) -> Award {
    Award {
        title: format!("虚构的成果{number}"),
        number: number.to_owned(),
        year: 2024,
        state: AwardState::Conferred as i32,
        scheme: Some(scheme),
        contributors: vec![Contributor {
            talent: Some(who),
            ..Contributor::default()
        }],
        ..Award::default()
    }
}

async fn record(register: &Register, award: Award, validate_only: bool) -> Result<Award, Failure> {
    let request = RecordAwardRequest {
        award: Some(award),
        validate_only,
        ..RecordAwardRequest::default()
    };
    let answer = register.awards().record_award(request).await;
    answer.map(tonic::Response::into_inner).map_err(Failure::from)
}

fn scheme_named(display_name: &str) -> SchemeReference {
    SchemeReference {
        display_name: display_name.to_owned(),
        ..SchemeReference::default()
    }
}

async fn a_programme_and_a_scheme_are_named_by_what_they_are_called_now_before_what_they_were(store: Store) {
    let register = Register::start(store).await;
    let who = person(&register, of("甲一明", "1", "")).await;
    let by_name = |number: &str| TalentReference {
        identifier: Some(identifier(number)),
        ..TalentReference::default()
    };
    let old = programme(&register, "island", "海岛计划", "岛屿计划").await;
    let told = recognitions(&register, vec![recognised(by_name("1"), "岛屿计划", "1")]).await;
    assert_eq!(told[0].outcome(), Outcome::Created, "{told:?}");
    let new = programme(&register, "isle", "岛屿计划", "").await;
    programme(&register, "twin-one", "双名计划", "").await;
    programme(&register, "twin-two", "双名计划", "").await;
    let rows = vec![
        recognised(by_name("1"), "岛屿计划", "2"),
        recognised(by_name("1"), "海岛计划", "3"),
        recognised(by_name("1"), "双名计划", "4"),
        recognised(by_name("1"), "没有的计划", "5"),
    ];
    let told = recognitions(&register, rows).await;
    let list = mingce_proto::talent::ListTalentDesignationsRequest {
        parent: who.name.clone(),
        ..Default::default()
    };
    let all = register
        .talent()
        .list_talent_designations(list)
        .await
        .unwrap()
        .into_inner()
        .talent_designations;
    let under = |number: &str| {
        let one = all.iter().find(|d| d.number == number).unwrap();
        one.programme.clone().unwrap().programme
    };
    assert_eq!(
        (under("1"), under("2"), under("3")),
        (old.name.clone(), new.name, old.name)
    );
    let unclear = &told[2].problems[0];
    assert_eq!(
        (unclear.field.as_str(), unclear.reason.as_str()),
        ("programme.display_name", "REFERENCE_AMBIGUOUS")
    );
    for part in ["twin-one", "twin-two", "give the code", "请填写代码"] {
        assert!(unclear.description.contains(part), "{}", unclear.description);
    }
    assert_eq!(unclear.holders.len(), 2);
    assert_eq!(told[3].problems[0].reason, "REFERENCE_NOT_FOUND");

    let of_old = scheme(&register, "progress", "进步奖", "科技进步奖").await;
    let nobody = |name: &str| TalentReference {
        display_name: name.to_owned(),
        ..TalentReference::default()
    };
    let made = record(
        &register,
        award("1", scheme_named("科技进步奖"), nobody("乙二亮")),
        false,
    )
    .await
    .unwrap();
    assert_eq!(made.scheme.unwrap().scheme, of_old.name);
    assert_eq!(
        made.contributors[0].talent.as_ref().unwrap().talent,
        "",
        "a name alone is somebody outside"
    );
    let of_new = scheme(&register, "science-progress", "科技进步奖", "").await;
    let made = record(
        &register,
        award("2", scheme_named("科技进步奖"), nobody("乙二亮")),
        false,
    )
    .await
    .unwrap();
    assert_eq!(made.scheme.unwrap().scheme, of_new.name);
    let refused = record(&register, award("3", scheme_named("没有的奖"), nobody("乙二亮")), false)
        .await
        .unwrap_err();
    assert_eq!(refused.is(), (Code::InvalidArgument, "REFERENCE_NOT_FOUND"));
    assert_eq!(refused.fields, ["award.scheme.display_name"]);
}

fn of(display_name: &str, number: &str, identity_document: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        identifiers: (!number.is_empty()).then(|| identifier(number)).into_iter().collect(),
        identity_document: identity_document.to_owned(),
        ..Talent::default()
    }
}

fn documented(display_name: &str, identity_document: &str) -> TalentReference {
    TalentReference {
        display_name: display_name.to_owned(),
        identity_document: identity_document.to_owned(),
        ..TalentReference::default()
    }
}

async fn a_document_leads_to_a_person_only_for_who_knows_the_name_too(store: Store) {
    let mut register = Register::start(store).await;
    let who = person(&register, of("甲一明", "", PASSPORT)).await;
    let resident = person(&register, of("丙三立", "", NUMBER)).await;
    scheme(&register, "progress", "进步奖", "").await;
    programme(&register, "island", "海岛计划", "").await;
    let tried = |number: &str, who: TalentReference| award(number, scheme_named("进步奖"), who);
    let made = record(&register, tried("1", documented("甲一明", "E 9876 5432")), false)
        .await
        .unwrap();
    let stored = made.contributors[0].talent.clone().unwrap();
    let expected = TalentReference {
        talent: who.name.clone(),
        display_name: "甲一明".to_owned(),
        ..TalentReference::default()
    };
    assert_eq!(stored, expected, "the document is kept nowhere");
    // A right document with a wrong name is told like one that nobody has.
    let mut said = Vec::new();
    for reference in [
        documented("乙二亮", PASSPORT),
        documented("甲一明", UNKNOWN),
        documented("", PASSPORT),
    ] {
        let refused = record(&register, tried("2", reference), false).await.unwrap_err();
        assert_eq!(refused.is(), (Code::InvalidArgument, "REFERENCE_NOT_FOUND"));
        assert_eq!(refused.fields, ["award.contributors[0].talent.identity_document"]);
        assert!(!format!("{refused:?}").contains("98765432"), "{refused:?}");
        said.push(refused.descriptions.clone());
    }
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{said:?}");
    // What is only tried is not looked for.
    for reference in [
        documented("甲一明", PASSPORT),
        documented("乙二亮", PASSPORT),
        documented("甲一明", UNKNOWN),
    ] {
        record(&register, tried("3", reference), true).await.unwrap();
    }
    let wrong = record(&register, tried("4", documented("甲一明", "3.79901E+17")), true)
        .await
        .unwrap_err();
    assert_eq!(wrong.fields, ["award.contributors[0].talent.identity_document"]);
    // Rows too, and 15 digits that became 18.
    let rows = vec![
        recognised(documented("丙三立", "110105491231002"), "海岛计划", "1"),
        recognised(documented("丁四平", NUMBER), "海岛计划", "2"),
        recognised(documented("甲一明", UNKNOWN), "海岛计划", "3"),
        recognised(documented("甲一明", PASSPORT), "海岛计划", "4"),
    ];
    let told = recognitions(&register, rows).await;
    assert!(told[0].name.starts_with(&resident.name), "{told:?}");
    assert_eq!(
        told[1].problems, told[2].problems,
        "nobody learns which of the two is wrong"
    );
    assert_eq!(told[1].problems[0].field, "talent.identity_document");
    assert!(told[3].name.starts_with(&who.name), "{told:?}");
    let history = ListRevisionsRequest {
        name: told[3].name.clone(),
        ..ListRevisionsRequest::default()
    };
    let history = register.talent().list_revisions(history).await.unwrap().into_inner();
    let stopped = register.stop();
    let mut all = vec![
        history.encode_to_vec(),
        stopped.stderr.into_bytes(),
        stopped.stdout.into_bytes(),
    ];
    if store == Store::Sqlite {
        let folder = register.data();
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        all.extend(files.filter(|path| path.is_file()).map(|path| fs::read(path).unwrap()));
    }
    for bytes in all {
        for secret in [NUMBER, PASSPORT, UNKNOWN] {
            assert!(
                !bytes.windows(secret.len()).any(|part| part == secret.as_bytes()),
                "{secret}"
            );
        }
    }
}

async fn a_name_with_a_year_or_an_employer_is_one_person_or_none(store: Store) {
    let register = Register::start(store).await;
    let with = |year: &str, employer: &str, number: &str| Talent {
        birth_date: year.to_owned(),
        employments: (!employer.is_empty())
            .then(|| Employment {
                organization: Some(OrganizationReference {
                    display_name: employer.to_owned(),
                    ..OrganizationReference::default()
                }),
                ..Employment::default()
            })
            .into_iter()
            .collect(),
        ..of("甲一明", number, "")
    };
    for employer in ["第一大学", "第二大学"] {
        let organization = mingce_proto::labs::Organization {
            display_name: employer.to_owned(),
            ..Default::default()
        };
        crate::made::made(&register, organization).await;
    }
    let old = person(&register, with("1949", "第一大学", "1")).await;
    let young = person(&register, with("1977", "第二大学", "2")).await;
    let other = person(&register, with("1977", "第一大学", "3")).await;
    scheme(&register, "progress", "进步奖", "").await;
    let by = |birth_year: i32, employer: &str| TalentReference {
        display_name: "甲一明".to_owned(),
        birth_year,
        employer: employer.to_owned(),
        ..TalentReference::default()
    };
    for (number, reference, expected) in [
        ("1", by(1949, ""), &old),
        ("2", by(0, "第二大学"), &young),
        ("3", by(1977, "第一大学"), &other),
    ] {
        let made = record(&register, award(number, scheme_named("进步奖"), reference), false)
            .await
            .unwrap();
        let stored = made.contributors[0].talent.clone().unwrap();
        assert_eq!(
            (&stored.talent, stored.birth_year, stored.employer.as_str()),
            (&expected.name, 0, "")
        );
    }
    for (reference, reason) in [
        (by(1977, ""), "REFERENCE_AMBIGUOUS"),
        (by(0, "第一大学"), "REFERENCE_AMBIGUOUS"),
        (by(1950, ""), "REFERENCE_NOT_FOUND"),
        (by(1949, "第二大学"), "REFERENCE_NOT_FOUND"),
    ] {
        let refused = record(&register, award("4", scheme_named("进步奖"), reference), false)
            .await
            .unwrap_err();
        assert_eq!(refused.is(), (Code::InvalidArgument, reason));
        assert_eq!(refused.fields, ["award.contributors[0].talent.display_name"]);
        if reason == "REFERENCE_AMBIGUOUS" {
            let said = &refused.descriptions[0];
            assert!(
                said.contains(&other.name) && said.contains("mingce merge") && said.contains("出生年份"),
                "{said}"
            );
        }
    }
}

async fn a_lab_takes_nothing_that_serves_to_find_its_persons(store: Store) {
    let register = Register::start(store).await;
    for (reference, field) in [
        (documented("甲一明", NUMBER), "identity_document"),
        (
            TalentReference {
                display_name: "甲一明".to_owned(),
                birth_year: 1949,
                ..TalentReference::default()
            },
            "birth_year",
        ),
    ] {
        let lab = Lab {
            display_name: "近海实验室".to_owned(),
            members: vec![LabMember {
                person: Some(reference),
                ..LabMember::default()
            }],
            ..Lab::default()
        };
        let refused = failure(create_lab(&register, lab).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "PERSON_NOT_RESOLVED"),
            "{refused:?}"
        );
        assert_eq!(refused.fields, [format!("lab.members[0].person.{field}")]);
        assert!(!format!("{refused:?}").contains(NUMBER));
    }
}

async fn a_file_names_what_an_earlier_part_of_it_makes_and_its_dry_run_says_the_same(store: Store) {
    let register = Register::start(store).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, mapping) = (folder.path().join("list.csv"), folder.path().join("list.toml"));
    fs::write(
        &mapping,
        r#"
[[part]]
collection = "labs"
[part.fields]
display_name = "{实验室}"
city = "{城市}"
hosts = { organization = { display_name = "{依托单位}" } }

[[part]]
collection = "labDesignations"
[part.fields]
lab = { display_name = "{实验室}", city = "{城市}" }
programme = "市级重点实验室"
level = "MUNICIPAL"
state = "OPERATING"
number = "{编号}"
decision_date = "2021-11-26"

[[part]]
collection = "programmes"
[part.fields]
code = "island"
display_name = "{计划}"

[[part]]
collection = "talents"
[part.fields]
display_name = "{姓名}"
identifiers = { scheme = "number", value = "{编号}" }
birth_date = "{出生}"

[[part]]
collection = "talentDesignations"
[part.fields]
talent = { display_name = "{姓名}", birth_year = "{出生}" }
programme = { display_name = "{计划}" }
state = "IN_TERM"
number = "{编号}"
decision_date = "2023-11-17"
"#,
    )
    .unwrap();
    let rows = "实验室,城市,依托单位,编号,计划,姓名,出生\n甲实验室,青岛,甲大学,1,海岛计划,甲一明,1949\n甲实验室,济南,乙大学,2,海岛计划,甲一明,1977\n";
    fs::write(&file, rows).unwrap();
    let (file, mapping) = (file.to_str().unwrap(), mapping.to_str().unwrap());
    let table = |flags: &[&str]| {
        let args = [&["import", file, "--as", mapping], flags].concat();
        let told = register.command(&args).output().unwrap();
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.status.success(),
            "{said}\n{}",
            String::from_utf8_lossy(&told.stderr)
        );
        let lines = said
            .lines()
            .filter(|line| line.contains(|c: char| c.is_ascii_digit()) && !line.contains(':'))
            .filter(|line| !line.starts_with("import "));
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let dry = table(&["--dry-run"]);
    let run = table(&[]);
    assert_eq!(dry, run);
    let expected = [
        "labs 2 2 0 0 0",
        "labDesignations 2 2 0 0 0",
        "programmes 2 1 0 1 0",
        "talents 2 2 0 0 0",
        "talentDesignations 2 2 0 0 0",
    ];
    assert_eq!(run, expected);
    let again = table(&[]);
    assert!(again.iter().all(|line| line.ends_with("0 0 2 0")), "{again:?}");
}
