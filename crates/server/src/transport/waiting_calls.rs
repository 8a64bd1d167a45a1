//! What waits for callers: it is counted in bytes, and where it is too much, what has waited longest is cut.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::transport::connection_counter::Peer;
use crate::transport::cut::Cut;

/// All that waits.
#[derive(Debug, Clone)]
pub(crate) struct WaitingCalls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    share: usize,
    patience: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    all: usize,
    order: BTreeMap<u64, Entry>,
    connections: HashMap<u64, usize>,
}

#[derive(Debug)]
struct Entry {
    weight: usize,
    moved: Instant,
    peer: Arc<Peer>,
    cut: Cut,
}

/// One that waits. It leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiter {
    crowd: Arc<Inner>,
    at: u64,
}

impl WaitingCalls {
    /// At most so many bytes in all, and so many of one connection; more, while all that is over has moved within `patience`.
    pub(crate) fn new(most: usize, share: usize, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            most,
            share,
            patience,
            waiting: Mutex::default(),
        }))
    }

    /// One more that waits, with so many bytes. `cut` ends it where there are too many.
    pub(crate) fn enter(&self, peer: &Arc<Peer>, weight: usize, cut: Cut) -> Waiter {
        let mut waiting = self.0.lock();
        let at = waiting.place(Entry {
            weight: 0,
            moved: Instant::now(),
            peer: Arc::clone(peer),
            cut,
        });
        self.0.add(&mut waiting, at, weight);
        Waiter {
            crowd: Arc::clone(&self.0),
            at,
        }
    }
}

impl Waiting {
    fn place(&mut self, entry: Entry) -> u64 {
        self.next += 1;
        self.order.insert(self.next, entry);
        self.next
    }

    fn remove(&mut self, at: u64) -> Option<Entry> {
        let entry = self.order.remove(&at)?;
        self.all -= entry.weight;
        if let Some(here) = self.connections.get_mut(&entry.peer.id) {
            *here -= entry.weight;
            if *here == 0 {
                self.connections.remove(&entry.peer.id);
            }
        }
        Some(entry)
    }

    fn of(&self, connection: u64) -> usize {
        self.connections.get(&connection).copied().unwrap_or(0)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has not moved for so long that it may be cut.
    fn is_still(&self, entry: &Entry) -> bool {
        self.patience.is_zero() || entry.moved.elapsed() >= self.patience
    }

    fn add(&self, waiting: &mut Waiting, at: u64, weight: usize) {
        let Some(entry) = waiting.order.get_mut(&at) else {
            return;
        };
        entry.weight += weight;
        let connection = entry.peer.id;
        waiting.all += weight;
        *waiting.connections.entry(connection).or_default() += weight;
        while waiting.of(connection) > self.share {
            let oldest = waiting.order.iter().find(|(_, entry)| entry.peer.id == connection);
            match oldest.filter(|(_, entry)| self.is_still(entry)).map(|(at, _)| *at) {
                Some(oldest) => waiting.cut(oldest),
                None => break,
            }
        }
        while waiting.all > self.most {
            let oldest = waiting.order.iter().next();
            match oldest.filter(|(_, entry)| self.is_still(entry)).map(|(at, _)| *at) {
                Some(oldest) => waiting.cut(oldest),
                None => break,
            }
        }
    }
}

impl Waiting {
    fn cut(&mut self, at: u64) {
        if let Some(entry) = self.remove(at) {
            entry.cut.now();
            // What lies behind a socket that takes nothing is not freed before the connection is.
            if entry.peer.is_stuck() {
                entry.peer.cut.now();
            }
        }
    }
}

impl Waiter {
    /// It has so many bytes more.
    pub(crate) fn grow(&self, weight: usize) {
        self.crowd.add(&mut self.crowd.lock(), self.at, weight);
    }

    /// It goes on: now it is the one that has waited least.
    pub(crate) fn moved(&mut self) {
        let mut waiting = self.crowd.lock();
        if let Some(mut entry) = waiting.order.remove(&self.at) {
            entry.moved = Instant::now();
            self.at = waiting.place(entry);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.crowd.lock().remove(self.at);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use futures_util::task::noop_waker_ref;

    use super::*;

    fn is_cut(cut: &Cut) -> bool {
        cut.poll(&mut Context::from_waker(noop_waker_ref())).is_ready()
    }

    #[test]
    fn the_one_that_waited_longest_is_cut_for_another() {
        let crowd = WaitingCalls::new(100, 100, Duration::ZERO);
        let peers: Vec<_> = (0..3).map(Peer::of).collect();
        let cuts: Vec<_> = (0..3).map(|_| Cut::default()).collect();
        let mut first = crowd.enter(&peers[0], 40, cuts[0].clone());
        let _second = crowd.enter(&peers[1], 40, cuts[1].clone());
        first.moved();
        let third = crowd.enter(&peers[2], 40, cuts[2].clone());
        assert_eq!(cuts.iter().map(is_cut).collect::<Vec<_>>(), [false, true, false]);
        drop(first);
        third.grow(60);
        assert!(!is_cut(&cuts[2]), "a hundred is not too much");
    }

    #[test]
    fn a_connection_that_has_its_share_cuts_its_own_and_nobody_elses() {
        let crowd = WaitingCalls::new(100, 50, Duration::ZERO);
        let (greedy, other) = (Peer::of(1), Peer::of(2));
        let cuts: Vec<_> = (0..4).map(|_| Cut::default()).collect();
        let _other = crowd.enter(&other, 30, cuts[0].clone());
        let _held: Vec<_> = cuts[1..]
            .iter()
            .map(|cut| crowd.enter(&greedy, 20, cut.clone()))
            .collect();
        assert_eq!(cuts.iter().map(is_cut).collect::<Vec<_>>(), [false, true, false, false]);
    }

    #[test]
    fn what_moves_is_not_cut_however_much_it_is() {
        let crowd = WaitingCalls::new(100, 100, Duration::from_secs(60));
        let cut = Cut::default();
        let _held: Vec<_> = (0..9).map(|n| crowd.enter(&Peer::of(n), 40, cut.clone())).collect();
        assert!(!is_cut(&cut));
    }

    #[test]
    fn whoever_leaves_leaves_nothing_behind() {
        let crowd = WaitingCalls::new(100, 100, Duration::ZERO);
        for n in 0..1000 {
            drop(crowd.enter(&Peer::of(n), 60, Cut::default()));
        }
        let waiting = crowd.0.lock();
        assert_eq!((waiting.all, waiting.order.len(), waiting.connections.len()), (0, 0, 0));
    }
}
