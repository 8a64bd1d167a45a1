//! The rpcs of the labs service. Each opens its request and calls one verb.

use mingce_ingest::named::entitled;
use mingce_ingest::{single, stream};
use mingce_orm::model::kind::Kind;
use mingce_orm::{Call, Collection, Error, List, Page, Since, wanted};
use mingce_proto::labs::lab_service_server::LabService;
use mingce_proto::labs::*;
use mingce_proto::registry::{
    ComputeStatisticsRequest, ComputeStatisticsResponse, ListCitationsRequest, ListCitationsResponse,
    ListLikelyDuplicatesRequest, ListLikelyDuplicatesResponse,
};
use mingce_server::call::status::from_error;
use mingce_server::call::{Answered, context, open, reply};
use tonic::{Request, Streaming};

use crate::LabRegister;
use crate::designation::Designations;
use crate::lab::Labs;
use crate::organization::Organizations;
use crate::prepare::under;

#[tonic::async_trait]
impl LabService for LabRegister {
    async fn get_organization(&self, request: Request<GetOrganizationRequest>) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Organizations>(&cx, &r.name, r.view).await)
    }

    async fn get_organization_by_identifier(
        &self,
        request: Request<GetOrganizationByIdentifierRequest>,
    ) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .get_by_identifier::<Organizations>(&cx, r.identifier.as_ref(), r.view)
                .await,
        )
    }

    async fn batch_get_organizations(
        &self,
        request: Request<BatchGetOrganizationsRequest>,
    ) -> Answered<BatchGetOrganizationsResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Organizations>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_organizations(
        &self,
        request: Request<ListOrganizationsRequest>,
    ) -> Answered<ListOrganizationsResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Organizations>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn search_organizations(
        &self,
        request: Request<SearchOrganizationsRequest>,
    ) -> Answered<SearchOrganizationsResponse> {
        let (cx, r) = open(request)?;
        let page = self
            .store
            .search::<Organizations>(&cx, &r.query, r.page_size, &r.page_token, r.view)
            .await;
        reply(page.map(Page::reply))
    }

    async fn create_organization(&self, request: Request<CreateOrganizationRequest>) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create::<Organizations>(self, &cx, call, "create", r.organization).await)
    }

    async fn update_organization(&self, request: Request<UpdateOrganizationRequest>) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Organizations>(self, &cx, call, r.organization, r.update_mask).await)
    }

    async fn import_organizations(
        &self,
        request: Request<Streaming<ImportOrganizationsRequest>>,
    ) -> Answered<ImportOrganizationsResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Organizations, _>(self, &cx, rows, |r| (r.settings, r.row, r.organization)).await?;
        reply(Ok(ImportOrganizationsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn merge_organizations(&self, request: Request<MergeOrganizationsRequest>) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .merge::<Organizations>(&cx, call, (&r.name, &r.survivor), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmerge_organization(
        &self,
        request: Request<UnmergeOrganizationRequest>,
    ) -> Answered<UnmergeOrganizationResponse> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let named = (r.name.as_str(), r.etag.as_str());
        let undone = self
            .store
            .unmerge::<Organizations>(&cx, call, named, &r.reason, &kinds())
            .await;
        reply(undone.map(|(organization, report)| UnmergeOrganizationResponse {
            organization: Some(organization),
            report: Some(report),
        }))
    }

    async fn mark_organizations_distinct(
        &self,
        request: Request<MarkOrganizationsDistinctRequest>,
    ) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .mark_distinct::<Organizations>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmark_organizations_distinct(
        &self,
        request: Request<UnmarkOrganizationsDistinctRequest>,
    ) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .unmark_distinct::<Organizations>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn annul_organization(&self, request: Request<AnnulOrganizationRequest>) -> Answered<Organization> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .annul::<Organizations>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn resolve_organizations(
        &self,
        request: Request<ResolveOrganizationsRequest>,
    ) -> Answered<ResolveOrganizationsResponse> {
        let (cx, r) = open(request)?;
        let resolutions = self.resolve_for_others(&cx, r).await;
        reply(resolutions.map(|resolutions| ResolveOrganizationsResponse { resolutions }))
    }

    async fn get_lab(&self, request: Request<GetLabRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Labs>(&cx, &r.name, r.view).await)
    }

    async fn get_lab_by_identifier(&self, request: Request<GetLabByIdentifierRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .get_by_identifier::<Labs>(&cx, r.identifier.as_ref(), r.view)
                .await,
        )
    }

    async fn batch_get_labs(&self, request: Request<BatchGetLabsRequest>) -> Answered<BatchGetLabsResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Labs>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_labs(&self, request: Request<ListLabsRequest>) -> Answered<ListLabsResponse> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Labs>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn search_labs(&self, request: Request<SearchLabsRequest>) -> Answered<SearchLabsResponse> {
        let (cx, r) = open(request)?;
        let page = self
            .store
            .search::<Labs>(&cx, &r.query, r.page_size, &r.page_token, r.view)
            .await;
        reply(page.map(Page::reply))
    }

    async fn create_lab(&self, request: Request<CreateLabRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(single::create::<Labs>(self, &cx, call, "create", r.lab).await)
    }

    async fn update_lab(&self, request: Request<UpdateLabRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Labs>(self, &cx, call, r.lab, r.update_mask).await)
    }

    async fn import_labs(&self, request: Request<Streaming<ImportLabsRequest>>) -> Answered<ImportLabsResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Labs, _>(self, &cx, rows, |r| (r.settings, r.row, r.lab)).await?;
        reply(Ok(ImportLabsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn merge_labs(&self, request: Request<MergeLabsRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .merge::<Labs>(&cx, call, (&r.name, &r.survivor), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmerge_lab(&self, request: Request<UnmergeLabRequest>) -> Answered<UnmergeLabResponse> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let named = (r.name.as_str(), r.etag.as_str());
        let undone = self.store.unmerge::<Labs>(&cx, call, named, &r.reason, &kinds()).await;
        reply(undone.map(|(lab, report)| UnmergeLabResponse {
            lab: Some(lab),
            report: Some(report),
        }))
    }

    async fn mark_labs_distinct(&self, request: Request<MarkLabsDistinctRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .mark_distinct::<Labs>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmark_labs_distinct(&self, request: Request<UnmarkLabsDistinctRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(
            self.store
                .unmark_distinct::<Labs>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn annul_lab(&self, request: Request<AnnulLabRequest>) -> Answered<Lab> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.store.annul::<Labs>(&cx, call, &r.name, &r.etag, &r.reason).await)
    }

    async fn get_lab_designation(&self, request: Request<GetLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        reply(self.cases().get::<Designations>(&cx, &r.name, r.view).await)
    }

    async fn batch_get_lab_designations(
        &self,
        request: Request<BatchGetLabDesignationsRequest>,
    ) -> Answered<BatchGetLabDesignationsResponse> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Designations>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_lab_designations(
        &self,
        request: Request<ListLabDesignationsRequest>,
    ) -> Answered<ListLabDesignationsResponse> {
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

    async fn record_lab_designation(&self, request: Request<RecordLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        let lab_designation = under(&r.parent, r.lab_designation).map_err(from_error)?;
        reply(single::create::<Designations>(self, &cx, call, "record", Some(lab_designation)).await)
    }

    async fn update_lab_designation(&self, request: Request<UpdateLabDesignationRequest>) -> Answered<LabDesignation> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r).because(&r.reason);
        reply(single::update::<Designations>(self, &cx, call, r.lab_designation, r.update_mask).await)
    }

    async fn import_lab_designations(
        &self,
        request: Request<Streaming<ImportLabDesignationsRequest>>,
    ) -> Answered<ImportLabDesignationsResponse> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            stream::import::<Designations, _>(self, &cx, rows, |r| (r.settings, r.row, r.lab_designation)).await?;
        reply(Ok(ImportLabDesignationsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn annul_lab_designation(&self, request: Request<AnnulLabDesignationRequest>) -> Answered<LabDesignation> {
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
            Organizations::COLLECTION => self.store.likely_duplicates::<Organizations>(&cx, &r).await,
            Labs::COLLECTION => self.store.likely_duplicates::<Labs>(&cx, &r).await,
            other => Err(Error::collection_unknown(
                other,
                &[Organizations::COLLECTION, Labs::COLLECTION],
            )),
        })
    }

    async fn compute_statistics(
        &self,
        request: Request<ComputeStatisticsRequest>,
    ) -> Answered<ComputeStatisticsResponse> {
        let (cx, r) = open(request)?;
        let counted = match r.collection.as_str() {
            Organizations::COLLECTION => self.store.count::<Organizations>(&cx, &r).await,
            Labs::COLLECTION => self.store.count::<Labs>(&cx, &r).await,
            Designations::COLLECTION => self.store.count::<Designations>(&cx, &r).await,
            other => Err(Error::collection_unknown(
                other,
                &[Organizations::COLLECTION, Labs::COLLECTION, Designations::COLLECTION],
            )),
        };
        reply(entitled(counted, async |names| self.titles(names).await).await)
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
fn kinds() -> [&'static Kind; 3] {
    [
        &Organizations::shape().kind,
        &Labs::shape().kind,
        &Designations::shape().kind,
    ]
}
