//! What an earlier release has left is brought to this one by `mingce migrate`. Registers of earlier releases:
//! tests/fixtures.

use mingce_e2e::cases::Clock;
use mingce_e2e::fixture::{Fixture, told};
use mingce_e2e::{Register, Store, failure, on_both_stores};
use mingce_proto::awards::SearchAwardsRequest;
use mingce_proto::labs::{
    ListOrganizationsRequest, Organization, OrganizationKind, SearchLabsRequest, SearchOrganizationsRequest,
};
use mingce_proto::registry::{ComputeStatisticsRequest, ComputeStatisticsResponse, Identifier};
use mingce_proto::talent::{
    CreateTalentRequest, ListTalentsRequest, SearchTalentsRequest, Talent, UpdateTalentRequest,
};
use prost_types::FieldMask;
use serde_json::Value;
use tonic::Code;

use crate::builders::{create, history, made, organization, read, updated};

mod cases;
mod texts;

on_both_stores!(
    a_register_of_each_release_says_the_same_after_migrate_and_a_second_one_changes_nothing,
    all_records_of_then_are_counted_and_found,
    records_of_then_get_the_numbers_of_their_last_changes,
    what_was_sealed_then_opens_and_is_still_taken,
    a_request_of_then_is_known_by_what_it_has_done,
);

/// The earliest fixture. It has no tables of imports and survivors, no numbers in records, one document for each case,
/// and texts as they came.
const FIRST: &str = "0.1.0-ff791be";

/// A day on which nothing of its fixture falls due by itself.
const DAY: &str = "2024-10-14";

/// A register of that time. It is refused as it is; then it is brought to this version, and runs.
async fn upgraded(store: Store, clock: &Clock) -> Register {
    let mut register = Fixture::of(FIRST).register(store).await;
    let refused = register.try_to_serve("127.0.0.1:0").failed_with_one_line();
    assert!(
        refused.contains("[SCHEMA_OUTDATED]") && refused.contains("mingce migrate"),
        "{refused}"
    );
    register.migrate().succeeded();
    run(&mut register, clock);
    register
}

fn run(register: &mut Register, clock: &Clock) {
    register.set_flags(&["--clock", &clock.path()]);
    register.restart();
}

/// What an answer does not say as an earlier one did. What it says beside that is new.
fn differences(path: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            for (key, value) in then {
                let path = format!("{path}.{key}");
                differences(&path, value, now.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            for (place, (then, now)) in then.iter().zip(now).enumerate() {
                differences(&format!("{path}[{place}]"), then, now, found);
            }
        }
        _ if then == now => {}
        _ => found.push(format!("{path}: {then} is {now}")),
    }
}

/// A record without what each change of it changes, and without the changes by `mingce migrate`.
fn as_then(record: &Value) -> Value {
    let mut record = record.clone();
    let fields = record.as_object_mut().unwrap();
    fields.remove("revision");
    fields.remove("updateTime");
    if let Some(Value::Array(history)) = fields.get_mut("history") {
        history.retain(|entry| entry["verb"] != "migrate");
    }
    record
}

/// What a register says of the records of then otherwise than it did.
fn changed(then: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (collection, then) in then.as_object().unwrap() {
        let (then, now) = (then.as_array().unwrap(), now[collection].as_array().unwrap());
        assert_eq!(then.len(), now.len(), "{collection}");
        for (then, now) in then.iter().zip(now) {
            let name = then["name"].as_str().unwrap();
            differences(name, &as_then(then), &as_then(now), &mut found);
        }
    }
    found
}

async fn a_register_of_each_release_says_the_same_after_migrate_and_a_second_one_changes_nothing(store: Store) {
    let clock = Clock::on(DAY);
    for fixture in Fixture::all() {
        let mut register = fixture.register(store).await;
        register.migrate().succeeded();
        run(&mut register, &clock);
        let (then, now) = (fixture.told(), told(&register));
        // An extension of the time for building has written its number over that of the decision, and so has a mid-term
        // assessment. Changes of a round's caps have another verb.
        let expected = [
            "labs/1/designations/1.documentNumber: \"示例科〔2024〕2号\" is \"示例科〔2024〕1号\"",
            "rounds/1.history[1].verb: \"take_place\" is \"use_cap\"",
            "talents/1/designations/2.documentNumber: \"示例人才〔2024〕4号\" is \"示例人才〔2024〕1号\"",
        ];
        let expected: &[&str] = if fixture.release() == FIRST { &expected } else { &[] };
        assert_eq!(changed(&then, &now), expected, "{fixture:?}");
        let collections = now.as_object().unwrap().values();
        for record in collections.flat_map(|collection| collection.as_array().unwrap()) {
            let history = record["history"].as_array().unwrap();
            let last = history.last().unwrap();
            assert_eq!(record["revision"], history.len().to_string(), "{record}");
            assert_eq!(record["updateTime"], last["createTime"], "{record}");
            assert_eq!(record["sequence"], last["sequence"], "{record}");
        }

        register.stop();
        let ledger = "SELECT count(*) FROM ledger";
        let before = register.number(ledger).await;
        register.migrate().succeeded();
        assert_eq!(register.number(ledger).await, before, "{fixture:?}");
        if store == Store::Sqlite {
            // Search indexes that were there, and those that the migration has made.
            let merge =
                ["organizations", "awards", "imports"].map(|table| format!("SELECT k, v FROM {table}_search_config"));
            let merge = merge.join(" UNION ALL ");
            let alike = format!("SELECT count(*) FROM ({merge}) WHERE k = 'automerge' AND v = 8");
            assert_eq!(register.number(&alike).await, 3, "{fixture:?}");
        }
        register.restart();
        assert_eq!(told(&register), now, "{fixture:?}");
    }
}

