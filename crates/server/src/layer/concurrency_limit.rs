//! How many calls run at once: beyond that they are refused at once, not queued.
//!
//! A call takes its permit when its request is whole; until then it waits among the half-open ([`crate::transport::waiting_calls`]).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

use crate::call::status;
use crate::transport::connection_counter::Peer;

/// All of health and reflection that runs at once, in parts.
const PARTS: usize = 4096;

/// Which permits a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PermitKind {
    /// One of those for calls.
    Call,
    /// The same for a page, a batch or statistics, after a turn of the connection's own: who does not read what was made does not have
    /// more made.
    Page,
    /// One of the quarter of them that streams of requests may have: these last as long as their callers like.
    Stream,
    /// So many parts of what health and reflection have beside the calls: who looks must learn that the server lives.
    Machinery(u32),
}

/// The permits for calls. A call keeps its permit until its answer is sent.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    free: Arc<Semaphore>,
    all: u32,
    /// Beyond `all`, for other addresses than the one that has `all`.
    beside: u32,
    streams: Arc<Semaphore>,
    machinery: Arc<Semaphore>,
    /// Calls that run, by address.
    addresses: Mutex<BTreeMap<IpAddr, u32>>,
}

/// A permit that is taken. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _permits: [Option<OwnedSemaphorePermit>; 2],
    counted: Option<(Arc<Inner>, IpAddr)>,
    /// The turn that came before it.
    pub(crate) turn: Option<OwnedSemaphorePermit>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((permits, address)) = &self.counted {
            let mut addresses = permits.addresses();
            if let Some(here) = addresses.get_mut(address) {
                *here -= 1;
                if *here == 0 {
                    addresses.remove(address);
                }
            }
        }
    }
}

impl Inner {
    fn addresses(&self) -> MutexGuard<'_, BTreeMap<IpAddr, u32>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConcurrencyLimit {
    /// So many for one address, and an eighth more that it leaves to others.
    pub(crate) fn new(all: u32) -> Self {
        let beside = all / 8;
        Self(Arc::new(Inner {
            free: Arc::new(Semaphore::new((all + beside) as usize)),
            all,
            beside,
            streams: Arc::new(Semaphore::new((all / 4).max(1) as usize)),
            machinery: Arc::new(Semaphore::new(PARTS)),
            addresses: Mutex::default(),
        }))
    }

    /// A permit, or RESOURCE_EXHAUSTED.
    pub(crate) fn take(&self, peer: &Peer, kind: PermitKind) -> Result<Permit, Status> {
        self.free(peer, kind).ok_or_else(|| overloaded(kind))
    }

    fn free(&self, peer: &Peer, kind: PermitKind) -> Option<Permit> {
        let permits = &self.0;
        let one = |from: &Arc<Semaphore>| Arc::clone(from).try_acquire_owned().ok();
        if let PermitKind::Machinery(parts) = kind {
            let mine = Arc::clone(&peer.parts).try_acquire_many_owned(parts).ok()?;
            let all = Arc::clone(&permits.machinery).try_acquire_many_owned(parts).ok()?;
            return Some(Permit {
                _permits: [Some(mine), Some(all)],
                counted: None,
                turn: None,
            });
        }
        let stream = if kind == PermitKind::Stream {
            Some(one(&permits.streams)?)
        } else {
            None
        };
        let mut addresses = permits.addresses();
        let here = addresses.get(&peer.address).copied().unwrap_or(0);
        let others = addresses.len() > usize::from(here > 0);
        let most = if others { (permits.all / 2).max(1) } else { permits.all };
        if here >= most {
            return None;
        }
        let permit = one(&permits.free)?;
        addresses.insert(peer.address, here + 1);
        Some(Permit {
            _permits: [Some(permit), stream],
            counted: Some((Arc::clone(permits), peer.address)),
            turn: None,
        })
    }

    /// Waits until no call runs any more; `false` if some still do after `limit`.
    pub(crate) async fn empty(&self, limit: Duration) -> bool {
        let all = self.0.free.acquire_many(self.0.all + self.0.beside);
        tokio::time::timeout(limit, all).await.is_ok()
    }
}

/// The refusal of a call for which there is no permit.
fn overloaded(kind: PermitKind) -> Status {
    let message = match kind {
        PermitKind::Call | PermitKind::Page => {
            "the server has all the calls that it can take, in all or from one address: try again a little later"
        }
        PermitKind::Stream => "the server has all the streams of requests that it can take: try again a little later",
        PermitKind::Machinery(_) => {
            "the server has all of this that it can take, in all or on one connection: read what is answered, or try again later"
        }
    };
    status::own(Code::ResourceExhausted, "OVERLOADED", message)
}

/// The refusal of a call whose request did not come whole before too many others came.
pub(crate) fn not_whole() -> Status {
    let message =
        "the request did not come whole while there were too many such calls: send it whole, or try again later";
    status::own(Code::ResourceExhausted, "OVERLOADED", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_beyond_the_limit_is_refused_until_a_place_is_free() {
        let (permits, peer) = (ConcurrencyLimit::new(2), Peer::of(1));
        let first = permits.take(&peer, PermitKind::Call).unwrap();
        let _second = permits.take(&peer, PermitKind::Call).unwrap();
        let refused = permits.take(&peer, PermitKind::Call).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        drop(first);
        assert!(permits.take(&peer, PermitKind::Call).is_ok());
    }

    #[test]
    fn an_address_that_has_all_leaves_places_to_others_and_then_has_half() {
        let (permits, greedy, other) = (ConcurrencyLimit::new(64), Peer::of(1), Peer::of(2));
        let mut held: Vec<_> = (0..64)
            .map(|_| permits.take(&greedy, PermitKind::Call).unwrap())
            .collect();
        assert!(permits.take(&greedy, PermitKind::Call).is_err());
        let _other = permits.take(&other, PermitKind::Call).unwrap();
        held.truncate(40);
        assert!(
            permits.take(&greedy, PermitKind::Call).is_err(),
            "it has more than half"
        );
        held.truncate(31);
        assert!(permits.take(&greedy, PermitKind::Call).is_ok());
    }

    #[test]
    fn streams_of_requests_leave_three_quarters_to_other_calls() {
        let (permits, peer) = (ConcurrencyLimit::new(8), Peer::of(1));
        let _streams = [(); 2].map(|()| permits.take(&peer, PermitKind::Stream).unwrap());
        assert!(permits.take(&peer, PermitKind::Stream).is_err());
        let _calls = [(); 6].map(|()| permits.take(&peer, PermitKind::Call).unwrap());
    }

    #[test]
    fn a_connection_has_so_much_of_health_and_reflection_and_calls_none_the_less() {
        let (permits, peer) = (ConcurrencyLimit::new(1), Peer::of(1));
        let held: Vec<_> = (0..8)
            .map(|_| permits.take(&peer, PermitKind::Machinery(2)).unwrap())
            .collect();
        assert!(permits.take(&peer, PermitKind::Machinery(1)).is_err());
        assert!(permits.take(&Peer::of(2), PermitKind::Machinery(1)).is_ok());
        assert!(permits.take(&peer, PermitKind::Call).is_ok());
        drop(held);
        assert!(permits.take(&peer, PermitKind::Machinery(8)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_is_empty_once_each_place_is_given_back() {
        let permits = ConcurrencyLimit::new(2);
        let permit = permits.take(&Peer::of(1), PermitKind::Call).unwrap();
        assert!(!permits.empty(Duration::from_secs(1)).await);
        drop(permit);
        assert!(permits.empty(Duration::from_secs(1)).await);
    }
}
