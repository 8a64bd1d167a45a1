//! April to June: the public notice with two objections, twenty-seven approvals and no more, and the end of the round.

use mingce_e2e::failure;
use mingce_proto::labs::{
    ApproveLabDesignationRequest, LabDesignation, LabDesignationMove, LabDesignationState as S,
    PublishNoticeOfLabDesignationRequest, RejectLabDesignationRequest, SubmitLabDesignationRequest,
    WithdrawLabDesignationRequest,
};
use mingce_proto::registry::{
    AcceptObjectionRequest, CloseRoundRequest, DismissObjectionRequest, DueKind, FileObjectionRequest,
    GetObjectionRequest, ListCaseRevisionsRequest, Objection, ObjectionState, RoundState, UpholdObjectionRequest,
};
use tonic::{Code, Status};

use super::applications::GIVEN_UP;
use super::fixture::{APPLICANTS, CAP, Year, moves, reasons};
use super::reviews::{WEAK, in_review};

/// An objection to it is dismissed.
const DISMISSED: usize = 9;
/// An objection to it is upheld.
const UPHELD: usize = 10;
/// Approved when the round is closed already: the last place.
pub const LAST: usize = 31;
/// For these there is no place.
const LEFT: std::ops::Range<usize> = 32..35;

/// Those that were approved on 6 May.
pub fn approved() -> Vec<usize> {
    let fits = |case: &usize| *case != UPHELD && *case < LAST;
    in_review().into_iter().filter(fits).collect()
}

pub fn publish(name: String) -> LabDesignationMove {
    LabDesignationMove::from(PublishNoticeOfLabDesignationRequest {
        name,
        ..PublishNoticeOfLabDesignationRequest::default()
    })
}

impl Year {
    fn approval(&self, case: usize) -> ApproveLabDesignationRequest {
        ApproveLabDesignationRequest {
            name: self.cases[case].clone(),
            document_number: "试科字〔2024〕9号".to_owned(),
            number: format!("QZS-2024-{case:02}"),
            issuer: "试区科学技术局".to_owned(),
            ..ApproveLabDesignationRequest::default()
        }
    }

    pub fn approvals(&self, cases: &[usize]) -> Vec<LabDesignationMove> {
        let approve = |&case: &usize| LabDesignationMove::from(self.approval(case));
        cases.iter().map(approve).collect()
    }

    async fn approve(&self, case: usize) -> Result<LabDesignation, Status> {
        let answer = self
            .register
            .lab_cases()
            .approve_lab_designation(self.approval(case))
            .await;
        answer.map(tonic::Response::into_inner)
    }

    async fn object(&self, case: usize, statement: &str) -> String {
        let request = FileObjectionRequest {
            objection: Some(Objection {
                case_name: self.cases[case].clone(),
                objector_name: "试异议人".to_owned(),
                objector_contact: "objector@example.org".to_owned(),
                statement: statement.to_owned(),
                evidence: vec!["合同扫描件".to_owned()],
                ..Objection::default()
            }),
            ..FileObjectionRequest::default()
        };
        let filed = self
            .register
            .cases()
            .file_objection(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!((filed.state(), filed.named), (ObjectionState::Filed, true));
        assert_eq!(filed.case_display_name, self.title(case));
        let accept = AcceptObjectionRequest {
            name: filed.name.clone(),
            ..AcceptObjectionRequest::default()
        };
        let accepted = self.register.cases().accept_objection(accept).await.unwrap();
        assert_eq!(accepted.into_inner().state(), ObjectionState::InInvestigation);
        filed.name
    }
}

/// Thirty-one are published for five working days: the Sunday before the May holiday is one of them.
pub async fn publish_all(year: &Year) {
    year.clock.set("2024-04-24");
    let rest: Vec<_> = in_review().into_iter().filter(|case| !WEAK.contains(case)).collect();
    year.all_done(moves(rest.iter().map(|&case| &year.cases[case]), publish))
        .await;
    assert_eq!(year.count(S::OnNotice).await, rest.len());
    let facts = year.case(DISMISSED).await.case.unwrap();
    assert_eq!(
        [
            &facts.notice_start_date,
            &facts.notice_end_date,
            &facts.objection_end_date
        ],
        ["2024-04-24", "2024-04-30", "2024-04-30"]
    );
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2024-05-01", DueKind::NoticeEnds)
    );
    assert_eq!(year.due("2024-04-30", DueKind::NoticeEnds).await, []);
    assert_eq!(year.due("2024-05-01", DueKind::NoticeEnds).await.len(), rest.len());
    assert_eq!(
        year.verbs(DISMISSED).await,
        ["return", "renew_notice", "approve NOTICE_RUNNING", "reject", "withdraw"]
    );
}

