//! Calls of an import: how one begins, what is noted of it while it goes on, and how it ends. docs/adr/0031-imports.md

use std::sync::{Arc, Mutex, PoisonError};

use mingce_proto::registry::{Import, ImportCounts, ImportSettings, ImportState};
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, Func, Order, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::context::RequestContext;
use crate::db::entity::ledger;
use crate::db::select::{nothing, zero};
use crate::db::statement::first;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::model::revision::{AuditInfo, timestamp};
use crate::query::list::List;
use crate::write::earlier::{self, DecidedRow};
use crate::write::edit::Edit;
use crate::write::import_seen::{SEEN, SeenNote, length, of_part};
use crate::write::imports::{Imports, add, counts_of, expect_not_undone, id_of, new, of_run};
use crate::write::result::WriteResult;
use crate::write::run_notes::{RunNotes, UnsavedNotes};
use crate::write::store::Store;

/// How a call of an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Done,
    /// Its caller left, or the server ends.
    Interrupted,
    /// With an error of this reason.
    Failed(&'static str),
}

/// What is noted of a call of an import.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// What it did in its collection since it was noted last.
    pub counts: ImportCounts,
    /// What its rows meant, where further calls may go on.
    pub seen: Option<Arc<Mutex<RunNotes>>>,
    /// Which part its rows are of.
    pub part: i32,
    /// What it decided of rows since.
    pub decided: Vec<DecidedRow>,
}

impl Store {
    /// Begins a call of an import: the record of its run, which is made with its first.
    ///
    /// # Errors
    /// Where it was taken back.
    pub async fn begin_import(
        &self,
        cx: &RequestContext,
        settings: &ImportSettings,
        collection: &'static str,
    ) -> Result<Import> {
        let (at, given, id) = (cx.clone(), settings.clone(), Id::new(cx.now));
        let edit: Edit = Box::new(move |work| {
            let run = if given.run.is_empty() {
                id.to_string()
            } else {
                given.run.clone()
            };
            let found = of_run(work, &run)?;
            let is_new = found.is_none();
            let mut import = found.unwrap_or_else(|| new(&at, &run, &given.source));
            expect_not_undone(&import)?;
            import.set_state(ImportState::Running);
            import.failure.clear();
            for (kept, given) in [
                (&mut import.source, &given.source),
                (&mut import.mapping, &given.mapping),
                (&mut import.source_sha256, &given.source_sha256),
                (&mut import.mapping_sha256, &given.mapping_sha256),
            ] {
                if kept.is_empty() {
                    kept.clone_from(given);
                }
            }
            counts_of(&mut import, collection)?;
            let stamp = AuditInfo::new("begin");
            if is_new {
                return work.create_as::<Imports>(&at, &stamp, &import, id);
            }
            work.decide::<Imports>(&at, &stamp, &import)
        });
        self.edit_import(cx, edit).await
    }

    /// Notes what a call of an import did and what its rows meant since it was noted last, and that it goes on or how it ended.
    ///
    /// # Errors
    /// Where the import was taken back meanwhile.
    pub async fn note_import(
        &self,
        cx: &RequestContext,
        name: &str,
        noted: &Noted,
        ended: Option<Ended>,
    ) -> Result<()> {
        let of_run = |seen: &Arc<Mutex<RunNotes>>| seen.lock().unwrap_or_else(PoisonError::into_inner).take_fresh();
        let fresh = noted.seen.as_ref().and_then(of_run);
        let done = self.note_seen(cx, name, (noted, fresh.as_ref()), ended).await;
        if let (Err(_), Some(fresh), Some(seen)) = (&done, fresh, &noted.seen) {
            // The next note has it. Kept twice it says the same.
            seen.lock().unwrap_or_else(PoisonError::into_inner).put_back(fresh);
        }
        done
    }

    async fn note_seen(
        &self,
        cx: &RequestContext,
        name: &str,
        (noted, fresh): (&Noted, Option<&UnsavedNotes>),
        ended: Option<Ended>,
    ) -> Result<()> {
        let (at, name, more) = (cx.clone(), name.to_owned(), noted.counts.clone());
        let decided = earlier::noted(&noted.decided);
        let seen = (fresh.is_some() || !decided.is_empty()).then(|| {
            Arc::new(SeenNote {
                import: id_of(&name).to_owned(),
                collection: more.collection.clone(),
                part: noted.part,
                note: Id::new(at.now).to_string(),
                time: at.now,
                seen: fresh.map(UnsavedNotes::notes).unwrap_or_default(),
                decided,
                rows: earlier::bounds(&noted.decided),
            })
        });
        let bounds = match ended {
            Some(_) => self.bounds(id_of(&name)).await?,
            None => None,
        };
        let edit: Edit = Box::new(move |work| {
            let mut import = work.require::<Imports>(&name)?;
            expect_not_undone(&import)?;
            add(&mut import, &more)?;
            if let Some(seen) = &seen {
                work.record_run_notes(seen);
            }
            let state = match ended {
                None => ImportState::Running,
                Some(Ended::Done) => ImportState::Done,
                Some(Ended::Interrupted) => ImportState::Interrupted,
                Some(Ended::Failed(_)) => ImportState::Failed,
            };
            import.set_state(state);
            if ended.is_some() {
                import.end_time = Some(timestamp(at.now));
            }
            if let Some(Ended::Failed(reason)) = ended {
                reason.clone_into(&mut import.failure);
            }
            if let Some((first, last)) = bounds {
                (import.first_sequence, import.last_sequence) = (first, last);
            }
            let verb = if ended.is_some() { "end" } else { "note" };
            // Also where nothing is counted: it says that the call still goes on.
            work.decide::<Imports>(&at, &AuditInfo::new(verb), &import)
        });
        self.edit_import(cx, edit).await.map(drop)
    }

