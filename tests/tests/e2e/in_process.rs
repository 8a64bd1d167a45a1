//! Services of one process call each other without a socket: a burst of writes with references is answered without a
//! stall.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mingce_client::Peer;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::lab_service_client::LabServiceClient;
use mingce_proto::labs::{GetOrganizationRequest, Organization};
use mingce_proto::registry::OrganizationReference;
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use mingce_proto::talent::{CreateTalentRequest, Employment, Talent};
use tokio::task::JoinSet;

use crate::builders::{identifier, made, organization};

on_both_stores!(
    references_between_services_take_no_connection,
    a_burst_of_writes_with_references_is_answered_without_a_stall,
);

const WRITES: usize = 2000;
const CONNECTIONS: usize = 40;
/// What the longest of them may take on a busy machine. Those that waited for each other's places took until their
/// deadline.
const LONGEST: Duration = Duration::from_secs(20);

fn employed(number: usize, employer: &Organization) -> Talent {
    let organization = OrganizationReference {
        display_name: employer.display_name.clone(),
        city: employer.city.clone(),
        ..OrganizationReference::default()
    };
    Talent {
        display_name: "张三".to_owned(),
        identifiers: vec![identifier(&number.to_string())],
        employments: vec![Employment {
            organization: Some(organization),
            ..Employment::default()
        }],
        ..Talent::default()
    }
}

async fn employer(register: &Register) -> Organization {
    let wanted = Organization {
        city: "青岛".to_owned(),
        ..organization("青岛示例海洋大学")
    };
    made(register, wanted).await
}

/// How many connections to the port of the register are open, whoever has the other end.
fn connections(register: &Register) -> usize {
    let (_, port) = register.address().rsplit_once(':').unwrap();
    let to = format!(":{:04X}", port.parse::<u16>().unwrap());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let cells: Vec<_> = line.split_whitespace().collect();
        cells.get(2).is_some_and(|remote| remote.ends_with(&to)) && cells.get(3) == Some(&"01")
    };
    table.lines().filter(is_open).count()
}

async fn references_between_services_take_no_connection(store: Store) {
    let register = Register::start(store).await;
    let employer = employer(&register).await;
    let mut talent = register.talent();
    let request = CreateTalentRequest {
        talent: Some(employed(1, &employer)),
        ..CreateTalentRequest::default()
    };
    let made = talent.create_talent(request).await.unwrap().into_inner();
    let named = made.employments[0].organization.clone().unwrap();
    assert_eq!(named.organization, employer.name);
    // A client closes its connection with itself, a moment later.
    let until = Instant::now() + Duration::from_secs(5);
    while connections(&register) > 1 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        connections(&register),
        1,
        "there are others than that of the talent client"
    );
    drop(talent);
}

#[allow(clippy::print_stdout)]
async fn a_burst_of_writes_with_references_is_answered_without_a_stall(store: Store) {
    let register = Register::start(store).await;
    let employer = employer(&register).await;
    let (url, longest) = (register.url(), Arc::new(AtomicUsize::new(0)));
    let mut writes = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let peer = Peer::lazy("talent", &url).unwrap();
        for place in 0..WRITES / CONNECTIONS {
            let (peer, longest) = (peer.clone(), Arc::clone(&longest));
            let talent = employed(connection * (WRITES / CONNECTIONS) + place, &employer);
            writes.spawn(async move {
                let created = peer.call(Some(Instant::now() + Duration::from_secs(60)), |attempt| {
                    let mut client = TalentServiceClient::new(attempt.transport());
                    let request = attempt.request(CreateTalentRequest {
                        talent: Some(talent.clone()),
                        ..CreateTalentRequest::default()
                    });
                    let (longest, begun) = (Arc::clone(&longest), Instant::now());
                    async move {
                        let answer = client.create_talent(request).await;
                        let took = usize::try_from(begun.elapsed().as_millis()).unwrap();
                        longest.fetch_max(took, Ordering::Relaxed);
                        Ok(answer?.into_inner())
                    }
                });
                created.await
            });
        }
    }
    // Who only reads is not held up either: it has to come again where all places are taken, and does not wait for one.
    let begun = Instant::now();
    let reader = Peer::lazy("labs", &url).unwrap();
    let read = reader.call(Some(begun + LONGEST), |attempt| {
        let mut client = LabServiceClient::new(attempt.transport());
        let request = attempt.request(GetOrganizationRequest {
            name: employer.name.clone(),
            view: 0,
        });
        async move { Ok(client.get_organization(request).await?.into_inner()) }
    });
    assert_eq!(read.await.unwrap().name, employer.name);
    let got = begun.elapsed();
    let open = connections(&register);
    assert!(
        open <= CONNECTIONS + 2,
        "{open} connections: services of the process have some of them"
    );
    for created in writes.join_all().await {
        let organization = created.unwrap().employments[0].organization.clone().unwrap();
        assert_eq!(organization.organization, employer.name);
    }
    let longest = Duration::from_millis(longest.load(Ordering::Relaxed) as u64);
    println!("the longest of {WRITES} writes took {longest:?}, a get beside them {got:?}");
    assert!(longest < LONGEST && got < LONGEST, "{longest:?}, {got:?}");
}