/// One objection is dismissed while the notice runs; the other is upheld after it, and that case can only be rejected.
pub async fn hear_objections(year: &Year) {
    year.clock.set("2024-04-26");
    let dismissed = year.object(DISMISSED, "设备清单与实际不符").await;
    let upheld = year.object(UPHELD, "固定人员未在岗").await;
    for case in [DISMISSED, UPHELD] {
        assert_eq!(
            year.verbs(case).await,
            [
                "return OBJECTION_OPEN",
                "renew_notice OBJECTION_OPEN",
                "approve NOTICE_RUNNING OBJECTION_OPEN",
                "reject OBJECTION_OPEN",
                "withdraw"
            ]
        );
    }
    let blocked = failure(year.approve(UPHELD).await);
    assert_eq!(blocked.is(), (Code::FailedPrecondition, "CASE_BLOCKED"));
    let notice = year.case(UPHELD).await.case.unwrap().notice;
    assert_eq!(
        blocked.blockers,
        [
            ("NOTICE_RUNNING".to_owned(), notice),
            ("OBJECTION_OPEN".to_owned(), upheld.clone())
        ]
    );
    assert!(
        blocked.message.contains("the notice runs until 2024-04-30"),
        "{blocked:?}"
    );
    let mut client = year.register.cases();
    let get = GetObjectionRequest {
        name: upheld.clone(),
        ..GetObjectionRequest::default()
    };
    let seen = client.get_objection(get).await.unwrap().into_inner();
    let verbs: Vec<_> = seen.verbs.iter().map(|verb| (verb.verb.as_str(), verb.open)).collect();
    assert_eq!(
        verbs,
        [
            ("uphold", true),
            ("uphold_in_part", true),
            ("dismiss", true),
            ("withdraw", true)
        ]
    );

    year.clock.set("2024-04-29");
    let dismiss = DismissObjectionRequest {
        name: dismissed,
        finding: "现场核查，设备与清单一致".to_owned(),
        ..DismissObjectionRequest::default()
    };
    client.dismiss_objection(dismiss).await.unwrap();
    assert_eq!(
        year.verbs(DISMISSED).await,
        ["return", "renew_notice", "approve NOTICE_RUNNING", "reject", "withdraw"]
    );
    year.clock.set("2024-05-06");
    assert_eq!(
        year.verbs(DISMISSED).await,
        ["return", "renew_notice", "approve", "reject", "withdraw"]
    );
    assert_eq!(
        year.verbs(UPHELD).await,
        [
            "return OBJECTION_OPEN",
            "renew_notice OBJECTION_OPEN",
            "approve OBJECTION_OPEN",
            "reject OBJECTION_OPEN",
            "withdraw"
        ]
    );
    let uphold = UpholdObjectionRequest {
        name: upheld.clone(),
        finding: "固定人员合同不实".to_owned(),
        ..UpholdObjectionRequest::default()
    };
    let settled = client.uphold_objection(uphold).await.unwrap().into_inner();
    assert_eq!(settled.state(), ObjectionState::Upheld);
    assert_eq!(
        year.verbs(UPHELD).await,
        [
            "return",
            "renew_notice",
            "approve OBJECTION_UPHELD",
            "reject",
            "withdraw"
        ]
    );
    let blocked = failure(year.approve(UPHELD).await);
    assert_eq!(blocked.blockers, [("OBJECTION_UPHELD".to_owned(), upheld)]);
    let reject = RejectLabDesignationRequest {
        name: year.cases[UPHELD].clone(),
        reason: "异议成立".to_owned(),
        ..RejectLabDesignationRequest::default()
    };
    let rejected = year.register.lab_cases().reject_lab_designation(reject).await.unwrap();
    assert_eq!(rejected.into_inner().state(), S::Rejected);
}

/// Twenty-eight cannot be approved together; twenty-six are.
pub async fn approve_many(year: &Year) {
    let cases = approved();
    assert_eq!(cases.len(), 26);
    let too_many: Vec<usize> = cases.iter().copied().chain([LAST, LEFT.start]).collect();
    let outcomes = year.batch(year.approvals(&too_many), true).await;
    for outcome in &outcomes[..27] {
        assert_eq!((outcome.done, outcome.reason.as_str()), (false, "BATCH_REFUSED"));
    }
    assert_eq!(
        (outcomes[27].reason.as_str(), reasons(&outcomes[27])),
        ("CASE_BLOCKED", vec!["CAP_REACHED"])
    );
    assert_eq!(
        (year.count(S::Building).await, year.round_now().await.caps[0].used),
        (0, 0)
    );

    year.all_done(year.approvals(&cases)).await;
    assert_eq!(
        (year.count(S::Building).await, year.round_now().await.caps[0].used),
        (26, 26)
    );
    let one = year.case(cases[0]).await;
    assert_eq!(
        [&one.decision_date, &one.start_date, &one.building_end_date, &one.number],
        ["2024-05-06", "2024-05-06", "2025-05-05", "QZS-2024-01"]
    );
    assert_eq!(
        year.verbs(LAST).await,
        ["return", "renew_notice", "approve", "reject", "withdraw"]
    );
}

