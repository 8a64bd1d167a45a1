//! One list of what falls due over all kinds: lists in the order of their days, put together page by page.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use futures_util::future::join_all;
use mingce_lifecycle::agenda::Desk;
use mingce_lifecycle::any::of_name;
use mingce_lifecycle::day::{given, today};
use mingce_lifecycle::due::{Batch, From, Row, Source, Wanted};
use mingce_lifecycle::in_force::InForce;
use mingce_lifecycle::{DynCase, EvalContext};
use mingce_orm::query::page_token::{self, Position};
use mingce_orm::{Error, RequestContext, Result};
use mingce_proto::registry::{CaseKind, DueWork, ListDueWorkRequest, ListDueWorkResponse};

use crate::CaseRegister;
use crate::shared::{Shared, open_panels};

/// So many rows are read for a page at most. One that has read more ends where it is.
const MOST_ROWS: usize = 10_000;

/// Whose rows a source has.
#[derive(Debug, Clone)]
enum Whose {
    Kind(Arc<dyn DynCase>),
    Shared(Shared),
}

/// A source with the rows that were read of it.
#[derive(Debug)]
struct Stream {
    source: Source,
    whose: Whose,
    rows: VecDeque<Row>,
    /// Where the next rows are read from; `None` where there are no more.
    next: Option<From>,
}

/// What a page is read with.
struct Reader<'a> {
    register: &'a CaseRegister,
    desk: Desk<'a>,
    case_name: &'a str,
    in_force: &'a HashMap<CaseKind, InForce>,
}

impl CaseRegister {
    /// A page of what falls due, in one collection or in all.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, reasons `COLLECTION_UNKNOWN`, `CASE_ELSEWHERE`; those of page tokens; NOT_FOUND for the case.
    pub(crate) async fn due_work(&self, cx: &RequestContext, r: &ListDueWorkRequest) -> Result<ListDueWorkResponse> {
        let today = today(cx)?;
        let wanted = Wanted {
            today,
            until: given("until_date", &r.until_date)?.unwrap_or(today),
            due: r.due(),
            actor: r.actor(),
            overdue: r.overdue_only,
            round: r.round.clone(),
        };
        let (due, actor) = (r.due().as_str_name(), r.actor().as_str_name());
        let overdue = if r.overdue_only { "overdue" } else { "" };
        let query = [
            "due_work",
            &r.collection,
            &r.until_date,
            due,
            actor,
            overdue,
            &r.case_name,
            &r.round,
        ];
        let place = page_token::decode(&r.page_token, &query)?
            .map(|place| came_to(&place))
            .transpose()?;
        self.expect_known(&r.collection)?;
        let at = self.at(cx)?;
        let in_force = self.in_force(cx, &at, &r.collection).await?;
        let in_panels = self.before_open_panels(cx, &r.collection).await?;
        let desk = Desk {
            store: &self.store,
            cx,
            at: &at,
            wanted: &wanted,
            in_panels: &in_panels,
        };
        let reader = Reader {
            register: self,
            desk,
            case_name: &r.case_name,
            in_force: &in_force,
        };
        let mut streams = reader.streams(&r.collection, place.as_ref()).await?;
        let size = page_token::size(r.page_size);
        let (due_work, last) = reader.merged(&mut streams, size).await?;
        let has_more = streams
            .iter()
            .any(|stream| !stream.rows.is_empty() || stream.next.is_some());
        let next_page_token = match last.filter(|_| has_more) {
            Some(last) => page_token::encode(&query, &last.map(Position::Text)),
            None => String::new(),
        };
        Ok(ListDueWorkResponse {
            due_work,
            next_page_token,
        })
    }

    fn expect_known(&self, collection: &str) -> Result<()> {
        let kinds = self.kinds.iter().map(|kind| kind.collection());
        let known: Vec<_> = kinds.chain(Shared::ALL.map(Shared::collection)).collect();
        if collection.is_empty() || known.contains(&collection) {
            return Ok(());
        }
        Err(Error::collection_unknown(collection, &known))
    }

