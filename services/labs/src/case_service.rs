//! The rpcs of the life cycle of designations of labs. Each opens its request and tries one verb.

use mingce_ingest::single::{self, Right};
use mingce_lifecycle::documented_invocation_of;
use mingce_orm::Call;
use mingce_proto::labs::lab_designation_service_server::LabDesignationService;
use mingce_proto::labs::*;
use mingce_server::call::status::from_error;
use mingce_server::call::{Answered, open, reply};
use tonic::Request;

use crate::LabRegister;
use crate::designation::Designations;
use crate::prepare::under;
use crate::verbs::{self, begin};

#[tonic::async_trait]
impl LabDesignationService for LabRegister {
    async fn create_lab_designation(&self, request: Request<CreateLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        if let Some(given) = &r.lab_designation {
            single::expect_sound::<Designations>(given).map_err(from_error)?;
        }
        let designation = under(&r.parent, r.lab_designation).map_err(from_error)?;
        let round = self
            .cases()
            .round_for::<Designations>(&cx, &r.round, &designation)
            .await
            .map_err(from_error)?;
        let begin = |d: &mut LabDesignation| begin(d, &round);
        reply(single::create_as::<Designations>(self, &cx, call, "create", Some(designation), begin).await)
    }

    async fn submit_lab_designation(&self, request: Request<SubmitLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::submit(r)).await)
    }

    async fn return_lab_designation(&self, request: Request<ReturnLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::return_(r)).await)
    }

    async fn refuse_lab_designation(&self, request: Request<RefuseLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::refuse(r)).await)
    }

    async fn accept_lab_designation(&self, request: Request<AcceptLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::accept(r)).await)
    }

    async fn reject_lab_designation(&self, request: Request<RejectLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::reject(r)).await)
    }

    async fn publish_notice_of_lab_designation(
        &self,
        request: Request<PublishNoticeOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::publish_notice(r)).await)
    }

    async fn renew_notice_of_lab_designation(
        &self,
        request: Request<RenewNoticeOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::renew_notice(r)).await)
    }

    async fn approve_lab_designation(
        &self,
        request: Request<ApproveLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::approve(r)).await)
    }

    async fn accept_completion_of_lab_designation(
        &self,
        request: Request<AcceptCompletionOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::accept_completion(r)).await)
    }

    async fn accept_early_completion_of_lab_designation(
        &self,
        request: Request<AcceptEarlyCompletionOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::accept_early_completion(r)).await)
    }

    async fn extend_building_of_lab_designation(
        &self,
        request: Request<ExtendBuildingOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::extend_building(r)).await)
    }

    async fn terminate_lab_designation(
        &self,
        request: Request<TerminateLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::terminate(r)).await)
    }

    async fn submit_annual_report_of_lab_designation(
        &self,
        request: Request<SubmitAnnualReportOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::submit_annual_report(r)).await)
    }

    async fn evaluate_lab_designation(
        &self,
        request: Request<EvaluateLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::evaluate(r)).await)
    }

    async fn reevaluate_lab_designation(
        &self,
        request: Request<ReevaluateLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::reevaluate(r)).await)
    }

    async fn shorten_rectification_of_lab_designation(
        &self,
        request: Request<ShortenRectificationOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::shorten_rectification(r)).await)
    }

    async fn annul_evaluation_of_lab_designation(
        &self,
        request: Request<AnnulEvaluationOfLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::annul_evaluation(r)).await)
    }

    async fn revoke_lab_designation(&self, request: Request<RevokeLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::revoke(r)).await)
    }

    async fn merge_lab_designation(&self, request: Request<MergeLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::merge(r)).await)
    }

    async fn withdraw_lab_designation(
        &self,
        request: Request<WithdrawLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::withdraw(r)).await)
    }

    async fn correct_lab_designation(
        &self,
        request: Request<CorrectLabDesignationRequest>,
    ) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        let asked = documented_invocation_of(&r);
        let right = Right {
            resource: r.lab_designation,
            paths: r.update_mask,
        };
        reply(single::correct::<Designations>(self, self.cases(), &cx, asked, right).await)
    }

    async fn batch_move_lab_designations(
        &self,
        request: Request<BatchMoveLabDesignationsRequest>,
    ) -> Answered<BatchMoveLabDesignationsResponse> {
        let (cx, r) = open(request)?;
        let moves = r.moves.into_iter().map(|one| one.verb.map(verbs::one_of));
        reply(self.cases().batch(&cx, moves, r.atomic).await)
    }
}
