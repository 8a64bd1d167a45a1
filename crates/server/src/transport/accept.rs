//! Takes connections in and sees them out: caps, a time limit for the first bytes, HTTP/2 limits, drain.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::layer::deadline::Streams;
use crate::transport::connection_counter::{ConnectionCounter, Peer};
use crate::transport::connection_service::{ConnectionService, Shared};
use crate::transport::frames::Reading;
use crate::transport::writing::Writing;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Headers of more than this are refused by HTTP/2 itself, which cannot say so as gRPC does.
const MOST_HEADERS: u32 = 64 * 1024;

/// How long the server takes no connection after the system could not give it one.
const PAUSE: Duration = Duration::from_millis(200);

/// Limits of connections.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) per_address: usize,
    pub(crate) streams: u32,
    pub(crate) first_bytes: Duration,
    pub(crate) stream_window: u32,
    pub(crate) connection_window: u32,
    pub(crate) keep_alive: Duration,
    pub(crate) keep_alive_timeout: Duration,
}

/// The connections of one listener.
pub(crate) struct Acceptor {
    listener: TcpListener,
    shared: Arc<Shared>,
    limits: Limits,
    guests: ConnectionCounter,
    connections: JoinSet<()>,
    draining: watch::Sender<bool>,
    complained: Option<Instant>,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, shared: Arc<Shared>, limits: Limits) -> Self {
        let (draining, _) = watch::channel(false);
        let guests = ConnectionCounter::default();
        Self {
            listener,
            shared,
            limits,
            guests,
            connections: JoinSet::new(),
            draining,
            complained: None,
        }
    }

    /// Takes connections until `stop`. Fails where the listener itself is broken.
    pub(crate) async fn run(&mut self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.admit(stream, address.ip()),
                    Err(error) => self.refused_by_system(error).await?,
                },
            }
        }
    }

    /// Whether anybody is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// Takes no more connections, lets running calls finish within `limit`, then cuts. How many connections it cut.
    pub(crate) async fn drain(self, limit: Duration) -> usize {
        let Self {
            listener,
            mut connections,
            draining,
            ..
        } = self;
        drop(listener);
        draining.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit, all).await;
        let left = connections.len();
        connections.shutdown().await;
        left
    }

    fn admit(&mut self, stream: TcpStream, address: IpAddr) {
        let Some(guest) = self
            .guests
            .admit(address, self.limits.connections, self.limits.per_address)
        else {
            self.complain("a connection was closed: there are as many as the server takes, in all or from one address");
            return;
        };
        let service = ConnectionService(self.shared.clone(), Peer::new(address));
        let (limits, draining) = (self.limits.clone(), self.draining.subscribe());
        self.connections.spawn(async move {
            let _guest = guest;
            connection(stream, service, limits, draining).await;
        });
    }

    /// A caller that gave up while it waited is nothing; a lack of descriptors or memory passes, but not at once, and
    /// asking again without a pause would only burn the processor.
    async fn refused_by_system(&mut self, error: io::Error) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::InvalidInput => Err(error),
            _ => {
                self.complain(&format!("no connection can be taken for a moment: {error}"));
                tokio::time::sleep(PAUSE).await;
                Ok(())
            }
        }
    }

    /// Warns, but not with each connection of a flood.
    fn complain(&mut self, what: &str) {
        if self
            .complained
            .is_none_or(|last| last.elapsed() > Duration::from_secs(10))
        {
            self.complained = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
enum Opening {
    Http2,
    Http1,
    Other,
}

async fn connection(
    mut stream: TcpStream,
    service: ConnectionService,
    limits: Limits,
    mut draining: watch::Receiver<bool>,
) {
    // Without it small answers wait for the caller's delayed acknowledgement: 40 ms.
    let _ = stream.set_nodelay(true);
    let mut first = [0; PREFACE.len()];
    let opening = tokio::select! {
        () = begun(&mut draining) => return,
        opening = tokio::time::timeout(limits.first_bytes, opening(&mut stream, &mut first)) => opening,
    };
    match opening {
        Ok(Ok(Opening::Http2)) => {}
        Ok(Ok(Opening::Http1)) => return refuse_http1(stream).await,
        Ok(Ok(Opening::Other)) => {
            return tracing::debug!("a connection was closed: it speaks neither HTTP/2 nor HTTP/1, perhaps TLS");
        }
        Ok(Err(_)) => return,
        Err(_) => return tracing::debug!("a connection was closed: it said nothing"),
    }

    let peer = service.1.clone();
    let (reader, writer) = stream.into_split();
    let reader = io::Cursor::new(first).chain(Reading::new(reader, peer.clone()));
    let io = TokioIo::new(tokio::io::join(reader, Writing::new(writer, peer.clone())));
    let mut served = pin!(builder(&limits).serve_connection(io, service));
    let cut = std::future::poll_fn(|cx| peer.cut.poll(cx));
    let served = async {
        let ended = tokio::select! {
            ended = served.as_mut() => Some(ended),
            () = begun(&mut draining) => None,
        };
        match ended {
            Some(ended) => ended,
            None => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        }
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = cut => return tracing::info!("a connection was cut: it read nothing, and too much waited for it"),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Waits until the drain begins.
async fn begun(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

fn builder(limits: &Limits) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_local_error_reset_streams(100)
        .max_pending_accept_reset_streams(100)
        .max_header_list_size(MOST_HEADERS)
        .max_send_buf_size(64 * 1024)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_timeout);
    builder
}

/// Reads the preface of HTTP/2, or as much as shows that it is none.
async fn opening(stream: &mut TcpStream, first: &mut [u8; PREFACE.len()]) -> io::Result<Opening> {
    let mut read = 0;
    while read < first.len() {
        let more = stream.read(&mut first[read..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += more;
        if first[..read] != PREFACE[..read] {
            let letters = first[..read].iter().take(3).all(u8::is_ascii_uppercase);
            return Ok(if letters { Opening::Http1 } else { Opening::Other });
        }
    }
    Ok(Opening::Http2)
}

/// Tells a client of HTTP/1, a browser perhaps, what this port is.
async fn refuse_http1(mut stream: TcpStream) {
    const TEXT: &str = "This port speaks gRPC over HTTP/2 without TLS. Try: grpcurl -plaintext HOST:PORT list\n";
    let answer = format!(
        "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    let farewell = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing on unread bytes would reset the connection, and the client might never see the answer.
        tokio::io::copy(&mut stream.take(64 * 1024), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
}
