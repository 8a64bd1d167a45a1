//! How many frames a connection may send that are neither a call nor a body.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{DATA, END_STREAM, HEADERS};
use crate::transport::connection_counter::Peer;

/// How many frames may come that are neither a call nor a body, before there was any.
const BEGIN: u64 = 2_000;
/// More than this is not saved up.
const MOST: u64 = 20_000;
/// A call stands for so many of them: its windows, its pings, its reset.
const PER_CALL: u64 = 20;
/// One for so many bytes of a body that came, or of anything that was sent,
const PER_BYTES: u64 = 256;
/// and so many for each second.
const PER_SECOND: u64 = 50;

/// How many frames besides calls and bodies a connection may still send.
#[derive(Debug)]
pub(super) struct Patience {
    left: u64,
    /// Bytes that count for the next one.
    bytes: u64,
    sent: u64,
    since: Instant,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self {
            left: BEGIN,
            bytes: 0,
            sent: 0,
            since: Instant::now(),
        }
    }

    fn more(&mut self, frames: u64) {
        self.left = (self.left + frames).min(MOST);
    }

    fn carried(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.more(self.bytes / PER_BYTES);
        self.bytes %= PER_BYTES;
    }

    /// One more frame came. Whether it may.
    pub(super) fn takes(&mut self, kind: u8, flags: u8, length: usize, peer: &Peer) -> bool {
        match kind {
            DATA if length > 0 => self.carried(length as u64),
            DATA if flags & END_STREAM != 0 => {}
            HEADERS => self.more(PER_CALL),
            _ if self.left > 0 => self.left -= 1,
            _ => {
                let sent = peer.sent.load(Ordering::Relaxed);
                self.carried(sent - self.sent);
                self.sent = sent;
                let seconds = self.since.elapsed().as_secs();
                self.since += Duration::from_secs(seconds);
                self.more(seconds * PER_SECOND);
                if self.left == 0 {
                    return false;
                }
                self.left -= 1;
            }
        }
        true
    }
}
