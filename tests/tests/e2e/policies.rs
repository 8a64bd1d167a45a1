//! Policies are data with versions: which holds on a day, what is refused, how they differ, and what a draft would change.

use mingce_e2e::cases::{Clock, Terms, load, notice_of, open, policy, round};
use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    EvaluateLabDesignationRequest, Lab, LabDesignation, LabDesignationState, LabEvaluationGrade,
    RecordLabDesignationRequest,
};
use mingce_proto::registry::{
    CaseKind, ComparePoliciesRequest, CreatePolicyRequest, CreateRoundRequest, Criterion, DecisionCounts,
    DecisionDifference, GetPolicyRequest, LabDesignationTerms, Level, ListPoliciesRequest, NominatingBodyTerms, Policy,
    ReviewTerms, Round, SimulatePolicyRequest, SimulatePolicyResponse, TermDifference, TermSource, View,
};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::designated::{
    PROGRAMME, approved, district, draft, easy, get, history, in_review, lab, published, reasons, submitted, verb,
};
use crate::made::{made, organization};

on_both_stores!(
    of_the_versions_that_have_begun_the_last_holds_and_the_more_specific_before_the_wider,
    what_is_wrong_with_a_policy_is_said_with_its_field,
    a_version_is_loaded_once,
    the_shipped_policy_is_loaded_once_by_the_register_itself,
    a_policy_that_is_called_like_the_shipped_one_is_in_nobodys_way,
    a_case_keeps_the_version_it_was_submitted_under,
    a_case_is_decided_by_the_policy_of_its_round,
    a_recorded_case_comes_under_the_policy_in_force_with_its_first_verb,
    two_versions_are_compared_term_by_term_with_their_sources,
    a_what_if_lists_what_would_differ_and_changes_nothing,
    a_what_if_of_a_recorded_case_compares_with_the_policy_in_force,
    a_what_if_is_asked_of_cases_of_its_own_kind,
);

fn creates(policy: Policy) -> CreatePolicyRequest {
    CreatePolicyRequest {
        policy: Some(policy),
        ..CreatePolicyRequest::default()
    }
}

async fn refused(register: &Register, policy: Policy) -> Failure {
    failure(register.cases().create_policy(creates(policy)).await)
}

async fn policies(register: &Register, filter: &str) -> Vec<Policy> {
    let request = ListPoliciesRequest {
        filter: filter.to_owned(),
        page_size: 1000,
        view: View::Full as i32,
        ..ListPoliciesRequest::default()
    };
    let answer = register.cases().list_policies(request).await.unwrap().into_inner();
    answer.policies
}

async fn policy_named(register: &Register, name: &str) -> Policy {
    let request = GetPolicyRequest {
        name: name.to_owned(),
        ..GetPolicyRequest::default()
    };
    register.cases().get_policy(request).await.unwrap().into_inner()
}

fn for_labs(version: &str, start_date: &str, terms: LabDesignationTerms) -> Policy {
    policy(version, start_date, Terms::Lab(terms))
}

