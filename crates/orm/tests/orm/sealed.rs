//! Sealed fields: in no table, ledger or answer, and whole after changes of other fields.

use std::sync::Arc;

use mingce_orm::migration::schema::{expect_vault, is_sealed};
use mingce_orm::{Collection, Db, List, Mask, Store, Vault};
use mingce_proto::Classes;
use mingce_proto::registry::RecordStatus;
use mingce_proto::talent::Talent;
use prost::Message;
use sea_orm::DbBackend;

use crate::collections::Persons;
use crate::fixture_db::{FixtureDb, Kind, Read, block_on, call, cx, make, query, unmerge, vault, with_id};

const DOCUMENT: &str = "E12345678-invented";
const BIRTH: &str = "1949-07-31";

fn person(name: &str, document: &str) -> Talent {
    let (display_name, identity_document, birth_date) = (name.to_owned(), document.to_owned(), BIRTH.to_owned());
    Talent {
        display_name,
        identity_document,
        birth_date,
        ..Talent::default()
    }
}

/// All that the tables hold, blobs as hexadecimal digits.
async fn dump(db: &Db) -> String {
    let (names, columns) = match db.backend() {
        DbBackend::Postgres => (
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
            None,
        ),
        // The search index is seen in the tables in which it keeps its parts.
        _ => (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
            Some(()),
        ),
    };
    let mut all = String::new();
    for row in query(db, names).await {
        let table: String = row.try_get_by_index(0).unwrap();
        let line = if columns.is_none() {
            format!("SELECT t::text FROM {table} t")
        } else {
            let columns = query(db, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
            let quoted = |row: &sea_orm::QueryResult| format!("quote({})", row.try_get_by_index::<String>(0).unwrap());
            format!(
                "SELECT {} FROM {table}",
                columns.iter().map(quoted).collect::<Vec<_>>().join(" || ' ' || ")
            )
        };
        for row in query(db, &line).await {
            all += &row.try_get_by_index::<String>(0).unwrap();
            all.push('\n');
        }
    }
    all.to_lowercase()
}

async fn expect_hidden(db: &Db) {
    let dump = dump(db).await;
    assert!(dump.contains("zhang") || dump.contains("talents/"), "the dump is empty");
    for secret in [DOCUMENT, BIRTH] {
        let digits: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        assert!(
            !dump.contains(&secret.to_lowercase()) && !dump.contains(&digits),
            "{secret} can be read"
        );
    }
}

/// The person with the sealed fields opened.
async fn whole(store: &Store, name: &str) -> Talent {
    let id = Persons::shape().kind.id(name).unwrap().to_owned();
    store
        .try_edit(&mut store.unit_of_work(), move |work| work.get::<Persons>(&id))
        .await
        .unwrap()
        .unwrap()
}

async fn sealed_part(db: &Db, name: &str) -> Option<Vec<u8>> {
    let rows = query(db, &format!("SELECT sealed FROM persons WHERE name = '{name}'")).await;
    rows[0].try_get_by_index(0).unwrap()
}

fn bare(person: &Talent) -> bool {
    person.identity_document.is_empty() && person.birth_date.is_empty()
}

async fn sealed_fields_stay(kind: Kind) {
    let (_fixture, db) = FixtureDb::new(kind).await;
    let vault = vault();
    let store = Store::new(db.clone(), Some(Arc::clone(&vault)));
    let cx = cx("user:clerk");
    let asked = person("张三 Zhang", DOCUMENT);
    let made = store
        .create::<Persons>(&cx, with_id("create", "1", &asked), "create", asked.clone())
        .await
        .read()
        .unwrap();
    assert!(bare(&made));
    let again = store
        .create::<Persons>(&cx, with_id("create", "1", &asked), "create", asked.clone())
        .await
        .read()
        .unwrap();
    assert_eq!(again, made);
    let first = sealed_part(&db, &made.name).await.unwrap();
    assert_eq!(whole(&store, &made.name).await.identity_document, DOCUMENT);

    // Its key is taken, and the error does not tell it.
    let taken = store
        .create::<Persons>(&cx, call(), "create", person("李四", DOCUMENT))
        .await
        .read()
        .unwrap_err();
    assert_eq!(taken.reason(), "IDENTIFIER_TAKEN");
    assert!(!format!("{taken:?}").contains(DOCUMENT));

    // Another field changes: the sealed part is the same, byte for byte.
    let change = Talent {
        title: "professor".into(),
        ..made.clone()
    };
    let mask = Mask::parse::<Persons>(&["title".into()], &change, Classes::ALL).unwrap();
    let changed = store.update::<Persons>(&cx, call(), change, mask).await.read().unwrap();
    assert!(bare(&changed) && changed.title == "professor");
    assert_eq!(sealed_part(&db, &made.name).await.unwrap(), first);
    // What a reader sends back whole takes nothing away either.
    let mask = Mask::parse::<Persons>(&["*".into()], &changed, Classes::ALL).unwrap();
    assert_eq!(
        store
            .update::<Persons>(&cx, call(), changed.clone(), mask)
            .await
            .read()
            .unwrap(),
        changed
    );
    assert_eq!(sealed_part(&db, &made.name).await.unwrap(), first);

    // A merge keeps both parts, and the duplicate's key.
    let other = make::<Persons>(&store, person("Zhang San", "another")).await;
    let stays = store
        .merge::<Persons>(&cx, call(), (&made.name, &other.name), "", "same")
        .await
        .read()
        .unwrap();
    assert!(bare(&stays) && stays.names.len() == 1);
    let duplicate = whole(&store, &made.name).await;
    assert_eq!(
        (duplicate.record_status(), duplicate.identity_document.as_str()),
        (RecordStatus::Duplicate, DOCUMENT)
    );
    assert_eq!(whole(&store, &other.name).await.identity_document, "another");
    let taken = store
        .create::<Persons>(&cx, call(), "create", person("李四", DOCUMENT))
        .await
        .read()
        .unwrap_err();
    assert_eq!(taken.reason(), "IDENTIFIER_TAKEN");

    // Reads of every way.
    let all = List {
        filter: "record_status:*",
        view: 2,
        ..List::default()
    };
    let mut read = store.list::<Persons>(&cx, all).await.unwrap().items().unwrap();
    read.push(store.get::<Persons>(&cx, &made.name, 2).await.read().unwrap());
    read.extend(
        store
            .search::<Persons>(&cx, "zhang", 0, "", 2)
            .await
            .unwrap()
            .items()
            .unwrap(),
    );
    assert!(read.len() >= 4 && read.iter().all(bare));
    let (history, _) = store
        .history(&cx, &[&Persons::shape().kind], &made.name, 0, "")
        .await
        .unwrap();
    assert_eq!(history.len(), 3);
    for revision in &history {
        assert!(bare(
            &Talent::decode(revision.snapshot.as_ref().unwrap().value.as_slice()).unwrap()
        ));
    }
    assert_eq!(
        history[2]
            .changed_fields
            .iter()
            .filter(|f| *f == "identity_document")
            .count(),
        1
    );
    let refused = store
        .list::<Persons>(
            &cx,
            List {
                filter: "identity_document = x",
                ..List::default()
            },
        )
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), "FILTER_FIELD_UNKNOWN");
    expect_hidden(&db).await;

    // A new document is sealed anew and frees the old key; emptied fields leave no part.
    unmerge::<Persons>(&store, &cx, call(), (&made.name, ""), "not same")
        .await
        .read()
        .unwrap();
    let change = Talent {
        name: made.name.clone(),
        identity_document: "third".into(),
        ..Talent::default()
    };
    let paths = ["identity_document".to_owned(), "birth_date".to_owned()];
    let mask = Mask::parse::<Persons>(&paths, &change, Classes::ALL).unwrap();
    store
        .update::<Persons>(&cx, call(), change.clone(), mask.clone())
        .await
        .read()
        .unwrap();
    let opened = whole(&store, &made.name).await;
    assert_eq!(
        (opened.identity_document.as_str(), opened.birth_date.as_str()),
        ("third", "")
    );
    make::<Persons>(&store, person("李四", DOCUMENT)).await;
    let change = Talent {
        identity_document: String::new(),
        ..change
    };
    store.update::<Persons>(&cx, call(), change, mask).await.read().unwrap();
    assert_eq!(
        sealed_part(&db, &made.name).await,
        Some(Vec::new()),
        "nothing sealed is no bytes"
    );
    expect_hidden(&db).await;
}

