//! Edits: what a change does with the register as it sees it, and how one is run. Those that one call wants done are a job.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::write::idempotency::IdempotencyKey;
use crate::write::load_requests::{LoadRequest, LoadRequests};
use crate::write::result::WriteResult;
use crate::write::unit_of_work::UnitOfWork;

/// A pure function from the register as it is to an answer; what it wants changed it stages in the [`UnitOfWork`].
pub type Edit = Box<dyn Fn(&mut UnitOfWork) -> Result<WriteResult> + Send + Sync>;

/// An edit with what is known beforehand that it will ask for, so that it is run once.
pub struct PreloadedEdit {
    /// The edit.
    pub edit: Edit,
    pub(crate) asks: Vec<LoadRequest>,
}

impl From<Edit> for PreloadedEdit {
    fn from(edit: Edit) -> Self {
        let asks = Vec::new();
        Self { edit, asks }
    }
}

/// Edits that one call wants done, and who waits for them.
pub(crate) struct WriteJob {
    pub cx: RequestContext,
    pub once: Option<IdempotencyKey>,
    pub edits: Vec<Edit>,
    /// What is known beforehand that they will ask for.
    pub asks: LoadRequests,
    pub reply: oneshot::Sender<Replies>,
}

/// What the edits of a job answer.
pub(crate) type Replies = Vec<Result<WriteResult>>;

/// Runs one edit: its changes are kept, or none of them.
pub(crate) fn apply<T>(work: &mut UnitOfWork, edit: impl Fn(&mut UnitOfWork) -> Result<T>) -> Result<T> {
    // A writer outlives the fault of one edit; what it staged is dropped with it.
    let result = catch_unwind(AssertUnwindSafe(|| edit(work)))
        .unwrap_or_else(|_| Err(Error::internal("an edit panicked, see the log before this")));
    if result.is_ok() && !work.is_waiting() {
        work.accept_pending();
    } else {
        work.discard_pending();
    }
    result
}
