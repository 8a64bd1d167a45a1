//! Counts what a request brings before tonic makes room for it: how large each message says it is, how much comes in
//! all, and whether the last message is whole.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mingce_proto::budget::Held;
use tokio::time::Sleep;
use tonic::{Code, Status};

use crate::deadline;
use crate::status;

/// Each gRPC message begins with a flag (one byte) and its length (four).
const PREFIX: usize = 5;

/// How large the messages of a method may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// One message of so many bytes.
    One(usize),
    /// Any number of messages of so many bytes each.
    Each(usize),
}

/// A request body under its limits and its deadline.
#[derive(Debug)]
pub(crate) struct Measured<B> {
    inner: B,
    limit: Limit,
    prefix: [u8; PREFIX],
    prefix_read: usize,
    left: usize,
    messages: usize,
    until: Instant,
    /// What the call holds of the memory for requests.
    held: Held,
    /// Set once the caller lets us wait: most requests come whole, and need no timer.
    end: Option<Pin<Box<Sleep>>>,
    done: bool,
}

impl<B> Measured<B> {
    /// `until` when all of it has to be here.
    pub(crate) fn new(inner: B, limit: Limit, until: Instant, held: Held) -> Self {
        Self {
            inner,
            limit,
            prefix: [0; PREFIX],
            prefix_read: 0,
            left: 0,
            messages: 0,
            until,
            held,
            end: None,
            done: false,
        }
    }

