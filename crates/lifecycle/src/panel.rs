//! Panels of reviewers (专家评审). What a reviewer says is sealed until the panel closes.

use std::sync::{Arc, LazyLock};

use mingce_orm::model::normalize::{Violations, enum_values};
use mingce_orm::write::canonical::normalized;
use mingce_orm::write::precondition::require_active;
use mingce_orm::{
    AuditInfo, Class, Collection, Column, Error, Field, Key, Result, Shape, UnitOfWork, Violation, WriteResult,
};
use mingce_proto::registry::{
    CaseFacts, Panel, PanelState, Recommended, RecordStatus, Review, ReviewSheet, ReviewSummary, TalentReference,
};

use crate::any::{DynCase, of_name};
use crate::due::made;
use crate::eval_context::EvalContext;
use crate::review::Reviews;
use crate::state_machine::blocker;
use crate::transition::Step;

/// The collection of panels.
#[derive(Debug)]
pub enum Panels {}

impl Collection for Panels {
    type Item = Panel;
    const MESSAGE: &'static str = "mingce.registry.v1.Panel";
    const COLLECTION: &'static str = mingce_proto::collections::PANELS;
    const TABLE: &'static str = "panels";
    const SINGULAR: &'static str = "panel";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "kind",
        "criteria",
        "state",
        "reviews",
        "summaries",
        "start_date",
        "missing_reviews",
    ];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Panels>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.registry.v1.CaseKind");
            let states = enum_values("mingce.registry.v1.PanelState");
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |p| p.display_name.as_str().into(),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |p| p.kind.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |p| p.state.into(),
                },
                Field {
                    column: Column::date("due_since").from_fields(&["start_date", "create_time"]),
                    get: |p| open_since(p).as_str().into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Panel) -> &str {
        &item.display_name
    }

    fn keys(_item: &Panel) -> Vec<Key> {
        Vec::new()
    }

    fn normalize(item: &mut Panel) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        problems.into_inner()
    }
}

/// Since when a panel is open; empty for one that is closed.
pub fn open_since(panel: &Panel) -> String {
    match panel.state() {
        PanelState::Open if panel.start_date.is_empty() => made(panel),
        PanelState::Open => panel.start_date.clone(),
        PanelState::Closed | PanelState::Unspecified => String::new(),
    }
}

pub(crate) fn closed(name: &str) -> Error {
    Error::new(Class::Precondition, "PANEL_CLOSED", format!("{name} is closed")).about(Panels::COLLECTION, name)
}

/// Makes a panel over cases of one kind that are in review.
///
/// # Errors
/// NOT_FOUND; FAILED_PRECONDITION, reason `STATE_WRONG`; INVALID_ARGUMENT, reason `CASES_OF_SEVERAL_KINDS`.
pub fn create(
    work: &mut UnitOfWork,
    at: &EvalContext,
    stamp: &AuditInfo,
    kinds: &[Arc<dyn DynCase>],
    given: &Panel,
) -> Result<WriteResult> {
    let Some(first) = given.cases.first() else {
        return Err(Error::invalid(
            "panel.cases",
            "REPEATED_MIN_ITEMS",
            "name at least one case",
        ));
    };
    let kind = of_name(kinds, first, "panel.cases")?;
    let mut criteria = None;
    // Goes on after an error, so that all cases are asked for at once.
    let seen: Vec<Result<_>> = given
        .cases
        .iter()
        .map(|name| {
            if !kind.owns(name) {
                let said = format!("{name} is a case of another kind than {first}: a panel has cases of one kind");
                return Err(Error::invalid("panel.cases", "CASES_OF_SEVERAL_KINDS", said));
            }
            let seen = kind.look(work, name)?;
            Ok((name, seen, kind.review_terms(work, at, name)?))
        })
        .collect();
    for seen in seen {
        let (name, seen, terms) = seen?;
        if !seen.is_in_review {
            let said = format!("{name} is not in review");
            return Err(Error::new(Class::Precondition, "STATE_WRONG", said).about(kind.collection(), name));
        }
        if *criteria.get_or_insert_with(|| terms.criteria.clone()) != terms.criteria {
            let said = format!("{name} is reviewed by other criteria than {first}: make a panel for each");
            return Err(Error::invalid("panel.cases", "CRITERIA_DIFFER", said));
        }
    }
    let new = Panel {
        name: String::new(),
        kind: kind.kind() as i32,
        criteria: criteria.unwrap_or_default(),
        state: PanelState::Open as i32,
        start_date: at.today.to_string(),
        ..given.clone()
    };
    mingce_orm::write::store::create::<Panels>(work, &at.cx, stamp, &new)
}

/// A record as people know it, with its resource name.
pub(crate) fn called(display_name: &str, name: &str) -> String {
    if display_name.is_empty() {
        return name.to_owned();
    }
    format!("{display_name} ({name})")
}

pub(crate) fn person(reference: Option<&TalentReference>) -> String {
    reference.map_or(String::new(), |r| called(&r.display_name, &r.talent))
}

