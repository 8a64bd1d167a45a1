//! April: two panels review what was accepted. What a reviewer says is sealed until the panel closes.

use mingce_e2e::failure;
use mingce_proto::labs::{LabDesignationMove, LabDesignationState as S, RejectLabDesignationRequest};
use mingce_proto::registry::{
    AssignReviewerRequest, Blocker, ClosePanelRequest, ConflictKind, CreatePanelRequest, GetPanelRequest,
    GetReviewRequest, ListCaseRevisionsRequest, ListPanelsRequest, ListPoliciesRequest, ListReviewsRequest,
    OrganizationReference, Panel, PanelState, Recommended, Review, ReviewSheet, ReviewSummary, Score,
    SimulatePolicyRequest, SubmitReviewRequest, View,
};
use mingce_proto::talent::{Employment, Talent};
use prost::Message;
use tonic::{Code, Status};

use super::applications::{GIVEN_UP, REFUSED, RETURNED};
use super::fixture::{APPLICANTS, Year, draft, moves};
use crate::builders::{made, organization, person};

/// Their scores are too low.
pub const WEAK: std::ops::Range<usize> = 35..40;
/// The case of the reviewer who works for its host.
const CONFLICT: usize = 8;
/// What stands in every opinion.
const OPINION: &str = "此意见密封至评审组结束";

/// The cases in review.
pub fn in_review() -> Vec<usize> {
    (RETURNED.start + 1..RETURNED.end)
        .chain(REFUSED.end..APPLICANTS)
        .collect()
}

fn sheet(research: i32, team: i32, recommended: Recommended) -> ReviewSheet {
    let score = |criterion: &str, points| Score {
        criterion: criterion.to_owned(),
        points,
    };
    ReviewSheet {
        scores: vec![score("research", research), score("team", team)],
        opinion: format!("{OPINION}：{research}"),
        recommended: recommended as i32,
    }
}

impl Year {
    async fn reviewer(&self, name: &str, employer: Option<&str>) -> String {
        let employments = employer.map(|employer| Employment {
            organization: Some(OrganizationReference {
                organization: employer.to_owned(),
                ..OrganizationReference::default()
            }),
            start_date: "2020-09".to_owned(),
            ..Employment::default()
        });
        let talent = Talent {
            display_name: name.to_owned(),
            employments: employments.into_iter().collect(),
            ..Talent::default()
        };
        person(&self.register, talent).await.name
    }

    async fn panel(&self, name: &str, cases: &[usize]) -> Result<Panel, Status> {
        let request = CreatePanelRequest {
            panel: Some(Panel {
                display_name: name.to_owned(),
                cases: cases.iter().map(|&case| self.cases[case].clone()).collect(),
                ..Panel::default()
            }),
            ..CreatePanelRequest::default()
        };
        let made = self.register.cases().create_panel(request).await;
        made.map(tonic::Response::into_inner)
    }

    async fn assign(&self, panel: &Panel, case: usize, reviewer: &str, reason: &str) -> Result<Review, Status> {
        let request = AssignReviewerRequest {
            panel: panel.name.clone(),
            case_name: self.cases[case].clone(),
            reviewer: reviewer.to_owned(),
            override_reason: reason.to_owned(),
            ..AssignReviewerRequest::default()
        };
        let made = self.register.cases().assign_reviewer(request).await;
        made.map(tonic::Response::into_inner)
    }

    async fn review(&self, review: &Review, sheet: ReviewSheet) {
        let request = SubmitReviewRequest {
            name: review.name.clone(),
            sheet: Some(sheet),
            ..SubmitReviewRequest::default()
        };
        let submitted = self.register.cases().submit_review(request).await.unwrap();
        expect_sealed(&submitted.into_inner());
    }

    async fn close(&self, panel: &Panel) -> Result<Panel, Status> {
        let request = ClosePanelRequest {
            name: panel.name.clone(),
            ..ClosePanelRequest::default()
        };
        let closed = self.register.cases().close_panel(request).await;
        closed.map(tonic::Response::into_inner)
    }
}

#[track_caller]
fn expect_sealed(review: &Review) {
    assert_eq!((&review.sheet, &review.draft_sheet, review.score), (&None, &None, 0));
}

#[track_caller]
fn expect_silent(message: &impl Message) {
    let bytes = message.encode_to_vec();
    let opinion = OPINION.as_bytes();
    assert!(!bytes.windows(opinion.len()).any(|part| part == opinion));
}

