//! Fixture of designations of labs: as far on their way as a test wants them.

use mingce_e2e::Register;
use mingce_e2e::cases::{notice_of, open, round};
use mingce_proto::labs::{
    AcceptLabDesignationRequest, ApproveLabDesignationRequest, BatchMoveLabDesignationsRequest,
    BatchMoveLabDesignationsResponse, CreateLabDesignationRequest, CreateLabRequest, GetLabDesignationRequest, Lab,
    LabDesignation, LabDesignationMove, LabHost, PublishNoticeOfLabDesignationRequest, SubmitLabDesignationRequest,
};
use mingce_proto::registry::{
    CaseKind, CaseVerb, LabDesignationTerms, Level, ListCaseRevisionsRequest, OrganizationReference, Revision, Round,
    RoundCap, View,
};
use tokio::task::JoinSet;
use tonic::Status;

use crate::builders::{made, organization};

/// The programme of the designations here.
pub const PROGRAMME: &str = "区级重点实验室";

/// Terms that ask for hardly anything: a notice of one working day, no review, no building term.
pub fn easy() -> LabDesignationTerms {
    LabDesignationTerms {
        notice: notice_of(1),
        max_failures: 2,
        excellent_score: 85,
        good_score: 75,
        qualified_score: 60,
        ..LabDesignationTerms::default()
    }
}

/// A round for labs of a district.
pub fn district(start_date: &str, end_date: &str) -> Round {
    round(CaseKind::LabDesignation, Level::District, start_date, end_date)
}

/// Opens one with these caps.
pub async fn opened(register: &Register, start_date: &str, end_date: &str, caps: &[RoundCap]) -> Round {
    let round = Round {
        caps: caps.to_vec(),
        ..district(start_date, end_date)
    };
    open(register, round).await
}

/// A lab of a host, with what else is to be known of it.
pub async fn lab(register: &Register, host: &str, lab: Lab) -> Lab {
    let host = LabHost {
        organization: Some(OrganizationReference {
            organization: host.to_owned(),
            ..OrganizationReference::default()
        }),
        ..LabHost::default()
    };
    let request = CreateLabRequest {
        lab: Some(Lab {
            hosts: vec![host],
            ..lab
        }),
        ..CreateLabRequest::default()
    };
    register.labs().create_lab(request).await.unwrap().into_inner()
}

/// The request that begins a designation of a lab in a round.
pub fn begin(lab: &Lab, round: &Round) -> CreateLabDesignationRequest {
    CreateLabDesignationRequest {
        parent: lab.name.clone(),
        lab_designation: Some(LabDesignation {
            level: round.level,
            programme: PROGRAMME.to_owned(),
            ..LabDesignation::default()
        }),
        round: round.name.clone(),
        ..CreateLabDesignationRequest::default()
    }
}

/// A draft of a lab of its own in a round.
pub async fn draft(register: &Register, display_name: &str, round: &Round) -> LabDesignation {
    let host = made(register, organization(&format!("{display_name}的依托单位"))).await;
    let named = Lab {
        display_name: display_name.to_owned(),
        ..Lab::default()
    };
    let lab = lab(register, &host.name, named).await;
    let begun = register.lab_cases().create_lab_designation(begin(&lab, round)).await;
    begun.unwrap().into_inner()
}

/// The names of many drafts in a round, made at once.
pub async fn drafts(register: &Register, count: usize, round: &Round) -> Vec<String> {
    let host = made(register, organization("试用大学")).await;
    let (labs, cases) = (register.labs(), register.lab_cases());
    let mut making = JoinSet::new();
    for number in 0..count {
        let (mut labs, mut cases, round) = (labs.clone(), cases.clone(), round.clone());
        let host = LabHost {
            organization: Some(OrganizationReference {
                organization: host.name.clone(),
                ..OrganizationReference::default()
            }),
            ..LabHost::default()
        };
        making.spawn(async move {
            let request = CreateLabRequest {
                lab: Some(Lab {
                    display_name: format!("试用实验室{number:03}"),
                    hosts: vec![host],
                    ..Lab::default()
                }),
                ..CreateLabRequest::default()
            };
            let lab = labs.create_lab(request).await.unwrap().into_inner();
            let begun = cases.create_lab_designation(begin(&lab, &round)).await;
            begun.unwrap().into_inner().name
        });
    }
    let mut names = making.join_all().await;
    names.sort();
    names
}

/// A designation with its verbs.
pub async fn get(register: &Register, name: &str) -> LabDesignation {
    let request = GetLabDesignationRequest {
        name: name.to_owned(),
        view: View::Full as i32,
    };
    register.labs().get_lab_designation(request).await.unwrap().into_inner()
}

/// A verb of a designation as it was read.
#[track_caller]
pub fn verb<'a>(designation: &'a LabDesignation, verb: &str) -> &'a CaseVerb {
    let found = designation.verbs.iter().find(|found| found.verb == verb);
    found.unwrap_or_else(|| panic!("{verb} does not lead on from {:?}", designation.state()))
}

