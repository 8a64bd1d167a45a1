//! What a sheet scores, when a panel closes, and what its reviews let happen to a case.

use std::collections::BTreeMap;

use mingce_e2e::cases::Clock;
use mingce_e2e::{Store, failure, on_both_stores};
use mingce_proto::labs::WithdrawLabDesignationRequest;
use mingce_proto::registry::{ClosePanelRequest, PanelState, Recommended, ReviewSheet, ReviewSummary, Score};
use tonic::Code;

use super::{
    OPINION, assign, clear, clear_one, close, is_sealed, panel, read_panel, read_review, ready, sheet, submit,
};
use crate::lab_fixture::{PROGRAMME, done, draft, get, history, in_review, published, reasons};

on_both_stores!(
    a_sheet_scores_each_criterion_once,
    a_panel_closes_when_its_reviews_are_there_and_sums_them_up,
    reviews_that_are_missing_or_too_low_keep_a_case_from_its_notice,
);

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
            let said = crate::lab_fixture::verb(&read, "publish_notice").blockers[0].clone();
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
