//! What the server refuses, and with which code and reason.

use bytes::Bytes;
use http_body_util::BodyExt;
use mingce_proto::labs::GetLabRequest;
use mingce_server::Server;
use prost::Message;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt;

use crate::raw_client::{
    GET, IMPORT, LAB, assert_refused, call_with, closed_within, config, connect, framed, get, get_lab, reason, request,
    start, whole,
};
use crate::test_service::TestService;

#[tokio::test]
async fn an_invalid_message_is_refused_field_by_field() {
    let body = framed(
        &GetLabRequest {
            name: "labs/1".to_owned(),
            view: 99,
        }
        .encode_to_vec(),
    );
    let (status, _) = call_with(&mut connect(start(config()).await).await, GET, &[], whole(body)).await;
    assert_refused(&status, Code::InvalidArgument, "STRING_PATTERN");
    let fields: Vec<_> = status
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|v| (v.field, v.reason))
        .collect();
    assert_eq!(
        fields,
        [
            ("name".to_owned(), "STRING_PATTERN".to_owned()),
            ("view".to_owned(), "ENUM_DEFINED_ONLY".to_owned())
        ]
    );
}

#[tokio::test]
async fn what_is_no_message_is_malformed() {
    let mut connection = connect(start(config()).await).await;
    let get = get_lab();
    let bodies: [(&str, Bytes); 8] = [
        ("invalid UTF-8", framed(&[0x0a, 2, 0xff, 0xfe])),
        ("a cut field", framed(&[0x0a, 99, b'l'])),
        ("an unknown wire type", framed(&[0x0f])),
        ("nothing", Bytes::new()),
        ("half a prefix", get.slice(..3)),
        ("half a message", get.slice(..9)),
        ("two messages", [get.clone(), get.clone()].concat().into()),
        ("no gRPC", Bytes::from_static(b"{\"name\": \"labs/1\"}")),
    ];
    for (what, body) in bodies {
        let (status, _) = call_with(&mut connection, GET, &[], whole(body)).await;
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "MESSAGE_MALFORMED"),
            "{what}: {status:?}"
        );
        let wrong = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(wrong.len(), 1, "{what}");
        assert_eq!(wrong[0].reason, "MESSAGE_MALFORMED", "{what}");
        let field = ["invalid UTF-8", "a cut field"].contains(&what).then_some("name");
        assert_eq!(wrong[0].field, field.unwrap_or_default(), "{what}");
    }
    let empty = http_body_util::Empty::new().boxed();
    let (status, _) = call_with(&mut connection, GET, &[], empty).await;
    assert_refused(&status, Code::InvalidArgument, "MESSAGE_MALFORMED");
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_and_a_method_may_have_more() {
    let (kib, lab) = (1024, |bytes: usize| {
        framed(
            &GetLabRequest {
                name: "x".repeat(bytes),
                view: 0,
            }
            .encode_to_vec(),
        )
    });
    let mut connection = connect(start(config()).await).await;
    let (status, _) = call_with(&mut connection, GET, &[], whole(lab(255 * kib))).await;
    assert_refused(&status, Code::InvalidArgument, "STRING_PATTERN");
    let (status, _) = call_with(&mut connection, GET, &[], whole(lab(256 * kib))).await;
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    // The connection is still good.
    assert_eq!(
        call_with(&mut connection, GET, &[], whole(get_lab())).await.0.code(),
        Code::Ok
    );

    let bound = Server::new(config())
        .add_service(TestService::default())
        .request_limit(GET, 1024 * kib)
        .bind()
        .await
        .unwrap();
    let mut connection = connect(bound.local_addr()).await;
    tokio::spawn(bound.serve(std::future::pending()));
    let (status, _) = call_with(&mut connection, GET, &[], whole(lab(900 * kib))).await;
    assert_refused(&status, Code::InvalidArgument, "STRING_PATTERN");
}

#[tokio::test]
async fn a_stream_may_be_long_but_not_one_message_of_it() {
    let mut connection = connect(start(config()).await).await;
    let row = framed(&[]);
    let many: Bytes = row.repeat(200_000).into();
    assert_eq!(
        call_with(&mut connection, IMPORT, &[], whole(many)).await.0.code(),
        Code::Ok
    );
    let (status, _) = call_with(&mut connection, IMPORT, &[], whole(framed(&vec![0; 1024 * 1024 + 1]))).await;
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn an_unknown_method_and_what_is_not_grpc_are_refused() {
    let address = start(config()).await;
    let mut connection = connect(address).await;
    for path in [
        "/mingce.labs.v1.LabService/DropLabs",
        "/mingce.awards.v1.AwardService/GetAward",
        "/",
    ] {
        let (status, _) = call_with(&mut connection, path, &[], whole(get_lab())).await;
        assert_refused(&status, Code::Unimplemented, "METHOD_UNKNOWN");
    }
    let plain = http::Request::get(format!("http://register{GET}"))
        .body(whole(Bytes::new()))
        .unwrap();
    assert_eq!(connection.send_request(plain).await.unwrap().status(), 415);
}

#[tokio::test]
async fn only_grpc_with_messages_of_protocol_buffers_is_served() {
    let mut connection = connect(start(config()).await).await;
    for (kind, status) in [
        ("application/grpc", 200),
        ("application/grpc+proto", 200),
        ("Application/gRPC ; charset=utf-8", 200),
        ("application/grpc-web+proto", 415),
        ("application/grpc-web", 415),
        ("application/grpcfoo", 415),
        ("application/grpc+json", 415),
        ("application/grpc+protobuf", 415),
        ("application/json", 415),
        ("grpc", 415),
    ] {
        let mut asked = request(GET, &[], whole(get_lab()));
        asked.headers_mut().insert("content-type", kind.parse().unwrap());
        connection.ready().await.unwrap();
        let answer = connection.send_request(asked).await.unwrap();
        assert_eq!(answer.status(), status, "{kind}");
        let grpc = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "application/grpc");
        assert_eq!(grpc, status == 200, "{kind}");
    }
}

