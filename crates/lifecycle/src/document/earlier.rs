//! Documents of cases that earlier versions have written: they kept one number, which each verb wrote over the one before. What the
//! ledger says of each verb is put together again, by `mingce migrate`.

use mingce_orm::migration::renew;
use mingce_orm::model::revision::micros;
use mingce_orm::{AuditInfo, Collection, Db, Edit, Error, List, RequestContext, Result, Store};
use mingce_proto::registry::{CaseKind, DecisionDocument, Revision, View};
use mingce_proto::{Classes, Headed};
use prost::Message;

use super::{OF_DECISION, settle};
use crate::BY_ITSELF;
use crate::case::Case;
use crate::correct::VERB;
use crate::day;
use crate::state_machine::state_of;

/// Of what is derived here.
const VERSION: &str = "1";
/// How many cases are read at once.
const PIECE: i32 = 500;

fn note<C: Collection>() -> String {
    format!("documents {}", C::TABLE)
}

/// Refuses a register whose cases are of an earlier version. One without cases is of this one.
///
/// # Errors
/// `INDEX_OUTDATED`, unless they are to be renewed next.
pub async fn expect<C: Collection>(db: &Db, migrate: bool) -> Result<()> {
    renew::expect::<C>(db, &note::<C>(), VERSION, migrate).await
}

/// Gives the cases of earlier versions their documents, each as a change of its own in the ledger, and the number of the decision
/// itself where a later verb wrote over it. Does nothing twice.
///
/// # Errors
/// Where the database cannot be read or written.
pub async fn fill<C: Case>(db: &Db, now: i64) -> Result<()> {
    let name = note::<C>();
    if renew::is_noted(db, &name, VERSION).await? {
        return Ok(());
    }
    let store = Store::new(db.clone(), None);
    let filled = fill_all::<C>(&store, now).await;
    store.close().await;
    filled?;
    renew::note(db, &name, VERSION).await
}

async fn fill_all<C: Case>(store: &Store, now: i64) -> Result<()> {
    let cx = RequestContext {
        actor: BY_ITSELF.to_owned(),
        now,
        deadline: None,
        visible: Classes::ALL,
    };
    let mut page_token = String::new();
    loop {
        let wanted = List {
            page_size: PIECE,
            page_token: &page_token,
            filter: "record_status:*",
            order_by: "create_time",
            view: View::Full as i32,
            ..List::default()
        };
        let page = store.list::<C>(&cx, wanted).await?;
        let mut edits = Vec::new();
        for item in page.items()? {
            let right = with_documents::<C>(store, &cx, item.clone()).await?;
            if right != item {
                let at = cx.clone();
                let edit: Edit = Box::new(move |work| {
                    let stored = work.require::<C>(right.head().name)?;
                    if stored != item {
                        return Err(Error::concurrent());
                    }
                    work.update::<C>(&at, &AuditInfo::new("migrate"), &right)
                });
                edits.push(edit);
            }
        }
        for done in store.change_each(&cx, edits).await? {
            done?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

async fn with_documents<C: Case>(store: &Store, cx: &RequestContext, mut item: C::Item) -> Result<C::Item> {
    let head = item.head();
    if !C::documents(&item).is_empty() {
        return Ok(item);
    }
    if head.revision > 1 || !C::policy(&item).is_empty() {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let kinds = [&C::shape().kind];
            let (revisions, next) = store.history(cx, &kinds, head.name, PIECE, &token).await?;
            all.extend(revisions);
            if next.is_empty() {
                break;
            }
            token = next;
        }
        all.reverse();
        let (number, documents) = of_history::<C>(&all)?;
        *C::document_number_mut(&mut item) = number;
        if let Some(kept) = C::documents_mut(&mut item) {
            *kept = documents;
        }
    }
    settle::<C>(&mut item);
    Ok(item)
}

/// The number of the decision, and all documents, from the entries of the ledger, the first first.
fn of_history<C: Case>(history: &[Revision]) -> Result<(String, Vec<DecisionDocument>)> {
    let (mut own, mut documents) = (String::new(), Vec::new());
    let mut before = C::Item::default();
    for revision in history {
        let snapshot = revision.snapshot.as_ref().map_or(&[][..], |any| any.value.as_slice());
        let item = C::Item::decode(snapshot).map_err(Error::internal)?;
        let time = revision.create_time.as_ref().map_or(0, micros);
        let date = day::of(time)?.to_string();
        let mut add = |number: &str| {
            documents.push(DecisionDocument {
                number: number.to_owned(),
                date: date.clone(),
                issuer: String::new(),
                verb: revision.verb.clone(),
                state: state_of::<C>(&item),
            });
        };
        let (was, number) = (C::decided_by(&before).number, C::decided_by(&item).number);
        let is_changed = was != number;
        match revision.verb.as_str() {
            verb if OF_DECISION.contains(&verb) => {
                number.clone_into(&mut own);
                if !number.is_empty() {
                    add(number);
                }
            }
            // A record, or a correction of it.
            verb if C::state_machine().transition(verb).is_none() || verb == VERB => {
                own = if is_changed { number.to_owned() } else { own };
            }
            _ if is_changed && !number.is_empty() => add(number),
            _ => {}
        }
        if stands_in_reason(C::KIND, &revision.verb)
            && let Some(number) = in_reason(&revision.reason)
        {
            add(number);
        }
        let parts = C::documents_of_parts(&item);
        for number in parts.iter().skip(C::documents_of_parts(&before).len()) {
            if !number.is_empty() {
                add(number);
            }
        }
        before = item;
    }
    Ok((own, documents))
}

/// Whether earlier versions wrote the number of a verb behind its reason.
fn stands_in_reason(kind: CaseKind, verb: &str) -> bool {
    match kind {
        CaseKind::NominatingBody => matches!(verb, VERB | "grant_quota" | "revoke"),
        CaseKind::Recommendation => matches!(verb, VERB | "cancel"),
        _ => verb == VERB,
    }
}

/// The number in `reason (number)`, or in a reason that is a number alone. Brackets of the number itself are in pairs.
fn in_reason(reason: &str) -> Option<&str> {
    let Some(inside) = reason.strip_suffix(')') else {
        let is_number = reason.ends_with('号') && reason.contains(['〔', '[', '(', '（', '【']);
        return is_number.then_some(reason);
    };
    let mut depth = 0;
    for (at, c) in inside.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' if depth > 0 => depth -= 1,
            '(' if inside[..at].ends_with(' ') => return Some(&inside[at + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_behind_its_reason() {
        for (reason, number) in [
            ("严重失实 (青科规〔2024〕2号)", Some("青科规〔2024〕2号")),
            ("失实 (见附件) (试科(2024)2号)", Some("试科(2024)2号")),
            ("青科规〔2024〕2号", Some("青科规〔2024〕2号")),
            ("追加名额", None),
            ("", None),
            ("失实)", None),
        ] {
            assert_eq!(in_reason(reason), number, "{reason}");
        }
    }
}
