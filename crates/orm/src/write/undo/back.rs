//! Taking a page back: its edits, what is counted of them, and what stays.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mingce_proto::registry::{Import, ImportState, StayReason, StayingRecord};

use super::fate::{Fate, built_on, fate, stays};
use super::{AnyCollection, UndoPage, of, of_no_kind, running};
use crate::context::RequestContext;
use crate::error::{Class, Error, Result};
use crate::model::revision::AuditInfo;
use crate::write::call::Call;
use crate::write::edit::Edit;
use crate::write::imports::{Imports, is_undone};
use crate::write::result::{WriteOutcome, WriteResult};
use crate::write::store::Store;
use crate::write::trail::Trails;

/// Why a record stays whose referrer could not go.
const REFERRED_TO: &str = "REFERRED_TO";

const WAITS: u8 = 0;
const ANNULLED: u8 = 1;
const RESTORED: u8 = 2;
const FAILED: u8 = 3;

impl Store {
    /// Writes a page in one transaction.
    pub(super) async fn go_back(
        &self,
        cx: &RequestContext,
        call: &Call,
        stamp: &AuditInfo,
        kinds: &[Arc<dyn AnyCollection>],
        page: &mut UndoPage,
    ) -> Result<Import> {
        if !is_undone(&page.import) {
            // From here on no call of the run writes.
            let (at, its, name, seen) = (cx.clone(), own(stamp), page.import.name.clone(), page.import.revision);
            let edit: Edit = Box::new(move |work| {
                let mut import = work.require::<Imports>(&name)?;
                if import.revision != seen && import.state() == ImportState::Running {
                    return Err(running(&import));
                }
                import.set_state(ImportState::PartlyUndone);
                work.update::<Imports>(&at, &its, &import)
            });
            self.edit_import(cx, edit).await?;
        }
        let steps = page.steps_back(cx, stamp, kinds)?;
        let results = Arc::clone(&steps.results);
        let (at, its, once) = (cx.clone(), own(stamp), call.once().cloned());
        let (name, counted) = (page.import.name.clone(), page.counted());
        let mut edits = steps.edits;
        edits.push(Box::new(move |work| {
            if let Some(once) = &once
                && let Some(answer) = work.answered(&at, once)?
            {
                return Ok(answer);
            }
            let mut import = work.require::<Imports>(&name)?;
            counted.note(&mut import, &results);
            let answer = work.update::<Imports>(&at, &its, &import)?;
            if let Some(once) = &once {
                work.record_request(&at, once, &answer);
            }
            Ok(answer)
        }));
        let mut answers = self.change_each(cx, edits).await?;
        let import = answers
            .pop()
            .ok_or_else(|| Error::internal("a writer answered nothing"))??;
        let changed = page.note_failures(&steps.names, answers)?;
        let trails = self.trails(&changed.iter().cloned().collect()).await?;
        page.note_changed(kinds, &changed, &trails, &stamp.import);
        import.decode::<Imports>()
    }

    /// What [`Store::go_back`] would do.
    pub(super) async fn try_back(
        &self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        kinds: &[Arc<dyn AnyCollection>],
        page: &mut UndoPage,
    ) -> Result<Import> {
        let steps = page.steps_back(cx, stamp, kinds)?;
        let mut work = self.unit_of_work();
        // All that they need is loaded together.
        let all = self.try_edit(&mut work, |work| {
            for edit in &steps.edits {
                let _ = edit(work);
            }
            work.discard();
            Ok(())
        });
        all.await?;
        let mut answers = Vec::with_capacity(steps.edits.len());
        for edit in &steps.edits {
            answers.push(self.try_edit(&mut work, edit).await);
        }
        let mut import = page.import.clone();
        page.counted().note(&mut import, &steps.results);
        page.note_failures(&steps.names, answers)?;
        Ok(import)
    }
}

/// The entry of the import itself belongs to none: it is no part of what the import did.
fn own(stamp: &AuditInfo) -> AuditInfo {
    AuditInfo {
        import: String::new(),
        ..stamp.clone()
    }
}

/// The edits of a page, and what became of each.
struct StepsBack {
    names: Vec<String>,
    edits: Vec<Edit>,
    results: Arc<[AtomicU8]>,
}

/// What is counted of a page beside what its edits did.
#[derive(Debug, Clone)]
struct Counted {
    is_first: bool,
    is_last: bool,
    staying: i64,
    /// Of each edit: whether its record is of the page, and whether sealed fields of it stay.
    edits: Vec<(bool, bool)>,
}

impl Counted {
    /// Notes what became of a page.
    fn note(&self, import: &mut Import, results: &[AtomicU8]) {
        let mut staying = self.staying;
        for (result, (is_listed, is_sealed)) in results.iter().zip(&self.edits) {
            let result = result.load(Ordering::Relaxed);
            import.annulled += i64::from(result == ANNULLED);
            import.restored += i64::from(result == RESTORED);
            staying += i64::from(*is_listed && (*is_sealed || result == FAILED));
        }
        import.staying = staying + if self.is_first { 0 } else { import.staying };
        import.set_state(if self.is_last && import.staying == 0 {
            ImportState::Undone
        } else {
            ImportState::PartlyUndone
        });
    }
}

impl UndoPage {
    pub(super) fn judge(&mut self, kinds: &[Arc<dyn AnyCollection>], names: &[String], trails: &Trails, import: &str) {
        for name in names {
            let trail = trails.get(name).map_or(&[][..], Vec::as_slice);
            let kind = of(kinds, name).map(|kind| kind.kind());
            self.fates.insert(name.clone(), fate(kind, name, trail, import));
            let now = trail.last().map_or(0, |step| step.revision);
            self.revisions.insert(name.clone(), now);
        }
    }

