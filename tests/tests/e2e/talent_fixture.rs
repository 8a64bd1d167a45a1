//! Fixture of designations of persons: a programme, a draft, and each verb by itself.

use mingce_e2e::Register;
use mingce_e2e::cases::{Terms, cap, load, notice_of, open, policy, round};
use mingce_proto::registry::{
    AssignReviewerRequest, CaseKind, CaseVerb, ClosePanelRequest, CreatePanelRequest, DueKind, DueWork, Level,
    ListDueWorkRequest, OrganizationReference, Panel, Policy, Recommended, Review, ReviewSheet, Round, Score,
    SubmitReviewRequest, TalentDesignationTerms,
};
use mingce_proto::talent::{
    AcceptTalentDesignationRequest, ApproveTalentDesignationRequest, CreateProgrammeRequest,
    CreateTalentDesignationRequest, GetTalentDesignationRequest, Programme, ProgrammeKind, ProgrammeReference,
    PublishNoticeOfTalentDesignationRequest, SubmitTalentDesignationRequest, Talent, TalentDesignation,
};
use tonic::{Response, Status};

use crate::builders::{identifier, person};

/// Terms without a review: two years, assessed after one.
pub fn terms() -> TalentDesignationTerms {
    TalentDesignationTerms {
        notice: notice_of(5),
        term_months: 24,
        midterm_months: 12,
        max_age: 45,
        ..TalentDesignationTerms::default()
    }
}

/// A policy with these terms, and a municipal round of the spring of 2024 under it.
pub async fn spring(register: &Register, terms: TalentDesignationTerms) -> (Policy, Round) {
    let policy = load(register, policy("2024.1", "2024-01-01", Terms::Talent(terms))).await;
    let round = Round {
        caps: vec![cap("", 20)],
        ..round(
            CaseKind::TalentDesignation,
            Level::Municipal,
            "2024-03-01",
            "2024-04-30",
        )
    };
    (policy, open(register, round).await)
}

/// A municipal programme of a family.
pub async fn programme(register: &Register, code: &str, family: &str) -> Programme {
    let programme = Programme {
        display_name: format!("虚构的人才计划{code}"),
        code: code.to_owned(),
        kind: ProgrammeKind::LeadingTalent as i32,
        level: Level::Municipal as i32,
        family: family.to_owned(),
        ..Programme::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(programme),
        ..CreateProgrammeRequest::default()
    };
    register.talent().create_programme(request).await.unwrap().into_inner()
}

/// An invented person who was born in 1985.
pub async fn applicant(register: &Register, display_name: &str) -> Talent {
    let talent = Talent {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(display_name)],
        birth_date: "1985-05-05".to_owned(),
        ..Talent::default()
    };
    person(register, talent).await
}

/// The request that begins a designation under the programme with this code.
pub fn begins(talent: &str, code: &str, round: &str) -> CreateTalentDesignationRequest {
    let designation = TalentDesignation {
        programme: Some(ProgrammeReference {
            code: code.to_owned(),
            ..ProgrammeReference::default()
        }),
        issuer: "虚构市科学技术局".to_owned(),
        ..TalentDesignation::default()
    };
    CreateTalentDesignationRequest {
        parent: talent.to_owned(),
        talent_designation: Some(designation),
        round: round.to_owned(),
        ..CreateTalentDesignationRequest::default()
    }
}

/// A draft for a person who is employed somewhere.
pub async fn draft(register: &Register, talent: &str, code: &str, round: &str, employer: &str) -> TalentDesignation {
    let mut request = begins(talent, code, round);
    request.talent_designation.as_mut().unwrap().employer = (!employer.is_empty()).then(|| OrganizationReference {
        organization: employer.to_owned(),
        ..OrganizationReference::default()
    });
    let answer = register.talent_cases().create_talent_designation(request).await;
    answer.unwrap().into_inner()
}

/// The designation as it stands, with its verbs.
pub async fn stands(register: &Register, name: &str) -> TalentDesignation {
    let request = GetTalentDesignationRequest {
        name: name.to_owned(),
        ..GetTalentDesignationRequest::default()
    };
    register
        .talent()
        .get_talent_designation(request)
        .await
        .unwrap()
        .into_inner()
}

/// What each verb is blocked by; an open one by nothing.
pub fn said(verbs: &[CaseVerb]) -> Vec<(&str, Vec<&str>)> {
    let blockers = |verb: &'_ CaseVerb| verb.open == verb.blockers.is_empty();
    assert!(verbs.iter().all(blockers), "{verbs:?}");
    verbs
        .iter()
        .map(|verb| {
            let reasons = verb.blockers.iter().map(|blocker| blocker.reason.as_str()).collect();
            (verb.verb.as_str(), reasons)
        })
        .collect()
}

