//! Pagination: pages make up the whole list, in the order that was asked for, and filters keep what they say.

use std::cmp::Ordering;

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ListOrganizationsRequest, OperatingState, Organization, OrganizationKind};
use mingce_proto::registry::Name;

use crate::builders::{identifier, made, organization};

on_both_stores!(
    pages_of_any_size_make_up_the_whole_list,
    lists_are_in_the_order_that_was_asked_for,
    filters_keep_what_they_say,
    a_page_that_is_walked_while_records_come_shows_each_old_one_once,
);

/// How two organizations stand to each other in an order.
type Compares<'a> = &'a dyn Fn(&Organization, &Organization) -> Ordering;

/// Whether a filter keeps an organization.
type Keeps<'a> = &'a dyn Fn(&Organization) -> bool;

const NAMES: [&str; 10] = [
    "青岛大学",
    "中国海洋大学",
    "山东大学",
    "安徽大学",
    "北京大学",
    "上海交通大学",
    "重庆大学",
    "长安大学",
    "Nankai University",
    "École 北京",
];
const CITIES: [&str; 5] = ["青岛", "济南", "Qingdao", "", "北京"];

/// Thirty organizations with few different values, so that orders have ties.
async fn thirty(register: &Register) -> Vec<Organization> {
    let mut all = Vec::new();
    for n in 0..30_usize {
        let alias = Name {
            text: format!("alias {}", n % 4),
            ..Name::default()
        };
        let one = Organization {
            city: CITIES[n % CITIES.len()].to_owned(),
            kind: i32::try_from(n % 4).unwrap(),
            state: i32::try_from(n % 3).unwrap(),
            established_year: [0, 1909, 1952, 2001][n % 4],
            names: if n % 2 == 0 { vec![alias] } else { Vec::new() },
            identifiers: vec![identifier(&n.to_string())],
            unverified: n % 5 == 0,
            ..organization(NAMES[n % NAMES.len()])
        };
        all.push(made(register, one).await);
    }
    all
}

fn list(filter: &str, order_by: &str, page_size: i32) -> ListOrganizationsRequest {
    ListOrganizationsRequest {
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
        page_size,
        ..ListOrganizationsRequest::default()
    }
}

