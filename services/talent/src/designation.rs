//! Designations of persons (认定): the columns, keys and rules of the resource.

use std::sync::LazyLock;

use mingce_orm::names::{Problems, enum_values, year_of};
use mingce_orm::{Collection, Column, Field, Key, Shape, Violation};
use mingce_proto::talent::TalentDesignation;

/// The collection.
#[derive(Debug)]
pub(crate) enum Designations {}

fn talent(designation: &TalentDesignation) -> &str {
    designation.talent.as_ref().map_or("", |t| t.talent.as_str())
}

fn programme(designation: &TalentDesignation) -> &str {
    designation.programme.as_ref().map_or("", |p| p.programme.as_str())
}

fn employer(designation: &TalentDesignation) -> &str {
    designation.employer.as_ref().map_or("", |o| o.organization.as_str())
}

impl Collection for Designations {
    type Item = TalentDesignation;
    const MESSAGE: &'static str = "mingce.talent.v1.TalentDesignation";
    const COLLECTION: &'static str = "designations";
    const PARENT: Option<(&'static str, &'static str)> = Some(("talents", "talent"));
    const TABLE: &'static str = "talent_designations";
    const SINGULAR: &'static str = "talent_designation";
    const DEFAULT_ORDER: &'static str = "decision_date";
    const OUTPUT_ONLY: &'static [&'static str] = &["kind", "year"];

    const DERIVED: &'static [(&'static str, &'static str)] = &[("programme", "kind")];

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Designations>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let kinds = enum_values("mingce.talent.v1.ProgrammeKind");
            let states = enum_values("mingce.talent.v1.TalentDesignationState");
            Shape::new(vec![
                Field {
                    column: Column::resource("talent").dimension(),
                    get: |d| talent(d).into(),
                },
                Field {
                    column: Column::resource("programme").dimension(),
                    get: |d| programme(d).into(),
                },
                Field {
                    column: Column::one_of("level", levels).dimension(),
                    get: |d| d.level.into(),
                },
                Field {
                    column: Column::one_of("kind", kinds).dimension(),
                    get: |d| d.kind.into(),
                },
                Field {
                    column: Column::one_of("state", states).dimension(),
                    get: |d| d.state.into(),
                },
                Field {
                    column: Column::resource("employer").dimension(),
                    get: |d| employer(d).into(),
                },
                Field {
                    column: Column::text("number"),
                    get: |d| d.number.as_str().into(),
                },
                Field {
                    column: Column::text("round").dimension(),
                    get: |d| d.round.as_str().into(),
                },
                Field {
                    column: Column::text("document_number").dimension(),
                    get: |d| d.document_number.as_str().into(),
                },
                Field {
                    column: Column::text("issuer").dimension(),
                    get: |d| d.issuer.as_str().into(),
                },
                Field {
                    column: Column::date("decision_date"),
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
                    column: Column::integer("year").dimension(),
                    get: |d| d.year.into(),
                },
            ])
        });
        &SHAPE
    }

    fn parent(item: &TalentDesignation) -> &str {
        talent(item)
    }

    fn title(item: &TalentDesignation) -> &str {
        item.programme.as_ref().map_or("", |p| p.display_name.as_str())
    }

    /// One decision on one person under one programme; and a number is given once per programme.
    fn keys(item: &TalentDesignation) -> Vec<Key> {
        let decision = [talent(item), programme(item), &item.number, &item.decision_date].join("|");
        let mut keys = vec![Key::new("decision", decision, "programme")];
        if !item.number.is_empty() {
            keys.push(Key::new(
                "number",
                format!("{}|{}", programme(item), item.number),
                "number",
            ));
        }
        keys
    }

    fn settle(item: &mut TalentDesignation) -> Vec<Violation> {
        let mut problems = Problems::default();
        for (field, value) in [
            ("decision_date", &item.decision_date),
            ("start_date", &item.start_date),
            ("end_date", &item.end_date),
        ] {
            problems.date(field, value);
        }
        problems.period("end_date", &item.start_date, &item.end_date);
        item.year = year_of(&item.decision_date);
        problems.into_inner()
    }
}
