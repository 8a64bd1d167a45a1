//! What a record has to be for a change: at the revision that the caller saw, and active.

use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;

use crate::error::{Class, Error, Result};
use crate::model::collection::Collection;
use crate::write::unit_of_work::UnitOfWork;

/// Refuses what was decided on another revision.
///
/// # Errors
/// ABORTED, reason `ETAG_MISMATCH`.
pub fn expect_etag<C: Collection>(stored: &C::Item, etag: &str) -> Result<()> {
    let head = stored.head();
    if etag.is_empty() || etag == head.etag {
        return Ok(());
    }
    let said = format!(
        "{} is at {}, not at {etag}: read it again and decide anew",
        head.name, head.etag
    );
    Err(Error::new(Class::Aborted, "ETAG_MISMATCH", said).about(C::COLLECTION, head.name))
}

/// Refuses a change of a record that does not stand for itself.
///
/// # Errors
/// Reason `RECORD_NOT_ACTIVE`.
pub fn expect_active<C: Collection>(stored: &C::Item) -> Result<()> {
    let head = stored.head();
    let said = match head.record_status() {
        RecordStatus::Duplicate => format!("{} was merged into {}: use that one", head.name, head.survivor),
        RecordStatus::Annulled => format!("{} was annulled: use another, or make a new one", head.name),
        _ => return Ok(()),
    };
    Err(Error::new(Class::Precondition, "RECORD_NOT_ACTIVE", said).about(C::COLLECTION, head.name))
}

/// The record of a name that is to be changed: at the revision that the caller saw, and active.
///
/// # Errors
/// NOT_FOUND, and those of [`expect_etag`] and [`expect_active`].
pub fn require_active<C: Collection>(work: &mut UnitOfWork, name: &str, etag: &str) -> Result<C::Item> {
    let stored = work.require::<C>(name)?;
    expect_etag::<C>(&stored, etag)?;
    expect_active::<C>(&stored)?;
    Ok(stored)
}