    /// The policies in force by which what falls due of records is counted.
    async fn in_force(
        &self,
        cx: &RequestContext,
        at: &EvalContext,
        collection: &str,
    ) -> Result<HashMap<CaseKind, InForce>> {
        let mut all = HashMap::new();
        for kind in self.kinds.iter().filter(|kind| kind.is_counted()) {
            if collection.is_empty() || collection == kind.collection() {
                let found = InForce::read(&self.store, cx, kind.kind(), &at.today.to_string()).await?;
                all.insert(kind.kind(), found);
            }
        }
        Ok(all)
    }

    /// The cases that lie before open panels: what is due of them stands with the panel.
    async fn before_open_panels(&self, cx: &RequestContext, collection: &str) -> Result<HashSet<String>> {
        if Shared::ALL.iter().any(|shared| shared.collection() == collection) {
            return Ok(HashSet::new());
        }
        let panels = open_panels(&self.store, cx).await?;
        Ok(panels.into_iter().flat_map(|panel| panel.cases).collect())
    }
}

impl Reader<'_> {
    /// What the page is put together of, from a place on.
    async fn streams(&self, collection: &str, place: Option<&[String; 4]>) -> Result<Vec<Stream>> {
        let is_wanted = |name: &str| collection.is_empty() || collection == name;
        let wanted = self.desk.wanted;
        let (mut found, mut fixed): (Vec<(Source, Whose)>, Vec<Stream>) = (Vec::new(), Vec::new());
        let none = InForce::default();
        if self.case_name.is_empty() {
            for kind in self.register.kinds.iter().filter(|kind| is_wanted(kind.collection())) {
                let in_force = self.in_force.get(&kind.kind()).unwrap_or(&none);
                let sources = kind.sources(wanted, in_force).into_iter();
                found.extend(sources.map(|source| (source, Whose::Kind(Arc::clone(kind)))));
            }
        } else {
            let kind = of_name(&self.register.kinds, self.case_name, "case_name")?;
            let in_force = self.in_force.get(&kind.kind()).unwrap_or(&none);
            let row = kind.of_case(self.desk, self.case_name, in_force).await?;
            let row = row.filter(|_| is_wanted(kind.collection()));
            fixed.extend(row.map(|row| Stream {
                source: Source::undated(kind.collection(), String::new()),
                whose: Whose::Kind(kind),
                rows: VecDeque::from([row]),
                next: None,
            }));
        }
        for shared in Shared::ALL.into_iter().filter(|shared| is_wanted(shared.collection())) {
            let sources = shared.sources(wanted, self.case_name).into_iter();
            found.extend(sources.map(|source| (source, Whose::Shared(shared))));
        }
        let mut streams: Vec<Stream> = found
            .into_iter()
            .filter_map(|(source, whose)| {
                let next = Some(from(&source, place)?);
                Some(Stream {
                    source,
                    whose,
                    rows: VecDeque::new(),
                    next,
                })
            })
            .collect();
        let is_behind = |stream: &Stream| {
            place.is_none_or(|[order, key, ..]| {
                let first = stream.rows.front().map_or("", |row| row.order.as_str());
                (first, stream.source.key.as_str()) > (order.as_str(), key.as_str())
            })
        };
        streams.extend(fixed.into_iter().filter(is_behind));
        Ok(streams)
    }

    /// Takes what comes next of all, until there is a page. Where it came to is told too.
    async fn merged(&self, streams: &mut [Stream], size: usize) -> Result<(Vec<DueWork>, Option<[String; 4]>)> {
        let piece = (2 * size / streams.len().max(1)).clamp(16, 1000).min(size.max(1));
        let (mut page, mut last, mut seen) = (Vec::with_capacity(size.min(64)), None, 0);
        while page.len() < size && seen < MOST_ROWS {
            self.fill(streams, piece).await?;
            let first = streams.iter_mut().filter(|stream| !stream.rows.is_empty());
            let first = first.min_by(|one, other| {
                let place = |stream: &Stream| {
                    let order = stream.rows.front().map(|row| row.order.clone());
                    (order, stream.source.key.clone())
                };
                place(one).cmp(&place(other))
            });
            let Some(stream) = first else { break };
            let Some(row) = stream.rows.pop_front() else { break };
            seen += 1;
            let (value, id) = row.place;
            last = Some([row.order, stream.source.key.clone(), value, id]);
            page.extend(row.work);
        }
        // Whether there is more is known only where each has been asked, and rows of which nothing is due are none.
        loop {
            self.fill(streams, piece).await?;
            let mut passed = 0;
            for stream in streams.iter_mut() {
                while stream.rows.front().is_some_and(|row| row.work.is_none()) {
                    stream.rows.pop_front();
                    passed += 1;
                }
            }
            seen += passed;
            if passed == 0 || seen >= MOST_ROWS {
                return Ok((page, last));
            }
        }
    }

    /// Reads on where nothing is left of what was read.
    async fn fill(&self, streams: &mut [Stream], piece: usize) -> Result<()> {
        let empty = streams.iter_mut().filter(|stream| stream.rows.is_empty());
        let read = empty.map(|stream| async {
            while stream.rows.is_empty() {
                let Some(from) = stream.next.take() else { break };
                let batch = self.read(stream, &from, piece).await?;
                if let Some(last) = batch.rows.last().filter(|_| batch.more) {
                    let (value, id) = last.place.clone();
                    stream.next = Some(From::After(value, id));
                }
                stream.rows = batch.rows.into();
            }
            Ok(())
        });
        join_all(read).await.into_iter().collect()
    }

    async fn read(&self, stream: &Stream, from: &From, piece: usize) -> Result<Batch> {
        match &stream.whose {
            Whose::Kind(kind) => {
                let none = InForce::default();
                let in_force = self.in_force.get(&kind.kind()).unwrap_or(&none);
                kind.fetch(self.desk, &stream.source, from, piece, in_force).await
            }
            Whose::Shared(shared) => {
                let kinds = &self.register.kinds;
                shared
                    .fetch(self.desk, kinds, self.case_name, &stream.source, from, piece)
                    .await
            }
        }
    }
}

