//! Waits that nobody can see from outside: each that takes long is said in the log.

use std::pin::pin;
use std::time::Duration;

/// After how long it is said, and said again.
const LONG: Duration = Duration::from_secs(10);

/// Waits for something that others do, and warns each time that it has taken long. It ends no wait: the deadline of the call does.
pub(crate) async fn watched<T>(what: &'static str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(done) = tokio::time::timeout(LONG, future.as_mut()).await {
            return done;
        }
        waited += LONG;
        tracing::warn!(seconds = waited.as_secs(), "a call still waits for {what}");
    }
}
