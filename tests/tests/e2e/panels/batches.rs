//! Many reviewers in one call, and many reviews.

use std::collections::BTreeSet;

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{
    AssignReviewerRequest, BatchAssignReviewersRequest, BatchAssignReviewersResponse, BatchSubmitReviewsRequest,
    BatchSubmitReviewsResponse, PanelState, Recommended, ReviewOutcome, Score, SubmitReviewRequest,
};
use tonic::{Code, Status};

use super::{applicant, at, clear, close, employed, panel, read_panel, read_review, ready, sheet};
use crate::lab_fixture::{draft, in_review};

on_both_stores!(
    many_reviewers_are_assigned_to_many_cases_in_one_call,
    each_assignment_of_a_batch_has_its_own_outcome,
    an_atomic_batch_of_assignments_is_done_whole_or_not_at_all,
    each_review_of_a_batch_has_its_own_outcome,
    a_batch_of_reviews_has_bounds,
);

const LEDGER: &str = "SELECT count(*) FROM ledger";

fn assignment(panel: &str, case_name: &str, reviewer: &str) -> AssignReviewerRequest {
    AssignReviewerRequest {
        panel: panel.to_owned(),
        case_name: case_name.to_owned(),
        reviewer: reviewer.to_owned(),
        ..AssignReviewerRequest::default()
    }
}

