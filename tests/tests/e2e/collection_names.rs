//! Names of collections: one spelling in the contract, statistics, due work, errors and the command line.

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::GetAwardRequest;
use mingce_proto::collections::{
    self, LAB_DESIGNATIONS, NOMINATING_BODIES, OBJECTIONS, PANELS, REVIEWS, ROUNDS, TALENT_DESIGNATIONS,
};
use mingce_proto::labs::GetLabDesignationRequest;
use mingce_proto::registry::{ComputeStatisticsRequest, GetRoundRequest, ListDueWorkRequest};
use mingce_proto::talent::{GetNominatingBodyRequest, GetTalentDesignationRequest};
use tonic::{Code, Status};
use tonic_types::StatusExt;

on_both_stores!(
    every_place_spells_a_collection_alike,
    another_spelling_is_answered_with_the_right_one
);

const ID: &str = "01jd2k3m4n5p6q7r8s9t0v1w2x";

/// What an error says is there: the words after `available: `.
fn available(said: &str) -> Vec<&str> {
    let (_, names) = said.split_once("available: ").unwrap_or_else(|| panic!("{said}"));
    names.trim().split(", ").collect()
}

fn counted(collection: &str) -> ComputeStatisticsRequest {
    ComputeStatisticsRequest {
        collection: collection.to_owned(),
        ..ComputeStatisticsRequest::default()
    }
}

fn due(collection: &str) -> ListDueWorkRequest {
    ListDueWorkRequest {
        collection: collection.to_owned(),
        ..ListDueWorkRequest::default()
    }
}

fn resource_type(status: &Status) -> String {
    status.get_details_resource_info().unwrap().resource_type
}

async fn every_place_spells_a_collection_alike(store: Store) {
    let register = Register::start(store).await;
    let (mut labs, mut talent, mut awards) = (register.labs(), register.talent(), register.awards());

    let mut known = Vec::new();
    for answer in [
        labs.compute_statistics(counted("nothing")).await,
        talent.compute_statistics(counted("nothing")).await,
        awards.compute_statistics(counted("nothing")).await,
    ] {
        let refused = failure(answer);
        assert_eq!(refused.is(), (Code::InvalidArgument, "COLLECTION_UNKNOWN"));
        known.extend(available(&refused.message).into_iter().map(str::to_owned));
    }
    for name in &known {
        let served = [
            labs.compute_statistics(counted(name)).await,
            talent.compute_statistics(counted(name)).await,
            awards.compute_statistics(counted(name)).await,
        ];
        assert_eq!(served.iter().filter(|answer| answer.is_ok()).count(), 1, "{name}");
    }

    let refused = failure(register.cases().list_due_work(due("nothing")).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "COLLECTION_UNKNOWN"));
    let falls_due = available(&refused.message);
    for name in &falls_due {
        register.cases().list_due_work(due(name)).await.unwrap();
        let is_shared = [ROUNDS, OBJECTIONS, PANELS, REVIEWS].contains(name);
        assert!(is_shared || known.iter().any(|k| k == name), "{name}");
    }

    let said = register.cli(&["export", "nothing", "--to", "-"]).failed_with_one_line();
    for name in available(&said) {
        assert!(known.iter().any(|k| k == name), "{name}");
        register.cli(&["export", name, "--to", "-"]).succeeded();
    }

    for name in known.iter().map(String::as_str).chain(falls_due.iter().copied()) {
        assert!(collections::ALL.contains(&name), "{name}");
    }

    let name = format!("labs/{ID}/designations/{ID}");
    let request = GetLabDesignationRequest { name, view: 0 };
    let status = labs.get_lab_designation(request).await.unwrap_err();
    assert_eq!(resource_type(&status), LAB_DESIGNATIONS);
    let name = format!("talents/{ID}/designations/{ID}");
    let request = GetTalentDesignationRequest { name, view: 0 };
    let status = talent.get_talent_designation(request).await.unwrap_err();
    assert_eq!(resource_type(&status), TALENT_DESIGNATIONS);
    let name = format!("nominatingBodies/{ID}");
    let request = GetNominatingBodyRequest { name, view: 0 };
    let status = register.bodies().get_nominating_body(request).await.unwrap_err();
    assert_eq!(resource_type(&status), NOMINATING_BODIES);
    let name = format!("awards/{ID}");
    let status = awards.get_award(GetAwardRequest { name, view: 0 }).await.unwrap_err();
    assert_eq!(resource_type(&status), collections::AWARDS);
    let name = format!("rounds/{ID}");
    let request = GetRoundRequest {
        name,
        ..GetRoundRequest::default()
    };
    let status = register.cases().get_round(request).await.unwrap_err();
    assert_eq!(resource_type(&status), ROUNDS);
}

async fn another_spelling_is_answered_with_the_right_one(store: Store) {
    let register = Register::start(store).await;
    for other in ["lab-designations", "lab_designations", "LabDesignations"] {
        let said = register.cli(&["export", other, "--to", "-"]).failed_with_one_line();
        assert!(said.contains("use labDesignations"), "{said}");
        let refused = failure(register.labs().compute_statistics(counted(other)).await);
        assert!(refused.message.contains("use labDesignations"), "{}", refused.message);
        let refused = failure(register.cases().list_due_work(due(other)).await);
        assert!(refused.message.contains("use labDesignations"), "{}", refused.message);
    }
    let said = register
        .cli(&["import", "--as", "talent-designations", "x.csv"])
        .failed_with_one_line();
    assert!(said.contains("you may mean talentDesignations"), "{said}");
}
