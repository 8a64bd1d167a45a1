//! Pairs of records that may be of one subject. docs/adr/0032-duplicates.md
//!
//! Candidates are read in the order of an index that has what they share side by side: the keys of identifiers as they are written
//! loosely, whole names, or the order of names. What a pair shares is then looked at in the records. A call looks at so much of the index,
//! whatever it finds: the token says where it stopped.

mod pairs;
mod shared;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use mingce_proto::Headed;
use mingce_proto::registry::likely_duplicate::Record;
use mingce_proto::registry::{
    DuplicateReason, LikelyDuplicate, ListLikelyDuplicatesRequest, ListLikelyDuplicatesResponse, RecordStatus,
};
use prost::Message;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{ExprTrait, Query};

use crate::context::RequestContext;
use crate::db::select::{T, is_among, nothing, of_t};
use crate::db::statement::{first, list};
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::kind::Kind;
use crate::model::resource;
use crate::query::get_batcher::{by_id, text_by_ids};
use crate::query::page_token::{self, Position};
use crate::write::store::Store;

use self::pairs::{Member, Pairs};
use self::shared::Shared;
pub use self::source::index;
use crate::model::likeness::{Beside, Likeness};

/// Entries of an index that one statement looks at, and how many such statements a call has.
const WINDOW: usize = 50_000;
const WINDOWS: usize = 4;
/// Members of groups that are read at once, and by one call.
const MEMBERS: usize = 4000;
const MOST_MEMBERS: usize = 20_000;
/// Members of one group that are compared.
const GROUP: usize = 5000;
/// Pairs whose records are read at once, and by one call.
const PAIRS: usize = 32;
const MOST_PAIRS: usize = 2000;
/// How often what a record was told from was merged on, at most.
const MERGES: usize = 32;

/// What brings candidates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Identifiers, as [`loosely`] has them.
    Identifiers,
    /// Whole names of a collection that an import matches by name.
    WholeNames,
    /// The order of names of another one.
    SortKeys,
}

/// Where the list stands: behind a pair, or before all pairs of a key.
#[derive(Debug, Clone)]
struct At {
    stage: Stage,
    key: String,
    pair: (String, String),
}

impl At {
    fn before(stage: Stage, key: String) -> Self {
        Self {
            stage,
            key,
            pair: (String::new(), String::new()),
        }
    }
}

impl Store {
    /// A page of pairs of active records that may be of one subject.
    pub async fn likely_duplicates<C: Collection>(
        &self,
        _cx: &RequestContext,
        wanted: &ListLikelyDuplicatesRequest,
    ) -> Result<ListLikelyDuplicatesResponse> {
        let kind = &C::shape().kind;
        let by_name = if C::BY_NAME { Stage::WholeNames } else { Stage::SortKeys };
        let wants = |reason: DuplicateReason| wanted.reasons.is_empty() || wanted.reasons.contains(&(reason as i32));
        let by_identifier = wants(DuplicateReason::Identifier);
        let mut stages = Vec::new();
        stages.extend(by_identifier.then_some(Stage::Identifiers));
        let is_identifier = |reason: &i32| *reason == DuplicateReason::Identifier as i32;
        stages.extend((wanted.reasons.is_empty() || !wanted.reasons.iter().all(is_identifier)).then_some(by_name));
        let arguments = [
            "likely duplicates",
            kind.table,
            &format!("{:?} {}", wanted.reasons, wanted.show_distinct),
        ];
        let mut walk = Walk {
            store: self,
            kind,
            size: page_token::size(wanted.page_size),
            looks_at_identifiers: by_identifier,
            wanted,
            page: ListLikelyDuplicatesResponse::default(),
            windows: WINDOWS,
            members: MOST_MEMBERS,
            pairs: MOST_PAIRS,
            bytes: 0,
        };
        let mut from = match page_token::decode(&wanted.page_token, &arguments)? {
            None => None,
            Some(position) => Some(at_of(&position, &stages)?),
        };
        for stage in stages {
            if from.as_ref().is_some_and(|at| at.stage > stage) {
                continue;
            }
            let at = from.take().unwrap_or_else(|| At::before(stage, String::new()));
            if let Some(at) = walk.go::<C>(at).await? {
                let (one, other) = at.pair;
                let position = [
                    Position::Integer(at.stage as i64),
                    Position::Text(at.key),
                    Position::Text(one),
                    Position::Text(other),
                ];
                walk.page.next_page_token = page_token::encode(&arguments, &position);
                break;
            }
        }
        Ok(walk.page)
    }
}

