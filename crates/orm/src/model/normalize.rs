//! What several resources settle in the same way: names, identifiers, ranks, dates.

use std::collections::BTreeSet;

use mingce_proto::registry::{Identifier, Name, NameKind};

use crate::error::Violation;
use crate::model::alike;
use crate::model::collection::Fit;
use crate::model::identifier;
use crate::model::key::Key;
use crate::text;

/// What is wrong with a resource, as far as it was looked at.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds a wrong field.
    pub fn add(&mut self, field: impl Into<String>, reason: &'static str, description: impl Into<String>) {
        self.0.push(Violation::new(field, reason, description));
    }

    /// Adds what an identifier check found.
    pub fn check(&mut self, field: impl Into<String>, result: Result<(), identifier::Fault>) {
        if let Err(fault) = result {
            self.add(field, fault.reason, fault.description);
        }
    }

    /// A name: in its one form, with something to see in it and nothing that is damaged or changes what is seen.
    pub fn name(&mut self, field: impl Into<String>, name: &mut String) {
        *name = text::canonical(name.trim()).into_owned();
        if let Some(damage) = text::damage(name) {
            self.add(field, damage.reason, damage.told());
        } else if name.is_empty() {
            self.add(
                field,
                "NAME_EMPTY",
                "give a name with at least one character that can be seen",
            );
        } else if identifier::holds_resident_id(name) {
            self.add(field, "IDENTITY_DOCUMENT_IN_CLEAR", identifier::IN_CLEAR);
        }
    }

    /// A day, or nothing.
    pub fn date(&mut self, field: impl Into<String>, value: &str) {
        if !value.is_empty() {
            self.check(field, identifier::date(value));
        }
    }

    /// A year, month or day, or nothing.
    pub fn partial_date(&mut self, field: impl Into<String>, value: &str) {
        if !value.is_empty() {
            self.check(field, identifier::partial_date(value));
        }
    }

    /// The days of a decision. One that was taken in the register (`is_taken_here`) has whole days; of one of the past lists may know
    /// the month or the year only.
    pub fn dates_of_decision(&mut self, is_taken_here: bool, dates: &[(&str, &str)]) {
        for (field, value) in dates {
            let is_part = (1.."2024-03-15".len()).contains(&value.len());
            if is_taken_here && is_part && identifier::partial_date(value).is_ok() {
                let said = "the decision was taken in the register: give the whole day, such as 2024-03-15";
                self.add(*field, "DATE_INCOMPLETE", said);
            } else {
                self.partial_date(*field, value);
            }
        }
    }

    /// The end of a period is not before its beginning.
    pub fn period(&mut self, field: impl Into<String>, start: &str, end: &str) {
        let shared = start.len().min(end.len());
        if shared > 0 && end.get(..shared) < start.get(..shared) {
            self.add(
                field,
                "PERIOD_REVERSED",
                format!("{end} is before {start}: the end comes after the beginning"),
            );
        }
    }

    /// A place code, or nothing.
    pub fn division_code(&mut self, value: &str) {
        if !value.is_empty() {
            self.check("division_code", identifier::division_code(value));
        }
    }

    /// What only a decision says is given before it: of a case that is an error, and elsewhere it counts as not given.
    pub fn before_decision<T: Default + PartialEq>(&mut self, is_case: bool, fields: &mut [(&str, &mut T)]) {
        for (field, value) in fields {
            if is_case && **value != T::default() {
                let said = "is said by the decision and is not written before it: leave it out, and give it to the verb that decides";
                self.0.push(Violation {
                    is_taken_out: true,
                    ..Violation::new(*field, "FIELD_BEFORE_DECISION", said)
                });
            }
            **value = T::default();
        }
    }

    /// All that was found.
    pub fn into_inner(self) -> Vec<Violation> {
        self.0
    }
}

/// Trims names, leaves out repeated ones and says what is wrong with their dates. A name without a kind is an alias.
///
/// A name of old that is the name in use again is left out, unless it says when it was.
pub fn normalize_names(names: &mut Vec<Name>, display_name: &str, problems: &mut Violations) {
    let mut seen = BTreeSet::new();
    let in_use = former(display_name);
    names.retain_mut(|name| {
        name.text = name.text.trim().to_owned();
        if name.kind() == NameKind::Unspecified {
            name.set_kind(NameKind::Alias);
        }
        let is_new = seen.insert((
            name.text.clone(),
            name.language.clone(),
            name.kind,
            name.merged_from.clone(),
        ));
        is_new && *name != in_use
    });
    for (place, name) in names.iter_mut().enumerate() {
        let at = format!("names[{place}]");
        problems.name(format!("{at}.text"), &mut name.text);
        problems.partial_date(format!("{at}.start_date"), &name.start_date);
        problems.partial_date(format!("{at}.end_date"), &name.end_date);
        problems.period(format!("{at}.end_date"), &name.start_date, &name.end_date);
    }
}