/// The weighted score of a sheet in hundredths of a point.
pub fn score(panel: &Panel, sheet: &ReviewSheet) -> i32 {
    let weighted = panel.criteria.iter().map(|criterion| {
        let given = sheet.scores.iter().find(|score| score.criterion == criterion.code);
        criterion.weight_percent * given.map_or(0, |score| score.points)
    });
    weighted.sum()
}

/// Closes a panel: its reviews are shown and summed up, and its cases know them. `without_missing`: who has not submitted is released,
/// for the reason of the call.
///
/// # Errors
/// NOT_FOUND; ABORTED; FAILED_PRECONDITION, reasons `PANEL_CLOSED`, `REVIEW_MISSING`; INVALID_ARGUMENT, reason `REASON_MISSING`.
pub fn close(
    work: &mut UnitOfWork,
    at: &EvalContext,
    step: &Step,
    kinds: &[Arc<dyn DynCase>],
    without_missing: bool,
) -> Result<WriteResult> {
    if without_missing && step.stamp.reason.is_empty() {
        let said = "say why the panel is closed without the reviews that are missing";
        return Err(Error::invalid("reason", "REASON_MISSING", said));
    }
    let mut panel = require_active::<Panels>(work, &step.name, &step.etag)?;
    if panel.state() == PanelState::Closed {
        return Err(closed(&panel.name));
    }
    let loaded: Vec<Result<Review>> = panel.reviews.iter().map(|name| work.require::<Reviews>(name)).collect();
    let mut reviews = loaded.into_iter().collect::<Result<Vec<_>>>()?;
    if without_missing {
        let (submitted, silent): (Vec<Review>, Vec<Review>) =
            reviews.into_iter().partition(|review| review.draft_sheet.is_some());
        reviews = submitted;
        for review in silent {
            let stamp = AuditInfo {
                verb: "release",
                ..step.stamp.clone()
            };
            panel.reviews.retain(|name| *name != review.name);
            work.change::<Reviews>(&at.cx, &stamp, &review, RecordStatus::Annulled, "")?;
        }
    }
    let missing: Vec<_> = reviews
        .iter()
        .filter(|review| review.draft_sheet.is_none())
        .map(|review| {
            let (name, who) = (&review.name, person(review.reviewer.as_ref()));
            let case = called(&review.case_display_name, &review.case_name);
            blocker(
                "REVIEW_MISSING",
                name,
                format!("{who} has not submitted the review of {case} ({name})"),
                format!("{who}尚未提交对{case}的评审（{name}）"),
            )
        })
        .collect();
    if !missing.is_empty() {
        return Err(Error::blocked("REVIEW_MISSING", missing).about(Panels::COLLECTION, &panel.name));
    }
    for review in &mut reviews {
        let sheet = review.draft_sheet.clone().unwrap_or_default();
        review.score = score(&panel, &sheet);
        review.sheet = Some(sheet);
        work.update::<Reviews>(&at.cx, &step.stamp, review)?;
    }
    // Goes on after an error, so that all cases are asked for at once.
    let titles: Vec<Result<String>> = panel
        .cases
        .iter()
        .map(|name| Ok(of_name(kinds, name, "name")?.look(work, name)?.display_name))
        .collect();
    let titles = titles.into_iter().collect::<Result<Vec<_>>>()?;
    let cases = panel.cases.iter().zip(titles);
    panel.summaries = cases.map(|(case, title)| summary(case, title, &reviews)).collect();
    panel.set_state(PanelState::Closed);
    let noted: Vec<Result<WriteResult>> = panel
        .summaries
        .iter()
        .map(|summary| {
            let stamp = AuditInfo {
                verb: "sum_up_reviews",
                ..step.stamp.clone()
            };
            let case = of_name(kinds, &summary.case_name, "name")?;
            case.update_facts(work, at, &stamp, &summary.case_name, &|facts: &mut CaseFacts| {
                panel.name.clone_into(&mut facts.panel);
                facts.reviews = summary.reviews;
                facts.review_score = summary.mean_score;
            })
        })
        .collect();
    noted.into_iter().collect::<Result<Vec<_>>>()?;
    work.update::<Panels>(&at.cx, &step.stamp, &normalized::<Panels>(&panel)?)
}

fn summary(case: &str, display_name: String, reviews: &[Review]) -> ReviewSummary {
    let of_case: Vec<&Review> = reviews.iter().filter(|review| review.case_name == case).collect();
    let scores = || of_case.iter().map(|review| review.score);
    let recommend = |what: Recommended| {
        let count = of_case
            .iter()
            .filter(|r| r.sheet.as_ref().is_some_and(|s| s.recommended() == what))
            .count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    let count = i32::try_from(of_case.len()).unwrap_or(i32::MAX);
    ReviewSummary {
        case_name: case.to_owned(),
        display_name,
        reviews: count,
        // Rounded half up: 1 when 0.5 is left.
        mean_score: if count == 0 {
            0
        } else {
            (scores().sum::<i32>() * 2 + count) / (count * 2)
        },
        lowest_score: scores().min().unwrap_or(0),
        highest_score: scores().max().unwrap_or(0),
        support: recommend(Recommended::Support),
        oppose: recommend(Recommended::Oppose),
    }
}
