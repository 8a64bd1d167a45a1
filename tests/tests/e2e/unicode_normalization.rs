//! Unicode normalization: texts that name, number or group something have one form, on the way in and in filters and
//! statistics.

use std::fs;

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{ListOrganizationsRequest, Organization, SearchOrganizationsRequest};
use mingce_proto::registry::ComputeStatisticsRequest;

use tonic::Code;

use crate::builders::{create, made, organization};

on_both_stores!(
    names_and_groups_that_look_the_same_are_the_same,
    a_line_break_of_a_word_processor_is_no_blank,
);

async fn a_line_break_of_a_word_processor_is_no_blank(store: Store) {
    let register = Register::start(store).await;
    let files = [
        ("export.csv", "display_name,city\n\u{2028},青岛\n", "organizations"),
        ("list.csv", "单位,城市\n\u{2029},青岛\n", "list.toml"),
        ("city.csv", "display_name,city\n甲大学,\u{2028}\n", "organizations"),
    ];
    let mapping =
        "[[part]]\ncollection = \"organizations\"\n[part.fields]\ndisplay_name = \"{单位}\"\ncity = \"{城市}\"\n";
    fs::write(register.folder().join("list.toml"), mapping).unwrap();
    for (file, text, mapping) in files {
        fs::write(register.folder().join(file), text).unwrap();
        let ran = register.cli(&["import", file, "--as", mapping]);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.stdout.contains("NAME_UNSEEN_CHARACTER"), "{file}: {ran:?}");
    }
    let wrong = register
        .labs()
        .create_organization(create(organization("\u{2028}")))
        .await;
    assert_eq!(failure(wrong).is(), (Code::InvalidArgument, "NAME_UNSEEN_CHARACTER"));
}

async fn names_and_groups_that_look_the_same_are_the_same(store: Store) {
    let register = Register::start(store).await;
    let cities = ["青岛", "⻘岛", "青\u{200b}岛", "青岛\u{fe0f}", "\u{feff}青岛\u{3000}"];
    for (place, city) in cities.into_iter().enumerate() {
        let other = made(
            &register,
            Organization {
                city: city.to_owned(),
                ..organization(&format!("示例•阿克苏研究所（{place}–１）"))
            },
        )
        .await;
        assert_eq!(other.city, "青岛");
        assert_eq!(other.display_name, format!("示例·阿克苏研究所（{place}-1）"));
    }
    let asked = ComputeStatisticsRequest {
        collection: "organizations".to_owned(),
        group_by: vec!["city".to_owned()],
        ..ComputeStatisticsRequest::default()
    };
    let groups = register
        .labs()
        .compute_statistics(asked)
        .await
        .unwrap()
        .into_inner()
        .groups;
    let groups: Vec<_> = groups
        .iter()
        .map(|group| (group.values.join(""), group.count))
        .collect();
    assert_eq!(groups, [("青岛".to_owned(), 5)]);
    for (filter, count) in [
        ("city = \"⻘岛\"", 5),
        ("display_name = \"示例・阿克苏研究所(3–1)\"", 1),
        ("names : \"示例·阿克苏研究所（３-１）\"", 1),
    ] {
        let asked = ListOrganizationsRequest {
            filter: filter.to_owned(),
            ..ListOrganizationsRequest::default()
        };
        let found = register.labs().list_organizations(asked).await.unwrap().into_inner();
        assert_eq!(found.organizations.len(), count, "{filter}");
    }
    let asked = SearchOrganizationsRequest {
        query: "⻘示例，示例阿克苏研究所".to_owned(),
        ..SearchOrganizationsRequest::default()
    };
    let found = register.labs().search_organizations(asked).await.unwrap().into_inner();
    assert_eq!(found.organizations.len(), 5, "the body in a longer text");
}
