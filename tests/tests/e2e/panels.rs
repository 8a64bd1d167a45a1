//! Panels (专家评审): who may review, what nobody sees before a panel closes, and what its reviews say together.

use std::collections::BTreeMap;
use std::fs;

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores, wire};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::labs::{
    GetOrganizationRequest, Lab, LabDesignation, LabDirector, LabMember, LabMembership, WithdrawLabDesignationRequest,
};
use mingce_proto::registry::{
    AssignReviewerRequest, ClosePanelRequest, ComputeStatisticsRequest, Conflict, ConflictKind, CreatePanelRequest,
    Criterion, GetPanelRequest, GetReviewRequest, LabDesignationTerms, ListCaseRevisionsRequest, ListPanelsRequest,
    ListReviewsRequest, OrganizationReference, Panel, PanelState, Recommended, Review, ReviewSheet, ReviewSummary,
    ReviewTerms, Round, Score, SubmitReviewRequest, TalentReference, View,
};
use mingce_proto::talent::{Employment, MergeTalentsRequest, Talent, UpdateTalentRequest};
use prost::Message;
use tonic::{Code, Status};

use crate::designated::{
    PROGRAMME, begin, district, done, draft, easy, get, history, in_review, lab, published, reasons, submitted,
};
use crate::made::{made, merge, organization, person};

mod apart;
mod batches;

on_both_stores!(
    a_panel_is_of_cases_of_one_kind_in_review,
    a_reviewer_in_conflict_is_refused_with_each_conflict,
    a_conflict_is_overridden_with_a_reason_that_is_kept,
    a_reviewer_has_a_case_once,
    records_that_were_merged_hide_no_conflict,
    a_labs_service_alone_clears_nobody_and_says_whom_it_cannot_ask,
    what_a_reviewer_says_is_seen_nowhere_before_the_panel_closes,
    a_sheet_scores_each_criterion_once,
    a_panel_closes_when_its_reviews_are_there_and_sums_them_up,
    reviews_that_are_missing_or_too_low_keep_a_case_from_its_notice,
);

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

