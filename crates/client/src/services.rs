//! The services of the register as others call them: what a call names is checked by the service that owns it.

use std::time::Instant;

use mingce_proto::awards::award_nomination_service_client::AwardNominationServiceClient;
use mingce_proto::awards::award_service_client::AwardServiceClient;
use mingce_proto::awards::{FindAwardRanksRequest, FindAwardRanksResponse, ListAwardsRequest, ListAwardsResponse};
use mingce_proto::labs::lab_service_client::LabServiceClient;
use mingce_proto::labs::{
    BatchGetLabsRequest, BatchGetLabsResponse, BatchGetOrganizationsRequest, BatchGetOrganizationsResponse,
    ListOrganizationsRequest, ListOrganizationsResponse, ResolveOrganizationsRequest, ResolveOrganizationsResponse,
};
use mingce_proto::registry::import_service_client::ImportServiceClient;
use mingce_proto::registry::{FindReferrersRequest, FindReferrersResponse};
use mingce_proto::talent::talent_service_client::TalentServiceClient;
use mingce_proto::talent::{
    BatchGetTalentsRequest, BatchGetTalentsResponse, ListTalentsRequest, ListTalentsResponse, ResolveTalentsRequest,
    ResolveTalentsResponse,
};
use tonic::Status;

use crate::peer::{Attempt, Peer};
use crate::transport::{InProcess, Transport};

/// The largest answer that is taken, in bytes: a thousand whole records.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The labs service.
#[derive(Debug, Clone)]
pub struct Labs(Peer);

/// The talent service.
#[derive(Debug, Clone)]
pub struct Talent(Peer);

/// The awards service.
#[derive(Debug, Clone)]
pub struct Awards(Peer);

/// Answers which records that a process serves name others.
async fn find_referrers(
    peer: &Peer,
    deadline: Option<Instant>,
    request: FindReferrersRequest,
) -> Result<FindReferrersResponse, Status> {
    let call = |attempt: Attempt| {
        let request = attempt.request(request.clone());
        let mut client = ImportServiceClient::new(attempt.transport()).max_decoding_message_size(ANSWER_BYTES);
        async move { Ok(client.find_referrers(request).await?.into_inner()) }
    };
    peer.call(deadline, call).await
}

impl Awards {
    /// The awards service at `http://host:port`. Connects with the first call.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the URL is none.
    #[allow(clippy::result_large_err)]
    pub fn lazy(url: &str) -> Result<Self, Status> {
        Peer::lazy("awards", url).map(Self)
    }

    /// The awards service of this process.
    pub fn in_process(services: &InProcess) -> Self {
        Self(Peer::in_process("awards", services))
    }

    /// Answers which of its records name others.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn find_referrers(
        &self,
        deadline: Option<Instant>,
        request: FindReferrersRequest,
    ) -> Result<FindReferrersResponse, Status> {
        find_referrers(&self.0, deadline, request).await
    }

    /// Answers the ranks of a person in awards.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn find_award_ranks(
        &self,
        deadline: Option<Instant>,
        request: FindAwardRanksRequest,
    ) -> Result<FindAwardRanksResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            let mut client =
                AwardNominationServiceClient::new(attempt.transport()).max_decoding_message_size(ANSWER_BYTES);
            async move { Ok(client.find_award_ranks(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }

    /// Answers a page of awards.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn list_awards(
        &self,
        deadline: Option<Instant>,
        request: ListAwardsRequest,
    ) -> Result<ListAwardsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            let mut client = AwardServiceClient::new(attempt.transport()).max_decoding_message_size(ANSWER_BYTES);
            async move { Ok(client.list_awards(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }
}

impl Labs {
    /// The labs service at `http://host:port`. Connects with the first call.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the URL is none.
    #[allow(clippy::result_large_err)]
    pub fn lazy(url: &str) -> Result<Self, Status> {
        Peer::lazy("labs", url).map(Self)
    }

    /// The labs service of this process.
    pub fn in_process(services: &InProcess) -> Self {
        Self(Peer::in_process("labs", services))
    }

    /// Answers which of its records name others.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn find_referrers(
        &self,
        deadline: Option<Instant>,
        request: FindReferrersRequest,
    ) -> Result<FindReferrersResponse, Status> {
        find_referrers(&self.0, deadline, request).await
    }

    /// Answers a page of organizations.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn list_organizations(
        &self,
        deadline: Option<Instant>,
        request: ListOrganizationsRequest,
    ) -> Result<ListOrganizationsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            let mut client = LabServiceClient::new(attempt.transport()).max_decoding_message_size(ANSWER_BYTES);
            async move { Ok(client.list_organizations(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }

    /// Finds the organizations that a request names, all in one call. Creating what is missing bears repeating too: the
    /// second time it is found.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn resolve_organizations(
        &self,
        deadline: Option<Instant>,
        request: ResolveOrganizationsRequest,
    ) -> Result<ResolveOrganizationsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            async move { Ok(labs(&attempt).resolve_organizations(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }

    /// Answers organizations by their names.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn batch_get_organizations(
        &self,
        deadline: Option<Instant>,
        request: BatchGetOrganizationsRequest,
    ) -> Result<BatchGetOrganizationsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            async move { Ok(labs(&attempt).batch_get_organizations(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }

    /// Answers labs by their names.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn batch_get_labs(
        &self,
        deadline: Option<Instant>,
        request: BatchGetLabsRequest,
    ) -> Result<BatchGetLabsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            async move { Ok(labs(&attempt).batch_get_labs(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }
}

impl Talent {
    /// The talent service at `http://host:port`. Connects with the first call.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where the URL is none.
    #[allow(clippy::result_large_err)]
    pub fn lazy(url: &str) -> Result<Self, Status> {
        Peer::lazy("talent", url).map(Self)
    }

    /// The talent service of this process.
    pub fn in_process(services: &InProcess) -> Self {
        Self(Peer::in_process("talent", services))
    }

    /// Answers which of its records name others.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn find_referrers(
        &self,
        deadline: Option<Instant>,
        request: FindReferrersRequest,
    ) -> Result<FindReferrersResponse, Status> {
        find_referrers(&self.0, deadline, request).await
    }

    /// Finds the talents that a request names, all in one call.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn resolve_talents(
        &self,
        deadline: Option<Instant>,
        request: ResolveTalentsRequest,
    ) -> Result<ResolveTalentsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            async move { Ok(talent(&attempt).resolve_talents(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }

    /// Answers a page of talents.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn list_talents(
        &self,
        deadline: Option<Instant>,
        request: ListTalentsRequest,
    ) -> Result<ListTalentsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            async move { Ok(talent(&attempt).list_talents(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }

    /// Answers talents by their names.
    ///
    /// # Errors
    /// UNAVAILABLE where the service cannot be reached, and its own.
    pub async fn batch_get_talents(
        &self,
        deadline: Option<Instant>,
        request: BatchGetTalentsRequest,
    ) -> Result<BatchGetTalentsResponse, Status> {
        let call = |attempt: Attempt| {
            let request = attempt.request(request.clone());
            async move { Ok(talent(&attempt).batch_get_talents(request).await?.into_inner()) }
        };
        self.0.call(deadline, call).await
    }
}

fn labs(attempt: &Attempt) -> LabServiceClient<Transport> {
    LabServiceClient::new(attempt.transport()).max_decoding_message_size(ANSWER_BYTES)
}

fn talent(attempt: &Attempt) -> TalentServiceClient<Transport> {
    TalentServiceClient::new(attempt.transport()).max_decoding_message_size(ANSWER_BYTES)
}