/// Why a verb is not open, as it was read.
#[track_caller]
pub fn reasons<'a>(designation: &'a LabDesignation, named: &str) -> Vec<&'a str> {
    let verb = verb(designation, named);
    assert_eq!(verb.open, verb.blockers.is_empty(), "{verb:?}");
    verb.blockers.iter().map(|blocker| blocker.reason.as_str()).collect()
}

/// The request that submits it.
pub fn submit(name: &str) -> SubmitLabDesignationRequest {
    SubmitLabDesignationRequest {
        name: name.to_owned(),
        ..SubmitLabDesignationRequest::default()
    }
}

/// The request that accepts it for review.
pub fn accept(name: &str) -> AcceptLabDesignationRequest {
    AcceptLabDesignationRequest {
        name: name.to_owned(),
        ..AcceptLabDesignationRequest::default()
    }
}

/// The request that publishes it.
pub fn publish(name: &str) -> PublishNoticeOfLabDesignationRequest {
    PublishNoticeOfLabDesignationRequest {
        name: name.to_owned(),
        ..PublishNoticeOfLabDesignationRequest::default()
    }
}

/// The request that approves it.
pub fn approve(name: &str) -> ApproveLabDesignationRequest {
    ApproveLabDesignationRequest {
        name: name.to_owned(),
        document_number: "试科规〔2024〕1号".to_owned(),
        ..ApproveLabDesignationRequest::default()
    }
}

/// Tries to submit it.
pub async fn submitted(register: &Register, name: &str) -> Result<LabDesignation, Status> {
    let answer = register.lab_cases().submit_lab_designation(submit(name)).await;
    answer.map(tonic::Response::into_inner)
}

/// Submits it and accepts it for review.
pub async fn in_review(register: &Register, name: &str) -> LabDesignation {
    submitted(register, name).await.unwrap();
    let answer = register.lab_cases().accept_lab_designation(accept(name)).await;
    answer.unwrap().into_inner()
}

/// Tries to publish it.
pub async fn published(register: &Register, name: &str) -> Result<LabDesignation, Status> {
    let answer = register
        .lab_cases()
        .publish_notice_of_lab_designation(publish(name))
        .await;
    answer.map(tonic::Response::into_inner)
}

/// Tries to approve it.
pub async fn approved(register: &Register, name: &str) -> Result<LabDesignation, Status> {
    let answer = register.lab_cases().approve_lab_designation(approve(name)).await;
    answer.map(tonic::Response::into_inner)
}

/// A move of a batch.
pub trait Moved {
    /// As a move.
    fn moved(self) -> LabDesignationMove;
}

impl Moved for SubmitLabDesignationRequest {
    fn moved(self) -> LabDesignationMove {
        LabDesignationMove::from(self)
    }
}

impl Moved for AcceptLabDesignationRequest {
    fn moved(self) -> LabDesignationMove {
        LabDesignationMove::from(self)
    }
}

impl Moved for PublishNoticeOfLabDesignationRequest {
    fn moved(self) -> LabDesignationMove {
        LabDesignationMove::from(self)
    }
}

impl Moved for ApproveLabDesignationRequest {
    fn moved(self) -> LabDesignationMove {
        LabDesignationMove::from(self)
    }
}

/// Tries many moves in one call.
pub async fn batch(
    register: &Register,
    moves: Vec<LabDesignationMove>,
    atomic: bool,
) -> Result<BatchMoveLabDesignationsResponse, Status> {
    let request = BatchMoveLabDesignationsRequest { moves, atomic };
    let answer = register.lab_cases().batch_move_lab_designations(request).await;
    answer.map(tonic::Response::into_inner)
}

/// Moves all of these on by one verb, which must be done for each.
pub async fn all<M: Moved>(register: &Register, names: &[String], request: fn(&str) -> M) {
    let moves = names.iter().map(|name| request(name).moved()).collect();
    let answer = batch(register, moves, false).await.unwrap();
    let failed: Vec<_> = answer.outcomes.iter().filter(|outcome| !outcome.done).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(answer.done, i32::try_from(names.len()).unwrap());
}

/// The whole history of a policy, round, panel or review, the oldest entry first.
pub async fn history(register: &Register, name: &str) -> Vec<Revision> {
    let request = ListCaseRevisionsRequest {
        name: name.to_owned(),
        page_size: 1000,
        ..ListCaseRevisionsRequest::default()
    };
    let answer = register
        .cases()
        .list_case_revisions(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.next_page_token, "");
    let mut revisions = answer.revisions;
    revisions.reverse();
    revisions
}

/// What was done in a history, in order.
pub fn done(history: &[Revision]) -> Vec<&str> {
    history.iter().map(|revision| revision.verb.as_str()).collect()
}
