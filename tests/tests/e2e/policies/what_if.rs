//! What a draft of a policy would change.

use mingce_e2e::cases::{Clock, Terms, load, open, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::LabDesignationState;
use mingce_proto::registry::{
    DecisionCounts, DecisionDifference, LabDesignationTerms, NominatingBodyTerms, Policy, SimulatePolicyRequest,
    SimulatePolicyResponse,
};
use tonic::{Code, Status};

use super::{evaluated, for_labs, policies, recorded, recorded_as, reviewed};
use crate::lab_fixture::{district, draft, easy, get, in_review, published, reasons};

on_both_stores!(
    a_what_if_lists_what_would_differ_and_changes_nothing,
    a_what_if_of_a_recorded_case_compares_with_the_policy_in_force,
    a_what_if_is_asked_of_cases_of_its_own_kind,
);

async fn what_if(
    register: &Register,
    draft: &Policy,
    cases: &[&str],
    round: &str,
) -> Result<SimulatePolicyResponse, Status> {
    let request = SimulatePolicyRequest {
        policy: Some(draft.clone()),
        cases: cases.iter().map(|&name| name.to_owned()).collect(),
        round: round.to_owned(),
        ..SimulatePolicyRequest::default()
    };
    let answer = register.cases().simulate_policy(request).await;
    answer.map(tonic::Response::into_inner)
}

fn differs<'a>(found: &'a [DecisionDifference], name: &str, decision: &str) -> Option<(&'a str, &'a str)> {
    let mut of_it = found.iter().filter(|d| d.name == name && d.decision == decision);
    let only = of_it.next().map(|d| (d.before.as_str(), d.after.as_str()));
    assert!(of_it.next().is_none(), "{name} {decision} stands twice: {found:?}");
    only
}

async fn a_what_if_lists_what_would_differ_and_changes_nothing(store: Store) {
    let clock = Clock::on("2024-03-04");
    let mut register = Register::start_at(store, &clock).await;
    load(&register, for_labs("1", "2024-01-01", easy())).await;
    let round = open(&register, district("2024-03-01", "2024-12-31")).await;
    let written = draft(&register, "试用实验室甲", &round).await;
    let reviewing = draft(&register, "试用实验室乙", &round).await;
    in_review(&register, &reviewing.name).await;
    let over = draft(&register, "试用实验室丙", &round).await;
    in_review(&register, &over.name).await;
    published(&register, &over.name).await.unwrap();
    let graded = recorded(&register, "试用实验室丁").await;
    evaluated(&register, &graded.name, 80).await;
    clock.set("2024-03-06");

    let mut before = Vec::new();
    for case in [&written, &reviewing, &over, &graded] {
        before.push(get(&register, &case.name).await);
    }
    let mut stricter = for_labs("9", "2030-01-01", reviewed(2, &[100]));
    {
        let terms = stricter.lab_designation.as_mut().unwrap();
        terms.min_fixed_members = 20;
        terms.good_score = 81;
        terms.excellent_score = 90;
    }
    let named = [graded.name.as_str(), written.name.as_str()];
    let answer = what_if(&register, &stricter, &named, &round.name).await.unwrap();
    // One case of the round was named too.
    assert_eq!(answer.cases, 4);
    let found = &answer.differences;
    let (was, is) = differs(found, &written.name, "submit").unwrap();
    assert_eq!((was, is), ("open", "TOO_FEW_FIXED_MEMBERS"));
    let submits = found.iter().find(|d| d.name == written.name && d.decision == "submit");
    let [blocker] = submits.unwrap().after_blockers.as_slice() else {
        panic!("{submits:?}")
    };
    let said = &blocker.description;
    assert!(said.starts_with("0 fixed members, at least 20"), "{said}");
    assert!(
        !blocker.description_zh.is_empty() && blocker.subject == written.name,
        "{blocker:?}"
    );
    let (was, is) = differs(found, &reviewing.name, "publish_notice").unwrap();
    assert_eq!(was, "open");
    assert_eq!(is, "REVIEWS_MISSING");
    let (was, is) = differs(found, &graded.name, "evaluation 2024").unwrap();
    assert_eq!((was, is), ("GOOD (80)", "QUALIFIED (80)"));
    // Decisions that stay as they are are not listed: the notice of this one is over either way.
    assert_eq!(differs(found, &over.name, "approve"), None);
    assert_eq!(found.len(), 3, "{found:?}");

    // The same terms make no difference.
    let same = for_labs("8", "2024-01-01", easy());
    assert_eq!(
        what_if(&register, &same, &[], &round.name).await.unwrap(),
        SimulatePolicyResponse {
            cases: 3,
            before: Some(DecisionCounts::default()),
            after: Some(DecisionCounts::default()),
            not_replayed_count: 3,
            ..SimulatePolicyResponse::default()
        }
    );
    // A draft that is none is refused as if it were loaded.
    let mut wrong = stricter.clone();
    wrong.sources.clear();
    let why = failure(what_if(&register, &wrong, &[], &round.name).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "TERM_WITHOUT_SOURCE"), "{why:?}");

    for case in before {
        assert_eq!(get(&register, &case.name).await, case);
    }
    assert_eq!(policies(&register, "").await.len(), 1);
    let entries = "SELECT count(*) FROM ledger";
    register.stop();
    let counted = register.number(entries).await;
    register.restart();
    what_if(&register, &stricter, &[&graded.name], &round.name)
        .await
        .unwrap();
    register.stop();
    assert_eq!(register.number(entries).await, counted);
}

