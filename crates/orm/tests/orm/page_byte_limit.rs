//! The byte limit of pages: a page of large resources ends by it, and the next goes on there.

use mingce_orm::id::Id;
use mingce_orm::{AuditInfo, Collection, Edit, List, Store};
use mingce_proto::awards::Award;
use mingce_proto::registry::RecordStatus;
use prost::Message;

use crate::collections::Prizes;
use crate::fixture_db::{self, FixtureDb, Kind, cx};

/// How many there are, and bytes of each.
const COUNT: usize = 30;
const EACH: usize = 300_000;
/// A page has no more.
const PAGE: usize = 1 << 20;

/// An award that no caller may send: the store has no bounds of its own.
fn large(n: usize) -> Award {
    Award {
        title: format!("海洋 {n}"),
        number: n.to_string(),
        motivation: "x".repeat(EACH),
        ..Award::default()
    }
}

async fn do_all(store: &Store, edits: Vec<Edit>) {
    for done in store.change_each(&cx("user:maker"), edits).await.unwrap() {
        done.unwrap();
    }
}

/// Makes the n-th one.
fn made(n: usize) -> Edit {
    Box::new(move |work| {
        let id = Id::from_bytes([u8::try_from(n + 1).unwrap(); 16]);
        work.create_as::<Prizes>(&cx("user:maker"), &AuditInfo::new("create"), &large(n), id)
    })
}

async fn filled(kind: Kind) -> (FixtureDb, Store) {
    let (fixture, db) = FixtureDb::new(kind).await;
    let store = fixture_db::store(&db);
    do_all(&store, (0..COUNT).map(made).collect()).await;
    (fixture, store)
}

/// The titles of all pages, each of which is as large as it may be.
async fn walked(mut next: impl AsyncFnMut(String) -> (Vec<Award>, String)) -> Vec<String> {
    let (mut titles, mut token) = (Vec::new(), String::new());
    loop {
        let (items, after) = next(token).await;
        let bytes: usize = items.iter().map(Message::encoded_len).sum();
        assert!(bytes <= PAGE, "{bytes}");
        assert!(after.is_empty() || bytes + 2 * EACH > PAGE, "{bytes}");
        titles.extend(items.into_iter().map(|award| award.title));
        if after.is_empty() {
            titles.sort();
            return titles;
        }
        token = after;
    }
}

async fn pages_of_large_resources(kind: Kind) {
    let (_fixture, store) = filled(kind).await;
    let mut all: Vec<_> = (0..COUNT).map(|n| format!("海洋 {n}")).collect();
    all.sort();
    let listed = walked(async |token| {
        let wanted = List {
            page_size: 1000,
            page_token: &token,
            view: 2,
            ..List::default()
        };
        let page = store.list::<Prizes>(&cx("user:reader"), wanted).await.unwrap();
        (page.items().unwrap(), page.next_page_token)
    });
    assert_eq!(listed.await, all, "listed");
    let found = walked(async |token| {
        let page = store
            .search::<Prizes>(&cx("user:reader"), "海洋", 1000, &token, 2)
            .await
            .unwrap();
        (page.items().unwrap(), page.next_page_token)
    });
    assert_eq!(found.await, all, "found");
}

async fn a_batch(kind: Kind) {
    let (_fixture, store) = filled(kind).await;
    let wanted = List {
        page_size: 1000,
        ..List::default()
    };
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let wanted = List {
            page_token: &token,
            ..wanted
        };
        let page = store.list::<Prizes>(&cx("user:reader"), wanted).await.unwrap();
        names.extend(page.items().unwrap().into_iter().map(|award| award.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let cx = cx("user:reader");
    assert_eq!(names.len(), COUNT);
    assert!(store.batch_get::<Prizes>(&cx, &names[..13], 2).await.is_ok());
    let refused = store.batch_get::<Prizes>(&cx, &names, 2).await.unwrap_err();
    assert_eq!(refused.reason(), "ANSWER_TOO_LARGE");
}

async fn a_history(kind: Kind) {
    let (_fixture, db) = FixtureDb::new(kind).await;
    let store = fixture_db::store(&db);
    do_all(&store, vec![made(0)]).await;
    let first = store.list::<Prizes>(&cx("user:reader"), List::default()).await.unwrap();
    let award = first.items().unwrap().remove(0);
    for n in 1..COUNT {
        let mut award = award.clone();
        award.number = format!("number {n}");
        let edit: Edit = Box::new(move |work| {
            work.change::<Prizes>(
                &cx("user:maker"),
                &AuditInfo::new("update"),
                &award,
                RecordStatus::Active,
                "",
            )
        });
        do_all(&store, vec![edit]).await;
    }
    let (mut seen, mut token) = (0, String::new());
    loop {
        let (revisions, next) = store
            .history(&cx("user:reader"), &[&Prizes::shape().kind], &award.name, 1000, &token)
            .await
            .unwrap();
        let bytes: usize = revisions
            .iter()
            .map(|r| r.snapshot.as_ref().map_or(0, |any| any.value.len()))
            .sum();
        assert!(bytes <= PAGE && !revisions.is_empty(), "{bytes}");
        seen += revisions.len();
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, COUNT);
}

#[test]
fn pages_of_large_resources_end_by_their_bytes_on_sqlite() {
    fixture_db::block_on(pages_of_large_resources(Kind::Sqlite));
}

#[test]
fn pages_of_large_resources_end_by_their_bytes_on_postgres() {
    fixture_db::block_on(pages_of_large_resources(Kind::Postgres));
}

#[test]
fn a_batch_that_no_client_would_take_is_refused_on_sqlite() {
    fixture_db::block_on(a_batch(Kind::Sqlite));
}

#[test]
fn a_batch_that_no_client_would_take_is_refused_on_postgres() {
    fixture_db::block_on(a_batch(Kind::Postgres));
}

#[test]
fn pages_of_a_history_end_by_their_bytes_on_sqlite() {
    fixture_db::block_on(a_history(Kind::Sqlite));
}

#[test]
fn pages_of_a_history_end_by_their_bytes_on_postgres() {
    fixture_db::block_on(a_history(Kind::Postgres));
}
