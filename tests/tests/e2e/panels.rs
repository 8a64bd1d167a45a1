//! Panels (专家评审): who may review, what nobody sees before a panel closes, and what its reviews say together.

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{Lab, LabDesignation, LabDirector, LabMember, LabMembership};
use mingce_proto::registry::{
    AssignReviewerRequest, ClosePanelRequest, CreatePanelRequest, Criterion, GetPanelRequest, GetReviewRequest,
    LabDesignationTerms, ListPanelsRequest, OrganizationReference, Panel, PanelState, Recommended, Review, ReviewSheet,
    ReviewTerms, Round, Score, SubmitReviewRequest, TalentReference, View,
};
use mingce_proto::talent::{Employment, Talent};
use tonic::{Code, Status};

use crate::builders::{made, organization, person};
use crate::lab_fixture::{begin, district, draft, easy, in_review, lab, submitted};

mod assignments;
mod batches;
mod closing;
mod confidentiality;
mod separate_deployment;

on_both_stores!(a_panel_is_of_cases_of_one_kind_in_review);

/// Two reviews with 60 points on average, of two criteria that weigh 37 and 63.
fn reviewed() -> LabDesignationTerms {
    let criterion = |code: &str, weight_percent| Criterion {
        code: code.to_owned(),
        display_name: code.to_owned(),
        weight_percent,
    };
    LabDesignationTerms {
        review: Some(ReviewTerms {
            min_reviews: 2,
            min_score: 6000,
            criteria: vec![criterion("research", 37), criterion("team", 63)],
            employment_months: 24,
        }),
        ..easy()
    }
}

/// A register on 2024-03-11 with that policy, and a round.
async fn ready(store: Store, clock: &Clock) -> (Register, Round) {
    let register = Register::start_at(store, clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(reviewed()))).await;
    let round = open(&register, district("2024-03-10", "2024-12-20")).await;
    (register, round)
}

fn at(organization: &str, start_date: &str, end_date: &str) -> Employment {
    Employment {
        organization: Some(OrganizationReference {
            organization: organization.to_owned(),
            ..OrganizationReference::default()
        }),
        start_date: start_date.to_owned(),
        end_date: end_date.to_owned(),
        ..Employment::default()
    }
}

/// A person with these employments.
async fn employed(register: &Register, display_name: &str, employments: Vec<Employment>) -> String {
    let talent = Talent {
        display_name: display_name.to_owned(),
        employments,
        ..Talent::default()
    };
    person(register, talent).await.name
}

/// Persons whom nothing keeps from reviewing.
async fn clear<const N: usize>(register: &Register) -> [String; N] {
    let elsewhere = made(register, organization("无关大学")).await.name;
    let mut names = Vec::with_capacity(N);
    for number in 0..N {
        let employments = vec![at(&elsewhere, "2015-09", "")];
        names.push(employed(register, &format!("评审{number}"), employments).await);
    }
    names.try_into().unwrap()
}

fn panel_of(cases: &[&str]) -> CreatePanelRequest {
    CreatePanelRequest {
        panel: Some(Panel {
            display_name: "2024年第一批评审组".to_owned(),
            cases: cases.iter().map(|&name| name.to_owned()).collect(),
            ..Panel::default()
        }),
        ..CreatePanelRequest::default()
    }
}

async fn panel(register: &Register, cases: &[&str]) -> Panel {
    let answer = register.cases().create_panel(panel_of(cases)).await;
    answer.unwrap().into_inner()
}

async fn read_panel(register: &Register, name: &str) -> Panel {
    let request = GetPanelRequest {
        name: name.to_owned(),
        view: View::Full as i32,
    };
    register.cases().get_panel(request).await.unwrap().into_inner()
}

async fn read_review(register: &Register, name: &str) -> Review {
    let request = GetReviewRequest {
        name: name.to_owned(),
        view: View::Full as i32,
    };
    register.cases().get_review(request).await.unwrap().into_inner()
}

async fn assign(
    register: &Register,
    (panel, case_name): (&str, &str),
    reviewer: &str,
    override_reason: &str,
) -> Result<Review, Status> {
    let request = AssignReviewerRequest {
        panel: panel.to_owned(),
        case_name: case_name.to_owned(),
        reviewer: reviewer.to_owned(),
        override_reason: override_reason.to_owned(),
        ..AssignReviewerRequest::default()
    };
    let answer = register.cases().assign_reviewer(request).await;
    answer.map(tonic::Response::into_inner)
}

fn sheet(research: i32, team: i32, recommended: Recommended) -> ReviewSheet {
    let score = |criterion: &str, points| Score {
        criterion: criterion.to_owned(),
        points,
    };
    ReviewSheet {
        scores: vec![score("research", research), score("team", team)],
        opinion: OPINION.to_owned(),
        recommended: recommended as i32,
    }
}

/// What no answer and no byte may hold before a panel closes.
const OPINION: &str = "七彩的评审意见，谁也不该先看到";