/// A conferred award of these persons.
async fn awarded(register: &Register, number: &str, persons: &[&str]) -> String {
    let request = CreateSchemeRequest {
        scheme: Some(Scheme {
            display_name: format!("虚构的科学奖{number}"),
            code: format!("invented-{number}"),
            ..Scheme::default()
        }),
        ..CreateSchemeRequest::default()
    };
    let scheme = register.awards().create_scheme(request).await.unwrap().into_inner();
    let contributor = |talent: &&str| Contributor {
        talent: Some(TalentReference {
            talent: (*talent).to_owned(),
            ..TalentReference::default()
        }),
        ..Contributor::default()
    };
    let award = Award {
        title: "虚构的成果".to_owned(),
        number: number.to_owned(),
        year: 2020,
        state: AwardState::Conferred as i32,
        scheme: Some(SchemeReference {
            scheme: scheme.name,
            ..SchemeReference::default()
        }),
        contributors: persons.iter().map(contributor).collect(),
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    register.awards().record_award(request).await.unwrap().into_inner().name
}

fn conflicts(why: &Failure) -> Vec<(&str, &str)> {
    assert_eq!(why.is(), (Code::FailedPrecondition, "REVIEWER_IN_CONFLICT"), "{why:?}");
    why.blockers
        .iter()
        .map(|(reason, subject)| (reason.as_str(), subject.as_str()))
        .collect()
}

async fn a_reviewer_in_conflict_is_refused_with_each_conflict(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    // Weeks later the window still begins two years before the submission, and ends today.
    clock.set("2024-04-20");
    let panel = panel(&register, &[&applicant.case.name]).await;
    let place = (panel.name.as_str(), applicant.case.name.as_str());
    let (host, member) = (applicant.host.as_str(), applicant.member.as_str());
    let elsewhere = made(&register, organization("无关大学")).await.name;

    for party in [member, &applicant.director] {
        let why = failure(assign(&register, place, party, "").await);
        assert_eq!(conflicts(&why), [("CONFLICT_PARTY", party)]);
    }
    // At the time, and not at another.
    for (start, end, is_conflict) in [
        ("2020-01-01", "", true),
        ("", "", true),
        ("2010-01-01", "2022-03-10", false),
        ("2010-01-01", "2022-03-11", true),
        ("2010", "2021", false),
        ("2010", "2022", true),
        ("2024-04-20", "", true),
        ("2024-04-21", "", false),
        ("2024-05", "", false),
    ] {
        let employments = vec![at(&elsewhere, "2000", ""), at(host, start, end)];
        let reviewer = employed(&register, "评审", employments).await;
        let answer = assign(&register, place, &reviewer, "").await;
        if is_conflict {
            let why = failure(answer);
            assert_eq!(
                conflicts(&why),
                [("CONFLICT_SAME_ORGANIZATION", host)],
                "{start} to {end}"
            );
        } else {
            let review = answer.unwrap_or_else(|why| panic!("{start} to {end}: {why:?}"));
            assert_eq!((review.conflicts, review.override_reason.as_str()), (vec![], ""));
        }
    }
    let [stranger, colleague, both] = clear(&register).await;
    let award = awarded(&register, "2020-1", &[&colleague, member]).await;
    awarded(&register, "2020-2", &[&stranger, &colleague]).await;
    let why = failure(assign(&register, place, &colleague, "").await);
    assert_eq!(conflicts(&why), [("CONFLICT_CO_CONTRIBUTOR", award.as_str())]);
    let said = format!("虚构的成果 ({award})");
    assert!(why.message.contains(&said), "{said} is not in {why:?}");
    // An award with one who has an award with a party is none with the party.
    assign(&register, place, &stranger, "").await.unwrap();

    let unknown = employed(&register, "无履历", vec![]).await;
    let why = failure(assign(&register, place, &unknown, "").await);
    assert_eq!(conflicts(&why), [("PROFILE_MISSING", unknown.as_str())]);

    // All of them are said at once.
    let second = awarded(&register, "2020-3", &[&applicant.director, &both]).await;
    let third = awarded(&register, "2020-4", &[&both, member]).await;
    let change = UpdateTalentRequest {
        talent: Some(Talent {
            name: both.clone(),
            employments: vec![at(host, "2023", "")],
            ..Talent::default()
        }),
        ..UpdateTalentRequest::default()
    };
    register.talent().update_talent(change).await.unwrap();
    let why = failure(assign(&register, place, &both, "").await);
    let mut expected = vec![
        ("CONFLICT_SAME_ORGANIZATION", host),
        ("CONFLICT_CO_CONTRIBUTOR", second.as_str()),
        ("CONFLICT_CO_CONTRIBUTOR", third.as_str()),
    ];
    let mut found = conflicts(&why);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);

    // Whom nobody knows.
    let nobody = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let why = failure(assign(&register, place, nobody, "").await);
    assert_eq!((why.code, why.resource.as_str()), (Code::NotFound, nobody), "{why:?}");
    let [free] = clear_one(&register).await;
    let why = failure(assign(&register, ("panels/01jd2k3m4n5p6q7r8s9t0v1w2x", place.1), &free, "").await);
    assert_eq!(why.code, Code::NotFound, "{why:?}");
    let other = draft(&register, "试用实验室乙", &round).await;
    let why = failure(assign(&register, (place.0, &other.name), &free, "").await);
    assert_eq!(why.is(), (Code::InvalidArgument, "CASE_OF_OTHER_PANEL"), "{why:?}");
}

async fn clear_one(register: &Register) -> [String; 1] {
    let elsewhere = made(register, organization("又一所无关大学")).await.name;
    [employed(register, "另一位评审", vec![at(&elsewhere, "2015", "")]).await]
}

async fn a_conflict_is_overridden_with_a_reason_that_is_kept(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    let panel = panel(&register, &[&applicant.case.name]).await;
    let place = (panel.name.as_str(), applicant.case.name.as_str());
    let reviewer = employed(&register, "评审", vec![at(&applicant.host, "2020", "")]).await;
    let refused = failure(assign(&register, place, &reviewer, "").await);
    assert_eq!(read_panel(&register, &panel.name).await.reviews, [""; 0]);
    let request = GetOrganizationRequest {
        name: applicant.host.clone(),
        view: 0,
    };
    let host = register.labs().get_organization(request).await.unwrap().into_inner();
    let reason = "该领域仅此一名专家，经分管领导批准";
    let review = assign(&register, place, &reviewer, reason).await.unwrap();
    let conflict = Conflict {
        kind: ConflictKind::SameOrganization as i32,
        subject: applicant.host.clone(),
        display_name: host.display_name,
    };
    let said = format!("{} ({})", conflict.display_name, conflict.subject);
    assert!(refused.message.contains(&said), "{refused:?}");
    assert_eq!(
        (review.conflicts.as_slice(), review.override_reason.as_str()),
        ([conflict.clone()].as_slice(), reason)
    );
    assert_eq!(read_review(&register, &review.name).await, review);
    assert_eq!(
        read_panel(&register, &panel.name).await.reviews,
        std::slice::from_ref(&review.name)
    );
    let entries = history(&register, &review.name).await;
    assert_eq!((done(&entries), entries[0].reason.as_str()), (vec!["assign"], reason));
    let entries = history(&register, &panel.name).await;
    assert_eq!(
        (done(&entries), entries[1].reason.as_str()),
        (vec!["create", "assign"], reason)
    );

    // Nobody is in conflict where there is none: a reason that was not needed is not kept as if it were.
    let [free] = clear(&register).await;
    let review = assign(&register, place, &free, reason).await.unwrap();
    assert_eq!((review.conflicts, review.override_reason.as_str()), (vec![], ""));
}

