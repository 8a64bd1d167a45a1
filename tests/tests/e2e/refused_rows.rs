//! A row of an import that is refused leaves nothing behind: organizations that only such rows name are neither made
//! nor listed.

use std::fs;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, CompletingOrganization, CreateSchemeRequest, ImportAwardsRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::{ImportLabsRequest, Lab, LabHost};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{CreatedReference, Identifier, ImportSettings, OrganizationReference, RowOutcome};
use mingce_proto::talent::{
    CreateProgrammeRequest, Employment, ImportTalentDesignationsRequest, ImportTalentsRequest, Programme,
    ProgrammeReference, Talent, TalentDesignation, TalentDesignationState,
};

use crate::builders::{count, identifier, person};

on_both_stores!(
    a_row_that_is_refused_makes_no_organization,
    what_a_refused_row_names_another_row_makes_with_what_it_says,
    a_file_lists_only_what_rows_that_are_taken_make,
    outcomes_name_what_they_are_about,
);

fn named(display_name: &str) -> OrganizationReference {
    OrganizationReference {
        display_name: display_name.to_owned(),
        ..OrganizationReference::default()
    }
}

fn dry(validate_only: bool) -> ImportSettings {
    ImportSettings {
        validate_only,
        ..ImportSettings::default()
    }
}

pub type Answer = (Vec<RowOutcome>, Vec<CreatedReference>);

macro_rules! imports {
    ($name:ident, $client:ident, $method:ident, $request:ident, $field:ident, $item:ty) => {
        pub async fn $name(register: &Register, rows: &[$item], settings: ImportSettings) -> Answer {
            let rows: Vec<_> = (1..)
                .zip(rows)
                .map(|(row, item)| $request {
                    settings: Some(settings.clone()).filter(|_| row == 1),
                    row,
                    $field: Some(item.clone()),
                })
                .collect();
            let answer = register.$client().$method(tokio_stream::iter(rows)).await;
            let answer = answer.unwrap().into_inner();
            (answer.outcomes, answer.created_references)
        }
    };
}
imports!(labs, labs, import_labs, ImportLabsRequest, lab, Lab);
imports!(talents, talent, import_talents, ImportTalentsRequest, talent, Talent);
imports!(
    designations,
    talent,
    import_talent_designations,
    ImportTalentDesignationsRequest,
    talent_designation,
    TalentDesignation
);
imports!(awards, awards, import_awards, ImportAwardsRequest, award, Award);

fn lab(display_name: &str, number: &str, host: OrganizationReference) -> Lab {
    Lab {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(number)],
        hosts: vec![LabHost {
            organization: Some(host),
            ..LabHost::default()
        }],
        ..Lab::default()
    }
}

pub fn employed(display_name: &str, identifiers: Vec<Identifier>, employer: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        identifiers,
        employments: vec![Employment {
            organization: Some(named(employer)),
            ..Employment::default()
        }],
        ..Talent::default()
    }
}

pub fn award(number: &str, year: i32, of: &str) -> Award {
    Award {
        title: "虚构的成果".to_owned(),
        number: number.to_owned(),
        year,
        state: AwardState::Conferred as i32,
        scheme: Some(SchemeReference {
            code: "progress".to_owned(),
            ..SchemeReference::default()
        }),
        completing_organizations: vec![CompletingOrganization {
            organization: Some(named(of)),
            ..CompletingOrganization::default()
        }],
        ..Award::default()
    }
}

pub async fn prepared(store: Store) -> Register {
    let register = Register::start(store).await;
    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            code: "progress".to_owned(),
            display_name: "进步奖".to_owned(),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    register.awards().create_scheme(request).await.unwrap();
    for code in ["island", "isle"] {
        let request = CreateProgrammeRequest {
            programme: Some(Programme {
                code: code.to_owned(),
                display_name: code.to_owned(),
                family: "island".to_owned(),
                ..Programme::default()
            }),
            ..CreateProgrammeRequest::default()
        };
        register.talent().create_programme(request).await.unwrap();
    }
    person(
        &register,
        Talent {
            display_name: "甲一明".to_owned(),
            identifiers: vec![identifier("1")],
            ..Talent::default()
        },
    )
    .await;
    register
}

pub fn recognised(programme: &str, number: &str, employer: &str) -> TalentDesignation {
    TalentDesignation {
        talent: Some(mingce_proto::registry::TalentReference {
            identifier: Some(identifier("1")),
            ..Default::default()
        }),
        programme: Some(ProgrammeReference {
            code: programme.to_owned(),
            ..ProgrammeReference::default()
        }),
        employer: Some(named(employer)),
        state: TalentDesignationState::InTerm as i32,
        number: number.to_owned(),
        decision_date: "2023-11-17".to_owned(),
        ..TalentDesignation::default()
    }
}

