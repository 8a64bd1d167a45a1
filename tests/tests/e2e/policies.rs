//! Policies are data with versions: which holds on a day, what is refused, how they differ, and what a draft would
//! change.

use mingce_e2e::cases::{Clock, Terms, load, notice_of, open, policy, round};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    EvaluateLabDesignationRequest, Lab, LabDesignation, LabDesignationState, LabEvaluationGrade,
    RecordLabDesignationRequest,
};
use mingce_proto::registry::{
    CaseKind, CreateRoundRequest, Criterion, GetPolicyRequest, LabDesignationTerms, Level, ListPoliciesRequest,
    NominatingBodyTerms, Policy, ReviewTerms, Round, View,
};
use tonic::Code;

use crate::builders::{made, organization};
use crate::lab_fixture::{
    PROGRAMME, approved, district, draft, easy, get, history, lab, published, reasons, submitted, verb,
};

mod comparison;
mod loading;
mod what_if;

on_both_stores!(
    of_the_versions_that_have_begun_the_last_holds_and_the_more_specific_before_the_wider,
    a_case_keeps_the_version_it_was_submitted_under,
    a_case_is_decided_by_the_policy_of_its_round,
    a_recorded_case_comes_under_the_policy_in_force_with_its_first_verb,
);

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
        .accept_lab_designation(crate::lab_fixture::accept(&designation.name))
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
