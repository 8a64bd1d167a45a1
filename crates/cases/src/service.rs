//! The rpcs of the shared service. Each opens its request and calls one verb of `mingce-lifecycle` or of this crate.

use mingce_lifecycle::based::Basis;
use mingce_lifecycle::notice::{Notices, public};
use mingce_lifecycle::objection::Objections;
use mingce_lifecycle::panel::{self, Panels};
use mingce_lifecycle::policy::{self, Policies};
use mingce_lifecycle::review::{self, Reviews};
use mingce_lifecycle::round::Rounds;
use mingce_lifecycle::transition::Step;
use mingce_lifecycle::{invocation_of, policy_verbs, review_verbs, round_verbs};
use mingce_orm::{AuditInfo, Call, Collection, Edit, Error, Page, RequestContext, Since, wanted};
use mingce_proto::codec::Reply;
use mingce_proto::registry::case_service_server::CaseService;
use mingce_proto::registry::*;
use mingce_server::call::{Answered, open, reply};
use prost::Message;
use tonic::Request;

use crate::CaseRegister;
use crate::shared::awaited;

#[tonic::async_trait]
impl CaseService for CaseRegister {
    async fn create_policy(&self, request: Request<CreatePolicyRequest>) -> Answered<Policy> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let terms = r.terms_mask.unwrap_or_default().paths;
        let basis = Basis {
            name: &r.based_on,
            terms: &terms,
        };
        reply(policy_verbs::create(&self.store, &cx, call, r.policy.unwrap_or_default(), &basis).await)
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Answered<Policy> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Policies>(&cx, &r.name, r.view).await)
    }

    async fn list_policies(&self, request: Request<ListPoliciesRequest>) -> Answered<ListPoliciesResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Policies>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn annul_policy(&self, request: Request<AnnulPolicyRequest>) -> Answered<Policy> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        let (at, kinds, step) = (cx.clone(), self.kinds.clone(), named(step, "annul"));
        let edit: Edit = Box::new(move |work| policy_verbs::annul(work, &at, &step, &kinds));
        reply(self.change::<Policies>(&cx, call, Ok(edit)).await)
    }

    async fn compare_policies(&self, request: Request<ComparePoliciesRequest>) -> Answered<ComparePoliciesResponse> {
        let (cx, r) = open(request)?;
        let names = [r.before, r.after];
        let compared = self.store.batch_get::<Policies>(&cx, &names, 0).await.and_then(|page| {
            let both = page.items()?;
            let [before, after] = both.as_slice() else {
                return Err(Error::internal("two policies were asked for"));
            };
            policy::compare(before, after)
        });
        reply(compared.map(|differences| ComparePoliciesResponse { differences }))
    }

    async fn simulate_policy(&self, request: Request<SimulatePolicyRequest>) -> Answered<SimulatePolicyResponse> {
        let (cx, r) = open(request)?;
        reply(self.simulate(&cx, r).await)
    }

    async fn create_round(&self, request: Request<CreateRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.begin_round(&cx, call, r.round.unwrap_or_default()).await)
    }

    async fn get_round(&self, request: Request<GetRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Rounds>(&cx, &r.name, r.view).await)
    }

    async fn list_rounds(&self, request: Request<ListRoundsRequest>) -> Answered<ListRoundsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Rounds>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn update_round(&self, request: Request<UpdateRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        let paths = r.update_mask.unwrap_or_default().paths;
        reply(self.change_round(&cx, call, r.round.unwrap_or_default(), &paths).await)
    }

    async fn close_round(&self, request: Request<CloseRoundRequest>) -> Answered<CloseRoundResponse> {
        let (cx, r) = open(request)?;
        reply(self.end_round(&cx, r).await)
    }

    async fn annul_round(&self, request: Request<AnnulRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        let (at, kinds, step) = (cx.clone(), self.kinds.clone(), named(step, "annul"));
        let edit: Edit = Box::new(move |work| round_verbs::annul(work, &at, &step, &kinds));
        reply(self.change::<Rounds>(&cx, call, Ok(edit)).await)
    }

    async fn get_round_report(&self, request: Request<GetRoundReportRequest>) -> Answered<GetRoundReportResponse> {
        let (cx, r) = open(request)?;
        reply(self.report(&cx, &r.name).await)
    }

    async fn list_ranking(&self, request: Request<ListRankingRequest>) -> Answered<ListRankingResponse> {
        let (cx, r) = open(request)?;
        reply(self.ranking(&cx, &r).await)
    }

    async fn get_notice(&self, request: Request<GetNoticeRequest>) -> Answered<Notice> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Notices>(&cx, &r.name, r.view).await)
    }

    async fn list_notices(&self, request: Request<ListNoticesRequest>) -> Answered<ListNoticesResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Notices>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn get_public_notice(&self, request: Request<GetPublicNoticeRequest>) -> Answered<PublicNotice> {
        let (cx, r) = open(request)?;
        reply(self.read::<Notices>(&cx, &r.name).await.map(public))
    }

    async fn list_public_notices(
        &self,
        request: Request<ListPublicNoticesRequest>,
    ) -> Answered<ListPublicNoticesResponse> {
        let (cx, r) = open(request)?;
        reply(self.public_notices(&cx, &r).await)
    }

    async fn file_objection(&self, request: Request<FileObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.file(&cx, call, r.objection.unwrap_or_default()).await)
    }

    async fn get_objection(&self, request: Request<GetObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        reply(self.objection_with_verbs(&cx, &r.name).await)
    }

    async fn list_objections(&self, request: Request<ListObjectionsRequest>) -> Answered<ListObjectionsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Objections>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn accept_objection(&self, request: Request<AcceptObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        reply(self.objected(&cx, call, "accept", step, (String::new(), 0)).await)
    }

    async fn refuse_objection(&self, request: Request<RefuseObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        reply(
            self.objected(&cx, call, "refuse", step, (String::new(), r.refusal))
                .await,
        )
    }

    async fn uphold_objection(&self, request: Request<UpholdObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        reply(self.objected(&cx, call, "uphold", step, (r.finding, 0)).await)
    }

    async fn uphold_objection_in_part(&self, request: Request<UpholdObjectionInPartRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        reply(self.objected(&cx, call, "uphold_in_part", step, (r.finding, 0)).await)
    }

    async fn dismiss_objection(&self, request: Request<DismissObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        reply(self.objected(&cx, call, "dismiss", step, (r.finding, 0)).await)
    }

    async fn withdraw_objection(&self, request: Request<WithdrawObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        reply(self.objected(&cx, call, "withdraw", step, (String::new(), 0)).await)
    }

    async fn create_panel(&self, request: Request<CreatePanelRequest>) -> Answered<Panel> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let (given, kinds, stamp) = (
            r.panel.unwrap_or_default(),
            self.kinds.clone(),
            call.stamp("create", ""),
        );
        let edit = self
            .at(&cx)
            .map(|at| -> Edit { Box::new(move |work| panel::create(work, &at, &stamp, &kinds, &given)) });
        reply(self.change::<Panels>(&cx, call, edit).await)
    }

    async fn get_panel(&self, request: Request<GetPanelRequest>) -> Answered<Panel> {
        let (cx, r) = open(request)?;
        reply(self.panel(&cx, &r.name, r.view).await)
    }

    async fn list_panels(&self, request: Request<ListPanelsRequest>) -> Answered<ListPanelsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Panels>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn assign_reviewer(&self, request: Request<AssignReviewerRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.assign(&cx, call, r).await)
    }

    async fn batch_assign_reviewers(
        &self,
        request: Request<BatchAssignReviewersRequest>,
    ) -> Answered<BatchAssignReviewersResponse> {
        let (cx, r) = open(request)?;
        reply(self.assign_many(&cx, r).await)
    }

    async fn release_reviewer(&self, request: Request<ReleaseReviewerRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        let step = named(step, "release");
        let edit = self
            .at(&cx)
            .map(|at| -> Edit { Box::new(move |work| review_verbs::release(work, &at, &step)) });
        reply(self.change::<Reviews>(&cx, call, edit).await)
    }

    async fn submit_review(&self, request: Request<SubmitReviewRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.submit(&cx, call, r).await)
    }

    async fn batch_submit_reviews(
        &self,
        request: Request<BatchSubmitReviewsRequest>,
    ) -> Answered<BatchSubmitReviewsResponse> {
        let (cx, r) = open(request)?;
        reply(self.submit_many(&cx, r).await)
    }

    async fn get_review(&self, request: Request<GetReviewRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Reviews>(&cx, &r.name, r.view).await)
    }

    async fn list_reviews(&self, request: Request<ListReviewsRequest>) -> Answered<ListReviewsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Reviews>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn close_panel(&self, request: Request<ClosePanelRequest>) -> Answered<Panel> {
        let (cx, r) = open(request)?;
        let (call, step) = invocation_of(&r);
        let (kinds, step, without_missing) = (self.kinds.clone(), named(step, "close"), r.without_missing);
        let edit = self
            .at(&cx)
            .map(|at| -> Edit { Box::new(move |work| panel::close(work, &at, &step, &kinds, without_missing)) });
        reply(self.change::<Panels>(&cx, call, edit).await)
    }

    async fn list_due_work(&self, request: Request<ListDueWorkRequest>) -> Answered<ListDueWorkResponse> {
        let (cx, r) = open(request)?;
        reply(self.due_work(&cx, &r).await)
    }

    async fn list_decision_documents(
        &self,
        request: Request<ListDecisionDocumentsRequest>,
    ) -> Answered<ListDecisionDocumentsResponse> {
        let (cx, r) = open(request)?;
        reply(self.decision_documents(&cx, &r).await)
    }

    async fn list_case_revisions(
        &self,
        request: Request<ListCaseRevisionsRequest>,
    ) -> Answered<ListCaseRevisionsResponse> {
        let (cx, r) = open(request)?;
        let kinds = [
            &Policies::shape().kind,
            &Rounds::shape().kind,
            &Notices::shape().kind,
            &Objections::shape().kind,
            &Panels::shape().kind,
            &Reviews::shape().kind,
        ];
        let history = self
            .store
            .history(&cx, &kinds, &r.name, r.page_size, &r.page_token)
            .await;
        reply(history.map(|(revisions, next_page_token)| ListCaseRevisionsResponse {
            revisions,
            next_page_token,
        }))
    }

    async fn list_citations(&self, request: Request<ListCitationsRequest>) -> Answered<ListCitationsResponse> {
        let (cx, r) = open(request)?;
        let kinds = [
            &Notices::shape().kind,
            &Objections::shape().kind,
            &Reviews::shape().kind,
        ];
        let since = Since::of(r.since_sequence, r.since_time.as_ref());
        let cited = self.store.cited(&cx, &kinds, &r.name, since).await;
        reply(cited.map(|(citations, more)| ListCitationsResponse { citations, more }))
    }
}

