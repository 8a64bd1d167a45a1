//! Invariants of the tables: a ledger without gaps, and side tables that say just what the bodies say.

use std::collections::{BTreeMap, BTreeSet};

use mingce_orm::model::revision::{etag, micros};
use mingce_orm::{Collection, Db, text};
use mingce_proto::Headed;
use mingce_proto::labs::Organization;
use mingce_proto::registry::RecordStatus;
use prost::Message;
use sea_orm::DbBackend;

use crate::collections::Institutes;
use crate::fixture_db::{execute, number, query};

/// One entry of the ledger.
#[derive(Debug)]
pub struct Entry {
    pub sequence: i64,
    pub resource: String,
    pub revision: i64,
    pub verb: String,
    pub actor: String,
    pub changed: String,
    pub snapshot: Vec<u8>,
}

/// The whole ledger in its order.
pub async fn ledger(db: &Db) -> Vec<Entry> {
    let text =
        "SELECT sequence, resource, revision, verb, actor, changed_fields, snapshot FROM ledger ORDER BY sequence";
    let read = |row: &sea_orm::QueryResult| Entry {
        sequence: row.try_get_by_index(0).unwrap(),
        resource: row.try_get_by_index(1).unwrap(),
        revision: row.try_get_by_index(2).unwrap(),
        verb: row.try_get_by_index(3).unwrap(),
        actor: row.try_get_by_index(4).unwrap(),
        changed: row.try_get_by_index(5).unwrap(),
        snapshot: row.try_get_by_index(6).unwrap(),
    };
    query(db, text).await.iter().map(read).collect()
}

async fn pairs(db: &Db, text: &str) -> BTreeSet<(String, String)> {
    let rows = query(db, text).await;
    let found: BTreeSet<_> = rows
        .iter()
        .map(|r| (r.try_get_by_index(0).unwrap(), r.try_get_by_index(1).unwrap()))
        .collect();
    assert_eq!(found.len(), rows.len(), "a row stands twice: {text}");
    found
}

