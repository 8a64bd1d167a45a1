//! What two records share, and what tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use mingce_proto::registry::{DuplicateReason, Identifier, Name, NameKind};

use crate::model::identifier::identifies;
use crate::model::likeness::{Beside, Likeness};
use crate::model::normalize::names_of;
use crate::text;

/// A city as it is compared: 青岛市 is 青岛.
pub(super) fn place(city: &str) -> String {
    let folded = text::fold(city);
    folded.strip_suffix('市').map_or(folded.clone(), str::to_owned)
}

/// What two records share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub reasons: Vec<i32>,
    /// Names as they are compared, and as the first writes them.
    pub names: BTreeMap<String, String>,
    pub identifiers: Vec<Identifier>,
    /// Identifiers that are written differently, as [`loosely`] has them.
    pub keys: BTreeSet<String>,
    pub differing: Vec<String>,
}

impl Shared {
    pub fn of(a: &Likeness<'_>, b: &Likeness<'_>) -> Self {
        let mut shared = Self::default();
        for one in a.identifiers {
            let loose = loosely(&one.scheme, &one.value);
            let mut same = b
                .identifiers
                .iter()
                .filter(|other| other.scheme == one.scheme && loosely(&other.scheme, &other.value) == loose)
                .peekable();
            if same.peek().is_none() {
                continue;
            }
            if same.any(|other| text::grouped(&other.value) != text::grouped(&one.value)) {
                shared.keys.insert(loose);
            }
            shared.identifiers.push(one.clone());
        }
        if !shared.identifiers.is_empty() {
            shared.reasons.push(DuplicateReason::Identifier as i32);
        }
        shared.differing = differing(a.identifiers, b.identifiers);
        let reason = match (a.beside, b.beside) {
            (Beside::City(one), Beside::City(other)) => match (place(one), place(other)) {
                (one, other) if one.is_empty() || other.is_empty() => Some(DuplicateReason::NameWithoutCity),
                (one, other) => (one == other).then_some(DuplicateReason::NameAndCity),
            },
            (Beside::BirthYear(one), Beside::BirthYear(other)) => {
                (one != 0 && one == other).then_some(DuplicateReason::NameAndBirthYear)
            }
            _ => None,
        };
        if let Some(reason) = reason {
            shared.names = shared_names(a, b);
            shared
                .reasons
                .extend((!shared.names.is_empty()).then_some(reason as i32));
        }
        shared
    }
}

/// Names that both have, of which one at least is in use by its own; acronyms are those of many. Persons are compared by the name in
/// use alone: that of one is the Latin name of many.
fn shared_names(a: &Likeness<'_>, b: &Likeness<'_>) -> BTreeMap<String, String> {
    if matches!(a.beside, Beside::BirthYear(_)) {
        let name = unspaced(a.display_name);
        let same = name == unspaced(b.display_name) && !name.is_empty();
        return same.then(|| (name, a.display_name.to_owned())).into_iter().collect();
    }
    let known = |of: &Likeness<'_>| -> BTreeMap<String, String> {
        let acronyms = |text: &&str| {
            of.names
                .iter()
                .all(|n| n.kind() != NameKind::Acronym || n.text != **text)
        };
        let names = names_of(of.display_name, of.names).filter(acronyms);
        names.map(|name| (text::fold(name), name.to_owned())).collect()
    };
    let in_use = |of: &Likeness<'_>| -> BTreeSet<String> {
        let official = |n: &&Name| n.kind() == NameKind::Official && n.end_date.is_empty();
        let names = of.names.iter().filter(official).map(|name| name.text.as_str());
        std::iter::once(of.display_name).chain(names).map(text::fold).collect()
    };
    let (a_known, b_known, a_used, b_used) = (known(a), known(b), in_use(a), in_use(b));
    let shared = a_known.into_iter().filter(|(name, _)| {
        !name.is_empty() && b_known.contains_key(name) && (a_used.contains(name) || b_used.contains(name))
    });
    shared.collect()
}

