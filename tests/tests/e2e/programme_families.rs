//! Families of programmes: a person has one live designation in a family, whichever way it comes.

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::ImportSettings;
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::talent::TalentDesignationState as S;
use mingce_proto::talent::{
    BatchMoveTalentDesignationsRequest, ExitTalentDesignationRequest, ImportTalentDesignationsRequest,
    ListTalentDesignationsRequest, MergeTalentsRequest, ProgrammeReference, RecordTalentDesignationRequest,
    TalentDesignation, TalentDesignationMove,
};
use tonic::Code;

use crate::talent_fixture::{
    applicant, approve, approves, draft, on_notice, programme, said, spring, stands, submit, terms,
};

on_both_stores!(
    of_many_approvals_at_once_one_is_done,
    of_a_batch_one_is_approved_and_of_an_atomic_one_none,
    history_holds_the_family_too,
    who_was_recorded_twice_is_one_person,
    what_is_live_under_the_duplicate_counts_for_the_survivor,
    two_that_are_both_live_in_a_family_are_not_merged,
    a_family_that_a_programme_came_into_meanwhile_counts,
);

const CODES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Six designations of one person in one family, whose notices are over.
async fn six(register: &Register, clock: &Clock) -> (String, Vec<String>) {
    let (_, round) = spring(register, terms()).await;
    let talent = applicant(register, "申报人").await.name;
    let mut names = Vec::new();
    for code in CODES {
        programme(register, code, "island").await;
        names.push(on_notice(register, &talent, code, &round.name).await);
    }
    clock.set("2024-05-06");
    (talent, names)
}

async fn live(register: &Register, talent: &str) -> Vec<String> {
    let request = ListTalentDesignationsRequest {
        parent: talent.to_owned(),
        filter: "state = IN_TERM AND family = \"island\"".to_owned(),
        ..ListTalentDesignationsRequest::default()
    };
    let page = register
        .talent()
        .list_talent_designations(request)
        .await
        .unwrap()
        .into_inner();
    page.talent_designations.into_iter().map(|d| d.name).collect()
}

async fn of_many_approvals_at_once_one_is_done(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (talent, names) = six(&register, &clock).await;
    let done = approved_at_once(&[&register], &names).await;
    assert_eq!(live(&register, &talent).await, done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_many_approvals_at_once_in_two_processes_one_is_done() {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(Store::Postgres, &clock).await;
    let mut other = register.sibling().await;
    let (talent, names) = six(&register, &clock).await;
    let done = approved_at_once(&[&register, &other], &names).await;
    assert_eq!(live(&register, &talent).await, done);
    assert_eq!(live(&other, &talent).await, done);
    other.stop();
}

/// Approves all at once, in one process after the other, and answers the one that was done.
async fn approved_at_once(registers: &[&Register], names: &[String]) -> Vec<String> {
    let calls: Vec<_> = names
        .iter()
        .zip(registers.iter().cycle())
        .map(|(name, register)| {
            let (mut client, request) = (register.talent_cases(), approves(name));
            tokio::spawn(async move {
                loop {
                    match client.approve_talent_designation(request.clone()).await {
                        // Two processes were in each other's way.
                        Err(status) if status.code() == Code::Aborted => {}
                        answer => return answer,
                    }
                }
            })
        })
        .collect();
    let mut done = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => done.push(answer.into_inner().name),
            Err(status) => {
                let refused = failure::<()>(Err(status));
                assert_eq!(refused.reasons(), ["FAMILY_TAKEN"], "{refused:?}");
            }
        }
    }
    assert_eq!(done.len(), 1, "{done:?}");
    done
}

async fn of_a_batch_one_is_approved_and_of_an_atomic_one_none(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (talent, names) = six(&register, &clock).await;
    let moves = |atomic| BatchMoveTalentDesignationsRequest {
        moves: names
            .iter()
            .map(|name| TalentDesignationMove::from(approves(name)))
            .collect(),
        atomic,
    };
    let mut client = register.talent_cases();
    let none = client
        .batch_move_talent_designations(moves(true))
        .await
        .unwrap()
        .into_inner();
    let reasons: Vec<_> = none.outcomes.iter().map(|o| o.reason.as_str()).collect();
    assert_eq!(none.done, 0);
    assert_eq!(reasons[0], "BATCH_REFUSED");
    assert!(
        reasons[1..].iter().all(|reason| *reason == "CASE_BLOCKED"),
        "{reasons:?}"
    );
    assert_eq!(none.outcomes[1].blockers[0].reason, "FAMILY_TAKEN");
    assert_eq!(live(&register, &talent).await, Vec::<String>::new());
    let one = client
        .batch_move_talent_designations(moves(false))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one.done, 1, "{one:?}");
    let done: Vec<_> = one.outcomes.iter().filter(|o| o.done).map(|o| o.name.clone()).collect();
    assert_eq!(live(&register, &talent).await, done);
}