pub(crate) fn named(step: Step, verb: &'static str) -> Step {
    Step {
        stamp: AuditInfo { verb, ..step.stamp },
        ..step
    }
}

impl CaseRegister {
    async fn change<C: Collection>(
        &self,
        cx: &RequestContext,
        call: Call,
        edit: Result<Edit, Error>,
    ) -> Result<Reply<C::Item>, Error> {
        self.store.change::<C>(cx, call, edit?).await
    }

    /// A panel with the reviews that it waits for. VIEW_BASIC: without.
    async fn panel(&self, cx: &RequestContext, name: &str, view: i32) -> Result<Reply<Panel>, Error> {
        if view == View::Basic as i32 {
            return self.store.get::<Panels>(cx, name, view).await;
        }
        let mut panel = self.read::<Panels>(cx, name).await?;
        if panel.state() == PanelState::Open {
            let reviews = awaited(&self.store, cx, std::slice::from_ref(&panel)).await?;
            panel.missing_reviews = review::missing(&reviews);
        }
        Ok(Reply::Message(panel))
    }

    pub(crate) async fn read<C: Collection>(&self, cx: &RequestContext, name: &str) -> Result<C::Item, Error> {
        match self.store.get::<C>(cx, name, View::Full as i32).await? {
            Reply::Message(item) => Ok(item),
            Reply::Encoded(body) => C::Item::decode(body).map_err(Error::internal),
        }
    }
}
