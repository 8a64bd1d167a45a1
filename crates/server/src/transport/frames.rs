//! Follows the frames of HTTP/2 that a connection reads. It joins small pieces of a body that come one after the other, since the
//! library takes many of them that wait for an attack; and it ends a connection that sends much that is neither a call nor a body.

mod flood_guard;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use self::flood_guard::Patience;
use crate::transport::connection_counter::Peer;

/// Bytes of a frame's head: length, kind, flags, stream.
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
/// The only other flag of DATA.
const PADDED: u8 = 8;

/// A piece of a body below this many bytes is small: these are what the library counts.
const SMALL: usize = 256;
/// So much is joined at most, of all bodies together and with the heads of their frames.
const JOINED: usize = 8 * 1024;
/// So many small pieces may come alone in each `PACE`; then one that comes alone waits for what follows,
const ALONE: u32 = 64;
const PACE: Duration = Duration::from_millis(500);
/// for so long.
const WAIT: Duration = Duration::from_millis(10);

/// Why a connection is ended.
const FLOOD: &str = "it sent too many frames that are neither a call nor a body";

/// Small pieces of one body, joined.
#[derive(Debug)]
struct Joined {
    stream: u32,
    data: BytesMut,
}

/// The frames in what came, as they are to be handed on.
#[derive(Debug)]
struct Frames {
    /// A head, or a small frame, that is not whole yet.
    part: BytesMut,
    /// Bytes of the present frame that are handed on as they come.
    through: usize,
    out: BytesMut,
    joined: Vec<Joined>,
    /// Bytes of the frames in `joined`.
    held: usize,
    /// Frames that were handed on with a small piece, and since when.
    alone: u32,
    since: Instant,
    patience: Patience,
}

impl Frames {
    fn new() -> Self {
        Self {
            part: BytesMut::new(),
            through: 0,
            out: BytesMut::new(),
            joined: Vec::new(),
            held: 0,
            alone: 0,
            since: Instant::now(),
            patience: Patience::new(),
        }
    }

    /// Takes what came. Fails where there was too much of no use.
    fn take(&mut self, mut came: &[u8], peer: &Peer) -> io::Result<()> {
        while !came.is_empty() {
            if self.through > 0 {
                let step = self.through.min(came.len());
                self.out.extend_from_slice(&came[..step]);
                self.through -= step;
                came = &came[step..];
                continue;
            }
            let before = self.part.len();
            let step = self.missing().min(came.len());
            self.part.extend_from_slice(&came[..step]);
            came = &came[step..];
            if before < HEAD && self.part.len() >= HEAD {
                let (kind, flags, length) = (self.part[3], self.part[4], self.length());
                if !self.patience.takes(kind, flags, length, peer) {
                    tracing::info!("a connection was cut: {FLOOD}");
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, FLOOD));
                }
            }
            if self.missing() == 0 {
                self.frame();
            }
        }
        Ok(())
    }

    fn length(&self) -> usize {
        let &[a, b, c, ..] = &self.part[..] else { return 0 };
        u32::from_be_bytes([0, a, b, c]) as usize
    }

    /// Whether the frame that begins is a small piece of a body without padding that others follow.
    fn joins(&self) -> bool {
        self.part[3] == DATA && self.part[4] & (END_STREAM | PADDED) == 0 && self.length() < SMALL
    }

    /// How much of the present head or small frame has not come.
    fn missing(&self) -> usize {
        if self.part.len() < HEAD {
            HEAD - self.part.len()
        } else if self.joins() {
            HEAD + self.length() - self.part.len()
        } else {
            0
        }
    }

    /// A head is here, or a small frame with all that it has.
    fn frame(&mut self) {
        let stream = u32::from_be_bytes([self.part[5], self.part[6], self.part[7], self.part[8]]);
        if self.joins() {
            let at = match self.joined.iter().position(|joined| joined.stream == stream) {
                Some(at) => at,
                None => {
                    self.joined.push(Joined {
                        stream,
                        data: BytesMut::new(),
                    });
                    self.joined.len() - 1
                }
            };
            self.joined[at].data.extend_from_slice(&self.part[HEAD..]);
            self.held += HEAD + self.length();
            if self.held > JOINED {
                self.flush();
            }
        } else {
            // Nothing overtakes what came before it.
            self.flush();
            self.out.extend_from_slice(&self.part);
            self.through = self.length();
        }
        self.part.clear();
    }

    fn hand_on(&mut self, joined: &Joined) {
        let length = u32::try_from(joined.data.len()).unwrap_or(0).to_be_bytes();
        self.out.put_slice(&length[1..]);
        self.out.put_slice(&[DATA, 0]);
        self.out.put_u32(joined.stream);
        self.out.put_slice(&joined.data);
        if joined.data.len() < SMALL {
            self.alone += 1;
        }
    }

    /// Hands on what is joined.
    fn flush(&mut self) {
        self.held = 0;
        for joined in std::mem::take(&mut self.joined) {
            self.hand_on(&joined);
        }
    }

    /// Whether what is joined should wait for more.
    fn waits(&mut self) -> bool {
        if self.since.elapsed() > PACE {
            (self.alone, self.since) = (0, Instant::now());
        }
        self.alone > ALONE && self.joined.iter().any(|joined| joined.data.len() < SMALL)
    }
}

