//! What rows of imports meant and what was decided of them, as it is kept for further calls: rows of the table `import_seen`.

use std::sync::Arc;

use sea_orm::DbBackend;
use sea_orm::sea_query::{Cond, Expr, ExprTrait, Func, FunctionCall};

use crate::db::statement::{StatementSink, insert_values};

/// The table of what rows of imports meant.
pub(crate) const SEEN: &str = "import_seen";

/// The rows of that table that are about a part of an import.
pub(crate) fn of_part(import: &str, collection: &str, part: i64) -> Expr {
    let of_import = Cond::all().add(Expr::col("import").eq(import));
    let of_collection = of_import.add(Expr::col("collection").eq(collection));
    of_collection.add(Expr::col("part").eq(part)).into()
}

/// How many bytes a column has.
pub(crate) fn length(column: &'static str) -> FunctionCall {
    Func::cust("length").arg(Expr::col(column))
}

/// What the rows of a part of an import meant in one of its calls, for the further ones.
#[derive(Debug)]
pub(crate) struct SeenNote {
    pub import: String,
    pub collection: String,
    pub part: i32,
    pub note: String,
    pub time: i64,
    pub seen: Vec<u8>,
    pub decided: Vec<u8>,
    /// The rows of which something was decided.
    pub rows: (i64, i64),
}

/// Writes what rows meant.
pub(crate) fn write_seen(backend: DbBackend, notes: &[Arc<SeenNote>], put: &mut StatementSink<'_>) {
    let columns = [
        "import",
        "collection",
        "part",
        "note",
        "create_time",
        "seen",
        "decided",
        "first_row",
        "last_row",
    ];
    let rows = notes.iter().map(|note| {
        vec![
            note.import.as_str().into(),
            note.collection.as_str().into(),
            i64::from(note.part).into(),
            note.note.as_str().into(),
            note.time.into(),
            note.seen.clone().into(),
            note.decided.clone().into(),
            note.rows.0.into(),
            note.rows.1.into(),
        ]
    });
    insert_values(backend, SEEN, &columns, "", rows, put);
}
