//! The rules of validity that stand in the contract, and what is said where one is broken.

use std::collections::BTreeSet;
use std::sync::Mutex;

use mingce_proto::Validate;

use crate::error::Violation;

/// The fields of a message that break the rules in the contract, their paths below `prefix`. Empty where all is well.
pub fn check<T: Validate>(message: &T, prefix: &str) -> Vec<Violation> {
    let Err(broken) = message.validate() else {
        return Vec::new();
    };
    let name = |path: String| match (prefix, path.as_str()) {
        ("", _) => path,
        (_, "") => prefix.to_owned(),
        (_, _) => format!("{prefix}.{path}"),
    };
    let violation = |broken: &prost_protovalidate::Violation| Violation {
        field: name(broken.field_path()),
        reason: reason(broken.rule_id()),
        description: description(broken.rule_id(), broken.message()),
    };
    broken.violations().iter().map(violation).collect()
}

/// The reason of a rule: `string.max_len` is `STRING_MAX_LEN`. Rules are few and stand in the contract, so that each
/// name is made once and kept.
fn reason(rule: &str) -> &'static str {
    interned(&rule.replace('.', "_").to_uppercase())
}

/// A reason that another service gave, or one made of a rule's name. There are few of them, and each is kept.
pub fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let name = if name.is_empty() { "RULE_BROKEN" } else { name };
    let mut names = NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// What would be right, where the rule's own words say only what is wrong or say nothing.
fn description(rule: &str, words: &str) -> String {
    let pattern = words
        .strip_prefix("does not match regex pattern `")
        .and_then(|rest| rest.strip_suffix('`'));
    match (rule, pattern) {
        ("string.pattern", Some("^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")) => {
            "must be a date such as 2024-05-31, or empty".to_owned()
        }
        ("string.pattern", Some(pattern)) => example(pattern).unwrap_or_else(|| format!("must match {pattern}")),
        ("string.uuid" | "string.uuid_empty", _) => {
            "must be a UUID, for example 01890a5d-ac96-774b-bcce-b302099a8057".to_owned()
        }
        ("enum.defined_only", _) => "must be one of the values that the contract defines".to_owned(),
        ("enum.not_in", _) => "must be given: the unspecified value says nothing".to_owned(),
        ("repeated.unique", _) => "must not hold the same value twice".to_owned(),
        ("required", _) => "must be given".to_owned(),
        (rule, _) if words.is_empty() => format!("must satisfy the rule {rule}"),
        _ => words.to_owned(),
    }
}

/// For the pattern of a resource name, a name that matches.
fn example(pattern: &str) -> Option<String> {
    let whole = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let (name, or) = match whole.strip_prefix('(').and_then(|rest| rest.strip_suffix(")?")) {
        Some(name) => (name, ", or be empty"),
        None => (whole, ""),
    };
    let name = name.replace("[0-9a-hjkmnp-tv-z]{26}", "01jd2k3m4n5p6q7r8s9t0v1w2x");
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'/' || b == b'-');
    (plain && name.contains('/')).then(|| format!("must look like {name}{or}"))
}

#[cfg(test)]
mod tests {
    use mingce_proto::labs::{GetOrganizationRequest, Organization};
    use mingce_proto::registry::Name;

    use super::*;

    #[test]
    fn each_wrong_field_is_named_with_what_would_be_right() {
        let broken = check(
            &GetOrganizationRequest {
                name: "labs/1".to_owned(),
                view: 99,
            },
            "",
        );
        let found: Vec<_> = broken.iter().map(|v| (v.field.as_str(), v.reason)).collect();
        assert_eq!(found, [("name", "STRING_PATTERN"), ("view", "ENUM_DEFINED_ONLY")]);
        assert_eq!(
            broken[0].description,
            "must look like organizations/01jd2k3m4n5p6q7r8s9t0v1w2x"
        );
    }

    #[test]
    fn a_pattern_of_names_is_told_by_an_example_and_another_as_it_is() {
        let told = |pattern: &str| description("string.pattern", &format!("does not match regex pattern `{pattern}`"));
        assert_eq!(
            told("^(labs/[0-9a-hjkmnp-tv-z]{26})?$"),
            "must look like labs/01jd2k3m4n5p6q7r8s9t0v1w2x, or be empty"
        );
        assert_eq!(told("^[a-z][a-z0-9-]{0,39}$"), "must match ^[a-z][a-z0-9-]{0,39}$");
        assert_eq!(
            told("^(labs|talents)/[0-9a-hjkmnp-tv-z]{26}$"),
            "must match ^(labs|talents)/[0-9a-hjkmnp-tv-z]{26}$"
        );
    }

    #[test]
    fn paths_stand_below_the_prefix_and_keep_their_index() {
        let name = Name {
            text: String::new(),
            start_date: "spring".to_owned(),
            ..Name::default()
        };
        let organization = Organization {
            names: vec![
                Name {
                    text: "a".to_owned(),
                    ..Name::default()
                },
                name,
            ],
            ..Default::default()
        };
        let fields: Vec<_> = check(&organization, "organization")
            .into_iter()
            .map(|v| v.field)
            .collect();
        assert!(fields.contains(&"organization.names[1].text".to_owned()), "{fields:?}");
        assert!(
            fields.contains(&"organization.names[1].start_date".to_owned()),
            "{fields:?}"
        );
    }

    #[test]
    fn a_reason_is_made_once_and_kept() {
        assert!(std::ptr::eq(reason("string.max_len"), reason("string.max_len")));
        assert_eq!(
            (reason("string.max_len"), reason("")),
            ("STRING_MAX_LEN", "RULE_BROKEN")
        );
    }
}