async fn a_reviewer_has_a_case_once(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let [one, other] = [
        draft(&register, "试用实验室甲", &round).await,
        draft(&register, "试用实验室乙", &round).await,
    ];
    in_review(&register, &one.name).await;
    in_review(&register, &other.name).await;
    let panel = panel(&register, &[&one.name, &other.name]).await;
    let [reviewer] = clear(&register).await;
    let first = assign(&register, (&panel.name, &one.name), &reviewer, "")
        .await
        .unwrap();
    assert_eq!(first.reviewer.as_ref().unwrap().display_name, "评审0");
    let why = failure(assign(&register, (&panel.name, &one.name), &reviewer, "").await);
    assert_eq!(
        (why.code, why.resource.as_str()),
        (Code::AlreadyExists, first.name.as_str()),
        "{why:?}"
    );
    // Another case is another review.
    let second = assign(&register, (&panel.name, &other.name), &reviewer, "")
        .await
        .unwrap();
    let reviews = read_panel(&register, &panel.name).await.reviews;
    assert_eq!(reviews, [first.name.clone(), second.name.clone()]);
    for (filter, count) in [
        (format!("panel = \"{}\"", panel.name), 2),
        (format!("case_name = \"{}\"", one.name), 1),
        (format!("reviewer = \"{reviewer}\""), 2),
        ("panel = \"panels/01jd2k3m4n5p6q7r8s9t0v1w2x\"".to_owned(), 0),
    ] {
        let request = ListReviewsRequest {
            filter: filter.clone(),
            ..ListReviewsRequest::default()
        };
        let found = register
            .cases()
            .list_reviews(request)
            .await
            .unwrap()
            .into_inner()
            .reviews;
        assert_eq!(found.len(), count, "{filter}");
    }
    // Asked twice with one request id it is one.
    let [another] = clear_one(&register).await;
    let request = AssignReviewerRequest {
        panel: panel.name.clone(),
        case_name: one.name.clone(),
        reviewer: another,
        request_id: "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
        ..AssignReviewerRequest::default()
    };
    let first = register
        .cases()
        .assign_reviewer(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = register.cases().assign_reviewer(request).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_eq!(read_panel(&register, &panel.name).await.reviews.len(), 3);
}

/// No part of these bytes is what a reviewer said.
#[track_caller]
fn says_nothing(bytes: &[u8], said: &[Vec<u8>], what: &str) {
    for secret in said {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{what} holds {:?}", String::from_utf8_lossy(secret));
    }
}

/// The opinion, and the scores as they are encoded.
fn secrets(sheets: &[&ReviewSheet]) -> Vec<Vec<u8>> {
    let mut secrets = vec![OPINION.as_bytes().to_vec()];
    for sheet in sheets {
        secrets.push(sheet.encode_to_vec());
        let scores = ReviewSheet {
            scores: sheet.scores.clone(),
            ..ReviewSheet::default()
        };
        secrets.push(scores.encode_to_vec());
    }
    secrets
}

#[track_caller]
fn is_sealed(review: &Review) {
    assert_eq!(
        (&review.draft_sheet, &review.sheet, review.score),
        (&None, &None, 0),
        "{review:?}"
    );
}

async fn what_a_reviewer_says_is_seen_nowhere_before_the_panel_closes(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (mut register, round) = ready(store, &clock).await;
    let case = draft(&register, "试用实验室甲", &round).await;
    in_review(&register, &case.name).await;
    let panel = panel(&register, &[&case.name]).await;
    let [one, other] = clear(&register).await;
    let first = assign(&register, (&panel.name, &case.name), &one, "").await.unwrap();
    let second = assign(&register, (&panel.name, &case.name), &other, "").await.unwrap();
    let sheets = [
        sheet(83, 71, Recommended::Support),
        sheet(97, 64, Recommended::Support),
        sheet(91, 66, Recommended::Oppose),
    ];
    let said = secrets(&[&sheets[0], &sheets[1], &sheets[2]]);
    let mut answers: Vec<(&str, Vec<u8>)> = Vec::new();
    for (review, sheet) in [(&first, &sheets[0]), (&second, &sheets[1]), (&second, &sheets[2])] {
        let answer = submit(&register, &review.name, sheet.clone()).await.unwrap();
        is_sealed(&answer);
        answers.push(("SubmitReview", answer.encode_to_vec()));
        // The same request, and one that is only validated.
        let request = SubmitReviewRequest {
            name: review.name.clone(),
            sheet: Some(sheet.clone()),
            request_id: format!("0192f3a4-5b6c-7d8e-9f01-{:012}", answers.len()),
            ..SubmitReviewRequest::default()
        };
        let dry = SubmitReviewRequest {
            validate_only: true,
            ..request.clone()
        };
        for request in [dry, request.clone(), request] {
            let answer = register.cases().submit_review(request).await.unwrap().into_inner();
            answers.push(("SubmitReview", answer.encode_to_vec()));
        }
    }
    for name in [&first.name, &second.name] {
        let read = read_review(&register, name).await;
        is_sealed(&read);
        answers.push(("GetReview", read.encode_to_vec()));
    }
    for view in [View::Basic, View::Full] {
        let request = ListReviewsRequest {
            view: view as i32,
            include_total_size: true,
            ..ListReviewsRequest::default()
        };
        let listed = register.cases().list_reviews(request).await.unwrap().into_inner();
        assert_eq!(listed.reviews.len(), 2);
        listed.reviews.iter().for_each(is_sealed);
        answers.push(("ListReviews", listed.encode_to_vec()));
    }
    for name in [&first.name, &second.name, &panel.name] {
        let request = ListCaseRevisionsRequest {
            name: name.clone(),
            ..ListCaseRevisionsRequest::default()
        };
        let listed = register
            .cases()
            .list_case_revisions(request)
            .await
            .unwrap()
            .into_inner();
        assert!(listed.revisions.len() >= 2, "{listed:?}");
        answers.push(("ListCaseRevisions", listed.encode_to_vec()));
    }
    let read = read_panel(&register, &panel.name).await;
    assert_eq!(
        (read.summaries.as_slice(), read.state()),
        ([].as_slice(), PanelState::Open)
    );
    answers.push(("GetPanel", read.encode_to_vec()));
    let case = get(&register, &case.name).await;
    let facts = case.case.as_ref().unwrap();
    assert_eq!((facts.panel.as_str(), facts.reviews, facts.review_score), ("", 0, 0));
    answers.push(("GetLabDesignation", case.encode_to_vec()));
    let request = ListCaseRevisionsRequest {
        name: case.name.clone(),
        ..ListCaseRevisionsRequest::default()
    };
    // The history of the case is that of its service.
    assert_eq!(
        failure(register.cases().list_case_revisions(request).await).is(),
        (Code::InvalidArgument, "NAME_WRONG_KIND")
    );
    for (what, answer) in &answers {
        says_nothing(answer, &said, what);
    }
    // Neither can it be found out by asking for those that have a score.
    for filter in [
        "score > 0",
        "score = 8300",
        "sheet:*",
        "draft_sheet:*",
        "draft_sheet.opinion = \"\"",
    ] {
        let request = ListReviewsRequest {
            filter: filter.to_owned(),
            ..ListReviewsRequest::default()
        };
        let why = failure(register.cases().list_reviews(request).await);
        assert_eq!(why.code, Code::InvalidArgument, "{filter}: {why:?}");
    }
    for order_by in ["score", "score desc", "draft_sheet"] {
        let request = ListReviewsRequest {
            order_by: order_by.to_owned(),
            ..ListReviewsRequest::default()
        };
        let why = failure(register.cases().list_reviews(request).await);
        assert_eq!(why.code, Code::InvalidArgument, "{order_by}: {why:?}");
    }
    // Statistics do not know of them at all.
    for service in [
        "labs.v1.LabService",
        "talent.v1.TalentService",
        "awards.v1.AwardService",
    ] {
        for collection in ["reviews", "panels"] {
            let request = ComputeStatisticsRequest {
                collection: collection.to_owned(),
                ..ComputeStatisticsRequest::default()
            };
            let method = format!("mingce.{service}/ComputeStatistics");
            let why = wire::call(&register, &method, &request.encode_to_vec(), &[]).await;
            assert_eq!(failure(why).code, Code::InvalidArgument, "{service} {collection}");
        }
    }
    says_nothing(register.stderr().as_bytes(), &said, "the log");
    says_nothing(register.stdout().as_bytes(), &said, "the output");
    register.stop();
    for secret in &said {
        assert!(
            !lies_below(&register, store, secret).await,
            "{:?}",
            String::from_utf8_lossy(secret)
        );
    }
    // It was there all the time: the later of the second reviewer's.
    register.restart();
    close(&register, &panel.name).await.unwrap();
    let (one, other) = (
        read_review(&register, &first.name).await,
        read_review(&register, &second.name).await,
    );
    assert_eq!((one.sheet.as_ref(), one.score), (Some(&sheets[0]), 37 * 83 + 63 * 71));
    assert_eq!(
        (other.sheet.as_ref(), other.score),
        (Some(&sheets[2]), 37 * 91 + 63 * 66)
    );
    assert_eq!(one.draft_sheet, None);
    // What the reviewer said first stays unsaid: the history holds it masked.
    let entries = history(&register, &second.name).await;
    let old = secrets(&[&sheets[1]]).split_off(1);
    for entry in &entries {
        says_nothing(&entry.encode_to_vec(), &old, "the history after the panel");
    }
    // And the search finds what is there.
    register.stop();
    let shown = secrets(&[&sheets[0], &sheets[2]]);
    for (secrets, lies) in [(&shown, true), (&old, false)] {
        for secret in secrets {
            assert_eq!(lies_below(&register, store, secret).await, lies);
        }
    }
}

/// Whether these bytes lie in the database of a register that is stopped.
async fn lies_below(register: &Register, store: Store, secret: &[u8]) -> bool {
    if store == Store::Sqlite {
        return fs::read_dir(register.data()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(secret.len()).any(|window| window == secret)
        });
    }
    let bytes: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = String::from_utf8_lossy(secret).replace('\'', "");
    text.retain(|c| !c.is_control());
    for table in [
        "reviews",
        "reviews_values",
        "reviews_keys",
        "panels",
        "lab_designations",
        "ledger",
        "requests",
    ] {
        // A row as text shows its bytes in hexadecimal.
        let query = format!(
            "SELECT count(*) FROM {table} t WHERE strpos(t::text, '{bytes}') > 0 OR strpos(t::text, '{text}') > 0"
        );
        if register.number(&query).await > 0 {
            return true;
        }
    }
    false
}

