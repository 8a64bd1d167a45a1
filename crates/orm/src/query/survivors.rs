//! Which record stands for another, in one table for all collections: for each duplicate the last survivor of its merges, and nothing
//! for what was annulled. Figures and filters go by it, so that a thing that was recorded twice is one.
//!
//! The table belongs to the ORM crate, as the ledger does: services that share a database share it, and a merge is seen
//! by all of them with its commit. What a service with a database of its own knows of others' records is copied
//! ([`Store::copy_survivors`]).

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, UnionType};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult};

use mingce_proto::registry::RecordStatus;

use crate::db::select::{is_among, nothing};
use crate::db::statement::{PlannedStatement, StatementSink, among, first, insert_values, list, sql};
use crate::error::Result;
use crate::model::head::Head;
use crate::model::table_row::RowChange;
use crate::write::store::Store;

const TABLE: &str = "survivors";
const COLUMNS: [&str; 3] = ["record", "merged_into", "survivor"];
const AGAIN: &str =
    " ON CONFLICT (record) DO UPDATE SET merged_into = excluded.merged_into, survivor = excluded.survivor";

/// Whether anything was merged or annulled at all. For the SQL around counts.
pub(crate) const ANY: &str = "EXISTS (SELECT 1 FROM survivors)";

/// Makes the table.
pub(crate) fn statements() -> Vec<String> {
    vec![
        "CREATE TABLE survivors (record $TEXT NOT NULL PRIMARY KEY, merged_into $TEXT NOT NULL, survivor $TEXT NOT NULL)$COMPACT"
            .to_owned(),
        "CREATE INDEX survivors_by_survivor ON survivors (survivor)".to_owned(),
        "CREATE INDEX survivors_by_merged_into ON survivors (merged_into)".to_owned(),
    ]
}

/// Fills the table from those of all resources that the database has.
pub(crate) async fn gather(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    // SQL: each database has its own catalogue.
    let tables = match backend {
        DbBackend::Postgres => {
            "SELECT table_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND column_name = 'record_status'"
        }
        _ => {
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'record_status'"
        }
    };
    let tables = connection.query_all_raw(sql(backend, tables, [])).await?;
    let tables: Vec<String> = first(&tables).map_err(|error| DbErr::Custom(error.to_string()))?;
    for table in tables {
        // SQL: so the migration did it.
        let text = format!(
            "INSERT INTO {TABLE} (record, merged_into, survivor) SELECT name, survivor, survivor FROM {table} WHERE record_status <> ?"
        );
        let active = i64::from(RecordStatus::Active as i32);
        connection.execute_raw(sql(backend, &text, [active.into()])).await?;
    }
    let all = "SELECT record FROM survivors";
    let all: Vec<String> = first(&connection.query_all_raw(sql(backend, all, [])).await?)
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    if !all.is_empty() {
        connection.execute_raw(follow(backend, &all).statement).await?;
    }
    Ok(())
}

/// Notes what became duplicates, active again or annulled.
pub(crate) fn write(backend: DbBackend, rows: &[RowChange], put: &mut StatementSink<'_>) {
    let stands = |head: &Head| (head.record_status, head.survivor.clone());
    let other = rows.iter().filter(|(before, after)| {
        let active = RecordStatus::Active as i32;
        // What is made is active.
        let was = before
            .as_ref()
            .map_or_else(|| (active, String::new()), |row| stands(&row.head));
        was.0 != after.head.record_status || was.1 != after.head.survivor
    });
    let (back, gone): (Vec<_>, Vec<_>) = other
        .map(|(_, after)| &after.head)
        .partition(|head| head.record_status == RecordStatus::Active as i32);
    let gone: Vec<[&str; 2]> = gone
        .into_iter()
        .map(|head| [head.name.as_str(), head.survivor.as_str()])
        .collect();
    note(
        backend,
        &gone,
        &back.iter().map(|head| head.name.as_str()).collect::<Vec<_>>(),
        put,
    );
}

/// Notes what others stand for, and what stands for itself again.
fn note(backend: DbBackend, gone: &[[&str; 2]], back: &[&str], put: &mut StatementSink<'_>) {
    if gone.is_empty() && back.is_empty() {
        return;
    }
    if !back.is_empty() {
        let listed = is_among(backend, Expr::col("record"), list(backend, back));
        let delete = Query::delete().from_table(TABLE).and_where(listed).take();
        put(backend.build(&delete).into());
    }
    let rows = gone
        .iter()
        .map(|[record, into]| vec![(*record).into(), (*into).into(), (*into).into()]);
    insert_values(backend, TABLE, &COLUMNS, AGAIN, rows, put);
    let all = gone.iter().map(|[record, _]| *record).chain(back.iter().copied());
    put(follow(backend, &all.collect::<Vec<_>>()));
}

/// Follows the merges of these records, and of those that lead over them, to their ends.
fn follow(backend: DbBackend, records: &[impl AsRef<str>]) -> PlannedStatement {
    // SQL: a recursive statement, which reads better so.
    let text = format!(
        "WITH RECURSIVE below (record) AS (SELECT s.record FROM survivors s WHERE {} OR {} \
         UNION SELECT s.record FROM survivors s JOIN below b ON s.merged_into = b.record), \
         up (record, last) AS (SELECT s.record, s.merged_into FROM survivors s JOIN below b ON b.record = s.record \
         UNION SELECT u.record, s.merged_into FROM up u JOIN survivors s ON s.record = u.last) \
         UPDATE survivors SET survivor = COALESCE((SELECT MAX(u.last) FROM up u WHERE u.record = survivors.record \
         AND NOT EXISTS (SELECT 1 FROM survivors n WHERE n.record = u.last)), merged_into) \
         WHERE record IN (SELECT b.record FROM below b)",
        among(backend, "s.record"),
        among(backend, "s.merged_into")
    );
    let records = list(backend, records);
    sql(backend, &text, [records.clone(), records]).into()
}

