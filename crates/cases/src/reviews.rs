//! Assignments of reviewers and what they say, one by one or many in one call.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mingce_lifecycle::batch::{self, Given, Parts, Try};
use mingce_lifecycle::panel::Panels;
use mingce_lifecycle::review::Reviews;
use mingce_lifecycle::{EvalContext, review_verbs};
use mingce_orm::model::validate::check;
use mingce_orm::{Call, Edit, Error, RequestContext, Result};
use mingce_proto::Validate;
use mingce_proto::codec::Reply;
use mingce_proto::registry::{
    AssignReviewerRequest, BatchAssignReviewersRequest, BatchAssignReviewersResponse, BatchSubmitReviewsRequest,
    BatchSubmitReviewsResponse, MoveOutcome, Review, ReviewOutcome, SubmitReviewRequest,
};

use crate::CaseRegister;
use crate::reviewer::Cleared;

/// At most so many in one call: each assignment notes itself in its panel, which grows with them.
const MOST: usize = 500;

impl CaseRegister {
    /// Assigns a reviewer who is cleared, or with the reason why a conflict does not matter.
    ///
    /// # Errors
    /// As the contract says.
    pub(crate) async fn assign(
        &self,
        cx: &RequestContext,
        call: Call,
        r: AssignReviewerRequest,
    ) -> Result<Reply<Review>> {
        // What was done is answered without the peers, which may be away meanwhile.
        if !call.is_dry()
            && let Some(done) = self.store.answered::<Reviews>(cx, &call).await?
        {
            return Ok(done);
        }
        let mut cleared = self.cleared(cx, &[&r]).await?;
        let cleared = cleared.pop().ok_or_else(|| Error::internal("nobody was looked at"))??;
        let (at, stamp) = (self.at(cx)?, call.stamp("assign", &r.override_reason));
        let edit: Edit = Box::new(move |work| cleared.assign(work, &at, &stamp, &r));
        self.store.change::<Reviews>(cx, call, edit).await
    }

    /// Submits what a reviewer says.
    ///
    /// # Errors
    /// As the contract says.
    pub(crate) async fn submit(
        &self,
        cx: &RequestContext,
        call: Call,
        r: SubmitReviewRequest,
    ) -> Result<Reply<Review>> {
        let (at, stamp, sheet) = (self.at(cx)?, call.stamp("submit", ""), r.sheet.unwrap_or_default());
        let edit: Edit = Box::new(move |work| review_verbs::submit(work, &at, &stamp, &r.name, &sheet));
        self.store.change::<Reviews>(cx, call, edit).await
    }

    /// Assigns many reviewers.
    ///
    /// # Errors
    /// As the contract says.
    pub(crate) async fn assign_many(
        &self,
        cx: &RequestContext,
        r: BatchAssignReviewersRequest,
    ) -> Result<BatchAssignReviewersResponse> {
        expect_some(r.requests.len())?;
        let asked: Vec<(String, String)> = r
            .requests
            .iter()
            .map(|one| (one.case_name.clone(), one.reviewer.clone()))
            .collect();
        let parts: Parts<AssignReviewerRequest> = batch::read("requests", given(r.requests, |_| ""), r.atomic)?;
        let requests: Vec<&AssignReviewerRequest> = parts.iter().filter_map(|part| part.as_ref().ok()).collect();
        // Where a service is away, what was done before is answered still.
        let cleared = match self.cleared(cx, &requests).await {
            Ok(cleared) => cleared,
            Err(away) => requests.iter().map(|_| Err(away.clone())).collect(),
        };
        let known: Vec<Option<Cleared>> = cleared.iter().map(|one| one.as_ref().ok().cloned()).collect();
        let (at, mut known, mut cleared) = (self.at(cx)?, known.into_iter(), cleared.into_iter());
        let mut names: Vec<Option<Cleared>> = Vec::new();
        let parts = parts.into_iter().map(|part| {
            let request = part.inspect_err(|_| names.push(None))?;
            names.push(known.next().flatten());
            let cleared = cleared
                .next()
                .unwrap_or_else(|| Err(Error::internal("nobody was looked at")));
            Ok(to_assign(request, at.clone(), cleared))
        });
        let parts = parts.collect();
        let outcomes = batch::run(&self.store, cx, parts, r.atomic).await?;
        let outcomes = outcomes.into_iter().zip(asked).zip(names);
        let outcomes: Vec<ReviewOutcome> = outcomes
            .map(|((outcome, (case_name, reviewer)), known)| {
                let known = known.map(|known| (known.title, known.reviewer.display_name));
                let (case_display_name, reviewer_display_name) = known.unwrap_or_default();
                ReviewOutcome {
                    case_name,
                    case_display_name,
                    reviewer,
                    reviewer_display_name,
                    ..told(outcome)
                }
            })
            .collect();
        let done = done(&outcomes);
        Ok(BatchAssignReviewersResponse { outcomes, done })
    }

