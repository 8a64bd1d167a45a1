//! A policy version that is a copy of another, with the terms that are other and their sources.

use mingce_orm::{Error, RequestContext, Result, Store, Violation};
use mingce_proto::names::POOL;
use mingce_proto::registry::{Policy, TermSource, View};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use crate::policy::{Policies, built_in, source_of};
use crate::terms::{Leaf, canonical, leaves, terms_message};

/// The word for the policy that the program ships.
const SHIPPED: &str = "shipped";

/// What a policy is based on.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Resource name of a policy version, `shipped`, or empty for none.
    pub name: &'a str,
    /// The terms that are other; empty: those that are set.
    pub terms: &'a [String],
}

impl Basis<'_> {
    /// The whole policy: what is given on top of what it is based on.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT, reasons `TERM_UNKNOWN`, `TERM_WITHOUT_SOURCE`, `TERMS_OF_OTHER_KIND`.
    pub async fn whole(&self, store: &Store, cx: &RequestContext, given: Policy) -> Result<Policy> {
        if self.name.is_empty() {
            if self.terms.is_empty() {
                return Ok(given);
            }
            let said = "without based_on the policy says all of its terms: leave terms_mask out";
            return Err(Error::invalid("terms_mask", "BASIS_MISSING", said));
        }
        let base = if self.name == SHIPPED {
            if given.kind == 0 {
                let said = "say for which kind: the program ships one policy for each";
                return Err(Error::invalid("policy.kind", "REQUIRED", said));
            }
            built_in(given.kind())?
        } else {
            let found = store.batch_get::<Policies>(cx, &[self.name], View::Full as i32).await?;
            let found = found.items()?.pop();
            found.ok_or_else(|| Error::internal("a policy was asked for"))?
        };
        if given.kind != 0 && given.kind != base.kind {
            let said = format!("{} is for {}: leave the kind out", self.name, base.kind().as_str_name());
            return Err(Error::invalid("policy.kind", "TERMS_OF_OTHER_KIND", said));
        }
        on_top(&base, given, self.terms)
    }
}

/// A policy on top of another: it has its terms, but for those that are given.
fn on_top(base: &Policy, given: Policy, paths: &[String]) -> Result<Policy> {
    let mut new = given;
    new.kind = base.kind;
    let inherit = |own: &mut String, other: &str| {
        if own.is_empty() {
            other.clone_into(own);
        }
    };
    inherit(&mut new.display_name, &base.display_name);
    inherit(&mut new.programme, &base.programme);
    if new.level == 0 {
        new.level = base.level;
    }
    let paths = paths.iter().enumerate().map(|(place, path)| {
        canonical(&new, path).map_err(|said| Error::invalid(format!("terms_mask.paths[{place}]"), "TERM_UNKNOWN", said))
    });
    let paths = paths.collect::<Result<Vec<_>>>()?;
    let mut sources = std::mem::take(&mut new.sources);
    for source in &mut sources {
        // What is wrong with one is said where all of the policy is checked.
        source.term = canonical(&new, &source.term).unwrap_or_else(|_| source.term.clone());
    }
    let mut new = with_terms(base, &new, &paths)?;
    new.sources = sources;
    let (before, given) = (leaves(base), new.clone());
    let mut missing = Vec::new();
    for leaf in leaves(&new) {
        if source_of(&given, &leaf.term).is_some() {
            continue;
        }
        let is_same = |other: &&Leaf| other.term == leaf.term && other.value == leaf.value;
        match before.iter().find(is_same).and_then(|same| source_of(base, &same.term)) {
            Some(source) => new.sources.push(TermSource {
                term: leaf.term,
                source: source.to_owned(),
            }),
            None => {
                let said = format!(
                    "{} is other than in what it is based on and has no source: name the published rule, or say \"assumed\"",
                    leaf.term
                );
                missing.push(Violation::new("policy.sources", "TERM_WITHOUT_SOURCE", said));
            }
        }
    }
    if !missing.is_empty() {
        return Err(Error::invalid_all(missing));
    }
    new.sources = folded(base, new.sources, given.sources.len());
    Ok(new)
}

/// The terms of the base with those of a policy on top, at these paths or where it sets them.
fn with_terms(base: &Policy, new: &Policy, paths: &[String]) -> Result<Policy> {
    let field = terms_message(base);
    let descriptor = POOL
        .get_message_by_name("mingce.registry.v1.Policy")
        .ok_or_else(|| Error::internal("the contract has no policies"))?;
    let read = |policy: &Policy| {
        DynamicMessage::decode(descriptor.clone(), policy.encode_to_vec().as_slice()).map_err(Error::internal)
    };
    let (base, mut whole) = (read(base)?, read(new)?);
    let terms = |policy: &DynamicMessage| {
        let value = policy.get_field_by_name(field).map(std::borrow::Cow::into_owned);
        value.and_then(|value| value.as_message().cloned())
    };
    let (Some(mut merged), Some(own)) = (terms(&base), terms(&whole)) else {
        return Err(Error::internal("a policy without terms"));
    };
    if paths.is_empty() {
        lay(&mut merged, &own);
    }
    for path in paths {
        put(&mut merged, &own, path);
    }
    whole.set_field_by_name(field, Value::Message(merged));
    Policy::decode(whole.encode_to_vec().as_slice()).map_err(Error::internal)
}

