//! What the other tests stand on, tried by itself.

use std::process::Command;

use mingce_e2e::binary::{self, mingce};
use mingce_e2e::postgres::Database;
use sqlx::{Connection, Executor, Row};

#[test]
fn the_binary_prints_its_help() {
    let help = binary::run(Command::new(mingce()).arg("--help")).succeeded();
    for command in ["serve", "import", "export", "search", "migrate"] {
        assert!(help.contains(command), "{help}");
    }
}

#[tokio::test]
async fn the_postgres_server_starts_and_answers() {
    let database = Database::create().await;
    let mut connection = sqlx::postgres::PgConnection::connect(&database.url()).await.unwrap();
    let row = connection.fetch_one("SELECT 1 + 1").await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 2);
}

#[tokio::test]
async fn a_database_is_gone_with_its_test() {
    let database = Database::create().await;
    let url = database.url();
    drop(database);
    assert!(sqlx::postgres::PgConnection::connect(&url).await.is_err());
}
