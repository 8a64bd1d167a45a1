//! The rules of validity that stand in the contract, and what is said where one is broken; and the one that no record can
//! see by itself: that records do not lead to each other in a circle.

use std::collections::BTreeSet;
use std::sync::Mutex;

use mingce_proto::Headed;
use mingce_proto::Validate;

use crate::error::{Error, Result, Violation};
use crate::model::collection::{AcyclicReference, Collection};
use crate::write::unit_of_work::UnitOfWork;

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
    let violation = |broken: &prost_protovalidate::Violation| {
        let said = description(broken.rule_id(), broken.message());
        Violation::new(name(broken.field_path()), reason(broken.rule_id()), said)
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
        ("string.pattern", Some(pattern)) => pattern_in_words(pattern)
            .map(str::to_owned)
            .or_else(|| example(pattern))
            .unwrap_or_else(|| format!("must match {pattern}")),
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

/// The patterns of the contract that are no resource names, in words.
fn pattern_in_words(pattern: &str) -> Option<&'static str> {
    Some(match pattern {
        "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" => "must be a date such as 2024-05-31, or empty",
        "^([0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?)?$" => {
            "must be a day, month or year such as 2024-05-31, 2024-05 or 2024, or empty"
        }
        "^([A-Z]{2})?$" => "must be the two capital letters of a country (ISO 3166-1) such as CN, or empty",
        "^(organizations/[0-9a-hjkmnp-tv-z]{26}|[a-z][a-z0-9-]{0,39}:.{1,100})?$" => {
            "must be a resource name like organizations/01jd2k3m4n5p6q7r8s9t0v1w2x, or an identifier like ror:04rdtx186, or empty"
        }
        "^(policies/[0-9a-hjkmnp-tv-z]{26}|shipped)?$" => {
            "must be a resource name like policies/01jd2k3m4n5p6q7r8s9t0v1w2x, or shipped, or empty"
        }
        "^([0-9a-f]{64})?$" => "must be a SHA-256 of 64 hexadecimal digits in small letters, or empty",
        "^([0-9]{6})?$" => "must be the six digits of a division (GB/T 2260) such as 370212, or empty",
        "^([0-9]{3}|[0-9]{5}|[0-9]{7})?$" => {
            "must be the three, five or seven digits of a discipline (GB/T 13745) such as 520, or empty"
        }
        "^[a-z0-9][a-z0-9-]{0,59}$" => "must be 1 to 60 small letters a to z, digits and hyphens, no hyphen first",
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => "must be a date such as 2024-05-31",
        "^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$" => {
            "must be 1 to 40 letters A to Z, digits, points and hyphens, no point or hyphen first"
        }
        "^[a-z][a-z0-9-]{0,39}$" => "must be 1 to 40 small letters a to z, digits and hyphens, a letter first",
        _ => return None,
    })
}

/// For the pattern of a resource name, a name that matches; for one of several collections, one of each.
fn example(pattern: &str) -> Option<String> {
    const ID: &str = "[0-9a-hjkmnp-tv-z]{26}";
    let whole = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let (names, or) = if let Some(name) = whole.strip_prefix('(').and_then(|rest| rest.strip_suffix(")?")) {
        (name.to_owned(), ", or be empty".to_owned())
    } else if let Some(parents) = whole.strip_suffix(&format!("/({ID}|-)")) {
        (format!("{parents}/{ID}"), format!(", or be {parents}/- for all"))
    } else if let Some(several) = whole.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (several.to_owned(), String::new())
    } else {
        (whole.to_owned(), String::new())
    };
    let names = names.replace(ID, "01jd2k3m4n5p6q7r8s9t0v1w2x");
    let plain = |name: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'/' || b == b'-';
        name.contains('/') && name.bytes().all(allowed)
    };
    let all: Vec<&str> = names.split('|').collect();
    all.iter()
        .all(|name| plain(name))
        .then(|| format!("must look like {}{or}", all.join(" or ")))
}

/// How far a chain of records is followed. A longer one is a mistake too.
const STEPS: usize = 32;
/// How many records are looked at on the way, where each has several.
const MOST: usize = 1000;

/// Refuses what would make a record lead back to itself over others. A field that is as it was is not followed.
///
/// # Errors
/// Naming the field, with the chain's reason.
pub fn expect_no_cycle<C: Collection>(
    work: &mut UnitOfWork,
    chains: &[AcyclicReference<C>],
    stored: &C::Item,
    new: &C::Item,
) -> Result<()> {
    if chains.is_empty() {
        return Ok(());
    }
    let own = new.head().name.to_owned();
    for chain in chains {
        let had = (chain.next)(stored);
        // One that names itself is told so by the rules of its resource.
        let is_new = |first: &&str| !first.is_empty() && *first != own && !had.contains(first);
        for first in (chain.next)(new).into_iter().filter(is_new) {
            follow(work, chain, &own, first)?;
        }
    }
    Ok(())
}