/// The record that stands for the one of a name, where that was merged.
fn survivor_of(name: &str) -> SelectStatement {
    let (record, survivor) = (Expr::col(("g", "record")), Expr::col(("g", "survivor")));
    Query::select()
        .expr(survivor.clone())
        .from_as(TABLE, "g")
        .and_where(record.eq(name))
        .and_where(survivor.ne(nothing()))
        .take()
}

/// All names of the thing that a name means: of the record that stands for it, and of all that were merged into that.
fn names_of(name: &str) -> SelectStatement {
    let last = Func::coalesce([Expr::from(survivor_of(name)), Expr::val(name)]);
    let merged = Query::select()
        .column(("s", "record"))
        .from_as(TABLE, "s")
        .and_where(Expr::col(("s", "survivor")).eq(last))
        .take();
    Query::select()
        .expr(Expr::val(name).cast_as("TEXT"))
        .union(UnionType::All, merged)
        .union(UnionType::All, survivor_of(name))
        .take()
}

/// Whether a column names the thing that a name means, by whichever of its names. On PostgreSQL these are one list,
/// which an index of the column is asked for.
pub(crate) fn names_same(backend: DbBackend, column: Expr, is_so: bool, name: &str) -> Expr {
    let names = || Func::cust("ARRAY").arg(names_of(name));
    match (backend, is_so) {
        (DbBackend::Postgres, true) => column.eq(PgFunc::any(names())),
        (DbBackend::Postgres, false) => column.ne(PgFunc::all(names())),
        (_, true) => column.in_subquery(names_of(name)),
        (_, false) => column.not_in_subquery(names_of(name)),
    }
}

/// Whether a column names what was annulled, so that it names nothing.
pub(crate) fn names_nothing(column: Expr) -> Expr {
    let annulled = Query::select()
        .column(("n", "record"))
        .from_as(TABLE, "n")
        .and_where(Expr::col(("n", "survivor")).eq(nothing()))
        .take();
    column.in_subquery(annulled)
}

fn pairs(rows: &[QueryResult]) -> Result<Vec<(String, String)>> {
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

impl Store {
    /// For each of these names all names of the thing that it means, the name itself too.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn names_of_each(&self, names: &[String]) -> Result<HashMap<String, BTreeSet<String>>> {
        let backend = self.db.backend();
        let stands = Query::select()
            .columns(["record", "survivor"])
            .from(TABLE)
            .and_where(is_among(backend, Expr::col("record"), list(backend, names)))
            .take();
        let rows = self.db.one().query_all(&stands).await?;
        let stands: HashMap<String, String> = pairs(&rows)?.into_iter().filter(|(_, last)| !last.is_empty()).collect();
        let last = |name: &String| stands.get(name).unwrap_or(name).clone();
        let lasts: BTreeSet<String> = names.iter().map(last).collect();
        let all = Query::select()
            .columns(["survivor", "record"])
            .from(TABLE)
            .and_where(is_among(backend, Expr::col("survivor"), list(backend, &lasts)))
            .take();
        let rows = self.db.one().query_all(&all).await?;
        let mut merged: HashMap<String, BTreeSet<String>> = HashMap::new();
        for (survivor, record) in pairs(&rows)? {
            merged.entry(survivor).or_default().insert(record);
        }
        let same = names.iter().map(|name| {
            let last = last(name);
            let mut same = merged.get(&last).cloned().unwrap_or_default();
            same.extend([last, name.clone()]);
            (name.clone(), same)
        });
        Ok(same.collect())
    }

    /// Replaces what is known of a collection that another service keeps, by resource name: what each record was merged into, or nothing
    /// where it was annulled. Does nothing where the collection is kept in this database.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn copy_survivors(&self, collection: &str, merged: &[(String, String)]) -> Result<()> {
        let backend = self.db.backend();
        if self.keeps(collection).await? {
            return Ok(());
        }
        let tx = self.db.begin().await?;
        let mut steps = Vec::new();
        let of_collection = Expr::col("record").like(format!("{collection}/%"));
        let delete = Query::delete().from_table(TABLE).and_where(of_collection).take();
        steps.push(PlannedStatement::from(backend.build(&delete)));
        let gone: Vec<[&str; 2]> = merged
            .iter()
            .map(|(record, into)| [record.as_str(), into.as_str()])
            .collect();
        note(backend, &gone, &[], &mut |step| steps.push(step));
        for step in steps {
            tx.execute_raw(step.statement).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Whether a collection is kept in this database.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn keeps(&self, table: &str) -> Result<bool> {
        // SQL: each database has its own catalogue.
        let text = match self.db.backend() {
            DbBackend::Postgres => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?"
            }
            _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?",
        };
        let found = self.db.one().query_one_raw(self.db.sql(text, [table.into()])).await?;
        Ok(found.is_some())
    }
}
