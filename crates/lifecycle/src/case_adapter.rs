//! The cases of a collection as a kind of case without its type.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use futures_util::future::BoxFuture;
use mingce_orm::write::canonical::normalized;
use mingce_orm::write::store::Entered;
use mingce_orm::{AuditInfo, List, RequestContext, Result, Store, UnitOfWork, WriteResult};
use mingce_proto::Headed;
use mingce_proto::registry::{
    CaseFacts, CaseKind, CaseVerb, DecisionDifference, DueKind, HandlingTerms, Policy, RankedCase, ReviewTerms,
    UndecidedCase, View,
};
use prost::bytes::Bytes;

use crate::agenda::{self, Desk};
use crate::any::{CaseSummary, DocumentPage, DynCase};
use crate::by_itself::ByItself;
use crate::case::{Case, Parties, facts};
use crate::document;
use crate::due::{self, Batch, From, Row, Source};
use crate::eval_context::EvalContext;
use crate::in_force::InForce;
use crate::policy::policy_of;
use crate::ranking::{self, Ranking};
use crate::replay::{self, Marks, Tried};
use crate::replays::Wanted;
use crate::state_machine::{Phase, state_of};
use crate::transition::verbs;

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
                    let page = store.list::<C>(&cx.seeing_all(), wanted).await?;
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
                    &cx.seeing_all(),
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
                            state: state_of::<C>(item),
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
