//! Imports whose calls do not come to an end that is noted.

use mingce_orm::write::import_progress::Noted;
use mingce_orm::write::imports::Imports;
use mingce_orm::{Collection, Store};
use mingce_proto::registry::{Import, ImportCounts, ImportSettings, ImportState};

use crate::collections::Institutes;
use crate::fixture_db::{self, FixtureDb, Kind, Read, block_on, cx};

async fn read(store: &Store, name: &str) -> Import {
    store.get::<Imports>(&cx("user:reader"), name, 0).await.read().unwrap()
}

#[test]
fn an_import_whose_end_was_not_noted_is_interrupted_once_nothing_was_noted_for_long() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        block_on(async {
            let (_fixture, db) = FixtureDb::new(kind).await;
            let store = fixture_db::store(&db);
            let begun = store
                .begin_import(&cx("user:x"), &ImportSettings::default(), Institutes::COLLECTION)
                .await
                .unwrap();
            let noted = Noted {
                counts: ImportCounts {
                    collection: Institutes::COLLECTION.to_owned(),
                    created: 3,
                    ..ImportCounts::default()
                },
                ..Noted::default()
            };
            let at = cx("user:x");
            store.note_import(&at, &begun.name, &noted, None).await.unwrap();
            for (since, interrupted, state) in [
                // It is under way.
                (at.now, 0, ImportState::Running),
                (at.now + 1_000, 1, ImportState::Interrupted),
                (at.now + 1_000, 0, ImportState::Interrupted),
            ] {
                let found = store.interrupt_imports(&cx("system:time"), Some(since)).await.unwrap();
                let import = read(&store, &begun.name).await;
                assert_eq!((found, import.state()), (interrupted, state));
                assert_eq!(import.counts[0].created, 3, "what was noted stays");
            }
        });
    }
}