async fn of_the_versions_that_have_begun_the_last_holds_and_the_more_specific_before_the_wider(store: Store) {
    let clock = Clock::on("2024-01-05");
    let register = Register::start_at(store, &clock).await;
    let first = load(&register, for_labs("2024.1", "2024-01-01", easy())).await;
    // Loaded in another order than they begin.
    let third = load(&register, for_labs("2024.3", "2024-09-01", easy())).await;
    let second = load(&register, for_labs("2024.2", "2024-06-01", easy())).await;
    let level = Policy {
        level: Level::Municipal as i32,
        ..for_labs("2023.1", "2023-01-01", easy())
    };
    let level = load(&register, level).await;
    let programme = Policy {
        programme: PROGRAMME.to_owned(),
        ..for_labs("2022.1", "2022-01-01", easy())
    };
    let programme = load(&register, programme).await;
    let both = Policy {
        level: Level::Municipal as i32,
        programme: PROGRAMME.to_owned(),
        ..for_labs("2024.4", "2024-07-01", easy())
    };
    let both = load(&register, both).await;
    // Of another kind, and so never for labs.
    let other = Terms::Body(NominatingBodyTerms {
        notice: notice_of(1),
        authorisation_months: 12,
        ..NominatingBodyTerms::default()
    });
    load(&register, policy("2024.9", "2024-05-01", other)).await;

    for (level_of_round, programme_of_round, day, expected) in [
        (Level::District, "", "2024-01-01", &first),
        (Level::District, "", "2024-05-31", &first),
        (Level::District, "", "2024-06-01", &second),
        (Level::District, "", "2024-08-31", &second),
        (Level::District, "", "2024-09-01", &third),
        (Level::District, "", "2031-01-01", &third),
        // An older one for the level comes before a newer one for all.
        (Level::Municipal, "", "2024-09-01", &level),
        // And one for the programme before both.
        (Level::District, PROGRAMME, "2024-09-01", &programme),
        (Level::Municipal, PROGRAMME, "2024-06-30", &programme),
        (Level::Municipal, PROGRAMME, "2024-07-01", &both),
        (Level::Municipal, "市级重点实验室", "2024-07-01", &level),
    ] {
        let wanted = Round {
            programme: programme_of_round.to_owned(),
            ..round(CaseKind::LabDesignation, level_of_round, day, "2031-12-31")
        };
        let opened = open(&register, wanted).await;
        let found = policy_named(&register, &opened.policy).await;
        assert_eq!(
            (&found.name, &found.version),
            (&expected.name, &expected.version),
            "{level_of_round:?} {programme_of_round} on {day}"
        );
    }
    // Before any of them had begun, what is shipped held.
    let early = open(&register, district("2021-12-31", "2031-12-31")).await;
    assert_eq!(policy_named(&register, &early.policy).await.version, "default.1");

    // One that is for others is refused.
    let wanted = Round {
        policy: level.name.clone(),
        ..district("2024-09-01", "2024-12-31")
    };
    let request = CreateRoundRequest {
        round: Some(wanted),
        ..CreateRoundRequest::default()
    };
    let refused = failure(register.cases().create_round(request).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "POLICY_OF_OTHER_KIND"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["round.policy"]);
    // One that no longer is the newest can be named.
    let wanted = Round {
        policy: first.name.clone(),
        ..district("2024-09-01", "2024-12-31")
    };
    assert_eq!(open(&register, wanted).await.policy, first.name);
}

fn criterion(code: &str, weight_percent: i32) -> Criterion {
    Criterion {
        code: code.to_owned(),
        display_name: code.to_owned(),
        weight_percent,
    }
}

fn reviewed(min_reviews: i32, weights: &[i32]) -> LabDesignationTerms {
    let criteria = weights
        .iter()
        .zip(["a", "b", "c"])
        .map(|(weight, code)| criterion(code, *weight));
    LabDesignationTerms {
        review: Some(ReviewTerms {
            min_reviews,
            criteria: criteria.collect(),
            ..ReviewTerms::default()
        }),
        ..easy()
    }
}

