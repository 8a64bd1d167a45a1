//! Many large requests at once: together they keep to their memory, and who asks for little is served meanwhile.

use std::time::{Duration, Instant};

use mingce_e2e::raw_client::RawClient;
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

/// A lab whose members are wrong, `count` of them.
fn members(count: usize, date: &str) -> UpdateLabRequest {
    let member = LabMember {
        start_date: date.to_owned(),
        ..LabMember::default()
    };
    UpdateLabRequest {
        lab: Some(Lab {
            members: vec![member; count],
            ..Lab::default()
        }),
        ..UpdateLabRequest::default()
    }
}

/// A mask whose paths are wrong.
fn paths(count: usize, path: &str) -> UpdateLabRequest {
    UpdateLabRequest {
        update_mask: Some(prost_types::FieldMask {
            paths: vec![path.to_owned(); count],
        }),
        ..UpdateLabRequest::default()
    }
}

fn names(count: usize, name: &str) -> BatchGetLabsRequest {
    BatchGetLabsRequest {
        names: vec![name.to_owned(); count],
        ..BatchGetLabsRequest::default()
    }
}

/// Requests that are as large as they may be, of which each element is wrong: as many as are allowed, and as many as
/// fit.
fn wrong() -> [(&'static str, Bytes); 6] {
    let long = "x".repeat(250);
    let update = |request: UpdateLabRequest| ("mingce.labs.v1.LabService/UpdateLab", request.encode_to_vec().into());
    let get = |request: BatchGetLabsRequest| ("mingce.labs.v1.LabService/BatchGetLabs", request.encode_to_vec().into());
    [
        update(members(2000, &long[..100])),
        update(members(40_000, "x")),
        update(paths(1000, &long)),
        update(paths(80_000, "x")),
        get(names(1000, &long)),
        get(names(80_000, "x")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_large_requests_at_once_keep_to_their_memory_and_small_ones_are_answered() {
    let register = Register::start(Store::Sqlite).await;
    let list = || async {
        let mut client = register.labs();
        client.list_labs(ListLabsRequest::default()).await
    };
    list().await.unwrap();
    let before = peak(register.pid());
    let callers: Vec<RawClient> = (0..CONNECTIONS).map(|_| RawClient::to(&register)).collect();
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
                "REPEATED_MAX_ITEMS",
            ];
            assert!(told.contains(&failure.reason.as_str()), "{failure:?}");
        }
    }
    let grown = peak(register.pid()) - before;
    assert!(grown < GROWTH, "{grown} bytes more");
    eprintln!("{grown} bytes more; {asked} small calls, the slowest {slowest:?}");
}
