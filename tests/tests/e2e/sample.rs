//! The sample register that `--sample` loads: the figures of docs/sample.md, what a search finds, and a second start.

use std::fs;
use std::time::{Duration, Instant};

use mingce_e2e::binary::workspace;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::awards::ListAwardsRequest;
use mingce_proto::labs::{ListOrganizationsRequest, SearchLabsRequest};
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse};
use mingce_proto::talent::SearchTalentsRequest;
use serde_json::Value;

on_both_stores!(
    every_figure_is_what_the_documentation_says,
    a_search_finds_labs_and_persons,
    what_it_holds_is_whole_and_named_as_invented,
    a_second_start_changes_nothing,
);

/// Starts a register with the sample in it.
pub async fn start(store: Store) -> Register {
    let register = Register::start_with(store, &["--sample"]).await;
    loaded(&register).await;
    register
}

/// Waits until the register says that the sample is loaded, and answers what it says.
async fn loaded(register: &Register) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let said = register.stdout();
        if let Some(line) = said.lines().find(|line| line.starts_with("sample loaded: ")) {
            return line.to_owned();
        }
        let failed = register.stderr().contains("the sample was not loaded");
        assert!(!failed, "{}", register.stderr());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the sample is not loaded\n{}\n{}", register.stdout(), register.stderr());
}

/// A call of the documentation: its service, its request, and the answer that stands below it.
struct Call {
    service: String,
    request: Value,
    answer: Value,
}

/// The calls of docs/sample.md, each with its answer.
fn documented() -> Vec<Call> {
    let text = fs::read_to_string(workspace().join("docs/sample.md")).unwrap();
    let blocks: Vec<_> = text.split("```").collect();
    let of = |kind: &str| -> Vec<(usize, String)> {
        let fenced = blocks.iter().enumerate().skip(1).step_by(2);
        fenced
            .filter_map(|(at, b)| b.strip_prefix(kind).map(|b| (at, b.trim().to_owned())))
            .collect()
    };
    let calls = of("sh\n")
        .into_iter()
        .filter(|(_, block)| block.contains("ComputeStatistics"));
    let answers = of("json\n");
    let mut found = Vec::new();
    for (at, call) in calls {
        let request = call.split('\'').nth(1).unwrap_or_else(|| panic!("no request: {call}"));
        let service = call
            .rsplit_once("mingce.")
            .and_then(|(_, s)| s.split('.').next())
            .unwrap()
            .to_owned();
        let answer = answers
            .iter()
            .find(|(place, _)| *place == at + 2)
            .unwrap_or_else(|| panic!("no answer: {call}"));
        found.push(Call {
            service,
            request: serde_json::from_str(request).unwrap_or_else(|e| panic!("{e}: {request}")),
            answer: serde_json::from_str(&answer.1).unwrap_or_else(|e| panic!("{e}: {}", answer.1)),
        });
    }
    found
}

async fn count(register: &Register, service: &str, request: ComputeStatisticsRequest) -> ComputeStatisticsResponse {
    let answer = match service {
        "labs" => register.labs().compute_statistics(request).await,
        "talent" => register.talent().compute_statistics(request).await,
        "awards" => register.awards().compute_statistics(request).await,
        _ => panic!("there is no service {service}"),
    };
    answer.unwrap().into_inner()
}

fn request(value: &Value) -> ComputeStatisticsRequest {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let known = ["collection", "filter", "group_by", "count", "distinct"];
    assert!(
        value
            .as_object()
            .unwrap()
            .keys()
            .all(|key| known.contains(&key.as_str())),
        "{value}"
    );
    let group_by = value["group_by"].as_array().into_iter().flatten();
    ComputeStatisticsRequest {
        collection: text("collection"),
        group_by: group_by.map(|d| d.as_str().unwrap().to_owned()).collect(),
        filter: text("filter"),
        count: text("count"),
        distinct: value["distinct"].as_bool().unwrap_or_default(),
    }
}

/// An answer as grpcurl prints it.
fn printed(answer: &ComputeStatisticsResponse) -> Value {
    let mut printed = serde_json::json!({"totalCount": answer.total_count.to_string()});
    if !answer.groups.is_empty() {
        let groups = answer
            .groups
            .iter()
            .map(|g| serde_json::json!({"values": g.values, "count": g.count.to_string()}));
        printed["groups"] = groups.collect();
    }
    printed
}

