//! The tables of imports.

use crate::migration::schema;
use crate::migration::schema::Sql::{Integer, Text};
use crate::model::collection::Collection;
use crate::write::imports::Imports;

/// The tables of imports, and the column by which the ledger says which of them made a change.
pub(crate) fn statements() -> Vec<String> {
    let columns = [
        ("source", Text),
        ("run", Text),
        ("mapping", Text),
        ("source_sha256", Text),
        ("actor", Text),
        ("state", Integer),
        ("end_time", Integer),
    ];
    let mut statements = schema::resource(
        Imports::TABLE,
        &columns,
        false,
        &["create_time", "run", "source_sha256"],
    );
    statements.extend([
        "$POSTGRES SET LOCAL statement_timeout = 0".to_owned(),
        "ALTER TABLE ledger ADD COLUMN import $TEXT NOT NULL DEFAULT ''".to_owned(),
        "CREATE INDEX ledger_by_import ON ledger (import, sequence) WHERE import <> ''".to_owned(),
        "CREATE TABLE import_seen (import $TEXT NOT NULL, collection $TEXT NOT NULL, part BIGINT NOT NULL, note $TEXT NOT NULL, \
         create_time BIGINT NOT NULL, seen $BYTES NOT NULL, decided $BYTES NOT NULL, first_row BIGINT NOT NULL, last_row BIGINT NOT NULL, PRIMARY KEY (import, collection, part, note))"
            .to_owned(),
        "CREATE INDEX import_seen_by_time ON import_seen (create_time)".to_owned(),
    ]);
    statements
}
