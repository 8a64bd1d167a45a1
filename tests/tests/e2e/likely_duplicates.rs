//! Likely duplicates: a list to work through, by merging or by saying that two are two.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::labs::{
    CreateLabRequest, Lab, ListRevisionsRequest, MarkOrganizationsDistinctRequest, Organization,
    UnmarkOrganizationsDistinctRequest,
};
use mingce_proto::registry::{
    DuplicateReason, Identifier, LikelyDuplicate, ListLikelyDuplicatesRequest, Name, NameKind,
};
use mingce_proto::talent::{AnnulTalentRequest, Talent};
use tokio::task::JoinSet;
use tonic::Code;

use crate::builders::{annul, create, history, made, merge, organization, person, read};

on_both_stores!(
    pairs_are_listed_with_their_reasons_and_near_misses_are_not,
    persons_share_a_name_and_a_year_of_birth,
    each_page_goes_on_where_the_one_before_ended,
    a_pair_that_is_two_is_put_aside_and_taken_back,
    a_pair_stays_aside_when_one_of_it_is_merged,
    merged_and_annulled_records_take_no_part,
    duplicates_are_worked_through_by_command,
    a_merge_and_its_end_stand_in_the_history_of_both,
    five_thousand_of_one_name_hold_up_no_other_call,
);

fn held(scheme: &str, value: &str) -> Identifier {
    Identifier {
        scheme: scheme.to_owned(),
        value: value.to_owned(),
    }
}

fn name(text: &str, kind: NameKind) -> Name {
    Name {
        text: text.to_owned(),
        kind: kind.into(),
        ..Name::default()
    }
}

fn asked(collection: &str) -> ListLikelyDuplicatesRequest {
    ListLikelyDuplicatesRequest {
        collection: collection.to_owned(),
        ..ListLikelyDuplicatesRequest::default()
    }
}

