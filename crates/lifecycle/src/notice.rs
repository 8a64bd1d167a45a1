//! Public notices (公示): what is published of a case is frozen and hashed when the notice begins.

use std::sync::LazyLock;

use mingce_orm::model::normalize::{Violations, enum_values};
use mingce_orm::{AuditInfo, Collection, Column, Field, Key, Result, Shape, Violation};
use mingce_proto::Headed;
use mingce_proto::registry::{Level, Notice, NoticeTerms, PublicField, PublicNotice};
use sha2::{Digest, Sha256};

use crate::case::{Case, facts};
use crate::transition::TransitionContext;

/// The collection.
#[derive(Debug)]
pub enum Notices {}

impl Collection for Notices {
    type Item = Notice;
    const MESSAGE: &'static str = "mingce.registry.v1.Notice";
    const COLLECTION: &'static str = mingce_proto::collections::NOTICES;
    const TABLE: &'static str = "notices";
    const SINGULAR: &'static str = "notice";
    const DEFAULT_ORDER: &'static str = "start_date";

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Notices>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.registry.v1.CaseKind");
            Shape::new(vec![
                Field {
                    column: Column::resource("case_name", "awards/{id}").groupable(),
                    get: |n| n.case_name.as_str().into(),
                },
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |n| n.kind.into(),
                },
                Field {
                    column: Column::resource("round", "rounds/{id}").groupable(),
                    get: |n| n.round.as_str().into(),
                },
                Field {
                    column: Column::date("start_date"),
                    get: |n| n.start_date.as_str().into(),
                },
                Field {
                    column: Column::date("end_date"),
                    get: |n| n.end_date.as_str().into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Notice) -> &str {
        &item.display_name
    }

    fn keys(_item: &Notice) -> Vec<Key> {
        Vec::new()
    }

    fn normalize(item: &mut Notice) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        problems.into_inner()
    }
}

/// Begins the notice of a case on this day. A case that must not be published gets none, and goes on all the same.
///
/// # Errors
/// Where the holidays of the days ahead are not known.
pub fn publish<C: Case>(item: &mut C::Item, crossing: &mut TransitionContext<'_>, terms: NoticeTerms) -> Result<()> {
    let at = crossing.at;
    let facts_before = facts::<C>(item);
    let facts = C::facts_mut(item);
    facts.upheld_objections.clear();
    for gone in [
        &mut facts.notice,
        &mut facts.notice_start_date,
        &mut facts.notice_end_date,
        &mut facts.objection_end_date,
    ] {
        gone.clear();
    }
    if C::is_secret(item) {
        return Ok(());
    }
    let end = at.end_of_notice(terms.working_days)?;
    let objections = at.end_of_objections(&terms)?;
    let fields = C::public_fields(crossing.work, item)?;
    let head = item.head();
    let notice = Notice {
        display_name: C::display(crossing.work, item)?,
        case_name: head.name.to_owned(),
        kind: C::KIND as i32,
        round: facts_before.round,
        start_date: at.today.to_string(),
        end_date: end.to_string(),
        working_days: terms.working_days,
        objection_end_date: objections.to_string(),
        sha256: digest(&fields),
        fields,
        case_revision: head.revision,
        ..Notice::default()
    };
    let stamp = AuditInfo {
        verb: "publish",
        ..crossing.stamp.clone()
    };
    let answer = mingce_orm::write::store::create::<Notices>(crossing.work, &at.cx, &stamp, &notice)?;
    let facts = C::facts_mut(item);
    facts.notice = answer.name;
    facts.notice_start_date = notice.start_date;
    facts.notice_end_date = notice.end_date;
    facts.objection_end_date = notice.objection_end_date;
    Ok(())
}

/// SHA-256 of what is published, in hexadecimal: each line `field=value`, ended by a line feed. A backslash and a line feed inside a
/// value are written as two characters, so that no two contents are alike.
pub fn digest(fields: &[PublicField]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        let value = field.value.replace('\\', "\\\\").replace('\n', "\\n");
        hash.update(format!("{}={value}\n", field.field));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One published field.
pub fn field(name: &str, value: impl Into<String>) -> PublicField {
    PublicField {
        field: name.to_owned(),
        value: value.into(),
    }
}

/// A level in the words that are published.
pub fn level_in_words(level: i32) -> &'static str {
    match Level::try_from(level) {
        Ok(Level::National) => "国家级",
        Ok(Level::Provincial) => "省级",
        Ok(Level::Municipal) => "市级",
        Ok(Level::District) => "区级",
        Ok(Level::International) => "国际",
        Ok(Level::Unspecified) | Err(_) => "",
    }
}

/// The fields of a notice that say something else than the record does now.
pub fn differences(published: &[PublicField], now: &[PublicField]) -> Vec<String> {
    let value = |fields: &[PublicField], name: &str| {
        let found = fields.iter().find(|field| field.field == name);
        found.map(|field| field.value.clone()).unwrap_or_default()
    };
    let in_words =
        |value: String| Level::from_str_name(&value).map_or(value, |level| level_in_words(level as i32).to_owned());
    let mut names: Vec<&str> = published.iter().chain(now).map(|field| field.field.as_str()).collect();
    names.dedup();
    let mut different: Vec<String> = Vec::new();
    for name in names {
        // Notices of earlier versions have the name of the level in the contract.
        let same = in_words(value(published, name)) == in_words(value(now, name));
        if !same && !different.iter().any(|known| known == name) {
            different.push(name.to_owned());
        }
    }
    different
}

/// What the public sees of a notice.
pub fn public(notice: Notice) -> PublicNotice {
    PublicNotice {
        name: notice.name,
        display_name: notice.display_name,
        kind: notice.kind,
        start_date: notice.start_date,
        end_date: notice.end_date,
        objection_end_date: notice.objection_end_date,
        fields: notice.fields,
        sha256: notice.sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_lines() {
        // printf 'title=海洋\\n实验室\nlead_host=甲\n' | sha256sum, the first n being a backslash and an n.
        let fields = [field("title", "海洋\n实验室"), field("lead_host", "甲")];
        let by_hand = Sha256::digest("title=海洋\\n实验室\nlead_host=甲\n".as_bytes());
        let by_hand: String = by_hand.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest(&fields), by_hand);
    }

    #[test]
    fn what_a_record_says_otherwise_than_its_notice_is_told_by_field() {
        let published = [
            field("title", "海洋"),
            field("level", "LEVEL_DISTRICT"),
            field("host", "甲"),
        ];
        let now = [field("title", "深海"), field("level", "区级"), field("grade", "一等奖")];
        assert_eq!(differences(&published, &now), ["title", "host", "grade"]);
        assert_eq!(differences(&now, &now), Vec::<String>::new());
    }

    #[test]
    fn a_line_feed_in_a_value_is_no_new_field() {
        let one = [field("a", "1\nb=2")];
        let two = [field("a", "1"), field("b", "2")];
        assert_ne!(digest(&one), digest(&two));
    }
}
