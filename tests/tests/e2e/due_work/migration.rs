//! Due work of records that were stored before it knew them. The register of a release before that is in tests/fixtures, and
//! `upgrade/cases.rs` reads its due work. It has no open panel, no review that is owed, no draft of a recommendation
//! and no recorded title in force, and stays as it was left; so the tables are put back by hand here.

use super::*;

/// The columns of before: what was recorded had none, and what waited had neither.
const BEFORE: [&str; 6] = [
    "lab_designations",
    "talent_designations",
    "nominating_bodies",
    "recommendations",
    "awards",
    "objections",
];

pub async fn what_an_earlier_version_stored_falls_due_after_migrate(store: Store) {
    let mut year = Everything::begin(store, None).await;
    let before = due(&year.register, until("2025-12-31")).await;
    year.register.stop();
    let mut statements = String::new();
    for table in BEFORE.into_iter().chain(["panels", "reviews"]) {
        statements.push_str(&format!(
            "DROP INDEX {table}_by_since; ALTER TABLE {table} DROP COLUMN due_since;"
        ));
    }
    for table in ["objections", "reviews"] {
        statements.push_str(&format!(
            "DROP INDEX {table}_by_due; ALTER TABLE {table} DROP COLUMN due_date;"
        ));
    }
    for table in ["lab_designations", "talent_designations"] {
        statements.push_str(&format!(
            "UPDATE {table} SET due_date = '', due = 0 WHERE case_policy = '';"
        ));
    }
    statements.push_str("UPDATE recommendations SET due_date = '', due = 0;");
    for schema in ["cases", "labs", "talent", "awards"] {
        statements.push_str(&format!(
            "DELETE FROM mingce_{schema}_migrations WHERE version LIKE '%000040%';"
        ));
    }
    year.register.execute(&statements).await;
    let refused = year.register.try_to_serve("127.0.0.1:0");
    assert!(
        refused.code != Some(0) && refused.stderr.contains("mingce migrate"),
        "{refused:?}"
    );
    year.register.migrate().succeeded();
    year.register.restart();
    assert_eq!(due(&year.register, until("2025-12-31")).await, before);
}
