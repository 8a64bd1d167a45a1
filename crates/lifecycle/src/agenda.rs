//! The due work of a kind of case: where it is found, and what is said of each case. How it is found stands in [`crate::due`].

use std::collections::HashSet;

use mingce_orm::{RequestContext, Result, Store, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::registry::{DueActor, DueKind, DueWork, Policy, RecordStatus};

use crate::ask::Ask;
use crate::by_itself::ByItself;
use crate::case::{Case, facts};
use crate::day;
use crate::due::{Batch, Falls, From, Row, Shift, Source, UNDATED, Wanted, ask, falls, place, quoted, read};
use crate::eval_context::EvalContext;
use crate::in_force::InForce;
use crate::policy::Policies;

/// What the due work of cases is read with.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// The store.
    pub store: &'a Store,
    /// The context of the call.
    pub cx: &'a RequestContext,
    /// When.
    pub at: &'a EvalContext,
    /// Which work is wanted.
    pub wanted: &'a Wanted,
    /// Cases that lie before an open panel: there the panel or its reviews are listed.
    pub in_panels: &'a HashSet<String>,
}

/// Where the due work of a kind of case is found.
pub fn sources<C: ByItself>(wanted: &Wanted, in_force: &InForce) -> Vec<Source> {
    let round = if wanted.round.is_empty() {
        String::new()
    } else {
        format!(" AND case_round = {}", quoted(&wanted.round))
    };
    let takes = |ask: &&Ask| {
        let by_itself = wanted.actor == DueActor::Register && C::AUTOMATIC.contains(&ask.due);
        wanted.takes(ask.due, if by_itself { DueActor::Register } else { ask.actor })
    };
    let asked: Vec<&Ask> = C::ASKS.iter().filter(takes).collect();
    let all = asked.len() == C::ASKS.len();
    let mut sources = Vec::new();
    if all || !asked.is_empty() {
        let only = if all {
            String::new()
        } else {
            format!(" AND {}", any_of::<C>(&asked))
        };
        sources.push(Source::dated(C::COLLECTION, format!("{}{only}{round}", wanted.dated())));
    }
    let waiting: Vec<&Ask> = asked.iter().copied().filter(|ask| ask.waits).collect();
    if !waiting.is_empty() && !wanted.overdue {
        let filter = format!("{UNDATED} AND {}{round}", any_of::<C>(&waiting));
        sources.push(Source::undated(C::COLLECTION, filter));
    }
    // What was recorded is in no round.
    for counted in C::COUNTED.iter().filter(|_| round.is_empty()) {
        if !asked
            .iter()
            .any(|ask| ask.state == counted.state && ask.due == counted.due)
        {
            continue;
        }
        for (policy, scope) in in_force.scopes() {
            let months = (counted.months)(policy);
            if months == 0 {
                continue;
            }
            let mut parts = vec![
                "NOT case_policy:*".to_owned(),
                format!("state = {}", code::<C>(counted.state)),
                (counted.only)(&wanted.today.to_string()),
                scope,
            ];
            parts.retain(|part| !part.is_empty());
            let place = format!("{}/{}", policy.level, policy.programme);
            let key = format!("{}/{}/{place}", C::COLLECTION, counted.due.as_str_name());
            sources.extend(Source::counted(
                key,
                &parts.join(" AND "),
                Shift { counted, months },
                wanted,
            ));
        }
    }
    sources
}

fn any_of<C: Case>(asked: &[&Ask]) -> String {
    let each = asked.iter().map(|ask| {
        let due = ask.due.as_str_name();
        format!("(state = {} AND due = {due})", code::<C>(ask.state))
    });
    format!("({})", each.collect::<Vec<_>>().join(" OR "))
}

fn code<C: Case>(state: i32) -> String {
    C::state_machine()
        .state(state)
        .map_or(String::new(), |state| state.code.to_uppercase())
}

/// Rows of a source from a place on.
///
/// # Errors
/// Where the database cannot be read.
pub async fn fetch<C: ByItself>(
    desk: Desk<'_>,
    source: &Source,
    from: &From,
    size: usize,
    in_force: &InForce,
) -> Result<Batch> {
    let (items, more) = read::<C>(desk.store, desk.cx, source, from, size).await?;
    let mut work = desk.store.unit_of_work();
    let rows = desk.store.try_edit(&mut work, |work| {
        // Goes on after an error, so that all that is needed is asked for at once.
        let rows: Vec<Result<Row>> = items
            .iter()
            .map(|item| row::<C>(work, desk, source, item, in_force))
            .collect();
        rows.into_iter().collect::<Result<Vec<_>>>()
    });
    Ok(Batch {
        rows: rows.await?,
        more,
    })
}