async fn submit(register: &Register, review: &str, sheet: ReviewSheet) -> Result<Review, Status> {
    let request = SubmitReviewRequest {
        name: review.to_owned(),
        sheet: Some(sheet),
        ..SubmitReviewRequest::default()
    };
    let answer = register.cases().submit_review(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn close(register: &Register, panel: &str) -> Result<Panel, Status> {
    let request = ClosePanelRequest {
        name: panel.to_owned(),
        reason: "评审结束".to_owned(),
        ..ClosePanelRequest::default()
    };
    let answer = register.cases().close_panel(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn a_panel_is_of_cases_of_one_kind_in_review(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let one = draft(&register, "试用实验室甲", &round).await;
    let other = draft(&register, "试用实验室乙", &round).await;
    let refused = |cases: Vec<String>| {
        let mut client = register.cases();
        async move {
            let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
            failure(client.create_panel(panel_of(&cases)).await)
        }
    };
    let why = refused(vec![one.name.clone()]).await;
    assert_eq!(why.is(), (Code::FailedPrecondition, "STATE_WRONG"), "{why:?}");
    assert_eq!(why.resource, one.name);
    in_review(&register, &one.name).await;
    // One of two is not in review.
    submitted(&register, &other.name).await.unwrap();
    let why = refused(vec![one.name.clone(), other.name.clone()]).await;
    assert_eq!(why.is(), (Code::FailedPrecondition, "STATE_WRONG"), "{why:?}");
    assert_eq!(why.resource, other.name);
    for (cases, code, reason) in [
        (vec![], Code::InvalidArgument, ""),
        (vec![one.name.clone(), one.name.clone()], Code::InvalidArgument, ""),
        (
            vec![one.name.clone(), "awards/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned()],
            Code::InvalidArgument,
            "CASES_OF_SEVERAL_KINDS",
        ),
        (
            vec!["labs/01jd2k3m4n5p6q7r8s9t0v1w2x/designations/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned()],
            Code::NotFound,
            "",
        ),
    ] {
        let why = refused(cases.clone()).await;
        assert_eq!(why.code, code, "{cases:?}: {why:?}");
        assert!(reason.is_empty() || why.reason == reason, "{cases:?}: {why:?}");
    }
    // By other criteria.
    let mut terms = reviewed();
    terms.review.as_mut().unwrap().criteria[0].weight_percent = 38;
    terms.review.as_mut().unwrap().criteria[1].weight_percent = 62;
    let newer = load(&register, policy("2", "2024-03-01", Terms::Lab(terms))).await;
    let newer = Round {
        policy: newer.name,
        ..district("2024-03-10", "2024-12-20")
    };
    let newer = open(&register, newer).await;
    let third = draft(&register, "试用实验室丙", &newer).await;
    in_review(&register, &third.name).await;
    let why = refused(vec![one.name.clone(), third.name.clone()]).await;
    assert_eq!(why.is(), (Code::InvalidArgument, "CRITERIA_DIFFER"), "{why:?}");

    let panel = panel(&register, &[&one.name]).await;
    assert_eq!(
        (panel.state(), panel.cases.as_slice()),
        (PanelState::Open, [one.name].as_slice())
    );
    let weights: Vec<_> = panel
        .criteria
        .iter()
        .map(|c| (c.code.as_str(), c.weight_percent))
        .collect();
    assert_eq!(weights, [("research", 37), ("team", 63)]);
    let request = ListPanelsRequest {
        filter: "state = OPEN AND kind = LAB_DESIGNATION".to_owned(),
        view: View::Full as i32,
        ..ListPanelsRequest::default()
    };
    let listed = register.cases().list_panels(request).await.unwrap().into_inner().panels;
    assert_eq!(listed, [panel]);
}

/// A lab whose host and one of whose members are known, in review.
struct Applicant {
    host: String,
    member: String,
    director: String,
    case: LabDesignation,
}

async fn applicant(register: &Register, round: &Round) -> Applicant {
    let host = made(register, organization("海滨大学")).await.name;
    let home = made(register, organization("另一所大学")).await.name;
    let member = employed(register, "成员", vec![at(&home, "2012", "")]).await;
    let director = employed(register, "主任", vec![at(&home, "2012", "")]).await;
    let reference = |talent: &str| {
        Some(TalentReference {
            talent: talent.to_owned(),
            ..TalentReference::default()
        })
    };
    let made = Lab {
        display_name: "海滨实验室".to_owned(),
        members: vec![LabMember {
            person: reference(&member),
            membership: LabMembership::Visiting as i32,
            ..LabMember::default()
        }],
        directors: vec![LabDirector {
            person: reference(&director),
            ..LabDirector::default()
        }],
        ..Lab::default()
    };
    let lab = lab(register, &host, made).await;
    let begun = register.lab_cases().create_lab_designation(begin(&lab, round)).await;
    let case = in_review(register, &begun.unwrap().into_inner().name).await;
    Applicant {
        host,
        member,
        director,
        case,
    }
}

async fn clear_one(register: &Register) -> [String; 1] {
    let elsewhere = made(register, organization("又一所无关大学")).await.name;
    [employed(register, "另一位评审", vec![at(&elsewhere, "2015", "")]).await]
}

#[track_caller]
fn is_sealed(review: &Review) {
    assert_eq!(
        (&review.draft_sheet, &review.sheet, review.score),
        (&None, &None, 0),
        "{review:?}"
    );
}
