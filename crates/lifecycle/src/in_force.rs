//! Which policy holds for which case on a day.

use std::collections::BTreeMap;

use mingce_orm::{List, RequestContext, Result, Store};
use mingce_proto::registry::{CaseKind, Policy};

use crate::case::Scope;
use crate::due::quoted;
use crate::policy::{Policies, built_in};

/// The policies of a kind that are in force on a day: of those that have begun, for each programme and level the one that began last, and of
/// those that began on one day the one that was loaded last. For a case the one for just its programme and level holds, else for the
/// programme, else for the level, else for all; where none was loaded for all, the one that the program ships, which then has no name.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// Those for the fewest cases first.
    policies: Vec<Policy>,
}

impl InForce {
    /// Reads them.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn read(store: &Store, cx: &RequestContext, kind: CaseKind, day: &str) -> Result<Self> {
        let filter = format!("kind = {} AND start_date <= \"{day}\"", kind.as_str_name());
        let mut best: BTreeMap<(bool, bool, String, i32), Policy> = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let list = List {
                page_size: 1000,
                page_token: &page_token,
                filter: &filter,
                view: 2,
                ..List::default()
            };
            let page = store.list::<Policies>(&cx.seeing_all(), list).await?;
            for policy in page.items()? {
                let (programme, level) = (policy.programme.clone(), policy.level);
                let place = (programme.is_empty(), level == 0, programme, level);
                let began = |policy: &Policy| (policy.start_date.clone(), policy.name.clone());
                let is_later = best.get(&place).is_none_or(|best| began(&policy) > began(best));
                if is_later {
                    best.insert(place, policy);
                }
            }
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        let mut policies: Vec<Policy> = best.into_values().collect();
        if !policies.last().is_some_and(is_for_all) {
            policies.push(built_in(kind)?);
        }
        Ok(Self { policies })
    }

    /// The one that holds for a case.
    pub fn of(&self, scope: Scope<'_>) -> Option<&Policy> {
        let fits = |policy: &&Policy| {
            (policy.programme.is_empty() || policy.programme == scope.programme)
                && (policy.level == 0 || policy.level == scope.level)
        };
        self.policies.iter().find(fits)
    }

    /// Each with a filter of the cases that it holds for; where there are very many, with one that takes more.
    pub fn scopes(&self) -> impl Iterator<Item = (&Policy, String)> {
        let own = |policy: &Policy| {
            let level = (policy.level != 0).then(|| format!("level = {}", policy.level().as_str_name()));
            let programme = Some(&policy.programme).filter(|text| !text.is_empty());
            let programme = programme.map(|text| format!("programme = {}", quoted(text)));
            [level, programme]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" AND ")
        };
        self.policies.iter().enumerate().map(move |(place, policy)| {
            // Where there are more, those who read look at each case once more.
            let others = self.policies.iter().take(place).filter(|other| overlap(policy, other));
            let others = others.take(MOST_OTHERS).map(|other| format!("NOT ({})", own(other)));
            let mine = Some(own(policy)).filter(|own| !own.is_empty());
            (policy, mine.into_iter().chain(others).collect::<Vec<_>>().join(" AND "))
        })
    }
}

/// More are not named in a filter.
const MOST_OTHERS: usize = 30;

/// Whether there can be a case for which both are.
fn overlap(one: &Policy, other: &Policy) -> bool {
    (one.level == 0 || other.level == 0 || one.level == other.level)
        && (one.programme.is_empty() || other.programme.is_empty() || one.programme == other.programme)
}

fn is_for_all(policy: &Policy) -> bool {
    policy.programme.is_empty() && policy.level == 0
}

/// The policy that holds for a case of a kind on a day, see [`InForce`].
///
/// # Errors
/// Where the database cannot be read.
pub async fn in_force(
    store: &Store,
    cx: &RequestContext,
    kind: CaseKind,
    scope: Scope<'_>,
    day: &str,
) -> Result<Policy> {
    let found = InForce::read(store, cx, kind, day).await?.of(scope).cloned();
    found.map_or_else(|| built_in(kind), Ok)
}

#[cfg(test)]
mod tests {
    use mingce_proto::registry::Level;

    use super::*;

    fn policy(programme: &str, level: Level) -> Policy {
        Policy {
            programme: programme.to_owned(),
            level: level as i32,
            ..Policy::default()
        }
    }

    #[test]
    fn each_case_has_one_policy_and_the_filters_say_which() {
        let all = InForce {
            policies: vec![
                policy("甲\"", Level::District),
                policy("乙", Level::Unspecified),
                policy("", Level::District),
                policy("", Level::Unspecified),
            ],
        };
        let filters: Vec<String> = all.scopes().map(|(_, filter)| filter).collect();
        assert_eq!(
            filters,
            [
                r#"level = LEVEL_DISTRICT AND programme = "甲\"""#,
                r#"programme = "乙""#,
                r#"level = LEVEL_DISTRICT AND NOT (level = LEVEL_DISTRICT AND programme = "甲\"") AND NOT (programme = "乙")"#,
                r#"NOT (level = LEVEL_DISTRICT AND programme = "甲\"") AND NOT (programme = "乙") AND NOT (level = LEVEL_DISTRICT)"#,
            ]
        );
        let of = |programme: &str, level: Level| {
            let level = level as i32;
            let found = all.of(Scope { level, programme }).unwrap();
            all.policies.iter().position(|policy| policy == found).unwrap()
        };
        assert_eq!(of("甲\"", Level::District), 0);
        assert_eq!(of("乙", Level::District), 1);
        assert_eq!(of("甲", Level::District), 2);
        assert_eq!(of("甲\"", Level::National), 3);
    }
}
