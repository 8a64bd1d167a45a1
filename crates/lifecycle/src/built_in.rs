//! The policies that the program ships: they are sound, and `docs/policies.md` says what they say.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use mingce_orm::Collection;
use mingce_proto::names::values;
use mingce_proto::registry::{CaseKind, Policy};

use crate::policy::{Policies, built_in, source_of};
use crate::terms::{Leaf, leaves, terms_message};

const INTRODUCTION: &str = "\
# 默认政策 · Default policies

A policy decides a case: it is a version of the numbers that rules leave to the authority. `CaseService.CreatePolicy`
loads a policy, from a day on. A policy is never changed. `ListPolicies` and `ComparePolicies` show policies, and
`SimulatePolicy` says which decisions a draft would change. If none was loaded for a kind of case, the one below
applies. The program loads it into the register when it is first needed, as `system:register`.

Each number has a source: a published rule, or the word `assumed` if no rule was found. Replace assumed numbers by a
policy of your own. A term that is not listed has no limit. Terms have the names of `policy.proto`.

This page is generated from `crates/lifecycle/policies`.
";

fn kinds() -> Vec<CaseKind> {
    values("mingce.registry.v1.CaseKind")
        .into_iter()
        .filter_map(|(_, number)| CaseKind::try_from(number).ok())
        .filter(|kind| *kind != CaseKind::Unspecified)
        .collect()
}

fn table(policy: &Policy) -> String {
    let mut text = format!(
        "\n## {} · `{}`\n\nVersion `{}`, from {} on. Terms: `{}`.\n\n| 条款 · Term | 值 · Value | 来源 · Source |\n| --- | --- | --- |\n",
        policy.display_name,
        policy.kind().as_str_name(),
        policy.version,
        policy.start_date,
        terms_message(policy),
    );
    for Leaf { term, value, .. } in leaves(policy) {
        let source = source_of(policy, &term).unwrap_or_default();
        let source = if source == "assumed" {
            "assumed · 假定"
        } else {
            source
        };
        let _ = writeln!(text, "| `{term}` | {value} | {source} |");
    }
    text
}

#[test]
fn each_kind_of_case_has_a_shipped_policy_without_a_fault() {
    assert_eq!(kinds().len(), 5);
    for kind in kinds() {
        let mut policy = built_in(kind).unwrap();
        assert_eq!(policy.kind(), kind);
        assert_eq!(Policies::normalize(&mut policy), vec![], "{kind:?}");
        // It was written as it is settled, and is for all.
        assert_eq!(policy, built_in(kind).unwrap());
        assert_eq!(
            (policy.level, policy.programme.as_str(), policy.name.as_str()),
            (0, "", "")
        );
        assert!(!leaves(&policy).is_empty(), "{kind:?} has no terms");
    }
}

#[test]
fn each_source_of_a_shipped_policy_is_that_of_a_term() {
    for kind in kinds() {
        let policy = built_in(kind).unwrap();
        for source in &policy.sources {
            let mut without = policy.clone();
            without.sources.retain(|other| other != source);
            let orphaned = leaves(&policy)
                .iter()
                .any(|leaf| source_of(&without, &leaf.term).is_none());
            assert!(orphaned, "{kind:?}: {} is the source of nothing", source.term);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "golden files are written anew by it")]
fn the_page_of_the_shipped_policies_is_up_to_date() {
    let mut page = INTRODUCTION.to_owned();
    for kind in kinds() {
        page.push_str(&table(&built_in(kind).unwrap()));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "{} is not what the policies say; UPDATE_GOLDEN=1 writes it anew. It should be:\n{page}",
        path.display()
    );
}
