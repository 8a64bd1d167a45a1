//! Cases in the order of their scores: a column of lists, and the ranking of a round.

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::ListAwardsRequest;
use mingce_proto::labs::ListLabDesignationsRequest;
use mingce_proto::registry::{
    Criterion, ListRankingRequest, ListRankingResponse, RankedCase, ReviewTerms, TalentDesignationTerms,
};
use mingce_proto::talent::ListTalentDesignationsRequest;
use tonic::{Code, Status};

use crate::award_fixture;
use crate::lab_fixture::{batch, district, draft, in_review, published};
use crate::policy_replay::{reviewed, scored};
use crate::talent_fixture;

on_both_stores!(
    a_round_is_ranked_with_ties_page_by_page,
    every_kind_that_is_reviewed_is_found_by_its_score,
    scores_of_an_earlier_version_are_there_after_migrate,
);

async fn ranking(
    register: &Register,
    round: &str,
    page_size: i32,
    page_token: &str,
) -> Result<ListRankingResponse, Status> {
    let request = ListRankingRequest {
        round: round.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let answer = register.cases().list_ranking(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn whole(register: &Register, round: &str, page_size: i32) -> Vec<RankedCase> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let page = ranking(register, round, page_size, &token).await.unwrap();
        assert!(page_size == 0 || page.cases.len() <= usize::try_from(page_size).unwrap());
        all.extend(page.cases);
        token = page.next_page_token;
        if token.is_empty() {
            return all;
        }
    }
}

async fn labs(register: &Register, filter: &str) -> Result<Vec<String>, Status> {
    let request = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: filter.to_owned(),
        order_by: "review_score desc".to_owned(),
        page_size: 2,
        ..ListLabDesignationsRequest::default()
    };
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListLabDesignationsRequest {
            page_token: token,
            ..request.clone()
        };
        let page = register.labs().list_lab_designations(request).await?.into_inner();
        all.extend(page.lab_designations.into_iter().map(|one| one.name));
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(all);
        }
    }
}

/// A round of five labs with 95, 91, 91 and 80 points, and one that nobody has reviewed yet.
async fn five(store: Store, clock: &Clock) -> (Register, String, Vec<String>) {
    let register = Register::start_at(store, clock).await;
    load(&register, policy("1", "2024-01-01", Terms::Lab(reviewed()))).await;
    let mut terms = reviewed();
    terms.min_area_square_metres = 0;
    load(&register, policy("2", "2024-02-01", Terms::Lab(terms))).await;
    let round = open(&register, district("2024-03-01", "2024-12-31")).await;
    let mut names = Vec::new();
    for title in ["甲", "乙", "丙", "丁", "戊"] {
        let case = draft(&register, &format!("试用实验室{title}"), &round).await.name;
        in_review(&register, &case).await;
        names.push(case);
    }
    let points = [80, 91, 95, 91];
    let cases: Vec<(String, i32)> = names.iter().cloned().zip(points).collect();
    scored(&register, &cases).await;
    (register, round.name, names)
}

async fn a_round_is_ranked_with_ties_page_by_page(store: Store) {
    let clock = Clock::on("2024-03-04");
    let (register, round, names) = five(store, &clock).await;
    let all = whole(&register, &round, 0).await;
    let ranks: Vec<_> = all.iter().map(|one| (one.rank, one.tied, one.score.as_str())).collect();
    assert_eq!(
        ranks,
        [
            (1, false, "95.00"),
            (2, true, "91.00"),
            (2, true, "91.00"),
            (4, false, "80.00"),
            (0, false, "")
        ]
    );
    assert_eq!(
        (all[0].name.as_str(), all[4].name.as_str()),
        (names[2].as_str(), names[4].as_str())
    );
    assert_eq!((all[0].review_score, all[0].reviews), (9500, 1));
    assert!(all[0].display_name.starts_with("试用实验室丙"), "{:?}", all[0]);
    assert_eq!(all[0].state, "LAB_DESIGNATION_STATE_IN_REVIEW");
    // What stands in the way is what a get says.
    let publish = |one: &RankedCase| {
        let verb = one.verbs.iter().find(|verb| verb.verb == "publish_notice").unwrap();
        let reasons: Vec<String> = verb.blockers.iter().map(|blocker| blocker.reason.clone()).collect();
        (verb.open, reasons)
    };
    assert_eq!(publish(&all[0]), (true, vec![]));
    assert_eq!(publish(&all[4]), (false, vec!["REVIEWS_MISSING".to_owned()]));
    // Pages that cut a tie say the same.
    for size in [1, 2, 3] {
        assert_eq!(whole(&register, &round, size).await, all, "pages of {size}");
    }
    // The list goes on as a batch.
    let moves = all[..3].iter().map(|one| {
        let mut request = crate::lab_fixture::publish(&one.name);
        request.etag.clone_from(&one.etag);
        request.into()
    });
    assert_eq!(batch(&register, moves.collect(), true).await.unwrap().done, 3);
    let after = whole(&register, &round, 2).await;
    assert_eq!(after[0].state, "LAB_DESIGNATION_STATE_ON_NOTICE");
    assert_eq!(after.iter().map(|one| one.rank).collect::<Vec<_>>(), [1, 2, 2, 4, 0]);
    let why = failure(ranking(&register, "rounds/01jd2k3m4n5p6q7r8s9t0v1w2x", 0, "").await);
    assert_eq!(why.code, Code::NotFound);
    let other = open(&register, district("2024-03-02", "2024-12-31")).await.name;
    let token = ranking(&register, &round, 1, "").await.unwrap().next_page_token;
    let why = failure(ranking(&register, &other, 1, &token).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "PAGE_TOKEN_OTHER_QUERY"));
    assert_eq!(whole(&register, &other, 0).await, []);
}

