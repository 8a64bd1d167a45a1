//! When a call is tried again, and after how long.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

/// How often a peer is tried at most that cannot be reached.
const ATTEMPTS: u32 = 4;

/// The longest wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait before any attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Whether the same call may do better a little later. Only what did not run, or ran into a lack that passes.
pub(crate) fn passes(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        Code::ResourceExhausted => status
            .get_details_error_info()
            .is_none_or(|info| !["MESSAGE_TOO_LARGE", "STREAM_TOO_LONG"].contains(&info.reason.as_str())),
        _ => false,
    }
}

/// Whether there is another attempt after this one. Who has too much to do says so at once and is the less burdened the
/// longer callers wait, so that there is no bound but theirs.
pub(crate) fn again(number: u32, failure: &Status) -> bool {
    number < ATTEMPTS || failure.code() == Code::ResourceExhausted
}

/// How long to wait after the attempt `number` (from 1) failed: anything up to a bound that doubles, so that those who
/// failed together do not come back together.
pub(crate) fn wait(number: u32) -> Duration {
    let bound = FIRST_WAIT.saturating_mul(1 << (number - 1).min(16)).min(LONGEST_WAIT);
    bound.mul_f64(rand::random::<f64>())
}

/// What a failed attempt means for the caller, who knows the peer by its name and nothing of connections.
pub(crate) fn named(status: Status, peer: &str) -> Status {
    let timed_out = chain(&status).any(|cause| cause.is::<TimeoutExpired>());
    let unreadable = chain(&status).any(|cause| cause.is::<prost::DecodeError>());
    // Only what this side made has a cause: a status that came over the wire is the peer's own word.
    let local = status.source().is_some();
    match status.code() {
        _ if timed_out => Status::deadline_exceeded(format!("the service {peer} did not answer in time")),
        _ if unreadable => Status::internal(format!(
            "the answer of the service {peer} cannot be read: {}",
            status.message()
        )),
        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled if local => {
            Status::unavailable(format!("the service {peer} cannot be reached"))
        }
        _ => status,
    }
}

fn chain(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |cause| (*cause).source())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn only_what_passes_is_tried_again() {
        assert!(passes(&Status::unavailable("x")) && passes(&Status::resource_exhausted("x")));
        for code in [
            Code::InvalidArgument,
            Code::NotFound,
            Code::Aborted,
            Code::Internal,
            Code::DeadlineExceeded,
            Code::Cancelled,
        ] {
            assert!(!passes(&Status::new(code, "x")), "{code:?}");
        }
        let details =
            tonic_types::ErrorDetails::with_error_info("MESSAGE_TOO_LARGE", "mingce", std::collections::HashMap::new());
        assert!(!passes(&Status::with_error_details(
            Code::ResourceExhausted,
            "x",
            details
        )));
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_differ() {
        for _ in 0..1000 {
            assert!(wait(1) <= FIRST_WAIT && wait(3) <= FIRST_WAIT * 4 && wait(50) <= LONGEST_WAIT);
        }
        let waits: Vec<_> = (0..20).map(|_| wait(4)).collect();
        assert!(waits.iter().any(|w| *w != waits[0]), "{waits:?}");
    }

    #[test]
    fn a_failure_of_the_connection_names_the_peer_and_a_word_of_the_peer_stays() {
        let mut broken = Status::unknown("transport error");
        broken.set_source(Arc::new(std::io::Error::other("reset")));
        let broken = named(broken, "labs");
        assert_eq!(
            (broken.code(), broken.message()),
            (Code::Unavailable, "the service labs cannot be reached")
        );
        assert_eq!(named(Status::unknown("its own"), "labs").message(), "its own");
        let mut unreadable = Status::invalid_argument("the message cannot be read");
        unreadable.set_source(Arc::new(<() as prost::Message>::decode(&[7_u8][..]).unwrap_err()));
        assert_eq!(named(unreadable, "labs").code(), Code::Internal);
    }
}
