//! Race conditions: two calls at the same moment, each right alone, of which one must be refused. In one process, and
//! in two on PostgreSQL.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{CreateLabRequest, Lab, LabReference, Organization, UpdateLabRequest};
use mingce_proto::registry::ImportSettings;
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::talent::TalentDesignationState as S;
use mingce_proto::talent::{
    ImportTalentDesignationsRequest, ListTalentDesignationsRequest, MergeTalentsRequest, ProgrammeReference,
    RecordTalentDesignationRequest, Talent, TalentDesignation,
};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::builders::{identifier, made, organization, person, update};
use crate::talent_fixture::{applicant, approves, on_notice, programme, spring, stands, terms};

on_both_stores!(
    a_merge_concurrent_with_an_approval,
    a_record_concurrent_with_an_approval_of_the_same_person,
    a_record_and_a_row_for_one_whose_duplicate_is_live_are_refused,
    a_parent_concurrent_with_a_parent,
    a_successor_concurrent_with_a_successor,
);

/// So often each is tried.
const TRIES: usize = 12;

async fn in_two_processes(test: impl AsyncFn(&[&Register; 2], &Clock)) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(Store::Postgres, &clock).await;
    let mut other = register.sibling().await;
    test(&[&register, &other], &clock).await;
    other.stop();
}

async fn in_one_process(store: Store, test: impl AsyncFn(&[&Register; 2], &Clock)) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    test(&[&register, &register], &clock).await;
}

