//! What was recorded falls due by the policy in force, once.

use mingce_e2e::cases::{Clock, Terms, load, policy};
use mingce_e2e::{Register, Store};
use mingce_proto::labs::{
    GetLabDesignationRequest, Lab, LabDesignation, LabDesignationState, ListLabDesignationsRequest,
    RecordLabDesignationRequest,
};
use mingce_proto::registry::{DueActor, DueKind, LabDesignationTerms, Level, ListDueWorkRequest, Policy};

use super::{due, of_lab, recorded_lab, recorded_title, said, until};
use crate::builders::{made, organization};
use crate::lab_fixture::{easy, lab};
use crate::talent_fixture::programme;

pub async fn what_was_recorded_falls_due_at_once(store: Store) {
    let clock = Clock::on("2026-06-15");
    let register = Register::start_at(store, &clock).await;
    programme(&register, "p", "").await;
    use LabDesignationState::{Building, Operating, Revoked};
    // The policy that ships: 24 months of building, an evaluation every 24 months, a term of 48 months with its
    // mid-term after 24.
    let building = recorded_lab(&register, "试建设室", of_lab(Building, "2025-01-10", "")).await;
    recorded_lab(&register, "试运行室", of_lab(Operating, "2023-03", "")).await;
    recorded_lab(&register, "试到期室", of_lab(Operating, "2025-05-01", "2026-05")).await;
    recorded_lab(&register, "试撤销室", of_lab(Revoked, "2015-01-01", "2020-01-01")).await;
    recorded_title(&register, "张甲", "p", ["2021-01-01", "2024-12-31"]).await;
    recorded_title(&register, "张乙", "p", ["2025-02-01", "2029-01-31"]).await;
    recorded_title(&register, "张丙", "p", ["2022-05", ""]).await;
    let all = due(&register, until("2030-12-31")).await;
    let office = |day, kind| (day, kind, DueActor::Office);
    let everything = [
        office("2024-12-31", DueKind::TermEnds),
        office("2025-03-01", DueKind::Evaluation),
        office("2026-04-30", DueKind::TermEnds),
        office("2026-05-31", DueKind::TermEnds),
        office("2027-01-09", DueKind::BuildingEnds),
        office("2027-02-01", DueKind::Midterm),
    ];
    assert_eq!(said(&all), everything);
    let titles: Vec<&str> = all
        .iter()
        .filter_map(|work| work.display_name.split('·').next())
        .collect();
    assert_eq!(titles, ["张甲", "试运行室", "张丙", "试到期室", "试建设室", "张乙"]);
    let late: Vec<bool> = all.iter().map(|work| work.overdue).collect();
    assert_eq!(late, [true, true, true, true, false, false]);
    // Whom it is about, and what is to be done.
    assert_eq!((&all[4].name, &all[4].case_name), (&building.name, &building.name));
    assert_eq!(all[4].collection, "labDesignations");
    assert_eq!(all[0].verbs, ["complete"]);
    assert_eq!(
        all[0].methods,
        ["mingce.talent.v1.TalentDesignationService/CompleteTalentDesignation"]
    );
    // Up to today, and up to each day.
    for (day, count) in [
        ("", 4),
        ("2026-06-15", 4),
        ("2025-03-01", 2),
        ("2025-02-28", 1),
        ("2027-01-09", 5),
    ] {
        assert_eq!(said(&due(&register, until(day)).await), everything[..count], "{day}");
    }
    // A read of the case says the same.
    let request = GetLabDesignationRequest {
        name: building.name.clone(),
        ..GetLabDesignationRequest::default()
    };
    let read = register.labs().get_lab_designation(request).await.unwrap().into_inner();
    let facts = read.case.unwrap();
    assert_eq!(
        (facts.due_date.as_str(), facts.due()),
        ("2027-01-09", DueKind::BuildingEnds)
    );
    // What the record itself says can be filtered by.
    let request = ListLabDesignationsRequest {
        parent: "labs/-".to_owned(),
        filter: "due_date = 2026-05-31".to_owned(),
        ..ListLabDesignationsRequest::default()
    };
    let listed = register
        .labs()
        .list_lab_designations(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.lab_designations.len(), 1);
}

fn for_programme(terms: LabDesignationTerms, version: &str, programme: &str, level: Level) -> Policy {
    Policy {
        programme: programme.to_owned(),
        level: level as i32,
        ..policy(version, "2026-01-01", Terms::Lab(terms))
    }
}

pub async fn a_new_policy_moves_what_was_recorded(store: Store) {
    let clock = Clock::on("2026-06-15");
    let register = Register::start_at(store, &clock).await;
    use LabDesignationState::{Building, Operating};
    recorded_lab(&register, "试一室", of_lab(Operating, "2025-02-01", "")).await;
    let other = LabDesignation {
        programme: "市级\"重点\"实验室".to_owned(),
        level: Level::Municipal as i32,
        ..of_lab(Building, "2025-02-01", "")
    };
    let named = Lab {
        display_name: "试二室".to_owned(),
        ..Lab::default()
    };
    let host = made(&register, organization("试依托单位")).await;
    let second = lab(&register, &host.name, named).await;
    let request = RecordLabDesignationRequest {
        parent: second.name,
        lab_designation: Some(other),
        ..RecordLabDesignationRequest::default()
    };
    register.labs().record_lab_designation(request).await.unwrap();
    let days = async || {
        let work = due(&register, until("2040-12-31")).await;
        let days = work.iter().map(|work| work.date.clone());
        days.collect::<Vec<_>>()
    };
    assert_eq!(days().await, ["2027-01-31", "2027-02-01"]);
    let months = |evaluation_months, building_months| LabDesignationTerms {
        evaluation_months,
        building_months,
        ..easy()
    };
    // For all, then for one level, then for just this programme: each only for its own.
    load(&register, for_programme(months(36, 36), "a", "", Level::Unspecified)).await;
    assert_eq!(days().await, ["2028-01-31", "2028-02-01"]);
    load(&register, for_programme(months(12, 12), "b", "", Level::District)).await;
    assert_eq!(days().await, ["2026-02-01", "2028-01-31"]);
    load(
        &register,
        for_programme(months(12, 12), "c", "市级\"重点\"实验室", Level::Unspecified),
    )
    .await;
    assert_eq!(days().await, ["2026-01-31", "2026-02-01"]);
    // Terms that set none: nothing is due.
    load(
        &register,
        for_programme(months(0, 0), "d", "市级\"重点\"实验室", Level::Municipal),
    )
    .await;
    assert_eq!(days().await, ["2026-02-01"]);
}

pub async fn a_record_stands_in_the_list_once(store: Store) {
    let clock = Clock::on("2026-06-15");
    let register = Register::start_at(store, &clock).await;
    programme(&register, "p", "").await;
    // Its mid-term has passed and its end is to come: first the one, and once the term is over only the other.
    recorded_title(&register, "张丁", "p", ["2023-01-01", "2026-12-31"]).await;
    let all = due(&register, until("2030-12-31")).await;
    assert_eq!(said(&all), [("2025-01-01", DueKind::Midterm, DueActor::Office)]);
    clock.set("2027-01-01");
    let all = due(&register, until("2030-12-31")).await;
    assert_eq!(said(&all), [("2026-12-31", DueKind::TermEnds, DueActor::Office)]);
    // One of a kind, which is not what comes next.
    let ends = ListDueWorkRequest {
        due: DueKind::Midterm as i32,
        ..until("2030-12-31")
    };
    assert_eq!(due(&register, ends).await, []);
}
