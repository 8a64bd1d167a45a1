//! Rows of an import, alone and many at once.

use mingce_orm::write::import;
use mingce_orm::write::run_notes::RowTurn;
use mingce_orm::{AuditInfo, PreloadedEdit, RequestContext, Store};
use mingce_proto::Classes;
use mingce_proto::labs::Organization;
use prost::Message;

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, cx};
use crate::invariants;
use crate::reference_model::Input;

/// The edit of a row of an import that speaks of what it sets.
pub fn imported(store: &Store, cx: &RequestContext, item: Organization) -> PreloadedEdit {
    let mask = import::mask::<Institutes>(&[], &item.encode_to_vec(), Classes::ALL).unwrap();
    let stamp = AuditInfo {
        reason: "a file".to_owned(),
        ..AuditInfo::new("import")
    };
    import::plan_row::<Institutes>(store, cx, stamp, mask, item, RowTurn::default()).unwrap()
}

#[test]
fn a_row_that_names_a_record_of_another_kind_makes_none() {
    fixture_db::block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        let row = Organization {
            name: "persons/01jd2k3m4n5p6q7r8s9t0v1w2x".into(),
            display_name: "A".into(),
            ..Organization::default()
        };
        let edits = [imported(&store, &cx("user:importer"), row)];
        let done = store.change_each(&cx("user:importer"), edits).await.unwrap();
        assert!(done[0].is_err(), "{done:?}");
        assert_eq!(invariants::check(&db).await, []);
    });
}

#[test]
fn many_rows_of_an_import_are_written_whole() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        fixture_db::block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = fixture_db::store(&db);
            let edits = (0..700).map(|number| {
                let row = crate::write_queue::named(&format!("青岛{number}"), &[&number.to_string()]);
                imported(&store, &cx("user:importer"), row)
            });
            let done = store.change_each(&cx("user:importer"), edits).await.unwrap();
            assert!(done.iter().all(Result::is_ok));
            assert_eq!(invariants::check(&db).await.len(), 700);
        });
    }
}

#[test]
fn a_row_beyond_what_the_index_of_sqlite_can_number_is_refused_and_leaves_nothing() {
    fixture_db::block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        let row = |name: &str| imported(&store, &cx("user:importer"), crate::write_queue::named(name, &[name]));
        store.change_each(&cx("user:importer"), [row("1")]).await.unwrap();
        fixture_db::execute(&db, "UPDATE institutes SET serial = 134217727").await;
        let done = store.change_each(&cx("user:importer"), [row("2")]).await.unwrap();
        assert_eq!(done[0].as_ref().unwrap_err().reason(), "INTERNAL");
        assert_eq!(fixture_db::number(&db, "SELECT COUNT(*) FROM institutes").await, 1);
        assert_eq!(fixture_db::number(&db, "SELECT COUNT(*) FROM ledger").await, 1);
    });
}

#[test]
fn rows_of_one_import_see_each_other() {
    fixture_db::block_on(async {
        let (_fixture, db) = FixtureDb::new(Kind::Sqlite).await;
        let store = fixture_db::store(&db);
        let input = |name: &str, held: &[&str]| Input {
            display_name: Some(name.into()),
            identifiers: Some(held.iter().map(|h| (*h).to_owned()).collect()),
            city: None,
        };
        let rows = [
            input("A", &["1"]),
            input("B", &["1"]),
            input("C", &["2"]),
            input("D", &["1", "2"]),
            input("b", &[]),
            input("", &[]),
        ];
        let mut edits = Vec::new();
        for row in &rows {
            edits.push(imported(&store, &cx("user:importer"), row.item()));
        }
        let done = store.change_each(&cx("user:importer"), edits).await.unwrap();
        let told: Vec<_> = done
            .iter()
            .map(|d| d.as_ref().map(|a| a.revision).map_err(|e| e.reason()))
            .collect();
        assert_eq!(
            told,
            [
                Ok(1),
                Ok(2),
                Ok(1),
                Err("RECORDS_DISAGREE"),
                Ok(3),
                Err("STRING_MIN_LEN")
            ]
        );
        let names: Vec<_> = invariants::check(&db)
            .await
            .into_iter()
            .map(|o| o.display_name)
            .collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"b".to_owned()) && names.contains(&"C".to_owned()));
    });
}
