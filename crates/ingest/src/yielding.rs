//! Lets others run while the rows of an import are worked on.

use std::time::{Duration, Instant};

/// For so long the rows of an import are worked on before others may run: an import has time, and a get has not.
const SLICE: Duration = Duration::from_micros(500);

/// Lets others run now and then. Not with each few rows: whoever goes on may do so in another thread, and has nothing at hand there.
pub(crate) struct Yielding(Instant);

impl Default for Yielding {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Yielding {
    pub(crate) async fn take(&mut self) {
        if self.0.elapsed() >= SLICE {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}