    /// The records that are annulled or set back: first those that are set back.
    fn going(&self) -> Vec<(&String, &Fate)> {
        let restored = self.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Restore(..)));
        let annulled = self.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Annul));
        restored.chain(annulled).collect()
    }

    /// The edits that take a page back.
    fn steps_back(
        &mut self,
        cx: &RequestContext,
        stamp: &AuditInfo,
        kinds: &[Arc<dyn AnyCollection>],
    ) -> Result<StepsBack> {
        let mut snapshots = std::mem::take(&mut self.snapshots);
        let going = self.going();
        let places: HashMap<&str, usize> = going
            .iter()
            .zip(0..)
            .map(|((name, _), place)| (name.as_str(), place))
            .collect();
        let results: Arc<[AtomicU8]> = going.iter().map(|_| AtomicU8::new(WAITS)).collect();
        let (mut names, mut edits): (Vec<String>, Vec<Edit>) = (Vec::new(), Vec::new());
        for (place, (name, fate)) in going.iter().enumerate() {
            let kind = Arc::clone(of(kinds, name).ok_or_else(of_no_kind)?);
            let (at, stamp, results) = (cx.clone(), stamp.clone(), Arc::clone(&results));
            let revision = self.revisions.get(*name).copied().unwrap_or_default();
            let before = match fate {
                Fate::Restore(..) => {
                    let found = snapshots.remove(*name);
                    Some(found.ok_or_else(|| Error::internal("the ledger lacks what a record was before"))?)
                }
                _ => None,
            };
            // What names it goes first, as far as that can be said.
            let inside = self.inside.get(*name).into_iter().flatten();
            let first: Vec<(usize, String)> = inside
                .filter_map(|by| Some((*places.get(by.as_str())?, by.clone())))
                .filter(|(other, _)| *other < place)
                .collect();
            names.push((*name).clone());
            let name = (*name).clone();
            edits.push(Box::new(move |work| {
                let result = |place: usize| results.get(place).map_or(FAILED, |slot| slot.load(Ordering::Relaxed));
                let stays = first.iter().find(|(other, _)| result(*other) == FAILED);
                let done = match (&before, stays) {
                    (None, Some((_, by))) => Err(Error::new(Class::Precondition, REFERRED_TO, by.clone())),
                    (None, None) => kind.annul(work, &at, &stamp, (&name, revision)),
                    (Some(before), _) => kind.restore(work, &at, &stamp, (&name, revision), before),
                };
                let became = match (&done, &before) {
                    (Err(_), _) => FAILED,
                    (Ok(answer), _) if answer.outcome == WriteOutcome::Unchanged => WAITS,
                    (Ok(_), None) => ANNULLED,
                    (Ok(_), Some(_)) => RESTORED,
                };
                if let Some(slot) = results.get(place) {
                    slot.store(became, Ordering::Relaxed);
                }
                done
            }));
        }
        Ok(StepsBack { names, edits, results })
    }

    fn counted(&self) -> Counted {
        let is_plain = |name: &&String| matches!(self.fates.get(*name), Some(Fate::Stay(_)));
        let listed: BTreeSet<&String> = self.listed.iter().collect();
        let of = |(name, fate): (&String, &Fate)| {
            let is_sealed = matches!(fate, Fate::Restore(_, sealed) if !sealed.is_empty());
            (listed.contains(name), is_sealed)
        };
        Counted {
            is_first: self.is_first,
            is_last: self.next.is_none(),
            staying: i64::try_from(self.listed.iter().filter(is_plain).count()).unwrap_or(i64::MAX),
            edits: self.going().into_iter().map(of).collect(),
        }
    }

    /// The records of the page that stay, the newest first.
    pub(super) fn staying(&self) -> Vec<StayingRecord> {
        let of = |name: &String| match self.fates.get(name)? {
            Fate::Stay(stays) => Some(stays.clone()),
            Fate::Restore(_, sealed) if !sealed.is_empty() => Some(StayingRecord {
                fields: sealed.clone(),
                ..stays(name, StayReason::Sealed)
            }),
            _ => None,
        };
        self.listed.iter().filter_map(of).collect()
    }

    /// Records whose edits were refused stay. Answers those that somebody changed meanwhile.
    fn note_failures(&mut self, names: &[String], answers: Vec<Result<WriteResult>>) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        for (name, answer) in names.iter().zip(answers) {
            let Err(error) = answer else { continue };
            let stays = match error.class() {
                Class::Aborted => {
                    changed.push(name.clone());
                    continue;
                }
                Class::Internal | Class::DataLoss | Class::Unavailable | Class::Exhausted => return Err(error),
                _ if error.reason() == REFERRED_TO => StayingRecord {
                    referrers: vec![error.message().to_owned()],
                    ..stays(name, StayReason::ReferredTo)
                },
                _ => StayingRecord {
                    detail: format!("{}: {}", error.reason(), error.message()),
                    ..stays(name, StayReason::InConflict)
                },
            };
            self.fates.insert(name.clone(), Fate::Stay(stays));
        }
        Ok(changed)
    }

    /// Says of records that somebody changed while they were to be taken back who it was.
    fn note_changed(&mut self, kinds: &[Arc<dyn AnyCollection>], names: &[String], trails: &Trails, import: &str) {
        self.judge(kinds, names, trails, import);
        for name in names {
            if let Some(Fate::Annul | Fate::Restore(..)) = self.fates.get(name) {
                let last = trails
                    .get(name)
                    .and_then(|trail| trail.last())
                    .cloned()
                    .unwrap_or_default();
                self.fates.insert(name.clone(), Fate::Stay(built_on(name, &last)));
            }
        }
    }
}
