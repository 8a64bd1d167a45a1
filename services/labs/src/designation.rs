//! Designations of labs (认定): the columns, keys and rules of the resource.

use std::sync::LazyLock;

use mingce_lifecycle::caps::release_cap;
use mingce_lifecycle::writes::check_write;
use mingce_lifecycle::{Case, Phase, Stateful, document};
use mingce_orm::model::normalize::{Violations, enum_values, year_of};
use mingce_orm::{AuditInfo, Collection, Column, Field, Key, RequestContext, Result, Shape, UnitOfWork, Violation};
use mingce_proto::labs::LabDesignation;

pub(crate) fn lab(designation: &LabDesignation) -> &str {
    designation.lab.as_ref().map_or("", |l| l.lab.as_str())
}

/// The collection.
#[derive(Debug)]
pub(crate) enum Designations {}

impl Collection for Designations {
    type Item = LabDesignation;
    const MESSAGE: &'static str = "mingce.labs.v1.LabDesignation";
    const COLLECTION: &'static str = mingce_proto::collections::LAB_DESIGNATIONS;
    const SEGMENT: &'static str = "designations";
    const PARENT: Option<(&'static str, &'static str)> = Some(("labs", "lab"));
    const TABLE: &'static str = "lab_designations";
    const SINGULAR: &'static str = "lab_designation";
    const DEFAULT_ORDER: &'static str = "decision_date";
    const OUTPUT_ONLY: &'static [&'static str] = &[
        "year",
        "case",
        "verbs",
        "documents",
        "building_end_date",
        "extensions",
        "evaluations",
        "failed_evaluations",
        "rectification_end_date",
        "annual_reports",
        "successor",
        "operating_date",
    ];
    const FULL_ONLY: &'static [&'static str] = &["evaluations", "annual_reports"];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Designations>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let platforms = enum_values("mingce.labs.v1.LabPlatform");
            let states = enum_values("mingce.labs.v1.LabDesignationState");
            let mut fields: Vec<Field<Designations>> = vec![
                Field {
                    column: Column::resource("lab", "labs/{id}")
                        .from_fields(&["lab.lab"])
                        .groupable(),
                    get: |d| lab(d).into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |d| d.level.into(),
                },
                Field {
                    column: Column::text("programme").groupable(),
                    get: |d| d.programme.as_str().into(),
                },
                Field {
                    column: Column::one_of("platform", platforms).groupable(),
                    get: |d| d.platform.into(),
                },
                Field {
                    column: Column::one_of("state", states).groupable(),
                    get: |d| d.state.into(),
                },
                Field {
                    column: Column::text("number"),
                    get: |d| d.number.as_str().into(),
                },
                Field {
                    column: Column::text("round").groupable(),
                    get: |d| d.round.as_str().into(),
                },
                Field {
                    column: Column::document("document_number").groupable(),
                    get: |d| d.document_number.as_str().into(),
                },
                Field {
                    column: Column::text("issuer").groupable(),
                    get: |d| d.issuer.as_str().into(),
                },
                Field {
                    column: Column::date("decision_date").by_calendar(),
                    get: |d| d.decision_date.as_str().into(),
                },
                Field {
                    column: Column::date("start_date"),
                    get: |d| d.start_date.as_str().into(),
                },
                Field {
                    column: Column::date("end_date"),
                    get: |d| d.end_date.as_str().into(),
                },
                Field {
                    column: Column::integer("year").groupable(),
                    get: |d| d.year.into(),
                },
            ];
            fields.extend(mingce_lifecycle::schema::fields());
            fields.push(mingce_lifecycle::schema::score());
            Shape::new(fields)
        });
        &SHAPE
    }

    fn parent(item: &Self::Item) -> &str {
        lab(item)
    }

    fn title(item: &Self::Item) -> &str {
        &item.programme
    }

    /// One decision on one lab under one programme, before it one application in a round; and a number is given once per
    /// programme.
    fn keys(item: &Self::Item) -> Vec<Key> {
        let (phase, level) = (Self::state_machine().phase(item.state), item.level.to_string());
        let round = item.case.as_ref().map_or("", |case| case.round.as_str());
        if matches!(phase, Phase::Draft | Phase::Undecided) {
            let application = [lab(item), &level, &item.programme, round].join("|");
            return vec![Key::new("application", application, "programme")];
        }
        if phase == Phase::Ended && !round.is_empty() && item.decision_date.is_empty() {
            return Vec::new();
        }
        // Two rounds may decide on one lab on the same day.
        let decided = if round.is_empty() {
            item.decision_date.clone()
        } else {
            format!("{}|{round}", item.decision_date)
        };
        let decision = [lab(item), &level, &item.programme, &item.number, &decided].join("|");
        let mut keys = vec![Key::new("decision", decision, "programme")];
        if !item.number.is_empty() {
            keys.push(Key::new(
                "number",
                format!("{}|{}", item.programme, item.number),
                "number",
            ));
        }
        keys
    }

    fn normalize(item: &mut Self::Item) -> Vec<Violation> {
        let mut problems = Violations::default();
        if matches!(Self::state_machine().phase(item.state), Phase::Draft | Phase::Undecided) {
            // What the decision says is not there before it.
            let is_case = item.case.is_some();
            let mut later = [
                ("number", &mut item.number),
                ("document_number", &mut item.document_number),
                ("decision_date", &mut item.decision_date),
                ("start_date", &mut item.start_date),
                ("end_date", &mut item.end_date),
            ];
            problems.before_decision(is_case, &mut later);
        }
        let dates = [
            ("decision_date", item.decision_date.as_str()),
            ("start_date", &item.start_date),
            ("end_date", &item.end_date),
        ];
        problems.dates_of_decision(Self::is_taken_here(item), &dates);
        problems.period("end_date", &item.start_date, &item.end_date);
        item.year = year_of(&item.decision_date);
        item.verbs.clear();
        document::settle::<Self>(item);
        problems.into_inner()
    }

    fn on_annul(work: &mut UnitOfWork, cx: &RequestContext, stamp: &AuditInfo, stored: &Self::Item) -> Result<()> {
        release_cap::<Self>(work, cx, stamp, stored)
    }

    fn check_write(stored: Option<&Self::Item>, new: &Self::Item) -> Result<()> {
        check_write::<Self>(stored, new)
    }

    fn check_import(row: &LabDesignation, stored: &LabDesignation) -> Result<()> {
        mingce_lifecycle::writes::check_import::<Self>(row, stored)
    }

    fn keep_order(merged: &mut LabDesignation, stored: &LabDesignation) {
        mingce_lifecycle::correct::steady::<Self>(merged, stored);
    }

    fn preserve(merged: &mut LabDesignation, stored: &LabDesignation) {
        mingce_lifecycle::correct::keep::<Self>(merged, stored);
    }
}
