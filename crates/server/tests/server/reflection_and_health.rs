//! Reflection and health: an answer to what is not known, after which the stream goes on.

use std::collections::HashMap;

use prost::Message;
use tokio_stream::StreamExt;
use tonic::{Code, Status};
use tonic_health::ServingStatus::{NotServing, Serving};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse};
use tonic_reflection::pb::v1alpha;

use crate::raw_client::{assert_refused, call_with, channel, config, connect, framed, start, whole};
use crate::test_service::TestService;

const OPTIONS: &str = "google.protobuf.MethodOptions";

/// Asks all of it on one stream.
async fn ask(wishes: Vec<MessageRequest>) -> Vec<ServerReflectionResponse> {
    let mut client = ServerReflectionClient::new(channel(start(config()).await));
    let wishes = wishes.into_iter().map(|wish| ServerReflectionRequest {
        host: "register".to_owned(),
        message_request: Some(wish),
    });
    let wishes: Vec<_> = wishes.collect();
    let answers = client.server_reflection_info(tokio_stream::iter(wishes.clone())).await;
    let answers: Result<Vec<_>, Status> = answers.unwrap().into_inner().collect().await;
    let answers = answers.unwrap();
    assert_eq!(answers.len(), wishes.len());
    for (answer, wish) in answers.iter().zip(wishes) {
        assert_eq!(answer.valid_host, "register");
        assert_eq!(answer.original_request.as_ref(), Some(&wish));
    }
    answers
}

fn symbol(name: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(name.to_owned())
}

fn file(name: &str) -> MessageRequest {
    MessageRequest::FileByFilename(name.to_owned())
}

fn extension(of: &str, number: i32) -> MessageRequest {
    MessageRequest::FileContainingExtension(ExtensionRequest {
        containing_type: of.to_owned(),
        extension_number: number,
    })
}

fn numbers(of: &str) -> MessageRequest {
    MessageRequest::AllExtensionNumbersOfType(of.to_owned())
}

/// The file that an answer holds.
fn found(answer: &ServerReflectionResponse) -> prost_types::FileDescriptorProto {
    let Some(MessageResponse::FileDescriptorResponse(files)) = &answer.message_response else {
        panic!("{answer:?}")
    };
    prost_types::FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap()
}

#[tokio::test]
async fn what_reflection_does_not_find_is_told_within_the_stream_which_goes_on() {
    let unknown = [
        symbol("mingce.labs.v1.NoSuchThing"),
        symbol(""),
        file("mingce/none.proto"),
        extension(OPTIONS, 50_999),
        extension(OPTIONS, -1),
        extension("mingce.none.v1.None", 50_001),
        numbers("mingce.none.v1.None"),
    ];
    let all = unknown
        .iter()
        .flat_map(|one| [one.clone(), symbol("mingce.labs.v1.Lab")]);
    for pair in ask(all.collect()).await.chunks(2) {
        let Some(MessageResponse::ErrorResponse(error)) = &pair[0].message_response else {
            panic!("{:?}", pair[0])
        };
        assert_eq!(Code::from_i32(error.error_code), Code::NotFound);
        assert!(error.error_message.contains("does not have it"), "{error:?}");
        assert_eq!(found(&pair[1]).package(), "mingce.labs.v1");
    }
}

#[tokio::test]
async fn reflection_finds_all_that_a_file_declares_by_its_full_name() {
    for name in [
        "mingce.labs.v1.LabService",
        "mingce.labs.v1.LabService.GetLab",
        "mingce.labs.v1.Lab",
        "mingce.labs.v1.Lab.display_name",
        "mingce.registry.v1.RecordStatus",
        "mingce.registry.v1.RECORD_STATUS_ANNULLED",
        "mingce.registry.v1.permission",
    ] {
        let file = found(&ask(vec![symbol(name)]).await[0]);
        assert!(name.starts_with(file.package()), "{name} in {}", file.name());
    }
    let answers = ask(vec![
        extension(OPTIONS, 50_001),
        numbers(OPTIONS),
        numbers("mingce.labs.v1.Lab"),
    ])
    .await;
    assert_eq!(found(&answers[0]).name(), "mingce/registry/v1/options.proto");
    for (answer, wanted) in answers[1..].iter().zip([vec![50_001], vec![]]) {
        let Some(MessageResponse::AllExtensionNumbersResponse(all)) = &answer.message_response else {
            panic!("{answer:?}")
        };
        assert_eq!(all.extension_number, wanted);
    }
}

