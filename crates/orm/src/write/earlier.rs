//! What an import decided of rows, for when the same file is loaded again. A row that was refused stays so until anything else has changed
//! the database. A row that was known by a name alone means the record that it meant until something else has changed the collection.
//! A row that finds another answer in what the file itself has made would make each load of it another one.
//! docs/adr/0044-same-file.md

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use mingce_proto::collections::IMPORTS;
use mingce_proto::registry::{Import, ImportSettings, ImportState};
use prost::Message;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use sha2::{Digest, Sha256};

use crate::context::RequestContext;
use crate::db::entity::ledger;
use crate::db::select::zero;
use crate::db::statement::{among, first as first_column, list};
use crate::error::{Error, Result};
use crate::model::collection::Collection;
use crate::model::kind::Kind;
use crate::query::list::List;
use crate::write::canonical::without_sealed;
use crate::write::import_seen::{SEEN, length, of_part};
use crate::write::imports::{Imports, id_of};
use crate::write::ledger::UNDO;
use crate::write::store::Store;

/// A row that names what is not there is taken as soon as it is.
const NOT_FOUND: &str = "REFERENCE_NOT_FOUND";

/// What was decided of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It was refused, for this reason.
    Refused(Arc<str>),
    /// It means the record with this id.
    Means(Arc<str>),
    /// The same, and what it names is what it was: the record is as the row says.
    Stands(Arc<str>),
}

/// A row of which something was decided that may be otherwise the next time.
#[derive(Debug, Clone)]
pub struct DecidedRow {
    row: i64,
    said: u64,
    decision: Decision,
}

impl DecidedRow {
    /// The row of an import with this number, encoded, that was refused. None where what the row names may be mended in another
    /// collection, which another database may hold.
    ///
    /// # Errors
    /// Where the resource is none.
    pub fn refused<C: Collection>(
        import: &Import,
        settings: &ImportSettings,
        (row, encoded): (i64, &[u8]),
        reason: &str,
    ) -> Result<Option<Self>> {
        let is_elsewhere = reason == NOT_FOUND || (is_of_references(reason) && C::acyclic_references().is_empty());
        if is_elsewhere {
            return Ok(None);
        }
        let said = said::<C>(id_of(&import.name), settings, encoded)?;
        let decision = Decision::Refused(reason.into());
        Ok(Some(Self { row, said, decision }))
    }

    /// Whether a row of an import may mean another record the next time: it has only a name to be known by, or names others of its
    /// collection.
    pub fn is_doubtful<C: Collection>(row: &C::Item) -> bool {
        C::names_others(row) || (C::BY_NAME && C::keys(row).iter().all(|key| key.non_identifying))
    }

    /// The row of an import with this number, encoded, that means the record of this name; for doubtful ones.
    ///
    /// # Errors
    /// Where the resource is none.
    pub fn means<C: Collection>(
        import: &Import,
        settings: &ImportSettings,
        (row, encoded): (i64, &[u8]),
        name: &str,
    ) -> Result<Self> {
        let said = said::<C>(id_of(&import.name), settings, encoded)?;
        let id = C::shape().kind.expect(name, "name")?;
        let decision = Decision::Means(id.into());
        Ok(Self { row, said, decision })
    }
}

/// Decided rows, as they are kept: those that were refused by their reason, the others by their record.
#[derive(Clone, PartialEq, Message)]
struct Noted {
    #[prost(message, repeated, tag = "1")]
    refused: Vec<NotedRows>,
    #[prost(message, repeated, tag = "2")]
    mean: Vec<NotedRows>,
}

#[derive(Clone, PartialEq, Message)]
struct NotedRows {
    /// The reason, or the id.
    #[prost(string, tag = "1")]
    decision: String,
    #[prost(int64, repeated, tag = "2")]
    rows: Vec<i64>,
    #[prost(fixed64, repeated, tag = "3")]
    said: Vec<u64>,
}

