//! Who may be designated: ages that are never shown, and ranks in awards with their proof.

use mingce_e2e::cases::{Clock, Terms, load, policy};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{
    Award, AwardState, Contributor, CreateSchemeRequest, RecordAwardRequest, Scheme, SchemeReference,
};
use mingce_proto::registry::{
    AwardCondition, LabDesignationTerms, Level, SimulatePolicyRequest, TalentDesignationTerms, TalentReference,
};
use mingce_proto::talent::{
    BatchCheckEligibilityRequest, CheckEligibilityRequest, CheckEligibilityResponse, MergeTalentsRequest, Talent,
};
use tonic::Code;

use crate::builders::{identifier, person};
use crate::talent_fixture::{draft, programme, said, spring, stands, submit, terms};

on_both_stores!(
    who_is_too_old_or_of_unknown_age_is_not_submitted_and_no_age_is_shown,
    a_rank_in_an_award_is_proved,
    without_an_awards_service_ranks_are_not_answered,
);

fn born(display_name: &str, birth_date: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        identifiers: vec![identifier(display_name)],
        birth_date: birth_date.to_owned(),
        ..Talent::default()
    }
}

async fn check(register: &Register, talent: &str, policy: &str, date: &str) -> CheckEligibilityResponse {
    let request = asks(talent, policy, date);
    register
        .talent_cases()
        .check_eligibility(request)
        .await
        .unwrap()
        .into_inner()
}

fn asks(talent: &str, policy: &str, date: &str) -> CheckEligibilityRequest {
    CheckEligibilityRequest {
        talent: talent.to_owned(),
        policy: policy.to_owned(),
        date: date.to_owned(),
    }
}

fn reasons(answer: &CheckEligibilityResponse) -> Vec<&str> {
    assert_eq!(answer.eligible, answer.blockers.is_empty(), "{answer:?}");
    answer.blockers.iter().map(|blocker| blocker.reason.as_str()).collect()
}

