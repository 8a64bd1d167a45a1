//! Identity documents as offices write them: one person has one, whatever stands round it. What is none makes nobody
//! another person.

use std::fs;

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{CreateLabRequest, Lab, LabMember};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{Identifier, ImportSettings, OrganizationReference, RowOutcome, TalentReference};
use mingce_proto::talent::{
    CreateProgrammeRequest, CreateTalentRequest, Employment, ImportTalentsRequest, Programme, Talent,
    UpdateTalentRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::builders::{create, identifier, organization, person};

/// The number that the standard itself has as its example.
const NUMBER: &str = "11010519491231002X";

on_both_stores!(
    a_document_is_one_however_it_is_written,
    what_is_no_document_is_refused_in_every_way_in,
    a_document_that_says_there_is_none_makes_nobody_another_person,
    the_number_of_an_identity_card_is_refused_in_every_service,
    what_the_owner_of_a_reference_would_refuse_refuses_its_row_alone,
    a_day_of_birth_beside_a_document_is_not_compared,
    a_repeated_request_is_known_after_a_change_of_keys,
    what_is_sealed_stands_nowhere_even_where_everything_is_logged,
);

fn of(display_name: &str, document: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        identity_document: document.to_owned(),
        ..Talent::default()
    }
}

fn creates(talent: Talent) -> CreateTalentRequest {
    CreateTalentRequest {
        talent: Some(talent),
        ..CreateTalentRequest::default()
    }
}

fn updates(talent: Talent, paths: &[&str]) -> UpdateTalentRequest {
    UpdateTalentRequest {
        talent: Some(talent),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        ..UpdateTalentRequest::default()
    }
}

async fn import(register: &Register, rows: Vec<Talent>, dry: bool) -> Vec<RowOutcome> {
    let requests: Vec<_> = rows
        .into_iter()
        .zip(1..)
        .map(|(talent, row)| ImportTalentsRequest {
            settings: (row == 1).then(|| ImportSettings {
                validate_only: dry,
                ..ImportSettings::default()
            }),
            row,
            talent: Some(talent),
        })
        .collect();
    let answer = register.talent().import_talents(tokio_stream::iter(requests)).await;
    answer.unwrap().into_inner().outcomes
}

async fn what_the_owner_of_a_reference_would_refuse_refuses_its_row_alone(store: Store) {
    let register = Register::start(store).await;
    let works_for = |name: &str, number: &str, employer: &str| Talent {
        display_name: name.to_owned(),
        identifiers: vec![identifier(number)],
        employments: vec![Employment {
            organization: Some(OrganizationReference {
                display_name: employer.to_owned(),
                ..OrganizationReference::default()
            }),
            ..Employment::default()
        }],
        ..Talent::default()
    };
    let rows = vec![
        works_for("张三", "1", NUMBER),
        works_for("李四", "2", "示例\u{FFFD}大学"),
        works_for("王五", "3", "示例大学"),
    ];
    let outcomes = import(&register, rows, false).await;
    let reason = |of: &RowOutcome| of.problems.first().map_or(String::new(), |p| p.reason.clone());
    let reasons: Vec<_> = outcomes.iter().map(reason).collect();
    assert_eq!(reasons, ["IDENTITY_DOCUMENT_IN_CLEAR", "TEXT_DAMAGED", ""]);
    assert_eq!(outcomes[2].outcome(), Outcome::Created);

    // What an import says of itself is told to the owner too.
    let settings = ImportSettings {
        source: format!("名单 {NUMBER}"),
        ..ImportSettings::default()
    };
    let row = ImportTalentsRequest {
        settings: Some(settings),
        row: 1,
        talent: Some(works_for("赵六", "4", "示例大学")),
    };
    let refused = failure(register.talent().import_talents(tokio_stream::iter([row])).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "IDENTITY_DOCUMENT_IN_CLEAR"));
}