/// Where the page before came to: the order, the key of the source, and the place in it.
fn came_to(place: &[Position]) -> Result<[String; 4]> {
    let texts: Vec<String> = place
        .iter()
        .filter_map(|part| match part {
            Position::Text(text) => Some(text.clone()),
            Position::Integer(_) => None,
        })
        .collect();
    texts.try_into().map_err(|_| {
        let said = "this is not a page token of this list: send `next_page_token` of the page before as it came";
        Error::invalid("page_token", "PAGE_TOKEN_MALFORMED", said)
    })
}

/// From where on a source is read behind a place; `None` where all of it came before.
fn from(source: &Source, place: Option<&[String; 4]>) -> Option<From> {
    let Some([order, key, value, id]) = place else {
        return Some(From::Start);
    };
    let (bucket, day) = order.split_at_checked(1)?;
    let own = source.order("");
    if own.as_str() != bucket {
        return (own.as_str() > bucket).then_some(From::Start);
    }
    Some(match source.key.cmp(key) {
        std::cmp::Ordering::Equal => From::After(value.clone(), id.clone()),
        std::cmp::Ordering::Less => From::Day(day.to_owned(), false),
        std::cmp::Ordering::Greater => From::Day(day.to_owned(), true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(order: &str, key: &str) -> Option<[String; 4]> {
        Some([order, key, "2024-03-01", "a"].map(str::to_owned))
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_came_to() {
        let dated = Source::dated("labs", String::new());
        let undated = Source::undated("labs", String::new());
        let said = |source: &Source, place: Option<[String; 4]>| format!("{:?}", from(source, place.as_ref()));
        assert_eq!(said(&dated, None), "Some(Start)");
        assert_eq!(said(&dated, place("12024-03-01", "labs/waits")), "None");
        assert_eq!(said(&undated, place("02024-03-01", "labs/dated")), "Some(Start)");
        let after = said(&dated, place("02024-03-01", "labs/dated"));
        assert_eq!(after, r#"Some(After("2024-03-01", "a"))"#);
        assert_eq!(
            said(&dated, place("02024-03-01", "awards/dated")),
            r#"Some(Day("2024-03-01", true))"#
        );
        assert_eq!(
            said(&dated, place("02024-03-01", "talents/dated")),
            r#"Some(Day("2024-03-01", false))"#
        );
    }
}
