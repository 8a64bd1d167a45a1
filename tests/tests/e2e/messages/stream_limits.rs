//! Limits of streams: in rows, in what is told of them, and in what a dry run has to remember.

use mingce_e2e::raw_client::RawClient;
use mingce_e2e::{Failure, Register, Store, failure};
use mingce_proto::labs::{ImportOrganizationsRequest, ImportOrganizationsResponse, Organization};
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{ImportSettings, Name};
use prost::Message;
use prost::bytes::Bytes;
use tonic::Code;

use super::contract::peak;

const IMPORT: &str = "mingce.labs.v1.LabService/ImportOrganizations";

/// The most that the process may grow by for one stream.
const GROWTH: usize = 64 << 20;

fn rows(count: usize, dry: bool, of: impl Fn(usize) -> Organization) -> Vec<Bytes> {
    let settings = |row: usize| {
        (row == 0).then(|| ImportSettings {
            validate_only: dry,
            ..ImportSettings::default()
        })
    };
    let message = |row: usize| ImportOrganizationsRequest {
        settings: settings(row),
        row: i64::try_from(row).unwrap() + 1,
        organization: Some(of(row)),
    };
    (0..count)
        .map(|row| Bytes::from(message(row).encode_to_vec()))
        .collect()
}

fn plain(row: usize) -> Organization {
    Organization {
        display_name: format!("机构{row}"),
        ..Organization::default()
    }
}

/// An organization with many names.
fn named(row: usize) -> Organization {
    let name = |place: usize| Name {
        text: format!("机构{row}的第{place}个名称"),
        ..Name::default()
    };
    Organization {
        names: (0..20).map(name).collect(),
        ..plain(row)
    }
}

/// An organization with fifty names of which none is one.
fn broken(row: usize) -> Organization {
    let name = Name {
        start_date: "x".to_owned(),
        ..Name::default()
    };
    Organization {
        names: vec![name; 50],
        ..plain(row)
    }
}

async fn import(register: &Register, rows: Vec<Bytes>) -> Result<ImportOrganizationsResponse, Failure> {
    let answer = RawClient::to(register).call(IMPORT, true, rows).await;
    answer
        .map(|bytes| ImportOrganizationsResponse::decode(bytes).unwrap())
        .map_err(Failure::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_dry_run_of_many_rows_and_rows_with_many_problems_take_no_more_memory_than_is_theirs() {
    let register = Register::start(Store::Sqlite).await;
    import(&register, rows(10, true, plain)).await.unwrap();
    let before = peak(register.pid());
    let grown = || peak(register.pid()) - before;

    let problems = import(&register, rows(1500, false, broken)).await.unwrap();
    assert_eq!(problems.outcomes.len(), 1500);
    for outcome in &problems.outcomes {
        assert_eq!(outcome.outcome(), Outcome::Refused);
        assert_eq!(outcome.problems.len(), 9);
        let last = &outcome.problems[8];
        assert_eq!(last.reason, "PROBLEMS_MORE");
        assert!(last.description.ends_with(": mend these first"), "{last:?}");
    }
    assert!(grown() < GROWTH, "{} bytes for problems", grown());

    let long = import(&register, rows(6_000, false, broken)).await.unwrap_err();
    assert_eq!(long.is(), (Code::ResourceExhausted, "STREAM_TOO_LONG"), "{long:?}");
    assert!(long.message.contains("6 MiB"), "{}", long.message);
    assert!(grown() < GROWTH, "{} bytes for more problems", grown());

    let long = import(&register, rows(5_000, true, named)).await.unwrap_err();
    assert_eq!(long.is(), (Code::ResourceExhausted, "STREAM_TOO_LONG"), "{long:?}");
    assert!(long.message.contains("24 MiB"), "{}", long.message);
    assert!(grown() < GROWTH, "{} bytes for a dry run", grown());
}

#[tokio::test]
async fn a_message_of_a_stream_that_is_too_heavy_ends_it_and_a_row_with_too_many_elements_is_refused_alone() {
    let register = Register::start(Store::Sqlite).await;
    let many = |row: usize| Organization {
        names: vec![
            Name {
                text: "青岛大学".to_owned(),
                ..Name::default()
            };
            if row == 1 { 60 } else { 1 }
        ],
        ..plain(row)
    };
    let answer = import(&register, rows(3, false, many)).await.unwrap();
    let became: Vec<_> = answer.outcomes.iter().map(|outcome| outcome.outcome()).collect();
    assert_eq!(became, [Outcome::Created, Outcome::Refused, Outcome::Created]);
    let empty = |row: usize| Organization {
        names: vec![Name::default(); 100_000],
        ..plain(row)
    };
    let heavy = import(&register, rows(2, false, empty)).await.unwrap_err();
    assert_eq!(heavy.is(), (Code::InvalidArgument, "MESSAGE_TOO_COMPLEX"), "{heavy:?}");
    assert_eq!(heavy.fields, ["organization.names"]);
    let mut labs = register.labs();
    let answer = labs.create_organization(mingce_proto::labs::CreateOrganizationRequest {
        organization: Some(empty(1)),
        ..Default::default()
    });
    let refused = failure(answer.await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "REPEATED_MAX_ITEMS"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["organization.names"]);
}
