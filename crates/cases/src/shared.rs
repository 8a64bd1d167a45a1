//! Due work of what all cases share: rounds, objections, panels and reviews.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mingce_lifecycle::agenda::Desk;
use mingce_lifecycle::any::of_name;
use mingce_lifecycle::due::{Batch, Falls, From, Row, Source, UNDATED, Wanted, place, quoted, read};
use mingce_lifecycle::objection::{self, Objections};
use mingce_lifecycle::panel::{self, Panels};
use mingce_lifecycle::review::{self, Reviews};
use mingce_lifecycle::round::Rounds;
use mingce_lifecycle::{DynCase, Stateful};
use mingce_orm::{Collection, List, RequestContext, Result, Store};
use mingce_proto::registry::{DueActor, DueKind, DueWork, Objection, Panel, Review, Round, View};

/// The service whose methods do it.
const SERVICE: &str = "mingce.registry.v1.CaseService";

/// So many panels are read at once: a filter names each of them.
const PANELS_AT_ONCE: usize = 60;

/// A collection that all cases share and in which something falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    Rounds,
    Objections,
    Panels,
    Reviews,
}

impl Shared {
    pub const ALL: [Self; 4] = [Self::Rounds, Self::Objections, Self::Panels, Self::Reviews];

    pub fn collection(self) -> &'static str {
        match self {
            Self::Rounds => Rounds::COLLECTION,
            Self::Objections => Objections::COLLECTION,
            Self::Panels => Panels::COLLECTION,
            Self::Reviews => Reviews::COLLECTION,
        }
    }

    /// Where its due work is found; of a case, where it is not empty.
    pub fn sources(self, wanted: &Wanted, case_name: &str) -> Vec<Source> {
        let of_case = if case_name.is_empty() {
            String::new()
        } else {
            format!(" AND case_name = {}", quoted(case_name))
        };
        let dated = |only: &str| Source::dated(self.collection(), format!("{}{only}", wanted.dated()));
        let undated = |only: &str| Source::undated(self.collection(), format!("{UNDATED}{only}"));
        let mut sources = match self {
            Self::Rounds if case_name.is_empty() && wanted.takes(DueKind::RoundEnds, DueActor::Register) => {
                vec![dated("")]
            }
            Self::Objections => {
                let life = Objections::state_machine();
                let asks = objection::ASKS.iter().filter(|ask| wanted.takes(ask.due, ask.actor));
                let states = asks.filter_map(|ask| life.state(ask.state));
                let states: Vec<_> = states
                    .map(|state| format!("state = {}", state.code.to_uppercase()))
                    .collect();
                let only = format!(" AND ({}){of_case}", states.join(" OR "));
                if states.is_empty() {
                    Vec::new()
                } else {
                    vec![dated(&only), undated(&only)]
                }
            }
            Self::Panels if wanted.takes(DueKind::Review, DueActor::Office) => {
                vec![Source::undated(self.collection(), "due_since:*".to_owned())]
            }
            Self::Reviews if wanted.takes(DueKind::Review, DueActor::Reviewer) => {
                vec![dated(&of_case), undated(&of_case)]
            }
            Self::Rounds | Self::Panels | Self::Reviews => Vec::new(),
        };
        sources.retain(|source| source.dated || !wanted.overdue);
        sources
    }

    /// Rows of a source from a place on.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn fetch(
        self,
        desk: Desk<'_>,
        kinds: &[Arc<dyn DynCase>],
        case_name: &str,
        source: &Source,
        from: &From,
        size: usize,
    ) -> Result<Batch> {
        let (store, cx) = (desk.store, desk.cx);
        let mut batch = match self {
            Self::Rounds => {
                let (items, more) = read::<Rounds>(store, cx, source, from, size).await?;
                let rows = items.into_iter().map(|round| {
                    let falls = Falls {
                        date: round.due_date.clone(),
                        ..Falls::default()
                    };
                    row::<Rounds>(source, &round, &falls, Some(of_round(&round)))
                });
                Batch {
                    rows: rows.collect::<Result<_>>()?,
                    more,
                }
            }
            Self::Objections => {
                let (items, more) = read::<Objections>(store, cx, source, from, size).await?;
                let rows = items.into_iter().map(|objection| {
                    let falls = objection::falls(&objection);
                    row::<Objections>(source, &objection, &falls, of_objection(&objection, &falls))
                });
                Batch {
                    rows: rows.collect::<Result<_>>()?,
                    more,
                }
            }
            Self::Reviews => {
                let (items, more) = read::<Reviews>(store, cx, source, from, size).await?;
                let rows = items.into_iter().map(|review| {
                    let falls = review::falls(&review);
                    row::<Reviews>(source, &review, &falls, Some(of_review(&review, &falls)))
                });
                Batch {
                    rows: rows.collect::<Result<_>>()?,
                    more,
                }
            }
            Self::Panels => {
                let (items, more) = read::<Panels>(store, cx, source, from, size.min(PANELS_AT_ONCE)).await?;
                let awaited = awaited(store, cx, &items).await?;
                let awaited: HashSet<String> = awaited.into_iter().map(|review| review.panel).collect();
                let rows = items.into_iter().map(|panel| {
                    let falls = Falls {
                        since: panel::open_since(&panel),
                        ..Falls::default()
                    };
                    let is_of_case = case_name.is_empty() || panel.cases.iter().any(|case| case == case_name);
                    let work = (is_of_case && !awaited.contains(&panel.name)).then(|| of_panel(&panel, &falls));
                    row::<Panels>(source, &panel, &falls, work)
                });
                Batch {
                    rows: rows.collect::<Result<_>>()?,
                    more,
                }
            }
        };
        into_rounds(desk, kinds, &mut batch).await?;
        for row in &mut batch.rows {
            row.work = row
                .work
                .take()
                .filter(|work| self.is_wanted(work, desk.wanted))
                .map(|mut work| {
                    work.overdue = !work.date.is_empty() && work.date < desk.wanted.today.to_string();
                    self.collection().clone_into(&mut work.collection);
                    if self == Self::Panels {
                        work.case_name.clear();
                    }
                    work
                });
        }
        Ok(batch)
    }

    fn is_wanted(self, work: &DueWork, wanted: &Wanted) -> bool {
        let round = if self == Self::Rounds { &work.name } else { &work.round };
        wanted.takes(work.due(), work.actor()) && (wanted.round.is_empty() || *round == wanted.round)
    }
}

