//! The documents (文件) of decisions on a case: that of the decision itself, and those of all verbs that named one.

pub mod earlier;

use mingce_orm::{Column, RequestContext, Result, Store, Valued};
use mingce_proto::Headed;
use mingce_proto::registry::{DecisionDocument, DocumentOfCase};

use crate::case::Case;
use crate::state_machine::state_of;

/// The field of cases, and of filters, that has them.
pub const FIELD: &str = "documents";

/// What stands in the place of a verb where a decision was recorded as history.
pub const RECORDED: &str = "record";

/// The verbs whose document is that of the decision: `document_number` of the case is its number.
const OF_DECISION: [&str; 5] = [RECORDED, "approve", "authorise", "confirm", "reject"];

/// The field of filters and statistics: the numbers of all documents of a case.
pub fn column() -> Column {
    Column::document(FIELD)
        .from_fields(&["documents.number"])
        .multi_valued()
        .groupable()
}

/// Whether a document is that of the decision.
pub fn is_of_decision(document: &DecisionDocument) -> bool {
    OF_DECISION.contains(&document.verb.as_str())
}

/// For `Collection::normalize`: the document of the decision says what the case says of it.
pub fn settle<C: Case>(item: &mut C::Item) {
    let decided = C::decided_by(item);
    let (number, date) = (decided.number.to_owned(), decided.date.to_owned());
    let issuer = decided.issuer.map(str::to_owned);
    let is_moved = !C::policy(item).is_empty();
    let state = if is_moved { String::new() } else { state_of::<C>(item) };
    let Some(documents) = C::documents_mut(item) else {
        return;
    };
    let at = documents.iter().position(is_of_decision);
    if number.is_empty() {
        if let Some(at) = at {
            documents.remove(at);
        }
        return;
    }
    let at = at.unwrap_or_else(|| {
        let recorded = DecisionDocument {
            verb: RECORDED.to_owned(),
            ..DecisionDocument::default()
        };
        documents.insert(0, recorded);
        0
    });
    let Some(own) = documents.get_mut(at) else { return };
    own.number = number;
    if !date.is_empty() {
        own.date = date;
    }
    if let Some(issuer) = issuer {
        own.issuer = issuer;
    }
    // A record stands where it says, until a verb leads it on.
    if own.verb == RECORDED && !is_moved {
        own.state = state;
    }
}

/// Which documents are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The number.
    pub number: &'a str,
    /// All that begin so.
    pub prefix: bool,
    /// At most so many cases.
    pub page_size: i32,
    /// The token of the page before.
    pub page_token: &'a str,
}

/// A page of documents with their cases, by their numbers, and the token for the next.
///
/// # Errors
/// Where the token is none of this query.
pub async fn find<C: Case>(
    store: &Store,
    cx: &RequestContext,
    wanted: Wanted<'_>,
) -> Result<(Vec<DocumentOfCase>, String)> {
    let column = column();
    let valued = Valued {
        field: FIELD,
        value: &column.form(wanted.number),
        prefix: wanted.prefix,
        page_size: wanted.page_size,
        page_token: wanted.page_token,
    };
    let (found, next) = store.valued::<C>(cx, valued).await?;
    let mut work = store.unit_of_work();
    let shown = store.try_edit(&mut work, |work| {
        // Goes on after an error, so that all that is needed is asked for at once.
        let all: Vec<Result<Vec<DocumentOfCase>>> = found
            .iter()
            .map(|(number, item)| {
                let display_name = C::display(work, item)?;
                let name = item.head().name.to_owned();
                let documents = C::documents(item).iter();
                let documents = documents.filter(|document| column.form(&document.number) == *number);
                let of_case = documents.map(|document| DocumentOfCase {
                    name: name.clone(),
                    kind: C::KIND as i32,
                    display_name: display_name.clone(),
                    document: Some(document.clone()),
                });
                Ok(of_case.collect())
            })
            .collect();
        all.into_iter().collect::<Result<Vec<_>>>()
    });
    Ok((shown.await?.into_iter().flatten().collect(), next))
}
