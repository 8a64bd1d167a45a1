//! A kind of case without its type: what rounds, objections, panels and due work need of the cases that a process serves.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use futures_util::future::BoxFuture;
use mingce_orm::write::store::{Entered, normalized};
use mingce_orm::{AuditInfo, Error, List, RequestContext, Result, Store, UnitOfWork, WriteResult};
use mingce_proto::Headed;
use mingce_proto::registry::{
    CaseFacts, CaseKind, CaseVerb, DecisionDifference, DocumentOfCase, DueKind, HandlingTerms, Policy, RankedCase,
    ReviewTerms, UndecidedCase, View,
};
use prost::bytes::Bytes;

use crate::agenda::{self, Desk};
use crate::case::{Case, EvalContext, Parties, facts, on_enter, policy_of};
use crate::document;
use crate::due::{self, Batch, From, Row, Source};
use crate::in_force::InForce;
use crate::ranking::{self, Ranking};
use crate::replay::{self, Marks, Tried, Wanted};
use crate::state_machine::{Phase, StateEntry};
use crate::transition::verbs;

/// What others need to know of a case.
#[derive(Debug, Clone)]
pub struct CaseSummary {
    /// What it keeps of its way.
    pub facts: CaseFacts,
    /// Its title.
    pub display_name: String,
    /// Whether it is decided or has ended.
    pub is_decided: bool,
    /// Whether reviewers work on it.
    pub is_in_review: bool,
}

/// A page of documents with their cases, and the token for the next.
pub type DocumentPage = (Vec<DocumentOfCase>, String);

/// A kind of case that this process serves.
pub trait DynCase: fmt::Debug + Send + Sync {
    /// Which.
    fn kind(&self) -> CaseKind;
    /// What its collection is called.
    fn collection(&self) -> &'static str;
    /// Whether a resource name is one of its cases.
    fn owns(&self, name: &str) -> bool;
    /// A case.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn look(&self, work: &mut UnitOfWork, name: &str) -> Result<CaseSummary>;
    /// Changes what a case keeps of its way, in the transaction of the work.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn update_facts(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        stamp: &AuditInfo,
        name: &str,
        change: &dyn Fn(&mut CaseFacts),
    ) -> Result<WriteResult>;
    /// Whom a case is about.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn parties(&self, work: &mut UnitOfWork, name: &str) -> Result<Parties>;
    /// The terms of the review of a case.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn review_terms(&self, work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<ReviewTerms>;
    /// How long those who handle a case have.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn handling(&self, work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<HandlingTerms>;
    /// The level and the programme of a case that is under no policy yet: the one in force there decides it.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn undetermined(&self, work: &mut UnitOfWork, name: &str) -> Result<Option<(i32, String)>>;
    /// Which decisions on a case would differ under a draft.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn simulate(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        name: &str,
        draft: &Policy,
    ) -> Result<Vec<DecisionDifference>>;
    /// The entries of the ledger by which the decision of a case can be replayed; `None` where there is none.
    fn marks(&self, of_case: &[&Entered], of_beside: &[&Entered]) -> Option<Marks>;
    /// The name of the record that the rules of a case look at beside it.
    fn beside(&self, name: &str) -> Option<String>;
    /// Tries the rules of a decided case again.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn try_again(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        name: &str,
        past: (&Marks, &HashMap<i64, Bytes>),
        wanted: &Wanted<'_>,
    ) -> Result<Option<Tried>>;
    /// The names of the cases of rounds, up to one more than `most`.
    fn of_rounds<'a>(
        &'a self,
        store: &'a Store,
        cx: &'a RequestContext,
        rounds: &'a [String],
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>>>;
    /// The undecided cases of a round, at most 1000, and how many they are.
    fn undecided<'a>(
        &'a self,
        store: &'a Store,
        cx: &'a RequestContext,
        round: &'a str,
    ) -> BoxFuture<'a, Result<(Vec<UndecidedCase>, i64)>>;
    /// A page of the cases of a round in the order of their scores, and the token for the next.
    fn ranking<'a>(
        &'a self,
        store: &'a Store,
        at: &'a EvalContext,
        wanted: Ranking<'a>,
    ) -> BoxFuture<'a, Result<(Vec<RankedCase>, String)>>;
    /// Whether a case is in a round.
    ///
    /// # Errors
    /// While something is not loaded.
    fn is_in(&self, work: &mut UnitOfWork, round: &str) -> Result<bool>;
    /// Whether a case is under a policy.
    ///
    /// # Errors
    /// While something is not loaded.
    fn is_under(&self, work: &mut UnitOfWork, policy: &str) -> Result<bool>;
    /// Whether the policy in force says what falls due of records.
    fn is_counted(&self) -> bool;
    /// Where its due work is found.
    fn sources(&self, wanted: &due::Wanted, in_force: &InForce) -> Vec<Source>;
    /// Due work of a source from a place on.
    fn fetch<'a>(
        &'a self,
        desk: Desk<'a>,
        source: &'a Source,
        from: &'a From,
        size: usize,
        in_force: &'a InForce,
    ) -> BoxFuture<'a, Result<Batch>>;
    /// What is due of one case.
    fn of_case<'a>(
        &'a self,
        desk: Desk<'a>,
        name: &'a str,
        in_force: &'a InForce,
    ) -> BoxFuture<'a, Result<Option<Row>>>;
    /// Documents of decisions with their cases, by their numbers.
    fn documents<'a>(
        &'a self,
        store: &'a Store,
        cx: &'a RequestContext,
        wanted: document::Wanted<'a>,
    ) -> BoxFuture<'a, Result<DocumentPage>>;
    /// Does what falls due by itself for a case, once: one that is not due any more stays as it is.
    ///
    /// # Errors
    /// NOT_FOUND.
    fn by_itself(&self, work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<WriteResult>;
    /// What falls due by itself.
    fn automatic(&self) -> &'static [DueKind];
}

