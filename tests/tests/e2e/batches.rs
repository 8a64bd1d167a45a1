//! Many cases in one call: each with its own outcome, or all of them or none.

use std::collections::BTreeSet;

use mingce_e2e::cases::{Clock, Terms, cap, load, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::lab_designation_move::Verb;
use mingce_proto::labs::{GetLabRequest, LabDesignationMove, LabDesignationState, ListLabDesignationsRequest};
use mingce_proto::registry::{MoveOutcome, Round};
use tonic::Code;

use crate::lab_fixture::{
    Moved, PROGRAMME, accept, all, approve, batch, drafts, easy, get, history, opened, publish, submit, submitted,
};

on_both_stores!(
    three_hundred_cases_are_moved_by_one_call_per_verb,
    each_move_of_a_batch_has_its_own_outcome,
    an_atomic_batch_is_done_whole_or_not_at_all,
    an_atomic_batch_counts_its_own_moves_against_a_cap,
    a_batch_that_is_none_is_refused,
    a_move_that_breaks_a_rule_fails_alone,
    outcomes_name_their_cases,
    a_batch_that_is_sent_again_is_done_once,
    an_atomic_batch_that_is_sent_again_is_done_once,
    a_batch_that_is_only_validated_changes_nothing,
    a_batch_under_a_cap_goes_by_the_order_of_the_request,
    an_approval_that_is_annulled_gives_its_place_back,
);

const LEDGER: &str = "SELECT count(*) FROM ledger";

async fn ready(store: Store, clock: &Clock, limit: i32) -> (Register, Round) {
    let register = Register::start_at(store, clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(easy()))).await;
    let round = opened(&register, "2024-03-10", "2024-12-20", &[cap("", limit)]).await;
    (register, round)
}

/// How many designations stand at a state.
async fn count(register: &Register, state: &str) -> i64 {
    let request = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: format!("state = {state}"),
        page_size: 1,
        include_total_size: true,
        ..ListLabDesignationsRequest::default()
    };
    let answer = register.labs().list_lab_designations(request).await;
    answer.unwrap().into_inner().total_size
}

fn reasons(outcomes: &[MoveOutcome]) -> Vec<&str> {
    outcomes.iter().map(|outcome| outcome.reason.as_str()).collect()
}

async fn three_hundred_cases_are_moved_by_one_call_per_verb(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (mut register, round) = ready(store, &clock, 290).await;
    let names = drafts(&register, 300, &round).await;
    all(&register, &names, submit).await;
    assert_eq!(count(&register, "SUBMITTED").await, 300);
    all(&register, &names, accept).await;
    all(&register, &names, publish).await;
    assert_eq!(count(&register, "ON_NOTICE").await, 300);
    clock.set("2024-03-14");
    let moves = names.iter().map(|name| approve(name).moved()).collect();
    let answer = batch(&register, moves, false).await.unwrap();
    assert_eq!(answer.done, 290);
    // In the order of the moves.
    let named: Vec<_> = answer.outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!(named, names);
    for outcome in &answer.outcomes {
        if outcome.done {
            assert_eq!((outcome.revision, outcome.reason.as_str()), (5, ""), "{outcome:?}");
        } else {
            assert_eq!(
                (outcome.revision, outcome.reason.as_str()),
                (0, "CASE_BLOCKED"),
                "{outcome:?}"
            );
            let [blocker] = outcome.blockers.as_slice() else {
                panic!("{outcome:?}")
            };
            assert_eq!(
                (blocker.reason.as_str(), blocker.subject.as_str()),
                ("CAP_REACHED", round.name.as_str())
            );
            assert!(blocker.description.starts_with("290 of 290"), "{blocker:?}");
        }
    }
    assert_eq!(count(&register, "OPERATING").await, 290);
    assert_eq!(count(&register, "ON_NOTICE").await, 10);
    let entries = history(&register, &round.name).await;
    assert_eq!(entries.len(), 1 + 290);
    let places: BTreeSet<i64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(places.len(), entries.len());
    register.stop();
    // Policy, round, organization, labs, drafts; submit, accept, publish with its notice; approvals with their places.
    assert_eq!(register.number(LEDGER).await, 3 + 300 + 300 + 300 + 300 + 600 + 580);
    assert_eq!(register.number("SELECT sequence FROM ledger_head").await, 2383);
}

