//! Incremental sync by sequence numbers and times: a mirror that asks for what is later than what it has seen misses
//! nothing, whoever writes meanwhile. Times follow the order of commits, whatever the clock says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mingce_e2e::cases::Clock;
use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ListOrganizationsRequest, Organization};
use mingce_proto::registry::RecordStatus;
use tonic::transport::Channel;

use crate::builders::{annul, create, history, made, merge, organization, read, update, updated};

on_both_stores!(
    a_mirror_sees_every_change_once_while_clerks_and_an_import_write,
    times_and_numbers_grow_though_the_clock_goes_back,
    a_list_is_filtered_and_ordered_by_sequence,
    a_repeated_request_answers_the_number_of_the_first,
);

type Labs = mingce_proto::labs::lab_service_client::LabServiceClient<Channel>;

/// All that is later than something, in the order in which it was changed.
async fn later(labs: &mut Labs, than: &str, order_by: &str, page_size: i32) -> Vec<Organization> {
    let request = ListOrganizationsRequest {
        filter: format!("{than} AND record_status:*"),
        order_by: order_by.to_owned(),
        page_size,
        ..ListOrganizationsRequest::default()
    };
    let answer = labs.list_organizations(request).await;
    let answer = answer.unwrap_or_else(|status| panic!("{than}: {status}"));
    answer.into_inner().organizations
}

fn micros(time: Option<prost_types::Timestamp>) -> i64 {
    let time = time.unwrap();
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1000
}

fn written(time: i64) -> String {
    jiff::Timestamp::from_microsecond(time).unwrap().to_string()
}

/// What a mirror has: the records, and what it saw of them.
#[derive(Debug, Default)]
struct Mirror {
    records: BTreeMap<String, Organization>,
    seen: BTreeSet<(String, i64)>,
    newest: i64,
}

impl Mirror {
    /// Takes what came, each of it later than all before.
    fn take(&mut self, all: Vec<Organization>, number: fn(&Organization) -> i64) -> usize {
        let count = all.len();
        for one in all {
            assert!(number(&one) > self.newest, "not later than what was seen: {one:?}");
            self.newest = number(&one);
            assert!(
                self.seen.insert((one.name.clone(), one.revision)),
                "seen twice: {one:?}"
            );
            self.records.insert(one.name.clone(), one);
        }
        count
    }
}

