//! Callers that abuse the server, on purpose or not: slow, silent, greedy and vanishing ones.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mingce_server::{Config, Server};
use prost::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::raw_client::{
    GET, IMPORT, assert_refused, call_with, channel, closed_within, config, connect, eventually, framed, get, get_lab,
    open_body, reason, request, start, start_with, whole,
};
use crate::test_service::TestService;

#[tokio::test]
async fn a_deadline_of_one_millisecond_is_exceeded_not_cancelled() {
    let address = start(config()).await;
    let started = Instant::now();
    let status = get(address, &[("x-do", "sleep 5000"), ("grpc-timeout", "1m")])
        .await
        .unwrap_err();
    assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_without_a_deadline_ends_at_the_default() {
    let config = Config {
        default_deadline: Duration::from_millis(100),
        ..config()
    };
    let status = get(start(config).await, &[("x-do", "sleep 5000")]).await.unwrap_err();
    assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_stalled_stream_and_a_half_sent_request_end_at_their_deadline() {
    let times = Config {
        default_deadline: Duration::from_millis(100),
        maximum_deadline: Duration::from_millis(200),
        ..config()
    };
    let service = TestService::default();
    let server = start_with(times, service.clone()).await;
    let mut connection = connect(server.address).await;
    let mut held = Vec::new();
    for path in [
        IMPORT,
        GET,
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/Check",
    ] {
        let (sender, body) = open_body();
        sender.send(Bytes::from_static(&[0, 0, 0])).await.unwrap();
        let call = tokio::time::timeout(Duration::from_secs(2), call_with(&mut connection, path, &[], body));
        let (status, _) = call.await.unwrap_or_else(|_| panic!("{path} goes on"));
        assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        held.push(sender);
    }
    eventually("the handlers ended too", Duration::from_secs(1), async || {
        service.running.load(Ordering::SeqCst) == 0
    })
    .await;
}

#[tokio::test]
async fn a_unary_request_that_comes_too_slowly_gives_its_place_back_long_before_its_deadline() {
    let address = start(Config {
        request_time: Duration::from_millis(200),
        in_flight: 1,
        ..config()
    })
    .await;
    let (sender, body) = open_body();
    sender.send(get_lab().slice(..9)).await.unwrap();
    let started = Instant::now();
    let (status, _) = call_with(&mut connect(address).await, GET, &[("grpc-timeout", "60S")], body).await;
    assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    get(address, &[]).await.unwrap();
}

#[tokio::test]
async fn a_streamed_answer_ends_at_its_deadline() {
    let mut connection = connect(start(config()).await).await;
    let watch = framed(&HealthCheckRequest::default().encode_to_vec());
    let (status, body) = call_with(
        &mut connection,
        "/grpc.health.v1.Health/Watch",
        &[("grpc-timeout", "150m")],
        whole(watch),
    )
    .await;
    assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(!body.is_empty(), "the first health came");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_gives_its_place_back_after_the_deadline() {
    let address = start(Config {
        in_flight: 1,
        ..config()
    })
    .await;
    let mut connection = connect(address).await;
    let unread = request(
        GET,
        &[("x-do", "large 4000000"), ("grpc-timeout", "200m")],
        whole(get_lab()),
    );
    let unread = connection.send_request(unread).await.unwrap();
    let refused = async || get(address, &[]).await.is_err_and(|s| reason(&s) == "OVERLOADED");
    assert!(refused().await, "the answer holds the only place");
    eventually("the place is free", Duration::from_secs(4), async || !refused().await).await;
    drop(unread);
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_refused_at_once_while_health_answers() {
    let service = TestService::default();
    let gate = service.close_gate().await;
    let limits = Config {
        in_flight: 2,
        ..config()
    };
    let server = start_with(limits, service.clone()).await;
    let address = server.address;
    let slow: Vec<_> = (0..2)
        .map(|_| tokio::spawn(async move { get(address, &[("x-do", "wait")]).await }))
        .collect();
    service.expect_running(2).await;
    let started = Instant::now();
    assert_refused(
        &get(address, &[]).await.unwrap_err(),
        Code::ResourceExhausted,
        "OVERLOADED",
    );
    assert!(started.elapsed() < Duration::from_millis(150));
    HealthClient::new(channel(address))
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    drop(gate);
    for call in slow {
        call.await.unwrap().unwrap();
    }
    get(address, &[]).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_gives_its_place_back_and_is_no_end_of_its_stream() {
    let (outcomes, mut seen) = mpsc::unbounded_channel();
    let service = TestService {
        outcomes: Some(outcomes),
        ..TestService::default()
    };
    let server = start_with(config(), service.clone()).await;
    let mut connection = connect(server.address).await;

    let (sender, body) = open_body();
    sender.send(framed(&[])).await.unwrap();
    let mut calls = connection.clone();
    let call = tokio::spawn(async move { calls.send_request(request(IMPORT, &[], body)).await });
    eventually("the stream began", Duration::from_secs(2), async || {
        service.running.load(Ordering::SeqCst) == 1
    })
    .await;
    call.abort();
    assert_eq!(seen.recv().await, Some(Err("CALLER_GONE".to_owned())));
    eventually("the handler ended", Duration::from_secs(2), async || {
        service.running.load(Ordering::SeqCst) == 0
    })
    .await;

    let (status, _) = call_with(
        &mut connection,
        IMPORT,
        &[],
        whole([framed(&[]), framed(&[])].concat().into()),
    )
    .await;
    assert_eq!((status.code(), seen.recv().await), (Code::Ok, Some(Ok(2))));
}

#[tokio::test]
async fn a_flood_of_calls_that_are_given_up_leaves_nothing_behind() {
    let service = TestService::default();
    let server = start_with(config(), service.clone()).await;
    let mut connection = connect(server.address).await;
    for n in 0..3000 {
        if connection.ready().await.is_err() {
            break;
        }
        let call = connection.send_request(request(GET, &[("x-do", "sleep 5000")], whole(get_lab())));
        let _ = tokio::time::timeout(Duration::from_micros(n % 300), call).await;
    }
    eventually("no handler runs", Duration::from_secs(2), async || {
        service.running.load(Ordering::SeqCst) == 0
    })
    .await;
    get(server.address, &[]).await.unwrap();
}

#[tokio::test]
async fn one_connection_runs_a_hundred_calls_at_once_and_the_others_wait() {
    let service = TestService::default();
    let gate = service.close_gate().await;
    let server = start_with(config(), service.clone()).await;
    let connection = connect(server.address).await;
    // The limit is known to the client once it has the server's settings.
    assert_eq!(
        call_with(&mut connection.clone(), GET, &[], whole(get_lab()))
            .await
            .0
            .code(),
        Code::Ok
    );
    let calls: Vec<_> = (0..150)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                call_with(&mut connection, GET, &[("x-do", "wait")], whole(get_lab()))
                    .await
                    .0
                    .code()
            })
        })
        .collect();
    service.expect_running(100).await;
    // A fixed wait: that no more of them begin is no event.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(service.running.load(Ordering::SeqCst), 100);
    drop(gate);
    for call in calls {
        assert_eq!(call.await.unwrap(), Code::Ok);
    }
}

/// A thousand, or as many as this process may open: both ends are its own.
fn silent_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    });
    files.map_or(300, |files: usize| (files.saturating_sub(300) / 2).min(1000))
}

