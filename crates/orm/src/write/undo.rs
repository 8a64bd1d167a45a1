//! Taking an import back, page by page: what of it nobody built on is annulled or set back, the rest stays and it is said why.
//! docs/adr/0031-imports.md
//!
//! The ledger says which records an import made or changed, and what became of them since. Who names them is asked of the tables, and
//! of other services by whoever calls ([`UndoPage::would_annul`]).

mod back;
mod collection;
mod fate;
mod named;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mingce_proto::registry::{Import, ImportState, StayReason, StayingRecord};
use prost::bytes::Bytes;

pub use self::collection::{AnyCollection, any};
use self::fate::{Fate, stays};
use self::named::Origin;
use crate::context::RequestContext;
use crate::error::{Class, Error, Result};
use crate::model::collection::Collection;
use crate::model::kind::Kind;
use crate::model::revision::{AuditInfo, micros};
use crate::query::page_token::{self, Position};
use crate::write::call::Call;
use crate::write::imports::{Imports, id_of};
use crate::write::ledger::{Entered, UNDO};
use crate::write::precondition::expect_etag;
use crate::write::result::WriteResult;
use crate::write::store::Store;

/// How many changes a page has where nothing is said.
const PAGE: usize = 500;
/// How many further records of the import, which name those of a page, are taken back with it.
const BESIDE: usize = 2000;
/// How many records that name one are told.
const REFERRERS: usize = 5;
/// How many records of the import that name one are looked at; one that more name stays until those are gone.
const INSIDE: usize = 50;

/// Records that name others: by the named one.
pub type Referrers = HashMap<String, Vec<String>>;

/// A page of an import that is to be taken back.
#[derive(Debug)]
pub struct UndoPage {
    /// The import as it was when the page was looked at.
    pub import: Import,
    next: Option<i64>,
    is_first: bool,
    /// What an earlier try of the call was answered.
    earlier: Option<WriteResult>,
    /// The records of the page.
    listed: Vec<String>,
    /// Those, and records of the import that name them.
    fates: BTreeMap<String, Fate>,
    revisions: HashMap<String, i64>,
    /// What records were that are to be set back, and what they named then.
    snapshots: HashMap<String, Bytes>,
    named_before: HashMap<String, BTreeSet<String>>,
    /// By records that the import has not touched, and by those that it has.
    outside: Referrers,
    inside: Referrers,
}

impl UndoPage {
    /// The records of a collection that would be annulled if nobody else names them.
    pub fn would_annul(&self, kind: &Kind) -> Vec<String> {
        let annulled = self.fates.iter().filter(|(_, fate)| **fate == Fate::Annul);
        let names = annulled.map(|(name, _)| name).filter(|name| kind.id(name).is_some());
        names.cloned().collect()
    }

    /// Notes that other services have records that name some of these.
    pub fn named_elsewhere(&mut self, name: &str, by: Vec<String>) {
        self.outside.entry(name.to_owned()).or_default().extend(by);
    }

    /// Whether a record names another no more when the page is taken back.
    fn lets_go(&self, by: &str, name: &str) -> bool {
        match self.fates.get(by) {
            Some(Fate::Annul) => true,
            Some(Fate::Restore(..)) => self.named_before.get(by).is_some_and(|named| !named.contains(name)),
            _ => false,
        }
    }

    /// What is named by something that stays, stays.
    fn settle(&mut self) {
        loop {
            let mut kept: Vec<(String, Vec<String>)> = Vec::new();
            for (name, _) in self.fates.iter().filter(|(_, fate)| **fate == Fate::Annul) {
                let outside = self.outside.get(name).into_iter().flatten();
                let inside = self.inside.get(name).map_or(&[][..], Vec::as_slice);
                let is_full = inside.len() >= INSIDE;
                let inside = inside.iter().filter(|by| is_full || !self.lets_go(by, name));
                let by: Vec<String> = outside.chain(inside).take(REFERRERS).cloned().collect();
                if !by.is_empty() {
                    kept.push((name.clone(), by));
                }
            }
            if kept.is_empty() {
                return;
            }
            for (name, referrers) in kept {
                let stays = StayingRecord {
                    referrers,
                    ..stays(&name, StayReason::ReferredTo)
                };
                self.fates.insert(name, Fate::Stay(stays));
            }
        }
    }
}