/// Brings identifiers into their canonical form, in one order, each once, and says which are none.
pub fn normalize_identifiers(identifiers: &mut Vec<Identifier>, problems: &mut Violations) {
    for (place, held) in identifiers.iter_mut().enumerate() {
        if is_none(held) {
            continue;
        }
        match identifier::canonical(&held.scheme, &held.value) {
            Ok(value) => held.value = value,
            Err(fault) => problems.add(format!("identifiers[{place}].value"), fault.reason, fault.description),
        }
    }
    let mut seen = BTreeSet::new();
    identifiers.retain(|held| !is_none(held) && seen.insert((held.scheme.clone(), held.value.clone())));
}

/// Whether an identifier says that there is none, as offices fill cells: `无`, `/`. An empty one is an error.
fn is_none(held: &Identifier) -> bool {
    !held.value.trim().is_empty() && identifier::says_none(&held.value)
}

/// The keys of identifiers.
pub fn identifier_keys(identifiers: &[Identifier]) -> impl Iterator<Item = Key> {
    identifiers
        .iter()
        .enumerate()
        .map(|(place, held)| Key::identifier(&held.scheme, &held.value, format!("identifiers[{place}].value")))
}

/// Whether two records hold different identifiers of one scheme, so that they cannot be the same.
pub fn identifiers_differ(one: &[Identifier], other: &[Identifier]) -> bool {
    let values = |of: &[Identifier], scheme: &str| -> BTreeSet<String> {
        of.iter()
            .filter(|i| i.scheme == scheme)
            .map(|i| text::grouped(&i.value).into_owned())
            .collect()
    };
    one.iter().map(|i| i.scheme.as_str()).any(|scheme| {
        let (a, b) = (values(one, scheme), values(other, scheme));
        !b.is_empty() && a.is_disjoint(&b)
    })
}

/// Whether two are one identifier. What an earlier version has stored may be written otherwise.
fn is_one(a: &Identifier, b: &Identifier) -> bool {
    a.scheme == b.scheme && (a.value == b.value || text::grouped(&a.value) == text::grouped(&b.value))
}

/// Keeps stored identifiers of the schemes that a source does not give, in the stored order.
pub fn preserve_identifiers(given: &mut Vec<Identifier>, stored: &[Identifier]) {
    let speaks = |held: &Identifier| given.iter().any(|g| g.scheme == held.scheme);
    let mut kept: Vec<Identifier> = stored
        .iter()
        .filter(|held| !speaks(held) || given.contains(held))
        .cloned()
        .collect();
    kept.extend(given.drain(..).filter(|g| !stored.contains(g)));
    *given = kept;
}

fn former(text: &str) -> Name {
    Name {
        text: text.to_owned(),
        kind: NameKind::Former as i32,
        ..Name::default()
    }
}

/// Keeps stored names that came with a merge, and those of old; a name in use that the row replaces becomes one of old.
pub fn preserve_names(given: &mut Vec<Name>, display_name: &str, (old, stored): (&str, &[Name])) {
    let unknown = |text: &str, given: &[Name]| text != display_name && given.iter().all(|name| name.text != text);
    for name in stored {
        if name.kind() == NameKind::Former && name.merged_from.is_empty() && unknown(&name.text, given) {
            given.push(name.clone());
        }
    }
    if unknown(old, given) {
        given.push(former(old));
    }
    let merged = stored
        .iter()
        .filter(|name| !name.merged_from.is_empty() && !given.contains(name));
    let merged: Vec<Name> = merged.cloned().collect();
    given.extend(merged);
}

/// Identifiers in the stored order where they are the same ones.
pub fn keep_identifier_order(given: &mut [Identifier], stored: &[Identifier]) {
    if given.len() == stored.len() && given.iter().all(|held| stored.contains(held)) {
        given.clone_from_slice(stored);
    }
}

/// How a name fits those of a stored resource. Names of old, aliases and acronyms may be those of several: they do not make a row with
/// identifiers, which nobody has, into one of that resource.
pub fn fits((name, identifiers): (&str, &[Identifier]), display_name: &str, names: &[Name]) -> Fit {
    let same = |other: &str| text::same_name(name, other);
    let is_borne = |n: &Name| !n.merged_from.is_empty() || (n.kind() == NameKind::Official && n.end_date.is_empty());
    if same(display_name) || names.iter().any(|n| is_borne(n) && same(&n.text)) {
        Fit::Now
    } else if identifiers.is_empty() && names.iter().any(|n| same(&n.text)) {
        Fit::Loose
    } else {
        Fit::No
    }
}

/// What a subject is known by, for [`contradiction`]: name, other names, identifiers.
pub type Known<'a> = (&'a str, &'a [Name], &'a [Identifier]);

