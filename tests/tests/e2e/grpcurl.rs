//! The first steps with grpcurl: make, find, change and read records, and understand a refusal.

use mingce_e2e::{Register, Store, on_both_stores};
use serde_json::{Value, json};

on_both_stores!(
    an_organization_is_made_found_and_changed,
    a_name_is_found_in_chinese_pinyin_and_initials,
    a_refusal_is_printed_with_its_reason_and_field,
    figures_are_counted,
);

/// Calls a method of the labs service, and reads its answer.
fn labs(register: &Register, method: &str, request: &Value) -> Value {
    let method = format!("mingce.labs.v1.LabService/{method}");
    let answer = register.grpcurl(&["-d", &request.to_string()], &[&method]).succeeded();
    serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

async fn an_organization_is_made_found_and_changed(store: Store) {
    let register = Register::start(store).await;
    let made = labs(
        &register,
        "CreateOrganization",
        &json!({"organization": {"display_name": "青岛大学", "city": "青岛"}}),
    );
    let name = made["name"].as_str().unwrap();
    assert!(name.starts_with("organizations/"), "{made}");
    assert_eq!(
        (made["displayName"].as_str(), made["revision"].as_str()),
        (Some("青岛大学"), Some("1")),
        "{made}"
    );
    assert_eq!(labs(&register, "GetOrganization", &json!({"name": name})), made);

    let change = json!({"organization": {"name": name, "city": "Qingdao"}, "update_mask": {"paths": ["city"]}});
    let changed = labs(&register, "UpdateOrganization", &change);
    assert_eq!(
        (changed["city"].as_str(), changed["displayName"].as_str()),
        (Some("Qingdao"), Some("青岛大学")),
        "{changed}"
    );
    assert_eq!(changed["revision"].as_str(), Some("2"), "{changed}");
    assert_ne!(changed["etag"], made["etag"]);

    let listed = labs(&register, "ListOrganizations", &json!({"filter": "city = \"Qingdao\""}));
    assert_eq!(listed["organizations"][0]["name"].as_str(), Some(name), "{listed}");
    let none = labs(&register, "ListOrganizations", &json!({"filter": "city = \"青岛\""}));
    assert_eq!(none, json!({}));

    let history = labs(&register, "ListRevisions", &json!({"name": name}));
    assert_eq!(history["revisions"].as_array().map(Vec::len), Some(2), "{history}");
}

async fn a_name_is_found_in_chinese_pinyin_and_initials(store: Store) {
    let register = Register::start(store).await;
    let names = json!([{"text": "北大", "kind": "NAME_KIND_ALIAS"}, {"text": "Peking University", "language": "en"}]);
    labs(
        &register,
        "CreateOrganization",
        &json!({"organization": {"display_name": "北京大学", "names": names}}),
    );
    labs(
        &register,
        "CreateOrganization",
        &json!({"organization": {"display_name": "青岛大学"}}),
    );
    for query in ["北京", "北大", "beijing", "bjdx", "Peking", "peking univ"] {
        let found = labs(&register, "SearchOrganizations", &json!({"query": query}));
        let found: Vec<_> = found["organizations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|o| o["displayName"].as_str())
            .collect();
        assert_eq!(found, [Some("北京大学")], "{query}");
    }
    assert_eq!(
        labs(&register, "SearchOrganizations", &json!({"query": "上海"})),
        json!({})
    );
}

async fn a_refusal_is_printed_with_its_reason_and_field(store: Store) {
    let register = Register::start(store).await;
    let request = json!({"organization": {"display_name": "青岛大学", "country_code": "China"}}).to_string();
    let ran = register.grpcurl(&["-d", &request], &["mingce.labs.v1.LabService/CreateOrganization"]);
    assert_ne!(ran.code, Some(0));
    for said in [
        "InvalidArgument",
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "organization.country_code",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
}

async fn figures_are_counted(store: Store) {
    let register = Register::start(store).await;
    for (name, city) in [("青岛大学", "青岛"), ("中国海洋大学", "青岛"), ("山东大学", "济南")] {
        labs(
            &register,
            "CreateOrganization",
            &json!({"organization": {"display_name": name, "city": city}}),
        );
    }
    let asked = json!({"collection": "organizations", "group_by": ["city"]});
    let counted = labs(&register, "ComputeStatistics", &asked);
    let group = |city: &str, count: &str| json!({"values": [city], "count": count, "filter": format!("city = {city}")});
    let groups = json!([group("济南", "1"), group("青岛", "2")]);
    assert_eq!(counted, json!({"groups": groups, "totalCount": "3"}));
}
