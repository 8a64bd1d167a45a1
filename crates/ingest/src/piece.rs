//! A piece of an import: its rows are resolved, judged, and only then is written what they say and what they name.
//!
//! What a row names and the register does not have is made only where the row is taken. So such rows are tried first, on a view
//! that nobody writes; rows that name nothing new go to the writer as they are. docs/adr/0033-references.md

use std::collections::BTreeSet;
use std::sync::PoisonError;

use mingce_orm::model::texts::rewritten;
use mingce_orm::write::earlier::DecidedRow;
use mingce_orm::write::import;
use mingce_orm::write::run_notes::RowTurn;
use mingce_orm::{Class, Collection, Error, Mask, PreloadedEdit, RequestContext, Violation, WriteOutcome, WriteResult};
use mingce_proto::registry::row_outcome::{Holder, Outcome as Became, Problem};
use mingce_proto::registry::{AssumedRecord, CreatedReference, Identifier, RowOutcome};
use prost::Message;

use crate::session::{Missing, Prepare, Row, RowNotes, Session, stand_in};
use crate::yielding::Yielding;

/// How many rows are prepared and written together.
pub(crate) const PIECE: usize = 1000;
/// How many problems of a row are told.
const PROBLEMS: usize = 8;

/// A row on its way to the writer.
struct Candidate {
    number: i64,
    /// As it was given, encoded, for when what it names has been made.
    given: Vec<u8>,
    mask: Result<Mask, Error>,
    /// What it means is kept for when the same file is loaded again.
    is_doubtful: bool,
    turn: RowTurn,
    holders: Vec<(String, Vec<Holder>)>,
    /// What would be made because it names it.
    created: Vec<CreatedReference>,
    edit: Result<PreloadedEdit, Error>,
}

/// What became of rows, and those that name what is not there, each with its place.
type Taken<C> = (Vec<RowOutcome>, Vec<(usize, Row<C>)>);

/// Takes some rows, and answers what became of each.
pub(crate) async fn take<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    session: &mut Session,
    rows: Vec<Row<C>>,
) -> Result<Taken<C>, Error> {
    let mut outcomes: Vec<RowOutcome> = rows
        .iter()
        .map(|row| RowOutcome {
            row: row.number,
            ..RowOutcome::default()
        })
        .collect();
    let (mut whole, mut given, mut places) = (Vec::with_capacity(rows.len()), Vec::new(), Vec::new());
    for ((place, row), outcome) in rows.into_iter().enumerate().zip(&mut outcomes) {
        let Row {
            number,
            resource,
            mut notes,
            turn,
        } = row;
        let encoded = resource.encode_to_vec();
        match rewritten(C::MESSAGE, &encoded, |_| false) {
            Ok(new) => {
                let resource = match &new {
                    Some(new) => C::Item::decode(new.as_slice()).map_err(Error::internal)?,
                    None => resource,
                };
                whole.push(Row {
                    number,
                    resource,
                    notes,
                    turn,
                });
                given.push(new.unwrap_or(encoded));
                places.push(place);
            }
            // Nothing is looked up by such a text, and no other service is told it.
            Err(texts) => {
                notes.problems.extend(texts);
                refuse::<C>(outcome, &Error::invalid_all(notes.problems), &[])?;
            }
        }
    }
    let mut candidates = candidates(service, cx, session, whole, given).await?;
    let answers = if session.is_dry() {
        try_each(service, cx, session, &mut candidates).await?
    } else {
        make_missing(service, cx, session, &mut candidates).await?;
        write_each(service, cx, &mut candidates).await?
    };
    let made = |answer: &Result<WriteResult, Error>| {
        answer
            .as_ref()
            .is_ok_and(|answer| answer.outcome == WriteOutcome::Created)
    };
    let count = answers.iter().filter(|answer| made(answer)).count();
    let mut seen = session.seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.made(count, answers.len());
    drop(seen);
    let mut again = Vec::new();
    for ((place, candidate), answer) in places.into_iter().zip(candidates).zip(answers) {
        let Some(outcome) = outcomes.get_mut(place) else {
            continue;
        };
        match answer {
            Ok(answer) => {
                if candidate.is_doubtful {
                    session.decide::<C>((candidate.number, &candidate.given), Ok(&answer.name))?;
                }
                accept::<C>(outcome, answer, session.is_dry())?;
            }
            Err(error) => {
                refuse::<C>(outcome, &error, &candidate.holders)?;
                let reason = outcome.problems.first().map_or("", |problem| problem.reason.as_str());
                // The reason of then stays.
                let before = candidate
                    .turn
                    .refused_before()
                    .filter(|_| reason == "ROW_REFUSED_BEFORE");
                let reason = before.unwrap_or(reason);
                session.decide::<C>((candidate.number, &candidate.given), Err(reason))?;
                if error
                    .violations()
                    .iter()
                    .any(|wrong| wrong.reason == "REFERENCE_NOT_FOUND")
                {
                    let row = candidate.row::<C>()?;
                    let turn = Some(candidate.turn.late());
                    again.push((place, Row { turn, ..row }));
                }
            }
        }
    }
    Ok((outcomes, again))
}

