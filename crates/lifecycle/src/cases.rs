//! The cases of a service: verbs tried in transactions, one by one or many at once, and reads that say which verbs are open.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use mingce_orm::rules::check;
use mingce_orm::{Answer, Call, Collection, Cx, Edit, Error, Result, Store, Violation, Work};
use mingce_proto::codec::Reply;
use mingce_proto::registry::{MoveOutcome, Round, View};
use mingce_proto::{MOST_VIOLATIONS, Validate};
use prost::Message;

use crate::calendar::Calendar;
use crate::case::{At, Case, policy_of};
use crate::cross::{Move, shown, verbs};
use crate::life::Living;
use crate::policy::{in_force, kept};
use crate::round::{Rounds, expect_fit};

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
pub struct Called<C: Living> {
    /// How.
    pub call: Call,
    /// What.
    pub wanted: Move<C>,
}

/// What a batch answers, in the encoding of the response of every BatchMove method.
#[derive(Clone, PartialEq, Message)]
struct Outcomes {
    #[prost(message, repeated, tag = "1")]
    outcomes: Vec<MoveOutcome>,
    #[prost(int32, tag = "2")]
    done: i32,
}

impl Cases<'_> {
    /// The moment of a call, without a policy that is in force.
    ///
    /// # Errors
    /// Where its time is no day.
    pub fn at(&self, cx: &Cx) -> Result<At> {
        At::new(cx, self.calendar)
    }

    /// The moment of a call on a case: one that is under no policy yet comes under the one that is in force.
    async fn moment<C: Case>(&self, cx: &Cx, item: &C::Item) -> Result<At> {
        let mut at = self.at(cx)?;
        if C::policy(item).is_empty() {
            let scope = C::scope(item);
            let policy = in_force(self.store, cx, C::KIND, scope, &at.today.to_string()).await?;
            at.scope = Some((scope.level, scope.programme.to_owned()));
            at.in_force = Some(Arc::new(policy));
        }
        Ok(at)
    }

    async fn read<C: Collection>(&self, cx: &Cx, name: &str) -> Result<C::Item> {
        match self.store.get::<C>(cx, name, View::Full as i32).await? {
            Reply::Message(item) => Ok(item),
            Reply::Encoded(body) => C::Item::decode(body).map_err(Error::internal),
        }
    }

    /// A case with the verbs that lead on from where it stands. VIEW_BASIC: without.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get<C: Case>(&self, cx: &Cx, name: &str, view: i32) -> Result<Reply<C::Item>> {
        if view == View::Basic as i32 {
            return self.store.get::<C>(cx, name, view).await;
        }
        let item = self.read::<C>(cx, name).await?;
        let at = self.moment::<C>(cx, &item).await?;
        let (item, open) = self
            .store
            .look(|work| {
                // Read once more: what it says and what is open belong to one moment.
                let item = work.require::<C>(name)?;
                let policy = policy_of::<C>(work, &at, &item)?;
                let open = verbs::<C>(work, &at, &item, policy.as_ref())?;
                Ok((item, open))
            })
            .await?;
        let mut item = mingce_orm::resource::shown::<C>(&item)?;
        C::show(&mut item, open);
        Ok(Reply::Message(item))
    }

    /// Tries a verb and answers the case as it then stands.
    ///
    /// # Errors
    /// NOT_FOUND, ABORTED, FAILED_PRECONDITION with what stands in the way.
    pub async fn go<C: Case>(&self, cx: &Cx, called: Called<C>) -> Result<Reply<C::Item>> {
        self.answer::<C>(cx, called).await
    }

    async fn answer<C: Case>(&self, cx: &Cx, called: Called<C>) -> Result<Reply<C::Item>> {
        let at = match self.ready::<C>(cx, &called).await {
            Ok(at) => at,
            Err(error) => return self.store.answered::<C>(cx, &called.call).await?.ok_or(error),
        };
        let wanted = called.wanted;
        let edit: Edit = Box::new(move |work| wanted.cross(work, &at));
        self.store.change::<C>(cx, called.call, edit).await
    }

    /// What has to be known before a verb is tried: the policy in force, which is kept in the register from then on.
    async fn ready<C: Case>(&self, cx: &Cx, called: &Called<C>) -> Result<At> {
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
            at.in_force = Some(Arc::new(kept(self.store, cx, (*policy).clone()).await?));
        }
        Ok(at)
    }

    /// Tries many verbs, each with its own outcome; `atomic`: all or none. A move is `None` where it names no verb.
    ///
    /// # Errors
    /// Where one case stands twice, and where a move of an atomic batch is none. What stands in the way of a move is in its outcome.
    pub async fn batch<C: Case, M>(
        &self,
        cx: &Cx,
        moves: impl Iterator<Item = Option<Asked<C>>>,
        atomic: bool,
    ) -> Result<Reply<M>> {
        let asked = read(moves, atomic)?;
        let called = || asked.iter().filter_map(|one| one.as_ref().ok());
        let names: BTreeSet<&str> = called().map(|called| called.wanted.step.name.as_str()).collect();
        if names.len() < called().count() {
            let said = "a case stands twice: one move for each, and another call for the next";
            return Err(Error::invalid("moves", "CASE_TWICE", said));
        }
        let mut outcomes = if atomic {
            self.all_or_none(cx, asked.into_iter().flatten().collect()).await?
        } else {
            self.one_by_one(cx, asked).await?
        };
        self.entitle::<C>(&mut outcomes).await;
        let done = i32::try_from(outcomes.iter().filter(|o| o.done).count()).unwrap_or(i32::MAX);
        Ok(Reply::Encoded(Outcomes { outcomes, done }.encode_to_vec().into()))
    }

    /// Gives each outcome the title of its case. What was done is done: where the titles cannot be read there are none.
    async fn entitle<C: Case>(&self, outcomes: &mut [MoveOutcome]) {
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
        let mut work = self.store.rehearsal();
        let titles = self.store.rehearse(&mut work, |work| {
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

    /// Each alone, in the order of the request: of two for the last place the first one gets it.
    async fn one_by_one<C: Case>(
        &self,
        cx: &Cx,
        asked: Vec<Result<Called<C>, Box<MoveOutcome>>>,
    ) -> Result<Vec<MoveOutcome>> {
        let ready = join_all(asked.iter().map(|one| async move {
            match one {
                Ok(called) => Some(self.ready::<C>(cx, called).await),
                Err(_) => None,
            }
        }))
        .await;
        let mut outcomes: Vec<Option<MoveOutcome>> = asked.iter().map(|_| None).collect();
        let (mut edits, mut waiting): (Vec<Edit>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
        for (place, (one, at)) in asked.into_iter().zip(ready).enumerate() {
            let outcome = match (one, at) {
                (Err(outcome), _) => *outcome,
                (Ok(called), Some(Ok(at))) if !called.call.is_dry() => {
                    waiting.push((place, called.wanted.step.name.clone()));
                    let edit: Edit = Box::new(move |work| try_once(work, &called, &at));
                    edits.push(edit);
                    if edits.len() >= PIECE {
                        self.written(cx, &mut edits, &mut waiting, &mut outcomes).await?;
                    }
                    continue;
                }
                (Ok(called), _) => {
                    // Those before it come first.
                    self.written(cx, &mut edits, &mut waiting, &mut outcomes).await?;
                    let name = called.wanted.step.name.clone();
                    match self.answer::<C>(cx, called).await {
                        Ok(reply) => done::<C>(name, reply),
                        Err(error) => refused(name, &error),
                    }
                }
            };
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(outcome);
            }
        }
        self.written(cx, &mut edits, &mut waiting, &mut outcomes).await?;
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Writes what waits, in its order, and puts what became of it into its places.
    async fn written(
        &self,
        cx: &Cx,
        edits: &mut Vec<Edit>,
        waiting: &mut Vec<(usize, String)>,
        outcomes: &mut [Option<MoveOutcome>],
    ) -> Result<()> {
        let answers = self.store.change_each(cx, std::mem::take(edits)).await?;
        for ((place, name), answer) in waiting.drain(..).zip(answers) {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(match answer {
                    Ok(answer) => done_as(name, answer.revision),
                    Err(error) => refused(name, &error),
                });
            }
        }
        Ok(())
    }

    async fn all_or_none<C: Case>(&self, cx: &Cx, calls: Vec<Called<C>>) -> Result<Vec<MoveOutcome>> {
        let ready = join_all(calls.iter().map(|called| self.ready::<C>(cx, called))).await;
        let dry = calls.iter().any(|called| called.call.is_dry());
        let tries: Vec<(Called<C>, Result<At>)> = calls.into_iter().zip(ready).collect();
        let edit: Edit = Box::new(move |work| {
            let mut outcomes = try_each(work, &tries)?;
            if !outcomes.iter().all(|outcome| outcome.done) {
                work.forget();
                for outcome in outcomes.iter_mut().filter(|outcome| outcome.done) {
                    outcome.done = false;
                    outcome.revision = 0;
                    "BATCH_REFUSED".clone_into(&mut outcome.reason);
                    "it could be done, but not all of the batch can".clone_into(&mut outcome.message);
                }
            }
            Ok(Answer::of(&Outcomes { outcomes, done: 0 }))
        });
        let answer = if dry {
            self.store.rehearse(&mut self.store.dry_run(), &edit).await?
        } else {
            let mut written = self.store.change_each(cx, [edit]).await?;
            written
                .pop()
                .ok_or_else(|| Error::internal("a writer answered nothing"))??
        };
        let answer = Outcomes::decode(answer.body).map_err(Error::internal)?;
        Ok(answer.outcomes)
    }

    /// A round that a case can be in, for its draft.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT, reason `ROUND_OF_OTHER_KIND`.
    pub async fn round_for<C: Case>(&self, cx: &Cx, name: &str, item: &C::Item) -> Result<Round> {
        let round = self.read::<Rounds>(cx, name).await?;
        expect_fit::<C>(&round, item)?;
        Ok(round)
    }
}

/// Tries moves one upon the other. Goes on after one that cannot be done, so that all that is needed is asked for at once.
fn try_each<C: Case>(work: &mut Work, tries: &[(Called<C>, Result<At>)]) -> Result<Vec<MoveOutcome>> {
    let mut outcomes = Vec::with_capacity(tries.len());
    for (called, at) in tries {
        let name = called.wanted.step.name.clone();
        let tried = at
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|at| try_once(work, called, at));
        outcomes.push(match tried {
            Ok(answer) => done_as(name, answer.revision),
            Err(error) => refused(name, &error),
        });
    }
    Ok(outcomes)
}

/// Tries a move, unless it was done before.
fn try_once<C: Case>(work: &mut Work, called: &Called<C>, at: &At) -> Result<Answer> {
    let Some(once) = called.call.once() else {
        return called.wanted.cross(work, at);
    };
    // Both are asked for at once: the case is locked before earlier requests are looked for.
    let known = work.require::<C>(&called.wanted.step.name);
    let earlier = work.answered(&at.cx, once);
    known?;
    if let Some(answer) = earlier? {
        return Ok(answer);
    }
    let answer = called.wanted.cross(work, at)?;
    work.remember(&at.cx, once, &answer);
    Ok(answer)
}

fn done<C: Case>(name: String, reply: Reply<C::Item>) -> MoveOutcome {
    let head = match reply {
        Reply::Message(item) => mingce_orm::work::head_of(&item),
        Reply::Encoded(body) => C::Item::decode(body)
            .map_err(Error::internal)
            .and_then(|item| mingce_orm::work::head_of(&item)),
    };
    done_as(name, head.map_or(0, |head| head.revision))
}

fn done_as(name: String, revision: i64) -> MoveOutcome {
    MoveOutcome {
        name,
        done: true,
        revision,
        ..MoveOutcome::default()
    }
}

/// How many moves of a batch are written in one transaction: what they hold, others wait for.
const PIECE: usize = 100;

fn refused(name: String, error: &Error) -> MoveOutcome {
    MoveOutcome {
        name,
        done: false,
        revision: 0,
        reason: error.reason().to_owned(),
        message: error.message().to_owned(),
        blockers: error.blockers().iter().cloned().map(shown).collect(),
        display_name: String::new(),
    }
}

/// What a request of a verb says beside what the verb itself needs: all of them have these fields. `$method` is the name of the rpc.
#[macro_export]
macro_rules! called {
    ($method:literal, $request:expr) => {{
        let call = mingce_orm::Call::new($method, &$request.request_id, $request.validate_only, &$request);
        let step = $crate::Step {
            name: $request.name.clone(),
            etag: $request.etag.clone(),
            stamp: call.stamp("", &$request.reason),
            ..$crate::Step::default()
        };
        (call, step)
    }};
}

/// The same of a request that names the document of a decision.
#[macro_export]
macro_rules! by_document {
    ($method:literal, $request:expr) => {{
        let (call, mut step) = $crate::called!($method, $request);
        step.document = $crate::cross::Document {
            number: $request.document_number.clone(),
            issuer: $request.issuer.clone(),
        };
        (call, step)
    }};
}

/// A move of a batch: the call of its verb, and what is wrong with its request.
#[derive(Debug)]
pub struct Asked<C: Living> {
    called: Called<C>,
    broken: Vec<Violation>,
}

/// The call of a verb by a request, which is the field `field` of a move.
pub fn asked<R: Validate, C: Living>(field: &str, request: R, verb: impl Fn(R) -> Called<C>) -> Asked<C> {
    Asked {
        broken: check(&request, field),
        called: verb(request),
    }
}

/// The moves of a batch, those that break a rule of the contract as what is answered to them.
///
/// # Errors
/// With what is wrong: in an atomic batch at all, in another where it is more than can be told move by move.
fn read<C: Living>(
    moves: impl Iterator<Item = Option<Asked<C>>>,
    atomic: bool,
) -> Result<Vec<Result<Called<C>, Box<MoveOutcome>>>> {
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for (place, one) in moves.enumerate() {
        let (name, broken) = match one {
            Some(asked) if asked.broken.is_empty() => {
                all.push(Ok(asked.called));
                continue;
            }
            Some(asked) => (asked.called.wanted.step.name, asked.broken),
            None => (String::new(), vec![no_verb()]),
        };
        let name = name.chars().take(LONGEST_NAME).collect();
        all.push(Err(Box::new(refused(name, &Error::invalid_all(first_of(&broken))))));
        wrong.extend(broken.into_iter().map(|mut violation| {
            let below = if violation.field.is_empty() { "" } else { "." };
            violation.field = format!("moves[{place}]{below}{}", violation.field);
            violation
        }));
        if wrong.len() > if atomic { MOST_VIOLATIONS } else { MOST_IN_BATCH } {
            return Err(Error::invalid_all(wrong));
        }
    }
    if atomic && !wrong.is_empty() {
        return Err(Error::invalid_all(wrong));
    }
    Ok(all)
}

/// More than one for each move of a batch: what costs more to tell than to send.
const MOST_IN_BATCH: usize = 2000;

/// No name of the register is as long.
const LONGEST_NAME: usize = 100;

/// What an outcome says of a broken move: the first few of its violations.
fn first_of(broken: &[Violation]) -> Vec<Violation> {
    broken.iter().take(3).cloned().collect()
}

/// What is wrong with a move that names no verb.
fn no_verb() -> Violation {
    Violation {
        field: String::new(),
        reason: "MOVE_NOT_ONE",
        description: "each move is just one of the requests".to_owned(),
    }
}
