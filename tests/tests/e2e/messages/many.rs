//! Many large requests at once: together they take no more than is for them, and who asks for little is served beside them.

use std::time::{Duration, Instant};

use mingce_e2e::wire::Caller;
use mingce_e2e::{Failure, Register, Store};
use mingce_proto::labs::{BatchGetLabsRequest, Lab, LabMember, ListLabsRequest, UpdateLabRequest};
use prost::Message;
use prost::bytes::Bytes;

use super::contract::peak;

/// The most that the process may grow by.
const GROWTH: usize = 64 << 20;
/// How many calls there are, on so many connections.
const CALLS: usize = 240;
const CONNECTIONS: usize = 6;

/// Requests that are as large as they may be, of which each element is wrong.
fn wrong() -> [(&'static str, Bytes); 3] {
    let member = LabMember {
        start_date: "x".repeat(100),
        ..LabMember::default()
    };
    let update = UpdateLabRequest {
        lab: Some(Lab {
            name: "labs/1".to_owned(),
            members: vec![member; 2000],
            ..Lab::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["members".to_owned()],
        }),
        ..UpdateLabRequest::default()
    };
    let names = BatchGetLabsRequest {
        names: vec!["x".repeat(250); 1000],
        ..BatchGetLabsRequest::default()
    };
    let paths = UpdateLabRequest {
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["x".repeat(250); 1000],
        }),
        ..UpdateLabRequest::default()
    };
    [
        ("mingce.labs.v1.LabService/UpdateLab", update.encode_to_vec().into()),
        ("mingce.labs.v1.LabService/BatchGetLabs", names.encode_to_vec().into()),
        ("mingce.labs.v1.LabService/UpdateLab", paths.encode_to_vec().into()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_large_requests_at_once_take_what_is_for_them_and_small_ones_are_answered() {
    let register = Register::start(Store::Sqlite).await;
    let list = || async {
        let mut client = register.labs();
        client.list_labs(ListLabsRequest::default()).await
    };
    list().await.unwrap();
    let before = peak(register.pid());
    let callers: Vec<Caller> = (0..CONNECTIONS).map(|_| Caller::to(&register)).collect();
    let mut calls = tokio::task::JoinSet::new();
    let requests = wrong();
    for place in 0..CALLS {
        let caller = callers[place % CONNECTIONS].clone();
        let (method, message) = requests[place % requests.len()].clone();
        calls.spawn(async move { caller.call(method, false, vec![message]).await });
    }
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    while !calls.is_empty() {
        let begun = Instant::now();
        list().await.unwrap();
        slowest = slowest.max(begun.elapsed());
        asked += 1;
        while let Some(done) = calls.try_join_next() {
            let failure = Failure::from(done.unwrap().unwrap_err());
            let told = [
                "STRING_PATTERN",
                "REQUIRED",
                "MASK_FIELD_UNKNOWN",
                "OVERLOADED",
                "MESSAGE_TOO_COMPLEX",
            ];
            assert!(told.contains(&failure.reason.as_str()), "{failure:?}");
        }
    }
    let grown = peak(register.pid()) - before;
    assert!(grown < GROWTH, "{grown} bytes more");
    eprintln!("{grown} bytes more; {asked} small calls, the slowest {slowest:?}");
}
