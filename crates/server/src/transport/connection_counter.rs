//! Who is connected, counted in all and by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use crate::transport::cut::Cut;

/// How much of health and reflection one connection may have at once, in the parts of [`crate::layer::concurrency_limit::PermitKind`].
const PARTS: usize = 16;

/// How many pages, batches and statistics of one connection are made or wait to be read at once.
const PAGES: usize = 3;

/// What is known of one connection, for as long as anything of it is left.
#[derive(Debug)]
pub(crate) struct Peer {
    /// No other connection has it.
    pub(crate) id: u64,
    /// Whose it is.
    pub(crate) address: IpAddr,
    /// Its own places for health and reflection.
    pub(crate) parts: Arc<Semaphore>,
    /// The turns of its calls for pages.
    pub(crate) pages: Arc<Semaphore>,
    /// Bytes of answers that HTTP/2 has and has not sent yet.
    pub(crate) unsent: AtomicUsize,
    /// Bytes that were sent.
    pub(crate) sent: AtomicU64,
    /// The socket takes nothing at present.
    stuck: AtomicBool,
    /// Ends the connection.
    pub(crate) cut: Cut,
}

impl Peer {
    /// Of a new connection.
    pub(crate) fn new(address: IpAddr) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            address: ip_prefix(address),
            parts: Arc::new(Semaphore::new(PARTS)),
            pages: Arc::new(Semaphore::new(PAGES)),
            unsent: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            stuck: AtomicBool::new(false),
            cut: Cut::default(),
        })
    }

    /// A connection from the address 10.0.0.`n`.
    #[cfg(test)]
    pub(crate) fn of(n: u64) -> Arc<Self> {
        Self::new(IpAddr::from([10, 0, 0, u8::try_from(n % 200).unwrap_or(0)]))
    }

    /// The socket took something, or does not.
    pub(crate) fn sticks(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Relaxed);
    }

    /// Whether the socket takes nothing.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }
}

/// Who is connected, counted by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionCounter(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's entry; it leaves with it.
#[derive(Debug)]
pub(crate) struct CountedConnection(ConnectionCounter, IpAddr);

impl ConnectionCounter {
    /// Lets one more in, where there are fewer than `most` in all and `most_here` from its address.
    pub(crate) fn admit(&self, address: IpAddr, most: usize, most_here: usize) -> Option<CountedConnection> {
        let address = ip_prefix(address);
        let mut counts = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let all: usize = counts.values().sum();
        let here = counts.get(&address).copied().unwrap_or(0);
        if all >= most || here >= most_here {
            return None;
        }
        counts.insert(address, here + 1);
        Some(CountedConnection(self.clone(), address))
    }

    /// Whether nobody is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .is_empty()
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(here) = counts.get_mut(&self.1) {
            *here -= 1;
            if *here == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Who has one IPv6 address has all of its /64.
fn ip_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_counted_in_all_and_by_address_and_leave() {
        let guests = ConnectionCounter::default();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let first = guests.admit(address(1), 3, 2).unwrap();
        let _second = guests.admit(address(1), 3, 2).unwrap();
        assert!(
            guests.admit(address(1), 3, 2).is_none(),
            "two from one address are the most"
        );
        let _third = guests.admit(address(2), 3, 2).unwrap();
        assert!(guests.admit(address(3), 3, 2).is_none(), "three in all are the most");
        drop(first);
        assert!(guests.admit(address(3), 3, 2).is_some());
    }

    #[test]
    fn a_refused_address_leaves_no_entry_behind() {
        let guests = ConnectionCounter::default();
        let first = guests.admit(IpAddr::from([10, 0, 0, 1]), 1, 1).unwrap();
        for n in 2..100 {
            assert!(guests.admit(IpAddr::from([10, 0, 0, n]), 1, 1).is_none());
        }
        drop(first);
        assert!(guests.is_empty());
    }

    #[test]
    fn addresses_of_one_household_count_together() {
        let household = |text: &str| ip_prefix(text.parse().unwrap());
        assert_eq!(household("2001:db8:1:2:3::1"), household("2001:db8:1:2:ffff::9"));
        assert_ne!(household("2001:db8:1:2::1"), household("2001:db8:1:3::1"));
        assert_eq!(household("::ffff:10.0.0.1"), household("10.0.0.1"));
    }
}
