//! Rows of an import: each is matched to a record, or makes one, or is refused, alone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use mingce_proto::Classes;
use mingce_proto::Headed;
use mingce_proto::registry::RecordStatus;
use prost::Message;

use crate::context::RequestContext;
use crate::error::{Class, Error, Result, Violation};
use crate::model::collection::Collection;
use crate::model::revision::AuditInfo;
use crate::model::validate::{check, expect_no_cycle};
use crate::model::vault::Vault;
use crate::model::{message_fields, resource};
use crate::text;
use crate::write::canonical::{normalized, refused, with_nul};
use crate::write::edit::{Edit, PreloadedEdit};
use crate::write::field_mask::Mask;
use crate::write::load_requests::LoadRequest;
use crate::write::matching::{MOST_HOLDERS, Match, MatchedBy, Verdict, find, holder_of, several};
use crate::write::prepared_insert::{PreparedInsert, StoredKey, stored_keys};
use crate::write::result::{WriteOutcome, WriteResult};
use crate::write::run_notes::RowTurn;
use crate::write::store::Store;
use crate::write::unit_of_work::UnitOfWork;

/// What a row of an import sets: the fields that the source speaks of, or without any those that are set.
/// `encoded` is the resource of the row.
pub fn mask<C: Collection>(paths: &[String], encoded: &[u8], visible: Classes) -> Result<Mask> {
    // An empty cell does not destroy what is sealed.
    Mask::parse_for::<C>(paths, encoded, visible)?.without_unset_private_of::<C>(encoded)
}

