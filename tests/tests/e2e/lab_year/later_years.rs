//! The years after: building terms, acceptance, reports, evaluations, and the ways in which a designation ends.

use mingce_e2e::failure;
use mingce_proto::labs::{
    AcceptCompletionOfLabDesignationRequest, AcceptEarlyCompletionOfLabDesignationRequest,
    AnnulEvaluationOfLabDesignationRequest, EvaluateLabDesignationRequest, ExtendBuildingOfLabDesignationRequest,
    LabDesignation, LabDesignationMove, LabDesignationState as S, LabEvaluationGrade as Grade, LabOutput,
    MergeLabDesignationRequest, OperatingState, ReevaluateLabDesignationRequest, RevokeLabDesignationRequest,
    ShortenRectificationOfLabDesignationRequest, SubmitAnnualReportOfLabDesignationRequest,
    TerminateLabDesignationRequest,
};
use mingce_proto::registry::{DecisionDifference, DueKind, OutputKind, SimulatePolicyRequest};
use tonic::{Code, Status};

use super::decisions::{LAST, approved};
use super::fixture::{Year, draft, moves, outsider};

const EXTENDED: usize = 1;
const EARLY: usize = 2;
const TERMINATED: usize = 3;
const REVOKED: usize = 4;
const MERGED: usize = 8;
const GOOD: usize = 9;
const MENDED: usize = 11;
const NOT_MENDED: usize = 12;
const QUALIFIED: usize = 13;

impl Year {
    async fn extend(&self, case: usize, months: i32) -> Result<LabDesignation, Status> {
        let request = ExtendBuildingOfLabDesignationRequest {
            name: self.cases[case].clone(),
            reason: "设备到货延期".to_owned(),
            months,
            ..ExtendBuildingOfLabDesignationRequest::default()
        };
        let answer = self
            .register
            .lab_cases()
            .extend_building_of_lab_designation(request)
            .await;
        answer.map(tonic::Response::into_inner)
    }

