//! The ledger: each change in its order, without gaps, however many write at once.

use mingce_e2e::{Failure, Register, Store, on_both_stores};
use mingce_proto::labs::Organization;
use tonic::Code;

use crate::builders::{annul, count, create, history, identifier, made, organization, update, updated, whole};

on_both_stores!(
    the_history_tells_each_change_the_newest_first,
    writers_side_by_side_leave_no_gap_in_the_ledger,
    of_two_creates_at_once_exactly_one_has_the_identifier,
);

async fn the_history_tells_each_change_the_newest_first(store: Store) {
    let register = Register::start(store).await;
    let first = made(&register, whole()).await;
    for city in ["济南", "烟台", "威海"] {
        let change = Organization {
            name: first.name.clone(),
            city: city.to_owned(),
            ..Organization::default()
        };
        updated(&register, change, &["city"]).await;
    }
    register.labs().annul_organization(annul(&first.name)).await.unwrap();
    let told = history(&register, &first.name).await;
    assert_eq!(
        told.iter()
            .map(|r| (r.revision, r.sequence, r.verb.as_str()))
            .collect::<Vec<_>>(),
        [
            (5, 5, "annul"),
            (4, 4, "update"),
            (3, 3, "update"),
            (2, 2, "update"),
            (1, 1, "create")
        ]
    );
    assert_eq!(told[0].reason, "recorded by mistake");
    assert_eq!(told[1].changed_fields, ["city"]);
    let snapshot = told[4].snapshot.as_ref().unwrap();
    assert_eq!(snapshot.type_url, "type.googleapis.com/mingce.labs.v1.Organization");
    let as_made: Organization = prost::Message::decode(snapshot.value.as_slice()).unwrap();
    assert_eq!(as_made, first);
    assert!(
        told.iter().all(|r| !r.actor.is_empty() && r.create_time.is_some()),
        "{told:?}"
    );
}

async fn writers_side_by_side_leave_no_gap_in_the_ledger(store: Store) {
    let mut register = Register::start(store).await;
    let shared = made(&register, organization("众人之单位")).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (mut labs, shared) = (register.labs(), shared.name.clone());
        writers.push(tokio::spawn(async move {
            for n in 0..20 {
                let named = Organization {
                    identifiers: vec![identifier(&format!("{writer}-{n}"))],
                    ..organization(&format!("单位 {writer}-{n}"))
                };
                labs.create_organization(create(named.clone())).await.unwrap();
                // No number is allocated for a refusal.
                labs.create_organization(create(named)).await.unwrap_err();
                let change = Organization {
                    name: shared.clone(),
                    city: format!("{writer}-{n}"),
                    ..Organization::default()
                };
                labs.update_organization(update(change, &["city"])).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let told = history(&register, &shared.name).await;
    let revisions: Vec<_> = told.iter().rev().map(|r| r.revision).collect();
    assert_eq!(revisions, (1..=81).collect::<Vec<_>>());
    assert!(told.is_sorted_by(|a, b| a.sequence > b.sequence), "{told:?}");
    register.stop();
    for (query, expected) in [
        ("SELECT count(*) FROM ledger", 161),
        ("SELECT min(sequence) FROM ledger", 1),
        ("SELECT max(sequence) FROM ledger", 161),
        ("SELECT count(DISTINCT sequence) FROM ledger", 161),
        ("SELECT sequence FROM ledger_head", 161),
    ] {
        assert_eq!(register.number(query).await, expected, "{query}");
    }
}

async fn of_two_creates_at_once_exactly_one_has_the_identifier(store: Store) {
    let register = Register::start(store).await;
    for round in 0..20 {
        let request = |name: &str| {
            create(Organization {
                identifiers: vec![identifier(&format!("round-{round}"))],
                ..organization(name)
            })
        };
        let (mut one, mut other) = (register.labs(), register.labs());
        let (one, other) = tokio::join!(
            one.create_organization(request("青岛大学")),
            other.create_organization(request("山东大学"))
        );
        let (made, refused) = match (one, other) {
            (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made.into_inner(), Failure::from(refused)),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused.is(), (Code::AlreadyExists, "IDENTIFIER_TAKEN"), "{refused:?}");
        assert_eq!(refused.resource, made.name, "{refused:?}");
        assert_eq!(refused.fields, ["organization.identifiers[0].value"], "{refused:?}");
    }
    assert_eq!(count(&register).await, 20);
}