/// The edit that a row of an import is. What it needs of the register is asked for beforehand, and what it makes where
/// the register has no such record is drafted. `stamp` says of which import it is.
///
/// # Errors
/// Where a key cannot be made.
pub fn plan_row<C: Collection>(
    store: &Store,
    cx: &RequestContext,
    stamp: AuditInfo,
    mask: Mask,
    resource: C::Item,
    turn: RowTurn,
) -> Result<PreloadedEdit> {
    let (cx, vault) = (cx.clone(), store.vault.clone());
    // What was given may have come to nothing meanwhile.
    let mask = mask.without_unset_private::<C>(&resource)?;
    let (kind, mut canonical) = (&C::shape().kind, resource);
    let is_named = kind.id(canonical.head().name).is_some();
    // Of a row that names a record it is looked at what it makes of that.
    let mut wrong = if is_named { Vec::new() } else { check(&canonical, "") };
    // Keys are compared in their canonical form. What else is wrong is said when it is clear what the row makes.
    let problems = C::normalize(&mut canonical);
    let said = canonical.encode_to_vec();
    wrong.extend(with_nul::<C>(&said));
    if wrong.is_empty() {
        wrong.clone_from(&problems);
    }
    let name = canonical.head().name;
    let mut asks = Vec::new();
    let title = Some(C::title(&canonical)).filter(|title| C::BY_NAME && !title.trim().is_empty());
    let title = title.map(text::fold);
    let keys = stored_keys::<C>(&canonical, vault.as_deref())?;
    let has_none = keys.iter().all(|stored| stored.key.non_identifying);
    let is_nameless = C::BY_NAME && name.is_empty() && has_none;
    let is_bare = !C::BY_NAME && !C::is_sought(&canonical) && has_none;
    // It can be known by its keys and its name alone, and may be made by them.
    let is_plain = name.is_empty() && !is_bare;
    let meant = kind.id(name).or(turn.meant().map(|(id, _)| id));
    if let Some(id) = meant {
        asks.push(LoadRequest::Row(kind, id.to_owned()));
    } else {
        for key in keys.iter() {
            asks.push(LoadRequest::Key(kind, key.stored.clone()));
        }
        if let Some(title) = &title {
            asks.push(LoadRequest::Name(kind, title.clone()));
        }
    }
    // Where the record is likely to be there, it is not drafted before that is clear: that takes as much as all the rest.
    let is_drafted = meant.is_none() && !turn.is_likely_known();
    let ahead = is_drafted.then(|| {
        let row = (&canonical, said.as_slice(), &keys);
        draft::<C>((&cx, &stamp), row, &wrong, &turn, vault.as_deref())
    });
    let edit: Edit = Box::new(move |work| {
        let made = |work: &mut UnitOfWork, answer: WriteResult| {
            let by_name = title.as_deref().filter(|_| is_nameless);
            let answer = noted::<C>(&turn, work, answer, &said, ("", by_name))?;
            if work.is_dry_run() && !work.is_waiting() && turn.is_made(kind, &keys, &said)? {
                work.discard();
                return Ok(WriteResult {
                    outcome: WriteOutcome::Unchanged,
                    name: String::new(),
                    ..answer
                });
            }
            Ok(answer)
        };
        if let (Some(Ok(draft)), true) = (&ahead, is_plain)
            && let Some(answer) = work.make_if_unknown(draft, title.as_deref())?
        {
            C::check_beside(work, None, &canonical)?;
            return made(work, answer);
        }
        let found = match meant_before::<C>(work, &turn)? {
            Some((record, way)) => Match::One(Box::new(record), way),
            None => find::<C>(work, &canonical)?,
        };
        if let Match::Several(records) = &found {
            turn.doubt::<C>(work, &said, title.as_deref(), records, Verdict::Several)?;
            let mut holders = Vec::new();
            for name in records.iter().take(MOST_HOLDERS) {
                holders.push(holder_of::<C>(&work.require::<C>(name)?)?);
            }
            return Err(several(records, C::SINGULAR).held_by(holders));
        }
        let Match::One(stored, way) = found else {
            if problems.is_empty() && is_bare {
                // What is undecided has no number yet, whatever the row says.
                C::check_write(None, &canonical)?;
                let said = "the row has nothing by which it can be told from others when it is loaded again: give an identifier";
                return Err(Error::invalid(C::SINGULAR, "IDENTIFIER_MISSING", said));
            }
            let draft = match &ahead {
                Some(drafted) => drafted.clone()?,
                None => {
                    let row = (&canonical, said.as_slice(), &keys);
                    draft::<C>((&cx, &stamp), row, &wrong, &turn, vault.as_deref())?
                }
            };
            let answer = work.make(&draft)?;
            C::check_beside(work, None, &canonical)?;
            return made(work, answer);
        };
        let name = stored.head().name.to_owned();
        if !matches!(way, MatchedBy::Merge | MatchedBy::Before) && problems.iter().any(|p| p.is_taken_out) {
            // What else is wrong is seen in what the row makes of the record.
            let taken_out = problems.iter().filter(|problem| problem.is_taken_out);
            return Err(refused::<C>(taken_out.cloned().collect()));
        }
        let called = C::title(&stored).to_owned();
        let answer = match update_matched::<C>(work, &cx, &stamp, &mask, &canonical, (*stored, way)) {
            Err(error) if error.reason() == "RECORDS_DISAGREE" => {
                turn.doubt::<C>(work, &said, None, &[name], Verdict::Contradicts)?;
                return Err(error);
            }
            // An earlier row of the run decided it: the two disagree with each other.
            Err(error) if error.reason() == "FIELD_DECIDED" => {
                turn.expect_once(&name, &said, &called)?;
                return Err(error);
            }
            answer => answer?,
        };
        if way == MatchedBy::Merge {
            return Ok(answer);
        }
        let by_name = title.as_deref().filter(|_| is_nameless || way == MatchedBy::Name);
        noted::<C>(&turn, work, answer, &said, (&called, by_name))
    });
    Ok(PreloadedEdit { edit, asks })
}