/// Checks the ledger and the tables of [`Institutes`], and answers the resources.
pub async fn check(db: &Db) -> Vec<Organization> {
    let entries = ledger(db).await;
    let mut last: BTreeMap<&str, &Entry> = BTreeMap::new();
    for (entry, place) in entries.iter().zip(1..) {
        assert_eq!(entry.sequence, place, "the ledger has a gap");
        let before = last.insert(&entry.resource, entry).map_or(0, |e| e.revision);
        assert_eq!(
            entry.revision,
            before + 1,
            "revisions of {} do not follow each other",
            entry.resource
        );
        // The survivor's history tells of a merge also where it takes over nothing.
        let is_merge = ["merge", "unmerge"].contains(&entry.verb.as_str());
        assert!(
            !entry.changed.is_empty() || is_merge,
            "an entry without a change: {entry:?}"
        );
    }
    let back = "SELECT COUNT(*) FROM ledger a JOIN ledger b ON b.sequence = a.sequence + 1 WHERE b.create_time <= a.create_time";
    assert_eq!(number(db, back).await, 0, "a later change has no later time");
    let allocated = number(db, "SELECT sequence FROM ledger_head").await;
    assert_eq!(
        allocated,
        i64::try_from(entries.len()).unwrap(),
        "numbers were allocated without entries"
    );

    let (mut keys, mut tokens, mut values) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut items = Vec::new();
    let text = "SELECT id, name, revision, record_status, survivor, create_time, update_time, sort_key, display_name, city, \
                body, sequence FROM institutes ORDER BY id";
    for row in query(db, text).await {
        let words = |place: usize| row.try_get_by_index::<String>(place).unwrap();
        let whole = |place: usize| row.try_get_by_index::<i64>(place).unwrap();
        let body: Vec<u8> = row.try_get_by_index(10).unwrap();
        let item = Organization::decode(body.as_slice()).unwrap();
        let head = item.head();
        let id = words(0);
        assert_eq!(item.name, format!("organizations/{id}"));
        assert_eq!(item.etag, etag(item.revision));
        let time = |time: Option<prost_types::Timestamp>| micros(&time.unwrap());
        assert_eq!(
            (words(1), whole(2), whole(3), words(4)),
            (
                item.name.clone(),
                item.revision,
                item.record_status.into(),
                item.survivor.clone()
            )
        );
        assert_eq!((whole(5), whole(6)), (time(head.create_time), time(head.update_time)));
        assert_eq!(
            (words(7), words(8), words(9)),
            (
                text::sort_key(&item.display_name),
                text::grouped(&item.display_name).into_owned(),
                text::grouped(&item.city).into_owned()
            )
        );
        assert_eq!(whole(11), item.sequence);
        let entry = last.remove(item.name.as_str()).expect("a resource without an entry");
        assert_eq!(
            (entry.revision, entry.sequence, &entry.snapshot),
            (item.revision, item.sequence, &body),
            "the last entry is another resource"
        );

        if item.record_status() != RecordStatus::Annulled {
            keys.extend(
                Institutes::keys(&item)
                    .into_iter()
                    .map(|k| (format!("{}/{}", k.namespace, text::grouped(&k.value)), id.clone())),
            );
        }
        let names = Institutes::searched(&item);
        tokens.extend(
            text::tokens(names.iter().copied())
                .sorted()
                .into_iter()
                .map(|token| (token.to_owned(), id.clone())),
        );
        tokens.extend(names.iter().map(|name| (text::whole_name(name), id.clone())));
        let mut indexed = |field: &str, values: Vec<&str>| {
            tokens.extend(
                values
                    .iter()
                    .map(|value| (text::value_token(field, Some(&text::grouped(value))), id.clone())),
            );
            tokens.extend((!values.is_empty()).then(|| (text::value_token(field, None), id.clone())));
        };
        indexed("names", names.clone());
        indexed(
            "identifiers",
            item.identifiers.iter().map(|held| held.value.as_str()).collect(),
        );
        values.extend(names.iter().map(|name| (format!("= {}", text::fold(name)), id.clone())));
        items.push(item);
    }
    assert!(last.is_empty(), "entries without a resource: {last:?}");
    assert_eq!(pairs(db, "SELECT key, id FROM institutes_keys").await, keys);
    assert_eq!(indexed(db).await, tokens);
    assert_eq!(
        pairs(db, "SELECT field || ' ' || value, id FROM institutes_values").await,
        values
    );
    items
}

/// The same on PostgreSQL, without the signs of sections, which are those of the rows.
async fn unsigned(db: &Db) -> BTreeSet<(String, String)> {
    const SIGNS: &str = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    let text = "SELECT id, sort_key, array_to_string(tsvector_to_array(tokens), ' ') FROM institutes";
    let mut tokens = BTreeSet::new();
    for row in query(db, text).await {
        let take = |at| row.try_get_by_index::<String>(at).unwrap();
        let (id, sort_key, all) = (take(0), take(1), take(2));
        let section = usize::try_from(text::order_code(&sort_key) >> 30).unwrap();
        for token in all.split(' ').filter(|token| !token.is_empty()) {
            let plain = token.strip_prefix(&SIGNS[section..=section]);
            assert_eq!(
                plain.is_none(),
                token.starts_with(['＝', '＃']),
                "{token} of {sort_key}"
            );
            tokens.insert((plain.unwrap_or(token).to_owned(), id.clone()));
        }
    }
    tokens
}

/// All tokens of the search index, each with the id of its row.
async fn indexed(db: &Db) -> BTreeSet<(String, String)> {
    if db.backend() == DbBackend::Postgres {
        return unsigned(db).await;
    }
    execute(
        db,
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.indexed USING fts5vocab(main, institutes_search, instance)",
    )
    .await;
    let text =
        "SELECT DISTINCT i.doc, t.sort_key FROM temp.indexed i JOIN institutes t ON t.serial = i.doc & 134217727";
    for row in query(db, text).await {
        let (number, sort_key): (i64, String) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        assert_eq!(
            number >> 27,
            text::order_code(&sort_key),
            "{sort_key} has another number than in the order of names"
        );
    }
    pairs(
        db,
        "SELECT i.term, t.id FROM temp.indexed i JOIN institutes t ON t.serial = i.doc & 134217727",
    )
    .await
}
