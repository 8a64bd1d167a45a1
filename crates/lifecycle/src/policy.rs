//! Policy versions: the numbers by which cases are decided, each with its source.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mingce_orm::model::normalize::{Violations, enum_values};
use mingce_orm::model::resource::name_based_id;
use mingce_orm::{
    AuditInfo, Collection, Column, Edit, Error, Field, Key, RequestContext, Result, Shape, Store, UnitOfWork,
    Violation, WriteResult,
};
use mingce_proto::registry::{CaseKind, Policy, TermDifference};

use crate::eval_context::EvalContext;
use crate::state_machine::Stateful;
use crate::terms::{Leaf, canonical, leaves, terms_message};

/// The collection.
#[derive(Debug)]
pub enum Policies {}

impl Collection for Policies {
    type Item = Policy;
    const MESSAGE: &'static str = "mingce.registry.v1.Policy";
    const COLLECTION: &'static str = mingce_proto::collections::POLICIES;
    const TABLE: &'static str = "policies";
    const SINGULAR: &'static str = "policy";
    const DEFAULT_ORDER: &'static str = "kind, start_date";

    fn shape() -> &'static Shape<Self> {
        static SHAPE: LazyLock<Shape<Policies>> = LazyLock::new(|| {
            let kinds = enum_values("mingce.registry.v1.CaseKind");
            let levels = enum_values("mingce.registry.v1.Level");
            Shape::new(vec![
                Field {
                    column: Column::one_of("kind", kinds).groupable(),
                    get: |p| p.kind.into(),
                },
                Field {
                    column: Column::one_of("level", levels).groupable(),
                    get: |p| p.level.into(),
                },
                Field {
                    column: Column::text("programme").groupable(),
                    get: |p| p.programme.as_str().into(),
                },
                Field {
                    column: Column::text("version"),
                    get: |p| p.version.as_str().into(),
                },
                Field {
                    column: Column::date("start_date"),
                    get: |p| p.start_date.as_str().into(),
                },
            ])
        });
        &SHAPE
    }

    fn title(item: &Policy) -> &str {
        &item.display_name
    }

    fn keys(item: &Policy) -> Vec<Key> {
        let version = [
            &item.kind.to_string(),
            &item.level.to_string(),
            &item.programme,
            &item.version,
        ];
        vec![Key::new("version", version.map(String::as_str).join("|"), "version")]
    }

    fn normalize(item: &mut Policy) -> Vec<Violation> {
        let mut problems = Violations::default();
        problems.name("display_name", &mut item.display_name);
        problems.date("start_date", &item.start_date);
        let set = [
            (
                CaseKind::LabDesignation,
                "lab_designation",
                item.lab_designation.is_some(),
            ),
            (
                CaseKind::TalentDesignation,
                "talent_designation",
                item.talent_designation.is_some(),
            ),
            (
                CaseKind::NominatingBody,
                "nominating_body",
                item.nominating_body.is_some(),
            ),
            (
                CaseKind::Recommendation,
                "recommendation",
                item.recommendation.is_some(),
            ),
            (CaseKind::Award, "award", item.award.is_some()),
        ];
        let mut fits = true;
        for (kind, field, is_set) in set {
            if is_set != (item.kind() == kind) {
                fits = false;
                let said = if is_set { "leave them out" } else { "give them" };
                let said = format!(
                    "the terms of a policy are those of its kind, {}: {said}",
                    item.kind().as_str_name()
                );
                problems.add(field, "TERMS_OF_OTHER_KIND", said);
            }
        }
        weights(item, &mut problems);
        let paths: Vec<_> = item
            .sources
            .iter()
            .map(|source| canonical(item, &source.term))
            .collect();
        for (place, (source, path)) in item.sources.iter_mut().zip(paths).enumerate() {
            match path {
                Ok(path) => source.term = path,
                // Of terms of another kind it is said once that they are.
                Err(_) if !fits => {}
                Err(said) => problems.add(format!("sources[{place}].term"), "TERM_UNKNOWN", said),
            }
        }
        for Leaf { term, .. } in leaves(item) {
            if source_of(item, &term).is_none() {
                let said = format!("{term} has no source: name the published rule, or say \"assumed\"");
                problems.add("sources", "TERM_WITHOUT_SOURCE", said);
            }
        }
        problems.into_inner()
    }
}

/// Criteria of a review weigh 100 together; grades of an evaluation follow each other.
fn weights(item: &Policy, problems: &mut Violations) {
    let review = [
        item.lab_designation.as_ref().and_then(|t| t.review.as_ref()),
        item.talent_designation.as_ref().and_then(|t| t.review.as_ref()),
        item.award.as_ref().and_then(|t| t.review.as_ref()),
    ];
    for review in review.into_iter().flatten() {
        let sum: i32 = review.criteria.iter().map(|c| c.weight_percent).sum();
        if !review.criteria.is_empty() && sum != 100 {
            let said = format!("the weights are {sum} percent together: they have to be 100");
            problems.add(
                format!("{}.review.criteria", terms_message(item)),
                "WEIGHTS_NOT_100",
                said,
            );
        }
        if review.min_reviews > 0 && review.criteria.is_empty() {
            let said = "reviews need at least one criterion".to_owned();
            problems.add(
                format!("{}.review.criteria", terms_message(item)),
                "CRITERIA_MISSING",
                said,
            );
        }
    }
    if let Some(terms) = &item.lab_designation
        && !(terms.excellent_score >= terms.good_score && terms.good_score >= terms.qualified_score)
    {
        let said = "excellent_score is at least good_score, and that at least qualified_score";
        problems.add("lab_designation.good_score", "GRADES_OUT_OF_ORDER", said);
    }
}