/// How rows ended: the reason of those that were refused.
pub fn ends(outcomes: &[RowOutcome]) -> Vec<String> {
    let end = |outcome: &RowOutcome| match outcome.problems.first() {
        Some(problem) => problem.reason.clone(),
        None => outcome
            .outcome()
            .as_str_name()
            .trim_start_matches("OUTCOME_")
            .to_owned(),
    };
    outcomes.iter().map(end).collect()
}

fn made(answer: &Answer) -> Vec<&str> {
    answer.1.iter().map(|made| made.display_name.as_str()).collect()
}

async fn a_row_that_is_refused_makes_no_organization(store: Store) {
    let register = prepared(store).await;
    let orcid = |value: &str| Identifier {
        scheme: "orcid".to_owned(),
        value: value.to_owned(),
    };
    // What is wrong by itself, and what only the register or an earlier row of the file makes wrong.
    let long = OrganizationReference {
        city: "青".repeat(101),
        ..named("没有一")
    };
    let of_labs = [
        lab("一号实验室", "1", named("甲大学")),
        Lab {
            division_code: "999999".to_owned(),
            ..lab("二号实验室", "2", named("没有二"))
        },
        lab("滨海湿地", "1", named("没有三")),
        lab("三号实验室", "3", long),
        lab("四号实验室", "4", named("甲大学")),
    ];
    let of_talents = [
        employed("丙三立", vec![identifier("3"), orcid("0000-0002-1825-0097")], "乙大学"),
        employed("丁四平", vec![orcid("0000-0002-1825-0097")], "没有四"),
        employed("戊五安", vec![], "没有五"),
        employed("己六宁", vec![identifier("6")], "乙大学"),
    ];
    let of_designations = [
        recognised("island", "1", "丙大学"),
        recognised("isle", "2", "没有六"),
        recognised("nothing", "3", "没有七"),
    ];
    let of_awards = [
        award("1", 2024, "丁大学"),
        award("1", 2023, "没有八"),
        award("", 2024, "没有九"),
        award("2", 2024, "丁大学"),
    ];
    let expected = [
        vec![
            "CREATED",
            "DIVISION_CODE_PROVINCE_UNKNOWN",
            "RECORDS_DISAGREE",
            "STRING_MAX_LEN",
            "CREATED",
        ],
        vec!["CREATED", "RECORDS_DISAGREE", "IDENTIFIER_MISSING", "CREATED"],
        vec!["CREATED", "IDENTIFIER_TAKEN", "REFERENCE_NOT_FOUND"],
        vec!["CREATED", "ROW_TWICE", "NUMBER_MISSING", "CREATED"],
    ];
    for validate_only in [true, false] {
        let answers = [
            labs(&register, &of_labs, dry(validate_only)).await,
            talents(&register, &of_talents, dry(validate_only)).await,
            designations(&register, &of_designations, dry(validate_only)).await,
            awards(&register, &of_awards, dry(validate_only)).await,
        ];
        for ((answer, expected), host) in answers
            .iter()
            .zip(&expected)
            .zip(["甲大学", "乙大学", "丙大学", "丁大学"])
        {
            assert_eq!(&ends(&answer.0), expected, "{:#?}", answer.0);
            assert_eq!(made(answer), [host], "dry {validate_only}");
        }
        let kept = if validate_only { 0 } else { 4 };
        assert_eq!(count(&register).await, kept, "dry {validate_only}");
    }
}

async fn what_a_refused_row_names_another_row_makes_with_what_it_says(store: Store) {
    let register = prepared(store).await;
    let at = |city: &str| OrganizationReference {
        city: city.to_owned(),
        ..named("甲大学")
    };
    let wrong = |number: &str, host: OrganizationReference| Lab {
        division_code: "9".to_owned(),
        ..lab("坏实验室", number, host)
    };
    // The first says where it is, and is refused: the city is not taken from there.
    let rows = [
        wrong("1", at("青岛")),
        lab("二号实验室", "2", at("")),
        lab("三号实验室", "3", at("青岛")),
        wrong("4", named("没有")),
        lab("五号实验室", "5", named("乙大学")),
    ];
    for validate_only in [true, false] {
        let answer = labs(&register, &rows, dry(validate_only)).await;
        let ended = ends(&answer.0);
        assert_eq!(ended.iter().filter(|end| *end == "CREATED").count(), 3, "{ended:?}");
        let mut all = made(&answer);
        all.sort_unstable();
        assert_eq!(all, ["乙大学", "甲大学"], "dry {validate_only}: {:?}", answer.1);
        let first = answer.1.iter().find(|made| made.display_name == "甲大学").unwrap();
        assert_eq!(first.key, "甲大学|", "dry {validate_only}");
    }
    assert_eq!(count(&register).await, 2);
    let again = labs(&register, &rows, dry(false)).await;
    assert_eq!(made(&again), Vec::<&str>::new());
    assert_eq!(
        ends(&again.0).iter().filter(|end| *end == "UNCHANGED").count(),
        3,
        "{:?}",
        again.0
    );
    assert_eq!(count(&register).await, 2);
}

