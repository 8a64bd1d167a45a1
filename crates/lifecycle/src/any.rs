//! A kind of case without its type: what rounds, objections, panels and due work need of the cases that a process serves.

use std::collections::HashMap;
use std::fmt;

use futures_util::future::BoxFuture;
use mingce_orm::write::store::Entered;
use mingce_orm::{AuditInfo, Error, RequestContext, Result, Store, UnitOfWork, WriteResult};
use mingce_proto::registry::{
    CaseFacts, CaseKind, DecisionDifference, DocumentOfCase, DueKind, HandlingTerms, Policy, RankedCase, ReviewTerms,
    UndecidedCase,
};
use prost::bytes::Bytes;

use crate::agenda::Desk;
use crate::case::Parties;
use crate::document;
use crate::due::{self, Batch, From, Row, Source};
use crate::eval_context::EvalContext;
use crate::in_force::InForce;
use crate::ranking::Ranking;
use crate::replay::{Marks, Tried};
use crate::replays::Wanted;

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