/// What is due of one case.
///
/// # Errors
/// NOT_FOUND.
pub async fn of_case<C: ByItself>(desk: Desk<'_>, name: &str, in_force: &InForce) -> Result<Option<Row>> {
    let mut work = desk.store.unit_of_work();
    let row = desk.store.try_edit(&mut work, |work| {
        let item = work.require::<C>(name)?;
        let policy = policy_of::<C>(work, &item, in_force)?;
        let found = next::<C>(&item, policy.as_ref(), desk.at)?;
        let source = Source {
            dated: !found.date.is_empty(),
            ..Source::undated(C::COLLECTION, String::new())
        };
        let is_in_time = found.date.is_empty() && !desk.wanted.overdue
            || !found.date.is_empty() && found.date <= desk.wanted.last_day().to_string();
        let order = source.order(if source.dated { &found.date } else { &found.since });
        let work = if is_in_time && item.head().record_status() == RecordStatus::Active {
            said::<C>(work, desk, &item, policy.as_ref(), &found)?
        } else {
            None
        };
        Ok(Row {
            order,
            place: place::<C>(&item, "")?,
            work,
        })
    });
    Ok(Some(row.await?).filter(|row| row.work.is_some()))
}

fn policy_of<C: Case>(work: &mut UnitOfWork, item: &C::Item, in_force: &InForce) -> Result<Option<Policy>> {
    match C::policy(item) {
        "" => Ok(in_force.of(C::scope(item)).cloned()),
        name => work.require_unchanged::<Policies>(name).map(Some),
    }
}

/// What falls due next of a case: of a record by the policy that is in force.
///
/// # Errors
/// Where a day cannot be computed.
pub fn next<C: Case>(item: &C::Item, policy: Option<&Policy>, at: &EvalContext) -> Result<Falls> {
    let found = falls::<C>(item);
    if !C::policy(item).is_empty() || C::COUNTED.is_empty() {
        return Ok(found);
    }
    Ok(match C::due(item, policy, at.today)? {
        Some((day, due)) => Falls {
            date: day.to_string(),
            due: due as i32,
            since: String::new(),
        },
        None => Falls {
            date: String::new(),
            ..found
        },
    })
}

fn row<C: ByItself>(
    work: &mut UnitOfWork,
    desk: Desk<'_>,
    source: &Source,
    item: &C::Item,
    in_force: &InForce,
) -> Result<Row> {
    let mut found = falls::<C>(item);
    let value = if source.column() == "due_date" {
        &found.date
    } else {
        &found.since
    };
    let place = place::<C>(item, value)?;
    if let (Some(shift), Some(from)) = (source.shift, day::parse(&found.since)?) {
        found.date = (shift.counted.day)(from, shift.months)?.to_string();
        found.due = shift.counted.due as i32;
    }
    let order = source.order(if source.dated { &found.date } else { &found.since });
    let policy = policy_of::<C>(work, item, in_force)?;
    let next = next::<C>(item, policy.as_ref(), desk.at)?;
    let stands_here = (&next.date, next.due) == (&found.date, found.due);
    let work = if stands_here {
        said::<C>(work, desk, item, policy.as_ref(), &found)?
    } else {
        // Each case stands in the list once, with what falls due next.
        None
    };
    Ok(Row { order, place, work })
}

/// What is said of a case of which something is due; `None` where it is not wanted.
fn said<C: ByItself>(
    work: &mut UnitOfWork,
    desk: Desk<'_>,
    item: &C::Item,
    policy: Option<&Policy>,
    found: &Falls,
) -> Result<Option<DueWork>> {
    let (state, facts, head) = (C::state(item), facts::<C>(item), item.head());
    let Some(ask) = ask::<C>(state, found.due) else {
        return Ok(None);
    };
    let in_review = C::IN_REVIEW.contains(&state);
    if in_review && desk.in_panels.contains(head.name) {
        return Ok(None);
    }
    let automatic = C::is_automatic(item, policy);
    let actor = if automatic { DueActor::Register } else { ask.actor };
    let in_round = desk.wanted.round.is_empty() || desk.wanted.round == facts.round;
    if !in_round || !desk.wanted.takes(ask.due, actor) {
        return Ok(None);
    }
    let (mut verbs, mut methods): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let least = policy.and_then(C::review_terms).map_or(0, |terms| terms.min_reviews);
    if in_review && facts.reviews < least {
        verbs.push("create_panel".to_owned());
        methods.push("mingce.registry.v1.CaseService/CreatePanel".to_owned());
    } else {
        let life = C::state_machine();
        let edges = ask.verbs.iter().filter_map(|verb| life.transition(verb));
        for edge in edges {
            verbs.push(edge.verb.to_owned());
            methods.push(format!("{}/{}", life.service, edge.method));
        }
    }
    let since = if found.date.is_empty() {
        &found.since
    } else {
        &facts.state_date
    };
    Ok(Some(DueWork {
        display_name: C::display(work, item)?,
        automatic,
        overdue: !found.date.is_empty() && found.date < desk.at.today.to_string(),
        date: found.date.clone(),
        due: DueKind::try_from(found.due).unwrap_or_default() as i32,
        actor: actor as i32,
        verbs,
        methods,
        since_date: since.clone(),
        collection: C::COLLECTION.to_owned(),
        case_name: head.name.to_owned(),
        name: head.name.to_owned(),
        round: facts.round,
        ..DueWork::default()
    }))
}