async fn each_move_of_a_batch_has_its_own_outcome(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 10).await;
    let names = drafts(&register, 6, &round).await;
    all(&register, &names[..5], submit).await;
    all(&register, &names[4..5], accept).await;
    let nobody = "labs/01jd2k3m4n5p6q7r8s9t0v1w2x/designations/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let stale = {
        let mut request = accept(&names[1]);
        request.etag = "\"r1\"".to_owned();
        request
    };
    let fresh = {
        let mut request = accept(&names[2]);
        request.etag = "\"r2\"".to_owned();
        request.reason = "材料齐全".to_owned();
        request
    };
    let moves = vec![
        accept(&names[0]).moved(),
        stale.moved(),
        fresh.moved(),
        accept(nobody).moved(),
        // Accepted already.
        accept(&names[4]).moved(),
        // Verbs may be mixed.
        submit(&names[5]).moved(),
        approve(&names[3]).moved(),
    ];
    let answer = batch(&register, moves, false).await.unwrap();
    assert_eq!(
        reasons(&answer.outcomes),
        [
            "",
            "ETAG_MISMATCH",
            "",
            "RESOURCE_NOT_FOUND",
            "STATE_WRONG",
            "",
            "STATE_WRONG"
        ]
    );
    assert_eq!(answer.done, 3);
    let revisions: Vec<_> = answer.outcomes.iter().map(|outcome| outcome.revision).collect();
    assert_eq!(revisions, [3, 0, 3, 0, 0, 2, 0]);
    assert!(
        answer.outcomes[4].message.contains("in_review"),
        "{:?}",
        answer.outcomes[4]
    );
    let states: Vec<_> = [0, 1, 2, 3, 4, 5].map(|place: usize| names[place].clone()).into();
    let mut found = Vec::new();
    for name in &states {
        found.push(get(&register, name).await.state());
    }
    use LabDesignationState::{InReview, Submitted};
    assert_eq!(found, [InReview, Submitted, InReview, Submitted, InReview, Submitted]);
}

async fn an_atomic_batch_is_done_whole_or_not_at_all(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (mut register, round) = ready(store, &clock, 10).await;
    let names = drafts(&register, 40, &round).await;
    all(&register, &names[..39], submit).await;
    let before = get(&register, &names[0]).await;
    register.stop();
    let counted = register.number(LEDGER).await;
    register.restart();
    // One is not submitted.
    let moves = || -> Vec<LabDesignationMove> { names.iter().map(|name| accept(name).moved()).collect() };
    let answer = batch(&register, moves(), true).await.unwrap();
    assert_eq!(answer.done, 0);
    let mut expected = vec!["BATCH_REFUSED"; 39];
    expected.push("STATE_WRONG");
    assert_eq!(reasons(&answer.outcomes), expected);
    assert!(
        answer
            .outcomes
            .iter()
            .all(|outcome| !outcome.done && outcome.revision == 0)
    );
    assert_eq!(get(&register, &names[0]).await, before);
    assert_eq!(count(&register, "SUBMITTED").await, 39);
    register.stop();
    assert_eq!(register.number(LEDGER).await, counted);
    register.restart();
    submitted(&register, &names[39]).await.unwrap();
    let answer = batch(&register, moves(), true).await.unwrap();
    assert_eq!((answer.done, reasons(&answer.outcomes)), (40, vec![""; 40]));
    assert!(
        answer
            .outcomes
            .iter()
            .all(|outcome| outcome.done && outcome.revision == 3)
    );
    assert_eq!(count(&register, "IN_REVIEW").await, 40);
    register.stop();
    assert_eq!(register.number(LEDGER).await, counted + 1 + 40);
}

async fn an_atomic_batch_counts_its_own_moves_against_a_cap(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 5).await;
    let names = drafts(&register, 6, &round).await;
    all(&register, &names, submit).await;
    all(&register, &names, accept).await;
    all(&register, &names, publish).await;
    clock.set("2024-03-14");
    let moves = |names: &[String]| names.iter().map(|name| approve(name).moved()).collect();
    let answer = batch(&register, moves(&names), true).await.unwrap();
    assert_eq!(answer.done, 0);
    let mut expected = vec!["BATCH_REFUSED"; 5];
    expected.push("CASE_BLOCKED");
    assert_eq!(reasons(&answer.outcomes), expected);
    assert_eq!(answer.outcomes[5].blockers[0].reason, "CAP_REACHED");
    assert_eq!(history(&register, &round.name).await.len(), 1);
    let answer = batch(&register, moves(&names[..5]), true).await.unwrap();
    assert_eq!(answer.done, 5, "{answer:?}");
    assert_eq!(count(&register, "OPERATING").await, 5);
}