async fn a_file_lists_only_what_rows_that_are_taken_make(store: Store) {
    let register = Register::start(store).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, mapping) = (folder.path().join("list.csv"), folder.path().join("list.toml"));
    fs::write(
        &mapping,
        "[[part]]\ncollection = \"labs\"\n[part.fields]\ndisplay_name = \"{名称}\"\ndivision_code = \"{区划}\"\nhosts = { organization = { display_name = \"{单位}\" } }\n",
    )
    .unwrap();
    // More than one piece of a dry run, and more than one of a run.
    let mut text = "名称,区划,单位\n".to_owned();
    for row in 0..1_200 {
        let (code, host) = if row % 3 == 0 { ("9", "坏") } else { ("370202", "好") };
        text.push_str(&format!("实验室{row},{code},{host}大学{}\n", row % 100));
    }
    fs::write(&file, text).unwrap();
    let (file, mapping) = (file.to_str().unwrap(), mapping.to_str().unwrap());
    for (flags, kept) in [(vec!["--dry-run"], 0), (vec![], 100)] {
        let created = folder.path().join("created.csv");
        let list = ["--created", created.to_str().unwrap()];
        let args = [&["import", file, "--as", mapping], &list[..], &flags].concat();
        let told = register.command(&args).output().unwrap();
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        assert_eq!(told.status.code(), Some(3), "{said}");
        let numbers: Vec<&str> = said
            .lines()
            .find(|l| l.starts_with("labs"))
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(numbers[1..], ["1200", "800", "0", "0", "400"], "{said}");
        assert!(said.contains("100 organizations that rows name"), "{said}");
        let listed = fs::read_to_string(&created).unwrap();
        assert_eq!(listed.lines().count(), 101, "{listed}");
        assert!(!listed.contains('坏'), "{listed}");
        assert_eq!(count(&register).await, kept);
    }
}

async fn outcomes_name_what_they_are_about(store: Store) {
    let register = prepared(store).await;
    let rows = [
        lab("一号实验室", "1", named("甲大学")),
        lab("滨海湿地", "1", named("甲大学")),
        Lab {
            city: "青岛".to_owned(),
            ..lab("一号实验室", "1", named("甲大学"))
        },
    ];
    let first = labs(&register, &rows, dry(false)).await.0;
    assert_eq!(ends(&first), ["CREATED", "RECORDS_DISAGREE", "ROW_TWICE"]);
    for (outcome, name) in first.iter().zip(["一号实验室", "", ""]) {
        assert_eq!(outcome.display_name, name);
    }
    for refused in &first[1..] {
        let [holder] = refused.problems[0].holders.as_slice() else {
            panic!("{refused:?}")
        };
        assert_eq!(
            (holder.name.as_str(), holder.display_name.as_str()),
            (first[0].name.as_str(), "一号实验室")
        );
    }
    // Found by its number, it is called what the register calls it.
    let renamed = Lab {
        names: vec![mingce_proto::registry::Name {
            text: "一号实验室".to_owned(),
            ..Default::default()
        }],
        ..lab("一号重点实验室", "1", named("甲大学"))
    };
    let again = labs(&register, &[renamed], dry(false)).await.0;
    assert_eq!(
        (again[0].outcome(), again[0].display_name.as_str()),
        (Outcome::Updated, "一号重点实验室")
    );
    let same = labs(
        &register,
        &[Lab {
            identifiers: vec![identifier("1")],
            display_name: "一号重点实验室".to_owned(),
            ..Lab::default()
        }],
        dry(true),
    )
    .await
    .0;
    assert_eq!(
        (same[0].outcome(), same[0].display_name.as_str()),
        (Outcome::Unchanged, "一号重点实验室")
    );
    // A row of two records says which they are and what to do.
    let ninth = lab("九号重点实验室", "9", named("甲大学"));
    let other = labs(&register, std::slice::from_ref(&ninth), dry(false)).await.0;
    let both = Lab {
        identifiers: vec![identifier("1"), identifier("9")],
        ..ninth
    };
    let told = labs(&register, &[both], dry(false)).await.0;
    assert_eq!(ends(&told), ["RECORDS_DISAGREE"]);
    let said = &told[0].problems[0].description;
    assert!(said.contains(&first[0].name) && said.contains(&other[0].name), "{said}");
    assert!(said.ends_with("merge them or mend the row"), "{said}");
    // Nothing that is sealed.
    let sealed = Talent {
        identity_document: "E98765432".to_owned(),
        ..employed("丙三立", vec![], "甲大学")
    };
    let who = talents(&register, std::slice::from_ref(&sealed), dry(false)).await.0;
    let wrong = Talent {
        display_name: "丁四平".to_owned(),
        ..sealed
    };
    let told = talents(&register, &[wrong], dry(false)).await.0;
    assert_eq!(ends(&told), ["RECORDS_DISAGREE"]);
    assert_eq!(told[0].problems[0].holders[0].name, who[0].name);
    assert!(!format!("{told:?}").contains("98765432"), "{told:?}");
}