/// The rows as they are kept; empty where there are none.
pub(crate) fn noted(rows: &[DecidedRow]) -> Vec<u8> {
    let (mut refused, mut mean) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        let (among, decision) = match &row.decision {
            Decision::Refused(reason) => (&mut refused, reason),
            Decision::Means(id) | Decision::Stands(id) => (&mut mean, id),
        };
        let alike: &mut NotedRows = among.entry(decision).or_insert_with(|| NotedRows {
            decision: decision.to_string(),
            ..NotedRows::default()
        });
        alike.rows.push(row.row);
        alike.said.push(row.said);
    }
    let noted = Noted {
        refused: refused.into_values().collect(),
        mean: mean.into_values().collect(),
    };
    noted.encode_to_vec()
}

/// The first and the last of some rows.
pub(crate) fn bounds(rows: &[DecidedRow]) -> (i64, i64) {
    let numbers = rows.iter().map(|row| row.row);
    (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0))
}

/// What stands for what a row says in an import, without what is sealed, and for what it may set.
fn said<C: Collection>(import: &str, settings: &ImportSettings, encoded: &[u8]) -> Result<u64> {
    let mut digest = Sha256::new().chain_update(import);
    for path in settings.update_mask.iter().flat_map(|mask| &mask.paths) {
        digest.update(path);
        digest.update([0]);
    }
    digest.update([1, u8::from(settings.keep_edits)]);
    digest.update(without_sealed::<C>(encoded)?);
    let digest = digest.finalize();
    Ok(digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte)))
}

/// What the last import of the same file decided: of those rows that are looked at.
#[derive(Debug)]
pub struct Earlier {
    import: String,
    collection: &'static str,
    part: i64,
    /// Something else has changed in the database since, though not in the collection.
    is_changed: bool,
    rows: HashMap<i64, (u64, Decision)>,
}

impl Earlier {
    /// What was decided of this row, where it says the same.
    ///
    /// # Errors
    /// Where the resource is none.
    pub fn decision<C: Collection>(
        &self,
        settings: &ImportSettings,
        row: i64,
        encoded: &[u8],
    ) -> Result<Option<Decision>> {
        let Some((before, decision)) = self.rows.get(&row) else {
            return Ok(None);
        };
        let is_same = *before == said::<C>(&self.import, settings, encoded)?;
        Ok(is_same.then(|| decision.clone()))
    }
}

