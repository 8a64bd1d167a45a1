//! What a year brings beside its round: an application that is completed after the window, and a lab that was recorded
//! twice.

use mingce_e2e::{Store, failure};
use mingce_proto::labs::{LabDesignationState as S, MergeLabsRequest, OperatingState, SubmitLabDesignationRequest};
use mingce_proto::registry::{LabDesignationTerms, OutputKind};
use tonic::Code;

use super::applications::{accept, back, submit};
use super::decisions::publish;
use super::fixture::{Year, moves, terms};
use super::later_years::output;

pub async fn what_was_returned_comes_again_until_the_day_that_was_set(store: Store) {
    let year = Year::begin(store, 2, terms()).await;
    year.clock.set("2024-05-30");
    year.all_done(moves(&year.cases[..2], submit)).await;
    year.clock.set("2024-05-31");
    let (bounded, unbounded) = (
        back(year.cases[0].clone(), "2024-06-10"),
        back(year.cases[1].clone(), ""),
    );
    year.all_done(vec![bounded, unbounded]).await;
    // The window is over: who comes only now is late, and who came in time is not.
    year.clock.set("2024-06-10");
    assert_eq!(year.verbs(0).await, ["submit", "return", "refuse", "withdraw"]);
    assert_eq!(year.verbs(2).await, ["submit ROUND_OVER", "withdraw"]);
    year.all_done(moves(&year.cases[..1], submit)).await;
    year.all_done(vec![back(year.cases[0].clone(), "2024-06-12")]).await;
    year.clock.set("2024-06-13");
    assert_eq!(
        year.verbs(0).await,
        ["submit RESUBMISSION_LATE", "return", "refuse", "withdraw"]
    );
    let late = SubmitLabDesignationRequest {
        name: year.cases[0].clone(),
        ..SubmitLabDesignationRequest::default()
    };
    let late = failure(year.register.lab_cases().submit_lab_designation(late).await);
    assert_eq!(late.is(), (Code::FailedPrecondition, "CASE_BLOCKED"));
    assert_eq!(late.blockers, [("RESUBMISSION_LATE".to_owned(), year.cases[0].clone())]);
    year.all_done(moves(&year.cases[1..2], submit)).await;
    let case = year.case(1).await;
    assert_eq!(case.state(), S::Submitted);
    assert_eq!(case.case.unwrap().submit_date, "2024-05-30");
}

pub async fn a_lab_that_was_recorded_twice_is_the_one_that_stays(store: Store) {
    let at_once = LabDesignationTerms {
        review: None,
        building_months: 0,
        ..terms()
    };
    let year = Year::begin(store, 3, at_once).await;
    let (twice, stays, other) = (0, 1, 2);
    year.all_done(moves(&year.cases[..3], submit)).await;
    year.all_done(moves(&year.cases[..3], accept)).await;
    year.all_done(moves(&year.cases[..3], publish)).await;
    year.clock.set("2024-03-11");
    year.all_done(year.approvals(&[twice, stays, other])).await;
    assert_eq!(year.count(S::Operating).await, 3);
    let merge = MergeLabsRequest {
        name: year.labs[twice].name.clone(),
        survivor: year.labs[stays].name.clone(),
        reason: "一室两录".to_owned(),
        ..MergeLabsRequest::default()
    };
    year.register.labs().merge_labs(merge).await.unwrap();
    // The members of the record that stays count, and the others are none of it.
    year.clock.set("2027-05-20");
    let [other_member, member] = ["甲员0", "甲员1"].map(|who| output(OutputKind::Paper, who, "2026-01-01"));
    let strange = failure(year.evaluate(twice, vec![member.clone(), other_member], 100).await);
    assert_eq!(strange.fields, ["outputs[1].producer"]);
    let evaluated = year.evaluate(twice, vec![member], 100).await.unwrap();
    let counted: Vec<bool> = evaluated.evaluations[0]
        .outputs
        .iter()
        .map(mingce_proto::labs::LabOutput::counted)
        .collect();
    assert_eq!(counted, [true]);
    for successor in [twice, stays] {
        let itself = failure(year.merge(twice, successor).await);
        assert_eq!(itself.is(), (Code::InvalidArgument, "SUCCESSOR_ITSELF"));
    }
    let merged = year.merge(other, twice).await.unwrap();
    assert_eq!(merged.successor.unwrap().lab, year.labs[stays].name);
    assert_eq!(year.lab_now(other).await.successor.unwrap().lab, year.labs[stays].name);
    assert_eq!(year.lab_now(other).await.state(), OperatingState::Inactive);
    assert_eq!(year.lab_now(stays).await.state(), OperatingState::Active);
}
