//! Imports as records: what each did, who sent it, and how much of it was taken back. docs/adr/0031-imports.md
//!
//! The services that write what rows say, and what rows name, find the record by its run; each database has one of a run.

use std::sync::LazyLock;

use mingce_proto::registry::{Import, ImportCounts, ImportState};

use crate::Column;
use crate::context::RequestContext;
use crate::error::{Class, Error, Result, Violation};
use crate::model::cell::Cell;
use crate::model::collection::{Collection, Field, Shape};
use crate::model::key::Key;
use crate::model::normalize::enum_values;
use crate::model::revision::{AuditInfo, micros, timestamp};
use crate::write::unit_of_work::UnitOfWork;

/// The collection.
#[derive(Debug)]
pub enum Imports {}

impl Collection for Imports {
    type Item = Import;
    const MESSAGE: &'static str = "mingce.registry.v1.Import";
    const COLLECTION: &'static str = mingce_proto::collections::IMPORTS;
    const TABLE: &'static str = "imports";
    const SINGULAR: &'static str = "import";
    const DEFAULT_ORDER: &'static str = "create_time desc";

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Imports>> = LazyLock::new(|| {
            let states = enum_values("mingce.registry.v1.ImportState");
            Shape::new(vec![
                Field {
                    column: Column::text("source"),
                    get: |i| i.source.as_str().into(),
                },
                Field {
                    column: Column::text("run"),
                    get: |i| i.run.as_str().into(),
                },
                Field {
                    column: Column::text("mapping").groupable(),
                    get: |i| i.mapping.as_str().into(),
                },
                Field {
                    column: Column::text("source_sha256"),
                    get: |i| i.source_sha256.as_str().into(),
                },
                Field {
                    column: Column::text("actor").groupable(),
                    get: |i| i.actor.as_str().into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |i| i.state.into(),
                },
                Field {
                    column: Column::time("end_time"),
                    get: |i| i.end_time.as_ref().map_or(0, micros).into(),
                },
                Field {
                    column: Column::text("collections")
                        .from_fields(&["counts.collection"])
                        .multi_valued()
                        .groupable(),
                    get: |i| Cell::many(i.counts.iter().map(|c| c.collection.as_str())),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Import) -> &str {
        &item.source
    }

    fn keys(item: &Import) -> Vec<Key> {
        vec![run_key(&item.run)]
    }

    fn normalize(_item: &mut Import) -> Vec<Violation> {
        Vec::new()
    }
}

fn run_key(run: &str) -> Key {
    Key::new("run", run, "run")
}

/// The id in the resource name of an import.
pub fn id_of(name: &str) -> &str {
    Imports::shape().kind.id(name).unwrap_or_default()
}

/// The counts of a collection, made where there are none.
pub(super) fn counts_of<'a>(import: &'a mut Import, collection: &str) -> Result<&'a mut ImportCounts> {
    let place = import.counts.iter().position(|counts| counts.collection == collection);
    let place = place.unwrap_or_else(|| {
        import.counts.push(ImportCounts {
            collection: collection.to_owned(),
            ..ImportCounts::default()
        });
        import.counts.len() - 1
    });
    import
        .counts
        .get_mut(place)
        .ok_or_else(|| Error::internal("counts that were just made are not there"))
}

pub(super) fn add(import: &mut Import, more: &ImportCounts) -> Result<()> {
    let counts = counts_of(import, &more.collection)?;
    counts.created += more.created;
    counts.updated += more.updated;
    counts.unchanged += more.unchanged;
    // A row that is taken later is not refused any more; nobody can say so of more rows than there were.
    counts.refused = Ord::max(counts.refused.saturating_add(more.refused), 0);
    counts.created_references += more.created_references;
    Ok(())
}

/// Whether an undo of it has begun.
pub(crate) fn is_undone(import: &Import) -> bool {
    matches!(import.state(), ImportState::Undone | ImportState::PartlyUndone)
}

pub(super) fn expect_not_undone(import: &Import) -> Result<()> {
    if !is_undone(import) {
        return Ok(());
    }
    let said = format!(
        "{} was taken back, and takes no more rows: give them a run of their own",
        import.name
    );
    Err(Error::new(Class::Precondition, "IMPORT_UNDONE", said).about(Imports::COLLECTION, import.name.clone()))
}

/// The import of a run, or a new one.
pub(super) fn of_run(work: &mut UnitOfWork, run: &str) -> Result<Option<Import>> {
    match work.owner::<Imports>(&run_key(run))? {
        Some(id) => work.get::<Imports>(&id),
        None => Ok(None),
    }
}

pub(super) fn new(cx: &RequestContext, run: &str, source: &str) -> Import {
    Import {
        source: source.to_owned(),
        run: run.to_owned(),
        actor: cx.actor.clone(),
        ..Import::default()
    }
}

/// The id of the import of a run whose rows name records that this database keeps. Each database has its own part of a run.
///
/// # Errors
/// Where it was taken back, and while something is not loaded.
pub fn belongs(work: &mut UnitOfWork, cx: &RequestContext, run: &str, source: &str) -> Result<String> {
    if let Some(found) = of_run(work, run)? {
        expect_not_undone(&found)?;
        return Ok(id_of(&found.name).to_owned());
    }
    let mut import = new(cx, run, source);
    import.set_state(ImportState::Done);
    import.end_time = Some(timestamp(cx.now));
    let made = work.create::<Imports>(cx, &AuditInfo::new("begin"), &import)?;
    Ok(id_of(&made.name).to_owned())
}

/// Counts records that were made because rows of an import named them.
///
/// # Errors
/// While something is not loaded.
pub fn add_references(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    id: &str,
    collection: &str,
    made: usize,
) -> Result<()> {
    let Some(mut import) = work.get::<Imports>(id)? else {
        return Err(Error::internal("an import that makes records is not there"));
    };
    counts_of(&mut import, collection)?.created_references += i64::try_from(made).unwrap_or(i64::MAX);
    work.update::<Imports>(cx, &AuditInfo::new("note"), &import).map(drop)
}