/// Resolves what rows name, and plans what they change.
async fn candidates<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    session: &mut Session,
    mut rows: Vec<Row<C>>,
    given: Vec<Vec<u8>>,
) -> Result<Vec<Candidate>, Error> {
    let paths = session.settings.update_mask.clone().unwrap_or_default().paths;
    // What preparing fills in is not what the source speaks of.
    let keeps = session.settings.keep_edits;
    let mask = |given: &Vec<u8>| Ok(import::mask::<C>(&paths, given, cx.visible)?.keeping_edits(keeps));
    let masks: Vec<_> = given.iter().map(mask).collect();
    let is_doubtful = |row: &Row<C>| session.keeps_decisions() && DecidedRow::is_doubtful::<C>(&row.resource);
    let doubtful: Vec<_> = rows.iter().map(is_doubtful).collect();
    session.missing = Missing::Proposed;
    service.prepare(cx, session, &mut rows).await?;
    if let Some(earlier) = &mut session.earlier {
        let numbers = rows.iter().map(|row| row.number).collect();
        service.store().recall::<C>(earlier, &numbers).await?;
    }
    let (mut candidates, mut breath) = (Vec::with_capacity(rows.len()), Yielding::default());
    for (((mut row, mask), is_doubtful), given) in rows.into_iter().zip(masks).zip(doubtful).zip(given) {
        breath.take().await;
        let turn = match row.turn.take() {
            Some(turn) => turn,
            None => session.turn::<C>(row.number, &given)?,
        };
        let mut candidate = Candidate {
            number: row.number,
            given,
            mask,
            is_doubtful,
            turn,
            holders: Vec::new(),
            created: Vec::new(),
            edit: Err(Error::internal("a row was not planned")),
        };
        candidate.plan(service, cx, session, row.resource, row.notes);
        candidates.push(candidate);
    }
    Ok(candidates)
}

impl Candidate {
    /// Plans what the row changes, its references resolved.
    fn plan<C: Collection>(
        &mut self,
        service: &impl Prepare<C>,
        cx: &RequestContext,
        session: &Session,
        resource: C::Item,
        notes: RowNotes,
    ) {
        self.holders = notes.holders;
        self.created = notes.created;
        self.edit = if notes.problems.is_empty() {
            self.mask.clone().and_then(|mask| {
                import::plan_row::<C>(service.store(), cx, session.stamp(), mask, resource, self.turn.clone())
            })
        } else {
            Err(Error::invalid_all(notes.problems))
        };
    }

    fn row<C: Collection>(&self) -> Result<Row<C>, Error> {
        let given = C::Item::decode(self.given.as_slice()).map_err(Error::internal)?;
        Ok(Row::new(self.number, given))
    }