async fn a_sheet_scores_each_criterion_once(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let case = draft(&register, "试用实验室甲", &round).await;
    in_review(&register, &case.name).await;
    let panel = panel(&register, &[&case.name]).await;
    let [reviewer] = clear(&register).await;
    let review = assign(&register, (&panel.name, &case.name), &reviewer, "")
        .await
        .unwrap();
    let good = sheet(80, 70, Recommended::Support);
    let score = |criterion: &str, points| Score {
        criterion: criterion.to_owned(),
        points,
    };
    for scores in [
        vec![],
        vec![score("research", 80)],
        vec![score("research", 80), score("research", 70)],
        vec![score("research", 80), score("team", 70), score("team", 70)],
        vec![score("research", 80), score("teams", 70)],
        vec![score("research", 80), score("team", 70), score("conditions", 1)],
    ] {
        let wrong = ReviewSheet { scores, ..good.clone() };
        let why = failure(submit(&register, &review.name, wrong.clone()).await);
        assert_eq!(
            why.is(),
            (Code::InvalidArgument, "SCORES_DIFFER_FROM_CRITERIA"),
            "{wrong:?}: {why:?}"
        );
        assert_eq!(why.fields, ["sheet.scores"]);
    }
    // It would be shown when the panel closes, and no text of the register holds it.
    let unseen = ReviewSheet {
        opinion: "同意\0".to_owned(),
        ..good.clone()
    };
    let why = failure(submit(&register, &review.name, unseen).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "TEXT_HOLDS_NUL"), "{why:?}");
    for wrong in [
        ReviewSheet {
            scores: vec![score("research", 101), score("team", 70)],
            ..good.clone()
        },
        ReviewSheet {
            scores: vec![score("research", -1), score("team", 70)],
            ..good.clone()
        },
        ReviewSheet {
            opinion: String::new(),
            ..good.clone()
        },
        ReviewSheet {
            recommended: 0,
            ..good.clone()
        },
    ] {
        let why = failure(submit(&register, &review.name, wrong.clone()).await);
        assert_eq!(why.code, Code::InvalidArgument, "{wrong:?}: {why:?}");
        assert!(!format!("{why:?}").contains(OPINION), "{why:?}");
    }
    let why = failure(close(&register, &panel.name).await);
    assert_eq!(why.reasons(), ["REVIEW_MISSING"], "a refused sheet is none: {why:?}");
    // In another order it is the same.
    let turned = ReviewSheet {
        scores: vec![score("team", 70), score("research", 80)],
        ..good
    };
    submit(&register, &review.name, turned).await.unwrap();
    close(&register, &panel.name).await.unwrap();
    assert_eq!(read_review(&register, &review.name).await.score, 37 * 80 + 63 * 70);
}

