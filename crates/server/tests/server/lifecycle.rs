//! How the server starts, or does not, and how it ends.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mingce_server::{Config, Server};
use prost::Message;
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::raw_client::{
    IMPORT, assert_refused, channel, config, connect, eventually, framed, get, open_body, request, start, start_with,
};
use crate::test_service::TestService;

#[tokio::test]
async fn a_method_without_a_permission_does_not_start_and_is_named() {
    // The generated types know no options, so that they lose each permission.
    let bare = prost_types::FileDescriptorSet::decode(mingce_proto::DESCRIPTORS)
        .unwrap()
        .encode_to_vec();
    let error = Server::new(config())
        .descriptors(Vec::leak(bare))
        .add_service(TestService::default())
        .bind()
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("mingce.labs.v1.LabService.") && error.to_string().contains("has no permission"),
        "{error}"
    );
}

#[tokio::test]
async fn a_malformed_permission_does_not_start_and_is_named() {
    let mut doctored = mingce_proto::DESCRIPTORS.to_vec();
    let (right, wrong) = (b"\rlabs.labs.get", b"\rlabs.labs_get");
    let place = doctored.windows(right.len()).position(|bytes| bytes == right).unwrap();
    doctored[place..place + right.len()].copy_from_slice(wrong);
    let error = Server::new(config())
        .descriptors(Vec::leak(doctored))
        .add_service(TestService::default())
        .bind()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("LabService.GetLab has the permission \"labs.labs_get\""),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_with_a_field_without_a_class_does_not_start_and_is_named() {
    // The class of a field: field 50002 of its options, a number. A record of a lab names its text first.
    let option: &[u8] = &[0x90, 0xb5, 0x18];
    let mut doctored = mingce_proto::DESCRIPTORS.to_vec();
    let find = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|part| part == wanted);
    let name = find(&doctored, b"\x0a\x04Name\x12").unwrap();
    let class = name + find(&doctored[name..], option).unwrap() + option.len();
    assert_eq!(doctored[class], 1, "public");
    for without in [0, 9] {
        doctored[class] = without;
        let error = Server::new(config())
            .descriptors(Vec::leak(doctored.clone()))
            .add_service(TestService::default())
            .bind()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                "mingce.registry.v1.Name.text has no class and is in the answer of mingce.labs.v1.LabService."
            ) && error.contains("[(mingce.registry.v1.field_class) = FIELD_CLASS_PUBLIC]")
                && !error.contains('\n'),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line() {
    let taken = start(config()).await;
    let error = Server::new(Config {
        listen: taken.to_string(),
        ..Config::default()
    })
    .bind()
    .await
    .unwrap_err()
    .to_string();
    assert!(
        error.starts_with(&format!("{taken} is in use: ")) && !error.contains('\n'),
        "{error}"
    );
    let error = Server::new(Config {
        listen: "nowhere".to_owned(),
        ..Config::default()
    })
    .bind()
    .await
    .unwrap_err()
    .to_string();
    assert!(error.contains("127.0.0.1:50051") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn the_port_can_be_known_before_the_services_are_made() {
    let mut server = Server::new(config());
    let early = server.listen().await.unwrap();
    let bound = server.add_service(TestService::default()).bind().await.unwrap();
    assert_eq!(bound.local_addr(), early);
    tokio::spawn(bound.serve(std::future::pending()));
    get(early, &[]).await.unwrap();
}

#[tokio::test]
async fn the_drain_lets_calls_finish_says_not_serving_and_takes_no_more() {
    let service = TestService::default();
    let gate = service.close_gate().await;
    let mut server = start_with(config(), service.clone()).await;
    let address = server.address;
    let slow = tokio::spawn(async move { get(address, &[("x-do", "wait")]).await });
    let mut client = HealthClient::new(channel(address));
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    service.expect_running(1).await;

    let started = Instant::now();
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2, "not serving");
    assert_refused(&watch.message().await.unwrap_err(), Code::Unavailable, "SHUTTING_DOWN");
    drop(gate);
    slow.await.unwrap().unwrap();
    server.served.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_drain_ends_within_its_limit_though_a_stream_is_open() {
    let service = TestService::default();
    let mut server = start_with(
        Config {
            drain_limit: Duration::from_millis(300),
            ..config()
        },
        service.clone(),
    )
    .await;
    let mut connection = connect(server.address).await;
    let (sender, body) = open_body();
    sender.send(framed(&[])).await.unwrap();
    let call = tokio::spawn(async move { connection.send_request(request(IMPORT, &[], body)).await.is_err() });
    eventually("the stream began", Duration::from_secs(2), async || {
        service.running.load(Ordering::SeqCst) == 1
    })
    .await;
    // Neither do those hold it up who are connected and say nothing.
    let _silent = TcpStream::connect(server.address).await.unwrap();

    let started = Instant::now();
    server.stop.take().unwrap().send(()).unwrap();
    server.served.await.unwrap().unwrap();
    let took = started.elapsed();
    assert!(
        took > Duration::from_millis(300) && took < Duration::from_millis(900),
        "{took:?}"
    );
    assert!(call.await.unwrap(), "the call was cut");
    eventually("the handler ended too", Duration::from_secs(1), async || {
        service.running.load(Ordering::SeqCst) == 0
    })
    .await;
}
