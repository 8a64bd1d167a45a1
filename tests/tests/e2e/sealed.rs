//! Personal data that is sealed: it appears in no answer, no entry of the ledger, no log and no byte of the database.

use std::fs;

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{ImportSettings, Name, View};
use mingce_proto::talent::{
    CreateTalentRequest, GetTalentRequest, ImportTalentsRequest, ListRevisionsRequest, ListTalentsRequest,
    SearchTalentsRequest, Talent, UpdateTalentRequest,
};
use prost::Message;
use prost_types::FieldMask;
use tonic::Code;

use crate::builders::person;

/// The number that the standard itself has as its example.
const NUMBER: &str = "11010519491231002X";
const BIRTH_DATE: &str = "1949-12-31";
/// A passport of nobody.
const PASSPORT: &str = "E98765432";

on_both_stores!(
    dry_runs_do_not_tell_a_right_guess_from_a_wrong_one,
    a_key_file_that_others_can_read_or_that_lacks_the_key_in_use_is_refused,
    sealed_fields_appear_nowhere,
    a_sealed_document_is_found_by_a_blind_index,
    an_update_keeps_what_a_reader_cannot_send_back,
    a_refused_document_is_not_repeated,
    a_register_does_not_start_without_its_key,
);

fn invented(display_name: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        names: vec![Name {
            text: "Zhang San".to_owned(),
            ..Name::default()
        }],
        ..Talent::default()
    }
}

fn with_document(number: &str) -> Talent {
    Talent {
        identity_document: number.to_owned(),
        ..invented("张三")
    }
}

fn with_birth_date() -> Talent {
    Talent {
        identity_document: PASSPORT.to_owned(),
        birth_date: BIRTH_DATE.to_owned(),
        ..invented("李四")
    }
}

/// No part of these bytes is what is sealed.
#[track_caller]
fn holds_nothing(bytes: &[u8], what: &str) {
    for secret in [NUMBER, BIRTH_DATE, PASSPORT, "19491231"] {
        let found = bytes
            .windows(secret.len())
            .any(|window| window.eq_ignore_ascii_case(secret.as_bytes()));
        assert!(!found, "{what} holds {secret}");
    }
}

async fn sealed_fields_appear_nowhere(store: Store) {
    let mut register = Register::start(store).await;
    let one = person(&register, with_document(NUMBER)).await;
    let other = person(&register, with_birth_date()).await;
    assert_eq!(
        (one.masked_identity_document.as_str(), one.birth_year, other.birth_year),
        ("********", 1949, 1949)
    );
    let mut talent = register.talent();
    let update = UpdateTalentRequest {
        talent: Some(Talent {
            title: "教授".to_owned(),
            ..one.clone()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["title".to_owned()],
        }),
        ..UpdateTalentRequest::default()
    };
    let mut answers = vec![
        one.encode_to_vec(),
        other.encode_to_vec(),
        talent.update_talent(update).await.unwrap().into_inner().encode_to_vec(),
    ];
    let view = View::Full as i32;
    for name in [one.name.clone(), other.name] {
        let get = GetTalentRequest {
            name: name.clone(),
            view,
        };
        answers.push(talent.get_talent(get).await.unwrap().into_inner().encode_to_vec());
        let history = ListRevisionsRequest {
            name,
            ..ListRevisionsRequest::default()
        };
        answers.push(
            talent
                .list_revisions(history)
                .await
                .unwrap()
                .into_inner()
                .encode_to_vec(),
        );
    }
    let list = ListTalentsRequest {
        view,
        ..ListTalentsRequest::default()
    };
    answers.push(talent.list_talents(list).await.unwrap().into_inner().encode_to_vec());
    let search = SearchTalentsRequest {
        query: "Zhang San".to_owned(),
        view,
        ..SearchTalentsRequest::default()
    };
    let found = talent.search_talents(search).await.unwrap().into_inner();
    assert_eq!(found.talents.len(), 2);
    answers.push(found.encode_to_vec());
    for answer in answers {
        holds_nothing(&answer, "an answer");
    }
    register
        .cli(&["export", "talents", "--to", "talents.jsonl"])
        .succeeded();
    holds_nothing(&fs::read(register.folder().join("talents.jsonl")).unwrap(), "an export");

    // As it is after a crash, with what is not yet in the main file.
    let ran = register.kill();
    holds_nothing(format!("{ran:?}").as_bytes(), "the log");
    below_holds_nothing(&register, store).await;
    register.restart();
    let ran = register.stop();
    holds_nothing(format!("{ran:?}").as_bytes(), "the log");
    below_holds_nothing(&register, store).await;
}