/// What a kind of case does by itself when something falls due.
pub trait ByItself: Case {
    /// What falls due by itself.
    const AUTOMATIC: &'static [DueKind] = &[];
    /// Whether a case does by itself what falls due for it: its policy can leave that to a clerk.
    fn is_automatic(item: &Self::Item, _policy: Option<&Policy>) -> bool {
        Self::AUTOMATIC.contains(&facts::<Self>(item).due())
    }
    /// Does it, in an edit.
    ///
    /// # Errors
    /// Where the verb cannot be done.
    fn by_itself(_work: &mut UnitOfWork, _at: &EvalContext, _item: &Self::Item) -> Result<Option<WriteResult>> {
        Ok(None)
    }
}

/// The cases of a collection.
pub struct CaseAdapter<C>(PhantomData<fn() -> C>);

impl<C> CaseAdapter<C> {
    /// The cases of a collection.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for CaseAdapter<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Case> fmt::Debug for CaseAdapter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(C::TABLE)
    }
}

impl<C: ByItself> DynCase for CaseAdapter<C> {
    fn kind(&self) -> CaseKind {
        C::KIND
    }

    fn collection(&self) -> &'static str {
        C::COLLECTION
    }

    fn owns(&self, name: &str) -> bool {
        C::shape().kind.id(name).is_some()
    }

    fn look(&self, work: &mut UnitOfWork, name: &str) -> Result<CaseSummary> {
        let item = work.require::<C>(name)?;
        let state = C::state(&item);
        Ok(CaseSummary {
            facts: facts::<C>(&item),
            display_name: C::display(work, &item)?,
            is_decided: matches!(C::state_machine().phase(state), Phase::Live | Phase::Ended),
            is_in_review: C::IN_REVIEW.contains(&state),
        })
    }

    fn update_facts(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        stamp: &AuditInfo,
        name: &str,
        change: &dyn Fn(&mut CaseFacts),
    ) -> Result<WriteResult> {
        let mut item = work.require::<C>(name)?;
        change(C::facts_mut(&mut item));
        work.update::<C>(&at.cx, stamp, &normalized::<C>(&item)?)
    }

    fn parties(&self, work: &mut UnitOfWork, name: &str) -> Result<Parties> {
        let item = work.require::<C>(name)?;
        C::parties(work, &item)
    }

    fn review_terms(&self, work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<ReviewTerms> {
        let item = work.require::<C>(name)?;
        let policy = policy_of::<C>(work, at, &item)?;
        Ok(policy.as_ref().and_then(C::review_terms).cloned().unwrap_or_default())
    }

    fn handling(&self, work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<HandlingTerms> {
        let item = work.require::<C>(name)?;
        let policy = policy_of::<C>(work, at, &item)?;
        Ok(policy.as_ref().and_then(C::handling).unwrap_or_default())
    }

    fn undetermined(&self, work: &mut UnitOfWork, name: &str) -> Result<Option<(i32, String)>> {
        let item = work.require::<C>(name)?;
        let scope = C::scope(&item);
        Ok(C::policy(&item)
            .is_empty()
            .then(|| (scope.level, scope.programme.to_owned())))
    }

    fn simulate(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        name: &str,
        draft: &Policy,
    ) -> Result<Vec<DecisionDifference>> {
        let item = work.require::<C>(name)?;
        let now = policy_of::<C>(work, at, &item)?;
        let before = verbs::<C>(work, at, &item, now.as_ref())?;
        let after = verbs::<C>(work, at, &item, Some(draft))?;
        let said = |verb: &CaseVerb| {
            if verb.open {
                return "open".to_owned();
            }
            let reasons: Vec<_> = verb.blockers.iter().map(|b| b.reason.as_str()).collect();
            reasons.join(",")
        };
        let of_case = DecisionDifference {
            name: name.to_owned(),
            display_name: C::display(work, &item)?,
            ..DecisionDifference::default()
        };
        let verbs = before.into_iter().zip(after).map(|(b, a)| DecisionDifference {
            decision: b.verb.clone(),
            before: said(&b),
            after: said(&a),
            before_blockers: b.blockers,
            after_blockers: a.blockers,
            ..of_case.clone()
        });
        let results = C::results(&item, now.as_ref(), draft)?.into_iter();
        let results = results.map(|(decision, before, after)| DecisionDifference {
            decision,
            before,
            after,
            ..of_case.clone()
        });
        let mut found: Vec<_> = verbs.chain(results).collect();
        found.retain(|one| one.before != one.after || one.before_blockers != one.after_blockers);
        Ok(found)
    }

    fn marks(&self, of_case: &[&Entered], of_beside: &[&Entered]) -> Option<Marks> {
        replay::marks::<C>(of_case, of_beside)
    }

    fn beside(&self, name: &str) -> Option<String> {
        C::beside(name).map(|(_, name)| name)
    }

    fn try_again(
        &self,
        work: &mut UnitOfWork,
        at: &EvalContext,
        name: &str,
        past: (&Marks, &HashMap<i64, Bytes>),
        wanted: &Wanted<'_>,
    ) -> Result<Option<Tried>> {
        replay::try_again::<C>(work, at, name, past, wanted)
    }

    fn of_rounds<'a>(
        &'a self,
        store: &'a Store,
        cx: &'a RequestContext,
        rounds: &'a [String],
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let mut names = Vec::new();
            for rounds in rounds.chunks(IN_FILTER) {
                let filter: Vec<String> = rounds.iter().map(|round| format!("case_round = \"{round}\"")).collect();
                let (filter, mut page_token) = (filter.join(" OR "), String::new());
                loop {
                    let wanted = List {
                        page_token: &page_token,
                        view: View::Basic as i32,
                        ..all(&filter)
                    };
                    let page = store.list::<C>(cx, wanted).await?;
                    for item in page.items()? {
                        names.push(item.head().name.to_owned());
                    }
                    if names.len() > most || page.next_page_token.is_empty() {
                        break;
                    }
                    page_token = page.next_page_token;
                }
            }
            Ok(names)
        })
    }

    fn undecided<'a>(
        &'a self,
        store: &'a Store,
        cx: &'a RequestContext,
        round: &'a str,
    ) -> BoxFuture<'a, Result<(Vec<UndecidedCase>, i64)>> {
        Box::pin(async move {
            let life = C::state_machine();
            let open = life
                .states
                .iter()
                .filter(|s| matches!(s.phase, Phase::Draft | Phase::Undecided));
            let states: Vec<_> = open.map(|s| format!("state = {}", s.code.to_uppercase())).collect();
            let filter = format!("case_round = \"{round}\" AND ({})", states.join(" OR "));
            let page = store
                .list::<C>(
                    cx,
                    List {
                        count: true,
                        ..all(&filter)
                    },
                )
                .await?;
            let items = page.items()?;
            let mut work = store.unit_of_work();
            let cases = store.try_edit(&mut work, |work| {
                let all: Vec<Result<UndecidedCase>> = items
                    .iter()
                    .map(|item| {
                        Ok(UndecidedCase {
                            name: item.head().name.to_owned(),
                            display_name: C::display(work, item)?,
                            state: document::state::<C>(item),
                        })
                    })
                    .collect();
                all.into_iter().collect::<Result<Vec<_>>>()
            });
            Ok((cases.await?, page.total_size))
        })
    }

    fn ranking<'a>(
        &'a self,
        store: &'a Store,
        at: &'a EvalContext,
        wanted: Ranking<'a>,
    ) -> BoxFuture<'a, Result<(Vec<RankedCase>, String)>> {
        Box::pin(ranking::page::<C>(store, at, wanted))
    }

    fn is_in(&self, work: &mut UnitOfWork, round: &str) -> Result<bool> {
        work.is_named::<C>("case_round", round, |item| {
            C::facts(item).map_or("", |facts| facts.round.as_str())
        })
    }

    fn is_under(&self, work: &mut UnitOfWork, policy: &str) -> Result<bool> {
        work.is_named::<C>("case_policy", policy, |item| {
            C::facts(item).map_or("", |facts| facts.policy.as_str())
        })
    }

    fn is_counted(&self) -> bool {
        !C::COUNTED.is_empty()
    }

    fn sources(&self, wanted: &due::Wanted, in_force: &InForce) -> Vec<Source> {
        agenda::sources::<C>(wanted, in_force)
    }

    fn fetch<'a>(
        &'a self,
        desk: Desk<'a>,
        source: &'a Source,
        from: &'a From,
        size: usize,
        in_force: &'a InForce,
    ) -> BoxFuture<'a, Result<Batch>> {
        Box::pin(agenda::fetch::<C>(desk, source, from, size, in_force))
    }

    fn of_case<'a>(
        &'a self,
        desk: Desk<'a>,
        name: &'a str,
        in_force: &'a InForce,
    ) -> BoxFuture<'a, Result<Option<Row>>> {
        Box::pin(agenda::of_case::<C>(desk, name, in_force))
    }

    fn documents<'a>(
        &'a self,
        store: &'a Store,
        cx: &'a RequestContext,
        wanted: document::Wanted<'a>,
    ) -> BoxFuture<'a, Result<DocumentPage>> {
        Box::pin(document::find::<C>(store, cx, wanted))
    }

    fn by_itself(&self, work: &mut UnitOfWork, at: &EvalContext, name: &str) -> Result<WriteResult> {
        let item = work.require::<C>(name)?;
        let facts = facts::<C>(&item);
        let is_due = !facts.due_date.is_empty() && facts.due_date <= at.today.to_string();
        if is_due
            && C::AUTOMATIC.contains(&facts.due())
            && let Some(answer) = C::by_itself(work, at, &item)?
        {
            return Ok(answer);
        }
        work.update::<C>(&at.cx, &AuditInfo::new("update"), &item)
    }

    fn automatic(&self) -> &'static [DueKind] {
        C::AUTOMATIC
    }
}

/// Lets what falls due follow from a case whose facts or dates were changed beside its verbs.
///
/// # Errors
/// Where a day cannot be computed.
pub fn due_again<C: Case>(item: &mut C::Item, at: &EvalContext, policy: Option<&Policy>) -> Result<()> {
    let day = facts::<C>(item).state_date;
    on_enter::<C>(item, &StateEntry { policy, at, by: None })?;
    C::facts_mut(item).state_date = day;
    Ok(())
}

/// How many resource names one filter asks for.
const IN_FILTER: usize = 50;

fn all(filter: &str) -> List<'_> {
    List {
        page_size: 1000,
        filter,
        view: View::Full as i32,
        ..List::default()
    }
}

/// The kind of case that has a name, of those that a process serves.
///
/// # Errors
/// INVALID_ARGUMENT where none has.
pub fn of_name(kinds: &[std::sync::Arc<dyn DynCase>], name: &str, field: &str) -> Result<std::sync::Arc<dyn DynCase>> {
    kinds.iter().find(|kind| kind.owns(name)).cloned().ok_or_else(|| {
        let said = format!("{name} is no case that this server serves: ask the service that does");
        Error::invalid(field, "CASE_ELSEWHERE", said)
    })
}
