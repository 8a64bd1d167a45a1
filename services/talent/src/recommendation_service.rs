//! The rpcs of recommendations. Each opens its request and tries one verb, or reads.

use mingce_ingest::single::{self, Right};
use mingce_lifecycle::documented_invocation_of;
use mingce_orm::{Call, Page, wanted};
use mingce_proto::talent::recommendation_service_server::RecommendationService;
use mingce_proto::talent::*;
use mingce_server::call::{Answered, open, reply};
use tonic::Request;

use crate::TalentRegister;
use crate::recommendation::Recommendations;
use crate::recommendation_verbs as verbs;

#[tonic::async_trait]
impl RecommendationService for TalentRegister {
    async fn create_recommendation(&self, request: Request<CreateRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create_as::<Recommendations>(self, &cx, call, "create", r.recommendation, verbs::begin).await)
    }

    async fn update_recommendation(&self, request: Request<UpdateRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Recommendations>(self, &cx, call, r.recommendation, r.update_mask).await)
    }

    async fn file_recommendation(&self, request: Request<FileRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::recommend(r)).await)
    }

    async fn publish_notice_of_recommendation(
        &self,
        request: Request<PublishNoticeOfRecommendationRequest>,
    ) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::publish_notice(r)).await)
    }

    async fn renew_notice_of_recommendation(
        &self,
        request: Request<RenewNoticeOfRecommendationRequest>,
    ) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::renew_notice(r)).await)
    }

    async fn confirm_recommendation(&self, request: Request<ConfirmRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::confirm(r)).await)
    }

    async fn refuse_recommendation(&self, request: Request<RefuseRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::refuse(r)).await)
    }

    async fn cancel_recommendation(&self, request: Request<CancelRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::cancel(r)).await)
    }

    async fn withdraw_recommendation(
        &self,
        request: Request<WithdrawRecommendationRequest>,
    ) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::withdraw(r)).await)
    }

    async fn correct_recommendation(&self, request: Request<CorrectRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        let asked = documented_invocation_of(&r);
        let right = Right {
            resource: r.recommendation,
            paths: r.update_mask,
        };
        reply(single::correct::<Recommendations>(self, self.cases(), &cx, asked, right).await)
    }

    async fn batch_move_recommendations(
        &self,
        request: Request<BatchMoveRecommendationsRequest>,
    ) -> Answered<BatchMoveRecommendationsResponse> {
        let (cx, r) = open(request)?;
        let moves = r.moves.into_iter().map(|one| one.verb.map(verbs::one_of));
        reply(self.cases().batch(&cx, moves, r.atomic).await)
    }

    async fn get_recommendation(&self, request: Request<GetRecommendationRequest>) -> Answered<Recommendation> {
        let (cx, r) = open(request)?;
        reply(self.cases().get::<Recommendations>(&cx, &r.name, r.view).await)
    }

    async fn list_recommendations(
        &self,
        request: Request<ListRecommendationsRequest>,
    ) -> Answered<ListRecommendationsResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Recommendations>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }
}
