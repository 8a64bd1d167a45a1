//! The rpcs of the life cycle of designations of persons. Each opens its request and tries one verb.

use mingce_ingest::single::{self, Right};
use mingce_lifecycle::documented_invocation_of;
use mingce_orm::Call;
use mingce_proto::talent::talent_designation_service_server::TalentDesignationService;
use mingce_proto::talent::*;
use mingce_server::call::status::from_error;
use mingce_server::call::{Answered, open, reply};
use tonic::Request;

use crate::TalentRegister;
use crate::designation::Designations;
use crate::designation_verbs as verbs;
use crate::prepare::under;

#[tonic::async_trait]
impl TalentDesignationService for TalentRegister {
    async fn create_talent_designation(
        &self,
        request: Request<CreateTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        if let Some(given) = &r.talent_designation {
            single::expect_sound::<Designations>(given).map_err(from_error)?;
        }
        let designation = under(&r.parent, r.talent_designation).map_err(from_error)?;
        reply(self.begin_designation(&cx, call, &r.round, designation).await)
    }

    async fn submit_talent_designation(
        &self,
        request: Request<SubmitTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::submit(r)).await)
    }

    async fn return_talent_designation(
        &self,
        request: Request<ReturnTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::return_(r)).await)
    }

    async fn refuse_talent_designation(
        &self,
        request: Request<RefuseTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::refuse(r)).await)
    }

    async fn accept_talent_designation(
        &self,
        request: Request<AcceptTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::accept(r)).await)
    }

    async fn reject_talent_designation(
        &self,
        request: Request<RejectTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::reject(r)).await)
    }

    async fn publish_notice_of_talent_designation(
        &self,
        request: Request<PublishNoticeOfTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::publish_notice(r)).await)
    }

    async fn renew_notice_of_talent_designation(
        &self,
        request: Request<RenewNoticeOfTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::renew_notice(r)).await)
    }

    async fn approve_talent_designation(
        &self,
        request: Request<ApproveTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::approve(r)).await)
    }

    async fn assess_midterm_of_talent_designation(
        &self,
        request: Request<AssessMidtermOfTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::assess_midterm(r)).await)
    }

    async fn resume_talent_designation(
        &self,
        request: Request<ResumeTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::resume(r)).await)
    }

    async fn complete_talent_designation(
        &self,
        request: Request<CompleteTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::complete(r)).await)
    }

    async fn exit_talent_designation(
        &self,
        request: Request<ExitTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::exit(r)).await)
    }

    async fn cancel_talent_designation(
        &self,
        request: Request<CancelTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::cancel(r)).await)
    }

    async fn annul_midterm_of_talent_designation(
        &self,
        request: Request<AnnulMidtermOfTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::annul_midterm(r)).await)
    }

    async fn annul_completion_of_talent_designation(
        &self,
        request: Request<AnnulCompletionOfTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::annul_completion(r)).await)
    }

    async fn withdraw_talent_designation(
        &self,
        request: Request<WithdrawTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::withdraw(r)).await)
    }

    async fn correct_talent_designation(
        &self,
        request: Request<CorrectTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        let asked = documented_invocation_of(&r);
        let right = Right {
            resource: r.talent_designation,
            paths: r.update_mask,
        };
        reply(single::correct::<Designations>(self, self.cases(), &cx, asked, right).await)
    }

    async fn batch_move_talent_designations(
        &self,
        request: Request<BatchMoveTalentDesignationsRequest>,
    ) -> Answered<BatchMoveTalentDesignationsResponse> {
        let (cx, r) = open(request)?;
        let moves = r.moves.into_iter().map(|one| one.verb.map(verbs::one_of));
        reply(self.cases().batch(&cx, moves, r.atomic).await)
    }

    async fn check_eligibility(&self, request: Request<CheckEligibilityRequest>) -> Answered<CheckEligibilityResponse> {
        let (cx, r) = open(request)?;
        reply(self.eligibility(&cx, &r).await)
    }

    async fn batch_check_eligibility(
        &self,
        request: Request<BatchCheckEligibilityRequest>,
    ) -> Answered<BatchCheckEligibilityResponse> {
        let (cx, r) = open(request)?;
        reply(self.eligibilities(&cx, &r).await)
    }
}
