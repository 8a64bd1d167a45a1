//! Reviews of experts (专家评审): what a reviewer is asked and says, and when that is due.

use std::sync::LazyLock;

use mingce_orm::{Collection, Column, Field, Key, Shape, Violation};
use mingce_proto::registry::{DueKind, MissingReview, Review};

use crate::due::{Falls, made};

/// The collection of reviews.
#[derive(Debug)]
pub enum Reviews {}

impl Collection for Reviews {
    type Item = Review;
    const MESSAGE: &'static str = "mingce.registry.v1.Review";
    const COLLECTION: &'static str = mingce_proto::collections::REVIEWS;
    const TABLE: &'static str = "reviews";
    const SINGULAR: &'static str = "review";
    const DEFAULT_ORDER: &'static str = "create_time";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "conflicts",
        "override_reason",
        "sheet",
        "score",
        "case_display_name",
        "assign_date",
        "submit_date",
        "due_date",
    ];
    const PRIVATE: &'static [&'static str] = &["draft_sheet"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Reviews>> = LazyLock::new(|| {
            Shape::new(vec![
                Field {
                    column: Column::resource("panel", "panels/{id}").groupable(),
                    get: |r| r.panel.as_str().into(),
                },
                Field {
                    column: Column::resource("case_name", "awards/{id}").groupable(),
                    get: |r| r.case_name.as_str().into(),
                },
                Field {
                    column: Column::resource("reviewer", "talents/{id}")
                        .from_fields(&["reviewer.talent"])
                        .groupable(),
                    get: |r| reviewer(r).into(),
                },
                Field {
                    column: Column::date("due_date"),
                    get: |r| falls(r).date.as_str().into(),
                },
                Field {
                    column: Column::date("due_since").from_fields(&["assign_date", "due_date", "create_time"]),
                    get: |r| falls(r).since.as_str().into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(_item: &Review) -> &str {
        ""
    }

    fn searched(_item: &Review) -> Vec<&str> {
        Vec::new()
    }

    fn keys(item: &Review) -> Vec<Key> {
        let assignment = [item.panel.as_str(), item.case_name.as_str(), reviewer(item)].join("|");
        vec![Key::new("assignment", assignment, "reviewer")]
    }

    fn normalize(_item: &mut Review) -> Vec<Violation> {
        Vec::new()
    }
}

/// Whether a reviewer has not submitted. Those of earlier versions did not note the day: submitting was their second revision.
pub fn is_awaited(review: &Review) -> bool {
    review.submit_date.is_empty() && review.sheet.is_none() && review.revision <= 1
}

/// What falls due of a review: while it is awaited.
pub fn falls(review: &Review) -> Falls {
    if !is_awaited(review) {
        return Falls::default();
    }
    let is_dated = !review.due_date.is_empty();
    Falls {
        date: review.due_date.clone(),
        due: DueKind::Review as i32,
        since: if is_dated { String::new() } else { assigned(review) },
    }
}

/// The day on which a reviewer was assigned.
pub fn assigned(review: &Review) -> String {
    if review.assign_date.is_empty() {
        return made(review);
    }
    review.assign_date.clone()
}

/// The reviews of these that a panel waits for.
pub fn missing(reviews: &[Review]) -> Vec<MissingReview> {
    let awaited = reviews.iter().filter(|review| is_awaited(review));
    let missing = awaited.map(|review| {
        let reviewer = review.reviewer.clone().unwrap_or_default();
        MissingReview {
            review: review.name.clone(),
            reviewer: reviewer.talent,
            reviewer_display_name: reviewer.display_name,
            case_name: review.case_name.clone(),
            case_display_name: review.case_display_name.clone(),
            since_date: assigned(review),
            due_date: review.due_date.clone(),
        }
    });
    missing.collect()
}

fn reviewer(review: &Review) -> &str {
    review.reviewer.as_ref().map_or("", |r| r.talent.as_str())
}