async fn statistics(register: &Register, asked: ComputeStatisticsRequest) -> ComputeStatisticsResponse {
    let answer = match asked.collection.as_str() {
        "organizations" | "labs" | "labDesignations" => register.labs().compute_statistics(asked).await,
        "schemes" | "awards" => register.awards().compute_statistics(asked).await,
        _ => register.talent().compute_statistics(asked).await,
    };
    answer.unwrap().into_inner()
}

/// The members of each group of a collection by one field.
async fn groups(register: &Register, collection: &str, field: &str) -> Vec<(String, i64)> {
    let asked = ComputeStatisticsRequest {
        collection: collection.to_owned(),
        group_by: vec![field.to_owned()],
        ..ComputeStatisticsRequest::default()
    };
    let groups = statistics(register, asked).await.groups;
    groups
        .into_iter()
        .map(|group| (group.values.join(""), group.count))
        .collect()
}

async fn organizations(register: &Register, filter: &str) -> Vec<Organization> {
    let asked = ListOrganizationsRequest {
        filter: filter.to_owned(),
        order_by: "sequence".to_owned(),
        ..ListOrganizationsRequest::default()
    };
    register
        .labs()
        .list_organizations(asked)
        .await
        .unwrap()
        .into_inner()
        .organizations
}

async fn talents(register: &Register, filter: &str) -> Vec<Talent> {
    let asked = ListTalentsRequest {
        filter: filter.to_owned(),
        ..ListTalentsRequest::default()
    };
    register
        .talent()
        .list_talents(asked)
        .await
        .unwrap()
        .into_inner()
        .talents
}

/// What the organizations are called that a search finds.
async fn organizations_called(register: &Register, query: &str) -> Vec<String> {
    let asked = SearchOrganizationsRequest {
        query: query.to_owned(),
        ..SearchOrganizationsRequest::default()
    };
    let found = register.labs().search_organizations(asked).await.unwrap().into_inner();
    found.organizations.into_iter().map(|o| o.display_name).collect()
}

async fn labs_called(register: &Register, query: &str) -> Vec<String> {
    let asked = SearchLabsRequest {
        query: query.to_owned(),
        ..SearchLabsRequest::default()
    };
    let found = register.labs().search_labs(asked).await.unwrap().into_inner();
    found.labs.into_iter().map(|lab| lab.display_name).collect()
}

async fn talents_called(register: &Register, query: &str) -> Vec<String> {
    let asked = SearchTalentsRequest {
        query: query.to_owned(),
        ..SearchTalentsRequest::default()
    };
    let found = register.talent().search_talents(asked).await.unwrap().into_inner();
    found.talents.into_iter().map(|talent| talent.display_name).collect()
}

async fn all_records_of_then_are_counted_and_found(store: Store) {
    let clock = Clock::on(DAY);
    let register = upgraded(store, &clock).await;
    let then = Fixture::of(FIRST).told();
    for collection in [
        "organizations",
        "labs",
        "labDesignations",
        "talents",
        "programmes",
        "talentDesignations",
        "nominatingBodies",
        "recommendations",
        "schemes",
        "awards",
    ] {
        let all = then[collection].as_array().unwrap().iter();
        let active = all.filter(|record| record["recordStatus"] == "RECORD_STATUS_ACTIVE");
        let asked = ComputeStatisticsRequest {
            collection: collection.to_owned(),
            ..ComputeStatisticsRequest::default()
        };
        let counted = statistics(&register, asked).await.total_count;
        assert_eq!(counted, i64::try_from(active.count()).unwrap(), "{collection}");
    }
    // Of the organizations that completed an award, those that did not lead it.
    let asked = ComputeStatisticsRequest {
        collection: "awards".to_owned(),
        count: "joined_organizations".to_owned(),
        ..ComputeStatisticsRequest::default()
    };
    assert_eq!(statistics(&register, asked).await.total_count, 1);

    // The duplicate stands behind its survivor, and what was annulled is not found.
    for query in ["示例海洋大学", "slhydx", "Example Ocean", "示例水产学院", "示例海大"] {
        assert_eq!(
            organizations_called(&register, query).await,
            ["示例海洋大学"],
            "{query}"
        );
    }
    assert!(organizations_called(&register, "示例误录公司").await.is_empty());
    assert_eq!(
        labs_called(&register, "haiyang chuangan").await,
        ["示例海洋传感重点实验室"]
    );
    assert_eq!(talents_called(&register, "Jia Shili").await, ["示例甲"]);
    let asked = SearchAwardsRequest {
        query: "深海传感".to_owned(),
        ..SearchAwardsRequest::default()
    };
    let found = register.awards().search_awards(asked).await.unwrap().into_inner();
    assert_eq!(found.awards.len(), 1);
    let merged = organizations(&register, "record_status = RECORD_STATUS_DUPLICATE").await;
    let survivor = organizations(&register, "display_name = \"示例海洋大学\"").await;
    assert_eq!((merged.len(), &merged[0].survivor), (1, &survivor[0].name));
    assert_eq!(
        organizations(&register, "record_status = RECORD_STATUS_ANNULLED")
            .await
            .len(),
        1
    );
}