#[tokio::test]
async fn both_versions_of_reflection_list_the_services() {
    let listed = &ask(vec![MessageRequest::ListServices(String::new())]).await[0];
    let Some(MessageResponse::ListServicesResponse(list)) = &listed.message_response else {
        panic!("{listed:?}")
    };
    assert_eq!(list.service[0].name, "mingce.labs.v1.LabService");
    assert_eq!(list.service.len(), 4, "{list:?}");

    let wish = v1alpha::ServerReflectionRequest {
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
        ..Default::default()
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel(start(config()).await));
    let answer = client.server_reflection_info(tokio_stream::once(wish)).await.unwrap();
    let answer = answer.into_inner().message().await.unwrap().unwrap();
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(older)) =
        answer.message_response
    else {
        panic!()
    };
    let names = older.service.into_iter().map(|service| service.name);
    assert!(names.eq(list.service.iter().map(|service| service.name.clone())));
}

#[tokio::test]
async fn every_file_that_another_imports_is_found_and_options_are_kept() {
    let mut wanted = vec![
        symbol("mingce.labs.v1.LabService"),
        symbol("google.rpc.ErrorInfo"),
        symbol("google.rpc.PreconditionFailure"),
        symbol("grpc.health.v1.Health"),
    ];
    let mut known = HashMap::new();
    while !wanted.is_empty() {
        let mut next = Vec::new();
        for answer in ask(std::mem::take(&mut wanted)).await {
            let file = found(&answer);
            next.extend(file.dependency.clone());
            known.insert(file.name().to_owned(), answer);
        }
        next.sort();
        next.dedup();
        next.retain(|name| !known.contains_key(name));
        wanted = next.iter().map(|name| file(name)).collect();
    }
    assert!(
        known.contains_key("google/protobuf/duration.proto"),
        "{:?}",
        known.keys()
    );
    let service = known["mingce/labs/v1/lab_service.proto"].encode_to_vec();
    let permission = b"labs.labs.get";
    assert!(service.windows(permission.len()).any(|bytes| bytes == permission));
}

#[tokio::test]
async fn a_request_that_asks_for_nothing_is_told_so_and_a_long_or_broken_one_ends_the_stream() {
    const PATH: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let mut connection = connect(start(config()).await).await;
    let (status, answer) = call_with(&mut connection, PATH, &[], whole(framed(&[]))).await;
    assert_eq!(status.code(), Code::Ok);
    let answer = ServerReflectionResponse::decode(&answer[5..]).unwrap();
    let Some(MessageResponse::ErrorResponse(error)) = answer.message_response else {
        panic!("{answer:?}")
    };
    assert_eq!(Code::from_i32(error.error_code), Code::InvalidArgument);
    let (status, _) = call_with(&mut connection, PATH, &[], whole(framed(&[0x0a, 9, b'a']))).await;
    assert_refused(&status, Code::InvalidArgument, "MESSAGE_MALFORMED");
    let (status, _) = call_with(&mut connection, PATH, &[], whole(framed(&[0x22; 5000]))).await;
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn a_question_after_health_that_cannot_be_read_is_the_callers_fault() {
    let mut connection = connect(start(config()).await).await;
    for method in ["Check", "Watch"] {
        let path = format!("/grpc.health.v1.Health/{method}");
        for broken in [&[0x0a, 9, b'a'][..], &[0x0a, 1, 0xff], &[0xff]] {
            let (status, _) = call_with(&mut connection, &path, &[], whole(framed(broken))).await;
            assert_refused(&status, Code::InvalidArgument, "MESSAGE_MALFORMED");
        }
    }
    let (status, _) = call_with(&mut connection, "/grpc.health.v1.Health/Check", &[], whole(framed(&[]))).await;
    assert_eq!(status.code(), Code::Ok);
}

#[tokio::test]
async fn a_watch_on_an_unknown_service_says_so_and_goes_on_until_it_is_known() {
    let server = mingce_server::Server::new(config()).add_service(TestService::default());
    let bound = server.bind().await.unwrap();
    let (health, address) = (bound.health(), bound.local_addr());
    tokio::spawn(bound.serve(std::future::pending()));
    let mut client = HealthClient::new(channel(address));
    let asked = HealthCheckRequest {
        service: "later".to_owned(),
    };
    assert_refused(
        &client.check(asked.clone()).await.unwrap_err(),
        Code::NotFound,
        "NOT_FOUND",
    );
    let mut watch = client.watch(asked.clone()).await.unwrap().into_inner();
    let mut next = async || watch.message().await.unwrap().unwrap().status;
    assert_eq!(next().await, 3, "SERVICE_UNKNOWN");
    health.set("other", Serving);
    health.set("later", Serving);
    assert_eq!(next().await, 1);
    health.set("later", NotServing);
    assert_eq!(next().await, 2);
    assert_eq!(client.check(asked).await.unwrap().into_inner().status, 2);
}
