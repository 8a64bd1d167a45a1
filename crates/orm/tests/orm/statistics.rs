//! Statistics against a plain count.

use std::collections::{BTreeMap, BTreeSet};

use mingce_proto::awards::{Award, AwardState};
use mingce_proto::registry::ComputeStatisticsRequest;
use proptest::prelude::*;

use crate::collections::{Prizes, evidence, scheme};
use crate::filters::{all, award, both, expr, fill};
use crate::fixture_db::{self, cx};

const DIMENSIONS: &[&str] = &[
    "scheme",
    "year",
    "grade",
    "state",
    "evidence",
    "contributor_count",
    "classified",
];
const COUNTED: &[&str] = &[
    "",
    "scheme",
    "year",
    "grade",
    "state",
    "evidence",
    "contributor_count",
    "classified",
];

/// Where a value stands among others: what is not known first, numbers as numbers, states as the contract has them.
fn place(field: &str, value: &str) -> (i64, String) {
    let number = match field {
        _ if value.is_empty() => i64::MIN,
        "year" | "contributor_count" => value.parse().unwrap(),
        "state" => AwardState::from_str_name(value).unwrap() as i64,
        "classified" => i64::from(value == "true"),
        _ => 0,
    };
    (number, value.to_owned())
}

/// The values of a field as answers write them; one empty value where it has none.
fn values(award: &Award, field: &str) -> BTreeSet<String> {
    let number = |n: i32| if n == 0 { String::new() } else { n.to_string() };
    let one = |text: String| BTreeSet::from([text]);
    match field {
        "scheme" => one(scheme(award).to_owned()),
        "year" => one(number(award.year)),
        "grade" => one(award.grade.clone()),
        "state" if award.state == 0 => one(String::new()),
        "state" => one(award.state().as_str_name().to_owned()),
        "contributor_count" => one(award.contributors.len().to_string()),
        "classified" => one(award.classified.to_string()),
        _ => {
            let all: BTreeSet<_> = evidence(award).filter(|e| !e.is_empty()).map(str::to_owned).collect();
            if all.is_empty() { one(String::new()) } else { all }
        }
    }
}

/// What of an award is counted: itself, or the values of a field.
fn counted(award: &Award, field: &str, distinct: bool) -> Vec<(String, String)> {
    if field.is_empty() {
        return vec![(award.name.clone(), String::new())];
    }
    let own = if distinct { String::new() } else { award.name.clone() };
    values(award, field)
        .into_iter()
        .filter(|v| !v.is_empty())
        .map(|v| (own.clone(), v))
        .collect()
}

#[test]
fn statistics_are_what_a_plain_count_says() {
    let runtime = fixture_db::runtime();
    let (_fixtures, stores) = runtime.block_on(both());
    let group_by = prop::collection::vec(prop::sample::select(DIMENSIONS), 0..3);
    let wanted = (
        group_by,
        prop::sample::select(COUNTED),
        any::<bool>(),
        prop::option::of(expr()),
    );
    let cases = (prop::collection::vec(award(), 1..25), prop::collection::vec(wanted, 10));
    fixture_db::property(30, cases, &runtime, |(awards, requests)| {
        let stores = &stores;
        async move {
            fill(stores, &awards).await;
            let everything = all(&stores[0].1, "record_status:*", "", 1000).await.unwrap();
            for (group_by, count, distinct, expr) in &requests {
                let is_active = |a: &Award| a.record_status() == mingce_proto::registry::RecordStatus::Active;
                let picked: Vec<_> = everything
                    .iter()
                    .filter(|a| expr.as_ref().map_or(is_active(a), |expr| expr.picks(a)))
                    .collect();
                let total: BTreeSet<_> = picked.iter().flat_map(|a| counted(a, count, *distinct)).collect();
                let mut groups: BTreeMap<Vec<String>, BTreeSet<_>> = BTreeMap::new();
                for award in &picked {
                    let mut keys = vec![Vec::new()];
                    for field in group_by {
                        let longer = |key: &Vec<String>| {
                            let key = key.clone();
                            values(award, field)
                                .into_iter()
                                .map(move |v| [key.clone(), vec![v]].concat())
                        };
                        keys = keys.iter().flat_map(longer).collect();
                    }
                    for key in keys.into_iter().filter(|key| !key.is_empty()) {
                        groups.entry(key).or_default().extend(counted(award, count, *distinct));
                    }
                }
                let mut groups: Vec<_> = groups.into_iter().collect();
                groups.sort_by_key(|(key, _)| {
                    let places = group_by.iter().zip(key);
                    places.map(|(field, value)| place(field, value)).collect::<Vec<_>>()
                });
                let wanted: Vec<_> = groups
                    .into_iter()
                    .map(|(key, counted)| (key, i64::try_from(counted.len()).unwrap()))
                    .filter(|(_, count)| *count > 0)
                    .collect();
                let request = ComputeStatisticsRequest {
                    group_by: group_by.iter().map(|g| (*g).to_owned()).collect(),
                    count: (*count).to_owned(),
                    distinct: *distinct,
                    filter: expr.as_ref().map_or(String::new(), |expr| expr.text()),
                    ..ComputeStatisticsRequest::default()
                };
                for (db, store) in stores {
                    let answer = store.count::<Prizes>(&cx("user:reader"), &request).await;
                    let answer = answer.unwrap_or_else(|e| panic!("{request:?}: {e} {:?}", e.detail()));
                    let found: Vec<_> = answer.groups.into_iter().map(|g| (g.values, g.count)).collect();
                    prop_assert_eq!(
                        answer.total_count,
                        i64::try_from(total.len()).unwrap(),
                        "{:?} {:?}",
                        db.backend(),
                        request
                    );
                    prop_assert_eq!(&found, &wanted, "{:?} {:?}", db.backend(), request);
                }
            }
            Ok(())
        }
    });
}

#[test]
fn a_dimension_that_is_none_is_refused_with_those_that_are() {
    let runtime = fixture_db::runtime();
    let (_fixtures, stores) = runtime.block_on(both());
    runtime.block_on(async {
        for (field, wrong) in [
            ("group_by", "title"),
            ("group_by", "nonsense"),
            ("count", "number"),
            ("count", "create_time"),
        ] {
            let mut request = ComputeStatisticsRequest::default();
            match field {
                "group_by" => request.group_by.push(wrong.to_owned()),
                _ => wrong.clone_into(&mut request.count),
            }
            let refused = stores[0]
                .1
                .count::<Prizes>(&cx("user:reader"), &request)
                .await
                .unwrap_err();
            assert_eq!(
                (refused.reason(), refused.violations()[0].field.as_str()),
                ("DIMENSION_UNKNOWN", field)
            );
            assert!(refused.message().contains("grade"), "{refused}");
        }
    });
}