/// What an undo answers.
#[derive(Debug)]
pub struct Undone {
    /// The import after the page.
    pub import: Import,
    /// The records of the page that stay.
    pub staying: Vec<StayingRecord>,
    /// For the next page; empty on the last.
    pub next_page_token: String,
}

/// Which page of which import, and how it is wanted.
#[derive(Debug, Clone, Copy)]
pub struct UndoWanted<'a> {
    /// The call, which may be a repeated one.
    pub call: &'a Call,
    /// Resource name.
    pub name: &'a str,
    /// Its etag, or nothing.
    pub etag: &'a str,
    /// How many changes are looked at.
    pub page_size: i32,
    /// The token of the page before.
    pub page_token: &'a str,
    /// Imports that nothing was noted of since are not under way, in microseconds.
    pub left_since: i64,
}

fn running(import: &Import) -> Error {
    let said = format!("a call of {} is under way: wait for its end, or end it", import.name);
    Error::new(Class::Precondition, "IMPORT_RUNNING", said).about(Imports::COLLECTION, import.name.clone())
}

fn is_running(import: &Import, left_since: i64) -> bool {
    let noted = import.update_time.as_ref().map_or(0, micros);
    import.state() == ImportState::Running && noted >= left_since
}

impl Store {
    /// Looks at a page of an import that is to be taken back.
    ///
    /// # Errors
    /// NOT_FOUND, `ETAG_MISMATCH`, `IMPORT_RUNNING`, and those of page tokens.
    pub async fn undo_page(
        &self,
        cx: &RequestContext,
        kinds: &[Arc<dyn AnyCollection>],
        wanted: UndoWanted<'_>,
    ) -> Result<UndoPage> {
        let seen = self.look(|work| {
            let import = work.require_unchanged::<Imports>(wanted.name)?;
            // Before anything is done: the id may have been used for something else.
            let earlier = match wanted.call.once() {
                Some(once) => work.answered(cx, once)?,
                None => None,
            };
            if earlier.is_none() {
                expect_etag::<Imports>(&import, wanted.etag)?;
            }
            Ok((import, earlier))
        });
        let (import, earlier) = seen.await?;
        if is_running(&import, wanted.left_since) {
            return Err(running(&import));
        }
        let before = match page_token::decode(wanted.page_token, &["undo", wanted.name])?.as_deref() {
            None => i64::MAX,
            Some([Position::Integer(sequence)]) => *sequence,
            Some(_) => {
                let said = "not a token of an undo";
                return Err(Error::invalid("page_token", "PAGE_TOKEN_MALFORMED", said));
            }
        };
        let size = match usize::try_from(wanted.page_size) {
            Ok(0) | Err(_) => PAGE,
            Ok(size) => size.min(1000),
        };
        let id = id_of(&import.name).to_owned();
        let changes = self.changes_of(&id, before, size).await?;
        let next = changes
            .last()
            .filter(|_| changes.len() == size)
            .map(|(sequence, _)| *sequence);
        let mut page = UndoPage {
            import,
            next,
            is_first: before == i64::MAX,
            earlier,
            listed: Vec::new(),
            fates: BTreeMap::new(),
            revisions: HashMap::new(),
            snapshots: HashMap::new(),
            named_before: HashMap::new(),
            outside: HashMap::new(),
            inside: HashMap::new(),
        };
        let trails = self
            .trails(&changes.iter().map(|(_, name)| name.clone()).collect())
            .await?;
        // A record has its turn with its first change by the import: what names it was mostly written after it.
        let first = |name: &str| {
            let own = |step: &&Entered| step.import == id && step.verb != UNDO;
            trails.get(name)?.iter().find(own).map(|step| step.sequence)
        };
        let listed = changes.iter().filter(|(sequence, name)| first(name) == Some(*sequence));
        page.listed = listed.map(|(_, name)| name.clone()).collect();
        let mut next = page.listed.clone();
        page.judge(kinds, &next, &trails, &id);
        self.look_back(cx, kinds, &mut page, &next).await?;
        while !next.is_empty() {
            next.retain(|name| page.fates.get(name) == Some(&Fate::Annul));
            let outside = self.named_by(kinds, &next, Origin::Not(&id), REFERRERS).await?;
            let inside = self.named_by(kinds, &next, Origin::Of(&id), INSIDE).await?;
            let mut further: BTreeSet<String> = inside.values().flatten().cloned().collect();
            further.retain(|name| !page.fates.contains_key(name));
            page.outside.extend(outside);
            page.inside.extend(inside);
            // What is not looked at stays for now, and so does what it names.
            let room = BESIDE.saturating_sub(page.fates.len() - page.listed.len());
            next = further.into_iter().take(room).collect();
            let trails = self.trails(&next.iter().cloned().collect()).await?;
            page.judge(kinds, &next, &trails, &id);
            self.look_back(cx, kinds, &mut page, &next).await?;
        }
        Ok(page)
    }

