//! The rpcs of nominating bodies. Each opens its request and tries one verb, or reads.

use mingce_ingest::single::{self, Right};
use mingce_lifecycle::day;
use mingce_lifecycle::documented_invocation_of;
use mingce_orm::{Call, Page, wanted};
use mingce_proto::talent::nominating_body_service_server::NominatingBodyService;
use mingce_proto::talent::*;
use mingce_server::call::status::from_error;
use mingce_server::call::{Answered, open, reply};
use tonic::Request;

use crate::TalentRegister;
use crate::body::NominatingBodies;
use crate::body_verbs as verbs;

#[tonic::async_trait]
impl NominatingBodyService for TalentRegister {
    async fn create_nominating_body(&self, request: Request<CreateNominatingBodyRequest>) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let today = day::today(&cx).map_err(from_error)?;
        let begin = |body: &mut NominatingBody| verbs::begin(body, today);
        reply(single::create_as::<NominatingBodies>(self, &cx, call, "create", r.nominating_body, begin).await)
    }

    async fn publish_notice_of_nominating_body(
        &self,
        request: Request<PublishNoticeOfNominatingBodyRequest>,
    ) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::publish_notice(r)).await)
    }

    async fn renew_notice_of_nominating_body(
        &self,
        request: Request<RenewNoticeOfNominatingBodyRequest>,
    ) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::renew_notice(r)).await)
    }

    async fn authorise_nominating_body(
        &self,
        request: Request<AuthoriseNominatingBodyRequest>,
    ) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::authorise(r)).await)
    }

    async fn refuse_nominating_body(&self, request: Request<RefuseNominatingBodyRequest>) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::refuse(r)).await)
    }

    async fn grant_quota_to_nominating_body(
        &self,
        request: Request<GrantQuotaToNominatingBodyRequest>,
    ) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::grant_quota(r)).await)
    }

    async fn suspend_nominating_body(
        &self,
        request: Request<SuspendNominatingBodyRequest>,
    ) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::suspend(r)).await)
    }

    async fn resume_nominating_body(&self, request: Request<ResumeNominatingBodyRequest>) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::resume(r)).await)
    }

    async fn expire_nominating_body(&self, request: Request<ExpireNominatingBodyRequest>) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::expire(r)).await)
    }

    async fn revoke_nominating_body(&self, request: Request<RevokeNominatingBodyRequest>) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::revoke(r)).await)
    }

    async fn correct_nominating_body(
        &self,
        request: Request<CorrectNominatingBodyRequest>,
    ) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        let asked = documented_invocation_of(&r);
        let right = Right {
            resource: r.nominating_body,
            paths: r.update_mask,
        };
        reply(single::correct::<NominatingBodies>(self, self.cases(), &cx, asked, right).await)
    }

    async fn batch_move_nominating_bodies(
        &self,
        request: Request<BatchMoveNominatingBodiesRequest>,
    ) -> Answered<BatchMoveNominatingBodiesResponse> {
        let (cx, r) = open(request)?;
        let moves = r.moves.into_iter().map(|one| one.verb.map(verbs::one_of));
        reply(self.cases().batch(&cx, moves, r.atomic).await)
    }

    async fn get_nominating_body(&self, request: Request<GetNominatingBodyRequest>) -> Answered<NominatingBody> {
        let (cx, r) = open(request)?;
        reply(self.cases().get::<NominatingBodies>(&cx, &r.name, r.view).await)
    }

    async fn list_nominating_bodies(
        &self,
        request: Request<ListNominatingBodiesRequest>,
    ) -> Answered<ListNominatingBodiesResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<NominatingBodies>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }
}
