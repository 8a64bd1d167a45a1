//! Counts what a request brings before tonic makes room for it: how large each message says it is, how much comes in
//! all, and whether the last message is whole.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mingce_proto::budget::Held;
use tokio::sync::{AcquireError, OwnedSemaphorePermit};
use tokio::time::Sleep;
use tonic::{Code, Status};

use crate::call::status;
use crate::layer::concurrency_limit::{ConcurrencyLimit, Permit, PermitKind, not_whole};
use crate::layer::deadline;
use crate::layer::message_framing::{Limit, MessageFraming};
use crate::transport::connection_counter::Peer;
use crate::transport::cut::Cut;
use crate::transport::waiting_calls::{Waiter, WaitingCalls};

/// What a call costs while its request is not whole, beside what came of it: its task, its stream and its headers.
const HALF_OPEN: usize = 16 * 1024;
/// How much a refused caller is heard out, and for how long.
const HEARD: usize = 64 * 1024;
const MOMENT: Duration = Duration::from_millis(50);

/// A turn that is waited for.
type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// Where a call has its place once it has taken it. The place is given back when the last copy goes.
pub(crate) type PermitSlot = Arc<Mutex<Option<Permit>>>;

/// What a call passes when its request is whole, or the first message of it where it has several.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    pub(crate) limit: ConcurrencyLimit,
    pub(crate) half_open: WaitingCalls,
    pub(crate) peer: Arc<Peer>,
    pub(crate) kind: PermitKind,
    pub(crate) slot: PermitSlot,
}

/// A request body under its limits and its deadline.
pub(crate) struct LimitedBody<B> {
    inner: B,
    framing: MessageFraming,
    until: Instant,
    /// Set once the caller lets us wait: most requests come whole, and need no timer.
    end: Option<Pin<Box<Sleep>>>,
    /// What is still to be passed.
    admission: Option<Admission>,
    /// Set once the caller lets us wait before that.
    waiter: Option<Waiter>,
    cut: Cut,
    /// What came of the one message until it is whole, and how much came in all.
    kept: VecDeque<Bytes>,
    came: usize,
    whole: bool,
    /// Waits for the turn of a call for a page.
    turn: Option<Turn>,
    /// The caller is refused, and is heard out for a moment: to answer before that resets the stream, and where a connection has
    /// many such streams HTTP/2 takes what comes late on them for an attack and ends it, with all of its calls.
    refused: Option<(Status, Pin<Box<Sleep>>, usize)>,
    done: bool,
}

impl<B> LimitedBody<B> {
    /// `until` when all of it has to be here.
    pub(crate) fn new(inner: B, limit: Limit, until: Instant, held: Held, admission: Admission) -> Self {
        Self {
            inner,
            framing: MessageFraming::new(limit, held),
            until,
            end: None,
            admission: Some(admission),
            waiter: None,
            cut: Cut::default(),
            kept: VecDeque::new(),
            came: 0,
            whole: false,
            turn: None,
            refused: None,
            done: false,
        }
    }

    /// The request, or the first message of it, is whole: now the call needs its place.
    fn pass(&mut self, turn: Option<OwnedSemaphorePermit>) -> Result<(), Status> {
        self.waiter = None;
        if let Some(admission) = self.admission.take() {
            let mut permit = admission.limit.take(&admission.peer, admission.kind)?;
            permit.turn = turn;
            *admission.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
        }
        Ok(())
    }

    /// The request of a call for a page is whole, and waits for its turn among the half-open.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let Some(turn) = &mut self.turn else {
            return Poll::Ready(Ok(()));
        };
        if let Poll::Ready(turn) = turn.as_mut().poll(cx) {
            self.turn = None;
            self.whole = true;
            return Poll::Ready(self.pass(turn.ok()));
        }
        self.open(cx).map(Err)
    }

    /// Counts the call among the half-open; ready where it gives way to others.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let Some(admission) = &self.admission else {
            return Poll::Pending;
        };
        if self.waiter.is_none() {
            let weight = HALF_OPEN + self.came;
            self.waiter = Some(admission.half_open.enter(&admission.peer, weight, self.cut.clone()));
        }
        self.cut.poll(cx).map(|()| not_whole())
    }

    /// Nothing more is here.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some((refusal, moment, _)) = &mut self.refused {
            if moment.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let refusal = refusal.clone();
            return self.end(Err(refusal));
        }
        if let Poll::Ready(refusal) = self.open(cx) {
            return self.end(Err(refusal));
        }
        let until = self.until;
        let end = self
            .end
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
        if end.as_mut().poll(cx).is_ready() {
            self.end(Err(deadline::exceeded()))
        } else {
            Poll::Pending
        }
    }

    fn end(&mut self, result: Result<(), Status>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.done = true;
        Poll::Ready(result.err().map(Err))
    }
}

