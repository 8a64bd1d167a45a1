//! A piece of an import: its rows are resolved, judged, and only then is written what they say and what they name.
//!
//! What a row names and the register does not have is made only where the row is taken. So such rows are tried first, on a view
//! that nobody writes; rows that name nothing new go to the writer as they are. docs/adr/0033-references.md

use std::collections::BTreeSet;

use mingce_orm::seen::Turn;
use mingce_orm::texts::cleaned;
use mingce_orm::{Answer, Class, Collection, Cx, Error, Mask, Outcome, Planned, Violation, import};
use mingce_proto::registry::row_outcome::{Holder, Outcome as Became, Problem};
use mingce_proto::registry::{AssumedRecord, CreatedReference, Identifier, RowOutcome};
use prost::Message;

use crate::references::Notes;
use crate::rows::{Missing, Prepare, Row, Session, breathe, stand_in};

/// How many problems of a row are told.
const PROBLEMS: usize = 8;

/// A row on its way to the writer.
struct Candidate<C: Collection> {
    number: i64,
    /// As it was given, for when what it names has been made.
    given: C::Item,
    mask: Result<Mask, Error>,
    turn: Turn,
    holders: Vec<(String, Vec<Holder>)>,
    /// What would be made because it names it.
    created: Vec<CreatedReference>,
    edit: Result<Planned, Error>,
}

/// What became of rows, and those that name what is not there, each with its place.
type Taken<C> = (Vec<RowOutcome>, Vec<(usize, Row<C>)>);