/// All pairs that a list has, page by page.
async fn listed(register: &Register, mut request: ListLikelyDuplicatesRequest) -> Vec<LikelyDuplicate> {
    let mut all = Vec::new();
    for _ in 0..1000 {
        let page = if request.collection == "talents" {
            register.talent().list_likely_duplicates(request.clone()).await
        } else {
            register.labs().list_likely_duplicates(request.clone()).await
        };
        let page = page.unwrap().into_inner();
        let size = usize::try_from(request.page_size).unwrap();
        assert!(size == 0 || page.likely_duplicates.len() <= size);
        all.extend(page.likely_duplicates);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
    panic!("the list has no end");
}

/// Pairs by the names in use of both and their reasons; each pair stands once.
fn told(pairs: &[LikelyDuplicate]) -> BTreeSet<(String, String, Vec<DuplicateReason>)> {
    let of = |pair: &LikelyDuplicate| {
        let (one, other) = (pair.record.clone().unwrap(), pair.duplicate.clone().unwrap());
        (one.display_name, other.display_name, pair.reasons().collect())
    };
    let told: BTreeSet<_> = pairs.iter().map(of).collect();
    let named: BTreeSet<_> = pairs
        .iter()
        .map(|pair| (pair.record.clone().unwrap().name, pair.duplicate.clone().unwrap().name))
        .collect();
    assert_eq!(named.len(), pairs.len(), "a pair stands twice: {pairs:?}");
    told
}

fn pair(one: &str, other: &str, reasons: &[DuplicateReason]) -> (String, String, Vec<DuplicateReason>) {
    (one.to_owned(), other.to_owned(), reasons.to_vec())
}

async fn in_city(register: &Register, display_name: &str, city: &str) -> Organization {
    let organization = Organization {
        city: city.to_owned(),
        ..organization(display_name)
    };
    made(register, organization).await
}

async fn pairs_are_listed_with_their_reasons_and_near_misses_are_not(store: Store) {
    use DuplicateReason::{Identifier as ById, NameAndCity, NameWithoutCity};
    let register = Register::start(store).await;
    let older = in_city(&register, "样例海洋研究院", "青岛").await;
    let newer = in_city(&register, "樣例海洋研究院", "青岛市").await;
    in_city(&register, "样例海洋研究院", "济南").await;
    in_city(&register, "样例海洋学院", "青岛").await;
    in_city(&register, "EXAMPLE Institute", "Bergen").await;
    in_city(&register, "Example  institute", "").await;
    let with = |display_name: &str, scheme: &str, value: &str| Organization {
        identifiers: vec![held(scheme, value)],
        ..organization(display_name)
    };
    made(&register, with("甲所", "grid", "grid.1234.5")).await;
    made(&register, with("乙所", "grid", "GRID 12345")).await;
    made(&register, with("丙所", "grid", "grid.1234.6")).await;
    made(&register, with("丁所", "house", "grid.1234.5")).await;
    // A name of old that another bears now, and one that nobody does.
    let named = |display_name: &str, names: Vec<Name>| Organization {
        names,
        city: "烟台".to_owned(),
        ..organization(display_name)
    };
    made(&register, named("新名医院", vec![name("旧名医院", NameKind::Former)])).await;
    made(&register, named("旧名医院", vec![])).await;
    made(&register, named("戊院", vec![name("共同", NameKind::Acronym)])).await;
    made(&register, named("己院", vec![name("共同", NameKind::Acronym)])).await;
    let found = listed(&register, asked("organizations")).await;
    let all = BTreeSet::from([
        pair("样例海洋研究院", "樣例海洋研究院", &[NameAndCity]),
        pair("EXAMPLE Institute", "Example institute", &[NameWithoutCity]),
        pair("甲所", "乙所", &[ById]),
        pair("新名医院", "旧名医院", &[NameAndCity]),
    ]);
    assert_eq!(told(&found), all);
    assert_eq!(told(&found[..1]), BTreeSet::from([pair("甲所", "乙所", &[ById])]));
    assert_eq!(found[0].shared_identifiers, [held("grid", "grid.1234.5")]);
    let first = found.iter().find(|pair| pair.shared_name == "样例海洋研究院").unwrap();
    let names = [
        first.record.clone().unwrap().name,
        first.duplicate.clone().unwrap().name,
    ];
    assert_eq!(names, [older.name, newer.name]);
    for (reason, expected) in [
        (ById, 1),
        (NameAndCity, 2),
        (NameWithoutCity, 1),
        (DuplicateReason::NameAndBirthYear, 0),
    ] {
        let request = ListLikelyDuplicatesRequest {
            reasons: vec![reason.into()],
            ..asked("organizations")
        };
        let found = told(&listed(&register, request).await);
        assert_eq!(found.len(), expected, "{reason:?}");
        assert!(found.iter().all(|(_, _, reasons)| reasons.contains(&reason)));
    }
    // Labs are compared in the same way.
    for city in ["青岛", "青岛", "上海"] {
        let lab = Lab {
            display_name: "样例重点实验室".to_owned(),
            city: city.to_owned(),
            ..Lab::default()
        };
        let request = CreateLabRequest {
            lab: Some(lab),
            ..CreateLabRequest::default()
        };
        register.labs().create_lab(request).await.unwrap();
    }
    let found = told(&listed(&register, asked("labs")).await);
    assert_eq!(
        found,
        BTreeSet::from([pair("样例重点实验室", "样例重点实验室", &[NameAndCity])])
    );
    let refused = failure(register.labs().list_likely_duplicates(asked("talents")).await);
    assert_eq!(
        refused.is(),
        (Code::InvalidArgument, "COLLECTION_UNKNOWN"),
        "{refused:?}"
    );
}

fn born(display_name: &str, birth_date: &str) -> Talent {
    Talent {
        display_name: display_name.to_owned(),
        birth_date: birth_date.to_owned(),
        ..Talent::default()
    }
}

async fn persons_share_a_name_and_a_year_of_birth(store: Store) {
    use DuplicateReason::{Identifier as ById, NameAndBirthYear};
    let register = Register::start(store).await;
    for talent in [
        born("钱样甲", "1970-02-03"),
        born("錢样甲", "1970"),
        born("钱样甲", "1971-02-03"),
        born("钱样甲", ""),
        born("孙样乙", "1970"),
        born("Marie Example", "1967-11-07"),
        born("MARIE EXAMPLE", "1967"),
        born("Mary Example", "1967"),
    ] {
        person(&register, talent).await;
    }
    let with = |talent: Talent, value: &str| Talent {
        identifiers: vec![held("staff-number", value)],
        ..talent
    };
    person(&register, with(born("李样丙", "1980"), "A-0017")).await;
    person(&register, with(born("李样丙", "1980"), "a0017")).await;
    let found = listed(&register, asked("talents")).await;
    let all = BTreeSet::from([
        pair("钱样甲", "錢样甲", &[NameAndBirthYear]),
        pair("Marie Example", "MARIE EXAMPLE", &[NameAndBirthYear]),
        pair("李样丙", "李样丙", &[ById, NameAndBirthYear]),
    ]);
    assert_eq!(told(&found), all);
    assert!(found.iter().all(|pair| pair.record.as_ref().unwrap().birth_year > 0));
    // By one reason alone a pair stands all the same.
    for (reason, expected) in [(ById, 1), (NameAndBirthYear, 3)] {
        let request = ListLikelyDuplicatesRequest {
            reasons: vec![reason.into()],
            ..asked("talents")
        };
        assert_eq!(told(&listed(&register, request).await).len(), expected, "{reason:?}");
    }
}

async fn each_page_goes_on_where_the_one_before_ended(store: Store) {
    let register = Register::start(store).await;
    // Of 7 of one name in one city there are 21 pairs, and of 3 more 3.
    for _ in 0..7 {
        in_city(&register, "样例大学", "青岛").await;
    }
    for _ in 0..3 {
        in_city(&register, "示例大学", "青岛").await;
    }
    let whole = listed(&register, asked("organizations")).await;
    assert_eq!(whole.len(), 24);
    for page_size in [1, 2, 5, 23, 24, 1000] {
        let request = ListLikelyDuplicatesRequest {
            page_size,
            ..asked("organizations")
        };
        assert_eq!(listed(&register, request).await, whole, "{page_size}");
    }
    let request = ListLikelyDuplicatesRequest {
        page_size: 1,
        ..asked("organizations")
    };
    let page = register
        .labs()
        .list_likely_duplicates(request)
        .await
        .unwrap()
        .into_inner();
    let other = |page_token: String, reasons: Vec<i32>, collection: &str| ListLikelyDuplicatesRequest {
        page_token,
        reasons,
        ..asked(collection)
    };
    let token = page.next_page_token;
    for (request, reason) in [
        (other(token.clone(), vec![2], "organizations"), "PAGE_TOKEN_OTHER_QUERY"),
        (other(token.clone(), vec![], "labs"), "PAGE_TOKEN_OTHER_QUERY"),
        (other("x".to_owned(), vec![], "organizations"), "PAGE_TOKEN_MALFORMED"),
    ] {
        let refused = failure(register.labs().list_likely_duplicates(request).await);
        assert_eq!(refused.is(), (Code::InvalidArgument, reason), "{refused:?}");
    }
}

fn mark(one: &Organization, other: &Organization) -> MarkOrganizationsDistinctRequest {
    MarkOrganizationsDistinctRequest {
        name: one.name.clone(),
        other: other.name.clone(),
        reason: "two houses of one name".to_owned(),
        ..MarkOrganizationsDistinctRequest::default()
    }
}

fn unmark(one: &Organization, other: &Organization) -> UnmarkOrganizationsDistinctRequest {
    UnmarkOrganizationsDistinctRequest {
        name: one.name.clone(),
        other: other.name.clone(),
        reason: "one house after all".to_owned(),
        ..UnmarkOrganizationsDistinctRequest::default()
    }
}

async fn a_pair_that_is_two_is_put_aside_and_taken_back(store: Store) {
    let register = Register::start(store).await;
    let one = in_city(&register, "样例大学", "青岛").await;
    let other = in_city(&register, "样例大学", "青岛").await;
    let third = in_city(&register, "样例大学", "青岛").await;
    assert_eq!(listed(&register, asked("organizations")).await.len(), 3);
    let mut dry = mark(&one, &other);
    dry.validate_only = true;
    register.labs().mark_organizations_distinct(dry).await.unwrap();
    assert_eq!(listed(&register, asked("organizations")).await.len(), 3);
    let mut old = mark(&one, &other);
    old.etag = "\"r7\"".to_owned();
    let refused = failure(register.labs().mark_organizations_distinct(old).await);
    assert_eq!(refused.is(), (Code::Aborted, "ETAG_MISMATCH"), "{refused:?}");
    let refused = failure(register.labs().mark_organizations_distinct(mark(&one, &one)).await);
    assert_eq!(refused.is(), (Code::InvalidArgument, "OTHER_IS_SAME"), "{refused:?}");

    let marked = register
        .labs()
        .mark_organizations_distinct(mark(&one, &other))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (&marked.name, marked.distinct_from),
        (&one.name, vec![other.name.clone()])
    );
    assert_eq!(read(&register, &other.name).await.distinct_from, [one.name.as_str()]);
    for name in [&one.name, &other.name] {
        let last = history(&register, name).await.remove(0);
        assert_eq!(
            (last.verb.as_str(), last.reason.as_str()),
            ("mark_distinct", "two houses of one name")
        );
        assert_eq!(last.changed_fields, ["distinct_from"]);
    }
    let open = listed(&register, asked("organizations")).await;
    assert_eq!(open.len(), 2);
    assert!(
        open.iter()
            .all(|pair| pair.duplicate.as_ref().unwrap().name == third.name && !pair.distinct)
    );
    let request = ListLikelyDuplicatesRequest {
        show_distinct: true,
        ..asked("organizations")
    };
    let shown = listed(&register, request).await;
    assert_eq!(
        shown.iter().map(|pair| pair.distinct).collect::<Vec<_>>(),
        [true, false, false]
    );
    // Once more, from the other side: nothing is written.
    let again = register
        .labs()
        .mark_organizations_distinct(mark(&other, &one))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.revision, 2);
    // What clients send back changes nothing of it, and it is not merged.
    let mut sent = read(&register, &one.name).await;
    sent.distinct_from.clear();
    sent.website = "https://example.org".to_owned();
    let sent = crate::builders::updated(&register, sent, &["*"]).await;
    assert_eq!(sent.distinct_from, [other.name.as_str()]);
    for (goes, stays) in [(&one, &other), (&other, &one)] {
        let refused = failure(
            register
                .labs()
                .merge_organizations(merge(&goes.name, &stays.name))
                .await,
        );
        assert_eq!(
            refused.is(),
            (Code::FailedPrecondition, "RECORDS_DISTINCT"),
            "{refused:?}"
        );
    }

    let back = register
        .labs()
        .unmark_organizations_distinct(unmark(&other, &one))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&back.name, back.distinct_from.len()), (&other.name, 0));
    assert_eq!(read(&register, &one.name).await.distinct_from, [] as [String; 0]);
    assert_eq!(listed(&register, asked("organizations")).await.len(), 3);
    let refused = failure(
        register
            .labs()
            .unmark_organizations_distinct(unmark(&one, &other))
            .await,
    );
    assert_eq!(
        refused.is(),
        (Code::FailedPrecondition, "RECORDS_NOT_DISTINCT"),
        "{refused:?}"
    );
    register
        .labs()
        .merge_organizations(merge(&other.name, &one.name))
        .await
        .unwrap();
}