/// The reading half of a connection.
pub(crate) struct Reading<R> {
    inner: R,
    frames: Frames,
    peer: Arc<Peer>,
    wait: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl<R> Reading<R> {
    /// What comes behind the preface.
    pub(crate) fn new(inner: R, peer: Arc<Peer>) -> Self {
        Self {
            inner,
            frames: Frames::new(),
            peer,
            wait: None,
            ended: false,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Reading<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let ready = &mut this.frames.out;
            if !ready.is_empty() {
                let step = ready.len().min(out.remaining());
                out.put_slice(&ready[..step]);
                ready.advance(step);
                if ready.is_empty() {
                    *ready = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            // Not set to zero: each call reads some times.
            let mut scratch = [const { MaybeUninit::uninit() }; 8 * 1024];
            let mut came = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut this.inner).poll_read(cx, &mut came) {
                Poll::Ready(read) => {
                    read?;
                    this.ended = came.filled().is_empty();
                    this.frames.take(came.filled(), &this.peer)?;
                    if this.ended {
                        this.frames.flush();
                        let part = this.frames.part.split();
                        this.frames.out.extend_from_slice(&part);
                    }
                }
                Poll::Pending if this.frames.joined.is_empty() => return Poll::Pending,
                Poll::Pending => {
                    if this.frames.waits() {
                        let wait = this.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(WAIT)));
                        ready!(wait.as_mut().poll(cx));
                    }
                    this.wait = None;
                    this.frames.flush();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::Ordering;

    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// Kind, flags, stream and payload of each frame.
    fn parsed(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
            let stream = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
            frames.push((bytes[3], bytes[4], stream, bytes[HEAD..HEAD + length].to_vec()));
            bytes = &bytes[HEAD + length..];
        }
        frames
    }

    /// What each stream gets: its bytes joined, and its other frames between them.
    fn by_stream(frames: Vec<(u8, u8, u32, Vec<u8>)>) -> HashMap<u32, Vec<(u8, u8, Vec<u8>)>> {
        let mut streams: HashMap<u32, Vec<(u8, u8, Vec<u8>)>> = HashMap::new();
        for (kind, flags, stream, payload) in frames {
            let all = streams.entry(stream).or_default();
            match all.last_mut() {
                Some((DATA, 0, joined)) if kind == DATA && flags & PADDED == 0 => {
                    joined.extend(payload);
                    if flags != 0 {
                        all.push((kind, flags, Vec::new()));
                    }
                }
                _ => all.push((kind, flags, payload)),
            }
        }
        streams
    }

    async fn through(bytes: Vec<u8>, cut: usize) -> io::Result<Vec<u8>> {
        let (mut near, far) = tokio::io::duplex(cut);
        let sending = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            for piece in bytes.chunks(cut) {
                if near.write_all(piece).await.is_err() {
                    break;
                }
            }
        });
        let mut all = Vec::new();
        let read = Reading::new(far, Peer::of(1)).read_to_end(&mut all).await;
        let _ = sending.await;
        read.map(|_| all)
    }

    fn any_frame() -> impl Strategy<Value = (u8, u8, u32, Vec<u8>)> {
        let kind = prop_oneof![6 => Just(DATA), 1 => Just(HEADERS), 1 => Just(WINDOW_UPDATE), 1 => any::<u8>()];
        let flags = prop_oneof![8 => Just(0), 1 => Just(END_STREAM), 1 => Just(PADDED)];
        let length = prop_oneof![8 => 0..90_usize, 1 => 200..300_usize, 1 => 0..16_384_usize];
        (kind, flags, 1..4_u32, length).prop_flat_map(|(kind, flags, stream, length)| {
            (
                Just(kind),
                Just(flags),
                Just(stream),
                prop::collection::vec(any::<u8>(), length),
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_stream_gets_what_was_sent_on_it_however_the_bytes_are_cut(
            frames in prop::collection::vec(any_frame(), 0..60),
            cut in 1..5_000_usize,
        ) {
            let sent: Vec<u8> = frames.iter().flat_map(|(k, f, s, p)| frame(*k, *f, *s, p)).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let got = runtime.block_on(through(sent, cut)).unwrap();
            prop_assert_eq!(by_stream(parsed(&got)), by_stream(frames));
        }

        #[test]
        fn half_a_frame_at_the_end_comes_through(length in 0..30_usize, cut in 1..40_usize) {
            let sent = frame(DATA, 0, 1, &[7; 21])[..length].to_vec();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            prop_assert_eq!(runtime.block_on(through(sent.clone(), cut)).unwrap(), sent);
        }
    }

    #[tokio::test]
    async fn small_pieces_of_two_bodies_are_joined() {
        let sent: Vec<u8> = (0..4000)
            .flat_map(|n| frame(DATA, 0, 1 + 2 * (n % 2), &[1; 44]))
            .collect();
        let got = parsed(&through(sent, 8192).await.unwrap());
        assert!(got.len() < 100, "{} frames", got.len());
        assert_eq!(got.iter().map(|(.., payload)| payload.len()).sum::<usize>(), 4000 * 44);
    }

    #[tokio::test(start_paused = true)]
    async fn many_small_pieces_that_come_alone_wait_for_each_other_and_a_few_do_not() {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        let mut reading = Reading::new(far, Peer::of(1));
        let mut frames = 0;
        for n in 0..1000 {
            use tokio::io::AsyncWriteExt;
            near.write_all(&frame(DATA, 0, 1, &[1; 44])).await.unwrap();
            let mut bytes = [0; 4096];
            let read = tokio::time::timeout(Duration::from_millis(1), reading.read(&mut bytes)).await;
            if let Ok(read) = read {
                frames += parsed(&bytes[..read.unwrap()]).len();
            }
            assert!(n > 50 || frames == n + 1, "the first ones do not wait");
        }
        assert!(frames < 300, "{frames} frames");
    }

    #[tokio::test]
    async fn a_flood_of_what_is_no_call_ends_and_windows_beside_what_is_sent_do_not() {
        for kind in [WINDOW_UPDATE, 6, 4, 2, 9, 0x42, DATA] {
            let flood: Vec<u8> = (0..3000).flat_map(|_| frame(kind, 0, 0, &[])).collect();
            assert!(through(flood, 4096).await.is_err(), "kind {kind}");
        }
        let calls: Vec<u8> = (0..30_000)
            .flat_map(|n| {
                let kind = if n % 10 == 0 { HEADERS } else { WINDOW_UPDATE };
                frame(kind, 0, 1, &[0; 4])
            })
            .collect();
        assert!(through(calls, 4096).await.is_ok());

        let peer = Peer::of(1);
        let mut patience = Patience::new();
        for _ in 0..100_000 {
            peer.sent.fetch_add(16 * 1024, Ordering::Relaxed);
            assert!(patience.takes(WINDOW_UPDATE, 0, 4, &peer) && patience.takes(WINDOW_UPDATE, 0, 4, &peer));
        }
    }
}