/// Why a row that shares a key with a stored resource is of another subject: another value of a scheme that identifies, or of any
/// scheme where they share none that does; or a name that has nothing to do with any of its names.
pub fn contradiction(row: Known<'_>, stored: Known<'_>, by_own: bool) -> Option<Violation> {
    let problem = |field: &str, description: String| Some(Violation::new(field, "RECORDS_DISAGREE", description));
    for (place, held) in row.2.iter().enumerate() {
        let mut of_scheme = stored.2.iter().filter(|other| other.scheme == held.scheme).peekable();
        let is_known = of_scheme.peek().is_some();
        let shares = |one: &Identifier| stored.2.iter().any(|other| is_one(one, other));
        let agrees = row.2.iter().any(|one| one.scheme == held.scheme && shares(one));
        if is_known && !agrees && (!by_own || identifier::identifies(&held.scheme)) {
            let said = format!("the record has another identifier of the scheme {}", held.scheme);
            return problem(&format!("identifiers[{place}].value"), said);
        }
    }
    let named = !row.0.trim().is_empty() && row.0 != stored.0;
    if named && alike::wholly_different(names_of(row.0, row.1), stored_names(stored).into_iter()) {
        return problem("display_name", "the record has a wholly different name".to_owned());
    }
    None
}

/// Whether a row that shares only a number with a stored person, of a sort that several houses give, has another surname or given name.
pub fn is_other_person(row: Known<'_>, stored: Known<'_>) -> bool {
    let named = !row.0.trim().is_empty() && row.0 != stored.0;
    named && alike::other_person(names_of(row.0, row.1), stored_names(stored).into_iter())
}

fn stored_names<'a>(stored: Known<'a>) -> Vec<&'a str> {
    names_of(stored.0, stored.1).collect()
}

/// Takes over the names of a duplicate, marked with where they come from.
pub fn absorb_names(names: &mut Vec<Name>, display_name: &str, other: &str, others: &[Name], from: &str) {
    // A name that came with another merge is taken once more, so that it stays when that one is taken back.
    let own_names = names.iter().filter(|n| n.merged_from.is_empty());
    let mut known: BTreeSet<String> = own_names.map(|n| n.text.clone()).collect();
    known.insert(display_name.to_owned());
    let own = Name {
        text: other.to_owned(),
        kind: NameKind::Alias as i32,
        ..Name::default()
    };
    for name in std::iter::once(&own).chain(others) {
        if known.insert(name.text.clone()) {
            names.push(Name {
                merged_from: from.to_owned(),
                ..name.clone()
            });
        }
    }
}

/// How the rank of a thing is read and set.
pub type Rank<T> = (fn(&T) -> i32, fn(&mut T, i32));

/// Ranks of things: all 0 (their order is their rank), or 1, 2, 3, … without gaps; then they are put in this order.
pub fn normalize_ranks<T>(items: &mut [T], field: &str, (get, set): Rank<T>, problems: &mut Violations) {
    if items.iter().any(|item| get(item) != 0) {
        items.sort_by_key(get);
        if !items.iter().map(get).eq((1..).take(items.len())) {
            let said = format!(
                "ranks are 1 to {} without gaps, each once, or all 0 for their order",
                items.len()
            );
            problems.add(field, "RANKS_NOT_CONTIGUOUS", said);
        }
        return;
    }
    for (item, rank) in items.iter_mut().zip(1..) {
        set(item, rank);
    }
}

/// Name and number of each value of an enum of the contract. Called once for each column.
pub fn enum_values(name: &str) -> &'static [(&'static str, i32)] {
    let values = mingce_proto::names::values(name)
        .into_iter()
        .map(|(name, number)| (&*name.leak(), number));
    Vec::leak(values.collect())
}

/// All names of a thing, the one in use first.
pub fn names_of<'a>(display_name: &'a str, names: &'a [Name]) -> impl Iterator<Item = &'a str> {
    std::iter::once(display_name).chain(names.iter().map(|name| name.text.as_str()))
}

/// The year of an ISO 8601 date; 0 where there is none.
pub fn year_of(date: &str) -> i32 {
    date.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_of_a_resource_with_a_problem_is_marked_and_nothing_else() {
        let (mut number, mut day) = ("X7".to_owned(), String::new());
        let mut found = Violations::default();
        found.before_decision(true, &mut [("number", &mut number), ("decision_date", &mut day)]);
        found.add("city", "NAME_EMPTY", "give a name");
        let found = found.into_inner();
        let marks: Vec<_> = found.iter().map(|p| (p.field.as_str(), p.is_taken_out)).collect();
        assert_eq!(marks, [("number", true), ("city", false)]);
        assert_eq!(number, "");
        // Of a row of history it does not count as given.
        let (mut number, mut found) = ("X7".to_owned(), Violations::default());
        found.before_decision(false, &mut [("number", &mut number)]);
        assert!(found.into_inner().is_empty() && number.is_empty());
    }
}