    /// Submits many reviews.
    ///
    /// # Errors
    /// As the contract says.
    pub(crate) async fn submit_many(
        &self,
        cx: &RequestContext,
        r: BatchSubmitReviewsRequest,
    ) -> Result<BatchSubmitReviewsResponse> {
        expect_some(r.requests.len())?;
        let names: BTreeSet<&str> = r.requests.iter().map(|one| one.name.as_str()).collect();
        if names.len() < r.requests.len() {
            let said = "a review stands twice: submit each once, and the next one in another call";
            return Err(Error::invalid("requests", "REVIEW_TWICE", said));
        }
        let parts: Parts<SubmitReviewRequest> = batch::read("requests", given(r.requests, |one| &one.name), r.atomic)?;
        let at = self.at(cx)?;
        let parts = parts
            .into_iter()
            .map(|part| part.map(|request| to_submit(request, at.clone())));
        let outcomes = batch::run(&self.store, cx, parts.collect(), r.atomic).await?;
        let outcomes = self.entitled(outcomes).await;
        let done = done(&outcomes);
        Ok(BatchSubmitReviewsResponse { outcomes, done })
    }

    /// Outcomes with the cases and reviewers of their reviews. What was done is done: where they cannot be read there are none.
    async fn entitled(&self, outcomes: Vec<MoveOutcome>) -> Vec<ReviewOutcome> {
        let mut work = self.store.unit_of_work();
        let reviews = self.store.try_edit(&mut work, |work| {
            let read = outcomes
                .iter()
                .map(|outcome| (&outcome.name, work.require::<Reviews>(&outcome.name)));
            Ok(read
                .filter_map(|(name, review)| Some((name.clone(), review.ok()?)))
                .collect())
        });
        let mut reviews: HashMap<String, Review> = reviews.await.unwrap_or_default();
        let entitled = outcomes.into_iter().map(|outcome| {
            let review = reviews.remove(&outcome.name).unwrap_or_default();
            let reviewer = review.reviewer.unwrap_or_default();
            ReviewOutcome {
                case_name: review.case_name,
                case_display_name: review.case_display_name,
                reviewer: reviewer.talent,
                reviewer_display_name: reviewer.display_name,
                ..told(outcome)
            }
        });
        entitled.collect()
    }
}

/// The contract looks at each request by itself, so that one that is wrong fails alone.
fn expect_some(count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::invalid(
            "requests",
            "REPEATED_MIN_ITEMS",
            "must have at least 1 item",
        ));
    }
    if count > MOST {
        let said = format!("must have at most {MOST} items");
        return Err(Error::invalid("requests", "REPEATED_MAX_ITEMS", said));
    }
    Ok(())
}

fn given<R: Validate>(requests: Vec<R>, name: fn(&R) -> &str) -> impl Iterator<Item = Option<Given<R>>> {
    requests.into_iter().map(move |request| {
        Some(Given {
            name: name(&request).to_owned(),
            broken: check(&request, ""),
            wanted: request,
        })
    })
}

fn to_assign(request: AssignReviewerRequest, at: EvalContext, cleared: Result<Cleared>) -> Try {
    let call = Call::of(&request);
    let stamp = call.stamp("assign", &request.override_reason);
    let request = Arc::new(request);
    let held = Arc::clone(&request);
    let (at, cleared) = match cleared {
        Ok(cleared) => (Ok(at), Some(cleared)),
        Err(error) => (Err(error), None),
    };
    Try {
        name: String::new(),
        call,
        at,
        hold: Box::new(move |work| work.require::<Panels>(&held.panel).map(drop)),
        act: Box::new(move |work, at| match &cleared {
            Some(cleared) => cleared.assign(work, at, &stamp, &request),
            None => Err(Error::internal("nobody was looked at")),
        }),
    }
}

fn to_submit(request: SubmitReviewRequest, at: EvalContext) -> Try {
    let call = Call::of(&request);
    let stamp = call.stamp("submit", "");
    let (name, held, sheet) = (
        request.name.clone(),
        request.name.clone(),
        request.sheet.unwrap_or_default(),
    );
    Try {
        name: request.name,
        call,
        at: Ok(at),
        hold: Box::new(move |work| work.require::<Reviews>(&held).map(drop)),
        act: Box::new(move |work, at| review_verbs::submit(work, at, &stamp, &name, &sheet)),
    }
}

fn told(outcome: MoveOutcome) -> ReviewOutcome {
    ReviewOutcome {
        name: outcome.name,
        done: outcome.done,
        revision: outcome.revision,
        reason: outcome.reason,
        message: outcome.message,
        blockers: outcome.blockers,
        ..ReviewOutcome::default()
    }
}

fn done(outcomes: &[ReviewOutcome]) -> i32 {
    i32::try_from(outcomes.iter().filter(|outcome| outcome.done).count()).unwrap_or(i32::MAX)
}