#[test]
fn sealed_fields_are_nowhere_to_be_read_and_stay_whole_on_sqlite() {
    block_on(sealed_fields_stay(Kind::Sqlite));
}

#[test]
fn sealed_fields_are_nowhere_to_be_read_and_stay_whole_on_postgres() {
    block_on(sealed_fields_stay(Kind::Postgres));
}

#[test]
fn another_master_key_is_refused_and_a_newer_before_the_old_is_not() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let (old, other) = (Vault::new_text(), Vault::new_text());
            let opened = |text: &str| Vault::from_text(text).unwrap();
            assert!(!is_sealed(&db).await.unwrap());
            expect_vault(&db, &opened(&old)).await.unwrap();
            assert!(is_sealed(&db).await.unwrap());
            expect_vault(&db, &opened(&old)).await.unwrap();
            for wrong in [other.clone(), format!("{old}{other}")] {
                assert_eq!(
                    expect_vault(&db, &opened(&wrong)).await.unwrap_err().reason(),
                    "MASTER_KEY_OTHER"
                );
            }
            expect_vault(&db, &opened(&format!("{other}{old}"))).await.unwrap();

            // What was sealed before opens with both keys, and is not lost where the key is missing.
            let made = make::<Persons>(
                &Store::new(db.clone(), Some(Arc::new(opened(&old)))),
                person("A", DOCUMENT),
            )
            .await;
            let both = Store::new(db.clone(), Some(Arc::new(opened(&format!("{other}{old}")))));
            assert_eq!(whole(&both, &made.name).await.identity_document, DOCUMENT);
            let wrong = Store::new(db.clone(), Some(Arc::new(opened(&other))));
            let before = sealed_part(&db, &made.name).await;
            let change = Talent {
                name: made.name.clone(),
                title: "x".into(),
                ..Talent::default()
            };
            let mask = Mask::parse::<Persons>(&["title".into()], &change, Classes::ALL).unwrap();
            let refused = wrong
                .update::<Persons>(&cx("user:x"), call(), change, mask)
                .await
                .unwrap_err();
            assert_eq!(refused.reason(), "INTERNAL");
            assert!(refused.detail().unwrap().contains("master key"));
            assert_eq!(sealed_part(&db, &made.name).await, before);
        });
    }
}
