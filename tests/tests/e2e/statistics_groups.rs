//! Groups of statistics: by month and quarter, with the names of what they are divided by and the filter of each group.

use std::collections::BTreeMap;

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::{ListAwardsRequest, ListSchemesRequest};
use mingce_proto::labs::*;
use mingce_proto::registry::compute_statistics_response::Group;
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse, Level, OrganizationReference};
use mingce_proto::talent::*;
use tonic::{Code, Status};

use crate::builders::{made, merge, organization, person};
use crate::{body_fixture, talent_fixture};

on_both_stores!(
    decisions_are_counted_by_month_quarter_and_half_year,
    each_group_has_the_filter_of_its_members,
    groups_say_what_their_resources_are_called,
    names_that_a_service_keeps_which_is_away_are_empty,
);

async fn count(register: &Register, request: ComputeStatisticsRequest) -> Result<ComputeStatisticsResponse, Status> {
    let answer = match request.collection.as_str() {
        "organizations" | "labs" | "labDesignations" => register.labs().compute_statistics(request).await,
        "schemes" | "awards" => register.awards().compute_statistics(request).await,
        _ => register.talent().compute_statistics(request).await,
    };
    answer.map(tonic::Response::into_inner)
}

fn by(collection: &str, group_by: &[&str], filter: &str) -> ComputeStatisticsRequest {
    ComputeStatisticsRequest {
        collection: collection.to_owned(),
        group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
        filter: filter.to_owned(),
        ..ComputeStatisticsRequest::default()
    }
}

