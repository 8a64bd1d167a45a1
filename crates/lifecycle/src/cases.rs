//! The cases of a service: verbs tried in transactions, one by one or many at once, and reads that say which verbs are open.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use mingce_orm::model::validate::check;
use mingce_orm::{Call, Collection, Edit, Error, RequestContext, Result, Store};
use mingce_proto::codec::Reply;
use mingce_proto::registry::{MoveOutcome, Round, View};
use mingce_proto::{DocumentedMutation, ResourceMutation, Validate};
use prost::Message;

use crate::agenda::next;
use crate::batch::{self, Given, Outcomes, Try};
use crate::calendar::Calendar;
use crate::caps::expect_fit;
use crate::case::Case;
use crate::dates::{dates, from_ledger};
use crate::eval_context::EvalContext;
use crate::in_force::in_force;
use crate::policy::{ensure_stored, policy_of};
use crate::round::Rounds;
use crate::state_machine::Stateful;
use crate::transition::{Command, Document, Step, verbs};

/// The cases of a service over its store.
#[derive(Debug, Clone, Copy)]
pub struct Cases<'a> {
    /// The store. Its tables are those of the service and the shared ones.
    pub store: &'a Store,
    /// The working days.
    pub calendar: &'a Arc<Calendar>,
}

/// A call of a verb: how it wants its change done, and what it is.
#[derive(Debug)]
pub struct Invocation<C: Stateful> {
    /// How.
    pub call: Call,
    /// What.
    pub wanted: Command<C>,
}

impl Cases<'_> {
    /// The moment of a call, without a policy that is in force.
    ///
    /// # Errors
    /// Where its time is no day.
    pub fn at(&self, cx: &RequestContext) -> Result<EvalContext> {
        EvalContext::new(cx, self.calendar)
    }

    /// The moment of a call on a case: one that is under no policy yet comes under the one that is in force.
    async fn moment<C: Case>(&self, cx: &RequestContext, item: &C::Item) -> Result<EvalContext> {
        let mut at = self.at(cx)?;
        if C::policy(item).is_empty() {
            let scope = C::scope(item);
            let policy = in_force(self.store, cx, C::KIND, scope, &at.today.to_string()).await?;
            at.scope = Some((scope.level, scope.programme.to_owned()));
            at.in_force = Some(Arc::new(policy));
        }
        Ok(at)
    }

    async fn read<C: Collection>(&self, cx: &RequestContext, name: &str) -> Result<C::Item> {
        match self.store.get::<C>(cx, name, View::Full as i32).await? {
            Reply::Message(item) => Ok(item),
            Reply::Encoded(body) => C::Item::decode(body).map_err(Error::internal),
        }
    }

    /// A case with the verbs that lead on from where it stands. VIEW_BASIC: without.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get<C: Case>(&self, cx: &RequestContext, name: &str, view: i32) -> Result<Reply<C::Item>> {
        if view == View::Basic as i32 {
            return self.store.get::<C>(cx, name, view).await;
        }
        let item = self.read::<C>(cx, name).await?;
        let at = self.moment::<C>(cx, &item).await?;
        let (item, open, next, dates) = self
            .store
            .look(|work| {
                // Read once more: what it says and what is open belong to one moment.
                let item = work.require::<C>(name)?;
                let policy = policy_of::<C>(work, &at, &item)?;
                let open = verbs::<C>(work, &at, &item, policy.as_ref())?;
                let next = next::<C>(&item, policy.as_ref(), &at)?;
                let dates = dates::<C>(work, &at, &item, policy.as_ref())?;
                Ok((item, open, next, dates))
            })
            .await?;
        let mut item = mingce_orm::model::resource::shown::<C>(&item)?;
        C::show(&mut item, open);
        from_ledger::<C>(self.store, cx, &mut item).await?;
        if !dates.is_empty() {
            C::facts_mut(&mut item).dates = dates;
        }
        let is_kept = C::facts(&item).map_or(("", 0), |facts| (&facts.due_date, facts.due)) == (&next.date, next.due);
        if !is_kept {
            // Of a record, or as an earlier version kept it.
            let facts = C::facts_mut(&mut item);
            facts.due_date = next.date;
            facts.due = next.due;
        }
        Ok(Reply::Message(item))
    }

    /// Tries a verb and answers the case as it then stands.
    ///
    /// # Errors
    /// NOT_FOUND, ABORTED, FAILED_PRECONDITION with what stands in the way.
    pub async fn execute<C: Case>(&self, cx: &RequestContext, called: Invocation<C>) -> Result<Reply<C::Item>> {
        self.try_once::<C>(cx, called).await
    }

    async fn try_once<C: Case>(&self, cx: &RequestContext, called: Invocation<C>) -> Result<Reply<C::Item>> {
        let at = match self.ready::<C>(cx, &called).await {
            Ok(at) => at,
            Err(error) => return self.store.answered::<C>(cx, &called.call).await?.ok_or(error),
        };
        let wanted = called.wanted;
        let edit: Edit = Box::new(move |work| wanted.apply(work, &at));
        self.store.change::<C>(cx, called.call, edit).await
    }

    /// What has to be known before a verb is tried: the policy in force, which is kept in the register from then on.
    async fn ready<C: Case>(&self, cx: &RequestContext, called: &Invocation<C>) -> Result<EvalContext> {
        let item = self.read::<C>(cx, &called.wanted.step.name).await?;
        if !called.wanted.arrives {
            // It comes under no policy by that.
            return self.at(cx);
        }
        let mut at = self.moment::<C>(cx, &item).await?;
        if called.call.is_dry() {
            return Ok(at);
        }
        if let Some(policy) = at.in_force.take() {
            at.in_force = Some(Arc::new(ensure_stored(self.store, cx, (*policy).clone()).await?));
        }
        Ok(at)
    }

    /// Tries many verbs, each with its own outcome; `atomic`: all or none. A move is `None` where it names no verb.
    ///
    /// # Errors
    /// Where one case stands twice, and where a move of an atomic batch is none. What stands in the way of a move is in its outcome.
    pub async fn batch<C: Case, M>(
        &self,
        cx: &RequestContext,
        moves: impl Iterator<Item = Option<Asked<C>>>,
        atomic: bool,
    ) -> Result<Reply<M>> {
        let asked = batch::read("moves", moves, atomic)?;
        let called = || asked.iter().filter_map(|one| one.as_ref().ok());
        let names: BTreeSet<&str> = called().map(|called| called.wanted.step.name.as_str()).collect();
        if names.len() < called().count() {
            let said = "a case stands twice: one move for each, and another call for the next";
            return Err(Error::invalid("moves", "CASE_TWICE", said));
        }
        let ready = join_all(called().map(|called| self.ready::<C>(cx, called))).await;
        let mut ready = ready.into_iter();
        let parts = asked.into_iter().map(|one| {
            let at = if one.is_ok() { ready.next() } else { None };
            one.map(|called| {
                to_try(
                    called,
                    at.unwrap_or_else(|| Err(Error::internal("a move without a moment"))),
                )
            })
        });
        let mut outcomes = batch::run(self.store, cx, parts.collect(), atomic).await?;
        self.entitle::<C>(&mut outcomes).await;
        let done = i32::try_from(outcomes.iter().filter(|o| o.done).count()).unwrap_or(i32::MAX);
        Ok(Reply::Encoded(Outcomes { outcomes, done }.encode_to_vec().into()))
    }

    /// Gives each outcome the title of its case. What was done is done: where the titles cannot be read there are none.
    async fn entitle<C: Case>(&self, outcomes: &mut [MoveOutcome]) {
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
        let mut work = self.store.unit_of_work();
        let titles = self.store.try_edit(&mut work, |work| {
            let title = |name: &&str| {
                let item = work.require::<C>(name)?;
                C::display(work, &item)
            };
            Ok(names
                .iter()
                .map(title)
                .map(Result::unwrap_or_default)
                .collect::<Vec<_>>())
        });
        let Ok(titles) = titles.await else { return };
        for (outcome, title) in outcomes.iter_mut().zip(titles) {
            outcome.display_name = title;
        }
    }

    /// A round that a case can be in, for its draft.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT, reason `ROUND_OF_OTHER_KIND`.
    pub async fn round_for<C: Case>(&self, cx: &RequestContext, name: &str, item: &C::Item) -> Result<Round> {
        let round = self.read::<Rounds>(cx, name).await?;
        expect_fit::<C>(&round, item)?;
        Ok(round)
    }
}