async fn a_panel_closes_when_its_reviews_are_there_and_sums_them_up(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let [good, weak, unread] = [
        draft(&register, "试用实验室甲", &round).await.name,
        draft(&register, "试用实验室乙", &round).await.name,
        draft(&register, "试用实验室丙", &round).await.name,
    ];
    for name in [&good, &weak, &unread] {
        in_review(&register, name).await;
    }
    let panel = panel(&register, &[&good, &weak, &unread]).await;
    let [a, b, c] = clear(&register).await;
    use Recommended::{Abstain, Oppose, Support};
    let plan = [
        // 2960 + 4410 = 7370, 3367 + 4158 = 7525, 2035 + 4851 = 6886: 21781 / 3 = 7260.33.
        (&good, &a, sheet(80, 70, Support)),
        (&good, &b, sheet(91, 66, Support)),
        (&good, &c, sheet(55, 77, Oppose)),
        // 2220 + 3150 = 5370, 2257 + 3276 = 5533: 10903 / 2 = 5451.5.
        (&weak, &a, sheet(60, 50, Abstain)),
        (&weak, &c, sheet(61, 52, Oppose)),
    ];
    let mut reviews = Vec::new();
    for (case, reviewer, _) in &plan {
        let review = assign(&register, (&panel.name, case), reviewer, "").await.unwrap();
        reviews.push(review.name);
    }
    // Two are missing, and each is named.
    for place in [0, 2, 3] {
        submit(&register, &reviews[place], plan[place].2.clone()).await.unwrap();
    }
    let why = failure(close(&register, &panel.name).await);
    assert_eq!(why.is(), (Code::FailedPrecondition, "REVIEW_MISSING"), "{why:?}");
    let said = format!("评审1 ({}) has not submitted the review of ", plan[1].1);
    assert!(why.message.contains(&said), "{said} is not in {why:?}");
    let mut missing: Vec<_> = why.blockers.clone();
    missing.sort();
    let mut expected = [1, 4].map(|place| ("REVIEW_MISSING".to_owned(), reviews[place].clone()));
    expected.sort();
    assert_eq!(missing, expected);
    assert_eq!(read_panel(&register, &panel.name).await.state(), PanelState::Open);
    for place in [1, 4] {
        submit(&register, &reviews[place], plan[place].2.clone()).await.unwrap();
    }
    let stale = ClosePanelRequest {
        name: panel.name.clone(),
        etag: panel.etag.clone(),
        ..ClosePanelRequest::default()
    };
    let why = failure(register.cases().close_panel(stale).await);
    assert_eq!(why.is(), (Code::Aborted, "ETAG_MISMATCH"), "{why:?}");
    let dry = ClosePanelRequest {
        name: panel.name.clone(),
        validate_only: true,
        ..ClosePanelRequest::default()
    };
    // Whoever may close a panel may see beforehand what would come of it, and nothing comes of that.
    register.cases().close_panel(dry).await.unwrap();
    is_sealed(&read_review(&register, &reviews[0]).await);

    let closed = close(&register, &panel.name).await.unwrap();
    assert_eq!(closed.state(), PanelState::Closed);
    let titles: BTreeMap<&str, &str> = closed
        .summaries
        .iter()
        .map(|summary| (summary.case_name.as_str(), summary.display_name.as_str()))
        .collect();
    for (name, lab) in [(&good, '甲'), (&weak, '乙'), (&unread, '丙')] {
        assert_eq!(titles[name.as_str()], format!("试用实验室{lab}·{PROGRAMME}"));
    }
    let summary = |case: &str, reviews, (mean, lowest, highest), (support, oppose)| ReviewSummary {
        display_name: titles[case].to_owned(),
        case_name: case.to_owned(),
        reviews,
        mean_score: mean,
        lowest_score: lowest,
        highest_score: highest,
        support,
        oppose,
    };
    assert_eq!(
        closed.summaries,
        [
            summary(&good, 3, (7260, 6886, 7525), (2, 1)),
            summary(&weak, 2, (5452, 5370, 5533), (0, 1)),
            summary(&unread, 0, (0, 0, 0), (0, 0)),
        ]
    );
    assert_eq!(read_panel(&register, &panel.name).await, closed);
    let scores = [7370, 7525, 6886, 5370, 5533];
    for ((review, score), (_, _, sheet)) in reviews.iter().zip(scores).zip(&plan) {
        let read = read_review(&register, review).await;
        assert_eq!((read.score, read.sheet.as_ref()), (score, Some(sheet)));
    }
    for (case, reviews, score) in [(&good, 3, 7260), (&weak, 2, 5452), (&unread, 0, 0)] {
        let facts = get(&register, case).await.case.unwrap();
        assert_eq!(
            (facts.panel.as_str(), facts.reviews, facts.review_score),
            (panel.name.as_str(), reviews, score)
        );
    }
    let entries = history(&register, &panel.name).await;
    assert_eq!(done(&entries).last(), Some(&"close"));
    assert_eq!(entries.last().unwrap().reason, "评审结束");

    // From then on it is closed.
    let [late] = clear_one(&register).await;
    let review = &reviews[0];
    for why in [
        failure(close(&register, &panel.name).await),
        failure(submit(&register, review, sheet(1, 1, Oppose)).await),
        failure(assign(&register, (&panel.name, &good), &late, "").await),
    ] {
        assert_eq!(why.is(), (Code::FailedPrecondition, "PANEL_CLOSED"), "{why:?}");
        assert_eq!(why.resource, panel.name);
    }
    assert_eq!(read_review(&register, review).await.score, 7370);
    assert_eq!(read_panel(&register, &panel.name).await, closed);
}