async fn who_is_too_old_or_of_unknown_age_is_not_submitted_and_no_age_is_shown(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let (policy, round) = spring(&register, terms()).await;
    programme(&register, "a", "").await;
    // Forty-five on the fourth of March, and forty-six on the fifth.
    let ages = [
        ("甲", "1978-03-05", vec![]),
        ("乙", "1978-03-04", vec!["AGE_OVER"]),
        ("丙", "", vec!["AGE_UNKNOWN"]),
        // The day is not known, and decides.
        ("丁", "1978-03", vec!["AGE_UNCERTAIN"]),
        ("戊", "1978", vec!["AGE_UNCERTAIN"]),
        ("己", "1979", vec![]),
    ];
    for (display_name, birth_date, expected) in ages {
        let talent = person(&register, born(display_name, birth_date)).await.name;
        let name = draft(&register, &talent, "a", &round.name, "").await.name;
        let verbs = stands(&register, &name).await.verbs;
        assert_eq!(said(&verbs)[0], ("submit", expected.clone()));
        let answer = check(&register, &talent, &policy.name, "").await;
        assert_eq!(reasons(&answer), expected);
        assert!(answer.blockers.iter().all(|blocker| blocker.subject == talent));
        let tried = submit(&register, &name).await;
        if expected.is_empty() {
            tried.unwrap();
            assert_eq!(
                reasons(&check(&register, &talent, &policy.name, "2024-03-05").await),
                Vec::<&str>::new(),
                "the age is that of today: other days would tell the birthday"
            );
            continue;
        }
        let refused = failure(tried);
        assert_eq!(refused.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{refused:?}");
        assert_eq!(refused.reasons(), expected);
        // Not the names of resources, in which any digits may stand.
        let blockers = verbs.iter().flat_map(|verb| &verb.blockers).chain(&answer.blockers);
        let mut shown = refused.message.clone();
        for blocker in blockers {
            shown += &blocker.description;
            shown += &blocker.description_zh;
        }
        for hidden in ["1978", "46"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        // Who is too old for this policy may be in time for another, and that changes nothing.
        let other = TalentDesignationTerms { max_age: 50, ..terms() };
        let simulate = SimulatePolicyRequest {
            policy: Some(mingce_e2e::cases::policy("draft.1", "2024-01-01", Terms::Talent(other))),
            cases: vec![name.clone()],
            ..SimulatePolicyRequest::default()
        };
        let differences = register
            .cases()
            .simulate_policy(simulate)
            .await
            .unwrap()
            .into_inner()
            .differences;
        let submits: Vec<_> = differences.iter().filter(|d| d.decision == "submit").collect();
        assert_eq!(submits.len(), 1);
        assert!(!format!("{submits:?}").contains("1978"));
    }
}

/// A policy that asks for a first prize of the city among the first four, or any prize of the province among the first
/// five.
fn ranked() -> TalentDesignationTerms {
    let condition = |level: Level, grades: &[&str], max_rank| AwardCondition {
        level: level as i32,
        grades: grades.iter().map(|&grade| grade.to_owned()).collect(),
        max_rank,
    };
    TalentDesignationTerms {
        award_conditions: vec![
            condition(Level::Municipal, &["一等奖"], 4),
            condition(Level::Provincial, &[], 5),
        ],
        max_age: 0,
        ..terms()
    }
}

async fn a_rank_in_an_award_is_proved(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = Register::start_at(store, &clock).await;
    let policy = load(&register, policy("2024.1", "2024-01-01", Terms::Talent(ranked())))
        .await
        .name;
    let mut persons = Vec::new();
    for display_name in ["甲", "乙", "丙", "丁", "戊"] {
        persons.push(person(&register, born(display_name, "")).await.name);
    }
    let scheme = Scheme {
        display_name: "虚构的市科学技术奖".to_owned(),
        code: "invented".to_owned(),
        level: Level::Municipal as i32,
        ..Scheme::default()
    };
    let request = CreateSchemeRequest {
        scheme: Some(scheme),
        ..CreateSchemeRequest::default()
    };
    let scheme = register
        .awards()
        .create_scheme(request)
        .await
        .unwrap()
        .into_inner()
        .name;
    let contributor = |talent: &String| Contributor {
        talent: Some(TalentReference {
            talent: talent.clone(),
            ..TalentReference::default()
        }),
        ..Contributor::default()
    };
    let award = Award {
        title: "虚构的成果".to_owned(),
        number: "2023-1".to_owned(),
        year: 2023,
        grade: "一等奖".to_owned(),
        state: AwardState::Conferred as i32,
        decision_date: "2023-12-01".to_owned(),
        scheme: Some(SchemeReference {
            scheme,
            ..SchemeReference::default()
        }),
        contributors: persons.iter().map(contributor).collect(),
        ..Award::default()
    };
    let request = RecordAwardRequest {
        award: Some(award),
        ..RecordAwardRequest::default()
    };
    let award = register.awards().record_award(request).await.unwrap().into_inner();

    let fourth = check(&register, &persons[3], &policy, "").await;
    assert_eq!(reasons(&fourth), Vec::<&str>::new());
    let [proof] = fourth.proofs.as_slice() else {
        panic!("{fourth:?}");
    };
    assert_eq!(
        (proof.award.as_str(), proof.rank, proof.condition),
        (award.name.as_str(), 4, 0)
    );
    assert_eq!(proof.revision, award.revision);
    assert!(proof.sequence > 0, "{proof:?}");
    let fifth = check(&register, &persons[4], &policy, "").await;
    assert_eq!((reasons(&fifth), fifth.proofs.len()), (vec!["AWARD_RANK_MISSING"], 0));
    let before = check(&register, &persons[3], &policy, "2023-11-30").await;
    assert_eq!(reasons(&before), ["AWARD_RANK_MISSING"]);

    // Many at once are as each alone; whom the award names under another record are found too.
    let stays = person(&register, born("己", "")).await.name;
    let request = MergeTalentsRequest {
        name: persons[1].clone(),
        survivor: stays.clone(),
        reason: "同一人".to_owned(),
        ..MergeTalentsRequest::default()
    };
    register.talent().merge_talents(request).await.unwrap();
    let nobody = "talents/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned();
    let all = [&persons[..], &[nobody.clone(), stays]].concat();
    let request = BatchCheckEligibilityRequest {
        talents: all.clone(),
        policy: policy.clone(),
        ..BatchCheckEligibilityRequest::default()
    };
    let answer = register.talent_cases().batch_check_eligibility(request).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!((answer.eligible, answer.outcomes.len()), (5, 7));
    for (outcome, name) in answer.outcomes.iter().zip(&all) {
        assert_eq!(outcome.talent, *name);
        if *name == nobody {
            assert_eq!(
                (outcome.reason.as_str(), outcome.eligible),
                ("RESOURCE_NOT_FOUND", false)
            );
            continue;
        }
        let alone = check(&register, name, &policy, "").await;
        assert_eq!(
            (outcome.eligible, &outcome.blockers, &outcome.proofs),
            (alone.eligible, &alone.blockers, &alone.proofs)
        );
        assert!(
            !outcome.display_name.is_empty() && outcome.reason.is_empty(),
            "{outcome:?}"
        );
    }
    assert_eq!(answer.outcomes[6].proofs[0].rank, 2);
    let request = BatchCheckEligibilityRequest {
        talents: vec![all[0].clone(), all[0].clone()],
        policy,
        ..BatchCheckEligibilityRequest::default()
    };
    let twice = failure(register.talent_cases().batch_check_eligibility(request).await);
    assert_eq!(twice.is(), (Code::InvalidArgument, "REPEATED_UNIQUE"), "{twice:?}");
}

async fn without_an_awards_service_ranks_are_not_answered(store: Store) {
    let clock = Clock::on("2024-03-04");
    let labs = Register::start_with(store, &["labs"]).await;
    let clock_at = clock.path();
    let flags = ["talent", "--labs-url", &labs.url(), "--clock", &clock_at];
    let talent = Register::start_with(store, &flags).await;
    let who = person(&talent, born("甲", "1985-05-05")).await.name;
    let plain = load(&talent, policy("2024.1", "2024-01-01", Terms::Talent(terms())))
        .await
        .name;
    assert!(check(&talent, &who, &plain, "").await.eligible);
    let asked = load(&talent, policy("2024.2", "2024-01-01", Terms::Talent(ranked())))
        .await
        .name;
    let refused = failure(talent.talent_cases().check_eligibility(asks(&who, &asked, "")).await);
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "PEER_NOT_CONFIGURED"),
        "{refused:?}"
    );
    assert_eq!(refused.resource, "awards");
    let of_labs = policy(
        "2024.1",
        "2024-01-01",
        Terms::Lab(LabDesignationTerms {
            max_failures: 2,
            ..LabDesignationTerms::default()
        }),
    );
    let of_labs = load(&talent, of_labs).await.name;
    let refused = failure(talent.talent_cases().check_eligibility(asks(&who, &of_labs, "")).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "TERMS_OF_OTHER_KIND"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["policy"]);
}