fn record(talent: &str, code: &str, state: S, decision_date: &str) -> RecordTalentDesignationRequest {
    let designation = TalentDesignation {
        programme: Some(ProgrammeReference {
            code: code.to_owned(),
            ..ProgrammeReference::default()
        }),
        state: state as i32,
        decision_date: decision_date.to_owned(),
        ..TalentDesignation::default()
    };
    RecordTalentDesignationRequest {
        parent: talent.to_owned(),
        talent_designation: Some(designation),
        ..RecordTalentDesignationRequest::default()
    }
}

async fn history_holds_the_family_too(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    programme(&register, "a", "island").await;
    programme(&register, "b", "island").await;
    let talent = applicant(&register, "申报人").await.name;
    let mut client = register.talent();
    let past = client
        .record_talent_designation(record(&talent, "a", S::Completed, "2014-05-01"))
        .await;
    past.unwrap();
    let first = client
        .record_talent_designation(record(&talent, "a", S::InTerm, "2022-05-01"))
        .await;
    let first = first.unwrap().into_inner();
    assert_eq!(first.family, "island");
    let refused = failure(
        client
            .record_talent_designation(record(&talent, "b", S::Suspended, "2023-05-01"))
            .await,
    );
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    assert_eq!(refused.resource, first.name);
    let undecided = failure(
        client
            .record_talent_designation(record(&talent, "b", S::OnNotice, ""))
            .await,
    );
    assert_eq!(
        undecided.is(),
        (Code::InvalidArgument, "STATE_UNDECIDED"),
        "{undecided:?}"
    );

    // A row of a file is another decision, not another way to say the first one.
    let row = record(&talent, "b", S::InTerm, "2023-05-01")
        .talent_designation
        .unwrap();
    let row = ImportTalentDesignationsRequest {
        settings: Some(ImportSettings::default()),
        row: 1,
        talent_designation: Some(TalentDesignation {
            talent: first.talent.clone(),
            ..row
        }),
    };
    let rows = tokio_stream::iter([row]);
    let outcomes = client
        .import_talent_designations(rows)
        .await
        .unwrap()
        .into_inner()
        .outcomes;
    assert_eq!(outcomes[0].outcome(), Outcome::Refused, "{outcomes:?}");
    assert_eq!(outcomes[0].problems[0].reason, "IDENTIFIER_TAKEN", "{outcomes:?}");
    assert_eq!(stands(&register, &first.name).await.decision_date, "2022-05-01");

    let name = on_notice(&register, &talent, "b", &round.name).await;
    clock.set("2024-05-06");
    let verbs = stands(&register, &name).await.verbs;
    assert_eq!(said(&verbs)[2], ("approve", vec!["FAMILY_TAKEN"]));
    // What was recorded goes on by the verbs as well.
    let exit = ExitTalentDesignationRequest {
        name: first.name.clone(),
        reason: "调离".to_owned(),
        ..ExitTalentDesignationRequest::default()
    };
    let exited = register
        .talent_cases()
        .exit_talent_designation(exit)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((exited.state(), exited.end_date.as_str()), (S::Exited, "2024-05-06"));
    approve(&register, &name).await.unwrap();
}