async fn every_figure_is_what_the_documentation_says(store: Store) {
    let register = start(store).await;
    let mut totals = Vec::new();
    for Call {
        service,
        request: asked,
        answer,
    } in documented()
    {
        let counted = count(&register, &service, request(&asked)).await;
        assert_eq!(printed(&counted), answer, "{service}: {asked}");
        totals.push(counted.total_count);
    }
    // The district's claims, in the order of the page: a page that was changed to fit wrong data does not pass.
    assert_eq!(totals, [27, 13, 91, 23, 13, 7, 33], "the calls of docs/sample.md");

    // What makes a definition matter is there: a looser one counts something else. A field is counted by its values.
    let key_labs = "level = DISTRICT AND platform = KEY_LABORATORY";
    let centres = "level = MUNICIPAL AND platform = TECHNOLOGY_INNOVATION_CENTRE";
    let half_year = "decision_date >= 2024-01-01 AND decision_date <= 2024-06-30";
    let leading = "kind = LEADING_TALENT AND level != DISTRICT";
    let titles = format!("{leading} AND state != CANCELLED AND state != EXITED");
    let provincial = "level = PROVINCIAL AND year = 2023";
    for (service, filter, counted, looser) in [
        ("labs", key_labs, "lab", 32),
        ("labs", centres, "", 18),
        ("labs", half_year, "", 30),
        ("talent", leading, "talent", 94),
        ("talent", &titles, "", 109),
        ("talent", "kind = AUTONOMOUS_RECOMMENDATION", "", 25),
        ("awards", provincial, "", 14),
        ("awards", provincial, "completing_organizations", 9),
        ("awards", "year = 2023 AND state = CONFERRED", "", 36),
    ] {
        let collection = match service {
            "labs" => "labDesignations",
            "talent" => "talentDesignations",
            _ => "awards",
        };
        let asked = ComputeStatisticsRequest {
            collection: collection.to_owned(),
            filter: filter.to_owned(),
            count: counted.to_owned(),
            distinct: !counted.is_empty(),
            ..ComputeStatisticsRequest::default()
        };
        let total = count(&register, service, asked).await.total_count;
        assert_eq!(total, looser, "{filter}");
    }
}

async fn a_search_finds_labs_and_persons(store: Store) {
    let register = start(store).await;
    for query in ["海洋", "haiyang", "海洋 药物"] {
        let asked = SearchLabsRequest {
            query: query.to_owned(),
            ..SearchLabsRequest::default()
        };
        let labs = register.labs().search_labs(asked).await.unwrap().into_inner().labs;
        assert!(!labs.is_empty(), "{query}");
        assert!(
            labs.iter()
                .all(|lab| lab.display_name.contains("海洋") || !lab.names.is_empty()),
            "{labs:?}"
        );
    }
    let asked = SearchTalentsRequest {
        query: "zhang".to_owned(),
        ..SearchTalentsRequest::default()
    };
    let persons = register
        .talent()
        .search_talents(asked)
        .await
        .unwrap()
        .into_inner()
        .talents;
    assert!(persons.len() > 3, "{persons:?}");
    assert!(
        persons.iter().all(|person| person.display_name.starts_with('张')),
        "{persons:?}"
    );
}

async fn what_it_holds_is_whole_and_named_as_invented(store: Store) {
    let register = start(store).await;
    // Every organization that a row names is one of the sample.
    let asked = ListOrganizationsRequest {
        page_size: 1000,
        ..ListOrganizationsRequest::default()
    };
    let organizations = register
        .labs()
        .list_organizations(asked)
        .await
        .unwrap()
        .into_inner()
        .organizations;
    assert_eq!(organizations.len(), 40);
    for organization in organizations {
        assert!(
            !organization.unverified && organization.display_name.contains("示例"),
            "{organization:?}"
        );
        let code = &organization
            .identifiers
            .iter()
            .find(|i| i.scheme == "uscc")
            .unwrap()
            .value;
        assert_eq!(&code[8..10], "XN", "{code}");
    }
    let asked = ListAwardsRequest {
        page_size: 1000,
        ..ListAwardsRequest::default()
    };
    for award in register.awards().list_awards(asked).await.unwrap().into_inner().awards {
        assert!(
            award.document_number.contains("虚构") && award.number.contains("虚构"),
            "{award:?}"
        );
        assert!(
            !award.contributors.is_empty() && !award.completing_organizations.is_empty(),
            "{award:?}"
        );
    }
}

async fn a_second_start_changes_nothing(store: Store) {
    // That it was loaded once more is noted.
    const LAST: &str = "SELECT max(sequence) FROM ledger WHERE resource NOT LIKE 'imports/%'";
    let mut register = Register::start_with(store, &["--sample"]).await;
    let first = loaded(&register).await;
    register.stop();
    let before = register.number(LAST).await;
    register.restart();
    let second = loaded(&register).await;
    register.stop();
    assert_eq!(register.number(LAST).await, before, "{second}");
    assert!(first.contains(" 0 updated, 0 unchanged)"), "{first}");
    assert!(second.contains("(0 created, 0 updated, "), "{second}");
}
