//! A policy that is a copy of another: its terms and their sources, but for what is other.

use mingce_e2e::cases::{Clock, Terms, load, policy};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::registry::{
    CaseKind, ComparePoliciesRequest, CreatePolicyRequest, LabDesignationTerms, Level, Policy, TermSource,
};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::lab_fixture::easy;

on_both_stores!(
    a_copy_of_the_shipped_policy_names_the_sources_of_what_is_other,
    a_copy_of_a_loaded_policy_begins_from_it,
    a_source_is_of_a_term_that_exists,
);

fn source(term: &str, source: &str) -> TermSource {
    TermSource {
        term: term.to_owned(),
        source: source.to_owned(),
    }
}

fn copy(version: &str, terms: LabDesignationTerms, sources: Vec<TermSource>) -> Policy {
    Policy {
        version: version.to_owned(),
        start_date: "2026-01-01".to_owned(),
        lab_designation: Some(terms),
        sources,
        ..Policy::default()
    }
}

async fn create(register: &Register, policy: Policy, based_on: &str, paths: &[&str]) -> Result<Policy, Status> {
    let request = CreatePolicyRequest {
        policy: Some(policy),
        based_on: based_on.to_owned(),
        terms_mask: (!paths.is_empty()).then(|| FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        ..CreatePolicyRequest::default()
    };
    let answer = register.cases().create_policy(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn refused(register: &Register, policy: Policy, based_on: &str, paths: &[&str]) -> Failure {
    failure(create(register, policy, based_on, paths).await)
}

async fn a_copy_of_the_shipped_policy_names_the_sources_of_what_is_other(store: Store) {
    let clock = Clock::on("2026-03-02");
    let register = Register::start_at(store, &clock).await;
    let terms = LabDesignationTerms {
        max_hosts: 2,
        min_fixed_members: 15,
        ..LabDesignationTerms::default()
    };
    let of_labs = |sources: Vec<TermSource>| Policy {
        kind: CaseKind::LabDesignation as i32,
        display_name: "试用办法".to_owned(),
        ..copy("2026.1", terms.clone(), sources)
    };
    let why = refused(
        &register,
        of_labs(vec![source("maxHosts", "试用办法第二条")]),
        "shipped",
        &[],
    )
    .await;
    assert_eq!(why.is(), (Code::InvalidArgument, "TERM_WITHOUT_SOURCE"), "{why:?}");
    assert_eq!(why.descriptions.len(), 1, "{why:?}");
    assert!(why.descriptions[0].starts_with("min_fixed_members "), "{why:?}");
    let sources = vec![
        source("maxHosts", "试用办法第二条"),
        source("min_fixed_members", "试用办法第三条"),
    ];
    let made = create(&register, of_labs(sources), "shipped", &[]).await.unwrap();
    let own = made.lab_designation.as_ref().unwrap();
    assert_eq!((own.max_hosts, own.min_fixed_members, own.building_months), (2, 15, 24));
    let of = |term: &str| {
        made.sources
            .iter()
            .find(|source| source.term == term)
            .map(|source| source.source.clone())
    };
    assert_eq!(of("max_hosts").as_deref(), Some("试用办法第二条"));
    assert_eq!(
        of("building_months").as_deref(),
        Some("青岛市2022年11月批次：建设期不超过两年")
    );
    // Which kind it is has to be known.
    let unsaid = Policy {
        kind: 0,
        ..of_labs(Vec::new())
    };
    let why = refused(&register, unsaid, "shipped", &[]).await;
    assert_eq!(
        (why.code, why.fields.as_slice()),
        (Code::InvalidArgument, ["policy.kind".to_owned()].as_slice())
    );
}

async fn a_copy_of_a_loaded_policy_begins_from_it(store: Store) {
    let clock = Clock::on("2026-03-02");
    let register = Register::start_at(store, &clock).await;
    let base = Policy {
        level: Level::District as i32,
        programme: "区级重点实验室".to_owned(),
        ..policy(
            "2025.1",
            "2025-01-01",
            Terms::Lab(LabDesignationTerms {
                building_months: 12,
                ..easy()
            }),
        )
    };
    let base = load(&register, base).await;
    // What becomes nothing is named by the mask, and needs no source.
    let none = LabDesignationTerms::default();
    let made = create(
        &register,
        copy("2026.1", none.clone(), Vec::new()),
        &base.name,
        &["buildingMonths"],
    )
    .await
    .unwrap();
    assert_eq!(
        (made.level, &made.programme, &made.display_name),
        (base.level, &base.programme, &base.display_name)
    );
    let request = ComparePoliciesRequest {
        before: base.name.clone(),
        after: made.name.clone(),
    };
    let differences = register
        .cases()
        .compare_policies(request)
        .await
        .unwrap()
        .into_inner()
        .differences;
    let terms: Vec<(&str, &str, &str)> = differences
        .iter()
        .map(|one| (one.term.as_str(), one.before.as_str(), one.after.as_str()))
        .collect();
    assert_eq!(terms, [("building_months", "12", "")]);
    // Asked for twice it is one; a version that is there is refused.
    let why = refused(&register, copy("2026.1", none.clone(), Vec::new()), &base.name, &[]).await;
    assert_eq!(why.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{why:?}");
    let why = refused(
        &register,
        copy("2026.2", none.clone(), Vec::new()),
        &base.name,
        &["nonsense.x"],
    )
    .await;
    assert_eq!(why.is(), (Code::InvalidArgument, "TERM_UNKNOWN"), "{why:?}");
    assert_eq!(why.fields, ["terms_mask.paths[0]"]);
    let gone = "policies/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let why = refused(&register, copy("2026.2", none.clone(), Vec::new()), gone, &[]).await;
    assert_eq!((why.code, why.resource.as_str()), (Code::NotFound, gone));
    let other = Policy {
        kind: CaseKind::Award as i32,
        ..copy("2026.2", none.clone(), Vec::new())
    };
    let why = refused(&register, other, &base.name, &[]).await;
    assert_eq!(why.is(), (Code::InvalidArgument, "TERMS_OF_OTHER_KIND"), "{why:?}");
    let why = refused(&register, copy("2026.2", none, Vec::new()), "", &["max_hosts"]).await;
    assert_eq!(why.is(), (Code::InvalidArgument, "BASIS_MISSING"), "{why:?}");
}

async fn a_source_is_of_a_term_that_exists(store: Store) {
    let clock = Clock::on("2026-03-02");
    let register = Register::start_at(store, &clock).await;
    let mut policy = policy("1", "2026-01-01", Terms::Lab(easy()));
    policy.sources.push(source("nonsense.x", "assumed"));
    policy.sources.push(source("midterm_months", "assumed"));
    let last = policy.sources.len() - 1;
    let why = refused(&register, policy.clone(), "", &[]).await;
    assert_eq!(why.is(), (Code::InvalidArgument, "TERM_UNKNOWN"), "{why:?}");
    let fields: Vec<String> = [last - 1, last].map(|at| format!("policy.sources[{at}].term")).into();
    assert_eq!(why.fields, fields);
    assert!(
        why.descriptions[0].contains("available: notice, review, max_hosts"),
        "{why:?}"
    );
    // As JSON spells it, and below the kind.
    policy.sources.truncate(last - 1);
    policy
        .sources
        .retain(|source| !["notice", "max_failures"].contains(&source.term.as_str()));
    policy.sources.push(source("notice.workingDays", "试用办法"));
    policy.sources.push(source("labDesignation.maxFailures", "试用办法"));
    let made = create(&register, policy, "", &[]).await.unwrap();
    let terms: Vec<&str> = made
        .sources
        .iter()
        .rev()
        .take(2)
        .map(|source| source.term.as_str())
        .collect();
    assert_eq!(terms, ["max_failures", "notice.working_days"]);
}