fn row<C: Collection>(source: &Source, item: &C::Item, falls: &Falls, work: Option<DueWork>) -> Result<Row> {
    let value = if source.dated { &falls.date } else { &falls.since };
    Ok(Row {
        order: source.order(value),
        place: place::<C>(item, value)?,
        work,
    })
}

fn methods(methods: &[&str]) -> Vec<String> {
    methods.iter().map(|method| format!("{SERVICE}/{method}")).collect()
}

fn of_round(round: &Round) -> DueWork {
    DueWork {
        name: round.name.clone(),
        display_name: round.display_name.clone(),
        date: round.due_date.clone(),
        due: round.due,
        automatic: true,
        actor: DueActor::Register as i32,
        verbs: vec!["close".to_owned()],
        methods: methods(&["CloseRound"]),
        since_date: round.start_date.clone(),
        round: round.name.clone(),
        ..DueWork::default()
    }
}

fn of_objection(objection: &Objection, falls: &Falls) -> Option<DueWork> {
    let ask = objection::ASKS.iter().find(|ask| ask.state == objection.state)?;
    let life = Objections::state_machine();
    let edges = ask.verbs.iter().filter_map(|verb| life.transition(verb));
    let (verbs, names): (Vec<_>, Vec<_>) = edges.map(|edge| (edge.verb.to_owned(), edge.method)).unzip();
    Some(DueWork {
        name: objection.name.clone(),
        display_name: objection.case_display_name.clone(),
        date: falls.date.clone(),
        due: DueKind::Objection as i32,
        actor: ask.actor as i32,
        verbs,
        methods: methods(&names),
        since_date: objection.file_date.clone(),
        case_name: objection.case_name.clone(),
        ..DueWork::default()
    })
}

