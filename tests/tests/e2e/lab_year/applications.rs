//! March: applications come in, some are returned to be completed, some are refused.

use mingce_e2e::failure;
use mingce_proto::labs::{
    AcceptLabDesignationRequest, Lab, LabDesignationMove, LabDesignationState as S, RefuseLabDesignationRequest,
    ReturnLabDesignationRequest, SubmitLabDesignationRequest, UpdateLabDesignationRequest,
};
use mingce_proto::registry::{ComparePoliciesRequest, DueKind, TermDifference};
use tonic::Code;

use super::fixture::{APPLICANTS, Year, moves, reasons};

/// Returned to be completed; the first is not submitted again.
pub const RETURNED: std::ops::Range<usize> = 0..5;
/// Never submitted again.
pub const GIVEN_UP: usize = 0;
/// Refused in the formal check.
pub const REFUSED: std::ops::Range<usize> = 5..8;
/// In review: the rest.
pub const IN_REVIEW: usize = APPLICANTS - 4;
/// Its lab has too little of everything at first.
const TOO_SMALL: usize = 39;

pub fn submit(name: String) -> LabDesignationMove {
    LabDesignationMove::from(SubmitLabDesignationRequest {
        name,
        ..SubmitLabDesignationRequest::default()
    })
}

pub fn accept(name: String) -> LabDesignationMove {
    LabDesignationMove::from(AcceptLabDesignationRequest {
        name,
        ..AcceptLabDesignationRequest::default()
    })
}

/// Returned to be completed until a day.
pub fn back(name: String, due_date: &str) -> LabDesignationMove {
    LabDesignationMove::from(ReturnLabDesignationRequest {
        name,
        reason: "预算表缺失".to_owned(),
        due_date: due_date.to_owned(),
        ..ReturnLabDesignationRequest::default()
    })
}

/// What the two versions of the policy differ in is said term by term.
pub async fn compare_policies(year: &Year) {
    let request = ComparePoliciesRequest {
        before: year.policy.name.clone(),
        after: year.later.name.clone(),
    };
    let answer = year.register.cases().compare_policies(request).await.unwrap();
    let said = |d: &TermDifference| {
        assert_eq!(
            (d.source_before.as_str(), d.source_after.as_str()),
            ("assumed", "assumed")
        );
        format!("{}: {} -> {}", d.term, d.before, d.after)
    };
    let differences: Vec<_> = answer.into_inner().differences.iter().map(said).collect();
    assert_eq!(
        differences,
        [
            "review.min_score: 6000 -> 9000",
            "min_fixed_members: 2 -> 3",
            "qualified_score: 60 -> 70"
        ]
    );
}

/// Forty drafts are submitted by one call. One lab is too small; it grows, and its draft is submitted too.
pub async fn submit_all(year: &mut Year) {
    assert_eq!(year.verbs(1).await, ["submit", "withdraw"]);
    let small = Lab {
        area_square_metres: 99,
        equipment_value_fen: 49_999_999,
        members: year.labs[TOO_SMALL].members[1..].to_vec(),
        ..year.labs[TOO_SMALL].clone()
    };
    let paths = ["area_square_metres", "equipment_value_fen", "members"];
    year.change_lab(small, &paths).await;
    let in_the_way = ["TOO_FEW_FIXED_MEMBERS", "AREA_TOO_SMALL", "EQUIPMENT_TOO_SMALL"];
    assert_eq!(
        year.verbs(TOO_SMALL).await,
        [format!("submit {}", in_the_way.join(" ")), "withdraw".to_owned()]
    );
    // The later version asks for three fixed members. It comes into force while the round runs, and does not concern
    // it.
    year.clock.set("2024-03-11");
    assert_eq!(year.verbs(1).await, ["submit", "withdraw"]);
    let outcomes = year.batch(moves(&year.cases[..APPLICANTS], submit), false).await;
    for (case, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.name, year.cases[case]);
        assert_eq!(outcome.done, case != TOO_SMALL, "{outcome:?}");
    }
    let refused = &outcomes[TOO_SMALL];
    assert_eq!(
        (refused.reason.as_str(), reasons(refused)),
        ("CASE_BLOCKED", in_the_way.to_vec())
    );
    assert_eq!(
        refused.blockers[0].description,
        "1 fixed members, at least 2 are needed"
    );
    year.labs[TOO_SMALL] = year.change_lab(year.labs[TOO_SMALL].clone(), &paths).await;
    let alone = SubmitLabDesignationRequest {
        name: year.cases[TOO_SMALL].clone(),
        ..SubmitLabDesignationRequest::default()
    };
    let submitted = year.register.lab_cases().submit_lab_designation(alone).await.unwrap();
    let facts = submitted.into_inner().case.unwrap();
    assert_eq!(
        (facts.submit_date.as_str(), &facts.policy),
        ("2024-03-11", &year.policy.name)
    );
    assert_eq!(year.count(S::Submitted).await, APPLICANTS);
    for case in year.all().await.iter().filter(|case| case.state() == S::Submitted) {
        assert_eq!(case.case.as_ref().unwrap().policy, year.policy.name, "{}", case.name);
    }
}