/// Takes some rows, and answers what became of each.
pub(crate) async fn take<C: Collection>(
    service: &impl Prepare<C>,
    cx: &Cx,
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
    let (mut whole, mut places) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for ((place, row), outcome) in rows.into_iter().enumerate().zip(&mut outcomes) {
        let Row {
            number,
            resource,
            mut notes,
            turn,
        } = row;
        match cleaned(C::MESSAGE, resource, |_| false) {
            Ok(resource) => {
                whole.push(Row {
                    number,
                    resource,
                    notes,
                    turn,
                });
                places.push(place);
            }
            // Nothing is looked up by such a text, and no other service is told it.
            Err(texts) => {
                notes.problems.extend(texts);
                refuse::<C>(outcome, &Error::invalid_all(notes.problems), &[])?;
            }
        }
    }
    let mut candidates = candidates(service, cx, session, whole).await?;
    let answers = if session.is_dry() {
        try_each(service, cx, session, &mut candidates).await?
    } else {
        make_missing(service, cx, session, &mut candidates).await?;
        write_each(service, cx, &mut candidates).await?
    };
    let mut again = Vec::new();
    for ((place, candidate), answer) in places.into_iter().zip(candidates).zip(answers) {
        let Some(outcome) = outcomes.get_mut(place) else {
            continue;
        };
        match answer {
            Ok(answer) => {
                session.decide::<C>((candidate.number, &candidate.given), Ok(&answer.name))?;
                accept::<C>(outcome, answer, session.is_dry())?;
            }
            Err(error) => {
                refuse::<C>(outcome, &error, &candidate.holders)?;
                let reason = outcome.problems.first().map_or("", |problem| problem.reason.as_str());
                session.decide::<C>((candidate.number, &candidate.given), Err(reason))?;
                if error
                    .violations()
                    .iter()
                    .any(|wrong| wrong.reason == "REFERENCE_NOT_FOUND")
                {
                    let turn = Some(candidate.turn.late());
                    let row = Row::new(candidate.number, candidate.given);
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
    cx: &Cx,
    session: &mut Session,
    mut rows: Vec<Row<C>>,
) -> Result<Vec<Candidate<C>>, Error> {
    let paths = session.settings.update_mask.clone().unwrap_or_default().paths;
    // What preparing fills in is not what the source speaks of.
    let keeps = session.settings.keep_edits;
    let mask = |row: &Row<C>| Ok(import::mask::<C>(&paths, &row.resource)?.keeping_edits(keeps));
    let masks = rows.iter().map(mask);
    let masks: Vec<_> = masks.collect();
    let given: Vec<C::Item> = rows.iter().map(|row| row.resource.clone()).collect();
    session.missing = Missing::Proposed;
    service.prepare(cx, session, &mut rows).await?;
    if let Some(earlier) = &mut session.earlier {
        let numbers = rows.iter().map(|row| row.number).collect();
        service.store().recall::<C>(earlier, &numbers).await?;
    }
    let mut candidates = Vec::with_capacity(rows.len());
    for (place, ((mut row, mask), given)) in rows.into_iter().zip(masks).zip(given).enumerate() {
        breathe(place).await;
        let turn = match row.turn.take() {
            Some(turn) => turn,
            None => session.turn::<C>(row.number, &given)?,
        };
        let mut candidate = Candidate {
            number: row.number,
            given,
            mask,
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

impl<C: Collection> Candidate<C> {
    /// Plans what the row changes, its references resolved.
    fn plan(&mut self, service: &impl Prepare<C>, cx: &Cx, session: &Session, resource: C::Item, notes: Notes) {
        self.holders = notes.holders;
        self.created = notes.created;
        self.edit = if notes.problems.is_empty() {
            self.mask.clone().and_then(|mask| {
                import::row::<C>(service.store(), cx, session.stamp(), mask, resource, self.turn.clone())
            })
        } else {
            Err(Error::invalid_all(notes.problems))
        };
    }

    fn row(&self) -> Row<C> {
        Row::new(self.number, self.given.clone())
    }

    fn names_new(&self) -> bool {
        self.edit.is_ok() && !self.created.is_empty()
    }
}

/// Makes what rows name and the register does not have, for those rows that are taken. The others are refused here.
async fn make_missing<C: Collection>(
    service: &impl Prepare<C>,
    cx: &Cx,
    session: &mut Session,
    candidates: &mut [Candidate<C>],
) -> Result<(), Error> {
    let Some(last) = candidates.iter().rposition(Candidate::names_new) else {
        return Ok(());
    };
    let (store, mut taken) = (service.store(), Vec::new());
    let mut work = store.rehearsal();
    for (place, candidate) in candidates.iter_mut().enumerate().take(last + 1) {
        breathe(place).await;
        let Ok(planned) = &candidate.edit else { continue };
        let tried = store.rehearse(&mut work, &planned.edit).await;
        if !candidate.created.is_empty() {
            match tried {
                Ok(_) => taken.push(place),
                Err(error) => candidate.edit = Err(error),
            }
        }
    }
    let rows = taken.iter().filter_map(|place| candidates.get(*place));
    let mut rows: Vec<Row<C>> = rows.map(Candidate::row).collect();
    session.missing = Missing::Made;
    service.prepare(cx, session, &mut rows).await?;
    for (place, row) in taken.into_iter().zip(rows) {
        breathe(place).await;
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
    cx: &Cx,
    candidates: &mut [Candidate<C>],
) -> Result<Vec<Result<Answer, Error>>, Error> {
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
    cx: &Cx,
    session: &mut Session,
    candidates: &mut [Candidate<C>],
) -> Result<Vec<Result<Answer, Error>>, Error> {
    let mut answers = Vec::with_capacity(candidates.len());
    // What only rows that were refused named so far.
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for (place, candidate) in candidates.iter_mut().enumerate() {
        breathe(place).await;
        if candidate.edit.is_ok() && candidate.created.iter().any(|made| gone.contains(&made.name)) {
            let mut rows = [candidate.row()];
            service.prepare(cx, session, &mut rows).await?;
            let [row] = rows;
            candidate.plan(service, cx, session, row.resource, row.notes);
        }
        let answer = match (&candidate.edit, &mut session.rehearsal) {
            (Err(error), _) => Err(error.clone()),
            (Ok(planned), Some(work)) => service.store().rehearse(work, &planned.edit).await,
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

fn accept<C: Collection>(outcome: &mut RowOutcome, answer: Answer, dry: bool) -> Result<(), Error> {
    outcome.set_outcome(match answer.outcome {
        Outcome::Created => Became::Created,
        Outcome::Updated => Became::Updated,
        Outcome::Unchanged => Became::Unchanged,
    });
    outcome.kept_fields = answer.kept;
    let record = C::Item::decode(answer.body).map_err(Error::internal)?;
    C::title(&record).clone_into(&mut outcome.display_name);
    if !(dry && answer.outcome == Outcome::Created) {
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
        let said = format!("{} more that are not listed", more + 1);
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