async fn every_kind_that_is_reviewed_is_found_by_its_score(store: Store) {
    let clock = Clock::on("2024-03-04");
    let (register, _, names) = five(store, &clock).await;
    let named = |places: &[usize]| -> Vec<String> { places.iter().map(|place| names[*place].clone()).collect() };
    assert_eq!(labs(&register, "review_score > 91").await.unwrap(), named(&[2]));
    let found = labs(&register, "review_score >= 90.99").await.unwrap();
    assert_eq!((found.len(), found[0].as_str()), (3, names[2].as_str()));
    // What nobody has reviewed is not below anything.
    assert_eq!(labs(&register, "review_score < 91").await.unwrap(), named(&[0]));
    assert_eq!(labs(&register, "NOT review_score:*").await.unwrap(), named(&[4]));
    assert_eq!(labs(&register, "review_score = 80.00").await.unwrap(), named(&[0]));
    let all = labs(&register, "").await.unwrap();
    assert_eq!((&all[0], &all[3..]), (&names[2], &named(&[0, 4])[..]));
    let why = failure(labs(&register, "review_score >= 90.505").await);
    assert_eq!(why.is(), (Code::InvalidArgument, "FILTER_VALUE_INVALID"));
    assert!(why.message.contains("`91.37`"), "{}", why.message);
    // In sentences too it is in points.
    let refused = failure(published(&register, &names[4]).await);
    assert_eq!(refused.reason, "CASE_BLOCKED");

    let review = Some(ReviewTerms {
        min_reviews: 1,
        min_score: 9000,
        criteria: vec![Criterion {
            code: "research".to_owned(),
            display_name: "科研水平".to_owned(),
            weight_percent: 100,
        }],
        employment_months: 24,
    });
    let terms = TalentDesignationTerms {
        review: review.clone(),
        ..talent_fixture::terms()
    };
    let (_, round) = talent_fixture::spring(&register, terms).await;
    talent_fixture::programme(&register, "yc", "").await;
    let person = talent_fixture::applicant(&register, "试甲").await.name;
    let case = talent_fixture::draft(&register, &person, "yc", &round.name, "")
        .await
        .name;
    talent_fixture::submit(&register, &case).await.unwrap();
    talent_fixture::accept(&register, &case).await.unwrap();
    scored(&register, &[(case.clone(), 88)]).await;
    for (filter, count) in [("review_score >= 88", 1), ("review_score > 88", 0)] {
        let request = ListTalentDesignationsRequest {
            parent: "talents/-".to_owned(),
            filter: filter.to_owned(),
            order_by: "review_score desc".to_owned(),
            ..ListTalentDesignationsRequest::default()
        };
        let page = register
            .talent()
            .list_talent_designations(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.talent_designations.len(), count, "{filter}");
    }
    let ranked = whole(&register, &round.name, 0).await;
    let verb = ranked[0]
        .verbs
        .iter()
        .find(|verb| verb.verb == "publish_notice")
        .unwrap();
    assert_eq!(
        verb.blockers[0].description,
        "the mean score is 88.00, 90.00 are needed"
    );
    assert_eq!(verb.blockers[0].description_zh, "平均分88.00，规定90.00");
    drop(register);

    let mut terms = award_fixture::terms();
    terms.review = review;
    let year = award_fixture::Year::begin(store, terms).await;
    let award = year.in_review(year.work("虚构成果甲")).await;
    scored(&year.register, &[(award, 93)]).await;
    let request = ListAwardsRequest {
        filter: "review_score = 93".to_owned(),
        order_by: "review_score desc, title".to_owned(),
        ..ListAwardsRequest::default()
    };
    let page = year.register.awards().list_awards(request).await.unwrap().into_inner();
    assert_eq!(page.awards.len(), 1);
    assert_eq!(whole(&year.register, &year.round.name, 0).await[0].score, "93.00");
}

async fn scores_of_an_earlier_version_are_there_after_migrate(store: Store) {
    let clock = Clock::on("2024-03-04");
    let (mut register, _, names) = five(store, &clock).await;
    register.stop();
    register
        .execute(
            "ALTER TABLE lab_designations DROP COLUMN review_score;
             DELETE FROM mingce_labs_migrations WHERE version LIKE '%_scores';",
        )
        .await;
    register.set_flags(&[]);
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(refused.contains("mingce migrate"), "{refused}");
    register.migrate().succeeded();
    register.restart();
    assert_eq!(labs(&register, "review_score > 91").await.unwrap(), [names[2].clone()]);
    assert_eq!(labs(&register, "review_score:*").await.unwrap().len(), 4);
}