async fn a_document_is_one_however_it_is_written(store: Store) {
    let register = Register::start(store).await;
    let first = person(&register, of("张三", "'110105491231002")).await;
    assert_eq!(
        (first.birth_year, first.masked_identity_document.as_str()),
        (1949, "********")
    );
    for written in [
        NUMBER,
        "身份证号：110105 19491231 002x",
        "ID: １１０１０５１９４９１２３１００２Ｘ",
        "110105-19491231-002X",
    ] {
        let refused = failure(register.talent().create_talent(creates(of("张三", written))).await);
        assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{written}");
        assert_eq!(refused.resource, first.name, "{written}");
        let [outcome] = <[RowOutcome; 1]>::try_from(import(&register, vec![of("张三", written)], false).await).unwrap();
        assert_eq!(
            (outcome.outcome(), &outcome.name),
            (Outcome::Unchanged, &first.name),
            "{outcome:?}"
        );
    }
    let same = Talent {
        name: first.name.clone(),
        ..of("", "公民身份号码 11010519491231002X")
    };
    let request = updates(same, &["identity_document"]);
    let after = register.talent().update_talent(request).await.unwrap().into_inner();
    assert_eq!(after.revision, first.revision);
}

async fn what_is_no_document_is_refused_in_every_way_in(store: Store) {
    let register = Register::start(store).await;
    let stored = person(&register, of("张三", NUMBER)).await;
    for written in [
        "3.79901E+17",
        "12345",
        "1101051949123100",
        "19491231",
        "见附件",
        "军字第1234567号",
    ] {
        let is_scientific = written.contains('+');
        let refused = failure(register.talent().create_talent(creates(of("李四", written))).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "IDENTITY_DOCUMENT_UNCLEAR"),
            "{written}"
        );
        assert_eq!(refused.fields, ["talent.identity_document"]);
        let update = updates(
            Talent {
                name: stored.name.clone(),
                ..of("", written)
            },
            &["identity_document"],
        );
        let refused = failure(register.talent().update_talent(update).await);
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "IDENTITY_DOCUMENT_UNCLEAR"),
            "{written}"
        );
        for dry in [true, false] {
            let outcomes = import(&register, vec![of("李四", written), of("王五", written)], dry).await;
            for outcome in outcomes {
                assert_eq!(outcome.outcome(), Outcome::Refused, "{written}");
                let [problem] = outcome.problems.as_slice() else {
                    panic!("{outcome:?}");
                };
                assert_eq!(
                    (problem.field.as_str(), problem.reason.as_str()),
                    ("identity_document", "IDENTITY_DOCUMENT_UNCLEAR")
                );
                assert_eq!(
                    problem.description.contains("请把该列设为文本"),
                    is_scientific,
                    "{problem:?}"
                );
                assert!(!problem.description.contains(written), "{problem:?}");
            }
        }
    }
    // By a file, as a spreadsheet saves it.
    let file = "display_name,identity_document\n张示一,3.79901E+17\n李示二,3.79901E+17\n王示三,\n";
    fs::write(register.folder().join("p.csv"), file).unwrap();
    let ran = register.cli(&["import", "p.csv", "--as", "talents"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let told = ran
        .stdout
        .matches("NUMBER_ROUNDED: a spreadsheet keeps 15 digits of a number")
        .count();
    assert_eq!(told, 2, "{ran:?}");
    assert!(!ran.stdout.contains("3.79901"), "{ran:?}");
}

async fn a_document_that_says_there_is_none_makes_nobody_another_person(store: Store) {
    let register = Register::start(store).await;
    let with = |number: &str, document: &str| Talent {
        identifiers: vec![identifier(number)],
        ..of(&format!("人{number}"), document)
    };
    let rows = ["无", "/", "—", "N/A", "暂无", "不详", "null", "身份证号：无"];
    let rows: Vec<_> = rows
        .iter()
        .zip(1..)
        .map(|(none, number)| with(&number.to_string(), none))
        .collect();
    let outcomes = import(&register, rows.clone(), false).await;
    assert!(
        outcomes.iter().all(|outcome| outcome.outcome() == Outcome::Created),
        "{outcomes:?}"
    );
    let outcomes = import(&register, rows, false).await;
    assert!(
        outcomes.iter().all(|outcome| outcome.outcome() == Outcome::Unchanged),
        "{outcomes:?}"
    );
    let made = person(&register, with("a", "-")).await;
    assert_eq!(made.masked_identity_document, "");
    // A document on record stays where a row says that it knows of none, and goes where a mask says so.
    let stored = person(&register, with("b", NUMBER)).await;
    let outcomes = import(&register, vec![with("b", "无")], false).await;
    assert_eq!(outcomes[0].outcome(), Outcome::Unchanged, "{outcomes:?}");
    let name = stored.name.clone();
    let kept = updates(
        Talent {
            name: name.clone(),
            title: "教授".to_owned(),
            ..of("", "无")
        },
        &[],
    );
    let kept = register.talent().update_talent(kept).await.unwrap().into_inner();
    assert_eq!(
        (kept.title.as_str(), kept.masked_identity_document.as_str()),
        ("教授", "********")
    );
    let gone = updates(Talent { name, ..of("", "无") }, &["identity_document"]);
    let gone = register.talent().update_talent(gone).await.unwrap().into_inner();
    assert_eq!(gone.masked_identity_document, "");
    // Identifiers of organizations are filled alike.
    let none = |scheme: &str, value: &str| Identifier {
        scheme: scheme.to_owned(),
        value: value.to_owned(),
    };
    for name in ["甲研究所", "乙研究所"] {
        let mut body = organization(name);
        body.identifiers = vec![none("uscc", "无"), none("ror", "/"), none("number", "暂无")];
        let body = register
            .labs()
            .create_organization(create(body))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(body.identifiers, []);
    }
    let mut body = organization("丙研究所");
    body.identifiers = vec![none("uscc", "统一社会信用代码：'91350100 M000100Y43")];
    let body = register
        .labs()
        .create_organization(create(body))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(body.identifiers[0].value, "91350100M000100Y43");
}

#[track_caller]
fn in_clear<T: std::fmt::Debug>(answer: Result<tonic::Response<T>, tonic::Status>, field: &str) {
    let refused = failure(answer);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "IDENTITY_DOCUMENT_IN_CLEAR"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, [field], "{refused:?}");
    for part in ["19491231", "110105"] {
        assert!(!format!("{refused:?}").contains(part), "{refused:?}");
    }
}

