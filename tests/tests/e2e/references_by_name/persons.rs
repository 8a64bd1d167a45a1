//! Persons by an identity document, or by a year of birth or an employer beside their name.

use std::fs;

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{Lab, LabMember};
use mingce_proto::registry::{OrganizationReference, TalentReference};
use mingce_proto::talent::{Employment, ListRevisionsRequest, Talent};
use prost::Message;
use tonic::Code;

use super::{award, create_lab, of, programme, recognised, recognitions, record, scheme, scheme_named};
use crate::builders::person;

on_both_stores!(
    a_document_leads_to_a_person_only_for_who_knows_the_name_too,
    a_name_with_a_year_or_an_employer_is_one_person_or_none,
    a_lab_takes_nothing_that_serves_to_find_its_persons,
);

/// The number that the standard itself has as its example, and passports of nobody.
const NUMBER: &str = "11010519491231002X";
const PASSPORT: &str = "E98765432";
const UNKNOWN: &str = "E11223344";

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
        crate::builders::made(&register, organization).await;
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