/// Panels, assignments, sealed reviews, summaries.
pub async fn review_all(year: &Year) {
    year.clock.set("2024-04-08");
    let refused = failure(year.panel("未受理的", &[REFUSED.start]).await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "STATE_WRONG"));
    let cases = in_review();
    let (first, second) = cases.split_at(cases.len() / 2);
    let panels = [
        year.panel("第一组", first).await.unwrap(),
        year.panel("第二组", second).await.unwrap(),
    ];
    assert_eq!(panels[0].criteria.len(), 2);
    assert_eq!(panels[0].state(), PanelState::Open);
    let far = made(&year.register, organization("试外地研究所")).await.name;
    let one = year.reviewer("评审一", Some(&far)).await;
    let two = year.reviewer("评审二", Some(&far)).await;
    let near = year.reviewer("评审三", Some(&year.hosts[0])).await;
    let unknown = year.reviewer("评审四", None).await;
    let reviews = assign_all(year, &panels, (first, second), (&one, &two)).await;
    let overridden = refuse_conflicts(year, &panels[0], &near, &unknown).await;
    submit_sealed(year, &panels, &reviews, &overridden).await;
    see_summaries(year, &panels, first, second).await;
}

async fn assign_all(
    year: &Year,
    panels: &[Panel; 2],
    (first, second): (&[usize], &[usize]),
    (one, two): (&str, &str),
) -> Vec<(usize, Review, Review)> {
    let mut reviews = Vec::new();
    for (panel, cases) in panels.iter().zip([first, second]) {
        for &case in cases {
            let by_one = year.assign(panel, case, one, "").await.unwrap();
            let by_two = year.assign(panel, case, two, "").await.unwrap();
            assert_eq!((by_one.conflicts.len(), by_one.override_reason.as_str()), (0, ""));
            reviews.push((case, by_one, by_two));
        }
    }
    reviews
}

/// Who works for the host is in conflict, and whose employments are not known is not cleared.
async fn refuse_conflicts(year: &Year, panel: &Panel, near: &str, unknown: &str) -> Review {
    let refused = failure(year.assign(panel, CONFLICT, near, "").await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "REVIEWER_IN_CONFLICT"));
    let in_the_way = ("CONFLICT_SAME_ORGANIZATION".to_owned(), year.hosts[0].clone());
    assert_eq!(refused.blockers, [in_the_way]);
    let refused = failure(year.assign(panel, CONFLICT, unknown, "").await);
    assert_eq!(refused.is(), (Code::FailedPrecondition, "REVIEWER_IN_CONFLICT"));
    assert_eq!(refused.blockers, [("PROFILE_MISSING".to_owned(), unknown.to_owned())]);
    // Of another host's lab the same person is cleared.
    let other = AssignReviewerRequest {
        panel: panel.name.clone(),
        case_name: year.cases[CONFLICT + 1].clone(),
        reviewer: near.to_owned(),
        validate_only: true,
        ..AssignReviewerRequest::default()
    };
    let cleared = year.register.cases().assign_reviewer(other).await.unwrap();
    assert_eq!(cleared.into_inner().conflicts, []);

    let reason = "该领域仅此一名专家，已公示回避情况";
    let review = year.assign(panel, CONFLICT, near, reason).await.unwrap();
    let conflicts: Vec<_> = review
        .conflicts
        .iter()
        .map(|c| (c.kind(), c.subject.as_str()))
        .collect();
    assert_eq!(conflicts, [(ConflictKind::SameOrganization, year.hosts[0].as_str())]);
    assert_eq!(review.override_reason, reason);
    let history = ListCaseRevisionsRequest {
        name: review.name.clone(),
        ..ListCaseRevisionsRequest::default()
    };
    let history = year.register.cases().list_case_revisions(history).await.unwrap();
    let history = history.into_inner().revisions;
    assert_eq!(
        (history[0].verb.as_str(), history[0].reason.as_str()),
        ("assign", reason)
    );
    review
}

