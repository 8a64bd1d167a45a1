//! What several resources settle in the same way: names, identifiers, ranks, dates.

use std::collections::BTreeSet;

use mingce_proto::registry::{Identifier, Name, NameKind};

use crate::error::Violation;
use crate::identifier;
use crate::resource::Key;

/// What is wrong with a resource, as far as it was looked at.
#[derive(Debug, Default)]
pub struct Problems(Vec<Violation>);

impl Problems {
    /// Adds a wrong field.
    pub fn add(&mut self, field: impl Into<String>, reason: &'static str, description: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            reason,
            description: description.into(),
        });
    }

    /// Adds what an identifier check found.
    pub fn check(&mut self, field: impl Into<String>, result: Result<(), identifier::Fault>) {
        if let Err(fault) = result {
            self.add(field, fault.reason, fault.description);
        }
    }

    /// A name: trimmed, with something to see in it and nothing that cannot be seen and changes what is.
    pub fn name(&mut self, field: impl Into<String>, name: &mut String) {
        *name = name.trim().to_owned();
        let turns =
            |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        let seen =
            |c: char| !c.is_whitespace() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{ad}');
        if name.contains(turns) {
            let said = "a name holds no line break and no control or direction character";
            self.add(field, "NAME_UNSEEN_CHARACTER", said);
        } else if !name.contains(seen) {
            self.add(
                field,
                "NAME_EMPTY",
                "a name has at least one character that can be seen",
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

    /// All that was found.
    pub fn into_inner(self) -> Vec<Violation> {
        self.0
    }
}

/// Trims names, leaves out repeated ones and says what is wrong with their dates. A name without a kind is an alias.
pub fn settle_names(names: &mut Vec<Name>, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    names.retain_mut(|name| {
        name.text = name.text.trim().to_owned();
        if name.kind() == NameKind::Unspecified {
            name.set_kind(NameKind::Alias);
        }
        seen.insert((
            name.text.clone(),
            name.language.clone(),
            name.kind,
            name.merged_from.clone(),
        ))
    });
    for (place, name) in names.iter_mut().enumerate() {
        let at = format!("names[{place}]");
        problems.name(format!("{at}.text"), &mut name.text);
        problems.date(format!("{at}.start_date"), &name.start_date);
        problems.date(format!("{at}.end_date"), &name.end_date);
        problems.period(format!("{at}.end_date"), &name.start_date, &name.end_date);
    }
}

/// Brings identifiers into their canonical form, in one order, each once, and says which are none.
pub fn settle_identifiers(identifiers: &mut Vec<Identifier>, problems: &mut Problems) {
    for (place, held) in identifiers.iter_mut().enumerate() {
        match identifier::canonical(&held.scheme, &held.value) {
            Ok(value) => held.value = value,
            Err(fault) => problems.add(format!("identifiers[{place}].value"), fault.reason, fault.description),
        }
    }
    let mut seen = BTreeSet::new();
    identifiers.retain(|held| seen.insert((held.scheme.clone(), held.value.clone())));
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
            .map(|i| i.value.clone())
            .collect()
    };
    one.iter().map(|i| i.scheme.as_str()).any(|scheme| {
        let (a, b) = (values(one, scheme), values(other, scheme));
        !b.is_empty() && a.is_disjoint(&b)
    })
}

/// Keeps stored identifiers of the schemes that a source does not give, in the stored order.
pub fn keep_identifiers(given: &mut Vec<Identifier>, stored: &[Identifier]) {
    let speaks = |held: &Identifier| given.iter().any(|g| g.scheme == held.scheme);
    let mut kept: Vec<Identifier> = stored
        .iter()
        .filter(|held| !speaks(held) || given.contains(held))
        .cloned()
        .collect();
    kept.extend(given.drain(..).filter(|g| !stored.contains(g)));
    *given = kept;
}

/// Keeps stored names that came with a merge.
pub fn keep_names(given: &mut Vec<Name>, stored: &[Name]) {
    let merged = stored
        .iter()
        .filter(|name| !name.merged_from.is_empty() && !given.contains(name));
    let merged: Vec<Name> = merged.cloned().collect();
    given.extend(merged);
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
pub fn settle_ranks<T>(items: &mut [T], field: &str, (get, set): Rank<T>, problems: &mut Problems) {
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