/// All pages of a list, each as it came.
async fn walk(register: &Register, mut request: ListOrganizationsRequest) -> Vec<Vec<Organization>> {
    let mut pages = Vec::new();
    let mut labs = register.labs();
    loop {
        let page = labs.list_organizations(request.clone()).await.unwrap().into_inner();
        pages.push(page.organizations);
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

const ORDERS: [&str; 7] = [
    "",
    "display_name desc",
    "city",
    "city desc, display_name",
    "established_year desc, city desc, display_name",
    "create_time desc",
    "kind, state desc",
];

async fn pages_of_any_size_make_up_the_whole_list(store: Store) {
    let register = Register::start(store).await;
    thirty(&register).await;
    for order in ORDERS {
        let whole = walk(&register, list("", order, 1000)).await.concat();
        assert_eq!(whole.len(), 30);
        for size in [1, 2, 3, 7, 15, 29, 30, 31] {
            let pages = walk(&register, list("", order, size)).await;
            let (last, full) = pages.split_last().unwrap();
            let size = usize::try_from(size).unwrap();
            assert!(full.iter().all(|page| page.len() == size), "{order} by {size}");
            assert!(!last.is_empty() && last.len() <= size, "{order} by {size}");
            assert_eq!(pages.concat(), whole, "{order} by {size}");
        }
    }
    let some = walk(&register, list("state = ACTIVE", "city", 4)).await.concat();
    assert_eq!(
        some,
        walk(&register, list("state = ACTIVE", "city", 1000)).await.concat()
    );
}

async fn lists_are_in_the_order_that_was_asked_for(store: Store) {
    let register = Register::start(store).await;
    thirty(&register).await;
    let by_year = |a: &Organization, b: &Organization| b.established_year.cmp(&a.established_year);
    let orders: [(&str, Compares<'_>); 4] = [
        ("city", &|a, b| a.city.cmp(&b.city)),
        ("city desc", &|a, b| b.city.cmp(&a.city)),
        ("established_year desc, city", &|a, b| {
            by_year(a, b).then(a.city.cmp(&b.city))
        }),
        ("kind, state desc", &|a, b| {
            a.kind.cmp(&b.kind).then(b.state.cmp(&a.state))
        }),
    ];
    for (order, compare) in orders {
        let listed = walk(&register, list("", order, 1000)).await.concat();
        // What is equal by the order is in the order of ids.
        let full = |a: &Organization, b: &Organization| compare(a, b).then(a.name.cmp(&b.name));
        assert!(
            listed.is_sorted_by(|a, b| full(a, b) == Ordering::Less),
            "{order}: {listed:#?}"
        );
    }
    // Chinese names stand in the order of their pinyin, among the Latin ones.
    let mut listed: Vec<_> = walk(&register, list("", "", 1000)).await.concat();
    listed.dedup_by(|a, b| a.display_name == b.display_name);
    let names: Vec<_> = listed.iter().map(|o| o.display_name.as_str()).collect();
    assert_eq!(
        names,
        [
            "安徽大学",
            "北京大学",
            "长安大学",
            "重庆大学",
            "École 北京",
            "Nankai University",
            "青岛大学",
            "山东大学",
            "上海交通大学",
            "中国海洋大学"
        ]
    );
}

async fn filters_keep_what_they_say(store: Store) {
    let register = Register::start(store).await;
    let all = thirty(&register).await;
    let kind = |o: &Organization, kind: OrganizationKind| o.kind() == kind;
    let filters: [(&str, Keeps<'_>); 17] = [
        ("city = 青岛", &|o| o.city == "青岛"),
        ("city != \"青岛\"", &|o| o.city != "青岛"),
        ("city = \"\"", &|o| o.city.is_empty()),
        ("city:*", &|o| !o.city.is_empty()),
        ("NOT city:*", &|o| o.city.is_empty()),
        ("city:qing", &|o| o.city == "Qingdao"),
        ("display_name:大学", &|o| o.display_name.contains("大学")),
        ("established_year >= 1952", &|o| o.established_year >= 1952),
        ("established_year < 1952", &|o| o.established_year == 1909),
        ("established_year != 1909", &|o| o.established_year != 1909),
        ("kind = UNIVERSITY OR kind = ORGANIZATION_KIND_ENTERPRISE", &|o| {
            kind(o, OrganizationKind::University) || kind(o, OrganizationKind::Enterprise)
        }),
        ("state = ACTIVE AND NOT kind = UNIVERSITY", &|o| {
            o.state() == OperatingState::Active && !kind(o, OrganizationKind::University)
        }),
        ("unverified = true", &|o| o.unverified),
        (
            "NOT (unverified = true OR established_year = 2001) AND city = Qingdao",
            &|o| !(o.unverified || o.established_year == 2001) && o.city == "Qingdao",
        ),
        ("names = \"alias 2\"", &|o| o.names.iter().any(|n| n.text == "alias 2")),
        ("names != \"alias 2\"", &|o| {
            !o.names.iter().any(|n| n.text == "alias 2")
        }),
        // OR binds tighter than AND (AIP-160).
        ("state = ACTIVE AND city = 青岛 OR city = 济南", &|o| {
            o.state() == OperatingState::Active && (o.city == "青岛" || o.city == "济南")
        }),
    ];
    for (filter, keeps) in filters {
        let request = ListOrganizationsRequest {
            include_total_size: true,
            ..list(filter, "create_time", 1000)
        };
        let page = register.labs().list_organizations(request).await.unwrap().into_inner();
        let expected: Vec<_> = all.iter().filter(|o| keeps(o)).map(|o| o.name.as_str()).collect();
        let mut listed: Vec<_> = page.organizations.iter().map(|o| o.name.as_str()).collect();
        listed.sort_unstable();
        assert!(
            !expected.is_empty() && expected.len() < 30,
            "{filter} tells nothing apart"
        );
        assert_eq!(listed, expected, "{filter}");
        assert_eq!(usize::try_from(page.total_size).unwrap(), expected.len(), "{filter}");
    }
}

async fn a_page_that_is_walked_while_records_come_shows_each_old_one_once(store: Store) {
    let register = Register::start(store).await;
    let all = thirty(&register).await;
    let mut request = list("", "", 4);
    let mut seen = Vec::new();
    for n in 100.. {
        let page = register
            .labs()
            .list_organizations(request.clone())
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.organizations.into_iter().map(|o| o.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        // One before and one after the place of the walk.
        made(&register, organization(&format!("啊 {n}"))).await;
        made(&register, organization(&format!("最后 {n}"))).await;
    }
    for one in &all {
        assert_eq!(seen.iter().filter(|name| **name == one.name).count(), 1, "{one:?}");
    }
}
