//! Bodies come back as they were written, byte for byte, whatever bytes they hold.

use std::collections::{BTreeMap, BTreeSet};

use mingce_orm::id::Id;
use mingce_orm::{AuditInfo, Edit, List, Store};
use mingce_proto::awards::{Award, Contributor, SchemeReference, Share};
use mingce_proto::registry::View;
use prost::Message;

use crate::collections::Prizes;
use crate::filters::both;
use crate::fixture_db::{block_on, cx};
use crate::invariants;

/// A page as it is sent: resources unread.
#[derive(Clone, PartialEq, Message)]
struct Raw {
    #[prost(bytes = "vec", repeated, tag = "1")]
    items: Vec<Vec<u8>>,
    #[prost(string, tag = "2")]
    next_page_token: String,
}

/// An award whose numbers and texts are made of other bytes with each place.
fn award(place: u64) -> Award {
    // Any mixture will do, as long as it is the same on each run.
    let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = |shift: u32| i32::try_from(mixed.rotate_left(shift) >> 33).unwrap();
    let character = |n: u64| char::from_u32(u32::try_from(n).unwrap()).unwrap_or('\u{10ffff}');
    let contributor = |shift| Contributor {
        rank: number(shift),
        // One that is there and holds nothing has a length of zero.
        share: Some(Share::default()),
        ..Contributor::default()
    };
    Award {
        // Some look like the lengths that stand between bodies.
        title: format!("{:010}{}", place % 300, character(1 + place % 0x7ff)),
        number: character(1 + mixed % 0x10_ffff).to_string(),
        scheme: Some(SchemeReference::default()),
        year: number(3),
        contributors: vec![contributor(5), Contributor::default(), contributor(9)],
        money_fen: i64::try_from(mixed >> 1).unwrap(),
        motivation: "\u{7f}\u{80}é青𠮷".repeat(usize::try_from(if place == 7 { 20_000 } else { place % 9 }).unwrap()),
        classified: place.is_multiple_of(2),
        ..Award::default()
    }
}

async fn make(store: &Store, count: u64) {
    let mut edits: Vec<Edit> = Vec::new();
    for place in 0..count {
        let at = cx("user:maker");
        let item = award(place);
        let mut id = [0; 16];
        id[8..].copy_from_slice(&place.to_be_bytes());
        edits.push(Box::new(move |work| {
            work.create_as::<Prizes>(&at, &AuditInfo::new("create"), &item, Id::from_bytes(id))
        }));
    }
    for done in store.change_each(&cx("user:maker"), edits).await.unwrap() {
        done.unwrap();
    }
}

fn named(bodies: impl IntoIterator<Item = Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let name = |body: &Vec<u8>| Award::decode(body.as_slice()).unwrap().name;
    bodies.into_iter().map(|body| (name(&body), body)).collect()
}

async fn page(store: &Store, page_size: i32, page_token: &str) -> Raw {
    let wanted = List {
        page_size,
        page_token,
        view: View::Full as i32,
        ..List::default()
    };
    let page = store.list::<Prizes>(&cx("user:reader"), wanted).await.unwrap();
    Raw::decode(page.reply::<Raw>().encode_to_vec().as_slice()).unwrap()
}

#[test]
fn bodies_of_all_bytes_come_back_byte_for_byte() {
    const COUNT: u64 = 1001;
    block_on(async {
        let (_fixtures, stores) = both().await;
        for (db, store) in &stores {
            make(store, COUNT).await;
            let written: BTreeMap<_, _> = invariants::ledger(db)
                .await
                .into_iter()
                .map(|entry| (entry.resource, entry.snapshot))
                .collect();
            assert_eq!(written.len(), 1001);
            let bytes: BTreeSet<u8> = written.values().flatten().copied().collect();
            assert_eq!(bytes.len(), 256, "not all bytes occur");

            let first = page(store, 1000, "").await;
            assert_eq!(first.items.len(), 1000);
            let last = page(store, 1000, &first.next_page_token).await;
            assert_eq!((last.items.len(), last.next_page_token.as_str()), (1, ""));
            assert!(named(first.items.iter().cloned().chain(last.items)) == written);

            let (mut token, mut one_by_one) = (String::new(), Vec::new());
            while one_by_one.len() < 60 {
                let one = page(store, 1, &token).await;
                assert_eq!(one.items.len(), 1);
                one_by_one.extend(one.items);
                token = one.next_page_token;
            }
            assert!(one_by_one == first.items[..60]);

            let names: Vec<&String> = written.keys().collect();
            let all = store.batch_get::<Prizes>(&cx("user:reader"), &names[..1000], 0).await;
            let all = Raw::decode(all.unwrap().reply::<Raw>().encode_to_vec().as_slice()).unwrap();
            assert!(all.items.iter().eq(names[..1000].iter().map(|name| &written[*name])));
            for name in names.iter().step_by(97).chain(&names[7..8]) {
                let got = store.get::<Prizes>(&cx("user:reader"), name, 0).await.unwrap();
                assert!(got.encode_to_vec() == written[*name], "{name}");
            }
        }
    });
}