/// All but one reviews are there: none of them is to be seen, the panel cannot close, and no case can go on.
async fn submit_sealed(year: &Year, panels: &[Panel; 2], reviews: &[(usize, Review, Review)], overridden: &Review) {
    for (case, by_one, by_two) in reviews {
        let weak = WEAK.contains(case);
        let (one, two) = if weak {
            (sheet(50, 50, Recommended::Oppose), sheet(60, 70, Recommended::Support))
        } else {
            (sheet(80, 90, Recommended::Support), sheet(70, 70, Recommended::Support))
        };
        year.review(by_one, one).await;
        year.review(by_two, two).await;
    }
    let case = year.case(CONFLICT).await;
    let facts = case.case.clone().unwrap();
    assert_eq!((facts.panel.as_str(), facts.reviews, facts.review_score), ("", 0, 0));
    assert_eq!(
        year.verbs(CONFLICT).await,
        ["publish_notice REVIEWS_MISSING", "reject", "withdraw"]
    );
    expect_silent(&case);
    for entry in year.history(CONFLICT).await {
        expect_silent(&entry);
    }
    let mut client = year.register.cases();
    let get = GetPanelRequest {
        name: panels[0].name.clone(),
        ..GetPanelRequest::default()
    };
    let panel = client.get_panel(get).await.unwrap().into_inner();
    assert_eq!(panel.summaries, []);
    expect_silent(&panel);
    let list = ListPanelsRequest {
        view: View::Full as i32,
        ..ListPanelsRequest::default()
    };
    for panel in client.list_panels(list).await.unwrap().into_inner().panels {
        assert_eq!(panel.summaries, []);
        expect_silent(&panel);
    }
    let list = ListReviewsRequest {
        view: View::Full as i32,
        page_size: 1000,
        ..ListReviewsRequest::default()
    };
    let all = client.list_reviews(list).await.unwrap().into_inner().reviews;
    assert_eq!(all.len(), reviews.len() * 2 + 1);
    for review in &all {
        expect_sealed(review);
        expect_silent(review);
    }
    // No filter finds a score either.
    let asked = ListReviewsRequest {
        filter: "score >= 6000".to_owned(),
        ..ListReviewsRequest::default()
    };
    assert_eq!(failure(client.list_reviews(asked).await).code, Code::InvalidArgument);
    for (_, review, _) in &reviews[..2] {
        let get = GetReviewRequest {
            name: review.name.clone(),
            view: View::Full as i32,
        };
        expect_sealed(&client.get_review(get).await.unwrap().into_inner());
        let history = ListCaseRevisionsRequest {
            name: review.name.clone(),
            ..ListCaseRevisionsRequest::default()
        };
        let history = client.list_case_revisions(history).await.unwrap().into_inner();
        let verbs: Vec<_> = history.revisions.iter().map(|entry| entry.verb.as_str()).collect();
        assert_eq!(verbs, ["submit", "assign"]);
        expect_silent(&history);
        for entry in history.revisions {
            expect_sealed(&Review::decode(entry.snapshot.unwrap().value.as_slice()).unwrap());
        }
    }
    assert!(!year.register.stderr().contains(OPINION) && !year.register.stdout().contains(OPINION));

    let missing = failure(year.close(&panels[0]).await);
    assert_eq!(missing.is(), (Code::FailedPrecondition, "REVIEW_MISSING"));
    assert_eq!(
        missing.blockers,
        [("REVIEW_MISSING".to_owned(), overridden.name.clone())]
    );
    let said = format!("has not submitted the review of {} (", year.title(CONFLICT));
    assert!(missing.message.contains(&said), "{missing:?}");
    year.review(overridden, sheet(90, 90, Recommended::Support)).await;
}

/// Closed panels show what their reviewers said, and their cases go on or not by it.
async fn see_summaries(year: &Year, panels: &[Panel; 2], first: &[usize], second: &[usize]) {
    year.clock.set("2024-04-15");
    for (panel, cases) in panels.iter().zip([first, second]) {
        let closed = year.close(panel).await.unwrap();
        assert_eq!(closed.state(), PanelState::Closed);
        for (&case, summary) in cases.iter().zip(&closed.summaries) {
            let (reviews, mean_score, lowest_score, highest_score, support, oppose) = match case {
                CONFLICT => (3, 8133, 7000, 9000, 3, 0),
                case if WEAK.contains(&case) => (2, 5700, 5000, 6400, 1, 1),
                _ => (2, 7700, 7000, 8400, 2, 0),
            };
            let expected = ReviewSummary {
                case_name: year.cases[case].clone(),
                reviews,
                mean_score,
                lowest_score,
                highest_score,
                support,
                oppose,
                display_name: year.title(case),
            };
            assert_eq!(*summary, expected, "case {case}");
        }
        let list = ListReviewsRequest {
            filter: format!("panel = \"{}\"", panel.name),
            view: View::Full as i32,
            page_size: 1000,
            ..ListReviewsRequest::default()
        };
        let reviews = year
            .register
            .cases()
            .list_reviews(list)
            .await
            .unwrap()
            .into_inner()
            .reviews;
        for review in reviews {
            assert_eq!(review.draft_sheet, None);
            assert!(review.sheet.unwrap().opinion.starts_with(OPINION) && review.score > 0);
        }
    }
    assert_eq!(
        failure(year.close(&panels[0]).await).is(),
        (Code::FailedPrecondition, "PANEL_CLOSED")
    );
    let facts = year.case(CONFLICT).await.case.unwrap();
    assert_eq!(
        (&facts.panel, facts.reviews, facts.review_score),
        (&panels[0].name, 3, 8133)
    );
    assert_eq!(year.verbs(9).await, ["publish_notice", "reject", "withdraw"]);
    assert_eq!(
        year.verbs(WEAK.start).await,
        ["publish_notice SCORE_TOO_LOW", "reject", "withdraw"]
    );
}