#[tokio::test]
async fn connections_that_never_speak_are_closed_and_hold_nobody_up() {
    let many = silent_connections();
    let config = Config {
        first_bytes: Duration::from_millis(800),
        connections: 2000,
        connections_per_address: 2000,
        ..config()
    };
    let address = start(config).await;
    let mut silent = Vec::new();
    for n in 1..=many {
        silent.push(TcpStream::connect(address).await.unwrap());
        if n == many {
            get(address, &[]).await.unwrap();
        }
    }
    let started = Instant::now();
    for stream in &mut silent {
        assert!(closed_within(stream, Duration::from_secs(3)).await);
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    get(address, &[]).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_sends_half_a_preface_is_closed() {
    let address = start(Config {
        first_bytes: Duration::from_millis(200),
        ..config()
    })
    .await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    assert!(closed_within(&mut stream, Duration::from_secs(1)).await);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let address = start(Config {
        connections_per_address: 3,
        ..config()
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut connection = connect(address).await;
        assert_eq!(
            call_with(&mut connection, GET, &[], whole(get_lab())).await.0.code(),
            Code::Ok
        );
        held.push(connection);
    }
    let mut fourth = TcpStream::connect(address).await.unwrap();
    assert!(closed_within(&mut fourth, Duration::from_secs(1)).await);
    held.pop();
    eventually("a place is free again", Duration::from_secs(2), async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        !closed_within(&mut stream, Duration::from_millis(50)).await
    })
    .await;
}

/// Without TCP_NODELAY the second answer waits until the client has acknowledged the first, which it does after 40 ms.
#[tokio::test]
async fn small_answers_do_not_wait_for_acknowledgements() {
    let bound = Server::new(config())
        .add_service(TestService::default())
        .bind()
        .await
        .unwrap();
    let (health, address) = (bound.health(), bound.local_addr());
    tokio::spawn(bound.serve(std::future::pending()));
    let mut times = Vec::new();
    for n in 0..9 {
        let service = format!("watched {n}");
        health.set(&service, tonic_health::ServingStatus::Serving);
        let watched = HealthCheckRequest {
            service: service.clone(),
        };
        let mut watch = HealthClient::new(channel(address))
            .watch(watched)
            .await
            .unwrap()
            .into_inner();
        watch.message().await.unwrap();
        let started = Instant::now();
        health.set(&service, tonic_health::ServingStatus::NotServing);
        watch.message().await.unwrap().unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    assert!(times[4] < Duration::from_millis(20), "{times:?}");
}