async fn reviews_that_are_missing_or_too_low_keep_a_case_from_its_notice(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let case = draft(&register, "试用实验室甲", &round).await.name;
    let gone = draft(&register, "试用实验室乙", &round).await.name;
    in_review(&register, &case).await;
    in_review(&register, &gone).await;
    let blocked = |expected: &'static str| {
        let (register, case) = (&register, &case);
        async move {
            let read = get(register, case).await;
            assert_eq!(reasons(&read, "publish_notice"), [expected]);
            let said = crate::designated::verb(&read, "publish_notice").blockers[0].clone();
            let why = failure(published(register, case).await);
            assert_eq!(why.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{why:?}");
            assert_eq!(why.blockers, [(expected.to_owned(), case.clone())]);
            said
        }
    };
    blocked("REVIEWS_MISSING").await;
    let [a, b] = clear(&register).await;
    // One review is too few, however good.
    let first = panel(&register, &[&case, &gone]).await;
    let review = assign(&register, (&first.name, &case), &a, "").await.unwrap();
    submit(&register, &review.name, sheet(100, 100, Recommended::Support))
        .await
        .unwrap();
    blocked("REVIEWS_MISSING").await;
    // A case of the panel that is withdrawn meanwhile does not keep the panel open.
    let withdraw = WithdrawLabDesignationRequest {
        name: gone.clone(),
        ..WithdrawLabDesignationRequest::default()
    };
    register.lab_cases().withdraw_lab_designation(withdraw).await.unwrap();
    close(&register, &first.name).await.unwrap();
    let said = blocked("REVIEWS_MISSING").await;
    assert!(said.description.contains("1 of 2"), "{said:?}");
    assert!(
        said.description_zh.contains('1') && said.description_zh.contains('2'),
        "{said:?}"
    );
    // Two that are too low: (60, 60) and (60, 59) are 6000 and 5937 hundredths, 5968.5 on average.
    let second = panel(&register, &[&case]).await;
    for (reviewer, team) in [(&a, 60), (&b, 59)] {
        let review = assign(&register, (&second.name, &case), reviewer, "").await.unwrap();
        submit(&register, &review.name, sheet(60, team, Recommended::Oppose))
            .await
            .unwrap();
    }
    blocked("REVIEWS_MISSING").await;
    close(&register, &second.name).await.unwrap();
    let said = blocked("SCORE_TOO_LOW").await;
    assert!(
        said.description.contains("59.69") && said.description.contains("60.00"),
        "{said:?}"
    );
    // A third panel with just enough.
    let third = panel(&register, &[&case]).await;
    for reviewer in [&a, &b] {
        let review = assign(&register, (&third.name, &case), reviewer, "").await.unwrap();
        submit(&register, &review.name, sheet(60, 60, Recommended::Support))
            .await
            .unwrap();
    }
    close(&register, &third.name).await.unwrap();
    let read = get(&register, &case).await;
    assert_eq!(reasons(&read, "publish_notice"), [""; 0]);
    assert_eq!(read.case.unwrap().panel, third.name);
    published(&register, &case).await.unwrap();
}