/// The database itself.
async fn below_holds_nothing(register: &Register, store: Store) {
    match store {
        Store::Sqlite => {
            for file in fs::read_dir(register.data()).unwrap() {
                let path = file.unwrap().path();
                holds_nothing(&fs::read(&path).unwrap(), &path.display().to_string());
            }
        }
        Store::Postgres => {
            for table in [
                "talents",
                "talents_keys",
                "talents_values",
                "ledger",
                "requests",
                "settings",
            ] {
                for secret in [NUMBER, BIRTH_DATE, PASSPORT] {
                    // A row as text shows its bytes in hexadecimal.
                    let bytes: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
                    let query = format!(
                        "SELECT count(*) FROM {table} t WHERE t::text ILIKE '%{secret}%' OR t::text ILIKE '%{bytes}%'"
                    );
                    assert_eq!(register.number(&query).await, 0, "{table} holds {secret}");
                }
            }
            // That query does find what is there.
            let known: String = "张三".bytes().map(|byte| format!("{byte:02x}")).collect();
            let query = format!("SELECT count(*) FROM talents t WHERE t::text ILIKE '%{known}%'");
            assert_eq!(register.number(&query).await, 1);
        }
    }
}

async fn a_sealed_document_is_found_by_a_blind_index(store: Store) {
    let mut register = Register::start(store).await;
    let first = person(&register, with_document(NUMBER)).await;
    register.stop();
    register.restart();
    // However it is written.
    for number in [NUMBER, "11010519491231002x", " 11010519491231002X "] {
        let request = CreateTalentRequest {
            talent: Some(with_document(number)),
            ..CreateTalentRequest::default()
        };
        let refused = failure(register.talent().create_talent(request).await);
        assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
        assert_eq!(refused.resource, first.name, "{refused:?}");
        assert_eq!(refused.fields, ["talent.identity_document"], "{refused:?}");
        holds_nothing(format!("{refused:?}").as_bytes(), "a refusal");
    }
}

async fn an_update_keeps_what_a_reader_cannot_send_back(store: Store) {
    let register = Register::start(store).await;
    let before = person(&register, with_birth_date()).await;
    // What a reader got goes back as it came, with one change.
    let request = UpdateTalentRequest {
        talent: Some(Talent {
            title: "研究员".to_owned(),
            ..before.clone()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["*".to_owned()],
        }),
        ..UpdateTalentRequest::default()
    };
    let after = register.talent().update_talent(request).await.unwrap().into_inner();
    assert_eq!(
        (after.birth_year, &after.masked_identity_document, after.title.as_str()),
        (1949, &before.masked_identity_document, "研究员")
    );
    let again = CreateTalentRequest {
        talent: Some(with_birth_date()),
        ..CreateTalentRequest::default()
    };
    let refused = failure(register.talent().create_talent(again).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    // One who says that it is empty means it.
    let request = UpdateTalentRequest {
        talent: Some(Talent {
            name: before.name,
            ..Talent::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["identity_document".to_owned(), "birth_date".to_owned()],
        }),
        ..UpdateTalentRequest::default()
    };
    let after = register.talent().update_talent(request).await.unwrap().into_inner();
    assert_eq!((after.birth_year, after.masked_identity_document.as_str()), (0, ""));
    person(&register, with_birth_date()).await;
}

async fn a_refused_document_is_not_repeated(store: Store) {
    let mut register = Register::start(store).await;
    for (number, birth_date) in [
        ("110105194912310021", ""),
        (NUMBER, "1950-01-01"),
        ("11010519491331002X", ""),
    ] {
        let request = CreateTalentRequest {
            talent: Some(Talent {
                birth_date: birth_date.to_owned(),
                ..with_document(number)
            }),
            ..CreateTalentRequest::default()
        };
        let refused = failure(register.talent().create_talent(request).await);
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
        assert!(!format!("{refused:?}").contains(&number[6..14]), "{refused:?}");
    }
    holds_nothing(format!("{:?}", register.stop()).as_bytes(), "the log");
}

async fn a_register_does_not_start_without_its_key(store: Store) {
    let mut register = Register::start(store).await;
    person(&register, with_document(NUMBER)).await;
    register.stop();
    let key = register.data().join("master.key");
    let kept = register.folder().join("kept.key");
    fs::rename(&key, &kept).unwrap();
    let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(said.contains(key.to_str().unwrap()), "{said}");
    assert!(!key.exists());
    // Neither with the key of another register.
    let mut other = Register::start(Store::Sqlite).await;
    other.stop();
    fs::copy(other.data().join("master.key"), &key).unwrap();
    let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(said.contains("master key"), "{said}");
    fs::rename(&kept, &key).unwrap();
    register.restart();
}

/// Asks in every way that leaves no trace whether a number is the sealed one of a person, and answers all that was
/// said, without what differs between any two calls.
async fn asked(register: &Register, person: &Talent, guess: Talent) -> Vec<String> {
    let mut talent = register.talent();
    let mut said = Vec::new();
    let create = CreateTalentRequest {
        talent: Some(Talent {
            display_name: "王五".to_owned(),
            ..guess.clone()
        }),
        validate_only: true,
        ..CreateTalentRequest::default()
    };
    said.push(told(talent.create_talent(create).await));
    for (paths, etag) in [
        (vec!["identity_document", "birth_date"], ""),
        (vec!["*"], &person.etag),
        (vec![], ""),
    ] {
        let update = UpdateTalentRequest {
            talent: Some(Talent {
                name: person.name.clone(),
                etag: etag.to_owned(),
                ..guess.clone()
            }),
            update_mask: Some(FieldMask {
                paths: paths.into_iter().map(str::to_owned).collect(),
            }),
            validate_only: true,
            ..UpdateTalentRequest::default()
        };
        said.push(told(talent.update_talent(update).await));
    }
    // A row each, and rows that follow each other.
    let row = |row: i64, name: &str, talent: &Talent| ImportTalentsRequest {
        settings: (row == 1).then(|| ImportSettings {
            validate_only: true,
            ..ImportSettings::default()
        }),
        row,
        talent: Some(Talent {
            name: name.to_owned(),
            display_name: format!("王五{row}"),
            ..talent.clone()
        }),
    };
    for names in [
        &[""][..],
        &[&person.name],
        &[&person.name, ""],
        &["", &person.name],
        &["", ""],
    ] {
        let rows: Vec<_> = names
            .iter()
            .zip(1..)
            .map(|(name, number)| row(number, name, &guess))
            .collect();
        let answer = talent
            .import_talents(tokio_stream::iter(rows))
            .await
            .unwrap()
            .into_inner();
        for outcome in &answer.outcomes {
            let name = outcome.name == person.name;
            said.push(format!("{:?} {} {:?}", outcome.outcome(), name, outcome.problems));
        }
    }
    said.iter().map(|said| without_new_names(said, person)).collect()
}

/// The names of what only a dry run made differ in each.
fn without_new_names(said: &str, person: &Talent) -> String {
    let mut parts = said.split("talents/");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (id, rest) = part.split_at(26);
        let is_known = person.name.ends_with(id);
        kept += if is_known { "the person" } else { "another" };
        kept += rest;
    }
    kept
}

