//! Award schemes (奖种): the columns, keys and rules of the resource.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mingce_orm::model::normalize::{Violations, enum_values, names_of, normalize_names, preserve_names};
use mingce_orm::{Collection, Column, Field, Key, Shape, Violation};
use mingce_proto::awards::Scheme;

/// The collection.
#[derive(Debug)]
pub(crate) enum Schemes {}

/// The key of a scheme's code.
pub(crate) fn code_key(code: &str) -> Key {
    Key::new("code", code, "code")
}

impl Collection for Schemes {
    type Item = Scheme;
    const MESSAGE: &'static str = "mingce.awards.v1.Scheme";
    const COLLECTION: &'static str = mingce_proto::collections::SCHEMES;
    const TABLE: &'static str = "schemes";
    const SINGULAR: &'static str = "scheme";

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Schemes>> = LazyLock::new(|| {
            let levels = enum_values("mingce.registry.v1.Level");
            let subjects = enum_values("mingce.awards.v1.SchemeSubject");
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |s| s.display_name.as_str().into(),
                },
                Field {
                    column: Column::text("code"),
                    get: |s| s.code.as_str().into(),
                },
                Field {
                    column: Column::text("issuer").groupable(),
                    get: |s| s.issuer.as_str().into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |s| s.level.into(),
                },
                Field {
                    column: Column::text("category").groupable(),
                    get: |s| s.category.as_str().into(),
                },
                Field {
                    column: Column::one_of("subject", subjects).groupable(),
                    get: |s| s.subject.into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Scheme) -> &str {
        &item.display_name
    }

    fn searched(item: &Scheme) -> Vec<&str> {
        names_of(&item.display_name, &item.names).collect()
    }

    fn keys(item: &Scheme) -> Vec<Key> {
        vec![code_key(&item.code)]
    }

    fn normalize(item: &mut Scheme) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        normalize_names(&mut item.names, &item.display_name, &mut problems);
        let mut seen = BTreeSet::new();
        for (place, grade) in item.grades.iter().enumerate() {
            if !seen.insert(&grade.grade) {
                problems.add(
                    format!("grades[{place}].grade"),
                    "GRADE_TWICE",
                    "each grade stands once: leave one out",
                );
            }
        }
        problems.into_inner()
    }

    fn preserve(merged: &mut Scheme, stored: &Scheme) {
        preserve_names(
            &mut merged.names,
            &merged.display_name,
            (&stored.display_name, &stored.names),
        );
    }
}