async fn who_was_recorded_twice_is_one_person(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    programme(&register, "a", "island").await;
    programme(&register, "b", "island").await;
    let (one, twice) = (
        applicant(&register, "申报人").await,
        applicant(&register, "申報人").await,
    );
    let first = register
        .talent()
        .record_talent_designation(record(&one.name, "a", S::InTerm, "2022-05-01"))
        .await;
    let first = first.unwrap().into_inner().name;
    let name = on_notice(&register, &twice.name, "b", &round.name).await;
    clock.set("2024-05-06");
    assert_eq!(said(&stands(&register, &name).await.verbs)[2], ("approve", vec![]));
    let merge = MergeTalentsRequest {
        name: twice.name,
        survivor: one.name,
        reason: "同一人".to_owned(),
        ..MergeTalentsRequest::default()
    };
    register.talent().merge_talents(merge).await.unwrap();
    let verbs = stands(&register, &name).await.verbs;
    assert_eq!(said(&verbs)[2], ("approve", vec!["PUBLISHED_DIFFERS", "FAMILY_TAKEN"]));
    assert_eq!(verbs[2].blockers[1].subject, first);
    assert_eq!(
        failure(approve(&register, &name).await).reasons(),
        ["PUBLISHED_DIFFERS", "FAMILY_TAKEN"]
    );
}

async fn what_is_live_under_the_duplicate_counts_for_the_survivor(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    programme(&register, "a", "island").await;
    programme(&register, "b", "island").await;
    let (one, twice) = (
        applicant(&register, "申报人").await,
        applicant(&register, "申報人").await,
    );
    let first = register
        .talent()
        .record_talent_designation(record(&twice.name, "a", S::InTerm, "2022-05-01"))
        .await;
    let first = first.unwrap().into_inner().name;
    let merge = MergeTalentsRequest {
        name: twice.name,
        survivor: one.name.clone(),
        reason: "同一人".to_owned(),
        ..MergeTalentsRequest::default()
    };
    register.talent().merge_talents(merge).await.unwrap();
    let name = on_notice(&register, &one.name, "b", &round.name).await;
    clock.set("2024-05-06");
    let verbs = stands(&register, &name).await.verbs;
    assert_eq!(said(&verbs)[2], ("approve", vec!["FAMILY_TAKEN"]));
    assert_eq!(verbs[2].blockers[0].subject, first);
    assert_eq!(failure(approve(&register, &name).await).reasons(), ["FAMILY_TAKEN"]);
}

async fn two_that_are_both_live_in_a_family_are_not_merged(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    spring(&register, terms()).await;
    programme(&register, "a", "island").await;
    programme(&register, "b", "island").await;
    let (one, twice) = (
        applicant(&register, "申报人").await,
        applicant(&register, "申報人").await,
    );
    let mut recorded = Vec::new();
    for (person, code) in [(&one, "a"), (&twice, "b")] {
        let record = record(&person.name, code, S::InTerm, "2022-05-01");
        recorded.push(
            register
                .talent()
                .record_talent_designation(record)
                .await
                .unwrap()
                .into_inner(),
        );
    }
    let merge = MergeTalentsRequest {
        name: twice.name,
        survivor: one.name,
        reason: "同一人".to_owned(),
        ..MergeTalentsRequest::default()
    };
    let refused = failure(register.talent().merge_talents(merge.clone()).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "FAMILY_TAKEN"), "{refused:?}");
    let exit = ExitTalentDesignationRequest {
        name: recorded[1].name.clone(),
        reason: "重复登记".to_owned(),
        ..ExitTalentDesignationRequest::default()
    };
    register.talent_cases().exit_talent_designation(exit).await.unwrap();
    register.talent().merge_talents(merge).await.unwrap();
}

async fn a_family_that_a_programme_came_into_meanwhile_counts(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (_, round) = spring(&register, terms()).await;
    programme(&register, "a", "island").await;
    let mut joins = programme(&register, "b", "").await;
    let talent = applicant(&register, "申报人").await.name;
    let name = draft(&register, &talent, "b", &round.name, "").await.name;
    assert_eq!(stands(&register, &name).await.family, "");
    submit(&register, &name).await.unwrap();
    crate::talent_fixture::accept(&register, &name).await.unwrap();
    crate::talent_fixture::publish(&register, &name).await.unwrap();
    "island".clone_into(&mut joins.family);
    let request = mingce_proto::talent::UpdateProgrammeRequest {
        programme: Some(joins),
        ..mingce_proto::talent::UpdateProgrammeRequest::default()
    };
    register.talent().update_programme(request).await.unwrap();
    clock.set("2024-05-06");
    let approved = approve(&register, &name).await.unwrap().into_inner();
    assert_eq!(approved.family, "island");
    let refused = register
        .talent()
        .record_talent_designation(record(&talent, "a", S::InTerm, "2024-05-01"))
        .await;
    assert_eq!(failure(refused).resource, name);
}