    async fn complete(&self, case: usize) -> Result<LabDesignation, Status> {
        let request = AcceptCompletionOfLabDesignationRequest {
            name: self.cases[case].clone(),
            ..AcceptCompletionOfLabDesignationRequest::default()
        };
        let answer = self
            .register
            .lab_cases()
            .accept_completion_of_lab_designation(request)
            .await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn evaluate(
        &self,
        case: usize,
        outputs: Vec<LabOutput>,
        qualitative: i32,
    ) -> Result<LabDesignation, Status> {
        let request = EvaluateLabDesignationRequest {
            name: self.cases[case].clone(),
            document_number: "试科评〔2027〕1号".to_owned(),
            year: 2027,
            start_date: "2025-05-20".to_owned(),
            end_date: "2027-05-19".to_owned(),
            no_outputs: outputs.is_empty(),
            outputs,
            qualitative_score: Some(qualitative),
            ..EvaluateLabDesignationRequest::default()
        };
        let answer = self.register.lab_cases().evaluate_lab_designation(request).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn shorten(&self, case: usize, end_date: &str) -> Result<LabDesignation, Status> {
        let request = ShortenRectificationOfLabDesignationRequest {
            name: self.cases[case].clone(),
            reason: "提前完成整改".to_owned(),
            end_date: end_date.to_owned(),
            ..ShortenRectificationOfLabDesignationRequest::default()
        };
        let answer = self
            .register
            .lab_cases()
            .shorten_rectification_of_lab_designation(request)
            .await;
        answer.map(tonic::Response::into_inner)
    }

    async fn annul_evaluation(&self, case: usize) -> Result<LabDesignation, Status> {
        let request = AnnulEvaluationOfLabDesignationRequest {
            name: self.cases[case].clone(),
            reason: "漏计成果".to_owned(),
            ..AnnulEvaluationOfLabDesignationRequest::default()
        };
        let answer = self
            .register
            .lab_cases()
            .annul_evaluation_of_lab_designation(request)
            .await;
        answer.map(tonic::Response::into_inner)
    }

    async fn reevaluate(&self, case: usize, outputs: Vec<LabOutput>, grounds: &str) -> Result<LabDesignation, Status> {
        let request = ReevaluateLabDesignationRequest {
            name: self.cases[case].clone(),
            reason: grounds.to_owned(),
            document_number: grounds.to_owned(),
            no_outputs: outputs.is_empty(),
            year: 2028,
            start_date: "2027-05-20".to_owned(),
            end_date: "2028-02-29".to_owned(),
            outputs,
            qualitative_score: Some(50),
            ..ReevaluateLabDesignationRequest::default()
        };
        let answer = self.register.lab_cases().reevaluate_lab_designation(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn merge(&self, case: usize, successor: usize) -> Result<LabDesignation, Status> {
        let request = MergeLabDesignationRequest {
            name: self.cases[case].clone(),
            reason: "优化重组".to_owned(),
            successor: self.labs[successor].name.clone(),
            ..MergeLabDesignationRequest::default()
        };
        let answer = self.register.lab_cases().merge_lab_designation(request).await;
        answer.map(tonic::Response::into_inner)
    }
}

fn completion(name: String) -> LabDesignationMove {
    LabDesignationMove::from(AcceptCompletionOfLabDesignationRequest {
        name,
        ..AcceptCompletionOfLabDesignationRequest::default()
    })
}

pub fn output(kind: OutputKind, producer: &str, date: &str) -> LabOutput {
    LabOutput {
        kind: kind as i32,
        title: format!("成果{producer}{date}"),
        producer: Some(outsider(producer)),
        date: date.to_owned(),
        counted: None,
    }
}

/// One building term is extended once, one lab is ready early, one is given up.
pub async fn build(year: &Year) {
    year.clock.set("2024-11-01");
    let building = [
        "accept_completion BUILDING_TERM_RUNNING",
        "accept_early_completion",
        "extend_building",
        "terminate",
        "submit_annual_report",
        "correct",
    ];
    assert_eq!(year.verbs(EXTENDED).await, building);
    let too_long = failure(year.extend(EXTENDED, 7).await);
    assert_eq!(too_long.is(), (Code::InvalidArgument, "EXTENSION_TOO_LONG"));
    let extended = year.extend(EXTENDED, 6).await.unwrap();
    assert_eq!(
        (
            extended.state(),
            extended.building_end_date.as_str(),
            extended.extensions
        ),
        (S::Building, "2025-11-05", 1)
    );
    assert_eq!(year.verbs(EXTENDED).await[2], "extend_building EXTENSIONS_USED_UP");
    let used_up = failure(year.extend(EXTENDED, 1).await);
    assert_eq!(
        (used_up.is(), used_up.reasons()),
        ((Code::FailedPrecondition, "CASE_BLOCKED"), vec!["EXTENSIONS_USED_UP"])
    );

    year.clock.set("2025-01-15");
    let running = failure(year.complete(EARLY).await);
    assert_eq!(running.reasons(), ["BUILDING_TERM_RUNNING"]);
    let early = AcceptEarlyCompletionOfLabDesignationRequest {
        name: year.cases[EARLY].clone(),
        reason: "提前完成建设任务".to_owned(),
        ..AcceptEarlyCompletionOfLabDesignationRequest::default()
    };
    let early = year
        .register
        .lab_cases()
        .accept_early_completion_of_lab_designation(early)
        .await;
    let early = early.unwrap().into_inner();
    assert_eq!(
        (early.state(), early.operating_date.as_str()),
        (S::Operating, "2025-01-15")
    );
    let facts = early.case.unwrap();
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2027-01-15", DueKind::Evaluation)
    );

    year.clock.set("2025-02-10");
    let terminate = TerminateLabDesignationRequest {
        name: year.cases[TERMINATED].clone(),
        reason: "依托单位放弃建设".to_owned(),
        ..TerminateLabDesignationRequest::default()
    };
    let terminated = year.register.lab_cases().terminate_lab_designation(terminate).await;
    let terminated = terminated.unwrap().into_inner();
    assert_eq!(
        (terminated.state(), terminated.end_date.as_str()),
        (S::Terminated, "2025-02-10")
    );
    assert_eq!(year.verbs(TERMINATED).await, ["correct"]);
}

/// The terms that end are due work; the labs are accepted on time by one call, the extended one half a year later.
pub async fn accept(year: &Year) {
    let ends = |until: &'static str| async move { year.due(until, DueKind::BuildingEnds).await.len() };
    assert_eq!(ends("2025-05-04").await, 0);
    assert_eq!(ends("2025-05-05").await, 23);
    assert_eq!(ends("2025-05-19").await, 24);
    assert_eq!(ends("2025-11-05").await, 25);
    year.clock.set("2025-05-20");
    let on_time: Vec<usize> = approved()
        .into_iter()
        .filter(|case| *case > TERMINATED)
        .chain([LAST])
        .collect();
    year.all_done(moves(on_time.iter().map(|&case| &year.cases[case]), completion))
        .await;
    assert_eq!(year.count(S::Operating).await, 25);
    assert_eq!(year.verbs(EXTENDED).await[0], "accept_completion BUILDING_TERM_RUNNING");
    year.clock.set("2025-11-06");
    let extended = year.complete(EXTENDED).await.unwrap();
    assert_eq!(
        (extended.state(), extended.operating_date.as_str()),
        (S::Operating, "2025-11-06")
    );
    assert_eq!(year.due("", DueKind::Unspecified).await, []);
}

/// A report a year.
pub async fn report(year: &Year) {
    year.clock.set("2026-03-02");
    let report = |name: String| SubmitAnnualReportOfLabDesignationRequest {
        name,
        year: 2025,
        summary: "论文十篇，专利两件".to_owned(),
        output_count: 12,
        ..SubmitAnnualReportOfLabDesignationRequest::default()
    };
    let all = year.all().await;
    let names: Vec<_> = all
        .iter()
        .filter(|case| case.state() == S::Operating)
        .map(|case| &case.name)
        .collect();
    assert_eq!(names.len(), 26);
    let reports = moves(names, |name| LabDesignationMove::from(report(name)));
    year.all_done(reports).await;
    let again = report(year.cases[GOOD].clone());
    let again = failure(
        year.register
            .lab_cases()
            .submit_annual_report_of_lab_designation(again)
            .await,
    );
    assert_eq!(again.is(), (Code::AlreadyExists, "REPORT_EXISTS"));
    let case = year.case(GOOD).await;
    let reports: Vec<_> = case
        .annual_reports
        .iter()
        .map(|r| (r.year, r.output_count, r.date.as_str()))
        .collect();
    assert_eq!(reports, [(2025, 12, "2026-03-02")]);
}

/// The first evaluation: only what fixed members produced within the window counts. Two labs fail.
pub async fn evaluate(year: &Year) {
    assert_eq!(year.due("2027-01-15", DueKind::Evaluation).await.len(), 1);
    assert_eq!(year.due("2027-05-20", DueKind::Evaluation).await.len(), 25);
    year.clock.set("2027-05-20");
    use OutputKind::{InventionPatent, Monograph, Paper, Standard};
    let outputs = vec![
        output(Monograph, "甲员9", "2026-05-01"),
        output(InventionPatent, "甲员9", "2025-05-20"),
        output(Paper, "甲员9", "2025-05-19"),
        output(Paper, "甲员9", "2027-05-20"),
        output(Paper, "乙员9", "2025-12-31"),
        output(Monograph, "乙员9", "2026-01-01"),
        output(Monograph, "丙员9", "2026-05-01"),
        output(Standard, "甲员9", "2027-05-19"),
    ];
    // Somebody of another lab, and a call that gives no outputs.
    let strange = [outputs.as_slice(), &[output(Monograph, "甲员13", "2026-05-01")]].concat();
    let strange = failure(year.evaluate(GOOD, strange, 60).await);
    assert_eq!(
        (strange.is(), strange.fields.as_slice()),
        (
            (Code::InvalidArgument, "PRODUCER_NOT_MEMBER"),
            ["outputs[8].producer".to_owned()].as_slice()
        )
    );
    let unsaid = EvaluateLabDesignationRequest {
        name: year.cases[GOOD].clone(),
        year: 2027,
        start_date: "2025-05-20".to_owned(),
        end_date: "2027-05-19".to_owned(),
        qualitative_score: Some(95),
        ..EvaluateLabDesignationRequest::default()
    };
    let mut cases = year.register.lab_cases();
    let missing = failure(cases.evaluate_lab_designation(unsaid.clone()).await);
    assert_eq!(missing.is(), (Code::InvalidArgument, "OUTPUTS_MISSING"));
    let unscored = EvaluateLabDesignationRequest {
        qualitative_score: None,
        outputs: outputs.clone(),
        ..unsaid
    };
    let unscored = failure(cases.evaluate_lab_designation(unscored).await);
    assert_eq!(
        (unscored.code, unscored.fields),
        (Code::InvalidArgument, vec!["qualitative_score".to_owned()])
    );
    let good = year.evaluate(GOOD, outputs, 60).await.unwrap();
    let evaluation = &good.evaluations[0];
    let counted: Vec<bool> = evaluation.outputs.iter().map(LabOutput::counted).collect();
    assert_eq!(counted, [true, true, false, false, true, false, false, true]);
    // Nine points of ten; 0.7 * 90 + 0.3 * 60 = 81.
    assert_eq!(
        (
            evaluation.points,
            evaluation.quantitative_score,
            evaluation.score,
            evaluation.grade()
        ),
        (9, 90, 81, Grade::Good)
    );
    let facts = good.case.unwrap();
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2029-05-20", DueKind::Evaluation)
    );

    let six = vec![
        output(Monograph, "甲员13", "2026-05-01"),
        output(Paper, "甲员13", "2026-06-01"),
    ];
    let qualified = year.evaluate(QUALIFIED, six, 80).await.unwrap();
    assert_eq!(
        (qualified.evaluations[0].score, qualified.evaluations[0].grade()),
        (66, Grade::Qualified)
    );
    for case in [MENDED, NOT_MENDED] {
        let failed = year.evaluate(case, Vec::new(), 80).await.unwrap();
        assert_eq!((failed.state(), failed.failed_evaluations), (S::Rectifying, 1));
        assert_eq!(failed.rectification_end_date, "2028-05-19");
        assert_eq!(failed.case.unwrap().due(), DueKind::RectificationEnds);
        assert_eq!(
            year.verbs(case).await,
            [
                "submit_annual_report",
                "reevaluate RECTIFICATION_RUNNING",
                "shorten_rectification",
                "annul_evaluation",
                "revoke",
                "merge",
                "correct"
            ]
        );
        let wrong = failure(year.evaluate(case, Vec::new(), 80).await);
        assert_eq!(wrong.is(), (Code::FailedPrecondition, "STATE_WRONG"));
    }
    // By the draft, what was qualified would have failed.
    let request = SimulatePolicyRequest {
        policy: Some(draft()),
        cases: vec![year.cases[QUALIFIED].clone()],
        ..SimulatePolicyRequest::default()
    };
    let answer = year
        .register
        .cases()
        .simulate_policy(request)
        .await
        .unwrap()
        .into_inner();
    let expected = DecisionDifference {
        name: year.cases[QUALIFIED].clone(),
        decision: "evaluation 2027".to_owned(),
        before: "QUALIFIED (66)".to_owned(),
        after: "UNQUALIFIED (66)".to_owned(),
        display_name: year.title(QUALIFIED),
        ..DecisionDifference::default()
    };
    assert_eq!((answer.differences, answer.cases), (vec![expected], 1));
    assert_eq!(year.case(QUALIFIED).await.state(), S::Operating);
}

/// One lab mends and operates again, one does not and loses its title.
pub async fn rectify(year: &Year) {
    year.clock.set("2028-03-01");
    let two = ["2027-09-01", "2027-12-01"].map(|date| output(OutputKind::Monograph, "甲员11", date));
    let running = failure(year.reevaluate(MENDED, two.to_vec(), "").await);
    assert_eq!(running.reasons(), ["RECTIFICATION_RUNNING"]);
    for wrong in ["2028-02-29", "2028-05-19"] {
        let wrong = failure(year.shorten(MENDED, wrong).await);
        assert_eq!(wrong.is(), (Code::InvalidArgument, "RECTIFICATION_NOT_SHORTER"));
    }
    let later = year.shorten(MENDED, "2028-04-30").await.unwrap();
    assert_eq!(later.rectification_end_date, "2028-04-30");
    for case in [MENDED, NOT_MENDED] {
        let over = year.shorten(case, "").await.unwrap();
        assert_eq!(over.rectification_end_date, "2028-02-29");
        let again = failure(year.shorten(case, "").await);
        assert_eq!(again.reasons(), ["RECTIFICATION_OVER"]);
    }
    let mended = year.reevaluate(MENDED, two.to_vec(), "").await.unwrap();
    assert_eq!((mended.state(), mended.failed_evaluations), (S::Operating, 0));
    assert_eq!(mended.rectification_end_date, "");
    let grades: Vec<_> = mended
        .evaluations
        .iter()
        .map(|e| (e.again, e.score, e.grade()))
        .collect();
    assert_eq!(grades, [(false, 24, Grade::Unqualified), (true, 85, Grade::Excellent)]);
    // The next evaluation is counted from the regular one.
    let facts = mended.case.unwrap();
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2029-05-20", DueKind::Evaluation)
    );
    assert_eq!(
        year.verbs(MENDED).await,
        [
            "submit_annual_report",
            "evaluate",
            "annul_evaluation",
            "revoke",
            "merge",
            "correct"
        ]
    );

    let unsaid = failure(year.reevaluate(NOT_MENDED, Vec::new(), "").await);
    assert_eq!(unsaid.code, Code::InvalidArgument);
    assert_eq!(unsaid.fields, ["reason", "document_number"]);
    let lost = year
        .reevaluate(NOT_MENDED, Vec::new(), "试科评〔2028〕1号")
        .await
        .unwrap();
    assert_eq!(year.verbs(NOT_MENDED).await, ["annul_evaluation", "correct"]);
    // It was wrong: all is as it was before, and the entry stays.
    let before = year.annul_evaluation(NOT_MENDED).await.unwrap();
    assert_eq!(
        (before.state(), before.failed_evaluations, before.end_date.as_str()),
        (S::Rectifying, 1, "")
    );
    assert_eq!(before.rectification_end_date, "2028-02-29");
    let annulled: Vec<_> = before.evaluations.iter().map(|e| e.annulled).collect();
    assert_eq!(annulled, [false, true]);
    assert_eq!(before.case.unwrap().due(), DueKind::RectificationEnds);
    assert_eq!(lost.state(), S::Revoked);
    let lost = year
        .reevaluate(NOT_MENDED, Vec::new(), "试科评〔2028〕2号")
        .await
        .unwrap();
    assert_eq!((lost.state(), lost.failed_evaluations), (S::Revoked, 2));
    assert_eq!(
        (lost.end_date.as_str(), lost.rectification_end_date.as_str()),
        ("2028-03-01", "")
    );
    assert_eq!(lost.case.unwrap().due_date, "");
    assert_eq!(year.verbs(NOT_MENDED).await, ["annul_evaluation", "correct"]);

    let history = year.history(MENDED).await;
    let verbs: Vec<_> = history.iter().map(|entry| entry.verb.as_str()).collect();
    assert_eq!(
        verbs,
        [
            "reevaluate",
            "shorten_rectification",
            "shorten_rectification",
            "evaluate",
            "submit_annual_report",
            "accept_completion",
            "approve",
            "publish_notice",
            "sum_up_reviews",
            "accept",
            "submit",
            "create"
        ]
    );
}

/// A title is taken back, and a lab merges into another, which is its successor from then on.
pub async fn end(year: &Year) {
    year.clock.set("2028-04-03");
    let revoke = RevokeLabDesignationRequest {
        name: year.cases[REVOKED].clone(),
        ..RevokeLabDesignationRequest::default()
    };
    let unsaid = failure(year.register.lab_cases().revoke_lab_designation(revoke.clone()).await);
    assert_eq!(
        (unsaid.code, unsaid.fields),
        (
            Code::InvalidArgument,
            vec!["reason".to_owned(), "document_number".to_owned()]
        )
    );
    let revoke = RevokeLabDesignationRequest {
        reason: "弄虚作假".to_owned(),
        document_number: "试科撤〔2028〕1号".to_owned(),
        ..revoke
    };
    let revoked = year
        .register
        .lab_cases()
        .revoke_lab_designation(revoke)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((revoked.state(), revoked.end_date.as_str()), (S::Revoked, "2028-04-03"));
    let last = revoked.documents.last().unwrap();
    assert_eq!(
        (last.number.as_str(), last.verb.as_str(), last.state.as_str()),
        ("试科撤〔2028〕1号", "revoke", "LAB_DESIGNATION_STATE_REVOKED")
    );
    assert_ne!(revoked.document_number, "试科撤〔2028〕1号", "that is the approval's");
    assert_eq!(year.history(REVOKED).await[0].reason, "弄虚作假");
    assert_eq!(
        year.verbs(REVOKED).await,
        ["annul_evaluation EVALUATION_MISSING", "correct"]
    );

    let itself = failure(year.merge(MERGED, MERGED).await);
    assert_eq!(itself.is(), (Code::InvalidArgument, "SUCCESSOR_ITSELF"));
    let merged = year.merge(MERGED, GOOD).await.unwrap();
    assert_eq!((merged.state(), merged.end_date.as_str()), (S::Merged, "2028-04-03"));
    let lab = year.lab_now(MERGED).await;
    let successor = lab.successor.clone().unwrap();
    assert_eq!(lab.state(), OperatingState::Inactive);
    assert_eq!(
        (&successor.lab, &successor.display_name),
        (&year.labs[GOOD].name, &year.labs[GOOD].display_name)
    );
    assert_eq!(merged.successor, Some(successor));
    // Nobody takes over from its own successor.
    let circle = failure(year.merge(GOOD, MERGED).await);
    assert_eq!(circle.code, Code::InvalidArgument, "{circle:?}");
    assert_eq!(year.case(GOOD).await.state(), S::Operating);
    assert_eq!(year.lab_now(GOOD).await.state(), OperatingState::Active);
    assert_eq!(year.count(S::Operating).await, 23);
}
