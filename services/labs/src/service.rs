//! The rpcs of the labs service. Each opens its request and calls one verb.

use mingce_orm::model::resource::Kind;
use mingce_orm::{Call, Collection, Error, List, Page, Since, wanted};
use mingce_proto::codec::Reply;
use mingce_proto::labs::lab_service_server::LabService;
use mingce_proto::labs::*;
use mingce_proto::registry::{
    ComputeStatisticsRequest, ComputeStatisticsResponse, ListCitationsRequest, ListCitationsResponse,
    ListLikelyDuplicatesRequest, ListLikelyDuplicatesResponse,
};
use mingce_server::call::{context, open, reply};
use mingce_server::named::entitled;
use mingce_server::rows;
use mingce_server::status::from_error;
use tonic::{Request, Response, Status, Streaming};

use crate::LabRegister;
use crate::designation::Designations;
use crate::lab::Labs;
use crate::organization::Organizations;
use crate::prepare::under;

#[tonic::async_trait]
impl LabService for LabRegister {
    async fn get_organization(
        &self,
        request: Request<GetOrganizationRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Organizations>(&cx, &r.name, r.view).await)
    }

    async fn get_organization_by_identifier(
        &self,
        request: Request<GetOrganizationByIdentifierRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
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
    ) -> Result<Response<Reply<BatchGetOrganizationsResponse>>, Status> {
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
    ) -> Result<Response<Reply<ListOrganizationsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Organizations>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn search_organizations(
        &self,
        request: Request<SearchOrganizationsRequest>,
    ) -> Result<Response<Reply<SearchOrganizationsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let page = self
            .store
            .search::<Organizations>(&cx, &r.query, r.page_size, &r.page_token, r.view)
            .await;
        reply(page.map(Page::reply))
    }

    async fn create_organization(
        &self,
        request: Request<CreateOrganizationRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("CreateOrganization", &r.request_id, r.validate_only, &r);
        reply(rows::create::<Organizations>(self, &cx, call, "create", r.organization).await)
    }

    async fn update_organization(
        &self,
        request: Request<UpdateOrganizationRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UpdateOrganization", &r.request_id, r.validate_only, &r).because(&r.reason);
        reply(rows::update::<Organizations>(self, &cx, call, r.organization, r.update_mask).await)
    }

    async fn import_organizations(
        &self,
        request: Request<Streaming<ImportOrganizationsRequest>>,
    ) -> Result<Response<Reply<ImportOrganizationsResponse>>, Status> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            rows::import::<Organizations, _>(self, &cx, rows, |r| (r.settings, r.row, r.organization)).await?;
        reply(Ok(ImportOrganizationsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn merge_organizations(
        &self,
        request: Request<MergeOrganizationsRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("MergeOrganizations", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .merge::<Organizations>(&cx, call, (&r.name, &r.survivor), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmerge_organization(
        &self,
        request: Request<UnmergeOrganizationRequest>,
    ) -> Result<Response<Reply<UnmergeOrganizationResponse>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UnmergeOrganization", &r.request_id, r.validate_only, &r);
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
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("MarkOrganizationsDistinct", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .mark_distinct::<Organizations>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmark_organizations_distinct(
        &self,
        request: Request<UnmarkOrganizationsDistinctRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UnmarkOrganizationsDistinct", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .unmark_distinct::<Organizations>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn annul_organization(
        &self,
        request: Request<AnnulOrganizationRequest>,
    ) -> Result<Response<Reply<Organization>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("AnnulOrganization", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .annul::<Organizations>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn resolve_organizations(
        &self,
        request: Request<ResolveOrganizationsRequest>,
    ) -> Result<Response<Reply<ResolveOrganizationsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let resolutions = self.resolve_for_others(&cx, r).await;
        reply(resolutions.map(|resolutions| ResolveOrganizationsResponse { resolutions }))
    }

    async fn get_lab(&self, request: Request<GetLabRequest>) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Labs>(&cx, &r.name, r.view).await)
    }

    async fn get_lab_by_identifier(
        &self,
        request: Request<GetLabByIdentifierRequest>,
    ) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .get_by_identifier::<Labs>(&cx, r.identifier.as_ref(), r.view)
                .await,
        )
    }

    async fn batch_get_labs(
        &self,
        request: Request<BatchGetLabsRequest>,
    ) -> Result<Response<Reply<BatchGetLabsResponse>>, Status> {
        let (cx, r) = open(request)?;
        reply(
            self.store
                .batch_get::<Labs>(&cx, &r.names, r.view)
                .await
                .map(Page::reply),
        )
    }

    async fn list_labs(&self, request: Request<ListLabsRequest>) -> Result<Response<Reply<ListLabsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let page = self.store.list::<Labs>(&cx, wanted!(r)).await;
        reply(page.map(Page::reply))
    }

    async fn search_labs(
        &self,
        request: Request<SearchLabsRequest>,
    ) -> Result<Response<Reply<SearchLabsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let page = self
            .store
            .search::<Labs>(&cx, &r.query, r.page_size, &r.page_token, r.view)
            .await;
        reply(page.map(Page::reply))
    }

    async fn create_lab(&self, request: Request<CreateLabRequest>) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("CreateLab", &r.request_id, r.validate_only, &r);
        reply(rows::create::<Labs>(self, &cx, call, "create", r.lab).await)
    }

    async fn update_lab(&self, request: Request<UpdateLabRequest>) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UpdateLab", &r.request_id, r.validate_only, &r).because(&r.reason);
        reply(rows::update::<Labs>(self, &cx, call, r.lab, r.update_mask).await)
    }

    async fn import_labs(
        &self,
        request: Request<Streaming<ImportLabsRequest>>,
    ) -> Result<Response<Reply<ImportLabsResponse>>, Status> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            rows::import::<Labs, _>(self, &cx, rows, |r| (r.settings, r.row, r.lab)).await?;
        reply(Ok(ImportLabsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn merge_labs(&self, request: Request<MergeLabsRequest>) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("MergeLabs", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .merge::<Labs>(&cx, call, (&r.name, &r.survivor), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmerge_lab(
        &self,
        request: Request<UnmergeLabRequest>,
    ) -> Result<Response<Reply<UnmergeLabResponse>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UnmergeLab", &r.request_id, r.validate_only, &r);
        let named = (r.name.as_str(), r.etag.as_str());
        let undone = self.store.unmerge::<Labs>(&cx, call, named, &r.reason, &kinds()).await;
        reply(undone.map(|(lab, report)| UnmergeLabResponse {
            lab: Some(lab),
            report: Some(report),
        }))
    }

    async fn mark_labs_distinct(
        &self,
        request: Request<MarkLabsDistinctRequest>,
    ) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("MarkLabsDistinct", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .mark_distinct::<Labs>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn unmark_labs_distinct(
        &self,
        request: Request<UnmarkLabsDistinctRequest>,
    ) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UnmarkLabsDistinct", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .unmark_distinct::<Labs>(&cx, call, (&r.name, &r.other), &r.etag, &r.reason)
                .await,
        )
    }

    async fn annul_lab(&self, request: Request<AnnulLabRequest>) -> Result<Response<Reply<Lab>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("AnnulLab", &r.request_id, r.validate_only, &r);
        reply(self.store.annul::<Labs>(&cx, call, &r.name, &r.etag, &r.reason).await)
    }

    async fn get_lab_designation(
        &self,
        request: Request<GetLabDesignationRequest>,
    ) -> Result<Response<Reply<LabDesignation>>, Status> {
        let (cx, r) = open(request)?;
        reply(self.cases().get::<Designations>(&cx, &r.name, r.view).await)
    }

    async fn batch_get_lab_designations(
        &self,
        request: Request<BatchGetLabDesignationsRequest>,
    ) -> Result<Response<Reply<BatchGetLabDesignationsResponse>>, Status> {
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
    ) -> Result<Response<Reply<ListLabDesignationsResponse>>, Status> {
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

    async fn record_lab_designation(
        &self,
        request: Request<RecordLabDesignationRequest>,
    ) -> Result<Response<Reply<LabDesignation>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("RecordLabDesignation", &r.request_id, r.validate_only, &r);
        let lab_designation = under(&r.parent, r.lab_designation).map_err(from_error)?;
        reply(rows::create::<Designations>(self, &cx, call, "record", Some(lab_designation)).await)
    }

    async fn update_lab_designation(
        &self,
        request: Request<UpdateLabDesignationRequest>,
    ) -> Result<Response<Reply<LabDesignation>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("UpdateLabDesignation", &r.request_id, r.validate_only, &r).because(&r.reason);
        reply(rows::update::<Designations>(self, &cx, call, r.lab_designation, r.update_mask).await)
    }

    async fn import_lab_designations(
        &self,
        request: Request<Streaming<ImportLabDesignationsRequest>>,
    ) -> Result<Response<Reply<ImportLabDesignationsResponse>>, Status> {
        let (cx, rows) = (context(&request), request.into_inner());
        let (outcomes, created_references) =
            rows::import::<Designations, _>(self, &cx, rows, |r| (r.settings, r.row, r.lab_designation)).await?;
        reply(Ok(ImportLabDesignationsResponse {
            outcomes,
            created_references,
        }))
    }

    async fn annul_lab_designation(
        &self,
        request: Request<AnnulLabDesignationRequest>,
    ) -> Result<Response<Reply<LabDesignation>>, Status> {
        let (cx, r) = open(request)?;
        let call = Call::new("AnnulLabDesignation", &r.request_id, r.validate_only, &r);
        reply(
            self.store
                .annul::<Designations>(&cx, call, &r.name, &r.etag, &r.reason)
                .await,
        )
    }

    async fn list_likely_duplicates(
        &self,
        request: Request<ListLikelyDuplicatesRequest>,
    ) -> Result<Response<Reply<ListLikelyDuplicatesResponse>>, Status> {
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
    ) -> Result<Response<Reply<ComputeStatisticsResponse>>, Status> {
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

    async fn list_citations(
        &self,
        request: Request<ListCitationsRequest>,
    ) -> Result<Response<Reply<ListCitationsResponse>>, Status> {
        let (cx, r) = open(request)?;
        let since = Since::of(r.since_sequence, r.since_time.as_ref());
        let cited = self.store.cited(&cx, &kinds(), &r.name, since).await;
        reply(cited.map(|(citations, more)| ListCitationsResponse { citations, more }))
    }

    async fn list_revisions(
        &self,
        request: Request<ListRevisionsRequest>,
    ) -> Result<Response<Reply<ListRevisionsResponse>>, Status> {
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