async fn records_of_then_get_the_numbers_of_their_last_changes(store: Store) {
    let clock = Clock::on(DAY);
    let mut register = upgraded(store, &clock).await;
    let all = organizations(&register, "record_status:* AND sequence >= 1").await;
    assert_eq!(all.len(), 4);
    assert!(all.windows(2).all(|two| two[0].sequence < two[1].sequence));
    for one in &all {
        assert_eq!(history(&register, &one.name).await[0].sequence, one.sequence);
        assert_eq!(&read(&register, &one.name).await, one);
    }
    let filter = format!("record_status:* AND sequence >= {}", all[2].sequence);
    assert_eq!(organizations(&register, &filter).await, all[2..]);
    register.stop();
    let last = register.number("SELECT sequence FROM ledger_head").await;
    register.restart();
    // The next change is later than all of them.
    let next = made(&register, organization("示例新所")).await;
    assert_eq!(next.sequence, last + 1);
    let time = |one: &Organization| one.update_time.map(|time| (time.seconds, time.nanos));
    assert!(all.iter().all(|one| time(one) < time(&next)));
    let university = organizations(&register, "display_name = \"示例海洋大学\"")
        .await
        .remove(0);
    let again = Organization {
        city: "济南".to_owned(),
        ..university.clone()
    };
    let again = updated(&register, again, &["city"]).await;
    assert_eq!((again.sequence, again.revision), (last + 2, university.revision + 1));
    assert_eq!(read(&register, &again.name).await, again);
}

/// Who has which document, what masked it then, and the year of birth.
const SEALED: [(&str, &str, &str, i32); 2] = [
    ("示例甲", "11010519491231002X", "110105********002X", 1949),
    ("示例乙", "E98765432", "E9******2", 1980),
];

async fn what_was_sealed_then_opens_and_is_still_taken(store: Store) {
    let clock = Clock::on(DAY);
    let register = upgraded(store, &clock).await;
    for (display_name, document, mask, birth_year) in SEALED {
        let filter = format!("display_name = \"{display_name}\"");
        let holder = talents(&register, &filter).await.remove(0);
        assert_eq!(
            (holder.birth_year, holder.masked_identity_document.as_str()),
            (birth_year, mask)
        );
        // A change of something else opens what is sealed, seals it again, and masks it as it is done now.
        let update = UpdateTalentRequest {
            talent: Some(Talent {
                title: "研究员".to_owned(),
                ..holder.clone()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["title".to_owned()],
            }),
            ..UpdateTalentRequest::default()
        };
        let after = register.talent().update_talent(update).await.unwrap().into_inner();
        assert_eq!(
            (after.birth_year, after.masked_identity_document.as_str()),
            (birth_year, "********")
        );
        let other = CreateTalentRequest {
            talent: Some(Talent {
                display_name: "示例己".to_owned(),
                identity_document: document.to_owned(),
                ..Talent::default()
            }),
            ..CreateTalentRequest::default()
        };
        let refused = failure(register.talent().create_talent(other).await);
        assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
        assert_eq!(
            (refused.resource.as_str(), refused.fields.as_slice()),
            (holder.name.as_str(), &["talent.identity_document".to_owned()][..]),
            "{refused:?}"
        );
    }
}

async fn a_request_of_then_is_known_by_what_it_has_done(store: Store) {
    let clock = Clock::on(DAY);
    let register = upgraded(store, &clock).await;
    let university = organizations(&register, "display_name = \"示例海洋大学\"")
        .await
        .remove(0);
    let first = history(&register, &university.name).await.pop().unwrap();
    assert_eq!(first.request_id, "0192f3a4-5b6c-7d8e-9f01-23456789abcd");
    // Digests of requests had no key then, and are gone: the call is tried once more, and its identifier is taken.
    let mut again = create(Organization {
        identifiers: vec![Identifier {
            scheme: "code".to_owned(),
            value: "SL-0001".to_owned(),
        }],
        ..organization("示例海洋大学")
    });
    again.request_id = first.request_id;
    let refused = failure(register.labs().create_organization(again.clone()).await);
    assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
    assert_eq!(refused.resource, university.name);
    // It serves again, for one call.
    again.organization = Some(Organization {
        kind: OrganizationKind::University as i32,
        ..organization("示例新大学")
    });
    let new = register
        .labs()
        .create_organization(again.clone())
        .await
        .unwrap()
        .into_inner();
    let twice = register.labs().create_organization(again).await.unwrap().into_inner();
    assert_eq!(new, twice);
}
