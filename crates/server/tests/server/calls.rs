//! What the server serves: calls, health, reflection, and a line in the log for each.

use std::sync::Arc;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::raw_client::{GET, LAB, assert_refused, channel, config, get, start};

#[tokio::test]
async fn a_call_reaches_its_handler_with_actor_and_default_deadline() {
    let lab = get(start(config()).await, &[]).await.unwrap();
    let (actor, left) = lab.etag.split_once(' ').unwrap();
    let left: i64 = left.parse().unwrap();
    assert_eq!((lab.name.as_str(), actor), (LAB, "anonymous"));
    assert!((29_000..=30_000).contains(&left), "{left} ms are left");
}

#[tokio::test]
async fn the_callers_deadline_reaches_the_handler_up_to_the_maximum() {
    let address = start(config()).await;
    let left = async |timeout| {
        let lab = get(address, &[("grpc-timeout", timeout)]).await.unwrap();
        lab.etag.split_once(' ').unwrap().1.parse::<i64>().unwrap()
    };
    assert!((4_000..=5_000).contains(&left("5S").await));
    assert!((599_000..=600_000).contains(&left("99H").await));
}

#[tokio::test]
async fn health_knows_the_server_and_each_service() {
    let address = start(config()).await;
    let mut client = HealthClient::new(channel(address));
    for service in ["", "mingce.labs.v1.LabService", "grpc.health.v1.Health"] {
        let answer = client
            .check(HealthCheckRequest {
                service: service.to_owned(),
            })
            .await
            .unwrap();
        assert_eq!(answer.into_inner().status, 1, "{service:?} is serving");
    }
    let status = client
        .check(HealthCheckRequest {
            service: "nothing".to_owned(),
        })
        .await
        .unwrap_err();
    assert_refused(&status, Code::NotFound, "NOT_FOUND");
}

/// A log that can be read. All tests of this process write into it.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_call_leaves_one_line_without_its_content() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_env_filter("mingce=debug")
        .init();
    let address = start(config()).await;
    get(address, &[("x-request-id", "line-1")]).await.unwrap();
    get(address, &[("x-request-id", "line-2"), ("x-do", "missing")])
        .await
        .unwrap_err();
    get(address, &[("x-request-id", "line-3"), ("x-do", "internal")])
        .await
        .unwrap_err();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("request=\"line-")).collect();
    let expected = [
        ["DEBUG mingce::access", "code=\"OK\"", "request=\"line-1\""],
        [
            "INFO mingce::access",
            "code=\"NOT_FOUND\"",
            "reason=\"RESOURCE_NOT_FOUND\"",
        ],
        [
            "WARN mingce::access",
            "code=\"INTERNAL\"",
            "detail=\"the password of 10.0.0.7 is wrong\"",
        ],
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, parts) in lines.iter().zip(expected) {
        for part in parts.into_iter().chain([GET, "ms=", "left="]) {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains(LAB) && !line.contains("127.0.0.1"), "{line}");
    }
}
