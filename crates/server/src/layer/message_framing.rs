//! The messages of gRPC in a body, each behind its length: how large each says it is, how much comes, and whether the last is whole.

use mingce_proto::budget::Held;
use mingce_proto::weight::FREE;
use tonic::Status;

use crate::call::status::too_large;

/// Each gRPC message begins with a flag (one byte) and its length (four).
pub(super) const PREFIX: usize = 5;

/// How large the messages of a method may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// One message of so many bytes.
    One(usize),
    /// Any number of messages of so many bytes each.
    Each(usize),
}

/// Follows the messages of a body.
pub(super) struct MessageFraming {
    pub(super) limit: Limit,
    prefix: [u8; PREFIX],
    prefix_read: usize,
    left: usize,
    /// How much of the message has come.
    come: usize,
    messages: usize,
    /// What the call holds of the memory for requests.
    held: Held,
}

impl MessageFraming {
    /// Before anything has come.
    pub(super) fn new(limit: Limit, held: Held) -> Self {
        Self {
            limit,
            prefix: [0; PREFIX],
            prefix_read: 0,
            left: 0,
            come: 0,
            messages: 0,
            held,
        }
    }

    /// Whether the first message is whole.
    pub(super) fn has_one(&self) -> bool {
        self.messages > 1 || self.messages == 1 && self.left == 0
    }

    /// Follows the messages through a piece of the body.
    pub(super) fn measure(&mut self, mut data: &[u8]) -> Result<(), Status> {
        while !data.is_empty() {
            if self.left > 0 {
                let step = self.left.min(data.len());
                self.left -= step;
                self.count(step)?;
                data = &data[step..];
                continue;
            }
            let step = (PREFIX - self.prefix_read).min(data.len());
            self.prefix[self.prefix_read..self.prefix_read + step].copy_from_slice(&data[..step]);
            self.prefix_read += step;
            data = &data[step..];
            if self.prefix_read == PREFIX {
                self.begin()?;
            }
        }
        Ok(())
    }

    /// Counts so many bytes more of a message. Small ones are for nothing: they are counted when they are decoded.
    fn count(&mut self, bytes: usize) -> Result<(), Status> {
        let free = FREE.saturating_sub(self.come);
        self.come += bytes;
        if bytes > free {
            self.held.take(bytes - free)?;
        }
        Ok(())
    }

    /// A message begins: its prefix is read.
    fn begin(&mut self) -> Result<(), Status> {
        let [flag, length @ ..] = self.prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        (self.prefix_read, self.left, self.messages) = (0, length, self.messages + 1);
        self.come = 0;
        match self.limit {
            _ if flag > 1 => Err(malformed(
                "a message begins with neither 0 nor 1, so this is no gRPC message",
            )),
            Limit::One(most) | Limit::Each(most) if length > most => Err(too_large(&format!(
                "a message of this method may have {most} bytes, this one has {length}: send less at once"
            ))),
            Limit::One(_) if self.messages > 1 => Err(malformed("this method takes one message, and more came")),
            _ => Ok(()),
        }
    }

    /// The caller has sent all: is it whole?
    pub(super) fn finish(&self) -> Result<(), Status> {
        match self.limit {
            _ if self.prefix_read > 0 || self.left > 0 => {
                Err(malformed("the last message ends before its length is reached"))
            }
            Limit::One(_) if self.messages == 0 => Err(malformed("this method takes one message, and none came")),
            _ => Ok(()),
        }
    }
}

fn malformed(message: &str) -> Status {
    mingce_proto::codec::unreadable(String::new(), message.to_owned())
}
