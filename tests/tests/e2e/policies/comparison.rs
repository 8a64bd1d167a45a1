//! The comparison of two versions of a policy.

use mingce_e2e::cases::{Clock, Terms, load, notice_of, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::registry::{ComparePoliciesRequest, NominatingBodyTerms, Policy, TermDifference, TermSource};
use tonic::{Code, Status};

use super::{for_labs, reviewed};

on_both_stores!(two_versions_are_compared_term_by_term_with_their_sources);

async fn compared(register: &Register, before: &Policy, after: &Policy) -> Result<Vec<TermDifference>, Status> {
    let request = ComparePoliciesRequest {
        before: before.name.clone(),
        after: after.name.clone(),
    };
    let answer = register.cases().compare_policies(request).await;
    answer.map(|answer| answer.into_inner().differences)
}

fn difference(
    term: &str,
    (before, after): (&str, &str),
    (source_before, source_after): (&str, &str),
) -> TermDifference {
    TermDifference {
        term: term.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        source_before: source_before.to_owned(),
        source_after: source_after.to_owned(),
    }
}

async fn two_versions_are_compared_term_by_term_with_their_sources(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    let mut first = for_labs("1", "2024-01-01", reviewed(3, &[60, 40]));
    first.lab_designation.as_mut().unwrap().max_hosts = 3;
    let first = load(&register, first).await;
    let mut second = for_labs("2", "2025-01-01", reviewed(3, &[50, 30, 20]));
    {
        let terms = second.lab_designation.as_mut().unwrap();
        terms.notice = notice_of(5);
        terms.min_fixed_members = 20;
    }
    for (term, source) in [("notice", "试行办法第三条"), ("review.criteria[0]", "试行办法第五条")] {
        second.sources.retain(|s| s.term != term);
        second.sources.push(TermSource {
            term: term.to_owned(),
            source: source.to_owned(),
        });
    }
    let second = load(&register, second).await;
    let expected = [
        difference("notice.working_days", ("1", "5"), ("assumed", "试行办法第三条")),
        difference(
            "review.criteria[0].weight_percent",
            ("60", "50"),
            ("assumed", "试行办法第五条"),
        ),
        difference(
            "review.criteria[1].weight_percent",
            ("40", "30"),
            ("assumed", "assumed"),
        ),
        difference("review.criteria[2].code", ("", "c"), ("", "assumed")),
        difference("review.criteria[2].display_name", ("", "c"), ("", "assumed")),
        difference("review.criteria[2].weight_percent", ("", "20"), ("", "assumed")),
        difference("max_hosts", ("3", ""), ("assumed", "")),
        difference("min_fixed_members", ("", "20"), ("", "assumed")),
    ];
    assert_eq!(compared(&register, &first, &second).await.unwrap(), expected);
    // The other way round.
    let mut back: Vec<_> = compared(&register, &second, &first).await.unwrap();
    for difference in &mut back {
        std::mem::swap(&mut difference.before, &mut difference.after);
        std::mem::swap(&mut difference.source_before, &mut difference.source_after);
    }
    assert_eq!(back, expected);
    assert_eq!(compared(&register, &first, &first).await.unwrap(), vec![]);

    let body = Terms::Body(NominatingBodyTerms {
        authorisation_months: 12,
        ..NominatingBodyTerms::default()
    });
    let body = load(&register, policy("1", "2024-01-01", body)).await;
    let why = failure(compared(&register, &first, &body).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "TERMS_OF_OTHER_KIND"), "{why:?}");
    let nobody = Policy {
        name: "policies/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..Policy::default()
    };
    let why = failure(compared(&register, &first, &nobody).await);
    assert_eq!((why.code, why.resource), (Code::NotFound, nobody.name));
}