/// Sets what another sets: messages part by part, lists as a whole.
fn lay(merged: &mut DynamicMessage, own: &DynamicMessage) {
    for (field, value) in own.fields() {
        if let (Some(inner), false) = (value.as_message(), field.is_list()) {
            let mut below = merged
                .get_field(&field)
                .as_message()
                .cloned()
                .unwrap_or_else(|| inner.clone());
            lay(&mut below, inner);
            merged.set_field(&field, Value::Message(below));
        } else {
            merged.set_field(&field, value.clone());
        }
    }
}

/// Sets what stands at a path, also where it is nothing. A place in a list stands for the list.
fn put(merged: &mut DynamicMessage, own: &DynamicMessage, path: &str) {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = first.split('[').next().unwrap_or(first);
    let Some(field) = merged.descriptor().get_field_by_name(name) else {
        return;
    };
    if rest.is_empty() || field.is_list() {
        if own.has_field(&field) {
            merged.set_field(&field, own.get_field(&field).into_owned());
        } else {
            merged.clear_field(&field);
        }
        return;
    }
    let below = merged.get_field(&field).as_message().cloned();
    let inner = own.get_field(&field).as_message().cloned();
    if let (Some(mut below), Some(inner)) = (below, inner) {
        put(&mut below, &inner, rest);
        merged.set_field(&field, Value::Message(below));
    }
}

/// Sources term by term, behind the first so many, under the paths of the base where all below one is as it was there.
fn folded(base: &Policy, mut sources: Vec<TermSource>, given: usize) -> Vec<TermSource> {
    let inherited = sources.split_off(given);
    let covers = |path: &str, term: &str| {
        term == path || term.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let all = leaves(base);
    let mut left = inherited.clone();
    for whole in &base.sources {
        let of_base: Vec<&Leaf> = all.iter().filter(|leaf| covers(&whole.term, &leaf.term)).collect();
        let has = |leaf: &&Leaf| {
            inherited
                .iter()
                .any(|source| source.term == leaf.term && source.source == whole.source)
        };
        if !of_base.is_empty() && of_base.iter().all(has) {
            left.retain(|source| !covers(&whole.term, &source.term));
            sources.push(whole.clone());
        }
    }
    sources.extend(left);
    sources
}

#[cfg(test)]
mod tests {
    use mingce_proto::registry::{CaseKind, LabDesignationTerms, NoticeTerms};

    use super::*;

    fn source(term: &str, source: &str) -> TermSource {
        TermSource {
            term: term.to_owned(),
            source: source.to_owned(),
        }
    }

    fn given(terms: LabDesignationTerms, sources: &[(&str, &str)]) -> Policy {
        Policy {
            version: "2026.1".to_owned(),
            start_date: "2026-01-01".to_owned(),
            lab_designation: Some(terms),
            sources: sources.iter().map(|(term, said)| source(term, said)).collect(),
            ..Policy::default()
        }
    }

    #[test]
    fn a_copy_needs_the_sources_of_what_is_other_and_of_nothing_else() {
        let base = built_in(CaseKind::LabDesignation).unwrap();
        let terms = LabDesignationTerms {
            notice: Some(NoticeTerms {
                working_days: 7,
                objection_days: 0,
            }),
            max_hosts: 2,
            ..LabDesignationTerms::default()
        };
        let refused = on_top(&base, given(terms.clone(), &[("maxHosts", "本市办法")]), &[]).unwrap_err();
        assert_eq!(refused.reason(), "TERM_WITHOUT_SOURCE");
        let sources = [("maxHosts", "本市办法"), ("notice.working_days", "本市办法")];
        let made = on_top(&base, given(terms, &sources), &[]).unwrap();
        let own = made.lab_designation.as_ref().unwrap();
        assert_eq!(
            (own.max_hosts, own.notice.unwrap().working_days, own.building_months),
            (2, 7, 24)
        );
        assert_eq!(source_of(&made, "max_hosts"), Some("本市办法"));
        assert_eq!(source_of(&made, "notice.working_days"), Some("本市办法"));
        assert_eq!(source_of(&made, "building_months"), source_of(&base, "building_months"));
        // As many lines as it takes, and not one for each leaf.
        assert_eq!(made.sources.len(), base.sources.len(), "{:#?}", made.sources);
        assert_eq!(
            (made.kind(), made.display_name.as_str()),
            (CaseKind::LabDesignation, base.display_name.as_str())
        );
    }

    #[test]
    fn a_mask_sets_what_becomes_nothing() {
        let base = built_in(CaseKind::LabDesignation).unwrap();
        let paths = [
            "buildingMonths".to_owned(),
            "review.criteria".to_owned(),
            "review.minReviews".to_owned(),
        ];
        let made = on_top(&base, given(LabDesignationTerms::default(), &[]), &paths).unwrap();
        let own = made.lab_designation.as_ref().unwrap();
        let review = own.review.as_ref().unwrap();
        assert_eq!(
            (own.building_months, review.min_reviews, review.criteria.len()),
            (0, 0, 0)
        );
        assert_eq!((review.min_score, own.max_hosts), (6000, 3));
        assert_eq!(source_of(&made, "review.min_score"), Some("assumed"));
        let wrong = on_top(
            &base,
            given(LabDesignationTerms::default(), &[]),
            &["nonsense".to_owned()],
        )
        .unwrap_err();
        assert_eq!(wrong.reason(), "TERM_UNKNOWN");
    }
}