async fn records_that_were_merged_hide_no_conflict(store: Store) {
    let clock = Clock::on("2024-03-11");
    let (register, round) = ready(store, &clock).await;
    let applicant = applicant(&register, &round).await;
    let panel = panel(&register, &[&applicant.case.name]).await;
    let place = (panel.name.as_str(), applicant.case.name.as_str());
    let [double, colleague, director, older, newer, free] = clear(&register).await;
    let merged = async |name: &str, survivor: &str| {
        let request = MergeTalentsRequest {
            name: name.to_owned(),
            survivor: survivor.to_owned(),
            reason: "同一人".to_owned(),
            ..MergeTalentsRequest::default()
        };
        register.talent().merge_talents(request).await.unwrap();
    };
    let refused = async |reviewer: &str| failure(assign(&register, place, reviewer, "").await);

    // Who was merged into a party is a party, and an award with them is one with the party.
    let award = awarded(&register, "2020-1", &[&double, &colleague]).await;
    merged(&double, &applicant.member).await;
    assert_eq!(
        conflicts(&refused(&double).await),
        [("CONFLICT_PARTY", applicant.member.as_str())]
    );
    assert_eq!(
        conflicts(&refused(&colleague).await),
        [("CONFLICT_CO_CONTRIBUTOR", award.as_str())]
    );
    // So is the one into whom a party was merged.
    merged(&applicant.director, &director).await;
    assert_eq!(
        conflicts(&refused(&director).await),
        [("CONFLICT_PARTY", director.as_str())]
    );
    // An award that a record has which was merged into the reviewer's.
    let award = awarded(&register, "2020-2", &[&older, &applicant.member]).await;
    merged(&older, &newer).await;
    for name in [&older, &newer] {
        assert_eq!(
            conflicts(&refused(name).await),
            [("CONFLICT_CO_CONTRIBUTOR", award.as_str())]
        );
    }
    // The same of organizations, whichever of the two stays.
    let short = made(&register, organization("海大")).await.name;
    let reviewer = employed(&register, "评审", vec![at(&short, "2020", "")]).await;
    let request = merge(&short, &applicant.host);
    register.labs().merge_organizations(request).await.unwrap();
    let host = applicant.host.as_str();
    assert_eq!(
        conflicts(&refused(&reviewer).await),
        [("CONFLICT_SAME_ORGANIZATION", host)]
    );
    let wide = made(&register, organization("海滨综合大学")).await.name;
    register.labs().merge_organizations(merge(host, &wide)).await.unwrap();
    let other = employed(&register, "评审", vec![at(&wide, "2020", "")]).await;
    for reviewer in [&reviewer, &other] {
        assert_eq!(
            conflicts(&refused(reviewer).await),
            [("CONFLICT_SAME_ORGANIZATION", wide.as_str())]
        );
    }
    // Whom nothing keeps from it reviews as the one record that is left, and once.
    let [twin] = clear_one(&register).await;
    merged(&twin, &free).await;
    let review = assign(&register, place, &twin, "").await.unwrap();
    assert_eq!(review.reviewer.unwrap().talent, free);
    let why = refused(&free).await;
    assert_eq!(
        (why.code, why.resource),
        (Code::AlreadyExists, review.name),
        "{:?}",
        why.reason
    );
}