/// What a row makes where it means no record: its settled resource, that encoded, and its keys. `wrong` is what is wrong with it.
fn draft<C: Collection>(
    (cx, stamp): (&RequestContext, &AuditInfo),
    (item, encoded, keys): (&C::Item, &[u8], &Arc<[StoredKey]>),
    wrong: &[Violation],
    turn: &RowTurn,
    vault: Option<&Vault>,
) -> Result<Arc<PreparedInsert>> {
    if !wrong.is_empty() {
        return Err(refused::<C>(wrong.to_vec()));
    }
    if C::shape().kind.id(item.head().name).is_some() {
        // A record of another register is named: that was not looked at before it was clear that there is none here.
        let wrong = check(item, "");
        if !wrong.is_empty() {
            return Err(refused::<C>(wrong));
        }
    }
    C::check_write(None, item)?;
    let title = C::title(item).into();
    let item = (item, encoded, Arc::clone(keys));
    let mut draft = PreparedInsert::of_encoded::<C>(cx, stamp, item, turn.id(cx.now), vault)?;
    draft.answer.title = Some(title);
    Ok(Arc::new(draft))
}

/// The active record that the row meant when the same file was loaded before.
fn meant_before<C: Collection>(work: &mut UnitOfWork, turn: &RowTurn) -> Result<Option<(C::Item, MatchedBy)>> {
    let Some((id, stands)) = turn.meant() else {
        return Ok(None);
    };
    let way = if stands { MatchedBy::Before } else { MatchedBy::Name };
    let record = work.get::<C>(id)?;
    let is_active = |record: &C::Item| Ok::<_, Error>(record.head().record_status() == RecordStatus::Active);
    Ok(match record {
        Some(record) if is_active(&record)? => Some((record, way)),
        _ => None,
    })
}

/// Notes what a row means, or refuses it where the run said otherwise before: of this record, or of one that an earlier row means.
/// `called` is what the record is called so far, `by_name` the folded name of a row that is known by it alone.
fn noted<C: Collection>(
    turn: &RowTurn,
    work: &mut UnitOfWork,
    answer: WriteResult,
    said: &[u8],
    (called, by_name): (&str, Option<&str>),
) -> Result<WriteResult> {
    let answer = turn.keep(work, answer, said, called);
    if let Some(title) = by_name {
        // Also where it is refused: it means the record all the same.
        let name = answer.as_ref().map_or("", |answer| answer.name.as_str());
        turn.known_by_name::<C>(said, title, name)?;
    }
    let answer = answer?;
    if answer.outcome != WriteOutcome::Unchanged {
        turn.expect_steady::<C>(work, &answer, said)?;
    }
    turn.expect_not_refused(&answer)?;
    Ok(answer)
}