async fn a_what_if_of_a_recorded_case_compares_with_the_policy_in_force(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let extended = |max_extensions| LabDesignationTerms {
        max_extensions,
        max_extension_months: 12,
        ..easy()
    };
    load(&register, for_labs("1", "2024-01-01", extended(1))).await;
    let case = recorded_as(&register, "试用实验室甲", LabDesignationState::Building).await;
    assert_eq!(reasons(&get(&register, &case.name).await, "extend_building"), [""; 0]);
    // Two extensions in the place of one: open before and after.
    let twice = for_labs("2", "2024-01-01", extended(2));
    let answer = what_if(&register, &twice, &[&case.name], "").await.unwrap();
    assert_eq!((answer.cases, answer.differences), (1, vec![]));
    let never = for_labs("3", "2024-01-01", extended(0));
    let answer = what_if(&register, &never, &[&case.name], "").await.unwrap();
    let (was, is) = differs(&answer.differences, &case.name, "extend_building").unwrap();
    assert_eq!(was, "open");
    assert!(is.starts_with("EXTENSIONS_USED_UP"), "{is}");
    // It is under no policy by having been asked about.
    assert_eq!(get(&register, &case.name).await.revision, case.revision);
}

async fn a_what_if_is_asked_of_cases_of_its_own_kind(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let round = open(&register, district("2024-03-01", "2024-12-31")).await;
    let designation = draft(&register, "试用实验室甲", &round).await;
    let body = Terms::Body(NominatingBodyTerms {
        authorisation_months: 12,
        ..NominatingBodyTerms::default()
    });
    let body = policy("1", "2024-01-01", body);
    let why = failure(what_if(&register, &body, &[&designation.name], "").await);
    assert_eq!(why.is(), (Code::InvalidArgument, "TERMS_OF_OTHER_KIND"), "{why:?}");
    // A round of another kind has no cases that this policy would decide.
    let answer = what_if(&register, &body, &[], &round.name).await.unwrap();
    assert_eq!((answer.cases, answer.differences.len()), (0, 0));
    let nobody = "labs/01jd2k3m4n5p6q7r8s9t0v1w2x/designations/01jd2k3m4n5p6q7r8s9t0v1w2x";
    let why = failure(what_if(&register, &for_labs("1", "2024-01-01", easy()), &[nobody], "").await);
    assert_eq!((why.code, why.resource.as_str()), (Code::NotFound, nobody), "{why:?}");
}
