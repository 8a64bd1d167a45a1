//! Floods of frames that are neither a call nor a body.

use std::time::{Duration, Instant};

use mingce_e2e::{Register, Store};
use tokio::io::AsyncWriteExt;

use super::http2::{self, PING, SETTINGS, WINDOW_UPDATE, frame};
use super::memory_monitor::MemoryMonitor;

/// More than any client sends.
const MOST: usize = 2_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_frames_ends_its_connection() {
    let register = Register::start(Store::Sqlite).await;
    let watched = MemoryMonitor::begin(&register).await;
    let unknown = 0x42;
    for (what, one) in [
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 16])),
        ("unknown", frame(unknown, 0, 0, &[])),
    ] {
        let (mut reader, mut writer) = http2::connect(&register, 65_535).await.into_split();
        let reading = tokio::spawn(async move { while http2::next(&mut reader).await.is_some() {} });
        let many = one.repeat(1000);
        let started = Instant::now();
        let mut sent = 0;
        while writer.write_all(&many).await.is_ok() {
            sent += 1000;
            assert!(sent < MOST, "{what} goes on");
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{what} goes on, with {sent}"
            );
        }
        drop(writer);
        reading.await.unwrap();
    }
    assert!(
        register.stderr().contains("neither a call nor a body"),
        "{}",
        register.stderr()
    );
    watched.end().await;
}