/// Submits it.
pub async fn submit(register: &Register, name: &str) -> Result<Response<TalentDesignation>, Status> {
    let request = SubmitTalentDesignationRequest {
        name: name.to_owned(),
        ..SubmitTalentDesignationRequest::default()
    };
    register.talent_cases().submit_talent_designation(request).await
}

/// Accepts it for review.
pub async fn accept(register: &Register, name: &str) -> Result<Response<TalentDesignation>, Status> {
    let request = AcceptTalentDesignationRequest {
        name: name.to_owned(),
        ..AcceptTalentDesignationRequest::default()
    };
    register.talent_cases().accept_talent_designation(request).await
}

/// Begins its notice.
pub async fn publish(register: &Register, name: &str) -> Result<Response<TalentDesignation>, Status> {
    let request = PublishNoticeOfTalentDesignationRequest {
        name: name.to_owned(),
        ..PublishNoticeOfTalentDesignationRequest::default()
    };
    let mut client = register.talent_cases();
    client.publish_notice_of_talent_designation(request).await
}

/// The request that approves it.
pub fn approves(name: &str) -> ApproveTalentDesignationRequest {
    ApproveTalentDesignationRequest {
        name: name.to_owned(),
        document_number: "虚构科〔2024〕7号".to_owned(),
        ..ApproveTalentDesignationRequest::default()
    }
}

/// Approves it.
pub async fn approve(register: &Register, name: &str) -> Result<Response<TalentDesignation>, Status> {
    register.talent_cases().approve_talent_designation(approves(name)).await
}

/// A draft on its way until its notice runs.
pub async fn on_notice(register: &Register, talent: &str, code: &str, round: &str) -> String {
    let name = draft(register, talent, code, round, "").await.name;
    submit(register, &name).await.unwrap();
    accept(register, &name).await.unwrap();
    publish(register, &name).await.unwrap();
    name
}

/// What falls due of designations of persons, up to a day.
pub async fn due(register: &Register, until_date: &str) -> Vec<(String, String, DueKind)> {
    let request = ListDueWorkRequest {
        collection: "talentDesignations".to_owned(),
        until_date: until_date.to_owned(),
        ..ListDueWorkRequest::default()
    };
    let page = register.cases().list_due_work(request).await.unwrap().into_inner();
    let listed = |work: DueWork| {
        let kind = work.due();
        assert!(!work.automatic && !work.display_name.is_empty(), "{work:?}");
        (work.name, work.date, kind)
    };
    page.due_work.into_iter().map(listed).collect()
}

/// A panel over one designation.
pub async fn panel(register: &Register, name: &str) -> String {
    let request = CreatePanelRequest {
        panel: Some(Panel {
            display_name: "虚构的评审组".to_owned(),
            cases: vec![name.to_owned()],
            ..Panel::default()
        }),
        ..CreatePanelRequest::default()
    };
    register.cases().create_panel(request).await.unwrap().into_inner().name
}

/// Gives it to a reviewer, in spite of a conflict where there is a reason.
pub async fn assign(
    register: &Register,
    panel: &str,
    name: &str,
    reviewer: &str,
    override_reason: &str,
) -> Result<Response<Review>, Status> {
    let request = AssignReviewerRequest {
        panel: panel.to_owned(),
        case_name: name.to_owned(),
        reviewer: reviewer.to_owned(),
        override_reason: override_reason.to_owned(),
        ..AssignReviewerRequest::default()
    };
    register.cases().assign_reviewer(request).await
}

/// Submits a review with these points for `achievement` and `prospect`.
pub async fn score(register: &Register, review: &str, points: [i32; 2]) {
    let score = |(criterion, points): (&str, i32)| Score {
        criterion: criterion.to_owned(),
        points,
    };
    let request = SubmitReviewRequest {
        name: review.to_owned(),
        sheet: Some(ReviewSheet {
            scores: ["achievement", "prospect"].into_iter().zip(points).map(score).collect(),
            opinion: "同意".to_owned(),
            recommended: Recommended::Support as i32,
        }),
        ..SubmitReviewRequest::default()
    };
    register.cases().submit_review(request).await.unwrap();
}

/// Closes a panel.
pub async fn close(register: &Register, panel: &str) {
    let request = ClosePanelRequest {
        name: panel.to_owned(),
        ..ClosePanelRequest::default()
    };
    register.cases().close_panel(request).await.unwrap();
}