#[tokio::test]
async fn a_malformed_timeout_is_refused() {
    let status = get(start(config()).await, &[("grpc-timeout", "soon")])
        .await
        .unwrap_err();
    assert_refused(&status, Code::InvalidArgument, "TIMEOUT_MALFORMED");
}

#[tokio::test]
async fn errors_of_the_orm_crate_arrive_with_their_reason_and_nothing_internal() {
    let address = start(config()).await;
    let status = get(address, &[("x-do", "missing")]).await.unwrap_err();
    assert_refused(&status, Code::NotFound, "RESOURCE_NOT_FOUND");
    assert_eq!(status.get_details_resource_info().unwrap().resource_name, LAB);
    let status = get(address, &[("x-do", "exhausted")]).await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "QUEUE_FULL");
    let status = get(address, &[("x-do", "internal")]).await.unwrap_err();
    assert_refused(&status, Code::Internal, "INTERNAL");
    assert!(!format!("{status:?}").contains("10.0.0.7"), "{status:?}");
}

#[tokio::test]
async fn a_handler_that_panics_answers_internal_and_leaves_the_connection_alone() {
    let mut connection = connect(start(config()).await).await;
    let (status, _) = call_with(&mut connection, GET, &[("x-do", "panic")], whole(get_lab())).await;
    assert_refused(&status, Code::Internal, "INTERNAL");
    assert_eq!(
        call_with(&mut connection, GET, &[], whole(get_lab())).await.0.code(),
        Code::Ok
    );
}

#[tokio::test]
async fn a_client_of_http_1_is_told_what_this_port_is_and_another_is_closed() {
    let address = start(config()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: register\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 505 ") && answer.contains("gRPC"),
        "{answer}"
    );

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1]).await.unwrap();
    assert!(closed_within(&mut stream, Duration::from_secs(1)).await);
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused_as_grpc_does_it() {
    let mut connection = connect(start(config()).await).await;
    let large = |bytes: usize| "x".repeat(bytes);
    let (status, _) = call_with(&mut connection, GET, &[("x-much", &large(15_000))], whole(get_lab())).await;
    assert_eq!(status.code(), Code::Ok);
    for bytes in [16_400, 40_000, 60_000] {
        let (status, _) = call_with(&mut connection, GET, &[("x-much", &large(bytes))], whole(get_lab())).await;
        assert_refused(&status, Code::ResourceExhausted, "HEADERS_TOO_LARGE");
    }
    let mut most = request(GET, &[], whole(get_lab()));
    most.headers_mut().insert("x-much", large(70_000).parse().unwrap());
    connection.ready().await.unwrap();
    assert_eq!(connection.send_request(most).await.unwrap().status(), 431);
}

#[tokio::test]
async fn each_answer_has_the_id_of_its_call_and_internal_has_it_among_its_details() {
    let mut connection = connect(start(config()).await).await;
    let mut told = async |headers: &[(&'static str, &str)]| {
        connection.ready().await.unwrap();
        let answer = connection
            .send_request(request(GET, headers, whole(get_lab())))
            .await
            .unwrap();
        let id = answer
            .headers()
            .get("x-request-id")
            .map(|id| id.to_str().unwrap().to_owned());
        (id, tonic::Status::from_header_map(answer.headers()))
    };
    assert_eq!(told(&[("x-request-id", "mine-1")]).await.0.as_deref(), Some("mine-1"));
    assert_eq!(told(&[]).await.0, None, "a call that went well needs none");
    for (what, code) in [("missing", Code::NotFound), ("internal", Code::Internal)] {
        for sent in [Some("mine-2"), None] {
            let sent = sent.map(|id| ("x-request-id", id));
            let headers: Vec<_> = sent.into_iter().chain([("x-do", what)]).collect();
            let (id, status) = told(&headers).await;
            let (id, status) = (id.unwrap(), status.unwrap());
            assert_eq!(status.code(), code);
            assert!(sent.is_none_or(|(_, sent)| sent == id) && !id.is_empty(), "{id}");
            let detail = status.get_details_request_info().map(|info| info.request_id);
            assert_eq!(detail, (code == Code::Internal).then_some(id), "{what}");
        }
    }
}