    fn names_new(&self) -> bool {
        self.edit.is_ok() && !self.created.is_empty()
    }
}

/// Makes what rows name and the register does not have, for those rows that are taken. The others are refused here.
async fn make_missing<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    session: &mut Session,
    candidates: &mut [Candidate],
) -> Result<(), Error> {
    let Some(last) = candidates.iter().rposition(Candidate::names_new) else {
        return Ok(());
    };
    let (store, mut taken, mut breath) = (service.store(), Vec::new(), Yielding::default());
    let mut work = store.unit_of_work();
    for (place, candidate) in candidates.iter_mut().enumerate().take(last + 1) {
        breath.take().await;
        let Ok(planned) = &candidate.edit else { continue };
        let tried = store.try_edit(&mut work, &planned.edit).await;
        if !candidate.created.is_empty() {
            match tried {
                Ok(_) => taken.push(place),
                Err(error) => candidate.edit = Err(error),
            }
        }
    }
    let rows = taken.iter().filter_map(|place| candidates.get(*place));
    let mut rows = rows.map(Candidate::row).collect::<Result<Vec<Row<C>>, Error>>()?;
    session.missing = Missing::Made;
    service.prepare(cx, session, &mut rows).await?;
    for (place, row) in taken.into_iter().zip(rows) {
        breath.take().await;
        for made in &row.notes.created {
            session.note_created(made.clone());
        }
        if let Some(candidate) = candidates.get_mut(place) {
            candidate.plan(service, cx, session, row.resource, row.notes);
        }
    }
    Ok(())
}

/// Writes all that was planned.
async fn write_each<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    candidates: &mut [Candidate],
) -> Result<Vec<Result<WriteResult, Error>>, Error> {
    let mut answers = Vec::with_capacity(candidates.len());
    let mut edits = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match std::mem::replace(&mut candidate.edit, Err(Error::internal("a row was written already"))) {
            Ok(planned) => {
                edits.push(planned);
                answers.push(None);
            }
            Err(error) => answers.push(Some(Err(error))),
        }
    }
    let mut written = service.store().change_each(cx, edits).await?.into_iter();
    let answers = answers.into_iter().map(|refused| refused.or_else(|| written.next()));
    let answers: Option<Vec<_>> = answers.collect();
    answers.ok_or_else(|| Error::internal("a writer answered fewer edits than it took"))
}

/// Tries all rows of a dry run one after the other. What one that is taken names and would make, later ones find.
async fn try_each<C: Collection>(
    service: &impl Prepare<C>,
    cx: &RequestContext,
    session: &mut Session,
    candidates: &mut [Candidate],
) -> Result<Vec<Result<WriteResult, Error>>, Error> {
    let mut answers = Vec::with_capacity(candidates.len());
    // What only rows that were refused named so far.
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let mut breath = Yielding::default();
    for candidate in candidates {
        breath.take().await;
        if candidate.edit.is_ok() && candidate.created.iter().any(|made| gone.contains(&made.name)) {
            let mut rows = [candidate.row()?];
            service.prepare(cx, session, &mut rows).await?;
            let [row] = rows;
            candidate.plan(service, cx, session, row.resource, row.notes);
        }
        let answer = match (&candidate.edit, &mut session.rehearsal) {
            (Err(error), _) => Err(error.clone()),
            (Ok(planned), Some(work)) => service.store().try_edit(work, &planned.edit).await,
            (Ok(_), None) => Err(Error::internal("a dry run without a view")),
        };
        for made in std::mem::take(&mut candidate.created) {
            if answer.is_err() {
                gone.insert(made.name);
                continue;
            }
            gone.remove(&made.name);
            let record = assumed_reference(&made);
            if session.note_created(made) {
                if let (Some(edit), Some(work)) = (service.assume(cx, &record), &mut session.rehearsal) {
                    stand_in(service.store(), work, &edit).await?;
                }
                session.settings.assumed.push(record);
            }
        }
        answers.push(answer);
    }
    Ok(answers)
}