/// Closing the round reports what is undecided. The last place is still taken, and then there is none.
pub async fn close_round(year: &Year) {
    year.clock.set("2024-05-20");
    let request = CloseRoundRequest {
        name: year.round.name.clone(),
        ..CloseRoundRequest::default()
    };
    let answer = year
        .register
        .cases()
        .close_round(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.round.unwrap().state(), RoundState::Closed);
    let mut undecided: Vec<_> = answer
        .undecided
        .iter()
        .map(|case| (&case.name, case.state.as_str()))
        .collect();
    undecided.sort_unstable();
    let mut expected: Vec<_> = [
        (GIVEN_UP, "LAB_DESIGNATION_STATE_RETURNED"),
        (APPLICANTS, "LAB_DESIGNATION_STATE_DRAFT"),
    ]
    .into_iter()
    .chain((LAST..LEFT.end).map(|case| (case, "LAB_DESIGNATION_STATE_ON_NOTICE")))
    .map(|(case, state)| (&year.cases[case], state))
    .collect();
    expected.sort_unstable();
    assert_eq!((undecided, answer.undecided_count), (expected, 6));
    assert!(
        answer
            .undecided
            .iter()
            .all(|case| case.display_name.contains("试重点实验室"))
    );
    let again = failure(year.register.cases().close_round(request).await);
    assert_eq!(again.is(), (Code::FailedPrecondition, "ROUND_CLOSED"));
    assert_eq!(year.verbs(APPLICANTS).await, ["submit ROUND_CLOSED", "withdraw"]);

    let last = year.approve(LAST).await.unwrap();
    assert_eq!(
        (last.state(), last.building_end_date.as_str()),
        (S::Building, "2025-05-19")
    );
    for case in LEFT {
        assert_eq!(
            year.verbs(case).await,
            ["return", "renew_notice", "approve CAP_REACHED", "reject", "withdraw"]
        );
    }
    let blocked = failure(year.approve(LEFT.start).await);
    assert_eq!(blocked.is(), (Code::FailedPrecondition, "CASE_BLOCKED"));
    assert_eq!(blocked.blockers, [("CAP_REACHED".to_owned(), year.round.name.clone())]);
    assert_eq!(blocked.message, "27 of 27 are taken in the round");
    let cap = &year.round_now().await.caps[0];
    assert_eq!((cap.used, cap.limit), (CAP, CAP));
}

/// June: whoever comes now is late. What is left is ended, and the round is decided.
pub async fn end_round(year: &Year) {
    year.clock.set("2024-06-03");
    assert_eq!(year.verbs(APPLICANTS).await, ["submit ROUND_OVER", "withdraw"]);
    let late = SubmitLabDesignationRequest {
        name: year.cases[APPLICANTS].clone(),
        ..SubmitLabDesignationRequest::default()
    };
    let late = failure(year.register.lab_cases().submit_lab_designation(late).await);
    assert_eq!(late.is(), (Code::FailedPrecondition, "CASE_BLOCKED"));
    assert_eq!(late.blockers, [("ROUND_OVER".to_owned(), year.round.name.clone())]);
    assert_eq!(late.message, "the round took cases until 2024-05-31");

    let withdraw = |name| {
        LabDesignationMove::from(WithdrawLabDesignationRequest {
            name,
            ..WithdrawLabDesignationRequest::default()
        })
    };
    let reject = |name| {
        LabDesignationMove::from(RejectLabDesignationRequest {
            name,
            reason: "名额已满".to_owned(),
            ..RejectLabDesignationRequest::default()
        })
    };
    let mut ends = moves([&year.cases[GIVEN_UP], &year.cases[APPLICANTS]], withdraw);
    ends.extend(moves(&year.cases[LEFT], reject));
    year.all_done(ends).await;
    let undecided = [S::Draft, S::Submitted, S::Returned, S::InReview, S::OnNotice];
    assert!(year.all().await.iter().all(|case| !undecided.contains(&case.state())));
    assert_eq!(year.count(S::Building).await, usize::try_from(CAP).unwrap());

    let history = ListCaseRevisionsRequest {
        name: year.round.name.clone(),
        page_size: 1000,
        ..ListCaseRevisionsRequest::default()
    };
    let history = year.register.cases().list_case_revisions(history).await.unwrap();
    let history = history.into_inner().revisions;
    let verbs = |verb: &str| history.iter().filter(|entry| entry.verb == verb).count();
    assert_eq!(
        (history.len(), verbs("create"), verbs("use_cap"), verbs("close")),
        (29, 1, 27, 1)
    );
}