/// Polls until it is told that nobody writes any more and there is nothing left.
async fn mirrored(
    mut labs: Labs,
    end: Arc<AtomicBool>,
    query: fn(i64) -> (String, &'static str),
    number: fn(&Organization) -> i64,
) -> Mirror {
    let mut mirror = Mirror::default();
    loop {
        let was_ended = end.load(Ordering::SeqCst);
        let (than, order_by) = query(mirror.newest);
        let came = mirror.take(later(&mut labs, &than, order_by, 100).await, number);
        if came == 0 {
            if was_ended {
                return mirror;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

const CLERKS: usize = 4;
const CHANGES: usize = 40;
const ROWS: usize = 2000;

/// Makes a record and changes it, again and again; one is merged at the end and another annulled.
async fn clerk(mut labs: Labs, clerk: usize) {
    let mut names = Vec::new();
    for change in 0..CHANGES {
        let made = create(organization(&format!("青岛示例{clerk}第{change}所")));
        let made = labs.create_organization(made).await.unwrap().into_inner();
        let other = Organization {
            name: made.name.clone(),
            city: format!("青岛{change}"),
            ..Organization::default()
        };
        labs.update_organization(update(other, &["city"])).await.unwrap();
        names.push(made.name);
    }
    labs.merge_organizations(merge(&names[0], &names[1])).await.unwrap();
    labs.annul_organization(annul(&names[2])).await.unwrap();
}

async fn a_mirror_sees_every_change_once_while_clerks_and_an_import_write(store: Store) {
    let register = Register::start(store).await;
    // On PostgreSQL two processes write.
    let other = match store {
        Store::Postgres => Some(register.sibling().await),
        Store::Sqlite => None,
    };
    let second = other.as_ref().unwrap_or(&register);
    let end = Arc::new(AtomicBool::new(false));
    let by_sequence = tokio::spawn(mirrored(
        register.labs(),
        Arc::clone(&end),
        |newest| (format!("sequence > {newest}"), "sequence"),
        |one| one.sequence,
    ));
    let by_time = tokio::spawn(mirrored(
        second.labs(),
        Arc::clone(&end),
        |newest| (format!("update_time > \"{}\"", written(newest)), "update_time"),
        |one| micros(one.update_time),
    ));
    let mut table = "display_name,city\n".to_owned();
    for row in 0..ROWS {
        writeln!(table, "青岛示例导入{row}有限公司,青岛").unwrap();
    }
    let file = second.folder().join("organizations.csv");
    fs::write(&file, table).unwrap();
    let mut import = second.command(&["import", file.to_str().unwrap(), "--as", "organizations"]);
    let import = tokio::task::spawn_blocking(move || mingce_e2e::binary::run(&mut import));
    let clerks: Vec<_> = (0..CLERKS)
        .map(|place| {
            let at = if place % 2 == 0 { &register } else { second };
            tokio::spawn(clerk(at.labs(), place))
        })
        .collect();
    for clerk in clerks {
        clerk.await.unwrap();
    }
    import.await.unwrap().succeeded();
    end.store(true, Ordering::SeqCst);
    let (by_sequence, by_time) = (by_sequence.await.unwrap(), by_time.await.unwrap());
    assert_eq!(by_sequence.records.len(), CLERKS * CHANGES + ROWS);
    assert!(by_sequence.records == by_time.records, "the two ways see the same");
    let (mut labs, mut from) = (register.labs(), 0);
    loop {
        let page = later(&mut labs, &format!("sequence > {from}"), "sequence", 1000).await;
        let Some(last) = page.last() else { break };
        from = last.sequence;
        for one in page {
            assert_eq!(by_sequence.records.get(&one.name), Some(&one));
        }
    }
    let status = |status: RecordStatus| {
        let of = by_sequence.records.values();
        of.filter(|one| one.record_status() == status).count()
    };
    assert_eq!(status(RecordStatus::Duplicate), CLERKS);
    assert_eq!(status(RecordStatus::Annulled), CLERKS);
    // What a get answers is what the list says, and the ledger has the same number and time.
    for name in by_sequence.records.keys().step_by(97) {
        let one = read(&register, name).await;
        assert_eq!(by_sequence.records.get(name), Some(&one));
        let newest = history(&register, name).await.remove(0);
        assert_eq!((newest.sequence, newest.create_time), (one.sequence, one.update_time));
    }
}

async fn times_and_numbers_grow_though_the_clock_goes_back(store: Store) {
    let clock = Clock::on("2025-03-10");
    let mut register = Register::start_at(store, &clock).await;
    let first = made(&register, organization("青岛示例甲所")).await;
    assert_eq!(first.create_time, first.update_time);
    let nine = "2025-03-10T01:00:00Z"
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_microsecond();
    assert!(
        (nine..nine + 1000).contains(&micros(first.create_time)),
        "the time is that of the clock"
    );
    clock.set("2025-03-01");
    let second = made(&register, organization("青岛示例乙所")).await;
    register.stop();
    register.restart();
    let other = Organization {
        city: "青岛".to_owned(),
        ..first.clone()
    };
    let third = updated(&register, other, &["city"]).await;
    assert_eq!(third.create_time, first.create_time);
    let all = [&first, &second, &third].map(|one| (one.sequence, micros(one.update_time)));
    assert!(
        all.windows(2).all(|pair| pair[0] < pair[1] && pair[0].1 < pair[1].1),
        "{all:?}"
    );
    clock.set("2025-03-11");
    let fourth = made(&register, organization("青岛示例丙所")).await;
    let next = micros(fourth.update_time) - micros(first.update_time);
    assert!(
        (86_400_000_000 - 1000..86_400_000_000 + 1000).contains(&next),
        "it goes on with the clock: {next}"
    );
}

async fn a_list_is_filtered_and_ordered_by_sequence(store: Store) {
    let register = Register::start(store).await;
    let mut all = Vec::new();
    for name in ["丙", "甲", "乙"] {
        all.push(made(&register, organization(&format!("青岛示例{name}所"))).await);
    }
    let other = Organization {
        city: "青岛".to_owned(),
        ..all.remove(0)
    };
    all.push(updated(&register, other, &["city"]).await);
    let mut labs = register.labs();
    let names = |list: &[Organization]| list.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&later(&mut labs, "sequence > 0", "sequence", 50).await),
        names(&all)
    );
    let newest = &all[1];
    let one = format!("sequence = {}", newest.sequence);
    assert_eq!(later(&mut labs, &one, "sequence", 50).await, all[1..2]);
    let up_to = format!("sequence <= {}", newest.sequence);
    assert_eq!(
        later(&mut labs, &up_to, "sequence desc", 50).await,
        [all[1].clone(), all[0].clone()]
    );
    // In pages too.
    let mut request = ListOrganizationsRequest {
        order_by: "sequence desc".to_owned(),
        page_size: 1,
        ..ListOrganizationsRequest::default()
    };
    let mut paged = Vec::new();
    loop {
        let page = labs.list_organizations(request.clone()).await.unwrap().into_inner();
        paged.extend(page.organizations);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    paged.reverse();
    assert_eq!(paged, all);
}

async fn a_repeated_request_answers_the_number_of_the_first(store: Store) {
    let register = Register::start(store).await;
    let mut request = create(organization("青岛示例甲所"));
    request.request_id = "7b7e0df1-24de-4a1f-8c57-0a8f6b1d8f11".to_owned();
    let mut tried = request.clone();
    tried.validate_only = true;
    let tried = register.labs().create_organization(tried).await.unwrap().into_inner();
    assert_eq!(tried.sequence, 0, "nothing was written");
    let first = register
        .labs()
        .create_organization(request.clone())
        .await
        .unwrap()
        .into_inner();
    made(&register, organization("青岛示例乙所")).await;
    let again = register.labs().create_organization(request).await.unwrap().into_inner();
    assert_eq!(again, first);
    assert!(first.sequence > 0);
    assert_eq!(read(&register, &first.name).await, first);
}
