//! Rounds: how they begin, change and end, and what is left of them.

use mingce_lifecycle::in_force::in_force;
use mingce_lifecycle::policy::{self, Policies};
use mingce_lifecycle::ranking::Ranking;
use mingce_lifecycle::round::{self, Rounds};
use mingce_lifecycle::{Scope, invocation_of, round_verbs};
use mingce_orm::write::canonical::{normalized, writable};
use mingce_orm::write::precondition::{expect_active, expect_etag};
use mingce_orm::{Call, Collection, Edit, Error, Mask, RequestContext};
use mingce_proto::codec::Reply;
use mingce_proto::registry::{
    CloseRoundRequest, CloseRoundResponse, GetRoundReportResponse, ListRankingRequest, ListRankingResponse, Round,
    UndecidedCase,
};
use prost::Message;

use crate::CaseRegister;
use crate::service::named;

impl CaseRegister {
    pub(crate) async fn begin_round(
        &self,
        cx: &RequestContext,
        call: Call,
        given: Round,
    ) -> Result<Reply<Round>, Error> {
        let given = writable::<Rounds>(given)?;
        // What is wrong with the round itself comes before what its policy says.
        normalized::<Rounds>(&given)?;
        let policy = if given.policy.is_empty() {
            let scope = Scope {
                level: given.level,
                programme: &given.programme,
            };
            let found = in_force(&self.store, cx, given.kind(), scope, &given.start_date).await?;
            if call.is_dry() {
                found
            } else {
                policy::ensure_stored(&self.store, cx, found).await?
            }
        } else {
            self.read::<Policies>(cx, &given.policy).await?
        };
        self.store
            .create::<Rounds>(cx, call, "create", round::begin(given, &policy)?)
            .await
    }

    pub(crate) async fn change_round(
        &self,
        cx: &RequestContext,
        call: Call,
        given: Round,
        paths: &[String],
    ) -> Result<Reply<Round>, Error> {
        let mask = Mask::parse::<Rounds>(paths, &given, cx.visible)?;
        let (stamp, at) = (call.update_stamp(), cx.clone());
        Rounds::shape().kind.expect(&given.name, "round.name")?;
        let edit: Edit = Box::new(move |work| {
            let stored = work.require::<Rounds>(&given.name)?;
            expect_etag::<Rounds>(&stored, &given.etag)?;
            expect_active::<Rounds>(&stored)?;
            let mut merged = mask.apply::<Rounds>(&stored, &given)?;
            round::keep_used(&stored, &mut merged);
            let merged = normalized::<Rounds>(&merged)?;
            Rounds::check_write(Some(&stored), &merged)?;
            work.update::<Rounds>(&at, &stamp, &merged)
        });
        self.store.change::<Rounds>(cx, call, edit).await
    }

    pub(crate) async fn end_round(
        &self,
        cx: &RequestContext,
        r: CloseRoundRequest,
    ) -> Result<CloseRoundResponse, Error> {
        let (call, step) = invocation_of(&r);
        let (at, step) = (cx.clone(), named(step, "close"));
        let edit: Edit = Box::new(move |work| round_verbs::close(work, &at, &step));
        let round = match self.store.change::<Rounds>(cx, call, edit).await? {
            Reply::Message(round) => round,
            Reply::Encoded(body) => Round::decode(body).map_err(Error::internal)?,
        };
        let (undecided, undecided_count) = self.undecided(cx, &round).await?;
        Ok(CloseRoundResponse {
            round: Some(round),
            undecided,
            undecided_count,
        })
    }

    pub(crate) async fn report(&self, cx: &RequestContext, name: &str) -> Result<GetRoundReportResponse, Error> {
        let round = self.read::<Rounds>(cx, name).await?;
        let (undecided, undecided_count) = self.undecided(cx, &round).await?;
        Ok(GetRoundReportResponse {
            round: Some(round),
            undecided,
            undecided_count,
        })
    }

    /// A page of the cases of a round in the order of their scores.
    pub(crate) async fn ranking(
        &self,
        cx: &RequestContext,
        r: &ListRankingRequest,
    ) -> Result<ListRankingResponse, Error> {
        let round = self.read::<Rounds>(cx, &r.round).await?;
        let Some(kind) = self.kinds.iter().find(|kind| kind.kind() == round.kind()) else {
            return Ok(ListRankingResponse::default());
        };
        let wanted = Ranking {
            round: &round.name,
            page_size: r.page_size,
            page_token: &r.page_token,
        };
        let (cases, next_page_token) = kind.ranking(&self.store, &self.at(cx)?, wanted).await?;
        Ok(ListRankingResponse { cases, next_page_token })
    }

    async fn undecided(&self, cx: &RequestContext, round: &Round) -> Result<(Vec<UndecidedCase>, i64), Error> {
        match self.kinds.iter().find(|kind| kind.kind() == round.kind()) {
            Some(kind) => kind.undecided(&self.store, cx, &round.name).await,
            None => Ok((Vec::new(), 0)),
        }
    }
}