async fn the_number_of_an_identity_card_is_refused_in_every_service(store: Store) {
    let register = Register::start(store).await;
    for written in [
        NUMBER,
        "身份证 110105 19491231 002X",
        "110105-19491231-0021",
        "（110105491231002）",
    ] {
        let member = LabMember {
            person: Some(TalentReference {
                display_name: written.to_owned(),
                ..TalentReference::default()
            }),
            ..LabMember::default()
        };
        let lab = Lab {
            display_name: "深海实验室".to_owned(),
            members: vec![member],
            ..Lab::default()
        };
        let request = CreateLabRequest {
            lab: Some(lab),
            ..CreateLabRequest::default()
        };
        in_clear(
            register.labs().create_lab(request).await,
            "lab.members[0].person.display_name",
        );
        let mut body = organization("甲研究所");
        body.city = format!("青岛市，{written}");
        in_clear(
            register.labs().create_organization(create(body)).await,
            "organization.city",
        );
        let talent = Talent {
            education: written.to_owned(),
            ..of("张三", "")
        };
        in_clear(
            register.talent().create_talent(creates(talent.clone())).await,
            "talent.education",
        );
        let outcomes = import(&register, vec![talent], true).await;
        assert_eq!(
            outcomes[0].problems[0].reason, "IDENTITY_DOCUMENT_IN_CLEAR",
            "{outcomes:?}"
        );
        let programme = Programme {
            display_name: format!("计划{written}"),
            code: "invented".to_owned(),
            ..Programme::default()
        };
        let request = CreateProgrammeRequest {
            programme: Some(programme),
            ..CreateProgrammeRequest::default()
        };
        in_clear(
            register.talent().create_programme(request).await,
            "programme.display_name",
        );
    }
}

