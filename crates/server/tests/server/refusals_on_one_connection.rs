//! Many refusals on one connection, frame by frame: what a client of HTTP/2 sends a moment after its headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mingce_server::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedRwLockWriteGuard;

use crate::raw_client::{GET, Started, config, eventually, get, get_lab, start_with};
use crate::test_service::TestService;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// As many as a connection may have at once, with some to spare.
const WAVE: u32 = 90;
const WAVES: u32 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The headers of a call, without compression: indexed names where the static table of HPACK has them.
fn headers() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let literal = |block: &mut Vec<u8>, name: &[u8], value: &str| {
        block.extend_from_slice(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend_from_slice(value.as_bytes());
    };
    literal(&mut block, &[0x04], GET);
    literal(&mut block, &[0x01], "localhost");
    literal(&mut block, &[0x0f, 0x10], "application/grpc");
    block
}

/// How many calls were answered, and whether the connection is being ended.
async fn read(mut reader: impl AsyncReadExt + Unpin, answered: Arc<AtomicUsize>, ended: Arc<AtomicUsize>) {
    let mut head = [0; 9];
    while reader.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if reader.read_exact(&mut payload).await.is_err() {
            break;
        }
        answered.fetch_add(usize::from(head[3] == HEADERS), Ordering::SeqCst);
        ended.fetch_add(usize::from(head[3] == GOAWAY), Ordering::SeqCst);
    }
    ended.fetch_add(1, Ordering::SeqCst);
}

/// A server whose only place is taken for as long as the guard lives.
async fn occupied() -> (Started, OwnedRwLockWriteGuard<()>) {
    let service = TestService::default();
    let gate = service.close_gate().await;
    let limits = Config {
        in_flight: 1,
        ..config()
    };
    let server = start_with(limits, service.clone()).await;
    let address = server.address;
    tokio::spawn(async move { get(address, &[("x-do", "wait")]).await });
    service.expect_running(1).await;
    (server, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_do_not_end_the_connection_of_callers_whose_requests_come_in_two_parts() {
    let (server, _gate) = occupied().await;
    let (reader, mut writer) = TcpStream::connect(server.address).await.unwrap().into_split();
    let (answered, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(read(reader, Arc::clone(&answered), Arc::clone(&ended)));
    writer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    writer.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    for wave in 0..WAVES {
        let streams = (0..WAVE).map(|call| 1 + 2 * (wave * WAVE + call));
        let begun: Vec<u8> = streams
            .clone()
            .flat_map(|s| frame(HEADERS, END_HEADERS, s, &headers()))
            .collect();
        let rest: Vec<u8> = streams.flat_map(|s| frame(DATA, END_STREAM, s, &get_lab())).collect();
        writer.write_all(&begun).await.unwrap();
        // A fixed wait: the time that a client takes between headers and data is what the test is about.
        tokio::time::sleep(Duration::from_millis(10)).await;
        writer.write_all(&rest).await.unwrap();
        // Each refusal is an answer of one HEADERS frame.
        let all = usize::try_from((wave + 1) * WAVE).unwrap();
        eventually(
            "every call is answered, or the connection ended",
            Duration::from_secs(5),
            async || answered.load(Ordering::SeqCst) >= all || ended.load(Ordering::SeqCst) > 0,
        )
        .await;
        assert_eq!(
            ended.load(Ordering::SeqCst),
            0,
            "the connection was ended in wave {wave}"
        );
    }
}
