//! Unread answers: callers that do not read what they asked for.

use std::time::Duration;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{CreateLabRequest, Lab, ListLabsRequest};
use mingce_proto::registry::View;
use prost::Message;

use super::http2;
use super::memory_monitor::MemoryMonitor;

on_both_stores!(
    pages_that_nobody_reads_are_bounded_in_all,
    pages_that_are_read_by_the_byte_are_bounded_too
);

/// A register with labs of 18 KB each, more of them than a page has.
async fn large(store: Store) -> Register {
    let register = Register::start(store).await;
    let mut making = tokio::task::JoinSet::new();
    for n in 0..150 {
        let mut labs = register.labs();
        making.spawn(async move {
            let lab = Lab {
                display_name: format!("实验室 {n}"),
                academic_committee: vec!["会".repeat(100); 60],
                ..Lab::default()
            };
            let request = CreateLabRequest {
                lab: Some(lab),
                ..CreateLabRequest::default()
            };
            labs.create_lab(request).await.unwrap();
        });
    }
    while let Some(made) = making.join_next().await {
        made.unwrap();
    }
    register
}

async fn unread(store: Store, window: u32) {
    let register = large(store).await;
    let wanted = ListLabsRequest {
        page_size: 1000,
        view: View::Full.into(),
        ..ListLabsRequest::default()
    };
    // Many who do read them, before: what the database keeps for its readers is there then.
    let mut reading = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (labs, wanted) = (register.labs(), wanted.clone());
        for _ in 0..16 {
            let (mut labs, wanted) = (labs.clone(), wanted.clone());
            reading.spawn(async move { labs.list_labs(wanted).await.unwrap() });
        }
    }
    while let Some(read) = reading.join_next().await {
        let page = read.unwrap().into_inner();
        assert!(!page.next_page_token.is_empty() && page.encoded_len() < 2 << 20);
    }
    let watched = MemoryMonitor::begin(&register).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        let (reader, mut writer) = http2::connect(&register, window).await.into_split();
        http2::begin(
            &mut writer,
            "mingce.labs.v1.LabService/ListLabs",
            100,
            Some(&wanted.encode_to_vec()),
        )
        .await;
        held.push((reader, writer));
    }
    http2::expect_all_read(&register).await;
    // A fixed wait: that the memory for answers grows no further is no event.
    tokio::time::sleep(Duration::from_secs(3)).await;
    watched.end().await;
}

async fn pages_that_nobody_reads_are_bounded_in_all(store: Store) {
    unread(store, 0).await;
}

async fn pages_that_are_read_by_the_byte_are_bounded_too(store: Store) {
    unread(store, 1).await;
}

/// As many connections as one address may have beside that of the good caller.
const CONNECTIONS: usize = 250;

/// Health and reflection have no places of the calls. A call of reflection goes on, and asks again and again.
async fn unread_health_and_reflection(method: &str, body: &[u8], times: usize) {
    let register = Register::start(Store::Sqlite).await;
    let watched = MemoryMonitor::begin(&register).await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut reader, mut writer) = http2::connect(&register, 0).await.into_split();
        http2::begin(&mut writer, method, 100, None).await;
        http2::bodies(&mut writer, 100, &http2::message(body).repeat(times)).await;
        // Not all at once: what counts is what stands. Once the last answer has begun, nothing is read any more.
        while let Some((kind, _, stream, _)) = http2::next(&mut reader).await {
            if (kind, stream) == (http2::HEADERS, 199) {
                break;
            }
        }
        held.push((reader, writer));
    }
    // A fixed wait, for the same reason.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let kept = watched.end().await;
    drop(held);
    kept.given_back(&register).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_that_nobody_reads_are_bounded() {
    unread_health_and_reflection("grpc.health.v1.Health/Watch", &[], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptors_that_nobody_reads_are_bounded() {
    let symbol = "google.protobuf.FileDescriptorSet";
    let mut asked = vec![0x22, u8::try_from(symbol.len()).unwrap()];
    asked.extend(symbol.as_bytes());
    unread_health_and_reflection("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &asked, 10).await;
}