    /// Follows the messages through a piece of the body.
    fn measure(&mut self, mut data: &[u8]) -> Result<(), Status> {
        // The messages of a stream are counted when they are decoded: no more than one of them waits here.
        if matches!(self.limit, Limit::One(_)) {
            self.held.take(data.len())?;
        }
        while !data.is_empty() {
            if self.left > 0 {
                let step = self.left.min(data.len());
                self.left -= step;
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

    /// A message begins: its prefix is read.
    fn begin(&mut self) -> Result<(), Status> {
        let [flag, length @ ..] = self.prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        (self.prefix_read, self.left, self.messages) = (0, length, self.messages + 1);
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
    fn finish(&self) -> Result<(), Status> {
        match self.limit {
            _ if self.prefix_read > 0 || self.left > 0 => {
                Err(malformed("the last message ends before its length is reached"))
            }
            Limit::One(_) if self.messages == 0 => Err(malformed("this method takes one message, and none came")),
            _ => Ok(()),
        }
    }

    fn end(&mut self, result: Result<(), Status>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.done = true;
        Poll::Ready(result.err().map(Err))
    }
}

impl<B> Body for Measured<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            let until = self.until;
            let end = self
                .end
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
            return if end.as_mut().poll(cx).is_ready() {
                self.end(Err(deadline::exceeded()))
            } else {
                Poll::Pending
            };
        };
        match frame {
            Some(Ok(frame)) => {
                let measured = frame.data_ref().map_or(Ok(()), |data| self.measure(data));
                if measured.is_err() {
                    self.end(measured)
                } else {
                    Poll::Ready(Some(Ok(frame)))
                }
            }
            // hyper takes a reset without an error for the end of the body, and tonic one that cancels. To a handler
            // neither is an end: half an import must not look like a whole one.
            None if !self.inner.is_end_stream() => self.end(Err(gone())),
            None => {
                let whole = self.finish();
                self.end(whole)
            }
            Some(Err(_)) => self.end(Err(gone())),
        }
    }

    fn is_end_stream(&self) -> bool {
        // An empty body still has to be refused, so the end is told by `poll_frame` alone.
        self.done
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A message is too large.
pub(crate) fn too_large(message: &str) -> Status {
    status::own(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", message)
}

fn malformed(message: &str) -> Status {
    status::own(Code::InvalidArgument, "MESSAGE_MALFORMED", message)
}

/// For the handler alone: nobody is there to read it. Not CANCELLED, which tonic takes for the end of the stream.
fn gone() -> Status {
    status::own(
        Code::Aborted,
        "CALLER_GONE",
        "the caller went away before it had sent everything",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;
    use mingce_proto::budget::Budget;
    use proptest::prelude::*;

    use super::*;

    /// A body of pieces that ends as it says.
    struct Pieces(VecDeque<Bytes>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }

        fn is_end_stream(&self) -> bool {
            self.1 && self.0.is_empty()
        }
    }

    fn message(length: usize) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        bytes.resize(PREFIX + length, 7);
        bytes
    }

    /// Reads a body that comes in pieces of `step` bytes.
    async fn read(bytes: &[u8], step: usize, limit: Limit, whole: bool) -> Result<Vec<u8>, Status> {
        let pieces = bytes.chunks(step.max(1)).map(Bytes::copy_from_slice).collect();
        let held = Budget::new(1 << 20).hold();
        Ok(Measured::new(Pieces(pieces, whole), limit, Instant::now(), held)
            .collect()
            .await?
            .to_bytes()
            .to_vec())
    }

    fn reason(result: Result<Vec<u8>, Status>) -> String {
        status::reason(&result.unwrap_err()).unwrap()
    }

    #[tokio::test]
    async fn a_message_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(read(&message(100), 7, Limit::One(100), true).await.is_ok());
        assert_eq!(
            reason(read(&message(101), 7, Limit::One(100), true).await),
            "MESSAGE_TOO_LARGE"
        );
        assert_eq!(
            reason(read(&message(101), 7, Limit::Each(100), true).await),
            "MESSAGE_TOO_LARGE"
        );
    }

    #[tokio::test]
    async fn a_message_is_refused_by_the_length_it_claims() {
        assert_eq!(
            reason(read(&[0, 255, 255, 255, 255], 5, Limit::Each(100), true).await),
            "MESSAGE_TOO_LARGE"
        );
    }

    #[tokio::test]
    async fn half_a_message_none_and_two_are_malformed() {
        for (bytes, limit) in [
            (message(9)[..8].to_vec(), Limit::One(100)),
            (message(9)[..3].to_vec(), Limit::Each(100)),
            (vec![], Limit::One(100)),
            ([message(1), message(1)].concat(), Limit::One(100)),
            (vec![2, 0, 0, 0, 0], Limit::One(100)),
        ] {
            assert_eq!(
                reason(read(&bytes, 4, limit, true).await),
                "MESSAGE_MALFORMED",
                "{bytes:?}"
            );
        }
        assert!(read(&[], 1, Limit::Each(100), true).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_is_not_the_end_of_its_stream() {
        assert_eq!(
            reason(read(&message(5), 100, Limit::Each(100), false).await),
            "CALLER_GONE"
        );
    }

    #[tokio::test]
    async fn a_large_request_takes_of_the_memory_for_all_as_it_comes_in_and_a_small_one_does_not() {
        let budget = Budget::new(256 << 10);
        let measured = |length: usize| {
            let pieces = message(length).chunks(4096).map(Bytes::copy_from_slice).collect();
            let body = Pieces(pieces, true);
            Measured::new(body, Limit::One(1 << 20), Instant::now(), budget.hold()).collect()
        };
        assert_eq!(reason(measured(600 << 10).await.map(|_| Vec::new())), "OVERLOADED");
        assert_eq!(budget.free(), 256 << 10, "what was refused holds nothing");
        assert!(measured(200 << 10).await.is_ok());
        let other = budget.hold();
        other.take(320 << 10).unwrap();
        assert_eq!(budget.free(), 0);
        assert!(measured(60 << 10).await.is_ok(), "a small one");
        assert_eq!(reason(measured(80 << 10).await.map(|_| Vec::new())), "OVERLOADED");
    }

    proptest! {
        #[test]
        fn whole_messages_pass_unchanged_however_they_are_cut(lengths in prop::collection::vec(0_usize..300, 0..20), step in 1_usize..50) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|l| message(*l)).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(read(&bytes, step, Limit::Each(300), true)).unwrap();
            prop_assert_eq!(read, bytes);
        }
    }
}