/// Whoever stands first gets the place. The last place is within the third batch, and behind its first hundred.
async fn a_batch_under_a_cap_goes_by_the_order_of_the_request(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 225).await;
    let names = drafts(&register, 260, &round).await;
    all(&register, &names, submit).await;
    all(&register, &names, accept).await;
    all(&register, &names, publish).await;
    clock.set("2024-03-14");
    // Against the order in which they were made.
    let mut left: Vec<String> = names.into_iter().rev().collect();
    let mut taken = 0;
    for size in [4, 116, 130, 10] {
        let sent: Vec<String> = left.drain(..size).collect();
        let moves = sent.iter().map(|name| approve(name).moved()).collect();
        let answer = batch(&register, moves, false).await.unwrap();
        let done: Vec<bool> = answer.outcomes.iter().map(|outcome| outcome.done).collect();
        let expected: Vec<bool> = (taken..taken + size).map(|place| place < 225).collect();
        assert_eq!(done, expected, "{taken}");
        taken += size;
    }
    assert_eq!(count(&register, "OPERATING").await, 225);
}

async fn an_approval_that_is_annulled_gives_its_place_back(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 1).await;
    let names = drafts(&register, 3, &round).await;
    all(&register, &names, submit).await;
    all(&register, &names, accept).await;
    all(&register, &names, publish).await;
    clock.set("2024-03-14");
    let moves = |names: &[String]| names.iter().map(|name| approve(name).moved()).collect();
    let first = batch(&register, moves(&names[..2]), false).await.unwrap();
    assert_eq!(reasons(&first.outcomes), ["", "CASE_BLOCKED"]);
    let annul = |name: &str| mingce_proto::labs::AnnulLabDesignationRequest {
        name: name.to_owned(),
        reason: "重复登记".to_owned(),
        ..mingce_proto::labs::AnnulLabDesignationRequest::default()
    };
    // One that took no place gives none back.
    register.labs().annul_lab_designation(annul(&names[2])).await.unwrap();
    let none = batch(&register, moves(&names[1..2]), false).await.unwrap();
    assert_eq!(reasons(&none.outcomes), ["CASE_BLOCKED"]);
    register.labs().annul_lab_designation(annul(&names[0])).await.unwrap();
    let verbs: Vec<_> = history(&register, &round.name)
        .await
        .into_iter()
        .map(|entry| entry.verb)
        .collect();
    assert_eq!(verbs, ["create", "use_cap", "release_cap"]);
    let second = batch(&register, moves(&names[1..2]), false).await.unwrap();
    assert_eq!(second.done, 1, "{second:?}");
}

async fn a_batch_that_is_none_is_refused(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 5).await;
    let names = drafts(&register, 2, &round).await;
    let before = get(&register, &names[0]).await;
    for atomic in [false, true] {
        for moves in [
            vec![
                submit(&names[0]).moved(),
                submit(&names[1]).moved(),
                submit(&names[0]).moved(),
            ],
            vec![submit(&names[0]).moved(), accept(&names[0]).moved()],
        ] {
            let why = failure(batch(&register, moves, atomic).await);
            assert_eq!(why.is(), (Code::InvalidArgument, "CASE_TWICE"), "{why:?}");
            assert_eq!(why.fields, ["moves"]);
        }
        let why = failure(batch(&register, vec![], atomic).await);
        assert_eq!(why.code, Code::InvalidArgument, "{why:?}");
    }
    // All or none: what is no move is known before one is tried.
    let nothing = vec![submit(&names[0]).moved(), LabDesignationMove::default()];
    let why = failure(batch(&register, nothing, true).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "MOVE_NOT_ONE"), "{why:?}");
    assert_eq!(why.fields, ["moves[1]"]);
    // What a move says is checked like what its own method is sent.
    let mut malformed = approve(&names[1]);
    malformed.document_number.clear();
    let why = failure(batch(&register, vec![submit(&names[0]).moved(), malformed.moved()], true).await);
    assert_eq!(why.code, Code::InvalidArgument, "{why:?}");
    assert_eq!(why.fields, ["moves[1].approve.document_number"], "{why:?}");
    assert_eq!(get(&register, &names[0]).await, before);
}

