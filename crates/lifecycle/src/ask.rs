//! Who has to do what on a case, and when: what a kind of case says of its due work.

use jiff::civil::Date;
use mingce_orm::Result;
use mingce_proto::registry::{DueActor, DueKind, HandlingTerms, Policy};

/// Who has to do what on a case in a state.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The state.
    pub state: i32,
    /// What falls due.
    pub due: DueKind,
    /// Who acts.
    pub actor: DueActor,
    /// By which verbs; one of them does it.
    pub verbs: &'static [&'static str],
    /// It waits from the first day in the state on, whether or not a day is set.
    pub waits: bool,
}

impl Ask {
    /// What is asked for on a day.
    pub const fn on_day(state: i32, due: DueKind, actor: DueActor, verbs: &'static [&'static str]) -> Self {
        Self {
            state,
            due,
            actor,
            verbs,
            waits: false,
        }
    }

    /// What is asked for at once, and on a day where one is set.
    pub const fn at_once(state: i32, due: DueKind, actor: DueActor, verbs: &'static [&'static str]) -> Self {
        Self {
            waits: true,
            ..Self::on_day(state, due, actor, verbs)
        }
    }
}

/// What falls due of a record so long after [`Case::counts_from`](crate::Case::counts_from), by the policy in force.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// In which state.
    pub state: i32,
    /// What falls due.
    pub due: DueKind,
    /// After how many months; 0: never.
    pub months: fn(&Policy) -> i32,
    /// The day so many months later: the last of a term, or the one after it.
    pub day: fn(Date, i32) -> Result<Date>,
    /// Which records beside that, as a filter; by the day of the call.
    pub only: fn(&str) -> String,
}

/// How long those who handle cases have, by a policy of any kind.
pub fn handling(policy: &Policy) -> Option<HandlingTerms> {
    let each = [
        policy.lab_designation.as_ref().and_then(|terms| terms.handling),
        policy.talent_designation.as_ref().and_then(|terms| terms.handling),
        policy.nominating_body.as_ref().and_then(|terms| terms.handling),
        policy.recommendation.as_ref().and_then(|terms| terms.handling),
        policy.award.as_ref().and_then(|terms| terms.handling),
    ];
    each.into_iter().flatten().next()
}
