//! Wrong lists: filters, orders and page tokens that mean nothing are refused, and say where.

use mingce_e2e::{Failure, Register, Store, failure, on_both_stores};
use mingce_proto::labs::ListOrganizationsRequest;
use mingce_proto::registry::ListCitationsRequest;
use tonic::Code;

use crate::builders::{create, organization};

on_both_stores!(
    a_page_token_of_another_query_is_refused,
    a_page_token_of_nobody_is_refused,
    a_filter_that_does_not_parse_says_where,
    a_filter_on_an_unknown_field_names_it,
    an_order_by_an_unknown_field_is_refused,
    a_negative_page_size_is_refused,
    what_names_one_record_is_no_pattern_of_many,
);

async fn listing(register: &Register, request: ListOrganizationsRequest) -> Failure {
    failure(register.labs().list_organizations(request).await)
}

async fn a_page_token_of_another_query_is_refused(store: Store) {
    let register = Register::start(store).await;
    for name in ["青岛大学", "山东大学", "中国海洋大学"] {
        register
            .labs()
            .create_organization(create(organization(name)))
            .await
            .unwrap();
    }
    let page = ListOrganizationsRequest {
        page_size: 1,
        ..ListOrganizationsRequest::default()
    };
    let first = register
        .labs()
        .list_organizations(page.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(!first.next_page_token.is_empty());
    let other = ListOrganizationsRequest {
        page_token: first.next_page_token,
        filter: "state = ACTIVE".to_owned(),
        ..page
    };
    let refused = listing(&register, other).await;
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "PAGE_TOKEN_OTHER_QUERY"),
        "{refused:?}"
    );
    assert_eq!(refused.fields, ["page_token"]);
}

async fn a_page_token_of_nobody_is_refused(store: Store) {
    let register = Register::start(store).await;
    for token in ["x", "AAAA", "名册", "' OR 1=1 --"] {
        let request = ListOrganizationsRequest {
            page_token: token.to_owned(),
            ..ListOrganizationsRequest::default()
        };
        let refused = listing(&register, request).await;
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "PAGE_TOKEN_MALFORMED"),
            "{token}: {refused:?}"
        );
        assert_eq!(refused.fields, ["page_token"]);
    }
}

async fn a_filter_that_does_not_parse_says_where(store: Store) {
    let register = Register::start(store).await;
    for (filter, position) in [("city = ", "8"), ("city = \"Qingdao", "8"), ("(city = Qingdao", "16")] {
        let request = ListOrganizationsRequest {
            filter: filter.to_owned(),
            ..ListOrganizationsRequest::default()
        };
        let refused = listing(&register, request).await;
        assert_eq!(
            refused.is(),
            (Code::InvalidArgument, "FILTER_INVALID"),
            "{filter}: {refused:?}"
        );
        assert_eq!(refused.fields, ["filter"]);
        assert!(refused.descriptions[0].contains(position), "{filter}: {refused:?}");
    }
}

async fn a_filter_on_an_unknown_field_names_it(store: Store) {
    let register = Register::start(store).await;
    let request = ListOrganizationsRequest {
        filter: "colour = red".to_owned(),
        ..ListOrganizationsRequest::default()
    };
    let refused = listing(&register, request).await;
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "FILTER_FIELD_UNKNOWN"),
        "{refused:?}"
    );
    assert!(refused.descriptions[0].contains("colour"), "{refused:?}");
}

async fn an_order_by_an_unknown_field_is_refused(store: Store) {
    let register = Register::start(store).await;
    let request = ListOrganizationsRequest {
        order_by: "colour desc".to_owned(),
        ..ListOrganizationsRequest::default()
    };
    let refused = listing(&register, request).await;
    assert_eq!(refused.is(), (Code::InvalidArgument, "ORDER_INVALID"), "{refused:?}");
    assert_eq!(refused.fields, ["order_by"]);
}

async fn a_negative_page_size_is_refused(store: Store) {
    let register = Register::start(store).await;
    let request = ListOrganizationsRequest {
        page_size: -1,
        ..ListOrganizationsRequest::default()
    };
    let refused = listing(&register, request).await;
    assert_eq!(
        (refused.code, refused.fields),
        (Code::InvalidArgument, vec!["page_size".to_owned()])
    );
}

async fn what_names_one_record_is_no_pattern_of_many(store: Store) {
    let register = Register::start(store).await;
    for name in ["labs/-", "labs", "labs/1/designations/-"] {
        let request = ListCitationsRequest {
            name: name.to_owned(),
            ..ListCitationsRequest::default()
        };
        let all = [
            failure(register.labs().list_citations(request.clone()).await),
            failure(register.talent().list_citations(request.clone()).await),
            failure(register.awards().list_citations(request.clone()).await),
            failure(register.cases().list_citations(request).await),
        ];
        for refused in all {
            assert_eq!(refused.is(), (Code::InvalidArgument, "NAME_WRONG_KIND"), "{name}");
            assert_eq!(refused.fields, ["name"], "{name}");
        }
    }
}