/// Where a term comes from: a source stands for its path and for all below it.
pub fn source_of<'a>(policy: &'a Policy, term: &str) -> Option<&'a str> {
    let plain = |text: &str| {
        let mut plain = String::new();
        let mut inside = false;
        for c in text.chars() {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                c if !inside => plain.push(c),
                _ => {}
            }
        }
        plain
    };
    let covers = |path: &str, term: &str| {
        term == path || term.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let found = policy
        .sources
        .iter()
        .filter(|source| covers(&source.term, term) || covers(&source.term, &plain(term)));
    found
        .max_by_key(|source| source.term.len())
        .map(|source| source.source.as_str())
}

/// The terms in which two policies differ.
///
/// # Errors
/// Where they are of different kinds.
pub fn compare(before: &Policy, after: &Policy) -> Result<Vec<TermDifference>> {
    if before.kind != after.kind {
        let said = format!(
            "{} is for {}, {} for {}: compare policies of one kind",
            before.name,
            before.kind().as_str_name(),
            after.name,
            after.kind().as_str_name()
        );
        return Err(Error::invalid("after", "TERMS_OF_OTHER_KIND", said));
    }
    // By place, so that what only one of them has stands where the contract has it.
    let mut both: BTreeMap<Vec<usize>, [Option<Leaf>; 2]> = BTreeMap::new();
    for (side, policy) in [before, after].into_iter().enumerate() {
        for leaf in leaves(policy) {
            if let Some(slot) = both.entry(leaf.place.clone()).or_default().get_mut(side) {
                *slot = Some(leaf);
            }
        }
    }
    let differences = both.into_values().filter_map(|[was, is]| {
        let term = was.as_ref().or(is.as_ref())?.term.clone();
        let source = |policy, leaf: &Option<Leaf>| {
            leaf.as_ref()
                .and_then(|_| source_of(policy, &term))
                .unwrap_or_default()
                .to_owned()
        };
        let (source_before, source_after) = (source(before, &was), source(after, &is));
        let value = |leaf: Option<Leaf>| leaf.map_or(String::new(), |leaf| leaf.value);
        let (was, is) = (value(was), value(is));
        (was != is).then_some(TermDifference {
            term,
            before: was,
            after: is,
            source_before,
            source_after,
        })
    });
    Ok(differences.collect())
}

/// The policy that a case is under.
///
/// # Errors
/// While it is not loaded.
pub fn policy_of<C: Stateful>(work: &mut UnitOfWork, at: &EvalContext, item: &C::Item) -> Result<Option<Policy>> {
    let name = C::policy(item);
    if name.is_empty() {
        return Ok(at.in_force.as_deref().cloned());
    }
    work.require_unchanged::<Policies>(name).map(Some)
}

/// The policy of a kind that the program ships, as a file of `policies/`.
///
/// # Errors
/// Where the file is broken, which a test holds it not to be.
pub fn built_in(kind: CaseKind) -> Result<Policy> {
    let text = match kind {
        CaseKind::LabDesignation => include_str!("../policies/lab_designation.json"),
        CaseKind::TalentDesignation => include_str!("../policies/talent_designation.json"),
        CaseKind::NominatingBody => include_str!("../policies/nominating_body.json"),
        CaseKind::Recommendation => include_str!("../policies/recommendation.json"),
        CaseKind::Award => include_str!("../policies/award.json"),
        CaseKind::Unspecified => return Err(Error::internal("no kind of case")),
    };
    crate::terms::from_json(text)
}

/// The same policy with a name: one that was shipped is loaded into the register first, once.
///
/// # Errors
/// Where it cannot be written.
pub async fn ensure_stored(store: &Store, cx: &RequestContext, policy: Policy) -> Result<Policy> {
    if !policy.name.is_empty() {
        return Ok(policy);
    }
    let id = name_based_id(&format!("policies/{}/{}", policy.kind().as_str_name(), policy.version));
    let by_itself = RequestContext {
        actor: crate::BY_ITSELF.to_owned(),
        ..cx.clone()
    };
    let at = by_itself.clone();
    let edit: Edit = Box::new(move |work| {
        let stored = work.get::<Policies>(&id.to_string())?;
        let stamp = AuditInfo::new("create");
        match stored {
            Some(stored) => work.update::<Policies>(&at, &stamp, &stored),
            None => {
                let mut shipped = policy.clone();
                // Somebody may have called a policy of theirs so.
                while is_taken(work, &shipped)? {
                    shipped.version.push_str(".s");
                }
                work.create_as::<Policies>(&at, &stamp, &shipped, id)
            }
        }
    });
    let mut done = store.change_each(&by_itself, [edit]).await?;
    let answer: WriteResult = done
        .pop()
        .ok_or_else(|| Error::internal("a writer answered nothing"))??;
    answer.decode::<Policies>()
}

/// The resource name of the policy that the program ships for a kind, once it is loaded.
pub(crate) fn built_in_name(kind: CaseKind) -> Result<String> {
    let policy = built_in(kind)?;
    let id = name_based_id(&format!("policies/{}/{}", policy.kind().as_str_name(), policy.version));
    Ok(Policies::shape().kind.name(None, &id.to_string()))
}

fn is_taken(work: &mut UnitOfWork, policy: &Policy) -> Result<bool> {
    let owners: Vec<_> = Policies::keys(policy)
        .iter()
        .map(|key| work.owner::<Policies>(key))
        .collect();
    let owners = owners.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(owners.iter().any(Option::is_some))
}