/// A stricter draft over the whole round: what would be decided otherwise is listed, and nothing changes.
pub async fn simulate(year: &Year) {
    let policies = || async {
        let all = ListPoliciesRequest {
            include_total_size: true,
            ..ListPoliciesRequest::default()
        };
        let page = year.register.cases().list_policies(all).await.unwrap();
        page.into_inner().total_size
    };
    let (before, loaded) = (year.all().await, policies().await);
    let request = SimulatePolicyRequest {
        policy: Some(draft()),
        round: year.round.name.clone(),
        ..SimulatePolicyRequest::default()
    };
    let answer = year
        .register
        .cases()
        .simulate_policy(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(usize::try_from(answer.cases).unwrap(), year.cases.len());
    // Reasons for machines, in the order of the sentences for people beside them.
    type Reasons<'a> = &'a [(&'a str, &'a str)];
    let stands = |reasons: Reasons<'_>| match reasons {
        [] => "open".to_owned(),
        some => some.iter().map(|(reason, _)| *reason).collect::<Vec<_>>().join(","),
    };
    let owned = |reasons: Reasons<'_>| -> Vec<(String, String)> {
        let owned = reasons
            .iter()
            .map(|(reason, said)| ((*reason).to_owned(), (*said).to_owned()));
        owned.collect()
    };
    let difference = |case: usize, decision: &str, before: Reasons<'_>, after: Reasons<'_>| {
        let (name, title) = (year.cases[case].clone(), year.title(case));
        let (decision, in_words) = (decision.to_owned(), (owned(before), owned(after)));
        (name, title, decision, stands(before), stands(after), in_words)
    };
    let mut expected = Vec::new();
    for case in in_review() {
        let mean = match case {
            CONFLICT => "81.33",
            case if WEAK.contains(&case) => "57.00",
            _ => "77.00",
        };
        let low = |least: &str| format!("the mean score is {mean}, {least} are needed");
        let (now, then) = (low("60.00"), low("90.00"));
        let now = WEAK.contains(&case).then_some(("SCORE_TOO_LOW", now.as_str()));
        let now: Vec<_> = now.into_iter().collect();
        expected.push(difference(case, "publish_notice", &now, &[("SCORE_TOO_LOW", &then)]));
    }
    let few = ("TOO_FEW_FIXED_MEMBERS", "2 fixed members, at least 3 are needed");
    let late = ("RESUBMISSION_LATE", "the deadline for resubmission was 2024-03-22");
    expected.push(difference(APPLICANTS, "submit", &[], &[few]));
    expected.push(difference(GIVEN_UP, "submit", &[late], &[late, few]));
    let in_words = |blockers: Vec<Blocker>| -> Vec<(String, String)> {
        blockers.into_iter().map(|b| (b.reason, b.description)).collect()
    };
    let found = answer.differences.into_iter().map(|d| {
        let said = (in_words(d.before_blockers), in_words(d.after_blockers));
        (d.name, d.display_name, d.decision, d.before, d.after, said)
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!((year.all().await, policies().await), (before, loaded));
}

/// The weak ones are rejected by one call.
pub async fn reject_weak(year: &Year) {
    let reject = |name| {
        LabDesignationMove::from(RejectLabDesignationRequest {
            name,
            reason: "评审平均分不足".to_owned(),
            ..RejectLabDesignationRequest::default()
        })
    };
    year.all_done(moves(&year.cases[WEAK], reject)).await;
    assert_eq!(year.count(S::Rejected).await, WEAK.len());
    assert_eq!(year.count(S::InReview).await, in_review().len() - WEAK.len());
}