async fn a_merge_concurrent_with_an_approval(store: Store) {
    in_one_process(store, merge_concurrent_with_approval).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_concurrent_with_an_approval_in_two_processes() {
    in_two_processes(merge_concurrent_with_approval).await;
}

async fn a_record_concurrent_with_an_approval_of_the_same_person(store: Store) {
    in_one_process(store, record_concurrent_with_approval).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_record_concurrent_with_an_approval_of_the_same_person_in_two_processes() {
    in_two_processes(record_concurrent_with_approval).await;
}

async fn a_parent_concurrent_with_a_parent(store: Store) {
    in_one_process(store, parent_concurrent_with_parent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_parent_concurrent_with_a_parent_in_two_processes() {
    in_two_processes(parent_concurrent_with_parent).await;
}

async fn a_successor_concurrent_with_a_successor(store: Store) {
    in_one_process(store, successor_concurrent_with_successor).await;
}

/// Calls as long as another was in its way.
async fn until_answered<T, F: Future<Output = Result<T, Status>>>(call: impl Fn() -> F) -> Result<T, Status> {
    loop {
        match call().await {
            Err(status) if status.code() == Code::Aborted => {}
            answer => return answer,
        }
    }
}

fn record(talent: &str, code: &str) -> RecordTalentDesignationRequest {
    let designation = TalentDesignation {
        programme: Some(ProgrammeReference {
            code: code.to_owned(),
            ..ProgrammeReference::default()
        }),
        state: S::InTerm as i32,
        decision_date: "2022-05-01".to_owned(),
        ..TalentDesignation::default()
    };
    RecordTalentDesignationRequest {
        parent: talent.to_owned(),
        talent_designation: Some(designation),
        ..RecordTalentDesignationRequest::default()
    }
}

async fn merge(register: &Register, name: &str, survivor: &str) -> Result<(), Status> {
    until_answered(|| async {
        let request = MergeTalentsRequest {
            name: name.to_owned(),
            survivor: survivor.to_owned(),
            reason: "同一人".to_owned(),
            ..MergeTalentsRequest::default()
        };
        register.talent().merge_talents(request).await
    })
    .await
    .map(|_| ())
}

async fn approve(register: &Register, name: &str) -> Result<(), Status> {
    until_answered(|| async { register.talent_cases().approve_talent_designation(approves(name)).await })
        .await
        .map(|_| ())
}

/// Two records of one person.
async fn recorded_twice(register: &Register, place: usize) -> [Talent; 2] {
    let record = |number: String| Talent {
        display_name: format!("申报人{place}"),
        identifiers: vec![identifier(&number)],
        birth_date: "1985-05-05".to_owned(),
        ..Talent::default()
    };
    [
        person(register, record(format!("甲{place}"))).await,
        person(register, record(format!("乙{place}"))).await,
    ]
}

async fn two_programmes(register: &Register) -> String {
    let (_, round) = spring(register, terms()).await;
    programme(register, "a", "island").await;
    programme(register, "b", "island").await;
    round.name
}

/// Just one of two was done, and the other says why not.
fn expect_one(one: Result<(), Status>, other: Result<(), Status>, reason: &str) {
    assert_ne!(one.is_ok(), other.is_ok(), "{one:?} {other:?}");
    let refused = failure(one.and(other));
    assert!(
        refused.reasons().contains(&reason) || refused.is().1 == reason,
        "{refused:?}"
    );
}

async fn merge_concurrent_with_approval(registers: &[&Register; 2], clock: &Clock) {
    let [register, other] = registers;
    let round = two_programmes(register).await;
    let mut tries = Vec::new();
    for place in 0..TRIES {
        let [one, twice] = recorded_twice(register, place).await;
        let live = record(&one.name, "a");
        register.talent().record_talent_designation(live).await.unwrap();
        let name = on_notice(register, &twice.name, "b", &round).await;
        tries.push((one.name, twice.name, name));
    }
    clock.set("2024-05-06");
    for (place, (one, twice, name)) in tries.iter().enumerate() {
        // The one who is live is merged away, or stays.
        let (gone, stays) = if place % 2 == 0 { (one, twice) } else { (twice, one) };
        let (merged, approved) = tokio::join!(merge(register, gone, stays), approve(other, name));
        expect_one(merged, approved, "FAMILY_TAKEN");
    }
}

async fn record_concurrent_with_approval(registers: &[&Register; 2], clock: &Clock) {
    let [register, other] = registers;
    let round = two_programmes(register).await;
    let mut tries = Vec::new();
    for place in 0..TRIES {
        let [one, twice] = recorded_twice(register, place).await;
        let name = on_notice(register, &twice.name, "b", &round).await;
        merge(register, &twice.name, &one.name).await.unwrap();
        tries.push((one.name, name));
    }
    clock.set("2024-05-06");
    for (one, name) in &tries {
        let recorded = until_answered(|| async { register.talent().record_talent_designation(record(one, "a")).await });
        let (recorded, approved) = tokio::join!(recorded, approve(other, name));
        match (recorded, approved) {
            (Ok(_), Err(refused)) => assert_eq!(failure::<()>(Err(refused)).reasons(), ["FAMILY_TAKEN"]),
            (Err(refused), Ok(())) => assert_eq!(failure::<()>(Err(refused)).is().1, "IDENTIFIER_TAKEN"),
            both => panic!("{both:?}"),
        }
    }
}

async fn a_record_and_a_row_for_one_whose_duplicate_is_live_are_refused(store: Store) {
    let register = Register::start(store).await;
    programme(&register, "a", "island").await;
    programme(&register, "b", "island").await;
    let (one, twice) = (
        applicant(&register, "申报人").await,
        applicant(&register, "申報人").await,
    );
    let mut client = register.talent();
    let live = client.record_talent_designation(record(&twice.name, "a")).await;
    let live = live.unwrap().into_inner().name;
    merge(&register, &twice.name, &one.name).await.unwrap();

    let refused = failure(client.record_talent_designation(record(&one.name, "b")).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    assert_eq!(refused.resource, live);
    let mut row = record(&one.name, "b").talent_designation.unwrap();
    row.talent.get_or_insert_default().talent.clone_from(&one.name);
    let row = ImportTalentDesignationsRequest {
        settings: Some(ImportSettings::default()),
        row: 1,
        talent_designation: Some(row),
    };
    let answer = client.import_talent_designations(tokio_stream::iter([row])).await;
    let outcomes = answer.unwrap().into_inner().outcomes;
    assert_eq!(outcomes[0].outcome(), Outcome::Refused, "{outcomes:?}");
    assert_eq!(outcomes[0].problems[0].reason, "IDENTIFIER_TAKEN", "{outcomes:?}");
    // One of the past is no other's concern, until somebody writes that it is live.
    let mut past = record(&one.name, "b");
    past.talent_designation.get_or_insert_default().state = S::Completed as i32;
    let past = client.record_talent_designation(past).await.unwrap().into_inner();
    let again = mingce_proto::talent::UpdateTalentDesignationRequest {
        talent_designation: Some(TalentDesignation {
            state: S::InTerm as i32,
            ..past.clone()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["state".to_owned()],
        }),
        ..mingce_proto::talent::UpdateTalentDesignationRequest::default()
    };
    let refused = failure(client.update_talent_designation(again).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    assert_eq!(stands(&register, &past.name).await.state(), S::Completed);
    let all = ListTalentDesignationsRequest {
        parent: "talents/-".to_owned(),
        filter: "state = IN_TERM".to_owned(),
        ..ListTalentDesignationsRequest::default()
    };
    let all = client.list_talent_designations(all).await.unwrap().into_inner();
    assert_eq!(all.talent_designations.len(), 1);
}

async fn parent_concurrent_with_parent(registers: &[&Register; 2], _clock: &Clock) {
    let [register, other] = registers;
    for place in 0..TRIES {
        let one = made(register, organization(&format!("甲校{place}"))).await;
        let two = made(register, organization(&format!("乙校{place}"))).await;
        let below = |register: &Register, child: &Organization, parent: &Organization| {
            let child = Organization {
                parent: parent.name.clone(),
                ..child.clone()
            };
            let (mut client, request) = (register.labs(), update(child, &["parent"]));
            async move {
                loop {
                    match client.update_organization(request.clone()).await {
                        Err(status) if status.code() == Code::Aborted => {}
                        answer => return answer.map(|_| ()),
                    }
                }
            }
        };
        let (first, second) = tokio::join!(below(register, &one, &two), below(other, &two, &one));
        expect_one(first, second, "PARENT_CYCLE");
    }
}

async fn successor_concurrent_with_successor(registers: &[&Register; 2], _clock: &Clock) {
    let [register, other] = registers;
    for place in 0..TRIES {
        let mut labs = Vec::new();
        for name in ["甲", "乙", "丙"] {
            let request = CreateLabRequest {
                lab: Some(Lab {
                    display_name: format!("{name}实验室{place}"),
                    ..Lab::default()
                }),
                ..CreateLabRequest::default()
            };
            labs.push(register.labs().create_lab(request).await.unwrap().into_inner());
        }
        let followed = |register: &Register, lab: &Lab, by: &Lab| {
            let request = UpdateLabRequest {
                lab: Some(Lab {
                    name: lab.name.clone(),
                    successor: Some(LabReference {
                        lab: by.name.clone(),
                        ..LabReference::default()
                    }),
                    ..Lab::default()
                }),
                update_mask: Some(FieldMask {
                    paths: vec!["successor".to_owned()],
                }),
                ..UpdateLabRequest::default()
            };
            let mut client = register.labs();
            async move {
                loop {
                    match client.update_lab(request.clone()).await {
                        Err(status) if status.code() == Code::Aborted => {}
                        answer => return answer.map(|_| ()),
                    }
                }
            }
        };
        // Over a third, so that neither of the two names the other.
        followed(register, &labs[1], &labs[2]).await.unwrap();
        let (first, second) = tokio::join!(
            followed(register, &labs[0], &labs[1]),
            followed(other, &labs[2], &labs[0])
        );
        expect_one(first, second, "SUCCESSOR_CYCLE");
    }
}