/// Follows one name to the end of all that it leads to.
fn follow<C: Collection>(work: &mut UnitOfWork, chain: &AcyclicReference<C>, own: &str, first: &str) -> Result<()> {
    let refuse = |said: String| Error::invalid(format!("{}.{}", C::SINGULAR, chain.field), chain.reason, said);
    let mut level = BTreeSet::from([first.to_owned()]);
    let mut looked_at = 0;
    for _ in 0..STEPS {
        looked_at += level.len();
        // Two ways may lead to one record, and a circle among others has no end.
        let mut next = BTreeSet::new();
        // To the end of the level, so that all that has to be loaded is asked for at once.
        let mut waits = None;
        for name in level {
            let Some(id) = C::shape().kind.id(&name) else { continue };
            let record = match work.survivor::<C>(id) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(error) => {
                    waits = Some(error);
                    continue;
                }
            };
            if record.head().name == own {
                return Err(refuse(format!(
                    "{first} leads back to {own} by its own {}: take one of them out",
                    chain.field
                )));
            }
            let names = (chain.next)(&record).into_iter().filter(|name| !name.is_empty());
            next.extend(names.map(str::to_owned));
        }
        if let Some(error) = waits {
            return Err(error);
        }
        if next.is_empty() {
            return Ok(());
        }
        level = next;
        if looked_at > MOST {
            break;
        }
    }
    Err(refuse(format!(
        "{first} leads on over more than {STEPS} others: that is a circle or a mistake, take one of them out"
    )))
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
    fn a_pattern_of_names_is_told_by_an_example_and_an_unknown_one_as_it_is() {
        let told = |pattern: &str| description("string.pattern", &format!("does not match regex pattern `{pattern}`"));
        assert_eq!(
            told("^(labs/[0-9a-hjkmnp-tv-z]{26})?$"),
            "must look like labs/01jd2k3m4n5p6q7r8s9t0v1w2x, or be empty"
        );
        assert_eq!(
            told("^labs/([0-9a-hjkmnp-tv-z]{26}|-)$"),
            "must look like labs/01jd2k3m4n5p6q7r8s9t0v1w2x, or be labs/- for all"
        );
        assert_eq!(told("^x{0,39}$"), "must match ^x{0,39}$");
        assert_eq!(
            told("^(labs|talents)/[0-9a-hjkmnp-tv-z]{26}$"),
            "must match ^(labs|talents)/[0-9a-hjkmnp-tv-z]{26}$"
        );
        assert_eq!(
            told("^(awards/[0-9a-hjkmnp-tv-z]{26}|labs/[0-9a-hjkmnp-tv-z]{26})$"),
            "must look like awards/01jd2k3m4n5p6q7r8s9t0v1w2x or labs/01jd2k3m4n5p6q7r8s9t0v1w2x"
        );
    }

    #[test]
    fn every_pattern_of_the_contract_is_told_in_words() {
        let pool = &*mingce_proto::names::POOL;
        let rules = pool.get_extension_by_name("buf.validate.field").unwrap();
        let mut patterns = BTreeSet::new();
        for field in pool
            .all_messages()
            .flat_map(|message| message.fields().collect::<Vec<_>>())
        {
            let options = field.options();
            let Some(rules) = options.has_extension(&rules).then(|| options.get_extension(&rules)) else {
                continue;
            };
            let rules = rules.as_message().unwrap();
            let items = rules.get_field_by_name("repeated");
            let items = items.and_then(|r| {
                r.as_message()
                    .and_then(|r| r.get_field_by_name("items").map(|i| i.into_owned()))
            });
            let below = items.as_ref().and_then(|items| items.as_message());
            for rules in [Some(rules), below].into_iter().flatten() {
                let string = rules.get_field_by_name("string").unwrap();
                let pattern = string.as_message().unwrap().get_field_by_name("pattern").unwrap();
                patterns.extend(
                    pattern
                        .as_str()
                        .filter(|pattern| !pattern.is_empty())
                        .map(str::to_owned),
                );
            }
        }
        assert!(patterns.len() > 20, "{patterns:?}");
        for pattern in patterns {
            let told = description("string.pattern", &format!("does not match regex pattern `{pattern}`"));
            assert!(!told.contains(['^', '[', '{']), "{told}");
        }
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
    fn a_check_ends_once_much_is_wrong() {
        let wrong = Name {
            start_date: "x".to_owned(),
            ..Name::default()
        };
        let organization = Organization {
            names: vec![wrong; 20_000],
            ..Organization::default()
        };
        let found = check(&organization, "organization").len();
        assert!((33..40).contains(&found), "{found}");
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
