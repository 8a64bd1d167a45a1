//! References as lists have them: labs, schemes and programmes by name, persons by an identity document or by what is
//! known beside their name. Invented persons only.

use std::fs;

use mingce_e2e::{Failure, Register, Store, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::{CreateLabRequest, Lab};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Level, Name, NameKind, RowOutcome, TalentReference};
use mingce_proto::talent::{
    CreateProgrammeRequest, ImportTalentDesignationsRequest, Programme, ProgrammeReference, Talent, TalentDesignation,
    TalentDesignationState,
};
use tonic::Code;

use crate::builders::{identifier, person};

mod labs;
mod persons;

on_both_stores!(
    a_programme_and_a_scheme_are_named_by_what_they_are_called_now_before_what_they_were,
    a_file_names_what_an_earlier_part_of_it_makes_and_its_dry_run_says_the_same,
);

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
