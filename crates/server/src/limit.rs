//! How many calls run at once: beyond that they are refused at once, not queued.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

use crate::status;

/// The places for calls. A call keeps its place until its answer is sent.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

impl Places {
    pub(crate) fn new(all: u32) -> Self {
        Self {
            free: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    /// A place, or RESOURCE_EXHAUSTED.
    pub(crate) fn take(&self) -> Result<OwnedSemaphorePermit, Status> {
        let message = "the server has all the calls that it can take: try again a little later";
        self.free
            .clone()
            .try_acquire_owned()
            .map_err(|_| status::own(Code::ResourceExhausted, "OVERLOADED", message))
    }

    /// Waits until no call runs any more; `false` if some still do after `limit`.
    pub(crate) async fn empty(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.free.acquire_many(self.all))
            .await
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_beyond_the_limit_is_refused_until_a_place_is_free() {
        let places = Places::new(2);
        let first = places.take().unwrap();
        let _second = places.take().unwrap();
        assert_eq!(places.take().unwrap_err().code(), Code::ResourceExhausted);
        drop(first);
        assert!(places.take().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_is_empty_once_each_place_is_given_back() {
        let places = Places::new(2);
        let place = places.take().unwrap();
        assert!(!places.empty(Duration::from_secs(1)).await);
        drop(place);
        assert!(places.empty(Duration::from_secs(1)).await);
    }
}
