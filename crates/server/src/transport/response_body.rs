//! The answer of a call on its way out: it keeps the call's place, ends at the deadline and at the server's end, and
//! leaves a line in the log. What waits for a slow reader is counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::call::status;
use crate::layer::access_log::Access;
use crate::layer::deadline;
use crate::layer::limited_body::PermitSlot;
use crate::transport::connection_counter::Peer;
use crate::transport::waiting_calls::{Waiter, WaitingCalls};

/// What can end an answer before its time; resolves to the status that then stands at its end.
pub(crate) type End = Pin<Box<dyn Future<Output = Status> + Send>>;

/// The largest piece of an answer that hyper gets at once. What it has, it hands on to HTTP/2, where it would wait for a
/// reader that never comes, out of reach of any deadline.
const PIECE: usize = 64 * 1024;
/// An answer of so many bytes is not counted among those that wait,
const SMALL: usize = 16 * 1024;
/// where no more than this of its connection is unsent. Nor does it wait then until it is sent before it ends.
const QUIET: usize = 32 * 1024;

/// What an answer counts as.
pub(crate) struct Reader {
    pub(crate) peer: Arc<Peer>,
    pub(crate) answers: WaitingCalls,
}

/// The body of an answer.
pub(crate) struct Answer {
    inner: Body,
    /// What came from `inner` and is still to be handed on.
    rest: Bytes,
    /// The end of the answer, which waits until all before it is sent.
    trailers: Option<HeaderMap>,
    flow: Option<Arc<Flow>>,
    reader: Option<Reader>,
    end: Option<End>,
    access: Option<Access>,
    /// Its place, for as long as it lives.
    permit: Option<PermitSlot>,
}

/// What of an answer is on its way: with HTTP/2, and not sent yet.
struct Flow {
    peer: Arc<Peer>,
    pieces: AtomicUsize,
    sent: AtomicWaker,
    waiter: Mutex<Option<Waiter>>,
}

/// A piece of an answer. It is counted until it is sent.
pub(crate) struct Piece {
    data: Bytes,
    unsent: Option<Unsent>,
}

struct Unsent {
    size: usize,
    flow: Arc<Flow>,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.flow.peer.unsent.fetch_sub(self.size, Ordering::Relaxed);
        if self.flow.pieces.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flow.sent.wake();
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        if self.data.is_empty() {
            self.unsent = None;
        }
    }
}

impl Answer {
    /// The answer of a call that went well so far.
    pub(crate) fn of(
        inner: Body,
        access: Access,
        end: Option<End>,
        permit: Option<PermitSlot>,
        reader: Reader,
    ) -> Self {
        let mut answer = Self::bare(inner);
        answer.end = end;
        answer.access = Some(access);
        answer.reader = Some(reader);
        answer.permit = permit;
        answer
    }

    /// An answer that is at its end.
    pub(crate) fn bare(inner: Body) -> Self {
        Self {
            inner,
            rest: Bytes::new(),
            trailers: None,
            flow: None,
            reader: None,
            end: None,
            access: None,
            permit: None,
        }
    }

    /// The next piece of what is still to be handed on.
    fn piece(&mut self) -> Frame<Piece> {
        let data = self.rest.split_to(self.rest.len().min(PIECE));
        let unsent = self.reader.as_ref().map(|reader| {
            let flow = self.flow.get_or_insert_with(|| Arc::new(Flow::of(&reader.peer)));
            flow.pieces.fetch_add(1, Ordering::AcqRel);
            flow.peer.unsent.fetch_add(data.len(), Ordering::Relaxed);
            if let Some(waiter) = flow.waiter.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                waiter.moved();
            }
            Unsent {
                size: data.len(),
                flow: Arc::clone(flow),
            }
        });
        Frame::data(Piece { data, unsent })
    }

    /// Counts `rest` among what waits, where it is large or its connection slow. Whether there is no room for it.
    fn count(&mut self) -> bool {
        let Some(reader) = &self.reader else { return false };
        let flow = self.flow.get_or_insert_with(|| Arc::new(Flow::of(&reader.peer)));
        let size = self.rest.len();
        let mut waiter = flow.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        if flow.pieces.load(Ordering::Acquire) == 0 {
            *waiter = None;
        }
        if size <= SMALL && reader.peer.unsent.load(Ordering::Relaxed) + size <= QUIET {
            return false;
        }
        let begun = waiter.is_some();
        match &*waiter {
            Some(waiter) => waiter.grow(size),
            None => *waiter = Some(reader.answers.enter(&reader.peer, size, deadline::cut())),
        }
        !begun && deadline::is_cut()
    }

    /// Whether the end of the answer can follow: what was handed on is sent, or is too little to matter.
    fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(flow) = &self.flow else { return Poll::Ready(()) };
        let sent = || flow.pieces.load(Ordering::Acquire) == 0 || flow.peer.unsent.load(Ordering::Relaxed) <= QUIET;
        if sent() {
            return Poll::Ready(());
        }
        flow.sent.register(cx.waker());
        if sent() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends the answer before its time.
    fn fail(&mut self, failure: Status) -> HeaderMap {
        self.end = None;
        (self.inner, self.rest) = (Body::empty(), Bytes::new());
        let own = self.access.take().and_then(|mut access| access.failed(&failure));
        let mut trailers = HeaderMap::new();
        let _ = own.unwrap_or(failure).add_header(&mut trailers);
        trailers
    }

    /// Reads the status at the end of the answer, and writes ours over the libraries'.
    fn told(&mut self, trailers: &mut HeaderMap) {
        let ok = trailers.get(Status::GRPC_STATUS).is_none_or(|code| code == "0");
        let failure = if ok { None } else { Status::from_header_map(trailers) };
        match (self.access.take(), failure) {
            (Some(mut access), Some(failure)) => {
                if let Some(own) = access.failed(&failure) {
                    let _ = own.add_header(trailers);
                }
            }
            (Some(access), None) => access.ok(),
            (None, _) => {}
        }
    }
}

impl Flow {
    fn of(peer: &Arc<Peer>) -> Self {
        Self {
            peer: Arc::clone(peer),
            pieces: AtomicUsize::new(0),
            sent: AtomicWaker::new(),
            waiter: Mutex::new(None),
        }
    }
}

impl http_body::Body for Answer {
    type Data = Piece;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, Status>>> {
        if let Some(end) = &mut self.end
            && let Poll::Ready(failure) = end.as_mut().poll(cx)
        {
            self.trailers = None;
            let trailers = self.fail(failure);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        if self.trailers.is_none() {
            let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)?) else {
                return Poll::Ready(None);
            };
            match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    if !self.count() {
                        return Poll::Ready(Some(Ok(self.piece())));
                    }
                    self.trailers = Some(self.fail(unread()));
                }
                Err(other) => {
                    let Ok(mut trailers) = other.into_trailers() else {
                        return Poll::Ready(None);
                    };
                    self.told(&mut trailers);
                    self.trailers = Some(trailers);
                }
            }
        }
        ready!(self.poll_sent(cx));
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.trailers.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            self.inner.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(access) = self.access.take() {
            access.gone();
        }
    }
}

/// The answer to a call whose answer has no room beside those that wait for their readers.
fn unread() -> Status {
    let message = "too much waits to be read on this connection: read what was answered, or ask for smaller pages";
    status::own(Code::ResourceExhausted, "OVERLOADED", message)
}