/// Five are returned until the 22nd; four come again in time, the fifth shows in the list of due work.
pub async fn return_some(year: &Year) {
    assert_eq!(year.verbs(1).await, ["return", "refuse", "accept", "withdraw"]);
    year.clock.set("2024-03-13");
    year.all_done(moves(&year.cases[RETURNED], |name| back(name, "2024-03-22")))
        .await;
    assert_eq!(year.verbs(1).await, ["submit", "return", "refuse", "withdraw"]);
    let returned = year.case(1).await.case.unwrap();
    assert_eq!(
        (returned.returns, returned.resubmit_date.as_str(), returned.due()),
        (1, "2024-03-22", DueKind::Resubmission)
    );
    // What was submitted is not written over; what was returned is.
    let issuer = |case: usize| UpdateLabDesignationRequest {
        lab_designation: Some(mingce_proto::labs::LabDesignation {
            name: year.cases[case].clone(),
            issuer: "试区科学技术局".to_owned(),
            ..Default::default()
        }),
        ..UpdateLabDesignationRequest::default()
    };
    let refused = failure(year.register.labs().update_lab_designation(issuer(20)).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "CASE_NOT_EDITABLE"));
    let written = year.register.labs().update_lab_designation(issuer(1)).await.unwrap();
    assert_eq!(written.into_inner().issuer, "试区科学技术局");
    // What the decision says is not, and is not dropped in silence.
    let mut decided = issuer(1);
    if let Some(item) = &mut decided.lab_designation {
        (item.document_number, item.decision_date) = ("青科〔2024〕1号".to_owned(), "2024-03-01".to_owned());
    }
    let refused = failure(year.register.labs().update_lab_designation(decided).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "FIELD_BEFORE_DECISION"),
        "{refused:?}"
    );
    let fields = ["document_number", "decision_date"].map(|field| format!("lab_designation.{field}"));
    assert_eq!(refused.fields, fields);

    year.clock.set("2024-03-20");
    year.all_done(moves(&year.cases[1..RETURNED.end], submit)).await;
    let again = year.case(1).await.case.unwrap();
    assert_eq!(
        (
            again.submit_date.as_str(),
            again.resubmit_date.as_str(),
            again.due_date.as_str()
        ),
        ("2024-03-11", "", "")
    );
    year.clock.set("2024-03-23");
    assert_eq!(year.due("2024-03-21", DueKind::Resubmission).await, []);
    let due = year.due("", DueKind::Resubmission).await;
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].name.as_str(), due[0].date.as_str(), due[0].automatic),
        (year.cases[GIVEN_UP].as_str(), "2024-03-22", false)
    );
    assert_eq!(
        year.verbs(GIVEN_UP).await,
        ["submit RESUBMISSION_LATE", "return", "refuse", "withdraw"]
    );
}

/// Three are refused, all or none; the others are accepted for review by one call.
pub async fn check_formally(year: &Year) {
    year.clock.set("2024-03-25");
    let refuse = |name| {
        LabDesignationMove::from(RefuseLabDesignationRequest {
            name,
            reason: "不符合申报条件".to_owned(),
            ..RefuseLabDesignationRequest::default()
        })
    };
    // One that was never submitted cannot be refused: none is.
    let mut wanted = moves(&year.cases[REFUSED], refuse);
    wanted.push(refuse(year.cases[APPLICANTS].clone()));
    let outcomes = year.batch(wanted, true).await;
    let said: Vec<_> = outcomes.iter().map(|outcome| outcome.reason.as_str()).collect();
    assert_eq!(said, ["BATCH_REFUSED", "BATCH_REFUSED", "BATCH_REFUSED", "STATE_WRONG"]);
    assert_eq!(year.count(S::Refused).await, 0);
    let outcomes = year.batch(moves(&year.cases[REFUSED], refuse), true).await;
    assert!(outcomes.iter().all(|outcome| outcome.done), "{outcomes:?}");
    assert_eq!(year.verbs(REFUSED.start).await, Vec::<String>::new());

    let rest = (1..RETURNED.end)
        .chain(REFUSED.end..APPLICANTS)
        .map(|case| &year.cases[case]);
    year.all_done(moves(rest, accept)).await;
    assert_eq!(year.count(S::InReview).await, IN_REVIEW);
    assert_eq!(year.count(S::Refused).await, REFUSED.len());
    assert_eq!(year.count(S::Returned).await, 1);
}