    /// Reads what records were that are to be set back.
    async fn look_back(
        &self,
        cx: &RequestContext,
        kinds: &[Arc<dyn AnyCollection>],
        page: &mut UndoPage,
        names: &[String],
    ) -> Result<()> {
        let place = |name: &String| match page.fates.get(name) {
            Some(Fate::Restore(sequence, _)) => Some((*sequence, name.clone())),
            _ => None,
        };
        let wanted: Vec<(i64, String)> = names.iter().filter_map(place).collect();
        let found = self
            .snapshots(cx, &wanted.iter().map(|(sequence, _)| *sequence).collect())
            .await?;
        for (sequence, name) in wanted {
            let kind = of(kinds, &name).ok_or_else(of_no_kind)?;
            let Some(body) = found.get(&sequence) else { continue };
            page.named_before.insert(name.clone(), kind.cites(body)?);
            page.snapshots.insert(name, body.clone());
        }
        Ok(())
    }

    /// Takes a page back, or only says what would be, and answers what stays.
    ///
    /// # Errors
    /// `CONCURRENT_CHANGE` where somebody was faster each time, and `IMPORT_RUNNING`.
    pub async fn undo(
        &self,
        cx: &RequestContext,
        call: &Call,
        reason: &str,
        kinds: &[Arc<dyn AnyCollection>],
        mut page: UndoPage,
    ) -> Result<Undone> {
        page.settle();
        let name = page.import.name.clone();
        let stamp = AuditInfo {
            import: id_of(&name).to_owned(),
            ..call.stamp(UNDO, reason)
        };
        let next_page_token = page
            .next
            .map(|sequence| page_token::encode(&["undo", &name], &[Position::Integer(sequence)]))
            .unwrap_or_default();
        let import = match page.earlier.take() {
            Some(answer) => answer.decode::<Imports>()?,
            None if call.is_dry() => self.try_back(cx, &stamp, kinds, &mut page).await?,
            None => self.go_back(cx, call, &stamp, kinds, &mut page).await?,
        };
        let mut staying = page.staying();
        let titles = self.look(|work| {
            let mut waits = None;
            let mut titles = Vec::with_capacity(staying.len());
            for stays in &staying {
                match of(kinds, &stays.name).map(|kind| kind.title(work, &stays.name)) {
                    Some(Ok(title)) => titles.push(title),
                    Some(Err(error)) => waits = Some(error),
                    None => titles.push(String::new()),
                }
            }
            waits.map_or(Ok(titles), Err)
        });
        let titles = titles.await?;
        for (stays, title) in staying.iter_mut().zip(titles) {
            stays.display_name = title;
        }
        Ok(Undone {
            import,
            staying,
            next_page_token,
        })
    }
}

fn of<'a>(kinds: &'a [Arc<dyn AnyCollection>], name: &str) -> Option<&'a Arc<dyn AnyCollection>> {
    kinds.iter().find(|kind| kind.kind().id(name).is_some())
}

fn of_no_kind() -> Error {
    Error::internal("an undo of a record of no known kind")
}