/// How many members the list of a collection has by a filter.
async fn listed(register: &Register, collection: &str, filter: &str) -> Result<i64, Status> {
    macro_rules! total {
        ($client:ident, $method:ident, $request:expr) => {
            register
                .$client()
                .$method($request)
                .await?
                .into_inner()
                .total_size
        };
    }
    let (filter, page_size, include_total_size) = (filter.to_owned(), 1, true);
    Ok(match collection {
        "organizations" => total!(
            labs,
            list_organizations,
            ListOrganizationsRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "labs" => total!(
            labs,
            list_labs,
            ListLabsRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "labDesignations" => total!(
            labs,
            list_lab_designations,
            ListLabDesignationsRequest {
                parent: "labs/-".to_owned(),
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "schemes" => total!(
            awards,
            list_schemes,
            ListSchemesRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "awards" => total!(
            awards,
            list_awards,
            ListAwardsRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "talents" => total!(
            talent,
            list_talents,
            ListTalentsRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "programmes" => total!(
            talent,
            list_programmes,
            ListProgrammesRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "talentDesignations" => total!(
            talent,
            list_talent_designations,
            ListTalentDesignationsRequest {
                parent: "talents/-".to_owned(),
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "nominatingBodies" => total!(
            bodies,
            list_nominating_bodies,
            ListNominatingBodiesRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        "recommendations" => total!(
            recommendations,
            list_recommendations,
            ListRecommendationsRequest {
                filter,
                page_size,
                include_total_size,
                ..Default::default()
            }
        ),
        other => panic!("{other}"),
    })
}

fn counts(answer: &ComputeStatisticsResponse) -> Vec<(&str, i64)> {
    answer
        .groups
        .iter()
        .map(|group| (group.values[0].as_str(), group.count))
        .collect()
}

async fn recorded(register: &Register, lab: &str, decision_date: &str) {
    let request = RecordLabDesignationRequest {
        parent: lab.to_owned(),
        lab_designation: Some(LabDesignation {
            level: Level::District as i32,
            programme: format!("区级重点实验室{decision_date}"),
            state: LabDesignationState::Operating as i32,
            decision_date: decision_date.to_owned(),
            ..LabDesignation::default()
        }),
        ..RecordLabDesignationRequest::default()
    };
    register.labs().record_lab_designation(request).await.unwrap();
}

async fn decisions_are_counted_by_month_quarter_and_half_year(store: Store) {
    let register = Register::start(store).await;
    let lab = Lab {
        display_name: "示例实验室".to_owned(),
        identifiers: vec![crate::builders::identifier("示例实验室")],
        ..Lab::default()
    };
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    let lab = register.labs().create_lab(request).await.unwrap().into_inner().name;
    for day in [
        "2023-12-31",
        "2024-01-01",
        "2024-03-31",
        "2024-03",
        "2024-04-01",
        "2024-06-30",
        "2024-07",
        "2024-10-15",
        "2024-12-31",
        "2024",
        "",
    ] {
        recorded(&register, &lab, day).await;
    }
    for (period, expected) in [
        (
            "month",
            vec![
                ("", 1),
                ("2023-12", 1),
                ("2024", 1),
                ("2024-01", 1),
                ("2024-03", 2),
                ("2024-04", 1),
                ("2024-06", 1),
                ("2024-07", 1),
                ("2024-10", 1),
                ("2024-12", 1),
            ],
        ),
        (
            "quarter",
            vec![
                ("", 1),
                ("2023-Q4", 1),
                ("2024", 1),
                ("2024-Q1", 3),
                ("2024-Q2", 2),
                ("2024-Q3", 1),
                ("2024-Q4", 2),
            ],
        ),
        (
            "half_year",
            vec![("", 1), ("2023-H2", 1), ("2024", 1), ("2024-H1", 5), ("2024-H2", 3)],
        ),
        ("year", vec![("", 1), ("2023", 1), ("2024", 9)]),
    ] {
        let answer = count(&register, by("labDesignations", &[period], "")).await.unwrap();
        assert_eq!(counts(&answer), expected, "{period}");
        assert_eq!(answer.total_count, 11);
        for group in &answer.groups {
            let found = listed(&register, "labDesignations", &group.filter).await.unwrap();
            assert_eq!(found, group.count, "{}", group.filter);
        }
    }
    // Filters know them too, and say what would be right.
    for (filter, expected) in [
        ("month = 2024-03", 2),
        ("quarter = 2024-Q1", 3),
        ("quarter != 2024-Q1", 8),
        ("half_year:2024-H2", 3),
        ("NOT quarter:*", 1),
        ("month = \"\"", 1),
        ("month = 2024", 1),
    ] {
        assert_eq!(
            listed(&register, "labDesignations", filter).await.unwrap(),
            expected,
            "{filter}"
        );
    }
    for (filter, reason) in [
        ("quarter = 2024-Q5", "FILTER_VALUE_INVALID"),
        ("month = 2024-Q1", "FILTER_VALUE_INVALID"),
        ("month >= 2024-03", "FILTER_INVALID"),
    ] {
        let why = failure(listed(&register, "labDesignations", filter).await);
        assert_eq!(why.is(), (Code::InvalidArgument, reason), "{filter}");
    }
    // Two dimensions, and a count of what is in them.
    let answer = count(
        &register,
        by("labDesignations", &["half_year", "level"], "quarter = 2024-Q1"),
    )
    .await
    .unwrap();
    assert_eq!(answer.groups.len(), 1);
    assert_eq!(
        answer.groups[0].filter,
        "quarter = 2024-Q1 AND half_year = 2024-H1 AND level = LEVEL_DISTRICT"
    );
    let distinct = ComputeStatisticsRequest {
        count: "month".to_owned(),
        distinct: true,
        ..by("labDesignations", &[], "")
    };
    assert_eq!(count(&register, distinct).await.unwrap().total_count, 9);
    let why = failure(count(&register, by("labs", &["month"], "")).await);
    assert_eq!(why.is(), (Code::InvalidArgument, "DIMENSION_UNKNOWN"));
}

/// The dimensions of a collection, as an error names them.
async fn dimensions(register: &Register, collection: &str) -> Vec<String> {
    let why = failure(count(register, by(collection, &["nothing"], "")).await);
    let (_, names) = why.message.split_once("available: ").unwrap();
    names.split(", ").map(str::to_owned).collect()
}

/// The sample, with what was merged and annulled in it, and cases.
async fn sample(store: Store, clock: &Clock) -> Register {
    let register = Register::start_with(store, &["--sample", "--clock", &clock.path()]).await;
    for _ in 0..300 {
        if register.stdout().contains("sample loaded") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(register.stdout().contains("sample loaded"));
    let (_, round) = talent_fixture::spring(&register, talent_fixture::terms()).await;
    talent_fixture::programme(&register, "zzjc2", "").await;
    let who = talent_fixture::applicant(&register, "试甲").await.name;
    talent_fixture::on_notice(&register, &who, "zzjc2", &round.name).await;
    let programme = body_fixture::programme(&register, "zzjc", "").await;
    let body = body_fixture::applied(&register, "虚构\"引号\\研究院", &programme)
        .await
        .name;
    body_fixture::notice_of_body(&register, &body).await;
    clock.set("2024-03-12");
    body_fixture::authorise(&register, &body, "").await.unwrap();
    body_fixture::drafted(&register, &body, &who, 2024).await;
    // Of what others name, one is merged and one annulled.
    let by_host = count(&register, by("labs", &["lead_host"], "")).await.unwrap();
    let hosts: Vec<&String> = by_host
        .groups
        .iter()
        .map(|group| &group.values[0])
        .filter(|host| !host.is_empty())
        .collect();
    register
        .labs()
        .merge_organizations(merge(hosts[0], hosts[1]))
        .await
        .unwrap();
    register
        .labs()
        .annul_organization(crate::builders::annul(hosts[2]))
        .await
        .unwrap();
    let by_person = count(&register, by("awards", &["contributors"], "")).await.unwrap();
    let people: Vec<&String> = by_person
        .groups
        .iter()
        .map(|group| &group.values[0])
        .filter(|one| one.contains('/'))
        .collect();
    // Of some pairs both have a live title in one family: those stay two.
    let mut merged = false;
    for pair in people[1..].windows(2) {
        let request = MergeTalentsRequest {
            name: pair[0].clone(),
            survivor: pair[1].clone(),
            reason: "同一人".to_owned(),
            ..MergeTalentsRequest::default()
        };
        if register.talent().merge_talents(request).await.is_ok() {
            merged = true;
            break;
        }
    }
    assert!(merged);
    let request = AnnulTalentRequest {
        name: people[0].clone(),
        reason: "误建".to_owned(),
        ..AnnulTalentRequest::default()
    };
    register.talent().annul_talent(request).await.unwrap();
    register
}

async fn each_group_has_the_filter_of_its_members(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = sample(store, &clock).await;
    let mut seen = 0;
    for collection in [
        "organizations",
        "labs",
        "labDesignations",
        "schemes",
        "awards",
        "talents",
        "programmes",
        "talentDesignations",
        "nominatingBodies",
        "recommendations",
    ] {
        let all = dimensions(&register, collection).await;
        for dimension in &all {
            let answer = count(&register, by(collection, &[dimension], "")).await.unwrap();
            // The first have what has no value among them.
            let last = answer.groups.len().saturating_sub(2).max(3);
            for (_, group) in answer
                .groups
                .iter()
                .enumerate()
                .filter(|(at, _)| *at < 3 || *at >= last)
            {
                assert!(!group.filter.is_empty(), "{group:?}");
                let found = listed(&register, collection, &group.filter).await;
                assert_eq!(
                    found.unwrap(),
                    group.count,
                    "{collection} by {dimension}: {}",
                    group.filter
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 250, "{seen}");
    // With what was asked for, whatever it is made of.
    let filter = "level = PROVINCIAL OR level = MUNICIPAL AND NOT (year = 2019 OR (year = 2020 AND number:*))";
    let answer = count(&register, by("talentDesignations", &["quarter", "talent"], filter))
        .await
        .unwrap();
    assert!(answer.groups.len() > 20);
    let mut sum = 0;
    for group in &answer.groups {
        sum += group.count;
        assert_eq!(
            listed(&register, "talentDesignations", &group.filter).await.unwrap(),
            group.count,
            "{}",
            group.filter
        );
        if sum > 40 {
            break;
        }
    }
}

async fn groups_say_what_their_resources_are_called(store: Store) {
    let clock = Clock::on("2024-03-04");
    let register = sample(store, &clock).await;
    for (collection, dimension) in [
        ("labs", "lead_host"),
        ("labDesignations", "lab"),
        ("awards", "scheme"),
        ("awards", "contributors"),
        ("awards", "lead_organization"),
        ("talentDesignations", "talent"),
        ("talentDesignations", "employer"),
        ("talentDesignations", "programme"),
        ("talentDesignations", "case_round"),
        ("talentDesignations", "case_policy"),
        ("recommendations", "nominating_body"),
    ] {
        let answer = count(&register, by(collection, &[dimension], "")).await.unwrap();
        let mut named = 0;
        for group in &answer.groups {
            assert_eq!(group.display_names.len(), 1, "{collection} {dimension}: {group:?}");
            let names_one = group.values[0].contains('/') && !group.values[0].contains(' ');
            assert_eq!(
                !group.display_names[0].is_empty(),
                names_one,
                "{collection} {dimension}: {group:?}"
            );
            named += usize::from(names_one);
        }
        assert!(named > 0, "{collection} {dimension}");
    }
    let answer = count(&register, by("recommendations", &["nominating_body", "year"], ""))
        .await
        .unwrap();
    assert_eq!(answer.groups[0].display_names, ["虚构\"引号\\研究院", ""]);
    // Who is counted once is listed once, with the name.
    let distinct = ComputeStatisticsRequest {
        count: "contributors".to_owned(),
        distinct: true,
        ..by("awards", &[], "")
    };
    let persons = count(&register, distinct).await.unwrap().total_count;
    let answer = count(&register, by("awards", &["contributors"], "")).await.unwrap();
    let by_name: BTreeMap<&str, &Group> = answer
        .groups
        .iter()
        .map(|group| (group.values[0].as_str(), group))
        .collect();
    assert_eq!(
        i64::try_from(by_name.keys().filter(|name| !name.is_empty()).count()).unwrap(),
        persons
    );
    // Where nothing is named there are none.
    let answer = count(&register, by("labs", &["kind"], "")).await.unwrap();
    assert!(answer.groups.iter().all(|group| group.display_names.is_empty()));
}

async fn names_that_a_service_keeps_which_is_away_are_empty(store: Store) {
    let mut labs = Register::start_with(store, &["labs"]).await;
    let talent = Register::start_with(store, &["talent", "--labs-url", &labs.url()]).await;
    let employer = made(&labs, organization("虚构大学")).await.name;
    talent_fixture::programme(&talent, "yc", "").await;
    let who = Talent {
        display_name: "试甲".to_owned(),
        ..Talent::default()
    };
    let who = person(&talent, who).await.name;
    let request = RecordTalentDesignationRequest {
        parent: who,
        talent_designation: Some(TalentDesignation {
            programme: Some(ProgrammeReference {
                code: "yc".to_owned(),
                ..ProgrammeReference::default()
            }),
            employer: Some(OrganizationReference {
                organization: employer.clone(),
                ..OrganizationReference::default()
            }),
            state: TalentDesignationState::InTerm as i32,
            ..TalentDesignation::default()
        }),
        ..RecordTalentDesignationRequest::default()
    };
    talent.talent().record_talent_designation(request).await.unwrap();
    let asked = by("talentDesignations", &["employer", "talent"], "");
    let answer = count(&talent, asked.clone()).await.unwrap();
    assert_eq!(answer.groups[0].display_names, ["虚构大学", "试甲"]);
    labs.stop();
    let started = std::time::Instant::now();
    let answer = count(&talent, asked).await.unwrap();
    assert!(started.elapsed().as_secs() < 4, "{:?}", started.elapsed());
    assert_eq!(
        (answer.groups[0].count, answer.groups[0].values[0].as_str()),
        (1, employer.as_str())
    );
    assert_eq!(answer.groups[0].display_names, ["", "试甲"]);
}
