//! Why a transaction of the writer did not come to its end, and what its callers are told then.

use std::time::Duration;

use crate::db::fault::{is_locked, is_slow, is_undone, is_unique, is_unreachable, wants_retry};
use crate::db::watched::in_vain;
use crate::error::{Class, Error};

/// How long a transaction may take until it is committed, and its commit: longer than the databases themselves let a statement take,
/// which do not answer at all where the network has lost them.
pub(super) const LONGEST_BEFORE_COMMIT: Duration = Duration::from_secs(300);
pub(super) const LONGEST_COMMIT: Duration = Duration::from_secs(120);

/// Why a transaction did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
    #[error("{}", .0.logged())]
    Orm(#[from] Error),
    /// It held rows already, and others held those that it needed then. It begins anew, and asks for all of them at once.
    #[error("another transaction holds a row that was found to be needed")]
    Held,
    /// It took longer than anything that goes on may take.
    #[error("a transaction has not come to its end within {} seconds", LONGEST_BEFORE_COMMIT.as_secs())]
    Stuck,
    /// Something in it panicked; what it had written is undone.
    #[error("a transaction panicked, see the log before this")]
    Panic,
    /// The commit was sent and its answer is missing: it is not known whether it was done.
    #[error("the commit has no answer: {0}")]
    Commit(sea_orm::DbErr),
}

impl Fault {
    /// Whether the other jobs of the batch may succeed without the one that is at fault. Not where the database is away
    /// or locked, and never where the batch may be written already: doing it again would do it twice.
    pub(super) fn may_be_of_one_job(&self) -> bool {
        match self {
            Self::Database(error) => !is_unreachable(error) && !is_locked(error) && !is_slow(error),
            Self::Panic | Self::Held => true,
            Self::Stuck => false,
            Self::Orm(error) => !matches!(error.class(), Class::Unavailable | Class::Exhausted),
            Self::Commit(error) => wants_retry(error) && !is_locked(error),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(error) if is_unique(&error) => Error::concurrent(),
            Fault::Database(error) => error.into(),
            Fault::Orm(error) => error,
            Fault::Panic => Error::internal(fault),
            Fault::Held => Error::concurrent(),
            Fault::Stuck => {
                tracing::error!("{fault}");
                in_vain()
            }
            Fault::Commit(error) if wants_retry(&error) || is_locked(&error) || is_undone(&error) => error.into(),
            Fault::Commit(error) => {
                tracing::warn!("a commit has no answer: {error}");
                commit_unknown()
            }
        }
    }
}

pub(super) fn commit_unknown() -> Error {
    let said = "the database did not say whether it committed the change: it may be done or not; send it again with the same \
                request_id";
    Error::new(Class::Unavailable, "COMMIT_UNKNOWN", said)
}
