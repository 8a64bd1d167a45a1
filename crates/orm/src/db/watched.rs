//! Waits that nobody can see from outside: each that takes long is said in the log, and none is endless.

use std::pin::pin;
use std::time::Duration;

use crate::error::{Class, Error};

/// After how long it is said, and said again.
const LONG: Duration = Duration::from_secs(10);

/// Longer than any call may take: most waits end before by the deadline of the call. Where there is none, or where what was waited
/// for was lost, this ends them.
pub(crate) const LONGEST: Duration = Duration::from_secs(660);

/// Waits for something that others do, and warns each time that it has taken long. `None`: it has not come within [`LONGEST`].
pub(crate) async fn watched<T>(what: &'static str, future: impl Future<Output = T>) -> Option<T> {
    wait(what, future, (LONG, LONGEST)).await
}

async fn wait<T>(
    what: &'static str,
    future: impl Future<Output = T>,
    (long, longest): (Duration, Duration),
) -> Option<T> {
    let mut future = pin!(future);
    let mut waited = Duration::ZERO;
    while waited < longest {
        if let Ok(done) = tokio::time::timeout(long, future.as_mut()).await {
            return Some(done);
        }
        waited += long;
        tracing::warn!(seconds = waited.as_secs(), "a call still waits for {what}");
    }
    tracing::error!(seconds = waited.as_secs(), "a call has waited in vain for {what}");
    None
}

/// What a call is told that has waited in vain to be read or to begin.
pub(crate) fn in_vain() -> Error {
    let said = "this waited for longer than any call may take, and nothing was changed: try again, and tell whoever runs the register";
    Error::new(Class::Unavailable, "WAITED_IN_VAIN", said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_for_what_never_comes_ends_and_one_for_what_comes_late_does_not() {
        let bounds = (Duration::from_millis(1), Duration::from_millis(3));
        let never = wait("what never comes", std::future::pending::<()>(), bounds);
        assert_eq!(tokio::time::timeout(LONG, never).await, Ok(None));
        let late = tokio::time::sleep(Duration::from_millis(20));
        let bounds = (Duration::from_millis(1), LONG);
        assert_eq!(wait("what comes late", late, bounds).await, Some(()));
    }
}
