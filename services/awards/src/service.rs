//! The rpcs of the awards service. Each opens its request and calls one verb.

use mingce_ingest::named::entitled;
use mingce_ingest::{single, stream};
use mingce_orm::model::kind::Kind;
use mingce_orm::{Call, Collection, Error, Page, Since, wanted};
use mingce_proto::awards::award_service_server::AwardService;
use mingce_proto::awards::*;
use mingce_proto::registry::{
    ComputeStatisticsRequest, ComputeStatisticsResponse, ListCitationsRequest, ListCitationsResponse,
};
use mingce_server::call::{Answered, context, open, reply};
use tonic::{Request, Streaming};

use crate::AwardRegister;
use crate::award::Awards;
use crate::scheme::Schemes;

#[tonic::async_trait]
impl AwardService for AwardRegister {
    async fn get_scheme(&self, request: Request<GetSchemeRequest>) -> Answered<Scheme> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Schemes>(&cx, &r.name, r.view).await)
    }

    async fn batch_get_schemes(&self, request: Request<BatchGetSchemesRequest>) -> Answered<BatchGetSchemesResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Schemes>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_schemes(&self, request: Request<ListSchemesRequest>) -> Answered<ListSchemesResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Schemes>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn create_scheme(&self, request: Request<CreateSchemeRequest>) -> Answered<Scheme> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create::<Schemes>(self, &cx, call, "create", r.scheme).await)
    }

    async fn update_scheme(&self, request: Request<UpdateSchemeRequest>) -> Answered<Scheme> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Schemes>(self, &cx, call, r.scheme, r.update_mask).await)
    }

    async fn import_schemes(
        &self,
        request: Request<Streaming<ImportSchemesRequest>>,
    ) -> Answered<ImportSchemesResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Schemes, _>(self, &cx, rows, |r| (r.settings, r.row, r.scheme)).await?;
        reply(Ok(ImportSchemesResponse {
            outcomes,
            created_references,
        }))
    }

    async fn annul_scheme(&self, request: Request<AnnulSchemeRequest>) -> Answered<Scheme> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .annul::<Schemes>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn get_award(&self, request: Request<GetAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        reply(self.cases().get::<Awards>(&cx, &r.name, r.view).await)
    }

    async fn batch_get_awards(&self, request: Request<BatchGetAwardsRequest>) -> Answered<BatchGetAwardsResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Awards>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_awards(&self, request: Request<ListAwardsRequest>) -> Answered<ListAwardsResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Awards>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn search_awards(&self, request: Request<SearchAwardsRequest>) -> Answered<SearchAwardsResponse> {
        let (cx, r) = open(request)?;
        let page = self
            .store
            .search::<Awards>(&cx, &r.query, r.page_size, &r.page_token, r.view)
            .await;
        reply(page.map(Page::reply))
    }

    async fn record_award(&self, request: Request<RecordAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create::<Awards>(self, &cx, call, "record", r.award).await)
    }

    async fn update_award(&self, request: Request<UpdateAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Awards>(self, &cx, call, r.award, r.update_mask).await)
    }

    async fn import_awards(&self, request: Request<Streaming<ImportAwardsRequest>>) -> Answered<ImportAwardsResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Awards, _>(self, &cx, rows, |r| (r.settings, r.row, r.award)).await?;
        reply(Ok(ImportAwardsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn annul_award(&self, request: Request<AnnulAwardRequest>) -> Answered<Award> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.store.annul::<Awards>(&cx, call, &r.name, &r.etag, &r.reason).await)
    }

    async fn compute_statistics(
        &self,
        request: Request<ComputeStatisticsRequest>,
    ) -> Answered<ComputeStatisticsResponse> {
        let (cx, r) = open(request)?;
        let counted = match r.collection.as_str() {
            Schemes::COLLECTION => self.store.count::<Schemes>(&cx, &r).await,
            Awards::COLLECTION => self.store.count::<Awards>(&cx, &r).await,
            other => Err(Error::collection_unknown(
                other,
                &[Schemes::COLLECTION, Awards::COLLECTION],
            )),
        };
        reply(entitled(counted, async |names| self.titles(&cx, names).await).await)
    }

    async fn list_citations(&self, request: Request<ListCitationsRequest>) -> Answered<ListCitationsResponse> {
        let (cx, r) = open(request)?;
        let since = Since::of(r.since_sequence, r.since_time.as_ref());
        let cited = self.store.cited(&cx, &kinds(), &r.name, since).await;
        reply(cited.map(|(citations, more)| ListCitationsResponse { citations, more }))
    }

    async fn list_revisions(&self, request: Request<ListRevisionsRequest>) -> Answered<ListRevisionsResponse> {
        let (cx, r) = open(request)?;
        let history = self
            .store
            .history(&cx, &kinds(), &r.name, r.page_size, &r.page_token)
            .await;
        reply(history.map(|(revisions, next_page_token)| ListRevisionsResponse {
            revisions,
            next_page_token,
        }))
    }
}

/// The kinds of its resources.
fn kinds() -> [&'static Kind; 2] {
    [&Schemes::shape().kind, &Awards::shape().kind]
}
