//! What tests make and read most: organizations and persons. All are invented.

use mingce_e2e::Register;
use mingce_proto::labs::{CreateOrganizationRequest, GetOrganizationRequest, ListOrganizationsRequest, Organization};
use mingce_proto::registry::Identifier;
use mingce_proto::talent::{CreateTalentRequest, Talent};

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