fn told(answer: Result<tonic::Response<Talent>, tonic::Status>) -> String {
    match answer {
        Ok(answer) => {
            let answer = answer.into_inner();
            format!(
                "{} {} {}",
                answer.revision, answer.masked_identity_document, answer.display_name
            )
        }
        Err(status) => format!("{:?} {}", status.code(), status.message()),
    }
}

/// With the year of birth, the check digit and these answers nobody comes nearer to the day or to the number.
async fn dry_runs_do_not_tell_a_right_guess_from_a_wrong_one(store: Store) {
    let register = Register::start(store).await;
    let by_card = person(&register, with_document(NUMBER)).await;
    let by_passport = person(&register, with_birth_date()).await;
    let document = |number: &str| Talent {
        identity_document: number.to_owned(),
        ..Talent::default()
    };
    let birth = |day: &str| Talent {
        birth_date: day.to_owned(),
        ..Talent::default()
    };
    for (person, right, wrong) in [
        // The same day under another number, and other days.
        (&by_card, document(NUMBER), document("110105194912310038")),
        (&by_card, birth("1949-12-31"), birth("1949-12-30")),
        (&by_card, birth("1949-12"), birth("1949-11")),
        (&by_passport, document(PASSPORT), document("E99999999")),
        (&by_passport, birth(BIRTH_DATE), birth("1949-06-01")),
    ] {
        assert_eq!(
            asked(&register, person, right.clone()).await,
            asked(&register, person, wrong).await,
            "{right:?}"
        );
    }
    // The real call finds the record, and what it does stands in the ledger.
    let again = CreateTalentRequest {
        talent: Some(with_document(NUMBER)),
        ..CreateTalentRequest::default()
    };
    let refused = failure(register.talent().create_talent(again).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
}

async fn a_key_file_that_others_can_read_or_that_lacks_the_key_in_use_is_refused(store: Store) {
    use std::os::unix::fs::PermissionsExt;
    let mut register = Register::start(store).await;
    person(&register, with_document(NUMBER)).await;
    register.stop();
    let key = register.data().join("master.key");
    for mode in [0o644, 0o640, 0o604, 0o666, 0o620] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
        assert!(said.contains("chmod 600"), "{mode:o}: {said}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let old = fs::read_to_string(&key).unwrap();
    fs::write(&key, format!("{}\n{old}", "0a".repeat(32))).unwrap();
    register.restart();
    let sealed_since = person(&register, with_birth_date()).await;
    register.stop();
    // What a copy from before the change of keys holds.
    fs::write(&key, &old).unwrap();
    let said = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(said.contains("lacks the master key"), "{said}");
    fs::write(&key, format!("{}\n{old}", "0a".repeat(32))).unwrap();
    register.restart();
    let get = GetTalentRequest {
        name: sealed_since.name,
        view: View::Full as i32,
    };
    register.talent().get_talent(get).await.unwrap();
}
