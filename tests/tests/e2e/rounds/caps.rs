//! Caps hold when all are approved at once, and an approval that fails takes no place.

use mingce_e2e::cases::{Clock, cap};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::LabDesignationState;
use mingce_proto::registry::{Round, RoundCap};
use tokio::task::JoinSet;
use tonic::Code;

use super::{read, with_easy_terms};
use crate::lab_fixture::{
    accept, all, approve, approved, begin, done, draft, drafts, get, history, in_review, opened, publish, published,
    reasons, submit,
};

on_both_stores!(
    caps_hold_when_all_are_approved_at_once,
    an_approval_that_fails_takes_no_place,
);

/// Approves all of these at once, in turn with each process, and answers what became of it.
async fn approve_at_once(processes: &[&Register], names: &[String]) -> (usize, Vec<Failure>) {
    let mut approving = JoinSet::new();
    for (place, name) in names.iter().enumerate() {
        let mut cases = processes[place % processes.len()].lab_cases();
        let request = approve(name);
        approving.spawn(async move { cases.approve_lab_designation(request).await });
    }
    let answers = approving.join_all().await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    (good.len(), bad.into_iter().map(failure).collect())
}

async fn caps_hold_when_all_are_approved_at_once(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 5)]).await;
    let other_round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 5)]).await;
    let names = drafts(&register, 60, &round).await;
    let more = drafts_again(&register, 60, &other_round, &names).await;
    for names in [&names, &more] {
        all(&register, names, submit).await;
        all(&register, names, accept).await;
        all(&register, names, publish).await;
    }
    clock.set("2024-03-14");
    let one = approve_at_once(&[&register], &names).await;
    check_cap(&register, &round, &names, one).await;
    if store == Store::Postgres {
        let other = register.sibling().await;
        // Decisions on the same labs, on another day.
        clock.set("2024-03-15");
        let two = approve_at_once(&[&register, &other], &more).await;
        check_cap(&register, &other_round, &more, two).await;
    }
}

/// Drafts of the same labs in another round.
async fn drafts_again(register: &Register, count: usize, round: &Round, others: &[String]) -> Vec<String> {
    let mut names = Vec::with_capacity(count);
    for other in others {
        let lab = mingce_proto::labs::Lab {
            name: other.split("/designations/").next().unwrap().to_owned(),
            ..Default::default()
        };
        let begun = register.lab_cases().create_lab_designation(begin(&lab, round)).await;
        names.push(begun.unwrap().into_inner().name);
    }
    names
}

async fn check_cap(register: &Register, round: &Round, names: &[String], (good, bad): (usize, Vec<Failure>)) {
    assert_eq!((good, bad.len()), (5, names.len() - 5), "{bad:?}");
    for why in &bad {
        assert_eq!(why.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{why:?}");
        assert_eq!(
            why.blockers,
            [("CAP_REACHED".to_owned(), round.name.clone())],
            "{why:?}"
        );
    }
    let after = read(register, &round.name).await;
    assert_eq!(after.caps, [RoundCap { used: 5, ..cap("", 5) }]);
    let mut live = 0;
    for name in names {
        let case = get(register, name).await;
        match case.state() {
            LabDesignationState::Operating => live += 1,
            LabDesignationState::OnNotice => {
                assert_eq!(reasons(&case, "approve"), ["CAP_REACHED"]);
                let said = &crate::lab_fixture::verb(&case, "approve").blockers[0].description;
                assert!(said.starts_with("5 of 5"), "{said}");
            }
            other => panic!("{name} stands at {other:?}"),
        }
    }
    assert_eq!(live, 5);
    let entries = history(register, &round.name).await;
    assert_eq!(
        done(&entries),
        ["create", "use_cap", "use_cap", "use_cap", "use_cap", "use_cap"]
    );
}

async fn an_approval_that_fails_takes_no_place(store: Store) {
    let clock = Clock::on("2024-03-11");
    let register = with_easy_terms(store, &clock).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", 2), cap("一等奖", 0)]).await;
    let one = draft(&register, "试用实验室甲", &round).await;
    let other = draft(&register, "试用实验室乙", &round).await;
    for name in [&one.name, &other.name] {
        in_review(&register, name).await;
        published(&register, name).await.unwrap();
    }
    let why = failure(approved(&register, &one.name).await);
    assert_eq!(why.reasons(), ["NOTICE_RUNNING"], "{why:?}");
    clock.set("2024-03-14");
    for (etag, date) in [("\"r1\"", ""), ("", "2024-02-30")] {
        let mut request = approve(&one.name);
        request.etag = etag.to_owned();
        request.decision_date = date.to_owned();
        failure(register.lab_cases().approve_lab_designation(request).await);
    }
    // Nor does one that is only validated, and one that is asked twice takes one.
    let mut request = approve(&one.name);
    request.validate_only = true;
    register
        .lab_cases()
        .approve_lab_designation(request.clone())
        .await
        .unwrap();
    assert_eq!(read(&register, &round.name).await.caps[0].used, 0);
    request.validate_only = false;
    request.request_id = "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned();
    let first = register
        .lab_cases()
        .approve_lab_designation(request.clone())
        .await
        .unwrap();
    let second = register.lab_cases().approve_lab_designation(request).await.unwrap();
    assert_eq!(first.into_inner(), second.into_inner());
    let used: Vec<i32> = read(&register, &round.name)
        .await
        .caps
        .iter()
        .map(|cap| cap.used)
        .collect();
    // The cap of a grade is none of theirs.
    assert_eq!(used, [1, 0]);
    // A number that another has is refused after the place was taken: it is free again.
    let mut numbered = approve(&other.name);
    numbered.number = "2024-1".to_owned();
    let third = draft(
        &register,
        "试用实验室丙",
        &opened(&register, "2024-03-10", "2024-12-20", &[]).await,
    )
    .await;
    in_review(&register, &third.name).await;
    published(&register, &third.name).await.unwrap();
    clock.set("2024-03-20");
    let mut request = approve(&third.name);
    request.number = "2024-1".to_owned();
    register.lab_cases().approve_lab_designation(request).await.unwrap();
    let why = failure(register.lab_cases().approve_lab_designation(numbered).await);
    assert_eq!(why.code, Code::AlreadyExists, "{why:?}");
    assert_eq!(read(&register, &round.name).await.caps[0].used, 1);
    approved(&register, &other.name).await.unwrap();
    assert_eq!(read(&register, &round.name).await.caps[0].used, 2);
}