async fn a_pair_stays_aside_when_one_of_it_is_merged(store: Store) {
    let register = Register::start(store).await;
    let one = in_city(&register, "样例大学", "青岛").await;
    let other = in_city(&register, "样例大学", "青岛").await;
    let third = in_city(&register, "样例大学", "青岛").await;
    register
        .labs()
        .mark_organizations_distinct(mark(&one, &other))
        .await
        .unwrap();
    register
        .labs()
        .merge_organizations(merge(&other.name, &third.name))
        .await
        .unwrap();
    // The third is the other now, of which it was said that it is another one.
    assert_eq!(listed(&register, asked("organizations")).await, []);
}

async fn merged_and_annulled_records_take_no_part(store: Store) {
    let register = Register::start(store).await;
    let one = in_city(&register, "样例大学", "青岛").await;
    let other = in_city(&register, "样例大学", "青岛").await;
    let third = in_city(&register, "样例大学", "青岛").await;
    register
        .labs()
        .merge_organizations(merge(&other.name, &one.name))
        .await
        .unwrap();
    assert_eq!(listed(&register, asked("organizations")).await.len(), 1);
    register.labs().annul_organization(annul(&third.name)).await.unwrap();
    assert_eq!(listed(&register, asked("organizations")).await, []);
    person(&register, born("钱样甲", "1970")).await;
    let twin = person(&register, born("钱样甲", "1970")).await;
    assert_eq!(listed(&register, asked("talents")).await.len(), 1);
    let request = AnnulTalentRequest {
        name: twin.name,
        reason: "recorded by mistake".to_owned(),
        ..AnnulTalentRequest::default()
    };
    register.talent().annul_talent(request).await.unwrap();
    assert_eq!(listed(&register, asked("talents")).await, []);
}