/// A move of a batch as what is tried.
fn to_try<C: Case>(called: Invocation<C>, at: Result<EvalContext>) -> Try {
    let name = called.wanted.step.name.clone();
    let (held, wanted) = (name.clone(), called.wanted);
    Try {
        name,
        call: called.call,
        at,
        hold: Box::new(move |work| work.require::<C>(&held).map(drop)),
        act: Box::new(move |work, at| wanted.apply(work, at)),
    }
}

/// What a request of a verb says beside what the verb itself needs.
pub fn invocation_of(request: &impl ResourceMutation) -> (Call, Step) {
    let call = Call::of(request);
    let step = Step {
        name: request.name().to_owned(),
        etag: request.etag().to_owned(),
        stamp: call.stamp("", request.reason()),
        ..Step::default()
    };
    (call, step)
}

/// The same of a request that names the document of a decision.
pub fn documented_invocation_of(request: &impl DocumentedMutation) -> (Call, Step) {
    let (call, mut step) = invocation_of(request);
    step.document = Document {
        number: request.document_number().to_owned(),
        issuer: request.issuer().to_owned(),
    };
    (call, step)
}

/// A move of a batch: the call of its verb, and what is wrong with its request.
pub type Asked<C> = Given<Invocation<C>>;

/// The call of a verb by a request, which is the field `field` of a move.
pub fn asked<R: Validate, C: Stateful>(field: &str, request: R, verb: impl Fn(R) -> Invocation<C>) -> Asked<C> {
    let broken = check(&request, field);
    let wanted = verb(request);
    Given {
        name: wanted.wanted.step.name.clone(),
        wanted,
        broken,
    }
}