    /// Notes that imports are not under way any more whose process ended under them: those that nothing was noted of since `since`, in
    /// microseconds, or all. How many they are.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn interrupt_imports(&self, cx: &RequestContext, since: Option<i64>) -> Result<usize> {
        let noted = match since {
            Some(since) => format!(" AND update_time < \"{}\"", timestamp(since)),
            None => String::new(),
        };
        let filter = format!("state = RUNNING{noted}");
        let wanted = List {
            page_size: 1000,
            filter: &filter,
            ..List::default()
        };
        let left = self.list::<Imports>(cx, wanted).await?.items()?;
        for import in &left {
            let bounds = self.bounds(id_of(&import.name)).await?;
            let (at, name, revision) = (cx.clone(), import.name.clone(), import.revision);
            let edit: Edit = Box::new(move |work| {
                let mut import = work.require::<Imports>(&name)?;
                // Somebody noted something of it meanwhile.
                if import.revision == revision {
                    import.set_state(ImportState::Interrupted);
                    import.end_time = import.update_time;
                    if let Some((first, last)) = bounds {
                        (import.first_sequence, import.last_sequence) = (first, last);
                    }
                }
                work.update::<Imports>(&at, &AuditInfo::new("interrupt"), &import)
            });
            self.edit_import(cx, edit).await?;
        }
        Ok(left.len())
    }

    /// Whether no other process may use the database.
    pub fn is_alone(&self) -> bool {
        self.db.backend() != DbBackend::Postgres
    }

    /// What the rows of a part of an import meant in its calls so far, as it was kept. `part`: the id of the import, the collection and the
    /// number of the part.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn seen(&self, (import, collection, part): (&str, &str, i32)) -> Result<RunNotes> {
        let seen = Query::select()
            .column("seen")
            .from(SEEN)
            .and_where(of_part(import, collection, part.into()))
            .and_where(length("seen").gt(zero()))
            .order_by("note", Order::Asc)
            .take();
        let rows = self.db.read.query_all(&seen).await?;
        RunNotes::of_notes(&first::<Vec<u8>>(&rows)?)
    }

    /// Lets go what rows of imports meant that nobody has gone on with since, and what was decided of them before another time, both in
    /// microseconds.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn forget_seen(&self, since: i64, decided_since: i64) -> Result<()> {
        let old = || length("seen").gt(zero()).and(Expr::col("create_time").lt(since));
        let older = || Expr::col("create_time").lt(decided_since);
        let any = Query::select()
            .expr(Func::count(Expr::col(Asterisk)))
            .from(SEEN)
            .and_where(old().or(older()))
            .take();
        let row = self.db.one().query_one(&any).await?;
        let found: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
        if found == 0 {
            return Ok(());
        }
        let tx = self.db.begin().await?;
        let mut emptied = Query::update();
        emptied.table(SEEN).value("seen", Vec::<u8>::new()).and_where(old());
        tx.execute(&emptied).await?;
        let is_empty = length("seen").eq(zero()).and(length("decided").eq(zero()));
        let mut gone = Query::delete();
        gone.from_table(SEEN).and_where(older().or(is_empty));
        tx.execute(&gone).await?;
        Ok(tx.commit().await?)
    }

    /// Does one edit of an import, and answers the import.
    pub(crate) async fn edit_import(&self, cx: &RequestContext, edit: Edit) -> Result<Import> {
        let answer = self.change_each(cx, vec![edit]).await?.pop();
        let answer: WriteResult = answer.ok_or_else(|| Error::internal("a writer answered nothing"))??;
        answer.decode::<Imports>()
    }

    /// The places in the ledger of the first and the last change of an import.
    async fn bounds(&self, id: &str) -> Result<Option<(i64, i64)>> {
        let (import, sequence) = (ledger::Column::Import, ledger::Column::Sequence);
        let changes = ledger::Entity::find()
            .select_only()
            .column(sequence)
            .filter(import.eq(id))
            .filter(import.into_expr().ne(nothing()));
        let first = changes.clone().order_by_asc(sequence).into_tuple::<i64>();
        let last = changes.order_by_desc(sequence).into_tuple::<i64>();
        let on = self.db.one();
        Ok(first.one(on).await?.zip(last.one(on).await?))
    }
}