/// A record that a dry run would have created because a row named it. Its key tells its identifier (`scheme:value`), or
/// its name and city (`name|city`).
pub fn assumed_reference(made: &CreatedReference) -> AssumedRecord {
    let mut record = AssumedRecord {
        collection: made.collection.clone(),
        display_name: made.display_name.clone(),
        ..AssumedRecord::default()
    };
    match (made.key.rsplit_once('|'), made.key.split_once(':')) {
        (Some((_, city)), _) => city.clone_into(&mut record.city),
        (None, Some((scheme, value))) => record.identifiers.push(Identifier {
            scheme: scheme.to_owned(),
            value: value.to_owned(),
        }),
        (None, None) => {}
    }
    record
}

fn accept<C: Collection>(outcome: &mut RowOutcome, answer: WriteResult, dry: bool) -> Result<(), Error> {
    outcome.set_outcome(match answer.outcome {
        WriteOutcome::Created => Became::Created,
        WriteOutcome::Updated => Became::Updated,
        WriteOutcome::Unchanged => Became::Unchanged,
    });
    outcome.kept_fields = answer.kept;
    outcome.display_name = match answer.title {
        Some(title) => title.into(),
        None => {
            let record = C::Item::decode(answer.body).map_err(Error::internal)?;
            C::title(&record).to_owned()
        }
    };
    if !(dry && answer.outcome == WriteOutcome::Created) {
        outcome.name = answer.name;
    }
    Ok(())
}

/// A row's own fault refuses the row; a fault of the register ends the import.
fn refuse<C: Collection>(
    outcome: &mut RowOutcome,
    error: &Error,
    holders: &[(String, Vec<Holder>)],
) -> Result<(), Error> {
    if matches!(
        error.class(),
        Class::Internal | Class::DataLoss | Class::Unavailable | Class::Exhausted | Class::Aborted | Class::Deadline
    ) {
        return Err(error.clone());
    }
    outcome.set_outcome(Became::Refused);
    let prefix = format!("{}.", C::SINGULAR);
    let problem = |field: &str, reason: &str, description: &str, holders: &[Holder]| Problem {
        field: field
            .strip_prefix(&prefix)
            .unwrap_or(if field == C::SINGULAR { "" } else { field })
            .to_owned(),
        reason: reason.to_owned(),
        description: description.to_owned(),
        holders: holders.to_vec(),
    };
    let violations = error.violations();
    let about = |v: &Violation| {
        let of_field = holders
            .iter()
            .find(|(field, _)| *field == v.field && v.reason == "REFERENCE_AMBIGUOUS");
        of_field.map_or(error.holders(), |(_, of_field)| of_field.as_slice())
    };
    let told = violations.iter().take(PROBLEMS);
    outcome.problems = told
        .map(|v| problem(&v.field, v.reason, &v.description, about(v)))
        .collect();
    if let Some(more) = violations.len().checked_sub(PROBLEMS + 1) {
        let said = format!("{} more that are not listed: mend these first", more + 1);
        outcome.problems.push(problem("", "PROBLEMS_MORE", &said, &[]));
    }
    if outcome.problems.is_empty() {
        let problem = problem("", error.reason(), error.message(), error.holders());
        outcome.problems.push(problem);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dry_run_would_make_is_assumed_by_identifier_or_name_and_city() {
        let made = |key: &str| CreatedReference {
            collection: "organizations".to_owned(),
            key: key.to_owned(),
            display_name: "X".to_owned(),
            name: String::new(),
        };
        assert_eq!(
            assumed_reference(&made("ror:00cmhce21")).identifiers[0].value,
            "00cmhce21"
        );
        assert_eq!(assumed_reference(&made("university: x|berkeley")).city, "berkeley");
        assert_eq!(assumed_reference(&made("x|")).city, "");
    }
}
