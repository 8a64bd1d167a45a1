//! The rpcs of the life cycle of awards. Each opens its request and tries one verb.

use mingce_ingest::single::{self, Right};
use mingce_lifecycle::documented_invocation_of;
use mingce_orm::{Call, RequestContext, Result as Done};
use mingce_proto::awards::award_nomination_service_server::AwardNominationService;
use mingce_proto::awards::*;
use mingce_proto::codec::Reply;
use mingce_proto::registry::Round;
use mingce_server::call::status::from_error;
use mingce_server::call::{Answered, open, reply};
use tonic::Request;

use crate::AwardRegister;
use crate::award::Awards;
use crate::scheme::{Schemes, code_key};
use crate::verbs::{self, begin};

impl AwardRegister {
    /// The round of a nomination, or refuses one that is for other schemes. `None` where the scheme is not found, which is told when its
    /// reference is resolved.
    async fn expect_round(&self, cx: &RequestContext, round: &str, award: &Award) -> Done<Option<Round>> {
        let given = award.scheme.clone().unwrap_or_default();
        let key = (!given.code.is_empty()).then(|| code_key(&given.code));
        let mut work = self.store.unit_of_work();
        let find = |work: &mut mingce_orm::UnitOfWork| work.find::<Schemes>(&given.scheme, key.as_ref());
        let Some(scheme) = self.store.try_edit(&mut work, find).await? else {
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
    async fn create_award(&self, request: Request<CreateAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let award = r.award.unwrap_or_default();
        single::expect_sound::<Awards>(&award).map_err(from_error)?;
        let round = self.expect_round(&cx, &r.round, &award).await.map_err(from_error)?;
        let begin = |award: &mut Award| begin(award, &round.unwrap_or_default());
        reply(single::create_as::<Awards>(self, &cx, call, "create", Some(award), begin).await)
    }

    async fn nominate_award(&self, request: Request<NominateAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::nominate(r)).await)
    }

    async fn refuse_award(&self, request: Request<RefuseAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::refuse(r)).await)
    }

    async fn accept_award(&self, request: Request<AcceptAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::accept(r)).await)
    }

    async fn review_award(&self, request: Request<ReviewAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::review(r)).await)
    }

    async fn shortlist_award(&self, request: Request<ShortlistAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::shortlist(r)).await)
    }

    async fn renew_notice_of_award(&self, request: Request<RenewNoticeOfAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::renew_notice(r)).await)
    }

    async fn deselect_award(&self, request: Request<DeselectAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::deselect(r)).await)
    }

    async fn approve_award(&self, request: Request<ApproveAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::approve(r)).await)
    }

    async fn confer_award(&self, request: Request<ConferAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::confer(r)).await)
    }

    async fn revoke_award(&self, request: Request<RevokeAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::revoke(r)).await)
    }

    async fn withdraw_award(&self, request: Request<WithdrawAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().execute(&cx, verbs::withdraw(r)).await)
    }

    async fn correct_award(&self, request: Request<CorrectAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        let asked = documented_invocation_of(&r);
        let right = Right {
            resource: r.award,
            paths: r.update_mask,
        };
        reply(single::correct::<Awards>(self, self.cases(), &cx, asked, right).await)
    }

    async fn batch_move_awards(&self, request: Request<BatchMoveAwardsRequest>) -> Answered<BatchMoveAwardsResponse> {
        let (cx, r) = open(request)?;
        let moves = r.moves.into_iter().map(|one| one.verb.map(verbs::one_of));
        reply(self.cases().batch(&cx, moves, r.atomic).await)
    }

    async fn find_award_ranks(&self, request: Request<FindAwardRanksRequest>) -> Answered<FindAwardRanksResponse> {
        let (cx, r) = open(request)?;
        reply(self.ranks(&cx, &r).await.map(Reply::Message))
    }
}
