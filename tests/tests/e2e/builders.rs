//! Builders: organizations and persons, and the requests on them. All are invented.

use mingce_e2e::Register;
use mingce_proto::labs::{
    AnnulOrganizationRequest, CreateOrganizationRequest, GetOrganizationRequest, ListOrganizationsRequest,
    ListRevisionsRequest, MergeOrganizationsRequest, Organization, UpdateOrganizationRequest,
};
use mingce_proto::registry::{Identifier, Revision};
use mingce_proto::talent::{CreateTalentRequest, Talent};
use prost_types::FieldMask;

/// An organization with nothing but a name.
pub fn organization(display_name: &str) -> Organization {
    Organization {
        display_name: display_name.to_owned(),
        ..Organization::default()
    }
}

/// The request that creates it.
pub fn create(organization: Organization) -> CreateOrganizationRequest {
    CreateOrganizationRequest {
        organization: Some(organization),
        ..CreateOrganizationRequest::default()
    }
}

/// Creates an organization.
pub async fn made(register: &Register, organization: Organization) -> Organization {
    register
        .labs()
        .create_organization(create(organization))
        .await
        .unwrap()
        .into_inner()
}

/// Creates a person.
pub async fn person(register: &Register, talent: Talent) -> Talent {
    let request = CreateTalentRequest {
        talent: Some(talent),
        ..CreateTalentRequest::default()
    };
    register.talent().create_talent(request).await.unwrap().into_inner()
}

/// The organization as it is now.
pub async fn read(register: &Register, name: &str) -> Organization {
    let get = GetOrganizationRequest {
        name: name.to_owned(),
        ..GetOrganizationRequest::default()
    };
    register.labs().get_organization(get).await.unwrap().into_inner()
}

/// An identifier of a scheme without a check.
pub fn identifier(value: &str) -> Identifier {
    Identifier {
        scheme: "number".to_owned(),
        value: value.to_owned(),
    }
}

/// How many organizations there are, with a proof that the register still answers.
pub async fn count(register: &Register) -> i64 {
    let all = ListOrganizationsRequest {
        include_total_size: true,
        ..ListOrganizationsRequest::default()
    };
    register
        .labs()
        .list_organizations(all)
        .await
        .unwrap()
        .into_inner()
        .total_size
}

/// An organization of which most is known.
pub fn whole() -> Organization {
    Organization {
        city: "青岛".to_owned(),
        country_code: "CN".to_owned(),
        established_year: 1909,
        website: "https://example.org".to_owned(),
        identifiers: vec![identifier("1")],
        ..organization("青岛大学")
    }
}

/// The request that sets these fields.
pub fn update(organization: Organization, paths: &[&str]) -> UpdateOrganizationRequest {
    UpdateOrganizationRequest {
        organization: Some(organization),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        ..UpdateOrganizationRequest::default()
    }
}

/// Sets these fields.
pub async fn updated(register: &Register, organization: Organization, paths: &[&str]) -> Organization {
    let answer = register.labs().update_organization(update(organization, paths)).await;
    answer.unwrap().into_inner()
}

/// The request that annuls an organization.
pub fn annul(name: &str) -> AnnulOrganizationRequest {
    AnnulOrganizationRequest {
        name: name.to_owned(),
        reason: "recorded by mistake".to_owned(),
        ..AnnulOrganizationRequest::default()
    }
}

/// The request that merges one organization into another.
pub fn merge(name: &str, survivor: &str) -> MergeOrganizationsRequest {
    MergeOrganizationsRequest {
        name: name.to_owned(),
        survivor: survivor.to_owned(),
        reason: "the same university".to_owned(),
        ..MergeOrganizationsRequest::default()
    }
}

/// All revisions of an organization, the newest first.
pub async fn history(register: &Register, name: &str) -> Vec<Revision> {
    let mut request = ListRevisionsRequest {
        name: name.to_owned(),
        page_size: 2,
        ..ListRevisionsRequest::default()
    };
    let mut revisions = Vec::new();
    loop {
        let page = register
            .labs()
            .list_revisions(request.clone())
            .await
            .unwrap()
            .into_inner();
        revisions.extend(page.revisions);
        if page.next_page_token.is_empty() {
            return revisions;
        }
        request.page_token = page.next_page_token;
    }
}