async fn what_is_wrong_with_a_policy_is_said_with_its_field(store: Store) {
    let clock = Clock::on("2024-01-05");
    let register = Register::start_at(store, &clock).await;

    // A term without a source: `notice` has one, which is no source of `notice.objection_days` of other terms or of `review`.
    let mut sourceless = for_labs("1", "2024-01-01", reviewed(1, &[60, 40]));
    sourceless.sources = vec![TermSource {
        term: "notice".to_owned(),
        source: "assumed".to_owned(),
    }];
    let why = refused(&register, sourceless.clone()).await;
    assert_eq!(why.is(), (Code::InvalidArgument, "TERM_WITHOUT_SOURCE"), "{why:?}");
    assert!(why.fields.iter().all(|field| field == "policy.sources"), "{why:?}");
    let said = why.descriptions.join("\n");
    for term in [
        "review.min_reviews ",
        "review.criteria[0].code ",
        "review.criteria[1].weight_percent ",
        "max_failures ",
        "excellent_score ",
        "good_score ",
        "qualified_score ",
    ] {
        assert!(said.contains(term), "{term}: {said}");
    }
    assert!(!said.contains("notice"), "{said}");
    // A path stands for all below it, and not for what only begins like it.
    for (term, is_left) in [("review", false), ("review.min", true), ("revie", true)] {
        let mut policy = sourceless.clone();
        policy.sources.push(TermSource {
            term: term.to_owned(),
            source: "assumed".to_owned(),
        });
        let said = refused(&register, policy).await.descriptions.join("\n");
        assert_eq!(said.contains("review."), is_left, "{term}: {said}");
    }

    let all = for_labs("1", "2024-01-01", easy());
    let body = NominatingBodyTerms {
        authorisation_months: 12,
        ..NominatingBodyTerms::default()
    };
    for (policy, reason, fields) in [
        (
            Policy {
                nominating_body: Some(body),
                ..all.clone()
            },
            "TERMS_OF_OTHER_KIND",
            vec!["policy.nominating_body"],
        ),
        (
            Policy {
                lab_designation: None,
                ..all.clone()
            },
            "TERMS_OF_OTHER_KIND",
            vec!["policy.lab_designation"],
        ),
        (
            Policy {
                kind: CaseKind::NominatingBody as i32,
                ..all.clone()
            },
            "TERMS_OF_OTHER_KIND",
            vec!["policy.lab_designation", "policy.nominating_body"],
        ),
        (
            for_labs("1", "2024-01-01", reviewed(1, &[60, 39])),
            "WEIGHTS_NOT_100",
            vec!["policy.lab_designation.review.criteria"],
        ),
        (
            for_labs("1", "2024-01-01", reviewed(1, &[60, 40, 1])),
            "WEIGHTS_NOT_100",
            vec!["policy.lab_designation.review.criteria"],
        ),
        (
            for_labs("1", "2024-01-01", reviewed(1, &[])),
            "CRITERIA_MISSING",
            vec!["policy.lab_designation.review.criteria"],
        ),
        (
            for_labs(
                "1",
                "2024-01-01",
                LabDesignationTerms {
                    good_score: 90,
                    ..easy()
                },
            ),
            "GRADES_OUT_OF_ORDER",
            vec!["policy.lab_designation.good_score"],
        ),
        (
            for_labs("1", "2024-02-30", easy()),
            "DATE_DOES_NOT_EXIST",
            vec!["policy.start_date"],
        ),
    ] {
        let why = refused(&register, policy).await;
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{why:?}");
        assert_eq!(why.fields, fields, "{why:?}");
    }
    assert_eq!(policies(&register, "").await, vec![]);
    load(&register, all).await;
}

