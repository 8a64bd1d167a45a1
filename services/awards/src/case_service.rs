//! The rpcs of the life cycle of awards. Each opens its request and tries one verb.

use mingce_lifecycle::by_document;
use mingce_orm::{Call, Cx, Result as Done};
use mingce_proto::awards::award_nomination_service_server::AwardNominationService;
use mingce_proto::awards::*;
use mingce_proto::codec::Reply;
use mingce_proto::registry::Round;
use mingce_server::call::{open, reply};
use mingce_server::rows::{self, Right};
use mingce_server::status::from_error;
use tonic::{Request, Response, Status};

use crate::AwardRegister;
use crate::award::Awards;
use crate::scheme::{Schemes, code_key};
use crate::verbs::{self, begin};

impl AwardRegister {
    /// The round of a nomination, or refuses one that is for other schemes. `None` where the scheme is not found, which is told when its
    /// reference is resolved.
    async fn expect_round(&self, cx: &Cx, round: &str, award: &Award) -> Done<Option<Round>> {
        let given = award.scheme.clone().unwrap_or_default();
        let key = (!given.code.is_empty()).then(|| code_key(&given.code));
        let mut work = self.store.rehearsal();
        let find = |work: &mut mingce_orm::Work| work.find::<Schemes>(&given.scheme, key.as_ref());
        let Some(scheme) = self.store.rehearse(&mut work, find).await? else {
            return Ok(None);
        };
        let placed = Award {
            level: scheme.level,
            scheme: Some(SchemeReference {
                scheme: scheme.name,
                ..SchemeReference::default()
            }),
            ..Award::default()
        };
        self.cases().round_for::<Awards>(cx, round, &placed).await.map(Some)
    }
}

#[tonic::async_trait]
impl AwardNominationService for AwardRegister {
    async fn create_award(&self, request: Request<CreateAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("CreateAward", &r.request_id, r.validate_only, &r);
        let award = r.award.unwrap_or_default();
        rows::expect_sound::<Awards>(&award).map_err(from_error)?;
        let round = self.expect_round(&cx, &r.round, &award).await.map_err(from_error)?;
        let begin = |award: &mut Award| begin(award, &round.unwrap_or_default());
        reply(rows::create_as::<Awards>(self, &cx, call, "create", Some(award), begin).await)
    }

    async fn nominate_award(&self, request: Request<NominateAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::nominate(r)).await)
    }

    async fn refuse_award(&self, request: Request<RefuseAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::refuse(r)).await)
    }

    async fn accept_award(&self, request: Request<AcceptAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::accept(r)).await)
    }

    async fn review_award(&self, request: Request<ReviewAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::review(r)).await)
    }

    async fn shortlist_award(&self, request: Request<ShortlistAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::shortlist(r)).await)
    }

    async fn renew_notice_of_award(
        &self,
        request: Request<RenewNoticeOfAwardRequest>,
    ) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::renew_notice(r)).await)
    }

    async fn deselect_award(&self, request: Request<DeselectAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::deselect(r)).await)
    }

    async fn approve_award(&self, request: Request<ApproveAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::approve(r)).await)
    }

    async fn confer_award(&self, request: Request<ConferAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::confer(r)).await)
    }

    async fn revoke_award(&self, request: Request<RevokeAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::revoke(r)).await)
    }

    async fn withdraw_award(&self, request: Request<WithdrawAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().go(&cx, verbs::withdraw(r)).await)
    }

    async fn correct_award(&self, request: Request<CorrectAwardRequest>) -> Result<Response<Reply<Award>>, Status> {
        let (cx, r) = open(request)?;
        let asked = by_document!("CorrectAward", r);
        let right = Right {
            resource: r.award,
            paths: r.update_mask,
        };
        reply(rows::correct::<Awards>(self, self.cases(), &cx, asked, right).await)
    }

    async fn batch_move_awards(
        &self,
        request: Request<BatchMoveAwardsRequest>,
    ) -> Result<Response<Reply<BatchMoveAwardsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let moves = r.moves.into_iter().map(|one| one.verb.map(verbs::one_of));
        reply(self.cases().batch(&cx, moves, r.atomic).await)
    }

    async fn find_award_ranks(
        &self,
        request: Request<FindAwardRanksRequest>,
    ) -> Result<Response<Reply<FindAwardRanksResponse>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.ranks(&cx, &r).await.map(Reply::Message))
    }
}
