//! The memory that the requests of all calls together may take. Each call has a little for nothing; what goes beyond it is
//! held until the call is answered, and where there is no more of it a large request is refused.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::weight::FREE;

/// What is counted: a permit stands for so many bytes.
const UNIT: usize = 1024;

/// Memory for the requests of all calls.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// What one call holds of it: nothing yet.
    pub fn hold(&self) -> Held {
        Held(Arc::new(Mutex::new(Holding {
            budget: Arc::clone(&self.0),
            taken: 0,
            permit: None,
        })))
    }

    /// How many bytes are free.
    pub fn free(&self) -> usize {
        self.0.available_permits() * UNIT
    }
}

#[derive(Debug)]
struct Holding {
    budget: Arc<Semaphore>,
    /// In bytes, with those that are for nothing.
    taken: usize,
    permit: Option<OwnedSemaphorePermit>,
}

/// What a call holds. It is given back when the last copy goes.
#[derive(Debug, Clone)]
pub struct Held(Arc<Mutex<Holding>>);

tokio::task_local! {
    static HELD: Held;
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Holding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, reason `OVERLOADED`, where the requests of other calls have them.
    #[allow(clippy::result_large_err)]
    pub fn take(&self, bytes: usize) -> Result<(), Status> {
        let mut holding = self.lock();
        holding.taken += bytes;
        let wanted = holding.taken.saturating_sub(FREE).div_ceil(UNIT);
        let held = holding.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            return Ok(());
        }
        let more = u32::try_from(wanted - held).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&holding.budget).try_acquire_many_owned(more) else {
            return Err(overloaded());
        };
        match &mut holding.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    /// Gives all back: what a stream has brought so far is dealt with.
    fn release(&self) {
        let mut holding = self.lock();
        holding.taken = 0;
        holding.permit = None;
    }

    /// Runs a call that holds this: what it decodes is counted.
    pub async fn during<F: Future>(self, call: F) -> F::Output {
        HELD.scope(self, call).await
    }
}

/// Counts what the present call is about to decode. Outside of a call nothing is counted.
///
/// # Errors
/// Those of [`Held::take`].
#[allow(clippy::result_large_err)]
pub(crate) fn take(bytes: usize) -> Result<(), Status> {
    HELD.try_with(|held| held.take(bytes)).unwrap_or(Ok(()))
}

/// How many bytes the present call has taken since it began, or since it gave them back.
pub fn taken() -> usize {
    HELD.try_with(|held| held.lock().taken).unwrap_or(0)
}

/// Gives back what the present call has taken: the messages of its stream that came until now are dealt with.
pub fn release() {
    let _ = HELD.try_with(Held::release);
}

fn overloaded() -> Status {
    Status::with_error_details(
        Code::ResourceExhausted,
        "the large requests of all callers together take all the memory that is for them: try again a little later",
        ErrorDetails::with_error_info("OVERLOADED", "mingce", HashMap::new()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_are_for_nothing_and_large_ones_wait_for_each_other() {
        let budget = Budget::new(1 << 20);
        let (first, second, small) = (budget.hold(), budget.hold(), budget.hold());
        first.take(FREE + (900 << 10)).unwrap();
        assert_eq!(budget.free(), 124 << 10);
        let refused = second.take(FREE + (200 << 10)).unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "OVERLOADED");
        small.take(FREE).unwrap();
        let copy = first.clone();
        drop(first);
        assert_eq!(budget.free(), 124 << 10, "a copy still holds it");
        drop(copy);
        assert_eq!(budget.free(), 1 << 20);
        second.take(1).unwrap();
    }

    #[test]
    fn what_comes_piece_by_piece_is_added_up() {
        let budget = Budget::new(1 << 20);
        let held = budget.hold();
        for _ in 0..200 {
            held.take(1024).unwrap();
        }
        assert_eq!(budget.free(), (1 << 20) - (200 << 10) + FREE);
        held.release();
        assert_eq!(budget.free(), 1 << 20);
    }

    #[tokio::test]
    async fn a_call_counts_what_it_decodes() {
        let budget = Budget::new(1 << 20);
        let counted = budget.hold().during(async {
            take(300 << 10).unwrap();
            let held = budget.free();
            assert_eq!(taken(), 300 << 10);
            release();
            (held, taken())
        });
        assert_eq!(counted.await, ((1 << 20) - (300 << 10) + FREE, 0));
        take(usize::MAX).unwrap();
    }
}