async fn duplicates_are_worked_through_by_command(store: Store) {
    let register = Register::start(store).await;
    let one = in_city(&register, "样例大学", "青岛").await;
    let other = in_city(&register, "样例大学", "青岛").await;
    let said = register
        .cli(&["duplicates", "organizations", "--lang", "zh"])
        .succeeded();
    let merging = format!("mingce merge organizations {} {} --reason", other.name, one.name);
    for part in [
        one.name.as_str(),
        &other.name,
        "样例大学  (青岛)",
        "名称和城市相同",
        &merging,
        "以上为全部",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let said = register
        .cli(&["duplicates", "organizations", "--lang", "en", "--reason", "identifier"])
        .succeeded();
    assert_eq!(said.trim(), "no likely duplicates");
    let distinct = [
        "distinct",
        "organizations",
        &one.name,
        &other.name,
        "--reason",
        "两个单位",
    ];
    let said = register.cli(&distinct).succeeded();
    assert!(said.contains("are marked as distinct"), "{said}");
    let said = register
        .cli(&["duplicates", "organizations", "--lang", "zh"])
        .succeeded();
    assert_eq!(said.trim(), "没有疑似重复的记录");
    let said = register
        .cli(&["duplicates", "organizations", "--lang", "en", "--show-distinct"])
        .succeeded();
    assert!(said.contains("marked as distinct"), "{said}");
    register.cli(&[&distinct[..], &["--undo"]].concat()).succeeded();
    let said = register
        .cli(&["duplicates", "organizations", "--lang", "en"])
        .succeeded();
    assert!(said.contains("the same name and city"), "{said}");
    let refused = register.cli(&["duplicates", "awards"]).failed_with_one_line();
    assert!(refused.contains("are not merged"), "{refused}");
}

async fn a_merge_and_its_end_stand_in_the_history_of_both(store: Store) {
    let register = Register::start(store).await;
    let one = in_city(&register, "样例大学", "青岛").await;
    let other = in_city(&register, "样例大学", "青岛").await;
    // Of the same name: the survivor takes over nothing.
    register
        .labs()
        .merge_organizations(merge(&other.name, &one.name))
        .await
        .unwrap();
    let request = mingce_proto::labs::UnmergeOrganizationRequest {
        name: other.name.clone(),
        reason: "two after all".to_owned(),
        ..Default::default()
    };
    register.labs().unmerge_organization(request).await.unwrap();
    for name in [&one.name, &other.name] {
        let request = ListRevisionsRequest {
            name: name.clone(),
            ..ListRevisionsRequest::default()
        };
        let told = register
            .labs()
            .list_revisions(request)
            .await
            .unwrap()
            .into_inner()
            .revisions;
        let steps: Vec<_> = told.iter().map(|r| (r.verb.as_str(), r.reason.as_str())).collect();
        let expected = [
            ("unmerge", "two after all"),
            ("merge", "the same university"),
            ("create", ""),
        ];
        assert_eq!(steps, expected, "{name}");
    }
}

async fn five_thousand_of_one_name_hold_up_no_other_call(store: Store) {
    let register = Register::start(store).await;
    let mut making = JoinSet::new();
    let mut last = String::new();
    let client = register.labs();
    for number in 0..4999 {
        let new = Organization {
            city: format!("示例{number}市"),
            ..organization("样例大学")
        };
        let mut labs = client.clone();
        making.spawn(async move { labs.create_organization(create(new)).await });
        while making.len() >= 200 {
            last = making.join_next().await.unwrap().unwrap().unwrap().into_inner().name;
        }
    }
    while let Some(made) = making.join_next().await {
        made.unwrap().unwrap();
    }
    in_city(&register, "样例大学", "示例7市").await;
    let mut labs = register.labs();
    let page = tokio::spawn(async move { labs.list_likely_duplicates(asked("organizations")).await });
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while !page.is_finished() {
        let asked = Instant::now();
        read(&register, &last).await;
        longest = longest.max(asked.elapsed());
    }
    let took = began.elapsed();
    let page = page.await.unwrap().unwrap().into_inner();
    assert_eq!(page.likely_duplicates.len(), 1);
    assert!(
        took < Duration::from_secs(4) && longest < Duration::from_secs(1),
        "{took:?}, a get {longest:?}"
    );
}