/// A name without the blanks that some tables have in Chinese ones.
fn unspaced(name: &str) -> String {
    let folded = text::fold(name);
    if folded.is_ascii() {
        folded
    } else {
        folded.replace(' ', "")
    }
}

fn differing(a: &[Identifier], b: &[Identifier]) -> Vec<String> {
    let values = |of: &[Identifier], scheme: &str| -> BTreeSet<String> {
        let held = of.iter().filter(|held| held.scheme == scheme);
        held.map(|held| held.value.clone()).collect()
    };
    let schemes: BTreeSet<&str> = a
        .iter()
        .map(|held| held.scheme.as_str())
        .filter(|scheme| identifies(scheme))
        .collect();
    let differ = |scheme: &&str| {
        let (one, other) = (values(a, scheme), values(b, scheme));
        !other.is_empty() && one.is_disjoint(&other)
    };
    schemes.into_iter().filter(differ).map(str::to_owned).collect()
}

/// What says nothing in an identifier.
pub(super) const SEPARATORS: [char; 8] = ['-', ' ', '.', '/', '_', ':', '(', ')'];

/// The key of an identifier without separators, in capitals.
fn loosely(scheme: &str, value: &str) -> String {
    let value: String = text::grouped(value)
        .chars()
        .filter(|c| !SEPARATORS.contains(c))
        .collect();
    format!("identifiers/{scheme}/{}", value.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known<'a>(display_name: &'a str, names: &'a [Name], city: &'a str) -> Likeness<'a> {
        Likeness {
            display_name,
            names,
            identifiers: &[],
            beside: Beside::City(city),
            unverified: false,
            distinct_from: &[],
        }
    }

    fn reasons(a: &Likeness<'_>, b: &Likeness<'_>) -> Vec<DuplicateReason> {
        let found = Shared::of(a, b).reasons;
        found.into_iter().filter_map(|reason| reason.try_into().ok()).collect()
    }

    #[test]
    fn a_name_is_shared_however_it_is_written_and_a_city_with_and_without_its_rank() {
        let one = known("青岛样例大学", &[], "青岛市");
        assert_eq!(
            reasons(&one, &known("青島樣例大學", &[], "青岛")),
            [DuplicateReason::NameAndCity]
        );
        assert_eq!(
            reasons(&one, &known("青岛样例大学", &[], "")),
            [DuplicateReason::NameWithoutCity]
        );
        assert_eq!(reasons(&one, &known("青岛样例大学", &[], "济南")), []);
        assert_eq!(reasons(&one, &known("青岛样例学院", &[], "青岛")), []);
    }

    #[test]
    fn an_acronym_or_two_aliases_are_no_shared_name() {
        let name = |text: &str, kind: NameKind| Name {
            text: text.to_owned(),
            kind: kind.into(),
            ..Name::default()
        };
        let (acronym, alias, official) = (
            [name("ABC", NameKind::Acronym)],
            [name("样例", NameKind::Alias)],
            [name("样例", NameKind::Official)],
        );
        assert_eq!(reasons(&known("甲", &acronym, "A"), &known("乙", &acronym, "A")), []);
        assert_eq!(reasons(&known("甲", &alias, "A"), &known("乙", &alias, "A")), []);
        assert_eq!(
            reasons(&known("甲", &alias, "A"), &known("乙", &official, "A")),
            [DuplicateReason::NameAndCity]
        );
        assert_eq!(
            reasons(&known("样例", &[], "A"), &known("乙", &alias, "A")),
            [DuplicateReason::NameAndCity]
        );
    }

    #[test]
    fn an_identifier_is_the_same_without_its_separators() {
        assert_eq!(loosely("grid", "grid.12-3 4"), "identifiers/grid/GRID1234");
        assert_eq!(loosely("lab-number", "（鲁）AB-1"), "identifiers/lab-number/鲁AB1");
    }

    #[test]
    fn a_blank_in_a_chinese_name_is_none_and_one_between_words_is() {
        assert_eq!(unspaced("张 三"), unspaced("張三"));
        assert_ne!(unspaced("Ann Li"), unspaced("Annli"));
    }
}