async fn a_labs_service_alone_clears_nobody_and_says_whom_it_cannot_ask(store: Store) {
    let clock = Clock::on("2024-03-11");
    let nobody = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let clock_file = clock.path();
    let mut flags = vec!["labs", "--clock", &clock_file];
    for is_told in [false, true] {
        if is_told {
            // Nothing listens there.
            flags.extend([
                "--talent-url",
                "http://127.0.0.1:9",
                "--awards-url",
                "http://127.0.0.1:9",
            ]);
        }
        let register = Register::start_with(store, &flags).await;
        load(&register, policy("1", "2024-01-01", Terms::Lab(reviewed()))).await;
        let round = open(&register, district("2024-03-10", "2024-12-20")).await;
        let case = draft(&register, "试用实验室甲", &round).await.name;
        in_review(&register, &case).await;
        let panel = panel(&register, &[&case]).await;
        let answer = assign(&register, (&panel.name, &case), nobody, "").await;
        let why = failure(answer);
        if is_told {
            assert_eq!(why.code, Code::Unavailable, "{why:?}");
            assert!(why.message.contains("talent"), "{why:?}");
            // A reason makes up for a conflict, not for an answer that is missing.
            let why = failure(assign(&register, (&panel.name, &case), nobody, "急需").await);
            assert_eq!(why.code, Code::Unavailable, "{why:?}");
        } else {
            // What is not set here says nothing of a person, and a reason does not make up for it.
            let with_reason = failure(assign(&register, (&panel.name, &case), nobody, "急需").await);
            for why in [why, with_reason] {
                assert_eq!(why.is(), (Code::FailedPrecondition, "PEER_NOT_CONFIGURED"), "{why:?}");
                assert!(why.message.contains("--talent-url"), "{why:?}");
            }
        }
    }
}