impl Store {
    /// What the last import of the same file by the same mapping decided of rows of a collection; none where something else has changed the
    /// collection since that import began.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn earlier<C: Collection>(
        &self,
        cx: &RequestContext,
        settings: &ImportSettings,
    ) -> Result<Option<Earlier>> {
        if settings.source_sha256.is_empty() {
            return Ok(None);
        }
        let filter = format!("source_sha256 = \"{}\"", settings.source_sha256);
        let wanted = List {
            page_size: 100,
            filter: &filter,
            ..List::default()
        };
        let same = self.list::<Imports>(cx, wanted).await?.items()?;
        let is_before = |import: &&Import| {
            import.state() == ImportState::Done
                && (&import.mapping, &import.mapping_sha256) == (&settings.mapping, &settings.mapping_sha256)
                && import.run != settings.run
                && import.counts.iter().any(|counts| counts.collection == C::COLLECTION)
        };
        let Some(last) = same.iter().find(is_before) else {
            return Ok(None);
        };
        let kind = &C::shape().kind;
        let begun = ledger::Entity::find()
            .select_only()
            .column(ledger::Column::Sequence)
            .filter(ledger::Column::Resource.eq(last.name.as_str()))
            .filter(ledger::Column::Revision.eq(1_i64))
            .into_tuple::<i64>();
        let Some(begun) = begun.one(self.db.one()).await? else {
            return Ok(None);
        };
        let is_changed = self.is_changed_beside(None, begun, &same).await?;
        if is_changed && self.is_changed_beside(Some(kind), begun, &same).await? {
            return Ok(None);
        }
        Ok(Some(Earlier {
            import: id_of(&last.name).to_owned(),
            collection: C::COLLECTION,
            part: settings.part.into(),
            is_changed,
            rows: HashMap::new(),
        }))
    }

    /// Reads what was decided of rows with these numbers. What is kept of others is not held: a file may have a million rows.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn recall<C: Collection>(&self, earlier: &mut Earlier, wanted: &HashSet<i64>) -> Result<()> {
        earlier.rows.clear();
        let (Some(first), Some(last)) = (wanted.iter().min(), wanted.iter().max()) else {
            return Ok(());
        };
        let of = || of_part(&earlier.import, earlier.collection, earlier.part);
        let notes = Query::select()
            .column("note")
            .from(SEEN)
            .and_where(of())
            .and_where(length("decided").gt(zero()))
            .and_where(Expr::col("last_row").gte(*first))
            .and_where(Expr::col("first_row").lte(*last))
            .order_by("note", Order::Asc)
            .take();
        let notes = self.db.read.query_all(&notes).await?;
        let mut rows = HashMap::new();
        for note in first_column::<String>(&notes)? {
            let decided = Query::select()
                .column("decided")
                .from(SEEN)
                .and_where(of())
                .and_where(Expr::col("note").eq(note))
                .take();
            let Some(row) = self.db.read.query_one(&decided).await? else {
                continue;
            };
            let noted: Vec<u8> = row.try_get_by_index(0)?;
            let noted = Noted::decode(noted.as_slice()).map_err(Error::internal)?;
            let mut add = |noted: &NotedRows, decision: &dyn Fn(Arc<str>) -> Decision| {
                let decision = decision(noted.decision.as_str().into());
                let said = noted.rows.iter().zip(&noted.said);
                let wanted = said.filter(|(row, _)| wanted.contains(row));
                rows.extend(wanted.map(|(row, said)| (*row, (*said, decision.clone()))));
            };
            // What stood in the way may be what has changed: a round that was opened, a record that was made.
            if !earlier.is_changed {
                noted
                    .refused
                    .iter()
                    .for_each(|refused| add(refused, &Decision::Refused));
            }
            // What rows of such a collection name this database holds too.
            let stands = !earlier.is_changed && !C::acyclic_references().is_empty();
            let decision = if stands { Decision::Stands } else { Decision::Means };
            for means in &noted.mean {
                add(means, &decision);
            }
        }
        earlier.rows = rows;
        Ok(())
    }

    /// Whether records of a kind and what belongs to them, or any, were changed since a place in the ledger otherwise than by imports of the
    /// same file.
    async fn is_changed_beside(&self, kind: Option<&Kind>, since: i64, same: &[Import]) -> Result<bool> {
        let (within, is) = match kind {
            Some(kind) => (kind.name(kind.parent.map(|_| "{"), "{"), "="),
            None => (format!("{IMPORTS}/"), "<>"),
        };
        let within = within.split_once('/').map_or(within.as_str(), |(first, _)| first);
        let within = format!("{within}/");
        let backend = self.db.backend();
        // SQL: for PostgreSQL a length is a number of 32 bits, which no value of ours is.
        let text = format!(
            "SELECT sequence FROM ledger WHERE sequence > ? AND substr(resource, 1, {}) {is} ? AND (verb = ? OR NOT ({})) LIMIT 1",
            within.len(),
            among(backend, "import")
        );
        let values = [
            since.into(),
            within.into(),
            UNDO.into(),
            list(backend, same.iter().map(|import| id_of(&import.name))),
        ];
        let found = self.db.read.query_one_raw(self.db.sql(&text, values)).await?;
        Ok(found.is_some())
    }
}

/// Whether a row that is refused for this reason may be taken when another record than its own has changed.
fn is_of_references(reason: &str) -> bool {
    reason.starts_with("REFERENCE_")
}