/// Neither the answer nor what follows tells whether a day is the right one, in a dry run or not.
async fn a_day_of_birth_beside_a_document_is_not_compared(store: Store) {
    let register = Register::start(store).await;
    let stored = person(&register, of("张三", NUMBER)).await;
    let born = |day: &str| Talent {
        name: stored.name.clone(),
        birth_date: day.to_owned(),
        ..of("张三", "")
    };
    for validate_only in [true, false] {
        let mut said = Vec::new();
        for day in ["1949-12-31", "1949-12-30", "1949-12", "1949-11"] {
            let request = UpdateTalentRequest {
                validate_only,
                ..updates(born(day), &["birth_date"])
            };
            let refused = failure(register.talent().update_talent(request).await);
            assert_eq!(
                refused.is(),
                (Code::InvalidArgument, "BIRTH_DATE_WITHOUT_DOCUMENT"),
                "{refused:?}"
            );
            said.push(format!("{refused:?}"));
            let outcomes = import(&register, vec![born(day)], validate_only).await;
            assert_eq!(outcomes[0].problems, []);
            if !validate_only {
                assert_eq!(outcomes[0].outcome(), Outcome::Unchanged, "{day}");
            }
        }
        said.dedup();
        assert_eq!(said.len(), 1, "{said:?}");
    }
    // With the document the two are compared, and the year can be seen.
    let differs = Talent {
        identity_document: NUMBER.to_owned(),
        ..born("1949-12-30")
    };
    let request = updates(differs, &["identity_document", "birth_date"]);
    let refused = failure(register.talent().update_talent(request).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "BIRTH_DATE_DIFFERS"),
        "{refused:?}"
    );
    let request = updates(born("1949"), &["birth_date"]);
    let same = register.talent().update_talent(request).await.unwrap().into_inner();
    assert_eq!((same.revision, same.birth_year), (stored.revision, 1949));
}

async fn a_repeated_request_is_known_after_a_change_of_keys(store: Store) {
    let mut register = Register::start(store).await;
    let request = CreateTalentRequest {
        request_id: "0190a5d0-1111-7222-8333-444455556666".to_owned(),
        ..creates(of("张三", NUMBER))
    };
    let first = register
        .talent()
        .create_talent(request.clone())
        .await
        .unwrap()
        .into_inner();
    register.stop();
    let key = register.data().join("master.key");
    let old = fs::read_to_string(&key).unwrap();
    fs::write(&key, format!("{}\n{old}", "0b".repeat(32))).unwrap();
    register.restart();
    let again = register
        .talent()
        .create_talent(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, first);
    let other = CreateTalentRequest {
        talent: Some(of("李四", NUMBER)),
        ..request
    };
    let refused = failure(register.talent().create_talent(other).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REQUEST_ID_REUSED"),
        "{refused:?}"
    );
}

/// A resident number of nobody for each place, and its day of birth.
fn canary(place: usize) -> (String, String) {
    let (year, month, day) = (1901 + place, 1 + place % 12, 1 + place % 28);
    let first = format!("370211{year}{month:02}{day:02}7{:02}", place + 10);
    let sum = first.chars().fold(0, |sum, c| (sum + c.to_digit(10).unwrap()) * 2 % 11);
    let check = "10X98765432".chars().nth(usize::try_from(sum).unwrap()).unwrap();
    (format!("{first}{check}"), format!("{year}-{month:02}-{day:02}"))
}