fn of_review(review: &Review, falls: &Falls) -> DueWork {
    let reviewer = review.reviewer.clone().unwrap_or_default();
    DueWork {
        name: review.name.clone(),
        display_name: review.case_display_name.clone(),
        date: falls.date.clone(),
        due: DueKind::Review as i32,
        actor: DueActor::Reviewer as i32,
        verbs: vec!["submit".to_owned()],
        methods: methods(&["SubmitReview"]),
        since_date: review::assigned(review),
        case_name: review.case_name.clone(),
        reviewer: reviewer.talent,
        reviewer_display_name: reviewer.display_name,
        ..DueWork::default()
    }
}

/// A panel that waits for nobody: its reviews are all there, or nobody is assigned.
fn of_panel(panel: &Panel, falls: &Falls) -> DueWork {
    let (verb, method) = if panel.reviews.is_empty() {
        ("assign_reviewer", "AssignReviewer")
    } else {
        ("close", "ClosePanel")
    };
    DueWork {
        name: panel.name.clone(),
        display_name: panel.display_name.clone(),
        due: DueKind::Review as i32,
        actor: DueActor::Office as i32,
        verbs: vec![verb.to_owned()],
        methods: methods(&[method]),
        since_date: falls.since.clone(),
        // By this one its round is found.
        case_name: panel.cases.first().cloned().unwrap_or_default(),
        ..DueWork::default()
    }
}

/// The reviews that these panels wait for.
///
/// # Errors
/// Where the database cannot be read.
pub(crate) async fn awaited(store: &Store, cx: &RequestContext, panels: &[Panel]) -> Result<Vec<Review>> {
    let named: Vec<String> = panels
        .iter()
        .map(|panel| format!("panel = {}", quoted(&panel.name)))
        .collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let filter = format!("({}) AND (due_date:* OR due_since:*)", named.join(" OR "));
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = List {
            page_size: 1000,
            page_token: &page_token,
            filter: &filter,
            view: View::Basic as i32,
            ..List::default()
        };
        let page = store.list::<Reviews>(&cx.seeing_all(), list).await?;
        found.extend(page.items()?);
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = page.next_page_token;
    }
}

/// All panels that are open.
///
/// # Errors
/// Where the database cannot be read.
pub(crate) async fn open_panels(store: &Store, cx: &RequestContext) -> Result<Vec<Panel>> {
    let (source, mut from) = (
        Source::undated(Panels::COLLECTION, "due_since:*".to_owned()),
        From::Start,
    );
    let mut found = Vec::new();
    loop {
        let (panels, more) = read::<Panels>(store, cx, &source, &from, 1000).await?;
        if let Some(last) = panels.last() {
            let (value, id) = place::<Panels>(last, &panel::open_since(last))?;
            from = From::After(value, id);
        }
        found.extend(panels);
        if !more {
            return Ok(found);
        }
    }
}

/// Says of which round the case of each row is, where this process serves its kind.
async fn into_rounds(desk: Desk<'_>, kinds: &[Arc<dyn DynCase>], batch: &mut Batch) -> Result<()> {
    let works = || batch.rows.iter().filter_map(|row| row.work.as_ref());
    let cases: HashSet<&str> = works()
        .map(|work| work.case_name.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    if cases.is_empty() {
        return Ok(());
    }
    let mut work = desk.store.unit_of_work();
    let rounds = desk.store.try_edit(&mut work, |work| {
        // Goes on after an error, so that all cases are asked for at once.
        let each: Vec<Result<(String, String)>> = cases
            .iter()
            .filter_map(|name| Some((name, of_name(kinds, name, "case_name").ok()?)))
            .map(|(name, kind)| Ok(((*name).to_owned(), kind.look(work, name)?.facts.round)))
            .collect();
        each.into_iter().collect::<Result<HashMap<String, String>>>()
    });
    let rounds = rounds.await?;
    for work in batch.rows.iter_mut().filter_map(|row| row.work.as_mut()) {
        if let Some(round) = rounds.get(&work.case_name) {
            round.clone_into(&mut work.round);
        }
    }
    Ok(())
}
