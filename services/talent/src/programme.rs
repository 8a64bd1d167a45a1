//! Talent programmes: the columns, keys and rules of the resource.

use std::sync::LazyLock;

use mingce_orm::model::normalize::{Violations, enum_values, names_of, normalize_names, preserve_names};
use mingce_orm::{Collection, Column, Field, Key, Shape, Violation};
use mingce_proto::talent::Programme;

/// The collection.
#[derive(Debug)]
pub(crate) enum Programmes {}

/// The key of a programme's code.
pub(crate) fn code_key(code: &str) -> Key {
    Key::new("code", code, "code")
}

impl Collection for Programmes {
    type Item = Programme;
    const MESSAGE: &'static str = "mingce.talent.v1.Programme";
    const COLLECTION: &'static str = mingce_proto::collections::PROGRAMMES;
    const TABLE: &'static str = "programmes";
    const SINGULAR: &'static str = "programme";

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Programmes>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.talent.v1.ProgrammeKind");
            let levels = enum_values("mingce.registry.v1.Level");
            Shape::new(vec![
                Field {
                    column: Column::text("display_name"),
                    get: |p| p.display_name.as_str().into(),
                },
                Field {
                    column: Column::text("code"),
                    get: |p| p.code.as_str().into(),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |p| p.kind.into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |p| p.level.into(),
                },
                Field {
                    column: Column::text("family").groupable(),
                    get: |p| p.family.as_str().into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Programme) -> &str {
        &item.display_name
    }

    fn searched(item: &Programme) -> Vec<&str> {
        names_of(&item.display_name, &item.names).collect()
    }

    fn keys(item: &Programme) -> Vec<Key> {
        vec![code_key(&item.code)]
    }

    fn normalize(item: &mut Programme) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        normalize_names(&mut item.names, &item.display_name, &mut problems);
        problems.into_inner()
    }

    fn preserve(merged: &mut Programme, stored: &Programme) {
        preserve_names(
            &mut merged.names,
            &merged.display_name,
            (&stored.display_name, &stored.names),
        );
    }
}