async fn a_version_is_loaded_once(store: Store) {
    let clock = Clock::on("2024-01-05");
    let register = Register::start_at(store, &clock).await;
    let first = load(&register, for_labs("2024.1", "2024-01-01", easy())).await;
    // Another day and other terms make no other version.
    let again = LabDesignationTerms { max_hosts: 2, ..easy() };
    let why = refused(&register, for_labs("2024.1", "2025-01-01", again)).await;
    assert_eq!(why.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{why:?}");
    assert_eq!(why.resource, first.name, "{why:?}");
    assert_eq!(why.fields, ["policy.version"], "{why:?}");
    // For another level or programme it is another one.
    let level = Policy {
        level: Level::District as i32,
        ..for_labs("2024.1", "2024-01-01", easy())
    };
    load(&register, level).await;
    let programme = Policy {
        programme: PROGRAMME.to_owned(),
        ..for_labs("2024.1", "2024-01-01", easy())
    };
    load(&register, programme).await;
    assert_eq!(policies(&register, "kind = LAB_DESIGNATION").await.len(), 3);
    assert_eq!(policies(&register, "level = DISTRICT").await.len(), 1);
    assert_eq!(policies(&register, "kind = AWARD").await.len(), 0);

    // What is only validated is not loaded, and one request is done once.
    let request = CreatePolicyRequest {
        request_id: "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
        ..creates(for_labs("2024.2", "2024-01-01", easy()))
    };
    let dry = CreatePolicyRequest {
        validate_only: true,
        ..request.clone()
    };
    register.cases().create_policy(dry).await.unwrap();
    assert_eq!(policies(&register, "").await.len(), 3);
    let one = register
        .cases()
        .create_policy(request.clone())
        .await
        .unwrap()
        .into_inner();
    let other = register.cases().create_policy(request).await.unwrap().into_inner();
    assert_eq!(one, other);
    assert_eq!(policies(&register, "").await.len(), 4);
}

async fn the_shipped_policy_is_loaded_once_by_the_register_itself(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    let other = match store {
        Store::Sqlite => None,
        Store::Postgres => Some(register.another().await),
    };
    assert_eq!(policies(&register, "").await, vec![]);
    let dry = CreateRoundRequest {
        round: Some(district("2024-03-01", "2024-03-31")),
        validate_only: true,
        ..CreateRoundRequest::default()
    };
    register.cases().create_round(dry).await.unwrap();
    assert_eq!(policies(&register, "").await, vec![]);

    let mut opening = JoinSet::new();
    for number in 0..16 {
        let asked = if number % 2 == 0 {
            Some(&register)
        } else {
            other.as_ref()
        };
        let mut cases = asked.unwrap_or(&register).cases();
        opening.spawn(async move {
            let request = CreateRoundRequest {
                round: Some(district("2024-03-01", "2024-03-31")),
                ..CreateRoundRequest::default()
            };
            cases.create_round(request).await.unwrap().into_inner().policy
        });
    }
    let names = opening.join_all().await;
    let loaded = policies(&register, "").await;
    let [only] = loaded.as_slice() else {
        panic!("one policy: {loaded:?}")
    };
    assert!(names.iter().all(|name| *name == only.name), "{names:?}");
    assert_eq!((only.version.as_str(), only.revision), ("default.1", 1));
    assert_eq!(only.lab_designation.as_ref().unwrap().building_months, 24);
    let history = history(&register, &only.name).await;
    let [entry] = history.as_slice() else {
        panic!("one entry: {history:?}")
    };
    assert_eq!(
        (entry.verb.as_str(), entry.actor.as_str()),
        ("create", "system:register")
    );
}

async fn a_policy_that_is_called_like_the_shipped_one_is_in_nobodys_way(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    // As somebody does who loads the shipped one with other numbers.
    let own = load(&register, for_labs("default.1", "2025-01-01", easy())).await;
    let later = open(&register, district("2025-01-01", "2025-12-31")).await;
    assert_eq!(later.policy, own.name);
    let before = open(&register, district("2024-03-01", "2024-12-31")).await;
    let shipped = policy_named(&register, &before.policy).await;
    assert_ne!(shipped.name, own.name);
    assert_eq!(shipped.lab_designation.unwrap().building_months, 24);
}

async fn a_case_keeps_the_version_it_was_submitted_under(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    let before = load(&register, for_labs("1", "2024-01-01", easy())).await;
    let round = open(&register, district("2024-03-01", "2024-12-31")).await;
    let designation = draft(&register, "试用实验室", &round).await;
    let submitted = submitted(&register, &designation.name).await.unwrap();
    assert_eq!(submitted.case.as_ref().unwrap().policy, before.name);
    assert_eq!(submitted.case.as_ref().unwrap().submit_date, "2024-03-01");

    // A stricter version comes into force: a notice of ten working days, and a building term.
    let stricter = LabDesignationTerms {
        notice: notice_of(10),
        building_months: 24,
        ..easy()
    };
    load(&register, for_labs("2", "2024-03-02", stricter)).await;
    clock.set("2024-03-04");
    let answer = register
        .lab_cases()
        .accept_lab_designation(crate::designated::accept(&designation.name))
        .await;
    assert_eq!(answer.unwrap().into_inner().case.unwrap().policy, before.name);
    let on_notice = published(&register, &designation.name).await.unwrap();
    let facts = on_notice.case.unwrap();
    // One working day after a Monday.
    assert_eq!(
        (facts.policy.as_str(), facts.notice_end_date.as_str()),
        (before.name.as_str(), "2024-03-05")
    );
    clock.set("2024-03-06");
    let approved = approved(&register, &designation.name).await.unwrap();
    assert_eq!(approved.state(), LabDesignationState::Operating);
    assert_eq!(approved.case.unwrap().policy, before.name);
    assert_eq!(approved.building_end_date, "");
}

async fn a_case_is_decided_by_the_policy_of_its_round(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    let named = load(&register, for_labs("1", "2024-01-01", easy())).await;
    // The one in force asks for more, but the round names the other.
    let stricter = LabDesignationTerms {
        min_fixed_members: 5,
        ..easy()
    };
    let in_force = load(&register, for_labs("2", "2024-02-01", stricter)).await;
    let wanted = Round {
        policy: named.name.clone(),
        ..district("2024-03-01", "2024-12-31")
    };
    let round = open(&register, wanted).await;
    let designation = draft(&register, "试用实验室", &round).await;
    let read = get(&register, &designation.name).await;
    assert_eq!(reasons(&read, "submit"), [""; 0]);
    let submitted_one = submitted(&register, &designation.name).await.unwrap();
    assert_eq!(submitted_one.case.unwrap().policy, named.name);

    let round = open(&register, district("2024-03-01", "2024-12-31")).await;
    assert_eq!(round.policy, in_force.name);
    let designation = draft(&register, "试用实验室二", &round).await;
    // A draft of a round stays under its policy, whatever comes.
    load(&register, for_labs("3", "2024-03-01", easy())).await;
    let read = get(&register, &designation.name).await;
    assert_eq!(reasons(&read, "submit"), ["TOO_FEW_FIXED_MEMBERS"]);
    let why = failure(submitted(&register, &designation.name).await);
    assert_eq!(why.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{why:?}");
    assert_eq!(
        why.blockers,
        [("TOO_FEW_FIXED_MEMBERS".to_owned(), designation.name.clone())]
    );
}

/// A lab that was recorded as operating.
async fn recorded(register: &Register, display_name: &str) -> LabDesignation {
    recorded_as(register, display_name, LabDesignationState::Operating).await
}

async fn recorded_as(register: &Register, display_name: &str, state: LabDesignationState) -> LabDesignation {
    let host = made(register, organization(&format!("{display_name}的依托单位"))).await;
    let named = Lab {
        display_name: display_name.to_owned(),
        ..Lab::default()
    };
    let lab = lab(register, &host.name, named).await;
    let request = RecordLabDesignationRequest {
        parent: lab.name,
        lab_designation: Some(LabDesignation {
            level: Level::District as i32,
            programme: PROGRAMME.to_owned(),
            state: state as i32,
            decision_date: "2021-06-01".to_owned(),
            ..LabDesignation::default()
        }),
        ..RecordLabDesignationRequest::default()
    };
    register
        .labs()
        .record_lab_designation(request)
        .await
        .unwrap()
        .into_inner()
}

fn evaluate(name: &str, qualitative_score: i32) -> EvaluateLabDesignationRequest {
    EvaluateLabDesignationRequest {
        name: name.to_owned(),
        year: 2024,
        start_date: "2021-01-01".to_owned(),
        end_date: "2023-12-31".to_owned(),
        no_outputs: true,
        qualitative_score: Some(qualitative_score),
        ..EvaluateLabDesignationRequest::default()
    }
}

async fn evaluated(register: &Register, name: &str, qualitative_score: i32) -> LabDesignation {
    let request = evaluate(name, qualitative_score);
    let answer = register.lab_cases().evaluate_lab_designation(request).await;
    answer.unwrap().into_inner()
}

async fn a_recorded_case_comes_under_the_policy_in_force_with_its_first_verb(store: Store) {
    let clock = Clock::on("2024-03-01");
    let register = Register::start_at(store, &clock).await;
    let one = recorded(&register, "试用实验室一").await;
    let other = recorded(&register, "试用实验室二").await;
    // What is only read is not brought under a policy, and loads none.
    assert!(verb(&get(&register, &one.name).await, "evaluate").open);
    assert_eq!(policies(&register, "").await, vec![]);
    let after = evaluated(&register, &one.name, 80).await;
    let loaded = policies(&register, "").await;
    assert_eq!(after.case.as_ref().unwrap().policy, loaded[0].name);
    assert_eq!(history(&register, &loaded[0].name).await[0].actor, "system:register");
    // 30 percent of 80, nothing quantitative.
    assert_eq!(
        (after.evaluations[0].score, after.state()),
        (24, LabDesignationState::Rectifying)
    );

    let own = load(&register, for_labs("1", "2024-02-01", easy())).await;
    let after = evaluated(&register, &other.name, 80).await;
    assert_eq!(after.case.as_ref().unwrap().policy, own.name);
    assert_eq!(after.evaluations[0].grade(), LabEvaluationGrade::Good);
}

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