async fn a_move_that_breaks_a_rule_fails_alone(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 5).await;
    let names = drafts(&register, 3, &round).await;
    let mut malformed = approve(&names[1]);
    malformed.document_number.clear();
    let long = "labs/".repeat(2000);
    let moves = vec![
        submit("labs/1").moved(),
        submit(&names[0]).moved(),
        LabDesignationMove::default(),
        malformed.moved(),
        submit(&long).moved(),
        submit(&names[2]).moved(),
    ];
    let answer = batch(&register, moves, false).await.unwrap();
    let expected = [
        "STRING_PATTERN",
        "",
        "MOVE_NOT_ONE",
        "STRING_MIN_LEN",
        "STRING_PATTERN",
        "",
    ];
    assert_eq!((answer.done, reasons(&answer.outcomes)), (2, expected.to_vec()));
    let named: Vec<_> = answer.outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!((named[0], named[2], named[3]), ("labs/1", "", names[1].as_str()));
    assert!(long.starts_with(named[4]) && named[4].len() == 100, "{}", named[4]);
    let said = &answer.outcomes[3].message;
    assert!(said.starts_with("approve.document_number: "), "{said}");
    for (name, state) in names.iter().zip(["SUBMITTED", "DRAFT", "SUBMITTED"]) {
        assert!(
            get(&register, name).await.state().as_str_name().ends_with(state),
            "{name}"
        );
    }
    // More than can be told one by one is refused as a whole.
    let many = (0..1000).map(|_| {
        let mut wrong = approve("x");
        wrong.document_number.clear();
        wrong.etag = "e".repeat(65);
        wrong.moved()
    });
    let why = failure(batch(&register, many.collect(), false).await);
    assert_eq!(why.code, Code::InvalidArgument, "{why:?}");
}

async fn outcomes_name_their_cases(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 5).await;
    let names = drafts(&register, 3, &round).await;
    let nobody = "labs/01jd2k3m4n5p6q7r8s9t0v1w2x/designations/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let mut titles = Vec::new();
    for name in &names {
        let lab = GetLabRequest {
            name: name.split("/designations/").next().unwrap().to_owned(),
            view: 0,
        };
        let lab = register.labs().get_lab(lab).await.unwrap().into_inner();
        titles.push(format!("{}·{PROGRAMME}", lab.display_name));
    }
    titles.push(String::new());
    let moves = || {
        let refused = accept(&names[2]).moved();
        let known = vec![submit(&names[0]).moved(), submit(&names[1]).moved(), refused];
        known.into_iter().chain([submit(nobody).moved()]).collect()
    };
    for atomic in [true, false] {
        let answer = batch(&register, moves(), atomic).await.unwrap();
        let named: Vec<_> = answer
            .outcomes
            .into_iter()
            .map(|outcome| outcome.display_name)
            .collect();
        assert_eq!(named, titles, "atomic: {atomic}");
    }
}

fn with_ids(names: &[String]) -> Vec<LabDesignationMove> {
    names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let mut request = submit(name);
            request.request_id = format!("0192f3a4-5b6c-7d8e-9f01-{number:012}");
            request.moved()
        })
        .collect()
}

async fn a_batch_that_is_sent_again_is_done_once(store: Store) {
    sent_twice(store, false).await;
}

async fn an_atomic_batch_that_is_sent_again_is_done_once(store: Store) {
    sent_twice(store, true).await;
}

async fn sent_twice(store: Store, atomic: bool) {
    let clock = Clock::on("2024-03-11");
    let (mut register, round) = ready(store, &clock, 5).await;
    let names = drafts(&register, 3, &round).await;
    let first = batch(&register, with_ids(&names), atomic).await.unwrap();
    assert_eq!(first.done, 3);
    assert_eq!(batch(&register, with_ids(&names), atomic).await.unwrap(), first);
    // Other content under the same id is refused.
    let mut moves = with_ids(&names);
    let Some(Verb::Submit(second)) = &mut moves[1].verb else {
        panic!("no submission: {moves:?}");
    };
    second.reason = "另一个理由".to_owned();
    let other = batch(&register, moves, atomic).await.unwrap();
    assert_eq!(other.outcomes[1].reason, "REQUEST_ID_REUSED", "{other:?}");
    register.stop();
    assert_eq!(register.number("SELECT sequence FROM ledger_head").await, 3 + 6 + 3);
}

async fn a_batch_that_is_only_validated_changes_nothing(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock, 5).await;
    let names = drafts(&register, 2, &round).await;
    for atomic in [false, true] {
        let moves = names
            .iter()
            .map(|name| {
                let mut request = submit(name);
                request.validate_only = true;
                request.moved()
            })
            .collect();
        let answer = batch(&register, moves, atomic).await.unwrap();
        assert_eq!((answer.done, reasons(&answer.outcomes)), (2, vec!["", ""]));
        assert_eq!(count(&register, "DRAFT").await, 2);
    }
}