fn at_of(position: &[Position], stages: &[Stage]) -> Result<At> {
    let malformed = || Error::invalid("page_token", "PAGE_TOKEN_MALFORMED", "not a token of this list");
    let [
        Position::Integer(stage),
        Position::Text(key),
        Position::Text(one),
        Position::Text(other),
    ] = position
    else {
        return Err(malformed());
    };
    let stage = stages
        .iter()
        .find(|known| **known as i64 == *stage)
        .ok_or_else(malformed)?;
    Ok(At {
        stage: *stage,
        key: key.clone(),
        pair: (one.clone(), other.clone()),
    })
}

/// One call on its way through the candidates.
struct Walk<'a> {
    store: &'a Store,
    kind: &'static Kind,
    size: usize,
    looks_at_identifiers: bool,
    wanted: &'a ListLikelyDuplicatesRequest,
    page: ListLikelyDuplicatesResponse,
    /// What it may still look at.
    windows: usize,
    members: usize,
    pairs: usize,
    bytes: usize,
}

impl Walk<'_> {
    /// Goes through a stage. Answers where the page ends, if it does before the end of the stage.
    async fn go<C: Collection>(&mut self, mut at: At) -> Result<Option<At>> {
        loop {
            if self.windows == 0 {
                return Ok(Some(at));
            }
            self.windows -= 1;
            let (shared, next) = self.window(&at).await?;
            let mut rest = shared.as_slice();
            while !rest.is_empty() {
                let mut sum = 0;
                let fits = |(_, count): &&(String, usize)| {
                    sum += count.min(&GROUP);
                    sum <= MEMBERS
                };
                let some = rest.iter().take_while(fits).count().max(1);
                let (these, others) = rest.split_at(some);
                rest = others;
                for (key, members) in self.groups(at.stage, these).await? {
                    if self.members == 0 {
                        return Ok(Some(self.resume(&at, key)));
                    }
                    self.members = self.members.saturating_sub(members.len());
                    if let Some(end) = self.group::<C>(&at, key, &members).await? {
                        return Ok(Some(end));
                    }
                }
            }
            match next {
                Some(key) => at = At::before(at.stage, key),
                None => return Ok(None),
            }
        }
    }

    fn resume(&self, at: &At, key: String) -> At {
        if at.key == key {
            at.clone()
        } else {
            At::before(at.stage, key)
        }
    }

    /// Looks at the pairs of a group, behind the place where the list stands. Answers where the page ends.
    async fn group<C: Collection>(&mut self, at: &At, key: String, members: &[Member]) -> Result<Option<At>> {
        let mut last = self.resume(at, key);
        let behind = last.pair.clone();
        let mut pairs = Pairs::behind(members, (&behind.0, &behind.1), last.stage == Stage::WholeNames);
        loop {
            let next = pairs.by_ref().take(PAIRS);
            let some: Vec<(String, String)> = next.map(|(one, other)| (one.to_owned(), other.to_owned())).collect();
            if some.is_empty() {
                return Ok(None);
            }
            if self.pairs < some.len() {
                return Ok(Some(last));
            }
            self.pairs -= some.len();
            let records = self.records::<C>(&some).await?;
            let merged = self.merged_into::<C>(&records).await?;
            for (one, other) in some {
                if let (Some(a), Some(b)) = (records.get(&one), records.get(&other))
                    && let Some(found) = self.compare::<C>(&last, (a, b), &merged)?
                {
                    self.bytes += found.encoded_len() + 8;
                    if self.bytes > page_token::BYTES && !self.page.likely_duplicates.is_empty() {
                        return Ok(Some(last));
                    }
                    self.page.likely_duplicates.push(found);
                }
                last.pair = (one, other);
                if self.page.likely_duplicates.len() >= self.size {
                    return Ok(Some(last));
                }
            }
        }
    }

    /// The active records of some pairs, by their ids.
    async fn records<C: Collection>(&self, pairs: &[(String, String)]) -> Result<BTreeMap<String, C::Item>> {
        let ids: BTreeSet<&str> = pairs
            .iter()
            .flat_map(|(one, other)| [one.as_str(), other.as_str()])
            .collect();
        let db = &self.store.db;
        let text = text_by_ids(db.backend(), self.kind);
        let bodies = db.bodies(&text, [list(db.backend(), &ids)], usize::MAX >> 1).await?;
        let found = by_id(&bodies);
        let mut records = BTreeMap::new();
        for id in ids {
            let Some(body) = found.body(id)? else { continue };
            if resource::head(body)?.record_status() == RecordStatus::Active {
                records.insert(id.to_owned(), resource::decode::<C>(body)?);
            }
        }
        Ok(records)
    }

    /// For each record that one of these was told from and that was merged since: the one that stands for it.
    async fn merged_into<C: Collection>(
        &self,
        records: &BTreeMap<String, C::Item>,
    ) -> Result<BTreeMap<String, String>> {
        let db = &self.store.db;
        let told = records.values().filter_map(C::likeness);
        let mut wanted: BTreeSet<String> = told.flat_map(|one| one.distinct_from.to_vec()).collect();
        let mut merged = BTreeMap::new();
        for _ in 0..MERGES {
            let ids = wanted.iter().filter_map(|name| self.kind.id(name));
            let ids = list(db.backend(), ids);
            if wanted.is_empty() {
                break;
            }
            let rows = Query::select()
                .columns([(T, "name"), (T, "survivor")])
                .from_as(self.kind.table, T)
                .and_where(is_among(db.backend(), of_t("id"), ids))
                .and_where(of_t("survivor").ne(nothing()))
                .take();
            let rows = db.read.query_all(&rows).await?;
            wanted = BTreeSet::new();
            for (name, row) in first::<String>(&rows)?.into_iter().zip(&rows) {
                let survivor: String = row.try_get_by_index(1)?;
                if !merged.contains_key(&survivor) {
                    wanted.insert(survivor.clone());
                }
                merged.insert(name, survivor);
            }
        }
        Ok(merged)
    }

    /// What two records share, if they are to be listed here.
    fn compare<C: Collection>(
        &self,
        at: &At,
        (one, other): (&C::Item, &C::Item),
        merged: &BTreeMap<String, String>,
    ) -> Result<Option<LikelyDuplicate>> {
        let (Some(a), Some(b)) = (C::likeness(one), C::likeness(other)) else {
            return Ok(None);
        };
        let (a_name, b_name) = (one.head().name.to_owned(), other.head().name.to_owned());
        let distinct = are_distinct::<C>(one, other)?
            || leads_to(a.distinct_from, &b_name, merged)
            || leads_to(b.distinct_from, &a_name, merged);
        if distinct && !self.wanted.show_distinct {
            return Ok(None);
        }
        let shared = Shared::of(&a, &b);
        // Each pair stands once: by the first of what it shares.
        let is_first = match at.stage {
            Stage::Identifiers => shared.keys.first() == Some(&at.key),
            _ if self.looks_at_identifiers && !shared.keys.is_empty() => false,
            Stage::WholeNames => shared.names.keys().next() == Some(&at.key),
            Stage::SortKeys => !shared.names.is_empty(),
        };
        let wanted = &self.wanted.reasons;
        let is_wanted = wanted.is_empty() || shared.reasons.iter().any(|reason| wanted.contains(reason));
        if !is_first || shared.reasons.is_empty() || !is_wanted {
            return Ok(None);
        }
        let a_stays = !a.unverified || b.unverified;
        let (a, b) = (record(a_name, &a), record(b_name, &b));
        let (record, duplicate) = if a_stays { (a, b) } else { (b, a) };
        Ok(Some(LikelyDuplicate {
            reasons: shared.reasons,
            record: Some(record),
            duplicate: Some(duplicate),
            shared_name: shared.names.into_values().next().unwrap_or_default(),
            shared_identifiers: shared.identifiers,
            differing_schemes: shared.differing,
            distinct,
        }))
    }
}

fn leads_to(told: &[String], name: &str, merged: &BTreeMap<String, String>) -> bool {
    told.iter().any(|from| {
        let mut now = from;
        for _ in 0..MERGES {
            match merged.get(now) {
                Some(survivor) => now = survivor,
                None => break,
            }
        }
        now == name
    })
}

fn record(name: String, of: &Likeness<'_>) -> Record {
    let (city, birth_year) = match of.beside {
        Beside::City(city) => (city.to_owned(), 0),
        Beside::BirthYear(year) => (String::new(), year),
    };
    Record {
        name,
        display_name: of.display_name.to_owned(),
        city,
        birth_year,
    }
}

/// Whether one of two records was marked as distinct from the other.
pub(crate) fn are_distinct<C: Collection>(one: &C::Item, other: &C::Item) -> Result<bool> {
    let names = |item: &C::Item, other: &C::Item| -> Result<bool> {
        let other = other.head().name.to_owned();
        Ok(C::likeness(item).is_some_and(|likeness| likeness.distinct_from.contains(&other)))
    };
    Ok(names(one, other)? || names(other, one)?)
}
