//! Half-open calls: requests that never come whole.

use mingce_e2e::{Register, Store};

use super::http2::{self, DATA, frame};
use super::memory_monitor::MemoryMonitor;

/// 100 on each are the most that HTTP/2 lets a connection have.
async fn half_open(connections: usize, started: &[u8]) {
    use tokio::io::AsyncWriteExt;

    let register = Register::start(Store::Sqlite).await;
    let watched = MemoryMonitor::begin(&register).await;
    let mut held = Vec::new();
    for _ in 0..connections {
        let (reader, mut writer) = http2::connect(&register, 65_535).await.into_split();
        http2::begin(&mut writer, "mingce.labs.v1.LabService/GetLab", 100, None).await;
        for stream in (0..100).map(|call| 1 + 2 * call) {
            let _ = writer.write_all(&frame(DATA, 0, stream, started)).await;
        }
        held.push((reader, writer));
    }
    http2::expect_all_read(&register).await;
    watched.stands().await;
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_bodies_take_no_permits() {
    half_open(11, &[0, 0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_half_open_calls_than_are_kept_refuse_each_other_and_nobody_else() {
    half_open(60, &[&[0, 0, 1, 0, 0][..], &[7; 600]].concat()).await;
}