impl<B> Body for LimitedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if self.done {
                return Poll::Ready(None);
            }
            if self.whole {
                return match self.kept.pop_front() {
                    Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
                    None => self.end(Ok(())),
                };
            }
            if self.turn.is_some() {
                match self.turn(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(failure)) => return self.end(Err(failure)),
                    Poll::Ready(Ok(())) => continue,
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
                return self.wait(cx);
            };
            // hyper takes a reset without an error for the end of the body, and tonic one that cancels. To a handler
            // neither is an end: half an import must not look like a whole one.
            let ended = match &frame {
                Some(Ok(_)) => false,
                None => self.inner.is_end_stream(),
                Some(Err(_)) => return self.end(Err(gone())),
            };
            if let Some((refusal, _, heard)) = &mut self.refused {
                *heard += frame.map_or(HEARD, |f| f.map_or(0, |f| f.data_ref().map_or(0, Bytes::len)));
                if *heard >= HEARD {
                    let refusal = refusal.clone();
                    return self.end(Err(refusal));
                }
                continue;
            }
            let Some(Ok(frame)) = frame else {
                let whole = if ended { self.framing.finish() } else { Err(gone()) };
                if let (Ok(()), Some(admission)) = (&whole, &self.admission)
                    && admission.kind == PermitKind::Page
                {
                    self.turn = Some(Box::pin(Arc::clone(&admission.peer.pages).acquire_owned()));
                    continue;
                }
                match whole.and_then(|()| self.pass(None)) {
                    Ok(()) if matches!(self.framing.limit, Limit::One(_)) => self.whole = true,
                    all => return self.end(all),
                }
                continue;
            };
            let Ok(data) = frame.into_data() else { continue };
            if let Err(failure) = self.framing.measure(&data) {
                return self.end(Err(failure));
            }
            self.came += data.len();
            if let Some(waiter) = &self.waiter {
                waiter.grow(data.len());
            }
            if matches!(self.framing.limit, Limit::One(_)) {
                self.kept.push_back(data);
                continue;
            }
            if self.framing.has_one()
                && let Err(refusal) = self.pass(None)
            {
                self.refused = Some((refusal, Box::pin(tokio::time::sleep(MOMENT)), 0));
                continue;
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
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
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use mingce_proto::budget::Budget;
    use proptest::prelude::*;

    use super::*;
    use crate::layer::message_framing::PREFIX;

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

    fn admission() -> Admission {
        Admission {
            limit: ConcurrencyLimit::new(1),
            half_open: WaitingCalls::new(1 << 20, 1 << 20, Duration::ZERO),
            peer: Peer::of(1),
            kind: PermitKind::Call,
            slot: PermitSlot::default(),
        }
    }

    /// A body of which no more comes.
    struct Open;

    impl Body for Open {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn half_open_calls_take_no_place_and_the_oldest_gives_way() {
        let admission = admission();
        let held = Budget::new(1 << 20).hold();
        let until = Instant::now() + Duration::from_secs(60);
        let most = (1 << 20) / HALF_OPEN;
        let mut open: Vec<_> = (0..=most)
            .map(|_| LimitedBody::new(Open, Limit::One(100), until, held.clone(), admission.clone()))
            .collect();
        for body in &mut open {
            assert!(body.frame().now_or_never().is_none());
        }
        let oldest = open[0].frame().await.unwrap().unwrap_err();
        assert_eq!(status::reason(&oldest).as_deref(), Some("OVERLOADED"));
        assert!(open[1].frame().now_or_never().is_none());
        admission.limit.take(&admission.peer, PermitKind::Call).unwrap();
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
        Ok(
            LimitedBody::new(Pieces(pieces, whole), limit, Instant::now(), held, admission())
                .collect()
                .await?
                .to_bytes()
                .to_vec(),
        )
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
            LimitedBody::new(body, Limit::One(1 << 20), Instant::now(), budget.hold(), admission()).collect()
        };
        assert_eq!(reason(measured(600 << 10).await.map(|_| Vec::new())), "OVERLOADED");
        assert_eq!(budget.free(), 256 << 10, "what was refused holds nothing");
        assert!(measured(200 << 10).await.is_ok());
        let other = budget.hold();
        other.take(320 << 10).unwrap();
        assert_eq!(budget.free(), 0);
        assert!(measured(60 << 10).await.is_ok(), "a small one");
        assert_eq!(reason(measured(160 << 10).await.map(|_| Vec::new())), "OVERLOADED");
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
