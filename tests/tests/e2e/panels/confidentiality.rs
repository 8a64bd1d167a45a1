//! Confidentiality: what a reviewer says is seen nowhere before the panel closes, in no answer, no log and no byte of
//! the database.

use std::fs;

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores, raw_client};
use mingce_proto::registry::{
    ComputeStatisticsRequest, ListCaseRevisionsRequest, ListReviewsRequest, PanelState, Recommended, ReviewSheet,
    SubmitReviewRequest, View,
};
use prost::Message;
use tonic::Code;

use super::{OPINION, assign, clear, close, is_sealed, panel, read_panel, read_review, ready, sheet, submit};
use crate::lab_fixture::{draft, get, history, in_review};

on_both_stores!(what_a_reviewer_says_is_seen_nowhere_before_the_panel_closes);

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
            let why = raw_client::call(&register, &method, &request.encode_to_vec(), &[]).await;
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
