//! A collection without its type: what an undo needs of it.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;
use prost::Message;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::model::cell::Cell;
use crate::model::collection::Collection;
use crate::model::column::Column;
use crate::model::head::is_head;
use crate::model::kind::Kind;
use crate::model::revision::AuditInfo;
use crate::model::validate::expect_no_cycle;
use crate::model::{message_fields, resource, table_row};
use crate::write::canonical::normalized;
use crate::write::precondition::expect_active;
use crate::write::result::WriteResult;
use crate::write::unit_of_work::UnitOfWork;

/// A collection without its type: what an undo needs of it.
pub trait AnyCollection: fmt::Debug + Send + Sync {
    /// Which.
    fn kind(&self) -> &'static Kind;
    /// What a record is called.
    ///
    /// # Errors
    /// While something is not loaded.
    fn title(&self, work: &mut UnitOfWork, name: &str) -> Result<String>;
    /// What a record of this content names.
    ///
    /// # Errors
    /// Where it does not read back.
    fn cites(&self, body: &[u8]) -> Result<BTreeSet<String>>;
    /// Annuls a record that is at this revision.
    ///
    /// # Errors
    /// `CONCURRENT_CHANGE` where it is at another, and while something is not loaded.
    fn annul(
        &self,
        work: &mut UnitOfWork,
        cx: &RequestContext,
        stamp: &AuditInfo,
        at: (&str, i64),
    ) -> Result<WriteResult>;
    /// Sets a record that is at this revision back to what it was. What is sealed stays.
    ///
    /// # Errors
    /// The same, and where what it was cannot stand beside what is there.
    fn restore(
        &self,
        work: &mut UnitOfWork,
        cx: &RequestContext,
        stamp: &AuditInfo,
        at: (&str, i64),
        before: &[u8],
    ) -> Result<WriteResult>;
}

/// A collection without its type.
pub fn any<C: Collection>() -> Arc<dyn AnyCollection> {
    Arc::new(Of::<C>(PhantomData))
}

struct Of<C>(PhantomData<fn() -> C>);

impl<C: Collection> fmt::Debug for Of<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(C::COLLECTION)
    }
}

/// Whether a column may name records.
pub(super) fn may_cite(column: &Column) -> bool {
    // Of rounds and policies it is the name of a programme or a scheme.
    column.cites || column.name == "programme"
}

/// The record, where nobody changed it since it was looked at.
fn unchanged<C: Collection>(work: &mut UnitOfWork, (name, revision): (&str, i64)) -> Result<C::Item> {
    let stored = work.require::<C>(name)?;
    if stored.head().revision == revision {
        Ok(stored)
    } else {
        Err(Error::concurrent())
    }
}

impl<C: Collection> AnyCollection for Of<C> {
    fn kind(&self) -> &'static Kind {
        &C::shape().kind
    }

    fn title(&self, work: &mut UnitOfWork, name: &str) -> Result<String> {
        Ok(C::title(&work.require_unchanged::<C>(name)?).to_owned())
    }

    fn cites(&self, body: &[u8]) -> Result<BTreeSet<String>> {
        let cells = table_row::cells::<C>(&resource::decode::<C>(body)?);
        let columns = C::shape().kind.columns.iter().zip(cells);
        let mut named = BTreeSet::new();
        for (_, cell) in columns.filter(|(column, _)| may_cite(column)) {
            match cell {
                Cell::Text(name) => drop(named.insert(name)),
                Cell::Many(names) => named.extend(names),
                Cell::Integer(_) => {}
            }
        }
        Ok(named)
    }

    fn annul(
        &self,
        work: &mut UnitOfWork,
        cx: &RequestContext,
        stamp: &AuditInfo,
        at: (&str, i64),
    ) -> Result<WriteResult> {
        let stored = unchanged::<C>(work, at)?;
        expect_active::<C>(&stored)?;
        C::on_annul(work, cx, stamp, &stored)?;
        work.change::<C>(cx, stamp, &stored, RecordStatus::Annulled, "")
    }

    fn restore(
        &self,
        work: &mut UnitOfWork,
        cx: &RequestContext,
        stamp: &AuditInfo,
        at: (&str, i64),
        before: &[u8],
    ) -> Result<WriteResult> {
        let stored = unchanged::<C>(work, at)?;
        expect_active::<C>(&stored)?;
        let (sealed, now) = (resource::private::<C>(), stored.encode_to_vec());
        let mut whole = message_fields::retain(&now, |number| is_head(number) || sealed.contains(&number))?;
        whole.extend(message_fields::retain(before, |number| {
            !is_head(number) && !sealed.contains(&number)
        })?);
        let before = normalized::<C>(&resource::decode::<C>(&whole)?)?;
        C::check_beside(work, Some(&stored), &before)?;
        expect_no_cycle(work, C::acyclic_references(), &stored, &before)?;
        work.update::<C>(cx, stamp, &before)
    }
}
