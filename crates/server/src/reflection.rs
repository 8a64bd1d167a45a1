//! Reflection: what the server says that it speaks.

use tonic::service::RoutesBuilder;
use tonic_reflection::server::Builder;

use crate::boot::StartError;
use crate::permissions::OPEN;

/// The descriptors of what is served beside the contract: the machinery, and the details of errors, without which
/// clients print those as raw bytes.
pub(crate) const BESIDES: [&[u8]; 4] = [
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    tonic_types::pb::FILE_DESCRIPTOR_SET,
];

/// Mounts reflection as newer clients ask for it and as older ones do (grpcurl up to 1.8.6 among them).
pub(crate) fn mount(routes: &mut RoutesBuilder, contract: &'static [u8], services: &[&str]) -> Result<(), StartError> {
    routes.add_service(builder(contract, services).build_v1().map_err(unreadable)?);
    routes.add_service(builder(contract, services).build_v1alpha().map_err(unreadable)?);
    Ok(())
}

/// The contract comes first: of a file that stands in several sets the first one is served, and only the contract's
/// keep their options.
fn builder(contract: &'static [u8], services: &[&str]) -> Builder<'static> {
    let builder = Builder::configure()
        .include_reflection_service(false)
        .register_encoded_file_descriptor_set(contract);
    let builder = BESIDES
        .iter()
        .fold(builder, |b, set| b.register_encoded_file_descriptor_set(set));
    services
        .iter()
        .chain(&OPEN)
        .fold(builder, |b, name| b.with_service_name(*name))
}

fn unreadable(error: tonic_reflection::server::Error) -> StartError {
    StartError::Contract(format!("the descriptor set cannot be read: {error}"))
}
