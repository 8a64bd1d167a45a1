//! Fixture of nominating bodies and recommendations: makes them and moves them on. All persons are invented.

use mingce_e2e::Register;
use mingce_proto::registry::{CaseVerb, Level, OrganizationReference, Revision, TalentReference};
use mingce_proto::talent::*;
use tonic::{Response, Status};

use crate::builders::{made, organization};

/// A programme of the district under which bodies recommend, in a family.
pub async fn programme(register: &Register, code: &str, family: &str) -> Programme {
    let programme = Programme {
        display_name: format!("自主荐才{code}"),
        code: code.to_owned(),
        kind: ProgrammeKind::AutonomousRecommendation as i32,
        level: Level::District as i32,
        family: family.to_owned(),
        ..Programme::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(programme),
        ..CreateProgrammeRequest::default()
    };
    register.talent().create_programme(request).await.unwrap().into_inner()
}

/// The request by which an organization applies to be a body.
pub fn applies(organization: &str, programme: &Programme) -> CreateNominatingBodyRequest {
    let body = NominatingBody {
        organization: Some(OrganizationReference {
            organization: organization.to_owned(),
            ..OrganizationReference::default()
        }),
        programme: Some(ProgrammeReference {
            programme: programme.name.clone(),
            ..ProgrammeReference::default()
        }),
        ..NominatingBody::default()
    };
    CreateNominatingBodyRequest {
        nominating_body: Some(body),
        ..CreateNominatingBodyRequest::default()
    }
}

/// A new organization that applies.
pub async fn applied(register: &Register, name: &str, programme: &Programme) -> NominatingBody {
    let organization = made(register, organization(name)).await;
    let request = applies(&organization.name, programme);
    let answer = register.bodies().create_nominating_body(request).await;
    answer.unwrap().into_inner()
}

/// Publishes the notice of a body.
pub async fn notice_of_body(register: &Register, name: &str) -> NominatingBody {
    let request = PublishNoticeOfNominatingBodyRequest {
        name: name.to_owned(),
        ..PublishNoticeOfNominatingBodyRequest::default()
    };
    let answer = register.bodies().publish_notice_of_nominating_body(request).await;
    answer.unwrap().into_inner()
}

/// Tries to authorise a body, until a day or as long as the policy says.
pub async fn authorise(register: &Register, name: &str, end: &str) -> Result<Response<NominatingBody>, Status> {
    let request = AuthoriseNominatingBodyRequest {
        name: name.to_owned(),
        document_number: "区科〔2024〕1号".to_owned(),
        end_date: end.to_owned(),
        ..AuthoriseNominatingBodyRequest::default()
    };
    register.bodies().authorise_nominating_body(request).await
}

/// Tries to grant a body its quota of a year.
pub async fn grant(
    register: &Register,
    name: &str,
    (year, limit): (i32, i32),
) -> Result<Response<NominatingBody>, Status> {
    let request = GrantQuotaToNominatingBodyRequest {
        name: name.to_owned(),
        year,
        limit,
        document_number: "区科〔2024〕2号".to_owned(),
        ..GrantQuotaToNominatingBodyRequest::default()
    };
    register.bodies().grant_quota_to_nominating_body(request).await
}

/// The body as it is now, with its verbs.
pub async fn body(register: &Register, name: &str) -> NominatingBody {
    let request = GetNominatingBodyRequest {
        name: name.to_owned(),
        ..GetNominatingBodyRequest::default()
    };
    let answer = register.bodies().get_nominating_body(request).await;
    answer.unwrap().into_inner()
}

/// The request by which a body begins to recommend a person.
pub fn recommends(body: &str, talent: &str, year: i32) -> CreateRecommendationRequest {
    let recommendation = Recommendation {
        nominating_body: body.to_owned(),
        talent: Some(TalentReference {
            talent: talent.to_owned(),
            ..TalentReference::default()
        }),
        year,
        statement: "在虚构的领域有突出成果".to_owned(),
        ..Recommendation::default()
    };
    CreateRecommendationRequest {
        recommendation: Some(recommendation),
        ..CreateRecommendationRequest::default()
    }
}

/// A draft of a recommendation.
pub async fn drafted(register: &Register, body: &str, talent: &str, year: i32) -> Recommendation {
    let request = recommends(body, talent, year);
    let answer = register.recommendations().create_recommendation(request).await;
    answer.unwrap().into_inner()
}

/// Tries to file a draft.
pub async fn file(register: &Register, name: &str) -> Result<Response<Recommendation>, Status> {
    let request = FileRecommendationRequest {
        name: name.to_owned(),
        ..FileRecommendationRequest::default()
    };
    register.recommendations().file_recommendation(request).await
}

/// Publishes the notice of a filed recommendation.
pub async fn notice_of(register: &Register, name: &str) -> Recommendation {
    let request = PublishNoticeOfRecommendationRequest {
        name: name.to_owned(),
        ..PublishNoticeOfRecommendationRequest::default()
    };
    let answer = register
        .recommendations()
        .publish_notice_of_recommendation(request)
        .await;
    answer.unwrap().into_inner()
}

/// The request that confirms a recommendation.
pub fn confirms(name: &str) -> ConfirmRecommendationRequest {
    ConfirmRecommendationRequest {
        name: name.to_owned(),
        document_number: "区科〔2024〕9号".to_owned(),
        issuer: "某区科技局".to_owned(),
        ..ConfirmRecommendationRequest::default()
    }
}

/// Tries to confirm a recommendation.
pub async fn confirm(register: &Register, name: &str) -> Result<Response<Recommendation>, Status> {
    register.recommendations().confirm_recommendation(confirms(name)).await
}

/// The recommendation as it is now, with its verbs.
pub async fn recommendation(register: &Register, name: &str) -> Recommendation {
    let request = GetRecommendationRequest {
        name: name.to_owned(),
        ..GetRecommendationRequest::default()
    };
    let answer = register.recommendations().get_recommendation(request).await;
    answer.unwrap().into_inner()
}

/// A designation as it is now, with its verbs.
pub async fn designation(register: &Register, name: &str) -> TalentDesignation {
    let request = GetTalentDesignationRequest {
        name: name.to_owned(),
        ..GetTalentDesignationRequest::default()
    };
    let answer = register.talent().get_talent_designation(request).await;
    answer.unwrap().into_inner()
}

/// The verbs that are open.
pub fn open(verbs: &[CaseVerb]) -> Vec<&str> {
    let open = verbs.iter().filter(|verb| verb.open);
    open.map(|verb| verb.verb.as_str()).collect()
}

/// What stands in the way of a verb: reason and subject, as an error has them when it is tried.
#[track_caller]
pub fn blocked(verbs: &[CaseVerb], verb: &str) -> Vec<(String, String)> {
    let found = verbs.iter().find(|v| v.verb == verb);
    let found = found.unwrap_or_else(|| panic!("{verb} does not lead on from here: {verbs:?}"));
    let blockers = found.blockers.iter();
    blockers.map(|b| (b.reason.clone(), b.subject.clone())).collect()
}

/// All entries of a resource in the ledger, the oldest first.
pub async fn history(register: &Register, name: &str) -> Vec<Revision> {
    let request = ListRevisionsRequest {
        name: name.to_owned(),
        page_size: 1000,
        ..ListRevisionsRequest::default()
    };
    let answer = register.talent().list_revisions(request).await.unwrap().into_inner();
    answer.revisions.into_iter().rev().collect()
}