/// Where one of these texts stands in a database of PostgreSQL, as text or as bytes.
const IN_TABLES: &str = "SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format( \
     'SELECT count(*) AS n FROM %I t WHERE t::text ILIKE ANY (ARRAY[PATTERNS])', table_name), false, true, '')))[1]::text::bigint), 0)::bigint \
     FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";

async fn what_is_sealed_stands_nowhere_even_where_everything_is_logged(store: Store) {
    let mut register = Register::start(store).await;
    register.stop();
    register.set_environment(vec![("RUST_LOG".to_owned(), "trace".into())]);
    register.restart();
    let canaries: Vec<_> = (0..32).map(canary).collect();
    let whole = |place: usize| Talent {
        identifiers: vec![identifier(&format!("canary-{place}"))],
        birth_date: canaries[place].1.clone(),
        ..of(&format!("人{place}"), &canaries[place].0)
    };
    let mut said = String::new();
    for place in 0..8 {
        let made = person(&register, whole(place)).await;
        // Refused: taken, of another day, with a wrong check, and in clear.
        let again = register.talent().create_talent(creates(whole(place))).await;
        said += &format!("{made:?} {:?}", failure(again));
        let other = Talent {
            birth_date: canaries[place + 1].1.clone(),
            ..whole(place)
        };
        said += &format!("{:?}", failure(register.talent().create_talent(creates(other)).await));
        let clear = of(&canaries[place].0, "");
        said += &format!("{:?}", failure(register.talent().create_talent(creates(clear)).await));
        let changed = Talent {
            name: made.name,
            ..whole(place + 8)
        };
        let request = updates(changed, &["identity_document", "birth_date"]);
        said += &format!("{:?}", register.talent().update_talent(request).await.unwrap());
    }
    for dry in [true, false] {
        said += &format!("{:?}", import(&register, (16..24).map(whole).collect(), dry).await);
    }
    let mut file = "display_name,identity_document,birth_date\n".to_owned();
    for (number, day) in &canaries[24..] {
        file += &format!("示例甲,身份证号：{number},{day}\n{number},,\n示例乙,{number}9,\n");
    }
    fs::write(register.folder().join("canaries.csv"), file).unwrap();
    for flags in [&["--dry-run"][..], &["--refused", "refused.xlsx"]] {
        let ran = register.cli(&[&["import", "canaries.csv", "--as", "talents"], flags].concat());
        assert_eq!(ran.code, Some(3), "{ran:?}");
        said += &format!("{ran:?}");
    }
    register
        .cli(&["export", "talents", "--to", "talents.jsonl"])
        .succeeded();
    said += &fs::read_to_string(register.folder().join("talents.jsonl")).unwrap();
    let ran = register.kill();
    assert!(
        ran.stderr.contains("TRACE") && said.contains("人7"),
        "everything is logged"
    );
    said += &format!("{ran:?}");
    let secrets: Vec<&str> = canaries
        .iter()
        .flat_map(|(number, day)| [number.as_str(), day.as_str()])
        .collect();
    for secret in &secrets {
        assert!(!said.contains(secret), "{secret} was said");
    }
    match store {
        Store::Sqlite => {
            for file in fs::read_dir(register.data()).unwrap() {
                let path = file.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                for secret in &secrets {
                    let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                    assert!(!found, "{} holds {secret}", path.display());
                }
            }
        }
        Store::Postgres => {
            let below = |texts: &[&str]| {
                let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
                let patterns: Vec<_> = texts
                    .iter()
                    .flat_map(|t| [format!("''%%{t}%%''"), format!("''%%{}%%''", hex(t))])
                    .collect();
                IN_TABLES.replace("PATTERNS", &patterns.join(","))
            };
            assert_eq!(register.number(&below(&secrets)).await, 0);
            assert!(
                register.number(&below(&["人7"])).await > 0,
                "that query does find what is there"
            );
        }
    }
}