async fn assign_all(
    register: &Register,
    requests: Vec<AssignReviewerRequest>,
    atomic: bool,
) -> Result<BatchAssignReviewersResponse, Status> {
    let request = BatchAssignReviewersRequest { requests, atomic };
    let answer = register.cases().batch_assign_reviewers(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn submit_all(
    register: &Register,
    requests: Vec<SubmitReviewRequest>,
    atomic: bool,
) -> Result<BatchSubmitReviewsResponse, Status> {
    let request = BatchSubmitReviewsRequest { requests, atomic };
    let answer = register.cases().batch_submit_reviews(request).await;
    answer.map(tonic::Response::into_inner)
}

fn said(review: &str, points: i32) -> SubmitReviewRequest {
    SubmitReviewRequest {
        name: review.to_owned(),
        sheet: Some(sheet(points, points, Recommended::Support)),
        ..SubmitReviewRequest::default()
    }
}

fn reasons(outcomes: &[ReviewOutcome]) -> Vec<&str> {
    outcomes.iter().map(|outcome| outcome.reason.as_str()).collect()
}

async fn many_reviewers_are_assigned_to_many_cases_in_one_call(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (mut register, round) = ready(store, &clock).await;
    let mut cases = Vec::new();
    for number in 0..11 {
        let case = draft(&register, &format!("试用实验室{number}"), &round).await.name;
        in_review(&register, &case).await;
        cases.push(case);
    }
    let reviewers: [String; 11] = clear(&register).await;
    let names: Vec<&str> = cases.iter().map(String::as_str).collect();
    let panel = panel(&register, &names).await;
    // More than are written in one transaction.
    let mut requests: Vec<AssignReviewerRequest> = Vec::new();
    for case in &cases {
        for (number, reviewer) in reviewers.iter().enumerate() {
            requests.push(AssignReviewerRequest {
                request_id: format!("01890a5d-ac96-774b-bcce-{:06}{number:06}", requests.len()),
                ..assignment(&panel.name, case, reviewer)
            });
        }
    }
    let answer = assign_all(&register, requests.clone(), false).await.unwrap();
    assert_eq!((answer.done, answer.outcomes.len()), (121, 121));
    for (outcome, request) in answer.outcomes.iter().zip(&requests) {
        assert!(outcome.done && outcome.revision == 1, "{outcome:?}");
        assert_eq!(
            (&outcome.case_name, &outcome.reviewer),
            (&request.case_name, &request.reviewer)
        );
        assert!(outcome.case_display_name.starts_with("试用实验室"), "{outcome:?}");
        assert!(outcome.reviewer_display_name.starts_with("评审"), "{outcome:?}");
    }
    let made: BTreeSet<&String> = answer.outcomes.iter().map(|outcome| &outcome.name).collect();
    let held = read_panel(&register, &panel.name).await;
    assert_eq!(held.reviews.iter().collect::<BTreeSet<_>>(), made);
    let review = read_review(&register, &answer.outcomes[13].name).await;
    assert_eq!(
        (review.case_name, review.reviewer.unwrap().talent),
        (requests[13].case_name.clone(), requests[13].reviewer.clone())
    );
    register.stop();
    let entries = register.number(LEDGER).await;
    register.restart();
    // Sent again it is done once.
    let again = assign_all(&register, requests, false).await.unwrap();
    assert_eq!(again, answer);
    let reviews = answer.outcomes.iter().map(|outcome| said(&outcome.name, 80)).collect();
    let submitted = submit_all(&register, reviews, true).await.unwrap();
    assert_eq!(submitted.done, 121);
    register.stop();
    assert_eq!(register.number(LEDGER).await, entries + 121);
    register.restart();
    let closed = close(&register, &panel.name).await.unwrap();
    assert_eq!((closed.state(), closed.summaries.len()), (PanelState::Closed, 11));
    assert!(
        closed
            .summaries
            .iter()
            .all(|of| (of.reviews, of.mean_score) == (11, 8000)),
        "{closed:?}"
    );
}

async fn each_assignment_of_a_batch_has_its_own_outcome(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    let other = draft(&register, "试用实验室乙", &round).await.name;
    in_review(&register, &other).await;
    let [one, two] = clear(&register).await;
    let colleague = employed(&register, "同事", vec![at(&applicant.host, "2019", "")]).await;
    let unknown = employed(&register, "履历不明", vec![]).await;
    let nobody = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let of = panel(&register, &[&applicant.case.name, &other]).await.name;
    let case = applicant.case.name.as_str();
    let broken = "talents/nobody";
    let overridden = AssignReviewerRequest {
        override_reason: "仅有的同行专家".to_owned(),
        ..assignment(&of, case, &colleague)
    };
    let requests = vec![
        assignment(&of, case, &one),
        assignment(&of, case, &colleague),
        assignment(&of, &other, &colleague),
        assignment(&of, case, &applicant.member),
        assignment(&of, case, &unknown),
        assignment(&of, case, nobody),
        assignment(&of, case, broken),
        assignment(&of, case, &one),
        overridden,
        assignment("panels/01jd2k3m4n5p6q7r8s9t0v1w2x", case, &two),
        assignment(&of, &other, &two),
    ];
    let answer = assign_all(&register, requests.clone(), false).await.unwrap();
    let conflict = "REVIEWER_IN_CONFLICT";
    assert_eq!(
        reasons(&answer.outcomes),
        [
            "",
            conflict,
            "",
            conflict,
            conflict,
            "RESOURCE_NOT_FOUND",
            "STRING_PATTERN",
            "IDENTIFIER_TAKEN",
            "",
            "RESOURCE_NOT_FOUND",
            ""
        ]
    );
    assert_eq!(answer.done, 4);
    let found: Vec<Vec<&str>> = answer
        .outcomes
        .iter()
        .map(|outcome| outcome.blockers.iter().map(|b| b.reason.as_str()).collect())
        .collect();
    assert_eq!(found[1], ["CONFLICT_SAME_ORGANIZATION"]);
    assert_eq!(found[3], ["CONFLICT_PARTY"]);
    assert_eq!(found[4], ["PROFILE_MISSING"]);
    let refused = &answer.outcomes[1];
    assert_eq!(
        (
            refused.reviewer_display_name.as_str(),
            refused.case_name.as_str(),
            refused.name.as_str()
        ),
        ("同事", case, "")
    );
    assert!(!refused.blockers[0].description_zh.is_empty() && !refused.case_display_name.is_empty());
    // As one by one.
    let single = register.cases().assign_reviewer(requests[1].clone()).await;
    let single = failure(single);
    assert_eq!(
        (single.reason.as_str(), single.message.as_str()),
        (conflict, refused.message.as_str())
    );
    let kept = read_review(&register, &answer.outcomes[8].name).await;
    assert_eq!(
        (kept.override_reason.as_str(), kept.conflicts.len()),
        ("仅有的同行专家", 1)
    );
    assert_eq!(read_panel(&register, &of).await.reviews.len(), 4);
}

async fn an_atomic_batch_of_assignments_is_done_whole_or_not_at_all(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (mut register, round) = ready(store, &clock).await;
    let case = draft(&register, "试用实验室甲", &round).await.name;
    in_review(&register, &case).await;
    let [one, two] = clear(&register).await;
    let unknown = employed(&register, "履历不明", vec![]).await;
    let of = panel(&register, &[&case]).await.name;
    let both = vec![assignment(&of, &case, &one), assignment(&of, &case, &two)];
    let mut with_conflict = both.clone();
    with_conflict.push(assignment(&of, &case, &unknown));
    let answer = assign_all(&register, with_conflict, true).await.unwrap();
    assert_eq!(
        reasons(&answer.outcomes),
        ["BATCH_REFUSED", "BATCH_REFUSED", "REVIEWER_IN_CONFLICT"]
    );
    assert_eq!((answer.done, read_panel(&register, &of).await.reviews.len()), (0, 0));
    // One that is none fails it as a whole, with the place.
    let mut broken = both.clone();
    broken[1].reviewer = "talents/nobody".to_owned();
    let why = failure(assign_all(&register, broken, true).await);
    assert_eq!(
        (why.code, why.fields.as_slice()),
        (Code::InvalidArgument, ["requests[1].reviewer".to_owned()].as_slice())
    );
    // Only tried.
    register.stop();
    let entries = register.number(LEDGER).await;
    register.restart();
    let mut dry = both.clone();
    dry[0].validate_only = true;
    for atomic in [true, false] {
        let mut dry = dry.clone();
        dry[1].validate_only = !atomic;
        let answer = assign_all(&register, dry, atomic).await.unwrap();
        assert_eq!(answer.done, 2, "{answer:?}");
    }
    register.stop();
    assert_eq!(register.number(LEDGER).await, entries);
    register.restart();
    let answer = assign_all(&register, both, true).await.unwrap();
    assert_eq!((answer.done, read_panel(&register, &of).await.reviews.len()), (2, 2));
}

async fn each_review_of_a_batch_has_its_own_outcome(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let case = draft(&register, "试用实验室甲", &round).await.name;
    in_review(&register, &case).await;
    let reviewers: [String; 3] = clear(&register).await;
    let of = panel(&register, &[&case]).await.name;
    let requests = reviewers
        .iter()
        .map(|reviewer| assignment(&of, &case, reviewer))
        .collect();
    let assigned = assign_all(&register, requests, true).await.unwrap().outcomes;
    let mut other = said(&assigned[1].name, 70);
    other.sheet.as_mut().unwrap().scores.push(Score {
        criterion: "luck".to_owned(),
        points: 1,
    });
    let none = said("reviews/none", 70);
    let nobody = said("reviews/01jd2k3m4n5p6q7r8s9t0v1w2x", 70);
    let requests = vec![
        said(&assigned[0].name, 90),
        other,
        none,
        nobody,
        said(&assigned[2].name, 70),
    ];
    let answer = submit_all(&register, requests.clone(), false).await.unwrap();
    assert_eq!(
        reasons(&answer.outcomes),
        [
            "",
            "SCORES_DIFFER_FROM_CRITERIA",
            "STRING_PATTERN",
            "RESOURCE_NOT_FOUND",
            ""
        ]
    );
    assert_eq!(answer.done, 2);
    let first = &answer.outcomes[0];
    assert_eq!(
        (&first.name, &first.case_name, &first.reviewer, first.revision),
        (&assigned[0].name, &case, &reviewers[0], 2)
    );
    assert_eq!(
        (first.case_display_name.as_str(), first.reviewer_display_name.as_str()),
        ("试用实验室甲·区级重点实验室", "评审0")
    );
    // What was said is as sealed as one by one.
    let review = read_review(&register, &first.name).await;
    assert!(
        review.sheet.is_none() && review.score == 0 && review.draft_sheet.is_none(),
        "{review:?}"
    );
    // All or none.
    let atomic = submit_all(&register, vec![requests[0].clone(), requests[1].clone()], true)
        .await
        .unwrap();
    assert_eq!(
        reasons(&atomic.outcomes),
        ["BATCH_REFUSED", "SCORES_DIFFER_FROM_CRITERIA"]
    );
    let whole = submit_all(&register, vec![said(&assigned[1].name, 80)], true)
        .await
        .unwrap();
    assert_eq!(whole.done, 1);
    let closed = close(&register, &of).await.unwrap();
    assert_eq!(closed.summaries[0].mean_score, 8000);
    // Of a closed panel nothing is submitted any more.
    let late = submit_all(&register, requests, false).await.unwrap();
    assert_eq!((late.done, late.outcomes[0].reason.as_str()), (0, "PANEL_CLOSED"));
}

async fn a_batch_of_reviews_has_bounds(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, _) = ready(store, &clock).await;
    let nobody = "reviews/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let one = assignment("panels/none", "labs/none", "talents/none");
    for (count, reason) in [(0, "REPEATED_MIN_ITEMS"), (501, "REPEATED_MAX_ITEMS")] {
        let why = failure(assign_all(&register, vec![one.clone(); count], false).await);
        assert_eq!(
            (why.is(), why.fields.as_slice()),
            ((Code::InvalidArgument, reason), ["requests".to_owned()].as_slice())
        );
        let why = failure(submit_all(&register, vec![said(nobody, 1); count], false).await);
        assert_eq!(why.is(), (Code::InvalidArgument, reason));
    }
    let why = failure(submit_all(&register, vec![said(nobody, 1); 2], false).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "REVIEW_TWICE"));
    let answer = assign_all(&register, vec![one; 500], false).await.unwrap();
    assert_eq!((answer.done, answer.outcomes.len()), (0, 500));
}
