//! The rpcs of the talent service. Each opens its request and calls one verb.

use mingce_ingest::named::entitled;
use mingce_ingest::{single, stream};
use mingce_orm::model::identifier::says_none;
use mingce_orm::model::kind::Kind;
use mingce_orm::{Call, Collection, Error, List, Page, Since, wanted};
use mingce_proto::registry::{
    ComputeStatisticsRequest, ComputeStatisticsResponse, ListCitationsRequest, ListCitationsResponse,
    ListLikelyDuplicatesRequest, ListLikelyDuplicatesResponse,
};
use mingce_proto::talent::talent_service_server::TalentService;
use mingce_proto::talent::*;
use mingce_server::call::status::from_error;
use mingce_server::call::{Answered, context, open, reply};
use tonic::{Request, Streaming};

use crate::TalentRegister;
use crate::body::NominatingBodies;
use crate::designation::Designations;
use crate::prepare::under;
use crate::programme::Programmes;
use crate::recommendation::Recommendations;
use crate::talent::Talents;

#[tonic::async_trait]
impl TalentService for TalentRegister {
    async fn get_talent(&self, request: Request<GetTalentRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Talents>(&cx, &r.name, r.view).await)
    }

    async fn get_talent_by_identifier(&self, request: Request<GetTalentByIdentifierRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .get_by_identifier::<Talents>(&cx, r.identifier.as_ref(), r.view)
                .await,
        )
    }

    async fn batch_get_talents(&self, request: Request<BatchGetTalentsRequest>) -> Answered<BatchGetTalentsResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Talents>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_talents(&self, request: Request<ListTalentsRequest>) -> Answered<ListTalentsResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Talents>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn search_talents(&self, request: Request<SearchTalentsRequest>) -> Answered<SearchTalentsResponse> {
        let (cx, r) = open(request)?;
        let page = self
            .store
            .search::<Talents>(&cx, &r.query, r.page_size, &r.page_token, r.view)
            .await;
        reply(page.map(Page::reply))
    }

    async fn create_talent(&self, request: Request<CreateTalentRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create::<Talents>(self, &cx, call, "create", r.talent).await)
    }

    async fn update_talent(&self, request: Request<UpdateTalentRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        let talent = r.talent.map(|mut talent| {
            // As if it were empty: without a mask it then changes nothing.
            if says_none(&talent.identity_document) {
                talent.identity_document.clear();
            }
            talent
        });
        reply(single::update::<Talents>(self, &cx, call, talent, r.update_mask).await)
    }

    async fn import_talents(
        &self,
        request: Request<Streaming<ImportTalentsRequest>>,
    ) -> Answered<ImportTalentsResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Talents, _>(self, &cx, rows, |r| (r.settings, r.row, r.talent)).await?;
        reply(Ok(ImportTalentsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn merge_talents(&self, request: Request<MergeTalentsRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .merge::<Talents>(&cx, call, (&r.name, &r.survivor), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmerge_talent(&self, request: Request<UnmergeTalentRequest>) -> Answered<UnmergeTalentResponse> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let named = (r.name.as_str(), r.etag.as_str());
        let undone = self
            .store
            .unmerge::<Talents>(&cx, call, named, &r.reason, &kinds())
            .await;
        reply(undone.map(|(talent, report)| UnmergeTalentResponse {
            talent: Some(talent),
            report: Some(report),
        }))
    }

    async fn mark_talents_distinct(&self, request: Request<MarkTalentsDistinctRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .mark_distinct::<Talents>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmark_talents_distinct(&self, request: Request<UnmarkTalentsDistinctRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .unmark_distinct::<Talents>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn annul_talent(&self, request: Request<AnnulTalentRequest>) -> Answered<Talent> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .annul::<Talents>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn resolve_talents(&self, request: Request<ResolveTalentsRequest>) -> Answered<ResolveTalentsResponse> {
        let (cx, r) = open(request)?;
        let resolutions = self.resolve_for_others(&cx, r).await;
        reply(resolutions.map(|resolutions| ResolveTalentsResponse { resolutions }))
    }

    async fn get_programme(&self, request: Request<GetProgrammeRequest>) -> Answered<Programme> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Programmes>(&cx, &r.name, r.view).await)
    }

    async fn batch_get_programmes(
        &self,
        request: Request<BatchGetProgrammesRequest>,
    ) -> Answered<BatchGetProgrammesResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Programmes>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_programmes(&self, request: Request<ListProgrammesRequest>) -> Answered<ListProgrammesResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Programmes>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn create_programme(&self, request: Request<CreateProgrammeRequest>) -> Answered<Programme> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create::<Programmes>(self, &cx, call, "create", r.programme).await)
    }

    async fn update_programme(&self, request: Request<UpdateProgrammeRequest>) -> Answered<Programme> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Programmes>(self, &cx, call, r.programme, r.update_mask).await)
    }

    async fn import_programmes(
        &self,
        request: Request<Streaming<ImportProgrammesRequest>>,
    ) -> Answered<ImportProgrammesResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Programmes, _>(self, &cx, rows, |r| (r.settings, r.row, r.programme)).await?;
        reply(Ok(ImportProgrammesResponse {
            outcomes,
            created_references,
        }))
    }

    async fn annul_programme(&self, request: Request<AnnulProgrammeRequest>) -> Answered<Programme> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .annul::<Programmes>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn get_talent_designation(
        &self,
        request: Request<GetTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().get::<Designations>(&cx, &r.name, r.view).await)
    }

    async fn batch_get_talent_designations(
        &self,
        request: Request<BatchGetTalentDesignationsRequest>,
    ) -> Answered<BatchGetTalentDesignationsResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Designations>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_talent_designations(
        &self,
        request: Request<ListTalentDesignationsRequest>,
    ) -> Answered<ListTalentDesignationsResponse> {
        let (cx, r) = open(request)?;
        let parents = self.parents(&cx, &r.parent).await.map_err(from_error)?;
        let page = self
            .store
            .list::<Designations>(
                &cx,
                List {
                    parents: &parents,
                    ..wanted!(r)
                },
            )
            .await;
        reply(page.map(Page::reply))
    }

    async fn record_talent_designation(
        &self,
        request: Request<RecordTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let talent_designation = under(&r.parent, r.talent_designation).map_err(from_error)?;
        reply(single::create::<Designations>(self, &cx, call, "record", Some(talent_designation)).await)
    }

    async fn update_talent_designation(
        &self,
        request: Request<UpdateTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Designations>(self, &cx, call, r.talent_designation, r.update_mask).await)
    }

    async fn import_talent_designations(
        &self,
        request: Request<Streaming<ImportTalentDesignationsRequest>>,
    ) -> Answered<ImportTalentDesignationsResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Designations, _>(self, &cx, rows, |r| (r.settings, r.row, r.talent_designation)).await?;
        reply(Ok(ImportTalentDesignationsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn annul_talent_designation(
        &self,
        request: Request<AnnulTalentDesignationRequest>,
    ) -> Answered<TalentDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .annul::<Designations>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn list_likely_duplicates(
        &self,
        request: Request<ListLikelyDuplicatesRequest>,
    ) -> Answered<ListLikelyDuplicatesResponse> {
        let (cx, r) = open(request)?;
        reply(match r.collection.as_str() {
            Talents::COLLECTION => self.store.likely_duplicates::<Talents>(&cx, &r).await,
            other => Err(Error::collection_unknown(other, &[Talents::COLLECTION])),
        })
    }

    async fn compute_statistics(
        &self,
        request: Request<ComputeStatisticsRequest>,
    ) -> Answered<ComputeStatisticsResponse> {
        let (cx, r) = open(request)?;
        let counted = match r.collection.as_str() {
            Talents::COLLECTION => self.store.count::<Talents>(&cx, &r).await,
            Programmes::COLLECTION => self.store.count::<Programmes>(&cx, &r).await,
            Designations::COLLECTION => self.store.count::<Designations>(&cx, &r).await,
            NominatingBodies::COLLECTION => self.store.count::<NominatingBodies>(&cx, &r).await,
            Recommendations::COLLECTION => self.store.count::<Recommendations>(&cx, &r).await,
            other => Err(Error::collection_unknown(
                other,
                &[
                    Talents::COLLECTION,
                    Programmes::COLLECTION,
                    Designations::COLLECTION,
                    NominatingBodies::COLLECTION,
                    Recommendations::COLLECTION,
                ],
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
fn kinds() -> [&'static Kind; 5] {
    [
        &Talents::shape().kind,
        &Programmes::shape().kind,
        &Designations::shape().kind,
        &NominatingBodies::shape().kind,
        &Recommendations::shape().kind,
    ]
}
