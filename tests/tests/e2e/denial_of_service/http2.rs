//! HTTP/2 without a client library: frames, and the headers of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mingce_e2e::Register;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a call of a method, without compression.
pub fn headers(method: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let path = format!("/{method}");
    for (name, value) in [
        (&[0x04_u8][..], path.as_str()),
        (&[0x01], "localhost"),
        (&[0x0f, 0x10], "application/grpc"),
    ] {
        block.extend(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.as_bytes());
    }
    block
}

/// A message as gRPC frames it.
pub fn message(bytes: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    framed.extend(bytes);
    framed
}

/// A connection that lets answers have a window of so many bytes on each call.
pub async fn connect(register: &Register, window: u32) -> TcpStream {
    let mut stream = TcpStream::connect(register.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut settings = vec![0, 4];
    settings.extend(window.to_be_bytes());
    stream.write_all(&frame(SETTINGS, 0, 0, &settings)).await.unwrap();
    stream
}

/// Waits until the register has read all that was sent to it: the kernel keeps no bytes for its sockets. At most 5
/// seconds.
pub async fn expect_all_read(register: &Register) {
    let (_, port) = register.address().rsplit_once(':').unwrap();
    let port = format!(":{:04X}", port.parse::<u16>().unwrap());
    // Local and remote address, state, and the bytes that are still to be sent and to be read.
    let is_unread = |line: &&str| {
        let cells: Vec<_> = line.split_whitespace().collect();
        let [local, remote, queues] = [1, 2, 4].map(|at| *cells.get(at).unwrap_or(&""));
        let (unsent, unread) = queues.split_once(':').unwrap_or_default();
        let has_bytes = |hex: &str| hex.bytes().any(|digit| digit != b'0');
        (remote.ends_with(&port) && has_bytes(unsent)) || (local.ends_with(&port) && has_bytes(unread))
    };
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        if table.lines().skip(1).filter(is_unread).count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The head of the next frame, and its payload; `None` at the end.
pub async fn next(reader: &mut OwnedReadHalf) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    reader.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
    Some((head[3], head[4], stream, payload))
}

/// What a side may still send: in all, and on the one call that it makes.
#[derive(Debug, Clone, Default)]
pub struct Windows(Arc<[AtomicU64; 2]>);

impl Windows {
    pub fn new(connection: u64, call: u64) -> Self {
        Self(Arc::new([AtomicU64::new(connection), AtomicU64::new(call)]))
    }

    pub fn more(&self, stream: u32, bytes: u32) {
        self.0[usize::from(stream != 0)].fetch_add(bytes.into(), Ordering::SeqCst);
    }

    /// Waits until so many may be sent, and takes them.
    pub async fn take(&self, bytes: usize) {
        let bytes = bytes as u64;
        while self.0.iter().any(|window| window.load(Ordering::SeqCst) < bytes) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for window in &*self.0 {
            window.fetch_sub(bytes, Ordering::SeqCst);
        }
    }
}

/// Begins so many calls of a method, each with this body, or with none and more to come.
pub async fn begin(writer: &mut OwnedWriteHalf, method: &str, calls: u32, body: Option<&[u8]>) {
    let mut bytes = Vec::new();
    for stream in (0..calls).map(|call| 1 + 2 * call) {
        bytes.extend(frame(HEADERS, END_HEADERS, stream, &headers(method)));
        if let Some(body) = body {
            bytes.extend(frame(DATA, END_STREAM, stream, &message(body)));
        }
    }
    // Where the other side has had enough, it closes.
    let _ = writer.write_all(&bytes).await;
}

/// Sends what each of so many calls that have begun has to say, to its end.
pub async fn bodies(writer: &mut OwnedWriteHalf, calls: u32, body: &[u8]) {
    let streams = (0..calls).map(|call| 1 + 2 * call);
    let frames: Vec<u8> = streams
        .flat_map(|stream| frame(DATA, END_STREAM, stream, body))
        .collect();
    let _ = writer.write_all(&frames).await;
}
