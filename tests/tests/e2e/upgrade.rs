//! A register that was made before there were life cycles takes their tables with `mingce migrate`.

use mingce_e2e::{Register, Store};
use mingce_proto::registry::ComputeStatisticsRequest;

/// What the migrations of life cycles bring, taken back.
const BEFORE: &str = "
    DROP TABLE policies, policies_values, policies_keys, rounds, rounds_values, rounds_keys, notices, notices_values, notices_keys,
        objections, objections_values, objections_keys, panels, panels_values, panels_keys, reviews, reviews_values, reviews_keys,
        nominating_bodies, nominating_bodies_values, nominating_bodies_keys, recommendations, recommendations_values,
        recommendations_keys;
    ALTER TABLE lab_designations DROP COLUMN case_round, DROP COLUMN case_policy, DROP COLUMN due_date, DROP COLUMN due;
    ALTER TABLE talent_designations DROP COLUMN case_round, DROP COLUMN case_policy, DROP COLUMN due_date, DROP COLUMN due,
        DROP COLUMN family;
    ALTER TABLE awards DROP COLUMN case_round, DROP COLUMN case_policy, DROP COLUMN due_date, DROP COLUMN due,
        DROP COLUMN public_safety, DROP COLUMN nominator;
    DELETE FROM awards_values WHERE field = 'joined_organizations';
    DROP TABLE mingce_cases_migrations;
    DELETE FROM mingce_labs_migrations WHERE version LIKE '%000003%';
    DELETE FROM mingce_talent_migrations WHERE version LIKE '%000003%';
    DELETE FROM mingce_awards_migrations WHERE version LIKE '%000003%';";

async fn joined(register: &Register) -> i64 {
    let asked = ComputeStatisticsRequest {
        collection: "awards".to_owned(),
        count: "joined_organizations".to_owned(),
        ..ComputeStatisticsRequest::default()
    };
    register
        .awards()
        .compute_statistics(asked)
        .await
        .unwrap()
        .into_inner()
        .total_count
}

#[tokio::test]
async fn an_earlier_register_is_refused_and_after_migrate_has_everything() {
    let mut register = Register::start_with(Store::Postgres, &["--sample"]).await;
    let mut before = joined(&register).await;
    for _ in 0..200 {
        if before > 0 && register.stdout().contains("sample loaded") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        before = joined(&register).await;
    }
    assert!(before > 0);
    register.stop();
    register.execute(BEFORE).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    assert_eq!(joined(&register).await, before);
}