/// Changes the record that a row means.
fn update_matched<C: Collection>(
    work: &mut UnitOfWork,
    cx: &RequestContext,
    stamp: &AuditInfo,
    mask: &Mask,
    row: &C::Item,
    (stored, way): (C::Item, MatchedBy),
) -> Result<WriteResult> {
    if matches!(way, MatchedBy::Merge | MatchedBy::Before) {
        // The source still lists a record that a clerk has merged: the decision stands. Or nothing has changed since it was loaded.
        return work.update::<C>(cx, stamp, &stored);
    }
    let own = without_duplicates_keys::<C>(work, &stored, row, mask)?;
    let (row, mut mask) = own
        .as_ref()
        .map_or((row, mask.clone()), |(row, mask)| (row, mask.clone()));
    if let Some(problem) = mask.check_settable::<C>(&stored, row)? {
        mask = mask.without::<C>(&problem.field);
    }
    let base = work.base_of::<C>(&stored, mask.has_private::<C>())?;
    let head = stored.head();
    if let MatchedBy::Key { by_own } = way
        && let Some(wrong) = C::contradicts(row, &base, by_own)
    {
        let holder = head.name;
        let said = format!(
            "the row shares an identifier with {holder}, and {}: mend the row, or say in it that it means {holder}",
            wrong.description
        );
        let error = Error::new(Class::Invalid, wrong.reason, said.clone());
        return Err(error
            .at(format!("{}.{}", C::SINGULAR, wrong.field), said)
            .held_by(vec![holder_of::<C>(&stored)?])
            .about(C::COLLECTION, holder));
    }
    // One with identifiers is found by them the next time, and what it is called then it is called now.
    let is_nameless = way == MatchedBy::Name && C::keys(row).iter().all(|key| key.non_identifying);
    let merge = |mask: &Mask, base: &C::Item| {
        let mut merged = mask.apply::<C>(base, row)?;
        if is_nameless {
            // Another spelling, or another of its names, does not rename what it was found by.
            C::rename(&mut merged, C::title(&stored));
        }
        C::preserve(&mut merged, &stored);
        let mut merged = normalized::<C>(&merged)?;
        C::keep_order(&mut merged, &stored);
        Ok::<_, Error>(merged)
    };
    let mut merged = merge(&mask, &base)?;
    let mut kept = Vec::new();
    if mask.keeps_edits() {
        let sealed = mask.sets_private::<C>(row)?;
        let fields = changed_fields::<C>(&stored, &merged, &sealed)?;
        kept = work.edited(head.name, &fields)?;
        if !kept.is_empty() {
            mask = mask.without_all::<C>(&kept);
            let base = work.base_of::<C>(&stored, mask.has_private::<C>())?;
            merged = merge(&mask, &base)?;
        }
    }
    if merged != stored {
        C::check_import(row, &stored)?;
    }
    C::check_write(Some(&stored), &merged)?;
    let mut answer = work.update::<C>(cx, stamp, &merged)?;
    answer.kept = kept;
    // What has just been made cannot be where a circle closes.
    if answer.outcome == WriteOutcome::Updated {
        C::check_beside(work, Some(&stored), &merged)?;
        expect_no_cycle(work, C::acyclic_references(), &stored, &merged)?;
    }
    let etag = row.head().etag;
    if way == MatchedBy::Told && answer.outcome == WriteOutcome::Updated && !etag.is_empty() && etag != head.etag {
        let said = format!(
            "{} is at {}, and the row is of {etag}: somebody changed the record since; take the row out of a newer export",
            head.name, head.etag
        );
        let error = Error::new(Class::Precondition, "ETAG_MISMATCH", said.clone());
        return Err(error
            .at(format!("{}.etag", C::SINGULAR), said)
            .about(C::COLLECTION, head.name));
    }
    Ok(answer)
}

/// The fields that a row would change and may set; of sealed ones all that it gives, since nobody is told whether they are others.
fn changed_fields<C: Collection>(stored: &C::Item, merged: &C::Item, sealed: &[String]) -> Result<Vec<String>> {
    let kind = &C::shape().kind;
    let changed = message_fields::changed(&stored.encode_to_vec(), &merged.encode_to_vec())?;
    let mut fields: Vec<String> = changed
        .into_iter()
        .filter(|number| kind.is_writable(*number) && !kind.private.contains(number))
        .map(|number| kind.field(number).to_owned())
        .collect();
    fields.extend_from_slice(sealed);
    Ok(fields)
}

/// The row without what its record's duplicates hold: their keys stay with them, and lead to the record all the same.
/// None where they hold nothing of it.
fn without_duplicates_keys<C: Collection>(
    work: &mut UnitOfWork,
    stored: &C::Item,
    row: &C::Item,
    mask: &Mask,
) -> Result<Option<(C::Item, Mask)>> {
    let (kind, name) = (&C::shape().kind, stored.head().name);
    let mut theirs = Vec::new();
    for key in C::keys(row) {
        if (key.private || key.namespace.starts_with("identifiers/"))
            && let Some(owner) = work.owner::<C>(&key)?
            && kind.id(name) != Some(owner.as_str())
            && let Some(survivor) = work.survivor::<C>(&owner)?
            && survivor.head().name == name
        {
            theirs.push(key.field);
        }
    }
    if theirs.is_empty() {
        return Ok(None);
    }
    let places = RefCell::new(BTreeMap::<u32, usize>::new());
    let kept = message_fields::retain(&row.encode_to_vec(), |number| {
        let mut places = places.borrow_mut();
        let place = places.entry(number).or_default();
        let (field, item) = (kind.field(number), format!("[{place}]"));
        *place += 1;
        let holds = |at: &String| {
            at.strip_prefix(field)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(&item))
        };
        !theirs.iter().any(holds)
    })?;
    let row = resource::decode::<C>(&kept)?;
    let mask = mask.clone().without_unset_private::<C>(&row)?;
    Ok(Some((row, mask)))
}
